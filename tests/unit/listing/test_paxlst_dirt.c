/* What real messages do that they should not (docs/manifests.md 5.2): each kind is read, noted with its place, and
 * refused when strict; what only looks like dirt is read without a note. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/listing/samples.h"

static struct read dirty; /* freed by the teardown */

static int clean_up(void **state)
{
    (void)state;
    read_free(&dirty);
    return 0;
}

/* The sample with `from` replaced. note: what the one deviation says, and the error of the strict reading; NULL:
 * none. */
static const struct sp_listing *soil(const char *sample, const char *from, const char *to, const char *note)
{
    read_free(&dirty);
    char *text = replaced(sample, from, to);
    struct read strict = read_text(text, true);
    dirty = read_text(text, false);
    free(text);
    if (dirty.status != SP_OK)
        fail_msg("%s", dirty.err.text);
    const struct sp_listing *listing = dirty.listings[dirty.count - 1];
    if (!note) {
        assert_int_equal(strict.status, SP_OK);
        assert_int_equal(listing->deviation_count, 0);
        read_free(&strict);
        return listing;
    }
    assert_int_equal(strict.status, SP_E_FORMAT);
    if (!strstr(strict.err.text, note) || strncmp(strict.err.text, "t.edi", 5) != 0)
        fail_msg("strict says '%s', not '%s'", strict.err.text, note);
    find_deviation(listing, note);
    if (listing->deviation_count != 1)
        fail_msg("%d deviations: '%s', '%s'", listing->deviation_count, listing->deviations[0].text,
                 listing->deviations[1].text);
    return listing;
}

static const struct sp_traveller *soil_first(const char *from, const char *to, const char *note)
{
    const struct sp_listing *listing = soil(sample_passengers, from, to, note);
    assert_int_equal(listing->traveller_count, 2);
    return &listing->travellers[0];
}

static void test_several_references(void **state)
{
    (void)state;
    static const char from[] = "LOC+179+LIS'\nLOC+174+UTO'\nNAT+2+UTO'\n"; /* two segments less, two more */
    soil_first(from, "RFF+AEA:1'RFF+AEA:2'NAT+2+UTO'", "RFF+AEA is not kept");
    assert_int_equal(dirty.listings[0]->deviations[0].segment, 19);
    soil_first("LOC+174+UTO'", "RFF+CR:X'", "RFF+CR is not kept");
    const struct sp_traveller *t = soil_first("LOC+174+UTO'", "RFF+ABO:OTHER'", "RFF+ABO is given a second time");
    assert_string_equal(t->ref, "OTHER");
    soil_first("LOC+174+UTO'", "RFF+ABO:ZX417-0001'", NULL); /* the same again */
}

static void test_no_time_after_tdt(void **state)
{
    (void)state;
    soil(sample_passengers, "'", "'", NULL); /* the times of the ports do */
    char *text = replaced(sample_close_out, "UNT+13", "UNT+14");
    soil(text, "LOC+87", "DTM+189:2612041900:201'LOC+87", "DTM+189 is given a second time");
    assert_string_equal(dirty.listings[0]->legs[0].sched_dep, "2026-12-04T18:20");
    free(text);
}

static void test_place_of_time(void **state)
{
    (void)state;
    char *text = replaced(sample_close_out, "UNT+13", "UNT+14");
    soil(text, "NAD+ZZZ", "DTM+189:2612052000:201'NAD+ZZZ", "a departure time after the last arrival is not kept");
    assert_int_equal(dirty.listings[0]->deviations[0].segment, 10);
    free(text);
}

static void test_time_missing(void **state)
{
    (void)state;
    char *text = replaced(sample_close_out, "UNT+13", "UNT+12");
    soil(text, "DTM+189:2612041820:201'", "", "no scheduled departure");
    free(text);
    text = replaced(sample_close_out, "UNT+13", "UNT+16");
    soil(text, "TDT+20", "TDT+34+ZX417+++ZX'LOC+125+YYZ'LOC+87+JFK'TDT+20", NULL); /* an over-flight has none */
    free(text);
}

