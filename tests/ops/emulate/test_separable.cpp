// A depthwise and a pointwise convolution in one kernel, every tile, against the same two apart: the same bits,
// since both round in the same places. Memory ends where the tensors end; outputs begin as NaN.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstring>
#include <memory>
extern "C" {
#include <cmocka.h>
}
#include "gpu/cuda_separable.cuh"

namespace
{

uint64_t seed = 20261127;

int pick(int least, int most)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return least + (int)((seed >> 33) % (uint64_t)(most - least + 1));
}

int up(int value, int to)
{
    return (value + to - 1) / to * to;
}

// An image or weights of [rows][pitch] with numbers up to `channels` and zeros behind; or NaN everywhere.
struct halfs {
    size_t count;
    std::unique_ptr<sp_half8[]> at;
    halfs(size_t rows, int pitch) : count(rows * (size_t)pitch), at(new sp_half8[count / 8])
    {
        memset((void *)at.get(), 0xff, count * 2);
    }
    halfs(size_t rows, int pitch, int channels) : halfs(rows, pitch)
    {
        for (size_t i = 0; i < count; i++)
            data()[i] = sp_round((int)(i % (size_t)pitch) < channels ? (float)pick(-1000, 1000) / 1000 : 0);
    }
    sp_half *data()
    {
        return &at[0].at[0];
    }
};

struct floats {
    std::unique_ptr<float[]> at;
    explicit floats(int count) : at(new float[(size_t)count])
    {
        for (int i = 0; i < count; i++)
            at[(size_t)i] = (float)pick(-1000, 1000) / 1000;
    }
};

struct shape {
    int n, channels, h, w, oc, kernel, stride, dilation, pad;
    sp_act_kind depth_act, point_act;
    bool residual;
};

struct problem {
    int pitch, out_pitch, oh, ow, k;
    halfs x, filters, between, weights, residual, apart, together;
    floats depth_bias, depth_slope, point_bias, point_slope;
    sp_cuda_separable args = {};

    explicit problem(const shape &s)
        : pitch(up(s.channels, 8)), out_pitch(up(s.oc, 8)),
          oh((s.h + 2 * s.pad - (s.kernel - 1) * s.dilation - 1) / s.stride + 1),
          ow((s.w + 2 * s.pad - (s.kernel - 1) * s.dilation - 1) / s.stride + 1), k(up(pitch, SP_CUDA_CONV_K)),
          x((size_t)s.n * s.h * s.w, pitch, s.channels), filters((size_t)s.kernel * s.kernel, pitch, s.channels),
          between((size_t)s.n * oh * ow, pitch), weights((size_t)up(out_pitch, SP_CUDA_CONV_OC), k, s.channels),
          residual((size_t)s.n * oh * ow, out_pitch, s.oc), apart((size_t)s.n * oh * ow, out_pitch),
          together((size_t)s.n * oh * ow, out_pitch), depth_bias(pitch), depth_slope(pitch), point_bias(out_pitch),
          point_slope(out_pitch)
    {
        sp_cuda_depthwise &depth = args.depth;
        depth.x = x.data(), depth.weights = filters.data(), depth.bias = depth_bias.at.get();
        depth.act = {s.depth_act, -0.5f, 0.5f, depth_slope.at.get()};
        depth.n = s.n, depth.h = s.h, depth.w = s.w, depth.pitch = pitch, depth.channels = s.channels;
        depth.oh = oh, depth.ow = ow;
        sp_cuda_conv &point = args.point;
        point.weights = weights.data(), point.bias = point_bias.at.get(), point.column_classes = 1;
        point.residual = s.residual ? residual.data() : nullptr;
        point.out = together.data();
        point.act = {s.point_act, -0.5f, 0.5f, point_slope.at.get()};
        point.n = s.n, point.h = point.oh = oh, point.w = point.ow = ow, point.pitch = pitch;
        point.oc = s.oc, point.out_pitch = out_pitch, point.k_padded = k;
        for (int i = 0; i < 2; i++) {
            depth.kernel[i] = s.kernel, depth.stride[i] = s.stride, depth.dilation[i] = s.dilation;
            depth.pad[i] = s.pad;
            point.kernel[i] = point.stride[i] = point.dilation[i] = 1;
        }
    }

