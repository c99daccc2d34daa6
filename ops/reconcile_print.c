#include "ops/reconcile_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/clock.h"
#include "ops/json.h"
#include "roster/readiness.h"

#define RATE_MAX    64
#define REASONS_MAX 120

/* "90.0 % (18 of 20; 69.9-97.2 %)" */
static void rate_text(char ret_text[RATE_MAX], const struct sp_estimate *estimate)
{
    if (estimate->trials == 0)
        snprintf(ret_text, RATE_MAX, "-");
    else
        snprintf(ret_text, RATE_MAX, "%.1f %% (%d of %d; %.1f-%.1f %%)", 100 * estimate->value, estimate->hits,
                 estimate->trials, 100 * estimate->low, 100 * estimate->high);
}

static void reasons_text(char ret_text[REASONS_MAX], const struct sp_reconcile_group *group)
{
    size_t length = 0;
    ret_text[0] = 0;
    for (int i = 0; i < SP_RECONCILE_REASONS && length + 1 < REASONS_MAX; i++)
        if (group->reasons[i] > 0)
            length += (size_t)snprintf(ret_text + length, REASONS_MAX - length, "%s%s %d", length ? ", " : "",
                                       sp_reason_word(i), group->reasons[i]);
}

static void print_list(const struct sp_reconcile_view *view, enum sp_reconcile_state state, const char *title)
{
    const struct sp_reconcile_report *report = view->report;
    char label[SP_DESK_LABEL_MAX], when[32];
    if (report->states[state] == 0)
        return;
    printf("%s:\n", title);
    for (int i = 0; i < report->row_count; i++) {
        const struct sp_reconcile_traveller *traveller = &report->travellers[i];
        const struct sp_index_row *row = &view->manifest->index->rows[i];
        int lack = sp_ready_lack(row, 0);
        if (traveller->state != state)
            continue;
        sp_desk_label(label, view->desk, view->manifest, i, view->names);
        printf("  %-24s%s", label, row->crew ? " crew" : "");
        if (traveller->first_ms) {
            sp_clock_format(when, traveller->first_ms);
            printf(" matched at %s %s%s", report->lanes[traveller->lane].lane, when,
                   traveller->matches > 1 ? " and again" : "");
        } else if (lack) {
            printf(" no usable portrait: %s", sp_reason_word(lack));
        }
        printf("\n");
    }
}

static void print_group(const char *name, const struct sp_reconcile_group *group)
{
    char capture[RATE_MAX], match[RATE_MAX], fnir[RATE_MAX], reasons[REASONS_MAX];
    rate_text(capture, &group->capture);
    rate_text(match, &group->match_rate);
    rate_text(fnir, &group->fnir);
    reasons_text(reasons, group);
    printf("%-18s %10d %6d %8d %6d  %-31s %-31s %-31s %s\n", name, group->encounters, group->matches,
           group->no_matches, group->refers, match, capture, fnir, reasons);
}

static void print_group_head(const char *of)
{
    printf("%-18s %10s %6s %8s %6s  %-31s %-31s %-31s %s\n", of, "ENCOUNTERS", "MATCH", "NO MATCH", "REFER",
           "MATCHED (95 %)", "CAPTURE RATE (95 %)", "FNIR AT MOST (95 %)", "REFERRED FOR");
}

static void print_hours(const struct sp_reconcile_group *hours, int count)
{
    char when[32];
    for (int i = 0; i < count; i++) {
        sp_clock_format(when, hours[i].hour_ms);
        when[16] = 0; /* to the minute */
        print_group(when, &hours[i]);
    }
}

static void print_groups(const struct sp_reconcile_group *lanes, int lane_count,
                         const struct sp_reconcile_group *hours, int hour_count,
                         const struct sp_reconcile_group *all)
{
    if (all->encounters == 0)
        return;
    print_group_head("LANE, HOUR (UTC)");
    for (int i = 0; i < lane_count; i++)
        print_group(lanes[i].lane, &lanes[i]);
    print_hours(hours, hour_count);
    print_group("all", all);
}

static void print_counts(const struct sp_reconcile_report *report)
{
    const int *states = report->states;
    char text[RATE_MAX];
    if (!report->closed_out) {
        printf("no close-out: who boarded is not known, only counts are given\n");
        printf("  confirmed %d, not confirmed %d\n", states[SP_RECONCILE_CONFIRMED_UNKNOWN],
               states[SP_RECONCILE_UNKNOWN]);
        return;
    }
    printf("  boarded and confirmed    %6d\n", states[SP_RECONCILE_BOTH]);
    printf("  boarded, not confirmed   %6d\n", states[SP_RECONCILE_BOARDED_ONLY]);
    printf("  confirmed, not boarded   %6d\n", states[SP_RECONCILE_CONFIRMED_ONLY]);
    printf("  neither                  %6d\n", states[SP_RECONCILE_NEITHER]);
    if (states[SP_RECONCILE_CONFIRMED_UNKNOWN] + states[SP_RECONCILE_UNKNOWN] > 0)
        printf("  not in the close-out     %6d (%d of them confirmed)\n",
               states[SP_RECONCILE_CONFIRMED_UNKNOWN] + states[SP_RECONCILE_UNKNOWN],
               states[SP_RECONCILE_CONFIRMED_UNKNOWN]);
    rate_text(text, &report->all.capture);
    printf("  capture rate             %s\n", text);
    rate_text(text, &report->all.fnir);
    printf("  FNIR at most             %s\n", text);
    printf("  of the boarded %d had no usable portrait and %d were missed with one\n", report->without_portrait,
           report->missed);
}

