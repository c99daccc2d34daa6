/* The broker's state, shared by the pure files (clients, fleet, inflight, dispatch, front, back, timers, broker).
 */
#ifndef SALLYPORT_BROKER_STATE_H
#define SALLYPORT_BROKER_STATE_H

#include "broker/broker.h"
#include "broker/index.h"

#define NOBODY (-1)

/* A session: one per connection, and one per key and lane. */
struct client {
    bool used;
    struct broker_route route;
    uint8_t key[32];
    enum sp_role role;
    char name[SP_NAME_MAX]; /* of the key, in the peer table */
    uint8_t session[SP_SESSION_BYTES];
    uint64_t welcome_ns; /* when WELCOME left: the zero of its at_ms */
    uint64_t heard_ns, said_ns;
    int lane_count; /* the lanes of its HELLO */
    char lanes[SP_PEER_MAX_LANES_ON_WIRE][SP_NAME_MAX];
    uint32_t unanswered[SP_PEER_MAX_LANES_ON_WIRE]; /* FRAMEs per lane */
    uint32_t other_jobs;                            /* unanswered CLOSEs, ENROLs and REVIEWs */
};

struct worker {
    bool used, draining;
    struct broker_route route;
    uint8_t key[32];
    char name[SP_NAME_MAX], backend[64]; /* as the peer table and READY say */
    uint8_t pack[SP_PACK_BYTES];         /* what it runs */
    uint32_t credit, held;               /* announced; jobs it holds, given-up ones too. held > credit can be */
    uint32_t patient;                    /* of them enrolments: nobody stands in a lane for those */
    uint64_t heard_ns, said_ns;
    uint64_t served; /* order of its last job: among equals the one that waited longest */
};

enum job_state {
    JOB_FREE,
    JOB_QUEUED,   /* waits for a worker */
    JOB_SENT,     /* a worker holds it */
    JOB_GIVEN_UP, /* answered without its worker, which still holds it: costs credit, not an answer */
};

struct job {
    enum job_state state;
    uint64_t number; /* on the wire: serial << 16 | slot */
    int kind;        /* SP_MSG_FRAME, CLOSE, ENROL, REVIEW or WANT */
    int queue;       /* class - 1 */
    uint8_t sender[32], encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq;
    char lane[SP_NAME_MAX];
    bool has_pack; /* only for workers of this pack */
    uint8_t pack[SP_PACK_BYTES];
    int client, client_lane; /* who hears the answer: index or NOBODY; FRAME: index into client->lanes */
    int worker;              /* SENT, GIVEN_UP */
    uint64_t begun_ns, deadline_ns;
    uint64_t given_up_ns;
    uint64_t order;   /* of arrival */
    uint32_t attempt; /* deliveries so far */
    bool redelivered; /* goes to the head of its class */
    bool resealed;    /* SENT: a newer copy of the message, of a newer session, lies in the slot */
    int heap_at;      /* QUEUED: place in its queue */
    uint64_t bytes;
};

struct queue {
    int count, limit;
    int *heap; /* job slots; the next one first */
};

struct broker {
    struct broker_limits limits;
    bool draining;
    struct client *clients;
    struct worker *workers;
    struct job *jobs;
    struct index client_routes, worker_routes, job_names;
    int *free_jobs, free_count;
    struct queue queues[SP_CLASS_COUNT];
    uint64_t held_bytes, serial, order;
    struct broker_counts counts;
    struct broker_page page; /* of the TELL that this step says, if it does */
    /* of the step in progress */
    const struct broker_event *event;
    uint64_t now;
    struct broker_outbox *out;
};

#endif
