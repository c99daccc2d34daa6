/* Times of nets and of matches on one thread: min and median per item, for the batch sizes and galleries we meet.
 *
 * usage: engine_bench [--size HEIGHTxWIDTH] [--backend cpu|ref|cuda] [--rounds N] [--batches 1,8,...]
 *                     [--matches small|large|none] [--wgmma on|off] [--cache DIR] [FILE.onnx ...]
 * small: up to 100,000 rows; large: 1,000,000 x 512 and 64 galleries of 400. Random input: what is measured does
 * not depend on it. Exit 77 where the backend does not work. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gpu/gallery.h"

struct options {
    int height, width, rounds;
    enum sp_backend backend;
    bool wgmma;
    int batches[16], batch_count;
    const char *matches, *cache; /* cache: folder of measured choices of kernels, or NULL */
};

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static float *random_floats(size_t count)
{
    float *data = malloc((count + 1) * sizeof *data);
    uint64_t state = 1;
    for (size_t i = 0; data && i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        data[i] = (float)(state >> 40) / (float)(1 << 23) - 1;
    }
    return data;
}

static int time_net(struct sp_engine *engine, const char *path, const struct options *options, int batch)
{
    struct sp_net_config config = {.max_batch = batch, .height = options->height, .width = options->width};
    struct sp_net *net = NULL;
    struct sp_err err = {0};
    const float *inputs[SP_NET_MAX_PORTS], *outputs[SP_NET_MAX_PORTS];
    float *rows[SP_NET_MAX_PORTS] = {NULL};
    double *times = calloc((size_t)options->rounds, sizeof *times), start = now_ms();
    enum sp_status status = sp_net_load(&net, engine, path, &config, &err);
    double loaded = now_ms() - start;
    for (int i = 0; !status && i < sp_net_input_count(net); i++) {
        const struct sp_tensor_info *info = sp_net_input(net, i);
        size_t count = 1;
        for (int d = 0; d < info->rank; d++)
            count *= (size_t)info->dims[d];
        inputs[i] = rows[i] = random_floats(count);
    }
    if (!status)
        status = sp_net_run(net, batch, inputs, outputs, &err); /* warm */
    for (int i = 0; i < options->rounds && !status && times; i++) {
        start = now_ms();
        status = sp_net_run(net, batch, inputs, outputs, &err);
        times[i] = (now_ms() - start) / batch;
    }
    if (status) {
        fprintf(stderr, "%s\n", err.text);
    } else if (times) {
        const char *name = strrchr(path, '/');
        qsort(times, (size_t)options->rounds, sizeof *times, ascending);
        printf("%-26s%6s batch %4d  load %6.0f ms  item min %8.4f  median %8.4f ms  %9.0f items/s\n",
               name ? name + 1 : path, options->wgmma ? "wgmma" : "", batch, loaded, times[0],
               times[options->rounds / 2], 1e3 / times[options->rounds / 2]);
    }
    for (int i = 0; i < SP_NET_MAX_PORTS; i++)
        free(rows[i]);
    free(times);
    sp_net_free(&net);
    return status != SP_OK;
}

/* probes that point at `galleries` galleries of `count` rows each, in turn. */
static int time_match(struct sp_engine *engine, enum sp_metric metric, int galleries, int count, int dim,
                      int probes)
{
    enum { ROUNDS = 15, K = 5, MOST_GALLERIES = 64 };
    struct sp_gallery *loaded[MOST_GALLERIES] = {NULL};
    struct sp_err err = {0};
    float *rows = random_floats((size_t)count * (size_t)dim),
          *vectors = random_floats((size_t)probes * (size_t)dim);
    struct sp_probe *list = calloc((size_t)probes, sizeof *list);
    struct sp_hit *hits = calloc((size_t)probes * K, sizeof *hits);
    double times[ROUNDS];
    enum sp_status status = !rows || !vectors || !list || !hits ? SP_E_NOMEM : SP_OK;
    for (int i = 0; i < galleries && !status; i++)
        status = sp_gallery_new(&loaded[i], engine, metric, dim, count, rows, &err);
    for (int i = 0; i < probes && !status; i++)
        list[i] = (struct sp_probe){vectors + (size_t)i * (size_t)dim, loaded[i % galleries]};
    if (!status)
        status = sp_match(engine, list, probes, K, hits, &err); /* warm */
    for (int i = 0; i < ROUNDS && !status; i++) {
        double start = now_ms();
        status = sp_match(engine, list, probes, K, hits, &err);
        times[i] = now_ms() - start;
    }
    if (status) {
        fprintf(stderr, "%s\n", err.text);
    } else {
        qsort(times, ROUNDS, sizeof *times, ascending);
        printf("match %-6s %2d x %7d x %3d  probes %4d  min %8.4f  median %8.4f ms  %9.0f probes/s\n",
               metric == SP_METRIC_L2 ? "l2" : "cosine", galleries, count, dim, probes, times[0], times[ROUNDS / 2],
               1e3 * probes / times[ROUNDS / 2]);
    }
    for (int i = 0; i < galleries; i++)
        sp_gallery_unref(&loaded[i]);
    free(rows);
    free(vectors);
    free(list);
    free(hits);
    return status != SP_OK;
}

