/* The pixel kernels: which thread does which px. What is done with it is in pixel_math.h. */
#ifndef SALLYPORT_GPU_CUDA_PIXEL_KERNELS_CUH
#define SALLYPORT_GPU_CUDA_PIXEL_KERNELS_CUH

#include "gpu/cuda_launch.cuh"
#include "gpu/cuda_pixel_launch.h"

#define SP_PIXEL_THREADS 256

/* Blocks that give every one of `items` of a job a thread; jobs lie one after another in the line of blocks. */
SP_BOTH int64_t sp_pixel_blocks(int64_t items)
{
    return (items + SP_PIXEL_THREADS - 1) / SP_PIXEL_THREADS;
}

/* The job and the item of a thread; false for a thread too many. */
SP_BOTH bool sp_pixel_item(const sp_here &here, int64_t items, int *ret_job, int64_t *ret_item)
{
    int64_t blocks = sp_pixel_blocks(items);
    *ret_job = static_cast<int>(here.block / blocks);
    *ret_item = here.block % blocks * SP_PIXEL_THREADS + here.thread;
    return *ret_item < items;
}

SP_BOTH int sp_pixel_pitch_x(const sp_cuda_fit_job &job)
{
    return sp_pixel_most_taps(&job.fit.across);
}

SP_BOTH int sp_pixel_pitch_y(const sp_cuda_fit_job &job)
{
    return sp_pixel_most_taps(&job.fit.down);
}

SP_BOTH float *sp_pixel_weights_y(const sp_cuda_fit_job &job)
{
    return job.weights + static_cast<int64_t>(job.fit.inner_width) * sp_pixel_pitch_x(job);
}

/* A thread per column and row of the resized picture: its taps and weights. */
struct sp_axes_kernel {
    using args = sp_cuda_fit;
    static constexpr int threads = SP_PIXEL_THREADS, shared = 0;
    static constexpr bool together = false;
    SP_BOTH static int64_t items(const args &fit)
    {
        return static_cast<int64_t>(fit.width) + fit.height;
    }
    SP_BOTH static void run(const args &fit, const sp_here &here)
    {
        int index;
        int64_t item;
        if (!sp_pixel_item(here, items(fit), &index, &item))
            return;
        const sp_cuda_fit_job &job = fit.jobs[index];
        int i = static_cast<int>(item), width = job.fit.inner_width, height = job.fit.inner_height;
        if (i < width)
            job.taps[i] =
                sp_pixel_tap(&job.fit.across, i, job.weights + static_cast<int64_t>(i) * sp_pixel_pitch_x(job));
        else if (i < width + height)
            job.taps[i] =
                sp_pixel_tap(&job.fit.down, i - width,
                             sp_pixel_weights_y(job) + static_cast<int64_t>(i - width) * sp_pixel_pitch_y(job));
    }
};

/* A thread per px of the tensor, all three planes. Sums run as the CPU's: down each column first, then across. */
struct sp_fit_kernel {
    using args = sp_cuda_fit;
    static constexpr int threads = SP_PIXEL_THREADS, shared = 0;
    static constexpr bool together = false;
    SP_BOTH static int64_t items(const args &fit)
    {
        return static_cast<int64_t>(fit.width) * fit.height;
    }
    SP_BOTH static void blend(const sp_cuda_fit_job &job, int x, int y, float rgb[3])
    {
        const sp_tap across = job.taps[x], down = job.taps[job.fit.inner_width + y];
        const float *wx = job.weights + static_cast<int64_t>(x) * sp_pixel_pitch_x(job);
        const float *wy = sp_pixel_weights_y(job) + static_cast<int64_t>(y) * sp_pixel_pitch_y(job);
        const uint8_t *column = job.origin + static_cast<int64_t>(down.start) * job.stride + across.start * 3;
        for (int i = 0; i < across.count; i++, column += 3) {
            float r = 0, g = 0, b = 0;
            const uint8_t *p = column;
            for (int k = 0; k < down.count; k++, p += job.stride) {
                r += wy[k] * static_cast<float>(p[0]);
                g += wy[k] * static_cast<float>(p[1]);
                b += wy[k] * static_cast<float>(p[2]);
            }
            rgb[0] += wx[i] * r;
            rgb[1] += wx[i] * g;
            rgb[2] += wx[i] * b;
        }
    }
    SP_BOTH static void run(const args &fit, const sp_here &here)
    {
        int index;
        int64_t item, plane = items(fit);
        if (!sp_pixel_item(here, plane, &index, &item))
            return;
        const sp_cuda_fit_job &job = fit.jobs[index];
        int x = static_cast<int>(item % fit.width) - job.fit.offset_x;
        int y = static_cast<int>(item / fit.width) - job.fit.offset_y;
        float rgb[3] = {0, 0, 0};
        if (x >= 0 && y >= 0 && x < job.fit.inner_width && y < job.fit.inner_height)
            blend(job, x, y, rgb);
        float *to = fit.tensor + static_cast<int64_t>(index) * 3 * plane + item;
        bool bgr = sp_pixel_channel(&fit.norm, 0) != 0;
        to[0] = sp_pixel_norm(&fit.norm, 0, bgr ? rgb[2] : rgb[0]);
        to[plane] = sp_pixel_norm(&fit.norm, 1, rgb[1]);
        to[2 * plane] = sp_pixel_norm(&fit.norm, 2, bgr ? rgb[0] : rgb[2]);
    }
};

