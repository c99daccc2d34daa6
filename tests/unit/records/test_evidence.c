/* Evidence: what goes in comes out, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/reason.h"
#include "records/evidence.h"

/* The largest evidence there is. */
static struct sp_evidence full(void)
{
    struct sp_evidence e = {.lane = "A1",
                            .frames = 70,
                            .comparable = 12,
                            .best_quality = 81,
                            .best_reason = SP_REASON_NOT_ON_MANIFEST,
                            .has_candidate = true,
                            .score = 0.41,
                            .margin = 0.03,
                            .threshold = 0.48,
                            .assignment = 1ull << 60};
    memset(e.sender, 7, sizeof e.sender);
    memset(e.candidate, 9, sizeof e.candidate);
    memset(e.pack, 11, sizeof e.pack);
    e.gallery_count = SP_DECISION_MAX_GALLERIES;
    for (int i = 0; i < e.gallery_count; i++) {
        memset(e.galleries[i].manifest, 'm', SP_MANIFEST_ID_MAX - 1);
        e.galleries[i].version = UINT64_MAX;
    }
    e.answer_count = SP_EVIDENCE_MAX_ANSWERS;
    for (int i = 0; i < e.answer_count; i++)
        e.answers[i] =
            (struct sp_evidence_answer){UINT32_MAX - (uint32_t)i, SP_ANSWER_UNDECIDED, SP_REASON_BLURRED};
    return e;
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[SP_EVIDENCE_MAX_BYTES];
    size_t length = 0;
    struct sp_evidence in = full(), out;
    assert_int_equal(sp_evidence_encode(bytes, &length, &in, NULL), SP_OK);
    assert_int_equal(sp_evidence_decode(&out, bytes, length, NULL), SP_OK);
    assert_memory_equal(&in, &out, sizeof in);
    assert_ptr_equal(sp_evidence_find(&out, UINT32_MAX - 5), &out.answers[5]);
    assert_null(sp_evidence_find(&out, 1));
}

static void test_no_second_row(void **state)
{
    (void)state;
    uint8_t bytes[SP_EVIDENCE_MAX_BYTES];
    size_t length = 0;
    struct sp_evidence in = {.lane = "A1", .margin = NAN}, out;
    assert_int_equal(sp_evidence_encode(bytes, &length, &in, NULL), SP_OK);
    assert_int_equal(sp_evidence_decode(&out, bytes, length, NULL), SP_OK);
    assert_true(isnan(out.margin));
    assert_false(out.has_candidate);
}

static void test_refuses(void **state)
{
    (void)state;
    uint8_t bytes[SP_EVIDENCE_MAX_BYTES];
    size_t length = 0;
    struct sp_err err = {0};
    struct sp_evidence bad = full(), out;
    bad.answer_count = SP_EVIDENCE_MAX_ANSWERS + 1;
    assert_int_equal(sp_evidence_encode(bytes, &length, &bad, &err), SP_E_LIMIT);
    bad = full();
    bad.comparable = bad.frames + 1;
    assert_int_equal(sp_evidence_encode(bytes, &length, &bad, &err), SP_E_INVALID);
    bad = full();
    assert_int_equal(sp_evidence_encode(bytes, &length, &bad, NULL), SP_OK);
    for (size_t cut = 0; cut < length; cut++) /* every prefix */
        assert_int_not_equal(sp_evidence_decode(&out, bytes, cut, &err), SP_OK);
    for (size_t at = 0; at < length; at++) { /* every byte changed: refused or decoded, never worse */
        bytes[at] ^= 0x81;
        (void)sp_evidence_decode(&out, bytes, length, &err);
        bytes[at] ^= 0x81;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_second_row),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
