/* Session keys: what clients wrapped to the fleet's key, unwrapped once and remembered, bounded, the least recently
 * used one forgotten first. */
#ifndef SALLYPORT_WORKERS_SESSION_H
#define SALLYPORT_WORKERS_SESSION_H

#include "common/key.h"

struct sp_sessions; /* one thread */

/* fleet (box, with its secret) must outlive it. capacity: 1..65536 keys. */
enum sp_status sp_sessions_new(struct sp_sessions **ret_sessions, const struct sp_key_file *fleet, int capacity,
                               struct sp_err *err);
void sp_sessions_free(struct sp_sessions **sessions); /* wipes */

/* The session key behind wrapped bytes. SP_E_AUTH when fleet_id is not this fleet's key or it does not unwrap. */
enum sp_status sp_sessions_find(struct sp_sessions *sessions, const uint8_t fleet_id[SP_KEY_ID_BYTES],
                                const uint8_t wrapped[SP_WRAPPED_KEY_BYTES], uint8_t ret_key[SP_KEY_BYTES],
                                struct sp_err *err);
/* Keys unwrapped so far (cache misses); for metrics and tests. */
uint64_t sp_sessions_unwrapped(const struct sp_sessions *sessions);

#endif
