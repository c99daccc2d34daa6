/* Kernels over pixels of images: pools, padding, nearest neighbours, and the way from float planes to an image. */
#ifndef SALLYPORT_GPU_CUDA_WINDOW_CUH
#define SALLYPORT_GPU_CUDA_WINDOW_CUH

#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
/* One window along one side: the input it covers, and what an average divides by. As ref_pool.c has it. */
struct sp_span {
    int first, last, size;
};

SP_BOTH sp_span sp_span_of(const sp_cuda_pool &a, int side, int at, int in)
{
    int begin = at * a.stride[side] - a.pad[side], end = begin + a.kernel[side], padded = in + a.pad_end[side];
    sp_span span = {begin < 0 ? 0 : begin, end > in ? in : end, 0};
    span.last = span.last < span.first ? span.first : span.last;
    span.size = a.count_pad ? (end > padded ? padded : end) - begin : span.last - span.first;
    return span;
}

struct sp_pool_kernel {
    using args = sp_cuda_pool;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return static_cast<int64_t>(a.n) * a.oh * a.ow * (a.pitch / 8);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        sp_spot spot = sp_spot_of(number, a.oh, a.ow, a.pitch);
        sp_span rows = sp_span_of(a, 0, spot.y, a.h), columns = sp_span_of(a, 1, spot.x, a.w);
        float result[8];
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            result[i] = a.average ? 0 : -INFINITY;
        for (int y = rows.first; y < rows.last; y++) {
            for (int x = columns.first; x < columns.last; x++) {
                sp_half8 pixel = sp_load8(static_cast<const sp_half *>(a.x) +
                                          sp_offset(spot.n, y, x, spot.channel, a.h, a.w, a.pitch));
                SP_UNROLL
                for (int i = 0; i < 8; i++) {
                    float v = sp_float(pixel.at[i]);
                    result[i] = a.average ? result[i] + v : v > result[i] ? v : result[i];
                }
            }
        }
        int size = rows.size * columns.size;
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            if (a.average)
                result[i] = size > 0 ? result[i] / static_cast<float>(size) : 0;
        sp_cuda_act none = {SP_ACT_NONE, 0, 0, nullptr};
        sp_finish8(result, nullptr, a.out, sp_offset(spot.n, spot.y, spot.x, spot.channel, a.oh, a.ow, a.pitch),
                   none, spot.channel, a.channels);
    }
};

struct sp_pad_kernel {
    using args = sp_cuda_pad;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return static_cast<int64_t>(a.n) * a.oh * a.ow * (a.out_pitch / 8);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        sp_spot spot = sp_spot_of(number, a.oh, a.ow, a.out_pitch);
        int y = spot.y - a.begin[0], x = spot.x - a.begin[1];
        bool inside = y >= 0 && y < a.h && x >= 0 && x < a.w && spot.channel < a.pitch;
        sp_half8 pixel = sp_zero8();
        if (inside)
            pixel = sp_load8(static_cast<const sp_half *>(a.x) +
                             sp_offset(spot.n, y, x, spot.channel, a.h, a.w, a.pitch));
        SP_UNROLL
        for (int i = 0; i < 8; i++) {
            int channel = spot.channel + i;
            if (channel >= a.out_channels)
                pixel.at[i] = sp_round(0);
            else if (!inside || channel >= a.channels)
                pixel.at[i] = sp_round(a.value);
        }
        sp_store8(static_cast<sp_half *>(a.out) +
                      sp_offset(spot.n, spot.y, spot.x, spot.channel, a.oh, a.ow, a.out_pitch),
                  pixel);
    }
};

struct sp_resize_kernel {
    using args = sp_cuda_resize;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return static_cast<int64_t>(a.n) * a.oh * a.ow * (a.pitch / 8);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        sp_spot spot = sp_spot_of(number, a.oh, a.ow, a.pitch);
        sp_half8 pixel =
            sp_load8(static_cast<const sp_half *>(a.x) +
                     sp_offset(spot.n, a.rows[spot.y], a.columns[spot.x], spot.channel, a.h, a.w, a.pitch));
        sp_store8(static_cast<sp_half *>(a.out) +
                      sp_offset(spot.n, spot.y, spot.x, spot.channel, a.oh, a.ow, a.pitch),
                  pixel);
    }
};

/* A thread has one pixel and eight channels, so that reads are along rows of a plane and writes are whole. */
struct sp_planes_kernel {
    using args = sp_cuda_planes;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return static_cast<int64_t>(a.n) * a.pixels * (a.pitch / 8);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        int groups = a.pitch / 8;
        int64_t pixel = number % a.pixels, rest = number / a.pixels;
        int channel = static_cast<int>(rest % groups) * 8;
        int64_t n = rest / groups;
        sp_half8 result;
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            result.at[i] =
                sp_round(channel + i < a.channels ? a.x[(n * a.channels + channel + i) * a.pixels + pixel] : 0.0f);
        sp_store8(static_cast<sp_half *>(a.out) + (n * a.pixels + pixel) * a.pitch + channel, result);
    }
};

} // namespace SP_ELEMENT

#endif
