/* Convolutions that are no matrix product: bound by memory, eight channels of one output pixel per thread; and the
 * plain grouped one, one number per thread. */
#ifndef SALLYPORT_GPU_CUDA_DEPTHWISE_CUH
#define SALLYPORT_GPU_CUDA_DEPTHWISE_CUH

#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
struct sp_depthwise_kernel {
    using args = sp_cuda_depthwise;
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
        const sp_half *x = static_cast<const sp_half *>(a.x), *weights = static_cast<const sp_half *>(a.weights);
        float sum[8];
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            sum[i] = a.bias[spot.channel + i];
        for (int ky = 0; ky < a.kernel[0]; ky++) {
            int y = spot.y * a.stride[0] - a.pad[0] + ky * a.dilation[0];
            if (y < 0 || y >= a.h)
                continue;
            for (int kx = 0; kx < a.kernel[1]; kx++) {
                int column = spot.x * a.stride[1] - a.pad[1] + kx * a.dilation[1];
                if (column < 0 || column >= a.w)
                    continue;
                sp_half8 pixel = sp_load8(x + sp_offset(spot.n, y, column, spot.channel, a.h, a.w, a.pitch));
                sp_half8 filter = sp_load8(weights + (ky * a.kernel[1] + kx) * a.pitch + spot.channel);
                SP_UNROLL
                for (int i = 0; i < 8; i++)
                    sum[i] += sp_float(pixel.at[i]) * sp_float(filter.at[i]);
            }
        }
        sp_finish8(sum, a.residual, a.out, sp_offset(spot.n, spot.y, spot.x, spot.channel, a.oh, a.ow, a.pitch),
                   a.act, spot.channel, a.channels);
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
