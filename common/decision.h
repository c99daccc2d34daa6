/* Decisions: what a worker signs and a lane acts on. A record's bytes are signed as they are; they are never
 * re-encoded on the way. */
#ifndef SALLYPORT_COMMON_DECISION_H
#define SALLYPORT_COMMON_DECISION_H

#include "common/message.h"
#include "common/review.h"

#define SP_DECISION_MAX_BYTES     4096
#define SP_DECISION_MAX_GALLERIES 16
#define SP_DECISION_CONTEXT       "sallyport decision 1"
#define SP_MANIFEST_ID_MAX        96
#define SP_PSEUDONYM_BYTES        16

enum sp_outcome { SP_OUTCOME_MATCH = 1, SP_OUTCOME_NO_MATCH = 2, SP_OUTCOME_REFER = 3 };
const char *sp_outcome_word(int outcome); /* "match", "no_match", "refer" */

struct sp_decision_gallery {
    char manifest[SP_MANIFEST_ID_MAX];
    uint64_t version;
};

struct sp_decision {
    char lane[SP_NAME_MAX];
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t face;          /* 0 in single lanes; 1... per face in multi lanes */
    uint32_t seq;           /* the frame (or close) that decided */
    uint8_t sender[32];     /* whose encounter it is: a lane refuses others' decisions */
    int outcome;
    int reason;
    bool has_traveller;     /* match: the matched row; refer look_alike, already_boarded: none */
    uint8_t traveller[SP_PSEUDONYM_BYTES]; /* keyed pseudonym of the row */
    char manifest[SP_MANIFEST_ID_MAX];     /* of the traveller, "" without one */
    int64_t issued_ms;      /* worker's wall clock */
    int64_t expires_ms;     /* expires - issued = how long the lane may act on it, counted on its monotonic clock from
                               the moment it sent the frame (or close) that this answers */
    uint64_t assignment;    /* version of the lane's assignment */
    int gallery_count;
    struct sp_decision_gallery galleries[SP_DECISION_MAX_GALLERIES];
    uint8_t pack[16];       /* fingerprint */
    double threshold;       /* score units, larger is better */
    char policy[32];        /* policy version; "none" until policies exist */
};

/* Into a caller's buffer of SP_DECISION_MAX_BYTES. SP_E_INVALID names a field that no lane would accept. */
enum sp_status sp_decision_encode(uint8_t *ret_bytes, size_t *ret_length, const struct sp_decision *decision,
                                  struct sp_err *err);
/* Checks every field (a decoded decision is one that encode would have made); unknown keys are ignored. SP_E_VERSION for
 * another version of decisions, SP_E_FORMAT/SP_E_LIMIT naming the field otherwise. Signatures are the caller's matter. */
enum sp_status sp_decision_decode(struct sp_decision *ret, const void *bytes, size_t length, struct sp_err *err);

/* What an ANSWER's opened payload holds (docs/protocol.md section 5): {decisions: [[bytes, signature64], ...], cert,
 * timings: {stage: us}, faces, quality, candidate, score, margin, enrolled: {template, reason, quality, eye_px}}; all but
 * `decisions` optional; candidate, score and margin only where the lane reveals scores (development). */
#define SP_ANSWER_MAX_DECISIONS 16
#define SP_ANSWER_BODY_MAX      (128u << 10) /* bytes, encoded */
struct sp_signed_decision {
    uint8_t bytes[SP_DECISION_MAX_BYTES];
    size_t length;
    uint8_t signature[SP_SIGNATURE_BYTES];
};

enum { SP_TIMING_QUEUE, SP_TIMING_DECODE, SP_TIMING_DETECT, SP_TIMING_LANDMARK, SP_TIMING_ALIGN, SP_TIMING_QUALITY,
       SP_TIMING_EMBED, SP_TIMING_MATCH, SP_TIMING_DECIDE, SP_TIMING_COUNT };
const char *sp_timing_word(int timing); /* "queue"...; "unknown" */

/* Answer to an ENROL: what became of one portrait. */
struct sp_enrolled {
    bool has_template;
    uint8_t template_id[16];
    int reason;             /* SP_REASON_NONE, or why there is no template */
    int quality;            /* unified 0..100; -1: not said */
    double eye_px;          /* inter-eye distance in the portrait, pixels; 0: not said */
};

struct sp_answer_body {
    int decision_count;
    struct sp_signed_decision decisions[SP_ANSWER_MAX_DECISIONS];
    uint8_t cert[SP_CERT_MAX_BYTES];
    size_t cert_length;     /* 0: none */
    uint32_t timings_us[SP_TIMING_COUNT];
    int faces;              /* seen in the frame; -1: not said */
    int quality;            /* unified 0..100; -1: not said */
    bool has_candidate;
    uint8_t candidate[SP_PSEUDONYM_BYTES];
    double score, margin;   /* with a candidate; margin is NaN (and not on the wire) where there is no second row */
    bool has_enrolled;      /* ENROL only */
    struct sp_enrolled enrolled;
    bool has_review;        /* REVIEW only */
    struct sp_review review;
};

/* Encoded body (plain; the caller seals it). Caller frees *ret_bytes with free(). */
enum sp_status sp_answer_body_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_answer_body *body,
                                     struct sp_err *err);
enum sp_status sp_answer_body_decode(struct sp_answer_body *ret, const void *bytes, size_t length,
                                     struct sp_err *err);

#endif
