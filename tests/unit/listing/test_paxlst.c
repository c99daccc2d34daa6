/* PAXLST as the samples have it: what each says, what each function means, legs, parts, round trips, hostile bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listing/paxlst_write.h"
#include "tests/support/listing_same.h"
#include "tests/unit/listing/samples.h"

static struct read read_one(const char *text, bool strict)
{
    struct read read = read_text(text, strict);
    if (read.status != SP_OK)
        fail_msg("%s", read.err.text);
    assert_int_equal(read.count, 1);
    return read;
}

static void test_passengers(void **state)
{
    (void)state;
    struct read read = read_one(sample_passengers, true);
    const struct sp_listing *l = read.listings[0];
    assert_int_equal(l->deviation_count, 0);
    assert_int_equal(l->format, SP_LISTING_PAXLST);
    assert_string_equal(sp_listing_kind_word(l->group, l->action), "passenger_list");
    assert_string_equal(l->directory, "05B");
    assert_string_equal(l->message, "PAX001");
    assert_string_equal(l->interchange, "000000417");
    assert_string_equal(l->reference, "ZXTRN000417A");
    assert_string_equal(l->version, "1");
    assert_string_equal(l->common, "ZX0417/261204/1820");
    assert_string_equal(l->sender, "EXAMPLEAIR");
    assert_string_equal(l->contact, "EXAMPLE AIR OPS DESK, 15550100 TE, 15550101 FX");
    assert_int_equal(l->part, 1);
    assert_true(l->last_part);
    assert_int_equal(l->declared, 2);
    assert_string_equal(l->mode, "air");
    assert_string_equal(l->carrier, "ZX");
    assert_string_equal(l->number, "417");
    assert_int_equal(l->leg_count, 1);
    assert_string_equal(l->legs[0].dep_port, "JFK");
    assert_string_equal(l->legs[0].arr_port, "LIS");
    assert_string_equal(l->legs[0].sched_dep, "2026-12-04T18:20");
    assert_string_equal(l->legs[0].sched_arr, "2026-12-05T06:10");
    assert_int_equal(l->traveller_count, 2);
    const struct sp_traveller *t = &l->travellers[0];
    assert_string_equal(t->ref, "ZX417-0001");
    assert_string_equal(t->role, "passenger");
    assert_string_equal(t->surname, "NORTHWIND");
    assert_string_equal(t->given, "AVA MAE");
    assert_string_equal(t->dob, "1991-02-03");
    assert_string_equal(t->sex, "F");
    assert_string_equal(t->nationality, "UTO");
    assert_string_equal(t->residence, "UTO");
    assert_string_equal(t->pnr, "QX7T4Z");
    assert_string_equal(t->seat_or_cabin, "14C");
    assert_string_equal(t->embark, "JFK");
    assert_string_equal(t->debark, "LIS");
    assert_string_equal(t->clearance, "JFK");
    assert_string_equal(t->verified, "yes");
    assert_int_equal(t->segment, 13);
    assert_string_equal(sample_passengers + t->offset - 1, strstr(sample_passengers, "\nNAD+FL"));
    assert_int_equal(t->document_count, 1);
    assert_string_equal(t->documents[0].type, "P");
    assert_string_equal(t->documents[0].number, "X00000017");
    assert_string_equal(t->documents[0].issuer, "UTO");
    assert_string_equal(t->documents[0].expiry, "2031-06-30");
    assert_string_equal(l->travellers[1].surname, "O'SAMPLE");
    assert_string_equal(l->travellers[1].verified, "");
    read_free(&read);
}

static void test_crew(void **state)
{
    (void)state;
    struct read read = read_one(sample_crew, true);
    const struct sp_listing *l = read.listings[0];
    assert_string_equal(sp_listing_kind_word(l->group, l->action), "crew_list");
    assert_string_equal(l->directory, "02B");
    assert_string_equal(l->carrier, "ZX"); /* from the flight number alone */
    assert_string_equal(l->number, "417");
    assert_string_equal(l->sender, "EXAMPLE AIR OPS DESK");
    assert_string_equal(l->travellers[0].role, "crew");
    assert_int_equal(l->declared, 1);
    read_free(&read);
}

