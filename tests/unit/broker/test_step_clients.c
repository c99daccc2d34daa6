/* The broker's step, the clients' side: sessions, refusals, windows, limits. Virtual time; docs/protocol.md section 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "scene.h"

static void test_hello_and_lanes(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    const struct broker_output *welcome = heard(&w, &cam, SP_MSG_WELCOME, 0);
    assert_non_null(welcome);
    assert_int_equal(welcome->session[0], 1);
    say_hello(&w, &cam, "B2"); /* not in its peer entry: named, and the session stands */
    expect_refused(&w, &cam, SP_REASON_NOT_YOUR_LANE);
    assert_string_equal(heard(&w, &cam, SP_MSG_REFUSED, 0)->lane, "B2");
    send_bare(&w, &cam, SP_MSG_PING);
    assert_non_null(heard(&w, &cam, SP_MSG_PONG, 0));
    say_hello(&w, &cam2, "B2"); /* "*": any */
    assert_non_null(heard(&w, &cam2, SP_MSG_WELCOME, 0));
    say_hello(&w, &desk, "A1"); /* ops speaks for no lane */
    expect_refused(&w, &desk, SP_REASON_NOT_YOUR_LANE);
}

static void test_not_greeted(void **state)
{
    (void)state;
    send_frame(&w, &cam, 9, 4);
    expect_refused(&w, &cam, SP_REASON_NOT_GREETED);
    assert_int_equal(heard(&w, &cam, SP_MSG_REFUSED, 0)->seq, 4);
    assert_int_equal(heard(&w, &cam, SP_MSG_REFUSED, 0)->encounter[0], 9);
    send_bare(&w, &cam, SP_MSG_PING);
    expect_refused(&w, &cam, SP_REASON_NOT_GREETED);
    send_bare(&w, &cam, SP_MSG_BYE);
    expect_silence(&w);
    send_bare(&w, &worker, SP_MSG_BEAT);
    expect_refused(&w, &worker, SP_REASON_NOT_GREETED);
    send_result(&w, &worker, 1 << 16, SP_ANSWER_DECIDED);
    expect_refused(&w, &worker, SP_REASON_NOT_GREETED);
    assert_int_equal(broker_counts(w.broker)->late, 1);
}

static void test_roles(void **state)
{
    (void)state;
    greet_all();
    struct sp_header header = frame_header(&w, &desk, 1, 1); /* ops may not send frames */
    send_front(&w, &desk, &header, 10);
    expect_answer(&w, &desk, 1, SP_ANSWER_ERROR, SP_REASON_NOT_AUTHORISED);
    header = frame_header(&w, &cam, 2, 1); /* a capture may not enrol */
    header.type = SP_MSG_ENROL;
    header.job_class = SP_CLASS_ENROL;
    header.lane[0] = '\0';
    send_front(&w, &cam, &header, 10);
    expect_answer(&w, &cam, 2, SP_ANSWER_ERROR, SP_REASON_NOT_AUTHORISED);
    struct actor spy = actor_make(20, SP_ROLE_CAPTURE, "*"); /* a capture key on the back */
    struct sp_header ready = {.type = SP_MSG_READY, .credit = 4};
    send_back(&w, &spy, &ready, 0);
    assert_int_equal(w.out->count, 1);
    assert_int_equal(w.out->items[0].reason, SP_REASON_NOT_AUTHORISED);
    struct actor stray = actor_make(21, SP_ROLE_WORKER, NULL); /* a worker key on the front */
    struct sp_header hello = {.type = SP_MSG_HELLO};
    send_front(&w, &stray, &hello, 0);
    assert_int_equal(w.out->count, 1);
    assert_int_equal(w.out->items[0].reason, SP_REASON_NOT_AUTHORISED);
    ready.type = SP_MSG_READY; /* a message of the other side */
    send_front(&w, &cam, &ready, 0);
    expect_refused(&w, &cam, SP_REASON_NOT_AUTHORISED);
    header.type = SP_MSG_HELLO;
    send_back(&w, &worker, &header, 0);
    expect_refused(&w, &worker, SP_REASON_NOT_AUTHORISED);
}

