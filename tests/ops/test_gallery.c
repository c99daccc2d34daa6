/* Galleries and matches on both backends against a naive oracle in double precision. */
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

#define SEED 42

struct oracle_hit {
    int entry;
    double score;
};

static enum sp_metric sorting; /* for compare_hits, which qsort calls without a context */

static int compare_hits(const void *left, const void *right)
{
    const struct oracle_hit *a = left, *b = right;
    if (a->score != b->score)
        return (a->score < b->score) == (sorting == SP_METRIC_L2) ? -1 : 1;
    return a->entry < b->entry ? -1 : 1;
}

/* All entries in order, scored in double. */
static struct oracle_hit *rank_all(enum sp_metric metric, const float *rows, int count, int dim, const float *probe)
{
    struct oracle_hit *hits = malloc(((size_t)count + 1) * sizeof *hits);
    for (int i = 0; i < count; i++) {
        double distance = 0, dot = 0, length = 0, own = 0;
        for (int d = 0; d < dim; d++) {
            double a = rows[(size_t)i * (size_t)dim + (size_t)d], b = probe[d];
            distance += (a - b) * (a - b);
            dot += a * b;
            length += a * a;
            own += b * b;
        }
        hits[i].entry = i;
        hits[i].score = metric == SP_METRIC_L2 ? sqrt(distance) : length * own > 0 ? dot / sqrt(length * own) : 0;
    }
    sorting = metric;
    qsort(hits, (size_t)count, sizeof *hits, compare_hits);
    return hits;
}

static void check_row(const struct oracle_hit *expected, const struct sp_hit *got, int count, int k,
                      const char *what)
{
    for (int rank = 0; rank < k; rank++) {
        if (rank >= count) {
            assert_int_equal(got[rank].entry, -1);
            continue;
        }
        double bound = 1e-6 * fmax(1e-3, fabs(expected[rank].score));
        /* Entries may differ only where two scores are equal to within the bound. */
        if (!(fabs(got[rank].score - expected[rank].score) <= bound))
            fail_msg("%s rank %d: entry %d score %.9g, expected %d %.9g", what, rank, got[rank].entry,
                     (double)got[rank].score, expected[rank].entry, expected[rank].score);
        bool apart = (rank == 0 || fabs(expected[rank - 1].score - expected[rank].score) > bound) &&
                     (rank + 1 >= count || fabs(expected[rank + 1].score - expected[rank].score) > bound);
        if (apart)
            assert_int_equal(got[rank].entry, expected[rank].entry);
    }
}

static void check_match(enum sp_backend backend, enum sp_metric metric, int count, int dim, int probes, int k)
{
    struct random random = {SEED + (uint64_t)count * 31 + (uint64_t)dim};
    struct sp_engine *engine = compare_engine(backend);
    struct sp_gallery *gallery = NULL;
    struct sp_err err = {0};
    float *rows = malloc((size_t)count * (size_t)dim * sizeof *rows + 1);
    float *vectors = malloc((size_t)probes * (size_t)dim * sizeof *vectors);
    struct sp_probe *list = calloc((size_t)probes, sizeof *list);
    struct sp_hit *hits = calloc((size_t)probes * (size_t)k, sizeof *hits);
    char what[80];
    random_fill(&random, rows, (size_t)count * (size_t)dim);
    random_fill(&random, vectors, (size_t)probes * (size_t)dim);
    if (count > 4) /* nearly the first probe itself: where a difference of squares would cancel */
        for (int d = 0; d < dim; d++)
            rows[(size_t)(count / 2) * (size_t)dim + (size_t)d] = vectors[d] + 1e-4f * random_float(&random);
    assert_int_equal(sp_gallery_new(&gallery, engine, metric, dim, count, rows, &err), SP_OK);
    for (int i = 0; i < probes; i++)
        list[i] = (struct sp_probe){vectors + (size_t)i * (size_t)dim, gallery};
    assert_int_equal(sp_match(engine, list, probes, k, hits, &err), SP_OK);
    for (int i = 0; i < probes; i++) {
        struct oracle_hit *expected = rank_all(metric, rows, count, dim, list[i].vector);
        snprintf(what, sizeof what, "%s, %s, %d x %d, probe %d", sp_engine_describe(engine),
                 metric ? "cosine" : "l2", count, dim, i);
        check_row(expected, hits + i * k, count, k, what);
        free(expected);
    }
    sp_gallery_unref(&gallery);
    sp_engine_free(&engine);
    free(rows);
    free(vectors);
    free(list);
    free(hits);
}