/* Several legs whose times stand behind both ports: each leg keeps its own. */
static void test_times_after_both_ports(void **state)
{
    (void)state;
    static const char from[] = "LOC+125+JFK'\nDTM+189:2612041820:201'\nLOC+87+LIS'\nDTM+232:2612050610:201'";
    static const char *const legs[] = {"LOC+92+YVR'LOC+92+YYZ'DTM+189:2612042320:201'DTM+232:2612050620:201'"
                                       "LOC+92+YYZ'LOC+92+CDG'DTM+189:2612050920:201'DTM+232:2612052120:201'",
                                       "LOC+125+YVR'LOC+87+YYZ'DTM+189:2612042320:201'DTM+232:2612050620:201'"
                                       "LOC+125+YYZ'LOC+87+CDG'DTM+189:2612050920:201'DTM+232:2612052120:201'"};
    for (int i = 0; i < 2; i++) {
        char *text = replaced(sample_close_out, from, legs[i]);
        struct read read = read_text(text, false);
        const struct sp_listing *l = read.listings[0];
        assert_int_equal(l->leg_count, 2);
        assert_string_equal(l->legs[0].sched_dep, "2026-12-04T23:20");
        assert_string_equal(l->legs[0].sched_arr, "2026-12-05T06:20");
        assert_string_equal(l->legs[1].sched_dep, "2026-12-05T09:20");
        assert_string_equal(l->legs[1].sched_arr, "2026-12-05T21:20");
        read_free(&read);
        free(text);
    }
}

static void test_una_with_repetition(void **state)
{
    (void)state;
    soil(sample_passengers, "UNA:+.? '", "UNA:+.?*'", NULL);
    char *text = replaced(sample_passengers, "UNA:+.? '", "UNA:+.?*'");
    assert_string_equal(soil(text, "UNOA:4+EXAMPLEAIR", "UNOA:4+APIS*ABE", NULL)->sender, "APIS*ABE"); /* text */
    assert_string_equal(soil(text, "NORTHWIND", "N?*W", NULL)->travellers[0].surname, "N*W");
    free(text);
}

/* The sample with other separators. */
static char *translated(const char *sample, const char *from, const char *to)
{
    char *text = strdup(sample);
    assert_non_null(text);
    for (char *c = text; *c; c++)
        if (strchr(from, *c))
            *c = to[strchr(from, *c) - from];
    return text;
}

static void test_other_separators(void **state)
{
    (void)state;
    char *text = translated(sample_passengers, ":+?'", "|^~\"");
    soil(text, "UNA", "UNA", NULL); /* a UNA says so */
    free(text);
    text = translated(sample_crew, "'", "\"");
    const struct sp_listing *l = soil(text, "UNH", "UNH", "no UNA, but separators of its own");
    assert_string_equal(l->travellers[0].surname, "HELMSMAN");
    free(text);
    text = translated(sample_crew, ":+'", "|*~");
    soil(text, "UNH", "UNH", "no UNA, but separators of its own");
    free(text);
}

static void test_telegram_header(void **state)
{
    (void)state;
    const struct sp_listing *l = soil(sample_passengers, "UNA", "QN GBRRMOK\r\n.YOWAAXH KL/041643\r\nUNA",
                                      "2 lines before the first segment");
    assert_int_equal(l->travellers[0].segment, 13);
    soil(sample_crew, "UNH", "QN GBRRMOK\r\n.YOWAAXH KL/041643\r\nUNH", "2 lines before the first segment");
    soil(sample_crew, "UNH", "UNABLE TO PRINT\r\nUNH", "1 lines before the first segment");
    soil(sample_passengers, "UNA:+.? '", "UNA:+.?'", "a UNA of eight bytes");
    soil(sample_crew, "+01:F'", "+01'", "the first part has neither C nor F");
    soil(sample_crew, "+01:F'", "+02'", NULL);
}

static void test_line_ends_and_spaces(void **state)
{
    (void)state;
    soil(sample_passengers, "\nBGM", "\r\n\r\nBGM", NULL);
    soil(sample_passengers, "\nBGM", "BGM", NULL);
    soil(sample_passengers, "\nBGM", "   BGM", "BGM with spaces before it");
    soil(sample_passengers, "\nBGM+", "\nBGM +", "BGM with spaces before it, or behind its tag");
    const struct sp_traveller *t = soil_first("NORTHWIND", "NORTH\r\nWIND", "NAD with a line break inside");
    assert_string_equal(t->surname, "NORTHWIND");
    t = soil_first("NAD+FL", "N\nAD+FL", "NAD with a line break inside"); /* lines of a telegram */
    assert_string_equal(t->surname, "NORTHWIND");
}

