#include "roster/apply_match.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES 64 /* rows of one identity that are looked at: a hostile list must not cost its square */

/* One identity of one row. */
struct entry {
    uint8_t digest[16];
    int row;
};

/* All identities of one kind, sorted. */
struct entries {
    struct entry *all;
    int count;
};

struct matching {
    struct entries standing[SP_IDENTITY_COUNT], coming[SP_IDENTITY_COUNT];
    bool *taken; /* standing rows */
    struct sp_match *matches;
    struct sp_applied *applied;
    const struct sp_manifest_index *before;
    const struct sp_row *rows_before;
    const struct sp_roster *roster;
    enum sp_listing_format format;
};

void sp_apply_problem(struct sp_applied *applied, int source, const char *format, ...)
{
    int at = applied->problem_count++;
    if (at >= SP_APPLY_MAX_PROBLEMS)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(applied->problems[at].text, sizeof applied->problems[at].text, format, arguments);
    va_end(arguments);
    applied->problems[at].source = source;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = memcmp(x->digest, y->digest, sizeof x->digest);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static bool digest_of(uint8_t ret_digest[16], const struct sp_row *row, enum sp_identity kind)
{
    char text[SP_ROW_IDENTITY_MAX];
    size_t length = sp_row_identity_as(text, row, kind);
    if (length > 0)
        sp_seal_hash(ret_digest, 16, text, length, NULL, 0);
    sp_seal_wipe(text, length);
    return length > 0;
}

static bool entries_new(struct entries *ret, const struct sp_row *rows, int count, enum sp_identity kind)
{
    ret->all = calloc((size_t)count + 1, sizeof *ret->all);
    if (!ret->all)
        return false;
    for (int i = 0; i < count; i++)
        if (digest_of(ret->all[ret->count].digest, &rows[i], kind))
            ret->all[ret->count++].row = i;
    qsort(ret->all, (size_t)ret->count, sizeof *ret->all, compare_entries);
    return true;
}

/* Rows that have the identity of `row`: fills ret_rows in their order; how many, at most CANDIDATES. */
static int candidates(int ret_rows[CANDIDATES], const struct entries *entries, const struct sp_row *row,
                      enum sp_identity kind)
{
    struct entry wanted = {.row = -1};
    int low = 0, high = entries->count, count = 0;
    if (!digest_of(wanted.digest, row, kind))
        return 0;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (compare_entries(&entries->all[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < entries->count && count < CANDIDATES; low++, count++) {
        if (memcmp(entries->all[low].digest, wanted.digest, sizeof wanted.digest) != 0)
            break;
        ret_rows[count] = entries->all[low].row;
    }
    return count;
}

static bool has_document(const struct sp_row *row)
{
    return row->values[SP_COLUMN_DOC_NUMBER][0] && row->values[SP_COLUMN_DOC_ISSUER][0];
}

static bool same_column(const struct sp_row *a, const struct sp_row *b, enum sp_column column)
{
    return sp_row_same_text(a->values[column], b->values[column]);
}

static bool refs_differ(const struct sp_row *a, const struct sp_row *b)
{
    const char *x = a->values[SP_COLUMN_TRAVELLER_REF], *y = b->values[SP_COLUMN_TRAVELLER_REF];
    return x[0] && y[0] && strcmp(x, y) != 0;
}

static bool names_differ(const struct sp_row *a, const struct sp_row *b)
{
    return !same_column(a, b, SP_COLUMN_SURNAME) || !same_column(a, b, SP_COLUMN_GIVEN) ||
           !same_column(a, b, SP_COLUMN_DOB);
}

/* Neither a misspelt name nor a mistyped birthday: both. */
static bool other_person(const struct sp_row *a, const struct sp_row *b)
{
    static const enum sp_column columns[] = {SP_COLUMN_SURNAME, SP_COLUMN_DOB};
    for (int i = 0; i < 2; i++)
        if (!a->values[columns[i]][0] || !b->values[columns[i]][0] || same_column(a, b, columns[i]))
            return false;
    return true;
}

/* Carriers give a reference again: a row of the name and birthday of somebody else, whom no document proves to be
 * the same, must not take over that one's portraits. */
static bool reference_went_on(const struct sp_row *a, const struct sp_row *b)
{
    bool same_document = has_document(a) && has_document(b) && same_column(a, b, SP_COLUMN_DOC_NUMBER) &&
                         same_column(a, b, SP_COLUMN_DOC_ISSUER);
    return other_person(a, b) && !same_document;
}

/* Of two rows that share an identity of this kind: the same traveller? one_sender: their references are of one
 * kind. */
static bool same_traveller(const struct sp_row *a, const struct sp_row *b, enum sp_identity kind, bool one_sender)
{
    if (kind == SP_IDENTITY_REF)
        return !reference_went_on(a, b);
    bool references = one_sender && refs_differ(a, b);
    if (kind == SP_IDENTITY_DOCUMENT) /* one number for two people is a typing error, and both of them travel */
        return !other_person(a, b) && !(references && names_differ(a, b));
    bool documents = has_document(a) && has_document(b) && same_column(a, b, SP_COLUMN_DOC_TYPE) &&
                     !(same_column(a, b, SP_COLUMN_DOC_NUMBER) && same_column(a, b, SP_COLUMN_DOC_ISSUER));
    return !references && !documents;
}

/* What `row` does not say is taken from another row of the same traveller. A document and a name stay whole. */
static void fill(struct sp_row *row, const struct sp_row *from)
{
    static const enum sp_column document[] = {SP_COLUMN_DOC_TYPE, SP_COLUMN_DOC_NUMBER, SP_COLUMN_DOC_ISSUER,
                                              SP_COLUMN_DOC_EXPIRY};
    bool keep_document = row->values[SP_COLUMN_DOC_NUMBER][0] && !same_column(row, from, SP_COLUMN_DOC_NUMBER);
    bool keep_names = row->values[SP_COLUMN_SURNAME][0] || row->values[SP_COLUMN_GIVEN][0];
    for (int i = 0; i < SP_COLUMN_COUNT; i++) {
        bool of_document = false;
        for (size_t k = 0; k < sizeof document / sizeof document[0]; k++)
            of_document = of_document || (int)document[k] == i;
        if ((of_document && keep_document) || (keep_names && (i == SP_COLUMN_SURNAME || i == SP_COLUMN_GIVEN)))
            continue;
        if (!row->values[i][0])
            row->values[i] = from->values[i];
    }
}

static bool says_else(const struct sp_row *a, const struct sp_row *b)
{
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        if (a->values[i][0] && b->values[i][0] && strcmp(a->values[i], b->values[i]) != 0)
            return true;
    return false;
}

/* ---- inside the message ---- */

static void join_repeat(struct matching *m, int i)
{
    static const char *const by[] = {"reference", "document", "names and date of birth"};
    const struct sp_row *row = &m->roster->rows[i];
    int found[CANDIDATES];
    for (int kind = 0; kind < SP_IDENTITY_COUNT; kind++) {
        int count = candidates(found, &m->coming[kind], row, (enum sp_identity)kind);
        for (int k = 0; k < count && found[k] < i; k++) {
            struct sp_match *first = &m->matches[found[k]];
            int line = m->roster->rows[found[k]].line;
            if (first->same_as >= 0)
                continue;
            if (!same_traveller(&first->row, row, (enum sp_identity)kind, true)) {
                if (kind != SP_IDENTITY_NAMES)
                    sp_apply_problem(m->applied, i, "has the %s of line %d, and is somebody else: two travellers",
                                     by[kind], line);
                continue;
            }
            if (says_else(&first->row, row))
                sp_apply_problem(m->applied, i,
                                 "is the traveller of line %d (same %s) and says other things: the last counts",
                                 line, by[kind]);
            struct sp_row last = *row;
            last.text = NULL;
            fill(&last, &first->row);
            first->row = last;
            m->matches[i].same_as = found[k];
            return;
        }
    }
}

/* ---- against what stands ---- */

/* True if the row's references come from the same kind of sender as this message's. */
static bool one_sender(const struct matching *m, int standing)
{
    const struct sp_manifest_index *before = m->before;
    for (int i = before->receipt_count - 1; i >= 0; i--)
        if (before->receipts[i].series == before->rows[standing].series)
            return before->receipts[i].format == m->format;
    return true;
}

/* The one free standing row that is this traveller; -1: none, -2: more than one. */
static int find(const struct matching *m, const struct sp_row *row, enum sp_identity kind, int except)
{
    int found[CANDIDATES], count = candidates(found, &m->standing[kind], row, kind), only = -1;
    for (int k = 0; k < count; k++) {
        const struct sp_row *other = &m->rows_before[found[k]];
        if (m->taken[found[k]] || found[k] == except || !same_traveller(other, row, kind, one_sender(m, found[k])))
            continue;
        if (only >= 0)
            return -2;
        only = found[k];
    }
    return only;
}

/* The free standing row of somebody else who had this new traveller's reference, by the same kind of sender. */
static int find_replaced(const struct matching *m, const struct sp_row *row)
{
    int found[CANDIDATES], count = candidates(found, &m->standing[SP_IDENTITY_REF], row, SP_IDENTITY_REF);
    for (int k = 0; k < count; k++)
        if (!m->taken[found[k]] && one_sender(m, found[k]) && reference_went_on(&m->rows_before[found[k]], row))
            return found[k];
    return -1;
}

static void match_standing(struct matching *m)
{
    int count = m->roster->row_count;
    for (int kind = 0; kind < SP_IDENTITY_COUNT; kind++)
        for (int i = 0; i < count; i++) {
            struct sp_match *match = &m->matches[i];
            if (match->same_as >= 0 || match->before >= 0)
                continue;
            int found = find(m, &match->row, (enum sp_identity)kind, -1);
            if (found == -2 && kind == SP_IDENTITY_NAMES)
                sp_apply_problem(m->applied, i,
                                 "has the names of several travellers of the manifest and nothing that "
                                 "tells which: taken as another one");
            if (found < 0)
                continue;
            match->before = found;
            m->taken[found] = true;
        }
    /* A traveller may stand twice, under identities that only this message shows to be one. */
    for (int i = 0; i < count; i++) {
        struct sp_match *match = &m->matches[i];
        if (match->before < 0 && match->same_as < 0)
            match->replaced = find_replaced(m, &match->row);
        if (match->replaced >= 0)
            sp_apply_problem(m->applied, i, "has the reference that somebody else had before: another traveller");
        if (match->before < 0)
            continue;
        for (int kind = SP_IDENTITY_DOCUMENT; kind < SP_IDENTITY_COUNT && match->absorbed < 0; kind++) {
            int found = find(m, &match->row, (enum sp_identity)kind, match->before);
            if (found < 0)
                continue;
            if (kind == SP_IDENTITY_DOCUMENT ||
                same_traveller(&m->rows_before[found], &m->rows_before[match->before], SP_IDENTITY_NAMES, true)) {
                match->absorbed = found;
                m->taken[found] = true;
            }
        }
    }
}

static enum sp_status run(struct matching *m, struct sp_err *err)
{
    int standing = m->before ? m->before->row_count : 0;
    m->taken = calloc((size_t)standing + 1, sizeof *m->taken);
    bool room = m->taken != NULL;
    for (int kind = 0; kind < SP_IDENTITY_COUNT && room; kind++)
        room = entries_new(&m->standing[kind], m->rows_before, standing, (enum sp_identity)kind) &&
               entries_new(&m->coming[kind], m->roster->rows, m->roster->row_count, (enum sp_identity)kind);
    if (!room)
        return sp_fail(err, SP_E_NOMEM, "no memory to match %d travellers", m->roster->row_count);
    for (int i = 0; i < m->roster->row_count; i++) {
        m->matches[i] = (struct sp_match){-1, -1, -1, -1, m->roster->rows[i]};
        m->matches[i].row.text = NULL;
        join_repeat(m, i);
    }
    match_standing(m);
    for (int i = 0; i < m->roster->row_count; i++) {
        struct sp_match *match = &m->matches[i];
        if (match->before >= 0)
            fill(&match->row, &m->rows_before[match->before]);
        if (match->absorbed >= 0)
            fill(&match->row, &m->rows_before[match->absorbed]);
    }
    return SP_OK;
}

enum sp_status sp_apply_match(struct sp_match *ret_matches, struct sp_applied *applied,
                              const struct sp_manifest_index *before, const struct sp_row *rows_before,
                              const struct sp_roster *roster, enum sp_listing_format format, struct sp_err *err)
{
    struct matching m = {.matches = ret_matches,
                         .applied = applied,
                         .before = before,
                         .rows_before = rows_before,
                         .roster = roster,
                         .format = format};
    enum sp_status status = run(&m, err);
    for (int kind = 0; kind < SP_IDENTITY_COUNT; kind++) {
        free(m.standing[kind].all);
        free(m.coming[kind].all);
    }
    free(m.taken);
    return status;
}
