#include "roster/roster.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/seal.h"
#include "listing/csv.h"
#include "listing/read.h"

/* Two people came with one reference or document: what the later one is not known by. */
enum { WITHOUT_REF = 1, WITHOUT_DOCUMENT = 2 };

/* While rows are made. */
struct maker {
    struct sp_roster *roster;
    const struct sp_listing *listing;
    const struct sp_leg *leg; /* NULL: none */
    bool desk;                /* a desk's own format */
    bool again;               /* somebody is to be known by less: the rows are made once more */
    uint8_t *without;         /* of each traveller: WITHOUT_... */
    int *traveller;           /* of each row */
    char number[32];
    char photos[SP_LISTING_MAX_PHOTOS * (SP_LISTING_MAX_TEXT + 1)];
    char documents[SP_LISTING_MAX_DOCUMENTS * 80];
};

static void warn(struct maker *m, int segment, const char *text)
{
    struct sp_roster *roster = m->roster;
    char warning[sizeof roster->warnings[0]];
    if (segment > 0)
        snprintf(warning, sizeof warning, "%.60s %s %d: %.100s", roster->source,
                 sp_listing_place_word(m->listing->format), segment, text);
    else
        snprintf(warning, sizeof warning, "%.60s: %.110s", roster->source, text);
    for (char *c = warning; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* a file's words must not steer the terminal they are shown on */
    if (roster->warning_count < SP_ROSTER_MAX_WARNINGS)
        memcpy(roster->warnings[roster->warning_count], warning, sizeof warning);
    roster->warning_count++;
}

/* The document that names the traveller: the first passport, else the first. -1: none. */
static int main_document(const struct sp_traveller *t)
{
    for (int i = 0; i < t->document_count; i++)
        if (toupper((unsigned char)t->documents[i].type[0]) == 'P' && t->documents[i].number[0])
            return i;
    return t->document_count > 0 ? 0 : -1;
}

/* A part of a list with ':' and ';' between: those in it become spaces. */
static size_t put_joined(char *ret, size_t at, size_t size, const char *text, char behind)
{
    for (; *text && at + 2 < size; text++)
        ret[at++] = *text == ':' || *text == ';' ? ' ' : *text;
    if (at + 1 < size && behind)
        ret[at++] = behind;
    ret[at] = 0;
    return at;
}

static void join_documents(struct maker *m, const struct sp_traveller *t, int main)
{
    size_t at = 0;
    m->documents[0] = 0;
    for (int i = 0; i < t->document_count; i++) {
        const struct sp_document *d = &t->documents[i];
        if (i == main)
            continue;
        if (at > 0)
            at = put_joined(m->documents, at, sizeof m->documents, "", ';');
        at = put_joined(m->documents, at, sizeof m->documents, d->type, ':');
        at = put_joined(m->documents, at, sizeof m->documents, d->number, ':');
        at = put_joined(m->documents, at, sizeof m->documents, d->issuer, ':');
        at = put_joined(m->documents, at, sizeof m->documents, d->expiry, 0);
    }
}

static void join_photos(struct maker *m, const struct sp_traveller *t)
{
    size_t at = 0;
    m->photos[0] = 0;
    for (int i = 0; i < t->photo_count; i++)
        at += (size_t)snprintf(m->photos + at, sizeof m->photos - at, "%s%s", i > 0 ? ";" : "", t->photos[i]);
}

static void put_values(struct maker *m, const char **v, const struct sp_traveller *t, uint8_t without)
{
    static const struct sp_document none = {"", "", "", "", ""};
    int main = without & WITHOUT_DOCUMENT ? -1 : main_document(t);
    const struct sp_document *d = main >= 0 ? &t->documents[main] : &none;
    join_documents(m, t, main);
    join_photos(m, t);
    v[SP_COLUMN_CARRIER] = sp_journey_carrier(m->listing);
    v[SP_COLUMN_JOURNEY] = m->number;
    v[SP_COLUMN_MODE] = m->listing->mode;
    v[SP_COLUMN_DIRECTION] = m->listing->direction;
    v[SP_COLUMN_DEP_PORT] = m->leg ? m->leg->dep_port : "";
    v[SP_COLUMN_ARR_PORT] = m->leg ? m->leg->arr_port : "";
    v[SP_COLUMN_SCHED_DEP] = m->leg ? m->leg->sched_dep : "";
    v[SP_COLUMN_SCHED_ARR] = m->leg ? m->leg->sched_arr : "";
    v[SP_COLUMN_TRAVELLER_REF] = without & WITHOUT_REF ? "" : t->ref;
    v[SP_COLUMN_ROLE] = t->role;
    v[SP_COLUMN_SURNAME] = t->surname;
    v[SP_COLUMN_GIVEN] = t->given;
    v[SP_COLUMN_DOB] = t->dob;
    v[SP_COLUMN_SEX] = t->sex;
    v[SP_COLUMN_NATIONALITY] = t->nationality;
    v[SP_COLUMN_DOC_TYPE] = d->type;
    v[SP_COLUMN_DOC_NUMBER] = d->number;
    v[SP_COLUMN_DOC_ISSUER] = d->issuer;
    v[SP_COLUMN_DOC_EXPIRY] = d->expiry;
    v[SP_COLUMN_PNR] = t->pnr;
    v[SP_COLUMN_SEAT_OR_CABIN] = t->seat_or_cabin;
    v[SP_COLUMN_EMBARK] = t->embark;
    v[SP_COLUMN_DEBARK] = t->debark;
    v[SP_COLUMN_TRANSIT] = t->transit;
    v[SP_COLUMN_PHOTO_URI] = m->photos;
    v[SP_COLUMN_RESIDENCE] = t->residence;
    v[SP_COLUMN_BIRTH_PLACE] = t->birth_place;
    v[SP_COLUMN_RANK] = t->rank;
    v[SP_COLUMN_FURTHER_DOCUMENTS] = m->documents;
    v[SP_COLUMN_VALID_FROM] = t->valid_from;
    v[SP_COLUMN_VALID_TO] = t->valid_to;
    v[SP_COLUMN_MRZ] = t->mrz;
}

/* What is too long for its column goes, with a warning: adapters have kept everything else from coming here. */
static enum sp_status check_lengths(struct maker *m, const char **v, const struct sp_traveller *t,
                                    struct sp_err *err)
{
    char text[80];
    for (int i = 0; i < SP_COLUMN_COUNT; i++) {
        int max = sp_column_max((enum sp_column)i);
        if (strlen(v[i]) <= (size_t)max)
            continue;
        snprintf(text, sizeof text, "%s is over %d bytes", sp_column_name((enum sp_column)i), max);
        if (m->desk)
            return sp_fail(err, SP_E_LIMIT, "%s %s %d: %s", m->roster->source,
                           sp_listing_place_word(m->listing->format), t->segment, text);
        warn(m, t->segment, text);
        v[i] = "";
    }
    return SP_OK;
}

static enum sp_status take_traveller(struct maker *m, int index, struct sp_err *err)
{
    const struct sp_traveller *t = &m->listing->travellers[index];
    struct sp_row *row = &m->roster->rows[m->roster->row_count];
    const char *v[SP_COLUMN_COUNT];
    size_t size = 1, at = 1;
    put_values(m, v, t, m->without[index]);
    enum sp_status status = check_lengths(m, v, t, err);
    if (status != SP_OK)
        return status;
    if (!v[SP_COLUMN_TRAVELLER_REF][0] && !v[SP_COLUMN_SURNAME][0] &&
        !(v[SP_COLUMN_DOC_NUMBER][0] && v[SP_COLUMN_DOC_ISSUER][0])) {
        warn(m, t->segment, "a traveller without reference, document and name is left out");
        return SP_OK;
    }
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        size += strlen(v[i]) + 1;
    row->line = t->segment > 0 ? t->segment : index + 1;
    row->text = calloc(1, size);
    if (!row->text)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for a row", m->roster->source);
    for (int i = 0; i < SP_COLUMN_COUNT; i++) {
        size_t length = strlen(v[i]);
        row->values[i] = row->text; /* the empty string at its begin */
        if (length == 0)
            continue;
        memcpy(row->text + at, v[i], length + 1);
        row->values[i] = row->text + at;
        at += length + 1;
    }
    m->traveller[m->roster->row_count++] = index;
    if (m->without[index])
        warn(m, t->segment, "has the reference or document of an earlier one, but another name: both are kept");
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

/* Names and birth as far as both are given: families share references, children their parents' passports. */
static bool other_person(const struct sp_row *a, const struct sp_row *b)
{
    if (!a->values[SP_COLUMN_TRAVELLER_REF][0] && !a->values[SP_COLUMN_DOC_NUMBER][0])
        return false; /* it is the names that are the same */
    static const enum sp_column columns[] = {SP_COLUMN_SURNAME, SP_COLUMN_GIVEN, SP_COLUMN_DOB};
    for (int i = 0; i < 3; i++) {
        const char *x = a->values[columns[i]], *y = b->values[columns[i]];
        if (x[0] && y[0] && strcasecmp(x, y) != 0)
            return true;
    }
    return false;
}

/* Two rows of one traveller: the same twice is dropped with a warning; a contradiction is a desk's error, of what a
 * carrier sends the last counts. */
static enum sp_status drop_repeats(struct maker *m, struct sp_err *err)
{
    struct sp_roster *roster = m->roster;
    const char *place = sp_listing_place_word(m->listing->format);
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
        if (!same_values(first, second) && m->desk) {
            status = sp_fail(err, SP_E_FORMAT,
                             "%s %s %d: the same traveller as %s %d (same traveller_ref or document), with other "
                             "values: keep one",
                             roster->source, place, second->line, place, first->line);
            break;
        }
        if (other_person(first, second)) {
            m->without[m->traveller[order[i]->row]] |=
                second->values[SP_COLUMN_TRAVELLER_REF][0] ? WITHOUT_REF : WITHOUT_DOCUMENT;
            m->again = true;
            order[i]->row = order[i - 1]->row;
            continue;
        }
        if (!same_values(first, second)) {
            warn(m, second->line, "comes again with other values: the last counts");
            first->line = 0;
            continue;
        }
        warn(m, second->line, "repeats an earlier line, ignored");
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

/* A desk's own file must be right; the others' deviations are warnings. */
static enum sp_status take_deviations(struct maker *m, struct sp_err *err)
{
    const struct sp_listing *listing = m->listing;
    for (int i = 0; i < sp_listing_noted(listing); i++) {
        const struct sp_deviation *d = &listing->deviations[i];
        if (!m->desk || !d->value)
            warn(m, d->segment, d->text);
        else if (d->segment > 0)
            return sp_fail(err, SP_E_FORMAT, "%s %s %d: %s", m->roster->source,
                           sp_listing_place_word(listing->format), d->segment, d->text);
        else
            return sp_fail(err, SP_E_FORMAT, "%s: %s", m->roster->source, d->text);
    }
    if (m->desk && listing->value_count > 0)
        return sp_fail(err, SP_E_FORMAT, "%s: %d values are not of their form", m->roster->source,
                       listing->value_count);
    m->roster->warning_count += listing->deviation_count - sp_listing_noted(listing);
    return SP_OK;
}

static enum sp_status make_rows(struct maker *m, const struct sp_roster_options *options, struct sp_err *err)
{
    struct sp_err wrong = {0};
    enum sp_status status = take_deviations(m, err);
    if (status != SP_OK)
        return status;
    status = sp_journey_id(m->roster->manifest, m->listing, options->ports, options->port_count, &wrong);
    if (status != SP_OK)
        return sp_fail(err, status, "%s: %s", m->roster->source, wrong.text);
    m->leg = sp_journey_leg(m->listing, options->ports, options->port_count);
    sp_journey_number(m->number, m->listing);
    size_t count = (size_t)m->listing->traveller_count + 1;
    m->roster->rows = calloc(count, sizeof *m->roster->rows);
    m->without = calloc(count, 1);
    m->traveller = calloc(count, sizeof *m->traveller);
    if (!m->roster->rows || !m->without || !m->traveller)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for %d rows", m->roster->source,
                       m->listing->traveller_count);
    int warned = m->roster->warning_count;
    do { /* each time somebody loses one of two things: it ends */
        for (int i = 0; i < m->roster->row_count; i++)
            sp_row_clear(&m->roster->rows[i]);
        m->roster->row_count = 0;
        m->roster->warning_count = warned;
        m->again = false;
        for (int i = 0; status == SP_OK && i < m->listing->traveller_count; i++)
            status = take_traveller(m, i, err);
        if (status == SP_OK)
            status = drop_repeats(m, err);
    } while (status == SP_OK && m->again);
    return status;
}

enum sp_status sp_roster_from_listing(struct sp_roster **ret_roster, const struct sp_listing *listing,
                                      const struct sp_roster_options *options, struct sp_err *err)
{
    const char *slash = strrchr(options->name, '/');
    struct sp_roster *roster = calloc(1, sizeof *roster);
    struct maker *m = calloc(1, sizeof *m);
    enum sp_status status = SP_OK;
    if (!roster || !m) {
        status = sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", options->name);
    } else {
        snprintf(roster->source, sizeof roster->source, "%s", slash ? slash + 1 : options->name);
        m->roster = roster;
        m->listing = listing;
        m->desk = listing->format == SP_LISTING_CSV || listing->format == SP_LISTING_JSON ||
                  listing->format == SP_LISTING_NDJSON;
        status = make_rows(m, options, err);
    }
    if (m) {
        sp_seal_wipe(m->documents, sizeof m->documents);
        free(m->without);
        free(m->traveller);
    }
    free(m);
    if (status == SP_OK)
        *ret_roster = roster;
    else
        sp_roster_free(&roster);
    return status;
}

enum sp_status sp_roster_parse(struct sp_roster **ret_roster, const char *name, const void *bytes, size_t length,
                               struct sp_err *err)
{
    struct sp_listing **listings = NULL;
    int count = 0;
    const struct sp_listing_read_options how = {.format = "csv", .now_ms = sp_clock_wall_ms()};
    const struct sp_roster_options options = {.name = name};
    enum sp_status status = sp_listing_read_bytes(&listings, &count, name, bytes, length, &how, err);
    if (status == SP_OK)
        status = sp_roster_from_listing(ret_roster, listings[0], &options, err);
    sp_listing_free_all(&listings, count);
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
