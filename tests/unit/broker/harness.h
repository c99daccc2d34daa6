/* A scripted world around the pure step: virtual time, made-up peers, and the outputs of the last step to look at.
 */
#ifndef SALLYPORT_TESTS_BROKER_HARNESS_H
#define SALLYPORT_TESTS_BROKER_HARNESS_H

#include "broker/broker.h"

#define MS 1000000ull

struct world {
    struct broker *broker;
    struct broker_outbox *out;
    struct broker_limits limits;
    uint64_t now;
    uint8_t next_session;
};

/* A peer of the world: one key and one connection. */
struct actor {
    struct sp_peer peer;
    struct broker_route route;
    uint8_t session[SP_SESSION_BYTES];
    uint8_t pack; /* a worker's: every byte of the fingerprint */
};

/* Small limits: 4 clients, 3 workers, 8 jobs, queues of 3, window 2, lease 300 ms, budget at most 10 s. */
void world_begin(struct world *world, void (*adjust)(struct broker_limits *limits));
void world_end(struct world *world);

/* number: key and route are made from it. lane: NULL, "*" or a name. */
struct actor actor_make(int number, enum sp_role role, const char *lane);

/* Run one event (time, route, key and peer filled in), check all invariants; outputs are in world->out. */
void world_step(struct world *world, struct broker_event *event);
void world_tick(struct world *world, uint64_t ms); /* let time pass, then TICK */
void world_event(struct world *world, enum broker_event_type type, const struct actor *actor);

/* Messages. hello keeps the session of the WELCOME. */
void say_hello(struct world *world, struct actor *client, const char *lane);
void say_ready(struct world *world, const struct actor *worker, uint32_t credit);
struct sp_header frame_header(const struct world *world, const struct actor *client, int encounter, uint32_t seq);
void send_front(struct world *world, const struct actor *client, const struct sp_header *header, size_t payload);
void send_back(struct world *world, const struct actor *worker, const struct sp_header *header, size_t payload);
void send_bare(struct world *world, const struct actor *actor, enum sp_message_type type);
void send_frame(struct world *world, const struct actor *client, int encounter, uint32_t seq);
void send_result(struct world *world, const struct actor *worker, uint64_t job, int answer);

/* What the last step said: the n-th message of this type to this actor; NULL. */
const struct broker_output *heard(const struct world *world, const struct actor *actor, enum sp_message_type type,
                                  int n);
/* All messages of the last step, KEEP and DROP not counted. */
int messages_out(const struct world *world);
/* Asserts: exactly this ANSWER / REFUSED to the actor in the last step. */
void expect_answer(const struct world *world, const struct actor *client, int encounter, int answer, int reason);
void expect_refused(const struct world *world, const struct actor *actor, int reason);
/* The job that the last step gave this worker. */
uint64_t expect_job(const struct world *world, const struct actor *worker, uint32_t attempt);
void expect_silence(const struct world *world);

#endif
