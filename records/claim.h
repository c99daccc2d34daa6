/* Claims: who has crossed already. Per manifest one hash sp:m:{id}:claims in the durable Redis, field = the
 * traveller's pseudonym, value = "<t|c> <encounter hex> <wall ms>": tentative while the final is being decided,
 * confirmed once it stands (docs/redis.md 3.3). Workers take them through their ledger (records/ledger.h); here is
 * what a desk does. */
#ifndef SALLYPORT_RECORDS_CLAIM_H
#define SALLYPORT_RECORDS_CLAIM_H

#include "common/decision.h"
#include "common/store.h"

#define SP_CLAIM_KEY_MAX   (SP_MANIFEST_ID_MAX + 24)
#define SP_CLAIM_VALUE_MAX 64
#define SP_CLAIM_LIST_MAX  20000

struct sp_claim {
    uint8_t traveller[SP_PSEUDONYM_BYTES];
    uint8_t encounter[SP_ENCOUNTER_BYTES]; /* whose match it is */
    bool confirmed;                        /* its final stands */
    int64_t claimed_ms;                    /* the server's wall clock */
};

/* "sp:m:{id}:claims" into SP_CLAIM_KEY_MAX bytes. */
void sp_claim_key(char *ret_key, const char *manifest);

/* All claims of a manifest, in no order; the caller frees *ret_claims. Blocking. */
enum sp_status sp_claim_list(struct sp_claim **ret_claims, int *ret_count, struct sp_store *durable,
                             const char *manifest, struct sp_err *err);
/* An officer lets a traveller cross again. SP_E_NOTFOUND: there is no claim. Blocking. */
enum sp_status sp_claim_release(struct sp_store *durable, const char *manifest,
                                const uint8_t traveller[SP_PSEUDONYM_BYTES], struct sp_err *err);

/* One claim's value. SP_E_FORMAT. */
enum sp_status sp_claim_parse(struct sp_claim *ret, const uint8_t *value, size_t length, struct sp_err *err);

#endif
