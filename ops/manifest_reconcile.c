#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "ops/command.h"
#include "ops/reconcile_print.h"
#include "records/stream.h"
#include "roster/manifest_store.h"
#include "roster/readiness.h"

#define DAY_MS       (24 * 3600000ll)
#define JOURNEYS_MAX 500 /* at once: each is held in memory */

/* One manifest. */
struct journey {
    struct sp_desk_manifest manifest;
    struct sp_reconcile *reconcile;
    struct sp_reconcile_report *report;
    int64_t from_ms, to_ms; /* of the decisions that are read for it; 0: open */
};

struct reconciling {
    const struct sp_ops_config *config;
    struct sp_desk desk;
    struct sp_store *records; /* the durable Redis as the recorder */
    struct sp_key_file recorder;
    uint8_t authority[32];
    int count;
    struct journey *journeys; /* room for JOURNEYS_MAX */
    struct sp_entry *entry;   /* room for one, opened */
    int64_t from_ms, to_ms;   /* as the command line says; 0: not said */
    bool with_crew, json, names;
    int entries, refused;
    struct sp_err refusal; /* of the first */
};

/* ---- what is compared ---- */

static enum sp_status open_all(struct reconciling *r, struct sp_err *err)
{
    enum sp_status status = sp_ops_key(&r->recorder, r->config->recorder, "keys.recorder", SP_KEY_BOX, true, err);
    if (status == SP_OK)
        status = sp_ops_authority(r->authority, r->config, err);
    if (status == SP_OK)
        status = sp_desk_open(&r->desk, r->config, false, err);
    if (status == SP_OK)
        status = sp_ops_records_store(&r->records, r->config, err);
    r->entry = calloc(1, sizeof *r->entry);
    r->journeys = calloc(JOURNEYS_MAX, sizeof *r->journeys);
    return status == SP_OK && (!r->entry || !r->journeys) ? sp_fail(err, SP_E_NOMEM, "no memory for the journeys")
                                                          : status;
}

static enum sp_status begin(struct reconciling *r, struct journey *journey, struct sp_err *err)
{
    const struct sp_manifest_index *index = journey->manifest.index;
    struct sp_reconcile_row *rows = calloc((size_t)index->row_count + 1, sizeof *rows);
    if (!rows)
        return sp_fail(err, SP_E_NOMEM, "no memory for %d travellers", index->row_count);
    for (int i = 0; i < index->row_count; i++) {
        const struct sp_index_row *row = &index->rows[i];
        memcpy(rows[i].pseudonym, row->pseudonym, sizeof rows[i].pseudonym);
        rows[i].crew = row->crew;
        for (int pack = 0; pack < index->pack_count; pack++)
            rows[i].enrolled = rows[i].enrolled || sp_index_row_usable(row, pack);
        rows[i].closeout = row->boarding == SP_BOARDING_ON_BOARD       ? SP_CLOSEOUT_ON_BOARD
                           : row->boarding == SP_BOARDING_NOT_ON_BOARD ? SP_CLOSEOUT_NOT_ON_BOARD
                                                                       : SP_CLOSEOUT_SILENT;
    }
    enum sp_status status =
        sp_reconcile_new(&journey->reconcile, index->id, rows, index->row_count, r->with_crew, err);
    free(rows);
    journey->from_ms = r->from_ms ? r->from_ms : index->departs_ms ? index->departs_ms - DAY_MS : 0;
    journey->to_ms = r->to_ms ? r->to_ms : index->departs_ms ? index->departs_ms + DAY_MS : 0;
    return status;
}

/* Once, however often it is named. */
static enum sp_status add_journey(struct reconciling *r, const char *id, struct sp_err *err)
{
    for (int i = 0; i < r->count; i++)
        if (strcmp(r->journeys[i].manifest.index->id, id) == 0)
            return SP_OK;
    if (r->count == JOURNEYS_MAX)
        return sp_fail(err, SP_E_LIMIT, "more than %d journeys at once: take a shorter time", JOURNEYS_MAX);
    struct journey *journey = &r->journeys[r->count++];
    enum sp_status status = sp_desk_load(&journey->manifest, &r->desk, id, err);
    return status == SP_OK ? begin(r, journey, err) : status;
}

