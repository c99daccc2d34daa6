/* Convolutions that are no matrix product: bound by memory, eight channels of two output pixels per thread; and the
 * plain grouped one, one number per thread. */
#ifndef SALLYPORT_GPU_CUDA_DEPTHWISE_CUH
#define SALLYPORT_GPU_CUDA_DEPTHWISE_CUH

#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
/* A pixel's window: its item's image, and where the first tap lies. */
struct sp_depthwise_window {
    int64_t item; /* offset of the image */
    int y, x;
};

SP_BOTH sp_depthwise_window sp_depthwise_window_of(const sp_cuda_depthwise &a, int64_t n, int oy, int ox)
{
    return sp_depthwise_window{n * a.h * a.w * a.pitch, oy * a.stride[0] - a.pad[0], ox * a.stride[1] - a.pad[1]};
}

/* sum[i] += the taps of window i, for eight channels from `channel` on. `side`: the kernel is that wide and high,
 * and the loads of all its taps are under way together; 0: any kernel. Each filter is read once for all windows. */
template <int side, int count>
SP_BOTH void sp_depthwise_add(const sp_cuda_depthwise &a, const sp_depthwise_window (&windows)[count], int channel,
                              float (&sum)[count][8])
{
    const sp_half *x = static_cast<const sp_half *>(a.x) + channel;
    const sp_half *weights = static_cast<const sp_half *>(a.weights) + channel;
    const int high = side ? side : a.kernel[0], wide = side ? side : a.kernel[1];
    SP_ROLL
    for (int ky = 0; ky < high; ky++) {
        SP_UNROLL
        for (int kx = 0; kx < wide; kx++) {
            sp_half8 filter = sp_load8(weights + (ky * wide + kx) * a.pitch);
            SP_UNROLL
            for (int i = 0; i < count; i++) {
                int row = windows[i].y + ky * a.dilation[0], column = windows[i].x + kx * a.dilation[1];
                bool inside = row >= 0 && row < a.h && column >= 0 && column < a.w;
                sp_half8 pixel = sp_zero8();
                if (inside)
                    pixel = sp_load8(x + windows[i].item + (static_cast<int64_t>(row) * a.w + column) * a.pitch);
                SP_UNROLL
                for (int c = 0; c < 8; c++)
                    sum[i][c] += sp_float(pixel.at[c]) * sp_float(filter.at[c]);
            }
        }
    }
}

/* sum[i] = bias and taps of window i. */
template <int count>
SP_BOTH void sp_depthwise_sums(const sp_cuda_depthwise &a, const sp_depthwise_window (&windows)[count], int channel,
                               float (&sum)[count][8])
{
    SP_UNROLL
    for (int i = 0; i < count; i++) {
        SP_UNROLL
        for (int c = 0; c < 8; c++)
            sum[i][c] = a.bias[channel + c];
    }
    if (a.kernel[0] == 3 && a.kernel[1] == 3)
        sp_depthwise_add<3>(a, windows, channel, sum);
    else
        sp_depthwise_add<0>(a, windows, channel, sum);
}

struct sp_depthwise_kernel {
    using args = sp_cuda_depthwise;
    static constexpr int threads = 256, shared = 0, pixels = 2;
    static constexpr bool together = false;

    SP_BOTH static int groups_of(const args &a) /* of neighbouring pixels of a row */
    {
        return (a.ow + pixels - 1) / pixels;
    }

    SP_BOTH static int64_t count(const args &a)
    {
        return static_cast<int64_t>(a.n) * a.oh * groups_of(a) * (a.pitch / 8);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t number = here.block * threads + here.thread;
        if (number >= count(a))
            return;
        sp_spot spot = sp_spot_of(number, a.oh, groups_of(a), a.pitch);
        sp_depthwise_window windows[pixels];
        float sum[pixels][8];
        SP_UNROLL
        for (int i = 0; i < pixels; i++)
            windows[i] = sp_depthwise_window_of(a, spot.n, spot.y, spot.x * pixels + i);
        sp_depthwise_sums(a, windows, spot.channel, sum);
        SP_UNROLL
        for (int i = 0; i < pixels; i++) {
            int column = spot.x * pixels + i;
            if (column < a.ow)
                sp_finish8(sum[i], a.residual, a.out,
                           sp_offset(spot.n, spot.y, column, spot.channel, a.oh, a.ow, a.pitch), a.act,
                           spot.channel, a.channels);
        }
    }
};

struct sp_grouped_kernel {
    using args = sp_cuda_grouped;
    static constexpr int threads = 256, shared = 0;
    static constexpr bool together = false;

    SP_BOTH static int64_t count(const args &a)
    {
        return static_cast<int64_t>(a.n) * a.oh * a.ow * a.out_pitch;
    }

    SP_BOTH static float sum_of(const args &a, int64_t n, int oy, int ox, int oc)
    {
        int each = a.channels / a.group, first = oc / (a.oc / a.group) * each;
        const float *weights = a.weights + static_cast<int64_t>(oc) * a.kernel[0] * a.kernel[1] * each;
        float sum = a.bias[oc];
        for (int ky = 0; ky < a.kernel[0]; ky++) {
            for (int kx = 0; kx < a.kernel[1]; kx++, weights += each) {
                int y = oy * a.stride[0] - a.pad[0] + ky * a.dilation[0];
                int x = ox * a.stride[1] - a.pad[1] + kx * a.dilation[1];
                if (y < 0 || y >= a.h || x < 0 || x >= a.w)
                    continue;
                const sp_half *pixel =
                    static_cast<const sp_half *>(a.x) + sp_offset(n, y, x, first, a.h, a.w, a.pitch);
                for (int c = 0; c < each; c++)
                    sum += sp_float(pixel[c]) * weights[c];
            }
        }
        return sum;
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t at = here.block * threads + here.thread;
        if (at >= count(a))
            return;
        int oc = static_cast<int>(at % a.out_pitch);
        int64_t pixel = at / a.out_pitch, row = pixel / a.ow;
        sp_half *out = static_cast<sp_half *>(a.out);
        if (oc >= a.oc) {
            out[at] = sp_round(0);
            return;
        }
        float sum = sum_of(a, row / a.oh, static_cast<int>(row % a.oh), static_cast<int>(pixel % a.ow), oc);
        if (a.residual)
            sum += sp_float(static_cast<const sp_half *>(a.residual)[at]);
        out[at] = sp_round(sp_act_of(a.act, a.act.kind == SP_ACT_PRELU ? a.act.slope[oc] : 0, sum));
    }
};

} // namespace SP_ELEMENT

#endif
