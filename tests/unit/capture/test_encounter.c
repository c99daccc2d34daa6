/* One encounter against a fake broker: frames, window, newest frame wins, CLOSE; and images from folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture/run.h"
#include "common/clock.h"
#include "common/file.h"
#include "fake_broker.h"

#define LINES_MAX 64

struct line {
    enum sp_message_type kind;
    uint32_t seq;
    int answer, reason, outcome;
    const void *tag;
    bool final;
};

struct world {
    struct fake_broker fake;
    struct sp_client *client;
    struct sp_encounter *encounter;
    struct line lines[LINES_MAX];
    int count;
};

static void on_line(void *user, const struct sp_encounter_line *line)
{
    struct world *w = user;
    assert_true(w->count < LINES_MAX);
    const struct sp_client_answer *a = line->answer;
    w->lines[w->count++] = (struct line){
        a->kind,   a->seq,     a->answer, a->reason, a->decision_count > 0 ? a->decisions[0].outcome : 0,
        line->tag, line->final};
}

static void on_answer(void *user, const struct sp_client_answer *answer)
{
    struct world *w = user;
    assert_true(sp_encounter_answer(w->encounter, answer));
}

static void begin(struct world *w, uint32_t window, uint32_t budget_ms)
{
    static const char *const lanes[] = {"A1"};
    struct sp_err err = {0};
    fake_broker_start(&w->fake, window, 1000);
    struct sp_client_config c = {.address = w->fake.address,
                                 .self = w->fake.client,
                                 .agent = "test",
                                 .lanes = lanes,
                                 .lane_count = 1,
                                 .grace_ms = 60,
                                 .on_answer = on_answer,
                                 .user = w};
    memcpy(c.broker_key, w->fake.curve.public_key, 32);
    memcpy(c.authority, w->fake.authority.public_key, 32);
    if (sp_client_new(&w->client, &c, &err) != SP_OK || sp_client_connect(w->client, 5000, &err) != SP_OK)
        fail_msg("%s", err.text);
    struct sp_encounter_config e = {.client = w->client,
                                    .lane = "A1",
                                    .job_class = SP_CLASS_GATE,
                                    .budget_ms = budget_ms,
                                    .close_ms = 1000,
                                    .close_reason = SP_REASON_DONE,
                                    .on_line = on_line,
                                    .user = w};
    assert_int_equal(sp_encounter_new(&w->encounter, &e, NULL), SP_OK);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    sp_encounter_free(&w->encounter);
    sp_client_free(&w->client);
    if (w->fake.inside)
        fake_broker_stop(&w->fake);
    free(w);
    return 0;
}

static const char *tags[] = {"f0", "f1", "f2", "f3", "f4", "f5"};

static void offer(struct world *w, int number, bool last)
{
    struct sp_encounter_frame f = {.image = tags[number], .image_length = 3, .last = last, .tag = tags[number]};
    assert_int_equal(sp_encounter_offer(w->encounter, &f, NULL), SP_OK);
}

static void live(struct world *w, bool until_over, int until_lines, int timeout_ms)
{
    uint64_t end = sp_clock_mono_ns() + (uint64_t)timeout_ms * SP_NS_PER_MS;
    while (sp_clock_mono_ns() < end && w->count < until_lines) {
        sp_encounter_tick(w->encounter, sp_clock_mono_ns());
        if (until_over && sp_encounter_over(w->encounter))
            return;
        sp_client_poll(w->client, 10, NULL);
    }
}

static void a_match_ends_it_without_a_close(void **state)
{
    struct world *w = *state;
    begin(w, 1, 2000);
    offer(w, 1, false);
    live(w, true, LINES_MAX, 3000);
    assert_true(sp_encounter_over(w->encounter));
    assert_true(sp_encounter_decided(w->encounter));
    assert_int_equal(w->count, 1);
    assert_int_equal(w->lines[0].outcome, SP_OUTCOME_MATCH);
    assert_true(w->lines[0].final);
    assert_ptr_equal(w->lines[0].tag, tags[1]);
    assert_int_equal(w->fake.closes, 0);
    struct sp_encounter_frame late = {.image = "x", .image_length = 1};
    assert_int_equal(sp_encounter_offer(w->encounter, &late, NULL), SP_E_CLOSED);
}

static void undecided_to_the_end_is_closed_and_gets_a_final(void **state)
{
    struct world *w = *state;
    begin(w, 1, 2000);
    w->fake.mode = FAKE_UNDECIDED;
    offer(w, 1, false);
    live(w, false, 1, 3000);
    assert_int_equal(w->lines[0].answer, SP_ANSWER_UNDECIDED);
    assert_int_equal(w->lines[0].reason, SP_REASON_TOO_DARK);
    offer(w, 2, true);
    live(w, true, LINES_MAX, 3000);
    assert_int_equal(w->count, 3);
    assert_int_equal(w->lines[2].kind, SP_MSG_CLOSE);
    assert_int_equal(w->lines[2].seq, 3);
    assert_int_equal(w->lines[2].outcome, SP_OUTCOME_REFER);
    assert_ptr_equal(w->lines[2].tag, tags[2]);
    assert_true(w->lines[2].final);
    assert_int_equal(fake_seen(&w->fake, 2)->header.reason, SP_REASON_DONE);
    assert_true(fake_seen(&w->fake, 1)->header.last);
    assert_false(fake_seen(&w->fake, 0)->header.last);
}

static void the_newest_frame_wins_under_a_slow_broker(void **state)
{
    struct world *w = *state;
    begin(w, 1, 5000);
    w->fake.mode = FAKE_HOLD;
    offer(w, 1, false);
    live(w, false, 1, 50); /* frame 1 is on its way and stays there */
    for (int i = 2; i <= 5; i++)
        offer(w, i, i == 5);
    assert_int_equal(w->count, 3); /* 2, 3 and 4 had to go */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w->lines[i].seq, i + 2);
        assert_int_equal(w->lines[i].answer, SP_ANSWER_SUPERSEDED);
        assert_int_equal(w->lines[i].reason, SP_REASON_NEWER_FRAME);
        assert_ptr_equal(w->lines[i].tag, tags[i + 2]);
    }
    assert_true(w->fake.seen_count <= 1);
    w->fake.mode = FAKE_UNDECIDED;
    live(w, true, LINES_MAX, 3000);
    assert_true(sp_encounter_over(w->encounter));
    assert_int_equal(w->count, 6); /* 3 superseded, frames 1 and 5, the close */
    assert_int_equal(w->lines[3].seq, 1);
    assert_int_equal(w->lines[4].seq, 5);
    assert_int_equal(w->lines[5].kind, SP_MSG_CLOSE);
    assert_int_equal(w->lines[5].seq, 6);
    assert_int_equal(w->fake.frames, 2); /* what was superseded never left */
    assert_string_equal((const char *)fake_seen(&w->fake, 1)->image, "f5");
}

