/* Seeded random worlds: clients and workers that come, go, die, stall, repeat themselves and lie, in virtual time.
 * After every step the broker's own invariants are recomputed, and an oracle that knows nothing of its insides
 * checks: one answer for every accepted message, only to its sender's live session; no worker over its credit; no
 * job at two workers; no more deliveries than allowed; budgets kept; and, when all is healed, nothing left over.
 * Each seed runs twice and must say the same. `test_broker_soak SEED COUNT` runs others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "harness.h"

enum { CLIENTS = 3, WORKERS = 3, ASKED = 4000, STEPS = 4000, JOBS = 64, LONGEST_TICK = 60 /* ms */ };

struct asked { /* one message of a client that may be answered */
    bool waits;
    int client, encounter, kind;
    uint32_t seq;
    uint64_t session;          /* number of the client's session */
    uint64_t earliest, latest; /* its budget ends within; two times where it may have joined an older job */
};

struct held { /* one job at one worker, as the worker sees it */
    bool used;
    uint64_t job;
    int encounter; /* of the frame, read from the slot */
    uint32_t attempt;
    uint64_t since;
};

struct sim {
    struct world w;
    uint64_t random, digest, session_serial;
    struct actor clients[CLIENTS], workers[WORKERS];
    uint64_t session[CLIENTS], welcome[CLIENTS]; /* 0: none; when it began */
    bool alive[WORKERS], stalled[WORKERS];       /* stalled: says nothing, until a late RESULT or a new READY */
    uint32_t credit[WORKERS];
    struct held held[WORKERS][JOBS];
    struct asked asked[ASKED];
    int asked_count;
    struct sp_header event_header, slot[8];
    bool slot_used[8];
    uint64_t answers, jobs;
};

static uint64_t draw(struct sim *sim, uint64_t below)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return sim->random % below;
}

static int client_of(const struct sim *sim, const struct broker_route *route)
{
    for (int i = 0; i < CLIENTS; i++)
        if (broker_route_equal(&sim->clients[i].route, route))
            return i;
    return -1;
}

/* The oldest message this answers. */
static void on_answer(struct sim *sim, const struct broker_output *output)
{
    int client = client_of(sim, &output->route);
    if (client < 0)
        return; /* an older connection of a client: only REFUSED may go there */
    for (int i = 0; i < sim->asked_count; i++) {
        struct asked *asked = &sim->asked[i];
        if (!asked->waits || asked->client != client || asked->encounter != output->encounter[0] ||
            asked->seq != output->seq || asked->session != sim->session[client])
            continue;
        if (asked->latest + sim->w.limits.grace_ns + LONGEST_TICK * MS < sim->w.now)
            fail_msg("an answer came too late");
        if (output->answer == SP_ANSWER_EXPIRED && asked->earliest > sim->w.now)
            fail_msg("expired before its time");
        asked->waits = false;
        sim->answers++;
        return;
    }
    fail_msg("client %d hears (%d, %u), which it does not wait for", client, output->encounter[0], output->seq);
}

static void on_job(struct sim *sim, const struct broker_output *output)
{
    int worker = -1, count = 0, free = -1;
    for (int i = 0; i < WORKERS; i++)
        if (sim->alive[i] && broker_route_equal(&sim->workers[i].route, &output->route))
            worker = i;
    if (worker < 0)
        return; /* sent before the broker could know that it is dead */
    for (int i = 0; i < JOBS; i++) {
        /* a job that the broker gave up costs no credit for ever */
        count += sim->held[worker][i].used &&
                 sim->w.now < sim->held[worker][i].since + sim->w.limits.grace_ns + sim->w.limits.stuck_ns;
        if (!sim->held[worker][i].used)
            free = i;
    }
    assert_true(count < (int)sim->credit[worker]);
    assert_true(sim->slot_used[output->slot]); /* a payload goes along */
    const struct sp_header *header = &sim->slot[output->slot];
    assert_true(!header->has_pack || header->pack[0] == sim->workers[worker].pack);
    assert_true(output->budget_ms <= sim->w.limits.max_budget_ns / MS);
    for (int other = 0; other < WORKERS; other++)
        for (int i = 0; i < JOBS; i++)
            if (sim->alive[other] && sim->held[other][i].used && sim->held[other][i].job == output->job)
                fail_msg("a job is at two workers");
    sim->held[worker][free] =
        (struct held){true, output->job, sim->slot[output->slot].encounter[0], output->attempt, sim->w.now};
    sim->jobs++;
}

