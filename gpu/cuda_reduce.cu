#include "gpu/cuda_reduce.cuh"

template <class kernel> static int launch(void *stream, const typename kernel::args &args)
{
    return sp_launch<kernel>(stream, sp_blocks(kernel::warps(args), kernel::threads / 32), args);
}

extern "C" int SP_LAUNCHER(reduce)(void *stream, const struct sp_cuda_reduce *args)
{
    return launch<sp_reduce_kernel>(stream, *args);
}

extern "C" int SP_LAUNCHER(softmax)(void *stream, const struct sp_cuda_softmax *args)
{
    return launch<sp_softmax_kernel>(stream, *args);
}

extern "C" int SP_LAUNCHER(norm)(void *stream, const struct sp_cuda_norm *args)
{
    return launch<sp_norm_kernel>(stream, *args);
}

extern "C" int SP_LAUNCHER(matmul)(void *stream, const struct sp_cuda_matmul *args)
{
    using kernel = sp_matmul_kernel;
    return sp_launch<kernel>(stream, sp_blocks(kernel::count(*args), kernel::threads), *args);
}
