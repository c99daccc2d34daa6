/* Evict: which hot gallery goes first when places or memory are short. Pure.
 *
 *     1. what holds nothing
 *     2. what has departed and was not asked for in the last ten minutes, longest past first
 *     3. what has no departure and was not asked for in the last ten minutes, least recently used first
 *     4. what is still to depart, last departure first
 *     5. what has departed or has no departure, and is in use, least recently used first
 *
 * So the flights that board next stay, and with them a standing list that every frame is matched with, a flight that
 * boards late, and one whose travellers are in the arrivals hall: a departure is the scheduled one, at its origin. */
#ifndef SALLYPORT_WORKERS_EVICT_H
#define SALLYPORT_WORKERS_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#define SP_EVICT_IDLE_NS 600000000000ull

struct sp_evict_item {
    bool holds;         /* there is something to give back */
    int64_t departs_ms; /* wall clock, as scheduled; 0: unknown */
    uint64_t used_ns;   /* monotonic: last asked for */
};

struct sp_evict_now {
    int64_t wall_ms;
    uint64_t mono_ns;
};

/* Whether a goes before b. */
bool sp_evict_before(const struct sp_evict_item *a, const struct sp_evict_item *b, const struct sp_evict_now *now);

#endif