static void test_close_out(void **state)
{
    (void)state;
    struct read read = read_one(sample_close_out, true);
    const struct sp_listing *l = read.listings[0];
    assert_int_equal(l->action, SP_ACTION_CLOSE_NOT_ON_BOARD);
    assert_int_equal(l->traveller_count, 1);
    assert_string_equal(l->travellers[0].ref, "ZX417-0002");
    assert_string_equal(l->travellers[0].role, "");
    read_free(&read);
}

static void test_vessel(void **state)
{
    (void)state;
    struct read read = read_one(sample_vessel, false);
    const struct sp_listing *l = read.listings[0];
    assert_int_equal(l->deviation_count, 1);
    find_deviation(l, "DOC has a type without its code list");
    assert_string_equal(l->mode, "sea");
    assert_string_equal(l->carrier, "EXCR");
    assert_string_equal(l->number, "V0881");
    assert_string_equal(l->vessel, "MV EXAMPLE STAR");
    assert_string_equal(l->vessel_id, "9000001");
    assert_string_equal(l->flag, "UTO");
    assert_string_equal(l->legs[0].dep_port, "NSNAS");
    assert_int_equal(l->part, 0);
    assert_true(l->last_part);
    assert_string_equal(l->travellers[0].dob, "1991-02-03");
    read_free(&read);
    char *text = replaced(sample_vessel, "V0881+1++", "V0881+++"); /* the ship's number alone says sea */
    read = read_one(text, false);
    assert_string_equal(read.listings[0]->mode, "sea");
    assert_string_equal(read.listings[0]->number, "V0881");
    read_free(&read);
    free(text);
}

/* Every function of BGM, and what it does. */
static void test_functions(void **state)
{
    (void)state;
    static const struct {
        const char *bgm, *kind;
        int deviations;
    } cases[] = {
        {"745", "passenger_list", 0},
        {"745+CP", "passenger_change", 0},
        {"745+XR", "passenger_removal", 0},
        {"745+RP", "passenger_removal", 0},
        {"745++9", "passenger_list", 0},
        {"745++5", "passenger_list", 0},
        {"745++3", "passenger_removal", 1},
        {"745++4", "passenger_change", 1},
        {"745+ZX0417261204", "passenger_list", 1},
        {"745+QQ", "passenger_change", 1},
        {"655", "change", 1},
        {"", "change", 1},
        {"266+CL", "close", 0},
        {"266+CLNB", "close_not_on_board", 0},
        {"266+CLOB", "close_on_board", 0},
        {"266+XF", "journey_cancel", 0},
        {"266+CF", "journey_change", 0},
        {"266+QQ", "change", 1},
        {"266", "change", 1},
        {"266+CL+9", "close", 0},
        {"266+CL+3", "change", 1},
        {"745+XR+3", "passenger_removal", 1},
    };
    static const struct {
        const char *bgm, *kind;
    } crew[] = {{"250", "crew_list"},      {"250+C", "crew_list"},    {"250+B", "crew_list"},
                {"250+A", "crew_list"},    {"250+D", "crew_list"},    {"250+E", "crew_list"},
                {"250+F", "crew_list"},    {"250+CC", "crew_change"}, {"250+BC", "crew_change"},
                {"250+EC", "crew_change"}, {"250+FC", "crew_change"}, {"336+G", "crew_change"},
                {"336+I", "crew_change"},  {"336+H", "crew_removal"}};
    char bgm[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(bgm, sizeof bgm, "BGM+%s'", cases[i].bgm);
        char *text = replaced(sample_passengers, "BGM+745'", bgm);
        struct read read = read_one(text, false);
        assert_string_equal(sp_listing_kind_word(read.listings[0]->group, read.listings[0]->action), cases[i].kind);
        assert_int_equal(read.listings[0]->deviation_count, cases[i].deviations);
        read_free(&read);
        free(text);
    }
    for (size_t i = 0; i < sizeof crew / sizeof crew[0]; i++) {
        snprintf(bgm, sizeof bgm, "BGM+%s'", crew[i].bgm);
        char *text = replaced(sample_crew, "BGM+250+C'", bgm);
        struct read read = read_one(text, true);
        assert_string_equal(sp_listing_kind_word(read.listings[0]->group, read.listings[0]->action), crew[i].kind);
        read_free(&read);
        free(text);
    }
}

