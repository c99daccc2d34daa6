/* The broker's step, the desk's side: jobs that name a model pack, reviews, and what a desk is told. Virtual time;
 * docs/protocol.md sections 3 and 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "scene.h"

enum { NO_PACK = 0, OLD = 1, NEW = 2 };

static void ready_with(const struct actor *from, uint32_t credit, int pack)
{
    struct sp_header header = {
        .version = 1, .type = SP_MSG_READY, .credit = credit, .backend = "cpu", .has_pack = true};
    memset(header.pack, pack, sizeof header.pack);
    send_back(&w, from, &header, 0);
}

static void desk_sends(enum sp_message_type type, int job, int pack, uint32_t budget_ms)
{
    struct sp_header header = frame_header(&w, &desk, job, 1);
    header.type = type;
    header.job_class = SP_CLASS_BULK;
    header.budget_ms = budget_ms;
    header.lane[0] = '\0';
    header.has_pack = pack != NO_PACK;
    memset(header.pack, pack, sizeof header.pack);
    send_front(&w, &desk, &header, 10);
}

static void test_a_pack_finds_its_worker(void **state)
{
    (void)state;
    say_hello(&w, &desk, NULL);
    ready_with(&worker, 8, OLD);
    ready_with(&worker2, 1, NEW); /* much less credit: only its pack speaks for it */
    desk_sends(SP_MSG_ENROL, 1, NEW, 1000);
    uint64_t job = expect_job(&w, &worker2, 1);
    assert_null(heard(&w, &worker, SP_MSG_JOB, 0));
    /* its credit is spent: the next of this pack waits, others do not wait behind it */
    desk_sends(SP_MSG_ENROL, 2, NEW, 1000);
    expect_silence(&w);
    desk_sends(SP_MSG_ENROL, 3, OLD, 1000);
    expect_job(&w, &worker, 1);
    desk_sends(SP_MSG_ENROL, 4, NO_PACK, 1000);
    expect_answer(&w, &desk, 4, SP_ANSWER_BUSY, SP_REASON_WINDOW_FULL); /* three are unanswered */
    send_result(&w, &worker2, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &desk, 1, SP_ANSWER_DECIDED, 0);
    expect_job(&w, &worker2, 1);
    desk_sends(SP_MSG_ENROL, 4, NO_PACK, 1000);
    expect_job(&w, &worker, 1);
}

static void test_no_worker_of_the_pack(void **state)
{
    (void)state;
    say_hello(&w, &desk, NULL);
    ready_with(&worker, 8, OLD);
    desk_sends(SP_MSG_ENROL, 1, NEW, 200);
    expect_silence(&w);
    world_tick(&w, 100);
    send_bare(&w, &worker, SP_MSG_BEAT);
    world_tick(&w, 100);
    expect_answer(&w, &desk, 1, SP_ANSWER_EXPIRED, SP_REASON_NO_WORKER);
    desk_sends(SP_MSG_REVIEW, 2, NEW, 1000);
    ready_with(&worker2, 4, NEW); /* one comes within the budget */
    assert_int_equal(heard(&w, &worker2, SP_MSG_JOB, 0)->kind, SP_MSG_REVIEW);
    desk_sends(SP_MSG_ENROL, 3, NEW, 200);
    expect_job(&w, &worker2, 1);
    world_event(&w, BROKER_BACK_LOST, &worker2); /* delivered once: the budget was spent on somebody */
    for (int i = 0; i < 2; i++) {
        world_tick(&w, 100);
        send_bare(&w, &worker, SP_MSG_BEAT);
    }
    world_tick(&w, 1);
    assert_int_equal(broker_counts(w.broker)->answers[SP_ANSWER_EXPIRED][SP_REASON_BUDGET_SPENT], 1);
}

/* Redelivery, too, stays within the pack. */
static void test_redelivery_stays_in_the_pack(void **state)
{
    (void)state;
    struct actor third = actor_make(13, SP_ROLE_WORKER, NULL);
    say_hello(&w, &desk, NULL);
    ready_with(&worker, 8, NEW);
    desk_sends(SP_MSG_REVIEW, 1, NEW, 5000);
    uint64_t job = expect_job(&w, &worker, 1);
    ready_with(&worker2, 8, OLD);
    world_event(&w, BROKER_BACK_LOST, &worker);
    expect_silence(&w);
    ready_with(&third, 1, NEW);
    assert_int_equal(expect_job(&w, &third, 2), job);
}

