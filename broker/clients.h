/* Sessions of the front: found by route, ended, kept alive; and the windows of their lanes. Pure. */
#ifndef SALLYPORT_BROKER_CLIENTS_H
#define SALLYPORT_BROKER_CLIENTS_H

#include "broker/state.h"

/* The session of the event's connection; NOBODY if there is none. */
int clients_find(const struct broker *broker, const struct broker_route *route, const uint8_t key[32]);
/* A new session for the event's connection; NOBODY if the table is full. */
int clients_begin(struct broker *broker, const struct sp_header *hello);
/* Forget a session; answers to its jobs go nowhere from now on. */
void clients_end(struct broker *broker, int client);

/* Index of a lane the session was greeted for; NOBODY if it is none of them. */
int clients_lane(const struct client *client, const char *lane);
/* Take a place for a job of this kind: of a FRAME in the window of its lane, of others among client_jobs. false:
 * full. */
bool clients_take(const struct broker *broker, struct client *client, int kind, int lane);
void clients_give(struct client *client, int kind, int lane);

/* Queue a message to a client; the caller fills in the rest. */
struct broker_output *clients_say(struct broker *broker, int client, enum sp_message_type message);
/* An ANSWER that no job stands behind, to the connection of the event. */
void clients_answer_now(struct broker *broker, const struct sp_header *header, int answer, int reason);
/* REFUSED to a route of the front, naming (enc, seq) and lane of `about` where given. */
void clients_refuse(struct broker *broker, const struct broker_route *route, int reason,
                    const struct sp_header *about);

#endif
