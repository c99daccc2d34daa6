/* The reference itself: convolution, pooling and product written a second time, element by element in double, and
 * the graph rules it has to keep (fusion and folding change nothing). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/ops/compare.h"

#define SEED  7
#define BATCH 2

/* Run a maker's model on the reference; rows are made for input 0. Outputs are copied; caller frees. */
static float *run_reference(struct onnx_maker *maker, const float *rows, struct sp_tensor_info *ret_info)
{
    struct sp_engine *engine = compare_engine(SP_BACKEND_REF);
    struct sp_net_config config = {.max_batch = BATCH};
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    size_t length, count = 1;
    const float *out[SP_NET_MAX_PORTS];
    uint8_t *bytes = onnx_maker_pack(maker, &length);
    if (sp_net_load_memory(&net, engine, bytes, length, "reference", &config, &err) ||
        sp_net_run(net, BATCH, &rows, out, &err))
        fail_msg("%s", err.text);
    *ret_info = *sp_net_output(net, 0);
    for (int i = 0; i < ret_info->rank; i++)
        count *= (size_t)ret_info->dims[i];
    float *copy = malloc(count * sizeof *copy);
    memcpy(copy, out[0], count * sizeof *copy);
    sp_net_free(&net);
    sp_engine_free(&engine);
    free(bytes);
    return copy;
}

struct geometry {
    int c, h, w, oc, group, kernel[2], stride[2], dilation[2], pads[4];
};

static double pixel(const float *x, const struct geometry *g, int n, int c, int y, int i)
{
    bool inside = y >= 0 && y < g->h && i >= 0 && i < g->w;
    return inside ? x[((n * g->c + c) * g->h + y) * g->w + i] : 0;
}

static double conv_at(const struct geometry *g, const float *x, const float *w, const float *b, int n, int oc,
                      int oy, int ox)
{
    int per_in = g->c / g->group, per_out = g->oc / g->group;
    double sum = b[oc];
    for (int ic = 0; ic < per_in; ic++)
        for (int ky = 0; ky < g->kernel[0]; ky++)
            for (int kx = 0; kx < g->kernel[1]; kx++)
                sum +=
                    pixel(x, g, n, oc / per_out * per_in + ic, oy * g->stride[0] + ky * g->dilation[0] - g->pads[0],
                          ox * g->stride[1] + kx * g->dilation[1] - g->pads[1]) *
                    w[((oc * per_in + ic) * g->kernel[0] + ky) * g->kernel[1] + kx];
    return sum;
}

static void convolution_is_its_definition(void **state)
{
    static const struct geometry cases[] = {
        {3, 9, 7, 4, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
        {4, 8, 11, 4, 4, {3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}},
        {6, 10, 5, 4, 2, {1, 5}, {1, 2}, {1, 1}, {0, 2, 0, 1}},
        {2, 12, 12, 3, 1, {3, 2}, {1, 1}, {2, 3}, {2, 0, 1, 4}},
        {1, 7, 7, 1, 1, {7, 7}, {1, 1}, {1, 1}, {0, 0, 0, 0}},
        {5, 6, 6, 10, 5, {5, 5}, {3, 1}, {1, 1}, {2, 2, 2, 2}},
    };
    struct random random = {SEED};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct geometry *g = &cases[i];
        float x[BATCH * 1000], w[1000], b[16];
        struct onnx_maker *maker = onnx_maker_new(11);
        struct sp_tensor_info info;
        random_fill(&random, x, sizeof x / sizeof x[0]);
        random_fill(&random, w, sizeof w / sizeof w[0]);
        random_fill(&random, b, sizeof b / sizeof b[0]);
        onnx_maker_input(maker, "x", 4, (int64_t[]){0, g->c, g->h, g->w});
        onnx_maker_output(maker, "y");
        onnx_maker_floats(maker, "w", 4, (int64_t[]){g->oc, g->c / g->group, g->kernel[0], g->kernel[1]}, w);
        onnx_maker_floats(maker, "b", 1, (int64_t[]){g->oc}, b);
        onnx_maker_node(maker, "Conv", "x w b", "y");
        onnx_maker_int(maker, "group", g->group);
        onnx_maker_list(maker, "strides", 2, (int64_t[]){g->stride[0], g->stride[1]});
        onnx_maker_list(maker, "dilations", 2, (int64_t[]){g->dilation[0], g->dilation[1]});
        onnx_maker_list(maker, "pads", 4, (int64_t[]){g->pads[0], g->pads[1], g->pads[2], g->pads[3]});
        float *y = run_reference(maker, x, &info);
        int oh = (g->h + g->pads[0] + g->pads[2] - (g->kernel[0] - 1) * g->dilation[0] - 1) / g->stride[0] + 1;
        int ow = (g->w + g->pads[1] + g->pads[3] - (g->kernel[1] - 1) * g->dilation[1] - 1) / g->stride[1] + 1;
        assert_int_equal(info.dims[2], oh);
        assert_int_equal(info.dims[3], ow);
        for (int at = 0; at < BATCH * g->oc * oh * ow; at++) {
            double expected =
                conv_at(g, x, w, b, at / (g->oc * oh * ow), at / (oh * ow) % g->oc, at / ow % oh, at % ow);
            if (!(fabs(y[at] - expected) < 1e-5))
                fail_msg("case %zu element %d: %g, expected %g; seed %d", i, at, (double)y[at], expected, SEED);
        }
        free(y);
        onnx_maker_free(&maker);
    }
}

/* Known values, worked out by hand after the ONNX specification (its ceil mode and counting rules are easily got
 * wrong). */
