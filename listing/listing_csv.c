#include "listing/listing_csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "listing/csv.h"
#include "listing/field.h"
#include "listing/journey.h"

/* The columns that are no field of the traveller's own, in front of those of SP_FIELD_LIST. */
enum column {
    MODE,
    CARRIER,
    JOURNEY,
    DIRECTION,
    VESSEL,
    VESSEL_ID,
    FLAG,
    DEP_PORT,
    ARR_PORT,
    SCHED_DEP,
    SCHED_ARR,
    DOC_TYPE,
    DOC_NUMBER,
    DOC_ISSUER,
    DOC_EXPIRY,
    DOC_ISSUED,
    DOCUMENTS,
    PHOTOS,
    FIELDS
};
enum { COLUMNS = FIELDS + SP_FIELD_COUNT };

static const struct {
    const char *name;
    int column;
} names[] = {
    {"mode", MODE},
    {"carrier", CARRIER},
    {"journey", JOURNEY},
    {"direction", DIRECTION},
    {"vessel", VESSEL},
    {"vessel_id", VESSEL_ID},
    {"registration", VESSEL_ID},
    {"flag", FLAG},
    {"dep_port", DEP_PORT},
    {"arr_port", ARR_PORT},
    {"sched_dep", SCHED_DEP},
    {"sched_arr", SCHED_ARR},
    {"doc_type", DOC_TYPE},
    {"doc_number", DOC_NUMBER},
    {"doc_issuer", DOC_ISSUER},
    {"doc_expiry", DOC_EXPIRY},
    {"doc_issued", DOC_ISSUED},
    {"documents", DOCUMENTS},
    {"photo_uri", PHOTOS},
    {"traveller_ref", FIELDS + SP_FIELD_REF},
};
#define NAMES ((int)(sizeof names / sizeof names[0]))

struct reader {
    struct sp_listing *listing;
    const char *source;
    int count;                        /* of the header's fields */
    int column[SP_CSV_MAX_FIELDS];    /* of each; -1: unknown */
    int at[COLUMNS];                  /* where each column is; -1: nowhere */
    char journey[SCHED_ARR + 1][160]; /* of the first line */
    char id[SP_MANIFEST_ID_MAX];      /* of the first line; "" and `wrong`: it makes none */
    struct sp_err wrong;
};

static int column_of(const char *name)
{
    char plain[40];
    name += strspn(name, " \t");
    size_t length = strlen(name);
    while (length > 0 && (name[length - 1] == ' ' || name[length - 1] == '\t'))
        length--;
    if (length >= sizeof plain)
        return -1;
    memcpy(plain, name, length);
    plain[length] = 0;
    for (int i = 0; i < NAMES; i++)
        if (strcasecmp(names[i].name, plain) == 0)
            return names[i].column;
    int field = sp_field_from(plain);
    return field < 0 || field == SP_FIELD_REF ? -1 : FIELDS + field;
}

static const char *name_of(int column)
{
    for (int i = 0; i < NAMES; i++)
        if (names[i].column == column)
            return names[i].name;
    return sp_field_name((enum sp_field)(column - FIELDS));
}

/* Lists of land lanes and private aircraft may stand without a date and a number. */
static enum sp_status check_header(const struct reader *r, int line, struct sp_err *err)
{
    static const int required[] = {CARRIER, JOURNEY, MODE, DEP_PORT, SCHED_DEP};
    char missing[160] = "";
    bool stands = r->at[SCHED_DEP] < 0 && r->at[JOURNEY] < 0 && r->at[FIELDS + SP_FIELD_VALID_TO] >= 0;
    for (int i = 0; i < 5; i++) {
        bool named = (required[i] == CARRIER || required[i] == JOURNEY) && r->at[VESSEL_ID] >= 0;
        bool dated = (required[i] == JOURNEY || required[i] == SCHED_DEP) && stands;
        if (r->at[required[i]] < 0 && !named && !dated)
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s", missing[0] ? ", " : "",
                     name_of(required[i]));
    }
    if (!missing[0] && r->at[FIELDS + SP_FIELD_REF] < 0 && r->at[DOC_NUMBER] < 0 &&
        r->at[FIELDS + SP_FIELD_SURNAME] < 0 && r->at[FIELDS + SP_FIELD_MRZ] < 0)
        snprintf(missing, sizeof missing, "traveller_ref (or doc_issuer, doc_type and doc_number)");
    if (missing[0])
        return sp_fail(err, SP_E_FORMAT, "%s line %d: the header lacks the column %s", r->source, line, missing);
    return SP_OK;
}

static enum sp_status read_header(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    for (int i = 0; i < COLUMNS; i++)
        r->at[i] = -1;
    r->count = record->count;
    for (int i = 0; i < record->count; i++) {
        int column = r->column[i] = column_of(record->fields[i]);
        if (column < 0)
            sp_listing_deviate(r->listing, record->line, record->offset, "unknown column ignored: %.40s",
                               record->fields[i]);
        else if (r->at[column] >= 0)
            return sp_fail(err, SP_E_FORMAT, "%s line %d: column %s is there twice", r->source, record->line,
                           name_of(column));
        else
            r->at[column] = i;
    }
    return check_header(r, record->line, err);
}

