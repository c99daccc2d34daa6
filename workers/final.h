/* Final: verdicts become signed decisions, and those the body of an answer. The body is what the ledger keeps and
 * what every later message of the encounter hears. */
#ifndef SALLYPORT_WORKERS_FINAL_H
#define SALLYPORT_WORKERS_FINAL_H

#include "workers/decide.h"

/* Who signs: this worker. */
struct sp_signer {
    uint8_t secret[64]; /* Ed25519 */
    uint8_t cert[SP_CERT_MAX_BYTES];
    size_t cert_length;
    uint8_t pack[SP_PACK_FINGERPRINT_BYTES];
};

/* What every decision of one answer says. Views are only read during the call. */
struct sp_final_about {
    const char *lane;
    const uint8_t *encounter, *sender;
    uint32_t seq;
    bool per_face; /* multi lane: face = 1, 2, ...; else 0 */
    uint64_t assignment;
    int gallery_count;
    const struct sp_decision_gallery *galleries; /* those with version 0 are left out */
    const uint8_t *pack;                         /* under which it was compared; NULL: the signer's own */
    double threshold;
    int64_t issued_ms, ttl_ms;
    /* beside the decisions */
    bool reveal;                /* candidate, score and margin */
    const uint32_t *timings_us; /* [SP_TIMING_COUNT] or NULL */
    int faces, quality;         /* -1: not said */
};

/* Verdicts with an outcome become decisions (none: the body of an `undecided`). *ret_first is the first decision,
 * for the ledger's routing fields; it may be NULL. The caller frees *ret_body. */
enum sp_status sp_final_body(uint8_t **ret_body, size_t *ret_length, struct sp_decision *ret_first,
                             const struct sp_signer *signer, const struct sp_final_about *about,
                             const struct sp_verdict *verdicts, int count, struct sp_err *err);

#endif
