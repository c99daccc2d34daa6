/* Every op: the cpu backend against the reference, on random data, odd sizes, one item and many.
 *
 * To add an op: write a builder that adds nodes from "x" to "y", and a row in `cases` with its bounds.
 * `test_ops [cuda [bf16]] [SEED] [--skips-as-fails]`: cuda tests that backend, with nets in fp16 or in bf16, and is
 * a skip without a device unless skips are failures. The seed is printed first and with every failure.
 * $SALLYPORT_QUICK: two rounds of each op, for tools under which kernels are hundreds of times slower. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/ops/compare.h"

#define ROUNDS     6
#define MAX_BATCH  11 /* 8 + 2 + 1: every plan of the cpu backend takes part */
#define CUDA_BATCH 5  /* of graphs for 1, 2, 3, 4 and 5 items; they are emulated too, where each item counts */

struct build {
    struct onnx_maker *maker;
    struct random *random;
    int round;
    int c, h, w; /* of "x", chosen before the builder runs */
};

static uint64_t seed;
static enum sp_backend tested = SP_BACKEND_CPU;
static enum sp_precision precision = SP_PRECISION_FP16;

static void weights(struct build *b, const char *name, int rank, const int64_t *dims)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = malloc((count + 1) * sizeof *data);
    random_fill(b->random, data, count);
    onnx_maker_floats(b->maker, name, rank, dims, data);
    free(data);
}

static void vector(struct build *b, const char *name, int64_t count)
{
    weights(b, name, 1, &count);
}

static void ints(struct build *b, const char *name, int64_t count, const int64_t *values)
{
    onnx_maker_ints(b->maker, name, 1, &count, values);
}

/* A convolution from `in` to `out` with random geometry; channels of the result. */
static void conv(struct build *b, const char *in, const char *out, int ic, int oc, int group, int kernel,
                 int stride, const int64_t *pads)
{
    char w[32], bias[32], inputs[128];
    snprintf(w, sizeof w, "%s.w", out);
    snprintf(bias, sizeof bias, "%s.b", out);
    weights(b, w, 4, (int64_t[]){oc, ic / group, kernel, kernel});
    vector(b, bias, oc);
    snprintf(inputs, sizeof inputs, "%s %s %s", in, w, bias);
    onnx_maker_node(b->maker, "Conv", inputs, out);
    onnx_maker_list(b->maker, "kernel_shape", 2, (int64_t[]){kernel, kernel});
    onnx_maker_list(b->maker, "strides", 2, (int64_t[]){stride, stride});
    onnx_maker_list(b->maker, "pads", 4, pads);
    onnx_maker_int(b->maker, "group", group);
}

static void same(struct build *b, const char *in, const char *out, int ic, int oc, int group)
{
    conv(b, in, out, ic, oc, group, 3, 1, (int64_t[]){1, 1, 1, 1});
}

static void build_conv(struct build *b)
{
    static const int kernels[] = {1, 3, 5, 7}, outputs[] = {1, 13, 16, 32, 48, 17};
    int kernel = kernels[random_int(b->random, 0, 3)];
    int64_t pads[4];
    for (int i = 0; i < 4; i++)
        pads[i] = random_int(b->random, 0, kernel / 2);
    conv(b, "x", "y", b->c, outputs[random_int(b->random, 0, 5)], 1, kernel, random_int(b->random, 1, 2), pads);
}

static void build_conv_dilated(struct build *b)
{
    weights(b, "k", 4, (int64_t[]){9, b->c, 3, 2});
    onnx_maker_node(b->maker, "Conv", "x k", "y");
    onnx_maker_list(b->maker, "dilations", 2, (int64_t[]){2, 1});
    onnx_maker_string(b->maker, "auto_pad", b->round & 1 ? "SAME_UPPER" : "VALID");
}

static void build_depthwise(struct build *b)
{
    int kernel = b->round & 1 ? 3 : 5;
    conv(b, "x", "y", b->c, b->c, b->c, kernel, 1 + b->round % 2, (int64_t[]){0, 1, 2, kernel / 2});
}

