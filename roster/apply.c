#include "roster/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "listing/journey.h"
#include "roster/apply_match.h"
#include "roster/apply_series.h"
#include "roster/manifest_store.h"

struct applying {
    const struct sp_manifest_index *before;
    const struct sp_row *rows_before;
    const struct sp_roster *roster;
    const struct sp_apply_message *message;
    const struct sp_manifest_keys *keys;
    int64_t now_ms;
    struct sp_match *matches; /* per row of the roster */
    int *named_by;            /* per row before: row of the roster, or -1 */
    bool *absorbed;           /* per row before: it leaves */
    int began;                /* position among the receipts where this list began */
    struct sp_applied *applied;
};

/* ---- messages ---- */

void sp_apply_whole(struct sp_apply_message *ret_message, const struct sp_roster *roster,
                    enum sp_listing_action action, bool last_part)
{
    const struct sp_row *row = roster->row_count > 0 ? &roster->rows[0] : NULL;
#define FIRST(column) (row ? row->values[SP_COLUMN_##column] : "")
    *ret_message = (struct sp_apply_message){.format = SP_LISTING_CSV,
                                             .group = SP_GROUP_BOTH,
                                             .action = action,
                                             .reference = "",
                                             .series = "",
                                             .last_part = last_part,
                                             .declared = -1,
                                             .carrier = FIRST(CARRIER),
                                             .journey = FIRST(JOURNEY),
                                             .dep_port = FIRST(DEP_PORT),
                                             .arr_port = FIRST(ARR_PORT),
                                             .sched_dep = FIRST(SCHED_DEP),
                                             .sched_arr = FIRST(SCHED_ARR),
                                             .direction = FIRST(DIRECTION)};
#undef FIRST
}

static const char *given(const char *first, const char *second)
{
    return first[0] ? first : second;
}

void sp_apply_from_listing(struct sp_apply_message *ret_message, const struct sp_listing *listing,
                           const struct sp_roster *roster, const char *const *ports, int port_count)
{
    static const struct sp_leg none = {.dep_port = "", .arr_port = "", .sched_dep = "", .sched_arr = ""};
    const struct sp_leg *leg = sp_journey_leg(listing, ports, port_count);
    struct sp_apply_message *m = ret_message;
    leg = leg ? leg : &none;
    *m = (struct sp_apply_message){.format = listing->format,
                                   .group = listing->group,
                                   .action = listing->action,
                                   .part = listing->part,
                                   .last_part = listing->last_part,
                                   .declared = listing->declared,
                                   .deviations = listing->deviation_count,
                                   .carrier = sp_journey_carrier(listing),
                                   .dep_port = leg->dep_port,
                                   .arr_port = leg->arr_port,
                                   .sched_dep = leg->sched_dep,
                                   .sched_arr = leg->sched_arr,
                                   .direction = listing->direction};
    m->series = given(listing->common, given(listing->reference, listing->interchange));
    /* Senders number messages within an interchange: the same number in another one is another message. */
    if (listing->message[0] || listing->interchange[0])
        snprintf(m->own, sizeof m->own, "%s/%s", listing->interchange, listing->message);
    m->reference = m->own[0] ? m->own : m->series;
    m->standing = sp_manifest_id_standing(roster->manifest);
    sp_journey_number(m->number, listing);
    m->journey = m->number;
}

/* ---- rows ---- */

static bool is_crew(const struct sp_row *row)
{
    return sp_row_same_text(row->values[SP_COLUMN_ROLE], "crew") ||
           sp_row_same_text(row->values[SP_COLUMN_ROLE], "transit_crew");
}

static bool in_group(const struct applying *a, const struct sp_index_row *row)
{
    return a->message->group == SP_GROUP_BOTH || row->crew == (a->message->group == SP_GROUP_CREW);
}

static struct sp_applied_row *put(struct applying *a, int before)
{
    struct sp_applied_row *row = &a->applied->rows[a->applied->row_count++];
    *row = (struct sp_applied_row){.before = before, .source = -1, .absorbed = -1};
    if (before >= 0)
        row->index = a->before->rows[before];
    return row;
}

