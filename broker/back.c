/* What workers say: the actions of the back. */
#include <string.h>
#include "broker/actions.h"
#include "broker/dispatch.h"
#include "broker/fleet.h"
#include "broker/inflight.h"

void greet_worker(struct broker *broker, int at)
{
    const struct broker_event *event = broker->event;
    if (!event->certified) {
        fleet_refuse(broker, &event->route, SP_REASON_NOT_AUTHORISED, NULL);
        return;
    }
    /* READY again: this process has forgotten what it held, or came back on a new connection. */
    int older = at != NOBODY ? at : fleet_find_key(broker, event->key);
    if (older != NOBODY) {
        if (older != at)
            fleet_refuse(broker, &broker->workers[older].route, SP_REASON_STALE_SESSION, NULL);
        fleet_end(broker, older);
        broker->counts.replaced_workers++;
    }
    at = fleet_begin(broker);
    if (at == NOBODY) {
        fleet_refuse(broker, &event->route, SP_REASON_QUEUE_FULL, NULL);
        return;
    }
    fleet_set_credit(broker, at, event->header->credit);
    fleet_say(broker, at, SP_MSG_GREET);
}

void take_result(struct broker *broker, int at)
{
    const struct broker_event *event = broker->event;
    int number = inflight_by_number(broker, event->header->job);
    struct job *job = number == NOBODY ? NULL : &broker->jobs[number];
    if (!job || job->worker != at) {
        broker->counts.late++; /* redelivered since, or never given to this worker */
        return;
    }
    fleet_give(broker, number);
    if (job->state == JOB_GIVEN_UP) {
        broker->counts.late++;
        inflight_free(broker, number);
        return;
    }
    int answer = event->header->answer, reason = event->header->reason;
    bool sealed = answer == SP_ANSWER_DECIDED || answer == SP_ANSWER_UNDECIDED, good = true;
    if (sealed && job->kind != SP_MSG_WANT &&
        (!event->has_payload || event->payload_bytes > broker->limits.max_payload)) {
        answer = SP_ANSWER_ERROR; /* the worker is at fault */
        reason = SP_REASON_INTERNAL;
        sealed = good = false;
    }
    if (sealed && job->resealed) { /* its client cannot open this one any more: fetch the stored answer anew */
        job->redelivered = true;
        dispatch_add(broker, number);
        return;
    }
    inflight_answer(broker, number, answer, reason, good);
}

void renew_lease(struct broker *broker, int at)
{
    if (broker->event->header->credit != SP_CREDIT_NONE)
        fleet_set_credit(broker, at, broker->event->header->credit);
}

void start_draining(struct broker *broker, int at)
{
    broker->workers[at].draining = true;
}

/* Why this WANT cannot be queued; SP_REASON_NONE if it can. */
static int check_want(const struct broker *broker)
{
    const struct broker_event *event = broker->event;
    if (memcmp(event->header->sender, event->key, sizeof event->key) != 0)
        return SP_REASON_SENDER_MISMATCH;
    if (!event->has_payload)
        return SP_REASON_BAD_MESSAGE;
    if (event->payload_bytes > broker->limits.max_payload)
        return SP_REASON_PAYLOAD_TOO_LARGE;
    if (broker->draining)
        return SP_REASON_DRAINING;
    return dispatch_room(broker, event->header->job_class - 1) ? SP_REASON_NONE : SP_REASON_QUEUE_FULL;
}

void take_want(struct broker *broker, int at)
{
    const struct sp_header *header = broker->event->header;
    (void)at;
    broker->counts.wants++;
    int reason = check_want(broker), job = NOBODY;
    if (reason == SP_REASON_NONE && inflight_find(broker, header) != NOBODY) {
        broker->counts.joined++; /* somebody wants this portrait already */
        return;
    }
    if (reason == SP_REASON_NONE && (job = inflight_begin(broker, header, broker->event->payload_bytes)) == NOBODY)
        reason = SP_REASON_QUEUE_FULL;
    if (reason != SP_REASON_NONE) {
        broker->counts.wants_dropped++;
        fleet_refuse(broker, &broker->event->route, reason, header);
        return;
    }
    dispatch_add(broker, job);
}

void answer_worker_ping(struct broker *broker, int at)
{
    fleet_say(broker, at, SP_MSG_PONG);
}

void lose_worker(struct broker *broker, int at)
{
    if (at != NOBODY)
        fleet_end(broker, at);
}

void refuse_worker_not_greeted(struct broker *broker, int at)
{
    (void)at;
    broker->counts.late += broker->event->header->type == SP_MSG_RESULT;
    fleet_refuse(broker, &broker->event->route, SP_REASON_NOT_GREETED, NULL);
}

void refuse_worker_role(struct broker *broker, int at)
{
    (void)at;
    fleet_refuse(broker, &broker->event->route, SP_REASON_NOT_AUTHORISED, NULL);
}

void refuse_worker_flaw(struct broker *broker, int at)
{
    (void)at;
    fleet_refuse(broker, &broker->event->route, broker->event->flaw, NULL);
}

void refuse_worker_revoked(struct broker *broker, int at)
{
    fleet_refuse(broker, &broker->event->route, SP_REASON_REVOKED, NULL);
    if (at != NOBODY)
        fleet_end(broker, at);
}
