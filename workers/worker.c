#include "workers/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/file.h"
#include "workers/link.h"
#include "workers/pipeline.h"

enum { WANT_QUIET_MS = 5000 };

struct sp_worker {
    const struct sp_worker_settings *settings;
    const struct sp_log *log;
    struct sp_key_file curve, fleet, sign, recorder;
    int broker_key_count;
    uint8_t broker_keys[SP_LINK_MAX_BROKERS][32];
    struct sp_signer signer;
    struct sp_data_key site, evidence;
    struct sp_pack pack;
    struct sp_engine *engine;
    struct sp_meter *meter;
    struct sp_wants *wants;
    struct sp_hot *hot;
    struct sp_job_pool *pool;
    struct sp_queue *results;
    struct sp_pipeline *pipeline;
    struct sp_link *link;
    pthread_t link_thread;
    bool link_running;
    atomic_bool up;
};

/* One public key file for all brokers, or one each. */
static enum sp_status load_broker_keys(struct sp_worker *worker, struct sp_err *err)
{
    char paths[SP_OPTION_TEXT], *rest = paths;
    snprintf(paths, sizeof paths, "%s", worker->settings->broker_key);
    for (char *path; (path = strsep(&rest, ",")) != NULL;) {
        struct sp_key_file key;
        if (worker->broker_key_count == SP_LINK_MAX_BROKERS)
            return sp_fail(err, SP_E_INVALID, "broker.key: more than %d files", SP_LINK_MAX_BROKERS);
        enum sp_status status = sp_key_load(&key, path, SP_KEY_CURVE, false, err);
        if (status != SP_OK)
            return status;
        memcpy(worker->broker_keys[worker->broker_key_count++], key.public_key, 32);
    }
    return SP_OK;
}

