/* Review: a thread of its own, because it takes seconds and nobody stands in a lane for it. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "roster/manifest_store.h"
#include "workers/answer.h"
#include "workers/pipeline_part.h"
#include "workers/review.h"

static void say(struct sp_pipeline *pipeline, struct sp_job *job, const struct sp_review *review)
{
    const struct sp_signer *signer = pipeline->config.signer;
    struct sp_answer_body *body = calloc(1, sizeof *body);
    struct sp_err err = {.text = "out of memory for an answer"};
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = body ? SP_OK : SP_E_NOMEM;
    sp_answer_mark(job, SP_TIMING_MATCH);
    sp_answer_waited(job);
    if (body) {
        body->has_review = true;
        body->review = *review;
        body->faces = body->quality = -1;
        memcpy(body->timings_us, job->timings_us, sizeof body->timings_us);
        memcpy(body->cert, signer->cert, signer->cert_length);
        body->cert_length = signer->cert_length;
        status = sp_answer_body_encode(&bytes, &length, body, &err);
    }
    if (status == SP_OK)
        status = sp_answer_body(job, SP_ANSWER_DECIDED, SP_REASON_NONE, bytes, length, &err);
    if (status != SP_OK)
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
    free(bytes);
    free(body);
}

static void say_failure(struct sp_job *job, enum sp_status status, const struct sp_err *err)
{
    if (status == SP_E_TIMEOUT && sp_job_expired(job, sp_clock_mono_ns()))
        sp_answer_plain(job, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT, NULL);
    else if (status == SP_E_UNAVAILABLE || status == SP_E_TIMEOUT)
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_STORE_UNAVAILABLE, err->text); /* which */
    else if (status == SP_E_NOTFOUND)
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_GALLERY_STALE, err->text);
    else
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err->text);
}

static void step(void *context)
{
    sp_stage_begin(context);
}

/* The version that was asked for, or the current one where that is newer or none was named; hot for the lanes, too,
 * and matched where it is: a second copy on the device could cost the lanes other galleries. */
static enum sp_status load(struct stage *stage, const struct sp_job *job, struct sp_hot_gallery **ret_hot,
                           struct sp_hot_vectors *ret_vectors, struct sp_err *err)
{
    struct sp_hot *hot = stage->pipeline->config.hot;
    uint64_t version = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_current(stage->durable, job->manifest, &version, &state, err);
    if (status == SP_OK && (version == 0 || version < job->version))
        status = sp_fail(err, SP_E_NOTFOUND, "gallery %s: version %llu was never published", job->manifest,
                         (unsigned long long)job->version);
    if (status == SP_OK)
        status = sp_hot_acquire(hot, stage->durable, stage->galleries, job->manifest, version, job->deadline_ns,
                                ret_hot, err);
    if (status == SP_OK)
        status =
            sp_hot_load_vectors(ret_vectors, sp_hot_config(hot), stage->durable, stage->galleries, *ret_hot, err);
    return status;
}

static void review(struct stage *stage, struct sp_job *job)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_hot_gallery *hot = NULL;
    struct sp_hot_vectors vectors = {0};
    struct sp_review *result = calloc(1, sizeof *result);
    struct sp_err err = {0};
    job->mark_ns = sp_clock_mono_ns();
    enum sp_status status =
        result ? load(stage, job, &hot, &vectors, &err) : sp_fail(&err, SP_E_NOMEM, "review: out of memory");
    if (status == SP_OK)
        status = sp_review_gallery(result, pipeline->config.engine, pipeline->config.pack, hot, &vectors,
                                   job->deadline_ns, step, stage, &err);
    if (status == SP_OK)
        say(pipeline, job, result);
    else
        say_failure(job, status, &err);
    sp_hot_vectors_clear(&vectors);
    sp_hot_unref(&hot);
    free(result);
    if (status != SP_OK)
        sp_pipeline_leave_if_lost(pipeline, &err);
}

void *sp_stage_review(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    void *job;
    while (sp_queue_take(pipeline->queues[STAGE_REVIEW], &job, 1, -1, NULL) > 0) {
        sp_stage_begin(stage);
        if (!sp_pipeline_expire(pipeline, job)) {
            review(stage, job);
            sp_pipeline_finish(pipeline, job);
        }
        sp_stage_end(stage);
    }
    return NULL;
}
