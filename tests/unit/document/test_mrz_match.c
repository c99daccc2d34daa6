/* A zone against what a manifest says of the traveller: what the format does to names is no difference, all else
 * is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "document/mrz.h"

static struct sp_mrz zone(const char *names)
{
    struct sp_mrz mrz;
    struct sp_err err = {0};
    char text[120];
    snprintf(text, sizeof text, "P<UTO%-39s|X000000171UTO9102033F3106305<<<<<<<<<<<<<<<4", names);
    for (char *c = text; *c; c++)
        *c = *c == ' ' ? '<' : *c;
    if (sp_mrz_parse(&mrz, text, strlen(text), "2026-11-26", &err) != SP_OK)
        fail_msg("%s", err.text);
    return mrz;
}

static void names(void **state)
{
    (void)state;
    enum { S = 1 << SP_MRZ_FIELD_SURNAME, G = 1 << SP_MRZ_FIELD_GIVEN };
    static const struct {
        const char *zone, *surname, *given;
        unsigned differ;
    } rows[] = {
        {"NORTHWIND<<AVA<MAE", "Northwind", "Ava Mae", 0},
        {"NORTHWIND<<AVA<MAE", "NORTHWIND", "AVA", 0}, /* middle names missing in the row */
        {"NORTHWIND<<AVA", "NORTHWIND", "AVA MAE", 0}, /* or in the zone */
        {"NORTHWIND<<AVA<MAE<ROSE", "NORTHWIND", "AVA ROSE", 0},
        {"NORTHWIND<<AVA<MAE", "NORTHWIND", "MAE", G},
        {"NORTHWIND<<AVA<MAE", "NORTHWIND", "MAE AVA", G},
        {"NORTHWIND<<AVA<MAE", "NORTHWIND", "AVA ROSE", G},
        {"NORTHWIND<<AVA<MAE", "NORTHWINDS", "AVA MAE", S},
        {"NORTHWIND<<AVA<MAE", "NORTH", "AVA MAE", S}, /* a short zone is not cut */
        {"NORTHWIND<<AVA<MAE", "SAMPLE", "BRAM", S | G},
        {"NORTHWIND<<AVA<MAE", "", "", 0}, /* nothing to compare */
        {"NORTHWIND<<AVA<MAE", "NORTHWIND", "AVAMAE", 0},
        {"O<SAMPLE<<BRAM", "O'Sample", "Bram", 0},
        {"OSAMPLE<<BRAM", "O\xe2\x80\x99Sample", "Bram", 0},
        {"SAMPLE<NORTH<<AVA<MAE", "Sample-North", "Ava-Mae", 0},
        {"SAMPLENORTH<<AVA", "Sample-North", "Ava", 0},
        {"MUELLER<<JOERG", "M\xc3\xbcller", "J\xc3\xb6rg", 0},
        {"MULLER<<JORG", "M\xc3\xbcller", "J\xc3\xb6rg", 0},
        {"MULLER<<JORG", "Mu\xcc\x88ller", "Jo\xcc\x88rg", 0}, /* accents by themselves */
        {"MOLLER<<JORG", "M\xc3\xbcller", "J\xc3\xb6rg", S},
        {"STRASSE<<AASE",
         "Stra\xc3\x9f"
         "e",
         "\xc3\x85se", 0},
        {"AEROE<<THOR", "\xc3\x86r\xc3\xb8", "\xc3\x9eor", 0},
        {"NUNEZ<<INIGO",
         "N\xc3\xba\xc3\xb1"
         "ez",
         "I\xc3\xb1igo", 0},
        {"LODZ<<ZOFIA",
         "\xc5\x81\xc3\xb3"
         "d\xc5\xba",
         "Zofia", 0},
        {"SAHIN<<GULSAH",
         "\xc5\x9e"
         "ahin",
         "G\xc3\xbcl\xc5\x9f"
         "ah",
         0},
        {"POPESCU<<STEFAN", "Popescu", "\xc8\x98tefan", 0},
        {"IVANOV<<PETR", "\xd0\x98\xd0\xb2", "Petr", S}, /* another script: nothing to go by */
        {"SAMPLE<<AVA", "Samp\xc3", "Ava", S},           /* not UTF-8 */
        {"SAMPLESAMPLESAMPLESAMPLESAMPLE<<AVA<MAE", "SAMPLESAMPLESAMPLESAMPLESAMPLE", "AVA MAELYS", 0},
        {"SAMPLESAMPLESAMPLESAMPLESAMPLESAMPLESAM", "SAMPLESAMPLESAMPLESAMPLESAMPLESAMPLESAMPLE", "", 0},
        {"AVA<MAE<SAMPLE", "Sample", "Ava Mae", S | G},
        {"AVAMAESAMPLE", "Ava Mae", "Sample", 0}, /* one identifier for the whole name */
        {"SAMPLE", "Sample", "Ava", G},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_mrz mrz = zone(rows[i].zone);
        const char *const fields[SP_MRZ_FIELD_COUNT] = {
            [SP_MRZ_FIELD_SURNAME] = rows[i].surname, [SP_MRZ_FIELD_GIVEN] = rows[i].given};
        unsigned differ = sp_mrz_match(&mrz, fields);
        if (differ != rows[i].differ)
            fail_msg("row %zu, %s: differs in %x and not %x", i, rows[i].zone, differ, rows[i].differ);
    }
}

