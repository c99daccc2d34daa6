/* `sallyport manifest close|purge|tidy|enrol`: what becomes of manifests after they are published. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/reason.h"
#include "ops/command.h"
#include "ops/enrol.h"
#include "ops/json.h"
#include "ops/progress.h"
#include "roster/manifest_purge.h"

/* One line of the command: manifests by id, or all. */
struct life {
    struct sp_ops_line line;
    struct sp_desk desk;
    bool all, json;
    const char *pack, *retire;
    char (*ids)[SP_MANIFEST_ID_MAX]; /* owned; --all */
    int count;
};

static void life_clear(struct life *life)
{
    free(life->ids);
    sp_desk_close(&life->desk);
}

static bool ids_ok(const struct sp_ops_line *line)
{
    for (int i = 0; i < line->count; i++)
        if (!sp_manifest_id_ok(line->operands[i]))
            return false;
    return true;
}

/* The ids once the desk is open. */
static enum sp_status list_ids(struct life *life, struct sp_err *err)
{
    if (life->all)
        return sp_manifest_list(&life->ids, &life->count, life->desk.durable, err);
    life->count = life->line.count;
    return SP_OK;
}

static const char *id_at(const struct life *life, int at)
{
    return life->all ? life->ids[at] : life->line.operands[at];
}

/* With --all, what cannot take part (closed, not flipped yet, without this pack) is passed over. */
static bool passes_over(const struct life *life, enum sp_status status)
{
    return life->all && (status == SP_E_CLOSED || status == SP_E_NOTFOUND);
}

/* What became of one manifest: says what failed and keeps the worst exit code. False: no use going on. */
static bool goes_on(const struct life *life, enum sp_status status, const struct sp_err *err, int *code)
{
    if (status == SP_OK || passes_over(life, status))
        return true;
    int failed = sp_command_fail(err);
    *code = failed > *code ? failed : *code;
    return status != SP_E_UNAVAILABLE && status != SP_E_NOMEM; /* these would be so of each */
}

/* ---- close and purge ---- */

typedef enum sp_status ending(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                              const char *manifest, const struct sp_key_file *ops, struct sp_err *err);

static int end_run(int argc, char **argv, const struct sp_ops_verb *verb, const char *short_name, ending *end,
                   enum sp_manifest_state state, const bool *may_be_standing)
{
    struct life life = {0};
    struct sp_err err = {0};
    uint64_t version = 0;
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&life.line, verb, argc, argv, &code))
        return code;
    if (life.line.count != 1 || !ids_ok(&life.line))
        return sp_command_usage(short_name, "give one manifest id");
    const char *manifest = life.line.operands[0];
    if (!*may_be_standing && sp_manifest_id_standing(manifest))
        return sp_command_usage(short_name,
                                "%s is a standing gallery: once closed it takes nobody any more; if it "
                                "shall end for good, give --standing",
                                manifest);
    enum sp_status status = sp_desk_open(&life.desk, &life.line.config, true, &err);
    if (status == SP_OK)
        status = end(&version, life.desk.durable, life.desk.galleries, manifest, &life.desk.box, &err);
    if (status == SP_OK)
        printf("manifest %s version %llu %s\n", manifest, (unsigned long long)version,
               sp_manifest_state_word(state));
    else
        code = sp_command_fail(&err);
    life_clear(&life);
    return code;
}

int sp_manifest_close_run(int argc, char **argv)
{
    bool standing = false;
    const struct sp_flag flags[] = {{"standing", NULL, "end a standing gallery for good", NULL, &standing}, {0}};
    const struct sp_ops_verb verb = {"sallyport manifest close", "Close a manifest.",
                                     "sallyport manifest close air-zx-417-20261204-lis", "ID", flags};
    return end_run(argc, argv, &verb, "manifest close", sp_publish_close, SP_MANIFEST_CLOSED, &standing);
}

int sp_manifest_purge_run(int argc, char **argv)
{
    const bool standing = true;
    const struct sp_ops_verb verb = {"sallyport manifest purge", "Delete everything of a closed manifest.",
                                     "sallyport manifest purge air-zx-417-20261204-lis", "ID", NULL};
    return end_run(argc, argv, &verb, "manifest purge", sp_manifest_purge, SP_MANIFEST_PURGED, &standing);
}

/* ---- tidy ---- */

static enum sp_status tidy_one(struct life *life, const char *manifest, struct sp_err *err)
{
    struct sp_manifest_tidied tidied = {0};
    enum sp_status status = sp_manifest_tidy(&tidied, life->desk.durable, life->desk.galleries, manifest,
                                             &life->desk.box, sp_clock_wall_ms(), err);
    if (status != SP_OK)
        return status;
    if (!life->json) {
        printf("manifest %s version %llu: removed %d rows, %d portraits, %d notes, %d templates, %d expired "
               "travellers\n",
               manifest, (unsigned long long)tidied.version, tidied.rows, tidied.portraits, tidied.notes,
               tidied.templates, tidied.expired);
        return SP_OK;
    }
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", manifest);
    sp_json_number(&json, "version", (double)tidied.version);
    sp_json_number(&json, "rows", tidied.rows);
    sp_json_number(&json, "portraits", tidied.portraits);
    sp_json_number(&json, "notes", tidied.notes);
    sp_json_number(&json, "templates", tidied.templates);
    sp_json_number(&json, "expired", tidied.expired);
    sp_json_close(&json, '}');
    printf("\n");
    return SP_OK;
}

