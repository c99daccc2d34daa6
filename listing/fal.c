#include "listing/fal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/seal.h"
#include "listing/country.h"
#include "listing/csv.h"
#include "listing/fal_column.h"
#include "listing/journey.h"

#define SHIP_TEXT 100
#define DOC_TYPE  8 /* bytes that a type may have */

struct reader {
    struct sp_listing *listing;
    const char *source;
    int form; /* 0: not known yet */
    int count;
    int column[SP_CSV_MAX_FIELDS];
    bool has[SP_FAL_COLUMN_COUNT];
    char ship[SP_FAL_SHIP_COUNT][SHIP_TEXT];
    bool journey_put;
};

static bool names_person(int column)
{
    return column == SP_FAL_NAMES || column == SP_FAL_FIELD + SP_FIELD_SURNAME || column == SP_FAL_DOCUMENT ||
           column == SP_FAL_DOC_NUMBER;
}

/* A header names a person and has two columns at least. */
static bool is_header(const struct sp_csv_record *record)
{
    int known = 0;
    bool person = false;
    for (int i = 0; i < record->count; i++) {
        int column = sp_fal_column(record->fields[i]);
        known += column >= 0;
        person = person || names_person(column);
    }
    return person && known >= 2;
}

/* "IMO FAL Form 5", "Crew list", ... in front of the header. */
static int form_of(const char *title)
{
    if (strcasestr(title, "crew list") || strcasestr(title, "fal 5") || strcasestr(title, "form 5"))
        return 5;
    if (strcasestr(title, "passenger list") || strcasestr(title, "fal 6") || strcasestr(title, "form 6"))
        return 6;
    return 0;
}

/* Ports are UN/LOCODE, which people write with a space: "US MIA". */
static void squeeze(char *port)
{
    if (strlen(port) == 6 && port[2] == ' ')
        memmove(port + 2, port + 3, 4);
}

/* One of the ship's values in the spelling that is compared. */
static void spell_ship(char ret[SHIP_TEXT], int column, const char *value)
{
    char iso[11], code[4];
    snprintf(ret, SHIP_TEXT, "%s", value);
    if (column == SP_FAL_PORT || column == SP_FAL_LAST_PORT || column == SP_FAL_NEXT_PORT ||
        column == SP_FAL_FROM || column == SP_FAL_TO)
        squeeze(ret);
    bool date = column == SP_FAL_DATE || column == SP_FAL_ARRIVAL || column == SP_FAL_DEPARTURE;
    if (date && sp_field_people_date(iso, ret))
        memcpy(ret, iso, sizeof iso);
    if (column == SP_FAL_FLAG && sp_country_alpha3(code, ret))
        memcpy(ret, code, sizeof code);
}

static void put_ship(struct reader *r, const struct sp_csv_record *record, int column, const char *value)
{
    char text[SHIP_TEXT];
    if (strlen(value) >= SHIP_TEXT)
        sp_listing_deviate(r->listing, record->line, record->offset, "a value of the ship is over %d bytes, cut",
                           SHIP_TEXT - 1);
    spell_ship(text, column, value);
    if (!r->ship[column][0])
        memcpy(r->ship[column], text, sizeof text);
    else if (text[0] && strcasecmp(r->ship[column], text) != 0)
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "a value of the ship comes a second time, and differs; the first one is kept");
}

/* A line in front of the header: a title, or pairs of key and value. */
static void take_preamble(struct reader *r, const struct sp_csv_record *record)
{
    int unknown = 0;
    for (int i = 0; i < record->count; i++) {
        int column = sp_fal_column(record->fields[i]), form = form_of(record->fields[i]);
        bool pair = i + 1 < record->count;
        if (form > 0) {
            if (r->form == 0)
                r->form = form;
        } else if (column >= 0 && column < SP_FAL_SHIP_COUNT && pair) {
            put_ship(r, record, column, record->fields[++i]);
        } else if (column == SP_FAL_NOTHING) {
            i += pair;
        } else if (record->fields[i][0] && unknown == 0) {
            unknown = i + 1;
        }
    }
    if (unknown > 0)
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "a line in front of the header that says nothing known in field %d", unknown);
}

