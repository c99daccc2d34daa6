/* Pictures on the device through the engine's own calls (gpu/pixels.h): what goes up, waits, is reused and comes
 * back, in the streams of nets, against the CPU's stages. Nets that only hand on their input show what was put
 * there, bit by bit.
 * `--skips-as-fails` as in test_ops.c. The kernels by themselves: test_cuda_pixels.cpp. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gpu/pixels.h"
#include "tests/ops/compare.h"
#include "workers/align.h"
#include "workers/detect.h"
#include "workers/quality.h"
#include "workers/resample.h"

enum { MAX_BATCH = 9, SIDE = 20, PLACES = 150, FLOATS = 3 * SIDE * SIDE, CHIP_SIDE = 112 };

static struct sp_engine *engine;
static struct sp_resampler *resampler;
static struct random noise = {11};
static bool emulated; /* then expf is the CPU's too */

struct picture {
    struct sp_image image;
    uint8_t *bytes;
};

static void make_picture(struct picture *picture, int width, int height, int padding)
{
    int stride = 3 * width + padding;
    picture->bytes = malloc((size_t)stride * (size_t)height);
    for (int i = 0; i < stride * height; i++) /* patches, so that something is left when it is made small */
        picture->bytes[i] =
            (uint8_t)((random_bits(&noise) & 31) + (uint32_t)(i / 90 + i / stride / 25 * 7) * 29 % 224);
    picture->image = (struct sp_image){width, height, stride, picture->bytes};
}

static void must(enum sp_status status, const struct sp_err *err)
{
    if (status)
        fail_msg("%s", err->text);
}

/* A net of `side` px whose output 0 is its input; detector: its first floats as boxes and classes besides. */
static enum sp_status load_net(struct sp_net **ret_net, int side, bool detector, struct sp_err *err)
{
    struct onnx_maker *maker = onnx_maker_new(9);
    struct sp_net_config config = {.max_batch = MAX_BATCH};
    size_t length;
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 3, side, side});
    onnx_maker_node(maker, "Flatten", "x", "flat");
    if (detector) {
        onnx_maker_ints(maker, "boxshape", 1, (int64_t[]){3}, (int64_t[]){-1, PLACES, 4});
        onnx_maker_ints(maker, "classshape", 1, (int64_t[]){3}, (int64_t[]){-1, PLACES, 3});
        onnx_maker_node(maker, "Slice", "flat", "some");
        onnx_maker_list(maker, "axes", 1, (int64_t[]){1});
        onnx_maker_list(maker, "starts", 1, (int64_t[]){0});
        onnx_maker_list(maker, "ends", 1, (int64_t[]){PLACES * 4});
        onnx_maker_node(maker, "Slice", "flat", "others");
        onnx_maker_list(maker, "axes", 1, (int64_t[]){1});
        onnx_maker_list(maker, "starts", 1, (int64_t[]){PLACES * 4});
        onnx_maker_list(maker, "ends", 1, (int64_t[]){PLACES * 7});
        onnx_maker_node(maker, "Reshape", "some boxshape", "boxes");
        onnx_maker_node(maker, "Reshape", "others classshape", "classes");
    }
    onnx_maker_output(maker, "flat");
    if (detector) {
        onnx_maker_output(maker, "boxes");
        onnx_maker_output(maker, "classes");
    }
    uint8_t *bytes = onnx_maker_pack(maker, &length);
    enum sp_status status = sp_net_load_memory(ret_net, engine, bytes, length, "pictures", &config, err);
    free(bytes);
    onnx_maker_free(&maker);
    return status;
}

static struct sp_net *make_net(int side, bool detector)
{
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    must(load_net(&net, side, detector, &err), &err);
    return net;
}

/* Parts of pictures in every order, whole ones and corners, at batches of 1, some and all; small, then large
 * pictures, so that memory grows between, and small ones again. */