/* "JFK-LIS 18:20 06:10, ..." of the sample with its ports replaced. */
static void check_legs(const char *ports, const char *wanted, int deviations)
{
    static const char own[] = "LOC+125+JFK'\nDTM+189:2612041820:201'\nLOC+87+LIS'\nDTM+232:2612050610:201'\n";
    char legs[400] = "";
    char *moved = replaced(sample_passengers, "UNT+38", "UNT+99"), *text = replaced(moved, own, ports);
    struct read read = read_one(text, false);
    const struct sp_listing *l = read.listings[0];
    for (int i = 0; i < l->leg_count; i++)
        snprintf(legs + strlen(legs), sizeof legs - strlen(legs), "%s%s-%s %s %s%s", i ? ", " : "",
                 l->legs[i].dep_port, l->legs[i].arr_port, *l->legs[i].sched_dep ? l->legs[i].sched_dep + 11 : "",
                 *l->legs[i].sched_arr ? l->legs[i].sched_arr + 11 : "", l->legs[i].over_flight ? " over" : "");
    assert_string_equal(legs, wanted);
    assert_int_equal(l->deviation_count, 1 + deviations); /* 1: the number of segments */
    assert_string_equal(l->number, "417");
    read_free(&read);
    free(moved);
    free(text);
}

static void test_legs(void **state)
{
    (void)state;
    check_legs("LOC+125+JFK'DTM+189:2612041820:201'LOC+87+LIS'DTM+232:2612050610:201'"
               "LOC+125+LIS'DTM+189:2612050800:201'LOC+87+FNC'DTM+232:2612050940:201'",
               "JFK-LIS 18:20 06:10, LIS-FNC 08:00 09:40", 0);
    /* pairs of LOC+92 */
    check_legs("LOC+92+JFK'DTM+189:2612041820:201'LOC+92+LIS'DTM+232:2612050610:201'"
               "LOC+92+LIS'DTM+189:2612050800:201'LOC+92+FNC'DTM+232:2612050940:201'",
               "JFK-LIS 18:20 06:10, LIS-FNC 08:00 09:40", 0);
    /* the same as a chain, with both times at the port between */
    check_legs("LOC+92+JFK'DTM+189:2612041820:201'LOC+92+LIS'DTM+232:2612050610:201'DTM+189:2612050800:201'"
               "LOC+92+FNC'DTM+232:2612050940:201'",
               "JFK-LIS 18:20 06:10, LIS-FNC 08:00 09:40", 0);
    check_legs(
        "LOC+125+JFK'DTM+189:2612041820:201'LOC+87+LIS'DTM+232:2612050610:201'LOC+92+LIS'LOC+92+FNC'LOC+92+FNC'"
        "LOC+92+PDL'",
        "JFK-LIS 18:20 06:10, LIS-FNC  , FNC-PDL  ", 0);
    /* a transport for each leg */
    check_legs("LOC+125+JFK'DTM+189:2612041820:201'LOC+87+LIS'DTM+232:2612050610:201'TDT+20+ZX0417+++ZX'"
               "LOC+125+LIS'LOC+87+FNC'TDT+34+ZX417'LOC+125+FNC'LOC+87+PDL'",
               "JFK-LIS 18:20 06:10, LIS-FNC  , FNC-PDL   over", 0);
    /* both times after the ports, as nobody should */
    check_legs("LOC+125+JFK'LOC+87+LIS'DTM+189:2612041820:201'DTM+232:2612050610:201'", "JFK-LIS 18:20 06:10", 1);
    /* in SG2, as the directory has it */
    check_legs("DTM+189:2612041820:201'LOC+125+JFK'LOC+87+LIS'", "JFK-LIS 18:20 ", 0);
    check_legs("LOC+125+JFK'DTM+189:2612041820:201'", "JFK- 18:20 ", 1);
    check_legs("", "", 1);
}

