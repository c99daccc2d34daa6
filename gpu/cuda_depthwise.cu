#include "gpu/cuda_depthwise.cuh"

extern "C" int SP_LAUNCHER(depthwise)(void *stream, const struct sp_cuda_depthwise *args)
{
    using kernel = sp_depthwise_kernel;
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(*args), kernel::threads), *args);
}

extern "C" int SP_LAUNCHER(grouped)(void *stream, const struct sp_cuda_grouped *args)
{
    using kernel = sp_grouped_kernel;
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(*args), kernel::threads), *args);
}
