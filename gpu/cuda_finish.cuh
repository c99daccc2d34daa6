/* What stands at the end of most kernels: activations, and the places of pixels. */
#ifndef SALLYPORT_GPU_CUDA_FINISH_CUH
#define SALLYPORT_GPU_CUDA_FINISH_CUH

#include "gpu/cuda_kernels.h"
#include "gpu/cuda_launch.cuh"

inline namespace SP_ELEMENT
{
/* As the reference's, comparison by comparison, so that NaN and equality go the same way. */
SP_BOTH float sp_act_rare(int kind, float a, float b, float x)
{
    switch (kind) {
    case SP_ACT_LEAKY:
        return x < 0 ? a * x : x;
    case SP_ACT_CLIP:
        return x < a ? a : x > b ? b : x;
    case SP_ACT_SIGMOID:
        return 1 / (1 + expf(-x));
    case SP_ACT_TANH:
        return tanhf(x);
    case SP_ACT_EXP:
        return expf(x);
    case SP_ACT_LOG:
        return logf(x);
    case SP_ACT_SQRT:
        return sqrtf(x);
    case SP_ACT_ABS:
        return fabsf(x);
    case SP_ACT_NEG:
        return -x;
    case SP_ACT_FLOOR:
        return floorf(x);
    case SP_ACT_CEIL:
        return ceilf(x);
    case SP_ACT_LINEAR:
        return a * x + b;
    default:
        return x;
    }
}

SP_BOTH float sp_act_of(const sp_cuda_act &act, float slope, float x)
{
    if (act.kind == SP_ACT_RELU)
        return x > 0 ? x : 0;
    if (act.kind == SP_ACT_PRELU)
        return x < 0 ? slope * x : x;
    return act.kind == SP_ACT_NONE ? x : sp_act_rare(act.kind, act.a, act.b, x);
}

SP_BOTH float sp_read(const void *data, int type, int64_t at)
{
    return type == SP_CUDA_HALF ? sp_float(static_cast<const sp_half *>(data)[at])
                                : static_cast<const float *>(data)[at];
}

SP_BOTH void sp_write(void *data, int type, int64_t at, float value)
{
    if (type == SP_CUDA_HALF)
        static_cast<sp_half *>(data)[at] = sp_round(value);
    else
        static_cast<float *>(data)[at] = value;
}

/* Eight channels of one output pixel: activate, zero what lies past `channels`, round. channel: the first's number.
 */
SP_BOTH sp_half8 sp_finished8(const float (&sum)[8], const sp_cuda_act &act, int channel, int channels)
{
    sp_half8 result;
    SP_UNROLL
    for (int i = 0; i < 8; i++) {
        float slope = act.kind == SP_ACT_PRELU ? act.slope[channel + i] : 0;
        result.at[i] = sp_round(channel + i < channels ? sp_act_of(act, slope, sum[i]) : 0.0f);
    }
    return result;
}

/* The same after the residual was added, and store. at: offset of the first channel in the image. */
SP_BOTH void sp_finish8(float (&sum)[8], const void *residual, void *out, int64_t at, const sp_cuda_act &act,
                        int channel, int channels)
{
    if (residual) {
        sp_half8 other = sp_load8(static_cast<const sp_half *>(residual) + at);
        SP_UNROLL
        for (int i = 0; i < 8; i++)
            sum[i] += sp_float(other.at[i]);
    }
    sp_store8(static_cast<sp_half *>(out) + at, sp_finished8(sum, act, channel, channels));
}

/* Which eight channels of which pixel the global thread number `number` has. */
struct sp_spot {
    int64_t n;
    int y, x, channel;
};

SP_BOTH sp_spot sp_spot_of(int64_t number, int h, int w, int pitch)
{
    int groups = pitch / 8;
    sp_spot spot;
    spot.channel = static_cast<int>(number % groups) * 8;
    number /= groups;
    spot.x = static_cast<int>(number % w);
    number /= w;
    spot.y = static_cast<int>(number % h);
    spot.n = number / h;
    return spot;
}

SP_BOTH int64_t sp_offset(int64_t n, int y, int x, int channel, int h, int w, int pitch)
{
    return ((n * h + y) * w + x) * pitch + channel;
}

SP_BOTH int64_t sp_blocks(int64_t count, int threads)
{
    return (count + threads - 1) / threads;
}

} // namespace SP_ELEMENT

#endif
