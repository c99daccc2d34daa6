/* Galleries of templates and the top-k match against them.
 *
 * A gallery is immutable and reference-counted: a loader builds a new one and swaps it in while batches that point
 * at the old one finish. Scores are the metric's own value: l2 = Euclidean distance of raw vectors (smaller is
 * better), cosine = cosine similarity (larger is better), 0 against a zero vector. Ties are broken by the smaller
 * entry. */
#ifndef SALLYPORT_GPU_GALLERY_H
#define SALLYPORT_GPU_GALLERY_H

#include "gpu/engine.h"

#define SP_MATCH_MAX_K 64

enum sp_metric { SP_METRIC_L2, SP_METRIC_COSINE };

struct sp_gallery;

/* Copy `count` templates of `dim` floats ([count][dim], row-major) into the backend's memory. count may be 0.
 * Non-finite values are refused with the entry's number (SP_E_FORMAT). The caller owns one reference. */
enum sp_status sp_gallery_new(struct sp_gallery **ret_gallery, struct sp_engine *engine, enum sp_metric metric,
                              int dim, int count, const float *templates, struct sp_err *err);
struct sp_gallery *sp_gallery_ref(struct sp_gallery *gallery); /* thread-safe */
void sp_gallery_unref(struct sp_gallery **gallery);            /* thread-safe; NULL is fine; frees at the last */
int sp_gallery_count(const struct sp_gallery *gallery);
int sp_gallery_dim(const struct sp_gallery *gallery);
enum sp_metric sp_gallery_metric(const struct sp_gallery *gallery);
/* Bytes of the device's own memory it takes; 0 where the device has none but the host's. For who decides what stays. */
size_t sp_gallery_device_bytes(const struct sp_gallery *gallery);

/* One probe row against one gallery. Rows of a batch may point at different galleries. */
struct sp_probe {
    const float *vector; /* [dim] */
    const struct sp_gallery *gallery;
};

struct sp_hit {
    int entry;   /* row of the gallery, 0..count-1; -1 where the gallery has fewer than k entries */
    float score; /* see the file comment; 0 where entry is -1 */
};

/* Top-k of every probe: ret_hits[row * k + rank], best first. 1 <= k <= 64. Blocking; thread-safe on one engine.
 * SP_E_INVALID with the row for a probe that is not finite or whose gallery belongs to another backend. */
enum sp_status sp_match(struct sp_engine *engine, const struct sp_probe *probes, int count, int k,
                        struct sp_hit *ret_hits, struct sp_err *err);

#endif