/* Look at everything the step said, in order; and fold it into the digest. */
static void look(struct sim *sim)
{
    for (int i = 0; i < sim->w.out->count; i++) {
        const struct broker_output *output = &sim->w.out->items[i];
        const uint64_t words[] = {output->type,
                                  output->message,
                                  output->route.bytes[4],
                                  (uint64_t)output->answer,
                                  (uint64_t)output->reason,
                                  output->seq,
                                  output->job,
                                  output->attempt,
                                  output->budget_ms};
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            sim->digest = (sim->digest ^ words[k]) * 0x100000001b3u;
        if (output->type == BROKER_KEEP) {
            sim->slot[output->slot] = sim->event_header;
            sim->slot_used[output->slot] = true;
        } else if (output->type == BROKER_DROP) {
            assert_true(sim->slot_used[output->slot]);
            sim->slot_used[output->slot] = false;
        } else if (output->message == SP_MSG_ANSWER) {
            on_answer(sim, output);
        } else if (output->message == SP_MSG_JOB) {
            on_job(sim, output);
        }
    }
}

/* All that a session waited for is gone with it. */
static void forget(struct sim *sim, int client)
{
    for (int i = 0; i < sim->asked_count; i++)
        if (sim->asked[i].client == client)
            sim->asked[i].waits = false;
    sim->session[client] = 0;
}

static void do_hello(struct sim *sim)
{
    int client = (int)draw(sim, CLIENTS);
    struct actor *actor = &sim->clients[client];
    if (draw(sim, 2))
        actor->route.bytes[3]++; /* on a new connection */
    forget(sim, client);
    say_hello(&sim->w, actor, "A1");
    if (heard(&sim->w, actor, SP_MSG_WELCOME, 0))
        sim->session[client] = ++sim->session_serial;
    sim->welcome[client] = sim->w.now;
    look(sim);
}

static void do_frame(struct sim *sim)
{
    int client = (int)draw(sim, CLIENTS), encounter = 1 + (int)draw(sim, 4);
    uint32_t seq = 1 + (uint32_t)draw(sim, 6);
    if (!sim->session[client] || sim->asked_count == ASKED)
        return;
    struct sp_header header = frame_header(&sim->w, &sim->clients[client], encounter, seq);
    header.at_ms = (sim->w.now - sim->welcome[client]) / MS;
    if (draw(sim, 30) == 0)
        header.at_ms = 0; /* recorded at the beginning of the session */
    header.budget_ms = 1 + (uint32_t)draw(sim, 3000);
    header.job_class = 1 + (int)draw(sim, 2);
    if (draw(sim, 4) == 0)
        header.type = SP_MSG_CLOSE;
    if (draw(sim, 20) == 0)
        header.sender[0] ^= 0xff; /* a lie; answered all the same */
    struct asked asked = {true, client, encounter, (int)header.type, seq, sim->session[client]};
    asked.earliest = asked.latest = sim->w.now + header.budget_ms * MS;
    for (int i = 0; i < sim->asked_count; i++) {
        const struct asked *older = &sim->asked[i];
        if (older->client != client || older->encounter != encounter || older->seq != seq)
            continue;
        if (older->waits)
            return; /* one at a time: whose answer it is could not be told */
        if (older->kind != asked.kind || older->latest + sim->w.limits.grace_ns + LONGEST_TICK * MS < sim->w.now)
            continue;
        asked.earliest = older->earliest < asked.earliest ? older->earliest : asked.earliest;
        asked.latest = older->latest > asked.latest ? older->latest : asked.latest;
    }
    sim->asked[sim->asked_count++] = asked;
    sim->event_header = header;
    send_front(&sim->w, &sim->clients[client], &header, 1 + draw(sim, 1500));
    look(sim);
}

static void do_ready(struct sim *sim)
{
    int worker = (int)draw(sim, WORKERS);
    if (draw(sim, 2))
        sim->workers[worker].route.bytes[3]++;
    memset(sim->held[worker], 0, sizeof sim->held[worker]);
    sim->alive[worker] = true;
    sim->stalled[worker] = false;
    sim->credit[worker] = (uint32_t)draw(sim, 4);
    say_ready(&sim->w, &sim->workers[worker], sim->credit[worker]);
    look(sim);
}

/* An enrolment that nobody waits for, of this worker's pack or of none. */
static void do_want(struct sim *sim)
{
    int worker = (int)draw(sim, WORKERS);
    struct actor *actor = &sim->workers[worker];
    struct sp_header header = {.version = 1, .type = SP_MSG_WANT, .seq = 1, .job_class = SP_CLASS_BULK};
    memcpy(header.sender, actor->peer.key, sizeof header.sender);
    memset(header.encounter, 100 + (int)draw(sim, 6), sizeof header.encounter);
    header.budget_ms = 1 + (uint32_t)draw(sim, 3000);
    header.has_pack = draw(sim, 4) != 0;
    memset(header.pack, actor->pack, sizeof header.pack);
    if (!sim->alive[worker])
        return;
    sim->event_header = header;
    send_back(&sim->w, actor, &header, 1 + draw(sim, 100));
    if (heard(&sim->w, actor, SP_MSG_REFUSED, 0) &&
        heard(&sim->w, actor, SP_MSG_REFUSED, 0)->reason == SP_REASON_NOT_GREETED)
        sim->alive[worker] = false;
    look(sim);
}

