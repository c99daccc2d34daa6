/* Sums over dims, softmax, instance normalisation and the plain matrix product. One warp per sum, except the last.
 */
#ifndef SALLYPORT_GPU_CUDA_REDUCE_CUH
#define SALLYPORT_GPU_CUDA_REDUCE_CUH

#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
SP_BOTH float sp_warp_sum(const sp_here &here, float value)
{
    for (int mask = 16; mask; mask /= 2)
        value += sp_shuffle_xor(here, value, mask);
    return value;
}

SP_BOTH float sp_warp_most(const sp_here &here, float value)
{
    for (int mask = 16; mask; mask /= 2) {
        float other = sp_shuffle_xor(here, value, mask);
        value = other > value ? other : value;
    }
    return value;
}

/* Offset of element `number` of a space of `rank` dims. */
SP_BOTH int64_t sp_strided(int64_t number, int rank, const int64_t *dims, const int64_t *strides)
{
    int64_t at = 0;
    for (int i = rank - 1; i >= 0; i--) {
        int64_t quotient = number / dims[i];
        at += (number - quotient * dims[i]) * strides[i];
        number = quotient;
    }
    return at;
}

SP_BOTH int64_t sp_product(int rank, const int64_t *dims)
{
    int64_t product = 1;
    for (int i = 0; i < rank; i++)
        product *= dims[i];
    return product;
}

/* All 32 lanes of a warp stay together: its number decides what it does, never a lane's. */
struct sp_reduce_kernel {
    using args = sp_cuda_reduce;
    static constexpr int threads = 128, shared = 0;
    static constexpr bool together = true;

    SP_BOTH static int64_t warps(const args &a)
    {
        return sp_product(a.kept_rank, a.kept);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t warp = here.block * (threads / 32) + here.thread / 32;
        int64_t over = sp_product(a.over_rank, a.over);
        if (warp >= warps(a))
            return;
        int64_t base = sp_strided(warp, a.kept_rank, a.kept, a.kept_strides);
        float total = a.kind == SP_REDUCE_MAX ? -INFINITY : 0;
        for (int64_t i = here.thread % 32; i < over; i += 32) {
            float value = sp_read(a.x, a.type, base + sp_strided(i, a.over_rank, a.over, a.over_strides));
            if (a.kind == SP_REDUCE_MAX)
                total = value > total ? value : total;
            else
                total += a.kind == SP_REDUCE_L2 ? value * value : value;
        }
        total = a.kind == SP_REDUCE_MAX ? sp_warp_most(here, total) : sp_warp_sum(here, total);
        if (a.kind == SP_REDUCE_MEAN)
            total /= static_cast<float>(over);
        if (here.thread % 32 == 0)
            a.out[warp] = a.kind == SP_REDUCE_L2 ? sqrtf(total) : total;
    }
};

struct sp_softmax_kernel {
    using args = sp_cuda_softmax;
    static constexpr int threads = 128, shared = 0;
    static constexpr bool together = true;

    SP_BOTH static int64_t warps(const args &a)
    {
        return a.outer * a.inner;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t warp = here.block * (threads / 32) + here.thread / 32;
        if (warp >= warps(a))
            return;
        int64_t outer = warp / a.inner, base = outer * a.middle * a.inner + (warp - outer * a.inner);
        float most = -INFINITY, sum = 0;
        for (int64_t i = here.thread % 32; i < a.middle; i += 32) {
            float value = sp_read(a.x, a.type, base + i * a.inner);
            most = value > most ? value : most;
        }
        most = sp_warp_most(here, most);
        for (int64_t i = here.thread % 32; i < a.middle; i += 32)
            sum += expf(sp_read(a.x, a.type, base + i * a.inner) - most);
        sum = sp_warp_sum(here, sum);
        for (int64_t i = here.thread % 32; i < a.middle; i += 32)
            a.out[base + i * a.inner] = expf(sp_read(a.x, a.type, base + i * a.inner) - most) / sum;
    }
};

struct sp_norm_kernel {
    using args = sp_cuda_norm;
    static constexpr int threads = 128, shared = 0;
    static constexpr bool together = true;

    SP_BOTH static int64_t warps(const args &a)
    {
        return a.items * a.channels;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t warp = here.block * (threads / 32) + here.thread / 32;
        if (warp >= warps(a))
            return;
        int64_t item = warp / a.channels, channel = warp - item * a.channels;
        int64_t base = item * a.item_stride + channel * a.channel_stride;
        float sum = 0, squares = 0;
        for (int64_t i = here.thread % 32; i < a.inner; i += 32)
            sum += sp_read(a.x, a.type, base + i * a.inner_stride);
        float mean = sp_warp_sum(here, sum) / static_cast<float>(a.inner);
        for (int64_t i = here.thread % 32; i < a.inner; i += 32) {
            float away = sp_read(a.x, a.type, base + i * a.inner_stride) - mean;
            squares += away * away;
        }
        float variance = sp_warp_sum(here, squares) / static_cast<float>(a.inner);
        float scale = a.scale[channel] / sqrtf(variance + a.epsilon), shift = a.shift[channel] - mean * scale;
        float slope = a.act.kind == SP_ACT_PRELU ? a.act.slope[channel] : 0;
        for (int64_t i = here.thread % 32; i < a.inner; i += 32) {
            int64_t at = base + i * a.inner_stride;
            sp_write(a.out, a.out_type, at, sp_act_of(a.act, slope, sp_read(a.x, a.type, at) * scale + shift));
        }
    }
};

struct sp_matmul_kernel {
    using args = sp_cuda_matmul;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return a.blocks * a.m * a.n;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        int64_t column = number % a.n, row = number / a.n, block = row / a.m;
        int64_t left = row * a.k, right = (a.one_b ? 0 : block * a.k * a.n) + column;
        float sum = a.bias ? a.bias[column] : 0;
        for (int64_t k = 0; k < a.k; k++)
            sum += sp_read(a.a, a.a_type, left + k) * sp_read(a.b, a.b_type, right + k * a.n);
        a.out[number] = sum;
    }
};

} // namespace SP_ELEMENT

#endif
