/* What a lane is assigned now: windows, versions, unknown lanes, and that unchanged records are not opened again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/worker/world.h"
#include "workers/assignment.h"

static struct world world;

static void test_windows(void **state)
{
    (void)state;
    static const struct {
        int64_t from, to, now;
        bool in_force;
    } rows[] = {{0, 0, 1000, true},       {1000, 0, 999, false},    {1000, 0, 1000, true},
                {0, 2000, 1999, true},    {0, 2000, 2000, false},   {1000, 2000, 1500, true},
                {1000, 2000, 500, false}, {1000, 2000, 2500, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_assignment_entry entry = {.from_ms = rows[i].from, .to_ms = rows[i].to};
        if (sp_assignment_in_force(&entry, rows[i].now) != rows[i].in_force)
            fail_msg("row %zu", i);
    }
}

static void test_resolve(void **state)
{
    (void)state;
    struct sp_assignments *assignments = NULL;
    struct sp_lane_now now[3];
    struct sp_err err = {0};
    const char *lanes[] = {"gate-1", "gate-2", "nowhere"};
    world_lane(&world, "gate-1", SP_LANE_SINGLE, 0);
    world_lane(&world, "gate-2", SP_LANE_MULTI, 0);
    world_publish(&world, "air-one", 1, 2, 1, 2, SP_MANIFEST_COMPLETE);
    world_publish(&world, "sea-two", 1, 2, 1, 2, SP_MANIFEST_COMPLETE);
    world_assign(&world, "gate-1", 0, (const char *const[]){"air-one", "sea-two", "never-published", NULL});
    assert_int_equal(sp_assignments_new(&assignments, &world.site, 4, &err), SP_OK);
    if (sp_assignments_resolve(assignments, world.durable, lanes, 3, 1000, now, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(now[0].reason, SP_REASON_NONE);
    assert_int_equal(now[0].count, 3);
    assert_int_equal(now[0].assignment, 1);
    assert_string_equal(now[0].manifests[1].manifest, "sea-two");
    assert_int_equal(now[0].manifests[0].version, 1);
    assert_int_equal(now[0].manifests[2].version, 0);
    assert_int_equal(now[1].reason, SP_REASON_NONE);
    assert_int_equal(now[1].lane.kind, SP_LANE_MULTI);
    assert_int_equal(now[1].count, 0);
    assert_int_equal(now[2].reason, SP_REASON_UNKNOWN_LANE);
    uint64_t opened = sp_assignments_opened(assignments);
    world_publish(&world, "air-one", 2, 3, 1, 3, SP_MANIFEST_AMENDED);
    world_publish(&world, "sea-two", 2, 2, 1, 2, SP_MANIFEST_CLOSED);
    assert_int_equal(sp_assignments_resolve(assignments, world.durable, lanes, 3, 1000, now, &err), SP_OK);
    assert_int_equal(sp_assignments_opened(assignments), opened); /* same sealed bytes: nothing opened again */
    assert_int_equal(now[0].manifests[0].version, 2);             /* but the versions are fresh */
    assert_int_equal(now[0].count, 2);                            /* a closed manifest expects nobody */
    world_assign(&world, "gate-1", 1, (const char *const[]){"air-one", NULL});
    assert_int_equal(sp_assignments_resolve(assignments, world.durable, lanes, 1, 1000, now, &err), SP_OK);
    assert_int_equal(now[0].count, 1);
    assert_int_equal(now[0].assignment, 2);
    assert_int_equal(sp_assignments_opened(assignments), opened + 1);
    sp_assignments_free(&assignments);
}

static void test_many_lanes_in_few_places(void **state)
{
    (void)state;
    struct sp_assignments *assignments = NULL;
    struct sp_lane_now now[6];
    const char *lanes[] = {"l-0", "l-1", "l-2", "l-3", "l-4", "l-5"};
    for (int i = 0; i < 6; i++) {
        world_lane(&world, lanes[i], SP_LANE_SINGLE, 0);
        world_assign(&world, lanes[i], 0, (const char *const[]){i % 2 ? "air-one" : "other", NULL});
    }
    assert_int_equal(sp_assignments_new(&assignments, &world.site, 2, NULL), SP_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sp_assignments_resolve(assignments, world.durable, lanes, 6, 1000, now, NULL), SP_OK);
        for (int i = 0; i < 6; i++) {
            assert_string_equal(now[i].lane.name, lanes[i]);
            assert_string_equal(now[i].manifests[0].manifest, i % 2 ? "air-one" : "other");
        }
    }
    sp_assignments_free(&assignments);
}

static void test_store_away(void **state)
{
    (void)state;
    struct sp_assignments *assignments = NULL;
    struct sp_lane_now now;
    const char *lane = "gate-1";
    struct sp_store *store = world_store(&world.durable_server);
    assert_int_equal(sp_assignments_new(&assignments, &world.site, 4, NULL), SP_OK);
    redis_server_kill(&world.durable_server);
    assert_int_equal(sp_assignments_resolve(assignments, store, &lane, 1, 1000, &now, NULL), SP_E_UNAVAILABLE);
    sp_assignments_free(&assignments);
    sp_store_free(&store);
}

static int start(void **state)
{
    (void)state;
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_many_lanes_in_few_places),
        cmocka_unit_test(test_store_away),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
