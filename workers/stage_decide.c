/* Decide: what each lane is assigned now, brought to its current version; one match for the whole batch; the rules.
 * Closes pass here too, because a final needs the current versions. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "workers/answer.h"
#include "workers/compare.h"
#include "workers/pipeline_part.h"

enum { BATCH = 32, PAUSE_US = 50000, LANES_REMEMBERED = 1024 };

/* What one thread needs for a batch; too large for a stack. */
struct deciding {
    struct sp_assignments *assignments;
    int waiting_count, capacity;
    struct sp_job *
        *waiting; /* taken off the queue, not decided yet; more than a batch only while the store is away */
    int count;    /* jobs of the batch */
    struct sp_job *jobs[BATCH];
    int lane_of[BATCH];
    int lane_count;
    const char *names[BATCH]; /* views into the jobs' headers */
    struct sp_lane_now lanes[BATCH];
    struct sp_scene scenes[BATCH];
    bool open[BATCH];                            /* by lane: the scene is */
    char said[sizeof((struct sp_err *)0)->text]; /* the last reason for a stale gallery; "": none */
    int item_count;
    struct sp_job *frames[BATCH];
    struct sp_compare_item items[BATCH];
};

static void list_lanes(struct deciding *d)
{
    d->lane_count = 0;
    for (int i = 0; i < d->count; i++) {
        int lane = 0;
        while (lane < d->lane_count && strcmp(d->names[lane], d->jobs[i]->header.lane) != 0)
            lane++;
        if (lane == d->lane_count)
            d->names[d->lane_count++] = d->jobs[i]->header.lane;
        d->lane_of[i] = lane;
    }
}

/* A close compares nothing: its basis is what is assigned and current now. */
static void close_basis(struct sp_basis *basis, const struct sp_lane_now *now)
{
    *basis = (struct sp_basis){.kind = now->lane.kind, .assignment = now->assignment, .gallery_count = now->count};
    memcpy(basis->galleries, now->manifests, sizeof basis->galleries[0] * (size_t)now->count);
}

/* Why galleries are stale, once for each different reason. */
static void say_lack(struct sp_pipeline *pipeline, struct deciding *d, const struct sp_err *lack)
{
    sp_pipeline_leave_if_lost(pipeline, lack);
    if (lack->status != SP_OK && strcmp(lack->text, d->said) != 0)
        sp_pipeline_note(pipeline, SP_LOG_WARN, "WRK-GALLERY-STALE", "%s", lack->text);
    else if (lack->status == SP_OK && d->said[0])
        sp_pipeline_note(pipeline, SP_LOG_INFO, "WRK-GALLERY-FRESH",
                         "all galleries asked for are current and whole");
    memcpy(d->said, lack->text, sizeof d->said);
}

static void prepare(struct stage *stage, struct deciding *d)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_err lack = {0};
    memset(d->open, 0, sizeof d->open);
    d->item_count = 0;
    for (int i = 0; i < d->count; i++) {
        struct sp_job *job = d->jobs[i];
        int lane = d->lane_of[i], reason;
        const struct sp_lane_now *now = &d->lanes[lane];
        if (now->reason != SP_REASON_NONE) {
            sp_answer_plain(job, SP_ANSWER_ERROR, now->reason, now->text);
            sp_pipeline_finish(pipeline, job);
            continue;
        }
        job->lane = now->lane;
        if (job->kind == SP_MSG_CLOSE) {
            close_basis(&job->basis, now);
            sp_pipeline_pass(pipeline, STAGE_JOURNAL, job);
            continue;
        }
        if (!d->open[lane]) {
            sp_scene_open(&d->scenes[lane], now, pipeline->config.hot, stage->durable, stage->galleries,
                          pipeline->config.pack, sp_job_give_up_ns(job), &lack);
            d->open[lane] = true;
        }
        struct sp_compare_item *item = &d->items[d->item_count];
        d->frames[d->item_count++] = job;
        job->basis = d->scenes[lane].basis;
        item->scene = &d->scenes[lane];
        item->faces = job->faces;
        item->probe_count =
            sp_decide_probes(job->faces, now->lane.kind, job->width, job->height, item->probes, &reason);
    }
    if (d->item_count)
        say_lack(pipeline, d, &lack);
}

static void judge(struct stage *stage, struct deciding *d)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_err err = {0};
    enum sp_status status =
        sp_compare(pipeline->config.engine, pipeline->config.pack, d->items, d->item_count, &err);
    if (status != SP_OK)
        sp_pipeline_leave_if_lost(pipeline, &err);
    for (int i = 0; i < d->item_count; i++) {
        struct sp_job *job = d->frames[i];
        sp_answer_mark(job, SP_TIMING_MATCH);
        if (status != SP_OK) {
            sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
            sp_pipeline_finish(pipeline, job);
            continue;
        }
        sp_decide_frame(&job->judgement, job->faces, job->width, job->height, &job->basis, d->items[i].comparisons);
        sp_pipeline_pass(pipeline, STAGE_JOURNAL, job);
    }
    for (int lane = 0; lane < d->lane_count; lane++)
        if (d->open[lane])
            sp_scene_close(&d->scenes[lane]);
    sp_meter_hot(pipeline->config.meter, sp_hot_count(pipeline->config.hot));
}