static bool says_the_same(const struct sp_row *a, const struct sp_row *b)
{
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        if (strcmp(a->values[i], b->values[i]) != 0)
            return false;
    return true;
}

/* This message's series, or the one that the row has if that list began later. */
static uint32_t newer_series(const struct applying *a, uint32_t has)
{
    uint32_t own = a->applied->receipt.series;
    int at = sp_apply_position(a->before, own);
    return at >= 0 && a->message->action == SP_ACTION_LIST && sp_apply_position(a->before, has) > at ? has : own;
}

/* A row that the message names, in its place of the new version. */
static void put_named(struct applying *a, int source)
{
    const struct sp_match *match = &a->matches[source];
    struct sp_applied_row *row = put(a, match->before);
    bool was_crew = match->before >= 0 && row->index.crew;
    row->source = source;
    row->absorbed = match->absorbed;
    row->row = match->row;
    row->index.series = newer_series(a, row->index.series);
    /* Crew that a passenger list names, too, stays crew: one traveller, one row. */
    row->index.crew = a->message->group == SP_GROUP_CREW || is_crew(&row->row) ||
                      (a->message->group == SP_GROUP_PASSENGERS && was_crew);
    if (match->before < 0) {
        sp_manifest_row_id(row->index.row, &row->row, a->keys);
        row->changed = true;
        a->applied->added++;
        return;
    }
    row->changed = !says_the_same(&row->row, &a->rows_before[match->before]) || row->index.crew != was_crew;
    a->applied->changed += row->changed;
    a->applied->kept += !row->changed;
}

/* The rows that stood and stay. leaves(row) says which of the unnamed ones do not. */
static void put_standing(struct applying *a, bool (*leaves)(const struct applying *a, int before))
{
    struct sp_applied *applied = a->applied;
    for (int i = 0; a->before && i < a->before->row_count; i++) {
        const struct sp_index_row *row = &a->before->rows[i];
        if (a->named_by[i] >= 0)
            continue;
        if (a->absorbed[i]) {
            applied->removed++;
        } else if (row->valid_to_ms > 0 && row->valid_to_ms < a->now_ms) {
            applied->expired++;
        } else if (leaves && leaves(a, i)) {
            applied->removed++;
        } else {
            put(a, i);
            applied->kept++;
        }
    }
}

static bool stands(const struct applying *a, const uint8_t id[SP_ROW_BYTES])
{
    return a->before && sp_index_find(a->before, id);
}

static int compare_ids(const void *a, const void *b)
{
    const struct sp_applied_row *x = *(struct sp_applied_row *const *)a, *y = *(struct sp_applied_row *const *)b;
    int order = memcmp(x->index.row, y->index.row, SP_ROW_BYTES);
    return order ? order : (y->before >= 0) - (x->before >= 0);
}

/* New rows whose identity's id is another row's get another: a row that stands may have had this identity once, and
 * one document may have been typed for two people. */
static enum sp_status separate_ids(struct applying *a, struct sp_err *err)
{
    struct sp_applied *applied = a->applied;
    struct sp_applied_row **order = malloc(((size_t)applied->row_count + 1) * sizeof(void *));
    if (!order)
        return sp_fail(err, SP_E_NOMEM, "no memory for the ids of %d rows", applied->row_count);
    for (int i = 0; i < applied->row_count; i++)
        order[i] = &applied->rows[i];
    qsort(order, (size_t)applied->row_count, sizeof(void *), compare_ids);
    uint8_t group[SP_ROW_BYTES] = {0};
    int nth = 0;
    for (int i = 0; i < applied->row_count; i++) {
        uint8_t *id = order[i]->index.row;
        bool again = i > 0 && memcmp(id, group, SP_ROW_BYTES) == 0;
        if (!again) {
            memcpy(group, id, SP_ROW_BYTES);
            nth = 0;
        }
        if (order[i]->before >= 0 || !(again || stands(a, id)))
            continue;
        do
            sp_manifest_row_id_again(id, &order[i]->row, ++nth, a->keys);
        while (stands(a, id));
    }
    free(order);
    return SP_OK;
}

