/* The client library against a broker that can misbehave: what it believes, what it refuses and by which name, and
 * that every message gets one answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/client.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "fake_broker.h"

#define HEARTBEAT_MS 60
#define HEARD_MAX    64

struct heard {
    int count;
    struct {
        enum sp_message_type kind;
        uint32_t seq;
        int answer, reason, verdict, decisions;
        struct sp_decision decision;
        double score;
        char text[200];
    } list[HEARD_MAX];
};

struct world {
    struct fake_broker fake;
    struct sp_client *client;
    struct heard heard;
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    bool retry_busy;
};

static void on_answer(void *user, const struct sp_client_answer *a)
{
    struct heard *h = user;
    assert_true(h->count < HEARD_MAX);
    int i = h->count++;
    h->list[i].kind = a->kind;
    h->list[i].seq = a->seq;
    h->list[i].answer = a->answer;
    h->list[i].reason = a->reason;
    h->list[i].verdict = (int)a->verdict;
    h->list[i].decisions = a->decision_count;
    h->list[i].score = a->body && a->body->has_candidate ? a->body->score : -1;
    if (a->decision_count > 0)
        h->list[i].decision = a->decisions[0];
    snprintf(h->list[i].text, sizeof h->list[i].text, "%s", a->text);
    assert_true(a->answered_ns >= a->taken_ns);
}

static struct sp_client_config config_of(struct world *w)
{
    static const char *const lanes[] = {"A1"};
    struct sp_client_config c = {.address = w->fake.address,
                                 .self = w->fake.client,
                                 .agent = "test",
                                 .lanes = lanes,
                                 .lane_count = 1,
                                 .grace_ms = 60,
                                 .retry_busy = w->retry_busy,
                                 .on_answer = on_answer,
                                 .user = &w->heard};
    memcpy(c.broker_key, w->fake.curve.public_key, 32);
    memcpy(c.authority, w->fake.authority.public_key, 32);
    return c;
}

static void connect_client(struct world *w)
{
    struct sp_err err = {0};
    struct sp_client_config c = config_of(w);
    if (sp_client_new(&w->client, &c, &err) != SP_OK || sp_client_connect(w->client, 5000, &err) != SP_OK)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    fake_broker_start(&w->fake, 2, HEARTBEAT_MS);
    sp_uuid_new(w->encounter);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    sp_client_free(&w->client);
    fake_broker_stop(&w->fake);
    free(w);
    return 0;
}

static void send_frame(struct world *w, uint32_t seq, uint32_t budget_ms)
{
    struct sp_err err = {0};
    struct sp_client_frame f = {.lane = "A1",
                                .seq = seq,
                                .job_class = SP_CLASS_GATE,
                                .budget_ms = budget_ms,
                                .image = "an image of a face",
                                .image_length = 18,
                                .captured_ms = 1};
    memcpy(f.encounter, w->encounter, sizeof f.encounter);
    if (sp_client_frame(w->client, &f, &err) != SP_OK)
        fail_msg("%s", err.text);
}

/* Poll until `count` answers were heard or the time is over. */
static enum sp_status hear(struct world *w, int count, int timeout_ms)
{
    enum sp_status status = SP_OK;
    uint64_t end = sp_clock_mono_ns() + (uint64_t)timeout_ms * SP_NS_PER_MS;
    while (status == SP_OK && w->heard.count < count && sp_clock_mono_ns() < end)
        status = sp_client_poll(w->client, 20, NULL);
    return status;
}

static void a_decision_is_believed_when_everything_fits(void **state)
{
    struct world *w = *state;
    connect_client(w);
    assert_string_equal(sp_client_broker(w->client), "fake");
    assert_int_equal(sp_client_window(w->client), 2);
    send_frame(w, 1, 2000);
    assert_int_equal(sp_client_waiting(w->client, "A1"), 1);
    hear(w, 1, 3000);
    assert_int_equal(w->heard.count, 1);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_DECIDED);
    assert_int_equal(w->heard.list[0].decisions, 1);
    assert_int_equal(w->heard.list[0].decision.outcome, SP_OUTCOME_MATCH);
    assert_string_equal(w->heard.list[0].decision.manifest, "air-1");
    assert_true(w->heard.list[0].score == 0.75);
    assert_int_equal(sp_client_pending(w->client), 0);
    /* what the worker saw */
    const struct fake_seen *seen = fake_seen(&w->fake, 0);
    assert_true(seen->opened);
    assert_int_equal(seen->image_length, 18);
    assert_memory_equal(seen->image, "an image of a face", 18);
    assert_memory_equal(seen->header.sender, w->fake.client.public_key, 32);
    assert_in_range(seen->header.budget_ms, 1500, 2000);
    assert_true(seen->header.at_ms < 1500);
}

