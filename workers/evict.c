#include "workers/evict.h"

enum rank { EMPTY, DEPARTED, IDLE, TO_DEPART, IN_USE };

static enum rank rank_of(const struct sp_evict_item *item, const struct sp_evict_now *now)
{
    if (!item->holds)
        return EMPTY;
    if (item->departs_ms > now->wall_ms)
        return TO_DEPART;
    if (now->mono_ns <= item->used_ns || now->mono_ns - item->used_ns <= SP_EVICT_IDLE_NS)
        return IN_USE;
    return item->departs_ms ? DEPARTED : IDLE;
}

bool sp_evict_before(const struct sp_evict_item *a, const struct sp_evict_item *b, const struct sp_evict_now *now)
{
    enum rank rank = rank_of(a, now), other = rank_of(b, now);
    if (rank != other)
        return rank < other;
    if (rank == DEPARTED && a->departs_ms != b->departs_ms)
        return a->departs_ms < b->departs_ms;
    if (rank == TO_DEPART && a->departs_ms != b->departs_ms)
        return a->departs_ms > b->departs_ms;
    return a->used_ns < b->used_ns;
}