static void test_footer(void **state)
{
    (void)state;
    char *text = NULL;
    assert_true(asprintf(&text, "%s\r\n\r\nSecured by a mail gateway\r\n", sample_passengers) > 0);
    struct read read = read_text(text, false), strict = read_text(text, true);
    assert_int_equal(strict.status, SP_E_FORMAT);
    find_deviation(read.listings[0], "a segment outside of messages is not kept");
    read_free(&read);
    free(text);
}

static void test_envelopes_missing(void **state)
{
    (void)state;
    soil(sample_crew, "UNH", "UNH", NULL); /* a message by itself */
    soil(sample_passengers, "UNE+1+1'\n", "", "UNG without UNE");
    soil(sample_passengers, "UNZ+1+000000417'\n", "", "UNB without UNZ");
    char *text = replaced(sample_passengers, "UNE+1+1'\n", "");
    soil(text, "UNG+PAXLST+EXAMPLEAIR:ZZ+BORDERHUB:ZZ+261204:1500+1+UN+D:05B'\n", "", NULL); /* they are optional */
    free(text);
    soil(sample_passengers, "UNG+PAXLST+EXAMPLEAIR:ZZ+BORDERHUB:ZZ+261204:1500+1+UN+D:05B'\n", "",
         "UNE without its begin");
    soil(sample_passengers, "BORDERHUB:ZZ+261204:1500+000", "BORDERHUB+261204:1500+000", NULL); /* no qualifier */
}

static void test_message_end_missing(void **state)
{
    (void)state;
    char *text = replaced(sample_passengers, "UNT+38+PAX001'\n", "");
    struct read read = read_text(text, false); /* lenient too: it would look like the whole list */
    assert_int_equal(read.status, SP_E_FORMAT);
    assert_non_null(strstr(read.err.text, "segment 40 (UNE) at byte"));
    free(text);
}

static void test_loose_documents(void **state)
{
    (void)state;
    static const char from[] = "DOC+P:110:111+X00000017'";
    const struct sp_traveller *t = soil_first(from, "DOC+P+X00000017'", "DOC has a type without its code list");
    assert_string_equal(t->documents[0].type, "P");
    assert_string_equal(t->documents[0].number, "X00000017");
    t = soil_first(from, "DOC+:110:111+X00000017'", "DOC has no type");
    assert_string_equal(t->documents[0].type, "");
    assert_string_equal(t->documents[0].number, "X00000017");
    t = soil_first(from, "DOC+P:110:111'", "DOC has no number");
    assert_string_equal(t->documents[0].expiry, "2031-06-30");
    char *text = replaced(sample_passengers, from, "DOC++X00000017'");
    struct read read = read_text(text, false);
    find_deviation(read.listings[0], "DOC has no type");
    find_deviation(read.listings[0], "DOC has a type without its code list");
    read_free(&read);
    free(text);
}

static void test_free_text_places(void **state)
{
    (void)state;
    const struct sp_traveller *t =
        soil_first("LOC+174+UTO'", "LOC+180+:::AMBER HILL GBR'", "LOC+180 has a name instead of a code");
    assert_string_equal(t->birth_place, "AMBER HILL GBR");
    t = soil_first("LOC+174+UTO'", "LOC+180+GBR:::AMBER HILL'", NULL);
    assert_string_equal(t->birth_place, "AMBER HILL GBR");
}

/* A port is its code: with the name in front no manifest would be found. */
static void test_names_beside_codes(void **state)
{
    (void)state;
    const struct sp_listing *l = soil(sample_passengers, "LOC+125+JFK'", "LOC+125+JFK:139:6:NEW YORK KENNEDY'",
                                      "LOC+125 element 2 has content that is not kept");
    assert_string_equal(l->legs[0].dep_port, "JFK");
    const struct sp_traveller *t =
        soil_first("LOC+91+UTO'", "LOC+91+UTO:162:5:UTOPIA'", "LOC+91 element 2 has content that is not kept");
    assert_string_equal(t->documents[0].issuer, "UTO");
    t = soil_first("LOC+178+JFK'", "LOC+178+JFK:::KENNEDY'", "LOC+178 element 2 has content that is not kept");
    assert_string_equal(t->embark, "JFK");
}

static void test_empty_place(void **state)
{
    (void)state;
    const struct sp_traveller *t = soil_first("LOC+91+UTO'", "LOC+91+'", "LOC+91 is empty");
    assert_string_equal(t->documents[0].issuer, "");
    soil_first("LOC+91+UTO'", "LOC+91'", "LOC+91 is empty");
}