/* All that departed within the span; what is purged, or was never published, is passed over. */
static enum sp_status add_departed(struct reconciling *r, int64_t span_ms, struct sp_err *err)
{
    char(*ids)[SP_MANIFEST_ID_MAX] = NULL;
    int count = 0;
    int64_t now_ms = sp_clock_wall_ms();
    enum sp_status status = sp_manifest_list(&ids, &count, r->desk.durable, err);
    for (int i = 0; i < count && status == SP_OK; i++) {
        struct sp_desk_manifest manifest = {0};
        struct sp_err inner = {0};
        status = sp_desk_load(&manifest, &r->desk, ids[i], &inner);
        int64_t departs_ms = status == SP_OK ? manifest.index->departs_ms : 0;
        sp_desk_manifest_clear(&manifest);
        if (status == SP_OK && departs_ms > now_ms - span_ms && departs_ms <= now_ms)
            status = add_journey(r, ids[i], err);
        else if (status == SP_E_NOTFOUND)
            status = SP_OK;
        else if (status != SP_OK)
            sp_fail(err, status, "%s", inner.text);
    }
    free(ids);
    return status;
}

/* ---- with what was decided ---- */

static enum sp_status on_entry(void *user, const struct sp_stream_entry *raw, struct sp_err *err)
{
    struct reconciling *r = user;
    struct sp_err inner = {0};
    enum sp_status status = SP_OK;
    r->entries++;
    if (sp_stream_open(r->entry, raw, &r->recorder, r->authority, &inner) != SP_OK) {
        if (r->refused++ == 0)
            sp_fail(&r->refusal, inner.status, "%s partition %d: %s", raw->id, raw->partition, inner.text);
        return SP_OK;
    }
    for (int i = 0; i < r->count && status == SP_OK; i++) {
        const struct journey *journey = &r->journeys[i];
        if ((!journey->from_ms || (int64_t)raw->ms >= journey->from_ms) &&
            (!journey->to_ms || (int64_t)raw->ms <= journey->to_ms))
            status = sp_reconcile_add(journey->reconcile, r->entry, err);
    }
    return status;
}

/* The streams once, over the time of all journeys. */
static enum sp_status read_streams(struct reconciling *r, struct sp_err *err)
{
    int64_t from_ms = r->count ? r->journeys[0].from_ms : 0, to_ms = r->count ? r->journeys[0].to_ms : 0;
    enum sp_status status = SP_OK;
    for (int i = 1; i < r->count; i++) {
        const struct journey *journey = &r->journeys[i];
        from_ms = journey->from_ms < from_ms ? journey->from_ms : from_ms; /* 0, open, is the smallest */
        to_ms = !journey->to_ms || !to_ms ? 0 : journey->to_ms > to_ms ? journey->to_ms : to_ms;
    }
    for (int p = 0; p < (int)r->config->partitions && status == SP_OK && r->count > 0; p++)
        status = sp_stream_scan(r->records, p, from_ms, to_ms, on_entry, r, err);
    for (int i = 0; i < r->count && status == SP_OK; i++)
        status = sp_reconcile_finish(&r->journeys[i].report, r->journeys[i].reconcile, err);
    return status;
}

/* ---- and told ---- */

static struct sp_reconcile_view view_of(const struct reconciling *r, const struct journey *journey)
{
    return (struct sp_reconcile_view){&r->desk,         &journey->manifest, journey->report,
                                      journey->from_ms, journey->to_ms,     r->entries,
                                      r->refused,       r->refusal.text,    r->names};
}

