/* The ledger: finals, evidence and the decision stream, in the durable Redis (appendfsync always).
 *
 * Partitions {d0}..{dP-1}; an encounter's partition is BLAKE2b-64(encounter) mod P. Per encounter one hash
 * sp:{dK}:e:<hex> with sealed evidence (workers' role) and, once decided, the stored answer; per partition a stream
 * sp:{dK}:decisions and a sorted set sp:{dK}:open of open encounters by the wall time after which they are abandoned.
 * One Lua script on one slot compares, sets the final and appends the entry, or gives back the final that stands. */
#ifndef SALLYPORT_RECORDS_LEDGER_H
#define SALLYPORT_RECORDS_LEDGER_H

#include "common/decision.h"
#include "common/store.h"
#include "records/evidence.h"

#define SP_LEDGER_MAX_PARTITIONS 64

struct sp_ledger_config {
    int partitions;            /* default 8; the same in every process of a site */
    int64_t final_ttl_ms;      /* how long finals are kept: at least twice the broker's max_age; default 600,000 */
    int64_t abandon_after_ms;  /* an open encounter is abandoned this long after its last message; default 30,000 */
    uint64_t alarm_length;     /* stream entries per partition at which appends warn; default 500,000 */
    uint8_t recorder_public[32]; /* entries are sealed to it */
    int replicas;              /* WAIT for that many after each batch of writes; 0: none configured */
    int64_t replica_wait_ms;   /* how long to wait for them; fewer count as SP_E_UNAVAILABLE */
    int64_t claim_hold_ms;     /* a tentative claim is another's for so long; 0: 30,000 */
    struct sp_data_key evidence; /* workers' role key for the per-encounter state (site key "evidence") */
};

struct sp_ledger;
enum sp_status sp_ledger_new(struct sp_ledger **ret_ledger, struct sp_store *durable,
                             const struct sp_ledger_config *config, struct sp_err *err);
void sp_ledger_free(struct sp_ledger **ledger); /* does not free the store */

/* What is known of an encounter. state->version 0: nothing yet. */
struct sp_encounter_state {
    uint64_t version;             /* grows with each write: the compare of compare-and-set */
    struct sp_evidence evidence;  /* see records/evidence.h */
    bool final;
    uint8_t *final_body;          /* encoded sp_answer_body of the final; owned; NULL without */
    size_t final_body_length;
    int final_reason;
};
void sp_encounter_state_clear(struct sp_encounter_state *state);

/* Read many encounters in one round trip. */
enum sp_status sp_ledger_read(struct sp_ledger *ledger, const uint8_t (*encounters)[SP_ENCOUNTER_BYTES], int count,
                              struct sp_encounter_state *ret_states, struct sp_err *err);

/* A traveller's one crossing of a manifest, claimed for an encounter (docs/redis.md 3.3). */
struct sp_ledger_claim {
    char manifest[SP_MANIFEST_ID_MAX];
    uint8_t traveller[SP_PSEUDONYM_BYTES];
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    bool ret_mine; /* sp_ledger_claim: this encounter's now, or before; else another has crossed, or is about to */
};
/* Take claims for a batch, tentatively, in one round trip; a few more where a confirmed or an old tentative claim of
 * another is found, because its final must be looked up. Idempotent. SP_E_UNAVAILABLE: unknown, try again. */
enum sp_status sp_ledger_claim(struct sp_ledger *ledger, struct sp_ledger_claim *claims, int count,
                               struct sp_err *err);
/* Give back what an encounter claimed whose final turned out to be another. One round trip. */
enum sp_status sp_ledger_release(struct sp_ledger *ledger, const struct sp_ledger_claim *claims, int count,
                                 struct sp_err *err);
/* True if the final of this state is a match of that traveller. One that cannot be read counts as such: a claim is
 * rather kept, and an officer called, than given to a second. */
bool sp_ledger_matched(const struct sp_encounter_state *state, const struct sp_ledger_claim *claim);

/* One write of a batch: either new evidence (final_body NULL) or a final. */
struct sp_ledger_write {
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint64_t expected_version;        /* evidence: must still be this; a final ignores it: the first final wins */
    const struct sp_evidence *evidence;
    const uint8_t *final_body;        /* encoded sp_answer_body (with decisions and cert) */
    size_t final_body_length;
    int final_reason;
    const struct sp_ledger_claim *claims; /* of a final: confirmed right behind it, in the same pipeline */
    int claim_count;
    const struct sp_decision *decision; /* routing fields of the stream entry (lane, outcome, reason, issue time) */
    /* result: */
    enum { SP_LEDGER_WRITTEN, SP_LEDGER_STANDS, SP_LEDGER_MOVED } ret_outcome; /* STANDS: a final was there (ret_state
        holds it); MOVED: the evidence changed meanwhile, read and merge again */
    struct sp_encounter_state ret_state; /* filled for STANDS; clear it */
};
/* All writes in one pipelined round trip; durable when it returns SP_OK. SP_E_UNAVAILABLE: unknown, try again: the
 * writes are idempotent (a repeated final finds itself). */
enum sp_status sp_ledger_write(struct sp_ledger *ledger, struct sp_ledger_write *writes, int count,
                               struct sp_err *err);

/* Sweeping: take or renew the lease of one partition for this worker; then open encounters whose time has come. */
enum sp_status sp_ledger_lease(struct sp_ledger *ledger, int partition, const char *holder, int64_t lease_ms,
                               bool *ret_held, struct sp_err *err);
enum sp_status sp_ledger_overdue(struct sp_ledger *ledger, int partition, int64_t now_wall_ms,
                                 uint8_t (*ret_encounters)[SP_ENCOUNTER_BYTES], int max, int *ret_count,
                                 struct sp_err *err);
int sp_ledger_partition(const struct sp_ledger *ledger, const uint8_t encounter[SP_ENCOUNTER_BYTES]);
/* Entries in the longest decision stream seen by this ledger's appends: the caller warns at alarm_length. */
uint64_t sp_ledger_longest(const struct sp_ledger *ledger);

#endif
