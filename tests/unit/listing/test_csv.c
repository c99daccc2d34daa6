/* CSV with the dirt of real files, and exact line numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "listing/csv.h"

static struct sp_csv *open_text(const char *text)
{
    struct sp_csv *csv = NULL;
    assert_int_equal(sp_csv_new(&csv, "t.csv", text, strlen(text), NULL), SP_OK);
    return csv;
}

static void test_quotes_and_line_ends(void **state)
{
    (void)state;
    struct sp_csv *csv = open_text("\xef\xbb\xbf"
                                   "a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\n\n,\"\"\r\nlast,\xc3\xa9");
    struct sp_csv_record r;
    assert_int_equal(sp_csv_next(csv, &r, NULL), SP_OK);
    assert_int_equal(r.line, 1);
    assert_string_equal(r.fields[0], "a"); /* no byte order mark */
    assert_int_equal(sp_csv_next(csv, &r, NULL), SP_OK);
    assert_int_equal(r.line, 2);
    assert_string_equal(r.fields[0], "x, \"y\"");
    assert_string_equal(r.fields[1], "two\nlines");
    assert_int_equal(sp_csv_next(csv, &r, NULL), SP_OK);
    assert_int_equal(r.line, 5); /* after the line break in quotes and the empty line */
    assert_int_equal(r.count, 2);
    assert_string_equal(r.fields[0], "");
    assert_string_equal(r.fields[1], "");
    assert_int_equal(sp_csv_next(csv, &r, NULL), SP_OK);
    assert_int_equal(r.line, 6);
    assert_string_equal(r.fields[1], "\xc3\xa9");
    assert_int_equal(sp_csv_next(csv, &r, NULL), SP_E_CLOSED);
    sp_csv_free(&csv);
}

/* What is wrong and where. */
static void check_refused(const char *text, enum sp_status wanted, const char *place)
{
    struct sp_csv *csv = NULL;
    struct sp_csv_record r;
    struct sp_err err = {0};
    enum sp_status status = sp_csv_new(&csv, "t.csv", text, strlen(text), &err);
    while (status == SP_OK)
        status = sp_csv_next(csv, &r, &err);
    assert_int_equal(status, wanted);
    if (!strstr(err.text, place))
        fail_msg("'%s' does not name '%s'", err.text, place);
    sp_csv_free(&csv);
}

static void test_dirt(void **state)
{
    (void)state;
    check_refused("a,b\n\"open", SP_E_FORMAT, "line 2");
    check_refused("a,b\n1,2\n3,\"x\n\ny", SP_E_FORMAT, "line 3");
    check_refused("a\n\"x\"y\n", SP_E_FORMAT, "line 2");
    check_refused("a\nx\"y\n", SP_E_FORMAT, "line 2");
    check_refused("a\nb\n\xff\n", SP_E_FORMAT, "line 3");
    check_refused("a\n\xc0\xaf\n", SP_E_FORMAT, "line 2");         /* overlong */
    check_refused("a\n\xed\xa0\x80\n", SP_E_FORMAT, "line 2");     /* surrogate */
    check_refused("a\n\xf4\x90\x80\x80\n", SP_E_FORMAT, "line 2"); /* beyond Unicode */
    check_refused("a\n\xe2\x82", SP_E_FORMAT, "line 2");           /* cut short */
    check_refused(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,", SP_E_LIMIT, "64 fields");
}

static void test_nul_and_long(void **state)
{
    (void)state;
    struct sp_csv *csv = NULL;
    struct sp_csv_record r;
    struct sp_err err = {0};
    assert_int_equal(sp_csv_new(&csv, "t.csv", "a\0b", 3, &err), SP_E_FORMAT);
    char *text = malloc(SP_CSV_MAX_FIELD + 2);
    memset(text, 'x', SP_CSV_MAX_FIELD + 1);
    assert_int_equal(sp_csv_new(&csv, "t.csv", text, SP_CSV_MAX_FIELD + 1, NULL), SP_OK);
    assert_int_equal(sp_csv_next(csv, &r, &err), SP_E_LIMIT);
    sp_csv_free(&csv);
    assert_int_equal(sp_csv_new(&csv, "t.csv", text, SP_CSV_MAX_FIELD, NULL), SP_OK);
    assert_int_equal(sp_csv_next(csv, &r, NULL), SP_OK);
    assert_int_equal(strlen(r.fields[0]), SP_CSV_MAX_FIELD);
    sp_csv_free(&csv);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes_and_line_ends),
        cmocka_unit_test(test_dirt),
        cmocka_unit_test(test_nul_and_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
