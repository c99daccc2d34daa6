/* Lanes, assignments and site keys: sealed to their key name, changed by compare-and-set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "roster/lane.h"
#include "tests/support/redis_server.h"

static struct redis_server server;
static struct sp_key_file ops, fleet;
static struct sp_data_key site;

static struct sp_store *open_store(void)
{
    struct sp_store *store = NULL;
    const struct sp_store_config config = {server.address, "", "", 2000};
    assert_int_equal(sp_store_new(&store, &config, NULL), SP_OK);
    return store;
}

static struct sp_lane some_lane(const char *name)
{
    struct sp_lane lane = {.terminal = "T1",
                           .kind = SP_LANE_MULTI,
                           .mode = SP_MODE_VEHICLE,
                           .fpir = 0.01,
                           .margin = 0.03,
                           .reveal_scores = true,
                           .decision_ttl_ms = 5000};
    snprintf(lane.name, sizeof lane.name, "%s", name);
    return lane;
}

static sp_reply *get(struct sp_store *store, const char *key)
{
    sp_reply *reply = NULL;
    struct sp_argument arguments[] = {SP_ARG_TEXT("GET"), SP_ARG_TEXT(key)};
    assert_int_equal(sp_store_command(store, arguments, 2, &reply, NULL), SP_OK);
    return reply;
}

static void test_site_keys(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_data_key again = {0}, evidence = {0};
    struct sp_manifest_reader desk = {"ops", &ops}, worker = {"workers", &fleet}, stranger = {"workers", &ops};
    struct sp_err err = {0};
    bool made = false;
    assert_int_equal(sp_site_open_key(&again, store, &desk, &err), SP_E_NOTFOUND);
    assert_non_null(strstr(err.text, "site init"));
    assert_int_equal(sp_site_make_keys(&made, store, fleet.public_key, ops.public_key, NULL), SP_OK);
    assert_true(made);
    assert_int_equal(sp_site_open_key(&site, store, &desk, NULL), SP_OK);
    assert_int_equal(sp_site_make_keys(&made, store, fleet.public_key, ops.public_key, NULL), SP_OK);
    assert_false(made);
    assert_int_equal(sp_site_open_key(&again, store, &worker, NULL), SP_OK);
    assert_memory_equal(&again, &site, sizeof site);
    assert_int_equal(sp_site_open_evidence_key(&evidence, store, &worker, NULL), SP_OK);
    assert_memory_not_equal(&evidence, &site, sizeof site);
    assert_int_equal(sp_site_open_evidence_key(&evidence, store, &desk, NULL), SP_E_NOTFOUND);
    assert_int_equal(sp_site_open_key(&again, store, &stranger, NULL), SP_E_AUTH);
    sp_store_free(&store);
}

/* A wrap copied to another field is refused, though it opens. */
static void test_wrap_keeps_its_place(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_manifest_reader worker = {"workers", &fleet};
    struct sp_data_key key;
    struct sp_err err = {0};
    sp_reply *reply = NULL;
    size_t length = 0;
    struct sp_argument read[] = {SP_ARG_TEXT("HGET"), SP_ARG_TEXT("sp:site:keys"), SP_ARG_TEXT("lanes:workers")};
    assert_int_equal(sp_store_command(store, read, 3, &reply, NULL), SP_OK);
    const uint8_t *bytes = sp_reply_bytes(reply, &length);
    struct sp_argument copy[] = {SP_ARG_TEXT("HSET"), SP_ARG_TEXT("sp:site:keys"), SP_ARG_TEXT("evidence:workers"),
                                 SP_ARG(bytes, length)};
    assert_int_equal(sp_store_command(store, copy, 4, NULL, NULL), SP_OK);
    sp_reply_free(&reply);
    assert_int_equal(sp_site_open_evidence_key(&key, store, &worker, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "another place"));
    sp_store_free(&store);
}

static void test_lane(void **state)
{
    (void)state;
    struct sp_store *one = open_store(), *two = open_store();
    struct sp_lane lane = some_lane("A1"), found;
    struct sp_err err = {0};
    size_t length = 0;
    assert_int_equal(sp_lane_store(one, &lane, 0, &site, NULL), SP_OK);
    assert_int_equal(sp_lane_store(two, &lane, 0, &site, &err), SP_E_CONFLICT); /* must not exist, and does */
    lane.fpir = 0.002;
    assert_int_equal(sp_lane_store(two, &lane, 1, &site, NULL), SP_OK);
    assert_int_equal(sp_lane_store(one, &lane, 1, &site, &err), SP_E_CONFLICT);
    assert_non_null(strstr(err.text, "version 2"));
    sp_reply *reply = get(one, "sp:lane:A1");
    const uint8_t *bytes = sp_reply_bytes(reply, &length);
    assert_int_equal(sp_lane_open(&found, "A1", bytes, length, &site, NULL), SP_OK);
    assert_int_equal(found.version, 2);
    lane.version = 2;
    assert_memory_equal(&found, &lane, sizeof lane);
    assert_int_equal(sp_lane_open(&found, "B1", bytes, length, &site, NULL), SP_E_AUTH); /* another key's name */
    assert_int_equal(sp_lane_open(&found, "A1", bytes, length - 1, &site, NULL), SP_E_AUTH);
    assert_int_equal(sp_lane_open(&found, "A1", bytes, 3, &site, NULL), SP_E_LIMIT);
    sp_reply_free(&reply);
    lane.fpir = 1.5;
    assert_int_equal(sp_lane_store(one, &lane, 2, &site, &err), SP_E_INVALID);
    sp_store_free(&one);
    sp_store_free(&two);
}

