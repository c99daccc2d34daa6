/* Kernels chosen by measurement, with a device whose clock is ours: every choice gives the reference's numbers, the
 * fastest is taken, and the file of choices is kept, shared, ignored where it is not ours or damaged, and written
 * again. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "gpu/cuda_agree.h"
#include "gpu/cuda_build_id.h"
#include "gpu/cuda_choice.h"
#include "gpu/cuda_half.h"
#include "tests/ops/compare.h"
#include "tests/ops/emulate/launched.h"
#include "tests/ops/emulate/plain_device.h"

enum { BATCH = 3 };

static uint8_t *bytes;
static size_t length;
static int favourite, convs; /* what our clock likes; how many implicit products it has seen */
static bool wgmma;           /* the device has Hopper's products */
static int wrong = -1;       /* the tile whose kernel computes something else, */
static bool idle;            /* or nothing */
static enum sp_precision precision = SP_PRECISION_FP16;
static char folder[] = "/tmp/sallyport-choice-XXXXXX";

/* Convolutions of 3 x 3 and 1 x 1, with and without a sum, and one whose input a depthwise one makes. */
static void make_model(void)
{
    struct onnx_maker *maker = onnx_maker_new(11);
    struct random random = {7};
    static float data[128 * 8 * 9];
    random_fill(&random, data, sizeof data / sizeof data[0]);
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 8, 5, 5});
    onnx_maker_floats(maker, "w3", 4, (int64_t[]){128, 8, 3, 3}, data);
    onnx_maker_floats(maker, "w1", 4, (int64_t[]){128, 8, 1, 1}, data + 100);
    onnx_maker_floats(maker, "w2", 4, (int64_t[]){121, 8, 1, 1}, data + 200);
    onnx_maker_floats(maker, "w8", 4, (int64_t[]){8, 8, 1, 1}, data + 400);
    onnx_maker_ints(maker, "shape", 1, (int64_t[]){4}, (int64_t[]){0, 8, 1, 25});
    onnx_maker_floats(maker, "depth", 4, (int64_t[]){8, 1, 3, 3}, data + 250);
    onnx_maker_floats(maker, "bias", 1, (int64_t[]){128}, data + 300);
    onnx_maker_node(maker, "Conv", "x w3 bias", "a");
    onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_node(maker, "Conv", "x w1 bias", "b");
    onnx_maker_node(maker, "Add", "b a", "sum");
    onnx_maker_node(maker, "Relu", "sum", "y");
    onnx_maker_node(maker, "Conv", "x w2", "c");
    onnx_maker_node(maker, "Relu", "c", "z");
    onnx_maker_node(maker, "Conv", "x depth", "d");
    onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_int(maker, "group", 8);
    onnx_maker_node(maker, "Conv", "d w1 bias", "v");
    /* What looks like it and is not: a depthwise result that is read twice, and one in another shape. */
    onnx_maker_node(maker, "Conv", "x depth", "e");
    onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_int(maker, "group", 8);
    onnx_maker_node(maker, "Conv", "e w8", "f");
    onnx_maker_node(maker, "Add", "f e", "q");
    onnx_maker_node(maker, "Conv", "x depth", "g");
    onnx_maker_list(maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_int(maker, "group", 8);
    onnx_maker_node(maker, "Reshape", "g shape", "h");
    onnx_maker_node(maker, "Conv", "h w1 bias", "r");
    onnx_maker_output(maker, "q");
    onnx_maker_output(maker, "r");
    onnx_maker_output(maker, "y");
    onnx_maker_output(maker, "z");
    onnx_maker_output(maker, "v");
    bytes = onnx_maker_pack(maker, &length);
    onnx_maker_free(&maker);
}

static double like_favourite(const void *payload, size_t size)
{
    struct launched_conv product;
    struct {
        int64_t blocks;
        struct sp_cuda_depthwise depthwise;
    } depthwise;
    int choice = launched_choice(payload, size);
    if (size == sizeof depthwise)
        return 1;
    if (choice < 0)
        return favourite == SP_CHOICE_LIBRARY ? 5 : 50;
    if (choice >= SP_CHOICE_SEPARABLE)
        return choice == favourite ? 5 : 50;
    convs++;
    if (choice == wrong) {
        memcpy(&product, payload, sizeof product);
        product.conv.act.kind = SP_ACT_NEG;
        product.blocks = idle ? 0 : product.blocks;
        memcpy((void *)(uintptr_t)payload, &product, sizeof product);
    }
    return choice == favourite ? 5 : 20;
}

