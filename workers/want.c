#include "workers/want.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { WAITING_MAX = 64, RECENT_MAX = 1024 };

struct recent {
    uint8_t portrait[SP_PORTRAIT_BYTES];
    uint64_t until_ns; /* 0: empty */
};

struct sp_wants {
    pthread_mutex_t lock;
    uint64_t quiet_ns;
    int first, count;
    struct sp_want waiting[WAITING_MAX];
    struct recent recent[RECENT_MAX]; /* by the id's first bytes; a newer one takes the place */
};

enum sp_status sp_wants_new(struct sp_wants **ret_wants, int64_t quiet_ms, struct sp_err *err)
{
    struct sp_wants *wants = calloc(1, sizeof *wants);
    if (!wants)
        return sp_fail(err, SP_E_NOMEM, "wants: out of memory");
    wants->quiet_ns = (uint64_t)quiet_ms * SP_NS_PER_MS;
    pthread_mutex_init(&wants->lock, NULL);
    *ret_wants = wants;
    return SP_OK;
}

void sp_wants_free(struct sp_wants **wants)
{
    if (!wants || !*wants)
        return;
    pthread_mutex_destroy(&(*wants)->lock);
    free(*wants);
    *wants = NULL;
}

bool sp_wants_add(struct sp_wants *wants, const struct sp_want *want)
{
    uint32_t spread;
    uint64_t now_ns = sp_clock_mono_ns();
    memcpy(&spread, want->portrait, sizeof spread);
    struct recent *recent = &wants->recent[spread % RECENT_MAX];
    pthread_mutex_lock(&wants->lock);
    bool lately = recent->until_ns > now_ns && memcmp(recent->portrait, want->portrait, SP_PORTRAIT_BYTES) == 0;
    bool added = !lately && wants->count < WAITING_MAX;
    if (added) {
        wants->waiting[(wants->first + wants->count++) % WAITING_MAX] = *want;
        memcpy(recent->portrait, want->portrait, SP_PORTRAIT_BYTES);
        recent->until_ns = now_ns + wants->quiet_ns;
    }
    pthread_mutex_unlock(&wants->lock);
    return added;
}

bool sp_wants_take(struct sp_wants *wants, struct sp_want *ret_want)
{
    pthread_mutex_lock(&wants->lock);
    bool there = wants->count > 0;
    if (there) {
        *ret_want = wants->waiting[wants->first];
        wants->first = (wants->first + 1) % WAITING_MAX;
        wants->count--;
    }
    pthread_mutex_unlock(&wants->lock);
    return there;
}
