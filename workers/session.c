#include "workers/session.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8 /* a wrapped key may lie in that many places: its set */

struct entry {
    uint64_t used; /* 0: empty */
    uint8_t wrapped[SP_WRAPPED_KEY_BYTES];
    uint8_t key[SP_KEY_BYTES];
};

struct sp_sessions {
    const struct sp_key_file *fleet;
    uint8_t fleet_id[SP_KEY_ID_BYTES];
    uint64_t clock, unwrapped;
    size_t sets;
    struct entry entries[];
};

enum sp_status sp_sessions_new(struct sp_sessions **ret_sessions, const struct sp_key_file *fleet, int capacity,
                               struct sp_err *err)
{
    if (capacity < 1 || capacity > 65536)
        return sp_fail(err, SP_E_INVALID, "session keys: a capacity of %d is not within 1..65536", capacity);
    size_t sets = ((size_t)capacity + WAYS - 1) / WAYS;
    struct sp_sessions *sessions = calloc(1, sizeof *sessions + sets * WAYS * sizeof(struct entry));
    if (!sessions)
        return sp_fail(err, SP_E_NOMEM, "session keys: out of memory for %d", capacity);
    sessions->fleet = fleet;
    sessions->sets = sets;
    sp_seal_key_id(sessions->fleet_id, fleet->public_key);
    *ret_sessions = sessions;
    return SP_OK;
}

void sp_sessions_free(struct sp_sessions **sessions)
{
    if (!sessions || !*sessions)
        return;
    sp_seal_wipe((*sessions)->entries, (*sessions)->sets * WAYS * sizeof(struct entry));
    free(*sessions);
    *sessions = NULL;
}

/* A sealed box begins with a fresh public key, so its bytes spread by themselves; an attacker who makes them
 * collide only evicts entries of one set. */
static struct entry *set_of(struct sp_sessions *sessions, const uint8_t *wrapped)
{
    uint64_t spread;
    memcpy(&spread, wrapped, sizeof spread);
    return &sessions->entries[spread % sessions->sets * WAYS];
}

enum sp_status sp_sessions_find(struct sp_sessions *sessions, const uint8_t fleet_id[SP_KEY_ID_BYTES],
                                const uint8_t wrapped[SP_WRAPPED_KEY_BYTES], uint8_t ret_key[SP_KEY_BYTES],
                                struct sp_err *err)
{
    if (memcmp(fleet_id, sessions->fleet_id, SP_KEY_ID_BYTES) != 0)
        return sp_fail(err, SP_E_AUTH,
                       "session key: wrapped to another fleet key than this worker's; say HELLO again "
                       "for the current fleet certificate");
    struct entry *set = set_of(sessions, wrapped), *oldest = set;
    for (struct entry *entry = set; entry < set + WAYS; entry++) {
        if (entry->used && memcmp(entry->wrapped, wrapped, SP_WRAPPED_KEY_BYTES) == 0) {
            entry->used = ++sessions->clock;
            memcpy(ret_key, entry->key, SP_KEY_BYTES);
            return SP_OK;
        }
        if (entry->used < oldest->used)
            oldest = entry;
    }
    uint8_t key[SP_KEY_BYTES];
    enum sp_status status = sp_seal_unwrap(key, wrapped, sessions->fleet->public_key, sessions->fleet->secret, err);
    if (status != SP_OK)
        return status;
    sessions->unwrapped++;
    oldest->used = ++sessions->clock;
    memcpy(oldest->wrapped, wrapped, SP_WRAPPED_KEY_BYTES);
    memcpy(oldest->key, key, SP_KEY_BYTES);
    memcpy(ret_key, key, SP_KEY_BYTES);
    sp_seal_wipe(key, sizeof key);
    return SP_OK;
}

uint64_t sp_sessions_unwrapped(const struct sp_sessions *sessions)
{
    return sessions->unwrapped;
}
