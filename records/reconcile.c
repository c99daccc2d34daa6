#include "records/reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"

#define HOUR_MS    3600000
#define NO_ROW     (-1) /* not a match */
#define STRANGE    (-2) /* a match of a pseudonym that no row has */
#define NOT_NAMED  (-1)
#define FIRST_ROOM 1024
#define MAX_NAMES  8192 /* lanes of the whole port that are met while reading */

/* A decision, as much of it as counts. */
struct sight {
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t face;
    int16_t lane;    /* into lanes */
    uint8_t outcome; /* enum sp_outcome */
    uint8_t reason;
    bool here;    /* its galleries name this manifest */
    bool nowhere; /* they name none: the assignment must say */
    int32_t row;  /* of a match, or NO_ROW, STRANGE */
    int64_t issued_ms;
    uint64_t assignment;
};

/* A pseudonym's row. */
struct named {
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    int row;
};

struct sp_reconcile {
    char manifest[SP_MANIFEST_ID_MAX];
    bool with_crew;
    int row_count;
    struct sp_reconcile_row *rows;
    struct named *names; /* sorted by pseudonym */
    int lane_count, lane_room;
    char (*lanes)[SP_NAME_MAX];
    int sight_count, room;
    struct sight *sights;
};

const char *sp_reconcile_state_word(enum sp_reconcile_state state)
{
    static const char *const words[] = {
        "both", "boarded_not_confirmed", "confirmed_not_boarded", "neither", "confirmed", "unknown"};
    return state >= 0 && state < SP_RECONCILE_STATES ? words[state] : "unknown";
}

static int compare_names(const void *a, const void *b)
{
    return memcmp(((const struct named *)a)->pseudonym, ((const struct named *)b)->pseudonym, SP_PSEUDONYM_BYTES);
}

enum sp_status sp_reconcile_new(struct sp_reconcile **ret_reconcile, const char *manifest,
                                const struct sp_reconcile_row *rows, int count, bool with_crew, struct sp_err *err)
{
    struct sp_reconcile *r = calloc(1, sizeof *r);
    if (r) {
        r->rows = calloc((size_t)count + 1, sizeof *r->rows);
        r->names = calloc((size_t)count + 1, sizeof *r->names);
    }
    if (!r || !r->rows || !r->names) {
        sp_reconcile_free(&r);
        return sp_fail(err, SP_E_NOMEM, "no memory to reconcile %d travellers", count);
    }
    snprintf(r->manifest, sizeof r->manifest, "%s", manifest);
    r->with_crew = with_crew;
    r->row_count = count;
    for (int i = 0; i < count; i++) {
        r->rows[i] = rows[i];
        r->names[i].row = i;
        memcpy(r->names[i].pseudonym, rows[i].pseudonym, SP_PSEUDONYM_BYTES);
    }
    qsort(r->names, (size_t)count, sizeof *r->names, compare_names);
    *ret_reconcile = r;
    return SP_OK;
}

void sp_reconcile_free(struct sp_reconcile **reconcile)
{
    if (!reconcile || !*reconcile)
        return;
    free((*reconcile)->rows);
    free((*reconcile)->names);
    free((*reconcile)->lanes);
    free((*reconcile)->sights);
    free(*reconcile);
    *reconcile = NULL;
}

void sp_reconcile_report_free(struct sp_reconcile_report **report)
{
    if (!report || !*report)
        return;
    free((*report)->travellers);
    free((*report)->lanes);
    free((*report)->hours);
    free(*report);
    *report = NULL;
}

/* ---- taking ---- */

/* NOT_NAMED: there is no room for another. */
static int lane_of(struct sp_reconcile *r, const char *name, struct sp_err *err)
{
    for (int i = 0; i < r->lane_count; i++)
        if (strcmp(r->lanes[i], name) == 0)
            return i;
    if (r->lane_count == r->lane_room) {
        int room = r->lane_room ? 2 * r->lane_room : SP_RECONCILE_MAX_LANES;
        char(*grown)[SP_NAME_MAX] = room <= MAX_NAMES ? realloc(r->lanes, (size_t)room * sizeof *grown) : NULL;
        if (!grown) {
            sp_fail(err, room > MAX_NAMES ? SP_E_LIMIT : SP_E_NOMEM,
                    "manifest %s: no room for more than %d lanes of the port", r->manifest, r->lane_room);
            return NOT_NAMED;
        }
        r->lanes = grown;
        r->lane_room = room;
    }
    snprintf(r->lanes[r->lane_count], SP_NAME_MAX, "%s", name);
    return r->lane_count++;
}

