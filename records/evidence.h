/* What an encounter has shown so far: kept sealed in the ledger, so that workers hold no state and any worker can
 * answer the next frame or the close. */
#ifndef SALLYPORT_RECORDS_EVIDENCE_H
#define SALLYPORT_RECORDS_EVIDENCE_H

#include <stdbool.h>
#include "common/decision.h"

#define SP_EVIDENCE_MAX_ANSWERS 64 /* stored frame answers per encounter; later frames beyond it hear `error` */

struct sp_evidence_answer {
    uint32_t seq;
    int answer; /* UNDECIDED or ERROR heard by this frame */
    int reason;
};

struct sp_evidence {
    char lane[SP_NAME_MAX];
    uint8_t sender[32];      /* the encounter belongs to this key and lane */
    int frames;              /* looked at */
    int comparable;          /* of them good enough to compare */
    int best_quality;        /* of the best frame, 0..100 */
    int best_reason;         /* why the best frame did not decide */
    bool has_candidate;
    uint8_t candidate[SP_PSEUDONYM_BYTES]; /* best row so far, at any score */
    double score, margin, threshold; /* margin NaN: there was no second row */
    uint8_t pack[16];        /* of candidate, comparisons and threshold; zeros: none yet */
    uint64_t assignment;
    int gallery_count;
    struct sp_decision_gallery galleries[SP_DECISION_MAX_GALLERIES]; /* compared against, last */
    int answer_count;
    struct sp_evidence_answer answers[SP_EVIDENCE_MAX_ANSWERS];
};

/* Encode/decode as msgpack (plain; the ledger seals). ret_bytes holds SP_EVIDENCE_MAX_BYTES. */
#define SP_EVIDENCE_MAX_BYTES 8192
enum sp_status sp_evidence_encode(uint8_t *ret_bytes, size_t *ret_length, const struct sp_evidence *evidence,
                                  struct sp_err *err);
enum sp_status sp_evidence_decode(struct sp_evidence *ret, const void *bytes, size_t length, struct sp_err *err);
/* The stored answer of a frame, or NULL. */
const struct sp_evidence_answer *sp_evidence_find(const struct sp_evidence *evidence, uint32_t seq);

#endif