/* "Number" beside "Type of identity document" is the document's, not a running one. */
static void find_number(struct reader *r, const struct sp_csv_record *record)
{
    for (int i = 1; i < record->count && !r->has[SP_FAL_DOC_NUMBER] && !r->has[SP_FAL_DOCUMENT]; i++)
        if (r->column[i] == SP_FAL_NOTHING && r->column[i - 1] == SP_FAL_DOC_TYPE) {
            r->column[i] = SP_FAL_DOC_NUMBER;
            r->has[SP_FAL_DOC_NUMBER] = true;
        }
}

static enum sp_status take_header(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    r->count = record->count;
    for (int i = 0; i < record->count; i++) {
        int column = r->column[i] = sp_fal_column(record->fields[i]);
        if (column < 0 && record->fields[i][0])
            sp_listing_deviate(r->listing, record->line, record->offset, "unknown column ignored: %.40s",
                               record->fields[i]);
        if (column >= 0 && column != SP_FAL_NOTHING && r->has[column])
            return sp_fail(err, SP_E_FORMAT, "%s line %d: column %d says the same as one before it", r->source,
                           record->line, i + 1);
        if (column >= 0)
            r->has[column] = true;
    }
    find_number(r, record);
    return SP_OK;
}

/* One of the ship's dates; "" and a deviation if it is none. */
static const char *date_of(struct reader *r, const struct sp_csv_record *record, int column)
{
    char time[17];
    bool zone;
    const char *text = r->ship[column];
    if (!text[0] || sp_field_time(time, &zone, text))
        return text;
    sp_listing_deviate_value(r->listing, record->line, record->offset,
                             "the ship's date is none, or day and month cannot be told apart");
    return "";
}

/* A port that may be named in two ways. */
static const char *port_of(struct reader *r, const struct sp_csv_record *record, int column, int other)
{
    const char *port = r->ship[column], *second = r->ship[other];
    if (port[0] && second[0] && strcasecmp(port, second) != 0)
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "a port comes a second time, and differs; the first one is kept");
    return port[0] ? port : second;
}

/* Whether it arrives: what the file says, else a guess that is a deviation. */
static bool is_entry(struct reader *r, const struct sp_csv_record *record)
{
    char(*s)[SHIP_TEXT] = r->ship;
    bool entry = s[SP_FAL_ARRIVAL][0] != 0 || strncasecmp(s[SP_FAL_WAY], "arr", 3) == 0;
    bool exit =
        strncasecmp(s[SP_FAL_WAY], "dep", 3) == 0 || (!s[SP_FAL_WAY][0] && !entry && s[SP_FAL_DEPARTURE][0]);
    if (entry || exit)
        return !exit;
    entry = s[SP_FAL_LAST_PORT][0] != 0 && !s[SP_FAL_NEXT_PORT][0];
    sp_listing_deviate(r->listing, record->line, record->offset,
                       "does not say whether it arrives or departs; taken for %s", entry ? "arrival" : "departure");
    return entry;
}

/* One leg: towards the port on arrival, away from it on departure. */
static enum sp_status put_leg(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    const char *date = date_of(r, record, SP_FAL_DATE), *arrival = date_of(r, record, SP_FAL_ARRIVAL);
    const char *departure = date_of(r, record, SP_FAL_DEPARTURE);
    bool entry = is_entry(r, record);
    if (entry && !arrival[0])
        arrival = date;
    if (!entry && !departure[0])
        departure = date;
    if (entry && arrival[0] && strncmp(departure, arrival, strlen(departure) < 16 ? 10 : 16) > 0) {
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "the departure is after the arrival: that of the call, not of the leg; left out");
        departure = "";
    }
    const struct sp_journey_leg leg = {port_of(r, record, entry ? SP_FAL_LAST_PORT : SP_FAL_PORT, SP_FAL_FROM),
                                       port_of(r, record, entry ? SP_FAL_PORT : SP_FAL_NEXT_PORT, SP_FAL_TO),
                                       departure, arrival};
    enum sp_status status = sp_journey_put_leg(r->listing, &leg, record->line, record->offset, err);
    return status == SP_OK ? sp_journey_put(r->listing, SP_JOURNEY_DIRECTION, entry ? "entry" : "exit",
                                            record->line, record->offset, err)
                           : status;
}

