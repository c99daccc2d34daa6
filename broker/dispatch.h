/* The queues, one per class, and who gets the next job. Pure.
 *
 * Lower classes go first, always; within a class redelivered jobs go first, then the job whose budget ends first.
 */
#ifndef SALLYPORT_BROKER_DISPATCH_H
#define SALLYPORT_BROKER_DISPATCH_H

#include "broker/state.h"

/* Is there room for one more accepted job of this class? Redelivered jobs always find room. */
bool dispatch_room(const struct broker *broker, int queue);
void dispatch_add(struct broker *broker, int job);
void dispatch_remove(struct broker *broker, int job);
/* The head of one queue; NOBODY. */
int dispatch_head(const struct broker *broker, int queue);
/* Hand out jobs while there are any and some worker (of the job's pack, where it names one) has free credit. */
void dispatch_run(struct broker *broker);
/* The budget of a queued job is over: say so. */
void dispatch_expire(struct broker *broker, int job);

#endif