/* Behind a head of another pack, too, a job whose budget is spent goes to nobody. */
static void test_late_behind_the_head(void **state)
{
    (void)state;
    say_hello(&w, &desk, NULL);
    ready_with(&worker, 1, OLD);
    ready_with(&worker2, 1, NEW);
    desk_sends(SP_MSG_ENROL, 1, OLD, 1000);
    expect_job(&w, &worker, 1);
    desk_sends(SP_MSG_ENROL, 2, NEW, 1000);
    uint64_t job = expect_job(&w, &worker2, 1);
    world_event(&w, BROKER_BACK_LOST, &worker); /* its job is the head again */
    desk_sends(SP_MSG_ENROL, 3, NEW, 50);
    expect_silence(&w);
    w.now += 55 * MS; /* and no tick yet */
    send_result(&w, &worker2, job, SP_ANSWER_DECIDED);
    expect_answer(&w, &desk, 2, SP_ANSWER_DECIDED, 0);
    assert_null(heard(&w, &worker2, SP_MSG_JOB, 0));
    world_tick(&w, 0);
    expect_answer(&w, &desk, 3, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT);
}

static void hold_many(struct broker_limits *limits)
{
    limits->max_jobs = 64;
    limits->client_jobs = 64;
    for (int i = 0; i < SP_CLASS_COUNT; i++)
        limits->queue[i] = 64;
}

/* However many packs have nobody, the one that has somebody is found, in its own order. */
static void test_many_packs_without_a_worker(void **state)
{
    (void)state;
    enum { PACKS = 12, FIRST = 10 };
    world_end(&w);
    world_begin(&w, hold_many);
    say_hello(&w, &desk, NULL);
    ready_with(&worker2, 1, NEW);
    for (int i = 0; i < 2 * PACKS; i++) {
        desk_sends(SP_MSG_ENROL, 20 + i, FIRST + i % PACKS, 1000);
        expect_silence(&w);
    }
    desk_sends(SP_MSG_ENROL, 1, NEW, 5000);
    uint64_t job = expect_job(&w, &worker2, 1);
    desk_sends(SP_MSG_ENROL, 2, NEW, 5000);
    desk_sends(SP_MSG_ENROL, 3, NEW, 4000);
    send_result(&w, &worker2, job, SP_ANSWER_DECIDED);
    assert_int_equal(heard(&w, &worker2, SP_MSG_JOB, 0)->budget_ms, 4000);
    ready_with(&worker, 1, FIRST + PACKS - 1);
    expect_job(&w, &worker, 1);
}

static void test_a_want_names_its_pack(void **state)
{
    (void)state;
    ready_with(&worker, 8, OLD);
    ready_with(&worker2, 8, NEW);
    struct sp_header want = {.version = 1,
                             .type = SP_MSG_WANT,
                             .seq = 1,
                             .job_class = SP_CLASS_BULK,
                             .budget_ms = 100,
                             .has_pack = true};
    memset(want.pack, OLD, sizeof want.pack);
    memcpy(want.sender, worker.peer.key, sizeof want.sender);
    for (int i = 0; i < 2; i++) {
        memset(want.encounter, 40 + i, sizeof want.encounter);
        send_back(&w, &worker, &want, 10);
        expect_job(&w, &worker, 1);
    }
    say_hello(&w, &cam, "A1");
    send_frame(&w, &cam, 1, 1); /* frames go to whoever has most credit */
    expect_job(&w, &worker2, 1);
}

static void test_only_ops_review_and_ask(void **state)
{
    (void)state;
    greet_all();
    struct sp_header header = frame_header(&w, &cam, 1, 1);
    header.type = SP_MSG_REVIEW;
    header.job_class = SP_CLASS_BULK;
    send_front(&w, &cam, &header, 10);
    expect_answer(&w, &cam, 1, SP_ANSWER_ERROR, SP_REASON_NOT_AUTHORISED);
    struct sp_header ask = {.version = 1, .type = SP_MSG_ASK, .what = SP_ASK_LANES};
    send_front(&w, &cam, &ask, 0);
    expect_refused(&w, &cam, SP_REASON_NOT_AUTHORISED);
    send_front(&w, &desk, &ask, 0);
    assert_non_null(heard(&w, &desk, SP_MSG_TELL, 0));
    snprintf(ask.what, sizeof ask.what, "secrets");
    send_front(&w, &desk, &ask, 0);
    expect_refused(&w, &desk, SP_REASON_BAD_MESSAGE);
    ask.type = SP_MSG_TELL; /* a message clients do not send */
    send_front(&w, &desk, &ask, 0);
    expect_refused(&w, &desk, SP_REASON_NOT_AUTHORISED);
}

/* The same job, sent again by its own desk under a newer session but with another pack, is no copy of it. */
static void test_the_pack_is_part_of_the_job(void **state)
{
    (void)state;
    say_hello(&w, &desk, NULL);
    desk_sends(SP_MSG_ENROL, 1, OLD, 5000);
    say_hello(&w, &desk, NULL);
    desk_sends(SP_MSG_ENROL, 1, NEW, 5000);
    expect_answer(&w, &desk, 1, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_ENCOUNTER);
    desk_sends(SP_MSG_ENROL, 1, OLD, 5000);
    expect_silence(&w);
    ready_with(&worker, 1, OLD);
    expect_job(&w, &worker, 1);
}

