/* CUSRES: reading the sample and its dialects, writing answers, round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "listing/cusres.h"
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

static void test_sample(void **state)
{
    (void)state;
    struct read read = read_one(sample_answer, true);
    const struct sp_listing *l = read.listings[0];
    assert_int_equal(l->format, SP_LISTING_CUSRES);
    assert_string_equal(sp_listing_kind_word(l->group, l->action), "answer");
    assert_string_equal(l->reference, "ZXTRN000417A");
    assert_string_equal(l->carrier, "ZX");
    assert_string_equal(l->number, "417");
    assert_string_equal(l->answer, "");
    assert_int_equal(l->leg_count, 1);
    assert_string_equal(l->legs[0].dep_port, "JFK");
    assert_string_equal(l->legs[0].arr_port, "LIS");
    assert_string_equal(l->legs[0].sched_dep, "2026-12-04T18:20");
    assert_string_equal(l->legs[0].sched_arr, "2026-12-05T06:10");
    assert_int_equal(l->traveller_count, 2);
    assert_string_equal(l->travellers[0].ref, "ZX417-0001");
    assert_string_equal(l->travellers[0].pnr, "QX7T4Z");
    assert_string_equal(l->travellers[0].answer, "0Z");
    assert_string_equal(l->travellers[0].answer_text, "OK TO BOARD");
    assert_int_equal(l->travellers[0].segment, 9);
    assert_string_equal(l->travellers[1].answer, "1Z");
    assert_string_equal(l->travellers[1].answer_text, "MANUAL INSPECTION");
    read_free(&read);
}

static void test_answer_for_all(void **state)
{
    (void)state;
    struct read read = read_one("UNH+1+CUSRES:D:05B:UN:IATA'BGM+962'RFF+TN:T1'RFF+AF:ZX417'DTM+189:2612041820:201'"
                                "LOC+125+JFK'LOC+87+LIS'ERP+1'ERC+0Z'FTX+AAP+++ALL:CLEARED'UNT+11+1'",
                                true);
    const struct sp_listing *l = read.listings[0];
    assert_int_equal(l->traveller_count, 0);
    assert_string_equal(l->answer, "0Z");
    assert_string_equal(l->answer_text, "ALL CLEARED");
    read_free(&read);
}

static void check_dirt(const char *from, const char *to, const char *note)
{
    char *text = replaced(sample_answer, from, to);
    struct read read = read_one(text, false), strict = read_text(text, true);
    assert_int_equal(strict.status, SP_E_FORMAT);
    assert_non_null(strstr(strict.err.text, note));
    find_deviation(read.listings[0], note);
    assert_int_equal(read.listings[0]->deviation_count, 1);
    assert_int_equal(read.listings[0]->traveller_count, 2);
    read_free(&read);
    free(text);
}

static void test_dirt(void **state)
{
    (void)state;
    check_dirt("ERP+2'", "ERP+7'", "ERP+7 is read like 2");
    check_dirt("ERC+0Z'", "ERC'", "ERC without a code");
    check_dirt("BGM+962'", "BGM+312'", "BGM+312 is read like 962");
    check_dirt("RFF+AVF:QX7T4Z'", "RFF+ZZZ:1'", "RFF+ZZZ is not kept");
    check_dirt("RFF+AVF:QX7T4Z'", "QQQ'", "QQQ is not kept");
    check_dirt("ZX417-0002", "ZX417-0001", "has the reference (ABO) of that in segment 9");
    check_dirt("UNT+19", "UNT+18", "UNT says 18 segments, there are 19");
    check_dirt("FTX+AAP", "FTX+AAI", "FTX+AAI is not kept");
}

/* A second code is not lost, it may be the one that says no. */
static void test_several_codes(void **state)
{
    (void)state;
    char *text = replaced(sample_answer, "RFF+AVF:QX7T4Z'", "ERC+8Z'");
    struct read read = read_one(text, true);
    assert_string_equal(read.listings[0]->travellers[0].answer, "8Z 0Z");
    read_free(&read);
    free(text);
}

