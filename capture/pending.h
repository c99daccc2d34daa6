/* What was taken and waits for its answer, and when each message was first sent. Two fixed tables; no sockets. */
#ifndef SALLYPORT_CAPTURE_PENDING_H
#define SALLYPORT_CAPTURE_PENDING_H

#include "capture/client.h"
#include "common/wire.h"

struct sp_pending {
    bool used;
    enum sp_message_type kind;
    char lane[SP_NAME_MAX];
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq;
    int job_class;
    bool last;
    bool has_pack;                /* ENROL, REVIEW */
    uint8_t pack[SP_PACK_BYTES];
    int reason;                   /* CLOSE */
    struct sp_wire_writer *plain; /* owned: the payload before sealing, kept until the answer */
    const uint8_t *bytes;         /* of plain */
    size_t length;
    uint64_t taken_ns;
    uint64_t deadline_ns;
    uint64_t due_ns;              /* not sent before this (back-off) */
    uint32_t backoff_ms;
    int sendings;                 /* under any session */
    bool on_wire;                 /* sent under this session and not refused since */
};

/* One row per (encounter, seq) that was ever sent, the newest SENT_MAX of them: what makes a decision's `seq` and age
 * checkable. */
#define SP_SENT_MAX 1024
struct sp_sent {
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq; /* 0: free */
    uint64_t first_ns;
};

struct sp_pending_table {
    struct sp_pending rows[SP_CLIENT_PENDING_MAX];
    struct sp_sent sent[SP_SENT_MAX];
    unsigned sent_next;
};

/* NULL if none waits. */
struct sp_pending *sp_pending_find(struct sp_pending_table *table, const uint8_t *encounter, uint32_t seq);
/* A free row with a writer for its payload. SP_E_LIMIT when full, SP_E_EXISTS when (encounter, seq) waits already. */
enum sp_status sp_pending_add(struct sp_pending_table *table, const uint8_t *encounter, uint32_t seq,
                              size_t max_payload, struct sp_pending **ret_row, struct sp_err *err);
void sp_pending_remove(struct sp_pending *row);
/* Rows in use, of one kind and lane if lane is not NULL. */
uint32_t sp_pending_count(const struct sp_pending_table *table, enum sp_message_type kind, const char *lane);
void sp_pending_free_all(struct sp_pending_table *table);

/* Note a sending; only the first of each (encounter, seq) counts. */
void sp_pending_sent(struct sp_pending_table *table, const uint8_t *encounter, uint32_t seq, uint64_t now_ns);
/* For struct sp_verify_facts: user is the table. */
bool sp_pending_sent_at(const void *table, const uint8_t *encounter, uint32_t seq, uint64_t *ret_ns);

#endif
