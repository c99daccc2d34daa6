/* Publishing against a real redis-server, with an enroller that plays the workers: fences, resuming, costs, seals.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/reason.h"
#include "tests/unit/document/make_dg2.h"
#include "tests/unit/roster/publish_world.h"

#define MANIFEST         "air-zx-417-20261204-jfk"
#define HEADER           "carrier,journey,mode,dep_port,sched_dep,traveller_ref,surname,photo_uri\n"
#define ROW(ref)         "ZX,417,air,JFK,2026-12-04T18:20," ref ",Doe,\n"
#define ROW_AT(ref, uri) "ZX,417,air,JFK,2026-12-04T18:20," ref ",Doe," uri "\n"

static enum sp_status publish(struct world *world, const char *text, struct sp_publish_report *ret,
                              struct sp_err *err)
{
    struct sp_roster *roster = NULL;
    memset(ret, 0, sizeof *ret);
    assert_int_equal(sp_roster_parse(&roster, "m.csv", text, strlen(text), err), SP_OK);
    enum sp_status status = sp_publish(ret, roster, world->portraits, &world->config, err);
    sp_roster_free(&roster);
    return status;
}

#define FOUR HEADER ROW("T1") ROW("T2") ROW("T3") ROW("T4")

static void test_costs_only_what_changed(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK); /* T3 is faceless, T4 has no file */
    assert_string_equal(report.manifest, MANIFEST);
    assert_int_equal(report.version, 1);
    assert_int_equal(report.state, SP_MANIFEST_COMPLETE);
    assert_int_equal(report.enrolled, 3); /* T1, and two of T2 */
    assert_int_equal(report.new_rows, 4);
    assert_int_equal(report.lack_count, 2);
    assert_string_equal(report.lacks[0].label, "T3");
    assert_int_equal(report.lacks[0].reason, SP_REASON_NO_FACE);
    assert_string_equal(report.lacks[1].label, "T4");
    assert_int_equal(report.lacks[1].reason, SP_REASON_NO_PORTRAIT);
    sp_publish_report_clear(&report);
    assert_int_equal(world.workers.enrolled, 4);

    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK);
    assert_true(report.unchanged);
    assert_int_equal(report.version, 1);
    assert_int_equal(report.lack_count, 2);
    sp_publish_report_clear(&report);
    assert_int_equal(world.workers.enrolled, 4); /* the faceless one is not tried again either */

    assert_int_equal(publish(&world, HEADER ROW("T1") ROW("T3") ROW("T5"), &report, NULL), SP_OK);
    assert_int_equal(report.version, 2);
    assert_int_equal(report.state, SP_MANIFEST_AMENDED);
    assert_int_equal(report.enrolled, 1);
    assert_int_equal(report.new_rows, 1);
    sp_publish_report_clear(&report);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK); /* T2 comes back and finds its templates */
    assert_int_equal(report.version, 3);
    assert_int_equal(report.enrolled, 0);
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* Galleries were lost: the templates are made again, the version stays. */
static void test_rebuilds_templates(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    char key[160] = "sp:g:{" MANIFEST "}:abababababababababababababababab";
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK);
    sp_publish_report_clear(&report);
    command(world.config.galleries, "DEL", key, NULL);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK);
    assert_true(report.unchanged);
    assert_int_equal(report.enrolled, 3);
    sp_publish_report_clear(&report);
    world_free(&world);
}

static void test_dead_desk_resumes(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    struct sp_err err = {0};
    uint64_t version = 9;
    enum sp_manifest_state manifest_state;
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    world.workers.die_after = 3;
    assert_int_equal(publish(&world, FOUR, &report, &err), SP_E_UNAVAILABLE);
    assert_int_equal(sp_manifest_current(world.config.durable, MANIFEST, &version, &manifest_state, NULL), SP_OK);
    assert_int_equal(version, 0); /* nothing stands */
    world.workers.die_after = 0;
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK);
    assert_int_equal(report.version, 1);
    assert_int_equal(report.resumed, 3);
    assert_int_equal(world.workers.enrolled, 4); /* three before it died, one after */
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* Another desk publishes while this one waits for its workers. */
static void other_desk(struct workers *workers)
{
    struct world other;
    struct sp_publish_report report;
    workers->before = NULL;
    world_new(&other);
    assert_int_equal(publish(&other, HEADER ROW("T5"), &report, NULL), SP_OK);
    sp_publish_report_clear(&report);
    world_free(&other);
}

