#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/clock.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/json.h"
#include "roster/manifest_store.h"
#include "roster/scorecard.h"

#define DAY_MS    (24 * 3600000ll)
#define MINUTE_MS 60000ll
#define DAYS_MAX  400

/* A list is due this many minutes before departure: passengers' batches by air 30 minutes before the doors close,
 * private aircraft and vessels 60 minutes before departure (19 CFR 122.75a, 122.22, 4.64). */
static const int deadlines[] = {[SP_MODE_AIR] = 30,
                                [SP_MODE_SEA] = 60,
                                [SP_MODE_PEDESTRIAN] = 0,
                                [SP_MODE_VEHICLE] = 0,
                                [SP_MODE_PRIVATE] = 60};

struct scoring {
    struct sp_desk desk;
    struct sp_scorecard *card;
    const char *carrier; /* NULL: all */
    int64_t from_ms, to_ms;
    int deadline_min; /* -1: the mode's */
    int gone;         /* manifests of which nothing is left */
};

static int64_t deadline_of(const struct scoring *s, const char *id)
{
    char mode[16];
    snprintf(mode, sizeof mode, "%.*s", (int)strcspn(id, "-"), id);
    int number = sp_mode_from(mode);
    return (s->deadline_min >= 0 ? s->deadline_min : number >= 0 ? deadlines[number] : 0) * MINUTE_MS;
}

static enum sp_status score_rows(struct scoring *s, const struct sp_desk_manifest *manifest, struct sp_err *err)
{
    const struct sp_manifest_index *index = manifest->index;
    unsigned *lacking = calloc((size_t)index->row_count + 1, sizeof *lacking);
    enum sp_status status =
        lacking ? SP_OK : sp_fail(err, SP_E_NOMEM, "no memory for %d travellers", index->row_count);
    for (int i = 0; i < index->row_count && status == SP_OK; i++) {
        struct sp_row row = {0};
        status = sp_manifest_load_row(&row, s->desk.durable, index->id, &index->rows[i], &manifest->keys, err);
        if (status == SP_OK)
            lacking[i] = sp_score_lacking(&row);
        sp_row_clear(&row);
    }
    if (status == SP_OK)
        status = sp_scorecard_add(s->card, index, lacking, deadline_of(s, index->id), err);
    free(lacking);
    return status;
}

static enum sp_status score_one(struct scoring *s, const char *id, struct sp_err *err)
{
    struct sp_desk_manifest manifest = {0};
    struct sp_err inner = {0};
    enum sp_status status = sp_desk_load(&manifest, &s->desk, id, &inner);
    if (status == SP_E_NOTFOUND) {
        s->gone++;
        status = SP_OK;
    } else if (status != SP_OK) {
        status = sp_fail(err, status, "%s", inner.text);
    } else {
        const struct sp_manifest_index *index = manifest.index;
        int64_t when_ms = index->departs_ms ? index->departs_ms : index->flipped_ms;
        if (!index->standing && when_ms >= s->from_ms && when_ms <= s->to_ms &&
            (!s->carrier || strcasecmp(s->carrier, index->carrier) == 0))
            status = score_rows(s, &manifest, err);
    }
    sp_desk_manifest_clear(&manifest);
    return status;
}

static double percent(int part, int of)
{
    return of > 0 ? 100.0 * part / of : 0;
}

static void print_text(const struct scoring *s)
{
    printf("%-10s %8s %8s %6s %8s %10s %10s %12s %10s %12s\n", "CARRIER", "JOURNEYS", "ON TIME", "LATE", "UNDATED",
           "INCOMPLETE", "TRAVELLERS", "SUFFICIENT %", "PORTRAIT %", "DEVIATIONS/T");
    for (int i = 0; i < s->card->count; i++) {
        const struct sp_score *score = &s->card->scores[i];
        printf("%-10s %8d %8d %6d %8d %10d %10d %12.1f %10.1f %12.2f\n", score->carrier, score->journeys,
               score->on_time, score->late, score->undated, score->incomplete, score->travellers,
               percent(score->sufficient, score->travellers), percent(score->with_portrait, score->travellers),
               score->travellers > 0 ? (double)score->deviations / score->travellers : 0);
        for (int k = 0, begun = 0; k < SP_SCORE_ELEMENT_COUNT; k++)
            if (score->lacking[k] > 0)
                printf("%s%s %d", begun++ ? ", " : "           without: ", sp_score_element_word(k),
                       score->lacking[k]);
        if (score->sufficient < score->travellers)
            printf("\n");
    }
    if (s->card->count == 0)
        printf("no journey departed in that time\n");
    if (s->gone > 0)
        printf("%d manifests are purged or were never published: not counted\n", s->gone);
}

