/* Decisions and answer bodies: what is written is read again, and what is not right is named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/decision.h"
#include "common/wire.h"

static struct sp_decision sample(void)
{
    struct sp_decision d = {.lane = "A1", .face = 0, .seq = 3, .outcome = SP_OUTCOME_MATCH, .reason = SP_REASON_NONE,
                            .has_traveller = true, .manifest = "air-zx-417", .issued_ms = 1790000000123,
                            .expires_ms = 1790000030123, .assignment = 7, .gallery_count = 2, .threshold = 0.4375,
                            .policy = "none"};
    memset(d.encounter, 0xe1, sizeof d.encounter);
    memset(d.sender, 0x5e, sizeof d.sender);
    memset(d.traveller, 0x7a, sizeof d.traveller);
    memset(d.pack, 0x9c, sizeof d.pack);
    d.galleries[0] = (struct sp_decision_gallery){"air-zx-417", 12};
    d.galleries[1] = (struct sp_decision_gallery){"sea-excr-1", UINT64_MAX};
    return d;
}

static size_t encode(const struct sp_decision *d, uint8_t bytes[SP_DECISION_MAX_BYTES])
{
    struct sp_err err = {0};
    size_t length = 0;
    if (sp_decision_encode(bytes, &length, d, &err) != SP_OK)
        fail_msg("%s", err.text);
    return length;
}

static void round_trip_keeps_every_field(void **state)
{
    (void)state;
    uint8_t bytes[SP_DECISION_MAX_BYTES];
    struct sp_decision d = sample(), back;
    size_t length = encode(&d, bytes);
    assert_int_equal(sp_decision_decode(&back, bytes, length, NULL), SP_OK);
    assert_memory_equal(&back, &d, sizeof d);
    d.outcome = SP_OUTCOME_REFER;
    d.reason = SP_REASON_LOOK_ALIKE;
    d.has_traveller = false;
    memset(d.traveller, 0, sizeof d.traveller);
    memset(d.manifest, 0, sizeof d.manifest);
    d.gallery_count = 0;
    memset(d.galleries, 0, sizeof d.galleries);
    length = encode(&d, bytes);
    assert_int_equal(sp_decision_decode(&back, bytes, length, NULL), SP_OK);
    assert_memory_equal(&back, &d, sizeof d);
}

static void the_largest_decision_fits(void **state)
{
    (void)state;
    uint8_t bytes[SP_DECISION_MAX_BYTES];
    struct sp_decision d = sample(), back;
    d.gallery_count = SP_DECISION_MAX_GALLERIES;
    for (int i = 0; i < d.gallery_count; i++) {
        memset(d.galleries[i].manifest, 'm', SP_MANIFEST_ID_MAX - 1);
        d.galleries[i].version = UINT64_MAX;
    }
    memset(d.manifest, 'm', sizeof d.manifest - 1);
    memset(d.lane, 'l', sizeof d.lane - 1);
    memset(d.policy, 'p', sizeof d.policy - 1);
    d.face = d.seq = UINT32_MAX;
    size_t length = encode(&d, bytes);
    assert_int_equal(sp_decision_decode(&back, bytes, length, NULL), SP_OK);
    assert_memory_equal(&back, &d, sizeof d);
}

static void encode_refuses(const struct sp_decision *d, const char *word)
{
    uint8_t bytes[SP_DECISION_MAX_BYTES];
    size_t length = 12345;
    struct sp_err err = {0};
    assert_int_equal(sp_decision_encode(bytes, &length, d, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, word));
    assert_int_equal(length, 12345);
}

static void nothing_unactionable_is_signed(void **state)
{
    (void)state;
    struct sp_decision d;
#define BREAK(change, word) d = sample(), change, encode_refuses(&d, word)
    BREAK(d.lane[0] = 0, "lane");
    BREAK(d.lane[0] = '/', "lane");
    BREAK(d.seq = 0, "seq");
    BREAK(d.outcome = 0, "outcome");
    BREAK(d.outcome = 4, "outcome");
    BREAK(d.reason = -1, "reason");
    BREAK(d.reason = 65536, "reason");
    BREAK(d.has_traveller = false, "traveller");
    BREAK(d.outcome = SP_OUTCOME_NO_MATCH, "traveller");
    BREAK(d.manifest[0] = 0, "manifest");
    BREAK(d.expires_ms = d.issued_ms, "expires_ms");
    BREAK(d.expires_ms = d.issued_ms + 86400001, "expires_ms");
    BREAK(d.issued_ms = -1, "expires_ms");
    BREAK(d.gallery_count = SP_DECISION_MAX_GALLERIES + 1, "galleries");
    BREAK(d.galleries[1].manifest[0] = 0, "galleries");
    BREAK(d.threshold = NAN, "threshold");
    BREAK(d.policy[0] = 0, "policy");
#undef BREAK
}

/* Whatever one changed byte makes of a decision, it is refused or is another valid one; it never reads as the same. */
static void no_changed_byte_reads_the_same(void **state)
{
    (void)state;
    uint8_t bytes[SP_DECISION_MAX_BYTES], again[SP_DECISION_MAX_BYTES];
    struct sp_decision d = sample(), back;
    size_t length = encode(&d, bytes), refused = 0, tried = 0;
    for (size_t i = 0; i < length; i++)
        for (int bit = 0; bit < 8; bit++, tried++) {
            bytes[i] ^= (uint8_t)(1u << bit);
            if (sp_decision_decode(&back, bytes, length, NULL) != SP_OK)
                refused++;
            else if (memcmp(&back, &d, sizeof d) == 0)
                fail_msg("byte %zu bit %d makes no difference", i, bit);
            else
                (void)encode(&back, again); /* what is read could have been written */
            bytes[i] ^= (uint8_t)(1u << bit);
        }
    assert_true(refused > tried / 3);
}

