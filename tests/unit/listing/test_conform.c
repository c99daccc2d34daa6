/* The same journey and travellers in every format give equal listings. */
#include "tests/unit/listing/read_text.h"

#include "listing/field.h"

static void same_text(const char *where, const char *a, const char *b)
{
    if (strcmp(a, b) != 0)
        fail_msg("%s: '%s' and '%s'", where, a, b);
}

static void same_traveller(const struct sp_traveller *a, const struct sp_traveller *b)
{
    for (int i = 0; i < SP_FIELD_COUNT; i++)
        same_text(sp_field_name((enum sp_field)i), sp_field_value(a, (enum sp_field)i),
                  sp_field_value(b, (enum sp_field)i));
    assert_int_equal(a->document_count, b->document_count);
    for (int i = 0; i < a->document_count; i++) {
        same_text("type", a->documents[i].type, b->documents[i].type);
        same_text("number", a->documents[i].number, b->documents[i].number);
        same_text("issuer", a->documents[i].issuer, b->documents[i].issuer);
        same_text("expiry", a->documents[i].expiry, b->documents[i].expiry);
    }
    assert_int_equal(a->photo_count, b->photo_count);
    for (int i = 0; i < a->photo_count; i++)
        same_text("photo", a->photos[i], b->photos[i]);
}

/* All but the message's own data, the group and the places. */
static void same_listing(const struct sp_listing *a, const struct sp_listing *b)
{
    for (int i = 0; i < SP_JOURNEY_COUNT; i++)
        same_text(sp_journey_name((enum sp_journey_field)i), sp_journey_value(a, (enum sp_journey_field)i),
                  sp_journey_value(b, (enum sp_journey_field)i));
    assert_int_equal(a->leg_count, b->leg_count);
    for (int i = 0; i < a->leg_count; i++) {
        same_text("dep_port", a->legs[i].dep_port, b->legs[i].dep_port);
        same_text("arr_port", a->legs[i].arr_port, b->legs[i].arr_port);
        same_text("sched_dep", a->legs[i].sched_dep, b->legs[i].sched_dep);
        same_text("sched_arr", a->legs[i].sched_arr, b->legs[i].sched_arr);
    }
    assert_int_equal(a->traveller_count, b->traveller_count);
    for (int i = 0; i < a->traveller_count; i++)
        same_traveller(&a->travellers[i], &b->travellers[i]);
}

static void check_all(const char *const *texts, const enum sp_listing_format *formats, int count, const char *id)
{
    struct sp_listing *first = read_one(texts[0]);
    check_id(first, id);
    for (int i = 0; i < count; i++) {
        struct sp_listing *other = read_one(texts[i]);
        assert_int_equal(other->format, formats[i]);
        if (other->deviation_count > 0)
            fail_msg("%s: %s", sp_listing_format_word(other->format), other->deviations[0].text);
        same_listing(first, other);
        sp_listing_free(&other);
    }
    sp_listing_free(&first);
}

