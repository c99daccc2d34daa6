/* Rows from listings: what a desk must correct, what is taken from carriers as far as it goes. */
#include "tests/unit/listing/read_text.h"

#include <stdio.h>
#include "roster/roster.h"

#define JOURNEY                                                                                                    \
    "\"mode\":\"air\",\"carrier\":\"ZX\",\"journey\":\"ZX0417\",\"legs\":[{\"dep_port\":\"JFK\",\"arr_port\":"     \
    "\"LIS\",\"sched_dep\":\"2026-12-04\"}]"
#define SHIP "imo,voyage,port,date of departure,"

static enum sp_status rows_of(struct sp_roster **ret, const char *text, struct sp_err *err)
{
    const struct sp_roster_options options = {.name = "/some/where/t.in"};
    struct sp_listing *l = read_one(text);
    enum sp_status status = sp_roster_from_listing(ret, l, &options, err);
    sp_listing_free(&l);
    return status;
}

static struct sp_roster *rows(const char *text)
{
    struct sp_roster *roster = NULL;
    struct sp_err err = {0};
    if (rows_of(&roster, text, &err) != SP_OK)
        fail_msg("refused: %s", err.text);
    return roster;
}

static void test_values(void **state)
{
    (void)state;
    struct sp_roster *r =
        rows("{" JOURNEY
             ",\"travellers\":[{\"ref\":\"A\",\"rank\":\"PILOT\",\"birth_place\":\"UTOPIA\",\"residence\":\"UTO\","
             "\"valid_from\":\"2026-01-01\",\"mrz\":\"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<|"
             "L898902C36UTO7408122F1204159ZE184226B<<<<<10\",\"photos\":[\"a.jpg\",\"b.jpg\"],\"documents\":["
             "{\"type\":\"V\",\"number\":\"7;7\",\"issuer\":\"usa\",\"expiry\":\"2027-01-01\"},"
             "{\"type\":\"P\",\"number\":\"X1\",\"issuer\":\"UTO\"},{\"type\":\"I\",\"number\":\"9\"}]}]}");
    static const struct {
        enum sp_column column;
        const char *value;
    } wanted[] = {{SP_COLUMN_MODE, "air"},
                  {SP_COLUMN_CARRIER, "ZX"},
                  {SP_COLUMN_JOURNEY, "417"},
                  {SP_COLUMN_DEP_PORT, "JFK"},
                  {SP_COLUMN_ARR_PORT, "LIS"},
                  {SP_COLUMN_SCHED_DEP, "2026-12-04"},
                  {SP_COLUMN_TRAVELLER_REF, "A"},
                  {SP_COLUMN_DOC_TYPE, "P"},
                  {SP_COLUMN_DOC_NUMBER, "X1"},
                  {SP_COLUMN_DOC_ISSUER, "UTO"},
                  {SP_COLUMN_FURTHER_DOCUMENTS, "V:7 7:USA:2027-01-01;I:9::"},
                  {SP_COLUMN_PHOTO_URI, "a.jpg;b.jpg"},
                  {SP_COLUMN_RANK, "PILOT"},
                  {SP_COLUMN_BIRTH_PLACE, "UTOPIA"},
                  {SP_COLUMN_RESIDENCE, "UTO"},
                  {SP_COLUMN_VALID_FROM, "2026-01-01"},
                  {SP_COLUMN_VALID_TO, ""},
                  {SP_COLUMN_MRZ,
                   "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"}};
    assert_string_equal(r->manifest, "air-zx-417-20261204-jfk");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_string_equal(r->rows[0].values[wanted[i].column], wanted[i].value);
    sp_roster_free(&r);
}

