#include "gpu/cuda_conv.cuh"

extern "C" int SP_LAUNCHER(conv)(void *stream, const struct sp_cuda_conv *args)
{
    using widest = sp_conv_kernel<sp_tile_256x128>;
    if (args->tile >= SP_TILE_WGMMA_128X256)
        return SP_LAUNCHER(conv_wgmma)(stream, args);
    if (args->tile == SP_TILE_256X128)
        return sp_launch<widest>(stream, widest::blocks(*args), *args);
    return sp_tile_launch<sp_conv_kernel>(stream, *args, args->tile);
}