static void build_grouped(struct build *b)
{
    same(b, "x", "t", b->c, 24, 1);
    conv(b, "t", "y", 24, 36, 4, 3, 1, (int64_t[]){0, 0, 1, 1});
}

static void build_conv_act(struct build *b)
{
    same(b, "x", "t", b->c, b->round & 1 ? 16 : 19, 1);
    switch (b->round % 6) {
    case 0:
        onnx_maker_node(b->maker, "Relu", "t", "y");
        break;
    case 1:
        onnx_maker_node(b->maker, "LeakyRelu", "t", "y");
        onnx_maker_float(b->maker, "alpha", 0.1f);
        break;
    case 2:
        onnx_maker_node(b->maker, "Clip", "t", "y");
        onnx_maker_float(b->maker, "min", 0);
        onnx_maker_float(b->maker, "max", 0.5f);
        break;
    case 3:
        weights(b, "slope", 3, (int64_t[]){16, 1, 1});
        onnx_maker_node(b->maker, "PRelu", "t slope", "y");
        break;
    case 4:
        onnx_maker_node(b->maker, "Sigmoid", "t", "y");
        break;
    default:
        onnx_maker_node(b->maker, "Tanh", "t", "y");
        break;
    }
}

/* A residual block; odd rounds read the shortcut again afterwards, so it may not be overwritten. */
static void build_residual(struct build *b)
{
    int channels = b->round % 3 ? 32 : 13;
    same(b, "x", "s", b->c, channels, 1);
    onnx_maker_node(b->maker, "Relu", "s", "s.r");
    same(b, "s.r", "t", channels, channels, 1);
    onnx_maker_node(b->maker, "Relu", "t", "t.r");
    same(b, "t.r", "u", channels, channels, 1);
    onnx_maker_node(b->maker, "Add", b->round & 1 ? "u s.r" : "s.r u", "v");
    onnx_maker_node(b->maker, "Relu", "v", b->round & 1 ? "v.r" : "y");
    if (b->round & 1)
        onnx_maker_node(b->maker, "Mul", "v.r s.r", "y");
}

/* y = conv(x) + x, where source and shortcut are the same memory; and the shortcut a graph input. */
static void build_residual_self(struct build *b)
{
    if (b->round & 1) {
        same(b, "x", "t", b->c, b->c, 1);
        onnx_maker_node(b->maker, "Add", "t x", "y");
        return;
    }
    same(b, "x", "s", b->c, 16, 1);
    same(b, "s", "t", 16, 16, 1);
    onnx_maker_node(b->maker, "Add", "t s", "y");
}

static void build_batchnorm(struct build *b)
{
    float variance[64];
    int channels = b->round & 1 ? b->c : 20;
    for (int i = 0; i < channels; i++)
        variance[i] = 0.5f + (float)random_int(b->random, 0, 100) / 100;
    if (!(b->round & 1))
        same(b, "x", "t", b->c, 20, 1);
    vector(b, "gamma", channels);
    vector(b, "beta", channels);
    vector(b, "mean", channels);
    onnx_maker_floats(b->maker, "variance", 1, (int64_t[]){channels}, variance);
    onnx_maker_node(b->maker, "BatchNormalization",
                    b->round & 1 ? "x gamma beta mean variance" : "t gamma beta mean variance",
                    b->round % 3 ? "y" : "n");
    if (b->round % 3 == 0)
        onnx_maker_node(b->maker, "Relu", "n", "y");
}

/* A scale before a padded convolution: its shift must not reach into the padding. Odd rounds: stride 2, uneven
 * pads. */
static void build_scaled_conv(struct build *b)
{
    float variance[64];
    int channels = b->round == 2 ? b->c : 24;
    for (int i = 0; i < channels; i++)
        variance[i] = 0.5f + (float)random_int(b->random, 0, 100) / 100;
    if (channels == 24)
        same(b, "x", "t", b->c, 24, 1);
    vector(b, "gamma", channels);
    vector(b, "beta", channels);
    vector(b, "mean", channels);
    onnx_maker_floats(b->maker, "variance", 1, (int64_t[]){channels}, variance);
    onnx_maker_node(b->maker, "BatchNormalization",
                    channels == 24 ? "t gamma beta mean variance" : "x gamma beta mean variance", "n");
    if (b->round & 1)
        conv(b, "n", "y", channels, 20, 1, 3, 2, (int64_t[]){0, 0, 1, 1});
    else
        conv(b, "n", "y", channels, 20, 1, b->round == 4 ? 7 : 3, 1,
             b->round == 4 ? (int64_t[]){3, 3, 3, 3} : (int64_t[]){1, 1, 1, 1});
}

