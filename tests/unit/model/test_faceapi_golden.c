/* The five converted nets through the engine, against vectors that face-api itself computed (docs/models.md): on a
 * made-up picture px(x,y,c) = (7x + 13y + 29c + (xy >> 3)) & 255, and never on anybody's face. Skips without
 * $SALLYPORT_PACK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pack.h"
#include "common/seal.h"
#include "gpu/engine.h"

static struct sp_pack pack;
static char tiny_path[1100];

static float *picture(const struct sp_pack_net *net, int size)
{
    float *pixels = malloc((size_t)size * (size_t)size * 3 * sizeof *pixels);
    assert_non_null(pixels);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++) {
                int value = (7 * x + 13 * y + 29 * c + ((x * y) >> 3)) & 255;
                pixels[((size_t)c * (size_t)size + (size_t)y) * (size_t)size + (size_t)x] =
                    ((float)value - net->mean[c]) * net->scale;
            }
    return pixels;
}

/* Sums over all values, and the largest deviation of the first ones; all relative to the scale of the output. */
struct golden {
    double first[10];
    int first_count;
    double sum, sumsq;
    double tolerance; /* of a value, relative to the largest; of the sum of squares, relative to itself */
};

static void compare(const char *what, const float *values, size_t count, const struct golden *golden)
{
    double sum = 0, sumsq = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        sumsq += (double)values[i] * values[i];
        largest = fmax(largest, fabs(values[i]));
    }
    for (int i = 0; i < golden->first_count; i++)
        if (!(fabs(values[i] - golden->first[i]) <= golden->tolerance * largest))
            fail_msg("%s[%d] is %.9g, face-api has %.9g", what, i, values[i], golden->first[i]);
    if (!(fabs(sum - golden->sum) <= golden->tolerance * largest * sqrt((double)count)))
        fail_msg("%s: the sum is %.9g, face-api has %.9g", what, sum, golden->sum);
    if (golden->sumsq > 0 && !(fabs(sumsq - golden->sumsq) <= golden->tolerance * golden->sumsq))
        fail_msg("%s: the sum of squares is %.9g, face-api has %.9g", what, sumsq, golden->sumsq);
}

struct loaded {
    struct sp_engine *engine;
    struct sp_net *net;
    const float *outputs[SP_NET_MAX_PORTS];
};

static struct loaded run(enum sp_backend backend, const char *path, const struct sp_pack_net *net, int size)
{
    struct loaded loaded = {0};
    struct sp_err err = {0};
    const struct sp_engine_config engine = {.backend = backend, .threads = 1};
    const struct sp_net_config config = {.max_batch = 1, .height = size, .width = size};
    float *pixels = picture(net, size);
    const float *inputs[1] = {pixels};
    if (sp_engine_open(&loaded.engine, &engine, &err) != SP_OK ||
        sp_net_load(&loaded.net, loaded.engine, path, &config, &err) != SP_OK ||
        sp_net_run(loaded.net, 1, inputs, loaded.outputs, &err) != SP_OK)
        fail_msg("%s: %s", path, err.text);
    free(pixels);
    return loaded;
}

static void release(struct loaded *loaded)
{
    sp_net_free(&loaded->net);
    sp_engine_free(&loaded->engine);
}

static void check_one(enum sp_backend backend, const char *path, const struct sp_pack_net *net, int size,
                      size_t count, const struct golden *golden)
{
    struct loaded loaded = run(backend, path, net, size);
    compare(path, loaded.outputs[0], count, golden);
    release(&loaded);
}

static void check_recognition(enum sp_backend backend)
{
    const struct golden golden = {
        {-0.07541752, 0.1216784, 0.09866496, -0.002872443, -0.09832438, -0.04894001, -0.1047692, 0.01541221},
        8,
        -0.424153710,
        1.72368368,
        1e-5};
    check_one(backend, pack.embedder.path, &pack.embedder, 150, 128, &golden);
}