static void scores_are_the_oracles(void **state)
{
    static const struct {
        int count, dim, probes, k;
    } sizes[] = {{1, 1, 1, 1},       {15, 3, 2, 4},     {16, 128, 4, 5}, {17, 128, 5, 17},   {400, 128, 17, 5},
                 {1000, 512, 9, 64}, {333, 127, 70, 3}, {5, 128, 3, 64}, {3000, 128, 33, 10}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int metric = 0; metric < 2; metric++)
            for (int backend = 0; backend < 2; backend++)
                check_match(backend ? SP_BACKEND_CPU : SP_BACKEND_REF, metric ? SP_METRIC_COSINE : SP_METRIC_L2,
                            sizes[i].count, sizes[i].dim, sizes[i].probes, sizes[i].k);
}

static void ties_go_to_the_smaller_entry(void **state)
{
    enum { COUNT = 100, DIM = 8 };
    float rows[COUNT * DIM], probe[DIM];
    struct sp_hit hits[10];
    (void)state;
    for (int i = 0; i < COUNT * DIM; i++)
        rows[i] = (float)(i / DIM % 3) + 0.5f; /* three different rows, over and over */
    for (int i = 0; i < DIM; i++)
        probe[i] = 1.5f;
    for (int backend = 0; backend < 2; backend++) {
        struct sp_engine *engine = compare_engine(backend ? SP_BACKEND_CPU : SP_BACKEND_REF);
        struct sp_gallery *gallery = NULL;
        assert_int_equal(sp_gallery_new(&gallery, engine, SP_METRIC_L2, DIM, COUNT, rows, NULL), SP_OK);
        assert_int_equal(sp_match(engine, &(struct sp_probe){probe, gallery}, 1, 10, hits, NULL), SP_OK);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(hits[i].entry, 1 + 3 * i);
            assert_true(hits[i].score == 0);
        }
        sp_gallery_unref(&gallery);
        sp_engine_free(&engine);
    }
}

static void rows_of_a_batch_may_differ_in_gallery(void **state)
{
    enum { DIM = 16 };
    struct random random = {SEED};
    struct sp_engine *engine = compare_engine(SP_BACKEND_CPU);
    struct sp_gallery *galleries[3] = {NULL, NULL, NULL};
    float rows[40 * DIM];
    struct sp_probe probes[9];
    struct sp_hit hits[9 * 2];
    (void)state;
    random_fill(&random, rows, 40 * DIM);
    assert_int_equal(sp_gallery_new(&galleries[0], engine, SP_METRIC_L2, DIM, 20, rows, NULL), SP_OK);
    assert_int_equal(sp_gallery_new(&galleries[1], engine, SP_METRIC_COSINE, DIM, 20, rows + 20 * DIM, NULL),
                     SP_OK);
    assert_int_equal(sp_gallery_new(&galleries[2], engine, SP_METRIC_L2, DIM, 0, NULL, NULL), SP_OK);
    for (int i = 0; i < 9; i++)
        probes[i] = (struct sp_probe){rows + (i % 3 == 1 ? 20 + i : i) * DIM, galleries[i % 3]};
    assert_int_equal(sp_match(engine, probes, 9, 2, hits, NULL), SP_OK);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(hits[i * 2].entry, i % 3 == 2 ? -1 : i);
        if (i % 3 != 2)
            assert_true(fabsf(hits[i * 2].score - (i % 3 == 1)) < 1e-6f);
    }
    for (int i = 0; i < 3; i++)
        sp_gallery_unref(&galleries[i]);
    sp_engine_free(&engine);
}