static void build_instancenorm(struct build *b)
{
    vector(b, "scale", b->c);
    vector(b, "shift", b->c);
    onnx_maker_node(b->maker, "InstanceNormalization", "x scale shift", "y");
}

static void pool(struct build *b, const char *op, const char *in)
{
    int kernel = 2 + b->round % 2;
    onnx_maker_node(b->maker, op, in, "y");
    onnx_maker_list(b->maker, "kernel_shape", 2, (int64_t[]){kernel, kernel});
    onnx_maker_list(b->maker, "strides", 2, (int64_t[]){1 + b->round % 3 % 2, 2});
    onnx_maker_list(b->maker, "pads", 4, (int64_t[]){b->round % 2, 0, 1, b->round % 2});
    onnx_maker_int(b->maker, "ceil_mode", b->round >= 3);
}

static void build_maxpool(struct build *b)
{
    same(b, "x", "t", b->c, 16, 1);
    pool(b, "MaxPool", b->round & 1 ? "x" : "t");
}

static void build_avgpool(struct build *b)
{
    pool(b, "AveragePool", "x");
    onnx_maker_int(b->maker, "count_include_pad", b->round & 1);
}

static void build_global_pool(struct build *b)
{
    same(b, "x", "t", b->c, b->round & 1 ? 32 : 7, 1);
    onnx_maker_node(b->maker, b->round % 3 ? "GlobalAveragePool" : "GlobalMaxPool", "t", "g");
    onnx_maker_node(b->maker, "Flatten", "g", "y");
}

static void build_gemm(struct build *b)
{
    onnx_maker_node(b->maker, "Flatten", "x", "f");
    int64_t k = (int64_t)b->c * b->h * b->w, n = random_int(b->random, 1, 40);
    bool transposed = b->round & 1;
    weights(b, "m", 2, (int64_t[]){transposed ? n : k, transposed ? k : n});
    vector(b, "bias", n);
    onnx_maker_node(b->maker, "Gemm", b->round % 3 ? "f m bias" : "f m", "y");
    onnx_maker_int(b->maker, "transB", transposed);
    onnx_maker_float(b->maker, "alpha", 0.5f);
    onnx_maker_float(b->maker, "beta", 2);
}

static void build_matmul(struct build *b)
{
    weights(b, "m", 2, (int64_t[]){b->w, 9});
    vector(b, "bias", 9);
    onnx_maker_node(b->maker, "MatMul", "x m", "t");
    onnx_maker_node(b->maker, "Add", "t bias", "u");
    onnx_maker_node(b->maker, "Relu", "u", "y");
}

static void build_matmul_pair(struct build *b)
{
    onnx_maker_node(b->maker, "Transpose", "x", "t");
    onnx_maker_list(b->maker, "perm", 4, (int64_t[]){0, 1, 3, 2});
    onnx_maker_node(b->maker, "MatMul", "x t", "y");
}

static void build_binary(struct build *b)
{
    static const char *const ops[] = {"Add", "Sub", "Mul", "Max", "Min", "Mul"};
    same(b, "x", "t", b->c, b->c, 1);
    if (b->round & 1)
        weights(b, "k", 3, (int64_t[]){b->c, 1, 1});
    else
        onnx_maker_node(b->maker, "GlobalAveragePool", "t", "k");
    onnx_maker_node(b->maker, ops[b->round % 6], b->round == 3 ? "k t" : "t k", "u");
    onnx_maker_node(b->maker, "Add", "u x", "y");
}