static void test_air(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "carrier,journey,mode,dep_port,arr_port,sched_dep,sched_arr,direction,traveller_ref,role,surname,given,dob,"
        "sex,"
        "nationality,residence,doc_type,doc_number,doc_issuer,doc_expiry,pnr,seat_or_cabin,embark,debark,documents,"
        "photo_uri\n"
        "ZX,0417,air,JFK,LIS,2026-12-04T18:20,2026-12-05 06:10,exit,ZX417-0001,passenger,SAMPLE,AVA "
        "MAE,1991-02-03,F,UTO,"
        "UTO,P,X00000017,UTO,2031-06-30,QX7T4Z,14C,JFK,LIS,V:V77:USA:2027-01-01,a.jpg;b.jpg\n"
        "ZX,0417,air,JFK,LIS,2026-12-04T18:20,2026-12-05 "
        "06:10,exit,ZX417-0002,passenger,O'SAMPLE,BRAM,2015-07-11,male,"
        "UTO,,P,X00000025,UTO,2029-01-01,QX7T4Z,,jfk,LIS,,\n",
        "{\"journey\":{\"mode\":\"air\",\"carrier\":\"ZX\",\"number\":\"0417\",\"direction\":\"exit\"},\"legs\":["
        "{\"dep_port\":\"JFK\",\"arr_port\":\"LIS\",\"sched_dep\":\"2026-12-04T18:20\",\"sched_arr\":\"2026-12-"
        "05T06:10\"}],"
        "\"travellers\":[{\"ref\":\"ZX417-0001\",\"role\":\"passenger\",\"surname\":\"SAMPLE\",\"given\":\"AVA "
        "MAE\","
        "\"dob\":\"1991-02-03\",\"sex\":\"F\",\"nationality\":\"UTO\",\"residence\":\"UTO\",\"pnr\":\"QX7T4Z\","
        "\"seat_or_cabin\":\"14C\",\"embark\":\"JFK\",\"debark\":\"LIS\",\"documents\":[{\"type\":\"P\",\"number\":"
        "\"X00000017\",\"issuer\":\"UTO\",\"expiry\":\"2031-06-30\"},{\"type\":\"V\",\"number\":\"V77\",\"issuer\":"
        "\"USA\","
        "\"expiry\":\"2027-01-01\"}],\"photos\":[\"a.jpg\",\"b.jpg\"]},{\"ref\":\"ZX417-0002\",\"role\":"
        "\"passenger\","
        "\"surname\":\"O'SAMPLE\",\"given\":\"BRAM\",\"dob\":\"2015-07-11\",\"sex\":\"M\",\"nationality\":\"UTO\","
        "\"pnr\":"
        "\"QX7T4Z\",\"embark\":\"JFK\",\"debark\":\"LIS\",\"documents\":[{\"type\":\"P\",\"number\":\"X00000025\","
        "\"issuer\":"
        "\"UTO\",\"expiry\":\"2029-01-01\"}]}]}",
        "{\"mode\":\"air\",\"carrier\":\"ZX\",\"journey\":\"0417\",\"direction\":\"exit\",\"legs\":[{\"dep_port\":"
        "\"JFK\","
        "\"arr_port\":\"LIS\",\"sched_dep\":\"2026-12-04T18:20\",\"sched_arr\":\"2026-12-05T06:10\"}]}\n"
        "{\"ref\":\"ZX417-0001\",\"role\":\"passenger\",\"surname\":\"SAMPLE\",\"given\":\"AVA "
        "MAE\",\"dob\":\"1991-02-03\","
        "\"sex\":\"F\",\"nationality\":\"UTO\",\"residence\":\"UTO\",\"pnr\":\"QX7T4Z\",\"seat_or_cabin\":\"14C\","
        "\"embark\":"
        "\"JFK\",\"debark\":\"LIS\",\"documents\":[{\"type\":\"P\",\"number\":\"X00000017\",\"issuer\":\"UTO\","
        "\"expiry\":"
        "\"2031-06-30\"},{\"type\":\"V\",\"number\":\"V77\",\"issuer\":\"USA\",\"expiry\":\"2027-01-01\"}],"
        "\"photos\":"
        "[\"a.jpg\",\"b.jpg\"]}\n"
        "{\"ref\":\"ZX417-0002\",\"role\":\"passenger\",\"surname\":\"O'SAMPLE\",\"given\":\"BRAM\",\"dob\":\"2015-"
        "07-11\","
        "\"sex\":\"M\",\"nationality\":\"UTO\",\"pnr\":\"QX7T4Z\",\"embark\":\"JFK\",\"debark\":\"LIS\","
        "\"documents\":"
        "[{\"type\":\"P\",\"number\":\"X00000025\",\"issuer\":\"UTO\",\"expiry\":\"2029-01-01\"}]}\n",
    };
    static const enum sp_listing_format formats[] = {SP_LISTING_CSV, SP_LISTING_JSON, SP_LISTING_NDJSON};
    check_all(texts, formats, 3, "air-zx-417-20261204-jfk");
}

