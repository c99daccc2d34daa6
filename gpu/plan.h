/* Places in one arena for buffers that live only part of a run. */
#ifndef SALLYPORT_GPU_PLAN_H
#define SALLYPORT_GPU_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#define SP_PLAN_ALIGN 64

struct sp_plan_item {
    size_t bytes;
    int first, last; /* steps that write it first and read it last, both included */
    size_t offset;   /* result; a multiple of SP_PLAN_ALIGN */
};

/* Give every item an offset so that items alive in the same step do not overlap. *ret_total: bytes of the arena.
 * False without memory or when the total overflows. */
bool sp_plan_place(struct sp_plan_item *items, int count, size_t *ret_total);

#endif