static void cut_off_and_longer_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[SP_DECISION_MAX_BYTES + 1];
    struct sp_decision d = sample(), back = {.seq = 99};
    size_t length = encode(&d, bytes);
    for (size_t i = 0; i < length; i++)
        assert_int_not_equal(sp_decision_decode(&back, bytes, i, NULL), SP_OK);
    bytes[length] = 0xc0;
    assert_int_not_equal(sp_decision_decode(&back, bytes, length + 1, NULL), SP_OK);
    assert_int_equal(back.seq, 99); /* results only on success */
}

/* A map with one key changed, made with the writer. */
static enum sp_status decode_with(const char *key, int version, struct sp_err *err)
{
    struct sp_wire_writer *w = NULL;
    const uint8_t *bytes;
    size_t length;
    struct sp_decision back;
    assert_int_equal(sp_wire_writer_new(&w, 4096, NULL), SP_OK);
    sp_wire_put_map(w, 1);
    sp_wire_put_text(w, key), sp_wire_put_int(w, version);
    assert_int_equal(sp_wire_finish(w, &bytes, &length, NULL), SP_OK);
    enum sp_status status = sp_decision_decode(&back, bytes, length, err);
    sp_wire_writer_free(&w);
    return status;
}

static void errors_name_what_is_wrong(void **state)
{
    (void)state;
    struct sp_err err = {0};
    struct sp_decision back;
    assert_int_equal(decode_with("v", 2, &err), SP_E_VERSION);
    assert_non_null(strstr(err.text, "version 2"));
    assert_int_equal(decode_with("v", 1, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "lane"));
    assert_int_equal(decode_with("w", 1, &err), SP_E_FORMAT);
    assert_int_equal(sp_decision_decode(&back, "\x93\x01\x02\x03", 4, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "not a map"));
}

static struct sp_answer_body *sample_body(void)
{
    struct sp_answer_body *b = calloc(1, sizeof *b);
    assert_non_null(b);
    struct sp_decision d = sample();
    b->decision_count = 2;
    for (int i = 0; i < 2; i++) {
        d.face = (uint32_t)i + 1;
        b->decisions[i].length = encode(&d, b->decisions[i].bytes);
        memset(b->decisions[i].signature, 0x51 + i, SP_SIGNATURE_BYTES);
    }
    memset(b->cert, 0xce, b->cert_length = 200);
    for (int i = 0; i < SP_TIMING_COUNT; i++)
        b->timings_us[i] = (uint32_t)(1000 * i + 1);
    b->faces = 2;
    b->quality = 87;
    b->has_candidate = true;
    memset(b->candidate, 0x33, sizeof b->candidate);
    b->score = 0.625;
    b->margin = 0.25;
    return b;
}