static void test_edifact(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "UNA:+.? "
        "'\nUNB+UNOA:4+EXAMPLEAIR:ZZ+HUB:ZZ+261204:1500+1++APIS'\nUNH+1+PAXLST:D:05B:UN:IATA+ZX0417/261204+01:F'\n"
        "BGM+745'\nNAD+MS+++EXAMPLE AIR'\nTDT+20+ZX417+++ZX'\nLOC+125+JFK'\nDTM+189:2612041820:201'\nLOC+87+LIS'\n"
        "DTM+232:2612050610:201'\nNAD+FL+++O?'SAMPLE:AVA:MAE'\nATT+2++F'\nDTM+329:910203'\nLOC+178+JFK'\nLOC+179+"
        "LIS'\n"
        "LOC+174+UTO'\nNAT+2+UTO'\nRFF+AVF:QX7T4Z'\nRFF+ABO:ZX417-0001'\nRFF+SEA:14C'\nDOC+P:110:111+X00000017'\n"
        "DTM+36:310630'\nLOC+91+UTO'\nDOC+V:110:111+V77'\nDTM+36:270101'\nLOC+91+USA'\nCNT+42:1'\nUNT+26+1'\nUNZ+1+"
        "1'\n",
        "carrier,journey,mode,dep_port,arr_port,sched_dep,sched_arr,traveller_ref,role,surname,given,dob,sex,"
        "nationality,residence,"
        "doc_type,doc_number,doc_issuer,doc_expiry,pnr,seat_or_cabin,embark,debark,documents\n"
        "ZX,417,air,JFK,LIS,2026-12-04T18:20,2026-12-05T06:10,ZX417-0001,passenger,O'SAMPLE,AVA "
        "MAE,1991-02-03,F,UTO,UTO,"
        "P,X00000017,UTO,2031-06-30,QX7T4Z,14C,JFK,LIS,V:V77:USA:2027-01-01\n"};
    static const enum sp_listing_format formats[] = {SP_LISTING_PAXLST, SP_LISTING_CSV};
    check_all(texts, formats, 2, "air-zx-417-20261204-jfk");
}

static void test_sea(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "journey,mode,dep_port,arr_port,sched_dep,direction,vessel,vessel_id,flag,role,surname,given,dob,sex,"
        "nationality,"
        "birth_place,doc_type,doc_number,doc_issuer,doc_expiry,embark,debark,pnr,seat_or_cabin,transit\n"
        "V0881,sea,USMIA,NSNAS,2026-12-03,exit,MV EXAMPLE STAR,9000001,UTO,passenger,SAMPLE,AVA "
        "MAE,1991-02-03,F,UTO,"
        "UTOPIA CITY,P,X00000017,UTO,2031-06-30,USMIA,NSNAS,R77,8123,no\n",
        "Name of ship,IMO number,Call sign,Voyage number,Port of arrival/departure,Date of departure,Flag State of "
        "ship,"
        "Next port of call,\"Family name, given names\",Nationality,Date of birth,Place of birth,Gender,"
        "Nature and number of identity document,Issuing State of identity document,Expiry date of identity "
        "document,"
        "Port of embarkation,Port of disembarkation,Transit passenger (Yes/No),Cabin number,Reservation number\n"
        "MV EXAMPLE STAR,IMO 9000001,ABCD1,V0881,US MIA,03-DEC-2026,UTO,NSNAS,\"SAMPLE, AVA MAE\",uto,03.02.1991,"
        "UTOPIA CITY,Female,Passport X00000017,UTO,20310630,USMIA,NS NAS,No,8123,R77\n",
        "IMO FAL Form 6: Passenger list;;;\nName of ship;MV EXAMPLE STAR;IMO number;9000001\nVoyage "
        "number;V0881;;\n"
        "Arrival/departure;Departure;Port;USMIA\nDate of arrival/departure;2026-12-03;Flag;UTO\nNext port;NSNAS;;\n"
        "No.;Family name;Given names;Nationality;Date of birth;Place of birth;Sex;ID type;ID number;Issuing "
        "country;"
        "Expiry;Embarkation port;Disembarkation port;Transit;Cabin;Booking number\n"
        "1;SAMPLE;AVA MAE;UTO;1991/02/03;UTOPIA CITY;F;P;X00000017;UTO;2031-06-30;USMIA;NSNAS;N;8123;R77\n",
    };
    static const enum sp_listing_format formats[] = {SP_LISTING_CSV, SP_LISTING_FAL6, SP_LISTING_FAL6};
    check_all(texts, formats, 3, "sea-9000001-v0881-20261203-usmia");
}

