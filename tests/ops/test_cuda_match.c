/* Matches on a real device against the reference; without a device a skip (77). What the kernels compute block by
 * block is tested without one in tests/ops/emulate. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gpu/gallery.h"
#include "tests/ops/compare.h"

#define SEED 3

static struct sp_engine *device, *reference;

/* The same rows on both. */
struct pair {
    struct sp_gallery *on_device, *on_host;
    int dim;
};

static struct pair load(enum sp_metric metric, int count, int dim, const float *vectors)
{
    struct pair pair = {.dim = dim};
    struct sp_err err = {0};
    if (sp_gallery_new(&pair.on_device, device, metric, dim, count, vectors, &err) ||
        sp_gallery_new(&pair.on_host, reference, metric, dim, count, vectors, &err))
        fail_msg("%s", err.text);
    return pair;
}

static void unload(struct pair *pair)
{
    sp_gallery_unref(&pair->on_device);
    sp_gallery_unref(&pair->on_host);
}

static float *random_floats(struct random *random, size_t count)
{
    float *data = malloc(count * sizeof *data + 1);
    assert_non_null(data);
    random_fill(random, data, count);
    return data;
}

static void expect_same(const struct sp_hit *got, const struct sp_hit *expected, int count, const char *what)
{
    for (int i = 0; i < count; i++)
        if (got[i].entry != expected[i].entry ||
            !(fabsf(got[i].score - expected[i].score) <= 1e-5f * fabsf(expected[i].score) + 1e-12f))
            fail_msg("%s, hit %d: entry %d score %.9g, expected %d %.9g", what, i, got[i].entry,
                     (double)got[i].score, expected[i].entry, (double)expected[i].score);
}

static void check_sizes(enum sp_metric metric, int count, int dim, int probes, int k)
{
    struct random random = {SEED + (uint64_t)count + (uint64_t)dim * 13};
    float *vectors = random_floats(&random, (size_t)count * (size_t)dim),
          *list = random_floats(&random, (size_t)probes * (size_t)dim);
    struct sp_probe *ours = calloc((size_t)probes, sizeof *ours), *theirs = calloc((size_t)probes, sizeof *theirs);
    struct sp_hit *got = calloc((size_t)probes * (size_t)k, sizeof *got),
                  *expected = calloc((size_t)probes * (size_t)k, sizeof *expected);
    struct sp_err err = {0};
    char what[80];
    for (int e = 9; e < count; e += 10) /* every tenth row is the one before */
        memcpy(vectors + (size_t)e * (size_t)dim, vectors + (size_t)(e - 1) * (size_t)dim,
               (size_t)dim * sizeof(float));
    struct pair pair = load(metric, count, dim, vectors);
    for (int i = 0; i < probes; i++) {
        ours[i] = (struct sp_probe){list + (size_t)i * (size_t)dim, pair.on_device};
        theirs[i] = (struct sp_probe){list + (size_t)i * (size_t)dim, pair.on_host};
    }
    if (sp_match(device, ours, probes, k, got, &err) || sp_match(reference, theirs, probes, k, expected, &err))
        fail_msg("%s", err.text);
    snprintf(what, sizeof what, "%s %d x %d, %d probes, k %d", metric ? "cosine" : "l2", count, dim, probes, k);
    expect_same(got, expected, probes * k, what);
    unload(&pair);
    free(vectors);
    free(list);
    free(ours);
    free(theirs);
    free(got);
    free(expected);
}

static void answers_are_the_references(void **state)
{
    static const int counts[] = {0, 1, 15, 16, 17, 400, 7000}, dims[] = {1, 3, 128, 512, 1024, 4096},
                     probes[] = {1, 16, 33, 130};
    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
        for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++)
            for (size_t p = 0; p < sizeof probes / sizeof probes[0]; p++)
                if ((double)counts[c] * dims[d] * probes[p] < 3e8)
                    check_sizes((c + d + p) % 2 ? SP_METRIC_COSINE : SP_METRIC_L2, counts[c], dims[d], probes[p],
                                (int[]){1, 5, 64}[(c + p) % 3]);
    if (getenv("SALLYPORT_QUICK")) /* under a sanitizer: what is large is only longer */
        return;
    check_sizes(SP_METRIC_L2, 200000, 128, 3, 5);
    check_sizes(SP_METRIC_COSINE, 100000, 512, 5, 64);
}

