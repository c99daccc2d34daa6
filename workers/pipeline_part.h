/* What the stages of the pipeline share. Private to pipeline.c and stage_*.c. */
#ifndef SALLYPORT_WORKERS_PIPELINE_PART_H
#define SALLYPORT_WORKERS_PIPELINE_PART_H

#include <pthread.h>
#include <stdatomic.h>
#include "workers/batcher.h"
#include "workers/pipeline.h"

enum {
    STAGE_INTAKE,
    STAGE_DECODE,
    STAGE_ANALYSE,
    STAGE_DECIDE,
    STAGE_JOURNAL,
    STAGE_REVIEW,
    STAGE_SWEEP,
    STAGE_FLEET,
    STAGE_COUNT
};

/* One thread of a stage and what it alone uses. */
struct stage {
    struct sp_pipeline *pipeline;
    pthread_t thread;
    bool running;
    atomic_uint_fast64_t busy_since_ns; /* 0: waiting */
    struct sp_store *durable, *galleries;
    struct sp_ledger *ledger;
    struct sp_vision *vision;
    struct sp_batcher batcher; /* analyse */
};

struct sp_pipeline {
    struct sp_pipeline_config config;
    struct sp_enrol_config enrol;
    struct sp_queue *queues[STAGE_SWEEP]; /* in front of each stage */
    struct stage stages[STAGE_COUNT][SP_PIPELINE_MAX_THREADS];
    int threads[STAGE_COUNT];
    atomic_int decoding; /* frames between intake and analyse */
    pthread_mutex_t sweep_lock;
    pthread_cond_t sweep_wake;
    bool stopping;
};

/* The body of each stage's threads; argument: struct stage *. */
void *sp_stage_intake(void *argument);
void *sp_stage_decode(void *argument);
void *sp_stage_analyse(void *argument);
void *sp_stage_decide(void *argument);
void *sp_stage_journal(void *argument);
void *sp_stage_review(void *argument);
void *sp_stage_sweep(void *argument);
void *sp_stage_fleet(void *argument);

/* Around the work on one batch, so that a stuck stage is seen. */
void sp_stage_begin(struct stage *stage);
void sp_stage_end(struct stage *stage);

/* Wait, of a thread that takes no jobs; false when the pipeline ends. */
bool sp_pipeline_rest(struct sp_pipeline *pipeline, int64_t pause_ms);

/* Hand on to a stage's queue. */
void sp_pipeline_pass(struct sp_pipeline *pipeline, int stage, struct sp_job *job);
/* The job has its answer: count it and send it back. */
void sp_pipeline_finish(struct sp_pipeline *pipeline, struct sp_job *job);
/* Answer `expired` if the budget is spent; true if so. */
bool sp_pipeline_expire(struct sp_pipeline *pipeline, struct sp_job *job);
/* If the device itself failed (SP_E_DEVICE): say so and end the process at once, without answering. What it held is
 * then given to other workers; a device in that state would fail every batch from here on. Else nothing. */
void sp_pipeline_leave_if_lost(struct sp_pipeline *pipeline, const struct sp_err *err);
void sp_pipeline_note(struct sp_pipeline *pipeline, enum sp_log_level level, const char *id, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

#endif
