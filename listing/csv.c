#include "listing/csv.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/utf8.h"

struct sp_csv {
    char name[256];
    const uint8_t *bytes;
    size_t length, at;
    int line, separator;
    int widest;                                            /* fields of the record that had most */
    char text[SP_CSV_MAX_FIELDS * (SP_CSV_MAX_FIELD + 1)]; /* the present record's fields */
};

static enum sp_status check_utf8(const struct sp_csv *csv, struct sp_err *err)
{
    int line = 1;
    size_t line_start = csv->at;
    for (size_t at = csv->at; at < csv->length;) {
        size_t length = sp_utf8_length(csv->bytes + at, csv->length - at);
        if (length == 0)
            return sp_fail(err, SP_E_FORMAT, "%s line %d: byte %zu is not UTF-8; save the file as UTF-8", csv->name,
                           line, at - line_start + 1);
        at += length;
        if (csv->bytes[at - 1] == '\n') {
            line++;
            line_start = at;
        }
    }
    return SP_OK;
}

enum sp_status sp_csv_new(struct sp_csv **ret_csv, const char *name, const void *bytes, size_t length,
                          struct sp_err *err)
{
    if (length > SP_CSV_MAX_BYTES)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes, the limit is %u", name, length, SP_CSV_MAX_BYTES);
    struct sp_csv *csv = malloc(sizeof *csv);
    if (!csv)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", name);
    snprintf(csv->name, sizeof csv->name, "%s", name);
    csv->bytes = bytes;
    csv->length = length;
    csv->at = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    csv->line = 1;
    csv->widest = 0;
    csv->separator = ',';
    enum sp_status status = check_utf8(csv, err);
    const char *text = (const char *)bytes + csv->at; /* "sep=;", what spreadsheets put in front, is no record */
    if (length - csv->at > 5 && strncasecmp(text, "sep=", 4) == 0 && strchr(",;\t", text[4]) &&
        (text[5] == '\r' || text[5] == '\n'))
        csv->at += 5;
    if (status == SP_OK)
        *ret_csv = csv;
    else
        free(csv);
    return status;
}

void sp_csv_free(struct sp_csv **csv)
{
    if (!csv || !*csv)
        return;
    explicit_bzero((*csv)->text, (size_t)(*csv)->widest * (SP_CSV_MAX_FIELD + 1));
    free(*csv);
    *csv = NULL;
}

char sp_csv_separator(const void *bytes, size_t length)
{
    const char *text = bytes;
    for (size_t i = 0; i < length && i < SP_CSV_MAX_FIELD; i++)
        if (text[i] == ',' || text[i] == ';' || text[i] == '\t')
            return text[i];
    return ',';
}

void sp_csv_separate(struct sp_csv *csv, char separator)
{
    csv->separator = separator;
}

void sp_csv_trim(struct sp_csv *csv, struct sp_csv_record *record)
{
    for (int i = 0; i < record->count; i++) {
        char *field = csv->text + (size_t)i * (SP_CSV_MAX_FIELD + 1);
        size_t length = strlen(field);
        while (length > 0 && strchr(" \t", field[length - 1]))
            field[--length] = 0;
        record->fields[i] = field + strspn(field, " \t");
    }
}

/* The byte at `at`, or -1 at the end. */
static int peek(const struct sp_csv *csv, size_t at)
{
    return at < csv->length ? csv->bytes[at] : -1;
}

/* At a line end: its length (CRLF 2, LF or CR 1), else 0. */
static size_t line_end(const struct sp_csv *csv)
{
    int c = peek(csv, csv->at);
    return c == '\r' ? (peek(csv, csv->at + 1) == '\n' ? 2 : 1) : c == '\n' ? 1 : 0;
}

static enum sp_status put(const struct sp_csv *csv, char *field, size_t *length, int c, int column,
                          struct sp_err *err)
{
    if (*length == SP_CSV_MAX_FIELD)
        return sp_fail(err, SP_E_LIMIT, "%s line %d: field %d is over %d bytes (a quote that is not closed?)",
                       csv->name, csv->line, column + 1, SP_CSV_MAX_FIELD);
    field[(*length)++] = (char)c;
    return SP_OK;
}

static enum sp_status quoted_field(struct sp_csv *csv, char *field, int column, struct sp_err *err)
{
    size_t length = 0;
    int opened = csv->line;
    enum sp_status status = SP_OK;
    for (csv->at++; status == SP_OK; csv->at++) {
        int c = peek(csv, csv->at);
        if (c < 0)
            return sp_fail(err, SP_E_FORMAT, "%s line %d: the quote of field %d is not closed", csv->name, opened,
                           column + 1);
        if (c == '"' && peek(csv, csv->at + 1) == '"')
            csv->at++;
        else if (c == '"')
            break;
        status = put(csv, field, &length, c, column, err);
        if (c == '\n')
            csv->line++;
    }
    if (status != SP_OK)
        return status;
    csv->at++; /* past the closing quote */
    field[length] = 0;
    int next = peek(csv, csv->at);
    if (next >= 0 && next != csv->separator && line_end(csv) == 0)
        return sp_fail(err, SP_E_FORMAT,
                       "%s line %d: field %d goes on after its closing quote; write \"\" for a quote "
                       "inside",
                       csv->name, csv->line, column + 1);
    return SP_OK;
}

static enum sp_status plain_field(struct sp_csv *csv, char *field, int column, struct sp_err *err)
{
    size_t length = 0;
    enum sp_status status = SP_OK;
    for (; status == SP_OK && csv->at < csv->length && csv->bytes[csv->at] != csv->separator && line_end(csv) == 0;
         csv->at++) {
        if (csv->bytes[csv->at] == '"')
            return sp_fail(err, SP_E_FORMAT,
                           "%s line %d: field %d has a quote in the middle; quote the whole field", csv->name,
                           csv->line, column + 1);
        status = put(csv, field, &length, csv->bytes[csv->at], column, err);
    }
    field[length] = 0;
    return status;
}

enum sp_status sp_csv_next(struct sp_csv *csv, struct sp_csv_record *ret_record, struct sp_err *err)
{
    size_t end;
    while ((end = line_end(csv)) > 0) {
        csv->at += end;
        csv->line++;
    }
    if (csv->at >= csv->length)
        return SP_E_CLOSED;
    ret_record->line = csv->line;
    ret_record->offset = csv->at;
    ret_record->count = 0;
    for (;;) {
        int column = ret_record->count;
        if (column == SP_CSV_MAX_FIELDS)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: more than %d fields", csv->name, csv->line,
                           SP_CSV_MAX_FIELDS);
        csv->widest = column >= csv->widest ? column + 1 : csv->widest;
        char *field = csv->text + (size_t)column * (SP_CSV_MAX_FIELD + 1);
        enum sp_status status = peek(csv, csv->at) == '"' ? quoted_field(csv, field, column, err)
                                                          : plain_field(csv, field, column, err);
        if (status != SP_OK)
            return status;
        ret_record->fields[ret_record->count++] = field;
        if (peek(csv, csv->at) != csv->separator)
            break;
        csv->at++;
    }
    if ((end = line_end(csv)) > 0) {
        csv->at += end;
        csv->line++;
    }
    return SP_OK;
}