struct forgery {
    enum fake_mode mode;
    enum sp_verdict verdict;
};
static const struct forgery forgeries[] = {
    {FORGE_SIGNATURE, SP_VERDICT_BAD_SIGNATURE},
    {FORGE_LANE, SP_VERDICT_OTHER_LANE},
    {FORGE_ENCOUNTER, SP_VERDICT_OTHER_ENCOUNTER},
    {FORGE_SENDER, SP_VERDICT_OTHER_SENDER},
    {FORGE_SEQ, SP_VERDICT_UNKNOWN_SEQ},
    {FORGE_AUTHORITY, SP_VERDICT_BAD_CERTIFICATE},
    {FORGE_FLEET_CERT, SP_VERDICT_BAD_CERTIFICATE},
    {FORGE_OLD_CERT, SP_VERDICT_BAD_CERTIFICATE},
    {FORGE_NO_DECISION, SP_VERDICT_NO_DECISION},
    {FORGE_BODY, SP_VERDICT_MALFORMED},
    {FORGE_DECISION, SP_VERDICT_MALFORMED},
    {FORGE_KEY, SP_VERDICT_CANNOT_OPEN},
    {FORGE_REASON, SP_VERDICT_CANNOT_OPEN},
    {FORGE_NO_PAYLOAD, SP_VERDICT_MALFORMED},
    {FORGE_UNDECIDED, SP_VERDICT_MALFORMED},
    {FORGE_TWO_FACES, SP_VERDICT_MALFORMED},
};

static void forgeries_are_refused_by_name(void **state)
{
    struct world *w = *state;
    uint64_t expected[SP_VERDICT_COUNT] = {0};
    int count = (int)(sizeof forgeries / sizeof forgeries[0]);
    connect_client(w);
    for (int i = 0; i < count; i++) {
        w->fake.mode = (int)forgeries[i].mode;
        send_frame(w, (uint32_t)i + 1, 2000);
        hear(w, i + 1, 3000);
        assert_int_equal(w->heard.count, i + 1);
        if (w->heard.list[i].answer != SP_CLIENT_REFUSED || w->heard.list[i].verdict != (int)forgeries[i].verdict)
            fail_msg("forgery %d: %s %s (%s)", i, sp_client_answer_word(w->heard.list[i].answer),
                     sp_verdict_word(w->heard.list[i].verdict), w->heard.list[i].text);
        assert_int_equal(w->heard.list[i].decisions, 0);
        assert_true(w->heard.list[i].text[0]);
        expected[forgeries[i].verdict]++;
    }
    struct sp_client_counts counts = sp_client_counts(w->client);
    assert_memory_equal(counts.refused, expected, sizeof expected);
    w->fake.mode = FAKE_MATCH; /* and the client goes on */
    send_frame(w, 100, 2000);
    hear(w, count + 1, 3000);
    assert_int_equal(w->heard.list[count].answer, SP_ANSWER_DECIDED);
}

static void a_decision_that_comes_too_late_is_refused(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_HOLD;
    send_frame(w, 1, 3000);
    uint64_t end = sp_clock_mono_ns() + 30 * SP_NS_PER_MS;
    while (sp_clock_mono_ns() < end)
        sp_client_poll(w->client, 5, NULL);
    w->fake.mode = FORGE_AGE; /* may be acted on for 1 ms after the frame was sent: long ago */
    hear(w, 1, 3000);
    assert_int_equal(w->heard.list[0].answer, SP_CLIENT_REFUSED);
    assert_int_equal(w->heard.list[0].verdict, SP_VERDICT_EXPIRED);
}

static void the_second_answer_is_ignored(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_TWICE;
    send_frame(w, 1, 2000);
    hear(w, 1, 3000);
    w->fake.mode = FAKE_MATCH;
    send_frame(w, 2, 2000);
    hear(w, 2, 3000);
    assert_int_equal(w->heard.count, 2);
    assert_int_equal(sp_client_counts(w->client).unexpected, 1);
}

static void strange_messages_are_counted_and_ignored(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_STRANGE;
    send_frame(w, 1, 2000);
    hear(w, 1, 3000);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_DECIDED);
    assert_int_equal(sp_client_counts(w->client).unexpected, 2);
    assert_int_equal(sp_client_counts(w->client).malformed, 3);
}

