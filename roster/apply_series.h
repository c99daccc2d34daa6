/* Messages that were applied, and what they say of a list that comes in parts. Of apply.c. */
#ifndef SALLYPORT_ROSTER_APPLY_SERIES_H
#define SALLYPORT_ROSTER_APPLY_SERIES_H

#include "roster/apply.h"

/* Keyed, over all that the message says. */
enum sp_status sp_apply_digest(uint8_t ret_digest[16], const struct sp_roster *roster, const struct sp_apply_message *m,
                               const struct sp_manifest_keys *keys, struct sp_err *err);
/* True if a message of this digest is among the receipts. before may be NULL, here and below. */
bool sp_apply_is_known(const struct sp_manifest_index *before, const uint8_t digest[16]);
/* The receipt of a message whose digest stands in it already: which series it belongs to, and all else. */
void sp_apply_receipt(struct sp_index_receipt *receipt, const struct sp_manifest_index *before,
                      const struct sp_apply_message *m, int travellers, int64_t now_ms);
/* Where a series stands among the receipts: of lists the first message of it counts, of deltas the last. -1: gone. */
int sp_apply_position(const struct sp_manifest_index *before, uint32_t series);
/* True if all parts of a list (or of another message in parts: a series has one action) were received; `with` is one more receipt, or NULL. ret_parts may be NULL. */
bool sp_apply_is_whole(const struct sp_manifest_index *before, uint32_t series, const struct sp_index_receipt *with,
                       struct sp_apply_parts *ret_parts);
/* True if a list that began after this one is whole already. */
bool sp_apply_is_late(const struct sp_manifest_index *before, const struct sp_index_receipt *receipt);
/* True if the newest list of another group is not whole: the manifest as a whole is not complete. */
bool sp_apply_others_open(const struct sp_manifest_index *before, enum sp_listing_group group);

#endif