static enum sp_status put_journey(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    char flag[4] = "";
    const char *id = r->ship[SP_FAL_IMO][0] ? r->ship[SP_FAL_IMO] : r->ship[SP_FAL_CALL_SIGN];
    if (strncasecmp(id, "IMO", 3) == 0)
        id += 3 + strspn(id + 3, " ");
    if (r->ship[SP_FAL_FLAG][0] && !sp_country_alpha3(flag, r->ship[SP_FAL_FLAG]))
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "flag must be a country of two or three letters, left out");
    const struct {
        enum sp_journey_field field;
        const char *text;
    } values[] = {{SP_JOURNEY_MODE, "sea"},
                  {SP_JOURNEY_CARRIER, r->ship[SP_FAL_LINE]},
                  {SP_JOURNEY_NUMBER, r->ship[SP_FAL_VOYAGE]},
                  {SP_JOURNEY_VESSEL, r->ship[SP_FAL_SHIP]},
                  {SP_JOURNEY_VESSEL_ID, id},
                  {SP_JOURNEY_FLAG, flag}};
    enum sp_status status = SP_OK;
    for (int i = 0; status == SP_OK && i < 6; i++)
        status = sp_journey_put(r->listing, values[i].field, values[i].text, record->line, record->offset, err);
    r->journey_put = true;
    return status == SP_OK ? put_leg(r, record, err) : status;
}

/* Whether another value in this column makes it another call; in other columns it is only not kept. */
static bool names_call(const struct reader *r, int column)
{
    bool given = r->ship[column][0] != 0;
    return column == SP_FAL_IMO || column == SP_FAL_VOYAGE ||
           (given &&
            (column == SP_FAL_DATE || column == SP_FAL_ARRIVAL || column == SP_FAL_DEPARTURE ||
             column == SP_FAL_PORT || column == SP_FAL_LAST_PORT || column == SP_FAL_FROM || column == SP_FAL_TO));
}

/* The ship's columns of one line: the first line's are the file's. */
static enum sp_status take_ship(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    char text[SHIP_TEXT];
    bool differs = false;
    for (int i = 0; i < record->count && i < r->count; i++) {
        int column = r->column[i];
        if (column < 0 || column >= SP_FAL_SHIP_COUNT || !record->fields[i][0])
            continue;
        spell_ship(text, column, record->fields[i]);
        if (!r->journey_put)
            put_ship(r, record, column, record->fields[i]);
        else if (strcasecmp(text, r->ship[column]) != 0 && names_call(r, column))
            return sp_fail(err, SP_E_FORMAT,
                           "%s line %d: another ship or voyage, port or date than the first line's: split the file",
                           r->source, record->line);
        else
            differs = differs || strcasecmp(text, r->ship[column]) != 0;
    }
    if (differs)
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "a value of the ship differs from the first line's; it is not kept");
    return r->journey_put ? SP_OK : put_journey(r, record, err);
}

struct person {
    const char *document, *type, *number, *expiry, *visa;
    char issuer[4], iso[11];
};

static enum sp_status put_names(struct reader *r, struct sp_traveller *t, const char *text, struct sp_err *err)
{
    const char *comma = strchr(text, ',');
    size_t surname = comma ? (size_t)(comma - text) : strlen(text);
    enum sp_status status = sp_field_put(r->listing, t, SP_FIELD_SURNAME, text, surname, err);
    if (status == SP_OK && comma)
        status = sp_field_put(r->listing, t, SP_FIELD_GIVEN, comma + 1, strlen(comma + 1), err);
    return status;
}

