/* The readiness of a journey: every problem alone, their order, and that what is not known is never fine. */
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
#include "roster/readiness.h"

#define ROWS 20
#define NOW  1796385600000
#define HOUR 3600000

struct scene {
    struct sp_manifest_index *index;
    struct sp_ready_facts facts;
    struct sp_ready_worker workers[2];
    struct sp_ready_lane lanes[2];
    struct sp_readiness board;
};

/* All is well: 20 travellers with a portrait each, one list of one part, two workers, two lanes. */
static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    assert_int_equal(sp_index_new(&scene.index, "air-zx-417-20261204-jfk", ROWS, NULL), SP_OK);
    scene.index->version = 3;
    scene.index->state = SP_MANIFEST_COMPLETE;
    scene.index->departs_ms = NOW + HOUR;
    scene.index->pack_count = 1;
    for (int i = 0; i < ROWS; i++) {
        scene.index->rows[i].portrait_count = 1;
        scene.index->rows[i].portraits[0].packs[0].quality = 80;
    }
    scene.index->receipts[0] = (struct sp_index_receipt){
        .series = 1, .group = SP_GROUP_PASSENGERS, .last_part = true, .travellers = ROWS, .declared = -1};
    scene.index->receipt_count = 1;
    sp_ready_facts_default(&scene.facts);
    scene.facts.index = scene.index;
    scene.facts.now_ms = NOW;
    scene.facts.workers_known = scene.facts.versions_known = scene.facts.lanes_known = scene.facts.review_known =
        true;
    scene.facts.workers = scene.workers;
    scene.facts.lanes = scene.lanes;
    scene.facts.worker_count = scene.facts.lane_count = 2;
    for (int i = 0; i < 2; i++) {
        scene.workers[i].version = 3;
        scene.lanes[i].alive = true;
    }
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    sp_manifest_index_free(&scene->index);
    return 0;
}

static const struct sp_readiness *judge(struct scene *scene)
{
    sp_ready_judge(&scene->board, &scene->facts);
    return &scene->board;
}

/* The one problem there is. */
static void expect(struct scene *scene, enum sp_ready_severity severity, const char *kind, const char *words)
{
    const struct sp_readiness *board = judge(scene);
    assert_int_equal(board->problem_count, 1);
    assert_int_equal(board->problems[0].severity, severity);
    assert_string_equal(board->problems[0].kind, kind);
    if (!strstr(board->problems[0].text, words))
        fail_msg("\"%s\" does not say \"%s\"", board->problems[0].text, words);
    assert_int_equal(board->ready, severity == SP_READY_WARNS);
}

static void test_all_is_well(void **state)
{
    const struct sp_readiness *board = judge(*state);
    assert_true(board->ready);
    assert_int_equal(board->problem_count, 0);
    assert_int_equal(board->with_portrait, ROWS);
    assert_int_equal(board->workers_current, 2);
    assert_int_equal(board->lanes_alive, 2);
    assert_int_equal(board->lists[SP_GROUP_PASSENGERS].parts, 1);
    assert_int_equal(board->lists[SP_GROUP_PASSENGERS].parts_of, 1);
    assert_false(board->lists[SP_GROUP_CREW].received);
}

static void test_parts(void **state)
{
    struct scene *scene = *state;
    struct sp_manifest_index *index = scene->index;
    index->state = SP_MANIFEST_PARTIAL;
    index->receipt_count = 5;
    /* an older list, then parts 1, 1 again, 4 (the last) of the newest */
    index->receipts[0] = (struct sp_index_receipt){.series = 8, .last_part = true, .part = 1, .declared = -1};
    for (int i = 1; i < 5; i++)
        index->receipts[i] = (struct sp_index_receipt){.series = 9, .part = 1, .travellers = 5, .declared = 5};
    index->receipts[3].part = 4;
    index->receipts[3].last_part = true;
    index->receipts[4] = (struct sp_index_receipt){.series = 9, .part = 9, .action = SP_ACTION_CHANGE};
    expect(scene, SP_READY_BLOCKS, "parts", "lacks 2 of 4 parts: 2, 3");
    assert_int_equal(scene->board.lists[0].parts, 2);
    assert_int_equal(scene->board.lists[0].travellers, 10);
    assert_int_equal(scene->board.lists[0].missing[1], 3);
    index->receipts[3].last_part = false;
    expect(scene, SP_READY_BLOCKS, "parts", "last part");
    index->receipt_count = 0;
    expect(scene, SP_READY_BLOCKS, "parts", "PARTIAL");
}

/* The older list stands while a newer one comes: the manifest is COMPLETE, the newer list is not. */
static void test_newer_list_half_received(void **state)
{
    struct scene *scene = *state;
    struct sp_manifest_index *index = scene->index;
    index->receipts[1] = (struct sp_index_receipt){.series = 9, .part = 1, .travellers = 5, .declared = -1};
    index->receipt_count = 2;
    expect(scene, SP_READY_BLOCKS, "parts", "last part of the passenger list has not come (1 received)");
    index->receipts[2] = index->receipts[1];
    index->receipts[2].part = 2;
    index->receipts[2].last_part = true;
    index->receipt_count = 3;
    assert_true(judge(scene)->ready);
    index->receipts[1].part = 0; /* a list without parts says by the state that more will come */
    index->receipt_count = 2;
    assert_true(judge(scene)->ready);
}

