#include "gpu/cuda_window.cuh"

template <class kernel> static int launch(void *stream, const typename kernel::args &args)
{
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(args), kernel::threads), args);
}

extern "C" int SP_LAUNCHER(pool)(void *stream, const struct sp_cuda_pool *args)
{
    return launch<sp_pool_kernel>(stream, *args);
}

extern "C" int SP_LAUNCHER(pad)(void *stream, const struct sp_cuda_pad *args)
{
    return launch<sp_pad_kernel>(stream, *args);
}

extern "C" int SP_LAUNCHER(resize)(void *stream, const struct sp_cuda_resize *args)
{
    return launch<sp_resize_kernel>(stream, *args);
}

extern "C" int SP_LAUNCHER(planes)(void *stream, const struct sp_cuda_planes *args)
{
    return launch<sp_planes_kernel>(stream, *args);
}