static enum sp_status show_many(const struct reconciling *r, struct sp_err *err)
{
    struct sp_reconcile_sum sum = {0};
    enum sp_status status = SP_OK;
    if (!r->json && r->count > 0)
        sp_reconcile_print_head();
    for (int i = 0; i < r->count && status == SP_OK; i++) {
        struct sp_reconcile_view view = view_of(r, &r->journeys[i]);
        (r->json ? sp_reconcile_print_json : sp_reconcile_print_line)(&view);
        status = sp_reconcile_sum_add(&sum, r->journeys[i].report, r->journeys[i].manifest.index->departs_ms, err);
    }
    if (status == SP_OK) {
        sp_reconcile_sum_finish(&sum);
        (r->json ? sp_reconcile_print_sum_json : sp_reconcile_print_sum_text)(&sum);
        if (r->refused > 0)
            fprintf(stderr, "REFUSED and not counted: %d decisions; the first: %s\n", r->refused, r->refusal.text);
    }
    sp_reconcile_sum_clear(&sum);
    return status;
}

static enum sp_status run(struct reconciling *r, const struct sp_ops_line *line, int64_t span_ms,
                          struct sp_err *err)
{
    enum sp_status status = open_all(r, err);
    if (status == SP_OK && span_ms)
        status = add_departed(r, span_ms, err);
    for (int i = 0; i < line->count && status == SP_OK; i++)
        status = add_journey(r, line->operands[i], err);
    if (status == SP_OK)
        status = read_streams(r, err);
    if (status == SP_OK && (span_ms || r->count > 1))
        return show_many(r, err);
    if (status == SP_OK) {
        struct sp_reconcile_view view = view_of(r, &r->journeys[0]);
        (r->json ? sp_reconcile_print_json : sp_reconcile_print_text)(&view);
    }
    return status;
}

static void clear(struct reconciling *r)
{
    for (int i = 0; i < r->count; i++) {
        sp_reconcile_free(&r->journeys[i].reconcile);
        sp_reconcile_report_free(&r->journeys[i].report);
        sp_desk_manifest_clear(&r->journeys[i].manifest);
    }
    if (r->records)
        sp_store_free(&r->records);
    sp_desk_close(&r->desk);
    sp_key_wipe(&r->recorder);
    free(r->journeys);
    free(r->entry);
}

static bool all_ids(const struct sp_ops_line *line)
{
    for (int i = 0; i < line->count; i++)
        if (!sp_manifest_id_ok(line->operands[i]))
            return false;
    return true;
}

int sp_manifest_reconcile_run(int argc, char **argv)
{
    struct reconciling r = {0};
    const char *since = NULL, *until = NULL, *departed = NULL;
    const struct sp_flag flags[] = {{"departed", "SPAN", "all that departed within the last 24h", &departed, NULL},
                                    {"since", "TIME", "decisions from then on", &since, NULL},
                                    {"until", "TIME", "decisions up to then", &until, NULL},
                                    {"with-crew", NULL, "crew counts in the rates, too", NULL, &r.with_crew},
                                    {"json", NULL, "one JSON object per journey", NULL, &r.json},
                                    {"names", NULL, "names, too", NULL, &r.names},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport manifest reconcile", "Close-out against the ledger's decisions.",
                                     "sallyport manifest reconcile air-zx-417-20261204-lis", "[ID...]", flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int64_t span_ms = 0;
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if ((departed != NULL) == (line.count > 0) || !all_ids(&line))
        return sp_command_usage("manifest reconcile", "give manifest ids, or --departed 24h");
    if (departed && !sp_command_span(departed, &span_ms))
        return sp_command_usage("manifest reconcile", "--departed is like 24h, 90m or 2d, not '%s'", departed);
    if ((since && sp_clock_parse(since, &r.from_ms) != 0) || (until && sp_clock_parse(until, &r.to_ms) != 0))
        return sp_command_usage("manifest reconcile",
                                "a time is like 2026-12-04T18:20:00Z or 2026-12-04T18:20:00+01:00");
    r.config = &line.config;
    if (run(&r, &line, span_ms, &err) != SP_OK)
        code = sp_command_fail(&err);
    else if (r.refused > 0)
        code = SP_EXIT_REFUSED;
    clear(&r);
    return code;
}