/* A field of the traveller's own: dates and countries in people's spellings. */
static enum sp_status put_field(struct reader *r, struct sp_traveller *t, enum sp_field field, const char *text,
                                struct sp_err *err)
{
    char iso[11], code[4], port[16];
    text += strspn(text, " ");
    if (field == SP_FIELD_DOB && text[0] && sp_field_people_date(iso, text))
        text = iso;
    if (field == SP_FIELD_NATIONALITY && sp_country_alpha3(code, text))
        text = code;
    if ((field == SP_FIELD_EMBARK || field == SP_FIELD_DEBARK) && strlen(text) == 6) {
        snprintf(port, sizeof port, "%s", text);
        squeeze(port);
        text = port;
    }
    enum sp_status status = sp_field_put(r->listing, t, field, text, strlen(text), err);
    sp_seal_wipe(iso, sizeof iso);
    return status;
}

static enum sp_status put_documents(struct reader *r, struct sp_traveller *t, struct person *p, struct sp_err *err)
{
    struct sp_fal_document both = {.type = ""};
    const char *type = sp_fal_document_type(p->type ? p->type : ""), *number = p->number ? p->number : "";
    enum sp_status status = SP_OK;
    if (p->document && p->document[0]) {
        sp_fal_document_split(&both, p->document);
        type = both.type;
        number = both.number;
    }
    if (!number[0] && (type[0] || p->issuer[0] || (p->expiry && p->expiry[0]) || (p->document && p->document[0])))
        sp_listing_deviate(r->listing, t->segment, t->offset, "an identity document without a number, left out");
    if (number[0] && strlen(type) > DOC_TYPE) {
        sp_listing_deviate(r->listing, t->segment, t->offset,
                           "the nature of the identity document is not known; taken for F, another one");
        type = "F";
    }
    if (!type[0])
        type = "P"; /* what ships' papers mean by a number alone */
    const struct sp_field_document document = {type, number, p->issuer, p->expiry, NULL},
                                   visa = {"V", p->visa, NULL, NULL, NULL};
    if (number[0])
        status = sp_field_put_document(r->listing, t, &document, err);
    if (status == SP_OK && p->visa && p->visa[0])
        status = sp_field_put_document(r->listing, t, &visa, err);
    sp_seal_wipe(&both, sizeof both);
    return status;
}

static enum sp_status take_person(struct reader *r, struct sp_traveller *t, const struct sp_csv_record *record,
                                  struct sp_err *err)
{
    struct person p = {0};
    enum sp_status status = SP_OK;
    for (int i = 0; status == SP_OK && i < record->count && i < r->count; i++) {
        const char *text = record->fields[i];
        switch (r->column[i]) {
        case SP_FAL_NAMES:
            status = put_names(r, t, text, err);
            break;
        case SP_FAL_DOCUMENT:
            p.document = text;
            break;
        case SP_FAL_DOC_TYPE:
            p.type = text;
            break;
        case SP_FAL_DOC_NUMBER:
            p.number = text;
            break;
        case SP_FAL_VISA:
            p.visa = text;
            break;
        case SP_FAL_DOC_EXPIRY:
            p.expiry = sp_field_people_date(p.iso, text) ? p.iso : text;
            break;
        case SP_FAL_DOC_ISSUER:
            if (text[0] && !sp_country_alpha3(p.issuer, text))
                sp_listing_deviate(r->listing, t->segment, t->offset,
                                   "the issuing state must be a country of two or three letters, left out");
            break;
        default:
            if (r->column[i] >= SP_FAL_FIELD)
                status = put_field(r, t, (enum sp_field)(r->column[i] - SP_FAL_FIELD), text, err);
        }
    }
    if (status == SP_OK)
        status = put_documents(r, t, &p, err);
    sp_seal_wipe(&p, sizeof p);
    return status;
}

