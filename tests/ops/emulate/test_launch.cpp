// The emulated launch itself: that it computes what a device would, and that it catches what a device would not.
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>
extern "C" {
#include <cmocka.h>
}
#include "gpu/cuda_launch.cuh"
#include "tests/ops/emulate/order.h"

// Every 16-bit float is exact both ways, and a float between two of them goes to the nearer, or to the even one.
static void halves_round(void **)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = sp_half_value((uint16_t)bits);
        if (std::isnan(value))
            assert_true((sp_half_bits(value) & 0x7fff) > 0x7c00);
        else
            assert_int_equal(sp_half_bits(value), bits);
    }
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        double low = sp_half_value((uint16_t)bits),
               high = bits == 0x7bff ? 65536 : sp_half_value((uint16_t)(bits + 1));
        float middle = (float)((low + high) / 2);
        assert_int_equal(sp_half_bits(middle), bits + (bits & 1));
        assert_int_equal(sp_half_bits(std::nextafterf(middle, 0)), bits);
        assert_int_equal(sp_half_bits(std::nextafterf(middle, INFINITY)), bits + 1);
        assert_int_equal(sp_half_bits(-middle), 0x8000 | (bits + (bits & 1)));
    }
}

// The 16 bits of bf16 by their definition: sign, eight bits of exponent, seven of fraction.
static double bf16_by_definition(uint32_t bits)
{
    int exponent = (int)(bits >> 7 & 255), fraction = (int)(bits & 127);
    if (exponent == 255)
        return fraction ? NAN : bits >> 15 ? -INFINITY : INFINITY;
    double size = std::ldexp(exponent ? 128 + fraction : fraction, (exponent ? exponent : 1) - 127 - 7);
    return bits >> 15 ? -size : size;
}

// The nearest number that has seven bits behind its first, or is a multiple of the smallest subnormal; even in a
// tie.
static double bf16_nearest(float value)
{
    if (!std::isfinite(value) || value == 0)
        return value;
    double step = std::ldexp(1, std::max(std::ilogb(value), -126) - 7), near = std::nearbyint(value / step) * step;
    return std::fabs(near) < 0x1p128 ? near : std::copysign(INFINITY, near);
}

static void check_bf16(float value)
{
    float got = sp_bf16_value(sp_bf16_bits(value));
    double wanted = bf16_nearest(value);
    if (std::isnan(value) ? !std::isnan(got) : got != wanted || std::signbit(got) != std::signbit(value))
        fail_msg("%a became %a and not %a", value, got, wanted);
}

static void bf16s_round(void **)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        double wanted = bf16_by_definition(bits);
        float value = sp_bf16_value((uint16_t)bits);
        if (std::isnan(wanted)) {
            assert_true(std::isnan(value) && std::isnan(sp_bf16_value(sp_bf16_bits(value))));
            continue;
        }
        assert_true(value == wanted && std::signbit(value) == std::signbit(wanted));
        assert_int_equal(sp_bf16_bits(value), bits);
        // Between it and the next: ties, and either side of them.
        uint32_t middle = bits << 16 | 0x8000;
        for (uint32_t around = middle - 2; around <= middle + 2; around++) {
            float between;
            memcpy(&between, &around, sizeof between);
            check_bf16(between);
        }
    }
    uint32_t state = 1;
    for (int i = 0; i < 2000000; i++) {
        float value;
        state = state * 1664525u + 1013904223u;
        memcpy(&value, &state, sizeof value);
        check_bf16(value);
    }
    check_bf16(3.4028235e38f); // the largest float rounds to infinity
    check_bf16(0x1p-149f);
    uint32_t low_nan = 0x7f800001; // all that says NaN is in the half that is cut off
    float nan;
    memcpy(&nan, &low_nan, sizeof nan);
    check_bf16(nan);
}

struct sum_args {
    const float *in;
    float *out;
    bool skip_barrier;
};

// Block sums of 64: a shuffle tree per warp, then one number per warp through shared memory.
struct sum_kernel {
    using args = sum_args;
    static constexpr int threads = 64, shared = 8;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        float value = a.in[here.block * 64 + here.thread];
        for (int mask = 16; mask; mask /= 2)
            value += sp_shuffle_xor(here, value, mask);
        float *warps = (float *)(void *)here.shared;
        if (here.thread % 32 == 0)
            warps[here.thread / 32] = value;
        if (!a.skip_barrier)
            sp_barrier(here);
        if (here.thread == 63)
            a.out[here.block] = warps[0] + warps[1];
    }
};