/* A thread per px of the halved picture. */
struct sp_halve_kernel {
    struct args {
        const sp_cuda_halve_job *jobs;
        int count, most_px;
    };
    static constexpr int threads = SP_PIXEL_THREADS, shared = 0;
    static constexpr bool together = false;
    SP_BOTH static void run(const args &halve, const sp_here &here)
    {
        int index;
        int64_t item;
        if (!sp_pixel_item(here, halve.most_px, &index, &item))
            return;
        const sp_cuda_halve_job &job = halve.jobs[index];
        int width = job.from.width / 2, height = job.from.height / 2;
        if (item < static_cast<int64_t>(width) * height)
            sp_pixel_halve(&job.from, static_cast<int>(item % width), static_cast<int>(item / width),
                           job.to + item * 3);
    }
};

/* A thread per px of a chip. */
struct sp_warp_kernel {
    using args = sp_cuda_warp;
    static constexpr int threads = SP_PIXEL_THREADS, shared = 0;
    static constexpr bool together = false;
    SP_BOTH static void run(const args &warp, const sp_here &here)
    {
        int index;
        int64_t item, px = static_cast<int64_t>(warp.side) * warp.side;
        if (!sp_pixel_item(here, px, &index, &item))
            return;
        const sp_cuda_warp_job &job = warp.jobs[index];
        sp_pixel_warp(&job.view, &job.warp, static_cast<int>(item % warp.side), static_cast<int>(item / warp.side),
                      warp.chips + (static_cast<int64_t>(index) * px + item) * 3);
    }
};

/* A block per chip: threads walk the face's px, warps add up, then warp 0 does. */
struct sp_tally_kernel {
    using args = sp_cuda_warp;
    static constexpr int threads = SP_PIXEL_THREADS, shared = threads / 32 * static_cast<int>(sizeof(sp_tally));
    static constexpr bool together = true;
    SP_BOTH static void add_lanes(const sp_here &here, sp_tally *tally)
    {
        for (int mask = 16; mask > 0; mask /= 2) {
            tally->count += sp_shuffle_xor(here, tally->count, mask);
            tally->dark += sp_shuffle_xor(here, tally->dark, mask);
            tally->bright += sp_shuffle_xor(here, tally->bright, mask);
            tally->sum += sp_shuffle_xor(here, tally->sum, mask);
            tally->squares += sp_shuffle_xor(here, tally->squares, mask);
            tally->laplacian += sp_shuffle_xor(here, tally->laplacian, mask);
            tally->laplacian_squares += sp_shuffle_xor(here, tally->laplacian_squares, mask);
        }
    }
    SP_BOTH static void run(const args &warp, const sp_here &here)
    {
        const sp_cuda_warp_job &job = warp.jobs[here.block];
        const uint8_t *chip = warp.chips + here.block * warp.side * warp.side * 3;
        int columns = warp.x1 - warp.x0 + 1, px = columns * (warp.y1 - warp.y0 + 1), lane = here.thread % 32;
        sp_tally *sums = reinterpret_cast<sp_tally *>(here.shared), tally = {0, 0, 0, 0, 0, 0, 0};
        for (int i = here.thread; i < px; i += threads)
            sp_pixel_tally(&tally, chip, warp.side, &job.map, job.image_width, job.image_height,
                           warp.x0 + i % columns, warp.y0 + i / columns);
        add_lanes(here, &tally);
        if (lane == 0)
            sums[here.thread / 32] = tally;
        sp_barrier(here);
        if (here.thread >= 32)
            return;
        sp_tally zero = {0, 0, 0, 0, 0, 0, 0};
        tally = lane < threads / 32 ? sums[lane] : zero;
        add_lanes(here, &tally);
        if (lane == 0)
            warp.tallies[here.block] = tally;
    }
};

/* A thread per px of a chip, all three planes. */
struct sp_chip_planes_kernel {
    using args = sp_cuda_chip_planes;
    static constexpr int threads = SP_PIXEL_THREADS, shared = 0;
    static constexpr bool together = false;
    SP_BOTH static void run(const args &planes, const sp_here &here)
    {
        int index;
        int64_t item, plane = static_cast<int64_t>(planes.side) * planes.side;
        if (!sp_pixel_item(here, plane, &index, &item))
            return;
        const uint8_t *from = planes.chips + (planes.which[index] * plane + item) * 3;
        float *to = planes.tensor + static_cast<int64_t>(index) * 3 * plane + item;
        for (int c = 0; c < 3; c++)
            to[c * plane] =
                sp_pixel_norm(&planes.norm, c, static_cast<float>(from[sp_pixel_channel(&planes.norm, c)]));
    }
};

#endif
