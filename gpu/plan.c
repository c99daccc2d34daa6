#include "gpu/plan.h"

#include <stdint.h>
#include <stdlib.h>

static int larger_first(const void *left, const void *right)
{
    const struct sp_plan_item *a = *(struct sp_plan_item *const *)left, *b = *(struct sp_plan_item *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a < b ? -1 : 1; /* a fixed order, so that a net is planned the same way every time */
}

/* Largest first, each at the lowest gap among the already placed items (kept in order of offset) alive with it. */
bool sp_plan_place(struct sp_plan_item *items, int count, size_t *ret_total)
{
    struct sp_plan_item **order = malloc(((size_t)count + 1) * sizeof *order);
    struct sp_plan_item **placed = malloc(((size_t)count + 1) * sizeof *placed);
    size_t total = 0;
    bool fits = order && placed;
    for (int i = 0; i < count && fits; i++)
        order[i] = &items[i];
    if (fits)
        qsort(order, (size_t)count, sizeof(struct sp_plan_item *), larger_first);
    for (int i = 0; i < count && fits; i++) {
        struct sp_plan_item *item = order[i];
        if (item->bytes > SIZE_MAX / 4 - total) {
            fits = false;
            break;
        }
        size_t size = (item->bytes + SP_PLAN_ALIGN - 1) / SP_PLAN_ALIGN * SP_PLAN_ALIGN, at = 0;
        for (int j = 0; j < i; j++) {
            const struct sp_plan_item *other = placed[j];
            if (other->last < item->first || item->last < other->first)
                continue;
            if (other->offset >= at + size)
                break;
            size_t end = other->offset + (other->bytes + SP_PLAN_ALIGN - 1) / SP_PLAN_ALIGN * SP_PLAN_ALIGN;
            at = end > at ? end : at;
        }
        item->offset = at;
        total = at + size > total ? at + size : total;
        int slot = i;
        for (; slot > 0 && placed[slot - 1]->offset > at; slot--)
            placed[slot] = placed[slot - 1];
        placed[slot] = item;
    }
    free(order);
    free(placed);
    *ret_total = total;
    return fits;
}
