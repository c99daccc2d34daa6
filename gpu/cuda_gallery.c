#include "gpu/cuda_gallery.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_match_launch.h"
#include "gpu/cuda_slab.h"

#define PIECE_FLOATS (1 << 20) /* of rows that travel at once */
#define PIECE_ROWS   (1 << 16)

/* Two take turns: one is filled by the host while the other travels. */
struct staging {
    float *pinned, *device; /* [PIECE_FLOATS] rows, then [PIECE_ROWS] halves or scales */
    struct sp_cuda_event *free_again;
    bool in_use;
};

struct sp_cuda_galleries {
    struct sp_cuda *cuda;
    struct sp_cuda_slabs *slabs;
    struct sp_cuda_stream *copies;
    pthread_mutex_t lock; /* of the stream and the staging: one load at a time */
    struct staging staging[2];
};

enum sp_status sp_cuda_galleries_new(struct sp_cuda_galleries **ret_galleries, struct sp_cuda *cuda,
                                     struct sp_err *err)
{
    struct sp_cuda_galleries *self = calloc(1, sizeof *self);
    size_t bytes = (PIECE_FLOATS + PIECE_ROWS) * sizeof(float);
    if (!self)
        return sp_fail(err, SP_E_NOMEM, "no memory for galleries");
    self->cuda = cuda;
    pthread_mutex_init(&self->lock, NULL);
    enum sp_status status = sp_cuda_slabs_new(&self->slabs, cuda, err);
    if (!status)
        status = sp_cuda_stream_new(&self->copies, cuda, err);
    for (int i = 0; i < 2 && !status; i++) {
        void *pinned = NULL, *device = NULL;
        status = sp_cuda_pinned_new(&pinned, cuda, bytes, err);
        if (!status)
            status = sp_cuda_memory_new(&device, cuda, bytes, err);
        if (!status)
            status = sp_cuda_event_new(&self->staging[i].free_again, cuda, false, err);
        self->staging[i].pinned = pinned;
        self->staging[i].device = device;
    }
    if (status)
        sp_cuda_galleries_free(&self);
    else
        *ret_galleries = self;
    return status;
}

void sp_cuda_galleries_free(struct sp_cuda_galleries **galleries)
{
    struct sp_cuda_galleries *self = *galleries;
    if (!self)
        return;
    sp_cuda_stream_free(&self->copies);
    for (int i = 0; i < 2; i++) {
        void *pinned = self->staging[i].pinned, *device = self->staging[i].device;
        sp_cuda_pinned_free(self->cuda, &pinned);
        sp_cuda_memory_free(self->cuda, &device);
        sp_cuda_event_free(&self->staging[i].free_again);
    }
    sp_cuda_slabs_free(&self->slabs);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *galleries = NULL;
}

void sp_cuda_galleries_usage(struct sp_cuda_galleries *galleries, size_t *ret_used, size_t *ret_reserved)
{
    sp_cuda_slabs_usage(galleries->slabs, ret_used, ret_reserved);
}

/* Rows first..first + count - 1 through one staging; `extra` are their halves (l2) or scales (cosine). */
static enum sp_status send_piece(struct sp_cuda_galleries *self, struct staging *staging,
                                 const struct sp_cuda_gallery *gallery, const struct sp_rows *rows,
                                 const float *extra, int first, int count, struct sp_err *err)
{
    size_t floats = (size_t)count * (size_t)rows->dim, extra_bytes = (size_t)count * sizeof(float);
    bool cosine = rows->metric == SP_METRIC_COSINE;
    float *pinned_extra = staging->pinned + PIECE_FLOATS, *device_extra = staging->device + PIECE_FLOATS;
    enum sp_status status = staging->in_use ? sp_cuda_event_wait(staging->free_again, err) : SP_OK;
    if (status)
        return status;
    memcpy(staging->pinned, rows->rows + (size_t)first * (size_t)rows->dim, floats * sizeof(float));
    memcpy(pinned_extra, extra + first, extra_bytes);
    staging->in_use = true;
    status = sp_cuda_copy_in(self->copies, staging->device, staging->pinned, floats * sizeof(float), err);
    if (!status)
        status = sp_cuda_copy_in(self->copies, cosine ? (void *)device_extra : (void *)(gallery->halves + first),
                                 pinned_extra, extra_bytes, err);
    struct sp_cuda_match_packing packing = {.rows = staging->device,
                                            .scales = cosine ? device_extra : NULL,
                                            .scale = (float)gallery->scale.by,
                                            .first = first,
                                            .count = count,
                                            .dim = rows->dim,
                                            .blocks = (rows->dim + 15) / 16,
                                            .out = (uint16_t *)gallery->piece};
    if (!status)
        status = SP_CUDA_TRY(self->cuda, err, sp_cuda_pack_launch(sp_cuda_stream_native(self->copies), &packing));
    return status ? status : sp_cuda_event_record(staging->free_again, self->copies, err);
}

