#include "gpu/cuda_map.cuh"

extern "C" int SP_LAUNCHER(map)(void *stream, const struct sp_cuda_map *args)
{
    using narrow = sp_map_kernel<uint32_t>;
    using large = sp_map_kernel<uint64_t>;
    int64_t count = narrow::count(*args), blocks = sp_blocks(count, narrow::threads);
    return count <= UINT32_MAX ? sp_launch<narrow>(stream, blocks, *args) : sp_launch<large>(stream, blocks, *args);
}

extern "C" int SP_LAUNCHER(wide)(void *stream, const struct sp_cuda_wide *args)
{
    using kernel = sp_wide_kernel;
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(*args), kernel::threads), *args);
}

extern "C" int SP_LAUNCHER(pieces)(void *stream, const struct sp_cuda_pieces *args)
{
    using kernel = sp_pieces_kernel;
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(*args), kernel::threads), *args);
}

extern "C" int SP_LAUNCHER(zero)(void *stream, const struct sp_cuda_zero *args)
{
    return sp_launch<sp_zero_kernel>(stream, sp_blocks(args->count, sp_zero_kernel::threads), *args);
}

extern "C" int SP_LAUNCHER(gather)(void *stream, const struct sp_cuda_gather *args)
{
    using kernel = sp_gather_kernel;
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(*args), kernel::threads), *args);
}
