/* The worker: keys, pack, engine, stores, pipeline and link, put together. */
#ifndef SALLYPORT_WORKERS_WORKER_H
#define SALLYPORT_WORKERS_WORKER_H

#include "common/log.h"
#include "workers/settings.h"

struct sp_worker;

/* Load keys and models, open the engine. Blocking (seconds). Settings and log must outlive the worker. */
enum sp_status sp_worker_new(struct sp_worker **ret_worker, const struct sp_worker_settings *settings,
                             const struct sp_log *log, struct sp_err *err);
void sp_worker_free(struct sp_worker **worker);

/* Reach both stores and open the site's keys. SP_E_UNAVAILABLE or SP_E_NOTFOUND: not yet, try again. */
enum sp_status sp_worker_reach(struct sp_worker *worker, struct sp_err *err);
/* Start the pipeline and connect to the brokers. After sp_worker_reach. */
enum sp_status sp_worker_start(struct sp_worker *worker, struct sp_err *err);
/* Begin to drain; sp_worker_wait returns when the last job has gone back. */
void sp_worker_drain(struct sp_worker *worker);
void sp_worker_wait(struct sp_worker *worker);
/* Up, and no stage is stuck. Thread-safe. */
bool sp_worker_ready(void *worker);
/* "cpu (oneDNN ...)" and why it is not a better one, "" where it is the best. */
const char *sp_worker_backend(const struct sp_worker *worker);
const char *sp_worker_backend_reason(const struct sp_worker *worker);
/* As sp_engine_note. */
void sp_worker_backend_note(const struct sp_worker *worker, char *ret_text, size_t size);

#endif