/* All rows, and wait until the last is there. */
static enum sp_status send_rows(struct sp_cuda_galleries *self, const struct sp_cuda_gallery *gallery,
                                const struct sp_rows *rows, const float *extra, struct sp_err *err)
{
    int most = PIECE_FLOATS / rows->dim / 16 * 16, turn = 0;
    enum sp_status status = sp_cuda_enter(self->cuda, err);
    most = most > PIECE_ROWS ? PIECE_ROWS : most;
    pthread_mutex_lock(&self->lock);
    for (int first = 0; first < rows->count && !status; first += most) {
        int count = rows->count - first < most ? rows->count - first : most;
        status = send_piece(self, &self->staging[turn], gallery, rows, extra, first, count, err);
        turn = 1 - turn;
    }
    /* After a failure too: nothing of this load may still be on its way into memory that is given back. */
    enum sp_status waited = sp_cuda_wait(self->copies, status ? NULL : err);
    self->staging[0].in_use = self->staging[1].in_use = false;
    pthread_mutex_unlock(&self->lock);
    return status ? status : waited;
}

enum sp_status sp_cuda_gallery_new(struct sp_cuda_gallery **ret_gallery, struct sp_cuda_galleries *galleries,
                                   const struct sp_rows *rows, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    bool cosine = rows->metric == SP_METRIC_COSINE;
    size_t padded = ((size_t)rows->count + 15) / 16 * 16, columns = ((size_t)rows->dim + 15) / 16 * 16;
    size_t row_bytes = padded * columns * sizeof(uint16_t), half_bytes = cosine ? 0 : padded * sizeof(float);
    struct sp_cuda_gallery *gallery = calloc(1, sizeof *gallery);
    float *extra = malloc((size_t)rows->count * sizeof *extra + 1);
    if (!gallery || !extra) {
        status = sp_fail(err, SP_E_NOMEM, "no memory for a gallery of %d templates", rows->count);
        goto fail;
    }
    gallery->owner = galleries;
    gallery->scale = sp_cuda_match_scan(rows, extra, extra);
    if (rows->count > 0 && gallery->scale.by > 0) {
        gallery->bytes = row_bytes + half_bytes;
        status = sp_cuda_slabs_take(galleries->slabs, gallery->bytes, &gallery->piece, err);
        if (status && err)
            sp_fail_in(err, "gallery of %d x %d, %zu bytes on the device", rows->count, rows->dim, gallery->bytes);
        if (status)
            goto fail;
        gallery->rows = gallery->piece;
        gallery->halves = cosine ? NULL : (const float *)(const void *)((char *)gallery->piece + row_bytes);
        status = send_rows(galleries, gallery, rows, extra, err);
        if (status)
            goto fail;
    }
    free(extra);
    *ret_gallery = gallery;
    return SP_OK;
fail:
    free(extra);
    sp_cuda_gallery_free(&gallery);
    return status;
}

void sp_cuda_gallery_free(struct sp_cuda_gallery **gallery)
{
    if (!*gallery)
        return;
    if ((*gallery)->piece)
        sp_cuda_slabs_give((*gallery)->owner->slabs, (*gallery)->piece);
    free(*gallery);
    *gallery = NULL;
}
