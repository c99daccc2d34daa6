/* Messages, closes, purges and packs against a real redis-server: what they cost, what they leave, and what a race
 * does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "roster/manifest_purge.h"
#include "tests/unit/roster/publish_world.h"

#define MANIFEST "air-zx-417-20261204-jfk"
#define HEADER   "carrier,journey,mode,dep_port,arr_port,sched_dep,sched_arr,traveller_ref,surname,seat_or_cabin\n"
#define ROW(ref) "ZX,417,air,JFK,LIS,2026-12-04T18:20,2026-12-05T06:10," ref ",Doe,\n"

/* T4 in one seat after the other. */
#define SEAT(seat) HEADER "ZX,417,air,JFK,,2026-12-04T18:20,,T4,Doe," seat "\n"
static const char *const seats[] = {SEAT("1A"), SEAT("2B"), SEAT("3C")};

static char reference[32]; /* of the next message; "": none */

static enum sp_status tell(struct world *world, enum sp_listing_action action, const char *text,
                           const struct sp_portraits *portraits, struct sp_publish_report *ret, struct sp_err *err)
{
    struct sp_roster *roster = NULL;
    struct sp_apply_message message;
    sp_publish_report_clear(ret);
    if (sp_roster_parse(&roster, "m.csv", text, strlen(text), err) != SP_OK)
        fail_msg("%s", err ? err->text : "no roster");
    sp_apply_whole(&message, roster, action, true);
    message.reference = reference;
    enum sp_status status = sp_publish_message(ret, &message, roster, portraits, &world->config, err);
    sp_roster_free(&roster);
    return status;
}

static void tell_ok(struct world *world, enum sp_listing_action action, const char *text,
                    struct sp_publish_report *ret)
{
    struct sp_err err = {0};
    if (tell(world, action, text, world->portraits, ret, &err) != SP_OK)
        fail_msg("%s", err.text);
}

static void begin(struct world *world)
{
    world_new(world);
    reference[0] = 0;
    command(world->config.durable, "FLUSHALL", NULL, NULL);
}

static int64_t ask(struct sp_store *store, const char *verb, const char *key)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT(verb), SP_ARG_TEXT(key)};
    sp_reply *reply = NULL;
    assert_int_equal(sp_store_command(store, arguments, 2, &reply, NULL), SP_OK);
    int64_t value =
        sp_reply_type(reply) == SP_REPLY_ARRAY ? (int64_t)sp_reply_count(reply) : sp_reply_integer(reply);
    sp_reply_free(&reply);
    return value;
}

static struct sp_manifest_index *load(struct world *world)
{
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index = NULL;
    struct sp_manifest_reader reader = {"ops", &world_ops};
    uint64_t version = 0;
    enum sp_manifest_state state;
    assert_int_equal(sp_manifest_current(world->config.durable, MANIFEST, &version, &state, NULL), SP_OK);
    assert_int_equal(sp_manifest_open_keys(&keys, world->config.durable, MANIFEST, &reader, NULL), SP_OK);
    assert_int_equal(sp_manifest_load_index(&index, world->config.durable, MANIFEST, version, &keys, NULL), SP_OK);
    assert_int_equal(index->state, state);
    return index;
}

