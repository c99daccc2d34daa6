/* What stops an old signed list, in a real Redis: older ones are refused, parts of the newest list are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "roster/signed.h"
#include "tests/support/redis_server.h"

#define ID  "air-zx-417-20261204-jfk"
#define NOW 1796385600000ll

static struct redis_server server;
static struct sp_store *store;

static int setup(void **state)
{
    (void)state;
    if (!redis_server_present())
        exit(77);
    redis_server_start(&server, NULL);
    const struct sp_store_config config = {server.address, "", "", 2000};
    return sp_store_new(&store, &config, NULL) == SP_OK ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    sp_store_free(&store);
    redis_server_stop(&server);
    return 0;
}

static int forget(void **state)
{
    const struct sp_argument arguments[] = {SP_ARG_TEXT("FLUSHALL")};
    (void)state;
    return sp_store_command(store, arguments, 1, NULL, NULL) == SP_OK ? 0 : 1;
}

static enum sp_status check(int64_t signed_ms, const char *common, int part, struct sp_err *err)
{
    struct sp_signature signature = {.signed_ms = signed_ms};
    struct sp_listing listing = {.common = common, .reference = "", .part = part};
    return sp_signed_check(&signature, &listing, store, ID, err);
}

static void note(int64_t signed_ms, const char *common, int part)
{
    struct sp_signature signature = {.signed_ms = signed_ms};
    struct sp_listing listing = {.common = common, .reference = "", .part = part};
    assert_int_equal(sp_signed_note(&signature, &listing, store, ID, NULL), SP_OK);
}

static void test_older_ones(void **state)
{
    (void)state;
    struct sp_err err = {0};
    assert_int_equal(check(NOW, "", 0, NULL), SP_OK); /* the first */
    note(NOW, "", 0);
    assert_int_equal(check(NOW, "", 0, NULL), SP_OK); /* the same again */
    assert_int_equal(check(NOW + 1, "", 0, NULL), SP_OK);
    assert_int_equal(check(NOW - 1, "", 0, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "old list"));
    note(NOW - 5, "", 0); /* the newest stays the newest */
    assert_int_equal(check(NOW - 1, "", 0, NULL), SP_E_INVALID);
}

static void test_parts(void **state)
{
    (void)state;
    note(NOW, "ZX417/261204", 2);
    assert_int_equal(check(NOW - 60000, "ZX417/261204", 1, NULL), SP_OK); /* part 1 was signed before part 2 */
    assert_int_equal(check(NOW - 60000, "ZX417/261203", 1, NULL), SP_E_INVALID);
    assert_int_equal(check(NOW - 60000, "ZX417/261204", 0, NULL), SP_E_INVALID); /* no part, a whole list */
    note(NOW - 60000, "ZX417/261204", 1);
    assert_int_equal(check(NOW - 1, "", 0, NULL), SP_E_INVALID);
}

static void test_it_expires(void **state)
{
    (void)state;
    sp_reply *reply = NULL;
    note(NOW, "", 0);
    const struct sp_argument arguments[] = {SP_ARG_TEXT("PTTL"), SP_ARG_TEXT("sp:m:{" ID "}:signed")};
    assert_int_equal(sp_store_command(store, arguments, 2, &reply, NULL), SP_OK);
    int64_t left_ms = sp_reply_integer(reply);
    sp_reply_free(&reply);
    assert_true(left_ms > SP_SIGNATURE_MAX_AGE_MS && left_ms <= 2 * SP_SIGNATURE_MAX_AGE_MS);
}

/* What somebody else wrote there stops nobody for good, and crashes nothing. */
static void test_strange_value(void **state)
{
    (void)state;
    const struct sp_argument arguments[] = {
        SP_ARG_TEXT("SET"), SP_ARG_TEXT("sp:m:{" ID "}:signed"),
        SP_ARG_TEXT("not a number and far too long for what this is, in any case")};
    assert_int_equal(sp_store_command(store, arguments, 3, NULL, NULL), SP_OK);
    assert_int_equal(check(NOW, "", 0, NULL), SP_OK);
}

#define TEST(name) cmocka_unit_test_setup(name, forget)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_older_ones), TEST(test_parts), TEST(test_it_expires),
                                       TEST(test_strange_value)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
