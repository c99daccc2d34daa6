/* `sallyport model bench`: how fast a backend runs a net, and where its time goes. */
#include "ops/model.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/program.h"
#include "common/seal.h"
#include "gpu/engine.h"

const char sp_model_bench_help[] =
    "Usage: sallyport model bench PACK|FILE.onnx [options]\n"
    "Run a net, or each net of a pack, on random rows in host memory, and say rows per second and the median, the\n"
    "99th percentile and the longest time of a batch.\n"
    "\n"
    "      --backend B     ref, cpu, cuda or auto; default auto\n"
    "      --precision P   fp16 or bf16 on a device; default what a pack says for each net, fp16 for a FILE.onnx\n"
    "      --batch N       largest batch, 1 to 1024; 1 and the powers of 4 up to it are measured; default 16\n"
    "      --seconds S     time spent on each batch size, 0.05 to 60; default 1\n"
    "      --size WxH      input size in px for a FILE.onnx that leaves it open; default 640x640\n"
    "      --threads N     compute threads of the cpu backend, 1 to 256; default 1\n"
    "      --steps         also every step with its time\n"
    "\nExamples:\n"
    "  sallyport model bench ~/.local/share/sallyport/packs/face-api --backend cuda --batch 64\n"
    "  sallyport model bench mobilefacenet.onnx --backend cpu --batch 4 --steps\n"
    "\nExit codes: 0 measured, 1 failed (an unreadable file, no such backend here), 2 wrong usage.\n";

#define MOST_TIMES 100000
#define OPEN_SIZE  640

