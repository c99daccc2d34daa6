/* The desk's question for look-alikes, against a broker that can misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_broker.h"
#include "ops/review.h"

static struct fake_broker fake;
static struct sp_ops_config config;

static void save(char *ret_path, const struct sp_key_file *key, const char *name, bool secret)
{
    struct sp_err err = {0};
    snprintf(ret_path, SP_OPTION_TEXT, "%s/%s", fake.folder, name);
    if (sp_key_save(key, ret_path, secret, &err) != SP_OK)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    memset(&config, 0, sizeof config);
    fake_broker_start(&fake, 2, 100);
    snprintf(config.broker_address, sizeof config.broker_address, "%s", fake.address);
    config.connect_ms = 10000;
    save(config.broker_key, &fake.curve, "broker.pub", false);
    save(config.curve, &fake.client, "desk.curve", true);
    save(config.authority, &fake.authority, "authority.pub", false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_broker_stop(&fake);
    return 0;
}

static enum sp_status ask(struct sp_review *ret, const uint8_t *pack, uint32_t budget_ms, struct sp_err *err)
{
    memset(ret, 0, sizeof *ret);
    return sp_review_ask(ret, &config, "air-zx-417-20261204-jfk", 7, pack, budget_ms, err);
}

static void test_a_review_comes_back(void **state)
{
    static struct sp_review review;
    struct sp_err err = {0};
    uint8_t pack[16];
    (void)state;
    memset(pack, 9, sizeof pack);
    if (ask(&review, pack, 3000, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_true(review.version == 7 && review.people == 5 && review.count == 2 && review.pair_count == 1);
    const struct fake_seen *seen = fake_seen(&fake, -1);
    assert_true(seen->opened && seen->header.type == SP_MSG_REVIEW && seen->header.job_class == SP_CLASS_BULK);
    assert_true(seen->header.has_pack);
    assert_memory_equal(seen->header.pack, pack, sizeof pack);
    assert_int_equal(ask(&review, NULL, 3000, &err), SP_OK);
    assert_false(fake_seen(&fake, -1)->header.has_pack);
}

static void test_failures_by_name(void **state)
{
    static struct sp_review review;
    static const struct {
        int mode;
        enum sp_status status;
        const char *word;
    } rows[] = {
        {FAKE_NO_WORKER, SP_E_UNAVAILABLE, "no_worker"},
        {FAKE_STALE, SP_E_NOTFOUND, "gallery_stale"},
        {FAKE_BUSY, SP_E_UNAVAILABLE, "queue_full"},
        {FORGE_KEY, SP_E_AUTH, "refused"},
        {FORGE_BODY, SP_E_AUTH, "refused"},
        {FORGE_NO_DECISION, SP_E_INTERNAL, "decided"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_err err = {0};
        fake.mode = rows[i].mode;
        enum sp_status status = ask(&review, NULL, 200, &err);
        if (status != rows[i].status || !strstr(err.text, rows[i].word) || !strstr(err.text, "air-zx-417"))
            fail_msg("row %zu: %s: %s", i, sp_status_name(status), err.text);
    }
}

static void test_settings(void **state)
{
    static struct sp_review review;
    struct sp_err err = {0};
    (void)state;
    config.broker_address[0] = '\0';
    assert_int_equal(ask(&review, NULL, 200, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "broker.address"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_a_review_comes_back), T(test_failures_by_name), T(test_settings)};
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