static int row_of(const struct sp_reconcile *r, const uint8_t pseudonym[SP_PSEUDONYM_BYTES])
{
    struct named wanted;
    memcpy(wanted.pseudonym, pseudonym, SP_PSEUDONYM_BYTES);
    const struct named *found = bsearch(&wanted, r->names, (size_t)r->row_count, sizeof *r->names, compare_names);
    return found ? found->row : STRANGE;
}

static struct sight *next_sight(struct sp_reconcile *r, struct sp_err *err)
{
    if (r->sight_count == r->room) {
        int room = r->room ? 2 * r->room : FIRST_ROOM;
        struct sight *grown =
            room <= SP_RECONCILE_MAX_SIGHTS ? realloc(r->sights, (size_t)room * sizeof *grown) : NULL;
        if (!grown) {
            sp_fail(err, room > SP_RECONCILE_MAX_SIGHTS ? SP_E_LIMIT : SP_E_NOMEM,
                    "manifest %s: no room for more than %d decisions; give a shorter time", r->manifest, r->room);
            return NULL;
        }
        r->sights = grown;
        r->room = room;
    }
    return &r->sights[r->sight_count];
}

static enum sp_status add_decision(struct sp_reconcile *r, const struct sp_decision *d, struct sp_err *err)
{
    bool match = d->outcome == SP_OUTCOME_MATCH && d->has_traveller, here = false;
    if (match && strcmp(d->manifest, r->manifest) != 0)
        return SP_OK; /* a traveller of another journey at a lane that serves both */
    for (int i = 0; i < d->gallery_count && !here; i++)
        here = strcmp(d->galleries[i].manifest, r->manifest) == 0;
    if (!here && d->gallery_count > 0)
        return SP_OK;
    struct sight *sight = next_sight(r, err);
    if (!sight)
        return err ? err->status : SP_E_LIMIT;
    int lane = lane_of(r, d->lane, err);
    if (lane == NOT_NAMED)
        return err ? err->status : SP_E_LIMIT;
    *sight = (struct sight){.face = d->face,
                            .lane = (int16_t)lane,
                            .outcome = (uint8_t)d->outcome,
                            .reason = (uint8_t)d->reason,
                            .here = here,
                            .nowhere = d->gallery_count == 0,
                            .row = match ? row_of(r, d->traveller) : NO_ROW,
                            .issued_ms = d->issued_ms,
                            .assignment = d->assignment};
    memcpy(sight->encounter, d->encounter, SP_ENCOUNTER_BYTES);
    r->sight_count++;
    return SP_OK;
}

enum sp_status sp_reconcile_add(struct sp_reconcile *reconcile, const struct sp_entry *entry, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; i < entry->decision_count && status == SP_OK; i++)
        status = add_decision(reconcile, &entry->decisions[i], err);
    return status;
}

/* ---- counting ---- */

static int compare_sights(const void *a, const void *b)
{
    const struct sight *x = a, *y = b;
    int order = memcmp(x->encounter, y->encounter, SP_ENCOUNTER_BYTES);
    return order ? order : (x->face > y->face) - (x->face < y->face);
}

static int compare_times(const void *a, const void *b)
{
    const struct sight *x = a, *y = b;
    return (x->issued_ms > y->issued_ms) - (x->issued_ms < y->issued_ms);
}

/* Each decision once. */
static int part_repeats(struct sp_reconcile *r)
{
    int kept = 0, repeats = 0;
    if (r->sight_count > 1)
        qsort(r->sights, (size_t)r->sight_count, sizeof *r->sights, compare_sights);
    for (int i = 0; i < r->sight_count; i++) {
        if (kept > 0 && compare_sights(&r->sights[kept - 1], &r->sights[i]) == 0)
            repeats++;
        else
            r->sights[kept++] = r->sights[i];
    }
    r->sight_count = kept;
    return repeats;
}

/* A lane's assignment under which this manifest was served. */
struct serving {
    int lane;
    uint64_t assignment;
};

static int compare_servings(const void *a, const void *b)
{
    const struct serving *x = a, *y = b;
    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    return (x->assignment > y->assignment) - (x->assignment < y->assignment);
}

/* A refer before anything was compared names no gallery (no_face ... at a close): it belongs to this manifest where
 * the same lane served it under the same assignment. */