static void test_desk(void **state)
{
    (void)state;
    static const struct {
        const char *text, *first, *second;
    } cases[] = {
        {"{" JOURNEY ",\"travellers\":[{\"ref\":\"A\"},{\"ref\":\"B\",\"dob\":\"31.12.1990\"}]}",
         "t.in traveller 2", "dob"},
        {"{" JOURNEY "}\n{\"ref\":\"A\"}\n{\"given\":\"AVA\"}", "t.in line 3", "nothing tells"},
        {"{" JOURNEY "}\n{\"ref\":\"A\"}\n{\"ref\":\"A\",\"pnr\":\"X\"}", "t.in line 3", "line 2"},
        {"{\"mode\":\"boat\",\"carrier\":\"Z\",\"journey\":\"1\"}\n{\"ref\":\"A\"}", "t.in line 1", "mode"},
        {"{\"mode\":\"air\",\"carrier\":\"Z\",\"journey\":\"1\"}\n{\"ref\":\"A\"}", "t.in", "sched_dep"},
        {"mode,carrier,journey,dep_port,sched_dep,traveller_ref,documents\nair,Z,1,JFK,2026-12-04,A,P:1:2:3:4\n",
         "t.in line 2", "documents must be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sp_roster *r = NULL;
        struct sp_err err = {0};
        assert_int_equal(rows_of(&r, cases[i].text, &err), SP_E_FORMAT);
        if (!strstr(err.text, cases[i].first) || !strstr(err.text, cases[i].second))
            fail_msg("'%s' does not name '%s' and '%s'", err.text, cases[i].first, cases[i].second);
    }
}

static void test_carrier(void **state)
{
    (void)state;
    struct sp_roster *r =
        rows(SHIP "surname,dob,given names,rank,id number,issuing state\n"
                  "9000001,V1,USMIA,2026-12-05,SAMPLE,01/02/1984,CORA,MASTER,X1,UTO\n" /* dob left out */
                  ",,,,,1984-05-17,,MATE,X2,\n"                 /* has no issuer and no name */
                  ",,,,SAMPLE,1984-05-17,CORA,BOSUN,X1,UTO\n"); /* the first again */
    assert_string_equal(r->manifest, "sea-9000001-v1-20261205-usmia");
    assert_int_equal(r->row_count, 1);
    assert_string_equal(r->rows[0].values[SP_COLUMN_RANK], "BOSUN"); /* the last counts */
    assert_string_equal(r->rows[0].values[SP_COLUMN_DOB], "1984-05-17");
    assert_int_equal(r->warning_count, 4);
    assert_non_null(strstr(r->warnings[0], "t.in line 2: dob must be"));
    assert_non_null(strstr(r->warnings[1], "t.in line 3: nothing tells"));
    assert_non_null(strstr(r->warnings[2], "t.in line 3: a traveller without"));
    assert_non_null(strstr(r->warnings[3], "t.in line 4: comes again"));
    sp_roster_free(&r);
}

/* One passport, one reference, two people: nobody is lost. A repeat of the first is still a repeat. */
static void test_two_people(void **state)
{
    (void)state;
    struct sp_roster *r = rows(SHIP "surname,given names,dob,person id,id number,issuing state\n"
                                    "9000001,V1,USMIA,2026-12-05,SAMPLE,AVA,1991-02-03,R1,X1,UTO\n"
                                    ",,,,SAMPLE,BRAM,2015-07-11,R1,X1,UTO\n"
                                    ",,,,SAMPLE,CORA,2016-07-11,,X1,UTO\n"
                                    ",,,,SAMPLE,AVA,1991-02-03,R1,X1,UTO\n"
                                    ",,,,SAMPLE,C ORA,2016-07-11,,X1,UTO\n");
    static const char *const given[] = {"AVA", "BRAM", "C ORA"}, *const refs[] = {"R1", "", ""},
                             *const docs[] = {"X1", "X1", ""};
    for (int i = 0; i < r->row_count && i < 3; i++) {
        assert_string_equal(r->rows[i].values[SP_COLUMN_GIVEN], given[i]);
        assert_string_equal(r->rows[i].values[SP_COLUMN_TRAVELLER_REF], refs[i]);
        assert_string_equal(r->rows[i].values[SP_COLUMN_DOC_NUMBER], docs[i]);
    }
    assert_int_equal(r->row_count, 3);
    assert_string_equal(r->rows[2].values[SP_COLUMN_FURTHER_DOCUMENTS], "P:X1:UTO:");
    assert_int_equal(r->warning_count,
                     5); /* three known by less, one repeat, one with its name in another spelling */
    sp_roster_free(&r);
}

/* A row with every column at its greatest can be stored and read again. */
static void test_greatest(void **state)
{
    (void)state;
    struct sp_row row = {0}, back;
    uint8_t *bytes = NULL;
    size_t length = 0, size = 0, at = 0;
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        size += (size_t)sp_column_max((enum sp_column)i) + 1;
    row.text = malloc(size);
    assert_non_null(row.text);
    for (int i = 0; i < SP_COLUMN_COUNT; i++) {
        size_t max = (size_t)sp_column_max((enum sp_column)i);
        memset(row.text + at, 'a' + i % 26, max);
        row.text[at + max] = 0;
        row.values[i] = row.text + at;
        at += max + 1;
    }
    assert_int_equal(sp_row_encode(&bytes, &length, &row, NULL), SP_OK);
    assert_int_equal(sp_row_decode(&back, bytes, length, NULL), SP_OK);
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        assert_string_equal(back.values[i], row.values[i]);
    free(bytes);
    sp_row_clear(&back);
    sp_row_clear(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),     cmocka_unit_test(test_desk),     cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_two_people), cmocka_unit_test(test_greatest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
