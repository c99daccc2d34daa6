/* The ledger against a real redis-server: the first final wins, evidence moves, nothing opens elsewhere, and a
 * server that goes away. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/uuid.h"
#include "records/entry.h"
#include "records/ledger.h"
#include "tests/support/redis_server.h"
#include "tests/unit/records/final.h"

#define THREADS 8

static struct redis_server server;
static struct test_site site;
static struct sp_data_key evidence_key;

static struct sp_store *open_store(void)
{
    struct sp_store *store = NULL;
    const struct sp_store_config config = {server.address, "", "", 2000};
    if (sp_store_new(&store, &config, NULL) != SP_OK)
        abort();
    return store;
}

static struct sp_ledger *open_ledger(struct sp_store *store, int replicas)
{
    struct sp_ledger *ledger = NULL;
    struct sp_ledger_config config = {.partitions = 4,
                                      .final_ttl_ms = 600000,
                                      .abandon_after_ms = 30000,
                                      .alarm_length = 1000,
                                      .replicas = replicas,
                                      .replica_wait_ms = 50,
                                      .evidence = evidence_key};
    memcpy(config.recorder_public, site.recorder.public_key, 32);
    if (sp_ledger_new(&ledger, store, &config, NULL) != SP_OK)
        abort();
    return ledger;
}

static sp_reply *command(struct sp_store *store, const char *const *words, int count)
{
    struct sp_argument arguments[12];
    sp_reply *reply = NULL;
    for (int i = 0; i < count; i++)
        arguments[i] = SP_ARG_TEXT(words[i]);
    assert_int_equal(sp_store_command(store, arguments, count, &reply, NULL), SP_OK);
    return reply;
}
#define COMMAND(store, ...)                                                                                        \
    command(store, (const char *const[]){__VA_ARGS__},                                                             \
            (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

static int64_t number(struct sp_store *store, const char *verb, const char *key)
{
    sp_reply *reply = COMMAND(store, verb, key);
    int64_t value = sp_reply_integer(reply);
    sp_reply_free(&reply);
    return value;
}

static struct sp_evidence some_evidence(int frames)
{
    struct sp_evidence e = {.lane = "A1", .frames = frames, .comparable = frames, .best_quality = 50};
    memset(e.sender, 1, sizeof e.sender);
    return e;
}

static enum sp_status write_evidence(struct sp_ledger *ledger, const uint8_t encounter[16], uint64_t expected,
                                     int frames, int *ret_outcome)
{
    struct sp_evidence e = some_evidence(frames);
    struct sp_ledger_write write = {.expected_version = expected, .evidence = &e};
    memcpy(write.encounter, encounter, 16);
    enum sp_status status = sp_ledger_write(ledger, &write, 1, NULL);
    *ret_outcome = (int)write.ret_outcome;
    sp_encounter_state_clear(&write.ret_state);
    return status;
}

static void test_evidence_moves(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    struct sp_encounter_state read;
    uint8_t encounter[1][16];
    int outcome = -1;
    sp_uuid_new(encounter[0]);
    assert_int_equal(sp_ledger_read(ledger, (const uint8_t(*)[16])encounter, 1, &read, NULL), SP_OK);
    assert_int_equal(read.version, 0);
    assert_int_equal(write_evidence(ledger, encounter[0], 0, 1, &outcome), SP_OK);
    assert_int_equal(outcome, SP_LEDGER_WRITTEN);
    assert_int_equal(write_evidence(ledger, encounter[0], 0, 9, &outcome), SP_OK);
    assert_int_equal(outcome, SP_LEDGER_MOVED);
    assert_int_equal(write_evidence(ledger, encounter[0], 1, 2, &outcome), SP_OK);
    assert_int_equal(outcome, SP_LEDGER_WRITTEN);
    assert_int_equal(sp_ledger_read(ledger, (const uint8_t(*)[16])encounter, 1, &read, NULL), SP_OK);
    assert_int_equal(read.version, 2);
    assert_int_equal(read.evidence.frames, 2);
    assert_false(read.final);
    sp_encounter_state_clear(&read);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

/* One worker of the race. */
struct racer {
    pthread_t thread;
    uint8_t encounter[16];
    uint32_t seq;
    uint8_t *body;
    size_t length;
    int outcome;
    uint8_t *heard; /* what its lane would hear */
    size_t heard_length;
    enum sp_status status;
};

