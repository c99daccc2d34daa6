/* The option table: one place for file, --set, defaults and the sample, and errors that name file, line and key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/option.h"

struct config {
    char address[SP_OPTION_TEXT];
    int64_t window;
    double rate;
    bool json;
    int backend;
};

static const struct sp_option table[] = {
    {"broker.address", SP_OPTION_TEXT_FIELD, offsetof(struct config, address), NULL, 0, 0, NULL, NULL, "where"},
    {"broker.window", SP_OPTION_INT, offsetof(struct config, window), "frames", 1, 8, NULL, "2", "frames"},
    {"rate", SP_OPTION_DOUBLE, offsetof(struct config, rate), NULL, 0, 1, NULL, "0.5", "a rate"},
    {"log.json", SP_OPTION_BOOL, offsetof(struct config, json), NULL, 0, 0, NULL, "no", "JSON lines"},
    {"engine.backend", SP_OPTION_CHOICE, offsetof(struct config, backend), NULL, 0, 0, "auto|cpu|cuda", "auto",
     "which"},
    {NULL},
};

static enum sp_status load_text(struct config *config, const char *text, struct sp_err *err)
{
    char path[] = "/tmp/sp-option-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    enum sp_status status = sp_option_load(table, config, path, err);
    unlink(path);
    return status;
}

static void test_defaults_and_file(void **state)
{
    (void)state;
    struct config config = {0};
    struct sp_err err = {0};
    assert_int_equal(sp_option_defaults(table, &config, &err), SP_OK);
    assert_int_equal(config.window, 2);
    assert_int_equal(sp_option_check(table, &config, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "broker.address"));
    assert_int_equal(
        load_text(&config,
                  "broker:\n  address: \"tcp://127.0.0.1:7700\"\n  window: 3\nengine:\n  backend: cpu\n"
                  "log:\n  json: yes\n",
                  &err),
        SP_OK);
    assert_string_equal(config.address, "tcp://127.0.0.1:7700");
    assert_int_equal(config.window, 3);
    assert_int_equal(config.backend, 1);
    assert_true(config.json);
    assert_int_equal(sp_option_check(table, &config, &err), SP_OK);
}

/* Each wrong value must be refused with its line and its key, and must leave the field as it was. */
static void test_errors_name_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names, *also;
    } cases[] = {
        {"broker:\n  window: 12q\n", "line 2", "broker.window"},
        {"broker:\n  window: 9\n", "line 2", "1..8"},
        {"rate: 1e9\n", "line 1", "rate"},
        {"rate: nan\n", "line 1", "rate"},
        {"broker:\n  adress: x\n", "line 2", "broker.address"},
        {"log:\n\n  json: maybe\n", "line 3", "yes nor no"},
        {"engine:\n  backend: tpu\n", "line 2", "auto|cpu|cuda"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config = {.window = 2, .rate = 0.5};
        struct sp_err err = {0};
        assert_int_equal(load_text(&config, cases[i].text, &err), SP_E_INVALID);
        assert_non_null(strstr(err.text, cases[i].names));
        assert_non_null(strstr(err.text, cases[i].also));
        assert_int_equal(config.window, 2);
        assert_true(config.rate == 0.5);
    }
}

static void test_set(void **state)
{
    (void)state;
    struct config config = {0};
    struct sp_err err = {0};
    assert_int_equal(sp_option_set(table, &config, "broker.address=a=b", &err), SP_OK);
    assert_string_equal(config.address, "a=b");
    assert_int_equal(sp_option_set(table, &config, "broker.window", &err), SP_E_INVALID);
    assert_int_equal(sp_option_set(table, &config, "nothing=1", &err), SP_E_INVALID);
    char longer[SP_OPTION_TEXT + 32] = "broker.address=";
    memset(longer + 15, 'x', SP_OPTION_TEXT);
    assert_int_equal(sp_option_set(table, &config, longer, &err), SP_E_LIMIT);
}

/* The sample that --print-config prints is itself a configuration, with the defaults in it. */
static void test_sample_parses(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    sp_option_print_sample(table, out);
    fclose(out);
    struct config config = {0};
    struct sp_err err = {0};
    assert_int_equal(load_text(&config, text, &err), SP_OK);
    assert_int_equal(config.window, 2);
    assert_true(config.rate == 0.5);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_file),
        cmocka_unit_test(test_errors_name_line_and_key),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_sample_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
