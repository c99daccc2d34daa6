/* What the loader refuses, and how it says so; and that a damaged file is only refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/ops/compare.h"

struct fixture {
    struct sp_engine *engine;
    struct onnx_maker *maker;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->engine = compare_engine(SP_BACKEND_CPU);
    f->maker = onnx_maker_new(11);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sp_engine_free(&f->engine);
    onnx_maker_free(&f->maker);
    free(f);
    return 0;
}

static enum sp_status load_bytes(struct fixture *f, const uint8_t *bytes, size_t length, int max_batch,
                                 struct sp_err *err)
{
    struct sp_net_config config = {.max_batch = max_batch, .height = 8, .width = 8, .max_bytes = 64 << 20};
    struct sp_net *net = NULL;
    enum sp_status status = sp_net_load_memory(&net, f->engine, bytes, length, "test.onnx", &config, err);
    if (!status)
        sp_net_free(&net);
    assert_null(net);
    return status;
}

/* Load the maker's model; the error must carry `status` and both texts. */
static void refused(struct fixture *f, int max_batch, enum sp_status status, const char *first, const char *second)
{
    struct sp_err err = {0};
    size_t length;
    uint8_t *bytes = onnx_maker_pack(f->maker, &length);
    enum sp_status got = load_bytes(f, bytes, length, max_batch, &err);
    free(bytes);
    if (got != status || !strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("expected %s with '%s' and '%s', got %s: %s", sp_status_name(status), first, second,
                 sp_status_name(got), err.text);
}

static void image(struct fixture *f)
{
    onnx_maker_input(f->maker, "x", 4, (int64_t[]){0, 3, 0, 0});
    onnx_maker_output(f->maker, "y");
}

static void conv_weights(struct fixture *f, int64_t out, int64_t in)
{
    float *zeros = calloc((size_t)(out * in * 9), sizeof *zeros);
    onnx_maker_floats(f->maker, "w", 4, (int64_t[]){out, in, 3, 3}, zeros);
    free(zeros);
}

static void unknown_op_is_named(void **state)
{
    image(*state);
    onnx_maker_node(((struct fixture *)*state)->maker, "LSTM", "x", "y");
    refused(*state, 1, SP_E_UNSUPPORTED, "'y' (LSTM)", "test.onnx");
}

static void unknown_attribute_value_is_named(void **state)
{
    struct fixture *f = *state;
    image(f);
    onnx_maker_node(f->maker, "Pad", "x pads", "y");
    onnx_maker_ints(f->maker, "pads", 1, (int64_t[]){8}, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    onnx_maker_string(f->maker, "mode", "reflect");
    refused(f, 1, SP_E_UNSUPPORTED, "'y' (Pad)", "reflect");
}

static void channels_must_fit(void **state)
{
    struct fixture *f = *state;
    image(f);
    conv_weights(f, 4, 2);
    onnx_maker_node(f->maker, "Conv", "x w", "y");
    refused(f, 1, SP_E_FORMAT, "'y' (Conv)", "do not fit");
}

static void window_must_fit(void **state)
{
    struct fixture *f = *state;
    image(f);
    conv_weights(f, 4, 3);
    onnx_maker_node(f->maker, "Conv", "x w", "y");
    onnx_maker_list(f->maker, "dilations", 2, (int64_t[]){9, 9});
    refused(f, 1, SP_E_INVALID, "'y' (Conv)", "does not fit");
}

static void undefined_input_is_named(void **state)
{
    image(*state);
    onnx_maker_node(((struct fixture *)*state)->maker, "Relu", "nowhere", "y");
    refused(*state, 1, SP_E_FORMAT, "'nowhere'", "not defined");
}

static void two_definitions_are_refused(void **state)
{
    struct fixture *f = *state;
    image(f);
    onnx_maker_node(f->maker, "Relu", "x", "y");
    onnx_maker_node(f->maker, "Abs", "x", "y");
    refused(f, 1, SP_E_FORMAT, "'y' (Abs)", "defined twice");
}

static void mixing_items_needs_batch_one(void **state)
{
    struct fixture *f = *state;
    image(f);
    onnx_maker_node(f->maker, "Transpose", "x", "y");
    onnx_maker_list(f->maker, "perm", 4, (int64_t[]){1, 0, 2, 3});
    refused(f, 2, SP_E_UNSUPPORTED, "'y' (Transpose)", "max_batch 1");
}

static void memory_is_limited_before_it_is_taken(void **state)
{
    struct fixture *f = *state;
    float scales[] = {1, 1, 10000, 10000};
    image(f);
    onnx_maker_floats(f->maker, "scales", 1, (int64_t[]){4}, scales);
    onnx_maker_node(f->maker, "Resize", "x - scales", "y");
    refused(f, 1, SP_E_LIMIT, "'y' (Resize)", "memory limit");
}

static void constants_are_limited_too(void **state)
{
    struct fixture *f = *state;
    image(f);
    onnx_maker_ints(f->maker, "shape", 1, (int64_t[]){4}, (int64_t[]){1, 1 << 15, 1 << 15, 64});
    onnx_maker_node(f->maker, "ConstantOfShape", "shape", "k");
    onnx_maker_node(f->maker, "Add", "x k", "y");
    refused(f, 1, SP_E_LIMIT, "'k' (ConstantOfShape)", "limit");
}

static void a_wrong_size_is_refused(void **state)
{
    struct fixture *f = *state;
    onnx_maker_input(f->maker, "x", 4, (int64_t[]){1, 3, 16, 16});
    onnx_maker_output(f->maker, "y");
    onnx_maker_node(f->maker, "Relu", "x", "y");
    refused(f, 1, SP_E_INVALID, "'x'", "16");
}

static void old_and_new_opsets_are_refused(void **state)
{
    struct fixture *f = *state;
    onnx_maker_free(&f->maker);
    f->maker = onnx_maker_new(99);
    image(f);
    onnx_maker_node(f->maker, "Relu", "x", "y");
    refused(f, 1, SP_E_UNSUPPORTED, "99", "6..21");
}

static uint8_t *whole_model(struct fixture *f, size_t *length)
{
    image(f);
    conv_weights(f, 4, 3);
    onnx_maker_node(f->maker, "Conv", "x w", "t");
    onnx_maker_list(f->maker, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_maker_node(f->maker, "Relu", "t", "y");
    return onnx_maker_pack(f->maker, length);
}

static void every_truncation_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t length;
    uint8_t *bytes = whole_model(f, &length);
    struct sp_err err = {0};
    assert_int_equal(load_bytes(f, bytes, length, 2, &err), SP_OK);
    int named = 0;
    /* In a buffer of exactly that length, so that a sanitizer sees a read past it. */
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *part = malloc(cut + !cut);
        memcpy(part, bytes, cut);
        enum sp_status status = load_bytes(f, part, cut, 2, &err);
        free(part);
        /* A cut between the graph and the opset leaves a valid file without an opset, or without a graph. */
        assert_true(status == SP_E_FORMAT || status == SP_E_UNSUPPORTED);
        named += strstr(err.text, "damaged at byte") != NULL;
    }
    assert_true(named > (int)length / 2);
    free(bytes);
}

static void no_flipped_byte_does_harm(void **state)
{
    struct fixture *f = *state;
    size_t length;
    uint8_t *bytes = whole_model(f, &length);
    struct sp_err err = {0};
    int refusals = 0;
    for (size_t at = 0; at < length; at++) {
        for (int flip = 1; flip < 256; flip <<= 1) {
            bytes[at] ^= (uint8_t)flip;
            refusals += load_bytes(f, bytes, length, 2, &err) != SP_OK;
            bytes[at] ^= (uint8_t)flip;
        }
    }
    assert_true(refusals > 100);
    free(bytes);
}

/* The length of a message field is a varint; each level here is one field around the next. */
static size_t wrap(uint8_t *bytes, size_t start, size_t end, uint8_t key)
{
    uint8_t header[6] = {key};
    size_t length = end - start, used = 1;
    for (; length >= 128; length >>= 7)
        header[used++] = (uint8_t)(length | 128);
    header[used++] = (uint8_t)length;
    memcpy(bytes + start - used, header, used);
    return start - used;
}

static void nested_graphs_are_refused_before_decoding(void **state)
{
    struct fixture *f = *state;
    struct sp_err err = {0};
    size_t room = 1 << 20, start = room;
    uint8_t *bytes = malloc(room);
    /* graph(7) { node(1) { attribute(5) { g(6) { node ... 100000 levels. */
    for (int level = 0; level < 100000 && start > 64; level++)
        start = wrap(bytes, start, room, level % 3 == 0 ? 6 << 3 | 2 : level % 3 == 1 ? 5 << 3 | 2 : 1 << 3 | 2);
    start = wrap(bytes, start, room, 7 << 3 | 2);
    assert_int_not_equal(load_bytes(f, bytes + start, room - start, 1, &err), SP_OK);
    free(bytes);
    /* The shallow form, to see the reason. */
    uint8_t small[64];
    start = sizeof small;
    start = wrap(small, start, sizeof small, 6 << 3 | 2);
    start = wrap(small, start, sizeof small, 5 << 3 | 2);
    start = wrap(small, start, sizeof small, 1 << 3 | 2);
    start = wrap(small, start, sizeof small, 7 << 3 | 2);
    assert_int_equal(load_bytes(f, small + start, sizeof small - start, 1, &err), SP_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "subgraph"));
}