static enum sp_status part_strangers(struct sp_reconcile *r, struct sp_err *err)
{
    int count = 0, kept = 0;
    struct serving *servings = calloc((size_t)r->sight_count + 1, sizeof *servings);
    if (!servings)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d decisions", r->manifest, r->sight_count);
    for (int i = 0; i < r->sight_count; i++)
        if (r->sights[i].here && r->sights[i].assignment)
            servings[count++] = (struct serving){r->sights[i].lane, r->sights[i].assignment};
    if (count > 1)
        qsort(servings, (size_t)count, sizeof *servings, compare_servings);
    for (int i = 0; i < r->sight_count; i++) {
        struct serving wanted = {r->sights[i].lane, r->sights[i].assignment};
        bool served = r->sights[i].here || r->sights[i].row != NO_ROW;
        if (!served && wanted.assignment && count > 0)
            served = bsearch(&wanted, servings, (size_t)count, sizeof wanted, compare_servings) != NULL;
        if (served)
            r->sights[kept++] = r->sights[i];
    }
    r->sight_count = kept;
    free(servings);
    return SP_OK;
}

/* Only now it is known which lanes were this manifest's: the others' names go. */
static enum sp_status part_lanes(struct sp_reconcile *r, struct sp_err *err)
{
    int kept = 0;
    int16_t *place = calloc((size_t)r->lane_count + 1, sizeof *place); /* from 1 on; 0: not of this manifest */
    if (!place)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d lanes", r->manifest, r->lane_count);
    for (int i = 0; i < r->sight_count; i++)
        place[r->sights[i].lane] = 1;
    for (int i = 0; i < r->lane_count; i++) {
        if (!place[i])
            continue;
        if (kept != i)
            memcpy(r->lanes[kept], r->lanes[i], SP_NAME_MAX);
        place[i] = (int16_t)++kept;
    }
    for (int i = 0; i < r->sight_count; i++)
        r->sights[i].lane = (int16_t)(place[r->sights[i].lane] - 1);
    r->lane_count = kept;
    free(place);
    if (kept > SP_RECONCILE_MAX_LANES)
        return sp_fail(err, SP_E_LIMIT, "manifest %s: %d lanes, more than %d", r->manifest, kept,
                       SP_RECONCILE_MAX_LANES);
    return SP_OK;
}

static bool compared_in_vain(const struct sight *sight)
{
    return sight->outcome == SP_OUTCOME_NO_MATCH ||
           (sight->outcome == SP_OUTCOME_REFER && sight->reason == SP_REASON_LOOK_ALIKE);
}

static void count_sight(struct sp_reconcile_group *group, const struct sight *sight, bool first_of_boarded)
{
    group->encounters++;
    group->matches += sight->outcome == SP_OUTCOME_MATCH;
    group->no_matches += sight->outcome == SP_OUTCOME_NO_MATCH;
    group->refers += sight->outcome == SP_OUTCOME_REFER;
    if (sight->outcome == SP_OUTCOME_REFER)
        group->reasons[sight->reason]++;
    group->failed += compared_in_vain(sight);
    group->confirmed += first_of_boarded;
}

static bool in_scope(const struct sp_reconcile *r, int row)
{
    return r->rows[row].closeout == SP_CLOSEOUT_ON_BOARD && (r->with_crew || !r->rows[row].crew);
}

static enum sp_reconcile_state state_of(const struct sp_reconcile_row *row, bool confirmed)
{
    if (row->closeout == SP_CLOSEOUT_ON_BOARD)
        return confirmed ? SP_RECONCILE_BOTH : SP_RECONCILE_BOARDED_ONLY;
    if (row->closeout == SP_CLOSEOUT_NOT_ON_BOARD)
        return confirmed ? SP_RECONCILE_CONFIRMED_ONLY : SP_RECONCILE_NEITHER;
    return confirmed ? SP_RECONCILE_CONFIRMED_UNKNOWN : SP_RECONCILE_UNKNOWN;
}

static void count_sights(struct sp_reconcile_report *report, const struct sp_reconcile *r)
{
    for (int i = 0; i < r->sight_count; i++) {
        const struct sight *sight = &r->sights[i];
        bool first = false;
        int64_t hour_ms = sight->issued_ms / HOUR_MS * HOUR_MS;
        if (sight->row >= 0) {
            struct sp_reconcile_traveller *traveller = &report->travellers[sight->row];
            first = traveller->matches++ == 0;
            if (first) {
                traveller->first_ms = sight->issued_ms;
                traveller->lane = sight->lane;
            }
            first = first && in_scope(r, sight->row);
        }
        report->strange += sight->row == STRANGE;
        if (report->hour_count == 0 || report->hours[report->hour_count - 1].hour_ms != hour_ms)
            report->hours[report->hour_count++].hour_ms = hour_ms; /* sights come by time */
        count_sight(&report->all, sight, first);
        count_sight(&report->lanes[sight->lane], sight, first);
        count_sight(&report->hours[report->hour_count - 1], sight, first);
    }
}

