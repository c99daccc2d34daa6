/* The scorecard: on time, complete, sufficient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/reason.h"
#include "listing/listing.h"
#include "roster/index.h"
#include "roster/scorecard.h"

#define DEPARTS  1796385600000ll
#define MINUTE   60000ll
#define DEADLINE (30 * MINUTE)

static struct sp_scorecard card;

static struct sp_manifest_index *journey(const char *carrier, int rows)
{
    struct sp_manifest_index *index = NULL;
    assert_int_equal(sp_index_new(&index, "air-zx-417-20261204-jfk", rows, NULL), SP_OK);
    snprintf(index->carrier, sizeof index->carrier, "%s", carrier);
    index->departs_ms = DEPARTS;
    index->pack_count = 1;
    return index;
}

static void receive(struct sp_manifest_index *index, uint32_t series, int part, bool last, int64_t before_ms)
{
    index->receipts[index->receipt_count++] = (struct sp_index_receipt){.series = series,
                                                                        .part = (uint16_t)part,
                                                                        .last_part = last,
                                                                        .declared = -1,
                                                                        .received_ms = DEPARTS - before_ms};
}

static const struct sp_score *score(struct sp_manifest_index *index)
{
    static const unsigned lacking[64];
    memset(&card, 0, sizeof card);
    assert_int_equal(sp_scorecard_add(&card, index, lacking, DEADLINE, NULL), SP_OK);
    sp_manifest_index_free(&index);
    return &card.scores[0];
}

static void test_time(void **state)
{
    (void)state;
    struct sp_manifest_index *index = journey("ZX", 1);
    receive(index, 1, 0, true, DEADLINE);
    receive(index, 2, 0, true, MINUTE); /* a later round does not make the first one late */
    const struct sp_score *s = score(index);
    assert_true(s->on_time == 1 && s->late == 0 && s->incomplete == 0 && s->messages == 2);
    index = journey("ZX", 1);
    receive(index, 1, 0, true, DEADLINE - 1);
    s = score(index);
    assert_true(s->on_time == 0 && s->late == 1 && s->incomplete == 0);
    index = journey("ZX", 1);
    receive(index, 1, 0, true, DEADLINE);
    index->departs_ms = 0;
    s = score(index);
    assert_true(s->on_time == 0 && s->late == 0 && s->undated == 1);
}

static void test_parts(void **state)
{
    (void)state;
    struct sp_manifest_index *index = journey("ZX", 1);
    receive(index, 5, 3, true, 90 * MINUTE);
    receive(index, 5, 1, false, 80 * MINUTE);
    receive(index, 5, 1, false, 70 * MINUTE);
    receive(index, 6, 2, false, 60 * MINUTE); /* of another list */
    assert_true(sp_score_whole_ms(index) == 0);
    receive(index, 5, 2, false, 20 * MINUTE);
    assert_true(sp_score_whole_ms(index) == DEPARTS - 20 * MINUTE);
    const struct sp_score *s = score(index);
    assert_true(s->late == 1 && s->incomplete == 0);
    index = journey("ZX", 1);
    receive(index, 5, 2, true, 90 * MINUTE);
    s = score(index);
    assert_true(s->late == 1 && s->incomplete == 1);
}

/* The crew's list is not the passengers'; a count that is not kept is incomplete. */
static void test_groups_and_counts(void **state)
{
    (void)state;
    struct sp_manifest_index *index = journey("ZX", 1);
    receive(index, 1, 0, true, 90 * MINUTE);
    index->receipts[0].group = SP_GROUP_CREW;
    const struct sp_score *s = score(index);
    assert_true(s->incomplete == 1 && s->late == 1);
    index = journey("ZX", 1);
    receive(index, 1, 0, true, 90 * MINUTE);
    index->receipts[0].travellers = 3;
    index->receipts[0].declared = 4;
    index->receipts[0].deviations = 7;
    s = score(index);
    assert_true(s->incomplete == 1 && s->on_time == 1 && s->deviations == 7);
}

static void test_sufficiency(void **state)
{
    (void)state;
    struct sp_row row = {0};
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        row.values[i] = "x";
    assert_int_equal(sp_score_lacking(&row), 0);
    row.values[SP_COLUMN_SEX] = "";
    row.values[SP_COLUMN_DOC_EXPIRY] = "";
    row.values[SP_COLUMN_PNR] = ""; /* nobody asks for it */
    assert_int_equal(sp_score_lacking(&row), 1u << SP_SCORE_SEX | 1u << SP_SCORE_DOC_EXPIRY);
    assert_string_equal(sp_score_element_word(SP_SCORE_DOC_EXPIRY), "doc_expiry");

    struct sp_manifest_index *index = journey("ZX", 3);
    unsigned lacking[3] = {0, sp_score_lacking(&row), 0};
    index->rows[0].portrait_count = index->rows[1].portrait_count = 1;
    index->rows[1].portraits[0].packs[0].reason = SP_REASON_BLURRED;
    memset(&card, 0, sizeof card);
    assert_int_equal(sp_scorecard_add(&card, index, lacking, DEADLINE, NULL), SP_OK);
    assert_int_equal(sp_scorecard_add(&card, index, lacking, DEADLINE, NULL), SP_OK);
    snprintf(index->carrier, sizeof index->carrier, "AA");
    assert_int_equal(sp_scorecard_add(&card, index, lacking, DEADLINE, NULL), SP_OK);
    sp_scorecard_sort(&card);
    assert_int_equal(card.count, 2);
    assert_string_equal(card.scores[0].carrier, "AA");
    const struct sp_score *s = &card.scores[1];
    assert_true(s->journeys == 2 && s->travellers == 6 && s->sufficient == 4 && s->with_portrait == 2);
    assert_true(s->lacking[SP_SCORE_SEX] == 2 && s->lacking[SP_SCORE_DOB] == 0);
    sp_manifest_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_groups_and_counts),
        cmocka_unit_test(test_sufficiency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
