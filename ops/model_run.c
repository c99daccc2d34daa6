/* `sallyport model run`: NumPy arrays in, NumPy arrays out, through the same engine as the workers. */
#include "ops/model.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/program.h"
#include "gpu/engine.h"
#include "ops/npy.h"

const char sp_model_run_help[] =
    "Usage: sallyport model run FILE.onnx --input NAME=ARRAY.npy [--input ...] --output-dir DIR [options]\n"
    "Run a net on NumPy arrays ('<f4', C order) and write each output to DIR/NAME.npy. The first dimension is the\n"
    "batch; height and width of an open net are those of the arrays.\n"
    "\n"
    "      --input NAME=FILE   an array for the input NAME; once for every input\n"
    "      --output-dir DIR    made where it is missing\n"
    "      --backend B         ref (plain C, the specification), cpu, cuda or auto; default auto\n"
    "      --precision P       fp16 or bf16 on a device; default fp16\n"
    "      --threads N         compute threads of the cpu backend, 1 to 256; default 1\n"
    "\nExample:\n"
    "  sallyport model run face_recognition.onnx --input input=chips.npy --output-dir out --backend ref\n"
    "\nExit codes: 0 done, 1 failed (an unreadable file, an unsupported op), 2 wrong usage.\n";

struct run {
    const char *file, *output;
    struct sp_engine_config engine;
    enum sp_precision precision;
    int count; /* inputs given */
    char names[SP_NET_MAX_PORTS][64];
    struct sp_npy arrays[SP_NET_MAX_PORTS];
};

static enum sp_status add_input(struct run *run, const char *text, struct sp_err *err)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    if (length < 1 || length >= sizeof run->names[0])
        return sp_fail(err, SP_E_INVALID, "--input %s: expected NAME=FILE.npy", text);
    if (run->count == SP_NET_MAX_PORTS)
        return sp_fail(err, SP_E_INVALID, "--input %s: more than %d inputs", text, SP_NET_MAX_PORTS);
    memcpy(run->names[run->count], text, length);
    enum sp_status status = sp_npy_load(&run->arrays[run->count], equals + 1, err);
    if (status == SP_OK)
        run->count++;
    return status;
}

