/* Nets that fp16 cannot hold, in bf16, through the engine and through a pack: weights and activations over 65504.
 * `--skips-as-fails` as in test_ops.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/file.h"
#include "common/seal.h"
#include "image/image.h"
#include "tests/ops/compare.h"
#include "workers/vision.h"

/* A layer's rounding is 2^-9 of its numbers; the nets here have three to five layers whose sums do not cancel. */
static const double bf16_bound = 1e-2;

static struct sp_engine *engine, *reference;
static struct random noise = {5};

static void must(enum sp_status status, const struct sp_err *err)
{
    if (status)
        fail_msg("%s", err->text);
}

/* Weights of one sign, so that sums are large and do not cancel. */
static void weights(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims, float size)
{
    static float data[8192];
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    assert_true(count <= sizeof data / sizeof data[0]);
    for (size_t i = 0; i < count; i++)
        data[i] = size * (1 + random_float(&noise) / 2);
    onnx_maker_floats(maker, name, rank, dims, data);
}

/* Every kind of kernel that multiplies: the implicit product, the library with and without a sum, depthwise, the
 * library's product with a float result. Activations are a thousand times as large from the first layer to the last
 * but one; `weight` is the first layer's. */
static uint8_t *make_net(float weight, size_t *ret_length)
{
    struct onnx_maker *maker = onnx_maker_new(11);
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 3, 11, 9});
    weights(maker, "w1", 4, (int64_t[]){24, 3, 3, 3}, weight);
    weights(maker, "w2", 4, (int64_t[]){32, 24, 1, 1}, 0.1f);
    weights(maker, "w3", 4, (int64_t[]){32, 1, 3, 3}, 0.2f);
    weights(maker, "w4", 4, (int64_t[]){32, 32, 1, 1}, 0.05f);
    weights(maker, "w5", 2, (int64_t[]){32, 16}, 1e-6f);
    onnx_maker_node(maker, "Abs", "x", "positive");
    onnx_maker_node(maker, "Conv", "positive w1", "a");
    onnx_maker_list(maker, "strides", 2, (int64_t[]){2, 2});
    onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_node(maker, "Conv", "a w2", "b");
    onnx_maker_node(maker, "Relu", "b", "b.r");
    onnx_maker_node(maker, "Conv", "b.r w3", "c");
    onnx_maker_int(maker, "group", 32);
    onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_node(maker, "Conv", "c w4", "d");
    onnx_maker_node(maker, "Add", "d b.r", "e");
    onnx_maker_node(maker, "GlobalAveragePool", "e", "f");
    onnx_maker_node(maker, "Flatten", "f", "g");
    onnx_maker_node(maker, "MatMul", "g w5", "y");
    onnx_maker_output(maker, "y");
    uint8_t *bytes = onnx_maker_pack(maker, ret_length);
    onnx_maker_free(&maker);
    return bytes;
}

static void in_bf16_it_agrees(const uint8_t *bytes, size_t length, const char *name)
{
    struct comparison c = {.reference = reference,
                           .tested = engine,
                           .random = {9},
                           .bound = bf16_bound,
                           .large = 2,
                           .max_batch = 5,
                           .precision = SP_PRECISION_BF16};
    compare_bytes(&c, bytes, length, name);
    print_message("    %s in bf16: worst %.2g, bound %.2g\n", name, c.worst, c.bound);
}

static void weights_too_large_are_refused(void **state)
{
    struct sp_net_config config = {.max_batch = 2};
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    size_t length;
    uint8_t *bytes = make_net(1e5f, &length);
    (void)state;
    assert_int_equal(sp_net_load_memory(&net, engine, bytes, length, "large", &config, &err), SP_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "'a'"));
    assert_non_null(strstr(err.text, "bf16 in pack.yaml"));
    in_bf16_it_agrees(bytes, length, "weights of 1e5");
    free(bytes);
}

static bool all_finite(const float *numbers, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return false;
    return true;
}

/* The same file in both, side by side: no kernel of one is the other's. */
static void activations_too_large_are_infinite_in_fp16(void **state)
{
    struct sp_net *nets[2] = {NULL, NULL};
    float rows[2 * 3 * 11 * 9];
    const float *inputs[1] = {rows}, *outputs[1];
    struct sp_err err = {0};
    size_t length;
    uint8_t *bytes = make_net(3e4f, &length);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = 1;
    for (int i = 0; i < 2; i++) {
        struct sp_net_config config = {.max_batch = 2, .precision = i ? SP_PRECISION_BF16 : SP_PRECISION_FP16};
        must(sp_net_load_memory(&nets[i], engine, bytes, length, "large", &config, &err), &err);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2; i++) {
            must(sp_net_run(nets[i], 2, inputs, outputs, &err), &err);
            assert_int_equal(all_finite(outputs[0], 2 * 16), i);
        }
    in_bf16_it_agrees(bytes, length, "activations over 65504");
    sp_net_free(&nets[0]);
    sp_net_free(&nets[1]);
    free(bytes);
}

