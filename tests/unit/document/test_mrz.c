/* The zone's lines, fields, dates and check digits: specimens of ICAO Doc 9303 and invented travellers (UTO,
 * SAMPLE). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "document/mrz.h"

#define TODAY "2026-11-26"

#define TD3_SPECIMEN "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
#define TD1_SPECIMEN                                                                                               \
    "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
#define TD2_SPECIMEN  "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6"
#define MRVA_SPECIMEN "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<"
#define MRVB_SPECIMEN "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nL8988901C4XXX4009078F9612109<<<<<<<<"
#define NORTHWIND_TD3 "P<UTONORTHWIND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<<\nX000000171UTO9102033F3106305<<<<<<<<<<<<<<<4"
#define SAMPLE_TD3    "P<USAO<SAMPLE<<BRAM<<<<<<<<<<<<<<<<<<<<<<<<<\nX000000252USA1507115M2901019<<<<<<<<<<<<<<<6"
#define NORTHWIND_TD1                                                                                              \
    "I<UTOX000000414<<<<<<<<<<<<<<<\n9102033F3106305UTO<<<<<<<<<<<8\nNORTHWIND<<AVA<MAE<<<<<<<<<<<<"

static struct sp_mrz parsed(const char *text)
{
    struct sp_mrz mrz;
    struct sp_err err = {0};
    if (sp_mrz_parse(&mrz, text, strlen(text), TODAY, &err) != SP_OK)
        fail_msg("%s", err.text);
    return mrz;
}

static const struct {
    const char *text;
    enum sp_mrz_format format;
    const char *type, *issuer, *number, *surname, *given, *nationality, *dob, *sex, *expiry, *optional[2];
} specimen_rows[] = {
    {TD3_SPECIMEN,
     SP_MRZ_TD3,
     "P",
     "UTO",
     "L898902C3",
     "ERIKSSON",
     "ANNA MARIA",
     "UTO",
     "1974-08-12",
     "F",
     "2012-04-15",
     {"ZE184226B", ""}},
    {TD1_SPECIMEN,
     SP_MRZ_TD1,
     "I",
     "UTO",
     "D23145890",
     "ERIKSSON",
     "ANNA MARIA",
     "UTO",
     "1974-08-12",
     "F",
     "2012-04-15",
     {"", ""}},
    {TD2_SPECIMEN,
     SP_MRZ_TD2,
     "I",
     "UTO",
     "D23145890",
     "ERIKSSON",
     "ANNA MARIA",
     "UTO",
     "1974-08-12",
     "F",
     "2012-04-15",
     {"", ""}},
    {MRVA_SPECIMEN,
     SP_MRZ_MRVA,
     "V",
     "UTO",
     "L8988901C",
     "ERIKSSON",
     "ANNA MARIA",
     "XXX",
     "1940-09-07",
     "F",
     "1996-12-10",
     {"6ZE184226B", ""}},
    {MRVB_SPECIMEN,
     SP_MRZ_MRVB,
     "V",
     "UTO",
     "L8988901C",
     "ERIKSSON",
     "ANNA MARIA",
     "XXX",
     "1940-09-07",
     "F",
     "1996-12-10",
     {"", ""}},
    {NORTHWIND_TD3,
     SP_MRZ_TD3,
     "P",
     "UTO",
     "X00000017",
     "NORTHWIND",
     "AVA MAE",
     "UTO",
     "1991-02-03",
     "F",
     "2031-06-30",
     {"", ""}},
    {SAMPLE_TD3,
     SP_MRZ_TD3,
     "P",
     "USA",
     "X00000025",
     "O SAMPLE",
     "BRAM",
     "USA",
     "2015-07-11",
     "M",
     "2029-01-01",
     {"", ""}},
    {NORTHWIND_TD1,
     SP_MRZ_TD1,
     "I",
     "UTO",
     "X00000041",
     "NORTHWIND",
     "AVA MAE",
     "UTO",
     "1991-02-03",
     "F",
     "2031-06-30",
     {"", ""}},
};

static void specimens(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specimen_rows / sizeof specimen_rows[0]; i++) {
        struct sp_mrz mrz = parsed(specimen_rows[i].text);
        assert_int_equal(mrz.format, specimen_rows[i].format);
        assert_string_equal(mrz.type, specimen_rows[i].type);
        assert_string_equal(mrz.issuer, specimen_rows[i].issuer);
        assert_string_equal(mrz.number, specimen_rows[i].number);
        assert_string_equal(mrz.surname, specimen_rows[i].surname);
        assert_string_equal(mrz.given, specimen_rows[i].given);
        assert_string_equal(mrz.nationality, specimen_rows[i].nationality);
        assert_string_equal(mrz.dob, specimen_rows[i].dob);
        assert_string_equal(mrz.sex, specimen_rows[i].sex);
        assert_string_equal(mrz.expiry, specimen_rows[i].expiry);
        assert_string_equal(mrz.optional[0], specimen_rows[i].optional[0]);
        assert_string_equal(mrz.optional[1], specimen_rows[i].optional[1]);
        assert_int_equal(mrz.failed, 0);
        assert_int_equal(mrz.remarks.count, 0);
        assert_false(mrz.name_cut);
    }
}

/* The same zone in every way people hand it over. */
static void ways_to_write_it(void **state)
{
    (void)state;
    static const char *const texts[] = {TD3_SPECIMEN, TD1_SPECIMEN, TD2_SPECIMEN};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sp_mrz plain = parsed(texts[i]);
        char text[400];
        size_t length = 0, spaced = 0;
        for (const char *p = texts[i]; *p; p++)
            text[length++] = *p == '\n' ? '|' : *p;
        text[length] = 0;
        struct sp_mrz other = parsed(text);
        assert_memory_equal(&other, &plain, sizeof plain);
        length = 0;
        for (const char *p = texts[i]; *p; p++)
            if (*p != '\n')
                text[length++] = *p;
        text[length] = 0;
        other = parsed(text);
        assert_memory_equal(&other, &plain, sizeof plain);
        snprintf(text, sizeof text, "\r\n  %s \r\n", texts[i]);
        other = parsed(text);
        assert_memory_equal(&other, &plain, sizeof plain);
        /* lower case, and spaces in between or for fillers: the same fields, and a remark */
        for (int way = 0; way < 3; way++) {
            spaced = 0;
            for (const char *p = texts[i]; *p; p++) {
                char c = way == 0 && *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : way == 1 && *p == '<' ? ' ' : *p;
                text[spaced++] = c;
                if (way == 2 && (p - texts[i]) % 5 == 4)
                    text[spaced++] = ' ';
            }
            text[spaced] = 0;
            other = parsed(text);
            assert_true(other.remarks.count > 0);
            assert_string_equal(other.number, plain.number);
            assert_string_equal(other.given, plain.given);
            assert_string_equal(other.dob, plain.dob);
            assert_int_equal(other.failed, 0);
        }
    }
}