static void rows_are_the_cpus(void **state)
{
    static const int sizes[][3] = {{33, 17, 0}, {640, 360, 5}, {25, 200, 1}, {1280, 720, 0}, {7, 5, 2}};
    static const int batches[] = {1, 4, MAX_BATCH, 2};
    const struct sp_norm norm = {1, {127.5f, 100, 20}, 1 / 64.0f};
    struct sp_net *net = make_net(SIDE, false);
    struct sp_pixels *pixels = NULL;
    struct sp_err err = {0};
    (void)state;
    must(sp_pixels_new(&pixels, engine, MAX_BATCH, 4, CHIP_SIDE, &err), &err);
    for (int round = 0; round < 5; round++) {
        struct picture pictures[MAX_BATCH];
        const struct sp_image *images[MAX_BATCH];
        struct sp_part parts[MAX_BATCH];
        const float *outputs[1];
        float wanted[FLOATS];
        int count = batches[round % 4];
        for (int i = 0; i < count; i++) {
            const int *size = sizes[(round + i) % 5];
            make_picture(&pictures[i], size[0], size[1], size[2]);
            images[i] = &pictures[i].image;
        }
        for (int i = 0; i < count; i++) {
            int from = (i * 5 + round) % count, width = images[from]->width, height = images[from]->height;
            struct sp_rect rect = {0, 0, width, height};
            if (i % 2)
                rect = (struct sp_rect){width / 3, height / 2, width - width / 3, height - height / 2};
            parts[i] =
                (struct sp_part){from, rect, sp_resample_letterbox(rect.width, rect.height, SIDE, SIDE, 0.2f)};
        }
        must(sp_pixels_load(pixels, count, images, &err), &err);
        for (int again = 0; again < 2; again++) { /* the second time on pictures that are there */
            must(sp_pixels_fit(pixels, net, count, parts, &norm, &err), &err);
            must(sp_pixels_run(pixels, net, count, outputs, &err), &err);
            for (int i = 0; i < count; i++) {
                must(sp_resample_fit(resampler, images[parts[i].picture], &parts[i].rect, &parts[i].fit, &norm,
                                     wanted, &err),
                     &err);
                assert_memory_equal(outputs[0] + (size_t)i * FLOATS, wanted, sizeof wanted);
            }
        }
        for (int i = 0; i < count; i++)
            free(pictures[i].bytes);
    }
    sp_pixels_free(&pixels);
    sp_net_free(&net);
}

/* Chips from near and far, their light, and some of them, twice and out of order, on their way into a net. */
static void chips_are_the_cpus(void **state)
{
    static const int which[] = {3, 0, 3, 5, 1, 4, 2};
    enum { CUTS = 6, TAKEN = sizeof which / sizeof which[0], BYTES = CHIP_SIDE * CHIP_SIDE * 3 };
    static const struct sp_similarity maps[CUTS] = {{1, 0, 0, 0},          {0.2f, 0.05f, 5, -3}, {0.03f, 0, 30, 30},
                                                    {2, 0.4f, -300, -100}, {0.5f, -0.3f, 9, 60}, {0.11f, 0, -4, 0}};
    const struct sp_norm norm = {0, {1, 2, 3}, 0.5f};
    struct sp_net *net = make_net(CHIP_SIDE, false);
    struct picture pictures[2];
    struct sp_pixels *pixels = NULL;
    struct sp_cut cuts[CUTS];
    struct sp_face_area area;
    struct sp_tally tallies[CUTS];
    struct sp_err err = {0};
    uint8_t *chips = malloc((size_t)CUTS * BYTES);
    float *wanted = malloc(BYTES * sizeof *wanted);
    const float *outputs[1];
    (void)state;
    make_picture(&pictures[0], 701, 403, 0);
    make_picture(&pictures[1], 64, 48, 3);
    sp_quality_area(SP_ALIGN_ARCFACE5, &area.x0, &area.y0, &area.x1, &area.y1);
    must(sp_pixels_new(&pixels, engine, 2, CUTS, CHIP_SIDE, &err), &err);
    must(sp_pixels_load(pixels, 2, (const struct sp_image *[]){&pictures[0].image, &pictures[1].image}, &err),
         &err);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CUTS; i++) {
            const struct sp_image *from = &pictures[(i + round) % 2].image;
            cuts[i] = (struct sp_cut){.picture = (i + round) % 2, .map = maps[i]};
            must(sp_resample_plan_warp(&cuts[i].warp, from->width, from->height, &maps[i], CHIP_SIDE, &err), &err);
            must(sp_resample_warp(resampler, from, &maps[i], CHIP_SIDE, chips + (size_t)i * BYTES, &err), &err);
        }
        must(sp_pixels_cut(pixels, CUTS, cuts, &area, tallies, &err), &err);
        must(sp_pixels_chips(pixels, net, TAKEN, which, &norm, &err), &err);
        must(sp_pixels_run(pixels, net, TAKEN, outputs, &err), &err);
        for (int i = 0; i < TAKEN; i++) {
            sp_resample_planes(chips + (size_t)which[i] * BYTES, CHIP_SIDE, &norm, wanted);
            assert_memory_equal(outputs[0] + (size_t)i * BYTES, wanted, BYTES * sizeof *wanted);
        }
        for (int i = 0; i < CUTS; i++) {
            const struct sp_image *from = &pictures[(i + round) % 2].image;
            struct sp_quality_face face = {chips + (size_t)i * BYTES,
                                           SP_ALIGN_ARCFACE5,
                                           &maps[i],
                                           from->width,
                                           from->height,
                                           {{10, 10}, {60, 12}, {35, 40}, {15, 60}, {55, 62}}};
            struct sp_quality measured, graded;
            sp_quality_measure(&face, &measured);
            sp_quality_grade(face.five, &tallies[i], &graded);
            assert_memory_equal(&measured, &graded, sizeof graded);
        }
    }
    for (int i = 0; i < 2; i++)
        free(pictures[i].bytes);
    free(chips);
    free(wanted);
    sp_pixels_free(&pixels);
    sp_net_free(&net);
}

