/* Launchers of the pixel kernels. Compiled without fused multiply-add: the last bit is the CPU's. */
#include "gpu/cuda_pixel_find.cuh"
#include "gpu/cuda_pixel_kernels.cuh"

extern "C" int sp_cuda_pixel_fit(void *stream, const struct sp_cuda_fit *fit)
{
    int code = sp_launch<sp_axes_kernel>(stream, fit->count * sp_pixel_blocks(sp_axes_kernel::items(*fit)), *fit);
    return code ? code
                : sp_launch<sp_fit_kernel>(stream, fit->count * sp_pixel_blocks(sp_fit_kernel::items(*fit)), *fit);
}

extern "C" int sp_cuda_pixel_halve(void *stream, const struct sp_cuda_halve_job *jobs, int count, int most_px)
{
    return sp_launch<sp_halve_kernel>(stream, count * sp_pixel_blocks(most_px),
                                      sp_halve_kernel::args{jobs, count, most_px});
}

extern "C" int sp_cuda_pixel_warp(void *stream, const struct sp_cuda_warp *warp)
{
    int64_t px = static_cast<int64_t>(warp->side) * warp->side;
    int code = sp_launch<sp_warp_kernel>(stream, warp->count * sp_pixel_blocks(px), *warp);
    return code ? code : sp_launch<sp_tally_kernel>(stream, warp->count, *warp);
}

extern "C" int sp_cuda_pixel_planes(void *stream, const struct sp_cuda_chip_planes *planes)
{
    int64_t px = static_cast<int64_t>(planes->side) * planes->side;
    return sp_launch<sp_chip_planes_kernel>(stream, planes->count * sp_pixel_blocks(px), *planes);
}

extern "C" int sp_cuda_pixel_find(void *stream, const struct sp_cuda_find *find)
{
    return sp_launch<sp_find_kernel>(stream, find->count, *find);
}