static enum sp_status finish_rows(struct applying *a, struct sp_err *err)
{
    if (a->applied->row_count > SP_MANIFEST_MAX_ROWS)
        return sp_fail(err, SP_E_LIMIT, "manifest %s would have %d travellers, the limit is %d",
                       a->roster->manifest, a->applied->row_count, SP_MANIFEST_MAX_ROWS);
    return separate_ids(a, err);
}

static void put_all_named(struct applying *a)
{
    for (int i = 0; i < a->roster->row_count; i++)
        if (a->matches[i].same_as < 0)
            put_named(a, i);
}

/* ---- actions ---- */

/* A whole list: who is of its group and was not named since it began. */
static bool leaves_list(const struct applying *a, int before)
{
    const struct sp_index_row *row = &a->before->rows[before];
    return in_group(a, row) && row->series != a->applied->receipt.series &&
           sp_apply_position(a->before, row->series) < a->began;
}

static enum sp_status apply_list(struct applying *a, struct sp_err *err)
{
    struct sp_applied *applied = a->applied;
    const struct sp_apply_message *m = a->message;
    if (sp_apply_is_late(a->before, &applied->receipt)) {
        applied->late = true;
        return SP_OK;
    }
    int at = sp_apply_position(a->before, applied->receipt.series);
    a->began = m->part > 0 && at >= 0 ? at : a->before ? a->before->receipt_count : 0;
    bool all = sp_apply_is_whole(a->before, applied->receipt.series, &applied->receipt, &applied->parts);
    applied->partial = m->part == 0 ? !m->last_part : !all;
    put_all_named(a);
    /* A list without parts that is not the last word still says who travels so far. */
    put_standing(a, all || m->part == 0 ? leaves_list : NULL);
    applied->partial = applied->partial || sp_apply_others_open(a->before, m->group);
    if (a->roster->row_count == 0 && applied->removed > 0 && applied->parts.count <= 1 && m->declared != 0)
        return sp_fail(err, SP_E_INVALID,
                       "manifest %s: a list without any traveller would remove %d; one that means it declares 0",
                       a->roster->manifest, applied->removed);
    return finish_rows(a, err);
}

static enum sp_status apply_change(struct applying *a, struct sp_err *err)
{
    put_all_named(a);
    put_standing(a, NULL);
    a->applied->partial = !a->message->standing;
    return finish_rows(a, err);
}

static void apply_removal(struct applying *a)
{
    struct sp_applied *applied = a->applied;
    for (int i = 0; i < a->roster->row_count; i++) {
        const struct sp_match *match = &a->matches[i];
        if (match->same_as >= 0)
            continue;
        if (match->before >= 0 && in_group(a, &a->before->rows[match->before]))
            applied->removed++;
        else if (match->before >= 0)
            a->named_by[match->before] = -1, applied->unknown++;
        else
            applied->unknown++;
    }
    put_standing(a, NULL);
    applied->partial = true;
}

