/* The broker's invariants, recomputed from scratch. */
#include <stdlib.h>
#include <string.h>
#include "broker/inflight.h"

static const char *check_one_job(const struct broker *broker, int at)
{
    const struct job *job = &broker->jobs[at];
    if (job->state == JOB_FREE)
        return NULL;
    if ((job->state == JOB_QUEUED) != (job->worker == NOBODY))
        return "a job is queued exactly while no worker holds it";
    if (job->state == JOB_QUEUED && broker->queues[job->queue].heap[job->heap_at] != at)
        return "a queued job is where it says";
    if (job->worker != NOBODY && !broker->workers[job->worker].used)
        return "a job's worker is alive";
    if (job->worker != NOBODY && job->has_pack &&
        memcmp(broker->workers[job->worker].pack, job->pack, sizeof job->pack) != 0)
        return "a job that names a pack is at a worker of that pack";
    if (job->client != NOBODY &&
        (!broker->clients[job->client].used || memcmp(broker->clients[job->client].key, job->sender, 32) != 0))
        return "a job's client is its sender";
    if (job->attempt > broker->limits.max_deliveries && !job->redelivered && job->state == JOB_QUEUED)
        return "a job is delivered at most max_deliveries times";
    if (job->state == JOB_GIVEN_UP)
        return job->client == NOBODY && job->bytes == 0 ? NULL : "a given-up job has no client and no payload";
    struct sp_header name = {.type = (enum sp_message_type)job->kind, .seq = job->seq};
    memcpy(name.sender, job->sender, 32);
    memcpy(name.encounter, job->encounter, sizeof name.encounter);
    return inflight_find(broker, &name) == at ? NULL : "an unanswered job is found by its name, and only once";
}

static const char *check_counts(const struct broker *broker)
{
    uint64_t bytes = 0;
    int queued = 0, free_jobs = 0;
    for (int i = 0; i < broker->limits.max_jobs; i++) {
        bytes += broker->jobs[i].state == JOB_FREE ? 0 : broker->jobs[i].bytes;
        queued += broker->jobs[i].state == JOB_QUEUED;
        free_jobs += broker->jobs[i].state == JOB_FREE;
    }
    for (int i = 0; i < SP_CLASS_COUNT; i++)
        queued -= broker->queues[i].count;
    if (queued != 0)
        return "the queues hold exactly the queued jobs";
    if (bytes != broker->held_bytes || bytes > broker->limits.max_held_bytes)
        return "held_bytes is the sum of the payloads, within its limit";
    return free_jobs == broker->free_count ? NULL : "the free list holds exactly the free jobs";
}

static const char *check_client(const struct broker *broker, int at)
{
    const struct client *client = &broker->clients[at];
    uint32_t unanswered[SP_PEER_MAX_LANES_ON_WIRE] = {0}, others = 0;
    for (int i = 0; i < broker->limits.max_jobs; i++) {
        const struct job *job = &broker->jobs[i];
        if (job->state == JOB_FREE || job->client != at)
            continue;
        if (job->kind == SP_MSG_FRAME)
            unanswered[job->client_lane]++;
        else
            others++;
    }
    if (others != client->other_jobs || others > broker->limits.client_jobs)
        return "other_jobs counts the CLOSEs, ENROLs and REVIEWs in hand, within its limit";
    for (int i = 0; i < SP_PEER_MAX_LANES_ON_WIRE; i++)
        if (unanswered[i] != client->unanswered[i] || unanswered[i] > broker->limits.window)
            return "a lane's window counts its FRAMEs in hand, within its limit";
    return NULL;
}

static const char *check_worker(const struct broker *broker, int at)
{
    uint32_t held = 0, patient = 0;
    for (int i = 0; i < broker->limits.max_jobs; i++) {
        bool its = broker->jobs[i].state != JOB_FREE && broker->jobs[i].worker == at;
        held += its;
        patient += its && broker->jobs[i].queue >= SP_CLASS_ENROL - 1;
    }
    if (patient != broker->workers[at].patient || patient > broker->limits.patient_credit)
        return "a worker's enrolments are counted, and within their part of the credit";
    return held == broker->workers[at].held ? NULL : "a worker's used credit is the number of jobs it holds";
}

const char *broker_check(const struct broker *broker)
{
    const char *broken = check_counts(broker);
    for (int i = 0; !broken && i < broker->limits.max_jobs; i++)
        broken = check_one_job(broker, i);
    for (int i = 0; !broken && i < broker->limits.max_clients; i++)
        if (broker->clients[i].used)
            broken = check_client(broker, i);
    for (int i = 0; !broken && i < broker->limits.max_workers; i++)
        if (broker->workers[i].used)
            broken = check_worker(broker, i);
    return broken;
}