/* Every filler a space, at the lines' ends too; those at the text's end may be gone, and no others. */
static void spaces_at_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t lost; /* fillers at the end */
    } rows[] = {{TD3_SPECIMEN, 0},  {TD1_SPECIMEN, 10}, {TD2_SPECIMEN, 0},  {MRVA_SPECIMEN, 6},
                {MRVB_SPECIMEN, 8}, {NORTHWIND_TD3, 0}, {NORTHWIND_TD1, 12}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_mrz plain = parsed(rows[i].text), other;
        size_t length = strlen(rows[i].text);
        char text[100];
        for (size_t at = 0; at <= length; at++)
            text[at] = rows[i].text[at] == '<' ? ' ' : rows[i].text[at];
        for (size_t lost = 0; lost <= rows[i].lost; lost += rows[i].lost ? rows[i].lost : 1) {
            text[length - lost] = 0;
            other = parsed(text);
            assert_true(other.remarks.count > 0);
            assert_string_equal(other.remarks.items[0].text, "spaces where fillers belong");
            other.remarks = plain.remarks;
            assert_memory_equal(&other, &plain, sizeof plain);
        }
        for (size_t at = length = 0; rows[i].text[at]; at++) /* as one string */
            if (rows[i].text[at] != '\n')
                text[length++] = rows[i].text[at] == '<' ? ' ' : rows[i].text[at];
        text[length] = 0;
        other = parsed(text);
        other.remarks = plain.remarks;
        assert_memory_equal(&other, &plain, sizeof plain);
    }
    static const char *const short_texts[] = {
        /* fillers are there: the last line is cut */
        "I<UTOX000000414<<<<<<<<<<<<<<<\n9102033F3106305UTO<<<<<<<<<<<8\nNORTHWIND<<AVA<MAE",
        /* its end is a digit */
        "P UTONORTHWIND  AVA MAE                     \nX000000171UTO9102033F3106305",
        /* the first line's end is lost */
        "P UTONORTHWIND  AVA MAE\nX000000171UTO9102033F3106305               4",
    };
    for (size_t i = 0; i < sizeof short_texts / sizeof short_texts[0]; i++) {
        struct sp_mrz mrz;
        assert_int_equal(sp_mrz_parse(&mrz, short_texts[i], strlen(short_texts[i]), TODAY, NULL), SP_E_FORMAT);
    }
}

