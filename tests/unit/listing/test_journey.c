/* Which manifest a listing names: flight numbers, legs, vessels, standing galleries; and what a file's gaps are
 * filled with. */
#include "tests/unit/listing/read_text.h"

#include "listing/csv.h"
#include "listing/field.h"

#define AIR(carrier, number)                                                                                       \
    "{\"mode\":\"air\",\"carrier\":\"" carrier "\",\"journey\":\"" number                                          \
    "\",\"legs\":[{\"dep_port\":\"JFK\",\"sched_dep\":\"2026-12-04\"}]}"

static void check_journey(const char *text, const char *id)
{
    struct sp_listing *l = read_one(text);
    check_id(l, id);
    sp_listing_free(&l);
}

static void test_flight_numbers(void **state)
{
    (void)state;
    check_journey(AIR("ZX", "417"), "air-zx-417-20261204-jfk");
    check_journey(AIR("ZX", "ZX0417"), "air-zx-417-20261204-jfk");
    check_journey(AIR("zx", "ZX 00417"), "air-zx-417-20261204-jfk");
    check_journey(AIR("ZX", "417A"), "air-zx-417a-20261204-jfk");
    check_journey(AIR("9X", "9X12"), "air-9x-12-20261204-jfk");
    check_journey(AIR("9X", "912"), "air-9x-912-20261204-jfk");
    check_journey(AIR("ZX", "000"), "air-zx-0-20261204-jfk");
    check_journey(AIR("ZX", "ZXA"), "air-zx-zxa-20261204-jfk"); /* a word, not a number behind the carrier */
}

static void test_legs(void **state)
{
    (void)state;
    static const char *const second[] = {"LIS"}, *const last[] = {"nowhere", "opo"};
    char id[SP_MANIFEST_ID_MAX];
    struct sp_listing *l =
        read_one("{\"mode\":\"air\",\"carrier\":\"ZX\",\"journey\":\"1\",\"legs\":["
                 "{\"dep_port\":\"YYZ\",\"arr_port\":\"JFK\",\"sched_dep\":\"2026-12-03\",\"over_flight\":true},"
                 "{\"dep_port\":\"JFK\",\"arr_port\":\"LIS\",\"sched_dep\":\"2026-12-04T23:50\"},"
                 "{\"dep_port\":\"LIS\",\"arr_port\":\"OPO\",\"sched_dep\":\"2026-12-05T08:00\"}]}");
    check_id(l, "air-zx-1-20261204-jfk"); /* the first that is flown to */
    assert_int_equal(sp_journey_id(id, l, second, 1, NULL), SP_OK);
    assert_string_equal(id, "air-zx-1-20261205-lis");
    assert_int_equal(sp_journey_id(id, l, last, 2, NULL), SP_OK); /* it arrives there */
    assert_string_equal(id, "air-zx-1-20261205-lis");
    sp_listing_free(&l);
}

/* Behind the minutes only seconds and a zone: nobody may lose twelve hours. */
static void test_times(void **state)
{
    (void)state;
    static const char *const good[] = {"2026-12-04T06:20",      "2026-12-04 06:20",         "2026-12-04T06:20:59",
                                       "2026-12-04T06:20Z",     "2026-12-04T06:20:59.5Z",   "2026-12-04 06:20 +01",
                                       "2026-12-04T06:20-0500", "2026-12-04T06:20:00+05:30"};
    static const char *const bad[] = {"2026-12-04 06:20 PM",   "2026-12-04T06:20xyz", "2026-12-04T06:2099",
                                      "2026-12-04T06:20:",     "2026-12-04T06:20:6",  "2026-12-04T06:20+1",
                                      "2026-12-04T06:20 Zulu", "2026-12-04T24:00"};
    char time[17];
    bool zone = false;
    for (int i = 0; i < 8; i++) {
        if (!sp_field_time(time, &zone, good[i]))
            fail_msg("%s is a time", good[i]);
        assert_string_equal(time, "2026-12-04T06:20");
        assert_int_equal(zone, i > 2);
    }
    for (int i = 0; i < 8; i++)
        if (sp_field_time(time, &zone, bad[i]))
            fail_msg("%s is taken for %s", bad[i], time);
}

