/* The broker's memory: made once, freed once. And what it says about itself. */
#include <stdlib.h>
#include <string.h>
#include "broker/state.h"

static enum sp_status check_limits(const struct broker_limits *limits, struct sp_err *err)
{
    bool good = limits->max_clients > 0 && limits->max_workers > 0 && limits->max_jobs > 0 &&
                limits->max_jobs <= 65536 && limits->window > 0 && limits->client_jobs > 0 &&
                limits->key_sessions > 0 && limits->max_credit > 0 && limits->patient_credit > 0 && limits->max_deliveries > 0 &&
                limits->max_budget_ns > 0 && limits->max_age_ns > 0 && limits->heartbeat_ns > 0 &&
                limits->client_lease_ns > limits->heartbeat_ns && limits->lease_ns > limits->heartbeat_ns;
    for (int i = 0; i < SP_CLASS_COUNT; i++)
        good = good && limits->queue[i] > 0;
    return good ? SP_OK
                : sp_fail(err, SP_E_INVALID,
                          "the broker's limits make no sense: each must be positive, jobs at most "
                          "65536, and leases longer than the heartbeat");
}

enum sp_status broker_new(struct broker **ret_broker, const struct broker_limits *limits, struct sp_err *err)
{
    enum sp_status status = check_limits(limits, err);
    if (status != SP_OK)
        return status;
    size_t jobs = (size_t)limits->max_jobs;
    struct broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        goto fail;
    broker->limits = *limits;
    broker->clients = calloc((size_t)limits->max_clients, sizeof *broker->clients);
    broker->workers = calloc((size_t)limits->max_workers, sizeof *broker->workers);
    broker->jobs = calloc(jobs, sizeof *broker->jobs);
    broker->free_jobs = calloc(jobs, sizeof *broker->free_jobs);
    if (!broker->clients || !broker->workers || !broker->jobs || !broker->free_jobs ||
        !index_new(&broker->client_routes, limits->max_clients, limits->hash_seed) ||
        !index_new(&broker->worker_routes, limits->max_workers, limits->hash_seed) ||
        !index_new(&broker->job_names, limits->max_jobs, limits->hash_seed))
        goto fail;
    for (int i = 0; i < SP_CLASS_COUNT; i++) {
        broker->queues[i].limit = limits->queue[i];
        if (!(broker->queues[i].heap = calloc(jobs, sizeof *broker->queues[i].heap)))
            goto fail;
    }
    for (int i = limits->max_jobs - 1; i >= 0; i--)
        broker->free_jobs[broker->free_count++] = i;
    *ret_broker = broker;
    return SP_OK;
fail:
    broker_free(&broker);
    return sp_fail(err, SP_E_NOMEM, "no memory for %d clients, %d workers and %d jobs", limits->max_clients,
                   limits->max_workers, limits->max_jobs);
}

void broker_free(struct broker **broker)
{
    struct broker *b = *broker;
    if (!b)
        return;
    index_free(&b->client_routes);
    index_free(&b->worker_routes);
    index_free(&b->job_names);
    for (int i = 0; i < SP_CLASS_COUNT; i++)
        free(b->queues[i].heap);
    free(b->clients);
    free(b->workers);
    free(b->jobs);
    free(b->free_jobs);
    free(b);
    *broker = NULL;
}

int broker_outbox_capacity(const struct broker_limits *limits)
{
    /* a job: at most ANSWER and DROP, or JOB, and KEEP; a peer: REFUSED or BYE, and one more word */
    return 4 * limits->max_jobs + 2 * limits->max_clients + 2 * limits->max_workers + 16;
}

bool broker_idle(const struct broker *broker)
{
    for (int i = 0; i < broker->limits.max_jobs; i++)
        if (broker->jobs[i].state == JOB_QUEUED || broker->jobs[i].state == JOB_SENT)
            return false;
    return true;
}

bool broker_has_worker(const struct broker *broker)
{
    for (int i = 0; i < broker->limits.max_workers; i++)
        if (broker->workers[i].used && !broker->workers[i].draining)
            return true;
    return false;
}

const struct broker_counts *broker_counts(const struct broker *broker)
{
    return &broker->counts;
}

void broker_gauges(const struct broker *broker, struct broker_gauges *ret)
{
    *ret = (struct broker_gauges){.held_bytes = broker->held_bytes};
    for (int i = 0; i < broker->limits.max_clients; i++)
        ret->clients += broker->clients[i].used;
    for (int i = 0; i < broker->limits.max_workers; i++) {
        const struct worker *worker = &broker->workers[i];
        ret->workers += worker->used;
        ret->credit += worker->used ? worker->credit : 0;
        ret->credit_used += worker->used ? worker->held : 0;
    }
    for (int i = 0; i < SP_CLASS_COUNT; i++)
        ret->queued[i] = broker->queues[i].count;
    for (int i = 0; i < broker->limits.max_jobs; i++) {
        ret->sent += broker->jobs[i].state == JOB_SENT;
        ret->given_up += broker->jobs[i].state == JOB_GIVEN_UP;
    }
}

int broker_keys(const struct broker *broker, uint8_t (*ret_keys)[32], int capacity)
{
    int count = 0;
    for (int i = 0; i < broker->limits.max_clients && count < capacity; i++)
        if (broker->clients[i].used)
            memcpy(ret_keys[count++], broker->clients[i].key, 32);
    for (int i = 0; i < broker->limits.max_workers && count < capacity; i++)
        if (broker->workers[i].used)
            memcpy(ret_keys[count++], broker->workers[i].key, 32);
    return count;
}