static void test_unknown_place(void **state)
{
    (void)state;
    soil_first("LOC+174+UTO'", "LOC+999+UTO'", "LOC+999 is not kept");
    soil(sample_close_out, "RFF+TN:ZXTRN000417Z:::1'", "LOC+188+JFK'", "LOC+188 is not kept"); /* of 15B's header */
}

static void test_final_destination(void **state)
{
    (void)state;
    char *text = replaced(sample_close_out, "UNT+13", "UNT+14");
    const struct sp_listing *l = soil(text, "NAD+ZZZ'", "LOC+130+FNC'NAD+ZZZ'", "LOC+130 is not kept");
    assert_int_equal(l->leg_count, 1);
    free(text);
}

static void test_release_characters(void **state)
{
    (void)state;
    const struct sp_traveller *t = soil_first("NORTHWIND", "N?'?+?:??", NULL);
    assert_string_equal(t->surname, "N'+:?");
    t = soil_first("NORTHWIND", "NORTH?WIND", "a release character before a character that needs none");
    assert_string_equal(t->surname, "NORTH?WIND");
}

static void test_wrong_counts(void **state)
{
    (void)state;
    soil(sample_passengers, "CNT+42:2'", "CNT+42:187'", "CNT+42 says 187 passengers, there are 2 (and 0 crew)");
    assert_int_equal(dirty.listings[0]->declared, 187);
    soil(sample_passengers, "CNT+42:2'", "CNT+41:2'", "CNT+41 says 2 crew, there are 0 (and 2 passengers)");
    soil(sample_passengers, "CNT+42:2'", "CNT+42:MANY'", "CNT has no number");
    soil(sample_passengers, "CNT+42:2'", "CNT+42:00000002'", NULL);
    soil(sample_passengers, "CNT+42:2'", "CNT+42:12345678'",
         "CNT+42 says 12345678 passengers, there are 2 (and 0 crew)");
    soil(sample_passengers, "UNT+38+", "UNT+0000038+", NULL);
    soil(sample_passengers, "UNT+38+", "UNT+187+", "UNT says 187 segments, there are 38");
    soil(sample_passengers, "UNT+38+PAX001", "UNT+38+PAX002", "the reference of UNT is not that of UNH");
    soil(sample_passengers, "UNE+1+1", "UNE+2+1", "UNE says 2 messages, there are 1");
    soil(sample_passengers, "UNZ+1+", "UNZ+7+", "UNZ says 7 groups, there are 1");
    soil(sample_passengers, "UNZ+1+000000417", "UNZ+1+000000418", "the reference of UNZ");
}

static void test_bad_dates(void **state)
{
    (void)state;
    const struct sp_traveller *t = soil_first("DTM+329:910203'", "DTM+329:910231'", "DTM+329 is no date");
    assert_string_equal(t->dob, "");
    soil_first("DTM+329:910203'", "DTM+329:'", "DTM+329 is empty");
    t = soil_first("DTM+329:910203'", "DTM+329:19910203'", "DTM+329 does not have the form its format code says");
    assert_string_equal(t->dob, "1991-02-03");
    t = soil_first("DTM+329:910203'", "DTM+329:910203:102'", "DTM+329 does not have the form its format code says");
    assert_string_equal(t->dob, "1991-02-03");
    t = soil_first("DTM+329:910203'", "DTM+329:9102031200:201'", "DTM+329 has a time of day");
    assert_string_equal(t->dob, "1991-02-03");
    const struct sp_listing *l = soil(sample_passengers, "DTM+189:2612041820:201'", "DTM+189:261204:101'",
                                      "DTM+189 has no time of day; taken as 00:00");
    assert_string_equal(l->legs[0].sched_dep, "2026-12-04T00:00");
}

static void test_two_digit_years(void **state)
{
    (void)state;
    assert_string_equal(soil_first("DTM+329:910203'", "DTM+329:261126'", NULL)->dob, "2026-11-26");
    assert_string_equal(soil_first("DTM+329:910203'", "DTM+329:261127'", NULL)->dob, "1926-11-27");
    assert_string_equal(soil_first("DTM+36:310630'", "DTM+36:700101'", NULL)->documents[0].expiry, "2070-01-01");
}