static int time_matches(struct sp_engine *engine, const char *which)
{
    static const int counts[] = {400, 7000, 100000}, probes[] = {1, 16}, many[] = {1, 16, 64, 1024};
    int failed = 0;
    if (!strcmp(which, "small"))
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (size_t p = 0; p < sizeof probes / sizeof probes[0]; p++)
                for (int metric = 0; metric < 2; metric++)
                    failed |=
                        time_match(engine, metric ? SP_METRIC_COSINE : SP_METRIC_L2, 1, counts[c], 128, probes[p]);
    if (!strcmp(which, "large")) {
        for (size_t p = 0; p < sizeof many / sizeof many[0]; p++)
            failed |= time_match(engine, SP_METRIC_COSINE, 1, 1000000, 512, many[p]);
        failed |= time_match(engine, SP_METRIC_COSINE, 64, 400, 512, 64);
        failed |= time_match(engine, SP_METRIC_L2, 64, 400, 128, 64);
    }
    return failed;
}

/* One option and its value; false for one that is not known. */
static bool take(struct options *options, const char *name, const char *value)
{
    if (!strcmp(name, "--size"))
        return sscanf(value, "%dx%d", &options->height, &options->width) == 2;
    if (!strcmp(name, "--rounds"))
        return (options->rounds = (int)strtol(value, NULL, 10)) > 0;
    if (!strcmp(name, "--cache"))
        return (options->cache = value) != NULL;
    if (!strcmp(name, "--wgmma")) {
        options->wgmma = !strcmp(value, "on");
        return options->wgmma || !strcmp(value, "off");
    }
    if (!strcmp(name, "--matches")) {
        options->matches = value;
        return !strcmp(value, "small") || !strcmp(value, "large") || !strcmp(value, "none");
    }
    if (!strcmp(name, "--batches")) {
        char *end = NULL;
        for (options->batch_count = 0; options->batch_count < 16; value = end + 1) {
            int batch = (int)strtol(value, &end, 10);
            if (batch < 1)
                return false;
            options->batches[options->batch_count++] = batch;
            if (*end != ',')
                return *end == 0;
        }
        return false;
    }
    if (strcmp(name, "--backend"))
        return false;
    options->backend = !strcmp(value, "ref")    ? SP_BACKEND_REF
                       : !strcmp(value, "cuda") ? SP_BACKEND_CUDA
                                                : SP_BACKEND_CPU;
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {
        .rounds = 30, .backend = SP_BACKEND_CPU, .batches = {1, 8}, .batch_count = 2, .matches = "small"};
    struct sp_engine *engine = NULL;
    struct sp_err err = {0};
    int failed = 0, first = 1;
    for (; first + 1 < argc && strncmp(argv[first], "--", 2) == 0; first += 2)
        if (!take(&options, argv[first], argv[first + 1])) {
            fprintf(stderr, "engine_bench: unknown option or value: %s %s\n", argv[first], argv[first + 1]);
            return 2;
        }
    struct sp_engine_config config = {
        .backend = options.backend, .threads = 1, .wgmma = options.wgmma, .cache_dir = options.cache};
    enum sp_status status = sp_engine_open(&engine, &config, &err);
    if (status) {
        fprintf(stderr, "%s%s\n", status == SP_E_UNSUPPORTED ? "SKIP: " : "", err.text);
        return status == SP_E_UNSUPPORTED ? 77 : 1;
    }
    printf("%s, one thread, %d rounds\n", sp_engine_describe(engine), options.rounds);
    for (int i = first; i < argc; i++)
        for (int b = 0; b < options.batch_count; b++)
            failed |= time_net(engine, argv[i], &options, options.batches[b]);
    failed |= time_matches(engine, options.matches);
    char note[320];
    sp_engine_note(engine, note, sizeof note);
    if (note[0])
        fprintf(stderr, "%s\n", note);
    sp_engine_free(&engine);
    return failed;
}
