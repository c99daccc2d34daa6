/* Intake: open what arrived; answer at once what is refused or known; pass the rest on. */
#include <string.h>

#include "common/clock.h"
#include "workers/answer.h"
#include "workers/intake.h"
#include "workers/journal.h"
#include "workers/pipeline_part.h"

enum { BATCH = 32 };

/* True when the job was opened; else it was answered. */
static bool open_job(struct sp_pipeline *pipeline, struct sp_job *job, struct sp_sessions *sessions)
{
    struct sp_err err = {0};
    int reason;
    enum sp_status status = sp_intake_open(job, sessions, &reason, &err);
    if (status == SP_OK && job->header.has_pack &&
        memcmp(job->header.pack, pipeline->config.pack->fingerprint, sizeof job->header.pack) != 0) {
        reason = SP_REASON_BAD_MESSAGE; /* the broker is at fault */
        status = sp_fail(&err, SP_E_VERSION, "the job names another model pack than this worker runs");
    }
    if (status == SP_OK)
        return true;
    sp_answer_plain(job, SP_ANSWER_ERROR, reason, err.text);
    sp_pipeline_finish(pipeline, job);
    return false;
}

static void route(struct sp_pipeline *pipeline, struct sp_job *job)
{
    if (job->kind == SP_MSG_CLOSE) {
        job->mark_ns = sp_clock_mono_ns();
        sp_pipeline_pass(pipeline, STAGE_DECIDE, job);
        return;
    }
    if (job->kind == SP_MSG_REVIEW) {
        sp_pipeline_pass(pipeline, STAGE_REVIEW, job);
        return;
    }
    if (job->kind == SP_MSG_ENROL)
        job->mode = SP_VISION_ENROL;
    else
        job->mode = job->header.last || pipeline->config.pack->cheap.kind == SP_DETECTOR_NONE ? SP_VISION_LAST
                                                                                              : SP_VISION_FRAME;
    atomic_fetch_add(&pipeline->decoding, 1);
    sp_pipeline_pass(pipeline, STAGE_DECODE, job);
}

static void take_in(struct stage *stage, struct sp_sessions *sessions, void **taken, int count)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_job *asked[BATCH];
    bool known[BATCH] = {false};
    int asking = 0;
    for (int i = 0; i < count; i++) {
        struct sp_job *job = taken[i];
        if (sp_pipeline_expire(pipeline, job) || !open_job(pipeline, job, sessions))
            continue;
        if (job->kind == SP_MSG_ENROL || job->kind == SP_MSG_REVIEW)
            route(pipeline, job);
        else
            asked[asking++] = job;
    }
    /* A ledger that does not answer now is the journal's business: by then it may be back. */
    if (asking)
        sp_journal_recall(stage->ledger, pipeline->config.signer, asked, asking, known, NULL);
    for (int i = 0; i < asking; i++)
        if (known[i])
            sp_pipeline_finish(pipeline, asked[i]);
        else
            route(pipeline, asked[i]);
}

void *sp_stage_intake(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_sessions *sessions = NULL;
    struct sp_err err = {0};
    void *jobs[BATCH];
    if (sp_sessions_new(&sessions, pipeline->config.fleet, pipeline->config.sessions, &err) != SP_OK) {
        sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-INTAKE", "%s", err.text);
        sp_stage_begin(stage); /* never ends: the worker stops beating */
        return NULL;
    }
    for (int count; (count = sp_queue_take(pipeline->queues[STAGE_INTAKE], jobs, BATCH, -1, NULL)) >= 0;) {
        sp_stage_begin(stage);
        take_in(stage, sessions, jobs, count);
        sp_stage_end(stage);
    }
    sp_sessions_free(&sessions);
    return NULL;
}
