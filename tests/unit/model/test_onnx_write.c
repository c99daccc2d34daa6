/* The ONNX builder: what it packs, protobuf-c unpacks again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"
#include "ops/onnx_write.h"

static void test_round_trip(void **state)
{
    (void)state;
    struct sp_onnx_write *write = NULL;
    struct sp_err err = {0};
    assert_int_equal(sp_onnx_write_new(&write, "g", 11, &err), SP_OK);
    sp_onnx_write_input(write, "input", "N,3,H,16");
    sp_onnx_write_output(write, "out", "N,2");
    sp_onnx_write_meta(write, "k", "v");
    const float values[4] = {1, 2, 3, -4};
    const char *weights = sp_onnx_write_floats(write, "w", 2, (int64_t[]){2, 2}, values);
    const char *shape = sp_onnx_write_int64s(write, "s", 2, (int64_t[]){0, -1});
    const char *a = sp_onnx_write_node(write, "Conv", NULL, 2, (const char *[]){"input", weights});
    sp_onnx_write_attr_ints(write, "pads", 4, (int64_t[]){0, 0, 1, 1});
    sp_onnx_write_attr_int(write, "group", 7);
    sp_onnx_write_node(write, "Reshape", "out", 2, (const char *[]){a, shape});
    sp_onnx_write_attr_float(write, "alpha", 0.5f);
    sp_onnx_write_attr_text(write, "mode", "constant");
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_onnx_write_finish(write, &bytes, &length, &err), SP_OK);
    sp_onnx_write_free(&write);
    assert_null(write);

    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, length, bytes);
    assert_non_null(model);
    assert_int_equal(model->opset_import[0]->version, 11);
    assert_string_equal(model->metadata_props[0]->value, "v");
    Onnx__GraphProto *graph = model->graph;
    assert_int_equal(graph->n_node, 2);
    assert_int_equal(graph->n_initializer, 2);
    Onnx__TensorShapeProto *dims = graph->input[0]->type->tensor_type->shape;
    assert_int_equal(dims->n_dim, 4);
    assert_string_equal(dims->dim[0]->dim_param, "N");
    assert_int_equal(dims->dim[3]->dim_value, 16);
    assert_int_equal(graph->initializer[0]->raw_data.len, sizeof values);
    assert_memory_equal(graph->initializer[0]->raw_data.data, values, sizeof values);
    assert_int_equal(graph->initializer[1]->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
    Onnx__NodeProto *conv = graph->node[0], *reshape = graph->node[1];
    assert_string_equal(conv->output[0], reshape->input[0]);
    assert_int_equal(conv->n_attribute, 2);
    assert_int_equal(conv->attribute[0]->ints[3], 1);
    assert_int_equal(conv->attribute[1]->i, 7);
    assert_int_equal(reshape->n_attribute, 2);
    assert_true(reshape->attribute[0]->f == 0.5f);
    assert_int_equal(reshape->attribute[1]->s.len, 8);
    onnx__model_proto__free_unpacked(model, NULL);
    free(bytes);
}

static void test_errors_stick(void **state)
{
    (void)state;
    struct sp_onnx_write *write = NULL;
    struct sp_err err = {0};
    assert_int_equal(sp_onnx_write_new(&write, "g", 11, &err), SP_OK);
    assert_string_equal(sp_onnx_write_floats(write, "bad", 1, (int64_t[]){-1}, NULL), "");
    assert_string_equal(sp_onnx_write_node(write, "Relu", NULL, 1, (const char *[]){"x"}), "");
    sp_onnx_write_attr_int(write, "a", 1);
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_onnx_write_finish(write, &bytes, &length, &err), SP_E_INVALID);
    assert_null(bytes);
    assert_non_null(strstr(err.text, "bad"));
    sp_onnx_write_free(&write);
    sp_onnx_write_free(&write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_errors_stick)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