/* Beyond a float's range bf16 cannot help either. */
static void what_bf16_cannot_hold_is_refused(void **state)
{
    struct sp_net_config config = {.max_batch = 1, .precision = SP_PRECISION_BF16};
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    float most = 3.4028235e38f;
    struct onnx_maker *maker = onnx_maker_new(11);
    size_t length;
    (void)state;
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 1, 2, 2});
    onnx_maker_floats(maker, "w", 4, (int64_t[]){1, 1, 1, 1}, &most);
    onnx_maker_node(maker, "Conv", "x w", "y");
    onnx_maker_output(maker, "y");
    uint8_t *bytes = onnx_maker_pack(maker, &length);
    onnx_maker_free(&maker);
    assert_int_equal(sp_net_load_memory(&net, engine, bytes, length, "huge", &config, &err), SP_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "too large for bf16"));
    config.precision = (enum sp_precision)2;
    assert_int_equal(sp_net_load_memory(&net, engine, bytes, length, "huge", &config, &err), SP_E_INVALID);
    free(bytes);
}

/* A pack whose detector sees a face in the middle of every picture, whose landmarks are one drawing, and whose
 * embedder's activations are over 65504. */
static char folder[] = "/tmp/sallyport-precision-XXXXXX";

static void write_net(const char *name, struct onnx_maker *maker)
{
    char path[200];
    struct sp_err err = {0};
    size_t length;
    uint8_t *bytes = onnx_maker_pack(maker, &length);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    must(sp_file_write(path, bytes, length, 0600, &err), &err);
    free(bytes);
    onnx_maker_free(&maker);
}

/* out = bias + 0 * x, of [N,3,side,side]: a convolution as large as the picture. */
static struct onnx_maker *make_constant(int side, int count, const float *bias, bool flat)
{
    struct onnx_maker *maker = onnx_maker_new(11);
    float *zeros = calloc((size_t)(count * 3), sizeof *zeros);
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 3, side, side});
    onnx_maker_floats(maker, "w", 4, (int64_t[]){count, 3, 1, 1}, zeros);
    onnx_maker_floats(maker, "b", 1, (int64_t[]){count}, bias);
    onnx_maker_node(maker, "GlobalAveragePool", "x", "one");
    onnx_maker_node(maker, "Conv", "one w b", flat ? "square" : "y");
    if (flat)
        onnx_maker_node(maker, "Flatten", "square", "y");
    onnx_maker_output(maker, "y");
    free(zeros);
    return maker;
}

static void make_detector(void)
{
    float bias[25];
    for (int i = 0; i < 25; i++)
        bias[i] = i % 5 == 4 ? (i == 4 ? 10.0f : -10.0f) : 0; /* one anchor, in the middle of its cell */
    bias[2] = bias[3] = -0.7f;                                /* of 0.8 x 1.04 cells */
    write_net("detector.onnx", make_constant(32, 25, bias, false));
}

static void make_landmarks(void)
{
    float points[136];
    for (int i = 0; i < 68; i++) {
        double turn = 2 * M_PI * i / 6, x = 0.5 + 0.4 * cos(M_PI * i / 16), y = 0.4 + 0.5 * sin(M_PI * i / 16);
        if (i >= 17 && i < 27) /* brows */
            x = 0.2 + 0.6 * (i - 17) / 9, y = 0.25;
        else if (i >= 27 && i < 31) /* bridge and tip of the nose */
            x = 0.5, y = 0.35 + 0.08 * (i - 27);
        else if (i >= 31 && i < 36)
            x = 0.42 + 0.04 * (i - 31), y = 0.63;
        else if (i >= 36 && i < 48) /* eyes */
            x = (i < 42 ? 0.33 : 0.67) + 0.06 * cos(turn), y = 0.38 + 0.02 * sin(turn);
        else if (i >= 48) /* mouth */
            x = 0.5 + 0.14 * cos(2 * M_PI * i / 10), y = 0.78 + 0.04 * sin(2 * M_PI * i / 10);
        points[2 * i] = (float)x;
        points[2 * i + 1] = (float)y;
    }
    write_net("landmarks.onnx", make_constant(112, 136, points, true));
}

static void make_embedder(void)
{
    struct onnx_maker *maker = onnx_maker_new(11);
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 3, 150, 150});
    weights(maker, "w1", 4, (int64_t[]){8, 3, 5, 5}, 2e4f);
    weights(maker, "w2", 4, (int64_t[]){16, 8, 1, 1}, 1e-7f);
    onnx_maker_node(maker, "Conv", "x w1", "a");
    onnx_maker_list(maker, "strides", 2, (int64_t[]){10, 10});
    onnx_maker_node(maker, "Conv", "a w2", "b");
    onnx_maker_node(maker, "GlobalAveragePool", "b", "c");
    onnx_maker_node(maker, "Flatten", "c", "y");
    onnx_maker_output(maker, "y");
    write_net("embedder.onnx", maker);
}

