/* The tokenizer and its dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "listing/edifact.h"
#include "listing/edifact_date.h"

static struct sp_edifact reader;
static struct sp_edifact_segment segment;

static void open_text(const char *text)
{
    struct sp_err err = {0};
    if (sp_edifact_open(&reader, "t.edi", text, strlen(text), &err) != SP_OK)
        fail_msg("%s", err.text);
}

/* The next segment as "TAG|element;component|...". */
static void check_next(const char *wanted, unsigned flags)
{
    char text[512] = "";
    assert_int_equal(sp_edifact_next(&reader, &segment, NULL), SP_OK);
    for (int i = 0; i < segment.element_count; i++)
        for (int j = segment.first[i]; j < segment.first[i + 1]; j++) {
            strcat(text, i == 0 && j == 0 ? "" : j == segment.first[i] ? "|" : ";");
            strncat(text, segment.components[j].text, segment.components[j].length);
        }
    assert_string_equal(text, wanted);
    assert_int_equal(segment.flags, flags);
}

static void check_end(void)
{
    assert_int_equal(sp_edifact_next(&reader, &segment, NULL), SP_E_CLOSED);
}

static void test_default_separators(void **state)
{
    (void)state;
    open_text("UNB+UNOA:4+A'\r\nRFF+TN:::X''BGM+++'");
    check_next("UNB|UNOA;4|A", 0);
    assert_int_equal(segment.number, 1);
    assert_int_equal(segment.offset, 0);
    check_next("RFF|TN;;;X", 0);
    assert_int_equal(segment.number, 2);
    assert_int_equal(segment.offset, 15);
    check_next("", 0);
    check_next("BGM|||", 0);
    assert_true(sp_edifact_is(sp_edifact_get(&segment, 0, 0), "BGM"));
    assert_int_equal(sp_edifact_get(&segment, 9, 0).length, 0);
    assert_int_equal(sp_edifact_get(&segment, 1, 3).length, 0);
    check_end();
}

static void test_una(void **state)
{
    (void)state;
    open_text("UNA|^.~ #UNH^1^A|B#FTX^a~^b~~~#~|#UNA:+.?*'X++A*B:C+D'");
    check_next("UNH|1|A;B", 0);
    assert_int_equal(segment.number, 1);
    check_next("FTX|a^b~#|", 0);
    check_next("X||A*B;C|D", 0); /* another UNA counts from there on; what repeats is text */
    check_end();
}

static void test_guessed_separators(void **state)
{
    (void)state;
    open_text("UNH*1*PAXLST|D|05B~BGM*745~");
    check_next("UNH|1|PAXLST;D;05B", 0);
    assert_true(reader.guessed);
    check_next("BGM|745", 0);
    check_end();
    open_text("UNH+1+PAXLST:D:05B\"BGM+745\"");
    check_next("UNH|1|PAXLST;D;05B", 0);
    open_text("UNH+1+PAXLST:D:05B\r\nBGM+745\r\n"); /* a segment a line */
    check_next("UNH|1|PAXLST;D;05B", 0);
    check_next("BGM|745", 0);
    check_end();
    open_text("UNH+1+PAXLST:D:05B'BGM+745'");
    assert_false(reader.guessed);
}

static void test_preamble(void **state)
{
    (void)state;
    open_text("\xef\xbb\xbfQN GBRRMOK\r\n.YOWAAXH KL/041643\r\n  UNH+1+X'");
    assert_int_equal(reader.preamble_lines, 2);
    check_next("UNH|1|X", 0);
    assert_int_equal(segment.offset, 37);
    assert_true(sp_edifact_looks_like("\001QD X\002UNA:+.? 'UNB+", 19));
    assert_false(sp_edifact_looks_like("surname,given\nUNHAPPY,X\n", 24));
    assert_false(sp_edifact_looks_like("surname,given\nUNG,KIM\nUNA,\"LI\"\nUNB,SO\nUNH,JO\n", 45));
    assert_true(sp_edifact_looks_like("UNG,KIM\nUNB+UNOA:4", 18));
    assert_true(sp_edifact_looks_like("UNH+1+CUSRES:D", 14));
    assert_true(sp_edifact_looks_like("UNB+X'UNH+1+PAX\r\nLS\nT:D", 23));
    assert_false(sp_edifact_looks_like("UNH+1+PAXLS", 11));
    assert_false(sp_edifact_looks_like("", 0));
    assert_false(sp_edifact_looks_like("UNA", 3));
}

/* A byte is missing in the UNA; a terminator before BGM. Either way no value gets an apostrophe. */
static void test_lost_bytes(void **state)
{
    (void)state;
    static const char *const una[] = {"UNA:+.?'\nUNH+1'BGM+745'", "UNA:+.?'UNH+1'BGM+745'",
                                      "UNA:+.?'\r\nUNH+1'BGM+745'"};
    for (int i = 0; i < 3; i++) {
        open_text(una[i]);
        assert_true(reader.brief_una);
        check_next("UNH|1", 0);
        check_next("BGM|745", 0);
        check_end();
    }
    open_text("UNA:+.? 'UNH+1'");
    assert_false(reader.brief_una);
    open_text("UNH+1+PAXLST:D:05B\nBGM+745'\nNAD+MS'\nUNT+1'\n");
    check_next("UNH|1|PAXLST;D;05BBGM|745", SP_EDIFACT_WRAPPED);
    check_next("NAD|MS", 0);
}