static void count_travellers(struct sp_reconcile_report *report, const struct sp_reconcile *r)
{
    for (int i = 0; i < r->row_count; i++) {
        const struct sp_reconcile_row *row = &r->rows[i];
        struct sp_reconcile_traveller *traveller = &report->travellers[i];
        bool confirmed = traveller->matches > 0;
        traveller->state = state_of(row, confirmed);
        report->states[traveller->state]++;
        report->closed_out = report->closed_out || row->closeout != SP_CLOSEOUT_SILENT;
        report->boarded_crew += row->closeout == SP_CLOSEOUT_ON_BOARD && row->crew;
        if (!in_scope(r, i))
            continue;
        report->boarded++;
        report->confirmed_of_boarded += confirmed;
        report->missed += row->enrolled && !confirmed;
        report->without_portrait += !row->enrolled && !confirmed;
    }
}

static void rate(struct sp_reconcile_group *group, const struct sp_reconcile_report *report)
{
    int lost = group->failed < report->missed ? group->failed : report->missed;
    group->match_rate = sp_estimate_wilson(group->matches, group->encounters);
    /* Without a close-out nobody is known to have been missed. */
    group->fnir = sp_estimate_wilson(lost, report->closed_out ? group->confirmed + lost : 0);
}

static int compare_lanes(const void *a, const void *b)
{
    const struct sp_reconcile_group *x = a, *y = b;
    return strcmp(x->lane, y->lane);
}

/* Lanes by name. travellers->lane follows. */
static void order_lanes(struct sp_reconcile_report *report, const struct sp_reconcile *r)
{
    int place[SP_RECONCILE_MAX_LANES] = {0};
    for (int i = 0; i < r->lane_count; i++)
        snprintf(report->lanes[i].lane, SP_NAME_MAX, "%s", r->lanes[i]);
    if (r->lane_count > 1)
        qsort(report->lanes, (size_t)r->lane_count, sizeof *report->lanes, compare_lanes);
    for (int i = 0; i < r->lane_count; i++)
        for (int k = 0; k < r->lane_count; k++)
            if (strcmp(r->lanes[k], report->lanes[i].lane) == 0)
                place[k] = i;
    report->lane_count = r->lane_count;
    for (int i = 0; i < report->row_count; i++)
        if (report->travellers[i].lane >= 0)
            report->travellers[i].lane = place[report->travellers[i].lane];
}

static int count_hours(const struct sp_reconcile *r)
{
    int count = 0;
    for (int i = 0; i < r->sight_count; i++)
        count += i == 0 || r->sights[i].issued_ms / HOUR_MS != r->sights[i - 1].issued_ms / HOUR_MS;
    return count;
}

static struct sp_reconcile_report *new_report(const struct sp_reconcile *r)
{
    struct sp_reconcile_report *report = calloc(1, sizeof *report);
    if (!report)
        return NULL;
    report->row_count = r->row_count;
    report->travellers = calloc((size_t)r->row_count + 1, sizeof *report->travellers);
    report->lanes = calloc((size_t)r->lane_count + 1, sizeof *report->lanes);
    report->hours = calloc((size_t)count_hours(r) + 1, sizeof *report->hours);
    if (!report->travellers || !report->lanes || !report->hours)
        sp_reconcile_report_free(&report);
    for (int i = 0; report && i < r->row_count; i++)
        report->travellers[i].lane = -1;
    return report;
}

enum sp_status sp_reconcile_finish(struct sp_reconcile_report **ret_report, struct sp_reconcile *reconcile,
                                   struct sp_err *err)
{
    int repeats = part_repeats(reconcile);
    enum sp_status status = part_strangers(reconcile, err);
    if (status == SP_OK)
        status = part_lanes(reconcile, err);
    if (status != SP_OK)
        return status;
    if (reconcile->sight_count > 1)
        qsort(reconcile->sights, (size_t)reconcile->sight_count, sizeof *reconcile->sights, compare_times);
    struct sp_reconcile_report *report = new_report(reconcile);
    if (!report)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for its report", reconcile->manifest);
    report->repeats = repeats;
    count_sights(report, reconcile);
    count_travellers(report, reconcile);
    order_lanes(report, reconcile);
    rate(&report->all, report);
    for (int i = 0; i < report->lane_count; i++)
        rate(&report->lanes[i], report);
    for (int i = 0; i < report->hour_count; i++)
        rate(&report->hours[i], report);
    report->all.capture = sp_estimate_wilson(report->confirmed_of_boarded, report->boarded);
    if (report->lane_count == 1)
        report->lanes[0].capture = report->all.capture;
    report->capture_exact = sp_estimate_exact(report->confirmed_of_boarded, report->boarded);
    *ret_report = report;
    return SP_OK;
}
