/* What clients say: the actions of the front. */
#include <string.h>
#include "broker/actions.h"
#include "broker/clients.h"
#include "broker/dispatch.h"
#include "broker/inflight.h"
#include "broker/told.h"

/* The first lane of a HELLO that the key may not speak for; NULL if it may for all. */
static const char *forbidden_lane(const struct broker_event *event)
{
    for (int i = 0; i < event->header->lane_count; i++)
        if (!sp_peer_may_use_lane(event->peer, event->header->lanes[i]))
            return event->header->lanes[i];
    return NULL;
}

static bool shares_a_lane(const struct client *client, const struct sp_header *hello)
{
    for (int i = 0; i < hello->lane_count; i++)
        if (clients_lane(client, hello->lanes[i]) != NOBODY)
            return true;
    return false;
}

/* A lane has one session of a key, the newest: a capture node that comes back on a new connection must get in, and
 * whoever still holds the older one must hear of it. Processes with one key and other lanes, and ops tools, which
 * have none, run side by side. Returns how many sessions the key keeps. */
static uint32_t replace_older(struct broker *broker)
{
    uint32_t kept = 0;
    for (int i = 0; i < broker->limits.max_clients; i++) {
        struct client *older = &broker->clients[i];
        if (!older->used || memcmp(older->key, broker->event->key, sizeof older->key) != 0)
            continue;
        if (!shares_a_lane(older, broker->event->header)) {
            kept++;
            continue;
        }
        clients_refuse(broker, &older->route, SP_REASON_STALE_SESSION, NULL);
        clients_end(broker, i);
        broker->counts.replaced_sessions++;
    }
    return kept;
}

void greet_client(struct broker *broker, int at)
{
    const struct broker_event *event = broker->event;
    const char *lane = forbidden_lane(event);
    if (lane) {
        struct sp_header about = {0};
        memcpy(about.lane, lane, sizeof about.lane);
        clients_refuse(broker, &event->route, SP_REASON_NOT_YOUR_LANE, &about);
        return;
    }
    if (at != NOBODY)
        clients_end(broker, at);
    at = replace_older(broker) < broker->limits.key_sessions ? clients_begin(broker, event->header) : NOBODY;
    if (at == NOBODY) {
        clients_refuse(broker, &event->route, SP_REASON_QUEUE_FULL, NULL);
        return;
    }
    struct broker_output *output = clients_say(broker, at, SP_MSG_WELCOME);
    memcpy(output->session, event->fresh_session, sizeof output->session);
}

/* Is this message too old, by the client's clock since WELCOME and ours? */
static int check_age(const struct broker *broker, const struct client *client, uint64_t at_ms)
{
    uint64_t since_welcome = broker->now - client->welcome_ns;
    uint64_t latest_ms = (since_welcome + broker->limits.max_age_ns) / 1000000u;
    if (at_ms > latest_ms)
        return SP_REASON_BAD_MESSAGE; /* from the future: it would stay young for ever */
    uint64_t at_ns = at_ms * 1000000u;
    return since_welcome > at_ns && since_welcome - at_ns > broker->limits.max_age_ns ? SP_REASON_TOO_OLD
                                                                                      : SP_REASON_NONE;
}

static bool of_a_desk(int kind)
{
    return kind == SP_MSG_ENROL || kind == SP_MSG_REVIEW;
}

/* Why this client may not send this; SP_REASON_NONE if it may. */
static int check_work(const struct broker *broker, const struct client *client)
{
    const struct broker_event *event = broker->event;
    const struct sp_header *header = event->header;
    bool enrol = of_a_desk(header->type);
    if (event->peer->role != client->role || (client->role == SP_ROLE_OPS) != enrol)
        return SP_REASON_NOT_AUTHORISED;
    if (memcmp(header->sender, event->key, sizeof header->sender) != 0)
        return SP_REASON_SENDER_MISMATCH;
    if (memcmp(header->session, client->session, sizeof header->session) != 0)
        return SP_REASON_STALE_SESSION;
    if (!enrol &&
        (clients_lane(client, header->lane) == NOBODY || !sp_peer_may_use_lane(event->peer, header->lane)))
        return SP_REASON_NOT_YOUR_LANE;
    if (!event->has_payload)
        return SP_REASON_BAD_MESSAGE;
    if (event->payload_bytes > broker->limits.max_payload)
        return SP_REASON_PAYLOAD_TOO_LARGE;
    return check_age(broker, client, header->at_ms);
}

/* The same message again while its job is in hand: no second job. Under the same session there is nothing to do.
 * Under a newer one the answer goes there, and must be sealed under that session's key: the newer copy takes the
 * older one's place, and where a worker has the older one already, its answer is asked for once more (take_result).
 */
