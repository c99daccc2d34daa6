/* JSON and NDJSON: several listings of a file, places, and bytes that mean harm. */
#include "tests/unit/listing/read_text.h"

#include <stdio.h>
#include "listing/listing_json.h"

#define JOURNEY                                                                                                    \
    "\"mode\":\"air\",\"carrier\":\"ZX\",\"journey\":\"417\",\"legs\":[{\"dep_port\":\"JFK\",\"sched_dep\":"       \
    "\"2026-12-04\"}]"

static void test_streams(void **state)
{
    (void)state;
    static const char text[] =
        "{" JOURNEY ",\"kind\":\"crew_list\"}\n{\"ref\":\"A\"}\n{\"ref\":\"B\",\"age\":3}\n\n{" JOURNEY
        ",\"travellers\":[{\"ref\":\"C\"}],\"declared\":2}\n";
    struct sp_listing **all = NULL;
    int count = 0;
    assert_int_equal(read_bytes(&all, &count, NULL, false, text, sizeof text - 1, NULL), SP_OK);
    assert_int_equal(count, 2);
    assert_int_equal(all[0]->format, SP_LISTING_NDJSON);
    assert_int_equal(all[0]->group, SP_GROUP_CREW);
    assert_int_equal(all[0]->traveller_count, 2);
    assert_int_equal(all[0]->travellers[1].segment, 3);
    assert_int_equal(all[0]->travellers[1].offset, strstr(text, "{\"ref\":\"B\"") - text);
    check_deviation(all[0], 3, "unknown key of a traveller ignored: age");
    assert_int_equal(all[1]->group, SP_GROUP_BOTH);
    check_deviation(all[1], 0, "declares 2 travellers and has 1");
    sp_listing_free_all(&all, count);
    assert_int_equal(read_bytes(&all, &count, NULL, true, text, sizeof text - 1, NULL), SP_E_FORMAT);
}

/* Each value of the wrong kind is named with the traveller, and only left out. */
static void test_wrong_kinds(void **state)
{
    (void)state;
    struct sp_listing *l = read_one(
        "{" JOURNEY ",\"part\":1e3,\"colour\":\"red\",\"travellers\":[{\"ref\":417,\"dob\":\"x\",\"surname\":{},"
        "\"documents\":{},\"photos\":[7],\"sex\":\"?\"},17]}");
    assert_int_equal(l->traveller_count, 2);
    assert_string_equal(l->travellers[0].ref, "417"); /* whole numbers are texts people forgot to quote */
    assert_string_equal(l->travellers[0].dob, "");
    check_deviation(l, 0, "part must be a whole number");
    check_deviation(l, 0, "colour");
    check_deviation(l, 1, "dob must be a date");
    check_deviation(l, 1, "surname must be a text");
    check_deviation(l, 1, "documents must be a list");
    check_deviation(l, 1, "photos must be a list of texts");
    check_deviation(l, 1, "sex must be F, M or X, left out");
    check_deviation(l, 2, "a traveller must be an object");
    sp_listing_free(&l);
}