/* The durable store is away: what can still wait stays in the waiting list. */
static void hold(struct sp_pipeline *pipeline, struct deciding *d, enum sp_status status, const struct sp_err *err)
{
    bool away = status == SP_E_UNAVAILABLE || status == SP_E_TIMEOUT;
    uint64_t now_ns = sp_clock_mono_ns();
    int kept = 0;
    sp_meter_ledger_away(pipeline->config.meter);
    for (int i = 0; i < d->waiting_count; i++) {
        struct sp_job *job = d->waiting[i];
        job->store_away = true;
        if (away && now_ns < sp_job_give_up_ns(job)) {
            d->waiting[kept++] = job;
            continue;
        }
        sp_answer_plain(job, SP_ANSWER_ERROR, away ? SP_REASON_STORE_UNAVAILABLE : SP_REASON_INTERNAL,
                        away ? NULL : err->text);
        sp_pipeline_finish(pipeline, job);
    }
    d->waiting_count = kept;
}

/* Enrolments and what is too late leave here. */
static void sort_out(struct stage *stage, struct deciding *d)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    int kept = 0;
    for (int i = 0; i < d->waiting_count; i++) {
        struct sp_job *job = d->waiting[i];
        if (!job->store_away && sp_pipeline_expire(pipeline, job))
            continue;
        if (job->kind == SP_MSG_ENROL) {
            sp_enrol_store(job, &pipeline->enrol, stage->galleries);
            sp_pipeline_finish(pipeline, job);
        } else {
            d->waiting[kept++] = job;
        }
    }
    d->waiting_count = kept;
}

/* One batch off the waiting list; false when the store is away. */
static bool decide(struct stage *stage, struct deciding *d)
{
    struct sp_err err = {0};
    d->count = d->waiting_count < BATCH ? d->waiting_count : BATCH;
    memcpy(d->jobs, d->waiting, (size_t)d->count * sizeof d->jobs[0]);
    for (int i = 0; i < d->count; i++)
        if (!d->jobs[i]->store_away)
            d->jobs[i]->mark_ns = sp_clock_mono_ns();
    list_lanes(d);
    enum sp_status status = sp_assignments_resolve(d->assignments, stage->durable, d->names, d->lane_count,
                                                   sp_clock_wall_ms(), d->lanes, &err);
    if (status != SP_OK) {
        hold(stage->pipeline, d, status, &err);
        return false;
    }
    d->waiting_count -= d->count;
    memmove(d->waiting, d->waiting + d->count, (size_t)d->waiting_count * sizeof d->waiting[0]);
    prepare(stage, d);
    judge(stage, d);
    return true;
}

static struct deciding *deciding_new(struct sp_pipeline *pipeline, struct sp_err *err)
{
    struct deciding *d = calloc(1, sizeof *d);
    if (d)
        d->waiting = calloc((size_t)pipeline->config.capacity + 1, sizeof *d->waiting);
    if (d && d->waiting &&
        sp_assignments_new(&d->assignments, pipeline->config.site, LANES_REMEMBERED, err) == SP_OK) {
        d->capacity = pipeline->config.capacity + 1; /* one more than can be: a take always has room */
        return d;
    }
    if (d)
        free(d->waiting);
    free(d);
    return NULL;
}

void *sp_stage_decide(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_err err = {.text = "out of memory for a batch"};
    struct deciding *d = deciding_new(pipeline, &err);
    if (!d) {
        sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-DECIDE", "%s", err.text);
        sp_stage_begin(stage); /* never ends: the worker stops beating */
        return NULL;
    }
    for (;;) {
        int count = sp_queue_take(pipeline->queues[STAGE_DECIDE], (void **)(d->waiting + d->waiting_count),
                                  d->capacity - d->waiting_count, d->waiting_count ? PAUSE_US : -1, NULL);
        if (count < 0 && !d->waiting_count)
            break;
        if (count < 0) /* closing, and the store is away: the held jobs' budgets end it */
            poll(NULL, 0, PAUSE_US / 1000);
        d->waiting_count += count > 0 ? count : 0;
        sp_stage_begin(stage);
        sort_out(stage, d);
        while (d->waiting_count && decide(stage, d))
            continue;
        sp_stage_end(stage);
    }
    sp_assignments_free(&d->assignments);
    free(d->waiting);
    free(d);
    return NULL;
}