static const struct broker_page *ask_for(const char *what, const char *after)
{
    struct sp_header ask = {.version = 1, .type = SP_MSG_ASK};
    snprintf(ask.what, sizeof ask.what, "%s", what);
    snprintf(ask.after, sizeof ask.after, "%s", after);
    send_front(&w, &desk, &ask, 0);
    const struct broker_output *output = heard(&w, &desk, SP_MSG_TELL, 0);
    assert_non_null(output);
    assert_string_equal(output->page->what, what);
    return output->page;
}

static void test_lanes_and_workers(void **state)
{
    (void)state;
    greet_all();
    ready_with(&worker2, 7, NEW);
    world_tick(&w, 50);
    send_bare(&w, &cam, SP_MSG_PING);
    const struct broker_page *page = ask_for(SP_ASK_LANES, "");
    assert_int_equal(page->count, 2);
    assert_false(page->more);
    assert_string_equal(page->rows[0].name, "A1");
    assert_string_equal(page->rows[0].peer, "peer-1");
    assert_int_equal(page->rows[0].quiet_ms, 0);
    assert_string_equal(page->rows[1].name, "B2");
    assert_int_equal(page->rows[1].quiet_ms, 50);
    page = ask_for(SP_ASK_LANES, "A1/peer-1");
    assert_int_equal(page->count, 1);
    assert_string_equal(page->rows[0].name, "B2");
    page = ask_for(SP_ASK_WORKERS, "");
    assert_int_equal(page->count, 2);
    assert_string_equal(page->rows[0].name, "peer-11");
    assert_int_equal(page->rows[0].credit, 2);
    assert_string_equal(page->rows[1].name, "peer-12");
    assert_string_equal(page->rows[1].backend, "cpu");
    assert_int_equal(page->rows[1].pack[3], NEW);
    assert_int_equal(page->rows[1].credit, 7);
    assert_int_equal(page->rows[1].quiet_ms, 50);
    world_event(&w, BROKER_BACK_LOST, &worker2);
    assert_int_equal(ask_for(SP_ASK_WORKERS, "")->count, 1);
    assert_int_equal(ask_for(SP_ASK_WORKERS, "peer-11")->count, 0);
}

/* Several pages, of two sessions that share lanes: every row once, in order. */
static void test_pages(void **state)
{
    (void)state;
    struct sp_header hello = {.version = 1, .type = SP_MSG_HELLO, .lane_count = 40};
    struct actor all = actor_make(4, SP_ROLE_CAPTURE, "*");
    char after[2 * SP_NAME_MAX] = "";
    int seen = 0, pages = 0;
    for (int i = 0; i < 40; i++) /* in no order */
        snprintf(hello.lanes[i], sizeof hello.lanes[i], "L%02d", i * 7 % 40);
    say_hello(&w, &desk, NULL);
    send_front(&w, &cam2, &hello, 0);
    send_front(&w, &all, &hello, 0);
    for (bool more = true; more; pages++) {
        const struct broker_page *page = ask_for(SP_ASK_LANES, after);
        for (int i = 0; i < page->count; i++, seen++) {
            char wanted[2 * SP_NAME_MAX], row[2 * SP_NAME_MAX];
            snprintf(wanted, sizeof wanted, "L%02d/peer-%d", seen / 2, seen % 2 ? 4 : 2);
            snprintf(row, sizeof row, "%s/%s", page->rows[i].name, page->rows[i].peer);
            assert_string_equal(row, wanted);
            memcpy(after, row, sizeof after);
        }
        more = page->more;
        assert_true(!more || page->count == SP_TOLD_MAX);
    }
    assert_int_equal(seen, 80);
    assert_int_equal(pages, 4);
}

static void test_draining_tells_nothing(void **state)
{
    (void)state;
    struct sp_header ask = {.version = 1, .type = SP_MSG_ASK, .what = SP_ASK_LANES};
    send_front(&w, &desk, &ask, 0);
    expect_refused(&w, &desk, SP_REASON_NOT_GREETED);
    greet_all();
    world_event(&w, BROKER_DRAIN, NULL);
    send_front(&w, &desk, &ask, 0);
    expect_refused(&w, &desk, SP_REASON_DRAINING);
    desk_sends(SP_MSG_REVIEW, 5, NO_PACK, 100);
    expect_answer(&w, &desk, 5, SP_ANSWER_BUSY, SP_REASON_DRAINING);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_pack_finds_its_worker),
        T(test_no_worker_of_the_pack),
        T(test_redelivery_stays_in_the_pack),
        T(test_late_behind_the_head),
        T(test_many_packs_without_a_worker),
        T(test_a_want_names_its_pack),
        T(test_only_ops_review_and_ask),
        T(test_the_pack_is_part_of_the_job),
        T(test_lanes_and_workers),
        T(test_pages),
        T(test_draining_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
