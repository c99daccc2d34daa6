#include "workers/hot.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "workers/evict.h"

/* One manifest. */
struct slot {
    char manifest[SP_MANIFEST_ID_MAX]; /* "": free */
    struct sp_hot_gallery *hot;        /* NULL: never loaded */
    bool loading;                      /* by one thread; the others wait */
    uint64_t used_ns;                  /* last asked for */
    uint64_t retry_ns;                 /* not before: after a failed or incomplete load */
    uint64_t failed_version;           /* what could not be loaded; 0: nothing */
    struct sp_err failure;
};

struct sp_hot {
    struct sp_hot_config config;
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    uint64_t loads;
    struct slot slots[];
};

static void empty(struct slot *slot)
{
    sp_hot_unref(&slot->hot);
    *slot = (struct slot){0};
}

void sp_hot_free(struct sp_hot **hot)
{
    if (!hot || !*hot)
        return;
    for (int i = 0; i < (*hot)->config.max_galleries; i++)
        empty(&(*hot)->slots[i]);
    pthread_cond_destroy(&(*hot)->loaded);
    pthread_mutex_destroy(&(*hot)->lock);
    free(*hot);
    *hot = NULL;
}

/* The one to go next. in_memory: only what gives memory back, and if free_now only what nobody else holds. Nobody
 * comes to hold more of it while we have the lock. */
static struct slot *next_to_go(struct sp_hot *hot, const struct slot *except, bool in_memory, bool free_now)
{
    struct sp_evict_now now = {sp_clock_wall_ms(), sp_clock_mono_ns()};
    struct sp_evict_item best = {0};
    struct slot *found = NULL;
    for (struct slot *slot = hot->slots; slot < hot->slots + hot->config.max_galleries; slot++) {
        const struct sp_hot_gallery *held = slot->hot;
        struct sp_evict_item item = {held != NULL, held ? held->departs_ms : 0, slot->used_ns};
        if (slot == except || !slot->manifest[0] || slot->loading || (in_memory && !held) ||
            (free_now && atomic_load(&held->references) > 1))
            continue;
        if (!found || sp_evict_before(&item, &best, &now)) {
            found = slot;
            best = item;
        }
    }
    return found;
}

/* The slot of a manifest, made if need be. NULL when all are being loaded. */
static struct slot *slot_of(struct sp_hot *hot, const char *manifest)
{
    struct slot *vacant = NULL;
    for (struct slot *slot = hot->slots; slot < hot->slots + hot->config.max_galleries; slot++) {
        if (strcmp(slot->manifest, manifest) == 0)
            return slot;
        if (!slot->manifest[0] && !vacant)
            vacant = slot;
    }
    if (!vacant && (vacant = next_to_go(hot, NULL, false, false)))
        empty(vacant);
    if (vacant)
        snprintf(vacant->manifest, sizeof vacant->manifest, "%s", manifest);
    return vacant;
}

/* Forget what goes first until the rest fits; never the one just loaded. */
static void make_room(struct sp_hot *hot, const struct slot *keep)
{
    for (;;) {
        size_t bytes = 0;
        for (int i = 0; i < hot->config.max_galleries; i++)
            bytes += hot->slots[i].hot ? hot->slots[i].hot->bytes : 0;
        struct slot *victim = bytes > hot->config.max_bytes ? next_to_go(hot, keep, true, false) : NULL;
        if (!victim)
            return;
        empty(victim);
    }
}

/* Called while a gallery is loaded, without the lock: the device is full. */
static bool spare(void *context)
{
    struct sp_hot *hot = context;
    pthread_mutex_lock(&hot->lock);
    struct slot *victim = next_to_go(hot, NULL, true, true);
    if (victim)
        empty(victim);
    pthread_mutex_unlock(&hot->lock);
    return victim != NULL;
}

enum sp_status sp_hot_new(struct sp_hot **ret_hot, const struct sp_hot_config *config, struct sp_err *err)
{
    if (config->max_galleries < 1 || config->max_galleries > 65536)
        return sp_fail(err, SP_E_INVALID, "hot galleries: a maximum of %d is not within 1..65536",
                       config->max_galleries);
    struct sp_hot *hot = calloc(1, sizeof *hot + (size_t)config->max_galleries * sizeof(struct slot));
    if (!hot)
        return sp_fail(err, SP_E_NOMEM, "hot galleries: out of memory for %d", config->max_galleries);
    hot->config = *config;
    hot->config.spare = spare;
    hot->config.context = hot;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&hot->loaded, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&hot->lock, NULL);
    *ret_hot = hot;
    return SP_OK;
}