    void run_apart()
    {
        sp_cuda_depthwise depth = args.depth;
        sp_cuda_conv point = args.point;
        depth.out = between.data();
        point.x = between.data();
        point.out = apart.data();
        point.tile = SP_TILE_64X64;
        assert_int_equal(SP_LAUNCHER(depthwise)(nullptr, &depth), 0);
        assert_int_equal(SP_LAUNCHER(conv)(nullptr, &point), 0);
    }
};

void check(const shape &s, const char *name)
{
    problem p(s);
    p.run_apart();
    for (int tile = SP_TILE_128X128; tile < SP_TILE_COUNT; tile++) {
        memset((void *)p.together.at.get(), 0xff, p.together.count * 2);
        p.args.point.tile = (sp_cuda_tile)tile;
        assert_int_equal(SP_LAUNCHER(separable)(nullptr, &p.args), 0);
        for (size_t i = 0; i < p.together.count; i++)
            if (p.together.data()[i].bits != p.apart.data()[i].bits)
                fail_msg("%s, tile %d: number %zu is %g, apart it is %g", name, tile, i,
                         (double)sp_float(p.together.data()[i]), (double)sp_float(p.apart.data()[i]));
    }
}

void as_nets_have_them(void **)
{
    check({2, 32, 13, 11, 64, 3, 1, 1, 1, SP_ACT_RELU, SP_ACT_RELU, false}, "3x3");
    check({1, 64, 14, 14, 128, 3, 2, 1, 1, SP_ACT_PRELU, SP_ACT_NONE, false}, "3x3 s2, prelu");
    check({3, 96, 7, 7, 40, 3, 1, 1, 1, SP_ACT_PRELU, SP_ACT_NONE, true}, "add");
    check({1, 16, 20, 20, 8, 3, 1, 1, 1, SP_ACT_NONE, SP_ACT_SIGMOID, false}, "few channels");
}

void edges(void **)
{
    check({1, 8, 1, 1, 8, 3, 1, 1, 1, SP_ACT_NONE, SP_ACT_NONE, false}, "one pixel");
    check({5, 13, 7, 7, 17, 3, 1, 1, 1, SP_ACT_RELU, SP_ACT_CLIP, false}, "odd channels");
    check({1, 40, 5, 9, 136, 3, 1, 1, 0, SP_ACT_NONE, SP_ACT_NONE, false}, "no padding, 136 out");
    check({2, 24, 9, 6, 13, 5, 2, 1, 2, SP_ACT_CLIP, SP_ACT_LEAKY, true}, "5x5 s2");
    check({1, 8, 9, 9, 8, 3, 1, 2, 2, SP_ACT_NONE, SP_ACT_NONE, false}, "dilated");
    check({1, 8, 4, 5, 8, 1, 1, 1, 0, SP_ACT_ABS, SP_ACT_NONE, false}, "1x1");
    /* An activation that makes something of 0: nothing of it may come out of the lanes past the channels. */
    check({1, 3, 6, 5, 3, 3, 1, 1, 1, SP_ACT_SIGMOID, SP_ACT_EXP, false}, "three channels");
}

void random_shapes(void **)
{
    for (int round = 0; round < 12; round++) {
        int kernel = pick(1, 4);
        shape s = {pick(1, 3),
                   pick(1, 70),
                   pick(4, 12),
                   pick(4, 12),
                   pick(1, 140),
                   kernel,
                   pick(1, 2),
                   1,
                   pick(0, kernel - 1),
                   pick(0, 1) ? SP_ACT_RELU : SP_ACT_NONE,
                   pick(0, 1) ? SP_ACT_PRELU : SP_ACT_NONE,
                   pick(0, 1) == 1};
        check(s, "random");
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_nets_have_them),
        cmocka_unit_test(edges),
        cmocka_unit_test(random_shapes),
    };
    return cmocka_run_group_tests_name("depthwise and pointwise in one", tests, nullptr, nullptr);
}
