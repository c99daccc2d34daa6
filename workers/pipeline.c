#include "workers/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/program.h"
#include "workers/answer.h"
#include "workers/pipeline_part.h"

void sp_stage_begin(struct stage *stage)
{
    atomic_store(&stage->busy_since_ns, sp_clock_mono_ns());
}

void sp_stage_end(struct stage *stage)
{
    atomic_store(&stage->busy_since_ns, 0);
}

void sp_pipeline_leave_if_lost(struct sp_pipeline *pipeline, const struct sp_err *err)
{
    if (err->status != SP_E_DEVICE)
        return;
    sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-DEVICE-LOST", "%s: leaving, the broker gives my jobs to others",
                     err->text);
    _exit(SP_EXIT_FAILED);
}

void sp_pipeline_note(struct sp_pipeline *pipeline, enum sp_log_level level, const char *id, const char *format,
                      ...)
{
    char text[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    pipeline->config.note(pipeline->config.context, level, id, text);
}

void sp_pipeline_finish(struct sp_pipeline *pipeline, struct sp_job *job)
{
    sp_meter_answer(pipeline->config.meter, job->answer, job->reason, job->timings_us);
    if (!sp_queue_push(pipeline->config.results, job)) /* only when the link is gone */
        sp_job_give(pipeline->config.pool, job);
}

void sp_pipeline_pass(struct sp_pipeline *pipeline, int stage, struct sp_job *job)
{
    if (sp_queue_push(pipeline->queues[stage], job))
        return;
    sp_answer_plain(job, SP_ANSWER_BUSY, SP_REASON_DRAINING, NULL);
    sp_pipeline_finish(pipeline, job);
}

bool sp_pipeline_expire(struct sp_pipeline *pipeline, struct sp_job *job)
{
    if (!sp_job_expired(job, sp_clock_mono_ns()))
        return false;
    sp_answer_plain(job, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT, NULL);
    sp_pipeline_finish(pipeline, job);
    return true;
}

bool sp_pipeline_accept(struct sp_pipeline *pipeline, struct sp_job *job)
{
    return sp_queue_push(pipeline->queues[STAGE_INTAKE], job);
}

bool sp_pipeline_alive(struct sp_pipeline *pipeline)
{
    uint64_t now_ns = sp_clock_mono_ns();
    for (int kind = 0; kind < STAGE_SWEEP; kind++)
        for (int i = 0; i < pipeline->threads[kind]; i++) {
            uint64_t since_ns = atomic_load(&pipeline->stages[kind][i].busy_since_ns);
            if (since_ns && now_ns > since_ns &&
                now_ns - since_ns > (uint64_t)pipeline->config.stuck_ms * SP_NS_PER_MS)
                return false;
        }
    return true;
}

bool sp_pipeline_rest(struct sp_pipeline *pipeline, int64_t pause_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pause_ms / 1000;
    until.tv_nsec += pause_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&pipeline->sweep_lock);
    int result = 0;
    while (!pipeline->stopping && result == 0)
        result = pthread_cond_timedwait(&pipeline->sweep_wake, &pipeline->sweep_lock, &until);
    bool goes_on = !pipeline->stopping;
    pthread_mutex_unlock(&pipeline->sweep_lock);
    return goes_on;
}