static void test_flaws(void **state)
{
    (void)state;
    greet_all();
    const int flaws[] = {SP_REASON_BAD_MESSAGE, SP_REASON_BAD_VERSION, SP_REASON_UNKNOWN_MESSAGE};
    struct sp_header header = {.type = SP_MSG_FRAME};
    for (int i = 0; i < 3; i++) {
        struct broker_event event = {.type = i % 2 ? BROKER_BACK_MESSAGE : BROKER_FRONT_MESSAGE,
                                     .route = i % 2 ? worker.route : cam.route,
                                     .peer = i % 2 ? &worker.peer : &cam.peer,
                                     .header = &header,
                                     .flaw = flaws[i]};
        memcpy(event.key, event.peer->key, sizeof event.key);
        world_step(&w, &event);
        expect_refused(&w, i % 2 ? &worker : &cam, flaws[i]);
        assert_int_equal(broker_counts(w.broker)->refused[flaws[i]], 1);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    greet_all();
    world_tick(&w, 20);
    struct {
        int reason;
        size_t payload;
        void (*spoil)(struct sp_header *header);
    } rows[] = {{SP_REASON_SENDER_MISMATCH, 10, NULL},
                {SP_REASON_STALE_SESSION, 10, NULL},
                {SP_REASON_NOT_YOUR_LANE, 10, NULL},
                {SP_REASON_BAD_MESSAGE, 0, NULL},
                {SP_REASON_PAYLOAD_TOO_LARGE, 2001, NULL}};
    for (int i = 0; i < 5; i++) {
        struct sp_header header = frame_header(&w, &cam, 5, 1);
        if (rows[i].reason == SP_REASON_SENDER_MISMATCH)
            header.sender[31] ^= 1;
        if (rows[i].reason == SP_REASON_STALE_SESSION)
            header.session[15] ^= 1;
        if (rows[i].reason == SP_REASON_NOT_YOUR_LANE)
            snprintf(header.lane, sizeof header.lane, "B2");
        send_front(&w, &cam, &header, rows[i].payload);
        expect_answer(&w, &cam, 5, SP_ANSWER_ERROR, rows[i].reason);
    }
    struct actor narrowed = cam2; /* greeted for B2, which has been taken from its peer entry since */
    snprintf(narrowed.peer.lanes[0], sizeof narrowed.peer.lanes[0], "C3");
    struct sp_header header = frame_header(&w, &narrowed, 6, 1);
    snprintf(header.lane, sizeof header.lane, "B2");
    send_front(&w, &narrowed, &header, 10);
    expect_answer(&w, &narrowed, 6, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_LANE);
    snprintf(header.lane, sizeof header.lane, "C3"); /* in its entry, but not greeted for it */
    send_front(&w, &narrowed, &header, 10);
    expect_answer(&w, &narrowed, 6, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_LANE);
    struct broker_gauges gauges;
    broker_gauges(w.broker, &gauges);
    assert_int_equal(gauges.sent + gauges.queued[1], 0);
}

static void test_age(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    w.now += 7000 * MS;
    struct sp_header header = frame_header(&w, &cam, 1, 1);
    header.at_ms = 1999; /* 5001 ms old */
    send_front(&w, &cam, &header, 10);
    expect_answer(&w, &cam, 1, SP_ANSWER_ERROR, SP_REASON_TOO_OLD);
    header.at_ms = 2000; /* 5000 ms: just young enough */
    send_front(&w, &cam, &header, 10);
    expect_silence(&w);
    header.seq = 2;
    header.at_ms = 12000; /* from the future, by no more than the maximum age */
    send_front(&w, &cam, &header, 10);
    expect_silence(&w);
    header.seq = 3;
    header.at_ms = 12001;
    send_front(&w, &cam, &header, 10);
    expect_answer(&w, &cam, 1, SP_ANSWER_ERROR, SP_REASON_BAD_MESSAGE);
    header.at_ms = UINT64_MAX;
    send_front(&w, &cam, &header, 10);
    expect_answer(&w, &cam, 1, SP_ANSWER_ERROR, SP_REASON_BAD_MESSAGE);
}

static void test_frame_job_result_answer(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 7, 3);
    assert_int_equal(w.out->items[0].type, BROKER_KEEP);
    uint64_t job = expect_job(&w, &worker, 1);
    assert_int_equal(heard(&w, &worker, SP_MSG_JOB, 0)->budget_ms, 1000);
    assert_int_equal(heard(&w, &worker, SP_MSG_JOB, 0)->kind, SP_MSG_FRAME);
    w.now += 5 * MS;
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &cam, 7, SP_ANSWER_DECIDED, 0);
    const struct broker_output *answer = heard(&w, &cam, SP_MSG_ANSWER, 0);
    assert_true(answer->forward);
    assert_int_equal(answer->seq, 3);
    assert_string_equal(answer->lane, "A1");
    assert_int_equal(w.out->items[1].type, BROKER_DROP);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED); /* twice: the first one won */
    expect_silence(&w);
    assert_int_equal(broker_counts(w.broker)->late, 1);
    send_frame(&w, &cam, 7, 3); /* answered before: the worker gives the stored answer */
    job = expect_job(&w, &worker, 1);
    send_result(&w, &worker, job, SP_ANSWER_ERROR); /* errors carry no payload */
    assert_false(heard(&w, &cam, SP_MSG_ANSWER, 0)->forward);
    send_frame(&w, &cam, 8, 1);
    uint64_t old = job;
    job = expect_job(&w, &worker, 1); /* in the same slot as the one before */
    send_result(&w, &worker, old, SP_ANSWER_DECIDED);
    expect_silence(&w);
    struct sp_header naked = {.type = SP_MSG_RESULT, .job = job, .answer = SP_ANSWER_DECIDED};
    send_back(&w, &worker, &naked, 0); /* a decision without its payload is the worker's fault */
    expect_answer(&w, &cam, 8, SP_ANSWER_ERROR, SP_REASON_INTERNAL);
}

