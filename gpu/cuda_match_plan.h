/* The plan of one batch of matches: which probes a block takes, which stretch of which gallery, where its lists go.
 * Pure host logic, no device. */
#ifndef SALLYPORT_GPU_CUDA_MATCH_PLAN_H
#define SALLYPORT_GPU_CUDA_MATCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include "gpu/cuda_match_work.h"

#define SP_CUDA_MATCH_PROBES 1024                 /* of one plan */
#define SP_CUDA_MATCH_ITEMS  8192                 /* of one plan */
#define SP_CUDA_MATCH_FLOATS (1 << 20)            /* of all probes of one plan */
#define SP_CUDA_MATCH_KEYS   (1 << 20)            /* in lists that are merged afterwards, or collected */
#define SP_CUDA_MATCH_LISTS  SP_CUDA_MATCH_PROBES /* the probes' own lists come before those to be merged */

/* Neighbouring probes of the batch that point at one gallery. */
struct sp_cuda_match_group {
    const uint16_t *rows; /* as struct sp_cuda_match_item's */
    const float *halves;
    int count, dim; /* of the gallery; count > 0 */
    int probe, probes;
    uint32_t vector;
};

/* What the device and the batch allow. */
struct sp_cuda_match_limits {
    int multiprocessors;
    size_t shared_bytes; /* a block may have */
    int kept;            /* 1..SP_CUDA_MATCH_KEPT */
};

struct sp_cuda_match_plan {
    struct sp_cuda_match_item
        *items; /* [SP_CUDA_MATCH_ITEMS], the caller's: first those of 1 group, then 2, then 4 */
    struct sp_cuda_merge_item *merges; /* [SP_CUDA_MATCH_PROBES], the caller's */
    int first[3], count[3];            /* of the items of 1, 2 and 4 groups of probes */
    size_t shared[3];                  /* bytes their blocks need */
    int merge_count;
    int lists; /* all that are written, the probes' own among them */
};

/* Most groups of probes a block of galleries of `dim` columns can take: 1, 2 or 4; 0 where not even one fits. */
int sp_cuda_match_groups(const struct sp_cuda_match_limits *limits, int dim);

/* Plan `count` groups whose probes are 0.. without gaps, at most SP_CUDA_MATCH_PROBES and SP_CUDA_MATCH_FLOATS of
 * them. Every group's dim must fit (sp_cuda_match_groups). second_look: blocks collect and write no lists, so
 * nothing is merged. */
void sp_cuda_match_plan(struct sp_cuda_match_plan *plan, const struct sp_cuda_match_group *groups, int count,
                        const struct sp_cuda_match_limits *limits, bool second_look);

#endif