static void test_two_desks(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    struct sp_err err = {0};
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index = NULL;
    struct sp_manifest_reader reader = {"ops", &world_ops};
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    world.workers.before = other_desk;
    assert_int_equal(publish(&world, FOUR, &report, &err), SP_E_CONFLICT);
    assert_non_null(strstr(err.text, "another desk"));
    assert_int_equal(sp_manifest_open_keys(&keys, world.config.durable, MANIFEST, &reader, NULL), SP_OK);
    assert_int_equal(sp_manifest_load_index(&index, world.config.durable, MANIFEST, 1, &keys, NULL), SP_OK);
    assert_int_equal(index->row_count, 1); /* the faster desk's version is whole */
    sp_manifest_index_free(&index);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK); /* again, knowingly */
    assert_int_equal(report.version, 2);
    assert_int_equal(report.resumed, 4);
    sp_publish_report_clear(&report);
    world_free(&world);
}

struct desk {
    pthread_t thread;
    struct world world;
    enum sp_status status;
    uint64_t version;
};

static void *run_desk(void *user)
{
    struct desk *desk = user;
    struct sp_publish_report report;
    desk->status = publish(&desk->world, FOUR, &report, NULL);
    desk->version = report.version;
    sp_publish_report_clear(&report);
    return NULL;
}

/* The same file from several desks at once: one flips, the others conflict or find it unchanged; one version. */
static void test_desks_at_once(void **state)
{
    (void)state;
    static struct desk desks[6];
    int flipped = 0;
    memset(desks, 0, sizeof desks);
    for (int i = 0; i < 6; i++)
        world_new(&desks[i].world);
    command(desks[0].world.config.durable, "FLUSHALL", NULL, NULL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&desks[i].thread, NULL, run_desk, &desks[i]), 0);
    for (int i = 0; i < 6; i++) {
        pthread_join(desks[i].thread, NULL);
        assert_true(desks[i].status == SP_OK || desks[i].status == SP_E_CONFLICT);
        flipped += desks[i].status == SP_OK;
        if (desks[i].status == SP_OK)
            assert_int_equal(desks[i].version, 1);
        world_free(&desks[i].world);
    }
    assert_true(flipped >= 1);
}

static void test_nothing_outside_is_read(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    assert_int_equal(
        publish(&world, HEADER ROW_AT("T1", "../x.jpg") ROW_AT("T2", "/etc/passwd") ROW("T5"), &report, NULL),
        SP_OK);
    assert_int_equal(report.portraits, 1);
    assert_int_equal(report.lack_count, 2);
    assert_int_equal(report.lacks[0].reason, SP_REASON_BAD_PORTRAIT);
    assert_non_null(strstr(report.lacks[0].text, "outside the portraits directory"));
    sp_publish_report_clear(&report);
    world_free(&world);
}

/* A DG2 with this many images, of which the second is the first again. */
static void write_dg2(const char *name, int count)
{
    struct face faces[12];
    char pictures[12][16];
    for (int i = 0; i < count; i++) {
        snprintf(pictures[i], sizeof pictures[i], "\xff\xd8\xff picture %c", 'A' + (i == 1 ? 0 : i));
        faces[i] = (struct face){.bytes = (const uint8_t *)pictures[i], .length = strlen(pictures[i])};
    }
    struct buffer record = make_fac(10, faces, count), file = make_dg2(0x5f2e, &record, 1);
    test_folder_write(world_folder, name, file.bytes, file.length, 0600);
    free(file.bytes);
}

