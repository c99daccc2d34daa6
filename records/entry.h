/* One entry of a decision stream: routing fields in clear, everything else sealed to the recorder.
 *
 * The sealed part is suite 2 over a msgpack map {v 1, partition, enc b16, body}: body is the answer's body as the lane
 * hears it, so that the signature in the ledger is the one that the lane verified. docs/redis.md 3.2. */
#ifndef SALLYPORT_RECORDS_ENTRY_H
#define SALLYPORT_RECORDS_ENTRY_H

#include "common/decision.h"

#define SP_ENTRY_MAX_BYTES ((size_t)(SP_ANSWER_BODY_MAX) + 256)

/* The clear fields, as read from the stream. */
struct sp_entry_routing {
    int partition;
    char lane[SP_NAME_MAX];
    int outcome;
    int reason;
    int64_t issued_ms;
};

struct sp_entry {
    struct sp_entry_routing routing;
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    struct sp_cert worker;
    int decision_count;
    struct sp_decision decisions[SP_ANSWER_MAX_DECISIONS];
};

/* Seal one entry; caller frees *ret_sealed with free(). */
enum sp_status sp_entry_seal(uint8_t **ret_sealed, size_t *ret_length, int partition,
                             const uint8_t encounter[SP_ENCOUNTER_BYTES], const uint8_t *body, size_t body_length,
                             const uint8_t recorder_public[32], struct sp_err *err);

/* Open and verify: the seal, the worker's certificate (by the authority, at the time of issue), each decision's
 * signature, and that the clear fields say what was signed. SP_E_AUTH names what does not hold. */
enum sp_status sp_entry_open(struct sp_entry *ret_entry, const struct sp_entry_routing *routing,
                             const uint8_t *sealed, size_t length, const struct sp_key_file *recorder,
                             const uint8_t authority_public[32], struct sp_err *err);

#endif
