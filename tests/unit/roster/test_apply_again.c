/* Messages that come again, and references that do: corrected close-outs, receipts that roll, who had a reference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/roster/apply_manifest.h"

static enum sp_boarding boarding(const struct manifest *m, const char *surname)
{
    int row = find_row(m, SP_COLUMN_SURNAME, surname);
    assert_true(row >= 0);
    return m->index->rows[row].boarding;
}

/* A close-out in parts: the second part must not undo the first. */
static void test_close_out_parts(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), out = message_of(SP_ACTION_CLOSE_NOT_ON_BOARD);
    manifest_new(&m);
    TELL(&m, &list, P(1), P(2), P(3));
    out.series = "C", out.part = 1, out.last_part = false, out.reference = "C1";
    TELL(&m, &out, P(1));
    out.part = 2, out.last_part = true, out.reference = "C2";
    TELL(&m, &out, P(2), P(9));
    assert_int_equal(m.last->unknown, 1);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE1")].boarding, SP_BOARDING_NOT_ON_BOARD);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE2")].boarding, SP_BOARDING_NOT_ON_BOARD);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE3")].boarding, SP_BOARDING_ON_BOARD);
    manifest_free(&m);
}

/* A close-out that comes corrected, under the same common reference, takes back whom it does not name any more. */
static void test_close_out_corrected(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), out = message_of(SP_ACTION_CLOSE_ON_BOARD);
    manifest_new(&m);
    TELL(&m, &list, P(1), P(2), P(3));
    out.series = "ZX417/1", out.part = 1, out.last_part = true, out.reference = "C1";
    TELL(&m, &out, P(1), P(2), P(3));
    assert_int_equal(boarding(&m, "SAMPLE3"), SP_BOARDING_ON_BOARD);
    out.reference = "C2";
    TELL(&m, &out, P(1), P(2));
    assert_int_equal(boarding(&m, "SAMPLE2"), SP_BOARDING_ON_BOARD);
    assert_int_equal(boarding(&m, "SAMPLE3"), SP_BOARDING_NOT_ON_BOARD);
    out.part = 1, out.last_part = false, out.reference = "C3"; /* a third round, in two parts */
    TELL(&m, &out, P(3));
    out.part = 2, out.last_part = true, out.reference = "C4";
    TELL(&m, &out, P(1));
    assert_int_equal(boarding(&m, "SAMPLE1"), SP_BOARDING_ON_BOARD);
    assert_int_equal(boarding(&m, "SAMPLE2"), SP_BOARDING_NOT_ON_BOARD);
    assert_int_equal(boarding(&m, "SAMPLE3"), SP_BOARDING_ON_BOARD);
    manifest_free(&m);
}

/* The pseudonym and portraits of a row are somebody's: another person who gets the reference has a row of his own.
 */
static void test_reference_of_somebody_else(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), change = message_of(SP_ACTION_CHANGE), crew = list;
    struct sp_apply_message removal = message_of(SP_ACTION_REMOVE);
    uint8_t ann[SP_ROW_BYTES];
    crew.group = SP_GROUP_CREW;
    for (int i = 0; i < 2; i++) {
        manifest_new(&m);
        TELL(&m, &list, {"1", "UTO X17", "ALPHA", "1990-01-01", NULL}, P(2));
        memcpy(ann, m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "ALPHA")].row, SP_ROW_BYTES);
        if (i == 0)
            TELL(&m, &list, {"1", "UTO Z99", "OMEGA", "1970-02-02", NULL}, P(2));
        else
            TELL(&m, &change, {"1", NULL, "OMEGA", "1970-02-02", NULL});
        assert_int_equal(m.last->added, 1);
        assert_int_equal(m.last->removed, 1);
        assert_int_equal(m.last->problem_count, 1);
        assert_int_equal(m.index->row_count, 2);
        assert_memory_not_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "OMEGA")].row, ann, SP_ROW_BYTES);
        TELL(&m, &removal, {"1", "UTO X17", "ALPHA", "1990-01-01", NULL}); /* it is not hers any more */
        assert_int_equal(m.last->unknown, 1);
        TELL(&m, &list, {"1", "UTO Z99", "OMEGA", "1970-02-02", NULL},
             P(2)); /* and from now on it is the other's */
        assert_int_equal(m.last->added, 0);
        manifest_free(&m);
    }
    manifest_new(&m); /* the first one is still there, under another reference; and two swap theirs */
    TELL(&m, &list, {"1", "UTO X17", "ALPHA", "1990-01-01", NULL});
    TELL(&m, &list, {"1", "UTO Z99", "OMEGA", "1970-02-02", NULL}, {"2", "UTO X17", "ALPHA", "1990-01-01", NULL});
    assert_int_equal(m.last->added, 1);
    assert_int_equal(m.last->removed, 0);
    TELL(&m, &list, {"2", "UTO Z99", "OMEGA", "1970-02-02", NULL}, {"1", "UTO X17", "ALPHA", "1990-01-01", NULL});
    assert_int_equal(m.last->added, 0);
    assert_int_equal(m.index->row_count, 2);
    TELL(&m, &crew, {"1", "UTO K5", "KAPPA", "1980-03-03", NULL}); /* crew is numbered from 1, too */
    assert_int_equal(m.index->row_count, 3);
    TELL(&m, &change, {"1", "UTO X17", "ALPHA-BETA", "1990-10-10", NULL}); /* corrected: the document says so */
    assert_int_equal(m.last->changed, 1);
    TELL(&m, &change, {"1", "UTO X18", "ALPHA-BETA", "1990-01-01", NULL}); /* a new passport, and a birthday */
    assert_int_equal(m.last->changed, 1);
    assert_int_equal(m.index->row_count, 3);
    manifest_free(&m);
}

/* What is full forgets deltas before lists: the first list, delivered again, must not remove who came since. */
static void test_receipts_roll(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message change = message_of(SP_ACTION_CHANGE);
    struct sp_apply_message list = message_of(SP_ACTION_LIST);
    manifest_new(&m);
    list.reference = "L";
    TELL(&m, &list, P(1), P(2));
    for (int i = 0; i < SP_INDEX_MAX_RECEIPTS + 10; i++) {
        char reference[16];
        snprintf(reference, sizeof reference, "M%d", i);
        change.reference = reference;
        TELL(&m, &change, P(3));
    }
    assert_int_equal(m.index->receipt_count, SP_INDEX_MAX_RECEIPTS);
    TELL(&m, &list, P(1), P(2));
    assert_true(m.last->known);
    assert_int_equal(m.index->row_count, 3);
    for (int i = 0; i < SP_INDEX_MAX_RECEIPTS + 10; i++) { /* lists alone: the oldest leaves */
        char reference[16];
        snprintf(reference, sizeof reference, "N%d", i);
        list.reference = reference;
        TELL(&m, &list, P(1));
    }
    assert_int_equal(m.index->receipt_count, SP_INDEX_MAX_RECEIPTS);
    assert_int_equal(m.index->receipts[SP_INDEX_MAX_RECEIPTS - 1].travellers, 1);
    list.reference = "L";
    TELL(&m, &list, P(1), P(2));
    assert_false(m.last->known);
    manifest_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_out_parts),
        cmocka_unit_test(test_close_out_corrected),
        cmocka_unit_test(test_reference_of_somebody_else),
        cmocka_unit_test(test_receipts_roll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
