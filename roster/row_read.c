#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"
#include "roster/csv.h"
#include "roster/row.h"

static const int greatest[SP_COLUMN_COUNT] = {
#define X(constant, name, max) max,
    SP_COLUMN_LIST(X)
#undef X
};

static const enum sp_column required[] = {SP_COLUMN_CARRIER, SP_COLUMN_JOURNEY, SP_COLUMN_MODE, SP_COLUMN_DEP_PORT,
                                          SP_COLUMN_SCHED_DEP};
#define REQUIRED ((int)(sizeof required / sizeof required[0]))

/* While parsing: which field of a record is which column. */
struct header {
    int count;
    int column[SP_CSV_MAX_FIELDS]; /* -1: unknown */
};

static void warn(struct sp_roster *roster, int line, const char *what, const char *word)
{
    char text[sizeof roster->warnings[0]], source[61];
    snprintf(source, sizeof source, "%.60s", roster->source);
    snprintf(text, sizeof text, "%s line %d: %s%.40s", source, line, what, word);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* a file's words must not steer the terminal they are shown on */
    if (roster->warning_count < SP_ROSTER_MAX_WARNINGS)
        memcpy(roster->warnings[roster->warning_count], text, sizeof text);
    roster->warning_count++;
}

static int column_of(const char *name)
{
    while (*name == ' ')
        name++;
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == ' ')
        length--;
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        if (strlen(sp_column_name((enum sp_column)i)) == length &&
            strncasecmp(sp_column_name((enum sp_column)i), name, length) == 0)
            return i;
    return -1;
}

static enum sp_status read_header(struct header *ret_header, struct sp_roster *roster,
                                  const struct sp_csv_record *record, struct sp_err *err)
{
    bool seen[SP_COLUMN_COUNT] = {false};
    char missing[160] = "";
    ret_header->count = record->count;
    for (int i = 0; i < record->count; i++) {
        int column = column_of(record->fields[i]);
        ret_header->column[i] = column;
        if (column < 0)
            warn(roster, record->line, "unknown column ignored: ", record->fields[i]);
        else if (seen[column])
            return sp_fail(err, SP_E_FORMAT, "%s line %d: column %s is there twice", roster->source, record->line,
                           sp_column_name((enum sp_column)column));
        else
            seen[column] = true;
    }
    for (int i = 0; i < REQUIRED; i++)
        if (!seen[required[i]])
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s", missing[0] ? ", " : "",
                     sp_column_name(required[i]));
    if (!missing[0] && !seen[SP_COLUMN_TRAVELLER_REF] && !seen[SP_COLUMN_DOC_NUMBER] && !seen[SP_COLUMN_SURNAME])
        snprintf(missing, sizeof missing, "traveller_ref (or doc_issuer, doc_type and doc_number)");
    if (missing[0])
        return sp_fail(err, SP_E_FORMAT, "%s line %d: the header lacks the column %s", roster->source, record->line,
                       missing);
    return SP_OK;
}

/* One value without spaces at its ends, copied behind the others. */
static size_t put_value(struct sp_row *row, size_t at, int column, const char *value)
{
    while (*value == ' ' || *value == '\t')
        value++;
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    memcpy(row->text + at, value, length);
    row->text[at + length] = 0;
    row->values[column] = row->text + at;
    return at + length + 1;
}

