/* The broker's step, the workers' side: order, credit, redelivery, draining. Virtual time; docs/protocol.md
 * section 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "scene.h"

static void test_order(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    say_hello(&w, &cam2, "A1");
    const struct {
        int encounter, job_class;
        uint32_t budget;
    } rows[] = {
        {1, SP_CLASS_LANE, 900}, {2, SP_CLASS_GATE, 5000}, {3, SP_CLASS_LANE, 500}, {4, SP_CLASS_GATE, 4000}};
    for (int i = 0; i < 4; i++) {
        const struct actor *from = i < 2 ? &cam : &cam2;
        struct sp_header header = frame_header(&w, from, rows[i].encounter, 1);
        header.job_class = rows[i].job_class;
        header.budget_ms = rows[i].budget;
        send_front(&w, from, &header, 10);
    }
    say_ready(&w, &worker, 8);
    const uint32_t budgets[] = {4000, 5000, 500, 900}; /* class first, then the earliest deadline */
    for (int i = 0; i < 4; i++)
        assert_int_equal(heard(&w, &worker, SP_MSG_JOB, i)->budget_ms, budgets[i]);
}

static void test_order_of_equals(void **state)
{
    (void)state;
    say_hello(&w, &cam2, "A1");
    say_hello(&w, &cam, "A1");
    send_frame(&w, &cam2, 2, 1);
    send_frame(&w, &cam, 1, 1);
    send_frame(&w, &cam2, 2, 2);
    say_ready(&w, &worker, 3);
    for (int i = 1; i < 3; i++) /* first come, first served: numbers of jobs only grow */
        assert_true(heard(&w, &worker, SP_MSG_JOB, i)->job > heard(&w, &worker, SP_MSG_JOB, i - 1)->job);
}

static void test_budget(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    struct sp_header header = frame_header(&w, &cam, 1, 1);
    header.budget_ms = 60000; /* cut to 10 s */
    send_front(&w, &cam, &header, 10);
    send_frame(&w, &cam, 2, 1);
    world_tick(&w, 999);
    assert_null(heard(&w, &cam, SP_MSG_ANSWER, 0));
    world_tick(&w, 1);
    expect_answer(&w, &cam, 2, SP_ANSWER_EXPIRED, SP_REASON_NO_WORKER);
    say_ready(&w, &worker, 1);
    assert_int_equal(heard(&w, &worker, SP_MSG_JOB, 0)->budget_ms, 9000);
    send_frame(&w, &cam, 3, 1); /* waits: the worker has no credit left */
    for (int i = 0; i < 10; i++) {
        send_bare(&w, &worker, SP_MSG_BEAT);
        world_tick(&w, 100);
    }
    expect_answer(&w, &cam, 3, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT);
}

static void test_grace_and_late_result(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    for (int i = 0; i < 10; i++) {
        world_tick(&w, 100);
        send_bare(&w, &worker, SP_MSG_BEAT);
    }
    world_tick(&w, 49);
    assert_null(heard(&w, &cam, SP_MSG_ANSWER, 0)); /* the worker may still answer itself */
    world_tick(&w, 1);
    expect_answer(&w, &cam, 1, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT);
    struct broker_gauges gauges;
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.credit_used, 1); /* the worker is still at it */
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_silence(&w);
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.credit_used, 0);
    send_frame(&w, &cam, 1, 2);
    expect_job(&w, &worker, 1);
    for (int i = 0; i < 31; i++) { /* never answered: given up after 1050 ms, its credit is back 2000 ms later */
        world_tick(&w, 100);
        send_bare(&w, &worker, SP_MSG_BEAT);
    }
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.credit_used, 0);
    assert_int_equal(broker_counts(w.broker)->stuck, 1);
}

static void test_silent_worker(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    world_tick(&w, 200);
    say_ready(&w, &worker2, 1);
    world_tick(&w, 99);
    assert_null(heard(&w, &worker2, SP_MSG_JOB, 0));
    world_tick(&w, 1);
    uint64_t again = expect_job(&w, &worker2, 2);
    assert_int_equal(again, job);
    assert_int_equal(heard(&w, &worker2, SP_MSG_JOB, 0)->budget_ms, 700);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED); /* too late, and it is not greeted any more */
    expect_refused(&w, &worker, SP_REASON_NOT_GREETED);
    assert_null(heard(&w, &cam, SP_MSG_ANSWER, 0));
    send_result(&w, &worker2, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &cam, 1, SP_ANSWER_DECIDED, 0);
}

static void test_foreign_result(void **state)
{
    (void)state;
    greet_all();
    say_ready(&w, &worker2, 1);
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    send_result(&w, &worker2, job, SP_ANSWER_DECIDED); /* not its job */
    expect_silence(&w);
    send_result(&w, &worker2, job + (1 << 16), SP_ANSWER_DECIDED);
    send_result(&w, &worker2, UINT64_MAX, SP_ANSWER_DECIDED);
    expect_silence(&w);
    assert_int_equal(broker_counts(w.broker)->late, 3);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &cam, 1, SP_ANSWER_DECIDED, 0);
}

