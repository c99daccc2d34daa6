/* Reconciliation: who boarded, who was confirmed, and what may be said about the rest. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/reason.h"
#include "records/reconcile_sum.h"

#define FLIGHT "air-zx-417-20261204-jfk"
#define OTHER  "air-zx-900-20261204-jfk"
#define HOUR   3600000
#define NOON   (1796385600000) /* a whole hour, UTC */

static uint32_t next_encounter;

static struct sp_decision *decision(struct sp_entry *entry, const char *lane, int outcome, int reason,
                                    int64_t at_ms)
{
    memset(entry, 0, sizeof *entry);
    entry->decision_count = 1;
    struct sp_decision *d = &entry->decisions[0];
    next_encounter++;
    memcpy(d->encounter, &next_encounter, sizeof next_encounter);
    d->outcome = outcome;
    d->reason = reason;
    d->issued_ms = at_ms;
    d->assignment = 7;
    d->gallery_count = 1;
    snprintf(d->lane, sizeof d->lane, "%s", lane);
    snprintf(d->galleries[0].manifest, SP_MANIFEST_ID_MAX, FLIGHT);
    d->galleries[0].version = 2;
    return d;
}

static void match(struct sp_reconcile *r, const char *lane, int traveller, int64_t at_ms)
{
    static struct sp_entry entry;
    struct sp_decision *d = decision(&entry, lane, SP_OUTCOME_MATCH, 0, at_ms);
    d->has_traveller = true;
    memset(d->traveller, traveller, sizeof d->traveller);
    snprintf(d->manifest, sizeof d->manifest, FLIGHT);
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
}

static void other(struct sp_reconcile *r, const char *lane, int outcome, int reason, int64_t at_ms)
{
    static struct sp_entry entry;
    decision(&entry, lane, outcome, reason, at_ms);
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
}

/* Travellers 1..count, all with a portrait and on board; the test changes what it needs. */
static void fill(struct sp_reconcile_row *rows, int count)
{
    memset(rows, 0, (size_t)count * sizeof *rows);
    for (int i = 0; i < count; i++) {
        memset(rows[i].pseudonym, i + 1, sizeof rows[i].pseudonym);
        rows[i].enrolled = true;
        rows[i].closeout = SP_CLOSEOUT_ON_BOARD;
    }
}

static struct sp_reconcile *start(const struct sp_reconcile_row *rows, int count)
{
    struct sp_reconcile *r = NULL;
    next_encounter = 0;
    assert_int_equal(sp_reconcile_new(&r, FLIGHT, rows, count, false, NULL), SP_OK);
    return r;
}

static struct sp_reconcile_report *finish(struct sp_reconcile *r)
{
    struct sp_reconcile_report *report = NULL;
    assert_int_equal(sp_reconcile_finish(&report, r, NULL), SP_OK);
    sp_reconcile_free(&r);
    return report;
}