static void do_result(struct sim *sim)
{
    int worker = (int)draw(sim, WORKERS), at = (int)draw(sim, JOBS);
    static const int answers[] = {SP_ANSWER_DECIDED, SP_ANSWER_UNDECIDED, SP_ANSWER_ERROR};
    for (int i = 0; i < JOBS && !sim->held[worker][at].used; i++)
        at = (at + 1) % JOBS;
    if (!sim->alive[worker] && !sim->stalled[worker])
        return;
    uint64_t job = sim->held[worker][at].used ? sim->held[worker][at].job : draw(sim, 1 << 20);
    sim->held[worker][at].used = false;
    send_result(&sim->w, &sim->workers[worker], job, answers[draw(sim, 3)]);
    look(sim);
}

static void do_lost(struct sim *sim)
{
    int worker = (int)draw(sim, WORKERS), client = (int)draw(sim, CLIENTS);
    if (draw(sim, 2)) {
        sim->alive[worker] = sim->stalled[worker] = false;
        world_event(&sim->w, draw(sim, 2) ? BROKER_BACK_LOST : BROKER_KEY_REVOKED, &sim->workers[worker]);
    } else {
        forget(sim, client);
        world_event(&sim->w, draw(sim, 2) ? BROKER_FRONT_LOST : BROKER_KEY_REVOKED, &sim->clients[client]);
    }
    look(sim);
}

static void do_beats(struct sim *sim)
{
    world_tick(&sim->w, draw(sim, LONGEST_TICK + 1));
    look(sim);
    for (int i = 0; i < WORKERS; i++) {
        if (!sim->alive[i])
            continue;
        if (draw(sim, 60) == 0) {
            sim->stalled[i] = true;
            sim->alive[i] = false;
            continue;
        }
        send_bare(&sim->w, &sim->workers[i], SP_MSG_BEAT);
        if (heard(&sim->w, &sim->workers[i], SP_MSG_REFUSED, 0))
            sim->alive[i] = false;
        look(sim);
    }
}

static void begin(struct sim *sim, uint64_t seed)
{
    memset(sim, 0, sizeof *sim);
    sim->random = seed * 0x9e3779b97f4a7c15u + 1;
    world_begin(&sim->w, NULL);
    for (int i = 0; i < CLIENTS; i++)
        sim->clients[i] = actor_make(1 + i, SP_ROLE_CAPTURE, "*");
    for (int i = 0; i < WORKERS; i++) {
        sim->workers[i] = actor_make(11 + i, SP_ROLE_WORKER, NULL);
        sim->workers[i].pack = (uint8_t)(1 + i % 2);
    }
}

/* Heal: no more faults, one honest worker, time enough. Then nothing may be left. */
static void settle(struct sim *sim)
{
    struct broker_gauges gauges;
    for (int i = 0; i < 200; i++) {
        world_tick(&sim->w, LONGEST_TICK);
        look(sim);
    }
    for (int i = 0; i < sim->asked_count; i++)
        if (sim->asked[i].waits)
            fail_msg("(%d, %d, %u) was never answered", sim->asked[i].client, sim->asked[i].encounter,
                     sim->asked[i].seq);
    broker_gauges(sim->w.broker, &gauges);
    assert_int_equal(gauges.held_bytes, 0);
    assert_int_equal(gauges.sent + gauges.given_up + gauges.workers, 0);
    for (int i = 0; i < 8; i++)
        assert_false(sim->slot_used[i]);
}

static uint64_t run(uint64_t seed, uint64_t *answers, uint64_t *jobs)
{
    static struct sim sim;
    void (*const acts[])(struct sim *) = {do_frame, do_frame, do_frame, do_result, do_result, do_result,
                                          do_beats, do_beats, do_want,  do_ready,  do_hello,  do_lost};
    begin(&sim, seed);
    uint64_t calm = draw(&sim, 12); /* each world has faults of its own frequency */
    for (int i = 0; i < STEPS; i++) {
        uint64_t act = draw(&sim, 12);
        if (act >= 9 && draw(&sim, 1 + calm) != 0)
            continue;
        acts[act](&sim);
    }
    settle(&sim);
    *answers += sim.answers;
    *jobs += sim.jobs;
    world_end(&sim.w);
    return sim.digest;
}

static uint64_t first_seed = 1;
static uint64_t seed_count = 60;

static void test_soak(void **state)
{
    (void)state;
    uint64_t answers = 0, jobs = 0, ignored = 0;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        printf("seed %llu\r", (unsigned long long)seed);
        uint64_t digest = run(seed, &answers, &jobs);
        assert_true(digest == run(seed, &ignored, &ignored));
    }
    printf("%llu seeds, %llu answers, %llu jobs\n", (unsigned long long)seed_count, (unsigned long long)answers,
           (unsigned long long)jobs);
    assert_true(answers > seed_count * 100 && jobs > seed_count * 100); /* something did happen */
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed_count = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