/* Load with the lock released; the slot stays ours because it says so. */
static void load(struct sp_hot *hot, struct slot *slot, struct sp_store *durable, struct sp_store *galleries,
                 uint64_t version)
{
    char manifest[SP_MANIFEST_ID_MAX];
    struct sp_hot_gallery *gallery = NULL;
    struct sp_err failure = {0};
    memcpy(manifest, slot->manifest, sizeof manifest);
    slot->loading = true;
    hot->loads++;
    pthread_mutex_unlock(&hot->lock);
    enum sp_status status = sp_hot_load(&gallery, &hot->config, durable, galleries, manifest, version, &failure);
    pthread_mutex_lock(&hot->lock);
    slot->loading = false;
    slot->retry_ns = sp_clock_mono_ns() + (uint64_t)hot->config.retry_ms * SP_NS_PER_MS;
    slot->failed_version = status == SP_OK ? 0 : version;
    slot->failure = failure;
    if (status == SP_OK) {
        sp_hot_unref(&slot->hot);
        slot->hot = gallery;
        make_room(hot, slot);
    }
    pthread_cond_broadcast(&hot->loaded);
}

/* Nothing to do for this version: it is there and whole, or was tried a moment ago. */
static bool settled(const struct slot *slot, uint64_t version, uint64_t now_ns)
{
    bool there = slot->hot && slot->hot->version >= version;
    bool outdated = there && sp_hot_outdated(slot->hot, sp_clock_wall_ms());
    if (there && !outdated && slot->hot->missing == 0)
        return true;
    if (outdated && !slot->failed_version)
        return false; /* at once, not when an incomplete one would be tried again */
    return now_ns < slot->retry_ns && (there || slot->failed_version == version);
}

static struct timespec at(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
}

enum sp_status sp_hot_acquire(struct sp_hot *hot, struct sp_store *durable, struct sp_store *galleries,
                              const char *manifest, uint64_t version, uint64_t deadline_ns,
                              struct sp_hot_gallery **ret_gallery, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    struct timespec until = at(deadline_ns);
    *ret_gallery = NULL;
    pthread_mutex_lock(&hot->lock);
    struct slot *slot = slot_of(hot, manifest);
    while (slot && !settled(slot, version, sp_clock_mono_ns())) {
        if (!slot->loading) {
            load(hot, slot, durable, galleries, version);
            continue;
        }
        bool late = pthread_cond_timedwait(&hot->loaded, &hot->lock, &until) == ETIMEDOUT;
        slot = slot_of(hot, manifest); /* it may have been given to another manifest while we waited */
        if (late)
            break;
    }
    if (!slot) {
        status = sp_fail(err, SP_E_LIMIT, "gallery %s: all %d places are being loaded; raise galleries.max_hot",
                         manifest, hot->config.max_galleries);
    } else {
        slot->used_ns = sp_clock_mono_ns();
        if (slot->hot)
            *ret_gallery = sp_hot_ref(slot->hot);
        if (!slot->hot || slot->hot->version < version)
            status = slot->failed_version == version
                         ? sp_fail(err, slot->failure.status, "gallery %s: %s", manifest, slot->failure.text)
                         : sp_fail(err, SP_E_TIMEOUT, "gallery %s: version %llu was not loaded in time", manifest,
                                   (unsigned long long)version);
        else if (sp_hot_outdated(slot->hot, sp_clock_wall_ms()))
            status = sp_fail(err, SP_E_TIMEOUT,
                             "gallery %s: rows began or ended, and it was not loaded again in time", manifest);
    }
    pthread_mutex_unlock(&hot->lock);
    return status;
}

const struct sp_hot_config *sp_hot_config(const struct sp_hot *hot)
{
    return &hot->config;
}

int sp_hot_count(struct sp_hot *hot)
{
    int count = 0;
    pthread_mutex_lock(&hot->lock);
    for (int i = 0; i < hot->config.max_galleries; i++)
        count += hot->slots[i].hot != NULL;
    pthread_mutex_unlock(&hot->lock);
    return count;
}

static int by_manifest(const void *a, const void *b)
{
    const struct sp_fleet_gallery *one = a, *two = b;
    return strcmp(one->manifest, two->manifest);
}

int sp_hot_list(struct sp_hot *hot, struct sp_fleet_gallery *ret_galleries, int max)
{
    int count = 0;
    pthread_mutex_lock(&hot->lock);
    for (int i = 0; i < hot->config.max_galleries && count < max; i++) {
        const struct sp_hot_gallery *held = hot->slots[i].hot;
        if (!held)
            continue;
        struct sp_fleet_gallery *gallery = &ret_galleries[count++];
        memset(gallery, 0, sizeof *gallery);
        snprintf(gallery->manifest, sizeof gallery->manifest, "%s", held->manifest);
        gallery->version = held->version;
        gallery->people = held->usable;
        gallery->missing = held->missing;
    }
    pthread_mutex_unlock(&hot->lock);
    qsort(ret_galleries, (size_t)count, sizeof *ret_galleries, by_manifest);
    return count;
}

uint64_t sp_hot_loads(struct sp_hot *hot)
{
    pthread_mutex_lock(&hot->lock);
    uint64_t loads = hot->loads;
    pthread_mutex_unlock(&hot->lock);
    return loads;
}