/* The connections and nets of one thread, and the thread. */
static enum sp_status start_thread(struct sp_pipeline *pipeline, int kind, int index, struct sp_err *err)
{
    static void *(*const bodies[STAGE_COUNT])(void *) = {sp_stage_intake, sp_stage_decode,  sp_stage_analyse,
                                                         sp_stage_decide, sp_stage_journal, sp_stage_review,
                                                         sp_stage_sweep,  sp_stage_fleet};
    struct stage *stage = &pipeline->stages[kind][index];
    enum sp_status status = SP_OK;
    stage->pipeline = pipeline;
    if (kind != STAGE_ANALYSE && kind != STAGE_FLEET)
        status = sp_store_new(&stage->durable, &pipeline->config.durable, err);
    if (status == SP_OK &&
        (kind == STAGE_DECODE || kind == STAGE_DECIDE || kind == STAGE_REVIEW || kind == STAGE_FLEET))
        status = sp_store_new(&stage->galleries, &pipeline->config.galleries, err);
    if (status == SP_OK && (kind == STAGE_INTAKE || kind == STAGE_JOURNAL || kind == STAGE_SWEEP))
        status = sp_ledger_new(&stage->ledger, stage->durable, &pipeline->config.ledger, err);
    if (status == SP_OK && kind == STAGE_ANALYSE)
        status = sp_vision_new(&stage->vision, pipeline->config.engine, pipeline->config.pack,
                               &pipeline->config.vision_limits, pipeline->config.max_batch, err);
    if (status == SP_OK && pthread_create(&stage->thread, NULL, bodies[kind], stage) != 0)
        status = sp_fail(err, SP_E_NOMEM, "pipeline: cannot start a thread");
    stage->running = status == SP_OK;
    return status;
}

static void end_stage(struct sp_pipeline *pipeline, int kind)
{
    if (kind < STAGE_SWEEP && pipeline->queues[kind])
        sp_queue_close(pipeline->queues[kind]);
    for (int i = 0; i < SP_PIPELINE_MAX_THREADS; i++) {
        struct stage *stage = &pipeline->stages[kind][i];
        if (stage->running)
            pthread_join(stage->thread, NULL);
        sp_ledger_free(&stage->ledger);
        sp_store_free(&stage->durable);
        sp_store_free(&stage->galleries);
        sp_vision_free(&stage->vision);
    }
}

enum sp_status sp_pipeline_new(struct sp_pipeline **ret_pipeline, const struct sp_pipeline_config *config,
                               struct sp_err *err)
{
    struct sp_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return sp_fail(err, SP_E_NOMEM, "pipeline: out of memory");
    pipeline->config = *config;
    pipeline->enrol = (struct sp_enrol_config){.reader = {"workers", config->fleet},
                                               .pack = config->pack,
                                               .signer = config->signer,
                                               .limits = config->image_limits};
    pthread_mutex_init(&pipeline->sweep_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pipeline->sweep_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    const int threads[STAGE_COUNT] = {1, config->decode_threads, config->analyse_threads, 1, 1, 1, 1, 1};
    enum sp_status status = SP_OK;
    for (int kind = 0; kind < STAGE_SWEEP && status == SP_OK; kind++) {
        bool ordered = kind != STAGE_INTAKE && kind != STAGE_JOURNAL;
        status = sp_queue_new(
            &pipeline->queues[kind],
            &(struct sp_queue_config){.capacity = config->capacity, .before = ordered ? sp_job_before : NULL}, err);
    }
    /* Last stage first: whoever passes a job on finds its taker there. */
    for (int kind = STAGE_COUNT - 1; kind >= 0; kind--)
        for (int i = 0; i < threads[kind] && i < SP_PIPELINE_MAX_THREADS && status == SP_OK; i++) {
            status = start_thread(pipeline, kind, i, err);
            pipeline->threads[kind] = i + 1;
        }
    if (status != SP_OK) {
        sp_pipeline_free(&pipeline);
        return status;
    }
    *ret_pipeline = pipeline;
    return SP_OK;
}

void sp_pipeline_free(struct sp_pipeline **pipeline)
{
    if (!pipeline || !*pipeline)
        return;
    struct sp_pipeline *p = *pipeline;
    pthread_mutex_lock(&p->sweep_lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->sweep_wake);
    pthread_mutex_unlock(&p->sweep_lock);
    for (int kind = 0; kind < STAGE_COUNT; kind++) /* in the order of the way: each finishes what it got */
        end_stage(p, kind);
    for (int kind = 0; kind < STAGE_SWEEP; kind++)
        sp_queue_free(&p->queues[kind]);
    pthread_cond_destroy(&p->sweep_wake);
    pthread_mutex_destroy(&p->sweep_lock);
    sp_seal_wipe(&p->config.ledger.evidence, sizeof p->config.ledger.evidence);
    free(p);
    *pipeline = NULL;
}
