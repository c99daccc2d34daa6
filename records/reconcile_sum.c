#include "records/reconcile_sum.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000

static void add_estimate(struct sp_estimate *sum, const struct sp_estimate *part)
{
    sum->hits += part->hits;
    sum->trials += part->trials;
}

static void add_group(struct sp_reconcile_group *sum, const struct sp_reconcile_group *part)
{
    sum->encounters += part->encounters;
    sum->matches += part->matches;
    sum->no_matches += part->no_matches;
    sum->refers += part->refers;
    sum->confirmed += part->confirmed;
    sum->failed += part->failed;
    for (int i = 0; i < SP_RECONCILE_REASONS; i++)
        sum->reasons[i] += part->reasons[i];
    add_estimate(&sum->capture, &part->capture);
    add_estimate(&sum->fnir, &part->fnir);
}

static bool same_group(const struct sp_reconcile_group *a, const struct sp_reconcile_group *b)
{
    return a->hour_ms == b->hour_ms && strcmp(a->lane, b->lane) == 0;
}

static enum sp_status add_to(struct sp_reconcile_group **groups, int *count, int max,
                             const struct sp_reconcile_group *part, struct sp_err *err)
{
    int at = 0;
    while (at < *count && !same_group(&(*groups)[at], part))
        at++;
    if (at == max)
        return sp_fail(err, SP_E_LIMIT, "more than %d lanes or hours together: take a shorter time", max);
    if (at == *count) {
        struct sp_reconcile_group *grown = realloc(*groups, ((size_t)at + 1) * sizeof *grown);
        if (!grown)
            return sp_fail(err, SP_E_NOMEM, "no memory for %d lanes or hours", at + 1);
        *groups = grown;
        memset(&grown[at], 0, sizeof grown[at]);
        memcpy(grown[at].lane, part->lane, sizeof part->lane);
        grown[at].hour_ms = part->hour_ms;
        (*count)++;
    }
    add_group(&(*groups)[at], part);
    return SP_OK;
}

enum sp_status sp_reconcile_sum_add(struct sp_reconcile_sum *sum, const struct sp_reconcile_report *report,
                                    int64_t departs_ms, struct sp_err *err)
{
    struct sp_reconcile_group journey = report->all;
    enum sp_status status = SP_OK;
    sum->journeys++;
    sum->closed_out += report->closed_out;
    sum->boarded += report->boarded;
    sum->confirmed_of_boarded += report->confirmed_of_boarded;
    sum->missed += report->missed;
    sum->without_portrait += report->without_portrait;
    add_group(&sum->all, &report->all);
    for (int i = 0; i < report->lane_count && status == SP_OK; i++)
        status = add_to(&sum->lanes, &sum->lane_count, SP_RECONCILE_MAX_LANES, &report->lanes[i], err);
    for (int i = 0; i < report->hour_count && status == SP_OK; i++)
        status = add_to(&sum->hours, &sum->hour_count, SP_RECONCILE_MAX_HOURS, &report->hours[i], err);
    journey.hour_ms = departs_ms - departs_ms % HOUR_MS;
    if (status == SP_OK && departs_ms > 0)
        status = add_to(&sum->departures, &sum->departure_count, SP_RECONCILE_MAX_HOURS, &journey, err);
    return status;
}

static int compare_groups(const void *a, const void *b)
{
    const struct sp_reconcile_group *x = a, *y = b;
    if (x->hour_ms != y->hour_ms)
        return x->hour_ms < y->hour_ms ? -1 : 1;
    return strcmp(x->lane, y->lane);
}

static void rate(struct sp_reconcile_group *group)
{
    group->match_rate = sp_estimate_wilson(group->matches, group->encounters);
    group->capture = sp_estimate_wilson(group->capture.hits, group->capture.trials);
    group->fnir = sp_estimate_wilson(group->fnir.hits, group->fnir.trials);
}

void sp_reconcile_sum_finish(struct sp_reconcile_sum *sum)
{
    if (sum->lane_count > 1)
        qsort(sum->lanes, (size_t)sum->lane_count, sizeof *sum->lanes, compare_groups);
    if (sum->hour_count > 1)
        qsort(sum->hours, (size_t)sum->hour_count, sizeof *sum->hours, compare_groups);
    if (sum->departure_count > 1)
        qsort(sum->departures, (size_t)sum->departure_count, sizeof *sum->departures, compare_groups);
    for (int i = 0; i < sum->departure_count; i++)
        rate(&sum->departures[i]);
    rate(&sum->all);
    for (int i = 0; i < sum->lane_count; i++)
        rate(&sum->lanes[i]);
    for (int i = 0; i < sum->hour_count; i++)
        rate(&sum->hours[i]);
}

void sp_reconcile_sum_clear(struct sp_reconcile_sum *sum)
{
    free(sum->lanes);
    free(sum->hours);
    free(sum->departures);
    memset(sum, 0, sizeof *sum);
}
