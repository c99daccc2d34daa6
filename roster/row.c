#include "roster/row.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/wire.h"

static const char *const names[SP_COLUMN_COUNT] = {
#define X(constant, name, max) name,
    SP_COLUMN_LIST(X)
#undef X
};

#define ROW_BYTES_MAX 16384

static const struct sp_wire_limits row_limits = {ROW_BYTES_MAX, 1, 2 * SP_COLUMN_COUNT + 2};

static const int greatest[SP_COLUMN_COUNT] = {
#define X(constant, name, max) max,
    SP_COLUMN_LIST(X)
#undef X
};

int sp_column_max(enum sp_column column)
{
    return column < SP_COLUMN_COUNT ? greatest[column] : 0;
}

const char *sp_column_name(enum sp_column column)
{
    return column < SP_COLUMN_COUNT ? names[column] : "unknown";
}

/* Carriers write documents and names in any case and spacing; the identity must not change with it. */
static size_t put_folded(char *ret, size_t at, const char *value)
{
    if (at > 0 && at < SP_ROW_IDENTITY_MAX)
        ret[at++] = '\x1f';
    for (const char *c = value; *c && at < SP_ROW_IDENTITY_MAX; c++)
        if (*c != ' ')
            ret[at++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    return at;
}

static size_t put_columns(char *ret_text, const struct sp_row *row, const char *kind, const enum sp_column *columns,
                          int count)
{
    size_t at = put_folded(ret_text, 0, kind);
    for (int i = 0; i < count; i++)
        at = put_folded(ret_text, at, row->values[columns[i]]);
    return at;
}

static size_t put_names(char *ret_text, const struct sp_row *row)
{
    static const enum sp_column columns[] = {SP_COLUMN_SURNAME, SP_COLUMN_GIVEN, SP_COLUMN_DOB,
                                             SP_COLUMN_NATIONALITY};
    return put_columns(ret_text, row, "who", columns, 4);
}

size_t sp_row_identity_as(char *ret_text, const struct sp_row *row, enum sp_identity kind)
{
    static const enum sp_column document[] = {SP_COLUMN_DOC_ISSUER, SP_COLUMN_DOC_TYPE, SP_COLUMN_DOC_NUMBER};
    const char *const *v = row->values;
    if (kind == SP_IDENTITY_REF && v[SP_COLUMN_TRAVELLER_REF][0]) {
        size_t at = put_folded(ret_text, 0, "ref");
        /* The carrier's own reference is taken letter by letter. */
        int more = snprintf(ret_text + at, SP_ROW_IDENTITY_MAX - at, "\x1f%s", v[SP_COLUMN_TRAVELLER_REF]);
        return at + (size_t)more;
    }
    if (kind == SP_IDENTITY_DOCUMENT && v[SP_COLUMN_DOC_NUMBER][0] && v[SP_COLUMN_DOC_ISSUER][0])
        return put_columns(ret_text, row, "doc", document, 3);
    if (kind == SP_IDENTITY_NAMES && v[SP_COLUMN_SURNAME][0] && v[SP_COLUMN_DOB][0])
        return put_names(ret_text, row);
    return 0;
}

size_t sp_row_identity(char *ret_text, const struct sp_row *row)
{
    size_t length = sp_row_identity_as(ret_text, row, SP_IDENTITY_REF);
    if (length == 0)
        length = sp_row_identity_as(ret_text, row, SP_IDENTITY_DOCUMENT);
    return length ? length : put_names(ret_text, row);
}

bool sp_row_same_text(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

void sp_row_label(char *ret_text, const struct sp_row *row)
{
    const char *ref = row->values[SP_COLUMN_TRAVELLER_REF], *number = row->values[SP_COLUMN_DOC_NUMBER];
    size_t length = strlen(number);
    if (ref[0])
        snprintf(ret_text, 96, "%s", ref);
    else if (length > 5)
        snprintf(ret_text, 96, "document ...%s", number + length - 3);
    else if (row->line > 0)
        snprintf(ret_text, 96, "line %d", row->line);
    else
        snprintf(ret_text, 96, "no reference");
}

enum sp_status sp_row_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_row *row, struct sp_err *err)
{
    struct sp_wire_writer *w = NULL;
    const uint8_t *bytes;
    size_t length;
    int filled = 0;
    enum sp_status status = sp_wire_writer_new(&w, ROW_BYTES_MAX, err);
    if (status != SP_OK)
        return status;
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        filled += row->values[i][0] != 0;
    sp_wire_put_map(w, filled);
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        if (row->values[i][0])
            sp_wire_put_text(w, names[i]), sp_wire_put_text(w, row->values[i]);
    status = sp_wire_finish(w, &bytes, &length, err);
    uint8_t *copy = status == SP_OK ? malloc(length) : NULL;
    if (copy) {
        memcpy(copy, bytes, length);
        *ret_bytes = copy;
        *ret_length = length;
    } else if (status == SP_OK) {
        status = sp_fail(err, SP_E_NOMEM, "no memory for a row");
    }
    sp_wire_writer_free(&w);
    return status;
}

enum sp_status sp_row_decode(struct sp_row *ret_row, const void *bytes, size_t length, struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    struct sp_row row = {0};
    size_t at = 1;
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &row_limits, err);
    if (status != SP_OK)
        return status;
    size_t capacity = length + SP_COLUMN_COUNT + 2; /* the values' bytes are among these, each gets a NUL */
    row.text = calloc(1, capacity);
    if (!row.text)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a row");
    for (int i = 0; status == SP_OK && i < SP_COLUMN_COUNT; i++) {
        row.values[i] = row.text; /* the empty string at its begin */
        status = sp_wire_get_text(sp_wire_root(doc), names[i], row.text + at, capacity - at, err);
        if (status == SP_OK) {
            row.values[i] = row.text + at;
            at += strlen(row.text + at) + 1;
        } else if (status == SP_E_NOTFOUND) {
            row.text[at] = 0;
            status = SP_OK;
        }
    }
    sp_wire_free(&doc);
    if (status == SP_OK)
        *ret_row = row;
    else
        sp_row_clear(&row);
    return status;
}

void sp_row_clear(struct sp_row *row)
{
    if (row->text) {
        size_t length = 0;
        for (int i = 0; i < SP_COLUMN_COUNT; i++) {
            size_t end = row->values[i] ? (size_t)(row->values[i] - row->text) + strlen(row->values[i]) : 0;
            length = end > length ? end : length;
        }
        sp_seal_wipe(row->text, length);
    }
    free(row->text);
    memset(row, 0, sizeof *row);
}