static void shuffles_and_barriers_sum(void **)
{
    std::vector<float> in(64 * 5), out(5);
    for (size_t i = 0; i < in.size(); i++)
        in[i] = (float)(i % 17);
    sum_args args = {in.data(), out.data(), false};
    assert_int_equal(sp_launch<sum_kernel>(nullptr, 5, args), 0);
    for (int b = 0; b < 5; b++) {
        float sum = 0;
        for (int i = 0; i < 64; i++)
            sum += in[(size_t)(b * 64 + i)];
        assert_true(out[(size_t)b] == sum);
    }
    if (sp_order_watched()) // that would be a race: test_races.cpp has them
        return;
    // Without the barrier, thread 63 reads what nobody wrote, in one of the blocks at least.
    args.skip_barrier = true;
    std::vector<float> bad(5);
    args.out = bad.data();
    sp_launch<sum_kernel>(nullptr, 5, args);
    assert_true(memcmp(bad.data(), out.data(), 5 * sizeof(float)) != 0);
}

struct copy_args {
    const sp_half8 *in;
    sp_half8 *out;
    int defect; // 1: no wait
};

struct copy_kernel {
    using args = copy_args;
    static constexpr int threads = 32, shared = 32 * 16;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        sp_half *mine = (sp_half *)(void *)here.shared + here.thread * 8;
        sp_copy16(here, mine, a.in + here.thread, here.thread % 5 != 0);
        sp_copy_commit(here);
        if (a.defect != 1)
            sp_copy_wait<0>(here);
        sp_barrier(here);
        a.out[here.thread] = sp_load8((sp_half *)(void *)here.shared + (31 - here.thread) * 8);
        if (a.defect == 1)
            sp_copy_wait<0>(here);
    }
};

static void copies_arrive_at_their_wait(void **)
{
    std::vector<sp_half8> in(32), out(32);
    for (int i = 0; i < 32; i++)
        for (int j = 0; j < 8; j++)
            in[(size_t)i].at[j] = sp_round((float)(i * 8 + j + 1));
    copy_args args = {in.data(), out.data(), 0};
    sp_launch<copy_kernel>(nullptr, 1, args);
    for (int i = 0; i < 32; i++)
        for (int j = 0; j < 8; j++)
            assert_true(sp_float(out[(size_t)i].at[j]) == ((31 - i) % 5 ? (float)((31 - i) * 8 + j + 1) : 0));
    if (sp_order_watched())
        return;
    args.defect = 1;
    sp_launch<copy_kernel>(nullptr, 1, args);
    int unwritten = 0;
    for (const sp_half8 &each : out)
        unwritten += std::isnan(sp_float(each.at[0]));
    assert_true(unwritten > 0);
}

struct mma_args {
    const sp_half *a, *b; // [16][24], [16][24]
    float *d;             // [16][16]
};

struct mma_kernel {
    using args = mma_args;
    static constexpr int threads = 32, shared = 0;
    static constexpr bool together = true;
    static void run(const args &args, const sp_here &here)
    {
        sp_mma_a a[1];
        sp_mma_b b[2];
        sp_mma_d d[1][2] = {};
        sp_mma_load_a(here, a[0], args.a, 24);
        sp_mma_load_b(here, b[0], b[1], args.b, 24);
        sp_mma<1, 2>(here, d, a, b);
        for (int j = 0; j < 2; j++)
            for (int i = 0; i < 4; i++)
                args.d[sp_mma_row(here.thread, i) * 16 + j * 8 + sp_mma_column(here.thread, i)] = d[0][j].at[i];
    }
};

static void matrices_multiply(void **)
{
    std::vector<sp_half> a(16 * 24), b(16 * 24);
    std::vector<float> d(256);
    for (int i = 0; i < 16 * 24; i++) {
        a[(size_t)i] = sp_round((float)(i * 7 % 13 - 6));
        b[(size_t)i] = sp_round((float)(i * 5 % 11 - 5));
    }
    sp_launch<mma_kernel>(nullptr, 1, mma_args{a.data(), b.data(), d.data()});
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 16; column++) {
            float sum = 0;
            for (int k = 0; k < 16; k++)
                sum += sp_float(a[(size_t)(row * 24 + k)]) * sp_float(b[(size_t)(column * 24 + k)]);
            assert_true(d[(size_t)(row * 16 + column)] == sum);
        }
}

struct stuck_kernel {
    using args = int;
    static constexpr int threads = 64, shared = 0;
    static constexpr bool together = true;
    static void run(const args &last, const sp_here &here)
    {
        if (here.thread < last)
            sp_barrier(here);
        if (last == 64 || here.thread >= last)
            return;
        sp_barrier(here);
    }
};

static void a_barrier_not_all_reach_is_caught(void **)
{
    sp_launch<stuck_kernel>(nullptr, 1, 64);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        sp_launch<stuck_kernel>(nullptr, 1, 63);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_round),
        cmocka_unit_test(bf16s_round),
        cmocka_unit_test(shuffles_and_barriers_sum),
        cmocka_unit_test(copies_arrive_at_their_wait),
        cmocka_unit_test(matrices_multiply),
        cmocka_unit_test(a_barrier_not_all_reach_is_caught),
    };
    return cmocka_run_group_tests_name("emulated launch", tests, nullptr, nullptr);
}
