/* The matching kernels on the device and their launchers. */
#include "gpu/cuda_match_body.cuh"
#include "gpu/cuda_match_launch.h"

static __device__ __forceinline__ sp_here here()
{
    extern __shared__ __align__(128) char shared[];
    return sp_here{(int64_t)blockIdx.x, (int)threadIdx.x, shared};
}

/* Two blocks of 256 threads fit a multiprocessor with up to 128 registers a thread; four groups need more. */
template <int G>
__global__ void __launch_bounds__(SP_CUDA_MATCH_THREADS, G == 4 ? 1 : 2)
    match_kernel(struct sp_cuda_match_batch batch, int first)
{
    struct sp_cuda_match_item item = batch.items[first + (int)blockIdx.x];
    sp_match_block<G>(here(), batch, item);
}

template <int G>
__global__ void __launch_bounds__(SP_CUDA_MATCH_THREADS, G == 4 ? 1 : 2)
    collect_kernel(struct sp_cuda_match_batch batch, int first)
{
    struct sp_cuda_match_item item = batch.items[first + (int)blockIdx.x];
    sp_collect_block<G>(here(), batch, item);
}

__global__ void __launch_bounds__(SP_CUDA_MATCH_THREADS) merge_kernel(struct sp_cuda_match_batch batch)
{
    struct sp_cuda_merge_item item = batch.merges[blockIdx.x];
    sp_merge_block(here(), batch, item);
}

__global__ void __launch_bounds__(SP_CUDA_MATCH_THREADS) pack_kernel(struct sp_cuda_match_packing packing)
{
    sp_pack_block(here(), packing, gridDim.x);
}

typedef void item_kernel(struct sp_cuda_match_batch batch, int first);

static item_kernel *kernel_of(int groups, int collect)
{
    switch (groups) {
    case 1:
        return collect ? collect_kernel<1> : match_kernel<1>;
    case 2:
        return collect ? collect_kernel<2> : match_kernel<2>;
    default:
        return collect ? collect_kernel<4> : match_kernel<4>;
    }
}

extern "C" int sp_cuda_match_prepare(int shared_bytes)
{
    cudaError_t code = cudaSuccess;
    for (int groups = 1; groups <= SP_CUDA_MATCH_GROUPS; groups *= 2)
        for (int collect = 0; collect < 2 && code == cudaSuccess; collect++)
            code = cudaFuncSetAttribute(kernel_of(groups, collect), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        shared_bytes);
    return (int)code;
}

extern "C" int sp_cuda_match_launch(void *stream, const struct sp_cuda_match_batch *batch, int groups, int collect,
                                    int first, int count, size_t shared_bytes)
{
    kernel_of(groups, collect)<<<(unsigned)count, SP_CUDA_MATCH_THREADS, shared_bytes, (cudaStream_t)stream>>>(
        *batch, first);
    return (int)cudaGetLastError();
}

extern "C" int sp_cuda_merge_launch(void *stream, const struct sp_cuda_match_batch *batch, int count)
{
    merge_kernel<<<(unsigned)count, SP_CUDA_MATCH_THREADS, sp_match_shared_bytes(1, 0, batch->kept),
                   (cudaStream_t)stream>>>(*batch);
    return (int)cudaGetLastError();
}

extern "C" int sp_cuda_pack_launch(void *stream, const struct sp_cuda_match_packing *packing)
{
    size_t blocks = (sp_packing_size(*packing) + SP_CUDA_MATCH_THREADS - 1) / SP_CUDA_MATCH_THREADS;
    if (blocks == 0)
        return (int)cudaSuccess;
    pack_kernel<<<(unsigned)(blocks < 65535 ? blocks : 65535), SP_CUDA_MATCH_THREADS, 0, (cudaStream_t)stream>>>(
        *packing);
    return (int)cudaGetLastError();
}

extern "C" size_t sp_cuda_match_shared(int groups, int blocks, int kept)
{
    return sp_match_shared_bytes(groups, blocks, kept);
}