static void body_round_trip(struct sp_answer_body *b)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_err err = {0};
    struct sp_answer_body *back = calloc(1, sizeof *back);
    assert_non_null(back);
    if (sp_answer_body_encode(&bytes, &length, b, &err) != SP_OK)
        fail_msg("%s", err.text);
    if (sp_answer_body_decode(back, bytes, length, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(back->decision_count, b->decision_count);
    for (int i = 0; i < b->decision_count; i++) {
        assert_int_equal(back->decisions[i].length, b->decisions[i].length);
        assert_memory_equal(back->decisions[i].bytes, b->decisions[i].bytes, b->decisions[i].length);
        assert_memory_equal(back->decisions[i].signature, b->decisions[i].signature, SP_SIGNATURE_BYTES);
    }
    assert_int_equal(back->cert_length, b->cert_length);
    assert_memory_equal(back->cert, b->cert, b->cert_length);
    assert_memory_equal(back->timings_us, b->timings_us, sizeof b->timings_us);
    assert_int_equal(back->faces, b->faces);
    assert_int_equal(back->quality, b->quality);
    assert_int_equal(back->has_candidate, b->has_candidate);
    assert_memory_equal(back->candidate, b->candidate, sizeof b->candidate);
    assert_true(back->score == b->score);
    assert_true(back->margin == b->margin || (isnan(back->margin) && (isnan(b->margin) || !b->has_candidate)));
    assert_int_equal(back->has_enrolled, b->has_enrolled);
    assert_memory_equal(back->enrolled.template_id, b->enrolled.template_id, 16);
    assert_int_equal(back->enrolled.has_template, b->enrolled.has_template);
    assert_int_equal(back->enrolled.reason, b->enrolled.reason);
    assert_int_equal(back->enrolled.quality, b->enrolled.quality);
    assert_true(back->enrolled.eye_px == b->enrolled.eye_px);
    assert_int_equal(back->has_review, b->has_review);
    assert_int_equal(back->review.version, b->review.version);
    assert_int_equal(back->review.people, b->review.people);
    assert_int_equal(back->review.usable, b->review.usable);
    assert_int_equal(back->review.missing, b->review.missing);
    assert_int_equal(back->review.count, b->review.count);
    assert_int_equal(back->review.pair_count, b->review.pair_count);
    assert_true(back->review.threshold == b->review.threshold && back->review.margin == b->review.margin);
    for (int i = 0; i < b->review.pair_count; i++) {
        assert_memory_equal(back->review.pairs[i].a, b->review.pairs[i].a, 16);
        assert_memory_equal(back->review.pairs[i].b, b->review.pairs[i].b, 16);
        assert_true(back->review.pairs[i].score == b->review.pairs[i].score);
    }
    for (size_t i = 0; i < length; i++) /* every cut is noticed */
        assert_int_not_equal(sp_answer_body_decode(back, bytes, i, NULL), SP_OK);
    free(bytes);
    free(back);
}

static void bodies_survive_the_round_trip(void **state)
{
    (void)state;
    struct sp_answer_body *b = sample_body();
    body_round_trip(b);
    b->margin = NAN; /* a gallery of one row has no second best */
    body_round_trip(b);
    memset(b, 0, sizeof *b);
    b->faces = b->quality = -1;
    body_round_trip(b);
    b->has_enrolled = true;
    b->enrolled = (struct sp_enrolled){.has_template = true, .template_id = {1, 2, 3}, .quality = 55, .eye_px = 71.5};
    body_round_trip(b);
    b->enrolled = (struct sp_enrolled){.reason = SP_REASON_BAD_PORTRAIT, .quality = -1};
    body_round_trip(b);
    memset(b, 0, sizeof *b);
    b->faces = b->quality = -1;
    b->has_review = true; /* the longest list of pairs, and more that are only counted */
    b->review = (struct sp_review){.version = 1ull << 40,
                                   .people = 5000,
                                   .usable = 4990,
                                   .missing = 3,
                                   .threshold = 0.5,
                                   .margin = 0.02,
                                   .pair_count = SP_REVIEW_MAX_PAIRS,
                                   .count = 1000};
    for (int i = 0; i < SP_REVIEW_MAX_PAIRS; i++) {
        memset(b->review.pairs[i].a, i, 16);
        memset(b->review.pairs[i].b, i + 1, 16);
        b->review.pairs[i].score = 1.0 / (i + 1);
    }
    body_round_trip(b);
    b->review.pair_count = 0;
    body_round_trip(b);
    uint8_t *bytes = NULL;
    size_t length = 0;
    b->review.usable = 5001; /* more than there are */
    assert_int_equal(sp_answer_body_encode(&bytes, &length, b, NULL), SP_E_INVALID);
    b->review.usable = 10;
    b->review.count = -1;
    assert_int_equal(sp_answer_body_encode(&bytes, &length, b, NULL), SP_E_INVALID);
    free(b);
}

static void the_largest_body_fits(void **state)
{
    (void)state;
    struct sp_answer_body *b = sample_body();
    b->decision_count = SP_ANSWER_MAX_DECISIONS;
    for (int i = 0; i < b->decision_count; i++)
        memset(b->decisions[i].bytes, i, b->decisions[i].length = SP_DECISION_MAX_BYTES);
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_answer_body_encode(&bytes, &length, b, NULL), SP_OK);
    assert_int_equal(sp_answer_body_decode(b, bytes, length, NULL), SP_OK);
    free(bytes);
    free(b);
}