struct bench {
    const char *target;
    struct sp_engine_config config;
    struct sp_net_config size;
    double seconds;
    bool steps, precise; /* precise: size.precision is for all nets, whatever a pack says */
    struct sp_engine *engine;
    double *times; /* [MOST_TIMES], seconds */
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Random rows for every input; freed with free_rows. */
static enum sp_status make_rows(const float **ret_rows, const struct sp_net *net, struct sp_err *err)
{
    uint32_t state = 1;
    for (int i = 0; i < sp_net_input_count(net); i++) {
        const struct sp_tensor_info *info = sp_net_input(net, i);
        size_t count = 1;
        for (int d = 0; d < info->rank; d++)
            count *= (size_t)info->dims[d];
        float *rows = malloc(count * sizeof *rows + 1);
        if (!rows)
            return sp_fail(err, SP_E_NOMEM, "model bench: no memory for %zu numbers", count);
        for (size_t at = 0; at < count; at++) {
            state = state * 1664525u + 1013904223u;
            rows[at] = (float)(state >> 8) / (float)(1u << 23) - 1;
        }
        ret_rows[i] = rows;
    }
    return SP_OK;
}

static void free_rows(const float **rows)
{
    for (int i = 0; i < SP_NET_MAX_PORTS; i++)
        free((float *)(uintptr_t)rows[i]);
}

static enum sp_status bench_batch(const struct bench *bench, struct sp_net *net, int batch,
                                  const float *const *rows, struct sp_err *err)
{
    const float *outputs[SP_NET_MAX_PORTS];
    int count = 0;
    enum sp_status status = sp_net_run(net, batch, rows, outputs, err); /* the first is not counted */
    double began = now(), ended = began;
    while (status == SP_OK && count < MOST_TIMES && (count < 3 || ended - began < bench->seconds)) {
        double before = ended;
        status = sp_net_run(net, batch, rows, outputs, err);
        ended = now();
        bench->times[count++] = ended - before;
    }
    if (status != SP_OK)
        return status;
    qsort(bench->times, (size_t)count, sizeof *bench->times, ascending);
    printf("    batch %4d: %10.1f rows/s, p50 %9.3f ms, p99 %9.3f ms, longest %9.3f ms of %d\n", batch,
           (double)batch * count / (ended - began), bench->times[count / 2] * 1e3,
           bench->times[(count - 1) * 99 / 100] * 1e3, bench->times[count - 1] * 1e3, count);
    return SP_OK;
}

static void print_step(void *context, const char *text)
{
    (void)context;
    printf("      %s\n", text);
}

static enum sp_status bench_net(const struct bench *bench, const char *name, const char *path, int height,
                                int width, enum sp_precision precision, struct sp_err *err)
{
    struct sp_net_config size = {
        .max_batch = bench->size.max_batch, .height = height, .width = width, .precision = precision};
    const float *rows[SP_NET_MAX_PORTS] = {0};
    struct sp_net *net = NULL;
    double began = now();
    enum sp_status status = sp_net_load(&net, bench->engine, path, &size, err);
    if (status != SP_OK && height == 0) { /* the file leaves its size open */
        size.height = size.width = OPEN_SIZE;
        status = sp_net_load(&net, bench->engine, path, &size, err);
    }
    if (status == SP_OK) {
        printf("%s (%s on a device, loaded in %.0f ms)\n", name, sp_model_precision_word(precision),
               (now() - began) * 1e3);
        status = make_rows(rows, net, err);
    }
    for (int batch = 1; status == SP_OK && batch <= size.max_batch;
         batch = batch < size.max_batch && batch * 4 > size.max_batch ? size.max_batch : batch * 4)
        status = bench_batch(bench, net, batch, rows, err);
    if (status == SP_OK && bench->steps)
        sp_net_describe(net, print_step, NULL);
    free_rows(rows);
    sp_net_free(&net);
    return status;
}

static enum sp_status bench_pack(const struct bench *bench, struct sp_err *err)
{
    struct sp_pack pack;
    enum sp_status status = sp_pack_load(&pack, bench->target, err);
    if (status != SP_OK)
        return status;
    const struct {
        const char *name;
        const struct sp_pack_net *net;
        bool present;
    } nets[] = {{"detector.strong", &pack.strong.net, true},
                {"detector.cheap", &pack.cheap.net, pack.cheap.kind != SP_DETECTOR_NONE},
                {"landmarks", &pack.landmarks, pack.landmark_kind != SP_LANDMARK_NONE},
                {"embedder", &pack.embedder, true}};
    for (size_t i = 0; status == SP_OK && i < sizeof nets / sizeof nets[0]; i++)
        if (nets[i].present)
            status = bench_net(bench, nets[i].name, nets[i].net->path, nets[i].net->height, nets[i].net->width,
                               bench->precise ? bench->size.precision : sp_model_precision_of(nets[i].net), err);
    return status;
}

static enum sp_status run(struct bench *bench, struct sp_err *err)
{
    struct stat about;
    if (stat(bench->target, &about) < 0)
        return sp_fail(err, SP_E_NOTFOUND, "%s: no such pack or file", bench->target);
    bench->times = malloc(MOST_TIMES * sizeof *bench->times);
    enum sp_status status = bench->times ? sp_seal_start(err) : sp_fail(err, SP_E_NOMEM, "model bench: no memory");
    if (status == SP_OK)
        status = sp_engine_open(&bench->engine, &bench->config, err);
    if (status == SP_OK) {
        const char *reason = sp_engine_fallback_reason(bench->engine);
        printf("engine: %s%s%s%s\n", sp_engine_describe(bench->engine), reason[0] ? " (" : "", reason,
               reason[0] ? ")" : "");
        status = S_ISDIR(about.st_mode) ? bench_pack(bench, err)
                                        : bench_net(bench, bench->target, bench->target, bench->size.height,
                                                    bench->size.width, bench->size.precision, err);
    }
    sp_engine_free(&bench->engine);
    free(bench->times);
    return status;
}

static bool read_number(const char *text, double least, double most, double *ret_number)
{
    char *end;
    *ret_number = strtod(text, &end);
    return end != text && !*end && *ret_number >= least && *ret_number <= most;
}

static bool read_size(const char *text, struct sp_net_config *size)
{
    char after = 0;
    return sscanf(text, "%5dx%5d%c", &size->width, &size->height, &after) == 2 && size->width > 0 &&
           size->height > 0;
}

int sp_model_bench(int argc, char **argv)
{
    static const struct option options[] = {
        {"backend", required_argument, NULL, 'b'}, {"precision", required_argument, NULL, 'P'},
        {"batch", required_argument, NULL, 'n'},   {"seconds", required_argument, NULL, 's'},
        {"size", required_argument, NULL, 'S'},    {"threads", required_argument, NULL, 't'},
        {"steps", no_argument, NULL, 'p'},         {0},
    };
    struct bench bench = {.config.threads = 1, .size = {.max_batch = 16}, .seconds = 1};
    struct sp_err err = {0};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        double number = 0;
        bool fits = option != '?';
        if (option == 'b')
            fits = sp_model_backend(&bench.config.backend, optarg, &err) == SP_OK;
        else if (option == 'n' && (fits = read_number(optarg, 1, 1024, &number)))
            bench.size.max_batch = (int)number;
        else if (option == 's')
            fits = read_number(optarg, 0.05, 60, &bench.seconds);
        else if (option == 'S')
            fits = read_size(optarg, &bench.size);
        else if (option == 't' && (fits = read_number(optarg, 1, 256, &number)))
            bench.config.threads = (int)number;
        else if (option == 'P')
            bench.precise = fits = sp_model_precision(&bench.size.precision, optarg, &err) == SP_OK;
        else if (option == 'p')
            bench.steps = true;
        if (!fits)
            return sp_command_usage("model bench", "%s", err.text[0] ? err.text : "option not understood");
    }
    if (argc - optind != 1)
        return sp_command_usage("model bench", "expected one PACK directory or FILE.onnx");
    bench.target = argv[optind];
    return run(&bench, &err) == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}