static void test_window(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    send_frame(&w, &cam, 1, 2);
    send_frame(&w, &cam, 1, 3);
    expect_answer(&w, &cam, 1, SP_ANSWER_BUSY, SP_REASON_WINDOW_FULL);
    struct sp_header close = frame_header(&w, &cam, 1, 4);
    close.type = SP_MSG_CLOSE;
    close.reason = SP_REASON_DONE;
    send_front(&w, &cam, &close, 40); /* a CLOSE is not counted */
    expect_silence(&w);
    send_result(&w, &worker, job, SP_ANSWER_UNDECIDED);
    send_frame(&w, &cam, 1, 3);
    assert_null(heard(&w, &cam, SP_MSG_ANSWER, 0));
    send_frame(&w, &cam, 1, 5);
    expect_answer(&w, &cam, 1, SP_ANSWER_BUSY, SP_REASON_WINDOW_FULL);
    for (uint32_t seq = 5; seq < 7; seq++) { /* CLOSEs have a limit of their own: 3 with the first */
        close.seq = seq;
        send_front(&w, &cam, &close, 40);
    }
    close.seq = 7;
    send_front(&w, &cam, &close, 40);
    expect_answer(&w, &cam, 1, SP_ANSWER_BUSY, SP_REASON_WINDOW_FULL);
}

