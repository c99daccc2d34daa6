/* msgpack: what is written is read, every cut is noticed, lying lengths cost nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/seal.h"
#include "common/wire.h"

static enum sp_status scan(const char *bytes, size_t length)
{
    /* A copy of exactly this size lets the address sanitizer see any read past its end. */
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    enum sp_status status = sp_wire_scan(exact, length, &sp_wire_header_limits, NULL);
    free(exact);
    return status;
}
#define SCAN(literal) scan(literal, sizeof(literal) - 1)

static struct sp_wire_writer *sample(const uint8_t **ret_bytes, size_t *ret_length)
{
    struct sp_wire_writer *writer = NULL;
    assert_int_equal(sp_wire_writer_new(&writer, 4096, NULL), SP_OK);
    sp_wire_put_map(writer, 10);
    sp_wire_put_text(writer, "v");
    sp_wire_put_uint(writer, 1);
    sp_wire_put_text(writer, "big");
    sp_wire_put_uint(writer, UINT64_MAX);
    sp_wire_put_text(writer, "low");
    sp_wire_put_int(writer, INT64_MIN);
    sp_wire_put_text(writer, "score");
    sp_wire_put_double(writer, 0.449);
    sp_wire_put_text(writer, "last");
    sp_wire_put_bool(writer, true);
    sp_wire_put_text(writer, "lane");
    sp_wire_put_text(writer, "Gate B12 \xc3\xa9");
    sp_wire_put_text(writer, "enc");
    sp_wire_put_bytes(writer, "\0\1\2\3", 4);
    sp_wire_put_text(writer, "none");
    sp_wire_put_nil(writer);
    sp_wire_put_text(writer, "list");
    sp_wire_put_array(writer, 3);
    sp_wire_put_uint(writer, 200);
    sp_wire_put_array(writer, 0);
    sp_wire_put_map(writer, 1);
    sp_wire_put_text(writer, "x");
    sp_wire_put_bytes(writer, NULL, 0);
    sp_wire_put_text(writer, "end");
    sp_wire_put_int(writer, -7);
    assert_int_equal(sp_wire_finish(writer, ret_bytes, ret_length, NULL), SP_OK);
    return writer;
}

static void test_round_trip(void **state)
{
    (void)state;
    const uint8_t *bytes, *view;
    size_t length, view_length;
    struct sp_wire_doc *doc = NULL;
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    bool b = false;
    char text[32];
    uint8_t four[4];
    struct sp_wire_writer *writer = sample(&bytes, &length);
    assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, NULL), SP_OK);
    const sp_wire_value *map = sp_wire_root(doc);
    assert_true(sp_wire_is_map(map));
    assert_int_equal(sp_wire_count(map), 10);
    assert_int_equal(sp_wire_get_uint(map, "v", 1, &u, NULL), SP_OK);
    assert_int_equal(u, 1);
    assert_int_equal(sp_wire_get_uint(map, "big", UINT64_MAX, &u, NULL), SP_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(sp_wire_get_int(map, "low", INT64_MIN, 0, &i, NULL), SP_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(sp_wire_get_double(map, "score", &d, NULL), SP_OK);
    assert_true(d == 0.449);
    assert_int_equal(sp_wire_get_bool(map, "last", &b, NULL), SP_OK);
    assert_true(b);
    assert_int_equal(sp_wire_get_text(map, "lane", text, sizeof text, NULL), SP_OK);
    assert_string_equal(text, "Gate B12 \xc3\xa9");
    assert_int_equal(sp_wire_get_bytes(map, "enc", four, 4, NULL), SP_OK);
    assert_memory_equal(four, "\0\1\2\3", 4);
    assert_int_equal(sp_wire_get_view(map, "enc", 4, &view, &view_length, NULL), SP_OK);
    assert_true(view >= bytes && view + view_length <= bytes + length); /* a view, not a copy */
    const sp_wire_value *list = sp_wire_find(map, "list");
    assert_true(sp_wire_is_array(list));
    assert_int_equal(sp_wire_count(list), 3);
    assert_true(sp_wire_as_uint(sp_wire_at(list, 0), 200, &u));
    assert_false(sp_wire_as_uint(sp_wire_at(list, 0), 199, &u));
    assert_null(sp_wire_at(list, 3));
    assert_null(sp_wire_at(list, -1));
    assert_true(sp_wire_is_map(sp_wire_at(list, 2)));
    sp_wire_free(&doc);
    assert_null(doc);
    sp_wire_free(&doc);
    sp_wire_writer_free(&writer);
}

static void test_field_errors_name_the_key(void **state)
{
    (void)state;
    const uint8_t *bytes, *view;
    size_t length;
    struct sp_wire_doc *doc = NULL;
    struct sp_err err = {0};
    uint64_t u = 5;
    int64_t i = 5;
    double d;
    bool b;
    char text[32];
    struct sp_wire_writer *writer = sample(&bytes, &length);
    assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, NULL), SP_OK);
    const sp_wire_value *map = sp_wire_root(doc);
    assert_int_equal(sp_wire_get_uint(map, "absent", 1, &u, &err), SP_E_NOTFOUND);
    assert_non_null(strstr(err.text, "\"absent\""));
    assert_int_equal(sp_wire_get_uint(map, "none", 1, &u, NULL), SP_E_NOTFOUND);
    assert_int_equal(sp_wire_get_uint(map, "lane", 1, &u, NULL), SP_E_FORMAT);
    assert_int_equal(sp_wire_get_uint(map, "big", 1, &u, &err), SP_E_LIMIT);
    assert_non_null(strstr(err.text, "\"big\""));
    assert_int_equal(sp_wire_get_uint(map, "end", 1, &u, NULL), SP_E_LIMIT);
    assert_int_equal(u, 5);
    assert_int_equal(sp_wire_get_int(map, "end", -6, 0, &i, NULL), SP_E_LIMIT);
    assert_int_equal(sp_wire_get_int(map, "big", 0, INT64_MAX, &i, NULL), SP_E_LIMIT);
    assert_int_equal(i, 5);
    assert_int_equal(sp_wire_get_double(map, "lane", &d, NULL), SP_E_FORMAT);
    assert_int_equal(sp_wire_get_double(map, "v", &d, NULL), SP_OK);
    assert_int_equal(sp_wire_get_bool(map, "v", &b, NULL), SP_E_FORMAT);
    assert_int_equal(sp_wire_get_text(map, "enc", text, sizeof text, NULL), SP_E_FORMAT);
    assert_int_equal(sp_wire_get_text(map, "lane", text, 11, NULL), SP_E_LIMIT);
    assert_int_equal(sp_wire_get_text(map, "lane", text, 12, NULL), SP_OK);
    assert_int_equal(sp_wire_get_bytes(map, "lane", text, 4, NULL), SP_E_FORMAT);
    assert_int_equal(sp_wire_get_bytes(map, "enc", text, 5, NULL), SP_E_LIMIT);
    assert_int_equal(sp_wire_get_view(map, "enc", 3, &view, &length, NULL), SP_E_LIMIT);
    assert_null(sp_wire_find(sp_wire_find(map, "v"), "x"));
    assert_null(sp_wire_find(NULL, "x"));
    sp_wire_free(&doc);
    sp_wire_writer_free(&writer);
}