static void bad_input_is_refused(void **state)
{
    struct sp_engine *engine = compare_engine(SP_BACKEND_CPU), *other = compare_engine(SP_BACKEND_REF);
    struct sp_gallery *gallery = NULL;
    struct sp_err err = {0};
    struct sp_hit hits[65];
    float rows[6] = {1, 2, 3, 4, NAN, 6};
    (void)state;
    assert_int_equal(sp_gallery_new(&gallery, engine, SP_METRIC_L2, 2, 3, rows, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "template 2"));
    assert_int_equal(sp_gallery_new(&gallery, engine, SP_METRIC_L2, 0, 3, rows, &err), SP_E_LIMIT);
    assert_int_equal(sp_gallery_new(&gallery, engine, SP_METRIC_L2, 2, 2, rows, &err), SP_OK);
    assert_int_equal(sp_gallery_count(gallery), 2);
    assert_int_equal(sp_gallery_dim(gallery), 2);
    assert_int_equal(sp_gallery_metric(gallery), SP_METRIC_L2);
    struct sp_probe probe = {rows, gallery};
    assert_int_equal(sp_match(engine, &probe, 1, 0, hits, &err), SP_E_INVALID);
    assert_int_equal(sp_match(engine, &probe, 1, 65, hits, &err), SP_E_INVALID);
    assert_int_equal(sp_match(other, &probe, 1, 1, hits, &err), SP_E_INVALID);
    probe.vector = rows + 3;
    assert_int_equal(sp_match(engine, &probe, 1, 1, hits, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "probe 0"));
    sp_gallery_unref(&gallery);
    assert_null(gallery);
    sp_gallery_unref(&gallery);
    sp_engine_free(&engine);
    sp_engine_free(&other);
}

struct shared {
    struct sp_engine *engine;
    struct sp_gallery *gallery;
    const float *rows;
    int wrong;
};

static void *use_gallery(void *argument)
{
    struct shared *shared = argument;
    struct sp_hit hit;
    for (int i = 0; i < 2000; i++) {
        struct sp_gallery *own = sp_gallery_ref(shared->gallery);
        struct sp_probe probe = {shared->rows + (i % 50) * 32, own};
        if (i % 10 == 0 && (sp_match(shared->engine, &probe, 1, 1, &hit, NULL) != SP_OK || hit.entry != i % 50))
            shared->wrong++;
        sp_gallery_unref(&own);
    }
    sp_gallery_unref(&shared->gallery); /* the reference made for this thread */
    return NULL;
}

static void threads_share_a_gallery(void **state)
{
    enum { THREADS = 4 };
    struct random random = {SEED};
    struct sp_engine *engine = compare_engine(SP_BACKEND_CPU);
    struct sp_gallery *gallery = NULL;
    struct shared shared[THREADS];
    pthread_t threads[THREADS];
    float rows[50 * 32];
    (void)state;
    random_fill(&random, rows, 50 * 32);
    assert_int_equal(sp_gallery_new(&gallery, engine, SP_METRIC_L2, 32, 50, rows, NULL), SP_OK);
    for (int i = 0; i < THREADS; i++) {
        shared[i] = (struct shared){engine, sp_gallery_ref(gallery), rows, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, use_gallery, &shared[i]), 0);
    }
    sp_gallery_unref(&gallery); /* the last of the threads frees it; a sanitizer says whether one did */
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shared[i].wrong, 0);
    }
    sp_engine_free(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_the_oracles),
        cmocka_unit_test(ties_go_to_the_smaller_entry),
        cmocka_unit_test(rows_of_a_batch_may_differ_in_gallery),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(threads_share_a_gallery),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("gallery", tests, NULL, NULL);
}