static const char *value(const struct reader *r, const struct sp_csv_record *record, int column)
{
    return r->at[column] < 0 ? "" : record->fields[r->at[column]];
}

static enum sp_status put_journey(struct sp_listing *listing, const struct reader *r,
                                  const struct sp_csv_record *record, struct sp_err *err)
{
    static const enum sp_journey_field fields[] = {
        [MODE] = SP_JOURNEY_MODE,      [CARRIER] = SP_JOURNEY_CARRIER,
        [JOURNEY] = SP_JOURNEY_NUMBER, [DIRECTION] = SP_JOURNEY_DIRECTION,
        [VESSEL] = SP_JOURNEY_VESSEL,  [VESSEL_ID] = SP_JOURNEY_VESSEL_ID,
        [FLAG] = SP_JOURNEY_FLAG};
    const struct sp_journey_leg leg = {value(r, record, DEP_PORT), value(r, record, ARR_PORT),
                                       value(r, record, SCHED_DEP), value(r, record, SCHED_ARR)};
    enum sp_status status = SP_OK;
    for (int i = MODE; status == SP_OK && i <= FLAG; i++)
        status = sp_journey_put(listing, fields[i], value(r, record, i), record->line, record->offset, err);
    return status == SP_OK ? sp_journey_put_leg(listing, &leg, record->line, record->offset, err) : status;
}

static enum sp_status first_line(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    enum sp_status status = put_journey(r->listing, r, record, err);
    if (status == SP_OK && sp_journey_id(r->id, r->listing, NULL, 0, &r->wrong) != SP_OK &&
        r->listing->value_count == 0)
        sp_listing_deviate_value(r->listing, record->line, record->offset, "%s", r->wrong.text);
    for (int i = MODE; i <= SCHED_ARR; i++)
        snprintf(r->journey[i], sizeof r->journey[i], "%s", value(r, record, i));
    return status;
}

/* What a later line says of the same journey in other words than the first one is not kept, and said to be so. */
static void note_difference(struct reader *r, const struct sp_csv_record *record, const struct sp_listing *line)
{
    static const enum sp_journey_field fields[] = {SP_JOURNEY_DIRECTION, SP_JOURNEY_VESSEL, SP_JOURNEY_VESSEL_ID,
                                                   SP_JOURNEY_FLAG};
    const struct sp_leg *leg = line->legs, *first = r->listing->legs;
    const char *differs = NULL;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *text = sp_journey_value(line, fields[i]);
        if (text[0] && strcmp(text, sp_journey_value(r->listing, fields[i])) != 0)
            differs = sp_journey_name(fields[i]);
    }
    /* A traveller who leaves elsewhere arrives at another time. */
    if (leg->sched_arr[0] && strcmp(leg->arr_port, first->arr_port) == 0 &&
        strcmp(leg->sched_arr, first->sched_arr) != 0)
        differs = "sched_arr";
    if (differs)
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "%s differs from the first line's; it is not kept", differs);
    for (int i = 0; i < sp_listing_noted(line); i++)
        if (line->deviations[i].value)
            sp_listing_deviate_value(r->listing, record->line, record->offset, "%s", line->deviations[i].text);
}

/* The first line gives the journey; the others must name the same one. */
static enum sp_status take_journey(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    struct sp_listing *line = NULL;
    char id[SP_MANIFEST_ID_MAX] = "";
    bool same = true;
    if (r->listing->traveller_count == 0)
        return first_line(r, record, err);
    for (int i = MODE; i <= SCHED_ARR; i++)
        same =
            same && (i == ARR_PORT || strncmp(r->journey[i], value(r, record, i), sizeof r->journey[i] - 1) == 0);
    if (same)
        return SP_OK;
    enum sp_status status = sp_listing_new(&line, SP_LISTING_CSV, err);
    if (status == SP_OK)
        status = put_journey(line, r, record, err);
    if (status == SP_OK && sp_journey_id(id, line, NULL, 0, NULL) != SP_OK && r->id[0])
        snprintf(id, sizeof id, "another journey");
    if (status == SP_OK && id[0] && !r->id[0])
        status = sp_fail(err, SP_E_FORMAT, "%s line %d: this row belongs to %s, the first to none: its %s",
                         r->source, record->line, id, r->wrong.text);
    else if (status == SP_OK && strcmp(id, r->id) != 0)
        status = sp_fail(err, SP_E_FORMAT,
                         "%s line %d: this row belongs to %s, the first to %s: one file per manifest, split it",
                         r->source, record->line, id, r->id);
    if (status == SP_OK)
        note_difference(r, record, line);
    sp_listing_free(&line);
    return status;
}

