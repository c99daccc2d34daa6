/* Analyse: the nets, over dynamic batches: how many rows and how long they wait for more says workers/batcher.h.
 * Enrolments go one at a time and never with frames: a batch of strong detections would hold up the gates for
 * seconds. */
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

static void add(struct sp_batcher_view *view, const struct sp_job *job)
{
    view->rows++;
    if (job->deadline_ns < view->deadline_ns)
        view->deadline_ns = job->deadline_ns;
}

static int take_batch(struct stage *stage, void **jobs)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_queue *queue = pipeline->queues[STAGE_ANALYSE];
    int came = sp_queue_take(queue, jobs, 1, -1, NULL);
    const struct sp_job *first = came > 0 ? jobs[0] : NULL;
    if (!first || first->kind == SP_MSG_ENROL)
        return came;
    uint64_t now_ns = sp_clock_mono_ns(), wait_ns = 0;
    struct sp_batcher_view view = {.most = sp_batcher_rows(&stage->batcher, first->deadline_ns, now_ns),
                                   .first_ns = now_ns,
                                   .deadline_ns = UINT64_MAX};
    add(&view, first);
    do { /* in the first round what is there already */
        came = sp_queue_join(queue, first, jobs + view.rows, view.most - view.rows, (int64_t)(wait_ns / 1000),
                             together);
        if (came == 0 && wait_ns)
            break;
        for (int i = 0; i < came; i++)
            add(&view, jobs[view.rows]);
        view.coming = atomic_load(&pipeline->decoding);
        wait_ns = sp_batcher_wait_ns(&stage->batcher, &view, sp_clock_mono_ns());
    } while (wait_ns >= 1000);
    return view.rows;
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

/* A net that overflows turns faces down one by one; its operator can do something about it. */
static void tell_not_finite(struct stage *stage)
{
    for (const char *net; (net = sp_vision_not_finite(stage->vision));)
        sp_pipeline_note(
            stage->pipeline, SP_LOG_WARN, "WRK-NET",
            "%s gave numbers that are not finite; such faces are turned down as no face. On a device in "
            "fp16 a net's numbers end at 65504: `precision: bf16` in pack.yaml holds larger ones. Said "
            "once",
            net);
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
    if (status == SP_OK)
        tell_not_finite(stage);
    return status;
}

/* Returns how many frames went through the nets together: what that took says what a batch costs. 0: none did. */
static int analyse(struct stage *stage, void **taken, int count, struct sp_faces *rows)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_job *jobs[BATCH];
    struct sp_err err = {0};
    int live = 0;
    for (int i = 0; i < count; i++)
        if (!sp_pipeline_expire(pipeline, taken[i]))
            jobs[live++] = taken[i];
    if (!live)
        return 0;
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
    return whole ? live : 0;
}

void *sp_stage_analyse(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_faces *rows = calloc(BATCH, sizeof *rows);
    uint64_t device_us[SP_WORK_COUNT];
    void *jobs[BATCH];
    if (!rows) {
        sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-ANALYSE", "out of memory for a batch");
        sp_stage_begin(stage); /* never ends: the worker stops beating */
        return NULL;
    }
    sp_batcher_init(&stage->batcher, pipeline->config.max_batch < BATCH ? pipeline->config.max_batch : BATCH,
                    (uint64_t)pipeline->config.batch_delay_us * 1000);
    for (int count; (count = take_batch(stage, jobs)) >= 0;) {
        bool enrolment = ((const struct sp_job *)jobs[0])->kind == SP_MSG_ENROL;
        uint64_t began_ns = sp_clock_mono_ns();
        sp_stage_begin(stage);
        int frames = analyse(stage, jobs, count, rows);
        sp_stage_end(stage);
        sp_engine_spent(pipeline->config.engine, device_us);
        sp_meter_device(pipeline->config.meter, device_us);
        sp_batcher_done(&stage->batcher, enrolment ? 0 : frames, began_ns, sp_clock_mono_ns());
    }
    free(rows);
    return NULL;
}