static void test_text_is_utf8_without_nul(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        bool good;
    } texts[] = {
        {"\x81\xa1t\xa0", 4, true},
        {"\x81\xa1t\xa3\xe2\x82\xac", 7, true},
        {"\x81\xa1t\xa4\xf0\x9f\x9b\x82", 8, true},
        {"\x81\xa1t\xa2\xc3\x28", 6, false},         /* no continuation */
        {"\x81\xa1t\xa1\xc3", 5, false},             /* cut off */
        {"\x81\xa1t\xa2\xc0\x80", 6, false},         /* overlong */
        {"\x81\xa1t\xa3\xe0\x80\x80", 7, false},     /* overlong */
        {"\x81\xa1t\xa3\xed\xa0\x80", 7, false},     /* surrogate */
        {"\x81\xa1t\xa4\xf4\x90\x80\x80", 8, false}, /* past the last character */
        {"\x81\xa1t\xa4\xf0\x80\x80\x80", 8, false}, /* overlong */
        {"\x81\xa1t\xa1\xff", 5, false},
        {"\x81\xa1t\xa3"
         "a\0b",
         7, false},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sp_wire_doc *doc = NULL;
        char text[16];
        assert_int_equal(sp_wire_parse(&doc, texts[i].bytes, texts[i].length, &sp_wire_header_limits, NULL), SP_OK);
        assert_int_equal(sp_wire_get_text(sp_wire_root(doc), "t", text, sizeof text, NULL),
                         texts[i].good ? SP_OK : SP_E_FORMAT);
        sp_wire_free(&doc);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    const uint8_t *bytes;
    size_t length;
    struct sp_wire_writer *writer = sample(&bytes, &length);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(scan((const char *)bytes, cut), SP_E_FORMAT);
    char longer[512];
    memcpy(longer, bytes, length);
    longer[length] = 0;
    assert_int_equal(scan(longer, length + 1), SP_E_FORMAT);
    sp_wire_writer_free(&writer);
}