static void test_planted_differences(void **state)
{
    (void)state;
    struct sp_reconcile_row rows[8];
    fill(rows, 8);
    rows[3].closeout = SP_CLOSEOUT_NOT_ON_BOARD; /* 4: confirmed, offloaded */
    rows[4].closeout = SP_CLOSEOUT_NOT_ON_BOARD; /* 5: never came */
    rows[5].enrolled = false;                    /* 6: on board, no portrait */
    rows[6].crew = true;                         /* 7: on board, crew */
    struct sp_reconcile *r = start(rows, 8);
    match(r, "B2", 1, NOON + 5);
    match(r, "B2", 1, NOON + 9000); /* comes again: counted once */
    match(r, "A1", 2, NOON + HOUR);
    match(r, "A1", 4, NOON + HOUR + 1);
    other(r, "A1", SP_OUTCOME_NO_MATCH, SP_REASON_NOT_ON_MANIFEST, NOON + HOUR + 2);
    other(r, "A1", SP_OUTCOME_REFER, SP_REASON_LOOK_ALIKE, NOON + 7);
    other(r, "B2", SP_OUTCOME_REFER, SP_REASON_OPTED_OUT, NOON + 8);
    match(r, "B2", 99, NOON + 10); /* of a version before: no row has it */
    struct sp_reconcile_report *report = finish(r);

    const enum sp_reconcile_state expected[8] = {
        SP_RECONCILE_BOTH,    SP_RECONCILE_BOTH,         SP_RECONCILE_BOARDED_ONLY, SP_RECONCILE_CONFIRMED_ONLY,
        SP_RECONCILE_NEITHER, SP_RECONCILE_BOARDED_ONLY, SP_RECONCILE_BOARDED_ONLY, SP_RECONCILE_BOARDED_ONLY};
    for (int i = 0; i < 8; i++)
        assert_int_equal(report->travellers[i].state, expected[i]);
    assert_true(report->closed_out);
    assert_int_equal(report->states[SP_RECONCILE_BOARDED_ONLY], 4);
    assert_int_equal(report->travellers[0].matches, 2);
    assert_true(report->travellers[0].first_ms == NOON + 5);
    assert_string_equal(report->lanes[report->travellers[0].lane].lane, "B2");
    assert_string_equal(report->lanes[report->travellers[1].lane].lane, "A1");
    assert_int_equal(report->travellers[4].lane, -1);

    /* in scope: 1 2 3 6 8 (not crew); confirmed 1 2; 3 and 8 had a portrait and were missed; 6 had none */
    assert_int_equal(report->boarded, 5);
    assert_int_equal(report->boarded_crew, 1);
    assert_int_equal(report->all.capture.hits, 2);
    assert_int_equal(report->all.capture.trials, 5);
    assert_int_equal(report->missed, 2);
    assert_int_equal(report->without_portrait, 1);
    assert_int_equal(report->strange, 1);
    /* two encounters were compared in vain, two travellers were missed: at most 2 of 4 */
    assert_int_equal(report->all.failed, 2);
    assert_int_equal(report->all.fnir.hits, 2);
    assert_int_equal(report->all.fnir.trials, 4);

    assert_int_equal(report->lane_count, 2);
    assert_string_equal(report->lanes[0].lane, "A1");
    assert_int_equal(report->lanes[0].encounters, 4);
    assert_int_equal(report->lanes[0].matches, 2);
    assert_int_equal(report->lanes[0].reasons[SP_REASON_LOOK_ALIKE], 1);
    assert_int_equal(report->lanes[0].confirmed, 1); /* 4 is not on board */
    assert_int_equal(report->lanes[1].encounters, 4);
    assert_int_equal(report->lanes[1].failed, 0);
    assert_int_equal(report->lanes[1].fnir.hits, 0);
    assert_int_equal(report->hour_count, 2);
    assert_true(report->hours[0].hour_ms == NOON && report->hours[1].hour_ms == NOON + HOUR);
    assert_int_equal(report->hours[0].encounters, 5);
    sp_reconcile_report_free(&report);
}

static void test_no_closeout(void **state)
{
    (void)state;
    struct sp_reconcile_row rows[3];
    fill(rows, 3);
    for (int i = 0; i < 3; i++)
        rows[i].closeout = SP_CLOSEOUT_SILENT;
    struct sp_reconcile *r = start(rows, 3);
    match(r, "A1", 2, NOON);
    other(r, "A1", SP_OUTCOME_NO_MATCH, SP_REASON_NOT_ON_MANIFEST, NOON);
    struct sp_reconcile_report *report = finish(r);
    assert_false(report->closed_out);
    assert_int_equal(report->states[SP_RECONCILE_CONFIRMED_UNKNOWN], 1);
    assert_int_equal(report->states[SP_RECONCILE_UNKNOWN], 2);
    assert_true(isnan(report->all.capture.value) && isnan(report->all.fnir.value));
    assert_int_equal(report->all.encounters, 2);
    assert_int_equal(report->all.match_rate.hits, 1);
    sp_reconcile_report_free(&report);
}

