#include "gpu/cuda_conv.cuh"

template <class tile> static int launch(void *stream, const struct sp_cuda_conv *args)
{
    using kernel = sp_conv_kernel<tile>;
    return sp_launch<kernel>(stream, kernel::blocks(*args), *args);
}

extern "C" int SP_LAUNCHER(conv)(void *stream, const struct sp_cuda_conv *args)
{
    switch (args->tile) {
    case SP_TILE_256X128:
        return launch<sp_tile_256x128>(stream, args);
    case SP_TILE_128X128:
        return launch<sp_tile_128x128>(stream, args);
    case SP_TILE_128X64:
        return launch<sp_tile_128x64>(stream, args);
    case SP_TILE_64X64:
        return launch<sp_tile_64x64>(stream, args);
    case SP_TILE_64X32:
        return launch<sp_tile_64x32>(stream, args);
    default:
        return SP_LAUNCHER(conv_wgmma)(stream, args);
    }
}
