#include "listing/field.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/seal.h"

enum form { TEXT, DATE, SEX, COUNTRY, PORT, YES_NO, MRZ };

static const struct info {
    const char *name;
    size_t place;
    enum form form;
    size_t max;
} fields[SP_FIELD_COUNT] = {
#define X(constant, member, form, max) {#member, offsetof(struct sp_traveller, member), form, max},
    SP_FIELD_LIST(X)
#undef X
};

static const char *const forms[] = {
    [TEXT] = "a text",
    [DATE] = "a date as 1984-07-31",
    [SEX] = "F, M or X",
    [COUNTRY] = "a country of three capital letters (ISO 3166 alpha-3)",
    [PORT] = "a port",
    [YES_NO] = "yes or no",
    [MRZ] = "the lines of a machine readable zone",
};

const char *sp_field_name(enum sp_field field)
{
    return (unsigned)field < SP_FIELD_COUNT ? fields[field].name : "unknown";
}

int sp_field_from(const char *name)
{
    for (int i = 0; i < SP_FIELD_COUNT; i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return i;
    return -1;
}

const char *sp_field_value(const struct sp_traveller *traveller, enum sp_field field)
{
    return *(const char *const *)((const char *)traveller + fields[field].place);
}

static bool matches(const char *text, const char *form)
{
    for (; *form; form++, text++)
        if (*form == 'd' ? !isdigit((unsigned char)*text) : *text != *form)
            return false;
    return *text == 0;
}

static int number(const char *text, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++)
        value = 10 * value + (text[i] - '0');
    return value;
}

static bool day_can_be(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

bool sp_field_is_date(const char *text)
{
    return matches(text, "dddd-dd-dd") && day_can_be(number(text, 4), number(text + 5, 2), number(text + 8, 2));
}

/* What may stand behind the minutes: seconds, then a zone, and nothing else (a "PM" makes another time of it). */
static bool is_tail(bool *ret_zone, const char *at)
{
    if (*at == ':') {
        if (!isdigit((unsigned char)at[1]) || !isdigit((unsigned char)at[2]) || number(at + 1, 2) > 60)
            return false;
        at += 3;
        if (at[0] == '.' && isdigit((unsigned char)at[1]))
            at += 1 + strspn(at + 1, "0123456789");
    }
    at += strspn(at, " ");
    *ret_zone = *at != 0;
    bool shift = *at == '+' || *at == '-';
    return !*at || matches(at, "Z") || matches(at, "z") ||
           (shift && (matches(at + 1, "dd") || matches(at + 1, "dddd") || matches(at + 1, "dd:dd")));
}

bool sp_field_time(char ret_time[17], bool *ret_zone, const char *text)
{
    char date[11];
    snprintf(date, sizeof date, "%s", text);
    *ret_zone = false;
    if (!sp_field_is_date(date))
        return false;
    memcpy(ret_time, date, sizeof date);
    const char *at = text + 10;
    if (*at == 0)
        return true;
    char clock[6];
    snprintf(clock, sizeof clock, "%s", at + 1);
    if ((*at != 'T' && *at != ' ') || !matches(clock, "dd:dd") || number(clock, 2) > 23 ||
        number(clock + 3, 2) > 59 || !is_tail(ret_zone, at + 6))
        return false;
    ret_time[10] = 'T';
    memcpy(ret_time + 11, clock, sizeof clock);
    return true;
}

static int month_of(const char *word)
{
    static const char names[] = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    for (int i = 0; i < 12; i++)
        if (strncasecmp(word, names + 3 * i, 3) == 0)
            return i + 1;
    return 0;
}

static bool put_date(char ret_date[11], int year, int month, int day)
{
    if (!day_can_be(year, month, day))
        return false;
    snprintf(ret_date, 11, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100);
    return true;
}

bool sp_field_people_date(char ret_date[11], const char *text)
{
    char plain[16];
    size_t length = strlen(text);
    if (length < 8 || length > 11)
        return false;
    memcpy(plain, text, length + 1);
    for (char *c = plain; *c; c++)
        if (*c == '/' || *c == '.' || *c == ' ')
            *c = '-';
    if (matches(plain, "dddd-dd-dd"))
        return put_date(ret_date, number(plain, 4), number(plain + 5, 2), number(plain + 8, 2));
    if (matches(plain, "dddddddd"))
        return put_date(ret_date, number(plain, 4), number(plain + 4, 2), number(plain + 6, 2));
    if (matches(plain, "dd-dd-dddd")) {
        int first = number(plain, 2), second = number(plain + 3, 2), year = number(plain + 6, 4);
        if (text[2] == '.' || first > 12 || first == second) /* a dot is day.month; a slash may be either */
            return put_date(ret_date, year, second, first);
        return second > 12 && put_date(ret_date, year, first, second);
    }
    if (length == 11 && plain[2] == '-' && plain[6] == '-' && isdigit((unsigned char)plain[0]) &&
        isdigit((unsigned char)plain[1]) && matches(plain + 7, "dddd"))
        return put_date(ret_date, number(plain + 7, 4), month_of(plain + 3), number(plain, 2));
    return false;
}

/* Lines of a machine readable zone, joined by '\n', from lines joined by '|' or any line end. What stands in them
 * is listing/mrz_check.c's business. */
static bool zone_lines(char *text)
{
    int lines = 1;
    size_t at = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '|' || *c == '\n' || *c == '\r') {
            if (at > 0 && text[at - 1] != '\n')
                text[at++] = '\n', lines++;
        } else if (*c >= ' ' && *c < 0x7f) {
            text[at++] = *c;
        } else {
            return false;
        }
    }
    if (at > 0 && text[at - 1] == '\n')
        at--, lines--;
    text[at] = 0;
    return lines <= 3;
}