static void describe_net(char *text, size_t size, const char *file, int side, const char *more)
{
    char path[200], hex[65];
    uint8_t hash[32], *bytes = NULL;
    size_t length = 0;
    struct sp_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    must(sp_file_read(&bytes, &length, path, 1 << 20, &err), &err);
    sp_seal_sha256(hash, bytes, length);
    sp_seal_to_hex(hex, hash, sizeof hash);
    free(bytes);
    snprintf(text, size,
             "{file: %s, sha256: %s, colour: rgb, mean: [0, 0, 0], scale: 0.00392156862745098, width: %d, "
             "height: %d, %s}",
             file, hex, side, side, more);
}

static void load_pack(struct sp_pack *ret_pack, const char *embedder_more)
{
    char detector[500], landmarks[500], embedder[500], text[2000], path[200];
    struct sp_err err = {0};
    describe_net(detector, sizeof detector, "detector.onnx", 32, "kind: tiny, score: 0.5, iou: 0.5");
    describe_net(landmarks, sizeof landmarks, "landmarks.onnx", 112, "kind: points68");
    describe_net(embedder, sizeof embedder, "embedder.onnx", 150, embedder_more);
    snprintf(text, sizeof text,
             "format: 1\nname: precision\nlicence: none\nalign: dlib68\ndetector:\n  strong: %s\nlandmarks: %s\n"
             "embedder: %s\ncalibration:\n  - {fmr: 1e-2, threshold: 0.6}\n  - {fmr: 1e-4, threshold: 0.4}\n",
             detector, landmarks, embedder);
    snprintf(path, sizeof path, "%s/pack.yaml", folder);
    must(sp_file_write(path, text, strlen(text), 0600, &err), &err);
    must(sp_pack_load(ret_pack, folder, &err), &err);
}

/* The one face of a picture of bright noise. not_finite: what vision says of its nets, once. */
static struct sp_face look(struct sp_engine *on, const struct sp_pack *pack, char *ret_not_finite)
{
    static struct sp_faces faces;
    const struct sp_vision_limits no_limits = {0};
    const enum sp_vision_mode mode = SP_VISION_LAST;
    struct sp_vision *vision = NULL;
    struct sp_image *image = NULL;
    struct sp_err err = {0};
    must(sp_image_new(&image, 130, 120, &err), &err);
    for (int y = 0; y < 120; y++)
        for (int i = 0; i < 3 * 130; i++)
            image->pixels[y * image->stride + i] = (uint8_t)(100 + (y * 31 + i * 17 + y * i) % 120);
    must(sp_vision_new(&vision, on, pack, &no_limits, 1, &err), &err);
    for (int round = 0; round < 2; round++)
        must(sp_vision_analyse(vision, 1, (const struct sp_image *const[]){image}, &mode, &faces, NULL, &err),
             &err);
    assert_int_equal(faces.count, 1);
    const char *net = sp_vision_not_finite(vision);
    snprintf(ret_not_finite, 200, "%s", net ? net : "");
    assert_null(sp_vision_not_finite(vision));
    sp_vision_free(&vision);
    sp_image_free(&image);
    return faces.faces[0];
}

static void a_pack_says_it(void **state)
{
    static struct sp_pack fp16, bf16;
    char not_finite[200];
    (void)state;
    assert_non_null(mkdtemp(folder));
    make_detector();
    make_landmarks();
    make_embedder();
    load_pack(&bf16, "dim: 16, metric: l2, normalise: no, precision: bf16");
    load_pack(&fp16, "dim: 16, metric: l2, normalise: no");
    struct sp_face wanted = look(reference, &bf16, not_finite);
    assert_true(wanted.embedded);
    struct sp_face lost = look(engine, &fp16, not_finite);
    assert_false(lost.embedded);
    assert_non_null(strstr(not_finite, "embedder.onnx"));
    struct sp_face got = look(engine, &bf16, not_finite);
    assert_true(got.embedded);
    assert_string_equal(not_finite, "");
    double distance = compare_arrays(got.vector, wanted.vector, 16);
    print_message("    a pack's embedder in bf16: worst %.2g, bound %.2g\n", distance, bf16_bound);
    assert_true(distance < bf16_bound);
    static const char *const files[] = {"detector.onnx", "landmarks.onnx", "embedder.onnx", "pack.yaml"};
    for (int i = 0; i < 4; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_too_large_are_refused),
        cmocka_unit_test(activations_too_large_are_infinite_in_fp16),
        cmocka_unit_test(what_bf16_cannot_hold_is_refused),
        cmocka_unit_test(a_pack_says_it),
    };
    struct sp_err err = {0};
    compare_need(SP_BACKEND_CUDA, argc > 1 && strcmp(argv[1], "--skips-as-fails") == 0);
    if (sp_seal_start(&err) != SP_OK)
        return 1;
    engine = compare_engine(SP_BACKEND_CUDA);
    reference = compare_engine(SP_BACKEND_REF);
    int failed = cmocka_run_group_tests_name("precision", tests, NULL, NULL);
    sp_engine_free(&engine);
    sp_engine_free(&reference);
    return failed;
}
