/* What nobody says: budgets, leases and heartbeats, revoked keys, and the broker's own end. */
#include <string.h>
#include "broker/actions.h"
#include "broker/clients.h"
#include "broker/dispatch.h"
#include "broker/fleet.h"
#include "broker/inflight.h"

static void check_job(struct broker *broker, int at)
{
    struct job *job = &broker->jobs[at];
    const struct broker_limits *limits = &broker->limits;
    if (job->state == JOB_QUEUED && job->deadline_ns <= broker->now) {
        dispatch_expire(broker, at);
    } else if (job->state == JOB_SENT && job->deadline_ns + limits->grace_ns <= broker->now) {
        inflight_answer(broker, at, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT, false);
    } else if (job->state == JOB_GIVEN_UP && job->given_up_ns + limits->stuck_ns <= broker->now) {
        fleet_give(broker, at);
        inflight_free(broker, at);
        broker->counts.stuck++;
    }
}

static void check_clients(struct broker *broker)
{
    for (int i = 0; i < broker->limits.max_clients; i++) {
        struct client *client = &broker->clients[i];
        if (!client->used)
            continue;
        if (client->heard_ns + broker->limits.client_lease_ns <= broker->now) {
            clients_end(broker, i);
            broker->counts.silent_clients++;
        } else if (client->said_ns + broker->limits.heartbeat_ns <= broker->now) {
            clients_say(broker, i, SP_MSG_PING);
        }
    }
}

static void check_workers(struct broker *broker)
{
    for (int i = 0; i < broker->limits.max_workers; i++) {
        struct worker *worker = &broker->workers[i];
        if (!worker->used)
            continue;
        if (worker->heard_ns + broker->limits.lease_ns <= broker->now) {
            fleet_end(broker, i);
            broker->counts.silent_workers++;
        } else if (worker->said_ns + broker->limits.heartbeat_ns <= broker->now) {
            fleet_say(broker, i, SP_MSG_BEAT);
        }
    }
}

void run_timers(struct broker *broker, int at)
{
    (void)at;
    check_workers(broker); /* first, so that a dead worker's jobs find another while their budget lasts */
    for (int i = 0; i < broker->limits.max_jobs; i++)
        check_job(broker, i);
    check_clients(broker);
}

void end_revoked(struct broker *broker, int at)
{
    const uint8_t *key = broker->event->key;
    (void)at;
    for (int i = 0; i < broker->limits.max_clients; i++) {
        if (!broker->clients[i].used || memcmp(broker->clients[i].key, key, 32) != 0)
            continue;
        clients_refuse(broker, &broker->clients[i].route, SP_REASON_REVOKED, NULL);
        clients_end(broker, i);
    }
    int worker = fleet_find_key(broker, key);
    if (worker == NOBODY)
        return;
    fleet_refuse(broker, &broker->workers[worker].route, SP_REASON_REVOKED, NULL);
    fleet_end(broker, worker);
}

void drain_broker(struct broker *broker, int at)
{
    (void)at;
    broker->draining = true;
}

void stop_broker(struct broker *broker, int at)
{
    (void)at;
    broker->draining = true;
    for (int i = 0; i < broker->limits.max_jobs; i++) {
        struct job *job = &broker->jobs[i];
        if (job->state != JOB_QUEUED && job->state != JOB_SENT)
            continue;
        if (job->state == JOB_QUEUED)
            dispatch_remove(broker, i);
        inflight_answer(broker, i, SP_ANSWER_BUSY, SP_REASON_DRAINING, false);
    }
    for (int i = 0; i < broker->limits.max_clients; i++) {
        if (!broker->clients[i].used)
            continue;
        clients_say(broker, i, SP_MSG_BYE);
        clients_end(broker, i);
    }
    for (int i = 0; i < broker->limits.max_workers; i++) {
        if (!broker->workers[i].used)
            continue;
        fleet_say(broker, i, SP_MSG_BYE);
        fleet_end(broker, i);
    }
}