static void many_nodes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sp_err err = {0};
    size_t count = 40000, room = count * 2 + 16;
    uint8_t *bytes = calloc(room, 1);
    for (size_t i = 0; i < count; i++)
        bytes[16 + 2 * i] = 1 << 3 | 2; /* an empty node */
    size_t start = wrap(bytes, 16, room, 7 << 3 | 2);
    assert_int_equal(load_bytes(f, bytes + start, room - start, 1, &err), SP_E_LIMIT);
    assert_non_null(strstr(err.text, "nodes"));
    free(bytes);
}

static void a_lying_shape_is_refused(void **state)
{
    struct fixture *f = *state;
    float few[9] = {0};
    image(f);
    size_t length;
    onnx_maker_floats(f->maker, "w", 4, (int64_t[]){1, 1, 3, 3}, few);
    onnx_maker_node(f->maker, "Conv", "x w", "y");
    uint8_t *bytes = onnx_maker_pack(f->maker, &length);
    struct sp_err err = {0};
    /* dims 1,1,3,3 packed or not: the first "3, 3" pair of bytes among the fields of number 1. */
    for (size_t i = 0; i + 8 < length; i++) {
        if (memcmp(bytes + i, "\x08\x01\x08\x01\x08\x03\x08\x03", 8) == 0) {
            bytes[i + 1] = 127;
            bytes[i + 3] = 127;
            break;
        }
    }
    assert_int_equal(load_bytes(f, bytes, length, 1, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "tensor 'w'"));
    free(bytes);
}

