#include "roster/publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"

#define CHUNK_ROWS  256
#define CHUNK_BYTES (16u << 20) /* portraits held in memory at once */

/* What is known of a row beside its index row. */
struct draft {
    struct sp_index_row index;
    int source;     /* index into roster->rows */
    int bad_reason; /* of a file that never became a portrait */
    char bad_text[300];
};

struct publish {
    const struct sp_roster *roster;
    const struct sp_portraits *portraits;
    const struct sp_publish_config *config;
    struct sp_manifest_keys keys;
    uint64_t version; /* that stood at the begin; 0: none */
    enum sp_manifest_state state;
    struct sp_manifest_index *before; /* NULL: none */
    struct draft *drafts;
    int *job_draft, *job_portrait; /* job -> draft and portrait number */
    struct sp_enrol_job *jobs;
    int job_count, jobs_done;
    struct sp_publish_report *report;
};

static void progress(const struct publish *p, const char *what, int done, int total)
{
    if (p->config->on_progress)
        p->config->on_progress(p->config->user, what, done, total);
}

static void publish_clear(struct publish *p)
{
    sp_seal_wipe(&p->keys, sizeof p->keys);
    sp_manifest_index_free(&p->before);
    free(p->drafts);
    free(p->job_draft);
    free(p->job_portrait);
    free(p->jobs);
}

void sp_publish_report_clear(struct sp_publish_report *report)
{
    free(report->lacks);
    memset(report, 0, sizeof *report);
}

/* Collect n replies, remembering the first failure. */
static enum sp_status collect(struct sp_store *store, int n, enum sp_status status, struct sp_err *err)
{
    for (int i = 0; i < n; i++) {
        struct sp_err later = {0};
        enum sp_status step = sp_store_collect(store, NULL, &later);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    return status;
}

static enum sp_status begin(struct publish *p, struct sp_err *err)
{
    const char *manifest = p->roster->manifest;
    enum sp_status status = sp_manifest_make_keys(&p->keys, p->config->durable, manifest, p->config->workers_public,
                                                  p->config->ops, err);
    if (status == SP_OK)
        status = sp_manifest_current(p->config->durable, manifest, &p->version, &p->state, err);
    if (status == SP_OK && p->version > 0 && p->state >= SP_MANIFEST_CLOSED)
        status = sp_fail(err, SP_E_CLOSED, "manifest %s is %s: it takes no further version", manifest,
                         sp_manifest_state_word(p->state));
    if (status == SP_OK && p->version > 0)
        status = sp_manifest_load_index(&p->before, p->config->durable, manifest, p->version, &p->keys, err);
    p->drafts = calloc((size_t)p->roster->row_count + 1, sizeof *p->drafts);
    if (status == SP_OK && !p->drafts)
        status = sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d rows", manifest, p->roster->row_count);
    return status;
}

/* ---- rows ---- */

/* Ids of one row; its sealed bytes are appended unless the version before has the very same row. */
static enum sp_status put_row(struct publish *p, struct draft *draft, int *appended, struct sp_err *err)
{
    const struct sp_row *row = &p->roster->rows[draft->source];
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_row_encode(&bytes, &length, row, err);
    if (status != SP_OK)
        return status;
    sp_manifest_row_id(draft->index.row, row, &p->keys);
    sp_manifest_content_id(draft->index.content, bytes, length, &p->keys);
    sp_manifest_pseudonym(draft->index.pseudonym, draft->index.row, &p->keys);
    const struct sp_index_row *old = p->before ? sp_index_find(p->before, draft->index.row) : NULL;
    if (!old || memcmp(old->content, draft->index.content, SP_ROW_BYTES) != 0) {
        status = sp_manifest_append_row(p->config->durable, p->roster->manifest, draft->index.row,
                                        draft->index.content, bytes, length, &p->keys, err);
        *appended += status == SP_OK;
    }
    sp_seal_wipe(bytes, length);
    free(bytes);
    return status;
}

static enum sp_status put_rows(struct publish *p, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int at = 0; at < p->roster->row_count && status == SP_OK; at += CHUNK_ROWS) {
        int appended = 0;
        for (int i = at; i < at + CHUNK_ROWS && i < p->roster->row_count && status == SP_OK; i++) {
            p->drafts[i].source = i;
            status = put_row(p, &p->drafts[i], &appended, err);
        }
        status = collect(p->config->durable, appended, status, err);
        p->report->new_rows += appended;
    }
    return status;
}

