/* A bounded queue between two stages: the order is the caller's, the memory is fixed at the start.
 *
 * Items are pointers that the queue never follows except through `before`. All functions are thread-safe. */
#ifndef SALLYPORT_WORKERS_QUEUE_H
#define SALLYPORT_WORKERS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/status.h"

struct sp_queue;

struct sp_queue_config {
    int capacity;
    bool with_fd; /* make an event descriptor for poll loops */
    /* True if a goes before b; equal items keep the order of their arrival. NULL: first in, first out. */
    bool (*before)(const void *a, const void *b);
};

enum sp_status sp_queue_new(struct sp_queue **ret_queue, const struct sp_queue_config *config, struct sp_err *err);
void sp_queue_free(struct sp_queue **queue); /* does not free items */

/* False when the queue is full or closed; never blocks. */
bool sp_queue_push(struct sp_queue *queue, void *item);

/* Take 1..max items, waiting up to wait_us for the first (negative: for ever). Items after the first are taken only
 * while together(first, item) holds (NULL: always). Returns their number, 0 when time ran out, -1 when the queue is
 * closed and empty. */
int sp_queue_take(struct sp_queue *queue, void **ret_items, int max, int64_t wait_us,
                  bool (*together)(const void *first, const void *next));

/* Take 1..max more items that go together with `first`, which was taken before; those that do not stay in their
 * places. Waits up to wait_us for one (0: not at all), but no longer than until another item comes, which somebody
 * else may want. Returns their number, 0 if there are none. */
int sp_queue_join(struct sp_queue *queue, const void *first, void **ret_items, int max, int64_t wait_us,
                  bool (*together)(const void *first, const void *next));

/* No more pushes; takers get what is left, then -1. */
void sp_queue_close(struct sp_queue *queue);
int sp_queue_count(struct sp_queue *queue);
/* Readable while something may be there (with_fd); sp_queue_calm before taking, so that no push is missed. */
int sp_queue_fd(const struct sp_queue *queue);
void sp_queue_calm(struct sp_queue *queue);

#endif