static void test_write(void **state)
{
    (void)state;
    struct read about = read_one(sample_passengers, true);
    const struct sp_cusres_verdict verdicts[] = {
        {0, SP_CUSRES_CLEARED, "OK TO BOARD"},
        {1, SP_CUSRES_INSUFFICIENT, SP_CUSRES_NO_PORTRAIT "too_dark"},
    };
    const struct sp_cusres_options options = {
        .sender = "BORDERHUB", .interchange = "77", .message = "RSP001", .now_ms = NOW_MS};
    char *text = NULL;
    size_t length = 0;
    struct sp_err err = {0};
    assert_int_equal(sp_cusres_write(&text, &length, about.listings[0], verdicts, 2, &options, &err), SP_OK);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "UNA:+.? '\n"
                              "UNB+UNOA:4+BORDERHUB+EXAMPLEAIR+261126:0000+77++APIS'\n"
                              "UNH+RSP001+CUSRES:D:05B:UN:IATA+ZX0417/261204/1820+01:F'\n"
                              "BGM+962'\n"
                              "RFF+TN:ZXTRN000417A'\n"
                              "RFF+AF:ZX417'\n"
                              "DTM+189:2612041820:201'\n"
                              "DTM+232:2612050610:201'\n"
                              "LOC+125+JFK'\n"
                              "LOC+87+LIS'\n"
                              "ERP+2'\n"
                              "RFF+AVF:QX7T4Z'\n"
                              "RFF+ABO:ZX417-0001'\n"
                              "ERC+0Z'\n"
                              "FTX+AAP+++OK TO BOARD'\n"
                              "ERP+2'\n"
                              "RFF+AVF:QX7T4Z'\n"
                              "RFF+ABO:ZX417-0002'\n"
                              "ERC+4Z'\n"
                              "FTX+AAP+++NO PORTRAIT?: too_dark'\n"
                              "UNT+19+RSP001'\n"
                              "UNZ+1+77'\n");
    struct read back = read_one(text, true);
    assert_string_equal(back.listings[0]->travellers[1].answer_text, "NO PORTRAIT: too_dark");
    read_free(&back);
    free(text);
    const struct sp_cusres_verdict nobody = {2, "0Z", ""};
    assert_int_equal(sp_cusres_write(&text, &length, about.listings[0], &nobody, 1, &options, &err), SP_E_INVALID);
    read_free(&about);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct read first = read_one(sample_answer, true);
    const struct sp_listing *l = first.listings[0];
    const struct sp_cusres_verdict verdicts[] = {
        {-1, "2Z", "SEE DESK"},
        {0, l->travellers[0].answer, l->travellers[0].answer_text},
        {1, l->travellers[1].answer, l->travellers[1].answer_text},
    };
    const struct sp_cusres_options options = {.now_ms = NOW_MS};
    char *text = NULL;
    size_t length = 0;
    struct sp_err err = {0};
    assert_int_equal(sp_cusres_write(&text, &length, l, verdicts, 3, &options, &err), SP_OK);
    struct read second = read_one(text, true);
    assert_string_equal(listing_same(l, second.listings[0]), "answer"); /* nothing but what was added */
    assert_string_equal(second.listings[0]->answer, "2Z");
    assert_string_equal(second.listings[0]->answer_text, "SEE DESK");
    read_free(&second);
    free(text);
    struct read vessel = read_one(sample_vessel, false); /* a voyage goes as RFF+VON */
    assert_int_equal(sp_cusres_write(&text, &length, vessel.listings[0], verdicts, 1, &options, &err), SP_OK);
    second = read_one(text, true);
    assert_string_equal(second.listings[0]->mode, "sea");
    assert_string_equal(second.listings[0]->number, "V0881");
    read_free(&second);
    read_free(&vessel);
    read_free(&first);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample), cmocka_unit_test(test_answer_for_all),
        cmocka_unit_test(test_dirt),   cmocka_unit_test(test_several_codes),
        cmocka_unit_test(test_write),  cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