static void test_every_type_byte(void **state)
{
    (void)state;
    /* One whole value of each kind is taken, the same one byte short is not; ext and c1 never are. */
    static const struct {
        const char *head; /* first byte and length */
        size_t head_bytes, more;
    } kinds[] = {
        {"\x7f", 1, 0},         {"\xe0", 1, 0},         {"\xc0", 1, 0},         {"\xc2", 1, 0},
        {"\xc3", 1, 0},         {"\xca", 1, 4},         {"\xcb", 1, 8},         {"\xcc", 1, 1},
        {"\xcd", 1, 2},         {"\xce", 1, 4},         {"\xcf", 1, 8},         {"\xd0", 1, 1},
        {"\xd1", 1, 2},         {"\xd2", 1, 4},         {"\xd3", 1, 8},         {"\xa3", 1, 3},
        {"\xd9\3", 2, 3},       {"\xda\0\3", 3, 3},     {"\xdb\0\0\0\3", 5, 3}, {"\xc4\3", 2, 3},
        {"\xc5\0\3", 3, 3},     {"\xc6\0\0\0\3", 5, 3}, {"\x93", 1, 3},         {"\xdc\0\3", 3, 3},
        {"\xdd\0\0\0\3", 5, 3}, {"\xde\0\0", 3, 0},     {"\xdf\0\0\0\0", 5, 0}, {"\x80", 1, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char bytes[16] = {0};
        memcpy(bytes, kinds[i].head, kinds[i].head_bytes);
        size_t whole = kinds[i].head_bytes + kinds[i].more;
        assert_int_equal(scan(bytes, whole), SP_OK);
        assert_int_equal(scan(bytes, whole - 1), SP_E_FORMAT);
    }
    static const uint8_t refused[] = {0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8};
    for (size_t i = 0; i < sizeof refused; i++) {
        char bytes[32] = {(char)refused[i]};
        for (size_t length = 1; length <= sizeof bytes; length++)
            assert_int_equal(scan(bytes, length), SP_E_FORMAT);
    }
}

static void test_lying_lengths(void **state)
{
    (void)state;
    struct sp_wire_doc *doc = NULL;
    assert_int_equal(SCAN("\xdd\xff\xff\xff\xff"),
                     SP_E_FORMAT); /* an array of 4 Gi: what a naive reader allocates */
    assert_int_equal(SCAN("\xdf\xff\xff\xff\xff"), SP_E_FORMAT);
    assert_int_equal(SCAN("\xdb\xff\xff\xff\xff"), SP_E_FORMAT);
    assert_int_equal(SCAN("\xc6\xff\xff\xff\xff"), SP_E_FORMAT);
    assert_int_equal(SCAN("\xdc\xff\xff"), SP_E_FORMAT);
    assert_int_equal(SCAN("\xde\xff\xff\xa1x"), SP_E_FORMAT);
    assert_int_equal(sp_wire_parse(&doc, "\xdd\x7f\xff\xff\xff", 5, &sp_wire_record_limits, NULL), SP_E_FORMAT);
    assert_null(doc);
}

static void test_limits(void **state)
{
    (void)state;
    const struct sp_wire_limits limits = {64, 2, 4};
    struct sp_err err = {0};
    static const char big[65] = {0};
    assert_int_equal(sp_wire_scan(big, 65, &limits, NULL), SP_E_LIMIT);
    assert_int_equal(sp_wire_scan("\x91\x91\x01", 3, &limits, NULL), SP_OK);
    assert_int_equal(sp_wire_scan("\x91\x91\x90", 3, &limits, &err), SP_E_LIMIT);
    assert_non_null(strstr(err.text, "byte 2"));
    assert_int_equal(sp_wire_scan("\x93\1\2\3", 4, &limits, NULL), SP_OK);
    assert_int_equal(sp_wire_scan("\x94\1\2\3\4", 5, &limits, NULL), SP_E_LIMIT);
    assert_int_equal(sp_wire_scan("\x82\xa1x\x90\xa1y\x90", 7, &limits, NULL), SP_E_LIMIT);
    /* 100,000 levels: no stack is used for them. */
    size_t deep = 100000;
    char *nested = malloc(deep);
    memset(nested, 0x91, deep);
    assert_int_equal(sp_wire_scan(nested, deep, &sp_wire_record_limits, NULL), SP_E_LIMIT);
    const struct sp_wire_limits careless = {1 << 20, 1 << 20, 1 << 20};
    assert_int_equal(sp_wire_scan(nested, deep, &careless, NULL), SP_E_LIMIT);
    free(nested);
}

static void test_map_keys(void **state)
{
    (void)state;
    struct sp_wire_doc *doc = NULL;
    struct sp_err err = {0};
    assert_int_equal(SCAN("\x81\x01\x01"), SP_E_FORMAT);
    assert_int_equal(SCAN("\x81\xc4\x01k\x01"), SP_E_FORMAT);
    assert_int_equal(SCAN("\x81\xa1k\x81\x01\x01"), SP_E_FORMAT);
    assert_int_equal(SCAN("\x82\xa1k\x90\xa1l\x90"), SP_OK);
    assert_int_equal(sp_wire_parse(&doc, "\x82\xa1k\1\xa1k\2", 7, &sp_wire_header_limits, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "\"k\" stands twice"));
    assert_int_equal(sp_wire_parse(&doc, "\x91\x91\x82\xa1k\1\xa1k\2", 9, &sp_wire_header_limits, NULL),
                     SP_E_FORMAT);
    assert_int_equal(sp_wire_parse(&doc, "\x82\xa1k\1\xd9\x01k\2", 8, &sp_wire_header_limits, NULL), SP_E_FORMAT);
}

static void test_large_maps(void **state)
{
    (void)state;
    enum { PAIRS = 20000 };
    for (int twin = 0; twin < 2; twin++) {
        struct sp_wire_writer *writer = NULL;
        struct sp_wire_doc *doc = NULL;
        const uint8_t *bytes;
        size_t length;
        uint64_t value = 0;
        assert_int_equal(sp_wire_writer_new(&writer, 1 << 20, NULL), SP_OK);
        sp_wire_put_map(writer, PAIRS);
        for (int i = 0; i < PAIRS; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", twin && i == PAIRS - 1 ? 7 : i);
            sp_wire_put_text(writer, key);
            sp_wire_put_uint(writer, (uint64_t)i);
        }
        assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_OK);
        uint64_t before = sp_clock_mono_ns();
        assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_record_limits, NULL),
                         twin ? SP_E_FORMAT : SP_OK);
        assert_true(sp_clock_mono_ns() - before < 1000000000ull); /* not each key with each */
        if (!twin)
            assert_int_equal(sp_wire_get_uint(sp_wire_root(doc), "k19999", PAIRS, &value, NULL), SP_OK);
        sp_wire_free(&doc);
        sp_wire_writer_free(&writer);
    }
}