static enum sp_status load_keys(struct sp_worker *worker, struct sp_err *err)
{
    const struct sp_worker_settings *settings = worker->settings;
    uint8_t *cert = NULL;
    size_t length = 0;
    enum sp_status status = sp_key_load(&worker->curve, settings->key_curve, SP_KEY_CURVE, true, err);
    if (status == SP_OK)
        status = sp_key_load(&worker->fleet, settings->key_fleet, SP_KEY_BOX, true, err);
    if (status == SP_OK)
        status = sp_key_load(&worker->sign, settings->key_sign, SP_KEY_SIGN, true, err);
    if (status == SP_OK)
        status = sp_key_load(&worker->recorder, settings->key_recorder, SP_KEY_BOX, false, err);
    if (status == SP_OK)
        status = load_broker_keys(worker, err);
    if (status == SP_OK)
        status = sp_file_read(&cert, &length, settings->key_cert, SP_CERT_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    memcpy(worker->signer.secret, worker->sign.secret, sizeof worker->signer.secret);
    memcpy(worker->signer.cert, cert, length);
    worker->signer.cert_length = length;
    free(cert);
    return SP_OK;
}

static enum sp_status open_engine(struct sp_worker *worker, struct sp_err *err)
{
    const struct sp_worker_settings *settings = worker->settings;
    struct sp_engine_config config = {.backend = (enum sp_backend)settings->backend,
                                      .device = (int)settings->device,
                                      .threads = (int)settings->engine_threads,
                                      .wgmma = settings->wgmma == 1,
                                      .cache_dir = settings->cache_dir};
    enum sp_status status = sp_pack_load(&worker->pack, settings->pack, err);
    if (status == SP_OK && (status = sp_engine_open(&worker->engine, &config, err)) != SP_OK && err)
        sp_fail_in(err, "engine.backend");
    memcpy(worker->signer.pack, worker->pack.fingerprint, sizeof worker->signer.pack);
    return status;
}

static enum sp_status make_parts(struct sp_worker *worker, struct sp_err *err)
{
    const struct sp_worker_settings *settings = worker->settings;
    int brokers = sp_link_count(settings->brokers);
    if (!brokers)
        return sp_fail(err, SP_E_INVALID, "brokers: '%s' is no list of 1..%d addresses", settings->brokers,
                       SP_LINK_MAX_BROKERS);
    int capacity = (int)settings->credit * brokers;
    enum sp_status status = sp_meter_new(&worker->meter, settings->metrics_address, sp_worker_ready, worker, err);
    if (status == SP_OK)
        status = sp_wants_new(&worker->wants, WANT_QUIET_MS, err);
    if (status == SP_OK)
        status = sp_job_pool_new(&worker->pool, capacity, err);
    if (status == SP_OK)
        status =
            sp_queue_new(&worker->results, &(struct sp_queue_config){.capacity = capacity, .with_fd = true}, err);
    struct sp_hot_config hot = {
        .engine = worker->engine,
        .pack = &worker->pack,
        .reader = {"workers", &worker->fleet},
        .wants = worker->wants,
        .max_galleries = (int)settings->max_hot,
        .max_bytes = (size_t)settings->max_hot_mib << 20,
        .retry_ms = settings->galleries_retry_ms,
    };
    if (status == SP_OK)
        status = sp_hot_new(&worker->hot, &hot, err);
    return status;
}

enum sp_status sp_worker_new(struct sp_worker **ret_worker, const struct sp_worker_settings *settings,
                             const struct sp_log *log, struct sp_err *err)
{
    struct sp_worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return sp_fail(err, SP_E_NOMEM, "worker: out of memory");
    worker->settings = settings;
    worker->log = log;
    enum sp_status status = sp_key_name_ok(settings->name)
                                ? SP_OK
                                : sp_fail(err, SP_E_INVALID, "worker.name: '%s' is no name", settings->name);
    if (status == SP_OK)
        status = load_keys(worker, err);
    if (status == SP_OK)
        status = open_engine(worker, err);
    if (status == SP_OK)
        status = make_parts(worker, err);
    if (status != SP_OK) {
        sp_worker_free(&worker);
        return status;
    }
    *ret_worker = worker;
    return SP_OK;
}

static struct sp_store_config durable_config(const struct sp_worker_settings *settings)
{
    return (struct sp_store_config){settings->durable_address, settings->durable_user, settings->durable_password,
                                    (int)settings->durable_timeout_ms};
}

static struct sp_store_config galleries_config(const struct sp_worker_settings *settings)
{
    return (struct sp_store_config){settings->galleries_address, settings->galleries_user,
                                    settings->galleries_password, (int)settings->galleries_timeout_ms};
}

enum sp_status sp_worker_reach(struct sp_worker *worker, struct sp_err *err)
{
    struct sp_store_config durable_at = durable_config(worker->settings),
                           galleries_at = galleries_config(worker->settings);
    struct sp_manifest_reader reader = {"workers", &worker->fleet};
    struct sp_store *durable = NULL, *galleries = NULL;
    enum sp_status status = sp_store_new(&durable, &durable_at, err);
    if (status == SP_OK)
        status = sp_store_new(&galleries, &galleries_at, err);
    if (status == SP_OK)
        status = sp_store_ping(durable, err);
    if (status == SP_OK)
        status = sp_store_ping(galleries, err);
    if (status == SP_OK)
        status = sp_site_open_key(&worker->site, durable, &reader, err);
    if (status == SP_OK)
        status = sp_site_open_evidence_key(&worker->evidence, durable, &reader, err);
    sp_store_free(&durable);
    sp_store_free(&galleries);
    return status;
}

static void note(void *context, enum sp_log_level level, const char *id, const char *text)
{
    const struct sp_worker *worker = context;
    sp_log(worker->log, level, id, "%s", text);
}

static bool accept_job(void *context, struct sp_job *job)
{
    return sp_pipeline_accept(((struct sp_worker *)context)->pipeline, job);
}

static bool alive(void *context)
{
    return sp_pipeline_alive(((struct sp_worker *)context)->pipeline);
}

static void *run_link(void *context)
{
    sp_link_run(((struct sp_worker *)context)->link);
    return NULL;
}

static enum sp_status start_pipeline(struct sp_worker *worker, struct sp_err *err)
{
    const struct sp_worker_settings *s = worker->settings;
    struct sp_pipeline_config config = {
        .pool = worker->pool,
        .results = worker->results,
        .engine = worker->engine,
        .pack = &worker->pack,
        .fleet = &worker->fleet,
        .signer = &worker->signer,
        .site = &worker->site,
        .hot = worker->hot,
        .meter = worker->meter,
        .name = s->name,
        .capacity = (int)s->credit * sp_link_count(s->brokers),
        .durable = durable_config(s),
        .galleries = galleries_config(s),
        .ledger = {.partitions = (int)s->partitions,
                   .final_ttl_ms = s->final_ttl_ms,
                   .abandon_after_ms = s->abandon_after_ms,
                   .alarm_length = (uint64_t)s->alarm_length,
                   .replicas = (int)s->replicas,
                   .replica_wait_ms = s->replica_wait_ms,
                   .evidence = worker->evidence},
        .image_limits = {(int)s->image_min_side, (int)s->image_max_side, (uint64_t)s->image_max_pixels,
                         (size_t)s->image_max_bytes},
        .vision_limits = {(float)s->min_enrol_eye_px, (float)s->min_probe_eye_px, (int)s->min_sharpness,
                          (int)s->min_exposure, (int)s->min_pose},
        .decode_threads = (int)s->decode_threads,
        .analyse_threads = (int)s->analyse_threads,
        .max_batch = (int)s->max_batch,
        .sessions = (int)s->sessions,
        .batch_delay_us = s->batch_delay_us,
        .stuck_ms = s->stuck_ms,
        .note = note,
        .context = worker,
    };
    memcpy(config.ledger.recorder_public, worker->recorder.public_key, 32);
    enum sp_status status = sp_pipeline_new(&worker->pipeline, &config, err);
    sp_seal_wipe(&config.ledger.evidence, sizeof config.ledger.evidence);
    return status;
}

static enum sp_status start_link(struct sp_worker *worker, struct sp_err *err)
{
    const struct sp_worker_settings *s = worker->settings;
    struct sp_link_config config = {
        .brokers = s->brokers,
        .self = &worker->curve,
        .server_count = worker->broker_key_count,
        .cert = worker->signer.cert,
        .cert_length = worker->signer.cert_length,
        .credit = (int)s->credit,
        .pool = worker->pool,
        .results = worker->results,
        .wants = worker->wants,
        .want_budget_ms = s->want_budget_ms,
        .accept = accept_job,
        .alive = alive,
        .note = note,
        .context = worker,
    };
    memcpy(config.servers, worker->broker_keys, sizeof config.servers);
    memcpy(config.fleet_public, worker->fleet.public_key, sizeof config.fleet_public);
    memcpy(config.pack, worker->pack.fingerprint, sizeof config.pack);
    snprintf(config.agent, sizeof config.agent, "sallyport-worker %.40s", s->name);
    snprintf(config.backend, sizeof config.backend, "%s", sp_engine_describe(worker->engine));
    enum sp_status status = sp_link_new(&worker->link, &config, err);
    if (status != SP_OK)
        return status;
    if (pthread_create(&worker->link_thread, NULL, run_link, worker) != 0)
        return sp_fail(err, SP_E_NOMEM, "worker: cannot start the link's thread");
    worker->link_running = true;
    return SP_OK;
}

enum sp_status sp_worker_start(struct sp_worker *worker, struct sp_err *err)
{
    enum sp_status status = start_pipeline(worker, err);
    if (status == SP_OK)
        status = start_link(worker, err);
    if (status == SP_OK)
        atomic_store(&worker->up, true);
    return status;
}

void sp_worker_drain(struct sp_worker *worker)
{
    atomic_store(&worker->up, false);
    sp_link_drain(worker->link);
}

void sp_worker_wait(struct sp_worker *worker)
{
    if (worker->link_running)
        pthread_join(worker->link_thread, NULL);
    worker->link_running = false;
}

void sp_worker_free(struct sp_worker **worker)
{
    if (!worker || !*worker)
        return;
    struct sp_worker *w = *worker;
    if (w->link_running) {
        sp_worker_drain(w);
        sp_worker_wait(w);
    }
    sp_meter_hush(w->meter);
    sp_pipeline_free(&w->pipeline);
    sp_link_free(&w->link);
    sp_hot_free(&w->hot);
    sp_wants_free(&w->wants);
    sp_queue_free(&w->results);
    sp_job_pool_free(&w->pool);
    sp_meter_free(&w->meter);
    sp_engine_free(&w->engine);
    sp_seal_wipe(w, sizeof *w);
    free(w);
    *worker = NULL;
}

bool sp_worker_ready(void *worker)
{
    struct sp_worker *w = worker;
    return atomic_load(&w->up) && sp_pipeline_alive(w->pipeline);
}

const char *sp_worker_backend(const struct sp_worker *worker)
{
    return sp_engine_describe(worker->engine);
}

void sp_worker_backend_note(const struct sp_worker *worker, char *ret_text, size_t size)
{
    sp_engine_note(worker->engine, ret_text, size);
}

const char *sp_worker_backend_reason(const struct sp_worker *worker)
{
    return sp_engine_fallback_reason(worker->engine);
}
