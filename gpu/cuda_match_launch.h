/* Launchers of the matching kernels. They return at once with a cudaError_t as int; streams are
 * sp_cuda_stream_native()'s. Tests link the emulation in their place (tests/ops/emulate/match.cc). */
#ifndef SALLYPORT_GPU_CUDA_MATCH_LAUNCH_H
#define SALLYPORT_GPU_CUDA_MATCH_LAUNCH_H

#include <stddef.h>
#include "gpu/cuda_match_work.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Let blocks have that much shared memory. Once per device. */
int sp_cuda_match_prepare(int shared_bytes);
/* What a block of `groups` (1, 2, 4) groups of probes of `blocks` * 16 columns needs. */
size_t sp_cuda_match_shared(int groups, int blocks, int kept);
/* Items first..first + count - 1, all of `groups`. collect: a second look, else the best `kept`. */
int sp_cuda_match_launch(void *stream, const struct sp_cuda_match_batch *batch, int groups, int collect, int first,
                         int count, size_t shared_bytes);
/* Merges 0..count - 1. */
int sp_cuda_merge_launch(void *stream, const struct sp_cuda_match_batch *batch, int count);
int sp_cuda_pack_launch(void *stream, const struct sp_cuda_match_packing *packing);

#ifdef __cplusplus
}
#endif

#endif
