/* Notices of arrival: versions, unknown elements, and XML that means harm. */
#include "tests/unit/listing/read_text.h"

#include <stdio.h>
#include "listing/enoad.h"

#define HEAD "<NOTICE><NOTICE_DETAILS><VERSION>3.6</VERSION></NOTICE_DETAILS>"

static void test_both_lists(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(
        "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>\n<NOTICE>\n<NOTICE_DETAILS><VERSION>3.5</VERSION>"
        "<NOTICE_ID>N77</NOTICE_ID></NOTICE_DETAILS>\n<SOURCE><ORGANIZATION_NAME>EXAMPLE "
        "AGENT</ORGANIZATION_NAME></SOURCE>"
        "<CARGO_LIST><CARGO><NAME>TEA</NAME></CARGO></CARGO_LIST>\n"
        "<CREW_LIST><CREW><LAST_NAME>SAMPLE</LAST_NAME><FIRST_NAME><![CDATA[CORA & "
        "]]>&#67;O</FIRST_NAME></CREW></CREW_LIST>\n"
        "<NON_CREW_LIST>\n<NON_CREW><NAME><LAST_NAME>SAMPLE</LAST_NAME></NAME><DATE_OF_BIRTH>1991-02-03</"
        "DATE_OF_BIRTH>"
        "<SHOE_SIZE>44</SHOE_SIZE><NATIONALITY>Utopia</NATIONALITY></NON_CREW></NON_CREW_LIST></NOTICE>");
    assert_int_equal(l->format, SP_LISTING_ENOAD);
    assert_int_equal(l->group, SP_GROUP_BOTH);
    assert_string_equal(l->sender, "EXAMPLE AGENT");
    assert_string_equal(l->reference, "N77");
    assert_int_equal(l->traveller_count, 2);
    assert_string_equal(l->travellers[0].role, "crew");
    assert_string_equal(l->travellers[0].given, "CORA & CO");
    assert_string_equal(l->travellers[1].role, "passenger");
    assert_int_equal(l->travellers[1].segment, 7);
    assert_string_equal(l->travellers[1].given, ""); /* nothing of the one before */
    check_deviation(l, 3, "schema version 3.5");
    check_deviation(l, 4, "CARGO_LIST");
    check_deviation(l, 7, "SHOE_SIZE");
    check_deviation(l, 7, "nationality must be a country");
    sp_listing_free(&l);
}

static void test_documents(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(
        HEAD "<VESSEL><IMO_NUMBER>9000001</IMO_NUMBER><ID_NUMBER>9000001</ID_NUMBER></VESSEL>\n"
             "<CREW_LIST><CREW><LAST_NAME>SAMPLE</LAST_NAME>\n<LAST_NAME>SAMPLETWO</LAST_NAME>"
             "<IDENTIFICATION><ID_TYPE>Passport</ID_TYPE><ID_NUMBER>X1</ID_NUMBER><ID_COUNTRY>US</ID_COUNTRY>"
             "<ID_EXPIRATION_DATE>2031-06-30</ID_EXPIRATION_DATE></IDENTIFICATION>"
             "<IDENTIFICATION><ID_TYPE>Seaman's book</ID_TYPE><ID_NUMBER>B2</ID_NUMBER></IDENTIFICATION></CREW>\n"
             "<CREW><LAST_NAME>SAMPLE</LAST_NAME><ID_COUNTRY>US</ID_COUNTRY></CREW></CREW_LIST></NOTICE>");
    assert_string_equal(l->travellers[0].surname, "SAMPLE");
    assert_int_equal(l->travellers[0].document_count, 2);
    assert_string_equal(l->travellers[0].documents[0].number, "X1");
    assert_string_equal(l->travellers[0].documents[0].issuer, "USA");
    assert_string_equal(l->travellers[0].documents[1].type, "S");
    assert_string_equal(l->travellers[0].documents[1].number, "B2");
    assert_string_equal(l->travellers[0].documents[1].issuer, ""); /* nothing of the first one */
    assert_string_equal(l->travellers[0].documents[1].expiry, "");
    assert_int_equal(l->travellers[1].document_count, 0);
    check_deviation(l, 3, "LAST_NAME comes a second time");
    check_deviation(l, 4, "an identity document without a number");
    sp_listing_free(&l);
}

static void test_not_kept(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(
        "<NOTICE xmlns='urn:a' xmlns:xsi='urn:b' xsi:schemaLocation='urn:a'><NOTICE_DETAILS><VERSION>3.6</VERSION>"
        "<NOTICE_TYPE>Arrival</NOTICE_TYPE><NOTICE_TRANSACTION_TYPE>Update</NOTICE_TRANSACTION_TYPE></"
        "NOTICE_DETAILS>\n"
        "<VESSEL "
        "id='7'><IMO_NUMBER>9000001</IMO_NUMBER>\n<ID_NUMBER>77</ID_NUMBER>\n<CALL_SIGN>A1</CALL_SIGN></VESSEL>"
        "<CREW_LIST>\n<CREW/>\n<CREW><LAST_NAME>SAMPLE</LAST_NAME><DATE_OF_BIRTH>1984-05-17</DATE_OF_BIRTH>"
        "<EMBARK_DATE>2026-12-01</EMBARK_DATE></CREW></CREW_LIST></NOTICE>");
    check_deviation(l, 2, "an attribute of VESSEL");
    check_deviation(l, 3, "ID_NUMBER comes a second time");
    check_deviation(l, 4, "CALL_SIGN is not kept");
    check_deviation(l, 5, "an empty person");
    check_deviation(l, 6, "EMBARK_DATE is not kept");
    assert_int_equal(l->deviation_count, 5);
    assert_int_equal(l->action, SP_ACTION_LIST);
    assert_string_equal(l->vessel_id, "9000001");
    assert_int_equal(l->traveller_count, 1);
    sp_listing_free(&l);
}

