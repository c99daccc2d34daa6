/* FAL forms the way ships write them. */
#include "tests/unit/listing/read_text.h"

#include <stdio.h>
#include "listing/fal_column.h"

#define SHIP "Name of ship,MV EXAMPLE STAR\nIMO number,9000001\nVoyage,V1\nPort,USMIA\n"

static void test_titles(void **state)
{
    (void)state;
    static const char *const surnames[] = {"Family name", "FAMILY NAME", "Surname", "Last Name", "family_name"};
    for (int i = 0; i < 5; i++)
        assert_int_equal(sp_fal_column(surnames[i]), SP_FAL_FIELD + SP_FIELD_SURNAME);
    assert_int_equal(sp_fal_column("Transit passenger (Yes/No)"), SP_FAL_FIELD + SP_FIELD_TRANSIT);
    assert_int_equal(sp_fal_column("7. Family name, given names"), SP_FAL_NAMES);
    assert_int_equal(sp_fal_column("1.1 Name of ship"), SP_FAL_SHIP);
    assert_int_equal(sp_fal_column("Family names of all"), -1); /* not guessed */
    assert_int_equal(sp_fal_column("Date of arrival/departure"), SP_FAL_DATE);
    assert_int_equal(sp_fal_column(""), -1);
    assert_string_equal(sp_fal_document_type("PASSPORT"), "P");
    assert_string_equal(sp_fal_document_type("laissez-passer"), "laissez-passer");
}

static void test_dates(void **state)
{
    (void)state;
    static const char *const good[] = {"1991-02-13",  "1991/02/13",  "19910213",   "13.02.1991",
                                       "13-FEB-1991", "13 feb 1991", "13/02/1991", "02/13/1991"};
    static const char *const bad[] = {
        "",         "1991",     "03/02/1991",   "13/13/1991", "1991-02-30", "13 xxx 1991",
        "1.2.1991", "13021991", "13-FEB-19911", "1991-13-02"};
    char date[11];
    for (int i = 0; i < 8; i++) {
        if (!sp_field_people_date(date, good[i]))
            fail_msg("%s is a date", good[i]);
        assert_string_equal(date, "1991-02-13");
    }
    for (int i = 0; i < 10; i++)
        if (sp_field_people_date(date, bad[i]))
            fail_msg("%s is taken for %s", bad[i], date);
    assert_true(sp_field_people_date(date, "03.02.1991")); /* a dot is day.month */
    assert_string_equal(date, "1991-02-03");
    assert_true(sp_field_people_date(date, "03/03/1991")); /* either way the same */
}

static void test_forms(void **state)
{
    (void)state;
    struct sp_listing *l =
        read_one(SHIP "Date of arrival,2026-12-05\nLast port,NSNAS\nsurname,rank,dob,id number,issuing state\n"
                      "SAMPLE,MASTER,1984-05-17,X1,UT\n,,,,\nTotal: 1,,,,\n");
    assert_int_equal(l->format, SP_LISTING_FAL5);
    assert_int_equal(l->group, SP_GROUP_CREW);
    assert_int_equal(l->traveller_count, 2); /* a total in the name's column is one: nobody can tell */
    assert_string_equal(l->travellers[0].role, "crew");
    assert_int_equal(l->travellers[0].segment, 8);
    assert_string_equal(l->travellers[0].documents[0].type, "P");
    assert_string_equal(l->travellers[0].documents[0].issuer, "");
    check_deviation(l, 8, "the issuing state must be");
    check_deviation(l, 9, "a line without a name");
    check_deviation(l, 10, "nothing tells this traveller");
    check_id(l, "sea-9000001-v1-20261205-nsnas");
    sp_listing_free(&l);
    l = read_one("Crew list\n" SHIP "Date,2026-12-05\nsurname,dob\nSAMPLE,01/02/1984\n"); /* the title says it */
    assert_int_equal(l->format, SP_LISTING_FAL5);
    check_deviation(l, 8, "dob must be a date");
    check_deviation(l, 8, "taken for departure");
    sp_listing_free(&l);
    l = read_one(SHIP "Date of departure,2026-12-05\nEngine,diesel\nsurname,dob,visa number,hobby\n"); /* nil */
    assert_int_equal(l->format, SP_LISTING_FAL6);
    assert_int_equal(l->traveller_count, 0);
    check_deviation(l, 6, "says nothing known");
    check_deviation(l, 7, "hobby");
    sp_listing_free(&l);
    l = read_one("surname\tdob\tvisa number\tport\tdate of departure\tvoyage\timo\n"
                 "SAMPLE\t1984-05-17\tV9\tUSMIA\t2026-12-05\tV1\t9000001\n");
    assert_string_equal(l->travellers[0].documents[0].type, "V");
    check_id(l, "sea-9000001-v1-20261205-usmia");
    sp_listing_free(&l);
}

static void test_natures(void **state)
{
    (void)state;
    static const char *const texts[][3] = {{"Passport X00000017", "P", "X00000017"},
                                           {"Passport,X00000017", "P", "X00000017"},
                                           {"P-X00000017", "P", "X00000017"},
                                           {"p/x00000017", "P", "x00000017"},
                                           {"Passport X00 00001", "P", "X0000001"},
                                           {"X00 00001", "", "X0000001"},
                                           {"X00000017 (Passport)", "P", "X00000017"},
                                           {"PASSPORT NO X1", "P", "X1"},
                                           {"Passport No. NO1", "P", "NO1"},
                                           {"Passport number: X1", "P", "X1"},
                                           {"ID card 123", "I", "123"},
                                           {"Seaman's book: B123", "S", "B123"},
                                           {"Laissez-passer X1", "Laissez-passer", "X1"},
                                           {"Passport", "P", ""},
                                           {"Passport ()", "", ""},
                                           {")", "", ""},
                                           {"PX1", "", "PX1"},
                                           {"", "", ""}};
    struct sp_fal_document document;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sp_fal_document_split(&document, texts[i][0]);
        if (strcmp(document.type, texts[i][1]) != 0 || strcmp(document.number, texts[i][2]) != 0)
            fail_msg("'%s' is '%s' '%s'", texts[i][0], document.type, document.number);
    }
}