static void a_silent_broker_is_left_and_frames_go_again(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_HOLD;
    send_frame(w, 1, 5000);
    uint64_t end = sp_clock_mono_ns() + 2000 * SP_NS_PER_MS;
    while (w->fake.pings == 0 && sp_clock_mono_ns() < end)
        sp_client_poll(w->client, 10, NULL);
    w->fake.mode = FAKE_SILENT;
    while (w->fake.hellos < 2 && sp_clock_mono_ns() < end)
        sp_client_poll(w->client, 10, NULL);
    assert_true(w->fake.hellos >= 2);
    w->fake.mode = FAKE_MATCH;
    hear(w, 1, 6000);
    assert_int_equal(w->heard.count, 1);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_DECIDED);
    struct sp_client_counts counts = sp_client_counts(w->client);
    assert_int_equal(counts.sessions, 2);
    assert_int_equal(counts.resent, 1);
}

static void an_answer_sealed_under_the_session_before_opens(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_FORGET; /* the first session key is seen here, and the session dies */
    send_frame(w, 1, 5000);
    uint64_t end = sp_clock_mono_ns() + 2000 * SP_NS_PER_MS;
    while (w->fake.frames == 0 && sp_clock_mono_ns() < end)
        sp_client_poll(w->client, 10, NULL);
    w->fake.mode = FAKE_OLD_KEY;
    hear(w, 1, 4000);
    assert_int_equal(w->heard.count, 1);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_DECIDED);
    assert_int_equal(sp_client_counts(w->client).sessions, 2);
    assert_int_equal(sp_client_counts(w->client).refusals, 1);
    /* the second sending was sealed for the second session */
    assert_true(fake_seen(&w->fake, -1)->opened);
}

static void busy_is_tried_again_within_the_budget(void **state)
{
    struct world *w = *state;
    w->retry_busy = true;
    connect_client(w);
    w->fake.mode = FAKE_BUSY;
    send_frame(w, 1, 3000);
    uint64_t end = sp_clock_mono_ns() + 2000 * SP_NS_PER_MS;
    while (w->fake.frames < 3 && sp_clock_mono_ns() < end)
        sp_client_poll(w->client, 10, NULL);
    w->fake.mode = FAKE_MATCH;
    hear(w, 1, 3000);
    assert_int_equal(w->heard.count, 1);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_DECIDED);
    assert_int_equal(sp_client_counts(w->client).retried, w->fake.frames - 1);
    for (int i = 0; i < w->fake.seen_count; i++) {
        assert_int_equal(fake_seen(&w->fake, i)->header.seq, 1);
        if (i > 0)
            assert_true(fake_seen(&w->fake, i)->header.budget_ms < fake_seen(&w->fake, i - 1)->header.budget_ms);
    }
    w->fake.mode = FAKE_BUSY; /* always: then busy is the answer, within the budget */
    send_frame(w, 2, 500);
    hear(w, 2, 3000);
    assert_int_equal(w->heard.list[1].answer, SP_ANSWER_BUSY);
    assert_int_equal(w->heard.list[1].reason, SP_REASON_QUEUE_FULL);
}

static void busy_is_reported_where_nobody_retries(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_BUSY;
    send_frame(w, 1, 2000);
    hear(w, 1, 3000);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_BUSY);
    assert_int_equal(w->fake.frames, 1);
}

static void a_desk_is_told_page_by_page(void **state)
{
    struct world *w = *state;
    struct sp_told *rows = NULL;
    struct sp_err err = {0};
    int count = 0;
    connect_client(w);
    assert_int_equal(sp_client_ask(w->client, SP_ASK_LANES, 3000, &rows, &count, &err), SP_OK);
    assert_int_equal(count, 3);
    assert_string_equal(rows[0].name, "A1");
    assert_string_equal(rows[2].peer, "cam-3");
    assert_true(rows[1].quiet_ms == 8);
    free(rows);
    rows = NULL;
    assert_int_equal(sp_client_ask(w->client, SP_ASK_WORKERS, 3000, &rows, &count, &err), SP_OK);
    assert_int_equal(count, 3);
    assert_string_equal(rows[2].backend, "cuda");
    assert_int_equal(rows[2].credit, 5);
    free(rows);
    assert_int_equal(sp_client_ask(w->client, "secrets", 3000, &rows, &count, &err), SP_E_INVALID);
    w->fake.mode = FAKE_NOT_YOUR_LANE;
    assert_int_equal(sp_client_ask(w->client, SP_ASK_LANES, 3000, &rows, &count, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "not_authorised"));
    w->fake.mode = FAKE_SILENT;
    assert_int_equal(sp_client_ask(w->client, SP_ASK_LANES, 200, &rows, &count, &err), SP_E_TIMEOUT);
}