static void test_flags(void **state)
{
    (void)state;
    open_text("UNH+1+X'  BGM+74\r\n5'FTX+WHAT?NOW?"
              "?'UNT+1");
    check_next("UNH|1|X", 0);
    check_next("BGM|745", SP_EDIFACT_SPACES | SP_EDIFACT_WRAPPED);
    check_next("FTX|WHAT?NOW?", SP_EDIFACT_RELEASED);
    check_next("UNT|1", SP_EDIFACT_UNTERMINATED);
    check_end();
}

static void check_refused(const char *text, size_t length, enum sp_status wanted, const char *place)
{
    struct sp_err err = {0};
    enum sp_status status = sp_edifact_open(&reader, "t.edi", text, length, &err);
    while (status == SP_OK)
        status = sp_edifact_next(&reader, &segment, &err);
    assert_int_equal(status, wanted);
    if (!strstr(err.text, place))
        fail_msg("'%s' does not name '%s'", err.text, place);
}

static void test_bad_una(void **state)
{
    (void)state;
    static const char *const bad[] = {"UNA:+.? +UNH", "UNA::.? 'UNH", "UNA:+.+ 'UNH", "UNA:+.?:'UNH",
                                      "UNA:+.? AUNH", "UNA +.? 'UNH", "UNA:+.?X'UNH", "UNAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(bad[i], strlen(bad[i]), SP_E_FORMAT, "UNA");
    check_refused("UNA::.? '\nUNH+1'", 16, SP_E_FORMAT, "two of its separators"); /* no line to pass over */
    check_refused("UNA:+.\0 'UNH+1'", 15, SP_E_FORMAT, "UNA");
    check_refused("nothing here", 12, SP_E_FORMAT, "no UNA, UNB, UNG or UNH");
}

static void test_limits(void **state)
{
    (void)state;
    static char text[10u << 20];
    size_t size = sizeof text;
    memset(text, '+', size);
    memcpy(text, "UNH+1'BGM", 9);
    check_refused(text, size, SP_E_LIMIT, "segment 2 at byte 6: more than 64 elements");
    memset(text + 9, ':', size - 9);
    check_refused(text, size, SP_E_LIMIT, "more than 128 components");
    memset(text + 9, 'x', size - 9);
    check_refused(text, size, SP_E_LIMIT, "more than 8192 bytes");
    memset(text + 9, '?', size - 9);
    check_refused(text, size, SP_E_LIMIT, "more than 8192 bytes");
    memset(text + 9, 0, size - 9);
    check_refused(text, size, SP_E_LIMIT, "more than 8192 bytes");
    memset(text, 'x', size);
    check_refused(text, size, SP_E_FORMAT, "within 4096 bytes");
}

static void check_date(const char *value, const char *format, enum sp_edifact_century century,
                       enum sp_edifact_date_quality quality, const char *wanted)
{
    struct sp_edifact_date date = {"", ""};
    char text[20] = "";
    assert_int_equal(sp_edifact_date_read(&date, (struct sp_edifact_view){value, strlen(value)},
                                          (struct sp_edifact_view){format, strlen(format)}, century,
                                          (struct sp_edifact_day){2026, 11, 26}),
                     quality);
    strcat(strcat(text, date.date), date.time);
    assert_string_equal(text, wanted);
}

static void test_dates(void **state)
{
    (void)state;
    check_date("910203", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_GOOD, "1991-02-03");
    check_date("910203", "101", SP_CENTURY_PAST, SP_EDIFACT_DATE_GOOD, "1991-02-03");
    check_date("261126", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_GOOD, "2026-11-26"); /* born today */
    check_date("261127", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_GOOD, "1926-11-27"); /* never tomorrow */
    check_date("261127", "", SP_CENTURY_NEAR, SP_EDIFACT_DATE_GOOD, "2026-11-27");
    check_date("750101", "", SP_CENTURY_NEAR, SP_EDIFACT_DATE_GOOD, "2075-01-01");
    check_date("760101", "", SP_CENTURY_NEAR, SP_EDIFACT_DATE_GOOD, "1976-01-01");
    check_date("19910203", "102", SP_CENTURY_PAST, SP_EDIFACT_DATE_GOOD, "1991-02-03");
    check_date("2612041820", "201", SP_CENTURY_NEAR, SP_EDIFACT_DATE_GOOD, "2026-12-0418:20");
    check_date("202612041820", "203", SP_CENTURY_NEAR, SP_EDIFACT_DATE_GOOD, "2026-12-0418:20");
    check_date("000229", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_GOOD, "2000-02-29");
    check_date("19910203", "101", SP_CENTURY_PAST, SP_EDIFACT_DATE_GUESSED, "1991-02-03");
    check_date("19910203", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_GUESSED, "1991-02-03");
    check_date("910203", "999", SP_CENTURY_PAST, SP_EDIFACT_DATE_GUESSED, "1991-02-03");
    check_date("910229", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_NONE, "");
    check_date("910200", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_NONE, "");
    check_date("911301", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_NONE, "");
    check_date("00000101", "102", SP_CENTURY_PAST, SP_EDIFACT_DATE_NONE, "");
    check_date("2612042400", "201", SP_CENTURY_NEAR, SP_EDIFACT_DATE_NONE, "");
    check_date("9102 3", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_NONE, "");
    check_date("", "", SP_CENTURY_PAST, SP_EDIFACT_DATE_NONE, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_separators),
        cmocka_unit_test(test_una),
        cmocka_unit_test(test_guessed_separators),
        cmocka_unit_test(test_preamble),
        cmocka_unit_test(test_lost_bytes),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_bad_una),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
