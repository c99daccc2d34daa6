/* The weight reader on small manifests, with the traps of the real ones; and that wrong weights make no net. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ops/faceapi_nets.h"
#include "ops/faceapi_weights.h"

static enum sp_status parse(struct sp_faceapi_weights **ret_weights, const char *manifest, const void *bytes,
                            size_t length, struct sp_err *err)
{
    return sp_faceapi_weights_parse(ret_weights, "m.json", manifest, strlen(manifest), bytes, length, err);
}

/* A quantised tensor, an unused int32 one of another kind, a float32 one at the odd offset 5, a scalar, two groups,
 * members in any order, a scale with a large exponent. */
static void test_reads(void **state)
{
    (void)state;
    static const char manifest[] =
        "[{\"weights\":[\n"
        "{\"name\":\"q\",\"shape\":[2,2],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\",\"scale\":0.5,"
        "\"min\":-1}},\n"
        "{\"dtype\":\"int32\",\"shape\":[],\"quantization\":{\"scale\":1,\"min\":3072,\"dtype\":\"uint8\"},"
        "\"name\":\"i\"},\n"
        "{\"dtype\":\"float32\",\"shape\":[1,2],\"name\":\"odd\"}],\"paths\":[\"a.bin\"]},\n"
        "{\"paths\":[\"b.bin\"],\"weights\":[\n"
        "{\"name\":\"tiny\",\"shape\":[1],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\",\"scale\":3."
        "9e-36,\"min\":0}}]}]";
    uint8_t bytes[14] = {0, 1, 2, 255, 7};
    const float odd[2] = {1.25f, -3.5f};
    memcpy(bytes + 5, odd, sizeof odd);
    bytes[13] = 2;
    struct sp_faceapi_weights *weights = NULL;
    struct sp_err err = {0};
    if (parse(&weights, manifest, bytes, sizeof bytes, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(weights->count, 4);
    const struct sp_faceapi_tensor *q = sp_faceapi_weights_find(weights, "q");
    assert_int_equal(q->rank, 2);
    assert_true(q->values[0] == -1 && q->values[1] == -0.5f && q->values[2] == 0 && q->values[3] == 126.5f);
    const struct sp_faceapi_tensor *scalar = sp_faceapi_weights_find(weights, "i");
    assert_int_equal(scalar->rank, 0);
    assert_true(scalar->values[0] == 3079);
    assert_memory_equal(sp_faceapi_weights_find(weights, "odd")->values, odd, sizeof odd);
    assert_true(sp_faceapi_weights_find(weights, "tiny")->values[0] == 7.8e-36f);
    assert_null(sp_faceapi_weights_find(weights, "none"));
    sp_faceapi_weights_free(&weights);
}

#define TENSOR(text) "[{\"paths\":[\"a\"],\"weights\":[{" text "}]}]"

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *manifest, *says;
        size_t length;
    } rows[] = {
        {TENSOR("\"name\":\"x\",\"shape\":[2],\"dtype\":\"float32\""), "the data has 9", 9},
        {TENSOR("\"name\":\"x\",\"shape\":[2],\"dtype\":\"float32\""), "tensor x needs 8 bytes", 7},
        {TENSOR("\"name\":\"x\",\"shape\":[2],\"dtype\":\"float64\""), "tensor x: dtype", 16},
        {TENSOR("\"name\":\"x\",\"shape\":[2],\"dtype\":\"int32\""), "tensor x: dtype", 8},
        {TENSOR("\"name\":\"x\",\"shape\":[2]"), "tensor x: dtype", 8},
        {TENSOR("\"name\":\"x\",\"shape\":[0],\"dtype\":\"float32\""), "shape.0", 0},
        {TENSOR("\"name\":\"x\",\"shape\":[-2],\"dtype\":\"float32\""), "shape.0", 8},
        {TENSOR("\"name\":\"x\",\"shape\":[1.5],\"dtype\":\"float32\""), "impossible shape", 8},
        {TENSOR("\"name\":\"x\",\"shape\":[1,1,1,1,1],\"dtype\":\"float32\""), "more than 4 dimensions", 4},
        {TENSOR("\"name\":\"x\",\"shape\":[60000000,60000000,60000000],\"dtype\":\"float32\""), "tensor x", 8},
        {TENSOR("\"name\":\"x\",\"shape\":[2],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint16\","
                "\"scale\":1,\"min\":0}"),
         "quantization must be", 4},
        {TENSOR(
             "\"name\":\"x\",\"shape\":[2],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\",\"min\":0}"),
         "quantization must be", 2},
        {TENSOR("\"name\":\"x\",\"shape\":[2],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\","
                "\"scale\":\"z\",\"min\":0}"),
         "scale", 2},
        {"[{\"weights\":[{\"name\":\"x\",\"shape\":[],\"dtype\":\"float32\"},{\"name\":\"x\",\"shape\":[],"
         "\"dtype\":\"float32\"}]}]",
         "x is there twice", 8},
        {"{\"no\":1}", "the data has 4", 4},
        {"[{\"weights\":[{", "not YAML", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const uint8_t zeros[64];
        struct sp_faceapi_weights *weights = NULL;
        struct sp_err err = {0};
        enum sp_status status = parse(&weights, rows[i].manifest, zeros, rows[i].length, &err);
        if (status != SP_E_FORMAT || weights || !strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s: %s", i, sp_status_name(status), err.text);
    }
}

static void test_wrong_weights_make_no_net(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    struct sp_faceapi_weights *weights = NULL;
    struct sp_err err = {0};
    assert_int_equal(parse(&weights, TENSOR("\"name\":\"fc\",\"shape\":[2],\"dtype\":\"float32\""), zeros, 8, &err),
                     SP_OK);
    for (const char *const *net = sp_faceapi_nets_names(); *net; net++) {
        uint8_t *bytes = NULL;
        size_t length = 0;
        assert_int_equal(sp_faceapi_nets_convert(*net, weights, &bytes, &length, &err), SP_E_FORMAT);
        assert_null(bytes);
        assert_non_null(strstr(err.text, *net));
    }
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_faceapi_nets_convert("other", weights, &bytes, &length, &err), SP_E_NOTFOUND);
    sp_faceapi_weights_free(&weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_wrong_weights_make_no_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