/* Each image of a DG2 is a portrait of its row, and what workers get is the picture. */
static void test_pictures_of_a_dg2(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    struct sp_manifest_keys keys;
    struct sp_manifest_reader reader = {"workers", &world_fleet};
    struct sp_manifest_index *index = NULL;
    write_dg2("D1.dg2", 3);
    write_dg2("D2.bin", 11);
    test_folder_write(world_folder, "D3.dg2", "\x75\x05\x7f\x61\x02\x02\x00", 7, 0600);
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    assert_int_equal(
        publish(&world, HEADER ROW("D1") ROW("D2") ROW("D3") ROW_AT("D4", "D1.dg2;T1.jpg"), &report, NULL), SP_OK);
    assert_int_equal(report.portraits, 2 + 7 + 3); /* D2: eight are read, one of them twice the same */
    assert_int_equal(report.enrolled, 2 + 7 + 3);
    assert_int_equal(report.remark_count, 1);
    assert_int_equal(report.lack_count, 1);
    assert_int_equal(report.lacks[0].reason, SP_REASON_BAD_PORTRAIT);
    assert_non_null(strstr(report.lacks[0].text, "portrait D3.dg2: tag 7F61 at offset 2 holds no image"));
    sp_publish_report_clear(&report);
    assert_int_equal(sp_manifest_open_keys(&keys, world.config.durable, MANIFEST, &reader, NULL), SP_OK);
    assert_int_equal(sp_manifest_load_index(&index, world.config.durable, MANIFEST, 1, &keys, NULL), SP_OK);
    for (int i = 0; i < index->row_count; i++)
        for (int k = 0; k < index->rows[i].portrait_count; k++) {
            uint8_t *image = NULL;
            size_t length = 0;
            assert_int_equal(sp_manifest_load_portrait(&image, &length, world.config.durable, MANIFEST,
                                                       index->rows[i].portraits[k].id, &keys, NULL),
                             SP_OK);
            assert_int_not_equal(image[0], 0x75);
            free(image);
        }
    sp_manifest_index_free(&index);
    world_free(&world);
}

static void test_partial_complete_closed(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    struct sp_err err = {0};
    uint64_t version = 0;
    world_new(&world);
    command(world.config.durable, "FLUSHALL", NULL, NULL);
    world.config.state = SP_MANIFEST_PARTIAL;
    assert_int_equal(publish(&world, HEADER ROW("T1"), &report, NULL), SP_OK);
    assert_int_equal(report.state, SP_MANIFEST_PARTIAL);
    sp_publish_report_clear(&report);
    world.config.state = SP_MANIFEST_COMPLETE;
    assert_int_equal(publish(&world, HEADER ROW("T1"), &report, NULL), SP_OK); /* complete is news of its own */
    assert_int_equal(report.state, SP_MANIFEST_COMPLETE);
    assert_int_equal(report.version, 2);
    sp_publish_report_clear(&report);
    assert_int_equal(
        sp_publish_close(&version, world.config.durable, world.config.galleries, MANIFEST, &world_ops, NULL),
        SP_OK);
    assert_int_equal(version, 3);
    assert_int_equal(
        sp_publish_close(&version, world.config.durable, world.config.galleries, MANIFEST, &world_ops, &err),
        SP_E_CLOSED);
    assert_int_equal(publish(&world, HEADER ROW("T1"), &report, &err), SP_E_CLOSED);
    assert_int_equal(
        sp_publish_close(&version, world.config.durable, world.config.galleries, "air-x", &world_ops, &err),
        SP_E_NOTFOUND);
    world_free(&world);
}