static void test_numbers_that_are_none(void **state)
{
    (void)state;
    struct sp_wire_doc *doc = NULL;
    double d;
    assert_int_equal(sp_wire_parse(&doc, "\x81\xa1x\xca\x7f\xc0\0\0", 8, &sp_wire_header_limits, NULL), SP_OK);
    assert_int_equal(sp_wire_get_double(sp_wire_root(doc), "x", &d, NULL), SP_E_FORMAT);
    sp_wire_free(&doc);
    assert_int_equal(sp_wire_parse(&doc, "\x81\xa1x\xca\x3f\x80\0\0", 8, &sp_wire_header_limits, NULL), SP_OK);
    assert_int_equal(sp_wire_get_double(sp_wire_root(doc), "x", &d, NULL), SP_OK);
    assert_true(d == 1.0);
    sp_wire_free(&doc);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    uint8_t large[128] = {0};
    assert_int_equal(sp_wire_writer_new(&writer, 100, NULL), SP_OK);
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_E_INTERNAL); /* nothing there */
    sp_wire_clear(writer);
    sp_wire_put_bytes(writer, large, sizeof large);
    sp_wire_put_nil(writer);
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_E_LIMIT);
    sp_wire_clear(writer);
    sp_wire_put_map(writer, 2);
    sp_wire_put_text(writer, "a");
    sp_wire_put_nil(writer);
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_E_INTERNAL); /* one pair is missing */
    sp_wire_clear(writer);
    sp_wire_put_map(writer, 1);
    sp_wire_put_uint(writer, 1);
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_E_INTERNAL); /* key is not text */
    sp_wire_clear(writer);
    sp_wire_put_nil(writer);
    sp_wire_put_nil(writer);
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_E_INTERNAL); /* one too many */
    sp_wire_clear(writer);
    sp_wire_put_bytes(writer, large, 98); /* with its head exactly the limit */
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_OK);
    assert_int_equal(length, 100);
    sp_wire_writer_free(&writer);
}

/* Printed, not judged: the machine may be busy. The bound is a hundred times what an idle one needs. */
static void test_header_is_cheap(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    const uint8_t *bytes;
    size_t length;
    uint64_t u;
    struct sp_wire_writer *writer = sample(&bytes, &length);
    uint64_t before = sp_clock_mono_ns();
    for (int i = 0; i < ROUNDS; i++) {
        struct sp_wire_doc *doc = NULL;
        assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, NULL), SP_OK);
        sp_wire_get_uint(sp_wire_root(doc), "v", 1, &u, NULL);
        sp_wire_free(&doc);
    }
    double ns = (double)(sp_clock_mono_ns() - before) / ROUNDS;
    print_message("a header of %zu bytes, 10 fields: %.0f ns\n", length, ns);
    assert_true(ns < 200000);
    sp_wire_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_field_errors_name_the_key),
        cmocka_unit_test(test_text_is_utf8_without_nul),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_type_byte),
        cmocka_unit_test(test_lying_lengths),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_map_keys),
        cmocka_unit_test(test_large_maps),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_header_is_cheap),
    };
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