static void the_window_is_kept(void **state)
{
    struct world *w = *state;
    begin(w, 2, 5000);
    w->fake.mode = FAKE_HOLD;
    offer(w, 1, false);
    assert_true(sp_encounter_has_room(w->encounter));
    offer(w, 2, false);
    assert_false(sp_encounter_has_room(w->encounter));
    offer(w, 3, false);
    live(w, false, 1, 60);
    assert_int_equal(sp_client_waiting(w->client, "A1"), 2);
    assert_int_equal(w->count, 0);
}

static void a_spent_budget_is_closed_as_timeout(void **state)
{
    struct world *w = *state;
    begin(w, 1, 80);
    w->fake.mode = FAKE_HOLD;
    offer(w, 1, false);
    live(w, false, 1, 20);
    offer(w, 2, true); /* waits, and never gets out */
    uint64_t end = sp_clock_mono_ns() + 2000 * SP_NS_PER_MS;
    while (w->count < 2 && sp_clock_mono_ns() < end)
        live(w, false, 2, 20);
    assert_int_equal(w->lines[0].seq, 2);
    assert_int_equal(w->lines[0].answer, SP_CLIENT_UNANSWERED);
    assert_int_equal(w->lines[1].seq, 1);
    assert_int_equal(w->lines[1].answer, SP_CLIENT_UNANSWERED);
    w->fake.mode = FAKE_UNDECIDED;
    live(w, true, LINES_MAX, 3000);
    assert_int_equal(w->count, 3);
    assert_int_equal(w->lines[2].kind, SP_MSG_CLOSE);
    assert_int_equal(w->lines[2].seq, 3);
    assert_int_equal(w->lines[2].outcome, SP_OUTCOME_REFER);
    assert_int_equal(fake_seen(&w->fake, -1)->header.reason, SP_REASON_TIMEOUT);
}