static void test_counts_and_deviations(void **state)
{
    struct scene *scene = *state;
    scene->index->receipts[0].declared = 21;
    expect(scene, SP_READY_WARNS, "declared", "says it has 21 travellers, it has 20");
    scene->index->receipts[0].declared = -1;
    scene->index->receipts[0].deviations = 4;
    scene->index->receipts[0].group = SP_GROUP_CREW;
    expect(scene, SP_READY_WARNS, "deviations", "crew list has 4");
}

static void test_portraits(void **state)
{
    struct scene *scene = *state;
    scene->index->rows[0].portrait_count = 0;
    scene->index->rows[1].portraits[0].packs[0].reason = SP_REASON_BLURRED;
    scene->index->rows[2].portrait_count = 2; /* the second one is good */
    scene->index->rows[2].portraits[0].packs[0].reason = SP_REASON_NO_FACE;
    expect(scene, SP_READY_WARNS, "portraits",
           "2 of 20 travellers cannot be matched: 1 have no portrait, 1 have none");
    assert_int_equal(scene->board.lacking[SP_REASON_NO_PORTRAIT], 1);
    assert_int_equal(scene->board.lacking[SP_REASON_BLURRED], 1);
    assert_int_equal(scene->board.lacking[SP_REASON_NO_FACE], 0);
    scene->index->rows[3].portrait_count = 0;
    expect(scene, SP_READY_BLOCKS, "portraits", "3 of 20");
}

static void test_pack(void **state)
{
    struct scene *scene = *state;
    static const uint8_t other[16] = {1};
    scene->facts.pack = scene->index->packs[0];
    assert_true(judge(scene)->ready);
    scene->facts.pack = other;
    expect(scene, SP_READY_BLOCKS, "pack", "model pack");
}

static void test_workers(void **state)
{
    struct scene *scene = *state;
    scene->workers[1].version = 2;
    expect(scene, SP_READY_WARNS, "versions", "1 of 2 workers do not hold version 3");
    scene->facts.versions_known = false;
    expect(scene, SP_READY_UNKNOWN, "versions", "2 workers");
    scene->facts.versions_known = true;
    scene->workers[1].version = 3;
    scene->workers[1].missing = 4;
    expect(scene, SP_READY_WARNS, "templates", "lacks 4");
    scene->facts.worker_count = 0;
    expect(scene, SP_READY_BLOCKS, "workers", "no worker");
    scene->facts.workers_known = false;
    expect(scene, SP_READY_UNKNOWN, "workers", "did not say");
}

static void test_lanes(void **state)
{
    struct scene *scene = *state;
    scene->lanes[0].alive = false;
    expect(scene, SP_READY_WARNS, "lanes", "1 of its 2 lanes");
    scene->lanes[1].alive = false;
    expect(scene, SP_READY_BLOCKS, "lanes", "none of its 2");
    scene->index->departs_ms = NOW + 9 * HOUR; /* not due yet */
    expect(scene, SP_READY_WARNS, "lanes", "none of its 2");
    scene->facts.lanes_known = false;
    expect(scene, SP_READY_UNKNOWN, "lanes", "did not say");
    scene->facts.lane_count = 0; /* known without a broker */
    expect(scene, SP_READY_BLOCKS, "lanes", "no lane is assigned");
}

static void test_look_alikes(void **state)
{
    struct scene *scene = *state;
    const struct sp_ready_pair pairs[] = {{1, 2, 0.9}};
    scene->facts.pairs = pairs;
    scene->facts.pair_count = 1;
    expect(scene, SP_READY_WARNS, "look_alikes", "1 pairs");
    scene->facts.pair_count = 0;
    scene->facts.review_missing = 3;
    expect(scene, SP_READY_UNKNOWN, "look_alikes", "3 travellers");
    scene->facts.review_known = false;
    expect(scene, SP_READY_UNKNOWN, "look_alikes", "no worker compared");
    scene->facts.review_skipped = true;
    assert_true(judge(scene)->ready);
}

static void test_closed_and_late(void **state)
{
    struct scene *scene = *state;
    scene->index->departs_ms = NOW - 1;
    expect(scene, SP_READY_WARNS, "departed", "passed");
    scene->index->state = SP_MANIFEST_CLOSED;
    scene->facts.workers_known = scene->facts.review_known = false;
    expect(scene, SP_READY_BLOCKS, "closed", "CLOSED");
}

static void test_order(void **state)
{
    struct scene *scene = *state;
    scene->facts.review_known = false;        /* unknown */
    scene->index->rows[0].portrait_count = 0; /* warns */
    scene->facts.worker_count = 0;            /* blocks */
    scene->index->receipts[0].deviations = 1; /* warns */
    const struct sp_readiness *board = judge(scene);
    assert_int_equal(board->problem_count, 4);
    assert_string_equal(board->problems[0].kind, "workers");
    assert_string_equal(board->problems[1].kind, "look_alikes");
    assert_string_equal(board->problems[2].kind, "deviations");
    assert_string_equal(board->problems[3].kind, "portraits");
    assert_false(board->ready);
}

static void test_nobody(void **state)
{
    struct scene *scene = *state;
    scene->index->row_count = 0;
    expect(scene, SP_READY_BLOCKS, "travellers", "no travellers");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_well),
        TEST(test_parts),
        TEST(test_newer_list_half_received),
        TEST(test_counts_and_deviations),
        TEST(test_portraits),
        TEST(test_pack),
        TEST(test_workers),
        TEST(test_lanes),
        TEST(test_look_alikes),
        TEST(test_order),
        TEST(test_closed_and_late),
        TEST(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