static void test_whose_decisions(void **state)
{
    (void)state;
    static struct sp_entry entry;
    struct sp_reconcile_row rows[2];
    fill(rows, 2);
    struct sp_reconcile *r = start(rows, 2);
    other(r, "A1", SP_OUTCOME_NO_MATCH, SP_REASON_NOT_ON_MANIFEST, NOON);
    /* another journey's match at the shared lane, and another journey's lane */
    struct sp_decision *d = decision(&entry, "A1", SP_OUTCOME_MATCH, 0, NOON);
    d->has_traveller = true;
    memset(d->traveller, 1, sizeof d->traveller);
    snprintf(d->manifest, sizeof d->manifest, OTHER);
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    d = decision(&entry, "C3", SP_OUTCOME_NO_MATCH, SP_REASON_NOT_ON_MANIFEST, NOON);
    snprintf(d->galleries[0].manifest, SP_MANIFEST_ID_MAX, OTHER);
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    /* refers without a gallery: the lane's assignment says whose they are */
    d = decision(&entry, "A1", SP_OUTCOME_REFER, SP_REASON_NO_FACE, NOON);
    d->gallery_count = 0;
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    d = decision(&entry, "A1", SP_OUTCOME_REFER, SP_REASON_NO_FACE, NOON);
    d->gallery_count = 0;
    d->assignment = 8;
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    d = decision(&entry, "A1", SP_OUTCOME_REFER, SP_REASON_LEFT, NOON);
    d->gallery_count = 0;
    d->assignment = 0;
    assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    struct sp_reconcile_report *report = finish(r);
    assert_int_equal(report->all.encounters, 2);
    assert_int_equal(report->all.reasons[SP_REASON_NO_FACE], 1);
    assert_int_equal(report->all.matches, 0);
    assert_int_equal(report->lane_count, 1);
    sp_reconcile_report_free(&report);
}

/* Somebody who can write to Redis can repeat a genuine entry; it counts once. Faces of one frame are apart. */
static void test_repeats_and_faces(void **state)
{
    (void)state;
    static struct sp_entry entry;
    struct sp_reconcile_row rows[3];
    fill(rows, 3);
    struct sp_reconcile *r = start(rows, 3);
    decision(&entry, "V1", SP_OUTCOME_MATCH, 0, NOON);
    entry.decision_count = 2;
    for (int i = 0; i < 2; i++) {
        struct sp_decision *d = &entry.decisions[i];
        *d = entry.decisions[0];
        d->face = (uint32_t)i + 1;
        d->has_traveller = true;
        memset(d->traveller, i + 1, sizeof d->traveller);
        snprintf(d->manifest, sizeof d->manifest, FLIGHT);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    struct sp_reconcile_report *report = finish(r);
    assert_int_equal(report->repeats, 4);
    assert_int_equal(report->all.matches, 2);
    assert_int_equal(report->confirmed_of_boarded, 2);
    assert_int_equal(report->missed, 1);
    assert_int_equal(report->all.fnir.hits, 0);
    sp_reconcile_report_free(&report);
}

/* Two journeys of a day: lanes and hours are joined, a lane's capture rate is that of journeys that boarded there
 * alone. */
static void test_sum(void **state)
{
    (void)state;
    struct sp_reconcile_row rows[4];
    struct sp_reconcile_report *reports[2];
    struct sp_reconcile_sum sum = {0};
    fill(rows, 4);
    struct sp_reconcile *r = start(rows, 4);
    match(r, "B2", 1, NOON);
    match(r, "B2", 2, NOON + HOUR);
    other(r, "B2", SP_OUTCOME_NO_MATCH, SP_REASON_NOT_ON_MANIFEST, NOON);
    reports[0] = finish(r);
    r = start(rows, 4);
    match(r, "A1", 1, NOON);
    match(r, "B2", 2, NOON);
    other(r, "A1", SP_OUTCOME_REFER, SP_REASON_LOOK_ALIKE, NOON);
    reports[1] = finish(r);
    assert_int_equal(reports[0]->lanes[0].capture.trials, 4);
    assert_int_equal(reports[1]->lanes[0].capture.trials, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sp_reconcile_sum_add(&sum, reports[i], NOON + 3 * HOUR + i * HOUR / 2, NULL), SP_OK);
        sp_reconcile_report_free(&reports[i]);
    }
    sp_reconcile_sum_finish(&sum);
    assert_int_equal(sum.journeys, 2);
    assert_int_equal(sum.closed_out, 2);
    assert_true(sum.all.capture.hits == 4 && sum.all.capture.trials == 8);
    assert_true(sum.all.fnir.hits == 2 && sum.all.fnir.trials == 6); /* one encounter failed in each */
    assert_int_equal(sum.lane_count, 2);
    assert_string_equal(sum.lanes[0].lane, "A1");
    assert_int_equal(sum.lanes[0].reasons[SP_REASON_LOOK_ALIKE], 1);
    assert_true(sum.lanes[1].matches == 3 && sum.lanes[1].encounters == 4);
    assert_true(sum.lanes[1].capture.hits == 2 && sum.lanes[1].capture.trials == 4);
    assert_int_equal(sum.hour_count, 2);
    assert_true(sum.hours[0].hour_ms == NOON && sum.hours[0].encounters == 5);
    assert_int_equal(sum.departure_count, 1); /* both left in one hour */
    assert_true(sum.departures[0].hour_ms == NOON + 3 * HOUR && sum.departures[0].encounters == 6);
    assert_true(sum.departures[0].capture.hits == 4 && sum.departures[0].capture.trials == 8);
    assert_true(sum.departures[0].capture.low > 0.2 && sum.departures[0].capture.high < 0.8);
    sp_reconcile_sum_clear(&sum);
}

