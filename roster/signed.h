/* When the newest signed message of a journey was signed: what stops somebody who kept an old list from putting it in again.
 * sp:m:{id}:signed in the durable Redis (docs/redis.md); expires, since what is older than 48 h is refused anyway. */
#ifndef SALLYPORT_ROSTER_SIGNED_H
#define SALLYPORT_ROSTER_SIGNED_H

#include "common/store.h"
#include "listing/listing.h"
#include "roster/signature.h"

/* SP_E_INVALID: older than what was taken of this manifest. Parts of the newest list itself may come in any order. */
enum sp_status sp_signed_check(const struct sp_signature *signature, const struct sp_listing *listing,
                               struct sp_store *durable, const char *manifest, struct sp_err *err);
/* After it was published: it is the newest now, unless a newer one is. */
enum sp_status sp_signed_note(const struct sp_signature *signature, const struct sp_listing *listing,
                              struct sp_store *durable, const char *manifest, struct sp_err *err);

#endif
