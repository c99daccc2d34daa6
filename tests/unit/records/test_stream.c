/* Reading a decision stream page by page, against a real redis-server, and what is refused of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "records/stream.h"
#include "tests/support/redis_server.h"
#include "tests/unit/records/final.h"

#define ENTRIES 1203 /* more than two pages */

static struct redis_server server;
static struct test_site site;
static struct sp_store *store;

/* An entry as a worker's script appends it: id <ms>-1. */
static void append(const char *key, int ms, int sealed_partition, int said_partition)
{
    uint8_t encounter[16] = {(uint8_t)ms, (uint8_t)(ms >> 8)}, *sealed = NULL;
    struct sp_decision decision = test_decision(encounter, 1);
    size_t body_length = 0, length = 0;
    uint8_t *body = test_final(&site, &decision, &body_length);
    char id[32], partition[16], outcome[16], reason[16], issued[32];
    assert_int_equal(sp_entry_seal(&sealed, &length, sealed_partition, encounter, body, body_length,
                                   site.recorder.public_key, NULL),
                     SP_OK);
    snprintf(id, sizeof id, "%d-1", ms);
    snprintf(partition, sizeof partition, "%d", said_partition);
    snprintf(outcome, sizeof outcome, "%d", decision.outcome);
    snprintf(reason, sizeof reason, "%d", decision.reason);
    snprintf(issued, sizeof issued, "%lld", (long long)decision.issued_ms);
    const struct sp_argument arguments[] = {
        SP_ARG_TEXT("XADD"),    SP_ARG_TEXT(key),      SP_ARG_TEXT(id),       SP_ARG_TEXT("partition"),
        SP_ARG_TEXT(partition), SP_ARG_TEXT("lane"),   SP_ARG_TEXT("A1"),     SP_ARG_TEXT("outcome"),
        SP_ARG_TEXT(outcome),   SP_ARG_TEXT("reason"), SP_ARG_TEXT(reason),   SP_ARG_TEXT("issued_ms"),
        SP_ARG_TEXT(issued),    SP_ARG_TEXT("sealed"), SP_ARG(sealed, length)};
    assert_int_equal(sp_store_command(store, arguments, 15, NULL, NULL), SP_OK);
    free(sealed);
    free(body);
}

static int setup(void **state)
{
    (void)state;
    if (!redis_server_present())
        exit(77);
    redis_server_start(&server, NULL);
    const struct sp_store_config config = {server.address, "", "", 2000};
    test_site_new(&site, sp_clock_wall_ms() + 3600000);
    if (sp_store_new(&store, &config, NULL) != SP_OK)
        return 1;
    for (int i = 1; i <= ENTRIES; i++)
        append("sp:{d3}:decisions", i, 3, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sp_store_free(&store);
    redis_server_stop(&server);
    return 0;
}

struct seen {
    int count, opened, stop_at;
    uint64_t last_ms;
    enum sp_status refusal;
};

static enum sp_status on_entry(void *user, const struct sp_stream_entry *raw, struct sp_err *err)
{
    struct seen *seen = user;
    static struct sp_entry entry;
    assert_true(raw->ms > seen->last_ms);
    seen->last_ms = raw->ms;
    if (++seen->count == seen->stop_at)
        return sp_fail(err, SP_E_LIMIT, "enough");
    if (seen->count > 5) /* opening is slow, and shown by five */
        return SP_OK;
    enum sp_status status = sp_stream_open(&entry, raw, &site.recorder, site.authority.public_key, NULL);
    seen->opened += status == SP_OK && entry.decision_count == 1 && strcmp(entry.decisions[0].lane, "A1") == 0;
    seen->refusal = status;
    return SP_OK;
}

static void test_all_pages(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_int_equal(sp_stream_scan(store, 3, 0, 0, on_entry, &seen, NULL), SP_OK);
    assert_int_equal(seen.count, ENTRIES);
    assert_int_equal(seen.opened, 5);
    assert_true(seen.last_ms == ENTRIES);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(sp_stream_scan(store, 4, 0, 0, on_entry, &seen, NULL), SP_OK); /* there is none */
    assert_int_equal(seen.count, 0);
}

static void test_window(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_int_equal(sp_stream_scan(store, 3, 100, 700, on_entry, &seen, NULL), SP_OK);
    assert_int_equal(seen.count, 601); /* both ends belong to it */
    memset(&seen, 0, sizeof seen);
    assert_int_equal(sp_stream_scan(store, 3, ENTRIES + 1, 0, on_entry, &seen, NULL), SP_OK);
    assert_int_equal(seen.count, 0);
}

static void test_a_caller_that_has_enough(void **state)
{
    (void)state;
    struct seen seen = {.stop_at = 501};
    struct sp_err err = {0};
    assert_int_equal(sp_stream_scan(store, 3, 0, 0, on_entry, &seen, &err), SP_E_LIMIT);
    assert_int_equal(seen.count, 501);
    assert_string_equal(err.text, "enough");
}

/* A genuine entry that was copied to another partition's stream, with and without saying so. */
static void test_copied_entries(void **state)
{
    (void)state;
    for (int said = 3; said <= 5; said += 2) {
        struct seen seen = {0};
        char key[SP_STREAM_KEY_MAX];
        int lies = said == 3 ? 6 : 5;
        sp_stream_key(key, lies);
        append(key, 1, 3, said);
        assert_int_equal(sp_stream_scan(store, lies, 0, 0, on_entry, &seen, NULL), SP_OK);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.refusal, said == 3 ? SP_E_FORMAT : SP_E_AUTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pages),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_a_caller_that_has_enough),
        cmocka_unit_test(test_copied_entries),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