/* Sealed values open only under their own key and for their own role. */
static void test_seals(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    struct sp_manifest_keys keys, worker_keys;
    struct sp_manifest_index *index = NULL;
    struct sp_manifest_reader desk = {"ops", &world_ops}, worker = {"workers", &world_fleet},
                              stranger = {"ops", &world_fleet};
    uint8_t *image = NULL, id[1][16], present = 9;
    float vector[DIM];
    size_t length = 0;
    world_new(&world);
    struct sp_store *store = world.config.durable;
    command(store, "FLUSHALL", NULL, NULL);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_OK);
    sp_publish_report_clear(&report);
    assert_int_equal(sp_manifest_open_keys(&keys, store, MANIFEST, &stranger, NULL), SP_E_AUTH);
    assert_int_equal(sp_manifest_open_keys(&keys, store, "air-x", &desk, NULL), SP_E_NOTFOUND);
    assert_int_equal(sp_manifest_open_keys(&keys, store, MANIFEST, &desk, NULL), SP_OK);
    assert_int_equal(sp_manifest_open_keys(&worker_keys, store, MANIFEST, &worker, NULL), SP_OK);
    assert_int_equal(sp_manifest_load_index(&index, store, MANIFEST, 1, &worker_keys, NULL), SP_OK);
    const struct sp_index_row *row = NULL;
    for (int i = 0; i < index->row_count; i++)
        if (index->rows[i].portrait_count == 2)
            row = &index->rows[i];
    assert_non_null(row); /* T2 */
    assert_int_equal(
        sp_manifest_load_portrait(&image, &length, store, MANIFEST, row->portraits[0].id, &worker_keys, NULL),
        SP_OK);
    assert_memory_equal(image, "face of T2", 10);
    free(image);
    assert_int_equal(sp_manifest_load_portrait(&image, &length, store, MANIFEST, row->row, &worker_keys, NULL),
                     SP_E_NOTFOUND);
    sp_template_id(id[0], MANIFEST, row->row, world.config.pack, row->portraits[0].id);
    assert_int_equal(sp_template_load(world.config.galleries, MANIFEST, world.config.pack, (const uint8_t(*)[16])id,
                                      1, DIM, vector, &present, &worker_keys, NULL),
                     SP_OK);
    assert_int_equal(present, 1);
    assert_true(vector[0] > 0);
    assert_int_equal(sp_template_load(world.config.galleries, MANIFEST, world.config.pack, (const uint8_t(*)[16])id,
                                      1, DIM, vector, &present, &keys,
                                      NULL), /* the desk has no key for templates */
                     SP_OK);
    assert_int_equal(present, 0);
    command(store, "RENAME", "sp:m:{" MANIFEST "}:index:1", "sp:m:{" MANIFEST "}:index:2");
    sp_manifest_index_free(&index);
    assert_int_equal(sp_manifest_load_index(&index, store, MANIFEST, 2, &worker_keys, NULL), SP_E_AUTH);
    assert_int_equal(sp_manifest_load_index(&index, store, MANIFEST, 1, &worker_keys, NULL), SP_E_NOTFOUND);
    world_free(&world);
}

static void test_current(void **state)
{
    (void)state;
    uint64_t version = 0;
    enum sp_manifest_state found;
    static const char *const bad[] = {"",           "7",           "7 ",
                                      "0 COMPLETE", "7 COMPLETED", "x COMPLETE",
                                      "-1 CLOSED",  "7  CLOSED",   "99999999999999999999999 CLOSED"};
    assert_int_equal(sp_manifest_current_parse((const uint8_t *)"12 AMENDED", 10, &version, &found, NULL), SP_OK);
    assert_int_equal(version, 12);
    assert_int_equal(found, SP_MANIFEST_AMENDED);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sp_manifest_current_parse((const uint8_t *)bad[i], strlen(bad[i]), &version, &found, NULL),
                         SP_E_FORMAT);
}

static void test_store_away(void **state)
{
    (void)state;
    struct world world;
    struct sp_publish_report report;
    world_new(&world);
    redis_server_kill(&world_server);
    assert_int_equal(publish(&world, FOUR, &report, NULL), SP_E_UNAVAILABLE);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs_only_what_changed),
        cmocka_unit_test(test_rebuilds_templates),
        cmocka_unit_test(test_dead_desk_resumes),
        cmocka_unit_test(test_two_desks),
        cmocka_unit_test(test_desks_at_once),
        cmocka_unit_test(test_nothing_outside_is_read),
        cmocka_unit_test(test_pictures_of_a_dg2),
        cmocka_unit_test(test_partial_complete_closed),
        cmocka_unit_test(test_seals),
        cmocka_unit_test(test_current),
        cmocka_unit_test(test_store_away),
    };
    static const char *const files[][2] = {{"T1.jpg", "face of T1"},
                                           {"T2_1.jpg", "face of T2"},
                                           {"T2_2.jpg", "another face of T2"},
                                           {"T3.png", "faceless"},
                                           {"T5.jpg", "face of T5"}};
    if (!world_start())
        return 77;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        world_portrait(files[i][0], files[i][1]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop();
    return failed;
}
