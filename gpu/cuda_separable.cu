#include "gpu/cuda_separable.cuh"

template <class tile> static int launch(void *stream, const struct sp_cuda_separable *args)
{
    using kernel = sp_separable_kernel<tile>;
    return sp_launch<kernel>(stream, kernel::blocks(*args), *args);
}

extern "C" int SP_LAUNCHER(separable)(void *stream, const struct sp_cuda_separable *args)
{
    switch (args->point.tile) {
    case SP_TILE_128X128:
        return launch<sp_tile_128x128>(stream, args);
    case SP_TILE_128X64:
        return launch<sp_tile_128x64>(stream, args);
    case SP_TILE_64X64:
        return launch<sp_tile_64x64>(stream, args);
    default:
        return launch<sp_tile_64x32>(stream, args);
    }
}