void sp_reconcile_print_text(const struct sp_reconcile_view *view)
{
    const struct sp_reconcile_report *report = view->report;
    const struct sp_manifest_index *index = view->manifest->index;
    printf("manifest %s version %llu %s, %d travellers; %d decisions read, %d of this manifest\n", index->id,
           (unsigned long long)index->version, sp_manifest_state_word(index->state), index->row_count,
           view->entries, report->all.encounters);
    if (view->refused > 0)
        printf("REFUSED and not counted: %d decisions; the first: %s\n", view->refused, view->refusal);
    if (report->repeats > 0)
        printf("%d decisions lie more than once in the ledger: counted once\n", report->repeats);
    if (report->strange > 0)
        printf("%d matches name travellers that this version does not have\n", report->strange);
    print_counts(report);
    print_list(view, SP_RECONCILE_BOARDED_ONLY, "boarded, not confirmed");
    print_list(view, SP_RECONCILE_CONFIRMED_ONLY, "confirmed, not boarded");
    print_list(view, SP_RECONCILE_CONFIRMED_UNKNOWN, "confirmed, not in the close-out");
    print_groups(report->lanes, report->lane_count, report->hours, report->hour_count, &report->all);
}

void sp_reconcile_print_head(void)
{
    printf("%-40s %-9s %9s %9s %12s %12s  %-31s %s\n", "MANIFEST", "STATE", "BOARDED", "CONFIRMED", "NOT CONFIRMED",
           "NOT BOARDED", "CAPTURE RATE (95 %)", "FNIR AT MOST (95 %)");
}

void sp_reconcile_print_line(const struct sp_reconcile_view *view)
{
    const struct sp_reconcile_report *report = view->report;
    char capture[RATE_MAX], fnir[RATE_MAX];
    rate_text(capture, &report->all.capture);
    rate_text(fnir, &report->all.fnir);
    printf("%-40s %-9s %9d %9d %12d %12d  %-31s %s\n", view->manifest->index->id,
           report->closed_out ? sp_manifest_state_word(view->manifest->index->state) : "no close",
           report->states[SP_RECONCILE_BOTH] + report->states[SP_RECONCILE_BOARDED_ONLY],
           report->states[SP_RECONCILE_BOTH] + report->states[SP_RECONCILE_CONFIRMED_ONLY] +
               report->states[SP_RECONCILE_CONFIRMED_UNKNOWN],
           report->states[SP_RECONCILE_BOARDED_ONLY], report->states[SP_RECONCILE_CONFIRMED_ONLY], capture, fnir);
}

void sp_reconcile_print_sum_text(const struct sp_reconcile_sum *sum)
{
    printf(
        "%d journeys, %d with a close-out; of %d boarded %d had no usable portrait and %d were missed with one\n",
        sum->journeys, sum->closed_out, sum->boarded, sum->without_portrait, sum->missed);
    print_groups(sum->lanes, sum->lane_count, sum->hours, sum->hour_count, &sum->all);
    if (sum->departure_count > 0)
        print_group_head("DEPARTED IN (UTC)");
    print_hours(sum->departures, sum->departure_count);
}

/* ---- JSON ---- */

static void json_rate(struct sp_json *json, const char *key, const struct sp_estimate *estimate)
{
    sp_json_open(json, key, '{');
    sp_json_number(json, "hits", estimate->hits);
    sp_json_number(json, "trials", estimate->trials);
    sp_json_number(json, "value", estimate->value);
    sp_json_number(json, "low", estimate->low);
    sp_json_number(json, "high", estimate->high);
    sp_json_close(json, '}');
}

