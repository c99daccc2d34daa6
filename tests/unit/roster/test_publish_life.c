/* Closes, purges, garbage and packs against a real redis-server: what they leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/roster/publish_messages.h"

#define STRAY "sp:g:{" MANIFEST "}:63636363636363636363636363636363" /* 63: c */

static const char *const seats[] = {SEAT("1A"), SEAT("2B"), SEAT("3C")};

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
    command(durable, "SET", "sp:m:{" MANIFEST "}:signed", "x");
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

static void purges_unfinished(struct workers *workers)
{
    struct world other;
    uint64_t version = 9;
    workers->before = NULL;
    world_new(&other);
    assert_int_equal(
        sp_manifest_purge(&version, other.config.durable, other.config.galleries, MANIFEST, &world_ops, NULL),
        SP_OK);
    assert_int_equal(version, 0);
    world_free(&other);
}

/* A first publish that fails is listed and can be purged; one that is refused leaves nothing at all. */
static void test_never_finished(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    char(*ids)[SP_MANIFEST_ID_MAX] = NULL;
    int count = 0;
    begin(&world);
    struct sp_store *durable = world.config.durable;
    assert_int_equal(tell(&world, SP_ACTION_REMOVE, FOUR, NULL, &report, &err), SP_E_NOTFOUND);
    assert_int_equal(tell(&world, SP_ACTION_CLOSE_ON_BOARD, FOUR, NULL, &report, &err), SP_E_NOTFOUND);
    assert_int_equal(tell(&world, SP_ACTION_CHANGE_JOURNEY, FOUR, NULL, &report, &err), SP_E_NOTFOUND);
    assert_int_equal(ask(durable, "KEYS", "*"), 0);
    world.workers.die_after = 1;
    assert_int_equal(tell(&world, SP_ACTION_LIST, FOUR, world.portraits, &report, &err), SP_E_UNAVAILABLE);
    world.workers.die_after = 0;
    assert_true(ask(durable, "EXISTS", PORTRAITS) && ask(world.config.galleries, "EXISTS", TEMPLATES));
    assert_int_equal(sp_manifest_list(&ids, &count, durable, NULL), SP_OK);
    assert_int_equal(count, 1);
    assert_string_equal(ids[0], MANIFEST);
    free(ids);
    purges_unfinished(&world.workers);
    assert_int_equal(ask(durable, "KEYS", "*"), 0);
    uint64_t version = 0;
    assert_int_equal(sp_manifest_purge(&version, durable, world.config.galleries, MANIFEST, &world_ops, NULL),
                     SP_E_NOTFOUND);

    /* Purged under the first publish: no version of keys that are gone, it begins again. */
    world.workers.before = purges_unfinished;
    tell_ok(&world, SP_ACTION_CHANGE, FOUR, &report);
    assert_int_equal(report.attempts, 2);
    assert_int_equal(report.lack_count, 2); /* T3 and T4 as ever */
    struct sp_manifest_index *index = load(&world);
    assert_int_equal(index->row_count, 4);
    sp_manifest_index_free(&index);
    assert_int_equal(ask(durable, "SMEMBERS", "sp:manifests"), 1);
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* Whose data keys are gone: no new ones beside what they sealed. */
static void test_keys_gone(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_err err = {0};
    begin(&world);
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    command(world.config.durable, "DEL", "sp:m:{" MANIFEST "}:keys", NULL);
    assert_int_equal(tell(&world, SP_ACTION_CHANGE, HEADER ROW("T5"), NULL, &report, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "keys are gone"));
    assert_false(ask(world.config.durable, "EXISTS", "sp:m:{" MANIFEST "}:keys"));
    world_free(&world);
}

/* A template under a pack that no index knows: of a worker whose pack is not this desk's. */
static void store_stray(struct world *world)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("HSET"), SP_ARG_TEXT(STRAY), SP_ARG_TEXT("stray template id"),
                                      SP_ARG_TEXT("sealed")};
    assert_int_equal(sp_store_command(world->config.galleries, arguments, 4, NULL, NULL), SP_OK);
    command(world->config.galleries, "SADD", "sp:g:{" MANIFEST "}:packs", "cccccccccccccccc");
}

static void test_stray_pack(void **state)
{
    (void)state;
    struct world world;
    static struct sp_publish_report report;
    struct sp_manifest_tidied tidied;
    uint64_t version = 0;
    begin(&world);
    struct sp_store *durable = world.config.durable, *galleries = world.config.galleries;
    tell_ok(&world, SP_ACTION_LIST, FOUR, &report);
    assert_int_equal(ask(galleries, "SMEMBERS", "sp:g:{" MANIFEST "}:packs"), 1); /* workers note theirs */
    store_stray(&world);
    tidy(&world, &tidied, 1);
    assert_int_equal(tidied.templates, 1);
    assert_int_equal(ask(galleries, "HLEN", TEMPLATES), 3);
    assert_false(ask(galleries, "EXISTS", STRAY));
    store_stray(&world);
    assert_int_equal(sp_publish_close(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_OK);
    assert_int_equal(ask(galleries, "KEYS", "sp:g:*"), 0);
    store_stray(&world); /* it was enrolling when the manifest was closed */
    assert_int_equal(sp_manifest_purge(&version, durable, galleries, MANIFEST, &world_ops, NULL), SP_OK);
    assert_int_equal(ask(galleries, "KEYS", "sp:g:*"), 0);
    sp_publish_report_clear(&report);
    world_free(&world);
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
    command(galleries, "SET", TEMPLATES, "left over"); /* as if the desk had died before it deleted them */
    command(durable, "SET", NOTES, "left over");
    assert_int_equal(sp_publish_retire(&version, durable, galleries, MANIFEST, old, &world_ops, NULL),
                     SP_E_NOTFOUND);
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
    command(galleries, "SET", TEMPLATES, "left over"); /* of a worker that was enrolling */
    assert_int_equal(sp_publish_retire(&version, durable, galleries, MANIFEST, world.config.pack, &world_ops, NULL),
                     SP_E_CLOSED);
    memset(old, 0xab, 16);
    assert_int_equal(sp_publish_retire(&version, durable, galleries, MANIFEST, old, &world_ops, NULL), SP_E_CLOSED);
    assert_false(ask(galleries, "EXISTS", TEMPLATES));
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_deletes), cmocka_unit_test(test_closed_under_a_publish),
        cmocka_unit_test(test_purge),         cmocka_unit_test(test_tidy),
        cmocka_unit_test(test_two_packs),     cmocka_unit_test(test_never_finished),
        cmocka_unit_test(test_keys_gone),     cmocka_unit_test(test_stray_pack),
    };
    if (!world_start())
        return 77;
    world_portraits();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