static void test_assignment(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_assignment a = {.lane = "A1", .direction = "exit", .set_by = "ops", .count = SP_ASSIGNMENT_MAX},
                         found;
    size_t length = 0;
    for (int i = 0; i < a.count; i++) {
        memset(a.entries[i].manifest, 'a', SP_MANIFEST_ID_MAX - 1);
        a.entries[i].from_ms = 1700000000000;
        a.entries[i].to_ms = 1800000000000;
    }
    assert_int_equal(sp_assignment_store(store, &a, 0, &site, NULL), SP_OK);
    assert_int_equal(sp_assignment_store(store, &a, 0, &site, NULL), SP_E_CONFLICT);
    sp_reply *reply = get(store, "sp:asg:A1");
    const uint8_t *bytes = sp_reply_bytes(reply, &length);
    assert_int_equal(sp_assignment_open(&found, "A1", bytes, length, &site, NULL), SP_OK);
    a.version = 1;
    assert_memory_equal(&found, &a, sizeof a);
    sp_reply_free(&reply);
    a.entries[0].to_ms = 1;
    assert_int_equal(sp_assignment_store(store, &a, 1, &site, NULL), SP_E_INVALID);
    sp_store_free(&store);
}

/* A record as it was written before lanes knew `once`: its mode says. */
static struct sp_lane before_once(enum sp_mode mode)
{
    struct sp_wire_writer *w = NULL;
    const uint8_t *plain;
    uint8_t sealed[1024];
    size_t length = 0;
    struct sp_lane found;
    struct sp_err err = {0};
    assert_int_equal(sp_wire_writer_new(&w, 512, NULL), SP_OK);
    sp_wire_put_map(w, 10);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, 1);
    sp_wire_put_text(w, "lane"), sp_wire_put_text(w, "A9");
    sp_wire_put_text(w, "terminal"), sp_wire_put_text(w, "T1");
    sp_wire_put_text(w, "kind"), sp_wire_put_uint(w, SP_LANE_SINGLE);
    sp_wire_put_text(w, "mode"), sp_wire_put_uint(w, (uint64_t)mode);
    sp_wire_put_text(w, "fpir"), sp_wire_put_double(w, 0.003);
    sp_wire_put_text(w, "margin"), sp_wire_put_double(w, 0.02);
    sp_wire_put_text(w, "reveal"), sp_wire_put_bool(w, false);
    sp_wire_put_text(w, "ttl_ms"), sp_wire_put_int(w, 10000);
    sp_wire_put_text(w, "version"), sp_wire_put_uint(w, 3);
    assert_int_equal(sp_wire_finish(w, &plain, &length, NULL), SP_OK);
    sp_seal_close(sealed, plain, length, "sp:lane:A9", strlen("sp:lane:A9"), &site);
    if (sp_lane_open(&found, "A9", sealed, length + SP_SEAL_OVERHEAD, &site, &err) != SP_OK)
        fail_msg("%s", err.text);
    sp_wire_writer_free(&w);
    return found;
}

static void test_once(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    assert_true(before_once(SP_MODE_AIR).once && before_once(SP_MODE_PRIVATE).once);
    assert_false(before_once(SP_MODE_SEA).once || before_once(SP_MODE_PEDESTRIAN).once ||
                 before_once(SP_MODE_VEHICLE).once);
    for (int once = 0; once < 2; once++) { /* and what was said stays, whatever the mode */
        char name[8];
        struct sp_lane lane, found;
        size_t length = 0;
        snprintf(name, sizeof name, "O%d", once);
        lane = some_lane(name);
        lane.mode = once ? SP_MODE_SEA : SP_MODE_AIR;
        lane.once = once;
        assert_int_equal(sp_lane_store(store, &lane, 0, &site, NULL), SP_OK);
        sp_reply *reply = get(store, once ? "sp:lane:O1" : "sp:lane:O0");
        const uint8_t *bytes = sp_reply_bytes(reply, &length);
        assert_int_equal(sp_lane_open(&found, name, bytes, length, &site, NULL), SP_OK);
        assert_int_equal(found.once, once);
        sp_reply_free(&reply);
    }
    sp_store_free(&store);
}

static void test_store_away(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_lane lane = some_lane("A2");
    redis_server_kill(&server);
    assert_int_equal(sp_lane_store(store, &lane, 0, &site, NULL), SP_E_UNAVAILABLE);
    sp_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_keys), cmocka_unit_test(test_wrap_keeps_its_place),
        cmocka_unit_test(test_lane),      cmocka_unit_test(test_assignment),
        cmocka_unit_test(test_once),      cmocka_unit_test(test_store_away),
    };
    if (!redis_server_present()) {
        printf("skipped: redis-server is not installed\n");
        return 77;
    }
    if (sp_seal_start(NULL) != SP_OK)
        return 1;
    sp_key_generate(&ops, SP_KEY_BOX, "ops");
    sp_key_generate(&fleet, SP_KEY_BOX, "fleet");
    redis_server_start(&server, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&server);
    return failed;
}