static void test_queue_limits(void **state)
{
    (void)state;
    say_hello(&w, &cam, "A1");
    say_hello(&w, &cam2, "B2");
    struct sp_header header = frame_header(&w, &cam, 1, 1);
    send_front(&w, &cam, &header, 10);
    header.seq = 2;
    send_front(&w, &cam, &header, 10);
    header = frame_header(&w, &cam2, 2, 1);
    snprintf(header.lane, sizeof header.lane, "B2");
    send_front(&w, &cam2, &header, 10);
    expect_silence(&w);
    header.seq = 2;
    send_front(&w, &cam2, &header, 10);
    expect_answer(&w, &cam2, 2, SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
    header.job_class = SP_CLASS_GATE; /* another class has room */
    send_front(&w, &cam2, &header, 10);
    expect_silence(&w);
}

static void hold_little(struct broker_limits *limits)
{
    limits->max_held_bytes = 1500;
}

static void test_byte_limit(void **state)
{
    (void)state;
    world_end(&w);
    world_begin(&w, hold_little);
    say_hello(&w, &cam, "A1");
    send_frame(&w, &cam, 1, 1);
    send_frame(&w, &cam, 1, 2);
    expect_answer(&w, &cam, 1, SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
    world_tick(&w, 1000);
    send_frame(&w, &cam, 1, 3); /* the expired one made room, in the window too */
    expect_silence(&w);
}

static void test_same_route_another_key(void **state)
{
    (void)state;
    greet_all();
    struct actor thief = cam2;
    thief.route = cam.route;
    send_bare(&w, &thief, SP_MSG_PING);
    expect_refused(&w, &cam, SP_REASON_NOT_GREETED);
    thief = worker2;
    thief.route = worker.route;
    send_bare(&w, &thief, SP_MSG_BEAT);
    expect_refused(&w, &worker, SP_REASON_NOT_GREETED);
}

static void test_same_frame_another_lane(void **state)
{
    (void)state;
    struct sp_header hello = {.type = SP_MSG_HELLO, .lane_count = 2, .lanes = {"A1", "B2"}};
    say_ready(&w, &worker, 2);
    send_front(&w, &cam2, &hello, 0);
    memcpy(cam2.session, heard(&w, &cam2, SP_MSG_WELCOME, 0)->session, sizeof cam2.session);
    send_frame(&w, &cam2, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    struct sp_header header = frame_header(&w, &cam2, 1, 1);
    snprintf(header.lane, sizeof header.lane, "B2");
    send_front(&w, &cam2, &header, 10);
    expect_answer(&w, &cam2, 1, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_ENCOUNTER);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    assert_string_equal(heard(&w, &cam2, SP_MSG_ANSWER, 0)->lane, "A1");
}

static void test_new_session_takes_over(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    struct actor reborn = cam; /* the node comes back on a new connection */
    reborn.route.bytes[0] = 99;
    say_hello(&w, &reborn, "A1");
    expect_refused(&w, &cam, SP_REASON_STALE_SESSION);
    assert_non_null(heard(&w, &reborn, SP_MSG_WELCOME, 0));
    send_frame(&w, &cam, 2, 1); /* the older connection has no session now */
    expect_refused(&w, &cam, SP_REASON_NOT_GREETED);
    w.now += 20 * MS;
    struct sp_header again = frame_header(&w, &reborn, 1, 1);
    send_front(&w, &reborn, &again,
               1000); /* the same frame, sealed anew: joins, and takes the older copy's place */
    assert_int_equal(messages_out(&w), 0);
    assert_int_equal(w.out->items[0].type, BROKER_KEEP);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED); /* sealed for the old session: asked for once more */
    assert_null(heard(&w, &reborn, SP_MSG_ANSWER, 0));
    assert_int_equal(expect_job(&w, &worker, 2), job);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &reborn, 1, SP_ANSWER_DECIDED, 0);
    assert_null(heard(&w, &cam, SP_MSG_ANSWER, 0));
    send_frame(&w, &reborn, 3, 1);
    job = expect_job(&w, &worker, 1);
    world_event(&w, BROKER_FRONT_LOST, &reborn);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED); /* nobody is there to hear it */
    expect_silence(&w);
    assert_int_equal(broker_counts(w.broker)->orphaned, 1);
}