static void json_group(struct sp_json *json, const char *key, const struct sp_reconcile_group *group)
{
    char when[32];
    sp_json_open(json, key, '{');
    if (group->lane[0])
        sp_json_text(json, "lane", group->lane);
    if (group->hour_ms) {
        sp_clock_format(when, group->hour_ms);
        sp_json_text(json, "hour", when);
    }
    sp_json_number(json, "encounters", group->encounters);
    sp_json_number(json, "matches", group->matches);
    sp_json_number(json, "no_matches", group->no_matches);
    sp_json_number(json, "refers", group->refers);
    sp_json_open(json, "reasons", '{');
    for (int i = 0; i < SP_RECONCILE_REASONS; i++)
        if (group->reasons[i] > 0)
            sp_json_number(json, sp_reason_word(i), group->reasons[i]);
    sp_json_close(json, '}');
    sp_json_number(json, "confirmed", group->confirmed);
    sp_json_number(json, "failed", group->failed);
    json_rate(json, "match_rate", &group->match_rate);
    json_rate(json, "capture_rate", &group->capture);
    json_rate(json, "fnir_at_most", &group->fnir);
    sp_json_close(json, '}');
}

static void json_traveller(struct sp_json *json, const struct sp_reconcile_view *view, int row)
{
    const struct sp_reconcile_traveller *traveller = &view->report->travellers[row];
    const struct sp_index_row *index_row = &view->manifest->index->rows[row];
    char label[SP_DESK_LABEL_MAX], pseudonym[2 * SP_PSEUDONYM_BYTES + 1];
    sp_desk_label(label, view->desk, view->manifest, row, view->names);
    sp_seal_to_hex(pseudonym, index_row->pseudonym, SP_PSEUDONYM_BYTES);
    sp_json_open(json, NULL, '{');
    sp_json_text(json, "traveller_ref", label);
    sp_json_text(json, "pseudonym", pseudonym);
    sp_json_text(json, "state", sp_reconcile_state_word(traveller->state));
    sp_json_bool(json, "crew", index_row->crew);
    sp_json_text(json, "portrait", sp_reason_word(sp_ready_lack(index_row, 0)));
    sp_json_number(json, "matches", traveller->matches);
    if (traveller->first_ms) {
        sp_json_number(json, "first_ms", (double)traveller->first_ms);
        sp_json_text(json, "lane", view->report->lanes[traveller->lane].lane);
    }
    sp_json_close(json, '}');
}

static void json_groups(struct sp_json *json, const char *key, const struct sp_reconcile_group *groups, int count)
{
    sp_json_open(json, key, '[');
    for (int i = 0; i < count; i++)
        json_group(json, NULL, &groups[i]);
    sp_json_close(json, ']');
}

void sp_reconcile_print_sum_json(const struct sp_reconcile_sum *sum)
{
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_number(&json, "journeys", sum->journeys);
    sp_json_number(&json, "closed_out", sum->closed_out);
    sp_json_number(&json, "boarded", sum->boarded);
    sp_json_number(&json, "missed", sum->missed);
    sp_json_number(&json, "without_portrait", sum->without_portrait);
    json_group(&json, "all", &sum->all);
    json_groups(&json, "lanes", sum->lanes, sum->lane_count);
    json_groups(&json, "hours", sum->hours, sum->hour_count);
    json_groups(&json, "departures", sum->departures, sum->departure_count);
    sp_json_close(&json, '}');
    printf("\n");
}

void sp_reconcile_print_json(const struct sp_reconcile_view *view)
{
    const struct sp_reconcile_report *report = view->report;
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", view->manifest->index->id);
    sp_json_number(&json, "version", (double)view->manifest->index->version);
    sp_json_text(&json, "state", sp_manifest_state_word(view->manifest->index->state));
    sp_json_bool(&json, "close_out", report->closed_out);
    sp_json_number(&json, "from_ms", (double)view->from_ms);
    sp_json_number(&json, "to_ms", (double)view->to_ms);
    sp_json_number(&json, "entries", view->entries);
    sp_json_number(&json, "refused", view->refused);
    sp_json_text(&json, "refusal", view->refusal);
    sp_json_number(&json, "repeats", report->repeats);
    sp_json_number(&json, "strange", report->strange);
    for (int i = 0; i < SP_RECONCILE_STATES; i++)
        sp_json_number(&json, sp_reconcile_state_word((enum sp_reconcile_state)i), report->states[i]);
    sp_json_number(&json, "boarded", report->boarded);
    sp_json_number(&json, "boarded_crew", report->boarded_crew);
    sp_json_number(&json, "missed", report->missed);
    sp_json_number(&json, "without_portrait", report->without_portrait);
    json_rate(&json, "capture_rate", &report->all.capture);
    json_rate(&json, "capture_rate_exact", &report->capture_exact);
    json_group(&json, "all", &report->all);
    json_groups(&json, "lanes", report->lanes, report->lane_count);
    json_groups(&json, "hours", report->hours, report->hour_count);
    sp_json_open(&json, "travellers", '[');
    for (int i = 0; i < report->row_count; i++)
        if (report->travellers[i].state != SP_RECONCILE_BOTH && report->travellers[i].state != SP_RECONCILE_NEITHER)
            json_traveller(&json, view, i);
    sp_json_close(&json, ']');
    sp_json_close(&json, '}');
    printf("\n");
}