static void *race(void *user)
{
    struct racer *r = user;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    struct sp_decision d = test_decision(r->encounter, r->seq);
    r->body = test_final(&site, &d, &r->length);
    struct sp_ledger_write write = {
        .final_body = r->body, .final_body_length = r->length, .final_reason = d.reason, .decision = &d};
    memcpy(write.encounter, r->encounter, 16);
    r->status = sp_ledger_write(ledger, &write, 1, NULL);
    r->outcome = (int)write.ret_outcome;
    if (r->outcome == SP_LEDGER_STANDS) {
        r->heard = write.ret_state.final_body;
        r->heard_length = write.ret_state.final_body_length;
    } else {
        r->heard = malloc(r->length);
        memcpy(r->heard, r->body, r->length);
        r->heard_length = r->length;
    }
    sp_ledger_free(&ledger);
    sp_store_free(&store);
    return NULL;
}

static void test_first_final_wins(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    for (int round = 0; round < 5; round++) {
        struct racer racers[THREADS] = {0};
        uint8_t encounter[16];
        char stream[64];
        int written = 0;
        sp_uuid_new(encounter);
        snprintf(stream, sizeof stream, "sp:{d%d}:decisions", sp_ledger_partition(ledger, encounter));
        int64_t before = number(store, "XLEN", stream);
        for (int i = 0; i < THREADS; i++) {
            memcpy(racers[i].encounter, encounter, 16);
            racers[i].seq = (uint32_t)i + 1;
            assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(racers[i].thread, NULL);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(racers[i].status, SP_OK);
            written += racers[i].outcome == SP_LEDGER_WRITTEN;
            assert_int_equal(racers[i].heard_length, racers[0].heard_length);
            assert_memory_equal(racers[i].heard, racers[0].heard, racers[0].heard_length);
        }
        assert_int_equal(written, 1);
        assert_int_equal(number(store, "XLEN", stream), before + 1);
        for (int i = 0; i < THREADS; i++) {
            free(racers[i].body);
            free(racers[i].heard);
        }
    }
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

static void finish(struct sp_ledger *ledger, const uint8_t encounter[16], int expected_outcome)
{
    size_t length = 0;
    struct sp_decision d = test_decision(encounter, 1);
    uint8_t *body = test_final(&site, &d, &length);
    struct sp_ledger_write write = {
        .final_body = body, .final_body_length = length, .final_reason = d.reason, .decision = &d};
    memcpy(write.encounter, encounter, 16);
    assert_int_equal(sp_ledger_write(ledger, &write, 1, NULL), SP_OK);
    assert_int_equal(write.ret_outcome, expected_outcome);
    sp_encounter_state_clear(&write.ret_state);
    free(body);
}

static void test_final_keeps_evidence_and_expires(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    struct sp_encounter_state read;
    uint8_t encounter[1][16];
    char hex[33], key[64], open_set[64];
    int outcome;
    sp_uuid_new(encounter[0]);
    sp_seal_to_hex(hex, encounter[0], 16);
    int partition = sp_ledger_partition(ledger, encounter[0]);
    snprintf(key, sizeof key, "sp:{d%d}:e:%s", partition, hex);
    snprintf(open_set, sizeof open_set, "sp:{d%d}:open", partition);
    assert_int_equal(write_evidence(ledger, encounter[0], 0, 3, &outcome), SP_OK);
    int64_t ttl = number(store, "PTTL", key);
    assert_true(ttl > 600000 && ttl <= 3600000);
    int64_t open_before = number(store, "ZCARD", open_set);
    finish(ledger, encounter[0], SP_LEDGER_WRITTEN);
    assert_int_equal(number(store, "ZCARD", open_set), open_before - 1);
    ttl = number(store, "PTTL", key);
    assert_true(ttl > 0 && ttl <= 600000);
    finish(ledger, encounter[0], SP_LEDGER_STANDS);
    assert_int_equal(write_evidence(ledger, encounter[0], 2, 4, &outcome), SP_OK);
    assert_int_equal(outcome, SP_LEDGER_STANDS);
    assert_int_equal(sp_ledger_read(ledger, (const uint8_t(*)[16])encounter, 1, &read, NULL), SP_OK);
    assert_true(read.final);
    assert_int_equal(read.final_reason, SP_REASON_NOT_ON_MANIFEST);
    assert_int_equal(read.evidence.frames, 3);
    sp_encounter_state_clear(&read);
    assert_true(sp_ledger_longest(ledger) >= 1);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

/* What the stream holds opens with the recorder's key and verifies. */
static void test_stream_entry(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    static struct sp_entry entry;
    uint8_t encounter[16];
    char stream[64];
    sp_uuid_new(encounter);
    finish(ledger, encounter, SP_LEDGER_WRITTEN);
    int partition = sp_ledger_partition(ledger, encounter);
    snprintf(stream, sizeof stream, "sp:{d%d}:decisions", partition);
    sp_reply *reply = COMMAND(store, "XREVRANGE", stream, "+", "-", "COUNT", "1");
    const sp_reply *fields = sp_reply_at(sp_reply_at(reply, 0), 1);
    assert_int_equal(sp_reply_count(fields), 12);
    struct sp_entry_routing routing = {.lane = "A1"};
    routing.partition = (int)sp_reply_integer(sp_reply_at(fields, 1));
    routing.outcome = (int)sp_reply_integer(sp_reply_at(fields, 5));
    routing.reason = (int)sp_reply_integer(sp_reply_at(fields, 7));
    routing.issued_ms = sp_reply_integer(sp_reply_at(fields, 9));
    assert_int_equal(routing.partition, partition);
    size_t length = 0;
    const uint8_t *sealed = sp_reply_bytes(sp_reply_at(fields, 11), &length);
    assert_int_equal(
        sp_entry_open(&entry, &routing, sealed, length, &site.recorder, site.authority.public_key, NULL), SP_OK);
    assert_memory_equal(entry.encounter, encounter, 16);
    sp_reply_free(&reply);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

/* A sealed field copied to another encounter does not open there. */
static void test_sealed_to_its_place(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    struct sp_encounter_state read;
    struct sp_err err = {0};
    uint8_t encounter[2][16];
    char from[64], to[64], hex[33];
    int outcome;
    sp_uuid_new(encounter[0]);
    do /* one of the same partition, so that the slot is the same, too */
        sp_uuid_new(encounter[1]);
    while (sp_ledger_partition(ledger, encounter[0]) != sp_ledger_partition(ledger, encounter[1]));
    assert_int_equal(write_evidence(ledger, encounter[0], 0, 1, &outcome), SP_OK);
    sp_seal_to_hex(hex, encounter[0], 16);
    snprintf(from, sizeof from, "sp:{d%d}:e:%s", sp_ledger_partition(ledger, encounter[0]), hex);
    sp_seal_to_hex(hex, encounter[1], 16);
    snprintf(to, sizeof to, "sp:{d%d}:e:%s", sp_ledger_partition(ledger, encounter[1]), hex);
    sp_reply *reply = COMMAND(store, "COPY", from, to);
    sp_reply_free(&reply);
    assert_int_equal(
        sp_ledger_read(ledger, (const uint8_t(*)[16])encounter, 2, (struct sp_encounter_state[2]){0}, &err),
        SP_E_AUTH);
    assert_non_null(strstr(err.text, to));
    assert_int_equal(sp_ledger_read(ledger, (const uint8_t(*)[16])encounter, 1, &read, NULL), SP_OK);
    sp_encounter_state_clear(&read);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

static void test_batch_in_one_go(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    struct sp_ledger_write writes[40] = {0};
    struct sp_evidence e = some_evidence(1);
    size_t length = 0;
    uint8_t encounters[40][16];
    static struct sp_decision decisions[40];
    uint8_t *bodies[40] = {0};
    static struct sp_encounter_state states[40];
    for (int i = 0; i < 40; i++) {
        sp_uuid_new(encounters[i]);
        memcpy(writes[i].encounter, encounters[i], 16);
        writes[i].evidence = &e;
        if (i % 2 == 0)
            continue;
        decisions[i] = test_decision(encounters[i], 1);
        bodies[i] = test_final(&site, &decisions[i], &length);
        writes[i].final_body = bodies[i];
        writes[i].final_body_length = length;
        writes[i].decision = &decisions[i];
    }
    assert_int_equal(sp_ledger_write(ledger, writes, 40, NULL), SP_OK);
    assert_int_equal(sp_ledger_read(ledger, (const uint8_t(*)[16])encounters, 40, states, NULL), SP_OK);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(writes[i].ret_outcome, SP_LEDGER_WRITTEN);
        assert_int_equal(states[i].final, i % 2);
        assert_int_equal(states[i].evidence.frames, 1);
        sp_encounter_state_clear(&states[i]);
        free(bodies[i]);
    }
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

static void test_sweep(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    uint8_t encounter[16], overdue[16][16];
    bool held = false;
    int outcome, count = 0, partition;
    int64_t later = sp_clock_wall_ms() + 31000;
    char key[64], hex[33];
    sp_uuid_new(encounter);
    partition = sp_ledger_partition(ledger, encounter);
    sp_reply *reply = COMMAND(store, "FLUSHALL");
    sp_reply_free(&reply);
    assert_int_equal(sp_ledger_lease(ledger, partition, "worker-1", 60000, &held, NULL), SP_OK);
    assert_true(held);
    assert_int_equal(sp_ledger_lease(ledger, partition, "worker-2", 60000, &held, NULL), SP_OK);
    assert_false(held);
    assert_int_equal(sp_ledger_lease(ledger, partition, "worker-1", 60000, &held, NULL), SP_OK);
    assert_true(held);
    assert_int_equal(write_evidence(ledger, encounter, 0, 1, &outcome), SP_OK);
    assert_int_equal(sp_ledger_overdue(ledger, partition, sp_clock_wall_ms(), overdue, 16, &count, NULL), SP_OK);
    assert_int_equal(count, 0);
    assert_int_equal(sp_ledger_overdue(ledger, partition, later, overdue, 16, &count, NULL), SP_OK);
    assert_int_equal(count, 1);
    assert_memory_equal(overdue[0], encounter, 16);
    sp_seal_to_hex(hex, encounter, 16);
    snprintf(key, sizeof key, "sp:{d%d}:e:%s", partition, hex);
    assert_int_equal(number(store, "DEL", key), 1); /* as if it had expired */
    assert_int_equal(sp_ledger_overdue(ledger, partition, later, overdue, 16, &count, NULL), SP_OK);
    assert_int_equal(count, 0);
    snprintf(key, sizeof key, "sp:{d%d}:open", partition);
    assert_int_equal(number(store, "ZCARD", key), 0);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

static void test_replicas_that_are_not_there(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 1), *plain = open_ledger(store, 0);
    uint8_t encounter[16];
    int outcome;
    sp_uuid_new(encounter);
    assert_int_equal(write_evidence(ledger, encounter, 0, 1, &outcome), SP_E_UNAVAILABLE);
    sp_uuid_new(encounter); /* the connection is in step afterwards */
    assert_int_equal(write_evidence(plain, encounter, 0, 1, &outcome), SP_OK);
    sp_ledger_free(&ledger);
    sp_ledger_free(&plain);
    sp_store_free(&store);
}

static void test_server_goes_and_comes(void **state)
{
    (void)state;
    struct sp_store *store = open_store();
    struct sp_ledger *ledger = open_ledger(store, 0);
    uint8_t encounter[16];
    int outcome;
    sp_uuid_new(encounter);
    assert_int_equal(write_evidence(ledger, encounter, 0, 1, &outcome), SP_OK);
    redis_server_kill(&server);
    assert_int_equal(write_evidence(ledger, encounter, 1, 2, &outcome), SP_E_UNAVAILABLE);
    redis_server_restart(&server); /* empty, and without the scripts */
    uint64_t deadline = sp_clock_mono_ns() + 5000 * SP_NS_PER_MS;
    enum sp_status status;
    do
        status = write_evidence(ledger, encounter, 0, 1, &outcome);
    while (status == SP_E_UNAVAILABLE && sp_clock_mono_ns() < deadline);
    assert_int_equal(status, SP_OK);
    assert_int_equal(outcome, SP_LEDGER_WRITTEN);
    finish(ledger, encounter, SP_LEDGER_WRITTEN);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evidence_moves),
        cmocka_unit_test(test_first_final_wins),
        cmocka_unit_test(test_final_keeps_evidence_and_expires),
        cmocka_unit_test(test_stream_entry),
        cmocka_unit_test(test_sealed_to_its_place),
        cmocka_unit_test(test_batch_in_one_go),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_replicas_that_are_not_there),
        cmocka_unit_test(test_server_goes_and_comes),
    };
    if (!redis_server_present()) {
        printf("skipped: redis-server is not installed\n");
        return 77;
    }
    if (sp_seal_start(NULL) != SP_OK)
        return 1;
    test_site_new(&site, 1ll << 50);
    sp_seal_new_key(&evidence_key);
    redis_server_start(&server, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&server);
    return failed;
}