static struct sp_engine *open_in(const char *cache_dir)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_CUDA, .wgmma = wgmma, .cache_dir = cache_dir};
    struct sp_engine *engine = NULL;
    struct sp_err err = {0};
    if (sp_engine_open(&engine, &config, &err))
        fail_msg("%s", err.text);
    return engine;
}

static const char *kernel_of(int choice)
{
    static const char *const names[SP_CHOICE_COUNT] = {
        "cuda:implicit 256x128", "cuda:implicit 128x128",  "cuda:implicit 128x64",   "cuda:implicit 64x64",
        "cuda:implicit 64x32",   "cuda:wgmma 128x256",     "cuda:wgmma 128x128",     "cuda:wgmma 128x64",
        "cuda:cublaslt",         "cuda:separable 256x128", "cuda:separable 128x128", "cuda:separable 128x64",
        "cuda:separable 64x64",  "cuda:separable 64x32",   "no such kernel",         "no such kernel",
        "no such kernel"};
    return names[choice];
}

struct seen {
    int convs, as_wanted[SP_CHOICE_COUNT], taken;
};

static void count_line(void *context, const char *text)
{
    struct seen *seen = context;
    seen->convs += strncmp(text, "conv", 4) == 0;
    seen->taken += strstr(text, "cuda:in the next") != NULL;
    for (int i = 0; i < SP_CHOICE_COUNT; i++)
        seen->as_wanted[i] += strncmp(text, "conv", 4) == 0 && strstr(text, kernel_of(i)) != NULL;
}

/* Load the model; what its convolutions became, and how many implicit products were run on the way. */
static struct seen load(struct sp_engine *engine, int batch, int *ret_convs)
{
    struct sp_net_config config = {.max_batch = batch, .precision = precision};
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    struct seen seen = {0};
    convs = 0;
    if (sp_net_load_memory(&net, engine, bytes, length, "choice", &config, &err))
        fail_msg("%s", err.text);
    *ret_convs = convs;
    sp_net_describe(net, count_line, &seen);
    sp_net_free(&net);
    assert_int_equal(seen.convs, 9);
    return seen;
}

/* No layer here is wide enough for the widest tile. */
static bool exists(int choice)
{
    return choice != SP_TILE_WGMMA_128X256 && choice != SP_CHOICE_SEPARABLE + SP_TILE_256X128 &&
           choice < SP_CHOICE_SEPARABLE + SP_TILE_WGMMA_128X256;
}

static void every_choice_computes_the_same(void **state)
{
    struct comparison c = {
        .reference = compare_engine(SP_BACKEND_REF), .bound = 4e-3, .max_batch = BATCH, .random = {3}};
    char note[320];
    (void)state;
    for (favourite = 0; favourite < SP_CHOICE_COUNT; favourite++) {
        int ran;
        if (!exists(favourite))
            continue;
        wgmma = true;
        c.tested = open_in(NULL);
        struct seen seen = load(c.tested, BATCH, &ran);
        /* The 3 x 3 one cannot be the library's, that of 8 channels is too narrow for all tiles but the last, and
         * one alone has a depthwise one to make. */
        int wanted = favourite == SP_TILE_64X32 ? 6 : favourite < SP_CHOICE_SEPARABLE ? 5 : 1;
        assert_int_equal(seen.as_wanted[favourite], wanted);
        assert_int_equal(seen.taken, favourite >= SP_CHOICE_SEPARABLE);
        compare_bytes(&c, bytes, length, kernel_of(favourite));
        sp_engine_note(c.tested, note, sizeof note);
        assert_string_equal(note, ""); /* none was refused */
        sp_engine_free(&c.tested);
    }
    print_message("    worst difference %.2g\n", c.worst);
    sp_engine_free(&c.reference);
    wgmma = false;
}