static void build_divide(struct build *b)
{
    float bound[] = {3};
    onnx_maker_floats(b->maker, "three", 1, (int64_t[]){1}, bound);
    onnx_maker_node(b->maker, "Add", "x three", "d"); /* 2..4 */
    onnx_maker_node(b->maker, "Div", b->round & 1 ? "x d" : "d three", "q");
    onnx_maker_node(b->maker, "Pow", "d three", "p");
    onnx_maker_node(b->maker, "Sub", "p q", "y");
}

static void build_unary(struct build *b)
{
    static const char *const ops[] = {"Exp", "Sqrt", "Abs", "Neg", "Floor", "Sigmoid"};
    onnx_maker_node(b->maker, "Abs", "x", "a");
    onnx_maker_node(b->maker, ops[b->round % 6], "a", "y");
}

static void build_prelu(struct build *b)
{
    vector(b, "slope", b->c);
    onnx_maker_node(b->maker, "PRelu", "x slope", "t");
    same(b, "t", "y", b->c, 16, 1);
}

static void build_softmax(struct build *b)
{
    onnx_maker_node(b->maker, "Softmax", "x", "y");
    onnx_maker_int(b->maker, "axis", 1 + b->round % 3);
}

static void build_reduce(struct build *b)
{
    static const char *const ops[] = {"ReduceMean", "ReduceSum", "ReduceL2", "ReduceMax"};
    same(b, "x", "t", b->c, 16, 1);
    onnx_maker_node(b->maker, ops[b->round % 4], "t", "y");
    onnx_maker_list(b->maker, "axes", b->round & 1 ? 2 : 1, (int64_t[]){b->round & 1 ? 2 : 1, 3});
    onnx_maker_int(b->maker, "keepdims", b->round > 2);
}

static void build_pad(struct build *b)
{
    int channels = b->round % 3 ? 16 : 5;
    same(b, "x", "t", b->c, channels, 1);
    onnx_maker_node(b->maker, "Pad", "t pads value", "y");
    ints(b, "pads", 8, (int64_t[]){0, 0, b->round & 1, 0, 0, b->round & 1 ? 16 : 3, 2, 1});
    float value = b->round > 3 ? 0.25f : 0;
    onnx_maker_floats(b->maker, "value", 0, NULL, &value);
}

static void build_concat(struct build *b)
{
    same(b, "x", "t", b->c, 16, 1);
    same(b, "x", "u", b->c, b->round & 1 ? 32 : 16, 1);
    onnx_maker_node(b->maker, "Concat", b->round & 1 ? "t u x t" : "t u t", "y");
    onnx_maker_int(b->maker, "axis", b->round & 1 ? 1 : 1 + b->round % 3);
}

/* A detector's head: channels last, rows of numbers, two levels joined. */
static void build_head(struct build *b)
{
    same(b, "x", "t", b->c, 12, 1);
    conv(b, "t", "u", 12, 8, 1, 3, 2, (int64_t[]){1, 1, 1, 1});
    ints(b, "rows", 3, (int64_t[]){0, -1, 4});
    onnx_maker_node(b->maker, "Transpose", "t", "t.t");
    onnx_maker_list(b->maker, "perm", 4, (int64_t[]){0, 2, 3, 1});
    onnx_maker_node(b->maker, "Reshape", "t.t rows", "t.r");
    onnx_maker_node(b->maker, "Transpose", "u", "u.t");
    onnx_maker_list(b->maker, "perm", 4, (int64_t[]){0, 2, 3, 1});
    onnx_maker_node(b->maker, "Reshape", "u.t rows", "u.r");
    onnx_maker_node(b->maker, "Concat", "t.r u.r", "j");
    onnx_maker_int(b->maker, "axis", 1);
    onnx_maker_node(b->maker, "Sigmoid", "j", "y");
}

/* The reshape by computed shape that exporters write for an open batch. */
static void build_shape_arithmetic(struct build *b)
{
    int64_t zero = 0;
    onnx_maker_ints(b->maker, "zero", 0, NULL, &zero);
    ints(b, "rest", 2, (int64_t[]){-1, b->w});
    onnx_maker_node(b->maker, "Shape", "x", "shape");
    onnx_maker_node(b->maker, "Gather", "shape zero", "n");
    onnx_maker_node(b->maker, "Unsqueeze", "n", "n1");
    onnx_maker_list(b->maker, "axes", 1, (int64_t[]){0});
    onnx_maker_node(b->maker, "Concat", "n1 rest", "target");
    onnx_maker_int(b->maker, "axis", 0);
    onnx_maker_node(b->maker, "Reshape", "x target", "r");
    onnx_maker_node(b->maker, "Identity", "r", "i");
    onnx_maker_node(b->maker, "Dropout", "i", "y");
}

