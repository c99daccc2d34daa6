/* sallyport-capture itself, and the Python client written from docs/protocol.md alone, against the same fake
 * broker: what they print, that they agree, and how they leave. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/file.h"
#include "fake_broker.h"

extern char **environ;

struct world {
    struct fake_broker fake;
    char config[160], curve[160], broker_key[160], authority[160], image[160];
    char out[65536], err[16384]; /* of the last program */
};

static void read_all(int fd, char *text, size_t capacity)
{
    ssize_t got;
    size_t length = 0;
    while (length < capacity - 1 && (got = read(fd, text + length, capacity - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = 0;
    close(fd);
}

/* Run a program to its end; its exit code. Its errors are few enough for a pipe to hold. */
static int run(struct world *w, const char *const *arguments)
{
    int out[2], err[2], status = 0;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    assert_int_equal(posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    read_all(out[0], w->out, sizeof w->out);
    read_all(err[0], w->err, sizeof w->err);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static const char *program(void)
{
    static char path[512];
    const char *bin = getenv("SALLYPORT_BIN");
    snprintf(path, sizeof path, "%s/sallyport-capture", bin ? bin : ".");
    return path;
}

static void save(struct world *w, char *path, const char *name, const struct sp_key_file *key, bool secret)
{
    snprintf(path, 160, "%s/%s", w->fake.folder, name);
    assert_int_equal(sp_key_save(key, path, secret, NULL), SP_OK);
}

static void write_config(struct world *w)
{
    char text[1024];
    int length = snprintf(text, sizeof text,
                          "broker:\n  address: \"%s\"\n  key: \"%s\"\n  connect_ms: 3000\nkeys:\n  curve: \"%s\"\n"
                          "  authority: \"%s\"\n",
                          w->fake.address, w->broker_key, w->curve, w->authority);
    snprintf(w->config, sizeof w->config, "%s/capture.yaml", w->fake.folder);
    assert_int_equal(sp_file_write(w->config, text, (size_t)length, 0600, NULL), SP_OK);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    fake_broker_start(&w->fake, 1, 1000);
    save(w, w->curve, "client.curve", &w->fake.client, true);
    save(w, w->broker_key, "broker.curve.pub", &w->fake.curve, false);
    save(w, w->authority, "authority.sign.pub", &w->fake.authority, false);
    write_config(w);
    snprintf(w->image, sizeof w->image, "%s/face.jpg", w->fake.folder);
    assert_int_equal(sp_file_write(w->image, "image", 5, 0600, NULL), SP_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    unlink(w->curve);
    unlink(w->broker_key);
    unlink(w->authority);
    unlink(w->config);
    unlink(w->image);
    fake_broker_stop(&w->fake);
    free(w);
    return 0;
}

static int capture(struct world *w, const char *option, const char *value)
{
    return run(w, (const char *[]){program(), "--config", w->config, "--lane", "A1", "--json", w->image, option,
                                   value, NULL});
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void each_file_is_an_encounter_and_each_answer_a_line(void **state)
{
    struct world *w = *state;
    assert_int_equal(capture(w, "--repeat", "3"), 0);
    assert_int_equal(count_lines(w->out), 3);
    assert_non_null(strstr(w->out, "\"outcome\":\"match\""));
    assert_non_null(strstr(w->err, "3 encounters, 3 match"));
    for (int i = 0; i < 3000 && w->fake.byes == 0; i++)
        poll(NULL, 0, 1); /* the program is gone before its last message is read */
    assert_int_equal(w->fake.byes, 1);
    w->fake.mode = FAKE_UNDECIDED; /* two lines each: frame, close */
    assert_int_equal(capture(w, "--close", "left"), 0);
    assert_int_equal(count_lines(w->out), 2);
    assert_non_null(strstr(w->out, "\"kind\":\"close\",\"seq\":2,\"answer\":\"decided\",\"outcome\":\"refer\""));
    assert_int_equal(fake_seen(&w->fake, -1)->header.reason, SP_REASON_LEFT);
}

static void a_folder_can_be_one_encounter(void **state)
{
    struct world *w = *state;
    char second[160];
    snprintf(second, sizeof second, "%s/face2.jpg", w->fake.folder);
    assert_int_equal(sp_file_write(second, "image2", 6, 0600, NULL), SP_OK);
    w->fake.mode = FAKE_UNDECIDED;
    assert_int_equal(run(w, (const char *[]){program(), "--config", w->config, "--lane", "A1", "--json",
                                             "--together", w->fake.folder, NULL}),
                     0);
    assert_int_equal(count_lines(w->out), 3);
    assert_int_equal(w->fake.frames, 2);
    assert_int_equal(w->fake.closes, 1);
    assert_int_equal(fake_seen(&w->fake, 2)->header.seq, 3);
    assert_memory_equal(fake_seen(&w->fake, 0)->header.encounter, fake_seen(&w->fake, 2)->header.encounter, 16);
    unlink(second);
}

static void exit_codes_tell_what_happened(void **state)
{
    struct world *w = *state;
    w->fake.mode = FORGE_SIGNATURE;
    assert_int_equal(capture(w, NULL, NULL), 4);
    assert_non_null(strstr(w->out, "\"answer\":\"refused\",\"outcome\":null,\"reason\":\"bad_signature\""));
    assert_non_null(strstr(w->err, "CAP-REFUSED"));
    w->fake.mode = FAKE_NOT_YOUR_LANE;
    assert_int_equal(capture(w, NULL, NULL), 1);
    assert_non_null(strstr(w->out, "not_your_lane"));
    w->fake.mode = FAKE_MATCH;
    assert_int_equal(capture(w, "--set", "broker.address=ipc:///nonexistent/front"), 3);
    assert_non_null(strstr(w->err, "ipc:///nonexistent/front"));
    assert_int_equal(capture(w, "--budget", "0"), 2);
    assert_non_null(strstr(w->err, "encounter.budget_ms"));
    assert_int_equal(capture(w, "--concurrency", "nonsense"), 2);
    assert_int_equal(capture(w, "/nonexistent.jpg", NULL), 1);
    assert_non_null(strstr(w->err, "/nonexistent.jpg"));
    struct sp_key_file stranger;
    sp_key_generate(&stranger, SP_KEY_CURVE, "stranger");
    assert_int_equal(sp_key_save(&stranger, w->curve, true, NULL), SP_OK);
    assert_int_equal(capture(w, NULL, NULL), 4);
    assert_non_null(strstr(w->err, "refuse"));
}

static void the_sample_configuration_is_one(void **state)
{
    struct world *w = *state;
    char set[4][256], sample[65536];
    assert_int_equal(run(w, (const char *[]){program(), "--print-config", NULL}), 0);
    memcpy(sample, w->out, sizeof sample);
    assert_int_equal(sp_file_write(w->config, sample, strlen(sample), 0600, NULL), SP_OK);
    assert_int_equal(run(w, (const char *[]){program(), "--config", w->config, "--check-config", NULL}), 2);
    assert_non_null(strstr(w->err, "broker.address")); /* the sample leaves open what only the site knows */
    snprintf(set[0], 256, "broker.address=%s", w->fake.address);
    snprintf(set[1], 256, "broker.key=%s", w->broker_key);
    snprintf(set[2], 256, "keys.curve=%s", w->curve);
    snprintf(set[3], 256, "keys.authority=%s", w->authority);
    assert_int_equal(run(w, (const char *[]){program(), "--config", w->config, "--set", set[0], "--set", set[1],
                                             "--set", set[2], "--set", set[3], "--lane", "A1", w->image, NULL}),
                     0);
    assert_non_null(strstr(w->out, "match"));
}

/* From "answer" to "manifest" of a line, without what a clock decides. */
static void without_times(const char *json, char *ret, size_t capacity)
{
    size_t length = 0;
    static const char *const keys[] = {"answer",   "outcome", "reason", "traveller",  "candidate",
                                       "manifest", "policy",  "pack",   "assignment", "score"};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "\"%s\":", keys[k]);
        const char *at = strstr(json, quoted); /* what is inside "versions" is absent where that is null */
        at = at ? at + strlen(quoted) : "absent,";
        at += *at == ' ';
        length +=
            (size_t)snprintf(ret + length, capacity - length, "%s=%.*s ", keys[k], (int)strcspn(at, ",}"), at);
    }
}

static void both_clients_hear_the_same(void **state)
{
    struct world *w = *state;
    char script[512], first[2048], second[2048];
    const char *source = getenv("SALLYPORT_SOURCE");
    if (!source || run(w, (const char *[]){"/usr/bin/python3", "-c", "import zmq, msgpack, nacl", NULL}) != 0) {
        printf("SKIP: python3-zmq, python3-msgpack or python3-nacl is missing\n");
        skip();
    }
    snprintf(script, sizeof script, "%s/tests/flow/client.py", source);
    static const int modes[] = {FAKE_MATCH,       FAKE_UNDECIDED,  FORGE_SIGNATURE,   FORGE_LANE,
                                FORGE_ENCOUNTER,  FORGE_SENDER,    FORGE_SEQ,         FORGE_AUTHORITY,
                                FORGE_FLEET_CERT, FORGE_OLD_CERT,  FORGE_NO_DECISION, FORGE_KEY,
                                FORGE_REASON,     FORGE_NO_PAYLOAD};
    setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        w->fake.mode = modes[i];
        int expected = capture(w, NULL, NULL);
        without_times(w->out, first, sizeof first);
        int code = run(w, (const char *[]){"/usr/bin/python3", script, "--broker", w->fake.address, "--broker-key",
                                           w->broker_key, "--curve", w->curve, "--authority", w->authority,
                                           "--lane", "A1", "--json", w->image, NULL});
        if (code != expected)
            fail_msg("mode %d: client.py leaves with %d, sallyport-capture with %d: %s", modes[i], code, expected,
                     w->err);
        without_times(w->out, second, sizeof second);
        assert_string_equal(first, second);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_file_is_an_encounter_and_each_answer_a_line),
        TEST(a_folder_can_be_one_encounter),
        TEST(exit_codes_tell_what_happened),
        TEST(the_sample_configuration_is_one),
        TEST(both_clients_hear_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
