/* The jobs in hand: made once per (sender, encounter, seq, kind), answered once, their payloads in the shell's
 * slots. Pure. */
#ifndef SALLYPORT_BROKER_INFLIGHT_H
#define SALLYPORT_BROKER_INFLIGHT_H

#include "broker/state.h"

/* The unanswered job of this message; NOBODY. WANTs are found by their enc alone: whichever worker asked first. */
int inflight_find(const struct broker *broker, const struct sp_header *header);
/* By the number on the wire. */
int inflight_by_number(const struct broker *broker, uint64_t number);
/* A new job for the event's message, payload kept, not queued yet; NOBODY: too many jobs or bytes. */
int inflight_begin(struct broker *broker, const struct sp_header *header, size_t bytes);
/* Put the event's message in place of the kept one (the same job, sent again). */
void inflight_replace(struct broker *broker, int job, size_t bytes);
/* Who hears the answer from now on. The place in the client's window must be taken already. */
void inflight_attach(struct broker *broker, int job, int client, int client_lane);
void inflight_orphan(struct broker *broker, int client);

/* Say the answer to whoever waits for it, once, and give the place in the window back. The job must be unqueued,
 * and is free afterwards, or given up where a worker still holds it. `from_result`: it is what the event's
 * RESULT says. */
void inflight_answer(struct broker *broker, int job, int answer, int reason, bool from_result);
/* The worker of a given-up job is done with it, gone, or was waited for long enough. */
void inflight_free(struct broker *broker, int job);

#endif
