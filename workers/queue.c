#include "workers/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct sp_queue {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool (*before)(const void *a, const void *b);
    int fd; /* -1: none */
    bool closed;
    int count, capacity;
    void *items[]; /* first to leave at 0 */
};

enum sp_status sp_queue_new(struct sp_queue **ret_queue, const struct sp_queue_config *config, struct sp_err *err)
{
    if (config->capacity < 1 || config->capacity > 65536)
        return sp_fail(err, SP_E_INVALID, "queue: a capacity of %d is not within 1..65536", config->capacity);
    struct sp_queue *queue = calloc(1, sizeof *queue + (size_t)config->capacity * sizeof queue->items[0]);
    if (!queue)
        return sp_fail(err, SP_E_NOMEM, "queue: out of memory for %d items", config->capacity);
    queue->capacity = config->capacity;
    queue->before = config->before;
    queue->fd = -1;
    if (config->with_fd && (queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        free(queue);
        return sp_fail_errno(err, "queue: eventfd");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->arrived, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&queue->lock, NULL);
    *ret_queue = queue;
    return SP_OK;
}

void sp_queue_free(struct sp_queue **queue)
{
    if (!queue || !*queue)
        return;
    if ((*queue)->fd >= 0)
        close((*queue)->fd);
    pthread_cond_destroy(&(*queue)->arrived);
    pthread_mutex_destroy(&(*queue)->lock);
    free(*queue);
    *queue = NULL;
}

static void ring(struct sp_queue *queue)
{
    uint64_t one = 1;
    if (queue->fd >= 0 && write(queue->fd, &one, sizeof one) < 0) {
        /* EAGAIN: the counter is at its end, so the descriptor is readable anyway. */
    }
}

bool sp_queue_push(struct sp_queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    bool fits = !queue->closed && queue->count < queue->capacity;
    if (fits) {
        int at = queue->count++;
        for (; queue->before && at > 0 && queue->before(item, queue->items[at - 1]); at--)
            queue->items[at] = queue->items[at - 1];
        queue->items[at] = item;
        pthread_cond_signal(&queue->arrived);
        ring(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return fits;
}

/* Wait for the first item with the lock held; false when time ran out or nothing can come any more. */
static bool wait_for_item(struct sp_queue *queue, int64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (wait_us > 0) {
        until.tv_sec += wait_us / 1000000;
        until.tv_nsec += (wait_us % 1000000) * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    }
    while (!queue->count && !queue->closed) {
        if (wait_us < 0)
            pthread_cond_wait(&queue->arrived, &queue->lock);
        else if (wait_us == 0 || pthread_cond_timedwait(&queue->arrived, &queue->lock, &until) == ETIMEDOUT)
            return queue->count > 0;
    }
    return queue->count > 0;
}

/* Move up to max items that go together with first out of the queue. */
static int pick(struct sp_queue *queue, const void *first, void **ret_items, int max,
                bool (*together)(const void *first, const void *next))
{
    int taken = 0, kept = 0;
    for (int i = 0; i < queue->count; i++)
        if (taken < max && (!together || together(first, queue->items[i])))
            ret_items[taken++] = queue->items[i];
        else
            queue->items[kept++] = queue->items[i];
    queue->count = kept;
    return taken;
}

int sp_queue_take(struct sp_queue *queue, void **ret_items, int max, int64_t wait_us,
                  bool (*together)(const void *first, const void *next))
{
    pthread_mutex_lock(&queue->lock);
    int taken = 0;
    if (wait_for_item(queue, wait_us)) {
        taken = pick(queue, NULL, ret_items, 1, NULL);
        taken += pick(queue, ret_items[0], ret_items + 1, max - 1, together);
    } else if (queue->closed) {
        taken = -1;
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

int sp_queue_join(struct sp_queue *queue, const void *first, void **ret_items, int max, int64_t wait_us,
                  bool (*together)(const void *first, const void *next))
{
    pthread_mutex_lock(&queue->lock);
    int taken = wait_for_item(queue, wait_us) ? pick(queue, first, ret_items, max, together) : 0;
    if (queue->count) /* what woke us may be another taker's */
        pthread_cond_signal(&queue->arrived);
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

void sp_queue_close(struct sp_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->arrived);
    ring(queue);
    pthread_mutex_unlock(&queue->lock);
}

int sp_queue_count(struct sp_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    int count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

int sp_queue_fd(const struct sp_queue *queue)
{
    return queue->fd;
}

void sp_queue_calm(struct sp_queue *queue)
{
    uint64_t value;
    if (queue->fd >= 0 && read(queue->fd, &value, sizeof value) < 0) {
        /* EAGAIN: nothing was pushed since. */
    }
}
