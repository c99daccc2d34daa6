/* Device memory for galleries: large slabs cut into pages, because the driver's own allocation stops the device
 * while batches run. Thread-safe. A piece is given back only when nothing on the device reads it any more. */
#ifndef SALLYPORT_GPU_CUDA_SLAB_H
#define SALLYPORT_GPU_CUDA_SLAB_H

#include <stddef.h>
#include "gpu/cuda_device.h"

#define SP_CUDA_SLAB_PAGE ((size_t)64 << 10)
#define SP_CUDA_SLAB_SIZE                                                                                          \
    ((size_t)64 << 20) /* or a 64th of a device under 4 GiB; what does not fit has a slab of its own */

struct sp_cuda_slabs;

enum sp_status sp_cuda_slabs_new(struct sp_cuda_slabs **ret_slabs, struct sp_cuda *cuda, struct sp_err *err);
void sp_cuda_slabs_free(struct sp_cuda_slabs **slabs); /* all pieces are back */
/* `bytes` of device memory, aligned to a page, with whatever is in it. The device is asked for more only when no
 * slab has room; where it has none either, empty slabs go back to it first (then SP_E_NOMEM). */
enum sp_status sp_cuda_slabs_take(struct sp_cuda_slabs *slabs, size_t bytes, void **ret_piece, struct sp_err *err);
void sp_cuda_slabs_give(struct sp_cuda_slabs *slabs, void *piece);
/* Bytes in pieces, rounded up to pages; bytes taken from the device for them. */
void sp_cuda_slabs_usage(struct sp_cuda_slabs *slabs, size_t *ret_used, size_t *ret_reserved);

#endif