static void join_job(struct broker *broker, int client, int lane, int at)
{
    const struct broker_event *event = broker->event;
    struct job *job = &broker->jobs[at];
    bool other_pack = job->has_pack &&
                      (!event->header->has_pack || memcmp(job->pack, event->header->pack, sizeof job->pack) != 0);
    if (strcmp(job->lane, event->header->lane) != 0 || other_pack) {
        clients_answer_now(broker, event->header, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_ENCOUNTER);
        return;
    }
    if (job->client != client) {
        if (broker->held_bytes + event->payload_bytes > broker->limits.max_held_bytes) {
            clients_answer_now(broker, event->header, SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
            return;
        }
        if (!clients_take(broker, &broker->clients[client], job->kind, lane)) {
            clients_answer_now(broker, event->header, SP_ANSWER_BUSY, SP_REASON_WINDOW_FULL);
            return;
        }
        inflight_attach(broker, at, client, lane);
        inflight_replace(broker, at, event->payload_bytes);
        job->resealed = job->state == JOB_SENT;
    }
    broker->counts.joined++;
}

void take_work(struct broker *broker, int at)
{
    const struct sp_header *header = broker->event->header;
    struct client *client = &broker->clients[at];
    int kind = (int)header->type;
    broker->counts.frames += kind == SP_MSG_FRAME;
    broker->counts.closes += kind == SP_MSG_CLOSE;
    broker->counts.enrols += kind == SP_MSG_ENROL;
    broker->counts.reviews += kind == SP_MSG_REVIEW;
    int reason = check_work(broker, client);
    if (reason != SP_REASON_NONE) {
        clients_answer_now(broker, header, SP_ANSWER_ERROR, reason);
        return;
    }
    int lane = of_a_desk(kind) ? NOBODY : clients_lane(client, header->lane);
    int job = inflight_find(broker, header);
    if (job != NOBODY) {
        join_job(broker, at, lane, job);
        return;
    }
    if (!clients_take(broker, client, kind, lane)) {
        clients_answer_now(broker, header, SP_ANSWER_BUSY, SP_REASON_WINDOW_FULL);
        return;
    }
    if (!dispatch_room(broker, header->job_class - 1) ||
        (job = inflight_begin(broker, header, broker->event->payload_bytes)) == NOBODY) {
        clients_give(client, kind, lane);
        clients_answer_now(broker, header, SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
        return;
    }
    inflight_attach(broker, job, at, lane);
    dispatch_add(broker, job);
}

void answer_draining(struct broker *broker, int at)
{
    (void)at;
    clients_answer_now(broker, broker->event->header, SP_ANSWER_BUSY, SP_REASON_DRAINING);
}

void refuse_draining(struct broker *broker, int at)
{
    (void)at;
    clients_refuse(broker, &broker->event->route, SP_REASON_DRAINING, NULL);
}

void refuse_not_greeted(struct broker *broker, int at)
{
    (void)at;
    clients_refuse(broker, &broker->event->route, SP_REASON_NOT_GREETED, broker->event->header);
}

void refuse_role(struct broker *broker, int at)
{
    (void)at;
    clients_refuse(broker, &broker->event->route, SP_REASON_NOT_AUTHORISED, broker->event->header);
}

void refuse_flaw(struct broker *broker, int at)
{
    (void)at;
    clients_refuse(broker, &broker->event->route, broker->event->flaw, NULL);
}

void refuse_revoked(struct broker *broker, int at)
{
    clients_refuse(broker, &broker->event->route, SP_REASON_REVOKED, NULL);
    if (at != NOBODY)
        clients_end(broker, at);
}

void tell(struct broker *broker, int at)
{
    const struct broker_event *event = broker->event;
    broker->counts.asks++;
    if (event->peer->role != SP_ROLE_OPS || broker->clients[at].role != SP_ROLE_OPS) {
        clients_refuse(broker, &event->route, SP_REASON_NOT_AUTHORISED, NULL);
        return;
    }
    if (!told_page(&broker->page, broker, event->header->what, event->header->after)) {
        clients_refuse(broker, &event->route, SP_REASON_BAD_MESSAGE, NULL);
        return;
    }
    clients_say(broker, at, SP_MSG_TELL)->page = &broker->page;
}

void answer_ping(struct broker *broker, int at)
{
    clients_say(broker, at, SP_MSG_PONG);
}

void note_life(struct broker *broker, int at)
{
    (void)broker;
    (void)at;
}

void end_session(struct broker *broker, int at)
{
    if (at != NOBODY)
        clients_end(broker, at);
}

void ignore(struct broker *broker, int at)
{
    (void)broker;
    (void)at;
}