static void test_travellers_twice(void **state)
{
    (void)state;
    const struct sp_listing *l = soil(sample_passengers, "RFF+ABO:ZX417-0002'", "RFF+ABO:ZX417-0001'",
                                      "has the reference (ABO) of that in segment 13");
    assert_int_equal(l->traveller_count, 2);
    assert_int_equal(l->deviations[0].segment, 28);
    char *text = replaced(sample_passengers, "X00000025", "X00000017");
    soil(text, "LOC+91+USA'", "LOC+91+UTO'", "has the document of that in segment 13");
    free(text);
    soil(sample_passengers, "X00000025", "X00000017", NULL); /* of another country */
}

static void test_unknown_segment(void **state)
{
    (void)state;
    soil_first("LOC+174+UTO'", "QQQ+1+2'", "QQQ+1 is not kept");
    soil_first("LOC+174+UTO'", "MEA+CT++4'", "MEA+CT is not kept");
    soil_first("LOC+174+UTO'", "FTX+BAG+++UA0443'", "FTX+BAG is not kept");
    soil_first("LOC+174+UTO'", "+++X'", "no tag of three letters");
    soil_first("LOC+174+UTO'", "'", "an empty segment");
    soil(sample_passengers, "UNE+1+1'", "QQQ'UNE+1+1'", "outside of messages");
}

static void test_unused_elements(void **state)
{
    (void)state;
    soil_first("NORTHWIND:AVA:MAE'", "NORTHWIND:AVA:MAE+20 MAIN ST'",
               "NAD+FL element 5 has content that is not kept");
    soil_first("NAT+2+UTO'", "NAT+2+UTO+X'", "NAT+2 element 3 has content that is not kept");
    soil_first("LOC+91+UTO'", "LOC+91+UTO+X'", "LOC+91 element 3 has content");
}

static void test_long_values(void **state)
{
    (void)state;
    char to[700] = "";
    memset(to, 'N', 71);
    const struct sp_traveller *t = soil_first("NORTHWIND", to, "NAD+FL has a value that is longer");
    assert_int_equal(strlen(t->surname), 71); /* whole */
    memset(to, 'N', 600);
    char *text = replaced(sample_passengers, "NORTHWIND", to);
    struct read read = read_text(text, false);
    find_deviation(read.listings[0], "too many of them");
    assert_true(strlen(read.listings[0]->travellers[0].surname) <= SP_LISTING_MAX_TEXT);
    read_free(&read);
    free(text);
}

static void test_character_sets(void **state)
{
    (void)state;
    char *latin = replaced(sample_passengers, "UNOA", "UNOC");
    const struct sp_listing *l = soil(latin, "NORTHWIND", "N\xd8RTHWIND", NULL); /* as ISO 8859-1 says */
    assert_string_equal(l->travellers[0].surname, "N\xc3\x98RTHWIND");
    l = soil(latin, "NORTHWIND", "N\xc3\x98RTHWIND", NULL); /* as others do */
    assert_string_equal(l->travellers[0].surname, "N\xc3\x98RTHWIND");
    l = soil(sample_passengers, "NORTHWIND", "N\xd8RTHWIND", "bytes that are no text");
    assert_string_equal(l->travellers[0].surname, "N\xef\xbf\xbdRTHWIND");
    free(latin);
}

static void test_attributes(void **state)
{
    (void)state;
    assert_string_equal(soil_first("ATT+2++F'", "ATT+2++U'", NULL)->sex, "X");
    assert_string_equal(soil_first("ATT+2++F'", "ATT+2++X'", NULL)->sex, "X");
    assert_string_equal(soil_first("ATT+2++F'", "ATT+2++f'", "ATT+2 has a code in lower case")->sex, "F");
    assert_string_equal(soil_first("ATT+2++F'", "ATT+2++x'", "ATT+2 has a code in lower case")->sex, "X");
    assert_string_equal(soil_first("LOC+91+UTO'", "LOC+91+US'", "kept in three")->documents[0].issuer, "USA");
    assert_string_equal(
        soil_first("LOC+91+UTO'", "LOC+91+UTOPIALAND'", "LOC+91 is no country's code")->documents[0].issuer,
        "UTOPIALAND");
    assert_string_equal(soil_first("NAT+2+UTO'", "NAT+2+US'", "kept in three")->nationality, "USA");
    assert_string_equal(soil_first("ATT+2++F'", "ATT+2++7'", "neither M nor F nor U")->sex, "");
    assert_string_equal(soil_first("NAT+2+UTO'", "NAT+2+UT'", "no country's code")->nationality, "UT");
    assert_string_equal(soil_first("NAT+2+UTO'", "NAT+2+uto'", "code in lower case")->nationality, "UTO");
    assert_string_equal(soil_first("GEI+4+173'", "GEI+4+174'", NULL)->verified, "no");
}

