/* The workers: who is alive, and how much more each will take. Pure. */
#ifndef SALLYPORT_BROKER_FLEET_H
#define SALLYPORT_BROKER_FLEET_H

#include "broker/state.h"

int fleet_find(const struct broker *broker, const struct broker_route *route, const uint8_t key[32]);
int fleet_find_key(const struct broker *broker, const uint8_t key[32]);
/* A new worker for the event's connection; NOBODY if the table is full. */
int fleet_begin(struct broker *broker);
/* The worker is dead or has left: its unanswered jobs go to others, or are answered error worker_lost. */
void fleet_end(struct broker *broker, int worker);
void fleet_set_credit(struct broker *broker, int worker, uint32_t credit);

/* The worker with the most free credit for a job of this queue and pack; among equals the one whose last job is
 * longest ago. NOBODY: none is free. */
int fleet_pick(const struct broker *broker, const struct job *job);
/* Is any worker there that could do it, free or not? */
bool fleet_has(const struct broker *broker, const struct job *job);
void fleet_take(struct broker *broker, int worker, int job);
/* The worker does not hold this job any more. */
void fleet_give(struct broker *broker, int job);

struct broker_output *fleet_say(struct broker *broker, int worker, enum sp_message_type message);
void fleet_refuse(struct broker *broker, const struct broker_route *route, int reason,
                  const struct sp_header *about);

#endif
