/* The pipeline: a job's way through the worker, one stage a thread (or several), bounded queues between them.
 *
 *     link ─▶ intake ─▶ decode ─▶ analyse ─▶ decide ─▶ journal ─▶ link
 *               │ close, known answers          ▲
 *               ├───────────────────────────────┘
 *               └─▶ review ─▶ link
 *
 * intake opens and recalls, decode makes pixels, analyse runs the nets in dynamic batches, decide matches and
 * judges, journal makes it durable. Stages overlap; queues hold pointers to jobs of one pool, so that a queue can
 * never be full; where jobs compete, the class goes first, then the budget that ends first. */
#ifndef SALLYPORT_WORKERS_PIPELINE_H
#define SALLYPORT_WORKERS_PIPELINE_H

#include "common/log.h"
#include "records/ledger.h"
#include "workers/enrol.h"
#include "workers/final.h"
#include "workers/hot.h"
#include "workers/job.h"
#include "workers/meter.h"
#include "workers/queue.h"

#define SP_PIPELINE_MAX_THREADS 64 /* of one stage */

struct sp_pipeline_config {
    /* owned by the caller; must outlive the pipeline */
    struct sp_job_pool *pool;
    struct sp_queue *results; /* finished jobs */
    struct sp_engine *engine;
    const struct sp_pack *pack;
    const struct sp_key_file *fleet;
    const struct sp_signer *signer;
    const struct sp_data_key *site;
    struct sp_hot *hot;
    struct sp_meter *meter;
    const char *name; /* this worker's, for the sweep's leases */
    /* copied */
    int capacity; /* jobs in the pool */
    struct sp_store_config durable, galleries;
    struct sp_ledger_config ledger;
    struct sp_image_limits image_limits;
    struct sp_vision_limits vision_limits;
    int decode_threads, analyse_threads, max_batch, sessions;
    int64_t batch_delay_us, stuck_ms;
    void (*note)(void *context, enum sp_log_level level, const char *id, const char *text); /* any thread */
    void *context;
};

struct sp_pipeline;
/* Load the nets and start the threads. Blocking (seconds). */
enum sp_status sp_pipeline_new(struct sp_pipeline **ret_pipeline, const struct sp_pipeline_config *config,
                               struct sp_err *err);
/* Let what is inside finish, then end the threads. */
void sp_pipeline_free(struct sp_pipeline **pipeline);

/* A job whose head and payload are filled in; it comes back through `results` with its answer. False: no room. */
bool sp_pipeline_accept(struct sp_pipeline *pipeline, struct sp_job *job);
/* False while a stage has been busy with one batch for longer than stuck_ms. Thread-safe. */
bool sp_pipeline_alive(struct sp_pipeline *pipeline);

#endif