static void print_json(const struct scoring *s)
{
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_number(&json, "from_ms", (double)s->from_ms);
    sp_json_number(&json, "to_ms", (double)s->to_ms);
    sp_json_number(&json, "gone", s->gone);
    sp_json_open(&json, "carriers", '[');
    for (int i = 0; i < s->card->count; i++) {
        const struct sp_score *score = &s->card->scores[i];
        sp_json_open(&json, NULL, '{');
        sp_json_text(&json, "carrier", score->carrier);
        sp_json_number(&json, "journeys", score->journeys);
        sp_json_number(&json, "on_time", score->on_time);
        sp_json_number(&json, "late", score->late);
        sp_json_number(&json, "undated", score->undated);
        sp_json_number(&json, "incomplete", score->incomplete);
        sp_json_number(&json, "travellers", score->travellers);
        sp_json_number(&json, "sufficient", score->sufficient);
        sp_json_number(&json, "with_portrait", score->with_portrait);
        sp_json_number(&json, "messages", score->messages);
        sp_json_number(&json, "deviations", score->deviations);
        sp_json_open(&json, "without", '{');
        for (int k = 0; k < SP_SCORE_ELEMENT_COUNT; k++)
            if (score->lacking[k] > 0)
                sp_json_number(&json, sp_score_element_word(k), score->lacking[k]);
        sp_json_close(&json, '}');
        sp_json_close(&json, '}');
    }
    sp_json_close(&json, ']');
    sp_json_close(&json, '}');
    printf("\n");
}

static enum sp_status score_all(struct scoring *s, const struct sp_ops_config *config, struct sp_err *err)
{
    char(*ids)[SP_MANIFEST_ID_MAX] = NULL;
    int count = 0;
    enum sp_status status = sp_desk_open(&s->desk, config, false, err);
    if (status == SP_OK)
        status = sp_manifest_list(&ids, &count, s->desk.durable, err);
    s->card = calloc(1, sizeof *s->card);
    if (status == SP_OK && !s->card)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a scorecard");
    for (int i = 0; i < count && status == SP_OK; i++)
        status = score_one(s, ids[i], err);
    if (status == SP_OK)
        sp_scorecard_sort(s->card);
    free(ids);
    return status;
}

static bool whole_number(const char *text, int max, int *ret)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    *ret = (int)number;
    return end != text && *end == 0 && number >= 0 && number <= max;
}

int sp_manifest_scorecard_run(int argc, char **argv)
{
    struct scoring s = {.deadline_min = -1};
    const char *days_text = "7", *deadline_text = NULL;
    bool json = false;
    const struct sp_flag flags[] = {
        {"carrier", "CODE", "only this one", &s.carrier, NULL},
        {"days", "N", "journeys that departed in the last N days (7)", &days_text, NULL},
        {"deadline", "MIN", "lists are due this long before departure", &deadline_text, NULL},
        {"json", NULL, "one JSON document", NULL, &json},
        {0}};
    const struct sp_ops_verb verb = {"sallyport manifest scorecard", "How well carriers send their lists.",
                                     "sallyport manifest scorecard --days 30", NULL, flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK, days = 0;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (!whole_number(days_text, DAYS_MAX, &days) || days == 0)
        return sp_command_usage("manifest scorecard", "--days is 1 to %d, not '%s'", DAYS_MAX, days_text);
    if (deadline_text && !whole_number(deadline_text, 10000, &s.deadline_min))
        return sp_command_usage("manifest scorecard", "--deadline is 0 to 10000 minutes, not '%s'", deadline_text);
    s.to_ms = sp_clock_wall_ms();
    s.from_ms = s.to_ms - days * DAY_MS;
    if (score_all(&s, &line.config, &err) != SP_OK)
        code = sp_command_fail(&err);
    else
        (json ? print_json : print_text)(&s);
    free(s.card);
    sp_desk_close(&s.desk);
    return code;
}
