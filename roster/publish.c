#include "roster/publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "roster/manifest_purge.h"
#include "roster/publish_parts.h"

#define ATTEMPTS 5 /* of a message that loses the race for a version */

void sp_publish_progress(const struct sp_publish_run *p, const char *what, int done, int total)
{
    if (p->config->on_progress)
        p->config->on_progress(p->config->user, what, done, total);
}

enum sp_status sp_publish_collect(struct sp_store *store, int n, enum sp_status status, struct sp_err *err)
{
    for (int i = 0; i < n; i++) {
        struct sp_err later = {0};
        enum sp_status step = sp_store_collect(store, NULL, &later);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    return status;
}

static void run_clear(struct sp_publish_run *p)
{
    sp_seal_wipe(&p->keys, sizeof p->keys);
    sp_manifest_free_rows(&p->rows_before, p->before ? p->before->row_count : 0);
    sp_manifest_index_free(&p->before);
    sp_manifest_index_free(&p->next);
    sp_applied_free(&p->applied);
    free(p->drafts);
    free(p->jobs);
    free(p->job_draft);
    free(p->job_portrait);
    free(p->job_pack);
}

/* ---- what stands ---- */

static enum sp_status purged(const struct sp_publish_run *p, struct sp_err *err)
{
    return sp_fail(err, SP_E_CLOSED, "manifest %s is %s: it takes no further version", p->manifest,
                   sp_manifest_state_word(SP_MANIFEST_PURGED));
}

/* Keys that are gone while a version stands are not made anew: what stands could never be opened again. */
static enum sp_status open_keys(struct sp_publish_run *p, struct sp_err *err)
{
    struct sp_manifest_reader reader = {"ops", p->config->ops};
    uint64_t version = 0;
    enum sp_status status = sp_manifest_open_keys(&p->keys, p->config->durable, p->manifest, &reader, err);
    if (status != SP_E_NOTFOUND)
        return status;
    status = sp_manifest_current(p->config->durable, p->manifest, &version, &p->state, err);
    if (status == SP_OK && p->state == SP_MANIFEST_PURGED)
        return purged(p, err);
    return status != SP_OK ? status
                           : sp_fail(err, SP_E_AUTH,
                                     "manifest %s stands at version %" PRIu64 " and its data keys are gone: bring "
                                     "them back from a backup, or delete what stands",
                                     p->manifest, version);
}

/* Nothing stands yet: what is refused at once leaves nothing, what is begun is listed. */
static enum sp_status begin_first(struct sp_publish_run *p, struct sp_err *err)
{
    struct sp_store *durable = p->config->durable;
    if (!p->roster)
        return sp_fail(err, SP_E_NOTFOUND,
                       "manifest %s was never published; `sallyport manifest list` names those that were",
                       p->manifest);
    enum sp_status status = sp_apply_check(NULL, p->roster, p->message, err);
    if (status == SP_OK)
        status = sp_manifest_remember(durable, p->manifest, err);
    return status == SP_OK ? sp_manifest_make_keys(&p->keys, durable, p->manifest, p->config->workers_public,
                                                   p->config->ops, err)
                           : status;
}

static enum sp_status begin(struct sp_publish_run *p, struct sp_err *err)
{
    const char *manifest = p->manifest;
    struct sp_store *durable = p->config->durable;
    p->now_ms = p->config->now_ms ? p->config->now_ms : sp_clock_wall_ms();
    snprintf(p->report->manifest, sizeof p->report->manifest, "%s", manifest);
    enum sp_status status = sp_manifest_current(durable, manifest, &p->version, &p->state, err);
    if (status == SP_OK && p->version > 0 && p->state == SP_MANIFEST_PURGED)
        return purged(p, err);
    if (status == SP_OK)
        status = p->version > 0 ? open_keys(p, err) : begin_first(p, err);
    if (status == SP_OK && p->version > 0)
        status = sp_manifest_load_current(&p->before, &p->rows_before, &p->version, &p->state, durable, manifest,
                                          &p->keys, err);
    if (status == SP_OK && p->version > 0 && !p->before)
        status = purged(p, err);
    return status;
}

/* The next version without its rows: who it is, packs, receipts. */
static enum sp_status begin_next(struct sp_publish_run *p, struct sp_err *err)
{
    const struct sp_manifest_index *before = p->before;
    enum sp_status status = sp_index_new(&p->next, p->manifest, p->draft_count, err);
    if (status != SP_OK)
        return status;
    struct sp_manifest_index *next = p->next;
    if (before) {
        struct sp_index_row *rows = next->rows;
        struct sp_index_receipt *receipts = next->receipts;
        *next = *before;
        next->rows = rows;
        next->row_count = p->draft_count;
        next->receipts = receipts;
        memcpy(next->receipts, before->receipts, (size_t)before->receipt_count * sizeof *next->receipts);
    }
    next->version = p->version + 1;
    next->flipped_ms = p->now_ms;
    return SP_OK;
}

/* Under the packs that stand if the desk's is among them, else under the desk's alone. */
static void keep_packs(struct sp_publish_run *p)
{
    if (p->before && sp_manifest_index_pack(p->before, p->config->pack) >= 0)
        return;
    p->next->pack_count = 1;
    memcpy(p->next->packs[0], p->config->pack, sizeof p->next->packs[0]);
}

/* ---- rows ---- */

static enum sp_status draft_applied(struct sp_publish_run *p, struct sp_err *err)
{
    const struct sp_applied *applied = p->applied;
    p->draft_count = applied->row_count;
    p->drafts = calloc((size_t)applied->row_count + 1, sizeof *p->drafts);
    if (!p->drafts)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d rows", p->manifest, applied->row_count);
    for (int i = 0; i < applied->row_count; i++) {
        const struct sp_applied_row *row = &applied->rows[i];
        p->drafts[i] = (struct sp_publish_draft){.index = row->index,
                                                 .row = row->source >= 0 ? &row->row : &p->rows_before[row->before],
                                                 .before = row->before,
                                                 .source = row->source,
                                                 .absorbed = row->absorbed,
                                                 .changed = row->changed};
    }
    return SP_OK;
}

static enum sp_status draft_before(struct sp_publish_run *p, struct sp_err *err)
{
    p->draft_count = p->before->row_count;
    p->drafts = calloc((size_t)p->draft_count + 1, sizeof *p->drafts);
    if (!p->drafts)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d rows", p->manifest, p->draft_count);
    for (int i = 0; i < p->draft_count; i++)
        p->drafts[i] = (struct sp_publish_draft){
            .index = p->before->rows[i], .row = &p->rows_before[i], .before = i, .source = -1, .absorbed = -1};
    return SP_OK;
}

static void report_applied(struct sp_publish_run *p)
{
    const struct sp_applied *applied = p->applied;
    struct sp_publish_report *report = p->report;
    report->known = applied->known;
    report->late = applied->late;
    report->added = applied->added;
    report->changed = applied->changed;
    report->kept = applied->kept;
    report->removed = applied->removed;
    report->expired = applied->expired;
    report->unknown = applied->unknown;
    report->parts = applied->parts;
}

/* ---- the flip ---- */

/* Flip if anything differs. Templates that were made again do not make a version: they are copies. */
static enum sp_status conclude(struct sp_publish_run *p, struct sp_err *err)
{
    struct sp_manifest_index *next = p->next;
    enum sp_status status = SP_OK;
    for (int i = 0; i < p->draft_count; i++)
        next->rows[i] = p->drafts[i].index;
    sp_index_sort(next);
    for (int i = 1; i < next->row_count; i++)
        if (memcmp(next->rows[i - 1].row, next->rows[i].row, SP_ROW_BYTES) == 0)
            return sp_fail(err, SP_E_INTERNAL, "manifest %s: two rows have one id", p->manifest);
    bool differs = !p->before || !sp_index_equal(p->before, next);
    bool noted = p->applied && p->applied->noted;
    bool told = p->applied && !p->applied->known;
    next->state = told ? sp_applied_state(p->applied, p->before, differs) : p->state;
    if (told && (differs || noted || next->state != p->state))
        sp_apply_note(next, &p->applied->receipt);
    p->report->unchanged = !differs && !noted && p->version > 0 && next->state == p->state;
    if (!p->report->unchanged)
        status = sp_manifest_flip(p->config->durable, next, p->version, p->state, &p->keys, err);
    p->report->version = p->report->unchanged ? p->version : next->version;
    p->report->state = next->state;
    p->report->rows = next->row_count;
    return status;
}

/* After the flip. Garbage that stays is found by the next publish or `tidy`; what a closed manifest must lose is
 * not garbage. */
static enum sp_status clean(struct sp_publish_run *p, struct sp_err *err)
{
    if (p->next->state == SP_MANIFEST_CLOSED)
        return sp_manifest_expunge(p->config->durable, p->config->galleries, p->next, err);
    for (int i = 0; p->before && i < p->before->pack_count; i++)
        if (sp_manifest_index_pack(p->next, p->before->packs[i]) < 0)
            (void)sp_manifest_expunge_pack(p->config->durable, p->config->galleries, p->manifest,
                                           p->before->packs[i], NULL);
    if (!p->report->unchanged)
        sp_manifest_drop_indexes(p->config->durable, p->manifest, p->next->version);
    return SP_OK;
}

/* ---- one attempt ---- */

static void report_nothing(struct sp_publish_run *p)
{
    p->report->unchanged = true;
    p->report->version = p->version;
    p->report->state = p->state;
    p->report->rows = p->before ? p->before->row_count : 0;
}

/* A message that is known may come again for its portraits. True if one of its travellers has no usable one: files
 * are looked for these alone, since what else it says may be older than what stands. */
static bool lacks_portraits(struct sp_publish_run *p)
{
    bool lacks = false;
    if (!p->applied->known || !p->portraits || p->state >= SP_MANIFEST_CLOSED)
        return false;
    for (int i = 0; i < p->applied->row_count; i++) {
        struct sp_applied_row *row = &p->applied->rows[i];
        if (row->source >= 0 && sp_index_row_usable(&row->index, 0))
            row->source = -1;
        lacks = lacks || row->source >= 0;
    }
    return lacks;
}

static enum sp_status tell(struct sp_publish_run *p, struct sp_err *err)
{
    enum sp_status status = begin(p, err);
    if (status == SP_OK)
        status = sp_apply(&p->applied, p->before, p->rows_before, p->roster, p->message, &p->keys, p->now_ms, err);
    if (status != SP_OK)
        return status;
    report_applied(p);
    if ((p->applied->known && !lacks_portraits(p)) || p->applied->late) {
        report_nothing(p);
        return SP_OK;
    }
    status = draft_applied(p, err);
    if (status == SP_OK)
        status = begin_next(p, err);
    if (status != SP_OK)
        return status;
    if (!p->applied->known)
        sp_publish_journey(p);
    if (!p->applied->closes) {
        keep_packs(p);
        status = sp_publish_put_rows(p, err);
        if (status == SP_OK)
            status = sp_publish_put_portraits(p, err);
        if (status == SP_OK)
            status = sp_publish_enrol_all(p, err);
        if (status == SP_OK) {
            sp_publish_keep_portraits(p);
            status = sp_publish_report_lacks(p, err);
        }
    }
    if (status == SP_OK)
        status = conclude(p, err);
    return status == SP_OK ? clean(p, err) : status;
}

/* The same travellers under one more pack, the newest. */
static enum sp_status add_pack(struct sp_publish_run *p, struct sp_err *err)
{
    enum sp_status status = begin(p, err);
    if (status == SP_OK && p->state >= SP_MANIFEST_CLOSED)
        status = sp_fail(err, SP_E_CLOSED, "manifest %s is %s: it has no portraits any more", p->manifest,
                         sp_manifest_state_word(p->state));
    if (status == SP_OK)
        status = draft_before(p, err);
    if (status == SP_OK)
        status = begin_next(p, err);
    if (status != SP_OK)
        return status;
    struct sp_manifest_index *next = p->next;
    if (sp_manifest_index_pack(p->before, p->config->pack) < 0) {
        if (next->pack_count == SP_INDEX_MAX_PACKS)
            return sp_fail(
                err, SP_E_INVALID,
                "manifest %s stands under %d packs already: retire one of them first (sallyport manifest "
                "enrol %s --retire PACK)",
                p->manifest, next->pack_count, p->manifest);
        memmove(next->packs[1], next->packs[0], (size_t)next->pack_count * sizeof next->packs[0]);
        memcpy(next->packs[0], p->config->pack, sizeof next->packs[0]);
        next->pack_count++;
    }
    status = sp_publish_enrol_all(p, err);
    if (status == SP_OK)
        status = sp_publish_report_lacks(p, err);
    if (status == SP_OK)
        status = conclude(p, err);
    return status == SP_OK ? clean(p, err) : status;
}

/* A manifest was closed or purged under this publish, which had written portraits and notes meanwhile: they go,
 * too. */
static void leave_nothing(const struct sp_publish_run *what, const uint8_t (*packs)[16], int pack_count)
{
    const struct sp_publish_config *config = what->config;
    enum sp_manifest_state state = SP_MANIFEST_PARTIAL;
    uint64_t version = 0;
    if (sp_manifest_current(config->durable, what->manifest, &version, &state, NULL) != SP_OK || version == 0)
        return;
    if (state == SP_MANIFEST_CLOSED)
        (void)sp_publish_close(&version, config->durable, config->galleries, what->manifest, config->ops, NULL);
    else if (state == SP_MANIFEST_PURGED)
        (void)sp_manifest_purge(&version, config->durable, config->galleries, what->manifest, config->ops, NULL);
    for (int i = 0; state == SP_MANIFEST_PURGED && i < pack_count; i++)
        (void)sp_manifest_expunge_pack(config->durable, config->galleries, what->manifest, packs[i], NULL);
}

/* Attempts until it is not overtaken. once: the first conflict is the caller's. */
static enum sp_status repeat(struct sp_publish_report *ret_report, const struct sp_publish_run *what, bool once,
                             struct sp_err *err)
{
    struct sp_publish_report *report = calloc(1, sizeof *report);
    enum sp_status status = SP_E_CONFLICT;
    uint8_t packs[SP_INDEX_MAX_PACKS][16];
    int enrolled = 0, pack_count = 0;
    if (!report)
        return sp_fail(err, SP_E_NOMEM, "no memory for a report");
    for (int attempt = 1; status == SP_E_CONFLICT && attempt <= (once ? 1 : ATTEMPTS); attempt++) {
        struct sp_publish_run run = *what;
        sp_publish_report_clear(report);
        run.report = report;
        status = what->roster ? tell(&run, err) : add_pack(&run, err);
        enrolled += report->enrolled;
        report->enrolled = enrolled;
        report->attempts = attempt;
        if (run.next) {
            pack_count = run.next->pack_count;
            memcpy(packs, run.next->packs, sizeof packs);
        }
        run_clear(&run);
    }
    if (status == SP_E_CONFLICT || status == SP_E_CLOSED)
        leave_nothing(what, (const uint8_t(*)[16])packs, pack_count);
    if (status == SP_OK)
        *ret_report = *report;
    else
        sp_publish_report_clear(report);
    free(report);
    return status;
}

enum sp_status sp_publish_message(struct sp_publish_report *ret_report, const struct sp_apply_message *message,
                                  const struct sp_roster *roster, const struct sp_portraits *portraits,
                                  const struct sp_publish_config *config, struct sp_err *err)
{
    struct sp_publish_run what = {.manifest = roster->manifest,
                                  .roster = roster,
                                  .message = message,
                                  .portraits = portraits,
                                  .config = config};
    char delayed[SP_MANIFEST_ID_MAX];
    if (message->action == SP_ACTION_CHANGE_JOURNEY) {
        enum sp_status status = sp_publish_delayed(delayed, config->durable, roster->manifest, err);
        if (status != SP_OK)
            return status;
        what.manifest = delayed;
    }
    bool once = message->action == SP_ACTION_LIST && message->part == 0 && !message->reference[0];
    return repeat(ret_report, &what, once, err);
}

enum sp_status sp_publish(struct sp_publish_report *ret_report, const struct sp_roster *roster,
                          const struct sp_portraits *portraits, const struct sp_publish_config *config,
                          struct sp_err *err)
{
    struct sp_apply_message message;
    sp_apply_whole(&message, roster, SP_ACTION_LIST, config->state != SP_MANIFEST_PARTIAL);
    return sp_publish_message(ret_report, &message, roster, portraits, config, err);
}

enum sp_status sp_publish_enrol(struct sp_publish_report *ret_report, const char *manifest,
                                const struct sp_publish_config *config, struct sp_err *err)
{
    const struct sp_publish_run what = {.manifest = manifest, .config = config};
    return repeat(ret_report, &what, false, err);
}
