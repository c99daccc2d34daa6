#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "ops/command.h"
#include "ops/reconcile_print.h"
#include "records/stream.h"
#include "roster/manifest_store.h"
#include "roster/readiness.h"

#define DAY_MS (24 * 3600000ll)

struct reconciling {
    struct sp_desk desk;
    struct sp_store *records; /* the durable Redis as the recorder */
    struct sp_key_file recorder;
    uint8_t authority[32];
    struct sp_desk_manifest manifest;
    struct sp_reconcile *reconcile;
    struct sp_entry *entry; /* room for one, opened */
    int64_t from_ms, to_ms;
    int entries, refused;
    struct sp_err refusal; /* of the first */
};

static enum sp_status on_entry(void *user, const struct sp_stream_entry *raw, struct sp_err *err)
{
    struct reconciling *r = user;
    struct sp_err inner = {0};
    r->entries++;
    if (sp_stream_open(r->entry, raw, &r->recorder, r->authority, &inner) == SP_OK)
        return sp_reconcile_add(r->reconcile, r->entry, err);
    if (r->refused++ == 0)
        sp_fail(&r->refusal, inner.status, "%s partition %d: %s", raw->id, raw->partition, inner.text);
    return SP_OK;
}

static enum sp_status open_all(struct reconciling *r, const struct sp_ops_config *config, const char *id,
                               struct sp_err *err)
{
    enum sp_status status = sp_ops_key(&r->recorder, config->recorder, "keys.recorder", SP_KEY_BOX, true, err);
    if (status == SP_OK)
        status = sp_ops_authority(r->authority, config, err);
    if (status == SP_OK)
        status = sp_desk_open(&r->desk, config, false, err);
    if (status == SP_OK)
        status = sp_ops_records_store(&r->records, config, err);
    if (status == SP_OK)
        status = sp_desk_load(&r->manifest, &r->desk, id, err);
    r->entry = calloc(1, sizeof *r->entry);
    return status == SP_OK && !r->entry ? sp_fail(err, SP_E_NOMEM, "no memory for an entry") : status;
}

static enum sp_status begin(struct reconciling *r, bool with_crew, struct sp_err *err)
{
    const struct sp_manifest_index *index = r->manifest.index;
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
    enum sp_status status = sp_reconcile_new(&r->reconcile, index->id, rows, index->row_count, with_crew, err);
    free(rows);
    return status;
}

static enum sp_status run(struct reconciling *r, const struct sp_ops_config *config, bool with_crew,
                          struct sp_reconcile_report **ret_report, struct sp_err *err)
{
    enum sp_status status = begin(r, with_crew, err);
    int64_t departs_ms = r->manifest.index->departs_ms;
    if (departs_ms > 0 && !r->from_ms)
        r->from_ms = departs_ms - DAY_MS;
    if (departs_ms > 0 && !r->to_ms)
        r->to_ms = departs_ms + DAY_MS;
    for (int p = 0; p < (int)config->partitions && status == SP_OK; p++)
        status = sp_stream_scan(r->records, p, r->from_ms, r->to_ms, on_entry, r, err);
    return status == SP_OK ? sp_reconcile_finish(ret_report, r->reconcile, err) : status;
}

static void clear(struct reconciling *r)
{
    sp_reconcile_free(&r->reconcile);
    sp_desk_manifest_clear(&r->manifest);
    if (r->records)
        sp_store_free(&r->records);
    sp_desk_close(&r->desk);
    sp_key_wipe(&r->recorder);
    free(r->entry);
}

int sp_manifest_reconcile_run(int argc, char **argv)
{
    struct reconciling r = {0};
    const char *since = NULL, *until = NULL;
    bool json = false, names = false, with_crew = false;
    const struct sp_flag flags[] = {{"since", "TIME", "decisions from then on", &since, NULL},
                                    {"until", "TIME", "decisions up to then", &until, NULL},
                                    {"with-crew", NULL, "crew counts in the rates, too", NULL, &with_crew},
                                    {"json", NULL, "one JSON document", NULL, &json},
                                    {"names", NULL, "names, too", NULL, &names},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport manifest reconcile", "Close-out against the ledger's decisions.",
                                     "sallyport manifest reconcile air-zx-417-20261204-lis", "ID", flags};
    struct sp_reconcile_report *report = NULL;
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count != 1 || !sp_manifest_id_ok(line.operands[0]))
        return sp_command_usage("manifest reconcile", "give one manifest id; `sallyport manifest list` names them");
    if ((since && sp_clock_parse(since, &r.from_ms) != 0) || (until && sp_clock_parse(until, &r.to_ms) != 0))
        return sp_command_usage("manifest reconcile",
                                "a time is like 2026-12-04T18:20:00Z or 2026-12-04T18:20:00+01:00");
    enum sp_status status = open_all(&r, &line.config, line.operands[0], &err);
    if (status == SP_OK)
        status = run(&r, &line.config, with_crew, &report, &err);
    if (status == SP_OK) {
        struct sp_reconcile_view view = {&r.desk,   &r.manifest, report,         r.from_ms, r.to_ms,
                                         r.entries, r.refused,   r.refusal.text, names};
        (json ? sp_reconcile_print_json : sp_reconcile_print_text)(&view);
        code = r.refused > 0 ? SP_EXIT_REFUSED : SP_EXIT_OK;
    } else {
        code = sp_command_fail(&err);
    }
    sp_reconcile_report_free(&report);
    clear(&r);
    return code;
}
