/* A version index survives its way through bytes; what was cut, or is not of its form, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/reason.h"
#include "roster/index.h"

#define ROWS 37

static struct sp_manifest_index *sample(void)
{
    struct sp_manifest_index *index = NULL;
    assert_int_equal(sp_index_new(&index, "air-zx-417-20261204-jfk", ROWS, NULL), SP_OK);
    index->version = 12;
    index->state = SP_MANIFEST_AMENDED;
    snprintf(index->carrier, sizeof index->carrier, "ZX");
    snprintf(index->journey, sizeof index->journey, "417");
    snprintf(index->dep_port, sizeof index->dep_port, "JFK");
    snprintf(index->arr_port, sizeof index->arr_port, "LIS");
    snprintf(index->direction, sizeof index->direction, "exit");
    snprintf(index->zone, sizeof index->zone, "America/New_York");
    index->departs_ms = 1796512800000;
    index->arrives_ms = -1;
    index->flipped_ms = 1;
    index->pack_count = 2;
    memset(index->packs, 0xab, sizeof index->packs);
    index->packs[1][0] = 1;
    for (int i = 0; i < ROWS; i++) {
        struct sp_index_row *row = &index->rows[i];
        memset(row->row, i, sizeof row->row);
        memset(row->content, i + 1, sizeof row->content);
        memset(row->pseudonym, i + 2, sizeof row->pseudonym);
        row->crew = i % 2;
        row->boarding = (enum sp_boarding)(i % 3);
        row->series = 0xfffffff0u + (uint32_t)(i % 8);
        row->valid_to_ms = i * 1000;
        row->portrait_count = i % (SP_ROW_MAX_PORTRAITS + 1);
        for (int k = 0; k < row->portrait_count; k++) {
            memset(row->portraits[k].id, 16 * i + k, sizeof row->portraits[k].id);
            row->portraits[k].packs[0] = (struct sp_index_enrolment){SP_REASON_NONE, 80};
            row->portraits[k].packs[1] = (struct sp_index_enrolment){SP_REASON_BLURRED, 5};
        }
    }
    index->receipt_count = 2;
    index->receipts[0] = (struct sp_index_receipt){.series = 7, .part = 3, .declared = -1, .received_ms = 99};
    index->receipts[1] = (struct sp_index_receipt){
        .series = 8, .format = 2, .group = 1, .action = 3, .last_part = true, .part = 65535, .travellers = 3};
    return index;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct sp_manifest_index *index = sample(), *back = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_index_encode(&bytes, &length, index, NULL), SP_OK);
    assert_int_equal(sp_index_decode(&back, bytes, length, NULL), SP_OK);
    assert_int_equal(back->version, 12);
    assert_int_equal(back->state, SP_MANIFEST_AMENDED);
    assert_string_equal(back->zone, index->zone);
    assert_int_equal(back->arrives_ms, -1);
    assert_int_equal(back->row_count, ROWS);
    assert_memory_equal(back->rows, index->rows, ROWS * sizeof *index->rows); /* they were in order */
    assert_memory_equal(back->receipts, index->receipts, 2 * sizeof *index->receipts);
    assert_true(sp_index_equal(index, back));
    back->rows[5].boarding = SP_BOARDING_UNKNOWN;
    assert_false(sp_index_equal(index, back));
    for (size_t cut = 0; cut < length; cut++) {
        struct sp_manifest_index *none = NULL;
        assert_int_not_equal(sp_index_decode(&none, bytes, cut, NULL), SP_OK);
        assert_null(none);
    }
    free(bytes);
    sp_manifest_index_free(&index);
    sp_manifest_index_free(&back);
}

static void test_packs(void **state)
{
    (void)state;
    struct sp_manifest_index *index = sample();
    uint8_t other[16] = {0};
    assert_int_equal(sp_manifest_index_pack(index, index->packs[0]), 0);
    assert_int_equal(sp_manifest_index_pack(index, index->packs[1]), 1);
    assert_int_equal(sp_manifest_index_pack(index, other), -1);
    assert_false(sp_index_row_usable(&index->rows[0], 0)); /* no portrait */
    assert_true(sp_index_row_usable(&index->rows[1], 0));
    assert_false(sp_index_row_usable(&index->rows[1], 1));
    sp_manifest_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_packs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
