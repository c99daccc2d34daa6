/* Galleries in device memory: 16-bit rows as fragments (gpu/cuda_match_work.h) and half their squared lengths. */
#ifndef SALLYPORT_GPU_CUDA_GALLERY_H
#define SALLYPORT_GPU_CUDA_GALLERY_H

#include "gpu/cuda_device.h"
#include "gpu/cuda_match_bound.h"

struct sp_cuda_galleries; /* what loads them: slabs, a copy stream, pinned staging */

/* One version of one gallery; immutable. */
struct sp_cuda_gallery {
    struct sp_cuda_galleries *owner;
    void *piece;          /* of a slab; NULL for no rows */
    const uint16_t *rows; /* device */
    const float *halves;  /* device; NULL for cosine */
    size_t bytes;         /* of device memory it needs */
    struct sp_cuda_match_scale scale;
};

enum sp_status sp_cuda_galleries_new(struct sp_cuda_galleries **ret_galleries, struct sp_cuda *cuda,
                                     struct sp_err *err);
void sp_cuda_galleries_free(struct sp_cuda_galleries **galleries); /* all galleries are freed */
/* Bytes of all galleries, and what the device gave for them. */
void sp_cuda_galleries_usage(struct sp_cuda_galleries *galleries, size_t *ret_used, size_t *ret_reserved);

/* Copy and round rows on the copy stream; batches go on meanwhile. Returns when the device has them all, so a
 * gallery that exists is usable. Loads wait for each other. SP_E_NOMEM names the bytes that were wanted. */
enum sp_status sp_cuda_gallery_new(struct sp_cuda_gallery **ret_gallery, struct sp_cuda_galleries *galleries,
                                   const struct sp_rows *rows, struct sp_err *err);
/* No batch uses it any more. NULL is fine. */
void sp_cuda_gallery_free(struct sp_cuda_gallery **gallery);

#endif