static bool is_date(const char *text)
{
    static const char form[] = "dddd-dd-dd";
    for (int i = 0; i < 10; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    int month = atoi(text + 5), day = atoi(text + 8);
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool has_plain(const char *value)
{
    for (; *value; value++)
        if (isalnum((unsigned char)*value))
            return true;
    return false;
}

static bool is_upper3(const char *text)
{
    return strlen(text) == 3 && isupper((unsigned char)text[0]) && isupper((unsigned char)text[1]) &&
           isupper((unsigned char)text[2]);
}

static enum sp_status bad(const struct sp_roster *roster, const struct sp_row *row, enum sp_column column,
                          const char *form, struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "%s line %d: %s must be %s", roster->source, row->line, sp_column_name(column),
                   form);
}

static enum sp_status check_row(const struct sp_roster *roster, const struct sp_row *row, struct sp_err *err)
{
    const char *const *v = row->values;
    static const enum sp_column dates[] = {SP_COLUMN_DOB, SP_COLUMN_DOC_EXPIRY, SP_COLUMN_VALID_FROM,
                                           SP_COLUMN_VALID_TO};
    for (int i = 0; i < SP_COLUMN_COUNT; i++) {
        if (strlen(v[i]) > (size_t)greatest[i])
            return sp_fail(err, SP_E_LIMIT, "%s line %d: %s is over %d bytes", roster->source, row->line,
                           sp_column_name((enum sp_column)i), greatest[i]);
        for (const char *c = v[i]; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f)
                return bad(roster, row, (enum sp_column)i, "without control characters", err);
    }
    for (int i = 0; i < REQUIRED; i++)
        if (!has_plain(v[required[i]]))
            return bad(roster, row, required[i], "given, with letters or digits", err);
    if (sp_mode_from(v[SP_COLUMN_MODE]) < 0)
        return bad(roster, row, SP_COLUMN_MODE, "air, sea, pedestrian, vehicle or private", err);
    if (!is_date(v[SP_COLUMN_SCHED_DEP]) ||
        (v[SP_COLUMN_SCHED_DEP][10] && v[SP_COLUMN_SCHED_DEP][10] != 'T' && v[SP_COLUMN_SCHED_DEP][10] != ' '))
        return bad(roster, row, SP_COLUMN_SCHED_DEP, "a date or time as 2026-12-04T18:20", err);
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        if (v[dates[i]][0] && (!is_date(v[dates[i]]) || v[dates[i]][10]))
            return bad(roster, row, dates[i], "a date as 1984-07-31", err);
    if (v[SP_COLUMN_DIRECTION][0] && strcmp(v[SP_COLUMN_DIRECTION], "exit") != 0 &&
        strcmp(v[SP_COLUMN_DIRECTION], "entry") != 0)
        return bad(roster, row, SP_COLUMN_DIRECTION, "exit or entry", err);
    if (v[SP_COLUMN_NATIONALITY][0] && !is_upper3(v[SP_COLUMN_NATIONALITY]))
        return bad(roster, row, SP_COLUMN_NATIONALITY, "a country of three capital letters (ISO 3166 alpha-3)",
                   err);
    if (!v[SP_COLUMN_TRAVELLER_REF][0] && !(v[SP_COLUMN_DOC_NUMBER][0] && v[SP_COLUMN_DOC_ISSUER][0]) &&
        !(v[SP_COLUMN_SURNAME][0] && v[SP_COLUMN_DOB][0]))
        return sp_fail(err, SP_E_FORMAT,
                       "%s line %d: nothing tells this traveller from others: give traveller_ref, or doc_issuer, "
                       "doc_type and doc_number, or surname, given, dob and nationality",
                       roster->source, row->line);
    return SP_OK;
}

/* One part of the manifest's id: lower case, and a dot for each run of what is not [a-z0-9]. The greatest lengths
 * of the columns leave room for all parts. */
static void put_part(char *id, const char *value)
{
    size_t at = strlen(id);
    if (at > 0)
        id[at++] = '-';
    for (size_t i = 0; value[i] && at + 1 < SP_MANIFEST_ID_MAX; i++) {
        char c = (char)tolower((unsigned char)value[i]);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain || (at > 0 && id[at - 1] != '.'))
            id[at++] = plain ? c : '.';
    }
    id[at] = 0;
}

static void manifest_id(char ret_id[SP_MANIFEST_ID_MAX], const struct sp_row *row)
{
    const char *date = row->values[SP_COLUMN_SCHED_DEP];
    char day[9];
    snprintf(day, sizeof day, "%.4s%.2s%.2s", date, date + 5, date + 8);
    ret_id[0] = 0;
    put_part(ret_id, row->values[SP_COLUMN_MODE]);
    put_part(ret_id, row->values[SP_COLUMN_CARRIER]);
    put_part(ret_id, row->values[SP_COLUMN_JOURNEY]);
    put_part(ret_id, day);
    put_part(ret_id, row->values[SP_COLUMN_DEP_PORT]);
}

static enum sp_status take_row(struct sp_roster *roster, const struct header *header,
                               const struct sp_csv_record *record, struct sp_err *err)
{
    struct sp_row *row = &roster->rows[roster->row_count];
    size_t size = 1, at = 1;
    char manifest[SP_MANIFEST_ID_MAX];
    if (record->count != header->count)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: %d fields, the header has %d", roster->source, record->line,
                       record->count, header->count);
    for (int i = 0; i < record->count; i++)
        size += strlen(record->fields[i]) + 1;
    row->line = record->line;
    row->text = calloc(1, size);
    if (!row->text)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for a row", roster->source);
    roster->row_count++; /* from here sp_roster_free clears it */
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        row->values[i] = row->text; /* the empty string at its begin */
    for (int i = 0; i < record->count; i++)
        if (header->column[i] >= 0)
            at = put_value(row, at, header->column[i], record->fields[i]);
    enum sp_status status = check_row(roster, row, err);
    if (status != SP_OK)
        return status;
    manifest_id(manifest, row);
    if (roster->row_count == 1)
        snprintf(roster->manifest, sizeof roster->manifest, "%s", manifest);
    else if (strcmp(manifest, roster->manifest) != 0)
        return sp_fail(err, SP_E_FORMAT,
                       "%s line %d: this row belongs to %s, the first to %s: one file per manifest, split it",
                       roster->source, row->line, manifest, roster->manifest);
    return SP_OK;
}

struct identity {
    size_t length;
    int row;
    char text[SP_ROW_IDENTITY_MAX];
};

static int compare_identities(const void *a, const void *b)
{
    const struct identity *x = *(struct identity *const *)a, *y = *(struct identity *const *)b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->text, y->text, shorter);
    if (order == 0)
        order = (x->length > y->length) - (x->length < y->length);
    return order ? order : x->row - y->row;
}

