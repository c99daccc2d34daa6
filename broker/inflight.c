#include "broker/inflight.h"

#include <string.h>
#include "broker/clients.h"

#define SLOT_BITS 16

static uint64_t hash_name(const struct index *index, const uint8_t *sender, const uint8_t *encounter, uint32_t seq,
                          int kind)
{
    uint32_t rest[2] = {seq, (uint32_t)kind};
    uint64_t hash = index->seed;
    if (kind != SP_MSG_WANT)
        hash = index_hash(hash, sender, 32);
    hash = index_hash(hash, encounter, SP_ENCOUNTER_BYTES);
    return index_hash(hash, rest, sizeof rest);
}

int inflight_find(const struct broker *broker, const struct sp_header *header)
{
    const struct index *index = &broker->job_names;
    int kind = (int)header->type;
    uint64_t hash = hash_name(index, header->sender, header->encounter, header->seq, kind);
    for (int i = index_first(index, hash); i >= 0; i = index_next(index, i)) {
        const struct job *job = &broker->jobs[i];
        if (job->kind == kind && job->seq == header->seq &&
            memcmp(job->encounter, header->encounter, sizeof job->encounter) == 0 &&
            (kind == SP_MSG_WANT || memcmp(job->sender, header->sender, sizeof job->sender) == 0))
            return i;
    }
    return NOBODY;
}

int inflight_by_number(const struct broker *broker, uint64_t number)
{
    uint64_t slot = number & ((1u << SLOT_BITS) - 1);
    if (slot >= (uint64_t)broker->limits.max_jobs || broker->jobs[slot].state == JOB_FREE ||
        broker->jobs[slot].number != number)
        return NOBODY;
    return (int)slot;
}

int inflight_begin(struct broker *broker, const struct sp_header *header, size_t bytes)
{
    if (broker->free_count == 0 || broker->held_bytes + bytes > broker->limits.max_held_bytes)
        return NOBODY;
    int at = broker->free_jobs[--broker->free_count];
    struct job *job = &broker->jobs[at];
    uint64_t budget = (uint64_t)header->budget_ms * 1000000u;
    if (budget > broker->limits.max_budget_ns)
        budget = broker->limits.max_budget_ns;
    *job = (struct job){.state = JOB_QUEUED,
                        .kind = (int)header->type,
                        .queue = header->job_class - 1,
                        .seq = header->seq,
                        .client = NOBODY,
                        .client_lane = NOBODY,
                        .worker = NOBODY,
                        .begun_ns = broker->now,
                        .deadline_ns = broker->now + budget,
                        .order = ++broker->order,
                        .heap_at = NOBODY};
    job->number = ++broker->serial << SLOT_BITS | (uint64_t)at;
    memcpy(job->sender, header->sender, sizeof job->sender);
    memcpy(job->encounter, header->encounter, sizeof job->encounter);
    memcpy(job->lane, header->lane, sizeof job->lane);
    job->has_pack = header->has_pack && job->kind != SP_MSG_FRAME && job->kind != SP_MSG_CLOSE;
    if (job->has_pack)
        memcpy(job->pack, header->pack, sizeof job->pack);
    index_add(&broker->job_names, at,
              hash_name(&broker->job_names, job->sender, job->encounter, job->seq, job->kind));
    inflight_replace(broker, at, bytes);
    return at;
}

void inflight_replace(struct broker *broker, int at, size_t bytes)
{
    struct job *job = &broker->jobs[at];
    broker_outbox_add(broker->out, BROKER_KEEP)->slot = at;
    broker->held_bytes += bytes - job->bytes;
    job->bytes = bytes;
}

void inflight_attach(struct broker *broker, int at, int client, int client_lane)
{
    struct job *job = &broker->jobs[at];
    if (job->client != NOBODY)
        clients_give(&broker->clients[job->client], job->kind, job->client_lane);
    job->client = client;
    job->client_lane = client_lane;
}

void inflight_orphan(struct broker *broker, int client)
{
    for (int i = 0; i < broker->limits.max_jobs; i++)
        if (broker->jobs[i].state != JOB_FREE && broker->jobs[i].client == client)
            inflight_attach(broker, i, NOBODY, NOBODY);
}

static void say_answer(struct broker *broker, struct job *job, int answer, int reason, bool from_result)
{
    struct broker_output *output = clients_say(broker, job->client, SP_MSG_ANSWER);
    output->answer = answer;
    output->reason = reason;
    output->from_result = from_result;
    output->forward = from_result && (answer == SP_ANSWER_DECIDED || answer == SP_ANSWER_UNDECIDED);
    output->age_ns = broker->now - job->begun_ns;
    output->seq = job->seq;
    memcpy(output->encounter, job->encounter, sizeof output->encounter);
    memcpy(output->lane, job->lane, sizeof output->lane);
    broker->counts.answers[answer][reason]++;
}

void inflight_answer(struct broker *broker, int at, int answer, int reason, bool from_result)
{
    struct job *job = &broker->jobs[at];
    if (job->client != NOBODY)
        say_answer(broker, job, answer, reason, from_result);
    else if (job->kind != SP_MSG_WANT)
        broker->counts.orphaned++;
    inflight_attach(broker, at, NOBODY, NOBODY);
    index_remove(&broker->job_names, at);
    broker_outbox_add(broker->out, BROKER_DROP)->slot = at;
    broker->held_bytes -= job->bytes;
    job->bytes = 0;
    job->state = JOB_GIVEN_UP;
    job->given_up_ns = broker->now;
    if (job->worker == NOBODY)
        inflight_free(broker, at);
}

void inflight_free(struct broker *broker, int at)
{
    broker->jobs[at].state = JOB_FREE;
    broker->free_jobs[broker->free_count++] = at;
}
