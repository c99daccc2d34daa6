/* The ACL rules of docs/redis.md, as a stack takes them from there: each role may do its part and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/store.h"
#include "tests/support/redis_server.h"

static struct redis_server server;

/* The rules of one section (`ledger`: or `galleries`:) as lines of a redis.conf, all with the password "secret". */
static void read_rules(char *ret_config, size_t capacity, const char *section)
{
    char path[512], heading[32];
    uint8_t *text = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/docs/redis.md", getenv("SALLYPORT_SOURCE"));
    if (sp_file_read(&text, &length, path, 1 << 20, NULL) != SP_OK)
        abort();
    snprintf(heading, sizeof heading, "\n`%s`:\n", section);
    char *at = strstr((char *)text, heading);
    if (!at)
        abort();
    at += strlen(heading);
    size_t used = (size_t)snprintf(ret_config, capacity, "user default off\n");
    for (char *line = strtok(at, "\n"); line && strncmp(line, "    user", 8) == 0; line = strtok(NULL, "\n")) {
        char *dots = strstr(line, "…");
        if (dots)
            used += (size_t)snprintf(ret_config + used, capacity - used,
                                     "%.*s on sanitize-payload resetchannels >secret %s\n", (int)(dots - line - 4),
                                     line + 4, dots + strlen("…"));
    }
    free(text);
}

static enum sp_status as(const char *user, const char *command)
{
    struct sp_store *store = NULL;
    struct sp_argument arguments[12];
    char path[TEST_PATH_MAX], copy[256];
    int count = 0;
    const struct sp_store_config config = {server.address, user, test_folder_path(path, server.folder, "password"),
                                           2000};
    test_folder_write(server.folder, "password", "secret", 6, 0600);
    assert_int_equal(sp_store_new(&store, &config, NULL), SP_OK);
    snprintf(copy, sizeof copy, "%s", command);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = SP_ARG_TEXT(word);
    enum sp_status status = sp_store_command(store, arguments, count, NULL, NULL);
    sp_store_free(&store);
    return status;
}

struct check {
    const char *user, *command;
    enum sp_status wanted;
};

static void run(const struct check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (as(checks[i].user, checks[i].command) != checks[i].wanted)
            fail_msg("%s: %s is not %s", checks[i].user, checks[i].command, sp_status_name(checks[i].wanted));
}

static void test_ledger(void **state)
{
    static const struct check checks[] = {
        {"worker", "GET sp:m:{a}:current", SP_OK},
        {"worker", "MGET sp:lane:A1 sp:asg:A1 sp:m:{a}:current", SP_OK},
        {"worker", "HGET sp:m:{a}:portraits x", SP_OK},
        {"worker", "GET sp:m:{a}:index:7", SP_OK},
        {"worker", "HSET sp:{d3}:e:00 v 1", SP_OK},
        {"worker", "ZADD sp:{d3}:open 1 00", SP_OK},
        {"worker", "XADD sp:{d12}:decisions * lane A1", SP_OK},
        {"worker", "HSET sp:m:{a}:claims x y", SP_OK},
        {"worker", "HDEL sp:m:{a}:claims x", SP_OK},
        {"worker", "TIME", SP_OK},
        {"worker", "HDEL sp:m:{a}:portraits x", SP_E_DENIED},
        {"ops", "HDEL sp:m:{a}:claims x", SP_OK},
        {"ops", "HGETALL sp:m:{a}:claims", SP_OK},
        {"recorder", "HGETALL sp:m:{a}:claims", SP_E_DENIED},
        {"worker", "HGET sp:m:{a}:rows x", SP_E_DENIED}, /* names */
        {"worker", "HSET sp:m:{a}:keys x y", SP_E_DENIED},
        {"worker", "SET sp:m:{a}:current x", SP_E_DENIED},
        {"worker", "SET sp:lane:A1 x", SP_E_DENIED},
        {"worker", "XRANGE sp:{d3}:decisions - +", SP_E_DENIED},
        {"worker", "DEL sp:{d3}:decisions", SP_E_DENIED},
        {"worker", "FLUSHALL", SP_E_DENIED},
        {"worker", "CONFIG GET requirepass", SP_E_DENIED},
        {"ops", "HGET sp:m:{a}:rows x", SP_OK},
        {"ops", "SET sp:lane:A1 x", SP_OK},
        {"ops", "SADD sp:manifests a", SP_OK},
        {"ops", "UNLINK sp:m:{a}:portraits", SP_OK},
        {"ops", "HKEYS sp:m:{a}:rows", SP_OK},
        {"ops", "UNLINK sp:{d0}:open", SP_E_DENIED},
        {"ops", "HGET sp:{d3}:e:00 v", SP_E_DENIED},
        {"ops", "KEYS *", SP_E_DENIED},
        {"recorder", "XRANGE sp:{d3}:decisions - +", SP_OK},
        {"recorder", "XREAD COUNT 1 STREAMS sp:{d3}:decisions 0-0", SP_OK},
        {"recorder", "HGET sp:{d3}:e:00 v", SP_E_DENIED},
        {"recorder", "HGET sp:m:{a}:rows x", SP_E_DENIED},
        {"recorder", "XADD sp:{d3}:decisions * a b", SP_E_DENIED},
        {"admin", "FLUSHALL", SP_OK},
        {"nobody", "PING", SP_E_AUTH},
    };
    (void)state;
    run(checks, sizeof checks / sizeof checks[0]);
}

