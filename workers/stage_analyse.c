/* Analyse: the nets, over dynamic batches. What waits is taken up to the maximum; a batch that is not full waits a
 * moment only if more frames are being decoded. Enrolments go one at a time and never with frames: a batch of
 * strong detections would hold up the gates for seconds. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "workers/answer.h"
#include "workers/pipeline_part.h"

enum { BATCH = 64 };

static bool together(const void *first, const void *next)
{
    const struct sp_job *a = first, *b = next;
    return a->kind != SP_MSG_ENROL && b->kind != SP_MSG_ENROL;
}

static int take_batch(struct sp_pipeline *pipeline, void **jobs)
{
    struct sp_queue *queue = pipeline->queues[STAGE_ANALYSE];
    int max = pipeline->config.max_batch < BATCH ? pipeline->config.max_batch : BATCH;
    int count = sp_queue_take(queue, jobs, max, -1, together);
    if (count <= 0 || count == max || ((struct sp_job *)jobs[0])->kind == SP_MSG_ENROL ||
        !pipeline->config.batch_delay_us || !atomic_load(&pipeline->decoding))
        return count;
    uint64_t until_ns = sp_clock_mono_ns() + (uint64_t)pipeline->config.batch_delay_us * 1000;
    for (uint64_t now_ns; count < max && (now_ns = sp_clock_mono_ns()) < until_ns;) {
        void *more[BATCH];
        int came = sp_queue_take(queue, more, max - count, (int64_t)((until_ns - now_ns) / 1000), together);
        if (came <= 0)
            break;
        if (!together(jobs[0], more[0])) { /* an enrolment: back to its place in the queue */
            for (int i = 0; i < came; i++)
                sp_pipeline_pass(pipeline, STAGE_ANALYSE, more[i]);
            break;
        }
        memcpy(jobs + count, more, (size_t)came * sizeof *more);
        count += came;
    }
    return count;
}

/* The result goes with its job; rows keep nothing. */
static void take_row(struct sp_job *job, const struct sp_faces *row, const struct sp_vision_timings *timings)
{
    job->faces->count = row->count;
    job->faces->strong = row->strong;
    job->faces->bordered = row->bordered;
    memcpy(job->faces->faces, row->faces, (size_t)row->count * sizeof row->faces[0]);
    job->timings_us[SP_TIMING_DETECT] = timings->detect_us;
    job->timings_us[SP_TIMING_LANDMARK] = timings->landmark_us;
    job->timings_us[SP_TIMING_ALIGN] = timings->align_us;
    job->timings_us[SP_TIMING_QUALITY] = timings->quality_us;
    job->timings_us[SP_TIMING_EMBED] = timings->embed_us;
    sp_job_drop_image(job);
}

static enum sp_status run(struct stage *stage, struct sp_job **jobs, int count, struct sp_faces *rows,
                          struct sp_err *err)
{
    const struct sp_image *images[BATCH] = {NULL};
    enum sp_vision_mode modes[BATCH] = {SP_VISION_FRAME};
    struct sp_vision_timings timings = {0};
    for (int i = 0; i < count; i++) {
        images[i] = jobs[i]->image;
        modes[i] = jobs[i]->mode;
    }
    enum sp_status status = sp_vision_analyse(stage->vision, count, images, modes, rows, &timings, err);
    for (int i = 0; status == SP_OK && i < count; i++)
        take_row(jobs[i], &rows[i], &timings);
    return status;
}

static void analyse(struct stage *stage, void **taken, int count, struct sp_faces *rows)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_job *jobs[BATCH];
    struct sp_err err = {0};
    int live = 0;
    for (int i = 0; i < count; i++)
        if (!sp_pipeline_expire(pipeline, taken[i]))
            jobs[live++] = taken[i];
    if (!live)
        return;
    sp_meter_batch(pipeline->config.meter, live);
    bool whole = run(stage, jobs, live, rows, &err) == SP_OK;
    if (!whole)
        sp_pipeline_leave_if_lost(pipeline, &err);
    for (int i = 0; i < live; i++) {
        /* A batch that failed is taken apart, so that one image cannot fail its neighbours. */
        if (!whole && run(stage, &jobs[i], 1, rows, &err) != SP_OK) {
            sp_pipeline_leave_if_lost(pipeline, &err);
            sp_answer_plain(jobs[i], SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
            sp_pipeline_finish(pipeline, jobs[i]);
        } else {
            sp_pipeline_pass(pipeline, STAGE_DECIDE, jobs[i]);
        }
    }
    sp_seal_wipe(rows, (size_t)live * sizeof *rows);
}

void *sp_stage_analyse(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_faces *rows = calloc(BATCH, sizeof *rows);
    void *jobs[BATCH];
    if (!rows) {
        sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-ANALYSE", "out of memory for a batch");
        sp_stage_begin(stage); /* never ends: the worker stops beating */
        return NULL;
    }
    for (int count; (count = take_batch(pipeline, jobs)) >= 0;) {
        sp_stage_begin(stage);
        analyse(stage, jobs, count, rows);
        sp_stage_end(stage);
    }
    free(rows);
    return NULL;
}
