/* The broker's logic as one pure step: (state, event, now) -> (state, outputs).
 *
 * After broker_new nothing here allocates, and nothing ever reads a clock, draws a random number, opens a file or a
 * socket or starts a thread: time comes in with the step, random session ids and looked-up peers come in with the
 * event, messages go out through the outbox. The shell (broker/shell.c) translates between this and ZeroMQ; tests
 * and simulations translate between this and nothing. docs/protocol.md section 7 is the table of states and
 * actions.
 *
 * One thread. */
#ifndef SALLYPORT_BROKER_BROKER_H
#define SALLYPORT_BROKER_BROKER_H

#include "broker/outbox.h"
#include "common/curve.h"
#include "common/message.h"
#include "common/status.h"

/* The hard limits and times of one broker. Nothing is unbounded. */
struct broker_limits {
    int max_clients, max_workers;
    int max_jobs;              /* held in all: queued, at workers, and given up but still at a worker; <= 65536 */
    int queue[SP_CLASS_COUNT]; /* waiting jobs per class, [0] = gate */
    uint64_t max_held_bytes;   /* of payloads held for jobs */
    uint64_t max_payload;      /* bytes of one payload */
    uint32_t window;           /* unanswered FRAMEs per lane */
    uint32_t key_sessions;     /* sessions of one key side by side */
    uint32_t client_jobs;      /* unanswered CLOSEs, ENROLs and REVIEWs per session */
    uint32_t max_credit;       /* a worker's announced credit counts up to this */
    uint32_t patient_credit;   /* of it, for classes enrol and bulk: a gate never waits behind more of them */
    uint32_t max_deliveries;   /* of one job, then error worker_lost */
    uint64_t max_budget_ns;    /* longer budgets are cut to this */
    uint64_t max_age_ns;       /* of a frame, from its capture */
    uint64_t heartbeat_ns;     /* something is said to every peer at least this often */
    uint64_t client_lease_ns;  /* a client silent for this long has no session any more */
    uint64_t lease_ns;         /* a worker silent for this long is dead */
    uint64_t grace_ns;  /* beyond its deadline a job at a worker gets this long for the worker's own answer */
    uint64_t stuck_ns;  /* a job that was given up costs its worker credit at most this long */
    uint64_t hash_seed; /* random: nobody outside can aim at one bucket */
};

enum broker_event_type {
    BROKER_FRONT_MESSAGE, /* from a client */
    BROKER_BACK_MESSAGE,  /* from a worker */
    BROKER_FRONT_LOST,    /* a message to this route could not be sent: the connection is gone or does not read */
    BROKER_BACK_LOST,
    BROKER_KEY_REVOKED, /* `key` left the peer table */
    BROKER_TICK,        /* time has passed; due at least every few hundredths of a second */
    BROKER_DRAIN,       /* take nothing new */
    BROKER_STOP,        /* answer what is left and say BYE to everybody */
};

struct broker_event {
    enum broker_event_type type;
    struct broker_route route;      /* messages, LOST */
    uint8_t key[32];                /* messages, KEY_REVOKED: the CURVE key of the connection */
    const struct sp_peer *peer;     /* its entry in the live peer table; NULL: not there (any more) */
    const struct sp_header *header; /* decoded; where flaw is set: whatever was readable, never NULL */
    int flaw;                       /* SP_REASON_NONE, BAD_MESSAGE, BAD_VERSION or UNKNOWN_MESSAGE */
    bool has_payload;
    size_t payload_bytes;
    bool certified;                          /* READY: the certificate verified */
    uint8_t fresh_session[SP_SESSION_BYTES]; /* HELLO: random, never used before */
};

/* Everything counted, read by the shell for the metrics and by tests. */
struct broker_counts {
    uint64_t received[2]; /* messages; [0] front, [1] back */
    uint64_t frames, closes, enrols, reviews, asks, wants;
    uint64_t refused[SP_REASON_MAX + 1];    /* REFUSED by reason */
    uint64_t answers[7][SP_REASON_MAX + 1]; /* ANSWERs by answer and reason */
    uint64_t orphaned;                      /* answers whose client is gone */
    uint64_t joined;                        /* duplicates that joined a job in hand */
    uint64_t sent, redelivered;             /* JOBs; those with attempt > 1 */
    uint64_t late;                          /* RESULTs of jobs that their worker does not hold (any more) */
    uint64_t stuck;                         /* given-up jobs whose worker never said anything about them */
    uint64_t replaced_sessions, replaced_workers, silent_clients, silent_workers, wants_dropped;
};

struct broker_gauges {
    int clients, workers, queued[SP_CLASS_COUNT], sent, given_up;
    uint64_t held_bytes, credit, credit_used;
};

struct broker;

/* All memory the broker will ever use. SP_E_INVALID for limits that make no sense. */
enum sp_status broker_new(struct broker **ret_broker, const struct broker_limits *limits, struct sp_err *err);
void broker_free(struct broker **broker);

/* The step. The caller empties the outbox (in its order) before the next step. now_ns never goes back. */
void broker_step(struct broker *broker, const struct broker_event *event, uint64_t now_ns,
                 struct broker_outbox *out);

/* The most outputs one step can have: the capacity for broker_outbox_new. */
int broker_outbox_capacity(const struct broker_limits *limits);

/* True if no job waits or is at a worker unanswered. */
bool broker_idle(const struct broker *broker);
bool broker_has_worker(const struct broker *broker);
const struct broker_counts *broker_counts(const struct broker *broker);
void broker_gauges(const struct broker *broker, struct broker_gauges *ret_gauges);
/* The keys of all sessions and workers, at most `capacity`; returns their number. To look for revoked ones. */
int broker_keys(const struct broker *broker, uint8_t (*ret_keys)[32], int capacity);
/* Every internal invariant (windows, credit, queues, indexes) recomputed from scratch; NULL, or what is broken.
 * Slow: for tests and simulations. */
const char *broker_check(const struct broker *broker);

/* The state table as text, for the test that compares it with docs/protocol.md: row i, NULL after the last. */
struct broker_row {
    const char *state, *event, *action;
};
const struct broker_row *broker_table(int i);

#endif