static void files_are_read_or_refused(void **state)
{
    struct fixture *f = *state;
    struct sp_net_config config = {.max_batch = 1, .height = 8, .width = 8};
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    assert_int_equal(sp_net_load(&net, f->engine, "/nonexistent/a.onnx", &config, &err), SP_E_NOTFOUND);
    assert_non_null(strstr(err.text, "/nonexistent/a.onnx"));
    assert_int_equal(sp_net_load(&net, f->engine, "/", &config, &err), SP_E_LIMIT);
    char path[] = "/tmp/sp-loader-XXXXXX";
    size_t length;
    uint8_t *bytes = whole_model(f, &length);
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, length), (ssize_t)length);
    close(file);
    assert_int_equal(sp_net_load(&net, f->engine, path, &config, &err), SP_OK);
    assert_int_equal(sp_net_output_index(net, "y"), 0);
    assert_int_equal(sp_net_output_index(net, "x"), -1);
    assert_int_equal(sp_net_output(net, 0)->dims[1], 4);
    assert_int_equal(sp_net_input(net, 0)->dims[2], 8);
    assert_int_equal(sp_net_run(net, 2, NULL, NULL, &err), SP_E_INVALID);
    sp_net_free(&net);
    unlink(path);
    free(bytes);
}

static void backends_are_named(void **state)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_CUDA};
    struct sp_engine *engine = NULL;
    struct sp_err err = {0};
    (void)state;
    enum sp_status status = sp_engine_open(&engine, &config, &err);
    if (status == SP_OK) { /* a build with CUDA on a machine with a device */
        sp_engine_free(&engine);
        skip();
    }
    assert_int_equal(status, SP_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "cuda"));
    config.backend = SP_BACKEND_AUTO;
    assert_int_equal(sp_engine_open(&engine, &config, &err), SP_OK);
    assert_non_null(strstr(sp_engine_fallback_reason(engine), "cuda"));
    assert_non_null(strstr(sp_engine_describe(engine), "cpu"));
    sp_engine_free(&engine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(unknown_op_is_named),
        TEST(unknown_attribute_value_is_named),
        TEST(channels_must_fit),
        TEST(window_must_fit),
        TEST(undefined_input_is_named),
        TEST(two_definitions_are_refused),
        TEST(mixing_items_needs_batch_one),
        TEST(memory_is_limited_before_it_is_taken),
        TEST(constants_are_limited_too),
        TEST(a_wrong_size_is_refused),
        TEST(old_and_new_opsets_are_refused),
        TEST(every_truncation_is_refused),
        TEST(no_flipped_byte_does_harm),
        TEST(nested_graphs_are_refused_before_decoding),
        TEST(many_nodes_are_refused),
        TEST(a_lying_shape_is_refused),
        TEST(files_are_read_or_refused),
        TEST(backends_are_named),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
