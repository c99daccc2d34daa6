#include "gpu/cuda_separable.cuh"

extern "C" int SP_LAUNCHER(separable)(void *stream, const struct sp_cuda_separable *args)
{
    return sp_tile_launch<sp_separable_kernel>(stream, *args, args->point.tile);
}
