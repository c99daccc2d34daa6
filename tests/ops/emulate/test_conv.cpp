// The implicit product's kernel, every tile, against sums in double: borders, tails of tiles, C = 3, and one
// rounding. Compiled for fp16 and for bf16. Memory ends where the tensors end, so AddressSanitizer sees every stray
// access; outputs begin as NaN.
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>
extern "C" {
#include <cmocka.h>
}
#include "gpu/cuda_conv.cuh"

namespace
{

constexpr int fraction = SP_IF_BF16(7, 10);   // bits behind the first
constexpr int lowest = SP_IF_BF16(-126, -14); // exponent, above the subnormals

uint64_t seed = 20261122;

int pick(int least, int most)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return least + (int)((seed >> 33) % (uint64_t)(most - least + 1));
}

float number()
{
    return (float)pick(-1000, 1000) / 1000;
}

// 16-bit floats in memory of exactly their size, aligned to 16.
struct halfs {
    std::unique_ptr<sp_half8[]> at;
    explicit halfs(size_t count) : at(new sp_half8[count / 8])
    {
        memset((void *)at.get(), 0xff, count * 2);
    }
    sp_half *data()
    {
        return &at[0].at[0];
    }
    float operator[](size_t i) const
    {
        return sp_float(at[i / 8].at[i % 8]);
    }
};

struct shape {
    int n, ic, h, w, oc, kernel[2], stride[2], dilation[2], pad[2], pad_end[2];
    sp_act_kind act;
    bool residual, border;
};

struct problem {
    shape s;
    int pitch, out_pitch, oh, ow, k;
    halfs x, weights, residual, out;
    std::vector<float> bias, slope;
    std::vector<int> row_class, column_class;
    sp_cuda_conv args = {};

    static int up(int value, int to)
    {
        return (value + to - 1) / to * to;
    }
    static int extent(const shape &s, int side, int in)
    {
        return (in + s.pad[side] + s.pad_end[side] - (s.kernel[side] - 1) * s.dilation[side] - 1) / s.stride[side] +
               1;
    }

    explicit problem(const shape &given)
        : s(given), pitch(up(s.ic, 8)), out_pitch(up(s.oc, 8)), oh(extent(s, 0, s.h)), ow(extent(s, 1, s.w)),
          k(up(s.kernel[0] * s.kernel[1] * pitch, SP_CUDA_CONV_K)), x((size_t)s.n * s.h * s.w * pitch),
          weights((size_t)up(out_pitch, SP_CUDA_CONV_OC) * k), residual((size_t)s.n * oh * ow * out_pitch),
          out((size_t)s.n * oh * ow * out_pitch), bias((size_t)out_pitch * (s.border ? 6 : 1)),
          slope((size_t)out_pitch)
    {
        for (size_t i = 0; i < (size_t)s.n * s.h * s.w * pitch; i++)
            x.data()[i] = sp_round((int)(i % pitch) < s.ic ? number() : 0);
        memset((void *)weights.data(), 0, (size_t)up(out_pitch, SP_CUDA_CONV_OC) * k * 2);
        for (int o = 0; o < s.oc; o++)
            for (int i = 0; i < s.kernel[0] * s.kernel[1] * pitch; i++)
                weights.data()[(size_t)o * k + i] = sp_round(i % pitch < s.ic ? number() : 0);
        for (size_t i = 0; i < (size_t)s.n * oh * ow * out_pitch; i++)
            residual.data()[i] = sp_round((int)(i % out_pitch) < s.oc ? 64 * number() : 0);
        for (auto &each : bias)
            each = number();
        for (auto &each : slope)
            each = number();
        for (int y = 0; s.border && y < oh; y++)
            row_class.push_back(y % 3);
        for (int c = 0; s.border && c < ow; c++)
            column_class.push_back(c % 2);
        args.x = x.data();
        args.weights = weights.data();
        args.bias = bias.data();
        args.row_class = s.border ? row_class.data() : nullptr;
        args.column_class = s.border ? column_class.data() : nullptr;
        args.column_classes = s.border ? 2 : 1;
        args.residual = s.residual ? residual.data() : nullptr;
        args.out = out.data();
        args.act = {s.act, s.act == SP_ACT_CLIP ? -0.5f : 0.1f, 0.5f, slope.data()};
        args.n = s.n, args.h = s.h, args.w = s.w, args.pitch = pitch;
        args.oh = oh, args.ow = ow, args.oc = s.oc, args.out_pitch = out_pitch, args.k_padded = k;
        memcpy(args.kernel, s.kernel, sizeof s.kernel);
        memcpy(args.stride, s.stride, sizeof s.stride);
        memcpy(args.dilation, s.dilation, sizeof s.dilation);
        memcpy(args.pad, s.pad, sizeof s.pad);
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
                    sum += (double)x[((size_t)(n * s.h + iy) * s.w + ix) * pitch + i] *
                           weights[(size_t)o * k + (ky * s.kernel[1] + kx) * pitch + i];
                }
        int row = s.border ? row_class[(size_t)y] * 2 + column_class[(size_t)c] : 0;
        sum += bias[(size_t)row * out_pitch + o];
        if (s.residual)
            sum += residual[(((size_t)n * oh + y) * ow + c) * out_pitch + o];
        return sp_act_of(args.act, slope[(size_t)o], (float)sum);
    }

    // One rounding: within half a step of the 16-bit floats there, and what float sums of this size may be off.
    void check(const char *name)
    {
        for (int n = 0; n < s.n; n++)
            for (int y = 0; y < oh; y++)
                for (int c = 0; c < ow; c++)
                    for (int o = 0; o < out_pitch; o++) {
                        float got = out[(((size_t)n * oh + y) * ow + c) * out_pitch + o];
                        double want = o < s.oc ? expected(n, y, c, o) : 0;
                        double step =
                            std::ldexp(1.0, std::max(std::ilogb(std::fabs(want) + 1e-7), lowest) - fraction);
                        if (!(std::fabs(got - want) <= 0.5 * step + 2e-5))
                            fail_msg("%s: n %d y %d x %d channel %d is %g, expected %g", name, n, y, c, o, got,
                                     want);
                    }
    }
};

void run_all_tiles(const shape &s, const char *name)
{
    for (int tile = 0; tile < SP_TILE_COUNT; tile++) {
        char text[128];
        problem p(s);
        snprintf(text, sizeof text, "%s, tile %d", name, tile);
        p.args.tile = (sp_cuda_tile)tile;
        assert_int_equal(SP_LAUNCHER(conv)(nullptr, &p.args), 0);
        p.check(text);
    }
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
        problem p(s);
        p.args.tile = (sp_cuda_tile)(round % SP_TILE_COUNT);
        assert_int_equal(SP_LAUNCHER(conv)(nullptr, &p.args), 0);
        p.check(name);
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders),       cmocka_unit_test(three_channels),
        cmocka_unit_test(tails),         cmocka_unit_test(residuals_are_rounded_once),
        cmocka_unit_test(random_shapes),
    };
    return cmocka_run_group_tests_name("implicit product", tests, nullptr, nullptr);
}