/* A line without a name and a document is a total, a signature or the like. */
static bool has_person(const struct reader *r, const struct sp_csv_record *record)
{
    for (int i = 0; i < record->count && i < r->count; i++)
        if (names_person(r->column[i]) && record->fields[i][strspn(record->fields[i], " ")])
            return true;
    return false;
}

static enum sp_status take_row(struct reader *r, const struct sp_csv_record *record, struct sp_err *err)
{
    struct sp_traveller *traveller = NULL;
    const char *role = r->form == 5 ? "crew" : "passenger";
    if (!has_person(r, record)) {
        sp_listing_deviate(r->listing, record->line, record->offset,
                           "a line without a name and a document, ignored");
        return SP_OK;
    }
    bool other = record->count < r->count;
    for (int i = r->count; i < record->count; i++)
        other = other || record->fields[i][0];
    if (other)
        sp_listing_deviate(r->listing, record->line, record->offset, "%d fields, the header has %d", record->count,
                           r->count);
    enum sp_status status = take_ship(r, record, err);
    if (status == SP_OK)
        status = sp_listing_add_traveller(r->listing, record->line, record->offset, &traveller, err);
    if (status == SP_OK)
        status = sp_field_put(r->listing, traveller, SP_FIELD_ROLE, role, strlen(role), err);
    return status == SP_OK ? take_person(r, traveller, record, err) : status;
}

static enum sp_status next_record(struct sp_csv *csv, struct sp_csv_record *ret_record, struct sp_err *err)
{
    enum sp_status status = sp_csv_next(csv, ret_record, err);
    if (status == SP_OK)
        sp_csv_trim(csv, ret_record);
    return status;
}

static enum sp_status read_records(struct reader *r, struct sp_csv *csv, struct sp_err *err)
{
    struct sp_csv_record record;
    enum sp_status status;
    while ((status = next_record(csv, &record, err)) == SP_OK && !is_header(&record))
        take_preamble(r, &record);
    if (status == SP_E_CLOSED)
        return sp_fail(err, SP_E_FORMAT, "%s: no line names columns of a FAL form 5 or 6 (family name, ...)",
                       r->source);
    if (status == SP_OK)
        status = take_header(r, &record, err);
    if (r->form == 0)
        r->form = r->has[SP_FAL_FIELD + SP_FIELD_RANK] ? 5 : 6;
    r->listing->format = r->form == 5 ? SP_LISTING_FAL5 : SP_LISTING_FAL6;
    r->listing->group = r->form == 5 ? SP_GROUP_CREW : SP_GROUP_PASSENGERS;
    while (status == SP_OK && (status = next_record(csv, &record, err)) == SP_OK) {
        status = take_row(r, &record, err);
        if (status == SP_E_LIMIT && err && !strstr(err->text, r->source))
            sp_fail_in(err, "%s line %d", r->source, record.line);
    }
    if (status == SP_E_CLOSED)
        status = r->journey_put ? SP_OK : put_journey(r, &record, err); /* a nil list */
    return status;
}

enum sp_status sp_fal_parse(struct sp_listing **ret_listing, const char *name, const void *bytes, size_t length,
                            int form, struct sp_err *err)
{
    struct sp_csv *csv = NULL;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", name);
    r->source = name;
    r->form = form;
    enum sp_status status = sp_csv_new(&csv, name, bytes, length, err);
    if (status == SP_OK)
        status = sp_listing_new(&r->listing, SP_LISTING_FAL6, err);
    if (status == SP_OK) {
        sp_csv_separate(csv, sp_csv_separator(bytes, length));
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

bool sp_fal_looks_like(const void *bytes, size_t length)
{
    struct sp_csv *csv = NULL;
    struct sp_csv_record record;
    bool found = false;
    if (sp_csv_new(&csv, "", bytes, length, NULL) != SP_OK)
        return false;
    sp_csv_separate(csv, sp_csv_separator(bytes, length));
    for (int i = 0; i < 40 && !found && sp_csv_next(csv, &record, NULL) == SP_OK; i++)
        found = is_header(&record);
    sp_csv_free(&csv);
    return found;
}