static void no_answer_is_named_unanswered(void **state)
{
    struct world *w = *state;
    connect_client(w);
    w->fake.mode = FAKE_HOLD;
    uint64_t start = sp_clock_mono_ns();
    send_frame(w, 1, 100);
    hear(w, 1, 3000);
    uint64_t took_ms = (sp_clock_mono_ns() - start) / SP_NS_PER_MS;
    assert_int_equal(w->heard.list[0].answer, SP_CLIENT_UNANSWERED);
    assert_string_equal(sp_client_answer_word(w->heard.list[0].answer), "unanswered");
    assert_in_range(took_ms, 155, 1500);
    assert_int_equal(sp_client_counts(w->client).unanswered, 1);
    w->fake.mode = FAKE_MATCH; /* the late answer is nobody's */
    send_frame(w, 2, 2000);
    hear(w, 2, 3000);
    uint64_t end = sp_clock_mono_ns() + 2000 * SP_NS_PER_MS;
    while (sp_client_counts(w->client).unexpected == 0 && sp_clock_mono_ns() < end)
        sp_client_poll(w->client, 10, NULL);
    assert_int_equal(w->heard.count, 2);
    assert_int_equal(sp_client_counts(w->client).unexpected, 1);
}

static void a_key_outside_the_peer_table_is_told_so(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    struct sp_client_config c = config_of(w);
    sp_key_generate(&c.self, SP_KEY_CURVE, "stranger");
    assert_int_equal(sp_client_new(&w->client, &c, &err), SP_OK);
    uint64_t start = sp_clock_mono_ns();
    assert_int_equal(sp_client_connect(w->client, 10000, &err), SP_E_AUTH);
    assert_true(sp_clock_mono_ns() - start < 5000 * SP_NS_PER_MS);
    assert_non_null(strstr(err.text, "refuse"));
    assert_int_equal(w->fake.hellos, 0);
}

static void nobody_at_the_address_is_told_so(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    struct sp_client_config c = config_of(w);
    c.address = "tcp://127.0.0.1:1";
    assert_int_equal(sp_client_new(&w->client, &c, &err), SP_OK);
    assert_int_equal(sp_client_connect(w->client, 200, &err), SP_E_UNAVAILABLE);
    assert_non_null(strstr(err.text, "tcp://127.0.0.1:1"));
    sp_client_free(&w->client);
    c.address = "nonsense";
    assert_int_equal(sp_client_new(&w->client, &c, &err), SP_E_INVALID);
}

static void another_brokers_key_does_not_connect(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    struct sp_client_config c = config_of(w);
    c.broker_key[0] ^= 1;
    assert_int_equal(sp_client_new(&w->client, &c, &err), SP_OK);
    assert_int_equal(sp_client_connect(w->client, 300, &err), SP_E_UNAVAILABLE);
    assert_non_null(strstr(err.text, "broker.key"));
    assert_int_equal(w->fake.hellos, 0);
}

static void a_fleet_of_another_authority_gets_no_face(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    struct sp_client_config c = config_of(w);
    w->fake.bad_fleet_cert = 1;
    assert_int_equal(sp_client_new(&w->client, &c, &err), SP_OK);
    assert_int_equal(sp_client_connect(w->client, 5000, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "fleet certificate"));
    assert_int_equal(sp_client_poll(w->client, 10, &err), SP_E_AUTH); /* for good */
    assert_int_equal(w->fake.frames, 0);
}

static void a_refused_hello_names_the_reason(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    struct sp_client_config c = config_of(w);
    w->fake.refuse_hello = 1;
    assert_int_equal(sp_client_new(&w->client, &c, &err), SP_OK);
    assert_int_equal(sp_client_connect(w->client, 5000, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "not_your_lane"));
}

static void a_revoked_key_ends_the_client_and_answers_everything(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    connect_client(w);
    w->fake.mode = FAKE_REVOKE;
    send_frame(w, 1, 4000);
    send_frame(w, 2, 4000);
    assert_int_equal(hear(w, 3, 3000), SP_E_DENIED);
    assert_int_equal(w->heard.count, 2);
    assert_int_equal(w->heard.list[1].answer, SP_CLIENT_UNANSWERED);
    struct sp_client_close close = {.lane = "A1", .seq = 3, .job_class = 1, .budget_ms = 10, .reason = 40};
    assert_int_equal(sp_client_close(w->client, &close, &err), SP_E_DENIED);
}

