#include "broker/fleet.h"

#include <string.h>
#include "broker/dispatch.h"
#include "broker/inflight.h"

static uint64_t hash_route(const struct index *index, const struct broker_route *route)
{
    return index_hash(index->seed, route->bytes, route->length);
}

int fleet_find(const struct broker *broker, const struct broker_route *route, const uint8_t key[32])
{
    const struct index *index = &broker->worker_routes;
    for (int i = index_first(index, hash_route(index, route)); i >= 0; i = index_next(index, i))
        /* a connection keeps its key: a route that comes with another one is another connection */
        if (broker_route_equal(&broker->workers[i].route, route) &&
            (!key || memcmp(broker->workers[i].key, key, 32) == 0))
            return i;
    return NOBODY;
}

int fleet_find_key(const struct broker *broker, const uint8_t key[32])
{
    for (int i = 0; i < broker->limits.max_workers; i++)
        if (broker->workers[i].used && memcmp(broker->workers[i].key, key, 32) == 0)
            return i;
    return NOBODY;
}

int fleet_begin(struct broker *broker)
{
    for (int i = 0; i < broker->limits.max_workers; i++) {
        struct worker *worker = &broker->workers[i];
        if (worker->used)
            continue;
        *worker = (struct worker){
            .used = true, .route = broker->event->route, .heard_ns = broker->now, .said_ns = broker->now};
        memcpy(worker->key, broker->event->key, sizeof worker->key);
        memcpy(worker->name, broker->event->peer->name, sizeof worker->name);
        memcpy(worker->backend, broker->event->header->backend, sizeof worker->backend);
        memcpy(worker->pack, broker->event->header->pack, sizeof worker->pack);
        index_add(&broker->worker_routes, i, hash_route(&broker->worker_routes, &worker->route));
        return i;
    }
    return NOBODY;
}

static void deliver_again(struct broker *broker, int at)
{
    struct job *job = &broker->jobs[at];
    if (job->attempt >= broker->limits.max_deliveries) {
        inflight_answer(broker, at, SP_ANSWER_ERROR, SP_REASON_WORKER_LOST, false);
        return;
    }
    job->redelivered = true;
    dispatch_add(broker, at);
}

void fleet_end(struct broker *broker, int at)
{
    for (int i = 0; i < broker->limits.max_jobs; i++) {
        struct job *job = &broker->jobs[i];
        if ((job->state != JOB_SENT && job->state != JOB_GIVEN_UP) || job->worker != at)
            continue;
        fleet_give(broker, i);
        if (job->state == JOB_SENT)
            deliver_again(broker, i);
        else
            inflight_free(broker, i);
    }
    index_remove(&broker->worker_routes, at);
    broker->workers[at].used = false;
}

void fleet_set_credit(struct broker *broker, int at, uint32_t credit)
{
    uint32_t most = broker->limits.max_credit;
    broker->workers[at].credit = credit < most ? credit : most;
}

/* Enrolments take long and have time; people in lanes have neither. */
static bool patient(int queue)
{
    return queue >= SP_CLASS_ENROL - 1;
}

static bool suits(const struct worker *worker, const struct job *job)
{
    return !job->has_pack || memcmp(worker->pack, job->pack, sizeof worker->pack) == 0;
}

bool fleet_has(const struct broker *broker, const struct job *job)
{
    for (int i = 0; i < broker->limits.max_workers; i++)
        if (broker->workers[i].used && !broker->workers[i].draining && suits(&broker->workers[i], job))
            return true;
    return false;
}

int fleet_pick(const struct broker *broker, const struct job *job)
{
    int best = NOBODY;
    uint32_t best_free = 0;
    for (int i = 0; i < broker->limits.max_workers; i++) {
        const struct worker *worker = &broker->workers[i];
        if (!worker->used || worker->draining || worker->held >= worker->credit ||
            (patient(job->queue) && worker->patient >= broker->limits.patient_credit) || !suits(worker, job))
            continue;
        uint32_t free = worker->credit - worker->held;
        if (free > best_free || (free == best_free && worker->served < broker->workers[best].served)) {
            best = i;
            best_free = free;
        }
    }
    return best;
}

void fleet_take(struct broker *broker, int at, int job)
{
    broker->jobs[job].worker = at;
    broker->workers[at].held++;
    broker->workers[at].patient += patient(broker->jobs[job].queue);
    broker->workers[at].served = ++broker->order;
}

void fleet_give(struct broker *broker, int job)
{
    struct worker *worker = &broker->workers[broker->jobs[job].worker];
    worker->held--;
    worker->patient -= patient(broker->jobs[job].queue);
    broker->jobs[job].worker = NOBODY;
}

struct broker_output *fleet_say(struct broker *broker, int at, enum sp_message_type message)
{
    struct worker *worker = &broker->workers[at];
    struct broker_output *output = broker_outbox_add(broker->out, BROKER_SEND_BACK);
    output->message = message;
    output->route = worker->route;
    worker->said_ns = broker->now;
    return output;
}

void fleet_refuse(struct broker *broker, const struct broker_route *route, int reason,
                  const struct sp_header *about)
{
    struct broker_output *output = broker_outbox_add(broker->out, BROKER_SEND_BACK);
    output->message = SP_MSG_REFUSED;
    output->route = *route;
    output->reason = reason;
    if (about) {
        output->seq = about->seq;
        memcpy(output->encounter, about->encounter, sizeof output->encounter);
    }
    broker->counts.refused[reason]++;
}