static void other_fields(void **state)
{
    (void)state;
    static const struct {
        enum sp_mrz_field field;
        const char *value;
        bool differs;
    } rows[] = {
        {SP_MRZ_FIELD_DOB, "1991-02-03", false},
        {SP_MRZ_FIELD_DOB, "1991-03-02", true},
        {SP_MRZ_FIELD_SEX, "F", false},
        {SP_MRZ_FIELD_SEX, "f", false},
        {SP_MRZ_FIELD_SEX, "M", true},
        {SP_MRZ_FIELD_SEX, "X", true},
        {SP_MRZ_FIELD_NATIONALITY, "UTO", false},
        {SP_MRZ_FIELD_NATIONALITY, "uto", false},
        {SP_MRZ_FIELD_NATIONALITY, "USA", true},
        {SP_MRZ_FIELD_NUMBER, "X00000017", false},
        {SP_MRZ_FIELD_NUMBER, "x-0000 0017", false},
        {SP_MRZ_FIELD_NUMBER, "X0000001", true},
        {SP_MRZ_FIELD_NUMBER, "X000000171", true},
        {SP_MRZ_FIELD_ISSUER, "UTO", false},
        {SP_MRZ_FIELD_ISSUER, "DEU", true},
        {SP_MRZ_FIELD_EXPIRY, "2031-06-30", false},
        {SP_MRZ_FIELD_EXPIRY, "2031-06-29", true},
    };
    struct sp_mrz mrz = zone("NORTHWIND<<AVA<MAE");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *fields[SP_MRZ_FIELD_COUNT] = {NULL};
        fields[rows[i].field] = rows[i].value;
        assert_int_equal(sp_mrz_match(&mrz, fields), rows[i].differs ? 1u << rows[i].field : 0);
    }
    const char *const all[SP_MRZ_FIELD_COUNT] = {"Northwind", "Ava",       "1991-02-03", "F",
                                                 "UTO",       "X00000017", "UTO",        "2031-06-30"};
    assert_int_equal(sp_mrz_match(&mrz, all), 0);
    assert_string_equal(sp_mrz_field_name(SP_MRZ_FIELD_EXPIRY), "expiry");
}

/* Germany writes D; an unspecified sex is X. */
static void codes_of_the_zone(void **state)
{
    (void)state;
    struct sp_mrz mrz;
    const char *text = "P<D<<SAMPLE<<AVA<<<<<<<<<<<<<<<<<<<<<<<<<<<<|X000000171D<<9102033<3106305<<<<<<<<<<<<<<<4";
    const char *fields[SP_MRZ_FIELD_COUNT] = {
        [SP_MRZ_FIELD_ISSUER] = "DEU", [SP_MRZ_FIELD_NATIONALITY] = "D", [SP_MRZ_FIELD_SEX] = "X"};
    assert_int_equal(sp_mrz_parse(&mrz, text, strlen(text), "2026-11-26", NULL), SP_OK);
    assert_int_equal(sp_mrz_match(&mrz, fields), 0);
    fields[SP_MRZ_FIELD_SEX] = "M";
    assert_int_equal(sp_mrz_match(&mrz, fields), 1u << SP_MRZ_FIELD_SEX);
}

/* A zone may say a birth in part, or no expiry: nothing to compare, so no difference. */
static void dates_that_are_not_given(void **state)
{
    (void)state;
    static const struct {
        const char *dob, *expiry;
    } rows[] = {{"9102<<", "310630"}, {"91<<<<", "310630"}, {"910203", "<<<<<<"}, {"910203", "311301"}};
    const char *const fields[SP_MRZ_FIELD_COUNT] = {
        [SP_MRZ_FIELD_DOB] = "1991-02-03", [SP_MRZ_FIELD_EXPIRY] = "2031-06-30"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_mrz mrz;
        char text[120];
        snprintf(text, sizeof text,
                 "P<UTOSAMPLE<<AVA<<<<<<<<<<<<<<<<<<<<<<<<<<<<|X000000171UTO%s0F%s0<<<<<<<<<<<<<<<0", rows[i].dob,
                 rows[i].expiry);
        assert_int_equal(sp_mrz_parse(&mrz, text, strlen(text), "2026-11-26", NULL), SP_OK);
        assert_int_equal(mrz.remarks.count, 1);
        assert_int_equal(sp_mrz_match(&mrz, fields), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(other_fields),
        cmocka_unit_test(codes_of_the_zone),
        cmocka_unit_test(dates_that_are_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
