#include "gpu/gallery.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/match.h"

#define MOST_DIM   4096
#define MOST_COUNT (1 << 24)
#define GROUP      64   /* probes of one gallery handed to the backend at once */
#define MANY       1024 /* and of any galleries */

struct sp_gallery {
    atomic_int references;
    const struct sp_backend_ops *backend;
    struct sp_rows rows;
    float *vectors; /* rows.rows, owned */
    float *inverse; /* rows.inverse, owned */
    void *store;    /* the backend's */
};

static void free_gallery(struct sp_gallery *gallery)
{
    if (!gallery)
        return;
    if (gallery->store)
        gallery->backend->gallery_free(gallery->store);
    free(gallery->vectors);
    free(gallery->inverse);
    free(gallery);
}

static bool finite_row(const float *row, int dim)
{
    for (int i = 0; i < dim; i++)
        if (!isfinite(row[i]))
            return false;
    return true;
}

enum sp_status sp_gallery_new(struct sp_gallery **ret_gallery, struct sp_engine *engine, enum sp_metric metric,
                              int dim, int count, const float *templates, struct sp_err *err)
{
    struct sp_gallery *gallery = NULL;
    enum sp_status status = SP_OK;
    if (dim < 1 || dim > MOST_DIM || count < 0 || count > MOST_COUNT)
        return sp_fail(err, SP_E_LIMIT, "a gallery of %d templates of %d floats; at most %d of %d", count, dim,
                       MOST_COUNT, MOST_DIM);
    for (int i = 0; i < count; i++)
        if (!finite_row(templates + (size_t)i * (size_t)dim, dim))
            return sp_fail(err, SP_E_FORMAT, "template %d of the gallery is not finite", i);
    size_t floats = (size_t)count * (size_t)dim;
    gallery = calloc(1, sizeof *gallery);
    if (gallery) {
        gallery->vectors = malloc(floats * sizeof(float) + 1);
        gallery->inverse = metric == SP_METRIC_COSINE ? malloc((size_t)count * sizeof(float) + 1) : NULL;
    }
    if (!gallery || !gallery->vectors || (metric == SP_METRIC_COSINE && !gallery->inverse)) {
        status = sp_fail(err, SP_E_NOMEM, "no memory for a gallery of %d templates", count);
        goto fail;
    }
    if (floats)
        memcpy(gallery->vectors, templates, floats * sizeof(float));
    for (int i = 0; i < count && gallery->inverse; i++)
        gallery->inverse[i] = (float)sp_match_inverse_length(templates + (size_t)i * (size_t)dim, dim);
    atomic_init(&gallery->references, 1);
    gallery->backend = sp_engine_backend(engine);
    gallery->rows = (struct sp_rows){metric, dim, count, gallery->vectors, gallery->inverse};
    status = gallery->backend->gallery_new(&gallery->store, sp_engine_state(engine), &gallery->rows, err);
    if (status)
        goto fail;
    *ret_gallery = gallery;
    return SP_OK;
fail:
    free_gallery(gallery);
    return status;
}

struct sp_gallery *sp_gallery_ref(struct sp_gallery *gallery)
{
    atomic_fetch_add_explicit(&gallery->references, 1, memory_order_relaxed);
    return gallery;
}

void sp_gallery_unref(struct sp_gallery **gallery)
{
    struct sp_gallery *self = *gallery;
    *gallery = NULL;
    if (self && atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) == 1)
        free_gallery(self);
}

int sp_gallery_count(const struct sp_gallery *gallery)
{
    return gallery->rows.count;
}

int sp_gallery_dim(const struct sp_gallery *gallery)
{
    return gallery->rows.dim;
}

enum sp_metric sp_gallery_metric(const struct sp_gallery *gallery)
{
    return gallery->rows.metric;
}

size_t sp_gallery_device_bytes(const struct sp_gallery *gallery)
{
    return gallery->backend->gallery_bytes ? gallery->backend->gallery_bytes(gallery->store) : 0;
}

static enum sp_status check_probes(const struct sp_engine *engine, const struct sp_probe *probes, int count,
                                   struct sp_err *err)
{
    for (int i = 0; i < count; i++) {
        if (!probes[i].gallery || !probes[i].vector)
            return sp_fail(err, SP_E_INVALID, "probe %d has no vector or no gallery", i);
        if (probes[i].gallery->backend != sp_engine_backend(engine))
            return sp_fail(err, SP_E_INVALID, "probe %d points at a gallery of the %s backend, this engine is %s",
                           i, probes[i].gallery->backend->name, sp_engine_backend(engine)->name);
        if (!finite_row(probes[i].vector, probes[i].gallery->rows.dim))
            return sp_fail(err, SP_E_INVALID, "probe %d is not finite", i);
    }
    return SP_OK;
}

/* All galleries in one call. */
static enum sp_status match_many(struct sp_engine *engine, const struct sp_probe *probes, int count, int k,
                                 struct sp_hit *ret_hits, struct sp_err *err)
{
    struct sp_match_row rows[MANY];
    enum sp_status status = SP_OK;
    for (int first = 0, n; first < count && !status; first += n) {
        n = count - first < MANY ? count - first : MANY;
        for (int i = 0; i < n; i++) {
            const struct sp_gallery *gallery = probes[first + i].gallery;
            rows[i] = (struct sp_match_row){probes[first + i].vector, &gallery->rows, gallery->store};
        }
        status = sp_engine_backend(engine)->match_many(sp_engine_state(engine), rows, n, k,
                                                       ret_hits + (size_t)first * (size_t)k, err);
    }
    return status;
}

enum sp_status sp_match(struct sp_engine *engine, const struct sp_probe *probes, int count, int k,
                        struct sp_hit *ret_hits, struct sp_err *err)
{
    const float *vectors[GROUP];
    if (count < 0 || k < 1 || k > SP_MATCH_MAX_K)
        return sp_fail(err, SP_E_INVALID, "a match of %d probes for the best %d; k is 1..%d", count, k,
                       SP_MATCH_MAX_K);
    enum sp_status status = check_probes(engine, probes, count, err);
    if (!status && sp_engine_backend(engine)->match_many)
        return match_many(engine, probes, count, k, ret_hits, err);
    /* Neighbouring rows with one gallery go together: its rows are then read once for all of them. */
    for (int first = 0, n; first < count && !status; first += n) {
        const struct sp_gallery *gallery = probes[first].gallery;
        for (n = 0; n < GROUP && first + n < count && probes[first + n].gallery == gallery; n++)
            vectors[n] = probes[first + n].vector;
        status = gallery->backend->match(sp_engine_state(engine), &gallery->rows, gallery->store, vectors, n, k,
                                         ret_hits + (size_t)first * (size_t)k, err);
    }
    return status;
}
