/* Opening what clients send: session keys are unwrapped once, and nothing opens that was changed on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/wire.h"
#include "workers/answer.h"
#include "workers/intake.h"
#include "workers/queue.h"
#include "workers/want.h"

static struct sp_key_file fleet;
static struct sp_job_pool *pool;
static struct sp_sessions *sessions;

static struct sp_header frame_header(const uint8_t session_key[SP_KEY_BYTES])
{
    struct sp_header header = {.type = SP_MSG_FRAME, .seq = 3, .job_class = SP_CLASS_GATE, .budget_ms = 1000};
    snprintf(header.lane, sizeof header.lane, "gate-1");
    memset(header.sender, 1, sizeof header.sender);
    memset(header.encounter, 2, sizeof header.encounter);
    sp_seal_key_id(header.fleet_id, fleet.public_key);
    sp_seal_wrap(header.wrapped_key, session_key, fleet.public_key);
    return header;
}

/* A job with this header and this plaintext. */
static struct sp_job *job_of(const struct sp_header *header, int kind, const uint8_t *plain, size_t length,
                             const uint8_t session_key[SP_KEY_BYTES])
{
    uint8_t head[SP_HEADER_MAX_BYTES], payload[4096];
    size_t head_length;
    struct sp_err err = {0};
    struct sp_job *job = sp_job_take(pool);
    assert_non_null(job);
    if (sp_message_encode(head, &head_length, header, &err) != SP_OK)
        fail_msg("%s", err.text);
    sp_seal_payload_close(payload, plain, length, head, head_length, session_key, SP_TO_WORKER);
    assert_int_equal(sp_job_fill(job, head, head_length, payload, length + SP_PAYLOAD_OVERHEAD, NULL), SP_OK);
    job->kind = kind;
    return job;
}

static size_t frame_plain(uint8_t *ret_plain, const char *image)
{
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    assert_int_equal(sp_wire_writer_new(&writer, 2048, NULL), SP_OK);
    sp_wire_put_map(writer, 2);
    sp_wire_put_text(writer, "image"), sp_wire_put_bytes(writer, image, strlen(image));
    sp_wire_put_text(writer, "captured_ms"), sp_wire_put_int(writer, 1700000000000);
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_OK);
    memcpy(ret_plain, bytes, length);
    sp_wire_writer_free(&writer);
    return length;
}

static void test_session_keys_are_unwrapped_once(void **state)
{
    (void)state;
    struct sp_sessions *few = NULL;
    uint8_t kid[SP_KEY_ID_BYTES], wrapped[40][SP_WRAPPED_KEY_BYTES], keys[40][SP_KEY_BYTES], got[SP_KEY_BYTES];
    sp_seal_key_id(kid, fleet.public_key);
    for (int i = 0; i < 40; i++) {
        sp_seal_random(keys[i], sizeof keys[i]);
        sp_seal_wrap(wrapped[i], keys[i], fleet.public_key);
    }
    assert_int_equal(sp_sessions_new(&few, &fleet, 8, NULL), SP_OK);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 5; i++) {
            assert_int_equal(sp_sessions_find(few, kid, wrapped[i], got, NULL), SP_OK);
            assert_memory_equal(got, keys[i], sizeof got);
        }
    assert_int_equal(sp_sessions_unwrapped(few), 5);
    for (int i = 5; i < 40; i++) { /* more than fit: the first one is kept alive by its use */
        assert_int_equal(sp_sessions_find(few, kid, wrapped[i], got, NULL), SP_OK);
        assert_memory_equal(got, keys[i], sizeof got);
        assert_int_equal(sp_sessions_find(few, kid, wrapped[0], got, NULL), SP_OK);
    }
    assert_int_equal(sp_sessions_unwrapped(few), 40);
    assert_int_equal(sp_sessions_find(few, kid, wrapped[1], got, NULL), SP_OK);
    assert_int_equal(sp_sessions_unwrapped(few), 41); /* forgotten meanwhile */
    kid[0] ^= 1;
    assert_int_equal(sp_sessions_find(few, kid, wrapped[0], got, NULL), SP_E_AUTH);
    kid[0] ^= 1;
    wrapped[0][79] ^= 1;
    assert_int_equal(sp_sessions_find(few, kid, wrapped[0], got, NULL), SP_E_AUTH);
    sp_sessions_free(&few);
}

