#include "broker/clients.h"

#include <string.h>
#include "broker/inflight.h"

static uint64_t hash_route(const struct index *index, const struct broker_route *route)
{
    return index_hash(index->seed, route->bytes, route->length);
}

int clients_find(const struct broker *broker, const struct broker_route *route, const uint8_t key[32])
{
    const struct index *index = &broker->client_routes;
    for (int i = index_first(index, hash_route(index, route)); i >= 0; i = index_next(index, i))
        /* a connection keeps its key: a route that comes with another one is another connection */
        if (broker_route_equal(&broker->clients[i].route, route) &&
            (!key || memcmp(broker->clients[i].key, key, 32) == 0))
            return i;
    return NOBODY;
}

int clients_begin(struct broker *broker, const struct sp_header *hello)
{
    const struct broker_event *event = broker->event;
    for (int i = 0; i < broker->limits.max_clients; i++) {
        struct client *client = &broker->clients[i];
        if (client->used)
            continue;
        memset(client, 0, sizeof *client);
        client->used = true;
        client->route = event->route;
        client->role = event->peer->role;
        memcpy(client->name, event->peer->name, sizeof client->name);
        memcpy(client->key, event->key, sizeof client->key);
        memcpy(client->session, event->fresh_session, sizeof client->session);
        client->lane_count = hello->lane_count;
        memcpy(client->lanes, hello->lanes, sizeof client->lanes);
        client->welcome_ns = client->heard_ns = client->said_ns = broker->now;
        index_add(&broker->client_routes, i, hash_route(&broker->client_routes, &client->route));
        return i;
    }
    return NOBODY;
}

void clients_end(struct broker *broker, int at)
{
    inflight_orphan(broker, at);
    index_remove(&broker->client_routes, at);
    broker->clients[at].used = false;
}

int clients_lane(const struct client *client, const char *lane)
{
    for (int i = 0; i < client->lane_count; i++)
        if (strcmp(client->lanes[i], lane) == 0)
            return i;
    return NOBODY;
}

bool clients_take(const struct broker *broker, struct client *client, int kind, int lane)
{
    bool frame = kind == SP_MSG_FRAME;
    uint32_t *count = frame ? &client->unanswered[lane] : &client->other_jobs;
    if (*count >= (frame ? broker->limits.window : broker->limits.client_jobs))
        return false;
    ++*count;
    return true;
}

void clients_give(struct client *client, int kind, int lane)
{
    --*(kind == SP_MSG_FRAME ? &client->unanswered[lane] : &client->other_jobs);
}

struct broker_output *clients_say(struct broker *broker, int at, enum sp_message_type message)
{
    struct client *client = &broker->clients[at];
    struct broker_output *output = broker_outbox_add(broker->out, BROKER_SEND_FRONT);
    output->message = message;
    output->route = client->route;
    client->said_ns = broker->now;
    return output;
}

void clients_answer_now(struct broker *broker, const struct sp_header *header, int answer, int reason)
{
    struct broker_output *output = broker_outbox_add(broker->out, BROKER_SEND_FRONT);
    output->message = SP_MSG_ANSWER;
    output->route = broker->event->route;
    output->answer = answer;
    output->reason = reason;
    output->seq = header->seq;
    memcpy(output->encounter, header->encounter, sizeof output->encounter);
    memcpy(output->lane, header->lane, sizeof output->lane);
    broker->counts.answers[answer][reason]++;
}

void clients_refuse(struct broker *broker, const struct broker_route *route, int reason,
                    const struct sp_header *about)
{
    struct broker_output *output = broker_outbox_add(broker->out, BROKER_SEND_FRONT);
    output->message = SP_MSG_REFUSED;
    output->route = *route;
    output->reason = reason;
    if (about) {
        output->seq = about->seq;
        memcpy(output->encounter, about->encounter, sizeof output->encounter);
        memcpy(output->lane, about->lane, sizeof output->lane);
    }
    broker->counts.refused[reason]++;
}