static void test_galleries(void **state)
{
    static const struct check checks[] = {
        {"worker", "HSET sp:g:{a}:00 x y", SP_OK},
        {"worker", "EXPIRE sp:g:{a}:00 100", SP_OK},
        {"worker", "HMGET sp:g:{a}:00 x", SP_OK},
        {"worker", "SET sp:m:{a}:current x", SP_E_DENIED},
        {"ops", "HEXISTS sp:g:{a}:00 x", SP_OK},
        {"ops", "HGET sp:g:{a}:00 x", SP_E_DENIED},
        {"ops", "HSET sp:g:{a}:00 x y", SP_E_DENIED},
        {"worker", "SADD sp:g:{a}:packs x", SP_OK},
        {"ops", "SMEMBERS sp:g:{a}:packs", SP_OK},
        {"ops", "SADD sp:g:{a}:packs y", SP_E_DENIED},
        {"ops", "UNLINK sp:g:{a}:00", SP_OK},
        {"ops", "HKEYS sp:g:{a}:00", SP_OK},
        {"ops", "HDEL sp:g:{a}:00 x", SP_OK},
        {"ops", "HVALS sp:g:{a}:00", SP_E_DENIED},
        {"ops", "UNLINK sp:m:{a}:current", SP_E_DENIED},
        {"recorder", "PING", SP_E_AUTH},
        {"worker", "SET sp:fleet:w-1 x", SP_OK},
        {"worker", "SADD sp:fleet w-1", SP_OK},
        {"ops", "SMEMBERS sp:fleet", SP_OK},
        {"ops", "MGET sp:fleet:w-1", SP_OK},
        {"ops", "MGET sp:g:{a}:00", SP_E_DENIED},
        {"ops", "SADD sp:fleet w-2", SP_E_DENIED},
        {"ops", "SET sp:fleet:w-1 y", SP_E_DENIED},
        {"ops", "UNLINK sp:fleet:w-1", SP_E_DENIED},
    };
    char config[4096];
    (void)state;
    redis_server_stop(&server);
    read_rules(config, sizeof config, "galleries");
    redis_server_start(&server, config);
    run(checks, sizeof checks / sizeof checks[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ledger), cmocka_unit_test(test_galleries)};
    char config[4096];
    if (!redis_server_present() || !getenv("SALLYPORT_SOURCE")) {
        printf("skipped: redis-server or $SALLYPORT_SOURCE is missing\n");
        return 77;
    }
    read_rules(config, sizeof config, "ledger");
    redis_server_start(&server, config);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_server_stop(&server);
    return failed;
}