static void test_worker_lost(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    expect_job(&w, &worker, 1);
    for (uint32_t attempt = 2; attempt <= 3; attempt++) {
        world_event(&w, BROKER_BACK_LOST, &worker);
        expect_silence(&w);
        struct sp_header later =
            frame_header(&w, &cam, 2, 1); /* arrives later, and ends earlier: still goes behind */
        later.budget_ms = 500;
        send_front(&w, &cam, &later, 10);
        say_ready(&w, &worker, 1);
        expect_job(&w, &worker, attempt);
    }
    world_event(&w, BROKER_BACK_LOST, &worker);
    expect_answer(&w, &cam, 1, SP_ANSWER_ERROR, SP_REASON_WORKER_LOST);
}

static void test_worker_comes_back(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    struct actor reborn = worker; /* the same key on a new connection */
    reborn.route.bytes[0] = 99;
    say_ready(&w, &reborn, 2);
    expect_refused(&w, &worker, SP_REASON_STALE_SESSION);
    assert_non_null(heard(&w, &reborn, SP_MSG_GREET, 0));
    assert_int_equal(expect_job(&w, &reborn, 2), job);
    say_ready(&w, &reborn, 2); /* READY again on the same connection: it has forgotten everything */
    expect_job(&w, &reborn, 3);
    struct broker_gauges gauges;
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.workers, 1);
    assert_int_equal(gauges.credit_used, 1);
}

static void test_worker_drains(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    send_bare(&w, &worker, SP_MSG_DRAIN);
    send_frame(&w, &cam, 1, 2);
    expect_silence(&w);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &cam, 1, SP_ANSWER_DECIDED, 0);
    assert_null(heard(&w, &worker, SP_MSG_JOB, 0));
    send_bare(&w, &worker, SP_MSG_BYE);
    say_ready(&w, &worker2, 1);
    expect_job(&w, &worker2, 1);
}

static void test_credit(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    say_ready(&w, &worker, 0);
    send_frame(&w, &cam, 1, 1);
    expect_silence(&w);
    struct sp_header beat = {.type = SP_MSG_BEAT, .credit = 1};
    send_back(&w, &worker, &beat, 0);
    uint64_t job = expect_job(&w, &worker, 1);
    send_frame(&w, &cam, 1, 2);
    expect_silence(&w);
    beat.credit = 0; /* less than it holds: no more, and no harm */
    send_back(&w, &worker, &beat, 0);
    send_result(&w, &worker, job, SP_ANSWER_UNDECIDED);
    assert_null(heard(&w, &worker, SP_MSG_JOB, 0));
    say_ready(&w, &worker2, 3); /* the most free credit gets the next */
    expect_job(&w, &worker2, 1);
    beat.credit = 2;
    send_back(&w, &worker, &beat, 0);
    send_frame(&w, &cam, 2, 1);
    uint64_t first = heard(&w, &worker, SP_MSG_JOB, 0) ? 1 : 2;
    assert_int_equal(first, 1); /* 2 free each: the one that has waited longer */
    beat.credit = 65535;
    send_back(&w, &worker, &beat, 0);
    struct broker_gauges gauges;
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.credit, 3 + 8); /* cut to max_credit */
}

static void test_duplicate_joins(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    send_frame(&w, &cam, 1, 1);
    expect_silence(&w); /* no second job */
    assert_int_equal(broker_counts(w.broker)->joined, 1);
    struct sp_header header =
        frame_header(&w, &cam2, 1, 1); /* same encounter and seq, another sender: another job */
    snprintf(header.lane, sizeof header.lane, "B2");
    send_front(&w, &cam2, &header, 10);
    uint64_t other = expect_job(&w, &worker, 1);
    assert_int_not_equal(other, job);
    send_result(&w, &worker, other, SP_ANSWER_UNDECIDED);
    expect_answer(&w, &cam2, 1, SP_ANSWER_UNDECIDED, 0);
    assert_null(heard(&w, &cam, SP_MSG_ANSWER, 0));
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &cam, 1, SP_ANSWER_DECIDED, 0);
    assert_null(heard(&w, &cam2, SP_MSG_ANSWER, 0));
}

static void test_want_and_enrol(void **state)
{
    (void)state;
    greet_all();
    struct sp_header want = frame_header(&w, &worker, 4, 1);
    want.type = SP_MSG_WANT;
    want.lane[0] = '\0';
    want.job_class = SP_CLASS_BULK;
    send_back(&w, &worker, &want, 60);
    uint64_t job = expect_job(&w, &worker, 1);
    assert_int_equal(heard(&w, &worker, SP_MSG_JOB, 0)->kind, SP_MSG_ENROL);
    say_ready(&w, &worker2, 1);
    memcpy(want.sender, worker2.peer.key, 32);
    send_back(&w, &worker2, &want, 60); /* another worker misses the same portrait */
    expect_silence(&w);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_silence(&w);
    want.sender[0] ^= 1;
    send_back(&w, &worker2, &want, 60);
    expect_refused(&w, &worker2, SP_REASON_SENDER_MISMATCH);
    struct sp_header enrol = frame_header(&w, &desk, 6, 1);
    enrol.type = SP_MSG_ENROL;
    enrol.lane[0] = '\0';
    enrol.job_class = SP_CLASS_ENROL;
    send_front(&w, &desk, &enrol, 60);
    job = expect_job(&w, &worker, 1);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &desk, 6, SP_ANSWER_DECIDED, 0);
}

