/* What workers say of themselves, and what a desk reads of it, over a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "roster/fleet.h"
#include "tests/support/redis_server.h"

static struct redis_server server;
static struct sp_store *store;

static void command(const char *a, const char *b, const char *c)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT(a), SP_ARG_TEXT(b), SP_ARG_TEXT(c)};
    struct sp_err err = {0};
    if (sp_store_command(store, arguments, 3, NULL, &err) != SP_OK)
        fail_msg("%s", err.text);
}

static struct sp_fleet_report report_of(const char *worker, struct sp_fleet_gallery *galleries, int count)
{
    struct sp_fleet_report report = {
        .backend = "cpu", .at_ms = 1764192599123, .gallery_count = count, .galleries = galleries};
    snprintf(report.worker, sizeof report.worker, "%s", worker);
    memset(report.pack, 5, sizeof report.pack);
    for (int i = 0; i < count; i++) {
        memset(&galleries[i], 0, sizeof galleries[i]);
        snprintf(galleries[i].manifest, sizeof galleries[i].manifest, "air-zx-%d-20261204-jfk", i);
        galleries[i].version = (uint64_t)i + 1;
        galleries[i].people = 10 * i;
        galleries[i].missing = i % 3;
    }
    return report;
}

static void test_write_and_read(void **state)
{
    static struct sp_fleet_gallery many[SP_FLEET_MAX_GALLERIES];
    struct sp_fleet_gallery two[2];
    struct sp_fleet_report *reports = NULL;
    struct sp_err err = {0};
    int count = -1;
    (void)state;
    assert_int_equal(sp_fleet_read(&reports, &count, store, NULL), SP_OK);
    assert_int_equal(count, 0);
    sp_fleet_free(&reports, count);
    struct sp_fleet_report b = report_of("worker-b", two, 2),
                           a = report_of("worker-a", many, SP_FLEET_MAX_GALLERIES);
    assert_int_equal(sp_fleet_write(store, &b, NULL), SP_OK);
    assert_int_equal(sp_fleet_write(store, &a, NULL), SP_OK);
    command("SADD", "sp:fleet", "worker-c"); /* reported once, silent since */
    if (sp_fleet_read(&reports, &count, store, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(count, 3);
    assert_string_equal(reports[0].worker, "worker-a");
    assert_int_equal(reports[0].gallery_count, SP_FLEET_MAX_GALLERIES);
    assert_memory_equal(reports[0].galleries, many, sizeof many);
    assert_false(reports[0].stale);
    assert_string_equal(reports[1].worker, "worker-b");
    assert_string_equal(reports[1].backend, "cpu");
    assert_int_equal(reports[1].pack[15], 5);
    assert_true(reports[1].at_ms == 1764192599123);
    assert_int_equal(reports[1].galleries[1].people, 10);
    assert_int_equal(reports[1].galleries[1].missing, 1);
    assert_string_equal(reports[2].worker, "worker-c");
    assert_true(reports[2].stale);
    assert_int_equal(reports[2].gallery_count, 0);
    sp_fleet_free(&reports, count);
    struct sp_argument left[] = {SP_ARG_TEXT("PTTL"), SP_ARG_TEXT("sp:fleet:worker-b")};
    sp_reply *reply = NULL;
    assert_int_equal(sp_store_command(store, left, 2, &reply, NULL), SP_OK);
    assert_in_range(sp_reply_integer(reply), 1, SP_FLEET_LIFE_MS);
    sp_reply_free(&reply);
    b.gallery_count = SP_FLEET_MAX_GALLERIES + 1;
    assert_int_equal(sp_fleet_write(store, &b, NULL), SP_E_INVALID);
}

static void test_bad_reports(void **state)
{
    struct sp_fleet_gallery two[2];
    struct sp_fleet_report report = report_of("worker-d", two, 2), back;
    struct sp_fleet_report *reports = NULL;
    struct sp_err err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    int count = 0;
    (void)state;
    assert_int_equal(sp_fleet_encode(&bytes, &length, &report, NULL), SP_OK);
    for (size_t i = 0; i < length; i++) /* every cut is noticed */
        assert_int_not_equal(sp_fleet_decode(&back, bytes, i, NULL), SP_OK);
    assert_int_equal(sp_fleet_decode(&back, bytes, length, NULL), SP_OK);
    free(back.galleries);
    free(bytes);
    command("SADD", "sp:fleet", "worker-e");
    command("SET", "sp:fleet:worker-e", "not a report");
    assert_int_equal(sp_fleet_read(&reports, &count, store, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "worker-e"));
    command("SREM", "sp:fleet", "worker-e");
    command("SADD", "sp:fleet", "../etc");
    assert_int_equal(sp_fleet_read(&reports, &count, store, &err), SP_E_FORMAT);
    assert_null(reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_bad_reports)};
    if (!redis_server_present()) {
        printf("skipped: redis-server is not installed\n");
        return 77;
    }
    redis_server_start(&server, NULL);
    struct sp_store_config config = {server.address, "", "", 2000};
    if (sp_store_new(&store, &config, NULL) != SP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sp_store_free(&store);
    redis_server_stop(&server);
    return failed;
}