static void test_crew(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "journey,mode,dep_port,arr_port,sched_dep,sched_arr,direction,vessel,vessel_id,flag,role,surname,given,dob,"
        "sex,"
        "nationality,rank,doc_type,doc_number,doc_issuer,doc_expiry\n"
        "V0881,sea,NSNAS,USMIA,2026-12-03,2026-12-05T06:00,entry,MV EXAMPLE STAR,9000001,USA,crew,SAMPLE,CORA ANN,"
        "1984-05-17,F,USA,MASTER,S,B123,USA,2030-01-15\n",
        "ship name,imo,voyage,port,date of arrival,date of departure,last port,flag,surname,first "
        "name,rank,nationality,dob,"
        "gender,document type,document number,issuing country,expiry date\n"
        "MV EXAMPLE STAR,9000001,V0881,USMIA,2026-12-05T06:00,2026-12-03,NSNAS,US,SAMPLE,CORA "
        "ANN,MASTER,US,1984-05-17,f,"
        "Seaman's book,B123,us,15 JAN 2030\n",
        "<?xml version=\"1.0\"?>\n<NOTICE xmlns=\"urn:sample\"><NOTICE_DETAILS><NOTICE_TYPE>Arrival</NOTICE_TYPE>"
        "<VERSION>3.6</VERSION></NOTICE_DETAILS><VESSEL><NAME>MV EXAMPLE "
        "STAR</NAME><IMO_NUMBER>9000001</IMO_NUMBER>"
        "<FLAG>US</FLAG></VESSEL><VOYAGE><VOYAGE_NUMBER>V0881</VOYAGE_NUMBER><ARRIVAL><PORT>USMIA</PORT>"
        "<DATE>2026-12-05</DATE><TIME>06:00</TIME></ARRIVAL><DEPARTURE><PORT>NSNAS</PORT><DATE>2026-12-03</DATE>"
        "</DEPARTURE></VOYAGE><CREW_LIST><CREW><LAST_NAME> SAMPLE\n</LAST_NAME><FIRST_NAME>CORA</FIRST_NAME>"
        "<MIDDLE_NAME>ANN</MIDDLE_NAME><DATE_OF_BIRTH>1984-05-17</DATE_OF_BIRTH><GENDER>Female</GENDER>"
        "<NATIONALITY>US</NATIONALITY><POSITION>MASTER</POSITION><IDENTIFICATION><ID_TYPE>Seaman's Book</ID_TYPE>"
        "<ID_NUMBER>B123</ID_NUMBER><ID_COUNTRY>US</ID_COUNTRY><ID_EXPIRATION_DATE>2030-01-15</ID_EXPIRATION_DATE>"
        "</IDENTIFICATION></CREW></CREW_LIST></NOTICE>\n",
    };
    static const enum sp_listing_format formats[] = {SP_LISTING_CSV, SP_LISTING_FAL5, SP_LISTING_ENOAD};
    check_all(texts, formats, 3, "sea-9000001-v0881-20261203-nsnas");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_air),
        cmocka_unit_test(test_edifact),
        cmocka_unit_test(test_sea),
        cmocka_unit_test(test_crew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
