#include "gpu/cuda_conv.cuh"

/* Warps of 64 or 32 rows by 32 channels. The small tiles are for small batches, which would leave multiprocessors
 * idle, and for few channels. */
typedef sp_conv_kernel<128, 128, 64, 32> conv_128x128;
typedef sp_conv_kernel<128, 64, 64, 32> conv_128x64;
typedef sp_conv_kernel<64, 64, 32, 32> conv_64x64;
typedef sp_conv_kernel<64, 32, 32, 32> conv_64x32;

static_assert(SP_CUDA_CONV_OC % 128 == 0, "weights are padded to whole tiles");

extern "C" int SP_LAUNCHER(conv)(void *stream, const struct sp_cuda_conv *args)
{
    switch (args->tile) {
    case SP_TILE_128X128:
        return sp_launch<conv_128x128>(stream, conv_128x128::blocks(*args), *args);
    case SP_TILE_128X64:
        return sp_launch<conv_128x64>(stream, conv_128x64::blocks(*args), *args);
    case SP_TILE_64X64:
        return sp_launch<conv_64x64>(stream, conv_64x64::blocks(*args), *args);
    default:
        return sp_launch<conv_64x32>(stream, conv_64x32::blocks(*args), *args);
    }
}