static void test_births(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "mode,carrier,journey,dep_port,sched_dep,surname,traveller_ref,dob\nair,ZX,1,JFK,2026-12-04,SAMPLE,A,2999-"
        "02-03\n",
        "UNH+1+PAXLST:D:05B:UN:IATA+1+01:F'BGM+745'TDT+20+ZX417'LOC+125+JFK'DTM+189:2612041820:201'LOC+87+LIS'"
        "NAD+FL+++SAMPLE:AVA'DTM+329:29990203:102'RFF+ABO:A'UNT+10+1'"};
    for (int i = 0; i < 2; i++) {
        struct sp_listing *l = read_one(texts[i]);
        assert_string_equal(l->travellers[0].dob, "");
        check_deviation(l, l->travellers[0].segment, "the date of birth is in the future");
        assert_int_equal(l->deviation_count, 1);
        assert_int_equal(l->value_count, 1);
        sp_listing_free(&l);
    }
}

static void test_standing(void **state)
{
    (void)state;
    check_journey("mode,carrier,dep_port,traveller_ref,valid_from,valid_to\n"
                  "vehicle,Commuters,USSYS,C1,2026-01-01,2026-12-31\n",
                  "vehicle-commuters-standing-ussys");
    check_journey(
        "mode,registration,dep_port,sched_dep,surname,dob\nprivate,N123ZZ,TEB,2026-12-04T09:00,SAMPLE,1991-02-03\n",
        "private-n123zz-n123zz-20261204-teb");
    check_refused("mode,carrier,dep_port,traveller_ref\nvehicle,C,USSYS,C1\n", SP_E_FORMAT,
                  "line 1|journey, sched_dep");
}

/* Without what names it a listing is read, and the id says what lacks; parts that do not fit are refused, never
 * cut. */
static void test_no_id(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"mode\":\"air\",\"carrier\":\"ZX\",\"journey\":\"1\"}",
                                        "{\"mode\":\"air\",\"journey\":\"1\",\"legs\":[]}", "{\"journey\":\"1\"}",
                                        "{\"mode\":\"sea\",\"carrier\":\"ZX\",\"journey\":\"--\",\"legs\":[{\"dep_"
                                        "port\":\"JFK\",\"sched_dep\":\"2026-12-04\"}]}",
                                        AIR("ZX", "12345678901234567890123456789")};
    static const char *const lacks[] = {"sched_dep", "carrier", "mode", "journey", "journey"};
    char id[SP_MANIFEST_ID_MAX];
    for (int i = 0; i < 5; i++) {
        struct sp_listing *l = read_one(texts[i]);
        struct sp_err err = {0};
        assert_int_equal(sp_journey_id(id, l, NULL, 0, &err), SP_E_FORMAT);
        if (strncmp(err.text, lacks[i], strlen(lacks[i])) != 0)
            fail_msg("'%s' does not begin with %s", err.text, lacks[i]);
        sp_listing_free(&l);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    static const char text[] =
        "imo,voyage,surname,dob,date of departure\n9000001,V1,SAMPLE,1984-05-17,2026-12-05\n";
    const struct sp_listing_read_options options = {
        .defaults = {.mode = "air", .carrier = "EXCR", .number = "X", .port = "usmia", .date = "2027-01-01"}};
    struct sp_listing **all = NULL;
    int count = 0;
    assert_int_equal(sp_listing_read_bytes(&all, &count, "t", text, sizeof text - 1, &options, NULL), SP_OK);
    check_id(all[0], "sea-excr-v1-20261205-usmia"); /* only gaps are filled */
    sp_listing_free_all(&all, count);
}

#define SHIPS                 "mode,vessel_id,journey,dep_port,arr_port,sched_dep,sched_arr,direction,vessel,surname,dob\n"
#define LINE(id, times, rest) "sea," id ",V1,USMIA,NSNAS,2026-12-05," times "," rest ",SAMPLE,1991-02-03\n"