/* However fast they would be. */
static void hoppers_products_are_asked_for(void **state)
{
    int ran;
    (void)state;
    favourite = SP_TILE_WGMMA_128X128;
    struct sp_engine *engine = open_in(NULL);
    struct seen seen = load(engine, 1, &ran);
    assert_int_equal(seen.as_wanted[favourite], 0);
    sp_engine_free(&engine);
}

/* What is fastest in fp16 says nothing about bf16. */
static void each_precision_is_measured(void **state)
{
    struct sp_engine *engine = open_in(NULL);
    int first, again, other;
    (void)state;
    favourite = SP_TILE_128X64;
    load(engine, BATCH, &first);
    load(engine, BATCH, &again);
    precision = SP_PRECISION_BF16;
    favourite = SP_TILE_64X64;
    struct seen seen = load(engine, BATCH, &other);
    precision = SP_PRECISION_FP16;
    assert_int_equal(seen.as_wanted[SP_TILE_64X64], 5);
    assert_true(first > 4 * again && other > 4 * again);
    sp_engine_free(&engine);
}

static void without_a_clock_the_rule(void **state)
{
    int ran;
    (void)state;
    plain_device_clock(NULL);
    struct sp_engine *engine = open_in(folder);
    struct seen seen = load(engine, BATCH, &ran);
    assert_int_equal(seen.as_wanted[SP_CHOICE_LIBRARY], 5);
    assert_int_equal(ran, 0); /* nobody counted */
    sp_engine_free(&engine);
    assert_int_equal(rmdir(folder), 0); /* and nothing was written */
    assert_int_equal(mkdir(folder, 0700), 0);
    plain_device_clock(like_favourite);
}

/* The one file of the folder; "" where there is none. */
static const char *the_file(void)
{
    static char path[400];
    DIR *open = opendir(folder);
    int count = 0;
    path[0] = '\0';
    for (struct dirent *entry; (entry = readdir(open));)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%.300s", folder, entry->d_name);
            count++;
        }
    closedir(open);
    assert_true(count <= 1); /* nothing is left beside it */
    return path;
}

/* With this folder and what the clock likes now: which choice most convolutions took, and whether it was measured.
 */
static int start_again(bool *ret_measured, char *ret_note)
{
    struct sp_engine *engine = open_in(folder);
    int ran, best = 0;
    struct seen seen = load(engine, 1, &ran);
    sp_engine_note(engine, ret_note, 320);
    sp_engine_free(&engine);
    *ret_measured = ran > 50; /* 4 convolutions x 2 or more tiles x 13 launches */
    for (int i = 0; i < SP_CHOICE_COUNT; i++)
        best = seen.as_wanted[i] > seen.as_wanted[best] ? i : best;
    return best;
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 1, file);
    assert_int_equal(fclose(file), 0);
}

static void the_file_is_kept_and_believed(void **state)
{
    bool measured;
    char note[320];
    (void)state;
    favourite = SP_TILE_128X128;
    assert_int_equal(start_again(&measured, note), SP_TILE_128X128);
    assert_true(measured);
    assert_string_equal(note, "");
    assert_string_not_equal(the_file(), "");
    favourite = SP_TILE_64X32;
    assert_int_equal(start_again(&measured, note), SP_TILE_128X128); /* as it was measured then */
    assert_false(measured);
    assert_string_equal(note, "");
    flip(the_file(), 230);
    assert_int_equal(start_again(&measured, note), SP_TILE_64X32);
    assert_true(measured);
    assert_non_null(strstr(note, "is ignored: the checksum"));
    favourite = SP_CHOICE_LIBRARY;
    assert_int_equal(start_again(&measured, note), SP_TILE_64X32);
    assert_false(measured);
    assert_string_equal(note, "");
    assert_int_equal(truncate(the_file(), 100), 0);
    assert_int_equal(start_again(&measured, note), SP_CHOICE_LIBRARY);
    assert_non_null(strstr(note, "is ignored: 100 bytes"));
    unlink(the_file());
}