static bool same_values(const struct sp_row *a, const struct sp_row *b)
{
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        if (strcmp(a->values[i], b->values[i]) != 0)
            return false;
    return true;
}

/* Two rows of one traveller: the same line twice is dropped with a warning, a contradiction is an error. */
static enum sp_status drop_repeats(struct sp_roster *roster, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    int count = roster->row_count;
    struct identity *all = malloc(((size_t)count + 1) * sizeof *all);
    struct identity **order = malloc(((size_t)count + 1) * sizeof(void *));
    if (!all || !order) {
        status = sp_fail(err, SP_E_NOMEM, "%s: no memory for %d rows", roster->source, count);
        goto out;
    }
    for (int i = 0; i < count; i++) {
        all[i].row = i;
        all[i].length = sp_row_identity(all[i].text, &roster->rows[i]);
        order[i] = &all[i];
    }
    qsort(order, (size_t)count, sizeof(void *), compare_identities);
    for (int i = 1; i < count && status == SP_OK; i++) {
        struct sp_row *first = &roster->rows[order[i - 1]->row], *second = &roster->rows[order[i]->row];
        if (order[i]->length != order[i - 1]->length ||
            memcmp(order[i]->text, order[i - 1]->text, order[i]->length) != 0)
            continue;
        if (!same_values(first, second)) {
            status =
                sp_fail(err, SP_E_FORMAT,
                        "%s line %d: the same traveller as line %d (same traveller_ref or document), with other "
                        "values: keep one",
                        roster->source, second->line, first->line);
            break;
        }
        warn(roster, second->line, "repeats an earlier line, ignored", "");
        order[i]->row = order[i - 1]->row; /* a third one is compared with the first */
        second->line = 0;                  /* marked for removal */
    }
    int kept = 0;
    for (int i = 0; i < count && status == SP_OK; i++) {
        if (roster->rows[i].line > 0) {
            struct sp_row row = roster->rows[i];
            memset(&roster->rows[i], 0, sizeof row);
            roster->rows[kept++] = row;
        } else {
            sp_row_clear(&roster->rows[i]);
        }
    }
    if (status == SP_OK)
        roster->row_count = kept;
out:
    if (all)
        sp_seal_wipe(all, (size_t)count * sizeof *all);
    free(order);
    free(all);
    return status;
}

static enum sp_status parse_records(struct sp_roster *roster, struct sp_csv *csv, struct sp_err *err)
{
    struct sp_csv_record record;
    struct header header;
    int capacity = 0;
    enum sp_status status = sp_csv_next(csv, &record, err);
    if (status == SP_E_CLOSED)
        return sp_fail(err, SP_E_FORMAT, "%s: it is empty; the first line names the columns", roster->source);
    if (status == SP_OK)
        status = read_header(&header, roster, &record, err);
    while (status == SP_OK && (status = sp_csv_next(csv, &record, err)) == SP_OK) {
        if (roster->row_count == SP_MANIFEST_MAX_ROWS)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: more than %d travellers", roster->source, record.line,
                           SP_MANIFEST_MAX_ROWS);
        if (roster->row_count == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            struct sp_row *grown = realloc(roster->rows, (size_t)capacity * sizeof *grown);
            if (!grown)
                return sp_fail(err, SP_E_NOMEM, "%s: no memory for %d rows", roster->source, capacity);
            roster->rows = grown;
        }
        memset(&roster->rows[roster->row_count], 0, sizeof *roster->rows);
        status = take_row(roster, &header, &record, err);
    }
    if (status != SP_E_CLOSED)
        return status;
    if (roster->row_count == 0)
        return sp_fail(err, SP_E_FORMAT, "%s: a header and no traveller", roster->source);
    return drop_repeats(roster, err);
}

enum sp_status sp_roster_parse(struct sp_roster **ret_roster, const char *name, const void *bytes, size_t length,
                               struct sp_err *err)
{
    struct sp_csv *csv = NULL;
    const char *slash = strrchr(name, '/');
    struct sp_roster *roster = calloc(1, sizeof *roster);
    if (!roster)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", name);
    snprintf(roster->source, sizeof roster->source, "%s", slash ? slash + 1 : name);
    enum sp_status status = sp_csv_new(&csv, roster->source, bytes, length, err);
    if (status == SP_OK)
        status = parse_records(roster, csv, err);
    sp_csv_free(&csv);
    if (status == SP_OK)
        *ret_roster = roster;
    else
        sp_roster_free(&roster);
    return status;
}

enum sp_status sp_roster_read(struct sp_roster **ret_roster, const char *path, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_file_read(&bytes, &length, path, SP_CSV_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    status = sp_roster_parse(ret_roster, path, bytes, length, err);
    sp_seal_wipe(bytes, length);
    free(bytes);
    return status;
}

void sp_roster_free(struct sp_roster **roster)
{
    if (!roster || !*roster)
        return;
    for (int i = 0; i < (*roster)->row_count; i++)
        sp_row_clear(&(*roster)->rows[i]);
    free((*roster)->rows);
    free(*roster);
    *roster = NULL;
}
