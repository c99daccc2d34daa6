#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "harness.h"

void world_begin(struct world *world, void (*adjust)(struct broker_limits *limits))
{
    struct sp_err err = {0};
    *world = (struct world){.now = 1000 * MS};
    world->limits = (struct broker_limits){.max_clients = 4,
                                           .max_workers = 3,
                                           .max_jobs = 8,
                                           .queue = {3, 3, 3, 3},
                                           .max_held_bytes = 10000,
                                           .max_payload = 2000,
                                           .window = 2,
                                           .key_sessions = 3,
                                           .client_jobs = 3,
                                           .max_credit = 8,
                                           .patient_credit = 2,
                                           .max_deliveries = 3,
                                           .max_budget_ns = 10000 * MS,
                                           .max_age_ns = 5000 * MS,
                                           .heartbeat_ns = 100 * MS,
                                           .client_lease_ns = 60000 * MS,
                                           .lease_ns = 300 * MS,
                                           .grace_ns = 50 * MS,
                                           .stuck_ns = 2000 * MS,
                                           .hash_seed = 7};
    if (adjust)
        adjust(&world->limits);
    if (broker_new(&world->broker, &world->limits, &err) != SP_OK ||
        broker_outbox_new(&world->out, broker_outbox_capacity(&world->limits), &err) != SP_OK)
        fail_msg("%s", err.text);
}

void world_end(struct world *world)
{
    broker_free(&world->broker);
    broker_outbox_free(&world->out);
}

struct actor actor_make(int number, enum sp_role role, const char *lane)
{
    struct actor actor = {.peer.role = role, .route.length = 5};
    snprintf(actor.peer.name, sizeof actor.peer.name, "peer-%d", number);
    memset(actor.peer.key, number, sizeof actor.peer.key);
    actor.route.bytes[4] = (uint8_t)number;
    if (lane) {
        actor.peer.lane_count = 1;
        snprintf(actor.peer.lanes[0], sizeof actor.peer.lanes[0], "%s", lane);
    }
    return actor;
}

void world_step(struct world *world, struct broker_event *event)
{
    world->out->count = 0;
    broker_step(world->broker, event, world->now, world->out);
    const char *broken = broker_check(world->broker);
    if (broken)
        fail_msg("invariant broken: %s", broken);
}

void world_tick(struct world *world, uint64_t ms)
{
    world->now += ms * MS;
    world_step(world, &(struct broker_event){.type = BROKER_TICK});
}

void world_event(struct world *world, enum broker_event_type type, const struct actor *actor)
{
    struct broker_event event = {.type = type};
    if (actor) {
        event.route = actor->route;
        memcpy(event.key, actor->peer.key, sizeof event.key);
    }
    world_step(world, &event);
}

static void send(struct world *world, enum broker_event_type type, const struct actor *actor,
                 const struct sp_header *header, size_t payload)
{
    struct broker_event event = {.type = type,
                                 .route = actor->route,
                                 .peer = actor->peer.role == SP_ROLE_NONE ? NULL : &actor->peer,
                                 .header = header,
                                 .has_payload = payload > 0,
                                 .payload_bytes = payload,
                                 .certified = true};
    memcpy(event.key, actor->peer.key, sizeof event.key);
    memset(event.fresh_session, ++world->next_session, sizeof event.fresh_session);
    world_step(world, &event);
}

void send_front(struct world *world, const struct actor *client, const struct sp_header *header, size_t payload)
{
    send(world, BROKER_FRONT_MESSAGE, client, header, payload);
}

void send_back(struct world *world, const struct actor *worker, const struct sp_header *header, size_t payload)
{
    send(world, BROKER_BACK_MESSAGE, worker, header, payload);
}

void send_bare(struct world *world, const struct actor *actor, enum sp_message_type type)
{
    struct sp_header header = {.version = 1, .type = type, .credit = SP_CREDIT_NONE};
    bool worker = actor->peer.role == SP_ROLE_WORKER;
    send(world, worker ? BROKER_BACK_MESSAGE : BROKER_FRONT_MESSAGE, actor, &header, 0);
}

