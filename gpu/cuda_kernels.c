#include "gpu/cuda_kernels.h"

const struct sp_cuda_kernels *sp_cuda_kernels_of(enum sp_precision precision)
{
#define F16(name)  .name = sp_cuda_##name##_f16,
#define BF16(name) .name = sp_cuda_##name##_bf16,
    static const struct sp_cuda_kernels f16 = {SP_CUDA_KERNEL_LIST(F16)}, bf16 = {SP_CUDA_KERNEL_LIST(BF16)};
    return precision == SP_PRECISION_BF16 ? &bf16 : &f16;
}

void sp_cuda_tile_size(enum sp_cuda_tile tile, int ret_size[2])
{
    static const int sizes[SP_TILE_COUNT][2] = {{256, 128}, {128, 128}, {128, 64},  {64, 64},
                                                {64, 32},   {128, 256}, {128, 128}, {128, 64}};
    ret_size[0] = sizes[tile][0];
    ret_size[1] = sizes[tile][1];
}
