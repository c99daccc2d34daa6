/* The CUDA backend when the device fails: at every allocation and at every call in turn, while an engine opens,
 * while a net is loaded and while it runs. `--skips-as-fails` as in test_ops.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/ops/compare.h"

static uint8_t *bytes;
static size_t length;

/* A stem, a library product, a depthwise convolution and a matrix product. */
static void make_model(void)
{
    struct onnx_maker *maker = onnx_maker_new(11);
    struct random random = {7};
    float *data = malloc(8192 * sizeof *data);
    random_fill(&random, data, 8192);
    onnx_maker_input(maker, "x", 4, (int64_t[]){0, 3, 12, 12});
    onnx_maker_floats(maker, "w1", 4, (int64_t[]){16, 3, 3, 3}, data);
    onnx_maker_floats(maker, "w2", 4, (int64_t[]){32, 16, 1, 1}, data);
    onnx_maker_floats(maker, "w3", 4, (int64_t[]){32, 1, 3, 3}, data);
    onnx_maker_floats(maker, "w4", 2, (int64_t[]){32, 8}, data);
    onnx_maker_node(maker, "Conv", "x w1", "a");
    onnx_maker_list(maker, "strides", 2, (int64_t[]){2, 2});
    onnx_maker_node(maker, "Conv", "a w2", "b");
    onnx_maker_node(maker, "Conv", "b w3", "c");
    onnx_maker_int(maker, "group", 32);
    onnx_maker_node(maker, "GlobalAveragePool", "c", "d");
    onnx_maker_node(maker, "Flatten", "d", "e");
    onnx_maker_node(maker, "MatMul", "e w4", "y");
    onnx_maker_output(maker, "y");
    bytes = onnx_maker_pack(maker, &length);
    onnx_maker_free(&maker);
    free(data);
}

static enum sp_status open_with(struct sp_engine **ret_engine, enum sp_engine_fault fault, int after,
                                struct sp_err *err)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_CUDA, .fault = fault, .fault_after = after};
    return sp_engine_open(ret_engine, &config, err);
}

static enum sp_status load(struct sp_net **ret_net, struct sp_engine *engine, struct sp_err *err)
{
    struct sp_net_config config = {.max_batch = 3};
    return sp_net_load_memory(ret_net, engine, bytes, length, "failure", &config, err);
}

static enum sp_status run(struct sp_net *net, struct sp_err *err)
{
    static float rows[3 * 3 * 12 * 12];
    const float *inputs[1] = {rows}, *outputs[1];
    return sp_net_run(net, 3, inputs, outputs, err);
}

/* Whichever allocation fails, an opening or a load is refused as out of memory, and the next one works. */
static void memory_may_be_short(void **state)
{
    enum sp_status status = SP_E_NOMEM;
    int after = 0, in_opening = 0;
    (void)state;
    while (status) {
        struct sp_engine *engine = NULL;
        struct sp_net *net = NULL;
        struct sp_err err = {0};
        status = open_with(&engine, SP_FAULT_MEMORY, ++after, &err);
        if (status) {
            assert_int_equal(status, SP_E_NOMEM);
            assert_non_null(strstr(err.text, "out of"));
            assert_null(engine);
            in_opening++;
            continue;
        }
        status = load(&net, engine, &err);
        if (status) {
            assert_int_equal(status, SP_E_NOMEM);
            assert_non_null(strstr(err.text, "out of"));
            assert_null(net);
            assert_int_equal(load(&net, engine, &err), SP_OK);
        }
        assert_int_equal(run(net, &err), SP_OK);
        sp_net_free(&net);
        sp_engine_free(&engine);
        assert_true(after < 200);
    }
    assert_true(in_opening > 0 && after - in_opening > 6); /* constants, arena, both ports twice */
    print_message("    %d allocations in opening, %d in loading\n", in_opening, after - in_opening - 1);
}

/* Whichever call finds the device broken, that is said, and said again by every later call. */
static void a_broken_device_stays_broken(void **state)
{
    int after = 0, in_opening = 0, in_load = 0, in_run = 0;
    bool whole = false;
    (void)state;
    while (!whole) {
        struct sp_engine *engine = NULL;
        struct sp_net *net = NULL;
        struct sp_err err = {0};
        enum sp_status status = open_with(&engine, SP_FAULT_DEVICE, ++after, &err);
        if (status) {
            assert_int_equal(status, SP_E_DEVICE);
            assert_null(engine);
            in_opening++;
            continue;
        }
        status = load(&net, engine, &err);
        if (status) {
            assert_int_equal(status, SP_E_DEVICE);
            in_load++;
            assert_int_equal(load(&net, engine, &err), SP_E_DEVICE);
            assert_null(net);
        } else {
            status = run(net, &err);
            whole = status == SP_OK;
            if (!whole) {
                assert_int_equal(status, SP_E_DEVICE);
                in_run++;
                assert_int_equal(run(net, &err), SP_E_DEVICE);
                assert_non_null(strstr(err.text, "broken"));
            }
        }
        sp_net_free(&net);
        sp_engine_free(&engine);
        assert_true(after < 5000);
    }
    print_message("    %d calls while opening, %d while loading, %d while running\n", in_opening, in_load, in_run);
    assert_true(in_opening > 0 && in_load > 20 && in_run >= 5); /* enter, upload, graph, copy back, wait */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_be_short),
        cmocka_unit_test(a_broken_device_stays_broken),
    };
    compare_need(SP_BACKEND_CUDA, argc > 1 && strcmp(argv[1], "--skips-as-fails") == 0);
    make_model();
    int failed = cmocka_run_group_tests_name("cuda failure", tests, NULL, NULL);
    free(bytes);
    return failed;
}