void say_hello(struct world *world, struct actor *client, const char *lane)
{
    struct sp_header header = {.version = 1, .type = SP_MSG_HELLO};
    if (lane) {
        header.lane_count = 1;
        snprintf(header.lanes[0], sizeof header.lanes[0], "%s", lane);
    }
    send_front(world, client, &header, 0);
    const struct broker_output *welcome = heard(world, client, SP_MSG_WELCOME, 0);
    if (welcome)
        memcpy(client->session, welcome->session, sizeof client->session);
}

void say_ready(struct world *world, const struct actor *worker, uint32_t credit)
{
    struct sp_header header = {.version = 1, .type = SP_MSG_READY, .credit = credit};
    memset(header.pack, worker->pack, sizeof header.pack);
    send_back(world, worker, &header, 0);
}

struct sp_header frame_header(const struct world *world, const struct actor *client, int encounter, uint32_t seq)
{
    struct sp_header header = {.version = 1,
                               .type = SP_MSG_FRAME,
                               .seq = seq,
                               .job_class = SP_CLASS_LANE,
                               .budget_ms = 1000,
                               .at_ms = (world->now - 1000 * MS) / MS,
                               .lane = "A1"};
    memcpy(header.sender, client->peer.key, sizeof header.sender);
    memcpy(header.session, client->session, sizeof header.session);
    memset(header.encounter, encounter, sizeof header.encounter);
    return header;
}

void send_frame(struct world *world, const struct actor *client, int encounter, uint32_t seq)
{
    struct sp_header header = frame_header(world, client, encounter, seq);
    send_front(world, client, &header, 1000);
}

void send_result(struct world *world, const struct actor *worker, uint64_t job, int answer)
{
    struct sp_header header = {.version = 1, .type = SP_MSG_RESULT, .job = job, .answer = answer};
    send_back(world, worker, &header, answer <= SP_ANSWER_UNDECIDED ? 100 : 0);
}

const struct broker_output *heard(const struct world *world, const struct actor *actor, enum sp_message_type type,
                                  int n)
{
    bool worker = actor->peer.role == SP_ROLE_WORKER;
    for (int i = 0; i < world->out->count; i++) {
        const struct broker_output *item = &world->out->items[i];
        if (item->type == (worker ? BROKER_SEND_BACK : BROKER_SEND_FRONT) && item->message == type &&
            broker_route_equal(&item->route, &actor->route) && n-- == 0)
            return item;
    }
    return NULL;
}

int messages_out(const struct world *world)
{
    int count = 0;
    for (int i = 0; i < world->out->count; i++)
        count += world->out->items[i].type == BROKER_SEND_FRONT || world->out->items[i].type == BROKER_SEND_BACK;
    return count;
}

void expect_answer(const struct world *world, const struct actor *client, int encounter, int answer, int reason)
{
    const struct broker_output *item = heard(world, client, SP_MSG_ANSWER, 0);
    assert_non_null(item);
    assert_null(heard(world, client, SP_MSG_ANSWER, 1));
    assert_string_equal(sp_answer_word(item->answer), sp_answer_word(answer));
    assert_string_equal(sp_reason_word(item->reason), sp_reason_word(reason));
    assert_int_equal(item->encounter[0], encounter);
}

void expect_refused(const struct world *world, const struct actor *actor, int reason)
{
    const struct broker_output *item = heard(world, actor, SP_MSG_REFUSED, 0);
    assert_non_null(item);
    assert_string_equal(sp_reason_word(item->reason), sp_reason_word(reason));
}

uint64_t expect_job(const struct world *world, const struct actor *worker, uint32_t attempt)
{
    const struct broker_output *item = heard(world, worker, SP_MSG_JOB, 0);
    assert_non_null(item);
    assert_null(heard(world, worker, SP_MSG_JOB, 1));
    assert_int_equal(item->attempt, attempt);
    assert_true(item->slot >= 0);
    return item->job;
}

void expect_silence(const struct world *world)
{
    assert_int_equal(messages_out(world), 0);
}
