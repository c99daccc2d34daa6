#include "broker/dispatch.h"

#include <string.h>
#include "broker/fleet.h"
#include "broker/inflight.h"

static bool before(const struct job *a, const struct job *b)
{
    if (a->redelivered != b->redelivered)
        return a->redelivered;
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->order < b->order;
}

static void put(struct broker *broker, struct queue *queue, int place, int job)
{
    queue->heap[place] = job;
    broker->jobs[job].heap_at = place;
}

static void rise(struct broker *broker, struct queue *queue, int place, int job)
{
    while (place > 0 && before(&broker->jobs[job], &broker->jobs[queue->heap[(place - 1) / 2]])) {
        put(broker, queue, place, queue->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(broker, queue, place, job);
}

static void sink(struct broker *broker, struct queue *queue, int place, int job)
{
    for (int child = 2 * place + 1; child < queue->count; child = 2 * place + 1) {
        if (child + 1 < queue->count &&
            before(&broker->jobs[queue->heap[child + 1]], &broker->jobs[queue->heap[child]]))
            child++;
        if (!before(&broker->jobs[queue->heap[child]], &broker->jobs[job]))
            break;
        put(broker, queue, place, queue->heap[child]);
        place = child;
    }
    put(broker, queue, place, job);
}

bool dispatch_room(const struct broker *broker, int queue)
{
    return broker->queues[queue].count < broker->queues[queue].limit;
}

void dispatch_add(struct broker *broker, int job)
{
    struct queue *queue = &broker->queues[broker->jobs[job].queue];
    broker->jobs[job].state = JOB_QUEUED;
    rise(broker, queue, queue->count++, job);
}

void dispatch_remove(struct broker *broker, int job)
{
    struct queue *queue = &broker->queues[broker->jobs[job].queue];
    int place = broker->jobs[job].heap_at;
    int last = queue->heap[--queue->count];
    broker->jobs[job].heap_at = NOBODY;
    if (last == job)
        return;
    if (place > 0 && before(&broker->jobs[last], &broker->jobs[queue->heap[(place - 1) / 2]]))
        rise(broker, queue, place, last);
    else
        sink(broker, queue, place, last);
}

int dispatch_head(const struct broker *broker, int queue)
{
    return broker->queues[queue].count ? broker->queues[queue].heap[0] : NOBODY;
}

void dispatch_expire(struct broker *broker, int at)
{
    bool nobody_there = broker->jobs[at].attempt == 0 && !fleet_has(broker, &broker->jobs[at]);
    dispatch_remove(broker, at);
    inflight_answer(broker, at, SP_ANSWER_EXPIRED, nobody_there ? SP_REASON_NO_WORKER : SP_REASON_BUDGET_SPENT,
                    false);
}

static void send_job(struct broker *broker, int at, int worker)
{
    struct job *job = &broker->jobs[at];
    dispatch_remove(broker, at);
    job->state = JOB_SENT;
    job->attempt++;
    job->redelivered = job->resealed = false;
    fleet_take(broker, worker, at);
    struct broker_output *output = fleet_say(broker, worker, SP_MSG_JOB);
    output->job = job->number;
    output->attempt = job->attempt;
    output->budget_ms =
        job->deadline_ns > broker->now ? (uint32_t)((job->deadline_ns - broker->now) / 1000000u) : 0;
    output->kind = job->kind == SP_MSG_WANT ? SP_MSG_ENROL : job->kind;
    output->slot = at;
    broker->counts.sent++;
    broker->counts.redelivered += job->attempt > 1;
}

static bool same_pack(const struct job *a, const struct job *b)
{
    return a->has_pack == b->has_pack && memcmp(a->pack, b->pack, sizeof a->pack) == 0;
}

/* Jobs that nobody is free for, one of each pack: who asks for their workers again in one search asks in vain. */
struct lame {
    int count;
    const struct job *jobs[8]; /* of more packs than that each job is looked up */
};

static int pick(const struct broker *broker, struct lame *lame, const struct job *job)
{
    for (int i = 0; i < lame->count; i++)
        if (same_pack(job, lame->jobs[i]))
            return NOBODY;
    int worker = fleet_pick(broker, job);
    if (worker == NOBODY && lame->count < (int)(sizeof lame->jobs / sizeof lame->jobs[0]))
        lame->jobs[lame->count++] = job;
    return worker;
}

/* The first job in the queue's order that some worker is free for. Behind a job whose pack nobody is free for,
 * others must not wait: then the queue is searched, which only queues of enrolments ever are. The head is in time;
 * those behind it need not be (a job that is delivered again goes first), and wait for the tick that answers them.
 */
static int next_job(const struct broker *broker, int queue, int *ret_worker)
{
    const struct queue *q = &broker->queues[queue];
    struct lame lame = {0};
    int head = dispatch_head(broker, queue), best = NOBODY;
    if (head == NOBODY || (*ret_worker = pick(broker, &lame, &broker->jobs[head])) != NOBODY)
        return head;
    for (int i = 1; broker->jobs[head].has_pack && i < q->count; i++) {
        const struct job *job = &broker->jobs[q->heap[i]];
        if (job->deadline_ns <= broker->now || (best != NOBODY && !before(job, &broker->jobs[best])))
            continue;
        int worker = pick(broker, &lame, job);
        if (worker == NOBODY)
            continue;
        best = q->heap[i];
        *ret_worker = worker;
    }
    return best;
}

void dispatch_run(struct broker *broker)
{
    for (int queue = 0; queue < SP_CLASS_COUNT; queue++) {
        for (int at; (at = dispatch_head(broker, queue)) != NOBODY;) {
            if (broker->jobs[at].deadline_ns <= broker->now) {
                dispatch_expire(broker, at);
                continue;
            }
            int worker = NOBODY;
            if ((at = next_job(broker, queue, &worker)) == NOBODY)
                break; /* later classes find none either, but their late jobs must still be answered */
            send_job(broker, at, worker);
        }
    }
}
