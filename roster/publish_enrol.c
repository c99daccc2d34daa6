/* A template for each portrait, by workers; what is known already is not done again. Declared in publish_parts.h.
 */
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"
#include "roster/publish_parts.h"

/* Each portrait of each row becomes a candidate job under each pack, pack by pack. */
static enum sp_status list_jobs(struct sp_publish_run *p, struct sp_err *err)
{
    size_t portraits = 0;
    for (int i = 0; i < p->draft_count; i++)
        portraits += (size_t)p->drafts[i].index.portrait_count;
    size_t count = portraits * (size_t)p->next->pack_count;
    p->jobs = calloc(count + 1, sizeof *p->jobs);
    p->job_draft = calloc(count + 1, sizeof *p->job_draft);
    p->job_portrait = calloc(count + 1, sizeof *p->job_portrait);
    p->job_pack = calloc(count + 1, sizeof *p->job_pack);
    if (!p->jobs || !p->job_draft || !p->job_portrait || !p->job_pack)
        return sp_fail(err, SP_E_NOMEM, "no memory for %zu portraits", count);
    p->report->portraits = (int)portraits;
    for (int pack = 0; pack < p->next->pack_count; pack++)
        for (int i = 0; i < p->draft_count; i++)
            for (int k = 0; k < p->drafts[i].index.portrait_count; k++) {
                struct sp_enrol_job *job = &p->jobs[p->job_count];
                memcpy(job->row, p->drafts[i].index.row, SP_ROW_BYTES);
                memcpy(job->portrait, p->drafts[i].index.portraits[k].id, SP_PORTRAIT_BYTES);
                memcpy(job->pack, p->next->packs[pack], sizeof job->pack);
                sp_template_id(job->template_id, p->manifest, job->row, job->pack, job->portrait);
                p->job_draft[p->job_count] = i;
                p->job_portrait[p->job_count] = k;
                p->job_pack[p->job_count++] = pack;
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
static void settle_known(struct sp_publish_run *p, struct sp_enrol_job *job, bool present, bool noted,
                         const struct sp_enrol_note *note)
{
    const struct sp_index_row *row = NULL;
    const struct sp_index_portrait *old = NULL;
    int pack = p->before ? sp_manifest_index_pack(p->before, job->pack) : -1;
    if (pack >= 0)
        row = sp_index_find(p->before, job->row);
    if (row)
        old = sp_index_portrait(row, job->portrait);
    if (!old && !noted)
        return;
    int reason = old ? old->packs[pack].reason : note->reason;
    if ((reason == SP_REASON_NONE && !present) || sp_publish_reason_passes(reason) || reason == SP_REASON_INTERNAL)
        return;
    /* A worker says bad_portrait, too, of one that was tidied away under a publish: only a version can vouch for
     * that. */
    if (!old && reason == SP_REASON_BAD_PORTRAIT)
        return;
    job->reason = reason;
    job->quality = old ? old->packs[pack].quality : note->quality;
    job->done = true;
    p->report->resumed += !old;
}

/* Settle what is known of count jobs of one pack, from `first` on. */
static enum sp_status settle_pack(struct sp_publish_run *p, int first, size_t count, struct sp_err *err)
{
    struct sp_enrol_job *jobs = p->jobs + first;
    uint8_t(*ids)[16] = calloc(count + 1, sizeof *ids);
    uint8_t *present = calloc(count + 1, 1), *noted = calloc(count + 1, 1);
    struct sp_enrol_note *notes = calloc(count + 1, sizeof *notes);
    enum sp_status status = SP_OK;
    if (!ids || !present || !noted || !notes)
        status = sp_fail(err, SP_E_NOMEM, "no memory for %zu portraits", count);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        memcpy(ids[i], jobs[i].template_id, 16);
    if (status == SP_OK)
        status = sp_template_present(p->config->galleries, p->manifest, jobs->pack, (const uint8_t(*)[16])ids,
                                     (int)count, present, err);
    if (status == SP_OK)
        status = sp_manifest_note_get(notes, noted, p->config->durable, p->manifest, jobs->pack,
                                      (const uint8_t(*)[16])ids, (int)count, &p->keys, err);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        settle_known(p, &jobs[i], present[i], noted[i], &notes[i]);
    free(ids);
    free(present);
    free(noted);
    free(notes);
    return status;
}

/* From the enroller: a job is done for good. */
static enum sp_status on_done(void *user, int at, struct sp_err *err)
{
    struct sp_publish_run *p = user; /* the open jobs are at the front of p->jobs */
    struct sp_enrol_job *job = &p->jobs[at];
    struct sp_enrol_note note = {job->reason, job->quality};
    p->report->enrolled += job->reason == SP_REASON_NONE;
    sp_publish_progress(p, "portraits enrolled", ++p->jobs_done, p->job_count);
    return sp_manifest_note_put(p->config->durable, p->manifest, job->pack, job->template_id, &note, &p->keys, err);
}

/* Bring the open jobs to the front; their number. */
static int partition(struct sp_publish_run *p)
{
    int open = 0;
    for (int i = 0; i < p->job_count; i++) {
        if (p->jobs[i].done)
            continue;
        struct sp_enrol_job job = p->jobs[i];
        int draft = p->job_draft[i], portrait = p->job_portrait[i], pack = p->job_pack[i];
        p->jobs[i] = p->jobs[open];
        p->job_draft[i] = p->job_draft[open];
        p->job_portrait[i] = p->job_portrait[open];
        p->job_pack[i] = p->job_pack[open];
        p->jobs[open] = job;
        p->job_draft[open] = draft;
        p->job_portrait[open] = portrait;
        p->job_pack[open++] = pack;
    }
    return open;
}

enum sp_status sp_publish_enrol_all(struct sp_publish_run *p, struct sp_err *err)
{
    const struct sp_enroller *enroller = &p->config->enroller;
    enum sp_status status = list_jobs(p, err);
    int each = p->next->pack_count > 0 ? p->job_count / p->next->pack_count : 0;
    for (int pack = 0; status == SP_OK && each > 0 && pack < p->next->pack_count; pack++)
        status = settle_pack(p, pack * each, (size_t)each, err);
    if (status != SP_OK)
        return status;
    int open = partition(p);
    p->jobs_done = p->job_count - open;
    if (open > 0)
        status = enroller->enrol(enroller->user, p->manifest, p->jobs, open, on_done, p, err);
    for (int i = 0; status == SP_OK && i < p->job_count; i++) {
        struct sp_index_portrait *portrait = &p->drafts[p->job_draft[i]].index.portraits[p->job_portrait[i]];
        if (!p->jobs[i].done)
            return sp_fail(err, SP_E_INTERNAL, "manifest %s: a portrait was left over", p->manifest);
        portrait->packs[p->job_pack[i]] = (struct sp_index_enrolment){p->jobs[i].reason, p->jobs[i].quality};
    }
    return status;
}