int sp_manifest_tidy_run(int argc, char **argv)
{
    struct life life = {0};
    const struct sp_flag flags[] = {{"all", NULL, "every manifest", NULL, &life.all},
                                    {"json", NULL, "one JSON object per line", NULL, &life.json},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport manifest tidy", "Remove what no version names.",
                                     "sallyport manifest tidy --all", "ID...", flags};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&life.line, &verb, argc, argv, &code))
        return code;
    if (life.all == (life.line.count > 0) || !ids_ok(&life.line))
        return sp_command_usage("manifest tidy", "give manifest ids, or --all");
    enum sp_status status = sp_desk_open(&life.desk, &life.line.config, true, &err);
    if (status == SP_OK)
        status = list_ids(&life, &err);
    if (status != SP_OK)
        code = sp_command_fail(&err);
    for (int i = 0; status == SP_OK && i < life.count; i++)
        if (!goes_on(&life, tidy_one(&life, id_at(&life, i), &err), &err, &code))
            break;
    life_clear(&life);
    return code;
}

/* ---- enrol ---- */

static void print_enrolled(const struct life *life, const struct sp_publish_report *report)
{
    if (!life->json) {
        printf(
            "manifest %s version %llu %s: %d portraits, %d enrolled, %d travellers without a usable portrait under "
            "this pack\n",
            report->manifest, (unsigned long long)report->version, sp_manifest_state_word(report->state),
            report->portraits, report->enrolled, report->lack_count);
        return;
    }
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", report->manifest);
    sp_json_number(&json, "version", (double)report->version);
    sp_json_text(&json, "state", sp_manifest_state_word(report->state));
    sp_json_bool(&json, "unchanged", report->unchanged);
    sp_json_number(&json, "portraits", report->portraits);
    sp_json_number(&json, "enrolled", report->enrolled);
    sp_json_number(&json, "without_portrait", report->lack_count);
    sp_json_close(&json, '}');
    printf("\n");
}

static enum sp_status retire_one(struct life *life, const char *manifest, const uint8_t pack[16],
                                 struct sp_err *err)
{
    uint64_t version = 0;
    enum sp_status status =
        sp_publish_retire(&version, life->desk.durable, life->desk.galleries, manifest, pack, &life->desk.box, err);
    if (status == SP_OK)
        printf("manifest %s version %llu without pack %s\n", manifest, (unsigned long long)version, life->retire);
    return status;
}

static void on_progress(void *user, const char *what, int done, int total)
{
    sp_progress_show(user, what, done, total);
}

static enum sp_status enrol_one(struct life *life, const char *manifest, struct sp_publish_config *config,
                                struct sp_err *err)
{
    static struct sp_publish_report report; /* large */
    struct sp_progress_bar bar;
    memset(&report, 0, sizeof report);
    sp_progress_start(&bar);
    config->on_progress = on_progress;
    config->user = &bar;
    enum sp_status status = sp_publish_enrol(&report, manifest, config, err);
    sp_progress_end(&bar);
    if (status == SP_OK)
        print_enrolled(life, &report);
    sp_publish_report_clear(&report);
    return status;
}

int sp_manifest_enrol_run(int argc, char **argv)
{
    struct life life = {0};
    const struct sp_flag flags[] = {{"pack", "DIR", "the new pack; default pack.directory", &life.pack, NULL},
                                    {"retire", "PACK", "drop this pack instead", &life.retire, NULL},
                                    {"all", NULL, "every open manifest", NULL, &life.all},
                                    {"json", NULL, "one JSON object per line", NULL, &life.json},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport manifest enrol", "Enrol the portraits under another model pack.",
                                     "sallyport manifest enrol --all --pack packs/new/", "ID...", flags};
    struct sp_publish_config config = {0};
    struct sp_err err = {0};
    uint8_t pack[16];
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&life.line, &verb, argc, argv, &code))
        return code;
    if (life.all == (life.line.count > 0) || !ids_ok(&life.line))
        return sp_command_usage("manifest enrol", "give manifest ids, or --all");
    if (life.retire && sp_seal_from_hex(pack, sizeof pack, life.retire, NULL) != SP_OK)
        return sp_command_usage("manifest enrol", "--retire is the 32 hex digits of a pack's fingerprint");
    enum sp_status status = life.retire
                                ? sp_desk_open(&life.desk, &life.line.config, true, &err)
                                : sp_manifest_prepare(&config, &life.desk, &life.line.config, life.pack, &err);
    if (status == SP_OK)
        status = list_ids(&life, &err);
    if (status != SP_OK)
        code = sp_command_fail(&err);
    for (int i = 0; status == SP_OK && i < life.count; i++) {
        enum sp_status step = life.retire ? retire_one(&life, id_at(&life, i), pack, &err)
                                          : enrol_one(&life, id_at(&life, i), &config, &err);
        if (!goes_on(&life, step, &err, &code))
            break;
    }
    life_clear(&life);
    return code;
}
