/* The link against a broker made of one ROUTER socket with CURVE: greeting, jobs and results, beats that stop when
 * a stage is stuck, a broker that falls silent, wants, and the drain. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/curve.h"
#include "common/wire.h"
#include "workers/answer.h"
#include "workers/intake.h"
#include "workers/link.h"

#define HEARTBEAT_MS 40
#define PATIENCE_MS  8000

/* The broker's side. */
static struct broker_side {
    void *zmq, *socket;
    char address[256];
    zmq_msg_t route; /* of the worker that was heard last */
    uint8_t head[SP_HEADER_MAX_BYTES];
    struct sp_header header;
    uint8_t payload[2048];
    size_t payload_length;
} broker;

static struct worker_side {
    struct sp_key_file curve, fleet;
    struct sp_job_pool *pool;
    struct sp_queue *results;
    struct sp_wants *wants;
    struct sp_link *link;
    pthread_t thread;
    atomic_bool alive, hold;
    atomic_int accepted;
    struct sp_job *_Atomic held;
} worker;

static struct sp_key_file server_key;

static bool accept_job(void *context, struct sp_job *job)
{
    (void)context;
    atomic_fetch_add(&worker.accepted, 1);
    if (atomic_load(&worker.hold)) {
        atomic_store(&worker.held, job);
        return true;
    }
    sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_BAD_IMAGE, "no picture");
    return sp_queue_push(worker.results, job);
}

static bool alive(void *context)
{
    (void)context;
    return atomic_load(&worker.alive);
}

static void note(void *context, enum sp_log_level level, const char *id, const char *text)
{
    (void)context;
    (void)level;
    printf("%s %s\n", id, text);
}

static void *run(void *argument)
{
    (void)argument;
    sp_link_run(worker.link);
    return NULL;
}

/* The next message that is not a beat (or, with beats, any); false after wait_ms without one. */
static bool hear(int wait_ms, bool beats)
{
    uint64_t until_ns = sp_clock_mono_ns() + (uint64_t)wait_ms * SP_NS_PER_MS;
    for (;;) {
        uint64_t now_ns = sp_clock_mono_ns();
        zmq_pollitem_t item = {broker.socket, 0, ZMQ_POLLIN, 0};
        if (now_ns >= until_ns || zmq_poll(&item, 1, (long)((until_ns - now_ns) / SP_NS_PER_MS) + 1) <= 0)
            return false;
        zmq_msg_close(&broker.route);
        zmq_msg_init(&broker.route);
        assert_true(zmq_msg_recv(&broker.route, broker.socket, 0) >= 0);
        int length = zmq_recv(broker.socket, broker.head, sizeof broker.head, 0);
        assert_true(length > 0);
        struct sp_err err = {0};
        if (sp_message_decode(&broker.header, broker.head, (size_t)length, &err) != SP_OK)
            fail_msg("%s", err.text);
        int more = 0;
        size_t size = sizeof more;
        zmq_getsockopt(broker.socket, ZMQ_RCVMORE, &more, &size);
        int taken = more ? zmq_recv(broker.socket, broker.payload, sizeof broker.payload, 0) : 0;
        broker.payload_length = taken > 0 ? (size_t)taken : 0;
        if (beats || broker.header.type != SP_MSG_BEAT)
            return true;
    }
}

static void say(const struct sp_header *header, const void *second, size_t second_length, const void *third,
                size_t third_length)
{
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t length;
    struct sp_err err = {0};
    if (sp_message_encode(bytes, &length, header, &err) != SP_OK)
        fail_msg("%s", err.text);
    zmq_send(broker.socket, zmq_msg_data(&broker.route), zmq_msg_size(&broker.route), ZMQ_SNDMORE);
    zmq_send(broker.socket, bytes, length, second ? ZMQ_SNDMORE : 0);
    if (second)
        zmq_send(broker.socket, second, second_length, third ? ZMQ_SNDMORE : 0);
    if (third)
        zmq_send(broker.socket, third, third_length, 0);
}

static void greet(void)
{
    struct sp_header header = {
        .type = SP_MSG_GREET, .heartbeat_ms = HEARTBEAT_MS, .lease_ms = 1000, .max_age_ms = 1000};
    snprintf(header.broker, sizeof header.broker, "broker-1");
    snprintf(header.terminal, sizeof header.terminal, "T1");
    say(&header, NULL, 0, NULL, 0);
}

static void expect(enum sp_message_type type)
{
    if (!hear(PATIENCE_MS, type == SP_MSG_BEAT))
        fail_msg("no message %d came", (int)type);
    if (broker.header.type != type)
        fail_msg("message %d came instead of %d", (int)broker.header.type, (int)type);
}

static void give_job(uint64_t number)
{
    struct sp_header header = {
        .type = SP_MSG_JOB, .job = number, .attempt = 1, .budget_ms = 5000, .kind = SP_MSG_FRAME};
    say(&header, "client header", 13, "payload", 7);
}

