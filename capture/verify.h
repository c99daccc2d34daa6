/* The lane verifies before it acts (docs/protocol.md section 5): what stands in an opened answer is believed only after
 * the certificate, the signature and every field that ties the decision to this lane's own encounter. Pure: no sockets,
 * no clock of its own. */
#ifndef SALLYPORT_CAPTURE_VERIFY_H
#define SALLYPORT_CAPTURE_VERIFY_H

#include "common/decision.h"

/* X(CONSTANT, word, what it means). The word stands in reports and counters. */
#define SP_VERDICT_LIST(X)                                                                                         \
    X(GOOD, "good", "every check passed")                                                                          \
    X(CANNOT_OPEN, "cannot_open", "the answer's seal does not open with this session's key")                       \
    X(MALFORMED, "malformed", "the answer or its decision does not have the form of docs/protocol.md")             \
    X(NO_DECISION, "no_decision", "the answer says decided and holds no decision")                                 \
    X(BAD_CERTIFICATE, "bad_certificate", "the signer's certificate is not one of the trusted authority's")        \
    X(BAD_SIGNATURE, "bad_signature", "the certified key did not sign this decision")                              \
    X(OTHER_LANE, "other_lane", "the decision is about another lane")                                              \
    X(OTHER_ENCOUNTER, "other_encounter", "the decision is about another encounter")                               \
    X(OTHER_SENDER, "other_sender", "the decision is about another sender's encounter")                            \
    X(UNKNOWN_SEQ, "unknown_seq", "the decision names a frame that was never sent")                                \
    X(EXPIRED, "expired", "the time to act on the decision is over")

enum sp_verdict {
#define X(constant, word, text) SP_VERDICT_##constant,
    SP_VERDICT_LIST(X)
#undef X
    SP_VERDICT_COUNT
};
const char *sp_verdict_word(int verdict); /* "bad_signature"; "unknown". Static storage */
const char *sp_verdict_text(int verdict);

/* What the lane knows by itself. Pointers are borrowed for the call. */
struct sp_verify_facts {
    const uint8_t *authority;  /* 32 bytes: Ed25519 public key of the authority */
    const char *lane;
    const uint8_t *encounter;  /* 16 bytes */
    const uint8_t *sender;     /* 32 bytes: own CURVE public key */
    int64_t wall_ms;           /* for the certificate's end date only */
    uint64_t now_ns;           /* monotonic */
    /* When this lane first sent message `seq` of the encounter; false: never. */
    bool (*sent_at)(const void *user, const uint8_t *encounter, uint32_t seq, uint64_t *ret_ns);
    const void *user;
};

/* Check the decisions of a `decided` answer; ret_decisions has room for SP_ANSWER_MAX_DECISIONS and is written only when
 * the verdict is GOOD. err gets a sentence otherwise. Ages are counted from the first sending of the message the decision
 * names, so that a stored decision heard again does not live longer. Does not block. */
enum sp_verdict sp_verify_decisions(struct sp_decision *ret_decisions, const struct sp_answer_body *body,
                                    const struct sp_verify_facts *facts, struct sp_err *err);

#endif