/* What stands beside the legs, or twice, is taken or named. */
static void test_nothing_lost(void **state)
{
    (void)state;
    struct sp_listing *l =
        read_one("{\"journey\":{\"mode\":\"air\",\"carrier\":\"ZX\",\"number\":\"1\",\"date\":\"2026-12-04\","
                 "\"dep_port\":\"jfk\"},\"legs\":[{\"arr_port\":\"LIS\",\"over_flight\":\"false\"},{\"over_"
                 "flight\":\"true\"},"
                 "{\"over_flight\":1},{\"over_flight\":\"perhaps\"}],\"travellers\":[{\"ref\":\"A\",\"REF\":\"B\","
                 "\"documents\":[{\"issuer\":\"UTO\",\"expiry\":\"2030-01-01\"}]}]}");
    check_id(l, "air-zx-1-20261204-jfk");
    assert_false(l->legs[0].over_flight);
    assert_true(l->legs[1].over_flight);
    assert_true(l->legs[2].over_flight);
    assert_string_equal(l->travellers[0].ref, "A");
    check_deviation(l, 0, "over_flight must be");
    check_deviation(l, 1, "REF stands twice");
    check_deviation(l, 1, "a document without type and number");
    assert_int_equal(l->deviation_count, 3);
    sp_listing_free(&l);
    l = read_one("{\"journey\":{\"date\":\"2026-12-09\",\"dep_port\":\"LIS\"},\"legs\":[{\"dep_port\":\"JFK\","
                 "\"sched_dep\":\"2026-12-04\"},{\"dep_port\":\"LIS\",\"sched_dep\":\"2026-12-05T10:00\"}]}");
    check_deviation(l, 0, "none of the legs'");
    assert_int_equal(l->deviation_count, 1);
    sp_listing_free(&l);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("", SP_E_FORMAT, "t.in|empty"); /* taken for CSV */
    check_refused("{", SP_E_FORMAT, "t.in line 1|not JSON");
    check_refused("\n\n{\"travellers\":[\n{\"surname\":\"SAMPLE\",]}", SP_E_FORMAT, "line 4|not JSON");
    check_refused("[1,2]", SP_E_FORMAT, "line 1|object");
    check_refused("{\"ref\":\"A\"}", SP_E_FORMAT, "line 1|journey");
    check_refused("{" JOURNEY ",\"travellers\":[{\"ref\":\"A\",\"ref\":\"B\"}]}", SP_E_FORMAT, "line 1|twice");
    check_refused("{" JOURNEY "}\n{\"ref\":99999999999999999999999}", SP_E_FORMAT, "line 2|number");
    check_refused("{" JOURNEY "}\n{\"ref\":1e999}", SP_E_FORMAT, "line 2|number");
    check_refused("{" JOURNEY ",\"travellers\":[{\"ref\":\"a\\u0000b\"}]}", SP_E_FORMAT, "line 1|NUL");
    check_refused("{" JOURNEY ",\"travellers\":[{\"ref\":\"\xff\xfe\"}]}", SP_E_FORMAT, "line 1|UTF-8");
    check_refused("{" JOURNEY ",\"travellers\":[[[[[[[[[[[[]]]]]]]]]]]]}", SP_E_LIMIT, "line 1|nested deeper");
    static const char nul[] = "{" JOURNEY "\0}";
    check_refused_bytes(NULL, nul, sizeof nul - 1, SP_E_FORMAT, "line 1");
}

/* Limits are reached before the library allocates: a value with millions of elements, a nest of them. */
static void test_limits(void **state)
{
    (void)state;
    size_t length = 3u * SP_LISTING_JSON_MAX_VALUES, at;
    char *text = malloc(length + 64);
    assert_non_null(text);
    at = (size_t)sprintf(text, "{\"journey\":[0");
    while (at < length)
        text[at++] = ',', text[at++] = '0';
    text[at++] = ']', text[at++] = '}';
    check_refused_bytes(NULL, text, at, SP_E_LIMIT, "line 1|values");
    memset(text, '[', length);
    check_refused_bytes(NULL, text, length, SP_E_LIMIT, "line 1|nested deeper");
    free(text);
    struct sp_listing *l;
    char many[4096] = "{" JOURNEY ",\"travellers\":[{\"ref\":\"A\",\"documents\":[";
    for (int i = 0; i < SP_LISTING_MAX_DOCUMENTS + 1; i++)
        strcat(many, i ? ",{\"type\":\"V\",\"number\":\"1\"}" : "{\"type\":\"P\",\"number\":\"1\"}");
    strcat(many, "]}]}");
    l = read_one(many);
    assert_int_equal(l->travellers[0].document_count, SP_LISTING_MAX_DOCUMENTS);
    check_deviation(l, 1, "more than 16 documents");
    sp_listing_free(&l);
    /* Many listings of one file do not add up to more than memory holds. */
    size_t size = 4u * SP_LISTING_JSON_MAX_TRAVELLERS;
    text = malloc(size);
    assert_non_null(text);
    at = 0;
    for (int i = 0; i < 4; i++) {
        at += (size_t)sprintf(text + at, "{\"journey\":\"1\"}\n");
        for (int k = 0; k < SP_LISTING_MAX_TRAVELLERS - (i == 3 ? 19000 : 0); k++)
            memcpy(text + at, "{}\n", 3), at += 3;
    }
    check_refused_bytes(NULL, text, at, SP_E_LIMIT, "line 60005|travellers");
    free(text);
    strcpy(many, "{\"journey\":\"1\",\"legs\":[{}");
    for (int i = 0; i < SP_LISTING_MAX_LEGS; i++)
        strcat(many, ",{}");
    strcat(many, "]}");
    check_refused(many, SP_E_LIMIT, "line 1|20 legs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams), cmocka_unit_test(test_wrong_kinds), cmocka_unit_test(test_nothing_lost),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
