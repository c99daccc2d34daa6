#include "gpu/cuda_conv.cuh"

template <class tile> static int launch(void *stream, const struct sp_cuda_conv *args)
{
    using kernel = sp_conv_kernel<tile>;
    return sp_launch<kernel>(stream, kernel::blocks(*args), *args);
}

extern "C" int sp_cuda_conv_launch(void *stream, const struct sp_cuda_conv *args, enum sp_cuda_tile tile)
{
    switch (tile) {
    case SP_TILE_256X128:
        return launch<sp_tile_256x128>(stream, args);
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

extern "C" void sp_cuda_tile_size(enum sp_cuda_tile tile, int ret_size[2])
{
    static const int sizes[SP_TILE_COUNT][2] = {{256, 128}, {128, 128}, {128, 64}, {64, 64}, {64, 32}};
    ret_size[0] = sizes[tile][0];
    ret_size[1] = sizes[tile][1];
}