static void who_may_not_speak_sends_no_close(void **state)
{
    struct world *w = *state;
    begin(w, 1, 2000);
    w->fake.mode = FAKE_NOT_YOUR_LANE;
    offer(w, 1, true);
    live(w, true, LINES_MAX, 3000);
    assert_true(sp_encounter_over(w->encounter));
    assert_false(sp_encounter_decided(w->encounter));
    assert_int_equal(w->count, 1);
    assert_int_equal(w->lines[0].answer, SP_ANSWER_ERROR);
    assert_int_equal(w->fake.closes, 0);
}

static void a_forged_answer_does_not_decide(void **state)
{
    struct world *w = *state;
    begin(w, 1, 2000);
    w->fake.mode = FORGE_SIGNATURE;
    offer(w, 1, true);
    live(w, true, LINES_MAX, 3000);
    assert_true(sp_encounter_over(w->encounter));
    assert_false(sp_encounter_decided(w->encounter));
    assert_int_equal(w->count, 2); /* the frame and the close, both refused */
    assert_int_equal(w->lines[0].answer, SP_CLIENT_REFUSED);
    assert_int_equal(w->lines[1].answer, SP_CLIENT_REFUSED);
    assert_int_equal(w->lines[1].kind, SP_MSG_CLOSE);
}

/* ---- cameras ---- */

static void write_file(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(sp_file_write(path, name, strlen(name), 0600, NULL), SP_OK);
}

static void folders_are_listed_in_order_and_bounded(void **state)
{
    (void)state;
    static const char *const names[] = {"b.JPG",     "a.jpeg",  "c.png", ".hidden.jpg",
                                        "notes.txt", "a10.jpg", "a9.jpg"};
    static const char *const expected[] = {"a.jpeg", "a10.jpg", "a9.jpg", "b.JPG", "c.png"};
    char folder[] = "/tmp/sp-source-XXXXXX", path[300];
    struct sp_source *source = NULL;
    struct sp_err err = {0};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(sp_source_new(&source, (char *[]){folder}, 1, 0, &err), SP_E_NOTFOUND);
    for (int i = 0; i < 7; i++)
        write_file(folder, names[i]);
    snprintf(path, sizeof path, "%s/notes.txt", folder); /* a file that is named is taken whatever it is called */
    assert_int_equal(sp_source_new(&source, (char *[]){folder, path}, 2, 0, &err), SP_OK);
    assert_int_equal(source->count, 2);
    assert_int_equal(source->cameras[0].count, 5);
    assert_int_equal(source->cameras[1].count, 1);
    assert_int_equal(source->image_count, 6);
    for (int i = 0; i < 5; i++)
        assert_string_equal(strrchr(source->cameras[0].paths[i], '/') + 1, expected[i]);
    sp_source_free(&source);
    assert_int_equal(sp_source_new(&source, (char *[]){folder}, 1, 2, &err), SP_OK);
    assert_int_equal(source->cameras[0].count, 2);
    sp_source_free(&source);
    assert_int_equal(sp_source_new(&source, (char *[]){folder, "/nonexistent/x.jpg"}, 2, 2, &err), SP_E_NOTFOUND);
    assert_non_null(strstr(err.text, "/nonexistent/x.jpg"));
    assert_int_equal(sp_source_new(&source, (char *[]){"/dev/null"}, 1, 0, &err), SP_E_UNSUPPORTED);
    for (int i = 0; i < 7; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_match_ends_it_without_a_close),           TEST(undecided_to_the_end_is_closed_and_gets_a_final),
        TEST(the_newest_frame_wins_under_a_slow_broker), TEST(the_window_is_kept),
        TEST(a_spent_budget_is_closed_as_timeout),       TEST(who_may_not_speak_sends_no_close),
        TEST(a_forged_answer_does_not_decide),           cmocka_unit_test(folders_are_listed_in_order_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
