/* The real `sallyport model`: exit codes, help, refused packages, and sealing the sample packs. Needs no net. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "tests/support/command.h"

static char program[1024], source[1024];
static char directory[] = "/tmp/sallyport-test-model-XXXXXX";
static char output[64 * 1024]; /* of the last command, stdout and stderr together */

static void put(const char *name, const void *bytes, size_t length)
{
    char path[1100];
    struct sp_err err = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (sp_file_write(path, bytes, length, 0600, &err) != SP_OK)
        fail_msg("%s", err.text);
}

/* Run the command with these arguments (NULL at the end) in the test's directory; its exit code. */
static int run(const char *const *arguments)
{
    const char *argv[16] = {program};
    for (int i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    return test_command_run(output, sizeof output, directory, argv);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect(int code, int wanted, const char *says)
{
    if (code != wanted || !strstr(output, says))
        fail_msg("exit %d (wanted %d, and '%s'):\n%s", code, wanted, says, output);
}

static void test_usage(void **state)
{
    (void)state;
    expect(run((const char *const[]){NULL}), 2, "Usage: sallyport [--config FILE] GROUP VERB");
    expect(RUN("--help"), 0, "Exit codes:");
    expect(RUN("--version"), 0, "sallyport ");
    expect(RUN("nonsense"), 2, "no group 'nonsense'");
    expect(RUN("model"), 2, "inspect");
    expect(RUN("model", "--help"), 0, "inspect");
    expect(RUN("model", "nonsense"), 2, "no verb 'nonsense'");
    static const char *const verbs[] = {"import", "inspect", "run", "seal"};
    for (int i = 0; i < 4; i++) {
        expect(RUN("model", verbs[i], "--help"), 0, "Example");
        expect(RUN("model", verbs[i]), 2, "--help`");
        expect(RUN("model", verbs[i], "--nonsense"), 2, "--help`");
    }
    expect(RUN("model", "import", "other"), 2, "face-api");
    expect(RUN("model", "inspect", ".", "--size", "0x3"), 2, "--help`");
    expect(RUN("model", "inspect", ".", "--backend", "tpu"), 2, "tpu");
    static const char *const precise[] = {"inspect", "bench"};
    for (int i = 0; i < 2; i++)
        expect(RUN("model", precise[i], ".", "--precision", "fp64"), 2, "'fp64' is neither fp16 nor bf16");
    expect(RUN("model", "run", "x.onnx", "--precision", "fp64"), 2, "'fp64' is neither fp16 nor bf16");
}

static void test_refuses_package(void **state)
{
    (void)state;
    put("wrong.tgz", "not it", 6);
    expect(RUN("model", "import", "face-api", "-o", "out", "--package", "wrong.tgz"), 4, "pinned");
    expect(RUN("model", "import", "face-api", "-o", "out", "--package", "absent.tgz"), 1, "no such file");
    expect(RUN("model", "inspect", "out"), 1, "no such");
}

static void test_run_arguments(void **state)
{
    (void)state;
    put("wrong.npy", "not it", 6);
    put("wrong.onnx", "not it", 6);
    uint8_t npy[128];
    int header =
        snprintf((char *)npy + 10, sizeof npy - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }");
    memcpy(npy, "\x93NUMPY\x01\x00", 8);
    npy[8] = (uint8_t)header;
    npy[9] = 0;
    memset(npy + 10 + header, 0, 4);
    put("good.npy", npy, 10 + (size_t)header + 4);
    expect(RUN("model", "run", "x.onnx", "--output-dir", "o", "--input", "x"), 2, "NAME=FILE.npy");
    expect(RUN("model", "run", "x.onnx", "--output-dir", "o", "--input", "x=wrong.npy"), 1, "not a NumPy file");
    expect(RUN("model", "run", "x.onnx", "--output-dir", "o", "--input", "x=absent.npy"), 1, "absent.npy");
    expect(RUN("model", "run", "absent.onnx", "--output-dir", "o", "--input", "x=good.npy"), 1, "absent.onnx");
    expect(RUN("model", "run", "wrong.onnx", "--output-dir", "o", "--input", "x=good.npy"), 1, "wrong.onnx");
}

/* The sample packs of deploy/packs, beside stand-ins for the nets: sealing says nothing about what is in a file. */
static void test_seals_samples(void **state)
{
    (void)state;
    static const char *const samples[] = {"yunet-face-recognition", "yunet-mobilefacenet"};
    static const char *const nets[] = {"yunet_n_dynamic.onnx", "mobilefacenet.onnx", "face_landmark_68.onnx",
                                       "face_recognition.onnx"};
    for (int i = 0; i < 4; i++)
        put(nets[i], nets[i], strlen(nets[i]));
    for (int i = 0; i < 2; i++) {
        char path[1200];
        uint8_t *text = NULL;
        size_t length = 0;
        struct sp_err err = {0};
        snprintf(path, sizeof path, "%s/deploy/packs/%s.yaml", source, samples[i]);
        if (sp_file_read(&text, &length, path, 65536, &err) != SP_OK)
            fail_msg("%s", err.text);
        put("pack.yaml", text, length);
        free(text);
        expect(RUN("model", "inspect", "."), 1, "sallyport model seal");
        expect(RUN("model", "seal", "."), 0, samples[i]);
        expect(RUN("model", "seal", "."), 0, samples[i]);
        put("yunet_n_dynamic.onnx", "changed", 7);
        expect(RUN("model", "inspect", "."), 4, "SHA-256");
        put(nets[0], nets[0], strlen(nets[0]));
    }
    expect(RUN("model", "seal", "absent"), 1, "absent/pack.yaml");
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    return remove(path);
}

int main(void)
{
    const char *bin = getenv("SALLYPORT_BIN"), *root = getenv("SALLYPORT_SOURCE");
    if (!bin || !root || !mkdtemp(directory)) {
        fprintf(stderr, "run me by ctest: SALLYPORT_BIN and SALLYPORT_SOURCE are not set\n");
        return 1;
    }
    snprintf(program, sizeof program, "%s/sallyport", bin);
    snprintf(source, sizeof source, "%s", root);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_refuses_package),
        cmocka_unit_test(test_run_arguments),
        cmocka_unit_test(test_seals_samples),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return failed;
}