static void print_shape(char *text, size_t size, int rank, const int64_t *dims)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)dims[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* The array for one input of the net, with exactly its shape. */
static enum sp_status pick_input(const float **ret_values, const struct run *run, const struct sp_tensor_info *info,
                                 struct sp_err *err)
{
    for (int i = 0; i < run->count; i++) {
        const struct sp_npy *array = &run->arrays[i];
        if (strcmp(run->names[i], info->name) != 0)
            continue;
        if (array->rank != info->rank || memcmp(array->dims, info->dims, (size_t)info->rank * sizeof *info->dims)) {
            char want[160], have[160];
            print_shape(want, sizeof want, info->rank, info->dims);
            print_shape(have, sizeof have, array->rank, array->dims);
            return sp_fail(err, SP_E_INVALID, "input %s: the array is %s, the net takes %s", info->name, have,
                           want);
        }
        *ret_values = array->values;
        return SP_OK;
    }
    return sp_fail(err, SP_E_INVALID, "input %s of %s has no array; give --input %s=FILE.npy", info->name,
                   run->file, info->name);
}

static enum sp_status pick_inputs(const float **ret_inputs, const struct run *run, const struct sp_net *net,
                                  struct sp_err *err)
{
    for (int i = 0; i < run->count; i++) {
        int at = 0;
        while (at < sp_net_input_count(net) && strcmp(sp_net_input(net, at)->name, run->names[i]) != 0)
            at++;
        if (at == sp_net_input_count(net))
            return sp_fail(err, SP_E_INVALID, "%s has no input %s; `sallyport model inspect` names them", run->file,
                           run->names[i]);
    }
    enum sp_status status = SP_OK;
    for (int i = 0; status == SP_OK && i < sp_net_input_count(net); i++)
        status = pick_input(&ret_inputs[i], run, sp_net_input(net, i), err);
    return status;
}

static enum sp_status write_outputs(const struct run *run, const struct sp_net *net, const float *const *outputs,
                                    struct sp_err *err)
{
    if (mkdir(run->output, 0755) < 0 && errno != EEXIST)
        return sp_fail_errno(err, "%s: cannot make the directory", run->output);
    for (int i = 0; i < sp_net_output_count(net); i++) {
        const struct sp_tensor_info *info = sp_net_output(net, i);
        char name[sizeof info->name], path[1280], shape[160];
        snprintf(name, sizeof name, "%s", info->name);
        for (char *c = name; *c; c++) /* names such as "head/cls:0" become file names */
            if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
                *c = '_';
        if (name[0] == '.')
            name[0] = '_';
        if ((size_t)snprintf(path, sizeof path, "%s/%s.npy", run->output, name) >= sizeof path)
            return sp_fail(err, SP_E_LIMIT, "%s: the path is too long", run->output);
        enum sp_status status = sp_npy_save(path, info->rank, info->dims, outputs[i], err);
        if (status != SP_OK)
            return status;
        print_shape(shape, sizeof shape, info->rank, info->dims);
        printf("%s %s %s\n", info->name, shape, path);
    }
    return SP_OK;
}

static enum sp_status run_net(const struct run *run, struct sp_err *err)
{
    struct sp_engine *engine = NULL;
    struct sp_net *net = NULL;
    const struct sp_npy *first = &run->arrays[0];
    const float *inputs[SP_NET_MAX_PORTS] = {0}, *outputs[SP_NET_MAX_PORTS] = {0};
    struct sp_net_config config = {.max_batch = 1, .precision = run->precision};
    if (first->rank > 0 && (first->dims[0] < 1 || first->dims[0] > 1024))
        return sp_fail(err, SP_E_INVALID, "input %s: a batch of %lld, 1 to 1024 are possible", run->names[0],
                       (long long)first->dims[0]);
    if (first->rank > 0)
        config.max_batch = (int)first->dims[0];
    if (first->rank == 4 && first->dims[2] <= 16384 && first->dims[3] <= 16384) {
        config.height = (int)first->dims[2];
        config.width = (int)first->dims[3];
    }
    enum sp_status status = sp_engine_open(&engine, &run->engine, err);
    if (status == SP_OK)
        status = sp_net_load(&net, engine, run->file, &config, err);
    if (status == SP_OK)
        status = pick_inputs(inputs, run, net, err);
    if (status == SP_OK)
        status = sp_net_run(net, config.max_batch, inputs, outputs, err);
    if (status == SP_OK)
        status = write_outputs(run, net, outputs, err);
    sp_net_free(&net);
    sp_engine_free(&engine);
    return status;
}

static enum sp_status read_arguments(struct run *run, int argc, char **argv, struct sp_err *err)
{
    static const struct option options[] = {
        {"input", required_argument, NULL, 'i'},   {"output-dir", required_argument, NULL, 'o'},
        {"backend", required_argument, NULL, 'b'}, {"precision", required_argument, NULL, 'P'},
        {"threads", required_argument, NULL, 't'}, {0},
    };
    enum sp_status status = SP_OK;
    for (int option; status == SP_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'i')
            status = add_input(run, optarg, err);
        else if (option == 'o')
            run->output = optarg;
        else if (option == 'b')
            status = sp_model_backend(&run->engine.backend, optarg, err);
        else if (option == 'P')
            status = sp_model_precision(&run->precision, optarg, err);
        else if (option == 't')
            run->engine.threads = (int)strtol(optarg, NULL, 10);
        else
            return sp_fail(err, SP_E_INVALID, "model run: option not understood; see `sallyport model run --help`");
    }
    if (status != SP_OK)
        return status;
    if (argc - optind != 1 || !run->output || run->count == 0)
        return sp_fail(err, SP_E_INVALID,
                       "model run: expected FILE.onnx, --input and --output-dir; see `sallyport model run --help`");
    if (run->engine.threads < 1 || run->engine.threads > 256)
        return sp_fail(err, SP_E_INVALID, "model run: --threads must be 1 to 256");
    run->file = argv[optind];
    return SP_OK;
}

int sp_model_run(int argc, char **argv)
{
    struct sp_err err = {0};
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        sp_fail(&err, SP_E_NOMEM, "model run: out of memory");
        return sp_command_fail(&err);
    }
    run->engine.threads = 1;
    enum sp_status status = read_arguments(run, argc, argv, &err);
    if (status == SP_OK)
        status = run_net(run, &err);
    for (int i = 0; i < run->count; i++)
        sp_npy_clear(&run->arrays[i]);
    free(run);
    return status == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}
