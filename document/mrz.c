#include "document/mrz.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/mrz_layout.h"

const char *sp_mrz_format_word(enum sp_mrz_format format)
{
    static const char *const words[] = {
#define X(constant, word, lines, width) word,
        SP_MRZ_FORMAT_LIST(X)
#undef X
    };
    return format >= 0 && format < SP_MRZ_FORMAT_COUNT ? words[format] : "unknown";
}

const char *sp_mrz_check_name(enum sp_mrz_check check)
{
    static const char *const names[] = {
#define X(constant, name) name,
        SP_MRZ_CHECK_LIST(X)
#undef X
    };
    return check >= 0 && check < SP_MRZ_CHECK_COUNT ? names[check] : "unknown";
}

static int value_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 0;
}

char sp_mrz_check_digit(const char *text, size_t length)
{
    static const int weights[3] = {7, 3, 1};
    int sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (sum + weights[i % 3] * value_of(text[i])) % 10;
    return (char)('0' + sum);
}

static const char *at(const struct sp_mrz_lines *lines, struct sp_mrz_span span)
{
    return &lines->text[span.line][span.at];
}

static bool only_fillers(const char *text, int length)
{
    for (int i = 0; i < length; i++)
        if (text[i] != '<')
            return false;
    return true;
}

/* A field without the fillers at its end; fillers inside become `inner`. to holds length + 1 bytes. */
static void put_plain(char *to, const char *text, int length, char inner)
{
    while (length > 0 && text[length - 1] == '<')
        length--;
    for (int i = 0; i < length; i++)
        to[i] = text[i] == '<' ? inner : text[i];
    to[length] = 0;
}

/* Words of text[0..length) with one space between them. */
static void put_words(char *to, const char *text, int length)
{
    int used = 0;
    for (int i = 0; i < length; i++) {
        if (text[i] == '<')
            continue;
        if (used > 0 && i > 0 && text[i - 1] == '<')
            to[used++] = ' ';
        to[used++] = text[i];
    }
    to[used] = 0;
}

/* Primary and secondary identifier stand apart by two fillers. */
static void read_names(struct sp_mrz *mrz, const struct sp_mrz_lines *lines, const struct sp_mrz_layout *layout)
{
    const char *names = at(lines, layout->names);
    int length = layout->names.length, split = 0;
    mrz->name_cut = names[length - 1] != '<';
    while (split < length && !(names[split] == '<' && (split + 1 == length || names[split + 1] == '<')))
        split++;
    put_words(mrz->surname, names, split);
    put_words(mrz->given, names + split, length - split);
    if (mrz->surname[0] == 0)
        sp_remarks_add(&mrz->remarks, 0, "no surname");
}

static bool days_fit(int year, int month, int day)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

/* A date of two-digit year: the latest century in which it is not after `last`. */
static bool put_date(char to[11], const char *text, const char *last)
{
    int parts[3];
    to[0] = 0;
    for (int i = 0; i < 3; i++) {
        if (text[2 * i] < '0' || text[2 * i] > '9' || text[2 * i + 1] < '0' || text[2 * i + 1] > '9')
            return false;
        parts[i] = 10 * (text[2 * i] - '0') + text[2 * i + 1] - '0';
    }
    int century = 100 * ((last[0] - '0') * 10 + last[1] - '0'), year = century + parts[0];
    char date[32];
    snprintf(date, sizeof date, "%04d-%02d-%02d", year, parts[1], parts[2]);
    if (strcmp(date, last) > 0)
        year -= 100;
    if (!days_fit(year, parts[1], parts[2]))
        return false;
    snprintf(date, sizeof date, "%04d-%02d-%02d", year, parts[1], parts[2]);
    memcpy(to, date, 11);
    return true;
}

static void read_dates(struct sp_mrz *mrz, const struct sp_mrz_lines *lines, const struct sp_mrz_layout *layout,
                       const char *today)
{
    /* Expiries lie up to 50 years ahead. */
    int year = 0;
    char last[32];
    for (int i = 0; i < 4; i++)
        year = 10 * year + today[i] - '0';
    snprintf(last, sizeof last, "%04d%.6s", (year + 50) % 10000, today + 4);
    if (!put_date(mrz->dob, at(lines, layout->dob), today))
        sp_remarks_add(&mrz->remarks, 0, "the date of birth is not given in full");
    if (!put_date(mrz->expiry, at(lines, layout->expiry), last))
        sp_remarks_add(&mrz->remarks, 0, "the date of expiry is no date");
}

/* The document number, with what of it stands in the optional data: a filler for its check digit, then the rest of
 * the number and the digit, then a filler. Issuers differ in whether that first filler counts for the digit. */
