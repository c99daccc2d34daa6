/* Top-k by a vector scan over templates in blocks of 16: one load serves 16 templates, one broadcast a probe.
 *
 * The scan works in float32 and keeps a few candidates more than asked for; these are then scored again by the
 * reference, so that what is returned are the reference's scores, in its order. */
#include "gpu/cpu_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/match.h"

#define LANES    16
#define TILE     4 /* probes in registers at once */
#define MARGIN   8 /* candidates beyond k */
#define MOST     (SP_MATCH_MAX_K + MARGIN)
#define L2_BYTES (256 << 10) /* templates scanned by all tiles before the next come into the cache */

struct blocks {
    float *data; /* [blocks][dim][LANES], rows beyond count are zero */
    int count;   /* of blocks */
};

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

enum sp_status sp_cpu_gallery_new(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err)
{
    (void)state;
    struct blocks *blocks = calloc(1, sizeof *blocks);
    if (!blocks)
        return sp_fail(err, SP_E_NOMEM, "no memory for a gallery");
    blocks->count = (rows->count + LANES - 1) / LANES;
    size_t bytes = (size_t)blocks->count * (size_t)rows->dim * sizeof(vec);
    blocks->data = aligned_alloc(sizeof(vec), bytes + sizeof(vec));
    if (!blocks->data) {
        free(blocks);
        return sp_fail(err, SP_E_NOMEM, "no memory for a gallery of %zu bytes", bytes);
    }
    memset(blocks->data, 0, bytes);
    for (int i = 0; i < rows->count; i++) {
        float *block = blocks->data + (size_t)(i / LANES) * (size_t)rows->dim * LANES + i % LANES;
        for (int d = 0; d < rows->dim; d++)
            block[d * LANES] = rows->rows[(size_t)i * (size_t)rows->dim + (size_t)d];
    }
    *ret_store = blocks;
    return SP_OK;
}

void sp_cpu_gallery_free(void *store)
{
    struct blocks *blocks = store;
    free(blocks->data);
    free(blocks);
}

/* Squared distances or dot products of up to TILE probes with one block: out[probe][lane]. `n` is a constant at
 * every call, so that each becomes straight vector code. */
static inline __attribute__((always_inline)) void score_block(const float *block, int dim, enum sp_metric metric,
                                                              const float *const *probes, int n, vec *out)
{
    vec sums[TILE] = {{0}};
    for (int d = 0; d < dim; d++) {
        vec x;
        memcpy(&x, block + d * LANES, sizeof x);
        for (int i = 0; i < n; i++) {
            if (metric == SP_METRIC_L2) {
                vec difference = x - probes[i][d];
                sums[i] += difference * difference;
            } else {
                sums[i] += x * probes[i][d];
            }
        }
    }
    for (int i = 0; i < n; i++)
        out[i] = sums[i];
}

struct candidates {
    struct sp_hit at[MOST];
    int count;
    float worst; /* of a full list, as raw sum; else the worst possible */
};

static void offer(struct candidates *list, enum sp_metric metric, int most, int entry, float score)
{
    sp_match_insert(metric, list->at, &list->count, most, (struct sp_hit){entry, score});
    if (list->count == most)
        list->worst = list->at[most - 1].score;
}

/* Keep what is better than the worst candidate. Squared distances order as distances do; dot products need the
 * row's length first. */
static inline __attribute__((always_inline)) void collect(const struct sp_rows *rows, struct candidates *list,
                                                          int most, int first, const vec *sums)
{
    float scores[LANES];
    memcpy(scores, sums, sizeof scores);
    int lanes = rows->count - first < LANES ? rows->count - first : LANES;
    for (int i = 0; i < lanes; i++) {
        if (rows->metric == SP_METRIC_L2) {
            if (scores[i] < list->worst)
                offer(list, SP_METRIC_L2, most, first + i, scores[i]);
        } else {
            float score = scores[i] * rows->inverse[first + i];
            if (score > list->worst)
                offer(list, SP_METRIC_COSINE, most, first + i, score);
        }
    }
}

