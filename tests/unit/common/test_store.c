/* The store against a real redis-server of its own: commands, pipelines, scripts, rights, and a server that goes
 * away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/seal.h"
#include "common/store.h"
#include "tests/support/redis_server.h"

static struct redis_server server;

static struct sp_store *open_store(const char *user, const char *password, int timeout_ms)
{
    char path[TEST_PATH_MAX];
    struct sp_store *store = NULL;
    test_folder_write(server.folder, "password", password, strlen(password), 0600);
    const struct sp_store_config config = {.address = server.address,
                                           .user = user,
                                           .password_file = test_folder_path(path, server.folder, "password"),
                                           .timeout_ms = timeout_ms};
    assert_int_equal(sp_store_new(&store, &config, NULL), SP_OK);
    return store;
}

/* Words separated by spaces. */
static int split(struct sp_argument *arguments, char *copy, const char *line)
{
    int count = 0;
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = SP_ARG_TEXT(word);
    return count;
}

static enum sp_status run(struct sp_store *store, const char *line, sp_reply **ret_reply, struct sp_err *err)
{
    struct sp_argument arguments[16];
    char copy[256];
    int count = split(arguments, copy, line);
    return sp_store_command(store, arguments, count, ret_reply, err);
}

static enum sp_status append(struct sp_store *store, const char *line)
{
    struct sp_argument arguments[16];
    char copy[256];
    int count = split(arguments, copy, line);
    return sp_store_append(store, arguments, count, NULL);
}

