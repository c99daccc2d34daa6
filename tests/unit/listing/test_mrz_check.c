/* Machine readable zones in a listing, with the specimen of ICAO Doc 9303-4. */
#include <stdio.h>

#include "tests/unit/listing/read_text.h"

#define ONE "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
#define TWO "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
#define HEADER                                                                                                     \
    "mode,carrier,journey,dep_port,sched_dep,surname,dob,doc_type,doc_number,doc_issuer,mrz\nair,ZX,417,JFK,2026-" \
    "12-04,"

static void test_fills(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(HEADER ",,,,," ONE "|" TWO "\n");
    const struct sp_traveller *t = &l->travellers[0];
    assert_int_equal(l->deviation_count, 0); /* the zone alone tells the traveller */
    assert_string_equal(t->surname, "ERIKSSON");
    assert_string_equal(t->given, "ANNA MARIA");
    assert_string_equal(t->dob, "1974-08-12");
    assert_string_equal(t->sex, "F");
    assert_string_equal(t->nationality, "UTO");
    assert_int_equal(t->document_count, 1);
    assert_string_equal(t->documents[0].type, "P");
    assert_string_equal(t->documents[0].number, "L898902C3");
    assert_string_equal(t->documents[0].issuer, "UTO");
    assert_string_equal(t->documents[0].expiry, "2012-04-15");
    assert_string_equal(t->mrz, ONE "\n" TWO);
    sp_listing_free(&l);
    l = read_one(HEADER "Eriksson,,P,L898902C3,,\"" ONE "\n" TWO "\"\n"); /* one document, completed */
    assert_int_equal(l->deviation_count, 0);
    assert_int_equal(l->travellers[0].document_count, 1);
    assert_string_equal(l->travellers[0].documents[0].issuer, "UTO");
    sp_listing_free(&l);
}

/* A zone says D where every list says DEU. */
static void test_germany(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(
        HEADER ",,,,,P<D<<SAMPLE<<AVA<<<<<<<<<<<<<<<<<<<<<<<<<<<<|C01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4\n");
    assert_string_equal(l->travellers[0].nationality, "DEU");
    assert_string_equal(l->travellers[0].documents[0].issuer, "DEU");
    assert_string_equal(l->travellers[0].documents[0].number, "C01X00T47");
    sp_listing_free(&l);
}

/* Spaces for fillers, of which a reader of files trims those at the end. */
static void test_spaces(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(
        HEADER
        ",,,,,I UTOD231458907               |7408122F1204159UTO           6|ERIKSSON  ANNA MARIA          \n");
    check_deviation(l, 2, "mrz: spaces where fillers belong");
    assert_int_equal(l->value_count, 0);
    assert_string_equal(l->travellers[0].given, "ANNA MARIA");
    assert_string_equal(l->travellers[0].documents[0].number, "D23145890");
    sp_listing_free(&l);
}

static void test_differs(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(HEADER "SAMPLE,1974-08-13,P,X1,UTO," ONE "|" TWO "\n");
    check_deviation(l, 2, "mrz and surname differ");
    check_deviation(l, 2, "mrz and dob differ");
    check_deviation(l, 2, "mrz and number differ");
    assert_int_equal(l->deviation_count, 3);
    assert_int_equal(l->value_count, 0);
    assert_string_equal(l->travellers[0].surname, "SAMPLE"); /* what the sender says stays */
    assert_string_equal(l->travellers[0].documents[0].number, "X1");
    sp_listing_free(&l);
}

/* The zone completes the document of its number, however that is written, and no other. */
static void test_other_document(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(HEADER "Eriksson,1974-08-12,P,Y99999999,," ONE "|" TWO "\n");
    check_deviation(l, 2, "mrz and number differ");
    assert_int_equal(l->deviation_count, 1);
    assert_int_equal(l->travellers[0].document_count, 1);
    assert_string_equal(l->travellers[0].documents[0].number, "Y99999999");
    assert_string_equal(l->travellers[0].documents[0].issuer, "");
    assert_string_equal(l->travellers[0].documents[0].expiry, "");
    sp_listing_free(&l);
    l = read_one("mode,carrier,journey,dep_port,sched_dep,doc_type,doc_number,documents,mrz\n"
                 "air,ZX,417,JFK,2026-12-04,P,Y99999999,P:l898-902 c3," ONE "|" TWO "\n");
    assert_int_equal(l->deviation_count, 0);
    assert_int_equal(l->travellers[0].document_count, 2);
    assert_string_equal(l->travellers[0].documents[0].issuer, "");
    assert_string_equal(l->travellers[0].documents[1].issuer, "UTO");
    assert_string_equal(l->travellers[0].documents[1].expiry, "2012-04-15");
    sp_listing_free(&l);
}

/* A part whose check digit is wrong fills nothing. */
static void test_wrong_digits(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(HEADER "SAMPLE,,,,," ONE "|L898902C37UTO7408123F1204159ZE184226B<<<<<10\n");
    check_deviation(l, 2, "check digit of document number is wrong");
    check_deviation(l, 2, "check digit of date of birth is wrong");
    assert_string_equal(l->travellers[0].dob, "");
    assert_int_equal(l->travellers[0].document_count, 0);
    sp_listing_free(&l);
    l = read_one(HEADER "SAMPLE,1974-08-12,,,,P<UTO|7\n");
    assert_int_equal(l->value_count, 1);
    assert_int_equal(l->deviations[0].segment, 2);
    sp_listing_free(&l);
}

/* What the zone's parser takes for something else is a deviation, and strict does not take it at all. */
static void test_remarks(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *says;
    } rows[] = {
        {ONE "|L898902C36UTO7408122Q1204159ZE184226B<<<<<10", "mrz: the sex is none of F, M, X and <"},
        {ONE "|L898902C36UTO7408122F1213050ZE184226B<<<<<16", "mrz: the date of expiry is no date"},
        {ONE "|L898902C36UTO7408<<7F1204159ZE184226B<<<<<10", "mrz: the date of birth is not given in full"},
        {"p<utoeriksson<<anna<maria<<<<<<<<<<<<<<<<<<<|" TWO, "mrz: lower case"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[400];
        snprintf(text, sizeof text, HEADER ",1974-08-12,P,,,%s\n", rows[i].zone);
        struct sp_listing *l = read_one(text);
        check_deviation(l, 2, rows[i].says);
        assert_int_equal(l->deviation_count, 1);
        assert_int_equal(l->value_count, 0);
        sp_listing_free(&l);
        struct sp_listing **all = NULL;
        struct sp_err err = {0};
        int count = 0;
        assert_int_equal(read_bytes(&all, &count, NULL, true, text, strlen(text), &err), SP_E_FORMAT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills),   cmocka_unit_test(test_germany),        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_differs), cmocka_unit_test(test_other_document), cmocka_unit_test(test_wrong_digits),
        cmocka_unit_test(test_remarks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