/* Boarding is over: those named are one thing, all others of the group the other. Parts may come in any order. */
static void apply_close(struct applying *a)
{
    struct sp_applied *applied = a->applied;
    enum sp_listing_action action = a->message->action;
    bool says = action == SP_ACTION_CLOSE_NOT_ON_BOARD || action == SP_ACTION_CLOSE_ON_BOARD;
    enum sp_boarding named = action == SP_ACTION_CLOSE_ON_BOARD ? SP_BOARDING_ON_BOARD : SP_BOARDING_NOT_ON_BOARD;
    enum sp_boarding others = action == SP_ACTION_CLOSE_ON_BOARD ? SP_BOARDING_NOT_ON_BOARD : SP_BOARDING_ON_BOARD;
    for (int i = 0; i < a->before->row_count; i++) {
        struct sp_applied_row *row = put(a, i);
        bool is_named = a->named_by[i] >= 0 && in_group(a, &row->index);
        enum sp_boarding boarding = row->index.boarding;
        if (says && is_named) {
            row->index.boarding = named;
            row->index.series = applied->receipt.series;
        } else if (says && in_group(a, &row->index) && row->index.series != applied->receipt.series) {
            row->index.boarding = others;
        }
        row->changed = row->index.boarding != boarding;
        applied->changed += row->changed;
        applied->kept += !row->changed;
    }
    for (int i = 0; says && i < a->roster->row_count; i++)
        applied->unknown += a->matches[i].same_as < 0 && a->matches[i].before < 0;
    applied->closes = true;
}

/* ---- all together ---- */

static bool is_close_out(enum sp_listing_action action)
{
    return action == SP_ACTION_CLOSE || action == SP_ACTION_CLOSE_NOT_ON_BOARD ||
           action == SP_ACTION_CLOSE_ON_BOARD;
}

enum sp_status sp_apply_check(const struct sp_manifest_index *before, const struct sp_roster *roster,
                              const struct sp_apply_message *message, struct sp_err *err)
{
    const char *manifest = roster->manifest;
    enum sp_listing_action action = message->action;
    if (message->part < 0 || message->part > SP_APPLY_MAX_PARTS)
        return sp_fail(err, SP_E_LIMIT, "manifest %s: part %d of a list, the limit is %d", manifest, message->part,
                       SP_APPLY_MAX_PARTS);
    if (action == SP_ACTION_ANSWER)
        return sp_fail(err, SP_E_UNSUPPORTED, "manifest %s: an authority's answer changes no manifest", manifest);
    if (message->standing && (is_close_out(action) || action == SP_ACTION_CANCEL_JOURNEY))
        return sp_fail(
            err, SP_E_INVALID,
            "manifest %s is a standing gallery, which no message ends: its travellers leave by removals or "
            "at the end of their validity",
            manifest);
    if (!before && action != SP_ACTION_LIST && action != SP_ACTION_CHANGE)
        return sp_fail(err, SP_E_NOTFOUND,
                       "manifest %s was never published: there is nothing that a %s could change", manifest,
                       sp_listing_kind_word(message->group, action));
    if (before && before->state >= SP_MANIFEST_CLOSED &&
        !(is_close_out(action) && before->state == SP_MANIFEST_CLOSED))
        return sp_fail(err, SP_E_CLOSED, "manifest %s is %s: it takes no further version", manifest,
                       sp_manifest_state_word(before->state));
    return SP_OK;
}

static enum sp_status begin(struct applying *a, struct sp_err *err)
{
    size_t standing = a->before ? (size_t)a->before->row_count : 0, coming = (size_t)a->roster->row_count;
    a->applied = calloc(1, sizeof *a->applied);
    a->matches = calloc(coming + 1, sizeof *a->matches);
    a->named_by = calloc(standing + 1, sizeof *a->named_by);
    a->absorbed = calloc(standing + 1, sizeof *a->absorbed);
    if (a->applied)
        a->applied->rows = calloc(standing + coming + 1, sizeof *a->applied->rows);
    if (!a->matches || !a->named_by || !a->absorbed || !a->applied || !a->applied->rows)
        return sp_fail(err, SP_E_NOMEM, "no memory to apply %zu rows to %zu", coming, standing);
    return sp_apply_digest(a->applied->receipt.digest, a->roster, a->message, a->keys, err);
}

static bool brings_travellers(enum sp_listing_action action)
{
    return action == SP_ACTION_LIST || action == SP_ACTION_CHANGE;
}