/* Each character of a zone changed in turn: the digits that cover it fail, and no others. */
static void each_check_digit(void **state)
{
    (void)state;
    enum { N = 1 << SP_MRZ_CHECK_NUMBER, B = 1 << SP_MRZ_CHECK_BIRTH, E = 1 << SP_MRZ_CHECK_EXPIRY };
    enum { O = 1 << SP_MRZ_CHECK_OPTIONAL, C = 1 << SP_MRZ_CHECK_COMPOSITE };
    static const struct {
        const char *text;
        size_t at;
        unsigned failed;
    } rows[] = {
        {TD3_SPECIMEN, 45 + 0, N | C},  {TD3_SPECIMEN, 45 + 9, N | C},  {TD3_SPECIMEN, 45 + 13, B | C},
        {TD3_SPECIMEN, 45 + 19, B | C}, {TD3_SPECIMEN, 45 + 21, E | C}, {TD3_SPECIMEN, 45 + 27, E | C},
        {TD3_SPECIMEN, 45 + 28, O | C}, {TD3_SPECIMEN, 45 + 42, O | C}, {TD3_SPECIMEN, 45 + 43, C},
        {TD3_SPECIMEN, 45 + 10, 0},     {TD3_SPECIMEN, 10, 0},          {TD1_SPECIMEN, 5, N | C},
        {TD1_SPECIMEN, 14, N | C},      {TD1_SPECIMEN, 20, C},          {TD1_SPECIMEN, 31 + 0, B | C},
        {TD1_SPECIMEN, 31 + 6, B | C},  {TD1_SPECIMEN, 31 + 8, E | C},  {TD1_SPECIMEN, 31 + 14, E | C},
        {TD1_SPECIMEN, 31 + 20, C},     {TD1_SPECIMEN, 31 + 29, C},     {TD1_SPECIMEN, 31 + 15, 0},
        {TD2_SPECIMEN, 37 + 0, N | C},  {TD2_SPECIMEN, 37 + 13, B | C}, {TD2_SPECIMEN, 37 + 21, E | C},
        {TD2_SPECIMEN, 37 + 30, C},     {TD2_SPECIMEN, 37 + 35, C},     {MRVA_SPECIMEN, 45 + 0, N},
        {MRVA_SPECIMEN, 45 + 9, N},     {MRVA_SPECIMEN, 45 + 13, B},    {MRVA_SPECIMEN, 45 + 21, E},
        {MRVA_SPECIMEN, 45 + 30, 0},    {MRVB_SPECIMEN, 37 + 0, N},     {MRVB_SPECIMEN, 37 + 19, B},
        {MRVB_SPECIMEN, 37 + 27, E},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "%s", rows[i].text);
        char *c = &text[rows[i].at];
        *c = *c == '<' ? '1' : *c == '9' ? '8' : *c == 'Z' ? 'Y' : (char)(*c + 1);
        struct sp_mrz mrz = parsed(text);
        if (mrz.failed != rows[i].failed)
            fail_msg("row %zu (%s): failed %x and not %x", i, sp_mrz_format_word(mrz.format), mrz.failed,
                     rows[i].failed);
    }
}

static void fillers_for_digits(void **state)
{
    (void)state;
    /* An empty optional field may have 0 or a filler for its digit; a full one may not. */
    struct sp_mrz mrz =
        parsed("P<UTONORTHWIND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<<|X000000171UTO9102033F3106305<<<<<<<<<<<<<<04");
    assert_int_equal(mrz.failed, 0);
    /* "19" computes to 7*1 + 3*9 = 34: 4; "<<" would be 0. A filler for a digit that computes to 0 ("A": 70) fails.
     */
    assert_int_equal(sp_mrz_check_digit("A<<<<<<<<<<<<<", 14), '0');
    mrz = parsed("P<UTONORTHWIND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<<|X000000171UTO9102033F3106305A<<<<<<<<<<<<<<4");
    assert_true(mrz.failed & 1 << SP_MRZ_CHECK_OPTIONAL);
}

/* A number of more than nine characters goes on in the optional data, after a filler that some issuers count and
 * some do not (real cards of both kinds are in the PRADO register); here with an invented issuer. */