/* Batches of four producers over galleries that come and go; each answer is known beforehand. */
enum { PRODUCERS = 4, BATCHES = 250, GALLERIES = 12, ROWS = 400, DIM = 128, PROBES = 64, K = 5, LIST = 128 };

struct scene {
    struct pair pairs[GALLERIES];
    float *rows, *list;
    struct sp_hit expected[GALLERIES][LIST][K];
};

struct producer {
    struct scene *scene;
    uint64_t seed;
    int wrong;
};

static void *produce(void *argument)
{
    struct producer *self = argument;
    struct random random = {self->seed};
    struct sp_hit hits[PROBES * K];
    int batches = getenv("SALLYPORT_QUICK") ? 16 : BATCHES;
    for (int batch = 0; batch < batches; batch++) {
        struct sp_probe probes[PROBES];
        int galleries[PROBES], vectors[PROBES];
        struct sp_gallery *own = NULL;
        if (batch % 8 == 0) /* a new version of one of them */
            sp_gallery_new(&own, device, SP_METRIC_L2, DIM, ROWS, self->scene->rows, NULL);
        for (int i = 0; i < PROBES; i++) {
            galleries[i] = own && i % 5 == 0 ? 0 : random_int(&random, 0, GALLERIES - 1);
            vectors[i] = random_int(&random, 0, LIST - 1);
            probes[i] = (struct sp_probe){self->scene->list + vectors[i] * DIM,
                                          own && i % 5 == 0 ? own : self->scene->pairs[galleries[i]].on_device};
        }
        if (sp_match(device, probes, PROBES, K, hits, NULL))
            self->wrong++;
        for (int i = 0; i < PROBES; i++)
            for (int j = 0; j < K; j++)
                self->wrong += hits[i * K + j].entry != self->scene->expected[galleries[i]][vectors[i]][j].entry;
        sp_gallery_unref(&own);
    }
    return NULL;
}

/* Bytes free on the device, by the driver's own word; 0 where it has no such function. */
static size_t device_free(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "cuMemGetInfo_v2") : NULL;
    int (*ask)(size_t *, size_t *);
    size_t left = 0, total = 0;
    memcpy(&ask, &symbol, sizeof ask);
    return symbol && ask(&left, &total) == 0 ? left : 0;
}

static void run_producers(struct scene *scene)
{
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){scene, (uint64_t)i + 1, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(producers[i].wrong, 0);
    }
}

static void thousand_batches_of_four_producers(void **state)
{
    struct random random = {SEED};
    struct scene *scene = calloc(1, sizeof *scene);
    (void)state;
    scene->list = random_floats(&random, LIST * DIM);
    for (int i = GALLERIES - 1; i >= 0; i--) {
        free(scene->rows);
        scene->rows = random_floats(&random, ROWS * DIM); /* those of gallery 0 stay */
        scene->pairs[i] = load(SP_METRIC_L2, ROWS, DIM, scene->rows);
        for (int p = 0; p < LIST; p++)
            assert_int_equal(sp_match(reference, &(struct sp_probe){scene->list + p * DIM, scene->pairs[i].on_host},
                                      1, K, scene->expected[i][p], NULL),
                             SP_OK);
    }
    run_producers(scene);
    size_t before = device_free();
    run_producers(scene);
    size_t after = device_free();
    print_message("device memory free: %zu MiB before, %zu MiB after\n", before >> 20, after >> 20);
    assert_true(after >= before);
    for (int i = 0; i < GALLERIES; i++) {
        assert_true(sp_gallery_device_bytes(scene->pairs[i].on_device) >= (size_t)ROWS * DIM * 2);
        unload(&scene->pairs[i]);
    }
    free(scene->rows);
    free(scene->list);
    free(scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_references),
        cmocka_unit_test(thousand_batches_of_four_producers),
    };
    compare_need(SP_BACKEND_CUDA, argc > 1 && strcmp(argv[1], "--skips-as-fails") == 0);
    device = compare_engine(SP_BACKEND_CUDA);
    reference = compare_engine(SP_BACKEND_REF);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sp_engine_free(&device);
    sp_engine_free(&reference);
    return failed;
}
