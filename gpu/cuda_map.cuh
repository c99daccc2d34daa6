/* Element by element: any strides, or eight lanes of images at a time; and plain moves. */
#ifndef SALLYPORT_GPU_CUDA_MAP_CUH
#define SALLYPORT_GPU_CUDA_MAP_CUH

#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
SP_BOTH float sp_map_of(int kind, float a, float b, float c)
{
    switch (kind) {
    case SP_BINARY_ADD:
        return a + b;
    case SP_BINARY_SUB:
        return a - b;
    case SP_BINARY_MUL:
        return a * b;
    case SP_BINARY_DIV:
        return a / b;
    case SP_BINARY_POW:
        return powf(a, b);
    case SP_BINARY_MAX:
        return a > b ? a : b;
    case SP_BINARY_MIN:
        return a < b ? a : b;
    case SP_MAP_MUL_ADD:
        return a * b + c;
    default:
        return a;
    }
}

/* `index`: unsigned, 32 bits where the elements can be counted with them (divisions are four times faster). */
template <class index> struct sp_map_kernel {
    using args = sp_cuda_map;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        int64_t total = 1;
        for (int i = 0; i < a.rank; i++)
            total *= a.dims[i];
        return total;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        index rest = static_cast<index>(number);
        int64_t out = 0, at_a = 0, at_b = 0, at_c = 0, at_slope = 0;
        for (int i = a.rank - 1; i >= 0; i--) {
            index dim = static_cast<index>(a.dims[i]), quotient = rest / dim;
            int64_t step = static_cast<int64_t>(rest - quotient * dim);
            rest = quotient;
            out += step * a.out.strides[i];
            at_a += step * a.a.strides[i];
            at_b += step * a.b.strides[i];
            at_c += step * a.c.strides[i];
            at_slope += step * a.slope.strides[i];
        }
        float value =
            sp_map_of(a.kind, sp_read(a.a.data, a.a.type, at_a), a.b.data ? sp_read(a.b.data, a.b.type, at_b) : 0,
                      a.c.data ? sp_read(a.c.data, a.c.type, at_c) : 0);
        float slope = a.slope.data ? sp_read(a.slope.data, a.slope.type, at_slope) : 0;
        sp_write(a.out.data, a.out.type, out, sp_act_of(a.act, slope, value));
    }
};

struct sp_wide_kernel {
    using args = sp_cuda_wide;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return a.pixels * (a.pitch / 8);
    }

    /* Eight numbers of an operand: of an image, of a vector along the channels, or zeros. */
    SP_BOTH static void operand(const void *data, bool vector, int64_t at, int channel, float (&ret)[8])
    {
        if (!data || vector) {
            SP_UNROLL
            for (int i = 0; i < 8; i++)
                ret[i] = data ? static_cast<const float *>(data)[channel + i] : 0;
            return;
        }
        sp_half8 eight = sp_load8(static_cast<const sp_half *>(data) + at);
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            ret[i] = sp_float(eight.at[i]);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        int channel = static_cast<int>(number % (a.pitch / 8)) * 8;
        float x[8], b[8], c[8];
        operand(a.a, false, number * 8, channel, x);
        operand(a.b, a.b_vector, number * 8, channel, b);
        operand(a.c, a.c_vector, number * 8, channel, c);
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            x[i] = sp_map_of(a.kind, x[i], b[i], c[i]);
        sp_finish8(x, nullptr, a.out, number * 8, a.act, channel, a.channels);
    }
};

struct sp_pieces_kernel {
    using args = sp_cuda_pieces;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return a.rows * a.width;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        int64_t row = number / a.width, piece = number - row * a.width;
        sp_store8(static_cast<sp_half *>(a.out) + (row * a.out_pitch + piece) * 8,
                  sp_load8(static_cast<const sp_half *>(a.x) + (row * a.pitch + piece) * 8));
    }
};

struct sp_zero_kernel {
    using args = sp_cuda_zero;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number < a.count)
            sp_store8(static_cast<sp_half *>(a.out) + number * 8, sp_zero8());
    }
};

struct sp_gather_kernel {
    using args = sp_cuda_gather;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return a.outer * a.count * a.inner;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        int64_t inner = number % a.inner, rest = number / a.inner, outer = rest / a.count;
        int from = a.index[rest - outer * a.count];
        sp_write(a.out, a.out_type, number, sp_read(a.x, a.type, (outer * a.axis + from) * a.inner + inner));
    }
};

} // namespace SP_ELEMENT

#endif