static bool read_number(struct sp_mrz *mrz, const struct sp_mrz_lines *lines, const struct sp_mrz_layout *layout)
{
    const char *number = at(lines, layout->number), *rest = at(lines, layout->optional[0]);
    char check = *at(lines, layout->number_check), whole[32];
    int length = layout->number.length, more = 0;
    bool visa = mrz->format == SP_MRZ_MRVA || mrz->format == SP_MRZ_MRVB;
    put_plain(mrz->number, number, length, '<');
    if (check != '<')
        return check == sp_mrz_check_digit(number, (size_t)length);
    if (only_fillers(number, length))
        return true;
    while (!visa && more < layout->optional[0].length && rest[more] != '<')
        more++;
    if (more < 2)
        return false;
    /* number, filler, rest: once with the filler and once without. */
    memcpy(whole, number, (size_t)length);
    whole[length] = '<';
    memcpy(whole + length + 1, rest, (size_t)more - 1);
    bool fits = rest[more - 1] == sp_mrz_check_digit(whole, (size_t)(length + more));
    memcpy(whole + length, rest, (size_t)more - 1);
    fits = fits || rest[more - 1] == sp_mrz_check_digit(whole, (size_t)(length + more - 1));
    put_plain(mrz->number, whole, length + more - 1, '<');
    put_plain(mrz->optional[0], rest + more, layout->optional[0].length - more, '<');
    if (mrz->optional[0][0] == '<')
        memmove(mrz->optional[0], mrz->optional[0] + 1, strlen(mrz->optional[0]));
    return fits;
}

static void fail_check(struct sp_mrz *mrz, enum sp_mrz_check check, bool fits)
{
    if (!fits)
        mrz->failed |= 1u << check;
}

static bool digit_fits(const struct sp_mrz_lines *lines, struct sp_mrz_span field, struct sp_mrz_span check)
{
    return *at(lines, check) == sp_mrz_check_digit(at(lines, field), (size_t)field.length);
}

static void read_checks(struct sp_mrz *mrz, const struct sp_mrz_lines *lines, const struct sp_mrz_layout *layout)
{
    fail_check(mrz, SP_MRZ_CHECK_BIRTH, digit_fits(lines, layout->dob, layout->dob_check));
    fail_check(mrz, SP_MRZ_CHECK_EXPIRY, digit_fits(lines, layout->expiry, layout->expiry_check));
    if (layout->optional_check.length > 0) {
        const char *field = at(lines, layout->optional[0]);
        bool empty = only_fillers(field, layout->optional[0].length) && *at(lines, layout->optional_check) == '<';
        fail_check(mrz, SP_MRZ_CHECK_OPTIONAL,
                   empty || digit_fits(lines, layout->optional[0], layout->optional_check));
    }
    if (layout->composite_check.length > 0) {
        char all[96];
        size_t length = 0;
        for (int i = 0; i < 4; i++) {
            memcpy(all + length, at(lines, layout->composite[i]), (size_t)layout->composite[i].length);
            length += (size_t)layout->composite[i].length;
        }
        fail_check(mrz, SP_MRZ_CHECK_COMPOSITE,
                   *at(lines, layout->composite_check) == sp_mrz_check_digit(all, length));
    }
}

static bool is_date(const char *text)
{
    for (int i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
            return false;
    return text[10] == 0;
}

enum sp_status sp_mrz_parse(struct sp_mrz *ret_mrz, const char *text, size_t length, const char *today,
                            struct sp_err *err)
{
    struct sp_mrz_lines lines;
    struct sp_mrz mrz = {0};
    if (!is_date(today))
        return sp_fail(err, SP_E_INVALID, "machine readable zone: the day of reference is not yyyy-mm-dd");
    enum sp_status status = sp_mrz_lay_out(&lines, &mrz.remarks, text, length, err);
    if (status != SP_OK)
        return status;
    const struct sp_mrz_layout *layout = sp_mrz_layout(lines.format);
    mrz.format = lines.format;
    put_plain(mrz.type, lines.text[0], 2, '<');
    put_plain(mrz.issuer, lines.text[0] + 2, 3, '<');
    put_plain(mrz.nationality, at(&lines, layout->nationality), 3, '<');
    for (int i = 0; i < 2; i++)
        put_plain(mrz.optional[i], at(&lines, layout->optional[i]), layout->optional[i].length, '<');
    char sex = *at(&lines, layout->sex);
    mrz.sex[0] = sex == 'F' || sex == 'M' ? sex : 'X';
    if (sex != 'F' && sex != 'M' && sex != 'X' && sex != '<')
        sp_remarks_add(&mrz.remarks, 0, "the sex is none of F, M, X and <");
    read_names(&mrz, &lines, layout);
    read_dates(&mrz, &lines, layout, today);
    fail_check(&mrz, SP_MRZ_CHECK_NUMBER, read_number(&mrz, &lines, layout));
    read_checks(&mrz, &lines, layout);
    *ret_mrz = mrz;
    explicit_bzero(&mrz, sizeof mrz);
    explicit_bzero(&lines, sizeof lines);
    return SP_OK;
}