static void who_was_replaced_does_not_push_back(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    connect_client(w);
    w->fake.mode = FAKE_REPLACE;
    send_frame(w, 1, 4000);
    assert_int_equal(hear(w, 2, 3000), SP_E_DENIED);
    assert_int_equal(w->heard.count, 1);
    assert_int_equal(w->heard.list[0].answer, SP_CLIENT_UNANSWERED);
    assert_int_equal(sp_client_poll(w->client, 300, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "another client"));
    assert_int_equal(w->fake.hellos, 1);
}

static void a_payload_over_the_brokers_limit_is_answered_here(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    w->fake.max_payload = 1000;
    connect_client(w);
    uint8_t *image = calloc(1, 2000);
    struct sp_client_frame f = {
        .lane = "A1", .seq = 1, .job_class = 1, .budget_ms = 1000, .image = image, .image_length = 2000};
    assert_int_equal(sp_client_frame(w->client, &f, &err), SP_OK);
    assert_int_equal(sp_client_frame(w->client, &f, &err), SP_E_EXISTS);
    hear(w, 1, 2000);
    assert_int_equal(w->heard.list[0].answer, SP_ANSWER_ERROR);
    assert_int_equal(w->heard.list[0].reason, SP_REASON_PAYLOAD_TOO_LARGE);
    assert_int_equal(w->fake.frames, 0);
    free(image);
}

static void an_idle_client_keeps_its_session(void **state)
{
    struct world *w = *state;
    connect_client(w);
    uint64_t end = sp_clock_mono_ns() + 8 * HEARTBEAT_MS * SP_NS_PER_MS;
    while (sp_clock_mono_ns() < end)
        assert_int_equal(sp_client_poll(w->client, 20, NULL), SP_OK);
    assert_in_range(w->fake.pings, 5, 40);
    assert_int_equal(sp_client_counts(w->client).sessions, 1);
    sp_client_free(&w->client);
    end = sp_clock_mono_ns() + 2000 * SP_NS_PER_MS;
    while (w->fake.byes == 0 && sp_clock_mono_ns() < end)
        ;
    assert_int_equal(w->fake.byes, 1);
}

static void the_table_is_bounded(void **state)
{
    struct world *w = *state;
    struct sp_err err = {0};
    connect_client(w);
    w->fake.mode = FAKE_HOLD;
    struct sp_client_frame f = {.lane = "A1", .job_class = 1, .budget_ms = 100, .image = "x", .image_length = 1};
    for (f.seq = 1; f.seq <= SP_CLIENT_PENDING_MAX; f.seq++)
        assert_int_equal(sp_client_frame(w->client, &f, &err), SP_OK);
    assert_int_equal(sp_client_frame(w->client, &f, &err), SP_E_LIMIT);
    f.lane = "no/lane";
    assert_int_equal(sp_client_frame(w->client, &f, &err), SP_E_INVALID);
    assert_int_equal(sp_client_pending(w->client), SP_CLIENT_PENDING_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_decision_is_believed_when_everything_fits),
        TEST(forgeries_are_refused_by_name),
        TEST(a_decision_that_comes_too_late_is_refused),
        TEST(the_second_answer_is_ignored),
        TEST(strange_messages_are_counted_and_ignored),
        TEST(a_silent_broker_is_left_and_frames_go_again),
        TEST(an_answer_sealed_under_the_session_before_opens),
        TEST(busy_is_tried_again_within_the_budget),
        TEST(busy_is_reported_where_nobody_retries),
        TEST(a_desk_is_told_page_by_page),
        TEST(no_answer_is_named_unanswered),
        TEST(a_key_outside_the_peer_table_is_told_so),
        TEST(nobody_at_the_address_is_told_so),
        TEST(another_brokers_key_does_not_connect),
        TEST(a_fleet_of_another_authority_gets_no_face),
        TEST(a_refused_hello_names_the_reason),
        TEST(a_revoked_key_ends_the_client_and_answers_everything),
        TEST(who_was_replaced_does_not_push_back),
        TEST(a_payload_over_the_brokers_limit_is_answered_here),
        TEST(an_idle_client_keeps_its_session),
        TEST(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
