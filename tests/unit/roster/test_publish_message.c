/* Messages against a real redis-server: what they cost and what a race does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/unit/roster/publish_messages.h"

/* 400 travellers, three of them change: three embeddings, and no file of the others is needed. */
static void test_three_of_four_hundred(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    struct world world;
    static struct sp_publish_report report;
    static char all[COUNT * 96 + 256];
    size_t at = (size_t)snprintf(all, sizeof all, HEADER);
    begin(&world);
    for (int i = 0; i < COUNT; i++) {
        char name[32], text[32];
        snprintf(name, sizeof name, "N%d.jpg", i);
        snprintf(text, sizeof text, "face %d", i);
        world_portrait(name, text);
        at += (size_t)snprintf(all + at, sizeof all - at, ROW("N%d"), i);
    }
    sp_portraits_free(&world.portraits);
    assert_int_equal(sp_portraits_open(&world.portraits, world_folder, NULL), SP_OK);
    tell_ok(&world, SP_ACTION_LIST, all, &report);
    assert_int_equal(report.enrolled, COUNT);
    for (int i = 0; i < COUNT; i++) { /* the desk does not keep the pictures */
        char path[TEST_FOLDER_MAX + 32];
        snprintf(path, sizeof path, "%s/N%d.jpg", world_folder, i);
        assert_int_equal(remove(path), 0);
    }
    world_portrait("N7.jpg", "another face 7");
    world_portrait("X1.jpg", "face x1");
    world_portrait("X2.jpg", "face x2");
    sp_portraits_free(&world.portraits);
    assert_int_equal(sp_portraits_open(&world.portraits, world_folder, NULL), SP_OK);
    tell_ok(&world, SP_ACTION_CHANGE, HEADER ROW("N7") ROW("X1") ROW("X2"), &report);
    assert_int_equal(report.enrolled, 3);
    assert_int_equal(world.workers.enrolled, COUNT + 3);
    assert_int_equal(report.rows, COUNT + 2);
    assert_int_equal(report.lack_count, 0);
    assert_int_equal(report.added, 2);
    assert_int_equal(report.kept, COUNT);

    snprintf(all + at, sizeof all - at, "%s", ROW("X1") ROW("X2"));
    tell_ok(&world, SP_ACTION_LIST, all, &report); /* the whole list again, without their pictures */
    assert_true(report.unchanged);
    assert_int_equal(world.workers.enrolled, COUNT + 3);
    assert_int_equal(report.lack_count, 0);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void test_without_portraits(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    begin(&world);
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    assert_int_equal(report.lack_count, 2); /* T3 is faceless, T4 has no file */
    sp_publish_report_clear(&report);
    assert_int_equal(tell(&world, SP_ACTION_CHANGE, HEADER "ZX,417,air,JFK,,2026-12-04T18:20,,T1,Doe,14C\n", NULL,
                          &report, NULL),
                     SP_OK);
    assert_int_equal(report.changed, 1);
    assert_int_equal(report.enrolled, 0);
    assert_int_equal(report.lack_count, 2);
    assert_true(report.lacks[0].text[0]);
    assert_int_equal(report.lacks[0].line, 0); /* not named by this message */
    sp_publish_report_clear(&report);
    tell_ok(&world, SP_ACTION_REMOVE, HEADER ROW("T1") ROW("T9"), &report);
    assert_int_equal(report.removed, 1);
    assert_int_equal(report.unknown, 1);
    assert_int_equal(report.warning_count, 2); /* there is no table of ports */
    assert_int_equal(report.rows, 3);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void other_change(struct workers *workers)
{
    struct world other;
    static struct sp_publish_report report;
    workers->before = NULL;
    world_new(&other);
    tell_ok(&other, SP_ACTION_CHANGE, HEADER ROW("T5"), &report);
    sp_publish_report_clear(&report);
    world_free(&other);
}

/* Another desk is faster: a change is applied again to what stands then, and costs nothing twice. */
static void test_change_is_applied_again(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    begin(&world);
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T2"), &report);
    world.workers.enrolled = 0;
    world.workers.before = other_change;
    tell_ok(&world, SP_ACTION_CHANGE, HEADER ROW("T1"), &report);
    assert_int_equal(report.attempts, 2);
    assert_int_equal(report.version, 3);
    assert_int_equal(report.rows, 3);
    assert_int_equal(report.enrolled, 1);
    assert_int_equal(world.workers.enrolled, 1);
    world.workers.before = other_change;
    sp_publish_report_clear(&report);
    world_portrait("T6.jpg", "face of T6");
    sp_portraits_free(&world.portraits);
    assert_int_equal(sp_portraits_open(&world.portraits, world_folder, NULL), SP_OK);
    command(world.config.durable, "DEL", NOTES,
            NULL); /* T5 again is new to the other desk's enroller, not to its manifest */
    tell_ok(&world, SP_ACTION_REMOVE, HEADER ROW("T5"), &report);
    world.workers.before = other_change;
    assert_int_equal(tell(&world, SP_ACTION_LIST, HEADER ROW("T6"), world.portraits, &report, &err), SP_E_CONFLICT);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void test_messages_with_reference(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    begin(&world);
    snprintf(reference, sizeof reference, "M1");
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    snprintf(reference, sizeof reference, "M2");
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1") ROW("T2"), &report);
    assert_int_equal(report.state, SP_MANIFEST_AMENDED);
    snprintf(reference, sizeof reference, "M3"); /* changes nobody: noted, so that it can be known again */
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1") ROW("T2"), &report);
    assert_int_equal(report.version, 3);
    snprintf(reference, sizeof reference, "M1");
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    assert_true(report.known && report.unchanged);
    assert_int_equal(report.version, 3);
    assert_int_equal(report.rows, 2);
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(index->receipt_count, 3);
    assert_int_equal(index->receipts[1].travellers, 2);
    sp_manifest_index_free(&index);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void portrait_of_t1(struct world *world, const char *text)
{
    world_portrait("T1.jpg", text);
    sp_portraits_free(&world->portraits);
    assert_int_equal(sp_portraits_open(&world->portraits, world_folder, NULL), SP_OK);
}

/* Portraits that come after the message: the same message again takes them, and nothing else. */
static void test_portraits_after_message(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    begin(&world);
    snprintf(reference, sizeof reference, "M1");
    assert_int_equal(tell(&world, SP_ACTION_LIST, FOUR, NULL, &report, NULL), SP_OK);
    assert_int_equal(report.lack_count, 4);
    snprintf(reference, sizeof reference, "M2");
    tell_ok(&world, SP_ACTION_CHANGE, HEADER "ZX,417,air,JFK,,2026-12-04T18:20,,T1,Doe,14C\n", &report);
    portrait_of_t1(&world, "another face of T1");
    snprintf(reference, sizeof reference, "M1");
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    assert_true(report.known && !report.unchanged);
    assert_int_equal(report.version, 3);
    assert_int_equal(report.state, SP_MANIFEST_AMENDED); /* as it was */
    assert_int_equal(report.enrolled, 2);                /* T2; T1 has his already */
    assert_int_equal(report.lack_count, 2);              /* T3, T4 */
    assert_int_equal(report.new_rows, 0);                /* T1 still sits in 14C */
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(index->receipt_count, 2);
    sp_manifest_index_free(&index);
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    assert_true(report.known && report.unchanged);
    assert_int_equal(report.version, 3);
    assert_int_equal(report.lack_count, 2);
    tell_ok(&world, SP_ACTION_CLOSE_ON_BOARD, FOUR, &report);
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    assert_true(report.known && report.unchanged);
    portrait_of_t1(&world, "face of T1");
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* What lanes and readiness need to know of the journey. */
static void test_journey(void **state)
{
    (void)state;
    static const char table[] = "port,zone\nJFK,America/New_York\n";
    struct world world;
    static struct sp_publish_report report;
    struct sp_ports *ports = NULL;
    int64_t departs = 0, arrives = 0;
    begin(&world);
    assert_int_equal(sp_ports_parse(&ports, "ports.csv", table, strlen(table), NULL), SP_OK);
    world.config.ports = ports;
    world.config.now_ms = 1234;
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    assert_int_equal(report.warning_count, 1); /* LIS is not in the table */
    assert_non_null(strstr(report.warnings[0], "LIS"));
    struct sp_manifest_index *index = load(&world);
    assert_string_equal(index->zone, "America/New_York");
    assert_string_equal(index->carrier, "ZX");
    assert_string_equal(index->journey, "417");
    assert_string_equal(index->arr_port, "LIS");
    assert_int_equal(sp_clock_parse("2026-12-04T23:20:00Z", &departs), 0);
    assert_int_equal(sp_clock_parse("2026-12-05T06:10:00Z", &arrives), 0);
    assert_true(index->departs_ms == departs && index->arrives_ms == arrives && index->flipped_ms == 1234);
    sp_manifest_index_free(&index);
    tell_ok(&world, SP_ACTION_CHANGE, HEADER "ZX,417,air,JFK,,2026-12-04T20:20,,T1,Doe,\n", &report); /* late */
    index = load(&world);
    assert_true(index->departs_ms == departs + 2 * 3600000 && index->arrives_ms == arrives);
    sp_manifest_index_free(&index);
    world.config.ports = NULL; /* a desk without a table: the zone that stands */
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    assert_int_equal(report.warning_count, 0);
    index = load(&world);
    assert_string_equal(index->zone, "America/New_York");
    assert_true(index->departs_ms == departs);
    sp_manifest_index_free(&index);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    assert_int_equal(report.warning_count, 1);
    assert_non_null(strstr(report.warnings[0], "site.ports"));
    index = load(&world);
    assert_true(!index->zone[0] && index->departs_ms != departs);
    sp_manifest_index_free(&index);
    sp_ports_free(&ports);
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* A picture that cannot be used takes nobody's good one away; another good one replaces it. */
static void test_bad_portrait_replaces_none(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    begin(&world);
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    struct sp_manifest_index *index = load(&world), *now;
    portrait_of_t1(&world, "faceless T1");
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    assert_true(report.unchanged);
    assert_int_equal(report.lack_count, 0);
    assert_int_equal(report.remark_count, 1);
    now = load(&world);
    assert_int_equal(now->rows[0].portrait_count, 1);
    assert_memory_equal(now->rows[0].portraits[0].id, index->rows[0].portraits[0].id, SP_PORTRAIT_BYTES);
    sp_manifest_index_free(&now);
    portrait_of_t1(&world, "another face of T1");
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    assert_int_equal(report.version, 2);
    now = load(&world);
    assert_int_equal(now->rows[0].portrait_count, 1);
    assert_memory_not_equal(now->rows[0].portraits[0].id, index->rows[0].portraits[0].id, SP_PORTRAIT_BYTES);
    sp_manifest_index_free(&now);
    sp_manifest_index_free(&index);
    portrait_of_t1(&world, "face of T1");
    sp_publish_report_clear(&report);
    world_free(&world);
}

#define ON(date) "carrier,journey,mode,dep_port,sched_dep,traveller_ref,surname\nZX,417,air,JFK," date ",T1,Doe\n"

/* A flight that is delayed past midnight keeps its manifest, if it can be said which one that is. */
static void test_delayed_past_midnight(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    uint64_t version = 0;
    int64_t departs = 0;
    begin(&world);
    struct sp_store *durable = world.config.durable;
    tell_ok(&world, SP_ACTION_LIST, ON("2026-12-04T23:20"), &report);
    tell_ok(&world, SP_ACTION_CHANGE_JOURNEY, ON("2026-12-05T00:40"), &report);
    assert_string_equal(report.manifest, MANIFEST);
    assert_int_equal(report.version, 2);
    assert_int_equal(report.warning_count, 2); /* no table of ports; and what it was taken for */
    assert_non_null(strstr(report.warnings[1], "air-zx-417-20261205-jfk was never published"));
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(sp_clock_parse("2026-12-05T00:40:00Z", &departs), 0);
    assert_true(index->departs_ms == departs);
    sp_manifest_index_free(&index);
    assert_int_equal(tell(&world, SP_ACTION_CHANGE_JOURNEY, ON("2026-12-07T00:40"), NULL, &report, &err),
                     SP_E_NOTFOUND); /* three days */
    tell_ok(&world, SP_ACTION_LIST, ON("2026-12-06T23:20"), &report);
    assert_int_equal(tell(&world, SP_ACTION_CHANGE_JOURNEY, ON("2026-12-05T01:40"), NULL, &report, &err),
                     SP_E_NOTFOUND);
    assert_non_null(strstr(err.text, MANIFEST ", air-zx-417-20261206-jfk"));
    assert_int_equal(
        sp_publish_close(&version, durable, world.config.galleries, "air-zx-417-20261206-jfk", &world_ops, NULL),
        SP_OK);
    tell_ok(&world, SP_ACTION_CHANGE_JOURNEY, ON("2026-12-05T01:40"), &report);
    assert_string_equal(report.manifest, MANIFEST);
    assert_int_equal(report.version, 3);
    assert_int_equal(ask(durable, "SMEMBERS", "sp:manifests"), 2);
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* A standing gallery: validity in the port's days, expired rows leave. */
static void test_standing(void **state)
{
    (void)state;
    static const char table[] = "port,zone\nDNGT,America/New_York\n",
                      rows[] = "carrier,journey,mode,dep_port,sched_dep,traveller_ref,surname,valid_from,valid_to\n"
                               "LAND,1,pedestrian,DNGT,2026-12-04T00:00,T1,Doe,2026-11-01,2026-12-04\n"
                               "LAND,1,pedestrian,DNGT,2026-12-04T00:00,T2,Roe,,\n";
    struct world world;
    static struct sp_publish_report report;
    struct sp_ports *ports = NULL;
    struct sp_roster *roster = NULL;
    struct sp_apply_message message;
    struct sp_manifest_tidied tidied;
    int64_t last = 0;
    begin(&world);
    assert_int_equal(sp_ports_parse(&ports, "ports.csv", table, strlen(table), NULL), SP_OK);
    assert_int_equal(sp_roster_parse(&roster, "m.csv", rows, strlen(rows), NULL), SP_OK);
    assert_int_equal(sp_clock_parse("2026-12-05T05:00:00Z", &last), 0);
    snprintf(roster->manifest, sizeof roster->manifest, MANIFEST);
    sp_apply_whole(&message, roster, SP_ACTION_CHANGE, true);
    message.standing = true;
    world.config.ports = ports;
    world.config.now_ms = last - 1;
    memset(&report, 0, sizeof report);
    assert_int_equal(sp_publish_message(&report, &message, roster, NULL, &world.config, NULL), SP_OK);
    assert_int_equal(report.state, SP_MANIFEST_COMPLETE);
    struct sp_manifest_index *index = load(&world);
    assert_true(index->standing);
    int limited = 0;
    for (int i = 0; i < index->row_count; i++) {
        assert_true(index->rows[i].valid_to_ms == 0 || index->rows[i].valid_to_ms == last - 1);
        limited += index->rows[i].valid_to_ms > 0;
    }
    assert_int_equal(limited, 1);
    sp_manifest_index_free(&index);
    tidy(&world, &tidied, last - 1);
    assert_int_equal(tidied.expired, 0);
    tidy(&world, &tidied, last);
    assert_int_equal(tidied.expired, 1);
    assert_int_equal(tidied.rows, 1);
    assert_int_equal(tidied.version, 2);
    sp_publish_report_clear(&report);
    sp_roster_free(&roster);
    sp_ports_free(&ports);
    world_free(&world);
}

enum { DESKS = 5, TURNS = 4 };

struct desk {
    pthread_t thread;
    struct world world;
    int number, conflicts;
};

/* Each turn a traveller of this desk's comes, and the one of the turn before leaves. */
static void *run_desk(void *user)
{
    struct desk *desk = user;
    struct sp_publish_report *report = calloc(1, sizeof *report);
    for (int turn = 0; turn < TURNS; turn++)
        for (int removal = 0; removal < (turn > 0 ? 2 : 1); removal++) {
            char text[512];
            enum sp_status status;
            snprintf(text, sizeof text, HEADER ROW("D%d-%d"), desk->number, turn - removal);
            while ((status = tell(&desk->world, removal ? SP_ACTION_REMOVE : SP_ACTION_CHANGE, text, NULL, report,
                                  NULL)) == SP_E_CONFLICT)
                desk->conflicts++;
            if (status != SP_OK)
                abort();
        }
    sp_publish_report_clear(report);
    free(report);
    return NULL;
}

/* Several desks change one manifest at once: nothing of any of them is lost, and each change is one version. */
static void test_desks_at_once(void **state)
{
    (void)state;
    static struct desk desks[DESKS];
    struct world world;
    static struct sp_publish_report report;
    begin(&world);
    tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T1"), &report);
    for (int i = 0; i < DESKS; i++) {
        desks[i].number = i;
        world_new(&desks[i].world);
    }
    for (int i = 0; i < DESKS; i++)
        assert_int_equal(pthread_create(&desks[i].thread, NULL, run_desk, &desks[i]), 0);
    for (int i = 0; i < DESKS; i++) {
        pthread_join(desks[i].thread, NULL);
        world_free(&desks[i].world);
    }
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(index->row_count, 1 + DESKS);
    assert_int_equal(index->version, 1 + DESKS * (2 * TURNS - 1));
    sp_manifest_index_free(&index);
    sp_publish_report_clear(&report);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_of_four_hundred),
        cmocka_unit_test(test_without_portraits),
        cmocka_unit_test(test_change_is_applied_again),
        cmocka_unit_test(test_messages_with_reference),
        cmocka_unit_test(test_portraits_after_message),
        cmocka_unit_test(test_desks_at_once),
        cmocka_unit_test(test_journey),
        cmocka_unit_test(test_delayed_past_midnight),
        cmocka_unit_test(test_bad_portrait_replaces_none),
        cmocka_unit_test(test_standing),
    };
    if (!world_start())
        return 77;
    world_portraits();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
