/* Time of matches, against the two floors of the work: bytes that have to come out of memory, products that have to
 * be made. usage: match_bench [--backend cpu|cuda] [--device N] [--rows N] [--dim N] [--bandwidth GB/s] [--rate
 * TFLOPS]
 *                          [--rounds N]
 * Without figures of this machine (gpu.sh measures them) the floors are those of --bandwidth and --rate, else none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gpu/gallery.h"

#define K 5

struct options {
    enum sp_backend backend;
    int device, rows, dim, rounds;
    double bandwidth, rate;
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static float *random_floats(size_t count)
{
    uint64_t seed = 1;
    float *data = malloc(count * sizeof *data + 1);
    for (size_t i = 0; data && i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        data[i] = (float)(seed >> 40) / (float)(1u << 23) - 1;
    }
    return data;
}

/* One line: `probes` spread evenly over `count` galleries of `rows` each. bytes: of one template as the backend has
 * it. */
static int time_batch(struct sp_engine *engine, const struct options *options, struct sp_gallery *const *galleries,
                      int count, int rows, int probes, int bytes)
{
    struct sp_probe *list = calloc((size_t)probes, sizeof *list);
    struct sp_hit *hits = calloc((size_t)probes * K, sizeof *hits);
    double *times = calloc((size_t)options->rounds, sizeof *times);
    float *vectors = random_floats((size_t)probes * (size_t)options->dim);
    struct sp_err err = {0};
    enum sp_status status = list && hits && times && vectors ? SP_OK : SP_E_NOMEM;
    for (int i = 0; i < probes && !status; i++)
        list[i] = (struct sp_probe){vectors + (size_t)i * (size_t)options->dim, galleries[i % count]};
    for (int i = -2; i < options->rounds && !status; i++) { /* two to warm up */
        double start = now_ms();
        status = sp_match(engine, list, probes, K, hits, &err);
        if (i >= 0)
            times[i] = now_ms() - start;
    }
    if (status) {
        fprintf(stderr, "match_bench: %s\n", err.text);
    } else {
        qsort(times, (size_t)options->rounds, sizeof *times, ascending);
        double ms = times[options->rounds / 2], used = (double)count * rows * options->dim * bytes;
        double products = 2.0 * probes * rows * options->dim;
        double by_bytes = options->bandwidth > 0 ? used / (options->bandwidth * 1e6) : 0;
        double by_products = options->rate > 0 ? products / (options->rate * 1e9) : 0;
        double floor_ms = by_bytes > by_products ? by_bytes : by_products;
        printf(
            "%4d x %7d x %4d  probes %4d  min %9.4f  median %9.4f ms  %11.0f queries/s  %7.1f GB/s  %8.2f TFLOPS",
            count, rows, options->dim, probes, times[0], ms, probes / ms * 1e3, used / ms / 1e6,
            products / ms / 1e9);
        if (floor_ms > 0)
            printf("  floor %8.4f ms (%s) %5.1f %%", floor_ms, by_bytes > by_products ? "bytes" : "products",
                   100 * floor_ms / ms);
        printf("\n");
    }
    free(list);
    free(hits);
    free(times);
    free(vectors);
    return status != SP_OK;
}

static int time_galleries(struct sp_engine *engine, const struct options *options, int count, int rows,
                          const int *probes, int batches)
{
    struct sp_gallery **galleries = calloc((size_t)count, sizeof(struct sp_gallery *));
    float *templates = random_floats((size_t)rows * (size_t)options->dim);
    struct sp_err err = {0};
    double start = now_ms();
    int failed = !galleries || !templates;
    for (int i = 0; i < count && !failed; i++) {
        failed = sp_gallery_new(&galleries[i], engine, SP_METRIC_L2, options->dim, rows, templates, &err) != SP_OK;
        if (failed)
            fprintf(stderr, "match_bench: %s\n", err.text);
    }
    if (!failed) {
        size_t on_device = sp_gallery_device_bytes(galleries[0]);
        printf("%d galleries of %d x %d loaded in %.1f ms, %.1f MB each on the device\n", count, rows, options->dim,
               now_ms() - start, (double)on_device / 1e6);
        for (int i = 0; i < batches && !failed; i++)
            failed = time_batch(engine, options, galleries, count, rows, probes[i],
                                on_device ? (int)sizeof(uint16_t) : (int)sizeof(float));
    }
    for (int i = 0; i < count && galleries; i++)
        sp_gallery_unref(&galleries[i]);
    free(galleries);
    free(templates);
    return failed;
}

static int parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--backend") == 0 && strcmp(value, "cuda") == 0)
            options->backend = SP_BACKEND_CUDA;
        else if (strcmp(name, "--backend") == 0 && strcmp(value, "cpu") == 0)
            options->backend = SP_BACKEND_CPU;
        else if (strcmp(name, "--device") == 0)
            options->device = (int)strtol(value, NULL, 10);
        else if (strcmp(name, "--rows") == 0 && (options->rows = (int)strtol(value, NULL, 10)) > 0)
            continue;
        else if (strcmp(name, "--dim") == 0 && (options->dim = (int)strtol(value, NULL, 10)) > 0)
            continue;
        else if (strcmp(name, "--rounds") == 0 && (options->rounds = (int)strtol(value, NULL, 10)) > 0)
            continue;
        else if (strcmp(name, "--bandwidth") == 0 && (options->bandwidth = strtod(value, NULL)) > 0)
            continue;
        else if (strcmp(name, "--rate") == 0 && (options->rate = strtod(value, NULL)) > 0)
            continue;
        else
            return i;
    }
    return argc % 2 ? 0 : argc - 1;
}

int main(int argc, char **argv)
{
    static const int large[] = {1, 16, 64, 1024}, small[] = {64, 256};
    struct options options = {.backend = SP_BACKEND_CPU, .rows = 1000000, .dim = 512, .rounds = 20};
    struct sp_engine *engine = NULL;
    struct sp_err err = {0};
    int wrong = parse(&options, argc, argv);
    if (wrong) {
        fprintf(stderr, "match_bench: unknown option or value at %s\n", argv[wrong]);
        return 2;
    }
    struct sp_engine_config config = {.backend = options.backend, .device = options.device, .threads = 1};
    if (sp_engine_open(&engine, &config, &err)) {
        fprintf(stderr, "match_bench: %s\n", err.text);
        return err.status == SP_E_UNSUPPORTED ? 77 : 1;
    }
    printf("%s, top-%d, median of %d\n", sp_engine_describe(engine), K, options.rounds);
    int failed = time_galleries(engine, &options, 1, options.rows, large, 4);
    if (!failed)
        failed = time_galleries(engine, &options, 64, 400, small, 2);
    sp_engine_free(&engine);
    return failed;
}