static void test_flight_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *tdt, *carrier, *number;
        int deviations;
    } cases[] = {
        {"TDT+20+ZX0417+++ZX'", "ZX", "417", 0},  {"TDT+20+ZX0417'", "ZX", "417", 0},
        {"TDT+20+ZX 0417'", "ZX", "417", 0},      {"TDT+20+417+++ZX'", "ZX", "417", 0},
        {"TDT+20+EXA417'", "EXA", "417", 0},      {"TDT+20+9Z417'", "9Z", "417", 0},
        {"TDT+20+ZX417A+++ZX'", "ZX", "417A", 0}, {"TDT+20+ZX000'", "ZX", "0", 0},
        {"TDT+20+QQ417+++ZX'", "ZX", "417", 1},   {"TDT+20++++ZX'", "ZX", "", 1},
        {"TDT+20+0417'", "", "417", 0},           {"TDT+20+04Z7'", "", "04Z7", 0},
        {"TDT+20+zx417'", "ZX", "417", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = replaced(sample_passengers, "TDT+20+ZX417+++ZX'", cases[i].tdt);
        struct read read = read_one(text, false);
        assert_string_equal(read.listings[0]->carrier, cases[i].carrier);
        assert_string_equal(read.listings[0]->number, cases[i].number);
        assert_int_equal(read.listings[0]->deviation_count, cases[i].deviations);
        read_free(&read);
        free(text);
    }
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        int number;
        bool last;
    } cases[] = {{"01:C", 1, false}, {"02", 2, false}, {"03:F", 3, true}, {"01:F", 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = replaced(sample_passengers, "01:F", cases[i].part);
        struct read read = read_one(text, true);
        assert_int_equal(read.listings[0]->part, cases[i].number);
        assert_int_equal(read.listings[0]->last_part, cases[i].last);
        read_free(&read);
        free(text);
    }
}

/* Several messages, groups and interchanges in one file, other types between them. */
static void test_interchange(void **state)
{
    (void)state;
    char *text = NULL;
    assert_true(asprintf(&text, "%s%sUNH+9+GENRAL:D:05B:UN'BGM+1'FTX+X'UNT+4+9'%s", sample_passengers, sample_crew,
                         sample_close_out) > 0);
    struct read read = read_text(text, false);
    assert_int_equal(read.status, SP_OK);
    assert_int_equal(read.count, 3);
    assert_int_equal(read.listings[0]->deviation_count, 0);
    assert_int_equal(read.listings[1]->deviation_count, 0);
    assert_int_equal(read.listings[2]->deviation_count, 1);
    find_deviation(read.listings[2], "a message of type GENRAL is not read");
    assert_string_equal(read.listings[1]->interchange, ""); /* its UNZ came before */
    read_free(&read);
    free(text);
    read = read_text("UNH+9+GENRAL:D:05B:UN'UNT+2+9'", false);
    assert_int_equal(read.status, SP_E_UNSUPPORTED);
}

/* read, write, read: the same. */
static void check_round_trip(const char *sample)
{
    struct read first = read_one(sample, false);
    const struct sp_paxlst_write_options options = {.recipient = "BORDERHUB", .now_ms = NOW_MS};
    struct sp_err err = {0};
    char *text = NULL;
    size_t length = 0;
    if (sp_paxlst_write(&text, &length, first.listings[0], &options, &err) != SP_OK)
        fail_msg("%s", err.text);
    struct read second = read_one(text, true); /* what we write is clean */
    const char *differs = listing_same(first.listings[0], second.listings[0]);
    if (differs)
        fail_msg("%s differs after the round trip:\n%s", differs, text);
    bool ascii = true;
    for (size_t i = 0; i < length; i++)
        ascii = ascii && (uint8_t)text[i] < 0x80;
    assert_non_null(strstr(text, ascii ? "\nUNB+UNOA:4+" : "\nUNB+UNOW:4+"));
    assert_string_equal(first.listings[0]->contact, second.listings[0]->contact);
    assert_string_equal(first.listings[0]->sender, second.listings[0]->sender);
    assert_string_equal(first.listings[0]->version, second.listings[0]->version);
    read_free(&first);
    read_free(&second);
    free(text);
}