static void a_faster_kernel_that_is_wrong_is_not_taken(void **state)
{
    bool measured;
    char note[320];
    (void)state;
    for (int i = 0; i < 2; i++) {
        idle = i == 1; /* what is left in memory is the rule's, and right */
        favourite = wrong = SP_TILE_128X128;
        assert_int_not_equal(start_again(&measured, note), wrong);
        assert_non_null(strstr(note, "a kernel gives other numbers on this device and is not used"));
        assert_non_null(strstr(note, "implicit 128x128 at batch 1"));
        wrong = -1;
        assert_int_not_equal(start_again(&measured, note), SP_TILE_128X128); /* and that is remembered */
        assert_false(measured);
        unlink(the_file());
    }
    idle = false;
}

static void what_agrees(void **state)
{
    uint16_t rule[4], other[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        rule[i] = other[i] = sp_half_bits((float)i - 1);
    assert_true(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 4));
    assert_true(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 0));
    other[1] = sp_half_bits(0.007f); /* of a largest 2: 1/256 is 0.0078 */
    assert_true(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 4));
    other[1] = sp_half_bits(0.009f);
    assert_false(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 4));
    other[1] = 0x7e00; /* NaN where there is a number */
    assert_false(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 4));
    rule[1] = 0x7c00; /* infinite: says nothing */
    assert_true(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 4));
    for (int i = 0; i < 4; i++)
        rule[i] = other[i] = 0;
    other[3] = 1; /* the smallest there is, where all is 0 */
    assert_false(sp_cuda_agree_same(SP_PRECISION_FP16, rule, other, 4));
    rule[0] = sp_bf16_bits(1e30f);
    other[0] = sp_bf16_bits(1.02e30f);
    assert_true(sp_cuda_agree_same(SP_PRECISION_BF16, rule, other, 1));
    other[0] = sp_bf16_bits(1.05e30f);
    assert_false(sp_cuda_agree_same(SP_PRECISION_BF16, rule, other, 1));
}

static struct sp_cuda_layer layer_of(int number)
{
    return (struct sp_cuda_layer){{number, 1, 2, 3}};
}

static void another_ones_file_is_not(void **state)
{
    struct sp_cuda_choices *ours = NULL, *theirs = NULL;
    struct sp_cuda_layer layer = layer_of(1);
    char note[320], path[400];
    int choice = -1;
    (void)state;
    assert_int_equal(sp_cuda_choices_new(&theirs, "another device", folder, NULL), SP_OK);
    sp_cuda_choices_put(theirs, &layer, 2);
    sp_cuda_choices_save(theirs);
    snprintf(path, sizeof path, "%s.theirs", the_file());
    assert_int_equal(rename(the_file(), path), 0);
    assert_int_equal(sp_cuda_choices_new(&ours, "this device", folder, NULL), SP_OK);
    assert_false(sp_cuda_choices_find(ours, &layer, &choice)); /* another name */
    sp_cuda_choices_note(ours, note, sizeof note);
    assert_string_equal(note, "");
    char *end = strstr(path, ".theirs");
    unlink(path);
    sp_cuda_choices_put(ours, &layer, 3);
    sp_cuda_choices_save(ours);
    char name[400];
    snprintf(name, sizeof name, "%s", the_file());
    *end = '\0';
    assert_string_not_equal(name, path);
    sp_cuda_choices_put(theirs, &layer, 1);
    sp_cuda_choices_free(&ours);
    assert_int_equal(rename(name, path), 0); /* a file of ours under their name */
    sp_cuda_choices_free(&theirs);
    assert_int_equal(sp_cuda_choices_new(&theirs, "another device", folder, NULL), SP_OK);
    assert_false(sp_cuda_choices_find(theirs, &layer, &choice));
    sp_cuda_choices_note(theirs, note, sizeof note);
    assert_non_null(strstr(note, "of another device, driver or build"));
    sp_cuda_choices_free(&theirs);
    unlink(path);
}