static void test_commands_and_replies(void **state)
{
    (void)state;
    struct sp_store *store = open_store("desk", "pass word\n", 0);
    sp_reply *reply = NULL;
    size_t length = 0;
    uint8_t binary[] = {0, '\r', '\n', 255, 0};
    struct sp_argument set[] = {SP_ARG_TEXT("SET"), SP_ARG_TEXT("sp:bin"), SP_ARG(binary, sizeof binary)};
    struct sp_argument empty[] = {SP_ARG_TEXT("SET"), SP_ARG_TEXT("sp:empty"), SP_ARG(NULL, 0)};
    assert_int_equal(sp_store_ping(store, NULL), SP_OK);
    assert_int_equal(sp_store_command(store, set, 3, &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_type(reply), SP_REPLY_STATUS);
    sp_reply_free(&reply);
    assert_null(reply);
    assert_int_equal(run(store, "GET sp:bin", &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_type(reply), SP_REPLY_BYTES);
    assert_memory_equal(sp_reply_bytes(reply, &length), binary, sizeof binary);
    assert_int_equal(length, sizeof binary);
    assert_int_equal(sp_reply_integer(reply), 0);
    sp_reply_free(&reply);
    assert_int_equal(sp_store_command(store, empty, 3, NULL, NULL), SP_OK);
    assert_int_equal(run(store, "STRLEN sp:empty", &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_type(reply), SP_REPLY_INTEGER);
    assert_int_equal(sp_reply_integer(reply), 0);
    assert_null(sp_reply_bytes(reply, &length));
    sp_reply_free(&reply);
    assert_int_equal(run(store, "GET sp:absent", &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_type(reply), SP_REPLY_NIL);
    sp_reply_free(&reply);
    assert_int_equal(run(store, "INCRBY sp:n -42", &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_integer(reply), -42);
    sp_reply_free(&reply);
    assert_int_equal(run(store, "MGET sp:n sp:absent sp:bin", &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_type(reply), SP_REPLY_ARRAY);
    assert_int_equal(sp_reply_count(reply), 3);
    assert_int_equal(sp_reply_integer(sp_reply_at(reply, 0)), -42);
    assert_int_equal(sp_reply_type(sp_reply_at(reply, 1)), SP_REPLY_NIL);
    assert_null(sp_reply_at(reply, 3));
    sp_reply_free(&reply);
    sp_store_free(&store);
    assert_null(store);
}

static void test_large_values(void **state)
{
    (void)state;
    struct sp_store *store = open_store("desk", "pass word", 5000);
    size_t size = 8u << 20, length = 0;
    uint8_t *bytes = malloc(size);
    sp_reply *reply = NULL;
    memset(bytes, 7, size);
    struct sp_argument set[] = {SP_ARG_TEXT("SET"), SP_ARG_TEXT("sp:large"), SP_ARG(bytes, size)};
    assert_int_equal(sp_store_command(store, set, 3, NULL, NULL), SP_OK);
    assert_int_equal(run(store, "GET sp:large", &reply, NULL), SP_OK);
    assert_memory_equal(sp_reply_bytes(reply, &length), bytes, size);
    assert_int_equal(length, size);
    sp_reply_free(&reply);
    assert_int_equal(run(store, "DEL sp:large", NULL, NULL), SP_OK);
    free(bytes);
    sp_store_free(&store);
}

static void test_pipeline(void **state)
{
    (void)state;
    enum { COMMANDS = 2000 };
    struct sp_store *store = open_store("desk", "pass word", 5000);
    struct sp_err err = {0};
    assert_int_equal(run(store, "DEL sp:count", NULL, NULL), SP_OK);
    for (int i = 0; i < COMMANDS; i++)
        assert_int_equal(append(store, i == 7 ? "LPUSH sp:count x" : "INCR sp:count"), SP_OK);
    assert_int_equal(sp_store_pending(store), COMMANDS);
    assert_int_equal(run(store, "PING", NULL, &err), SP_E_INTERNAL); /* not in the middle of a pipeline */
    for (int i = 0; i < COMMANDS; i++) {
        sp_reply *reply = NULL;
        if (i == 7) { /* its error is its own */
            assert_int_equal(sp_store_collect(store, &reply, &err), SP_E_FORMAT);
            assert_non_null(strstr(err.text, "WRONGTYPE"));
            continue;
        }
        assert_int_equal(sp_store_collect(store, &reply, NULL), SP_OK);
        assert_int_equal(sp_reply_integer(reply), i < 7 ? i + 1 : i);
        sp_reply_free(&reply);
    }
    assert_int_equal(sp_store_pending(store), 0);
    assert_int_equal(sp_store_collect(store, NULL, NULL), SP_E_INTERNAL);
    assert_int_equal(sp_store_ping(store, NULL), SP_OK);
    sp_store_free(&store);
}

static void test_scripts(void **state)
{
    (void)state;
    struct sp_store *store = open_store("desk", "pass word", 0);
    struct sp_script script = {.text = "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
    struct sp_script failing = {.text =
                                    "redis.call('INCR', KEYS[1]) return redis.error_reply('CONFLICT version 7')"};
    struct sp_argument key = SP_ARG_TEXT("sp:script"), by = SP_ARG_TEXT("5");
    sp_reply *reply = NULL;
    struct sp_err err = {0};
    assert_int_equal(run(store, "DEL sp:script", NULL, NULL), SP_OK);
    assert_int_equal(sp_store_append_eval(store, &script, &key, 1, &by, 1, NULL), SP_E_INTERNAL); /* not loaded */
    for (int round = 1; round <= 3; round++) {
        assert_int_equal(sp_store_eval(store, &script, &key, 1, &by, 1, &reply, NULL), SP_OK);
        assert_int_equal(sp_reply_integer(reply), 5 * round);
        assert_int_equal(strlen(script.sha1), 40);
        sp_reply_free(&reply);
        if (round == 2) /* the next finds NOSCRIPT and sends the text */
            assert_int_equal(run(store, "SCRIPT FLUSH", NULL, NULL), SP_OK);
    }
    assert_int_equal(sp_store_append_eval(store, &script, &key, 1, &by, 1, NULL), SP_OK);
    assert_int_equal(append(store, "GET sp:script"), SP_OK);
    assert_int_equal(sp_store_collect(store, NULL, NULL), SP_OK);
    assert_int_equal(sp_store_collect(store, &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_integer(reply), 20);
    sp_reply_free(&reply);
    assert_int_equal(sp_store_eval(store, &failing, &key, 1, NULL, 0, NULL, &err), SP_E_CONFLICT);
    assert_non_null(strstr(err.text, "CONFLICT version 7"));
    assert_int_equal(run(store, "GET sp:script", &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_integer(reply), 21); /* done once */
    sp_reply_free(&reply);
    sp_store_free(&store);
}

static void test_rights(void **state)
{
    (void)state;
    struct sp_err err = {0};
    struct sp_store *store = open_store("desk", "wrong", 0);
    assert_int_equal(sp_store_ping(store, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "WRONGPASS"));
    assert_null(strstr(err.text, "wrong "));                 /* the password itself is in no sentence */
    assert_int_equal(sp_store_ping(store, &err), SP_E_AUTH); /* in the back-off the same, at once */
    assert_non_null(strstr(err.text, "next try"));
    sp_store_free(&store);

    store = open_store("desk", "pass word", 0);
    assert_int_equal(run(store, "SET other:key 1", NULL, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "NOPERM"));
    assert_int_equal(run(store, "FLUSHALL", NULL, &err), SP_E_DENIED);
    assert_int_equal(run(store, "NOSUCHTHING", NULL, &err), SP_E_INTERNAL);
    assert_int_equal(sp_store_ping(store, NULL), SP_OK); /* the connection stands */
    sp_store_free(&store);

    const struct sp_store_config nobody = {.address = server.address};
    assert_int_equal(sp_store_new(&store, &nobody, NULL), SP_OK);
    assert_int_equal(sp_store_ping(store, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "NOAUTH"));
    sp_store_free(&store);
}

static void test_configuration_errors(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "redis.sock",
                                      "unix:redis.sock",
                                      "tcp://",
                                      "tcp://host",
                                      "tcp://:6379",
                                      "tcp://host:0",
                                      "tcp://host:65536",
                                      "tcp://host:63x9"};
    struct sp_store *store = NULL;
    struct sp_err err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct sp_store_config config = {.address = bad[i]};
        assert_int_equal(sp_store_new(&store, &config, &err), SP_E_INVALID);
        assert_null(store);
    }
    char path[TEST_PATH_MAX];
    test_folder_write(server.folder, "empty", "\n", 1, 0600);
    test_folder_write(server.folder, "open", "secret\n", 7, 0644);
    struct sp_store_config config = {.address = server.address, .password_file = path};
    test_folder_path(path, server.folder, "empty");
    assert_int_equal(sp_store_new(&store, &config, &err), SP_E_FORMAT);
    test_folder_path(path, server.folder, "absent");
    assert_int_equal(sp_store_new(&store, &config, &err), SP_E_NOTFOUND);
    test_folder_path(path, server.folder, "open");
    assert_int_equal(sp_store_new(&store, &config, &err), SP_E_DENIED);
    assert_null(strstr(err.text, "secret"));
    const struct sp_store_config nowhere = {.address = "unix:/nowhere/redis.sock"};
    assert_int_equal(sp_store_new(&store, &nowhere, NULL), SP_OK);
    assert_int_equal(sp_store_ping(store, &err), SP_E_UNAVAILABLE);
    assert_non_null(strstr(err.text, "/nowhere/redis.sock"));
    sp_store_free(&store);
    const struct sp_store_config refused = {.address = "tcp://127.0.0.1:1"};
    assert_int_equal(sp_store_new(&store, &refused, NULL), SP_OK);
    assert_int_equal(sp_store_ping(store, &err), SP_E_UNAVAILABLE);
    sp_store_free(&store);
}

/* Ask until the store answers again, as a program's loop would; it must be within its back-off's limit. */
static void wait_for(struct sp_store *store)
{
    const struct timespec pause = {0, 10000000};
    uint64_t deadline = sp_clock_mono_ns() + 5000000000ull;
    while (sp_store_ping(store, NULL) != SP_OK) {
        assert_true(sp_clock_mono_ns() < deadline);
        nanosleep(&pause, NULL);
    }
}

static void test_server_dies_and_comes_back(void **state)
{
    (void)state;
    struct sp_err err = {0};
    struct sp_store *store = open_store("desk", "pass word", 0);
    assert_int_equal(sp_store_ping(store, NULL), SP_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(append(store, "INCR sp:dies"), SP_OK);
    redis_server_kill(&server);
    for (int i = 0; i < 3; i++) { /* each of them hears of it */
        assert_int_equal(sp_store_collect(store, NULL, &err), SP_E_UNAVAILABLE);
        assert_int_equal(sp_store_pending(store), 0);
    }
    assert_int_equal(sp_store_collect(store, NULL, NULL), SP_E_INTERNAL);
    uint64_t before = sp_clock_mono_ns();
    for (int i = 0; i < 100; i++)
        assert_int_equal(sp_store_ping(store, &err), SP_E_UNAVAILABLE);
    assert_true(sp_clock_mono_ns() - before < 2000000000ull); /* nothing hangs meanwhile */
    redis_server_restart(&server);
    wait_for(store);
    assert_int_equal(run(store, "INCR sp:dies", NULL, NULL), SP_OK);
    sp_store_free(&store);
}

static void test_idle_connection_is_renewed_quietly(void **state)
{
    (void)state;
    struct sp_store *store = open_store("desk", "pass word", 0);
    sp_reply *reply = NULL;
    assert_int_equal(sp_store_ping(store, NULL), SP_OK);
    redis_server_kill(&server);
    redis_server_restart(&server);
    assert_int_equal(run(store, "INCR sp:idle", &reply, NULL), SP_OK); /* the first command already */
    assert_int_equal(sp_reply_integer(reply), 1);
    sp_reply_free(&reply);
    sp_store_free(&store);
}

static void test_time_out(void **state)
{
    (void)state;
    struct sp_err err = {0};
    struct sp_store *admin = open_store("admin", "admin", 5000), *store = open_store("desk", "pass word", 100);
    assert_int_equal(sp_store_ping(store, NULL), SP_OK);
    assert_int_equal(run(admin, "CLIENT PAUSE 400 ALL", NULL, NULL), SP_OK);
    uint64_t before = sp_clock_mono_ns();
    assert_int_equal(run(store, "SET sp:slow 1", NULL, &err), SP_E_UNAVAILABLE);
    uint64_t took = sp_clock_mono_ns() - before;
    assert_true(took >= 100000000ull && took < 390000000ull);
    assert_non_null(strstr(err.text, "no answer within 100 ms"));
    wait_for(store); /* and no late reply is taken for the next one's */
    sp_reply *reply = NULL;
    assert_int_equal(run(store, "ECHO mine", &reply, NULL), SP_OK);
    size_t length = 0;
    assert_memory_equal(sp_reply_bytes(reply, &length), "mine", 4);
    sp_reply_free(&reply);
    sp_store_free(&store);
    sp_store_free(&admin);
}

static int start(void **state)
{
    (void)state;
    redis_server_start(&server, "user default off\n"
                                "user admin on >admin ~* &* +@all\n"
                                "user desk on \">pass word\" ~sp:* +@all -@dangerous +@scripting\n");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_and_replies),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_configuration_errors),
        cmocka_unit_test(test_server_dies_and_comes_back),
        cmocka_unit_test(test_idle_connection_is_renewed_quietly),
        cmocka_unit_test(test_time_out),
    };
    if (!redis_server_present()) {
        printf("SKIP: redis-server is not installed\n");
        return 77;
    }
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, start, stop) : 1;
}