static void build_slice(struct build *b)
{
    same(b, "x", "t", b->c, 16, 1);
    ints(b, "starts", 2, (int64_t[]){1, -3});
    ints(b, "ends", 2, (int64_t[]){INT64_MAX, INT64_MAX});
    ints(b, "axes", 2, (int64_t[]){1, 3});
    ints(b, "steps", 2, (int64_t[]){1 + b->round % 3, 1});
    onnx_maker_node(b->maker, "Slice", "t starts ends axes steps", "y");
}

static void build_gather(struct build *b)
{
    ints(b, "index", 3, (int64_t[]){b->h - 1, 0, -2});
    onnx_maker_node(b->maker, "Gather", "x index", "y");
    onnx_maker_int(b->maker, "axis", 2);
}

static void build_resize(struct build *b)
{
    float scales[] = {1, 1, b->round & 1 ? 2 : 1.5f, 2};
    same(b, "x", "t", b->c, 16, 1);
    onnx_maker_floats(b->maker, "scales", 1, (int64_t[]){4}, scales);
    onnx_maker_node(b->maker, "Resize", "t - scales", "y");
    onnx_maker_string(b->maker, "mode", "nearest");
    onnx_maker_string(b->maker, "coordinate_transformation_mode", b->round > 3 ? "half_pixel" : "asymmetric");
    onnx_maker_string(b->maker, "nearest_mode", "floor");
}

static void build_squeeze(struct build *b)
{
    onnx_maker_node(b->maker, "GlobalAveragePool", "x", "g");
    onnx_maker_node(b->maker, "Squeeze", "g", "s");
    onnx_maker_list(b->maker, "axes", 2, (int64_t[]){2, 3});
    onnx_maker_node(b->maker, "Softmax", "s", "p");
    onnx_maker_node(b->maker, "Unsqueeze", "p", "y");
    onnx_maker_list(b->maker, "axes", 1, (int64_t[]){1});
}

/* Bounds on the cpu backend and on cuda.
 *
 * cpu: sums of up to 17 * 49 products in another order, or by fused multiply-add: 1e-5. Where an activation or a
 * cancelling operand keeps only a small part of such a sum (of some hundreds in the worst cases): 1e-4. Moves are
 * exact. oneDNN's exp and tanh are polynomials with an error of a few 1e-7 relative.
 *
 * cuda: images and weights are 16-bit floats, 2^-12 relative each; sums are float. One layer is within 1e-3 of its
 * largest output, two or three within 2e-3; where operands or a mean cancel, or an activation keeps a small part,
 * 5e-3 or 1e-2. What stays in float throughout keeps the cpu's bound (expf and powf of the device: 1e-6; a variance
 * summed in float and not in double: 1e-5). The worst cases' numbers are 2 and not 20, or products of three layers
 * are over 65504.
 *
 * bf16: 2^-9 relative each, so 8 times those bounds; 16 times where cancelling decides (1e-2), since over many
 * seeds fp16's own worst are at that bound already. What stays in float keeps its own. */
