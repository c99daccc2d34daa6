#include "gpu/cuda_conv_wgmma.cuh"

/* Compiled for sm_90a alone. */
extern "C" int SP_LAUNCHER(conv_wgmma)(void *stream, const struct sp_cuda_conv *args)
{
    switch (args->tile) {
    case SP_TILE_WGMMA_128X256:
        return sp_launch<sp_conv_wgmma_kernel<256>>(stream, sp_conv_wgmma_kernel<256>::blocks(*args), *args);
    case SP_TILE_WGMMA_128X128:
        return sp_launch<sp_conv_wgmma_kernel<128>>(stream, sp_conv_wgmma_kernel<128>::blocks(*args), *args);
    default:
        return sp_launch<sp_conv_wgmma_kernel<64>>(stream, sp_conv_wgmma_kernel<64>::blocks(*args), *args);
    }
}
