/* The YAML reader: what it flattens, and each thing it refuses with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/yaml.h"

static struct sp_yaml *parse(const char *text)
{
    struct sp_yaml *yaml = NULL;
    struct sp_err err = {0};
    if (sp_yaml_parse(&yaml, "t.yaml", text, strlen(text), &err) != SP_OK)
        fail_msg("%s", err.text);
    return yaml;
}

static void expect(const struct sp_yaml *yaml, const char *key, const char *value, int line)
{
    const struct sp_yaml_entry *entry = sp_yaml_find(yaml, key);
    if (!entry)
        fail_msg("no key %s", key);
    assert_string_equal(entry->value, value);
    assert_int_equal(entry->line, line);
}

static void test_flattens(void **state)
{
    (void)state;
    struct sp_yaml *yaml = parse("# comment\nname: a b\nengine:\n  backend: cpu\n  devices: [0, 1]\n"
                                 "list:\n  - {x: 1, y: \"2\"}\n  - plain\nempty: {}\nlast: ''\n");
    expect(yaml, "name", "a b", 2);
    expect(yaml, "engine.backend", "cpu", 4);
    expect(yaml, "engine.devices.0", "0", 5);
    expect(yaml, "engine.devices.1", "1", 5);
    expect(yaml, "list.0.x", "1", 7);
    expect(yaml, "list.0.y", "2", 7);
    expect(yaml, "list.1", "plain", 8);
    expect(yaml, "last", "", 10);
    assert_int_equal(yaml->count, 8);
    assert_string_equal(yaml->source, "t.yaml");
    sp_yaml_free(&yaml);
    assert_null(yaml);
    sp_yaml_free(&yaml);
}

static void test_reads_json(void **state)
{
    (void)state;
    struct sp_yaml *yaml =
        parse("[\n {\"weights\":\n  [{\"name\":\"a/b\",\"shape\":[],\"scale\":3.9e-36}],\"paths\":[\"x.bin\"]}]");
    expect(yaml, "0.weights.0.name", "a/b", 3);
    expect(yaml, "0.weights.0.scale", "3.9e-36", 3);
    expect(yaml, "0.paths.0", "x.bin", 3);
    assert_int_equal(yaml->count, 3);
    sp_yaml_free(&yaml);
}

static void test_empty(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "{}", "[]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sp_yaml *yaml = parse(texts[i]);
        assert_int_equal(yaml->count, 0);
        sp_yaml_free(&yaml);
    }
}

static void refuse(const char *text, enum sp_status status, const char *says)
{
    struct sp_yaml *yaml = NULL;
    struct sp_err err = {0};
    enum sp_status got = sp_yaml_parse(&yaml, "t.yaml", text, strlen(text), &err);
    assert_null(yaml);
    if (got != status || !strstr(err.text, says))
        fail_msg("'%.60s': %s: %s", text, sp_status_name(got), err.text);
}

static void test_refuses(void **state)
{
    (void)state;
    refuse("a: 1\nb: &x 2\n", SP_E_FORMAT, "line 2: anchors");
    refuse("a: 1\nb: *x\n", SP_E_FORMAT, "t.yaml line 2");
    refuse("a: !!int 1\n", SP_E_FORMAT, "line 1: anchors");
    refuse("a: !mine {b: 1}\n", SP_E_FORMAT, "line 1: anchors");
    refuse("a: 1\n---\nb: 2\n", SP_E_FORMAT, "line 2: a second document");
    refuse("lone\n", SP_E_FORMAT, "line 1");
    refuse("a: 1\nb: 2\na: 3\n", SP_E_FORMAT, "line 3: key 'a' is given twice");
    refuse("a:\n  b: 1\na:\n  c: 2\n", SP_E_FORMAT, "line 3: key 'a' is given twice");
    refuse("{? [1, 2] : 3}\n", SP_E_FORMAT, "line 1: a key must be");
    refuse("a: [1, 2\nb: 3\n", SP_E_FORMAT, "line ");
    refuse("a: b: c\n", SP_E_FORMAT, "line 1: not YAML");
    refuse("'': 1\n", SP_E_FORMAT, "line 1: an empty key");
    refuse("a: \"\\0\"\n", SP_E_FORMAT, "NUL");
    refuse("[[[[[[[[[1]]]]]]]]]", SP_E_LIMIT, "nested deeper than 8");
}

static void test_limits(void **state)
{
    (void)state;
    static char text[300 * 1024 + 1];
    memset(text, '#', sizeof text - 1);
    refuse(text, SP_E_LIMIT, "307200 bytes");
    /* 4097 values */
    char *at = stpcpy(text, "a: [");
    for (int i = 0; i < 4097; i++)
        at = stpcpy(at, "1, ");
    stpcpy(at, "]");
    refuse(text, SP_E_LIMIT, "more than 4096 values");
    /* a key of 300 and a value of 5000 characters */
    memset(text, 'k', 300);
    memcpy(text + 300, ": 1", 4);
    refuse(text, SP_E_LIMIT, "longer than 255");
    memcpy(text, "a: ", 4);
    memset(text + 3, 'v', 5000);
    text[5003] = '\0';
    refuse(text, SP_E_LIMIT, "longer than 4096");
}

static void test_numbers(void **state)
{
    (void)state;
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* a comma there, if the machine has it */
    struct sp_yaml *yaml = parse("good: -1.5e-3\nword: 12x\nhex: 0x10\nnan: nan\ninf: 1e999\nempty: ''\nbig: 11\n");
    struct sp_err err = {0};
    double number = 7;
    assert_int_equal(sp_yaml_number(&number, yaml, sp_yaml_find(yaml, "good"), -1, 1, &err), SP_OK);
    assert_true(number == -1.5e-3);
    static const char *const wrong[] = {"word", "hex", "nan", "inf", "empty", "big"};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(sp_yaml_number(&number, yaml, sp_yaml_find(yaml, wrong[i]), 0, 10, &err), SP_E_FORMAT);
        char place[32];
        snprintf(place, sizeof place, "t.yaml line %d: %s", i + 2, wrong[i]);
        assert_non_null(strstr(err.text, place));
    }
    assert_true(number == -1.5e-3);
    sp_yaml_free(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flattens), cmocka_unit_test(test_reads_json), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_refuses),  cmocka_unit_test(test_limits),     cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