static inline __attribute__((always_inline)) void scan_metric(const struct sp_rows *rows,
                                                              const struct blocks *blocks, int first, int last,
                                                              enum sp_metric metric, const float *const *probes,
                                                              int n, struct candidates *lists, int most)
{
    vec sums[TILE];
    for (int b = first; b < last; b++) {
        const float *block = blocks->data + (size_t)b * (size_t)rows->dim * LANES;
        if (n == TILE)
            score_block(block, rows->dim, metric, probes, TILE, sums);
        else
            for (int i = 0; i < n; i++)
                score_block(block, rows->dim, metric, probes + i, 1, sums + i);
        for (int i = 0; i < n; i++)
            collect(rows, &lists[i], most, b * LANES, &sums[i]);
    }
}

#define SCAN_BODY                                                                                                  \
    {                                                                                                              \
        if (rows->metric == SP_METRIC_L2)                                                                          \
            scan_metric(rows, blocks, first, last, SP_METRIC_L2, probes, n, lists, most);                          \
        else                                                                                                       \
            scan_metric(rows, blocks, first, last, SP_METRIC_COSINE, probes, n, lists, most);                      \
    }

typedef void scan_fn(const struct sp_rows *rows, const struct blocks *blocks, int first, int last,
                     const float *const *probes, int n, struct candidates *lists, int most);

static void scan_any(const struct sp_rows *rows, const struct blocks *blocks, int first, int last,
                     const float *const *probes, int n, struct candidates *lists, int most) SCAN_BODY

/* The one place that knows about instruction sets: the same code, compiled for each. */
#if defined(__x86_64__)
    __attribute__((target("avx2,fma"))) static void scan_avx2(const struct sp_rows *rows,
                                                              const struct blocks *blocks, int first, int last,
                                                              const float *const *probes, int n,
                                                              struct candidates *lists, int most) SCAN_BODY

    __attribute__((target("avx512f"))) static void scan_avx512(const struct sp_rows *rows,
                                                               const struct blocks *blocks, int first, int last,
                                                               const float *const *probes, int n,
                                                               struct candidates *lists, int most) SCAN_BODY

    static scan_fn *scan_here(void)
{
    return __builtin_cpu_supports("avx512f")                                 ? scan_avx512
           : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? scan_avx2
                                                                             : scan_any;
}
#else
    static scan_fn *scan_here(void)
{
    return scan_any;
}
#endif

/* The reference's scores of the candidates, best k of them. */
static void settle(const struct sp_rows *rows, const float *vector, const struct candidates *list, int k,
                   struct sp_hit *ret_hits)
{
    double inverse = sp_match_inverse_length(vector, rows->dim);
    int have = 0;
    for (int i = 0; i < list->count; i++) {
        int entry = list->at[i].entry;
        sp_match_insert(rows->metric, ret_hits, &have, k,
                        (struct sp_hit){entry, sp_match_score(rows, entry, vector, inverse)});
    }
    for (; have < k; have++)
        ret_hits[have] = (struct sp_hit){-1, 0};
}

static void match_tile(scan_fn *scan, const struct sp_rows *rows, const struct blocks *blocks,
                       const float *const *vectors, int count, int k, struct sp_hit *ret_hits)
{
    struct candidates lists[TILE * 4];
    int chunk = L2_BYTES / (int)((size_t)rows->dim * sizeof(vec)) + 1;
    for (int i = 0; i < count; i++) {
        lists[i].count = 0;
        lists[i].worst = rows->metric == SP_METRIC_L2 ? INFINITY : -INFINITY;
    }
    for (int first = 0; first < blocks->count; first += chunk) {
        int last = blocks->count - first < chunk ? blocks->count : first + chunk;
        for (int i = 0; i < count; i += TILE)
            scan(rows, blocks, first, last, vectors + i, count - i < TILE ? count - i : TILE, lists + i,
                 k + MARGIN);
    }
    for (int i = 0; i < count; i++)
        settle(rows, vectors[i], &lists[i], k, ret_hits + (size_t)i * (size_t)k);
}

enum sp_status sp_cpu_match(void *state, const struct sp_rows *rows, const void *store, const float *const *vectors,
                            int count, int k, struct sp_hit *ret_hits, struct sp_err *err)
{
    scan_fn *scan = scan_here();
    (void)state;
    (void)err;
    for (int first = 0; first < count; first += TILE * 4) {
        int n = count - first < TILE * 4 ? count - first : TILE * 4;
        match_tile(scan, rows, store, vectors + first, n, k, ret_hits + (size_t)first * (size_t)k);
    }
    return SP_OK;
}