static void test_hello_again_voids_the_session(void **state)
{
    (void)state;
    greet_all();
    struct sp_header old = frame_header(&w, &cam, 1, 1);
    say_hello(&w, &cam, "A1");
    assert_non_null(heard(&w, &cam, SP_MSG_WELCOME, 0));
    assert_null(heard(&w, &cam, SP_MSG_REFUSED, 0));
    send_front(&w, &cam, &old, 10);
    expect_answer(&w, &cam, 1, SP_ANSWER_ERROR, SP_REASON_STALE_SESSION);
}

static void test_side_by_side(void **state)
{
    (void)state;
    struct actor one = cam2, two = cam2, three = cam2, four = cam2;
    two.route.bytes[0] = 2;
    three.route.bytes[0] = 3;
    four.route.bytes[0] = 4;
    say_hello(&w, &one, "A1");
    say_hello(&w, &two, "B2"); /* one key, another lane */
    assert_null(heard(&w, &one, SP_MSG_REFUSED, 0));
    say_hello(&w, &three, NULL);
    say_hello(&w, &four, "C3"); /* but not more than key_sessions */
    expect_refused(&w, &four, SP_REASON_QUEUE_FULL);
    say_hello(&w, &four, "A1"); /* in place of an older one it goes */
    assert_non_null(heard(&w, &four, SP_MSG_WELCOME, 0));
    expect_refused(&w, &one, SP_REASON_STALE_SESSION);
    say_hello(&w, &desk, NULL);
    say_hello(&w, &cam, "A1"); /* four sessions are all there are */
    expect_refused(&w, &cam, SP_REASON_QUEUE_FULL);
}

static void test_revoked(void **state)
{
    (void)state;
    greet_all();
    send_frame(&w, &cam, 1, 1);
    uint64_t job = expect_job(&w, &worker, 1);
    struct actor gone = cam;
    gone.peer.role = SP_ROLE_NONE; /* the table does not know the key any more */
    send_bare(&w, &gone, SP_MSG_PING);
    expect_refused(&w, &cam, SP_REASON_REVOKED);
    send_result(&w, &worker, job, SP_ANSWER_DECIDED);
    expect_silence(&w);
    send_frame(&w, &cam2, 2, 1); /* refused: lane A1 was not greeted; only to have something going on */
    world_event(&w, BROKER_KEY_REVOKED, &cam2);
    expect_refused(&w, &cam2, SP_REASON_REVOKED);
    send_bare(&w, &cam2, SP_MSG_PING);
    expect_refused(&w, &cam2, SP_REASON_NOT_GREETED);
    say_ready(&w, &worker2, 1);
    say_hello(&w, &cam, "A1");
    send_frame(&w, &cam, 3, 1);
    job = expect_job(&w, &worker, 1);
    world_event(&w, BROKER_KEY_REVOKED, &worker);
    expect_refused(&w, &worker, SP_REASON_REVOKED);
    assert_int_equal(expect_job(&w, &worker2, 2), job);
    struct sp_header ready = {.type = SP_MSG_READY, .credit = 1};
    struct broker_event event = {.type = BROKER_BACK_MESSAGE,
                                 .route = worker.route,
                                 .peer = &worker.peer,
                                 .header = &ready,
                                 .certified = false};
    memcpy(event.key, worker.peer.key, 32);
    world_step(&w, &event);
    expect_refused(&w, &worker, SP_REASON_NOT_AUTHORISED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        T(test_hello_and_lanes),
        T(test_not_greeted),
        T(test_roles),
        T(test_flaws),
        T(test_refusals),
        T(test_age),
        T(test_frame_job_result_answer),
        T(test_window),
        T(test_queue_limits),
        T(test_byte_limit),
        T(test_same_route_another_key),
        T(test_same_frame_another_lane),
        T(test_new_session_takes_over),
        T(test_hello_again_voids_the_session),
        T(test_side_by_side),
        T(test_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
