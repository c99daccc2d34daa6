/* Local times of ports as UTC, around changes of the clock, and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/file.h"
#include "roster/zone.h"
#include "roster/zone_rule.h"

static int64_t utc(const char *text)
{
    int64_t ms = 0;
    assert_int_equal(sp_clock_parse(text, &ms), 0);
    return ms;
}

static void expect(const char *name, const char *local, const char *wanted)
{
    struct sp_zone *zone = NULL;
    struct sp_err err = {0};
    int64_t ms = 0;
    char found[32];
    if (sp_zone_open(&zone, name, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_true(sp_zone_time(&ms, zone, local));
    sp_clock_format(found, ms);
    if (ms != utc(wanted))
        fail_msg("%s %s is %s, expected %s", name, local, found, wanted);
    sp_zone_free(&zone);
}

static void test_known_dates(void **state)
{
    (void)state;
    expect("America/New_York", "2026-12-04T18:20", "2026-12-04T23:20:00Z");
    expect("America/New_York", "2026-07-04T18:20", "2026-07-04T22:20:00Z");
    expect("Europe/Lisbon", "2026-03-29T00:59", "2026-03-29T00:59:00Z"); /* 01:00 UTC: summer */
    expect("Europe/Lisbon", "2026-03-29T02:00", "2026-03-29T01:00:00Z");
    expect("Asia/Kolkata", "2026-12-04 18:20:30", "2026-12-04T12:50:30Z");
    expect("Asia/Kathmandu", "2026-12-04T05:45", "2026-12-04T00:00:00Z");
    expect("Australia/Lord_Howe", "2026-01-15T12:00", "2026-01-15T01:00:00Z"); /* summer is half an hour */
    expect("Australia/Lord_Howe", "2026-07-15T12:00", "2026-07-15T01:30:00Z");
    expect("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00:00Z"); /* 30 December was not there */
    expect("America/Sao_Paulo", "2018-01-10T12:00", "2018-01-10T14:00:00Z");
    expect("America/Sao_Paulo", "2026-01-10T12:00", "2026-01-10T15:00:00Z"); /* no summer time any more */
    expect("Europe/Dublin", "2026-07-01T12:00", "2026-07-01T11:00:00Z");     /* summer is its standard time */
    expect("Europe/Dublin", "2026-12-01T12:00", "2026-12-01T12:00:00Z");
    expect("Etc/UTC", "2026-12-01T12:00", "2026-12-01T12:00:00Z");
}

static void test_gaps_and_overlaps(void **state)
{
    (void)state;
    /* 8 March 2026, 02:00 becomes 03:00: the offset before the jump. */
    expect("America/New_York", "2026-03-08T01:59", "2026-03-08T06:59:00Z");
    expect("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30:00Z");
    expect("America/New_York", "2026-03-08T03:00", "2026-03-08T07:00:00Z");
    /* 1 November 2026, 02:00 becomes 01:00: the first of two. */
    expect("America/New_York", "2026-11-01T00:59", "2026-11-01T04:59:00Z");
    expect("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z");
    expect("America/New_York", "2026-11-01T02:00", "2026-11-01T07:00:00Z");
    expect("Australia/Sydney", "2026-04-05T02:30", "2026-04-04T15:30:00Z");
    expect("Australia/Sydney", "2026-10-04T02:30", "2026-10-03T16:30:00Z");
}

/* Beyond the table: the rule. */
static void test_far_dates(void **state)
{
    (void)state;
    expect("America/New_York", "2151-07-04T12:00", "2151-07-04T16:00:00Z");
    expect("America/New_York", "2151-12-04T12:00", "2151-12-04T17:00:00Z");
    expect("Australia/Sydney", "2151-01-04T12:00", "2151-01-04T01:00:00Z");
    expect("Asia/Tokyo", "2151-01-04T12:00", "2151-01-04T03:00:00Z");
}

static void test_offsets_win(void **state)
{
    (void)state;
    expect("Asia/Tokyo", "2026-12-04T18:20-05:00", "2026-12-04T23:20:00Z");
    expect("Asia/Tokyo", "2026-12-04T18:20Z", "2026-12-04T18:20:00Z");
    expect("Asia/Tokyo", "2026-12-04T18:20:10+0530", "2026-12-04T12:50:10Z");
    expect("Asia/Tokyo", "2026-12-04T18:20+01", "2026-12-04T17:20:00Z");
}

