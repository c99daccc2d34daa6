// A depthwise and a pointwise convolution in one kernel, every tile, against the same two apart: the same bits,
// since both round in the same places (a device may add in another order, which moves a few by one step). One
// source for a device
// (`cuda_separable`) and for the emulation (`emulated_separable`); fp16, then bf16.
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
extern "C" {
#include <cmocka.h>
}
#include "tests/ops/half_numbers.h"
#include "tests/ops/on_device.h"

namespace
{

struct shape {
    int n, channels, h, w, oc, kernel, stride, dilation, pad;
    sp_act_kind depth_act, point_act;
    bool residual;
};

struct problem {
    int pitch, out_pitch, oh, ow, k;
    size_t pixels;
    on_device<uint16_t> x, filters, between, weights, residual, apart;
    on_device<float> depth_bias, depth_slope, point_bias, point_slope;
    sp_cuda_separable args = {};

    explicit problem(const shape &s)
        : pitch(up(s.channels, 8)), out_pitch(up(s.oc, 8)),
          oh((s.h + 2 * s.pad - (s.kernel - 1) * s.dilation - 1) / s.stride + 1),
          ow((s.w + 2 * s.pad - (s.kernel - 1) * s.dilation - 1) / s.stride + 1), k(up(pitch, SP_CUDA_CONV_K)),
          pixels((size_t)s.n * oh * ow), x(halfs((size_t)s.n * s.h * s.w, pitch, s.channels)),
          filters(halfs((size_t)s.kernel * s.kernel, pitch, s.channels)),
          between(on_device<uint16_t>::fresh(pixels * pitch)),
          weights(halfs((size_t)up(out_pitch, SP_CUDA_CONV_OC), k, s.channels)),
          residual(halfs(pixels, out_pitch, s.oc)), apart(on_device<uint16_t>::fresh(pixels * out_pitch)),
          depth_bias(floats(pitch)), depth_slope(floats(pitch)), point_bias(floats(out_pitch)),
          point_slope(floats(out_pitch))
    {
        sp_cuda_depthwise &depth = args.depth;
        depth.x = x.at(), depth.weights = filters.at(), depth.bias = depth_bias.at();
        depth.act = {s.depth_act, -0.5f, 0.5f, depth_slope.at()};
        depth.n = s.n, depth.h = s.h, depth.w = s.w, depth.pitch = pitch, depth.channels = s.channels;
        depth.oh = oh, depth.ow = ow;
        sp_cuda_conv &point = args.point;
        point.weights = weights.at(), point.bias = point_bias.at(), point.column_classes = 1;
        point.residual = s.residual ? residual.at() : nullptr;
        point.act = {s.point_act, -0.5f, 0.5f, point_slope.at()};
        point.n = s.n, point.h = point.oh = oh, point.w = point.ow = ow, point.pitch = pitch;
        point.oc = s.oc, point.out_pitch = out_pitch, point.k_padded = k;
        for (int i = 0; i < 2; i++) {
            depth.kernel[i] = s.kernel, depth.stride[i] = s.stride, depth.dilation[i] = s.dilation;
            depth.pad[i] = s.pad;
            point.kernel[i] = point.stride[i] = point.dilation[i] = 1;
        }
    }

    std::vector<uint16_t> run_apart() const
    {
        sp_cuda_depthwise depth = args.depth;
        sp_cuda_conv point = args.point;
        depth.out = between.at();
        point.x = between.at();
        point.out = apart.at();
        point.tile = SP_TILE_64X64;
        assert_int_equal(sp_cuda_kernels_of(precision)->depthwise(device.native(), &depth), 0);
        assert_int_equal(sp_cuda_kernels_of(precision)->conv(device.native(), &point), 0);
        between.read(); // its guards
        return apart.read();
    }

    std::vector<uint16_t> run_together(sp_cuda_tile tile) const
    {
        on_device<uint16_t> out = on_device<uint16_t>::fresh(pixels * out_pitch);
        sp_cuda_separable both = args;
        both.point.out = out.at();
        both.point.tile = tile;
        assert_int_equal(sp_cuda_kernels_of(precision)->separable(device.native(), &both), 0);
        return out.read();
    }
};

bool same(uint16_t a, uint16_t b)
{
    float step = std::fabs(value(a)) / (precision == SP_PRECISION_BF16 ? 128 : 1024) + 1e-4f;
    return a == b || (!device.emulated && std::fabs(value(a) - value(b)) <= step);
}

void check(const shape &s, const char *name)
{
    problem p(s);
    std::vector<uint16_t> apart = p.run_apart();
    for (int tile = SP_TILE_128X128; tile <= SP_TILE_64X32; tile++) {
        std::vector<uint16_t> together = p.run_together((sp_cuda_tile)tile);
        for (size_t i = 0; i < together.size(); i++)
            if (!same(together[i], apart[i]))
                fail_msg("%s, tile %d: number %zu is %g, apart it is %g", name, tile, i, (double)value(together[i]),
                         (double)value(apart[i]));
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

int main(int argc, char **argv)
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(as_nets_have_them),
        cmocka_unit_test(edges),
        cmocka_unit_test(random_shapes),
    };
    int failed = open_device(argc, argv);
    if (failed >= 0)
        return failed;
    RUN_IN_BOTH(failed, "depthwise and pointwise in one", tests);
    close_device();
    return failed;
}