static void test_roles(void **state)
{
    (void)state;
    const struct sp_traveller *t = soil_first("NAD+FL+++NORTH", "NAD+DDU+++NORTH", NULL);
    assert_string_equal(t->role, "transit_passenger");
    assert_string_equal(t->transit, "yes");
    t = soil_first("NAD+FL+++NORTH", "NAD+XX+++NORTH", "NAD+XX is no known role");
    assert_string_equal(t->role, "XX");
    t = soil_first("NAD+FL+++NORTH", "NAD+FL++NORTH", "the name in the place of an address");
    assert_string_equal(t->surname, "NORTHWIND");
    soil_first("NAD+FL+++NORTHWIND:AVA:MAE'", "NAD+FL'", "a traveller without a name");
    soil(sample_crew, "NAD+FM", "NAD+DDT", NULL);
    soil(sample_passengers, "BORDERHUB:ZZ+261204:1500+000000417++APIS'",
         "BORDERHUB:ZZ+261204:1500+000000417++APIS++++1'", "UNB says that this is a test");
    soil(sample_passengers, "D:05B:UN:IATA", "D:12B:UN:IATA", "directory 12B");
}

static void test_order(void **state)
{
    (void)state;
    char *text = replaced(sample_passengers, "NAT+2+UTO'\n", "");
    const struct sp_listing *l =
        soil(text, "LOC+91+UTO'", "LOC+91+UTO'NAT+2+UTO'", "NAT of a traveller stands after DOC");
    assert_string_equal(l->travellers[0].nationality, "UTO");
    free(text);
}

/* A deviation never shows what is somebody's. */
static void test_no_names_in_notes(void **state)
{
    (void)state;
    static const char *const soiled[] = {"NAD+SECRETNAME+++SECRETNAME'",
                                         "LOC+SECRETNAME+SECRETNAME'",
                                         "RFF+SECRETNAME:SECRETNAME'",
                                         "DTM+SECRETNAME:SECRETNAME'",
                                         "DTM+329:SECRETNAME'",
                                         "ATT+2++SECRETNAME'",
                                         "NAT+SECRETNAME'",
                                         "DOC+SECRETNAME+'",
                                         "SECRETNAME+1'",
                                         "CNT+42:SECRETNAME'",
                                         "FTX+SECRETNAME+++SECRETNAME'",
                                         "TDT+SECRETNAME+SECRETNAME'",
                                         "RFF+SECRET'",
                                         "NAD+SECRET'",
                                         "DOC+P:110:'111+SECRET'",
                                         "DOC+SECRET'"};
    for (size_t i = 0; i < sizeof soiled / sizeof soiled[0]; i++) {
        char *text = replaced(sample_passengers, "LOC+174+UTO'", soiled[i]);
        struct read read = read_text(text, false), strict = read_text(text, true);
        assert_int_equal(read.status, SP_OK);
        assert_true(read.listings[0]->deviation_count > 0);
        for (int j = 0; j < sp_listing_noted(read.listings[0]); j++)
            assert_null(strstr(read.listings[0]->deviations[j].text, "SECRET"));
        assert_int_equal(strict.status, SP_E_FORMAT);
        assert_null(strstr(strict.err.text, "SECRET"));
        read_free(&read);
        free(text);
    }
}

#define TEST(name) cmocka_unit_test_teardown(test_##name, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_references),
        TEST(no_time_after_tdt),
        TEST(place_of_time),
        TEST(time_missing),
        TEST(times_after_both_ports),
        TEST(una_with_repetition),
        TEST(other_separators),
        TEST(telegram_header),
        TEST(footer),
        TEST(line_ends_and_spaces),
        TEST(envelopes_missing),
        TEST(message_end_missing),
        TEST(loose_documents),
        TEST(free_text_places),
        TEST(names_beside_codes),
        TEST(empty_place),
        TEST(unknown_place),
        TEST(final_destination),
        TEST(release_characters),
        TEST(wrong_counts),
        TEST(bad_dates),
        TEST(two_digit_years),
        TEST(travellers_twice),
        TEST(unknown_segment),
        TEST(unused_elements),
        TEST(long_values),
        TEST(character_sets),
        TEST(attributes),
        TEST(roles),
        TEST(order),
        TEST(no_names_in_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
