/* Whether another kernel gives a layer the numbers that the rule's kernel gave it, on this device.
 *
 * A kernel that is only faster is not taken: a wrong one would decide who passes. Compared are all numbers of a
 * small result, else those at its beginning, middle and end; each may be off by a few roundings of the largest.
 * Before a kernel runs, its result is filled with NaN (sp_cuda_agree_spoil): what it does not write must not be
 * another's numbers. */
#ifndef SALLYPORT_GPU_CUDA_AGREE_H
#define SALLYPORT_GPU_CUDA_AGREE_H

#include "gpu/cuda_device.h"
#include "gpu/program.h"

#define SP_CUDA_AGREE_COUNT ((size_t)3 << 13) /* most numbers looked at */

struct sp_cuda_agree {
    struct sp_cuda *cuda;
    enum sp_precision precision;
    uint16_t *rule, *other; /* pinned: what was taken of each */
    size_t count;
    bool tells; /* the rule's are numbers, and not all 0: there is something to compare */
};

/* At load only; blocking. */
enum sp_status sp_cuda_agree_new(struct sp_cuda_agree *agree, struct sp_cuda *cuda, enum sp_precision precision,
                                 struct sp_err *err);
void sp_cuda_agree_free(struct sp_cuda_agree *agree); /* also of one that is zeroed */
/* Fill `count` 16-bit numbers with NaN, in the stream's order. */
enum sp_status sp_cuda_agree_spoil(struct sp_cuda_stream *stream, void *out, size_t count, struct sp_err *err);
/* Keep what the rule's kernel left at `out`: `count` 16-bit numbers. Waits for the stream. */
enum sp_status sp_cuda_agree_keep(struct sp_cuda_agree *agree, struct sp_cuda_stream *stream, const void *out,
                                  size_t count, struct sp_err *err);
/* Whether what lies at `out` now are the same numbers; asked only where the rule's tell something. */
enum sp_status sp_cuda_agree_look(struct sp_cuda_agree *agree, struct sp_cuda_stream *stream, const void *out,
                                  size_t count, bool *ret_same, struct sp_err *err);

/* The comparison: `count` numbers each, within the precision's bound. Numbers that the rule has as infinite or NaN
 * say nothing. */
bool sp_cuda_agree_same(enum sp_precision precision, const uint16_t *rule, const uint16_t *other, size_t count);

#endif