static void long_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *line, *number, *optional;
        bool fits;
    } rows[] = {
        {"IDUTO000590240<6013<<<<<<<<<<<", "000590240601", "", true}, /* counted */
        {"IDUTO600001795<0152<<<<<<<<<<<", "600001795015", "", true}, /* not counted */
        {"IDUTO600001795<0153<<<<<<<<<<<", "600001795015", "", false},
        {"IDUTO600001795<0152<AB1<<<<<<<", "600001795015", "AB1", true},
        {"IDUTO600001795<2<<<<<<<<<<<<<<", "600001795", "2", false}, /* no rest */
        {"IDUTO<<<<<<<<<<<<<<<<<<<<<<<<<", "", "", true},            /* no number at all */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "%s|9102033F3106305UTO<<<<<<<<<<<0|NORTHWIND<<AVA<MAE<<<<<<<<<<<<",
                 rows[i].line);
        struct sp_mrz mrz = parsed(text);
        assert_string_equal(mrz.number, rows[i].number);
        assert_string_equal(mrz.optional[0], rows[i].optional);
        assert_int_equal(!(mrz.failed & 1 << SP_MRZ_CHECK_NUMBER), rows[i].fits);
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *field, *surname, *given;
        bool cut;
    } rows[] = {
        {"VAN<DER<SAMPLE<<AVA<MAE<<<<<<<<<<<<<<<<", "VAN DER SAMPLE", "AVA MAE", false},
        {"SAMPLE<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", "SAMPLE", "", false},
        {"SAMPLE<<AVA<<MAE<<<<<<<<<<<<<<<<<<<<<<<", "SAMPLE", "AVA MAE", false},
        {"SAMPLESAMPLESAMPLESAMPLESAMPLE<<AVA<MAE", "SAMPLESAMPLESAMPLESAMPLESAMPLE", "AVA MAE", true},
        {"SAMPLESAMPLESAMPLESAMPLESAMPLESAMPLESAM", "SAMPLESAMPLESAMPLESAMPLESAMPLESAMPLESAM", "", true},
        {"<<AVA<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", "", "AVA", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[120];
        snprintf(text, sizeof text, "P<UTO%s|X000000171UTO9102033F3106305<<<<<<<<<<<<<<<4", rows[i].field);
        struct sp_mrz mrz = parsed(text);
        assert_string_equal(mrz.surname, rows[i].surname);
        assert_string_equal(mrz.given, rows[i].given);
        assert_int_equal(mrz.name_cut, rows[i].cut);
    }
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        const char *today, *dob, *expiry, *is_dob, *is_expiry;
    } rows[] = {
        {"2026-11-26", "261126", "261126", "2026-11-26", "2026-11-26"},
        {"2026-11-26", "261127", "761126", "1926-11-27", "2076-11-26"},
        {"2026-11-26", "000229", "761127", "2000-02-29", "1976-11-27"},
        {"2026-11-26", "010229", "990101", "", "1999-01-01"},
        {"2026-11-26", "911301", "310631", "", ""},
        {"2026-11-26", "9102<<", "<<<<<<", "", ""},
        {"1999-12-31", "000101", "000101", "1900-01-01", "2000-01-01"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[120];
        struct sp_mrz mrz;
        snprintf(text, sizeof text,
                 "P<UTOSAMPLE<<AVA<<<<<<<<<<<<<<<<<<<<<<<<<<<<|X000000171UTO%s0F%s0<<<<<<<<<<<<<<<0", rows[i].dob,
                 rows[i].expiry);
        assert_int_equal(sp_mrz_parse(&mrz, text, strlen(text), rows[i].today, NULL), SP_OK);
        assert_string_equal(mrz.dob, rows[i].is_dob);
        assert_string_equal(mrz.expiry, rows[i].is_expiry);
        assert_int_equal(mrz.remarks.count, !rows[i].is_dob[0] + !rows[i].is_expiry[0]);
    }
}

static void others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "0 characters"},
        {"\n|\n", "3 characters"},
        {"P<UTONORTHWIND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<<", "44 characters that are neither"},
        {"P<UTO|X|Y|Z", "neither 3 lines of 30"},
        {"P<UTONORTHWIND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<\nX000000171UTO9102033F3106305<<<<<<<<<<<<<<<4", "neither"},
        {"P<UTONORTHW.ND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<<\nX000000171UTO9102033F3106305<<<<<<<<<<<<<<<4",
         "line 1 column 12 is none of A-Z"},
        {"P<UTONORTHWIND<<AVA<MAE<<<<<<<<<<<<<<<<<<<<<\nX000000171UTO9102033F3106305<<<<<<<<<<<<<<<*",
         "line 2 column 44"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_mrz mrz;
        struct sp_err err = {0};
        assert_int_equal(sp_mrz_parse(&mrz, rows[i].text, strlen(rows[i].text), TODAY, &err), SP_E_FORMAT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
        assert_null(strstr(err.text, "NORTHW"));
    }
    struct sp_mrz mrz;
    assert_int_equal(sp_mrz_parse(&mrz, TD3_SPECIMEN, strlen(TD3_SPECIMEN), "26-11-2026", NULL), SP_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specimens),
        cmocka_unit_test(ways_to_write_it),
        cmocka_unit_test(spaces_at_the_end),
        cmocka_unit_test(each_check_digit),
        cmocka_unit_test(fillers_for_digits),
        cmocka_unit_test(long_numbers),
        cmocka_unit_test(names),
        cmocka_unit_test(dates),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