static void check_landmarks(enum sp_backend backend)
{
    const struct golden full = {
        {0.3131174, 0.5390194, 0.41089, 0.6276339, 0.4510199, 0.6266285, 0.4823689, 0.6889366},
        8,
        77.7198928,
        44.9083495,
        1e-5};
    const struct golden tiny = {
        {0.1138873, 0.316054, 0.10824, 0.3916144, 0.134078, 0.4776726, 0.1593229, 0.5675225},
        8,
        66.6748951,
        36.8970155,
        1e-5};
    check_one(backend, pack.landmarks.path, &pack.landmarks, 112, 136, &full);
    check_one(backend, tiny_path, &pack.landmarks, 112, 136, &tiny);
}

static void check_tiny_detector(enum sp_backend backend)
{
    enum { GRID = 13, CHANNELS = 25 };
    const struct golden golden = {{2.647631, -1.180969, 0.1619205, -0.5954558, -9.072406, 3.882985, -3.759679,
                                   0.08013082, 0.01246271, -28.81356},
                                  10,
                                  -15009.4536,
                                  369938.968,
                                  1e-5};
    struct loaded loaded = run(backend, pack.cheap.net.path, &pack.cheap.net, 416);
    static float rows[GRID * GRID * CHANNELS]; /* the reference is [y][x][channel] */
    for (int cell = 0; cell < GRID * GRID; cell++)
        for (int c = 0; c < CHANNELS; c++)
            rows[cell * CHANNELS + c] = loaded.outputs[0][c * GRID * GRID + cell];
    compare("tiny_face_detector", rows, GRID * GRID * CHANNELS, &golden);
    release(&loaded);
}

static void check_ssd(enum sp_backend backend)
{
    enum { ANCHORS = 5118 };
    const struct golden boxes = {{1.6017445, 1.3474935, -2.8954341, -4.698348}, 4, -5019.77632, 0, 1e-5};
    const struct golden classes = {{5.6460733, -5.3385735, -19.981462}, 3, -56104.6107, 0, 1e-5};
    /* Looser: logits of 60 rounded to 1e-6 of that move a score near one half by 1e-5 (OpenCV's dnn deviates so,
     * too). */
    const struct golden scores = {{0.004779766, 0.0001445383, 0.0001878728, 0.001993488, 0.000593986, 0.0002085929,
                                   0.001132052, 0.0005825257},
                                  8,
                                  29.3328728,
                                  0.981570265,
                                  1e-4};
    struct loaded loaded = run(backend, pack.strong.net.path, &pack.strong.net, 512);
    int box_index = sp_net_output_index(loaded.net, "boxes"),
        class_index = sp_net_output_index(loaded.net, "classes");
    assert_true(box_index >= 0 && class_index >= 0);
    const float *logits = loaded.outputs[class_index];
    compare("ssd boxes", loaded.outputs[box_index], 4 * ANCHORS, &boxes);
    compare("ssd classes", logits, 3 * ANCHORS, &classes);
    static float score[ANCHORS];
    for (int i = 0; i < ANCHORS; i++)
        score[i] = 1.0f / (1.0f + expf(-logits[3 * i + 1]));
    compare("ssd scores", score, ANCHORS, &scores);
    release(&loaded);
}

static void test_cpu(void **state)
{
    (void)state;
    check_recognition(SP_BACKEND_CPU);
    check_landmarks(SP_BACKEND_CPU);
    check_tiny_detector(SP_BACKEND_CPU);
    check_ssd(SP_BACKEND_CPU);
}

static void test_reference(void **state)
{
    (void)state;
    check_recognition(SP_BACKEND_REF);
    check_landmarks(SP_BACKEND_REF);
    check_tiny_detector(SP_BACKEND_REF);
    check_ssd(SP_BACKEND_REF);
}

int main(void)
{
    const char *directory = getenv("SALLYPORT_PACK");
    struct sp_err err = {0};
    if (!directory || !*directory) {
        printf("skipped: SALLYPORT_PACK names no pack (make one with sallyport model import face-api)\n");
        return 77;
    }
    if (sp_seal_start(&err) != SP_OK || sp_pack_load(&pack, directory, &err) != SP_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    snprintf(tiny_path, sizeof tiny_path, "%.1000s/face_landmark_68_tiny.onnx", directory);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cpu), cmocka_unit_test(test_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