/* What later lines say of the journey is the first line's, another journey, or said to be lost. */
static void test_later_lines(void **state)
{
    (void)state;
    check_refused("mode,registration,dep_port,sched_dep,surname,dob\n"
                  "private,N1,TEB,2026-12-04,SAMPLE,1991-02-03\nprivate,N2,TEB,2026-12-04,SAMPLE,1992-02-03\n",
                  SP_E_FORMAT, "line 3|private-n2-n2|private-n1-n1");
    check_refused(SHIPS LINE("9000001", "", "exit,A") LINE("9000002", "", "exit,A"), SP_E_FORMAT,
                  "line 3|split it");
    check_refused(SHIPS "sea,9000001,V1,USMIA,NSNAS,5.12.26,,,A,SAMPLE,1991-02-03\n" LINE("9000001", "", "exit,A"),
                  SP_E_FORMAT, "line 3|the first to none|sched_dep");
    struct sp_listing *l =
        read_one(SHIPS LINE("9000001", "2026-12-06", "exit,A") LINE("9000001", "2026-12-07", "exit,A")
                     LINE("9000001", "2026-12-06", "entry,A") LINE("9000001 ", "", "exit,B")
                         LINE("9000001", "", "out,A") LINE("9000001", "", "exit ,A") ",,,,,,,,,,\n");
    check_deviation(l, 3, "sched_arr differs");
    check_deviation(l, 4, "direction differs");
    check_deviation(l, 5, "vessel differs");
    check_deviation(l, 6, "direction must be");
    check_deviation(l, 8, "empty fields");
    assert_int_equal(l->deviation_count, 5);
    assert_int_equal(l->traveller_count, 6);
    sp_listing_free(&l);
}

/* What spreadsheets do to the first lines. */
static void test_first_line(void **state)
{
    (void)state;
    struct sp_listing *l = read_one("sep=;\r\nmode;carrier;journey;dep_port;sched_dep;traveller_ref\r\n"
                                    "air;ZX;1;JFK;2026-12-04;T\r\n");
    check_id(l, "air-zx-1-20261204-jfk");
    assert_int_equal(l->deviation_count, 0);
    assert_int_equal(l->travellers[0].segment, 3);
    sp_listing_free(&l);
    char text[SP_CSV_MAX_FIELD + 4000] = "mode,carrier,journey,dep_port,sched_dep,surname,dob\r";
    while (strlen(text) < SP_CSV_MAX_FIELD + 2000) /* no LF at all, and a character across the byte 4096 */
        strcat(text,
               "air,ZX,1,JFK,2026-12-04,\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c\xc3\x9c,1991-02-03\r");
    for (int i = 0; i < 2; i++) { /* whether it has two bytes or one before that */
        l = read_one(text);
        assert_int_equal(l->format, SP_LISTING_CSV);
        sp_listing_free(&l);
        memmove(text + 1, text, strlen(text) + 1);
        text[0] = ' ';
    }
}

static void test_formats(void **state)
{
    (void)state;
    struct sp_listing *ung = read_one("surname,dob,voyage,imo,port,date of departure\n"
                                      "UNG,1984-05-17,V1,9000001,USMIA,2026-12-05\n");
    assert_int_equal(ung->format, SP_LISTING_FAL6); /* somebody's name, no interchange */
    assert_int_equal(ung->deviation_count, 0);
    sp_listing_free(&ung);
    check_refused_bytes("pdf", "x", 1, SP_E_INVALID, "pdf|paxlst");
    check_refused_bytes(NULL, "", 0, SP_E_FORMAT, "t.in|empty");
    check_refused_bytes("csv", "{}", 2, SP_E_FORMAT, "t.in line 1");
    check_refused_bytes("json", "mode,carrier\n", 13, SP_E_FORMAT, "t.in line 1|JSON");
    struct sp_listing *l =
        read_one("MODE , Carrier,journey,dep_port,sched_dep,traveller_ref\nair,ZX, 1 , JFK , 2026-12-04 , T \n");
    assert_int_equal(l->format, SP_LISTING_CSV);
    assert_int_equal(l->deviation_count, 0);
    sp_listing_free(&l);
    l = read_one("mode;carrier;journey;dep_port;sched_dep;surname;dob;photo_uri\n"
                 "air;ZX;1;JFK;2026-12-04;SAMPLE, AVA;1991-02-03;\"a.jpg;b.jpg\"\n");
    assert_int_equal(l->format, SP_LISTING_CSV);
    assert_string_equal(l->travellers[0].surname, "SAMPLE, AVA");
    assert_int_equal(l->travellers[0].photo_count, 2);
    sp_listing_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flight_numbers), cmocka_unit_test(test_legs),
        cmocka_unit_test(test_standing),       cmocka_unit_test(test_times),
        cmocka_unit_test(test_births),         cmocka_unit_test(test_no_id),
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_later_lines),
        cmocka_unit_test(test_first_line),     cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