static float distance(const struct sp_box *a, const struct sp_box *b)
{
    return fmaxf(fmaxf(fabsf(a->x0 - b->x0), fabsf(a->y0 - b->y0)),
                 fmaxf(fabsf(a->x1 - b->x1), fabsf(a->y1 - b->y1)));
}

/* A detector whose tensors are what the pictures look like when they are small. */
static void faces_are_the_cpus(void **state)
{
    static const int sizes[][3] = {{700, 500, 0}, {123, 457, 7}, {300, 300, 1}};
    const struct sp_norm norm = {0, {110, 110, 110}, 1 / 40.0f};
    static struct sp_ssd_anchor anchors[PLACES];
    struct sp_net *net = make_net(SIDE, true);
    struct sp_pixels *pixels = NULL;
    struct sp_err err = {0};
    int faces = 0;
    (void)state;
    for (int i = 0; i < PLACES; i++)
        anchors[i] = (struct sp_ssd_anchor){(float)(i * 7 % SIDE) + 0.5f, (float)(i * 3 % SIDE) + 0.3f,
                                            2 + (float)(i % 5), 2 + (float)(i % 7)};
    struct sp_finder finder = {.kind = SP_FINDER_SSD,
                               .places = PLACES,
                               .score_threshold = 0.6f,
                               .iou_threshold = 0.3f,
                               .boxes = sp_net_output_index(net, "boxes"),
                               .classes = sp_net_output_index(net, "classes"),
                               .anchors = anchors};
    must(sp_pixels_new(&pixels, engine, MAX_BATCH, 4, CHIP_SIDE, &err), &err);
    for (int count = 1; count <= MAX_BATCH; count += 4) {
        struct picture pictures[MAX_BATCH];
        const struct sp_image *images[MAX_BATCH];
        struct sp_part parts[MAX_BATCH];
        static struct sp_detections found[MAX_BATCH];
        for (int i = 0; i < count; i++) {
            const int *size = sizes[i % 3];
            make_picture(&pictures[i], size[0], size[1], size[2]);
            images[i] = &pictures[i].image;
            parts[i] = (struct sp_part){
                i, {0, 0, size[0], size[1]}, sp_resample_letterbox(size[0], size[1], SIDE, SIDE, 0)};
        }
        must(sp_pixels_load(pixels, count, images, &err), &err);
        must(sp_pixels_fit(pixels, net, count, parts, &norm, &err), &err);
        must(sp_pixels_find(pixels, net, count, &finder, found, &err), &err);
        for (int i = 0; i < count; i++) {
            float tensor[FLOATS];
            struct sp_candidate items[PLACES];
            struct sp_candidates list = {0, PLACES, items};
            must(sp_resample_fit(resampler, images[i], &parts[i].rect, &parts[i].fit, &norm, tensor, &err), &err);
            sp_detect_ssd_decode(tensor, tensor + (size_t)PLACES * 4, anchors, PLACES, 0.6f, &list);
            sp_detect_place(&list, &parts[i].fit, images[i]->width, images[i]->height);
            sp_detect_nms(&list, 0.3f);
            sp_detect_keep_largest(&list);
            assert_int_equal(found[i].count, list.count);
            for (int k = 0; k < list.count; k++) {
                float size = fmaxf(items[k].box.x1 - items[k].box.x0, items[k].box.y1 - items[k].box.y0);
                assert_true(distance(&items[k].box, &found[i].items[k].box) <=
                            (emulated ? 0 : 1e-5f * size + 1e-4f));
                assert_true(fabsf(items[k].score - found[i].items[k].score) <= (emulated ? 0 : 1e-6f));
            }
            faces += list.count;
            free(pictures[i].bytes);
        }
    }
    print_message("    %d faces\n", faces);
    assert_true(faces > 30);
    sp_pixels_free(&pixels);
    sp_net_free(&net);
}