#define PORTRAITS   "sp:m:{" MANIFEST "}:portraits"
#define ROWS        "sp:m:{" MANIFEST "}:rows"
#define CURRENT     "sp:m:{" MANIFEST "}:current"
#define NOTES       "sp:m:{" MANIFEST "}:enrolled:abababababababababababababababab"
#define TEMPLATES   "sp:g:{" MANIFEST "}:abababababababababababababababab"
#define TEMPLATES_2 "sp:g:{" MANIFEST "}:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define FOUR        HEADER ROW("T1") ROW("T2") ROW("T3") ROW("T4")

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
    assert_int_equal(report.warning_count, 1);
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
    sp_ports_free(&ports);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void test_close_deletes(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    uint64_t version = 0;
    begin(&world);
    struct sp_store *durable = world.config.durable;
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    assert_true(ask(durable, "EXISTS", PORTRAITS) && ask(world.config.galleries, "EXISTS", TEMPLATES));
    tell_ok(&world, SP_ACTION_CLOSE_NOT_ON_BOARD, HEADER ROW("T2"), &report);
    assert_int_equal(report.state, SP_MANIFEST_CLOSED);
    assert_false(ask(durable, "EXISTS", PORTRAITS) || ask(world.config.galleries, "EXISTS", TEMPLATES) ||
                 ask(durable, "EXISTS", NOTES));
    struct sp_manifest_index *index = load(&world);
    int aboard = 0;
    for (int i = 0; i < index->row_count; i++)
        aboard += index->rows[i].boarding == SP_BOARDING_ON_BOARD;
    assert_int_equal(aboard, 3);
    sp_manifest_index_free(&index);
    assert_int_equal(tell(&world, SP_ACTION_CHANGE, FOUR, world.portraits, &report, &err), SP_E_CLOSED);
    command(durable, "SET", PORTRAITS, "left over"); /* as if the desk had died before it deleted them */
    assert_int_equal(sp_publish_close(&version, durable, world.config.galleries, MANIFEST, &world_ops, &err),
                     SP_E_CLOSED);
    assert_false(ask(durable, "EXISTS", PORTRAITS));
    tell_ok(&world, SP_ACTION_CLOSE_ON_BOARD, HEADER ROW("T2"), &report); /* corrected */
    assert_int_equal(report.changed, 4);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void other_closes(struct workers *workers)
{
    struct world other;
    uint64_t version = 0;
    workers->before = NULL;
    world_new(&other);
    assert_int_equal(
        sp_publish_close(&version, other.config.durable, other.config.galleries, MANIFEST, &world_ops, NULL),
        SP_OK);
    world_free(&other);
}

static void other_purges(struct workers *workers)
{
    struct world other;
    uint64_t version = 0;
    other_closes(workers);
    world_new(&other);
    assert_int_equal(
        sp_manifest_purge(&version, other.config.durable, other.config.galleries, MANIFEST, &world_ops, NULL),
        SP_OK);
    world_free(&other);
}

/* The manifest ends while a publish has its portraits enrolled: nothing of that publish stays. */
static void test_closed_under_a_publish(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    for (int purged = 0; purged < 2; purged++) {
        begin(&world);
        tell_ok(&world, SP_ACTION_LIST, HEADER ROW("T2"), &report);
        world.workers.before = purged ? other_purges : other_closes;
        enum sp_status status = tell(&world, SP_ACTION_CHANGE, HEADER ROW("T1"), world.portraits, &report, &err);
        if (purged) /* its workers have no keys any more */
            assert_int_not_equal(status, SP_OK);
        else
            assert_int_equal(status, SP_E_CLOSED);
        assert_false(ask(world.config.durable, "EXISTS", PORTRAITS) || ask(world.config.durable, "EXISTS", NOTES) ||
                     ask(world.config.galleries, "EXISTS", TEMPLATES));
        sp_publish_report_clear(&report);
        world_free(&world);
    }
}

static void test_purge(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    uint64_t version = 0;
    begin(&world);
    struct sp_store *durable = world.config.durable, *galleries = world.config.galleries;
    assert_int_equal(sp_manifest_purge(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_E_NOTFOUND);
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    for (int i = 0; i < 6; i++)
        tell_ok(&world, SP_ACTION_CHANGE, seats[i % 3], &report);
    assert_int_equal(sp_manifest_purge(&version, durable, galleries, MANIFEST, &world_ops, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "close"));
    assert_int_equal(sp_publish_close(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_OK);
    command(durable, "SET", "sp:m:{" MANIFEST "}:claims", "x");
    assert_int_equal(sp_manifest_purge(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_OK);
    assert_int_equal(ask(durable, "KEYS", "*"), 1); /* current, and nothing else in the whole store */
    assert_true(ask(durable, "TTL", CURRENT) > 390 * 86400);
    assert_int_equal(tell(&world, SP_ACTION_LIST, FOUR, world.portraits, &report, &err), SP_E_CLOSED);
    assert_int_equal(sp_publish_close(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_E_CLOSED);
    command(durable, "SET", ROWS, "left over"); /* as if the desk had died on the way */
    command(durable, "SET", "sp:m:{" MANIFEST "}:index:2", "left over");
    uint64_t again = 0;
    assert_int_equal(sp_manifest_purge(&again, durable, galleries, MANIFEST, &world_ops, NULL), SP_OK);
    assert_true(again == version);
    assert_int_equal(ask(durable, "KEYS", "*"), 1);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void tidy(struct world *world, struct sp_manifest_tidied *ret, int64_t now_ms)
{
    struct sp_err err = {0};
    if (sp_manifest_tidy(ret, world->config.durable, world->config.galleries, MANIFEST, &world_ops, now_ms, &err) !=
        SP_OK)
        fail_msg("%s", err.text);
}

static void other_tidies(struct workers *workers)
{
    struct world other;
    struct sp_manifest_tidied tidied;
    workers->before = NULL;
    world_new(&other);
    tidy(&other, &tidied, 1);
    assert_true(tidied.rows > 0);
    world_free(&other);
}

static void test_tidy(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_manifest_tidied tidied;
    begin(&world);
    struct sp_store *durable = world.config.durable;
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    for (int i = 0; i < 3; i++)
        tell_ok(&world, SP_ACTION_CHANGE, seats[i], &report);
    assert_int_equal(ask(durable, "KEYS", "sp:m:*:index:*"), 3); /* the last three */
    tell_ok(&world, SP_ACTION_REMOVE, HEADER ROW("T2"), &report);
    assert_int_equal(ask(durable, "HLEN", PORTRAITS), 4);
    tidy(&world, &tidied, 1);
    assert_int_equal(tidied.version, 6);
    assert_int_equal(tidied.portraits, 2);
    assert_int_equal(tidied.notes, 2);
    assert_int_equal(tidied.templates, 2);
    assert_int_equal(tidied.rows, 4); /* T2, and T4 in all seats but the last */
    assert_int_equal(ask(durable, "HLEN", PORTRAITS), 2);
    assert_int_equal(ask(durable, "HLEN", ROWS), 3);
    tidy(&world, &tidied, 1);
    assert_int_equal(tidied.version, 6); /* nothing to do: no version */
    tell_ok(&world, SP_ACTION_CHANGE, HEADER ROW("T2"), &report);
    assert_int_equal(report.enrolled, 2); /* its templates are gone: made again */

    /* A publish counts on a portrait that a tidy removes meanwhile: it loses the race and puts it there again. */
    tell_ok(&world, SP_ACTION_REMOVE, HEADER ROW("T2"), &report);
    command(world.config.galleries, "DEL", TEMPLATES, NULL); /* so that there is something to enrol */
    world.workers.before = other_tidies;
    tell_ok(&world, SP_ACTION_CHANGE, HEADER ROW("T2"), &report);
    assert_int_equal(report.attempts, 2);
    assert_int_equal(report.lack_count, 2); /* T3 and T4 as ever */
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(ask(durable, "HLEN", PORTRAITS), 4);
    for (int i = 0; i < index->row_count; i++)
        for (int k = 0; k < index->rows[i].portrait_count; k++) {
            struct sp_argument arguments[] = {SP_ARG_TEXT("HEXISTS"), SP_ARG_TEXT(PORTRAITS),
                                              SP_ARG(index->rows[i].portraits[k].id, 16)};
            sp_reply *reply = NULL;
            assert_int_equal(sp_store_command(durable, arguments, 3, &reply, NULL), SP_OK);
            assert_int_equal(sp_reply_integer(reply), 1);
            sp_reply_free(&reply);
        }
    sp_manifest_index_free(&index);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static bool died(struct world *world, int after)
{
    static struct sp_publish_report report;
    world->workers.die_after = after;
    enum sp_status status = sp_publish_enrol(&report, MANIFEST, &world->config, NULL);
    world->workers.die_after = 0;
    return status == SP_E_UNAVAILABLE;
}

/* Another model: everything is enrolled under it beside the old one, and both serve. */
static void test_two_packs(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    uint8_t old[16];
    uint64_t version = 0;
    begin(&world);
    struct sp_store *durable = world.config.durable, *galleries = world.config.galleries;
    memcpy(old, world.config.pack, 16);
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    world.workers.enrolled = 0;
    memset(world.config.pack, 0xcd, 16);
    assert_true(died(&world, 2)); /* a desk dies on the way */
    assert_int_equal(world.workers.enrolled, 2);
    sp_publish_report_clear(&report);
    if (sp_publish_enrol(&report, MANIFEST, &world.config, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(report.version, 2);
    assert_int_equal(report.state, SP_MANIFEST_COMPLETE); /* nobody came or left */
    assert_int_equal(world.workers.enrolled, 4);          /* all four, once */
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(index->pack_count, 2);
    assert_memory_equal(index->packs[0], world.config.pack, 16);
    assert_memory_equal(index->packs[1], old, 16);
    for (int i = 0; i < index->row_count; i++)
        assert_int_equal(sp_index_row_usable(&index->rows[i], 0), sp_index_row_usable(&index->rows[i], 1));
    sp_manifest_index_free(&index);
    assert_int_equal(ask(galleries, "HLEN", TEMPLATES), 3);
    assert_int_equal(ask(galleries, "HLEN", TEMPLATES_2), 3);

    memcpy(world.config.pack, old, 16); /* a desk that does not know of it publishes: under both */
    tell_ok(&world, SP_ACTION_CHANGE, HEADER ROW("T5"), &report);
    assert_int_equal(report.enrolled, 2);
    assert_int_equal(ask(galleries, "HLEN", TEMPLATES), 4);
    assert_int_equal(ask(galleries, "HLEN", TEMPLATES_2), 4);
    memset(world.config.pack, 0xee, 16);
    sp_publish_report_clear(&report);
    assert_int_equal(sp_publish_enrol(&report, MANIFEST, &world.config, &err), SP_E_INVALID); /* a third */

    assert_int_equal(sp_publish_retire(&version, durable, galleries, MANIFEST, world.config.pack, &world_ops, NULL),
                     SP_E_NOTFOUND);
    assert_int_equal(sp_publish_retire(&version, durable, galleries, MANIFEST, old, &world_ops, NULL), SP_OK);
    assert_int_equal(version, 4);
    assert_false(ask(galleries, "EXISTS", TEMPLATES) || ask(durable, "EXISTS", NOTES));
    index = load(&world);
    assert_int_equal(index->pack_count, 1);
    int usable = 0;
    for (int i = 0; i < index->row_count; i++)
        usable += sp_index_row_usable(&index->rows[i], 0);
    assert_int_equal(usable, 3); /* T1, T2, T5 */
    memcpy(old, index->packs[0], 16);
    sp_manifest_index_free(&index);
    assert_int_equal(sp_publish_retire(&version, durable, galleries, MANIFEST, old, &world_ops, NULL),
                     SP_E_INVALID);
    memset(world.config.pack, 0xcd, 16);
    assert_int_equal(sp_publish_enrol(&report, "air-x", &world.config, NULL), SP_E_NOTFOUND);
    assert_int_equal(sp_publish_close(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_OK);
    assert_int_equal(sp_publish_enrol(&report, MANIFEST, &world.config, NULL), SP_E_CLOSED);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_of_four_hundred),
        cmocka_unit_test(test_without_portraits),
        cmocka_unit_test(test_change_is_applied_again),
        cmocka_unit_test(test_messages_with_reference),
        cmocka_unit_test(test_journey),
        cmocka_unit_test(test_close_deletes),
        cmocka_unit_test(test_closed_under_a_publish),
        cmocka_unit_test(test_purge),
        cmocka_unit_test(test_tidy),
        cmocka_unit_test(test_two_packs),
        cmocka_unit_test(test_standing),
    };
    if (!world_start())
        return 77;
    world_portrait("T1.jpg", "face of T1");
    world_portrait("T2_1.jpg", "face of T2");
    world_portrait("T2_2.jpg", "another face of T2");
    world_portrait("T3.png", "faceless");
    world_portrait("T5.jpg", "face of T5");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