/* A notice that takes another back is never a list. */
static void test_transactions(void **state)
{
    (void)state;
#define NOTICE(type, transaction)                                                                                  \
    "<NOTICE><NOTICE_DETAILS><VERSION>3.6</VERSION><NOTICE_TYPE>" type                                             \
    "</NOTICE_TYPE><NOTICE_TRANSACTION_TYPE>" transaction "</NOTICE_TRANSACTION_TYPE></NOTICE_DETAILS></NOTICE>"
    check_refused(NOTICE("Arrival", "Cancel"), SP_E_UNSUPPORTED, "t.in|cancels");
    check_refused(NOTICE("Cancellation", ""), SP_E_UNSUPPORTED, "t.in|cancels");
    struct sp_listing *l = read_one(NOTICE("Shift", "Other"));
    assert_int_equal(l->action, SP_ACTION_CHANGE);
    check_deviation(l, 1, "NOTICE_TRANSACTION_TYPE is not known");
    check_deviation(l, 1, "NOTICE_TYPE is neither");
    sp_listing_free(&l);
}

static void test_harm(void **state)
{
    (void)state;
    check_refused("<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;'>]><NOTICE>&lol2;</NOTICE>",
                  SP_E_DENIED, "t.in|document type");
    check_refused("<?xml version='1.0'?><!DOCTYPE n SYSTEM 'file:///etc/passwd'><NOTICE/>", SP_E_DENIED,
                  "document type");
    check_refused("<NOTICE>&undeclared;</NOTICE>", SP_E_FORMAT, "t.in line 1|not well-formed");
    check_refused("<HTML/>", SP_E_FORMAT, "line 1|NOTICE");
    check_refused("<", SP_E_FORMAT, "t.in line 1");
    check_refused(HEAD "<CREW_LIST>\n<CREW><LAST_NAME>SAMPLE</CREW>", SP_E_FORMAT, "line 2|not well-formed");
    check_refused("<?xml version='1.0' encoding='UTF-8'?>" HEAD "<VESSEL><NAME>\xff\xff</NAME></VESSEL></NOTICE>",
                  SP_E_FORMAT, "line 1|not well-formed");
    static const char utf16[] = "<\0N\0O\0T\0I\0C\0E\0/\0>\0";
    check_refused_bytes("enoad", utf16, sizeof utf16 - 1, SP_E_FORMAT, "NUL bytes");
    /* An encoding that hides the document type from a search of the bytes. */
    check_refused(
        "<?xml version='1.0' encoding='UTF-7'?>\n+ADwAIQ-DOCTYPE n [+ADwAIQ-ENTITY a 'b'>]>\n<NOTICE>&a;</NOTICE>",
        SP_E_DENIED, "document type");
    /* No including: an element of another language is an unknown one. */
    struct sp_listing *l =
        read_one(HEAD "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd' "
                      "parse='text'/></NOTICE>");
    check_deviation(l, 1, "include");
    assert_int_equal(l->traveller_count, 0);
    sp_listing_free(&l);
}

static void test_limits(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    static char deep[5 * DEPTH + 1000];
    strcpy(deep, HEAD "<CREW_LIST><CREW>");
    size_t at = strlen(deep);
    for (int i = 0; i < 40; i++)
        at += (size_t)sprintf(deep + at, "<NAME>"); /* known, and may stand in itself */
    check_refused(deep, SP_E_LIMIT, "line 1|nested deeper");
    at = (size_t)sprintf(deep, "<NOTICE>");
    for (int i = 0; i < DEPTH; i++)
        at += (size_t)sprintf(deep + at, "<X>"); /* unknown: the library's own limit counts */
    check_refused_bytes(NULL, deep, at, SP_E_FORMAT, "line 1|not well-formed");
    at = (size_t)sprintf(deep, HEAD "<CREW_LIST><CREW><LAST_NAME>");
    memset(deep + at, 'A', 5000);
    sprintf(deep + at + 5000, "</LAST_NAME><ID_NUMBER>X1</ID_NUMBER></CREW></CREW_LIST></NOTICE>");
    struct sp_listing *l = read_one(deep);
    assert_string_equal(l->travellers[0].surname, "");
    assert_string_equal(l->travellers[0].documents[0].number, "X1");
    check_deviation(l, 1, "a value is over 256 bytes");
    sp_listing_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_lists),   cmocka_unit_test(test_documents), cmocka_unit_test(test_not_kept),
        cmocka_unit_test(test_transactions), cmocka_unit_test(test_harm),      cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