/* What is refused is refused before the device sees it, and the session goes on. */
static void nonsense_is_refused(void **state)
{
    const struct sp_norm norm = {0, {0, 0, 0}, 1};
    struct sp_net *net = make_net(SIDE, false);
    struct picture picture;
    struct sp_pixels *pixels = NULL;
    struct sp_err err = {0};
    const float *outputs[1];
    (void)state;
    make_picture(&picture, 50, 40, 0);
    const struct sp_image *image = &picture.image;
    struct sp_part part = {0, {0, 0, 50, 40}, sp_resample_letterbox(50, 40, SIDE, SIDE, 0)};
    must(sp_pixels_new(&pixels, engine, 1, 1, CHIP_SIDE, &err), &err);
    assert_int_equal(sp_pixels_fit(pixels, net, 1, &part, &norm, &err), SP_E_INVALID); /* no picture yet */
    must(sp_pixels_load(pixels, 1, &image, &err), &err);
    part.rect.width = 51;
    assert_int_equal(sp_pixels_fit(pixels, net, 1, &part, &norm, &err), SP_E_INVALID);
    part.rect.width = 50;
    part.picture = 1;
    assert_int_equal(sp_pixels_fit(pixels, net, 1, &part, &norm, &err), SP_E_INVALID);
    part.picture = 0;
    must(sp_pixels_fit(pixels, net, 1, &part, &norm, &err), &err);
    must(sp_pixels_run(pixels, net, 1, outputs, &err), &err);
    free(picture.bytes);
    sp_pixels_free(&pixels);
    sp_net_free(&net);
}

/* One picture's whole way on an engine that fails at call number `after`. */
static enum sp_status try_all(enum sp_engine_fault fault, int after, struct sp_err *err)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_CUDA, .fault = fault, .fault_after = after};
    struct sp_engine *whole = engine;
    struct sp_net *net = NULL;
    struct sp_pixels *pixels = NULL;
    struct picture picture;
    const struct sp_norm norm = {0, {0, 0, 0}, 1};
    struct sp_cut cut = {.map = {0.2f, 0, 0, 0}};
    struct sp_tally tally;
    const float *outputs[1];
    make_picture(&picture, 300, 200, 0);
    const struct sp_image *image = &picture.image;
    struct sp_part part = {0, {0, 0, 300, 200}, sp_resample_letterbox(300, 200, SIDE, SIDE, 0)};
    must(sp_resample_plan_warp(&cut.warp, 300, 200, &cut.map, CHIP_SIDE, err), err);
    engine = NULL;
    enum sp_status status = sp_engine_open(&engine, &config, err);
    if (!status)
        status = sp_pixels_new(&pixels, engine, 1, 1, CHIP_SIDE, err);
    if (!status)
        status = load_net(&net, SIDE, false, err);
    if (!status)
        status = sp_pixels_load(pixels, 1, &image, err);
    if (!status)
        status = sp_pixels_fit(pixels, net, 1, &part, &norm, err);
    if (!status)
        status = sp_pixels_run(pixels, net, 1, outputs, err);
    if (!status)
        status = sp_pixels_cut(pixels, 1, &cut, &(struct sp_face_area){9, 9, 90, 90}, &tally, err);
    sp_pixels_free(&pixels); /* before the net in whose stream it works */
    sp_net_free(&net);
    if (engine)
        sp_engine_free(&engine);
    engine = whole;
    free(picture.bytes);
    return status;
}

/* Whichever call fails, that is said and everything ends. */
static void failures_are_said(void **state)
{
    static const enum sp_engine_fault faults[] = {SP_FAULT_MEMORY, SP_FAULT_DEVICE};
    static const enum sp_status said[] = {SP_E_NOMEM, SP_E_DEVICE};
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        enum sp_status status;
        struct sp_err err = {0};
        int after = 0;
        do {
            status = try_all(faults[kind], ++after, &err);
            assert_true(status == SP_OK || status == said[kind]);
            assert_true(after < 2000);
        } while (status);
        print_message("    %d calls\n", after - 1);
        assert_true(after > 10);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_cpus),  cmocka_unit_test(chips_are_the_cpus),
        cmocka_unit_test(faces_are_the_cpus), cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(failures_are_said),
    };
    struct sp_err err = {0};
    compare_need(SP_BACKEND_CUDA, argc > 1 && strcmp(argv[1], "--skips-as-fails") == 0);
    engine = compare_engine(SP_BACKEND_CUDA);
    emulated = strstr(sp_engine_describe(engine), "emulated") != NULL;
    if (sp_resampler_new(&resampler, &err)) {
        printf("FAIL: %s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests_name("pictures on the device", tests, NULL, NULL);
    sp_resampler_free(&resampler);
    sp_engine_free(&engine);
    return failed;
}
