/* What one batch of matches asks of the device: plain data, planned by the host, read by the kernels. C and C++.
 *
 * Rows lie in the device's memory in the order of the tensor cores' fragments: blocks of 16 rows, in each the
 * columns in blocks of 16, in each 32 lanes of 8 halves. The same order serves as A (gallery rows) and as B
 * (probes).
 *
 * The device ranks by K = probe . row - |row|^2 / 2 (l2; the distance falls as K grows) or probe . row of unit
 * vectors (cosine, no halves). A key is K and the entry in 64 bits, so that a larger key goes before: larger K,
 * then smaller entry. 0 is no key. */
#ifndef SALLYPORT_GPU_CUDA_MATCH_WORK_H
#define SALLYPORT_GPU_CUDA_MATCH_WORK_H

#include <stdint.h>

#define SP_CUDA_MATCH_THREADS 256
#define SP_CUDA_MATCH_TILE    256 /* rows a block scores at once: 8 warps of 32 */
#define SP_CUDA_MATCH_GROUP   16  /* probes are padded to groups of 16; a block takes 1, 2 or 4 groups */
#define SP_CUDA_MATCH_GROUPS  4
#define SP_CUDA_MATCH_INBOX   2048 /* keys all probes of a block may push between two merges */
#define SP_CUDA_MATCH_KEPT    96   /* most keys kept per probe */
#define SP_CUDA_MATCH_COLLECT 4096 /* keys per probe of a second look */

/* One block's work: some probes of one gallery against a stretch of its rows. */
struct sp_cuda_match_item {
    const uint16_t *rows;  /* the gallery's fragments */
    const float *halves;   /* [count]: |row|^2 / 2 in the gallery's scale; NULL for cosine */
    int32_t first, last;   /* entries; first is a multiple of SP_CUDA_MATCH_TILE */
    int32_t dim, blocks;   /* columns, and blocks of 16 of them */
    int32_t probe, probes; /* first probe of the batch, how many (at most 64) */
    uint32_t vector;       /* where the first probe's floats begin */
    int32_t list, stride;  /* probe i writes list + i * stride */
    int32_t unused;
};

/* Lists of one probe to be made one. */
struct sp_cuda_merge_item {
    int32_t from, count; /* lists from..from + count - 1 */
    int32_t to;
};

/* Pointers are the device's. */
struct sp_cuda_match_batch {
    const struct sp_cuda_match_item *items;
    const struct sp_cuda_merge_item *merges;
    const float *vectors; /* f32 probes, packed one after another */
    const float *scales;  /* [probes]: what a probe is multiplied with before it is rounded */
    const float *factors; /* [probes]: what a dot product is multiplied with before the half is taken off */
    const float *bounds;  /* [probes]: collect what is at least that; second look only */
    uint64_t *lists;      /* [lists][kept], best first, filled up with 0 */
    uint64_t *collected;  /* [probes][SP_CUDA_MATCH_COLLECT], any order; second look only */
    uint32_t *counts;     /* [probes]: how many there would be; second look only */
    int32_t kept;
};

/* f32 rows into fragments. */
struct sp_cuda_match_packing {
    const float *rows;   /* [count][dim] */
    const float *scales; /* [count], or NULL: all take `scale` */
    float scale;
    int32_t first; /* row of the gallery where rows[0] goes: a multiple of 16 */
    int32_t count; /* of rows; what is missing to the next 16 becomes 0 */
    int32_t dim, blocks;
    uint16_t *out; /* the gallery's fragments */
};

#endif
