// The implicit product's kernels, every tile, against sums in double: borders, tails of tiles, C = 3, and one
// rounding. One source for a device (`cuda_conv`) and for the emulation (`emulated_conv`); fp16, then bf16.
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
    int n, ic, h, w, oc, kernel[2], stride[2], dilation[2], pad[2], pad_end[2];
    sp_act_kind act;
    bool residual, border;
};

struct problem {
    shape s;
    int pitch, out_pitch, oh, ow, k;
    std::vector<uint16_t> x, weights, residual;
    std::vector<float> bias, slope;
    std::vector<int> row_class, column_class;
    sp_cuda_act act;

    static int extent(const shape &s, int side, int in)
    {
        return (in + s.pad[side] + s.pad_end[side] - (s.kernel[side] - 1) * s.dilation[side] - 1) / s.stride[side] +
               1;
    }

    explicit problem(const shape &given)
        : s(given), pitch(up(s.ic, 8)), out_pitch(up(s.oc, 8)), oh(extent(s, 0, s.h)), ow(extent(s, 1, s.w)),
          k(up(s.kernel[0] * s.kernel[1] * pitch, SP_CUDA_CONV_K)), x(halfs((size_t)s.n * s.h * s.w, pitch, s.ic)),
          weights((size_t)up(out_pitch, SP_CUDA_CONV_OC) * k), bias(floats(out_pitch * (s.border ? 6 : 1))),
          slope(floats(out_pitch))
    {
        for (int o = 0; o < s.oc; o++)
            for (int i = 0; i < s.kernel[0] * s.kernel[1] * pitch; i++)
                weights[(size_t)o * k + i] = half(i % pitch < s.ic ? number() : 0);
        if (s.residual)
            residual = halfs((size_t)s.n * oh * ow, out_pitch, s.oc, 64);
        for (int y = 0; s.border && y < oh; y++)
            row_class.push_back(y % 3);
        for (int c = 0; s.border && c < ow; c++)
            column_class.push_back(c % 2);
        act = {s.act, s.act == SP_ACT_CLIP ? -0.5f : 0.1f, 0.5f, nullptr};
    }

    double activated(int o, double v) const
    {
        switch (s.act) {
        case SP_ACT_RELU:
            return v > 0 ? v : 0;
        case SP_ACT_PRELU:
            return v < 0 ? slope[(size_t)o] * v : v;
        case SP_ACT_LEAKY:
            return v < 0 ? (double)act.a * v : v;
        case SP_ACT_CLIP:
            return v < act.a ? act.a : v > act.b ? act.b : v;
        case SP_ACT_SIGMOID:
            return 1 / (1 + std::exp(-v));
        default:
            return v;
        }
    }

    double expected(int n, int y, int c, int o) const
    {
        double sum = 0;
        for (int ky = 0; ky < s.kernel[0]; ky++)
            for (int kx = 0; kx < s.kernel[1]; kx++)
                for (int i = 0; i < s.ic; i++) {
                    int iy = y * s.stride[0] - s.pad[0] + ky * s.dilation[0];
                    int ix = c * s.stride[1] - s.pad[1] + kx * s.dilation[1];
                    if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w)
                        continue;
                    sum += (double)value(x[((size_t)(n * s.h + iy) * s.w + ix) * pitch + i]) *
                           value(weights[(size_t)o * k + (ky * s.kernel[1] + kx) * pitch + i]);
                }
        int row = s.border ? row_class[(size_t)y] * 2 + column_class[(size_t)c] : 0;
        sum += bias[(size_t)row * out_pitch + o];
        if (s.residual)
            sum += value(residual[(((size_t)n * oh + y) * ow + c) * out_pitch + o]);
        return activated(o, sum);
    }

    std::vector<double> all_expected() const
    {
        std::vector<double> all;
        for (int n = 0; n < s.n; n++)
            for (int y = 0; y < oh; y++)
                for (int c = 0; c < ow; c++)
                    for (int o = 0; o < out_pitch; o++)
                        all.push_back(o < s.oc ? expected(n, y, c, o) : 0);
        return all;
    }

    // One rounding: within half a step of the 16-bit floats there, and what float sums of this size may be off
    // (a device's products keep fewer bits of the smaller terms).
    void run(const char *name, sp_cuda_tile tile, const std::vector<double> &wanted) const
    {
        on_device<uint16_t> on_x(x), on_weights(weights), on_residual(residual);
        on_device<uint16_t> out = on_device<uint16_t>::fresh((size_t)s.n * oh * ow * out_pitch);
        on_device<float> on_bias(bias), on_slope(slope);
        on_device<int> rows(row_class), columns(column_class);
        sp_cuda_conv args = {};
        args.x = on_x.at(), args.weights = on_weights.at(), args.bias = on_bias.at(), args.out = out.at();
        args.row_class = s.border ? rows.at() : nullptr;
        args.column_class = s.border ? columns.at() : nullptr;
        args.column_classes = s.border ? 2 : 1;
        args.residual = s.residual ? on_residual.at() : nullptr;
        args.act = act;
        args.act.slope = on_slope.at();
        args.n = s.n, args.h = s.h, args.w = s.w, args.pitch = pitch;
        args.oh = oh, args.ow = ow, args.oc = s.oc, args.out_pitch = out_pitch, args.k_padded = k;
        memcpy(args.kernel, s.kernel, sizeof s.kernel);
        memcpy(args.stride, s.stride, sizeof s.stride);
        memcpy(args.dilation, s.dilation, sizeof s.dilation);
        memcpy(args.pad, s.pad, sizeof s.pad);
        args.tile = tile;
        assert_int_equal(sp_cuda_kernels_of(precision)->conv(device.native(), &args), 0);
        std::vector<uint16_t> made = out.read();
        int digits = precision == SP_PRECISION_BF16 ? 7 : 10, least = precision == SP_PRECISION_BF16 ? -126 : -14;
        for (size_t i = 0; i < made.size(); i++) {
            double want = wanted[i], got = value(made[i]);
            double step = std::ldexp(1.0, std::max(std::ilogb(std::fabs(want) + 1e-30), least) - digits);
            if (!(std::fabs(got - want) <= 0.5 * step + (device.emulated ? 2e-5 : 2e-4)))
                fail_msg("%s, tile %d: number %zu is %g, expected %g", name, (int)tile, i, got, want);
        }
        on_x.read(); // their guards
        on_weights.read();
    }
};