static void bind_broker(void)
{
    size_t size = sizeof broker.address;
    int linger = 0;
    broker.zmq = zmq_ctx_new();
    broker.socket = zmq_socket(broker.zmq, ZMQ_ROUTER);
    zmq_setsockopt(broker.socket, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(sp_curve_server(broker.socket, &server_key, NULL), SP_OK);
    assert_int_equal(zmq_bind(broker.socket, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(broker.socket, ZMQ_LAST_ENDPOINT, broker.address, &size);
    zmq_msg_init(&broker.route);
}

static int start(void **state)
{
    static const uint8_t cert[] = "certificate";
    struct sp_err err = {0};
    (void)state;
    sp_seal_start(NULL);
    sp_key_generate(&server_key, SP_KEY_CURVE, "broker-1");
    sp_key_generate(&worker.curve, SP_KEY_CURVE, "worker-1");
    sp_key_generate(&worker.fleet, SP_KEY_BOX, "fleet");
    bind_broker();
    atomic_store(&worker.alive, true);
    sp_job_pool_new(&worker.pool, 2, NULL);
    sp_wants_new(&worker.wants, 60000, NULL);
    sp_queue_new(&worker.results, &(struct sp_queue_config){.capacity = 4, .with_fd = true}, NULL);
    struct sp_link_config config = {.brokers = broker.address,
                                    .self = &worker.curve,
                                    .server_count = 1,
                                    .agent = "test",
                                    .backend = "ref",
                                    .cert = cert,
                                    .cert_length = sizeof cert,
                                    .credit = 2,
                                    .pool = worker.pool,
                                    .results = worker.results,
                                    .wants = worker.wants,
                                    .want_budget_ms = 1000,
                                    .accept = accept_job,
                                    .alive = alive,
                                    .note = note};
    memcpy(config.servers[0], server_key.public_key, 32);
    memcpy(config.fleet_public, worker.fleet.public_key, 32);
    memset(config.pack, 9, sizeof config.pack);
    if (sp_link_new(&worker.link, &config, &err) != SP_OK)
        fail_msg("%s", err.text);
    return pthread_create(&worker.thread, NULL, run, NULL);
}

static int stop(void **state)
{
    (void)state;
    sp_link_free(&worker.link);
    zmq_msg_close(&broker.route);
    zmq_close(broker.socket);
    zmq_ctx_term(broker.zmq);
    sp_queue_free(&worker.results);
    sp_wants_free(&worker.wants);
    sp_job_pool_free(&worker.pool);
    return 0;
}

static void test_greeting_and_jobs(void **state)
{
    (void)state;
    expect(SP_MSG_READY);
    assert_int_equal(broker.header.credit, 2);
    assert_string_equal(broker.header.backend, "ref");
    assert_int_equal(broker.header.cert_length, 12);
    assert_int_equal(broker.header.pack[15], 9);
    greet();
    for (uint64_t job = 1; job <= 6; job++) {
        give_job(job);
        expect(SP_MSG_RESULT);
        assert_int_equal(broker.header.job, job);
        assert_int_equal(broker.header.answer, SP_ANSWER_ERROR);
        assert_int_equal(broker.header.reason, SP_REASON_BAD_IMAGE);
        assert_string_equal(broker.header.text, "no picture");
    }
    assert_int_equal(sp_link_greeted(worker.link), 1);
    struct sp_header malformed = {.type = SP_MSG_JOB, .job = 9, .attempt = 1, .budget_ms = 5, .kind = SP_MSG_FRAME};
    say(&malformed, NULL, 0, NULL, 0);
    expect(SP_MSG_RESULT);
    assert_int_equal(broker.header.reason, SP_REASON_BAD_MESSAGE);
}

static void test_over_credit_is_busy(void **state)
{
    (void)state;
    struct sp_job *held[2];
    assert_non_null(held[0] = sp_job_take(worker.pool));
    assert_non_null(held[1] = sp_job_take(worker.pool));
    give_job(10);
    expect(SP_MSG_RESULT);
    assert_int_equal(broker.header.answer, SP_ANSWER_BUSY);
    assert_int_equal(broker.header.reason, SP_REASON_QUEUE_FULL);
    sp_job_give(worker.pool, held[0]);
    sp_job_give(worker.pool, held[1]);
}

/* A want opens with the fleet's key and names the portrait. */
static void test_want(void **state)
{
    (void)state;
    struct sp_want want = {.manifest = "air-one"};
    struct sp_sessions *sessions = NULL;
    struct sp_err err = {0};
    int reason;
    memset(want.row, 3, sizeof want.row);
    memset(want.portrait, 4, sizeof want.portrait);
    assert_true(sp_wants_add(worker.wants, &want));
    expect(SP_MSG_WANT);
    assert_memory_equal(broker.header.sender, worker.curve.public_key, 32);
    assert_int_equal(broker.header.job_class, SP_CLASS_BULK);
    assert_true(broker.header.has_pack && broker.header.pack[0] == 9); /* a want is for workers of its own pack */
    struct sp_job *job = sp_job_take(worker.pool);
    size_t head_length;
    uint8_t head[SP_HEADER_MAX_BYTES]; /* encoding is canonical: the same bytes as sent */
    assert_int_equal(sp_message_encode(head, &head_length, &broker.header, &err), SP_OK);
    assert_int_equal(sp_job_fill(job, head, head_length, broker.payload, broker.payload_length, &err), SP_OK);
    job->kind = SP_MSG_ENROL; /* as the broker gives it out */
    assert_int_equal(sp_sessions_new(&sessions, &worker.fleet, 8, NULL), SP_OK);
    if (sp_intake_open(job, sessions, &reason, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_string_equal(job->manifest, "air-one");
    assert_memory_equal(job->row, want.row, sizeof want.row);
    assert_memory_equal(job->portrait, want.portrait, sizeof want.portrait);
    sp_sessions_free(&sessions);
    sp_job_give(worker.pool, job);
}

static void test_a_stuck_worker_stops_beating(void **state)
{
    (void)state;
    struct sp_header beat = {.type = SP_MSG_BEAT, .credit = SP_CREDIT_NONE};
    for (int i = 0; i < 3; i++) {
        expect(SP_MSG_BEAT);
        assert_int_equal(broker.header.credit, 2);
        say(&beat, NULL, 0, NULL, 0);
    }
    atomic_store(&worker.alive, false);
    /* The broker goes on beating; what comes back dries up: at most one beat was under way. */
    int beats = 0;
    for (int i = 0; i < 12; i++) {
        beats += hear(HEARTBEAT_MS, true) && broker.header.type == SP_MSG_BEAT;
        say(&beat, NULL, 0, NULL, 0);
    }
    assert_true(beats <= 2);
    atomic_store(&worker.alive, true);
    expect(SP_MSG_BEAT);
}

static void test_a_silent_broker_is_greeted_anew(void **state)
{
    (void)state;
    atomic_store(&worker.hold, true);
    greet();
    give_job(50);
    uint64_t until_ns = sp_clock_mono_ns() + PATIENCE_MS * SP_NS_PER_MS;
    while (!atomic_load(&worker.held) && sp_clock_mono_ns() < until_ns)
        hear(5, true);
    assert_non_null(atomic_load(&worker.held));
    expect(SP_MSG_READY); /* three silent intervals later, on a fresh connection */
    greet();
    /* The held job belongs to the old greeting: its result is dropped, the next job's is not. */
    atomic_store(&worker.hold, false);
    sp_answer_plain(atomic_load(&worker.held), SP_ANSWER_ERROR, SP_REASON_INTERNAL, NULL);
    assert_true(sp_queue_push(worker.results, atomic_load(&worker.held)));
    give_job(51);
    expect(SP_MSG_RESULT);
    assert_int_equal(broker.header.job, 51);
}

static void test_a_forgetful_broker_is_greeted_anew(void **state)
{
    (void)state;
    struct sp_header refused = {.type = SP_MSG_REFUSED, .reason = SP_REASON_NOT_GREETED};
    greet();
    say(&refused, NULL, 0, NULL, 0);
    expect(SP_MSG_READY);
    greet();
}

static void test_drain(void **state)
{
    (void)state;
    struct sp_header beat = {.type = SP_MSG_BEAT, .credit = SP_CREDIT_NONE};
    atomic_store(&worker.hold, true);
    atomic_store(&worker.held, NULL);
    give_job(60);
    uint64_t until_ns = sp_clock_mono_ns() + PATIENCE_MS * SP_NS_PER_MS;
    while (!atomic_load(&worker.held) && sp_clock_mono_ns() < until_ns) {
        hear(5, true);
        say(&beat, NULL, 0, NULL, 0);
    }
    assert_non_null(atomic_load(&worker.held));
    sp_link_drain(worker.link);
    expect(SP_MSG_DRAIN);
    say(&beat, NULL, 0, NULL, 0);
    struct sp_job *job = atomic_load(&worker.held);
    sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_BAD_IMAGE, NULL);
    assert_true(sp_queue_push(worker.results, job)); /* what is here is finished first */
    expect(SP_MSG_RESULT);
    assert_int_equal(broker.header.job, 60);
    for (int i = 0; i < 200; i++) {
        say(&beat, NULL, 0, NULL, 0);
        if (hear(HEARTBEAT_MS, false))
            break;
    }
    assert_int_equal(broker.header.type, SP_MSG_BYE);
    pthread_join(worker.thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting_and_jobs),
        cmocka_unit_test(test_over_credit_is_busy),
        cmocka_unit_test(test_want),
        cmocka_unit_test(test_a_stuck_worker_stops_beating),
        cmocka_unit_test(test_a_silent_broker_is_greeted_anew),
        cmocka_unit_test(test_a_forgetful_broker_is_greeted_anew),
        cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
