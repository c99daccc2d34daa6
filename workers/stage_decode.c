/* Decode: encoded images become pixels; an enrolment fetches its portrait first. */
#include <stdlib.h>

#include "common/clock.h"
#include "workers/answer.h"
#include "workers/pipeline_part.h"

/* True when the pixels are there; else the job has its answer. */
static bool decode_frame(struct sp_pipeline *pipeline, struct sp_job *job)
{
    struct sp_err err = {0};
    enum sp_status status =
        sp_image_decode(&job->image, job->encoded, job->encoded_length, &pipeline->config.image_limits, &err);
    if (status == SP_OK) {
        job->width = job->image->width;
        job->height = job->image->height;
        sp_seal_wipe(job->plain, job->plain_length);
        free(job->plain);
        job->plain = NULL;
        job->encoded = NULL;
        job->plain_length = job->encoded_length = 0;
        return true;
    }
    int reason = status == SP_E_LIMIT                                  ? SP_REASON_IMAGE_TOO_LARGE
                 : status == SP_E_FORMAT || status == SP_E_UNSUPPORTED ? SP_REASON_BAD_IMAGE
                                                                       : SP_REASON_INTERNAL;
    sp_answer_plain(job, SP_ANSWER_ERROR, reason, err.text);
    return false;
}

static void decode(struct stage *stage, struct sp_job *job)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_err err = {0};
    if (sp_pipeline_expire(pipeline, job))
        return;
    job->mark_ns = sp_clock_mono_ns();
    bool ready = job->kind == SP_MSG_ENROL
                     ? sp_enrol_fetch(job, &pipeline->enrol, stage->durable, stage->galleries, &err) == SP_OK
                     : decode_frame(pipeline, job);
    sp_answer_mark(job, SP_TIMING_DECODE);
    if (ready)
        sp_pipeline_pass(pipeline, STAGE_ANALYSE, job);
    else
        sp_pipeline_finish(pipeline, job);
}

void *sp_stage_decode(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    void *job;
    while (sp_queue_take(pipeline->queues[STAGE_DECODE], &job, 1, -1, NULL) > 0) {
        sp_stage_begin(stage);
        decode(stage, job);
        atomic_fetch_sub(&pipeline->decoding, 1);
        sp_stage_end(stage);
    }
    return NULL;
}