static void bad_bodies_are_named(void **state)
{
    (void)state;
    struct sp_err err = {0};
    uint8_t *bytes = NULL;
    size_t length;
    struct sp_answer_body *b = sample_body();
    b->cert_length = 0;
    assert_int_equal(sp_answer_body_encode(&bytes, &length, b, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "cert"));
    b->cert_length = 200;
    b->score = INFINITY;
    assert_int_equal(sp_answer_body_encode(&bytes, &length, b, &err), SP_E_INVALID);
    b->score = 0;
    b->decision_count = SP_ANSWER_MAX_DECISIONS + 1;
    assert_int_equal(sp_answer_body_encode(&bytes, &length, b, &err), SP_E_INVALID);
    assert_int_equal(sp_answer_body_decode(b, "\x80", 1, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "decisions"));
    assert_int_equal(sp_answer_body_decode(b, "\xc0", 1, &err), SP_E_FORMAT);
    assert_null(bytes);
    free(b);
}

static void words_are_known(void **state)
{
    (void)state;
    assert_string_equal(sp_outcome_word(SP_OUTCOME_MATCH), "match");
    assert_string_equal(sp_outcome_word(SP_OUTCOME_NO_MATCH), "no_match");
    assert_string_equal(sp_outcome_word(SP_OUTCOME_REFER), "refer");
    assert_string_equal(sp_outcome_word(0), "unknown");
    assert_string_equal(sp_outcome_word(4), "unknown");
    assert_string_equal(sp_timing_word(SP_TIMING_QUEUE), "queue");
    assert_string_equal(sp_timing_word(SP_TIMING_DECIDE), "decide");
    assert_string_equal(sp_timing_word(SP_TIMING_COUNT), "unknown");
    assert_string_equal(sp_timing_word(-1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_keeps_every_field),
        cmocka_unit_test(the_largest_decision_fits),
        cmocka_unit_test(nothing_unactionable_is_signed),
        cmocka_unit_test(no_changed_byte_reads_the_same),
        cmocka_unit_test(cut_off_and_longer_are_refused),
        cmocka_unit_test(errors_name_what_is_wrong),
        cmocka_unit_test(bodies_survive_the_round_trip),
        cmocka_unit_test(the_largest_body_fits),
        cmocka_unit_test(bad_bodies_are_named),
        cmocka_unit_test(words_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