/* Who is who, from both sides. */
static enum sp_status match(struct applying *a, struct sp_err *err)
{
    enum sp_status status =
        sp_apply_match(a->matches, a->applied, a->before, a->rows_before, a->roster, a->message->format, err);
    if (status != SP_OK)
        return status;
    for (int i = 0; a->before && i < a->before->row_count; i++)
        a->named_by[i] = -1;
    for (int i = 0; i < a->roster->row_count; i++) {
        if (a->matches[i].before >= 0)
            a->named_by[a->matches[i].before] = i;
        if (a->matches[i].absorbed >= 0)
            a->absorbed[a->matches[i].absorbed] = true;
        int replaced = a->matches[i].replaced;
        if (replaced >= 0 && brings_travellers(a->message->action) && in_group(a, &a->before->rows[replaced]))
            a->absorbed[replaced] = true;
    }
    return SP_OK;
}

/* A message that was applied before changes no row; it still says which rows are its travellers'. */
static enum sp_status run_known(struct applying *a, struct sp_err *err)
{
    enum sp_status status = match(a, err);
    a->applied->problem_count = 0;
    for (int i = 0; status == SP_OK && i < a->before->row_count; i++) {
        struct sp_applied_row *row = put(a, i);
        if (!brings_travellers(a->message->action) || a->named_by[i] < 0)
            continue;
        row->source = a->named_by[i];
        row->row = a->rows_before[i];
        row->row.text = NULL;
    }
    return status;
}

static enum sp_status run(struct applying *a, struct sp_err *err)
{
    enum sp_status status = match(a, err);
    if (status != SP_OK)
        return status;
    sp_apply_receipt(&a->applied->receipt, a->before, a->message, a->roster->row_count, a->now_ms);
    a->applied->noted = a->message->reference[0] || a->message->part > 0;
    switch (a->message->action) {
    case SP_ACTION_LIST:
        return apply_list(a, err);
    case SP_ACTION_CHANGE:
        return apply_change(a, err);
    case SP_ACTION_REMOVE:
        apply_removal(a);
        return SP_OK;
    case SP_ACTION_CANCEL_JOURNEY:
    case SP_ACTION_CLOSE:
    case SP_ACTION_CLOSE_NOT_ON_BOARD:
    case SP_ACTION_CLOSE_ON_BOARD:
        apply_close(a);
        return SP_OK;
    default:
        put_standing(a, NULL);
        a->applied->partial = true;
        return SP_OK;
    }
}

enum sp_status sp_apply(struct sp_applied **ret_applied, const struct sp_manifest_index *before,
                        const struct sp_row *rows_before, const struct sp_roster *roster,
                        const struct sp_apply_message *message, const struct sp_manifest_keys *keys, int64_t now_ms,
                        struct sp_err *err)
{
    struct applying a = {.before = before,
                         .rows_before = rows_before,
                         .roster = roster,
                         .message = message,
                         .keys = keys,
                         .now_ms = now_ms};
    enum sp_status status = begin(&a, err);
    if (status == SP_OK)
        a.applied->known = message->reference[0] && sp_apply_is_known(before, a.applied->receipt.digest);
    if (status == SP_OK && !a.applied->known)
        status = sp_apply_check(before, roster, message, err);
    if (status == SP_OK)
        status = a.applied->known ? run_known(&a, err) : run(&a, err);
    free(a.matches);
    free(a.named_by);
    free(a.absorbed);
    if (status == SP_OK)
        *ret_applied = a.applied;
    else
        sp_applied_free(&a.applied);
    return status;
}

void sp_applied_free(struct sp_applied **applied)
{
    if (!applied || !*applied)
        return;
    free((*applied)->rows);
    free(*applied);
    *applied = NULL;
}

enum sp_manifest_state sp_applied_state(const struct sp_applied *applied, const struct sp_manifest_index *before,
                                        bool differs)
{
    if (applied->closes)
        return SP_MANIFEST_CLOSED;
    if (!before || before->state == SP_MANIFEST_PARTIAL)
        return applied->partial ? SP_MANIFEST_PARTIAL : SP_MANIFEST_COMPLETE;
    return differs ? SP_MANIFEST_AMENDED : before->state;
}