static void test_frame_opens(void **state)
{
    (void)state;
    uint8_t key[SP_KEY_BYTES], plain[2048];
    struct sp_err err = {0};
    int reason;
    sp_seal_random(key, sizeof key);
    struct sp_header header = frame_header(key);
    size_t length = frame_plain(plain, "JPEG");
    struct sp_job *job = job_of(&header, SP_MSG_FRAME, plain, length, key);
    if (sp_intake_open(job, sessions, &reason, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(job->encoded_length, 4);
    assert_memory_equal(job->encoded, "JPEG", 4);
    assert_string_equal(job->header.lane, "gate-1");
    assert_memory_equal(job->session_key, key, sizeof key);
    /* and what is answered opens with the client's side of the session */
    uint8_t ad[SP_ANSWER_AD_BYTES], opened[64];
    size_t opened_length;
    assert_int_equal(sp_answer_body(job, SP_ANSWER_UNDECIDED, SP_REASON_NO_FACE, (const uint8_t *)"body", 4, NULL),
                     SP_OK);
    sp_message_answer_ad(ad, header.encounter, header.seq, SP_ANSWER_UNDECIDED, SP_REASON_NO_FACE);
    assert_int_equal(sp_seal_payload_open(opened, &opened_length, job->sealed, job->sealed_length, ad, sizeof ad,
                                          key, SP_TO_CLIENT, NULL),
                     SP_OK);
    assert_memory_equal(opened, "body", 4);
    sp_job_give(pool, job);
    assert_int_equal(sp_job_pool_out(pool), 0);
}

/* What must be refused, each with its reason. */
static void test_refusals(void **state)
{
    (void)state;
    enum {
        CHANGED_HEADER,
        CHANGED_PAYLOAD,
        SHORT_PAYLOAD,
        OTHER_KIND,
        NOT_A_MAP,
        NO_IMAGE,
        EMPTY_IMAGE,
        BAD_HEADER,
        OTHER_FLEET,
        OTHER_VERSION,
        CASES
    };
    static const int reasons[CASES] = {SP_REASON_CANNOT_OPEN, SP_REASON_CANNOT_OPEN, SP_REASON_CANNOT_OPEN,
                                       SP_REASON_BAD_MESSAGE, SP_REASON_BAD_MESSAGE, SP_REASON_BAD_MESSAGE,
                                       SP_REASON_BAD_MESSAGE, SP_REASON_BAD_MESSAGE, SP_REASON_CANNOT_OPEN,
                                       SP_REASON_BAD_VERSION};
    for (int what = 0; what < CASES; what++) {
        uint8_t key[SP_KEY_BYTES], plain[2048];
        struct sp_err err = {0};
        int reason = -1;
        sp_seal_random(key, sizeof key);
        struct sp_header header = frame_header(key);
        size_t length = frame_plain(plain, what == EMPTY_IMAGE ? "" : "JPEG");
        if (what == OTHER_FLEET)
            header.fleet_id[3] ^= 1;
        if (what == NOT_A_MAP)
            plain[0] = 0xc0, length = 1;
        if (what == NO_IMAGE)
            plain[0] = 0x80, length = 1;
        struct sp_job *job = job_of(&header, what == OTHER_KIND ? SP_MSG_CLOSE : SP_MSG_FRAME, plain, length, key);
        if (what == CHANGED_HEADER || what == OTHER_VERSION) {
            uint8_t *byte = memmem(job->head, job->head_length, what == CHANGED_HEADER ? "gate-1" : "\xa1v", 2);
            assert_non_null(byte);
            byte[what == CHANGED_HEADER ? 5 : 2] = what == CHANGED_HEADER ? '2' : 9;
        }
        if (what == CHANGED_PAYLOAD)
            job->payload[job->payload_length - 1] ^= 1;
        if (what == SHORT_PAYLOAD)
            job->payload_length = 20;
        if (what == BAD_HEADER)
            job->head[0] = 0xc1;
        if (sp_intake_open(job, sessions, &reason, &err) == SP_OK || reason != reasons[what] || !err.text[0])
            fail_msg("case %d: %s, '%s'", what, sp_reason_word(reason), err.text);
        sp_job_give(pool, job);
    }
}

static void test_pool_is_bounded_and_wiped(void **state)
{
    (void)state;
    struct sp_job *jobs[3];
    for (int i = 0; i < 3; i++) {
        assert_non_null(jobs[i] = sp_job_take(pool));
        assert_int_equal(jobs[i]->number, 0);
        jobs[i]->number = 77;
        jobs[i]->faces->count = 5;
        jobs[i]->faces->faces[0].vector[9] = 1;
    }
    assert_null(sp_job_take(pool));
    sp_job_give(pool, jobs[1]);
    struct sp_job *again = sp_job_take(pool);
    assert_ptr_equal(again, jobs[1]);
    assert_int_equal(again->number, 0);
    assert_int_equal(again->faces->count, 0);
    assert_true(again->faces->faces[0].vector[9] == 0);
    jobs[1] = again;
    for (int i = 0; i < 3; i++)
        sp_job_give(pool, jobs[i]);
}

static void test_queue_orders_and_bounds(void **state)
{
    (void)state;
    struct sp_queue *queue = NULL;
    struct sp_job jobs[4] = {{.deadline_ns = 40}, {.deadline_ns = 30}, {.deadline_ns = 10}, {.deadline_ns = 20}};
    void *got[4];
    jobs[0].header.job_class = jobs[1].header.job_class = SP_CLASS_GATE;
    jobs[2].header.job_class = jobs[3].header.job_class = SP_CLASS_BULK;
    assert_int_equal(
        sp_queue_new(&queue, &(struct sp_queue_config){.capacity = 4, .with_fd = true, .before = sp_job_before},
                     NULL),
        SP_OK);
    for (int i = 3; i >= 0; i--)
        assert_true(sp_queue_push(queue, &jobs[i]));
    assert_false(sp_queue_push(queue, &jobs[0])); /* full */
    assert_int_equal(sp_queue_take(queue, got, 4, 0, NULL), 4);
    static const int order[] = {1, 0, 2, 3}; /* the class, then the budget that ends first */
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(got[i], &jobs[order[i]]);
    assert_int_equal(sp_queue_take(queue, got, 4, 1000, NULL), 0);
    assert_true(sp_queue_push(queue, &jobs[2]));
    sp_queue_close(queue);
    assert_false(sp_queue_push(queue, &jobs[3]));
    assert_int_equal(sp_queue_take(queue, got, 4, -1, NULL), 1);
    assert_int_equal(sp_queue_take(queue, got, 4, -1, NULL), -1);
    sp_queue_free(&queue);
}

static bool same_class(const void *first, const void *next)
{
    return ((const struct sp_job *)first)->header.job_class == ((const struct sp_job *)next)->header.job_class;
}

/* What does not go together stays in its place, and nobody waits for it. */
static void test_queue_joins(void **state)
{
    (void)state;
    struct sp_queue *queue = NULL;
    struct sp_job jobs[4] = {{.deadline_ns = 1}, {.deadline_ns = 2}, {.deadline_ns = 3}, {.deadline_ns = 4}};
    void *got[4];
    jobs[1].header.job_class = SP_CLASS_BULK;
    assert_int_equal(sp_queue_new(&queue, &(struct sp_queue_config){.capacity = 4}, NULL), SP_OK);
    assert_int_equal(sp_queue_join(queue, &jobs[0], got, 4, 0, same_class), 0);
    assert_int_equal(sp_queue_join(queue, &jobs[0], got, 4, 1000, same_class), 0);
    for (int i = 0; i < 4; i++)
        assert_true(sp_queue_push(queue, &jobs[i]));
    assert_int_equal(sp_queue_join(queue, &jobs[0], got, 2, 0, same_class), 2);
    assert_ptr_equal(got[0], &jobs[0]);
    assert_ptr_equal(got[1], &jobs[2]);
    assert_int_equal(sp_queue_join(queue, &jobs[0], got, 4, 100000000, same_class), 1);
    assert_ptr_equal(got[0], &jobs[3]);
    assert_int_equal(sp_queue_join(queue, &jobs[0], got, 4, 100000000, same_class), 0); /* the other's is there */
    sp_queue_close(queue);
    assert_int_equal(sp_queue_take(queue, got, 4, -1, NULL), 1);
    assert_ptr_equal(got[0], &jobs[1]);
    assert_int_equal(sp_queue_join(queue, &jobs[0], got, 4, 100000000, same_class), 0);
    sp_queue_free(&queue);
}

static void test_wants_are_not_repeated(void **state)
{
    (void)state;
    struct sp_wants *wants = NULL;
    struct sp_want want = {.manifest = "air-one"}, got;
    int added = 0, taken = 0;
    assert_int_equal(sp_wants_new(&wants, 60000, NULL), SP_OK);
    for (int i = 0; i < 200; i++) {
        memset(want.portrait, i % 50 + 1, sizeof want.portrait);
        added += sp_wants_add(wants, &want);
    }
    while (sp_wants_take(wants, &got))
        taken++;
    assert_int_equal(added, 50);
    assert_int_equal(taken, 50);
    sp_wants_free(&wants);
}

static int start(void **state)
{
    (void)state;
    assert_int_equal(sp_seal_start(NULL), SP_OK);
    sp_key_generate(&fleet, SP_KEY_BOX, "fleet");
    assert_int_equal(sp_job_pool_new(&pool, 3, NULL), SP_OK);
    return sp_sessions_new(&sessions, &fleet, 64, NULL) == SP_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    sp_job_pool_free(&pool);
    sp_sessions_free(&sessions);
    return 0;
}

/* A review names manifest and version; a job of another kind is not taken for one. */
static void test_review(void **state)
{
    uint8_t key[SP_KEY_BYTES];
    struct sp_wire_writer *writer = NULL;
    const uint8_t *plain;
    size_t length;
    int reason;
    (void)state;
    sp_seal_random(key, sizeof key);
    struct sp_header header = frame_header(key);
    header.type = SP_MSG_REVIEW;
    header.seq = 1;
    header.job_class = SP_CLASS_BULK;
    assert_int_equal(sp_wire_writer_new(&writer, 256, NULL), SP_OK);
    sp_wire_put_map(writer, 2);
    sp_wire_put_text(writer, "manifest"), sp_wire_put_text(writer, "air-one");
    sp_wire_put_text(writer, "version"), sp_wire_put_uint(writer, 12);
    assert_int_equal(sp_wire_finish(writer, &plain, &length, NULL), SP_OK);
    struct sp_job *job = job_of(&header, SP_MSG_REVIEW, plain, length, key);
    assert_int_equal(sp_intake_open(job, sessions, &reason, NULL), SP_OK);
    assert_string_equal(job->manifest, "air-one");
    assert_int_equal(job->version, 12);
    sp_job_give(pool, job);
    job = job_of(&header, SP_MSG_ENROL, plain, length, key);
    assert_int_not_equal(sp_intake_open(job, sessions, &reason, NULL), SP_OK);
    assert_int_equal(reason, SP_REASON_BAD_MESSAGE);
    sp_job_give(pool, job);
    job = job_of(&header, SP_MSG_REVIEW, plain, length - 1, key);
    assert_int_not_equal(sp_intake_open(job, sessions, &reason, NULL), SP_OK);
    assert_int_equal(reason, SP_REASON_BAD_MESSAGE);
    sp_job_give(pool, job);
    sp_wire_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_review),
        cmocka_unit_test(test_session_keys_are_unwrapped_once),
        cmocka_unit_test(test_frame_opens),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_pool_is_bounded_and_wiped),
        cmocka_unit_test(test_queue_orders_and_bounds),
        cmocka_unit_test(test_queue_joins),
        cmocka_unit_test(test_wants_are_not_repeated),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
