/* Real nets: the cpu backend (or `cuda`, or `cuda bf16`) against the reference, and one row at a time against all
 * at once.
 *
 * Reads models/ *.onnx below $SALLYPORT_TEST_DATA (default: ../shared/data beside the source tree); skipped
 * without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/ops/compare.h"

static char folder[1024];
static enum sp_backend tested = SP_BACKEND_CPU;
static enum sp_precision precision = SP_PRECISION_FP16;

static uint8_t *read_model(const char *name, size_t *ret_length)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/models/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        print_message("    no %s\n", path);
        skip();
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    assert_true(length > 0);
    rewind(file);
    uint8_t *bytes = malloc((size_t)length);
    assert_int_equal(fread(bytes, 1, (size_t)length, file), (size_t)length);
    fclose(file);
    *ret_length = (size_t)length;
    return bytes;
}

/* cuda: fifty layers of 16-bit activations, on noise that no net was trained for: 5e-2 of the largest output, or of
 * 0.1 where all are smaller (probabilities); bf16 is 8 times as coarse, and 0.3 has room for that (0.21 was seen).
 * On pictures it is a tenth of that (docs/cuda.md). */
static double cuda_bound(void)
{
    return precision == SP_PRECISION_BF16 ? 0.3 : 5e-2;
}

static void compare_file(const char *name, int height, int width, int max_batch, double bound)
{
    size_t length;
    uint8_t *bytes = read_model(name, &length);
    struct comparison c = {.reference = compare_engine(SP_BACKEND_REF),
                           .tested = compare_engine(tested),
                           .seed = 1,
                           .random = {1},
                           .bound = tested == SP_BACKEND_CUDA ? cuda_bound() : bound,
                           .least = tested == SP_BACKEND_CUDA ? 0.1 : 0,
                           .large = tested == SP_BACKEND_CUDA ? 2 : 20,
                           .max_batch = max_batch,
                           .precision = precision,
                           .height = height,
                           .width = width};
    compare_bytes(&c, bytes, length, name);
    print_message("    %-28s worst %.2g, bound %.2g\n", name, c.worst, c.bound);
    sp_engine_free(&c.reference);
    sp_engine_free(&c.tested);
    free(bytes);
}

/* Some fifty layers deep, each within 1e-6: 1e-4 at the end, of the largest output. */
static void mobilefacenet_agrees(void **state)
{
    (void)state;
    compare_file("mobilefacenet.onnx", 112, 112, 3, 1e-4);
}

static void yunet_agrees(void **state)
{
    (void)state;
    compare_file("yunet_n_dynamic.onnx", 96, 160, 3, 1e-4);
    compare_file("yunet_n_640_640.onnx", 0, 0, 1, 1e-4);
}

static void antispoof_agrees(void **state)
{
    (void)state;
    compare_file("antispoof_bin_1.5_128.onnx", 128, 128, 3, 1e-4);
}

/* A file with its batch fixed to 1: item i of a batch is what it is alone. */
static void rows_do_not_mix(void **state)
{
    size_t length, item = 3 * 112 * 112;
    uint8_t *bytes = read_model("mobilefacenet.onnx", &length);
    struct sp_engine *engine = compare_engine(tested);
    struct sp_net_config config = {.max_batch = 7, .precision = precision};
    struct sp_net *net = NULL;
    struct random random = {3};
    struct sp_err err = {0};
    const float *out[1], *in[1];
    float all[7 * 128], *rows = malloc(7 * item * sizeof *rows);
    (void)state;
    random_fill(&random, rows, 7 * item);
    assert_int_equal(sp_net_load_memory(&net, engine, bytes, length, "mobilefacenet", &config, &err), SP_OK);
    assert_int_equal(sp_net_output(net, 0)->dims[0], 7);
    in[0] = rows;
    assert_int_equal(sp_net_run(net, 7, in, out, &err), SP_OK);
    memcpy(all, out[0], sizeof all);
    for (int i = 0; i < 7; i++) {
        in[0] = rows + (size_t)i * item;
        assert_int_equal(sp_net_run(net, 1, in, out, &err), SP_OK);
        double distance = compare_arrays(out[0], all + i * 128, 128);
        double bound = precision == SP_PRECISION_BF16 ? 1.6e-2 : 2e-3;
        if (!(distance < (tested == SP_BACKEND_CUDA ? bound : 1e-5))) /* other tiles, other order */
            fail_msg("row %d differs by %g", i, distance);
    }
    sp_net_free(&net);
    sp_engine_free(&engine);
    free(rows);
    free(bytes);
    (void)state;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "cuda") == 0) {
        tested = SP_BACKEND_CUDA;
        compare_need(tested, strcmp(argv[argc - 1], "--skips-as-fails") == 0);
        if (argc > 2 && strcmp(argv[2], "bf16") == 0)
            precision = SP_PRECISION_BF16;
    }
    const char *data = getenv("SALLYPORT_TEST_DATA"), *source = getenv("SALLYPORT_SOURCE");
    if (data)
        snprintf(folder, sizeof folder, "%s", data);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data", source ? source : ".");
    char models[sizeof folder + 8];
    snprintf(models, sizeof models, "%s/models", folder);
    if (access(models, R_OK) != 0) {
        printf("SKIP: no folder %s; set SALLYPORT_TEST_DATA\n", models);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mobilefacenet_agrees),
        cmocka_unit_test(yunet_agrees),
        cmocka_unit_test(antispoof_agrees),
        cmocka_unit_test(rows_do_not_mix),
    };
    return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