static void test_empty(void **state)
{
    (void)state;
    struct sp_reconcile_report *report = finish(start(NULL, 0));
    assert_false(report->closed_out);
    assert_int_equal(report->all.encounters, 0);
    sp_reconcile_report_free(&report);
    assert_string_equal(sp_reconcile_state_word(SP_RECONCILE_CONFIRMED_ONLY), "confirmed_not_boarded");
}

/* Lanes of the rest of the port, where somebody left before anything was compared, are not this manifest's. */
static void test_a_port_of_many_lanes(void **state)
{
    (void)state;
    static struct sp_entry entry;
    struct sp_reconcile_row rows[2];
    char lane[16];
    fill(rows, 2);
    struct sp_reconcile *r = start(rows, 2);
    for (int i = 0; i < 1000; i++) {
        snprintf(lane, sizeof lane, "L%d", i);
        struct sp_decision *d = decision(&entry, lane, SP_OUTCOME_REFER, SP_REASON_NO_FACE, NOON);
        d->gallery_count = 0;
        d->assignment = i == 998 ? 7 : 8; /* 998: served this manifest */
        assert_int_equal(sp_reconcile_add(r, &entry, NULL), SP_OK);
    }
    match(r, "L998", 1, NOON);
    match(r, "L5", 2, NOON);
    struct sp_reconcile_report *report = finish(r);
    assert_int_equal(report->all.encounters, 3);
    assert_int_equal(report->lane_count, 2);
    assert_string_equal(report->lanes[0].lane, "L5");
    assert_string_equal(report->lanes[1].lane, "L998");
    assert_int_equal(report->lanes[0].encounters, 1);
    assert_int_equal(report->lanes[1].encounters, 2);
    assert_int_equal(report->travellers[0].lane, 1);
    assert_int_equal(report->travellers[1].lane, 0);
    sp_reconcile_report_free(&report);
}

static void test_too_many_lanes(void **state)
{
    (void)state;
    static struct sp_entry entry;
    struct sp_err err = {0};
    char lane[16];
    struct sp_reconcile *r = start(NULL, 0);
    enum sp_status status = SP_OK;
    for (int i = 0; i <= SP_RECONCILE_MAX_LANES && status == SP_OK; i++) {
        snprintf(lane, sizeof lane, "L%d", i);
        decision(&entry, lane, SP_OUTCOME_NO_MATCH, SP_REASON_NOT_ON_MANIFEST, NOON);
        status = sp_reconcile_add(r, &entry, &err);
    }
    assert_int_equal(status, SP_OK);
    struct sp_reconcile_report *report = NULL;
    assert_int_equal(sp_reconcile_finish(&report, r, &err), SP_E_LIMIT);
    assert_non_null(strstr(err.text, "257 lanes"));
    assert_null(report);
    sp_reconcile_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_differences),
        cmocka_unit_test(test_no_closeout),
        cmocka_unit_test(test_whose_decisions),
        cmocka_unit_test(test_repeats_and_faces),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_a_port_of_many_lanes),
        cmocka_unit_test(test_too_many_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