static void test_round_trip(void **state)
{
    (void)state;
    check_round_trip(sample_passengers);
    check_round_trip(sample_crew);
    check_round_trip(sample_close_out);
    check_round_trip(sample_vessel);
    char *text =
        replaced(sample_passengers, "NORTHWIND:AVA", "N?+O?:R?'T??H*:\xc3\x85VA:M:A:R"); /* every separator */
    check_round_trip(text);
    free(text);
    text = replaced(sample_crew, "NAT+2+UTO'",
                    "EMP+1+CR1:110:111'NAT+2+UTO'DOC+AC:110:111+77'DTM+182:200101'LOC+91+UTO'");
    check_round_trip(text);
    free(text);
    struct sp_listing *both = NULL;
    const struct sp_paxlst_write_options options = {0};
    struct sp_err err = {0};
    size_t length;
    assert_int_equal(sp_listing_new(&both, SP_LISTING_CSV, &err), SP_OK);
    both->group = SP_GROUP_BOTH;
    assert_int_equal(sp_paxlst_write(&text, &length, both, &options, &err), SP_E_UNSUPPORTED);
    both->group = SP_GROUP_CREW;
    struct sp_traveller *traveller = NULL;
    assert_int_equal(sp_listing_add_traveller(both, 1, 0, &traveller, &err), SP_OK);
    traveller->dob = "3 May";
    assert_int_equal(sp_paxlst_write(&text, &length, both, &options, &err), SP_E_INVALID);
    sp_listing_free(&both);
}

/* A list that is cut off never looks like a whole one. */
static void test_every_prefix(void **state)
{
    (void)state;
    const char *end = strstr(sample_passengers, "UNT+38+PAX001");
    size_t whole = (size_t)(end - sample_passengers) + 4;
    for (size_t length = 0; length < strlen(sample_passengers); length++) {
        struct read read = read_bytes(sample_passengers, length, false);
        if (read.status == SP_OK && length < whole - 1)
            fail_msg("%zu bytes of the sample are taken for a message", length);
        if (read.status != SP_OK && length >= whole)
            fail_msg("%zu bytes: %s", length, read.err.text);
        if (read.status == SP_OK && length < strlen(sample_passengers) - 2 &&
            read.listings[0]->deviation_count == 0)
            fail_msg("%zu bytes: nobody notes that the end is missing", length);
        read_free(&read);
    }
}

static void test_hostile(void **state)
{
    (void)state;
    char *many = malloc((8u << 20) + 256), *at = many;
    assert_non_null(many);
    at += sprintf(at, "UNH+1+PAXLST:D:05B:UN'BGM+745'TDT+20+ZX417'");
    while (at < many + (8u << 20))
        at += sprintf(at, "NAD+FL'");
    struct read read = read_bytes(many, (size_t)(at - many), false);
    assert_int_equal(read.status, SP_E_LIMIT); /* travellers */
    assert_string_equal(read.err.text, "t.edi segment 20004 (NAD) at byte 140043: more than 20000 travellers");
    for (at = many + 43; at < many + (8u << 20);)
        at += sprintf(at, "NAD+FL'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'DOC'");
    read = read_bytes(many, (size_t)(at - many), false);
    assert_int_equal(read.status, SP_E_LIMIT); /* documents */
    for (at = many; at < many + (1u << 20);)
        at += sprintf(at, "UNH+1+PAXLST:D:05B:UN'UNT+2+1'");
    read = read_bytes(many, (size_t)(at - many), false);
    assert_int_equal(read.status, SP_E_LIMIT); /* messages */
    at = many + sprintf(many, "UNH+1+PAXLST:D:05B:UN'");
    for (int i = 0; at < many + (4u << 20); i++)
        at += sprintf(at, "Q%02d+%d'COM+1:T'", i % 90 + 10, i % 1000);
    at += sprintf(at, "UNT+1+1'");
    read = read_bytes(many, (size_t)(at - many), false); /* more kinds of deviations than are kept apart */
    assert_int_equal(read.status, SP_OK);
    assert_int_equal(sp_listing_noted(read.listings[0]), SP_LISTING_MAX_DEVIATIONS);
    assert_true(strlen(read.listings[0]->contact) <= SP_LISTING_MAX_TEXT);
    read_free(&read);
    free(many);
    static const char nuls[] = "UNH+1+PAXLST:D:05B:UN'BGM\0+\0"
                               "745'TDT'NAD+FL+++A\0B:\1'UNT+5+1'";
    read = read_bytes(nuls, sizeof nuls - 1, false);
    assert_int_equal(read.status, SP_OK);
    assert_string_equal(read.listings[0]->travellers[0].surname, "A\xef\xbf\xbd"
                                                                 "B");
    read_free(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passengers),     cmocka_unit_test(test_crew),
        cmocka_unit_test(test_close_out),      cmocka_unit_test(test_vessel),
        cmocka_unit_test(test_functions),      cmocka_unit_test(test_legs),
        cmocka_unit_test(test_flight_numbers), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_interchange),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_prefix),   cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