/* ---- portraits ---- */

/* A batch of portrait files read and not yet uploaded. */
struct batch {
    int count;
    size_t bytes;
    uint8_t *image[CHUNK_ROWS];
    size_t length[CHUNK_ROWS];
    uint8_t id[CHUNK_ROWS][SP_PORTRAIT_BYTES];
};

static enum sp_status flush(struct publish *p, struct batch *batch, struct sp_err *err)
{
    char key[192];
    enum sp_status status = SP_OK;
    int asked = 0, appended = 0;
    bool there[CHUNK_ROWS] = {false};
    sp_manifest_key(key, p->roster->manifest, "portraits");
    for (; asked < batch->count && status == SP_OK; asked++) {
        struct sp_argument arguments[] = {SP_ARG_TEXT("HEXISTS"), SP_ARG_TEXT(key),
                                          SP_ARG(batch->id[asked], SP_PORTRAIT_BYTES)};
        status = sp_store_append(p->config->durable, arguments, 3, err);
    }
    asked -= status != SP_OK;
    for (int i = 0; i < asked; i++) {
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(p->config->durable, &reply, &later);
        there[i] = step == SP_OK && sp_reply_integer(reply) == 1;
        sp_reply_free(&reply);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    for (int i = 0; i < batch->count && status == SP_OK; i++)
        if (!there[i]) {
            status = sp_manifest_append_portrait(p->config->durable, p->roster->manifest, batch->id[i],
                                                 batch->image[i], batch->length[i], &p->keys, err);
            appended += status == SP_OK;
        }
    status = collect(p->config->durable, appended, status, err);
    for (int i = 0; i < batch->count; i++) {
        sp_seal_wipe(batch->image[i], batch->length[i]);
        free(batch->image[i]);
    }
    batch->count = 0;
    batch->bytes = 0;
    return status;
}

static int reason_of_file(enum sp_status status)
{
    return status == SP_E_LIMIT ? SP_REASON_IMAGE_TOO_LARGE : SP_REASON_BAD_PORTRAIT;
}

/* A picture becomes a portrait of the row; the batch owns its bytes, or they are freed. */
static enum sp_status add_portrait(struct publish *p, struct draft *draft, struct batch *batch,
                                   const struct sp_portrait_picture *picture, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    uint8_t id[SP_PORTRAIT_BYTES];
    sp_manifest_portrait_id(id, picture->bytes, picture->length, &p->keys);
    if (sp_index_portrait(&draft->index, id)) { /* the same picture twice */
        free(picture->bytes);
        return SP_OK;
    }
    struct sp_index_portrait *portrait = &draft->index.portraits[draft->index.portrait_count++];
    memcpy(portrait->id, id, sizeof id);
    if (batch->count == CHUNK_ROWS || batch->bytes + picture->length > CHUNK_BYTES)
        status = flush(p, batch, err);
    memcpy(batch->id[batch->count], id, sizeof id);
    batch->image[batch->count] = picture->bytes;
    batch->length[batch->count++] = picture->length;
    batch->bytes += picture->length;
    return status;
}

/* Read one row's files into the batch. A file that cannot be read is the row's misfortune, not the publish's end.
 */
static enum sp_status read_portraits(struct publish *p, struct draft *draft, struct batch *batch,
                                     struct sp_err *err)
{
    char paths[SP_ROW_MAX_PORTRAITS][SP_PORTRAIT_PATH_MAX];
    int count = 0, more = 0;
    enum sp_status status = SP_OK;
    sp_portraits_find(p->portraits, &p->roster->rows[draft->source], paths, &count, &more);
    for (int i = 0; i < count && status == SP_OK; i++) {
        struct sp_portrait_picture pictures[SP_ROW_MAX_PORTRAITS];
        struct sp_err inner = {0};
        int picture_count = 0, left_out = 0;
        enum sp_status step =
            sp_portraits_load(p->portraits, paths[i], SP_ROW_MAX_PORTRAITS - draft->index.portrait_count, pictures,
                              &picture_count, &left_out, &inner);
        if (step == SP_E_NOMEM)
            return sp_fail(err, step, "%s", inner.text);
        if (step != SP_OK) {
            draft->bad_reason = reason_of_file(step);
            snprintf(draft->bad_text, sizeof draft->bad_text, "%.299s", inner.text);
            continue;
        }
        more += left_out;
        for (int k = 0; k < picture_count; k++)
            if (status == SP_OK)
                status = add_portrait(p, draft, batch, &pictures[k], err);
            else
                free(pictures[k].bytes);
    }
    if (more > 0 && !draft->bad_text[0])
        snprintf(draft->bad_text, sizeof draft->bad_text, "%d more portraits are left out: a row has at most %d",
                 more, SP_ROW_MAX_PORTRAITS);
    return status;
}

static enum sp_status put_portraits(struct publish *p, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    if (!p->portraits)
        return SP_OK;
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return sp_fail(err, SP_E_NOMEM, "no memory for a batch of portraits");
    for (int i = 0; i < p->roster->row_count && status == SP_OK; i++) {
        status = read_portraits(p, &p->drafts[i], batch, err);
        progress(p, "portraits read", i + 1, p->roster->row_count);
    }
    struct sp_err later = {0};
    enum sp_status step = flush(p, batch, &later);
    free(batch);
    return status == SP_OK && step != SP_OK ? sp_fail(err, step, "%s", later.text) : status;
}

/* ---- enrolment ---- */

/* Each portrait of each row becomes a candidate job. */
static enum sp_status list_jobs(struct publish *p, struct sp_err *err)
{
    size_t count = 0;
    for (int i = 0; i < p->roster->row_count; i++)
        count += (size_t)p->drafts[i].index.portrait_count;
    p->jobs = calloc(count + 1, sizeof *p->jobs);
    p->job_draft = calloc(count + 1, sizeof *p->job_draft);
    p->job_portrait = calloc(count + 1, sizeof *p->job_portrait);
    if (!p->jobs || !p->job_draft || !p->job_portrait)
        return sp_fail(err, SP_E_NOMEM, "no memory for %zu portraits", count);
    p->report->portraits = (int)count;
    for (int i = 0; i < p->roster->row_count; i++)
        for (int k = 0; k < p->drafts[i].index.portrait_count; k++) {
            struct sp_enrol_job *job = &p->jobs[p->job_count];
            memcpy(job->row, p->drafts[i].index.row, SP_ROW_BYTES);
            memcpy(job->portrait, p->drafts[i].index.portraits[k].id, SP_PORTRAIT_BYTES);
            sp_template_id(job->template_id, p->roster->manifest, job->row, p->config->pack, job->portrait);
            p->job_draft[p->job_count] = i;
            p->job_portrait[p->job_count++] = k;
        }
    return SP_OK;
}

bool sp_publish_reason_passes(int reason)
{
    static const int passing[] = {SP_REASON_STORE_UNAVAILABLE, SP_REASON_GALLERY_STALE, SP_REASON_NO_WORKER,
                                  SP_REASON_WORKER_LOST,       SP_REASON_QUEUE_FULL,    SP_REASON_WINDOW_FULL,
                                  SP_REASON_BUDGET_SPENT,      SP_REASON_DRAINING,      SP_REASON_TOO_OLD,
                                  SP_REASON_STALE_SESSION,     SP_REASON_NOT_GREETED};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (passing[i] == reason)
            return true;
    return false;
}

/* What is known of a portrait already: by the version before, or by an earlier enrolment. A template that
 * should be there and is not is made again. */
static void settle_known(struct publish *p, struct sp_enrol_job *job, bool present, bool noted,
                         const struct sp_enrol_note *note)
{
    const struct sp_index_row *row = NULL;
    const struct sp_index_portrait *old = NULL;
    int pack = p->before ? sp_manifest_index_pack(p->before, p->config->pack) : -1;
    if (pack >= 0)
        row = sp_index_find(p->before, job->row);
    if (row)
        old = sp_index_portrait(row, job->portrait);
    if (!old && !noted)
        return;
    int reason = old ? old->packs[pack].reason : note->reason;
    if ((reason == SP_REASON_NONE && !present) || sp_publish_reason_passes(reason) || reason == SP_REASON_INTERNAL)
        return;
    job->reason = reason;
    job->quality = old ? old->packs[pack].quality : note->quality;
    job->done = true;
    p->report->resumed += !old;
}

/* Settle what is known, keep the rest as jobs. */
static enum sp_status settle(struct publish *p, struct sp_err *err)
{
    size_t count = (size_t)p->job_count;
    uint8_t(*ids)[16] = calloc(count + 1, sizeof *ids);
    uint8_t *present = calloc(count + 1, 1), *noted = calloc(count + 1, 1);
    struct sp_enrol_note *notes = calloc(count + 1, sizeof *notes);
    enum sp_status status = SP_OK;
    if (!ids || !present || !noted || !notes)
        status = sp_fail(err, SP_E_NOMEM, "no memory for %zu portraits", count);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        memcpy(ids[i], p->jobs[i].template_id, 16);
    if (status == SP_OK)
        status = sp_template_present(p->config->galleries, p->roster->manifest, p->config->pack,
                                     (const uint8_t(*)[16])ids, p->job_count, present, err);
    if (status == SP_OK)
        status = sp_manifest_note_get(notes, noted, p->config->durable, p->roster->manifest, p->config->pack,
                                      (const uint8_t(*)[16])ids, p->job_count, &p->keys, err);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        settle_known(p, &p->jobs[i], present[i], noted[i], &notes[i]);
    free(ids);
    free(present);
    free(noted);
    free(notes);
    return status;
}

/* From the enroller: a job is done for good. */
static enum sp_status on_done(void *user, int at, struct sp_err *err)
{
    struct publish *p = user; /* the open jobs are at the front of p->jobs */
    struct sp_enrol_job *job = &p->jobs[at];
    struct sp_enrol_note note = {job->reason, job->quality};
    p->report->enrolled += job->reason == SP_REASON_NONE;
    progress(p, "portraits enrolled", ++p->jobs_done, p->job_count);
    return sp_manifest_note_put(p->config->durable, p->roster->manifest, p->config->pack, job->template_id, &note,
                                &p->keys, err);
}

/* Bring the open jobs to the front; their number. */
static int partition(struct publish *p)
{
    int open = 0;
    for (int i = 0; i < p->job_count; i++) {
        if (p->jobs[i].done)
            continue;
        struct sp_enrol_job job = p->jobs[i];
        int draft = p->job_draft[i], portrait = p->job_portrait[i];
        p->jobs[i] = p->jobs[open];
        p->job_draft[i] = p->job_draft[open];
        p->job_portrait[i] = p->job_portrait[open];
        p->jobs[open] = job;
        p->job_draft[open] = draft;
        p->job_portrait[open++] = portrait;
    }
    return open;
}

static enum sp_status enrol(struct publish *p, int *ret_open, struct sp_err *err)
{
    const struct sp_enroller *enroller = &p->config->enroller;
    enum sp_status status = list_jobs(p, err);
    if (status == SP_OK)
        status = settle(p, err);
    if (status != SP_OK)
        return status;
    int open = partition(p);
    p->jobs_done = p->job_count - open;
    if (open > 0)
        status = enroller->enrol(enroller->user, p->roster->manifest, p->jobs, open, on_done, p, err);
    for (int i = 0; status == SP_OK && i < p->job_count; i++) {
        struct sp_index_portrait *portrait = &p->drafts[p->job_draft[i]].index.portraits[p->job_portrait[i]];
        if (!p->jobs[i].done)
            return sp_fail(err, SP_E_INTERNAL, "manifest %s: a portrait was left over", p->roster->manifest);
        portrait->packs[0] = (struct sp_index_enrolment){p->jobs[i].reason, p->jobs[i].quality};
    }
    *ret_open = open;
    return status;
}

/* ---- report and flip ---- */

static enum sp_status report_lacks(struct publish *p, struct sp_err *err)
{
    struct sp_publish_report *report = p->report;
    report->lacks = calloc((size_t)p->roster->row_count + 1, sizeof *report->lacks);
    if (!report->lacks)
        return sp_fail(err, SP_E_NOMEM, "no memory for the report");
    for (int i = 0; i < p->roster->row_count; i++) {
        const struct draft *draft = &p->drafts[i];
        int usable = 0, reason = draft->bad_reason ? draft->bad_reason : SP_REASON_NO_PORTRAIT;
        bool bad_portrait = false;
        for (int k = 0; k < draft->index.portrait_count; k++) {
            int why = draft->index.portraits[k].packs[0].reason;
            usable += why == SP_REASON_NONE;
            if (why != SP_REASON_NONE && !bad_portrait) {
                reason = why;
                bad_portrait = true;
            }
        }
        report->remark_count += usable > 0 && (bad_portrait || draft->bad_text[0]);
        if (usable > 0)
            continue;
        struct sp_publish_lack *lack = &report->lacks[report->lack_count++];
        sp_row_label(lack->label, &p->roster->rows[draft->source]);
        lack->row = draft->source;
        lack->reason = reason;
        if (bad_portrait)
            snprintf(lack->text, sizeof lack->text, "%s", sp_reason_text(reason));
        else if (draft->bad_text[0])
            snprintf(lack->text, sizeof lack->text, "%s", draft->bad_text);
        else
            snprintf(lack->text, sizeof lack->text, "%s",
                     p->portraits ? "no file of this traveller in the portraits directory"
                                  : "published without --portraits");
    }
    return SP_OK;
}

static enum sp_manifest_state next_state(const struct publish *p, bool changed)
{
    if (p->version > 0 && p->state != SP_MANIFEST_PARTIAL)
        return changed ? SP_MANIFEST_AMENDED : p->state;
    return p->config->state == SP_MANIFEST_PARTIAL ? SP_MANIFEST_PARTIAL : SP_MANIFEST_COMPLETE;
}

/* Flip if anything differs. Templates that were made again do not make a version: they are copies. */
static enum sp_status conclude(struct publish *p, struct sp_err *err)
{
    struct sp_manifest_index *index = NULL;
    enum sp_status status = sp_index_new(&index, p->roster->manifest, p->roster->row_count, err);
    if (status != SP_OK)
        return status;
    for (int i = 0; i < index->row_count; i++)
        index->rows[i] = p->drafts[i].index;
    index->pack_count = 1;
    memcpy(index->packs[0], p->config->pack, sizeof index->packs[0]);
    sp_index_sort(index);
    bool changed = !p->before || !sp_index_equal(p->before, index);
    index->state = next_state(p, changed);
    index->version = p->version + 1;
    p->report->unchanged = !changed && index->state == p->state;
    if (!p->report->unchanged)
        status = sp_manifest_flip(p->config->durable, index, p->version, p->state, &p->keys, err);
    p->report->version = p->report->unchanged ? p->version : index->version;
    p->report->state = index->state;
    sp_manifest_index_free(&index);
    return status;
}

enum sp_status sp_publish(struct sp_publish_report *ret_report, const struct sp_roster *roster,
                          const struct sp_portraits *portraits, const struct sp_publish_config *config,
                          struct sp_err *err)
{
    struct sp_publish_report report = {.rows = roster->row_count};
    struct publish p = {.roster = roster, .portraits = portraits, .config = config, .report = &report};
    int open = 0;
    snprintf(report.manifest, sizeof report.manifest, "%s", roster->manifest);
    enum sp_status status = begin(&p, err);
    if (status == SP_OK)
        status = put_rows(&p, err);
    if (status == SP_OK)
        status = put_portraits(&p, err);
    if (status == SP_OK)
        status = enrol(&p, &open, err);
    if (status == SP_OK)
        status = report_lacks(&p, err);
    if (status == SP_OK)
        status = conclude(&p, err);
    publish_clear(&p);
    if (status == SP_OK)
        *ret_report = report;
    else
        sp_publish_report_clear(&report);
    return status;
}

enum sp_status sp_publish_close(uint64_t *ret_version, struct sp_store *durable, const char *manifest,
                                const struct sp_key_file *ops, struct sp_err *err)
{
    struct sp_manifest_keys keys = {0};
    struct sp_manifest_reader reader = {"ops", ops};
    struct sp_manifest_index *index = NULL;
    uint64_t version = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_current(durable, manifest, &version, &state, err);
    if (status == SP_OK && version == 0)
        return sp_fail(err, SP_E_NOTFOUND,
                       "manifest %s was never published; `sallyport manifest list` names those that "
                       "were",
                       manifest);
    if (status == SP_OK && state >= SP_MANIFEST_CLOSED)
        return sp_fail(err, SP_E_CLOSED, "manifest %s is %s already", manifest, sp_manifest_state_word(state));
    if (status == SP_OK)
        status = sp_manifest_open_keys(&keys, durable, manifest, &reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_index(&index, durable, manifest, version, &keys, err);
    if (status == SP_OK) {
        index->state = SP_MANIFEST_CLOSED;
        index->version = version + 1;
        status = sp_manifest_flip(durable, index, version, state, &keys, err);
    }
    if (status == SP_OK)
        *ret_version = version + 1;
    sp_manifest_index_free(&index);
    sp_seal_wipe(&keys, sizeof keys);
    return status;
}