/* In place, to the listing's spelling. false: not of its form. */
static bool spell(char *text, enum form form)
{
    static const char *const sexes[] = {"F", "FEMALE", "M", "MALE", "X", "U", "UNSPECIFIED"};
    static const char *const yes_no[] = {"yes", "y", "true", "1", "no", "n", "false", "0"};
    switch (form) {
    case DATE:
        return sp_field_is_date(text);
    case MRZ:
        return zone_lines(text);
    case COUNTRY:
        return strlen(text) == 3 && isupper((unsigned char)text[0]) && isupper((unsigned char)text[1]) &&
               isupper((unsigned char)text[2]);
    case PORT:
        for (char *c = text; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        return true;
    case SEX:
        for (int i = 0; i < 7; i++)
            if (strcasecmp(text, sexes[i]) == 0) {
                memcpy(text, i < 2 ? "F" : i < 4 ? "M" : "X", 2);
                return true;
            }
        return false;
    case YES_NO:
        for (int i = 0; i < 8; i++)
            if (strcasecmp(text, yes_no[i]) == 0) {
                memcpy(text, i < 4 ? "yes" : "no", i < 4 ? 4 : 3);
                return true;
            }
        return false;
    case TEXT:
        break;
    }
    return true;
}

/* Checks and spells `text`; the copy goes to *ret. "" where it is not of its form, with a deviation. */
static enum sp_status put(struct sp_listing *listing, const struct sp_traveller *traveller, const char **ret,
                          const char *name, enum form form, size_t max, const char *text, size_t length,
                          struct sp_err *err)
{
    char value[SP_LISTING_MAX_TEXT + 8]; /* "yes" may be longer than "1" */
    const char *wrong = NULL;
    while (length > 0 && (*text == ' ' || *text == '\t'))
        text++, length--;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (length == 0)
        return SP_OK;
    if (length > max) {
        sp_listing_deviate_value(listing, traveller->segment, traveller->offset, "%s is over %zu bytes, left out",
                                 name, max);
        return SP_OK;
    }
    memcpy(value, text, length);
    value[length] = 0;
    for (size_t i = 0; i < length && form != MRZ; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            wrong = "without control characters";
    if (!wrong && !spell(value, form))
        wrong = forms[form];
    enum sp_status status = SP_OK;
    if (wrong && (form == SEX || form == YES_NO))
        sp_listing_deviate(listing, traveller->segment, traveller->offset, "%s must be %s, left out", name, wrong);
    else if (wrong)
        sp_listing_deviate_value(listing, traveller->segment, traveller->offset, "%s must be %s", name, wrong);
    else if (form == MRZ)
        status = sp_listing_lines(listing, ret, value, err);
    else
        status = sp_listing_text(listing, ret, value, strlen(value), NULL, err);
    sp_seal_wipe(value, sizeof value);
    return status;
}

enum sp_status sp_field_put(struct sp_listing *listing, struct sp_traveller *traveller, enum sp_field field,
                            const char *text, size_t length, struct sp_err *err)
{
    const struct info *info = &fields[field];
    const char **place = (const char **)((char *)traveller + info->place);
    return put(listing, traveller, place, info->name, info->form, info->max, text, length, err);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

enum sp_status sp_field_put_document(struct sp_listing *listing, struct sp_traveller *traveller,
                                     const struct sp_field_document *document, struct sp_err *err)
{
    struct sp_document *kept = NULL;
    const char *issuer = or_empty(document->issuer);
    char upper[16];
    if (!or_empty(document->type)[0] && !or_empty(document->number)[0]) {
        if (issuer[0] || or_empty(document->expiry)[0] || or_empty(document->issued)[0])
            sp_listing_deviate(listing, traveller->segment, traveller->offset,
                               "a document without type and number, left out");
        return SP_OK;
    }
    if (traveller->document_count == SP_LISTING_MAX_DOCUMENTS) {
        sp_listing_deviate(listing, traveller->segment, traveller->offset,
                           "more than %d documents, the rest is left out", SP_LISTING_MAX_DOCUMENTS);
        return SP_OK;
    }
    size_t length = 0;
    for (; issuer[length] && length < sizeof upper - 1; length++)
        upper[length] = (char)toupper((unsigned char)issuer[length]);
    upper[length] = 0;
    const struct {
        const char *name, *text;
        size_t place, max;
        enum form form;
    } parts[] = {
        {"doc_type", or_empty(document->type), offsetof(struct sp_document, type), 8, TEXT},
        {"doc_number", or_empty(document->number), offsetof(struct sp_document, number), 40, TEXT},
        {"doc_issuer", upper, offsetof(struct sp_document, issuer), 3, TEXT},
        {"doc_expiry", or_empty(document->expiry), offsetof(struct sp_document, expiry), 40, DATE},
        {"doc_issued", or_empty(document->issued), offsetof(struct sp_document, issued), 40, DATE},
    };
    enum sp_status status = sp_listing_add_document(listing, traveller, &kept, err);
    for (size_t i = 0; status == SP_OK && i < sizeof parts / sizeof parts[0]; i++)
        status = put(listing, traveller, (const char **)((char *)kept + parts[i].place), parts[i].name,
                     parts[i].form, parts[i].max, parts[i].text, strlen(parts[i].text), err);
    return status;
}

/* The next part of *at up to `separator`, as a text of its own in ret[size]; false at the end or if it does not
 * fit. */
static bool next_part(char *ret, size_t size, const char **at, char separator)
{
    const char *end = strchrnul(*at, separator);
    size_t length = (size_t)(end - *at);
    if (length >= size)
        return false;
    memcpy(ret, *at, length);
    ret[length] = 0;
    *at = *end ? end + 1 : end;
    return true;
}

enum sp_status sp_field_put_documents(struct sp_listing *listing, struct sp_traveller *traveller, const char *text,
                                      struct sp_err *err)
{
    enum sp_status status = SP_OK;
    while (*text && status == SP_OK) {
        char one[160], parts[4][160] = {{0}};
        bool fits = next_part(one, sizeof one, &text, ';');
        const char *at = one;
        for (int i = 0; fits && i < 4 && *at; i++)
            fits = next_part(parts[i], sizeof parts[i], &at, ':');
        if (!fits || *at) {
            sp_listing_deviate_value(listing, traveller->segment, traveller->offset,
                                     "documents must be type:number:issuer:expiry, several separated by ;");
            return SP_OK;
        }
        const struct sp_field_document document = {parts[0], parts[1], parts[2], parts[3], NULL};
        status = sp_field_put_document(listing, traveller, &document, err);
        sp_seal_wipe(one, sizeof one);
        sp_seal_wipe(parts, sizeof parts);
    }
    return status;
}

enum sp_status sp_field_put_photos(struct sp_listing *listing, struct sp_traveller *traveller, const char *text,
                                   struct sp_err *err)
{
    enum sp_status status = SP_OK;
    while (*text && status == SP_OK) {
        const char *kept = "";
        char one[SP_LISTING_MAX_TEXT - 4], *begin = one;
        if (!next_part(one, sizeof one, &text, ';')) {
            sp_listing_deviate_value(listing, traveller->segment, traveller->offset, "photo_uri is over %zu bytes",
                                     sizeof one - 1);
            return SP_OK;
        }
        begin += strspn(one, " \t");
        status = put(listing, traveller, &kept, "photo_uri", TEXT, sizeof one, begin, strlen(begin), err);
        if (status != SP_OK || !kept[0])
            continue;
        if (traveller->photo_count == SP_LISTING_MAX_PHOTOS) {
            sp_listing_deviate(listing, traveller->segment, traveller->offset,
                               "more than %d photos, the rest is left out", SP_LISTING_MAX_PHOTOS);
            return SP_OK;
        }
        status = sp_listing_add_photo(listing, traveller, kept, err);
    }
    return status;
}