/* A manifest of many leaves the worker's credit to the gates, even to a frame that comes last. */
static void test_enrolments_leave_room(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    say_hello(&w, &desk, NULL);
    say_ready(&w, &worker, 4);
    uint64_t jobs[2];
    for (int i = 0; i < 3; i++) {
        struct sp_header enrol = frame_header(&w, &desk, 10 + i, 1);
        enrol.type = SP_MSG_ENROL;
        enrol.lane[0] = '\0';
        enrol.job_class = i == 0 ? SP_CLASS_BULK : SP_CLASS_ENROL;
        send_front(&w, &desk, &enrol, 60);
        if (i < 2)
            jobs[i] = expect_job(&w, &worker, 1);
    }
    expect_silence(&w);
    send_frame(&w, &cam, 1, 1);
    assert_int_equal(heard(&w, &worker, SP_MSG_JOB, 0)->kind, SP_MSG_FRAME);
    send_result(&w, &worker, jobs[0], SP_ANSWER_DECIDED);
    assert_int_equal(heard(&w, &worker, SP_MSG_JOB, 0)->kind, SP_MSG_ENROL);
}

static void test_heartbeats(void **state)
{
    (void)state;
    greet_all();
    world_tick(&w, 99);
    expect_silence(&w);
    world_tick(&w, 1);
    assert_non_null(heard(&w, &cam, SP_MSG_PING, 0));
    assert_non_null(heard(&w, &worker, SP_MSG_BEAT, 0));
    world_tick(&w, 99);
    expect_silence(&w);
    for (int i = 0; i < 600; i++) { /* cam speaks, cam2 does not */
        world_tick(&w, 100);
        send_bare(&w, &cam, SP_MSG_PONG);
    }
    assert_int_equal(broker_counts(w.broker)->silent_clients, 2); /* cam2 and the desk */
    assert_int_equal(broker_counts(w.broker)->silent_workers, 1);
    send_bare(&w, &cam, SP_MSG_PING);
    assert_non_null(heard(&w, &cam, SP_MSG_PONG, 0));
    send_bare(&w, &cam2, SP_MSG_PING);
    expect_refused(&w, &cam2, SP_REASON_NOT_GREETED);
    send_bare(&w, &cam, SP_MSG_BYE);
    send_bare(&w, &cam, SP_MSG_PING);
    expect_refused(&w, &cam, SP_REASON_NOT_GREETED);
}

static void test_draining(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    world_event(&w, BROKER_DRAIN, NULL);
    assert_false(broker_idle(w.broker));
    send_frame(&w, &cam, 2, 1);
    expect_answer(&w, &cam, 2, SP_ANSWER_BUSY, SP_REASON_DRAINING);
    say_hello(&w, &cam2, "A1");
    expect_refused(&w, &cam2, SP_REASON_DRAINING);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &cam, 1, SP_ANSWER_DECIDED, 0);
    assert_true(broker_idle(w.broker));
    world_event(&w, BROKER_STOP, NULL);
    assert_non_null(heard(&w, &cam, SP_MSG_BYE, 0));
    assert_non_null(heard(&w, &desk, SP_MSG_BYE, 0));
    assert_non_null(heard(&w, &worker, SP_MSG_BYE, 0));
}

static void test_stop_answers_what_is_left(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1); /* at the worker */
    world_event(&w, BROKER_BACK_LOST, &worker);
    world_event(&w, BROKER_STOP, NULL);
    expect_answer(&w, &cam, 1, SP_ANSWER_BUSY, SP_REASON_DRAINING);
    assert_non_null(heard(&w, &cam, SP_MSG_BYE, 0));
    struct broker_gauges gauges;
    send_bare(&w, &cam, SP_MSG_PING);
    expect_silence(&w);
    say_hello(&w, &cam, "A1");
    expect_refused(&w, &cam, SP_REASON_DRAINING);
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.held_bytes + (uint64_t)gauges.clients + (uint64_t)gauges.workers, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        T(test_order),
        T(test_order_of_equals),
        T(test_budget),
        T(test_grace_and_late_result),
        T(test_silent_worker),
        T(test_foreign_result),
        T(test_worker_lost),
        T(test_worker_comes_back),
        T(test_worker_drains),
        T(test_credit),
        T(test_duplicate_joins),
        T(test_want_and_enrol),
        T(test_enrolments_leave_room),
        T(test_heartbeats),
        T(test_draining),
        T(test_stop_answers_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