static const struct {
    const char *name;
    void (*build)(struct build *b);
    double bound, cuda_bound;
} cases[] = {
    {"conv", build_conv, 1e-5, 1e-3},
    {"conv dilated", build_conv_dilated, 1e-5, 1e-3},
    {"conv depthwise", build_depthwise, 1e-5, 1e-3},
    {"conv grouped", build_grouped, 1e-5, 2e-3},
    {"conv act", build_conv_act, 1e-4, 1e-2},
    {"residual", build_residual, 1e-5, 2e-3},
    {"residual self", build_residual_self, 1e-5, 2e-3},
    {"scale before conv", build_scaled_conv, 1e-5, 2e-3},
    {"batchnorm", build_batchnorm, 1e-5, 2e-3},
    {"instancenorm", build_instancenorm, 0, 1e-5},
    {"maxpool", build_maxpool, 1e-5, 1e-3},
    {"avgpool", build_avgpool, 1e-6, 1e-3},
    {"global pool", build_global_pool, 1e-5, 5e-3},
    {"gemm", build_gemm, 1e-5, 1e-3},
    {"matmul", build_matmul, 1e-5, 1e-3},
    {"matmul pair", build_matmul_pair, 1e-5, 1e-5},
    {"binary", build_binary, 1e-4, 1e-2},
    {"divide", build_divide, 1e-6, 1e-6},
    {"unary", build_unary, 1e-6, 1e-6},
    {"prelu", build_prelu, 1e-5, 2e-3},
    {"softmax", build_softmax, 1e-6, 1e-6},
    {"reduce", build_reduce, 1e-5, 5e-3},
    {"pad", build_pad, 1e-5, 1e-3},
    {"concat", build_concat, 1e-5, 1e-3},
    {"head", build_head, 1e-4, 1e-2},
    {"shape arithmetic", build_shape_arithmetic, 0, 0},
    {"slice", build_slice, 1e-5, 1e-3},
    {"gather", build_gather, 0, 0},
    {"resize", build_resize, 1e-5, 1e-3},
    {"squeeze", build_squeeze, 1e-6, 1e-3},
};

static double bound_of(size_t index)
{
    double bound = cases[index].cuda_bound;
    if (tested != SP_BACKEND_CUDA)
        return cases[index].bound;
    if (precision == SP_PRECISION_FP16 || bound < 1e-3)
        return bound;
    return bound < 1e-2 ? 8 * bound : 16 * bound;
}

static void run_case(void **state)
{
    size_t index = (size_t)(uintptr_t)*state;
    static const int channels[] = {1, 3, 16, 17, 32, 5};
    struct comparison c = {.reference = compare_engine(SP_BACKEND_REF),
                           .tested = compare_engine(tested),
                           .seed = seed,
                           .bound = bound_of(index),
                           .precision = precision,
                           .large = tested == SP_BACKEND_CUDA ? 2 : 20,
                           .max_batch = tested == SP_BACKEND_CUDA ? CUDA_BATCH : MAX_BATCH};
    c.random.state = seed * 1000 + index;
    int rounds = getenv("SALLYPORT_QUICK") ? 2 : ROUNDS;
    for (int round = 0; round < rounds; round++) {
        struct build b = {.maker = onnx_maker_new(11),
                          .random = &c.random,
                          .round = round,
                          .c = channels[round],
                          .h = random_int(&c.random, 7, 19),
                          .w = random_int(&c.random, 7, 19)};
        char name[80];
        onnx_maker_input(b.maker, "x", 4, (int64_t[]){round & 1 ? 1 : 0, b.c, 0, 0});
        onnx_maker_output(b.maker, "y");
        cases[index].build(&b);
        c.height = b.h;
        c.width = b.w;
        snprintf(name, sizeof name, "%s round %d, x %dx%dx%d", cases[index].name, round, b.c, b.h, b.w);
        compare_model(&c, b.maker, name);
        onnx_maker_free(&b.maker);
    }
    print_message("    %-18s worst %.2g, bound %.2g\n", cases[index].name, c.worst, c.bound);
    sp_engine_free(&c.reference);
    sp_engine_free(&c.tested);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[sizeof cases / sizeof cases[0]] = {0};
    int at = 1;
    if (at < argc && strcmp(argv[at], "cuda") == 0) {
        tested = SP_BACKEND_CUDA;
        at++;
        compare_need(tested, argc > 2 && strcmp(argv[argc - 1], "--skips-as-fails") == 0);
        if (at < argc && strcmp(argv[at], "bf16") == 0) {
            precision = SP_PRECISION_BF16;
            at++;
        }
    }
    const char *number = at < argc ? argv[at] : "";
    seed = number[0] >= '0' && number[0] <= '9' ? strtoull(number, NULL, 0) : 20261122;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = run_case, .initial_state = (void *)(uintptr_t)i};
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