static bool is_empty(const struct sp_csv_record *record)
{
    for (int i = 0; i < record->count; i++)
        if (record->fields[i][0])
            return false;
    return true;
}

static enum sp_status take_row(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    struct sp_traveller *traveller = NULL;
    if (is_empty(record)) { /* separators alone, as spreadsheets leave them below a list */
        sp_listing_deviate(r->listing, record->line, record->offset, "a line of empty fields, passed over");
        return SP_OK;
    }
    if (record->count != r->count)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: %d fields, the header has %d", r->source, record->line,
                       record->count, r->count);
    enum sp_status status = take_journey(r, record, err);
    if (status == SP_OK)
        status = sp_listing_add_traveller(r->listing, record->line, record->offset, &traveller, err);
    for (int i = 0; status == SP_OK && i < record->count; i++)
        if (r->column[i] >= FIELDS)
            status = sp_field_put(r->listing, traveller, (enum sp_field)(r->column[i] - FIELDS), record->fields[i],
                                  strlen(record->fields[i]), err);
    const struct sp_field_document document = {value(r, record, DOC_TYPE), value(r, record, DOC_NUMBER),
                                               value(r, record, DOC_ISSUER), value(r, record, DOC_EXPIRY),
                                               value(r, record, DOC_ISSUED)};
    if (status == SP_OK)
        status = sp_field_put_document(r->listing, traveller, &document, err);
    if (status == SP_OK)
        status = sp_field_put_documents(r->listing, traveller, value(r, record, DOCUMENTS), err);
    if (status == SP_OK)
        status = sp_field_put_photos(r->listing, traveller, value(r, record, PHOTOS), err);
    /* A line that ends elsewhere than the first: the traveller leaves there. */
    const char *arr_port = value(r, record, ARR_PORT);
    if (status == SP_OK && arr_port[0] && !traveller->debark[0] && r->listing->leg_count > 0 &&
        strcasecmp(arr_port, r->listing->legs[0].arr_port) != 0)
        status = sp_field_put(r->listing, traveller, SP_FIELD_DEBARK, arr_port, strlen(arr_port), err);
    return status;
}

static enum sp_status read_records(struct reader *r, struct sp_csv *csv, struct sp_err *err)
{
    struct sp_csv_record record;
    enum sp_status status = sp_csv_next(csv, &record, err);
    if (status == SP_E_CLOSED)
        return sp_fail(err, SP_E_FORMAT, "%s: it is empty; the first line names the columns", r->source);
    if (status == SP_OK)
        status = read_header(r, &record, err);
    while (status == SP_OK && (status = sp_csv_next(csv, &record, err)) == SP_OK) {
        sp_csv_trim(csv, &record);
        status = take_row(r, &record, err);
        if (status == SP_E_LIMIT && err && !strstr(err->text, r->source))
            sp_fail_in(err, "%s line %d", r->source, record.line);
    }
    if (status != SP_E_CLOSED)
        return status;
    if (r->listing->traveller_count == 0)
        return sp_fail(err, SP_E_FORMAT, "%s: a header and no traveller", r->source);
    return SP_OK;
}

enum sp_status sp_listing_csv_parse(struct sp_listing **ret_listing, const char *name, const void *bytes,
                                    size_t length, struct sp_err *err)
{
    struct sp_csv *csv = NULL;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", name);
    r->source = name;
    enum sp_status status = sp_csv_new(&csv, name, bytes, length, err);
    if (status == SP_OK)
        status = sp_listing_new(&r->listing, SP_LISTING_CSV, err);
    if (status == SP_OK) {
        sp_csv_separate(csv, sp_csv_separator(bytes, length));
        r->listing->group = SP_GROUP_BOTH;
        status = read_records(r, csv, err);
    }
    if (status == SP_OK)
        *ret_listing = r->listing;
    else
        sp_listing_free(&r->listing);
    sp_csv_free(&csv);
    free(r);
    return status;
}

bool sp_listing_csv_looks_like(const void *bytes, size_t length)
{
    struct sp_csv *csv = NULL;
    struct sp_csv_record record;
    int known = 0;
    size_t head = length < SP_CSV_MAX_FIELD ? length : SP_CSV_MAX_FIELD;
    while (head > 0 && head < length && (((const uint8_t *)bytes)[head] & 0xc0) == 0x80)
        head--; /* not inside of a character */
    if (sp_csv_new(&csv, "", bytes, head, NULL) != SP_OK)
        return false;
    sp_csv_separate(csv, sp_csv_separator(bytes, length));
    if (sp_csv_next(csv, &record, NULL) == SP_OK)
        for (int i = 0; i < record.count; i++) {
            int column = column_of(record.fields[i]);
            known += column == MODE || column == CARRIER || column == JOURNEY || column == DEP_PORT ||
                     column == SCHED_DEP;
        }
    sp_csv_free(&csv);
    return known >= 2;
}