#define CALL  "imo,voyage,port,last port,date of arrival,flag,surname,dob,nature and number of identity document\n"
#define FIRST "9000001,V1,USMIA,NSNAS,2026-12-05,US,SAMPLE,1984-05-17,X1\n"

static void test_other_calls(void **state)
{
    (void)state;
    static const char *const others[] = {
        "9000001,V1,USMIA,NSNAS,2026-12-06,US,SAMPLE,1984-05-17,X1\n",
        "9000001,V1,USNYC,NSNAS,2026-12-05,US,SAMPLE,1984-05-17,X1\n",
        "9000001,V1,USMIA,BSFPO,2026-12-05,US,SAMPLE,1984-05-17,X1\n",
        "9000002,V1,USMIA,NSNAS,2026-12-05,US,SAMPLE,1984-05-17,X1\n",
    };
    char text[1000];
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%s%s%s", CALL, FIRST, others[i]);
        check_refused(text, SP_E_FORMAT, "t.in line 3|another ship or voyage");
    }
    struct sp_listing *l = read_one(CALL FIRST "9000001,V1,US MIA,nsnas,05.12.2026,USA,SAMPLE,1984-05-17 ,X2\n"
                                               "9000001,V1,USMIA,NSNAS,2026-12-05,PA,SAMPLE,1984-05-17,X3\n"
                                               "9000001,V1,USMIA,NSNAS,2026-12-05,US,SAMPLE,1984-05-17\n");
    check_deviation(l, 4, "a value of the ship differs");
    check_deviation(l, 5, "8 fields, the header has 9");
    assert_int_equal(l->deviation_count, 2);
    sp_listing_free(&l);
}

static void test_legs(void **state)
{
    (void)state;
    struct sp_listing *l =
        read_one(SHIP "Date of arrival,2026-12-05\nLast port,NSNAS\nDate of departure,2026-12-06\n"
                      "surname,dob\nSAMPLE,1984-05-17\n");
    check_deviation(l, 9, "the departure is after the arrival");
    assert_true(l->deviations[0].offset > 0);
    check_id(l, "sea-9000001-v1-20261205-nsnas");
    sp_listing_free(&l);
    l = read_one("Ship,A\nIMO,9000001\nVoyage,V1\nPort of arrival,USMIA,Port of departure,NSNAS\n"
                 "Date of arrival,2026-12-05\nVoyage,V2\nsurname,dob\nSAMPLE,1984-05-17\n");
    assert_string_equal(l->legs[0].dep_port, "NSNAS");
    assert_string_equal(l->legs[0].arr_port, "USMIA");
    check_deviation(l, 6, "comes a second time");
    check_id(l, "sea-9000001-v1-20261205-nsnas");
    sp_listing_free(&l);
}

static void test_nothing_lost(void **state)
{
    (void)state;
    struct sp_listing *l =
        read_one(SHIP "Date of arrival,2026-12-05,Name of master,JOHN DOE\nLast port,NSNAS\n"
                      "No.,surname,dob,nationality,type of identity document,number,issuing state,sex\n"
                      "1,SAMPLE,17-MAY-1984 ,US ,Passport,X1,UTO ,F \n2,SAMPLE,1984-05-17,USA,Passport,,UTO,F\n"
                      "3,SAMPLE,1984-05-17,USA,laissez-passer,X3,UTO,F\n");
    check_deviation(l, 5, "nothing known in field 3");
    check_deviation(l, 9, "an identity document without a number");
    check_deviation(l, 10, "taken for F");
    assert_int_equal(l->deviation_count, 3);
    assert_string_equal(l->travellers[0].dob, "1984-05-17");
    assert_string_equal(l->travellers[0].nationality, "USA");
    assert_string_equal(l->travellers[0].documents[0].number, "X1");
    assert_string_equal(l->travellers[0].documents[0].issuer, "UTO");
    assert_int_equal(l->travellers[1].document_count, 0);
    assert_string_equal(l->travellers[2].documents[0].type, "F");
    sp_listing_free(&l);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("imo,voyage,surname,dob\n1,V1,SAMPLE,1984-05-17\n1,V2,SAMPLE,1984-05-17\n", SP_E_FORMAT,
                  "t.in line 3|another ship or voyage");
    check_refused("surname,last name,dob\nSAMPLE,SAMPLE,1984-05-17\n", SP_E_FORMAT, "t.in line 1|column 2");
    check_refused("surname,dob\n\"SAMPLE,1984-05-17\n", SP_E_FORMAT, "line 2|quote");
    check_refused_bytes("fal6", "a,b\nc,d\n", 8, SP_E_FORMAT, "t.in|family name");
    check_refused_bytes("fal5", "surname,dob\nS\xe9,1984-05-17\n", 26, SP_E_FORMAT, "line 2|UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_titles),       cmocka_unit_test(test_dates),       cmocka_unit_test(test_forms),
        cmocka_unit_test(test_natures),      cmocka_unit_test(test_other_calls), cmocka_unit_test(test_legs),
        cmocka_unit_test(test_nothing_lost), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