static void test_no_times(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2026-12-04",
                                      "2026-12-04T",
                                      "2026-12-04T24:00",
                                      "2026-12-04T18:60",
                                      "2026-13-04T18:20",
                                      "2026-02-29T18:20",
                                      "2026-12-04T18:20:61",
                                      "2026-12-04T18:20+",
                                      "2026-12-04T18:20+1",
                                      "2026-12-04T18:20+99:00",
                                      "2026-12-04T18:20+01:",
                                      "2026-12-04T18:20 ",
                                      "2026/12/04T18:20",
                                      "20261204T1820"};
    int64_t ms = 77, last;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sp_zone_time(&ms, NULL, bad[i]));
    assert_true(sp_zone_time(&ms, NULL, "2028-02-29T00:00"));
    assert_false(sp_zone_day(&ms, &last, NULL, "2026-12-04T18:20"));
}

static void test_days(void **state)
{
    (void)state;
    struct sp_zone *zone = NULL;
    int64_t first = 0, last = 0;
    assert_int_equal(sp_zone_open(&zone, "America/New_York", NULL), SP_OK);
    assert_true(sp_zone_day(&first, &last, zone, "2026-03-08")); /* a day of 23 hours */
    assert_true(first == utc("2026-03-08T05:00:00Z"));
    assert_true(last + 1 == utc("2026-03-09T04:00:00Z"));
    assert_true(sp_zone_day(&first, &last, zone, "2026-11-01")); /* and one of 25 */
    assert_int_equal((last + 1 - first) / 3600000, 25);
    sp_zone_free(&zone);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/etc/passwd",
                                      "../passwd",
                                      "Europe/../Lisbon",
                                      "Europe//Lisbon",
                                      "Europe/",
                                      "Europe/Lisbon ",
                                      "a.b",
                                      "Europe\\Lisbon",
                                      "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct sp_zone *zone = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sp_zone_open(&zone, bad[i], NULL), SP_E_INVALID);
    assert_int_equal(sp_zone_open(&zone, "Europe/Atlantis", NULL), SP_E_NOTFOUND);
    assert_true(sp_zone_name_ok("America/Argentina/Buenos_Aires") && sp_zone_name_ok("Etc/GMT+5"));
}

static void test_rules(void **state)
{
    (void)state;
    struct sp_zone_rule rule;
    static const char *const bad[] = {"",
                                      "E5",
                                      "EST",
                                      "EST5EDT",
                                      "EST5EDT,M3.2.0",
                                      "EST5EDT,M13.2.0,M11.1.0",
                                      "EST5EDT,M3.6.0,M11.1.0",
                                      "EST5EDT,M3.2.7,M11.1.0",
                                      "EST5EDT,J60,J300",
                                      "EST5EDT,M3.2.0,M11.1.0x",
                                      "<-0>3",
                                      "EST99",
                                      "EST5EDT,M3.2.0/168,M11.1.0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sp_zone_rule_parse(&rule, bad[i]));
    assert_true(sp_zone_rule_parse(&rule, "<-02>2<-01>,M3.5.0/-1,M10.5.0/0")); /* Nuuk */
    assert_int_equal(sp_zone_rule_offset(&rule, utc("2030-07-01T00:00:00Z") / 1000), -3600);
    assert_int_equal(sp_zone_rule_offset(&rule, utc("2030-03-31T00:59:59Z") / 1000), -7200);
    assert_int_equal(sp_zone_rule_offset(&rule, utc("2030-03-31T01:00:00Z") / 1000), -3600);
    assert_true(sp_zone_rule_parse(&rule, "EET-2EEST,M3.4.4/50,M10.4.4/50")); /* Gaza: two days later */
    assert_int_equal(sp_zone_rule_offset(&rule, utc("2030-03-29T23:59:59Z") / 1000), 7200);
    assert_int_equal(sp_zone_rule_offset(&rule, utc("2030-03-30T00:00:00Z") / 1000), 10800);
    for (int64_t year = 1600; year < 2400; year++) /* days grow by one, and years have their length */
        assert_int_equal(sp_zone_days(year + 1, 1, 1) - sp_zone_days(year, 1, 1),
                         (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 366 : 365);
    assert_int_equal(sp_zone_days(1970, 1, 1), 0);
    assert_int_equal(sp_zone_days(2000, 3, 1), 11017);
}

/* Cut anywhere or damaged: an error or a zone, never more. */
static void test_damaged(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_zone *zone = NULL;
    assert_int_equal(sp_file_read(&bytes, &length, "/usr/share/zoneinfo/Europe/Lisbon", SP_ZONE_MAX_BYTES, NULL),
                     SP_OK);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(sp_zone_parse(&zone, "cut", bytes, cut, NULL), SP_E_FORMAT);
    bytes[4] = '1';
    assert_int_equal(sp_zone_parse(&zone, "old", bytes, length, NULL), SP_E_FORMAT);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_dates), cmocka_unit_test(test_gaps_and_overlaps),
        cmocka_unit_test(test_far_dates),   cmocka_unit_test(test_offsets_win),
        cmocka_unit_test(test_no_times),    cmocka_unit_test(test_days),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_rules),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