static void it_is_bounded_and_comes_back(void **state)
{
    struct sp_cuda_choices *choices = NULL;
    struct sp_cuda_layer layer;
    int choice;
    (void)state;
    assert_int_equal(sp_cuda_choices_new(&choices, "this device", folder, NULL), SP_OK);
    for (int i = 0; i < SP_CUDA_MOST_CHOICES + 5; i++) {
        if (i == 300) /* the rest in one go: looking each of them up is not the point */
            i = SP_CUDA_MOST_CHOICES - 2000;
        layer = layer_of(i);
        sp_cuda_choices_put(choices, &layer, i % SP_CHOICE_COUNT);
    }
    layer = layer_of(7);
    sp_cuda_choices_put(choices, &layer, 4); /* again: the newer one counts */
    sp_cuda_choices_save(choices);
    sp_cuda_choices_free(&choices);
    assert_int_equal(sp_cuda_choices_new(&choices, "this device", folder, NULL), SP_OK);
    assert_true(sp_cuda_choices_find(choices, &layer, &choice));
    assert_int_equal(choice, 4);
    for (int i = 8; i < 300; i++) {
        layer = layer_of(i);
        assert_true(sp_cuda_choices_find(choices, &layer, &choice));
        assert_int_equal(choice, i % SP_CHOICE_COUNT);
    }
    layer = layer_of(301);
    assert_false(sp_cuda_choices_find(choices, &layer, &choice));
    sp_cuda_choices_free(&choices);
    unlink(the_file());
}

static void a_folder_that_is_not_there(void **state)
{
    char note[320];
    int ran;
    (void)state;
    struct sp_engine *engine = open_in("/nonexistent/folder");
    load(engine, 1, &ran);
    assert_true(ran > 0);
    sp_engine_note(engine, note, sizeof note);
    assert_non_null(strstr(note, "cannot be written"));
    sp_engine_free(&engine);
}

/* A device that breaks while kernels are timed: the load says so and leaves nothing. */
static void a_device_may_break_meanwhile(void **state)
{
    enum sp_status status = SP_E_DEVICE;
    int failed = 0;
    (void)state;
    for (int after = 1; status; after += 29) {
        struct sp_engine_config config = {
            .backend = SP_BACKEND_CUDA, .fault = SP_FAULT_DEVICE, .fault_after = after, .cache_dir = folder};
        struct sp_net_config size = {.max_batch = 1};
        struct sp_engine *engine = NULL;
        struct sp_net *net = NULL;
        status = sp_engine_open(&engine, &config, NULL);
        if (!status)
            status = sp_net_load_memory(&net, engine, bytes, length, "choice", &size, NULL);
        assert_true(status == SP_OK || status == SP_E_DEVICE);
        failed += status != SP_OK;
        sp_net_free(&net);
        if (engine)
            sp_engine_free(&engine);
        if (the_file()[0]) /* complete, if it is there; the next load measures again */
            assert_int_equal(unlink(the_file()), 0);
    }
    assert_true(failed > 30);
}

static void a_build_has_a_name(void **state)
{
    char text[SP_CUDA_BUILD_ID];
    (void)state;
    memset(text, 'x', sizeof text);
    sp_cuda_build_id(text);
    assert_int_equal(strlen(text), 40); /* SHA-1, as this program is linked */
    assert_int_equal(strspn(text, "0123456789abcdef"), 40);
}

static int clean(void **state)
{
    (void)state;
    if (the_file()[0])
        unlink(the_file());
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_choice_computes_the_same),
        cmocka_unit_test(each_precision_is_measured),
        cmocka_unit_test(hoppers_products_are_asked_for),
        cmocka_unit_test(without_a_clock_the_rule),
        cmocka_unit_test(the_file_is_kept_and_believed),
        cmocka_unit_test(a_faster_kernel_that_is_wrong_is_not_taken),
        cmocka_unit_test(what_agrees),
        cmocka_unit_test(another_ones_file_is_not),
        cmocka_unit_test(it_is_bounded_and_comes_back),
        cmocka_unit_test(a_folder_that_is_not_there),
        cmocka_unit_test(a_device_may_break_meanwhile),
        cmocka_unit_test(a_build_has_a_name),
    };
    if (!mkdtemp(folder))
        return 1;
    make_model();
    plain_device_clock(like_favourite);
    int failed = cmocka_run_group_tests_name("kernels by measurement", tests, NULL, clean);
    free(bytes);
    return failed;
}