bool exists(int tile)
{
    return tile < SP_TILE_WGMMA_128X256 || sp_cuda_facts(device.cuda)->wgmma;
}

void run_all_tiles(const shape &s, const char *name)
{
    problem p(s);
    std::vector<double> wanted = p.all_expected();
    for (int tile = 0; tile < SP_TILE_COUNT; tile++)
        if (exists(tile))
            p.run(name, (sp_cuda_tile)tile, wanted);
}

void borders(void **)
{
    run_all_tiles({2, 16, 7, 5, 24, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_NONE, false, true}, "3x3");
    run_all_tiles({1, 8, 6, 9, 8, {3, 3}, {2, 2}, {1, 1}, {0, 0}, {1, 1}, SP_ACT_RELU, false, false},
                  "3x3 s2 0011");
    run_all_tiles({1, 8, 5, 4, 8, {5, 3}, {1, 2}, {2, 1}, {4, 0}, {3, 2}, SP_ACT_NONE, false, true}, "dilated");
    run_all_tiles({1, 8, 1, 1, 8, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_NONE, false, false}, "one pixel");
}

void three_channels(void **)
{
    run_all_tiles({1, 3, 15, 13, 32, {7, 7}, {2, 2}, {1, 1}, {0, 0}, {0, 0}, SP_ACT_RELU, false, false},
                  "stem 7x7");
    run_all_tiles({2, 3, 9, 8, 16, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_PRELU, false, false}, "stem 3x3");
}

// The batch in the product's rows: items meet inside tiles, and the last tile is partly empty.
void tails(void **)
{
    run_all_tiles({5, 8, 7, 7, 40, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_NONE, false, false}, "245 rows");
    run_all_tiles({3, 24, 3, 5, 136, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_NONE, false, false}, "136 out");
    run_all_tiles({1, 40, 8, 16, 13, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, SP_ACT_SIGMOID, false, false},
                  "13 out");
    run_all_tiles({1, 72, 9, 9, 264, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, SP_ACT_NONE, false, false}, "264 out");
}

void residuals_are_rounded_once(void **)
{
    run_all_tiles({2, 32, 6, 7, 32, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_RELU, true, false}, "add, relu");
    run_all_tiles({2, 16, 6, 7, 17, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_PRELU, true, true},
                  "add, prelu");
    run_all_tiles({1, 16, 6, 7, 9, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, SP_ACT_CLIP, true, false}, "add, clip");
}

void random_shapes(void **)
{
    for (int round = 0; round < 8; round++) {
        shape s = {pick(1, 3),
                   pick(1, 20),
                   pick(3, 9),
                   pick(3, 9),
                   pick(1, 70),
                   {pick(1, 3), pick(1, 3)},
                   {pick(1, 2), pick(1, 2)},
                   {1, 1},
                   {0, 0},
                   {0, 0},
                   pick(0, 1) ? SP_ACT_NONE : SP_ACT_LEAKY,
                   pick(0, 1) == 1,
                   pick(0, 1) == 1};
        for (int i = 0; i < 2; i++) {
            s.pad[i] = pick(0, s.kernel[i] - 1);
            s.pad_end[i] = pick(0, s.kernel[i] - 1);
        }
        char name[64];
        snprintf(name, sizeof name, "random %d", round);
        run_all_tiles(s, name);
    }
}

} // namespace

int main(int argc, char **argv)
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(borders),       cmocka_unit_test(three_channels),
        cmocka_unit_test(tails),         cmocka_unit_test(residuals_are_rounded_once),
        cmocka_unit_test(random_shapes),
    };
    int failed = open_device(argc, argv);
    if (failed >= 0)
        return failed;
    RUN_IN_BOTH(failed, "implicit product", tests);
    close_device();
    return failed;
}