static void pool_of(const char *op, int64_t ceiling, int64_t counting, const int64_t *pads, const float *expected,
                    int count)
{
    /* 1 2 3 / 4 5 6 / 7 8 9, window 2x2, stride 2 */
    float x[BATCH * 9];
    for (int i = 0; i < BATCH * 9; i++)
        x[i] = (float)(i % 9 + 1);
    struct onnx_maker *maker = onnx_maker_new(11);
    struct sp_tensor_info info;
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 1, 3, 3});
    onnx_maker_output(maker, "y");
    onnx_maker_node(maker, op, "x", "y");
    onnx_maker_list(maker, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_maker_list(maker, "strides", 2, (int64_t[]){2, 2});
    onnx_maker_list(maker, "pads", 4, pads);
    onnx_maker_int(maker, "ceil_mode", ceiling);
    if (counting >= 0)
        onnx_maker_int(maker, "count_include_pad", counting);
    float *y = run_reference(maker, x, &info);
    assert_int_equal(info.dims[2] * info.dims[3], count);
    for (int i = 0; i < BATCH * count; i++)
        if (!(fabsf(y[i] - expected[i % count]) < 1e-6f))
            fail_msg("%s ceil %d counting %d element %d: %g, expected %g", op, (int)ceiling, (int)counting, i,
                     (double)y[i], (double)expected[i % count]);
    free(y);
    onnx_maker_free(&maker);
}

static void pools_are_their_definitions(void **state)
{
    const int64_t none[] = {0, 0, 0, 0}, after[] = {0, 0, 1, 1}, before[] = {1, 1, 0, 0};
    (void)state;
    pool_of("MaxPool", 0, -1, none, (float[]){5}, 1);
    pool_of("MaxPool", 1, -1, none, (float[]){5, 6, 8, 9}, 4);
    pool_of("MaxPool", 0, -1, before, (float[]){1, 3, 7, 9}, 4);
    pool_of("AveragePool", 1, 0, none, (float[]){3, 4.5f, 7.5f, 9}, 4);
    pool_of("AveragePool", 1, 1, none, (float[]){3, 4.5f, 7.5f, 9}, 4);
    pool_of("AveragePool", 0, 0, after, (float[]){3, 4.5f, 7.5f, 9}, 4);
    pool_of("AveragePool", 0, 1, after, (float[]){3, 2.25f, 3.75f, 2.25f}, 4);
}

static void products_and_moves_are_exact(void **state)
{
    float x[BATCH * 6] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, m[] = {1, 0, 2, 1, 0, 3};
    struct onnx_maker *maker = onnx_maker_new(13);
    struct sp_tensor_info info;
    (void)state;
    onnx_maker_input(maker, "x", 3, (int64_t[]){1, 2, 3});
    onnx_maker_output(maker, "y");
    onnx_maker_floats(maker, "m", 2, (int64_t[]){3, 2}, m);
    onnx_maker_node(maker, "MatMul", "x m", "p"); /* [1 2 3] -> [1+4, 2+9] */
    onnx_maker_node(maker, "Transpose", "p", "t");
    onnx_maker_list(maker, "perm", 3, (int64_t[]){0, 2, 1});
    onnx_maker_ints(maker, "ones", 1, (int64_t[]){2}, (int64_t[]){0, 4});
    onnx_maker_node(maker, "Reshape", "t ones", "y");
    float *y = run_reference(maker, x, &info);
    const float expected[] = {5, 14, 11, 23, 23, 32, 35, 47};
    assert_int_equal(info.rank, 2);
    assert_int_equal(info.dims[0], BATCH);
    assert_memory_equal(y, expected, sizeof expected);
    free(y);
    onnx_maker_free(&maker);
}

/* The same convolution, batch norm, addition and activation, once fused and once kept apart by further outputs. */
static void fusion_changes_nothing(void **state)
{
    struct random random = {SEED};
    float *results[2], x[BATCH * 3 * 36], w[3 * 3 * 9], four[12];
    struct sp_tensor_info info;
    (void)state;
    random_fill(&random, x, sizeof x / sizeof x[0]);
    random_fill(&random, w, sizeof w / sizeof w[0]);
    for (int i = 0; i < 12; i++)
        four[i] = 0.5f + (float)i / 8;
    for (int apart = 0; apart < 2; apart++) {
        struct onnx_maker *maker = onnx_maker_new(9);
        onnx_maker_input(maker, "x", 4, (int64_t[]){0, 3, 6, 6});
        onnx_maker_output(maker, "y");
        for (int i = 0; i < 3 && apart; i++)
            onnx_maker_output(maker, (const char *[]){"c", "n", "a"}[i]);
        onnx_maker_floats(maker, "w", 4, (int64_t[]){3, 3, 3, 3}, w);
        for (int i = 0; i < 4; i++)
            onnx_maker_floats(maker, (const char *[]){"s", "b", "m", "v"}[i], 1, (int64_t[]){3}, four + 3 * i);
        onnx_maker_node(maker, "Conv", "x w", "c");
        onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
        onnx_maker_node(maker, "BatchNormalization", "c s b m v", "n");
        onnx_maker_node(maker, "Add", "x n", "a");
        onnx_maker_node(maker, "Relu", "a", "y");
        results[apart] = run_reference(maker, x, &info);
        onnx_maker_free(&maker);
    }
    double distance = compare_arrays(results[0], results[1], sizeof x / sizeof x[0]);
    if (!(distance < 1e-6))
        fail_msg("fused and unfused differ by %g", distance);
    free(results[0]);
    free(results[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_is_its_definition),
        cmocka_unit_test(pools_are_their_definitions),
        cmocka_unit_test(products_and_moves_are_exact),
        cmocka_unit_test(fusion_changes_nothing),
    };
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
