/* Matches on an emulated device against the reference: the kernels' own source, the real host code, plain memory.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gpu/cuda_half.h"
#include "gpu/cuda_match.h"
#include "gpu/cuda_match_work.h"
#include "gpu/match.h"
#include "tests/ops/compare.h"
#include "tests/ops/emulate/plain_device.h"

#define SEED 7

struct machine {
    struct sp_cuda *cuda;
    struct sp_cuda_match *match;
};

/* 2 multiprocessors: galleries of a thousand are cut into stretches. */
static struct machine open_machine(size_t memory)
{
    struct plain_device_config config = {2, 99 << 10, memory};
    struct machine machine;
    struct sp_err err = {0};
    plain_device_new(&machine.cuda, &config);
    if (sp_cuda_match_new(&machine.match, machine.cuda, &err))
        fail_msg("%s", err.text);
    return machine;
}

static void close_machine(struct machine *machine)
{
    sp_cuda_match_free(&machine->match);
    assert_int_equal(plain_device_taken(machine->cuda), 0);
    sp_cuda_close(&machine->cuda);
}

/* A gallery with its rows and what the backend keeps of them. */
struct subject {
    struct sp_rows rows;
    float *vectors, *inverse;
    struct sp_cuda_gallery *store;
};

static struct subject load(const struct machine *machine, enum sp_metric metric, int count, int dim,
                           const float *vectors)
{
    struct subject subject = {.rows = {metric, dim, count, NULL, NULL}};
    struct sp_err err = {0};
    size_t floats = (size_t)count * (size_t)dim;
    subject.vectors = malloc(floats * sizeof(float) + 1);
    subject.inverse = malloc((size_t)count * sizeof(float) + 1);
    memcpy(subject.vectors, vectors, floats * sizeof(float));
    for (int i = 0; i < count; i++)
        subject.inverse[i] = (float)sp_match_inverse_length(vectors + (size_t)i * (size_t)dim, dim);
    subject.rows.rows = subject.vectors;
    subject.rows.inverse = metric == SP_METRIC_COSINE ? subject.inverse : NULL;
    if (sp_cuda_gallery_new(&subject.store, sp_cuda_match_galleries(machine->match), &subject.rows, &err))
        fail_msg("%s", err.text);
    return subject;
}

static void unload(struct subject *subject)
{
    sp_cuda_gallery_free(&subject->store);
    free(subject->vectors);
    free(subject->inverse);
}

static void compare_with_reference(const struct machine *machine, const struct sp_match_row *rows, int count, int k,
                                   const char *what)
{
    struct sp_err err = {0};
    struct sp_hit *hits = malloc((size_t)count * (size_t)k * sizeof *hits + 1), expected[SP_MATCH_MAX_K];
    memset(hits, 0x7f, (size_t)count * (size_t)k * sizeof *hits);
    if (sp_cuda_match_run(machine->match, rows, count, k, hits, &err))
        fail_msg("%s: %s", what, err.text);
    for (int i = 0; i < count; i++) {
        sp_match_ref(NULL, rows[i].rows, NULL, &rows[i].vector, 1, k, expected, NULL);
        for (int rank = 0; rank < k; rank++) {
            const struct sp_hit *got = &hits[(size_t)i * (size_t)k + (size_t)rank];
            if (got->entry != expected[rank].entry ||
                !(fabsf(got->score - expected[rank].score) <= 1e-6f * fabsf(expected[rank].score) + 1e-12f))
                fail_msg("%s, probe %d of %d (%d x %d), rank %d of %d: entry %d score %.9g, expected %d %.9g", what,
                         i, count, rows[i].rows->count, rows[i].rows->dim, rank, k, got->entry, (double)got->score,
                         expected[rank].entry, (double)expected[rank].score);
        }
    }
    free(hits);
}

/* One gallery, `probes` probes of which every third is nearly a row. */
static struct sp_cuda_match_counts check_gallery(enum sp_metric metric, int count, int dim, int probes, int k,
                                                 float size)
{
    struct random random = {SEED + (uint64_t)count * 7 + (uint64_t)dim * 3 + (uint64_t)probes};
    struct machine machine = open_machine((size_t)1 << 30);
    size_t floats = (size_t)count * (size_t)dim, probe_floats = (size_t)probes * (size_t)dim;
    float *vectors = malloc(floats * sizeof(float) + 1), *list = malloc(probe_floats * sizeof(float));
    struct sp_match_row *rows = calloc((size_t)probes, sizeof *rows);
    char what[80];
    random_fill(&random, vectors, floats);
    random_fill(&random, list, probe_floats);
    for (size_t i = 0; i < floats; i++)
        vectors[i] *= size;
    for (size_t i = 0; i < probe_floats; i++) {
        size_t probe = i / (size_t)dim;
        list[i] *= size;
        if (probe % 3 == 0 && count > 0)
            list[i] = vectors[probe * 37 % (size_t)count * (size_t)dim + i % (size_t)dim] + 0.01f * list[i];
    }
    struct subject subject = load(&machine, metric, count, dim, vectors);
    for (int i = 0; i < probes; i++)
        rows[i] = (struct sp_match_row){list + (size_t)i * (size_t)dim, &subject.rows, subject.store};
    snprintf(what, sizeof what, "%s size %g", metric == SP_METRIC_L2 ? "l2" : "cosine", (double)size);
    compare_with_reference(&machine, rows, probes, k, what);
    struct sp_cuda_match_counts counts = sp_cuda_match_count(machine.match);
    unload(&subject);
    close_machine(&machine);
    free(vectors);
    free(list);
    free(rows);
    return counts;
}

static void answers_are_the_references(void **state)
{
    static const struct {
        int count, dim, probes, k;
    } sizes[] = {{0, 128, 3, 5},   {1, 1, 1, 1},      {1, 512, 2, 64},   {15, 3, 2, 4},
                 {16, 128, 16, 5}, {17, 128, 17, 5},  {400, 512, 3, 5},  {400, 128, 130, 5},
                 {257, 3, 33, 7},  {400, 16, 64, 64}, {255, 1024, 5, 1}, {600, 17, 65, 20},
                 {97, 2048, 1, 2}, {1300, 48, 9, 64}, {2100, 31, 40, 5}, {3100, 1024, 1, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int metric = 0; metric < 2; metric++) {
            struct sp_cuda_match_counts counts =
                check_gallery(metric ? SP_METRIC_COSINE : SP_METRIC_L2, sizes[i].count, sizes[i].dim,
                              sizes[i].probes, sizes[i].k, 1);
            assert_int_equal(counts.on_host, 0); /* the device did the work */
            assert_int_equal(counts.probes, sizes[i].count ? sizes[i].probes : 0);
        }
}

static void sizes_of_numbers_do_not_matter(void **state)
{
    static const float sizes[] = {1e-30f, 1e-20f, 1e-3f, 1e4f, 1e15f};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int metric = 0; metric < 2; metric++)
            check_gallery(metric ? SP_METRIC_COSINE : SP_METRIC_L2, 300, 20, 5, 5, sizes[i]);
}

/* Rows that are equal, or nearer to each other than 16 bits can tell: the proof fails, the second look settles it;
 * and when there are more than that can hold, the host does. */
static void equal_rows_are_widened(void **state)
{
    enum { DIM = 24 };
    static const int counts[] = {100, 1000, SP_CUDA_MATCH_COLLECT + 300};
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int metric = 0; metric < 2; metric++) {
            struct random random = {SEED};
            struct machine machine = open_machine((size_t)1 << 30);
            int count = counts[i];
            float *vectors = malloc((size_t)count * DIM * sizeof(float)), probes[3][DIM];
            struct sp_match_row rows[3];
            random_fill(&random, vectors, DIM);
            for (int e = 1; e < count; e++) /* copies, some of them off by what only f32 sees */
                for (int d = 0; d < DIM; d++)
                    vectors[e * DIM + d] = vectors[d] * (1 + (float)(e * 7919 % 5) * 3e-7f * (float)(d % 3));
            struct subject subject = load(&machine, metric ? SP_METRIC_COSINE : SP_METRIC_L2, count, DIM, vectors);
            for (int p = 0; p < 3; p++) {
                random_fill(&random, probes[p], DIM);
                if (p == 1)
                    memcpy(probes[p], vectors, sizeof probes[p]); /* exactly the rows */
                rows[p] = (struct sp_match_row){probes[p], &subject.rows, subject.store};
            }
            compare_with_reference(&machine, rows, 3, 5, "equal rows");
            struct sp_cuda_match_counts seen = sp_cuda_match_count(machine.match);
            assert_int_equal(seen.widened, 3);
            assert_int_equal(seen.on_host, count > SP_CUDA_MATCH_COLLECT ? 3 : 0);
            unload(&subject);
            close_machine(&machine);
            free(vectors);
        }
}

/* Zero rows and zero probes have scores too. */
static void zeros_are_scored(void **state)
{
    enum { DIM = 17, COUNT = 40 };
    struct random random = {SEED};
    float vectors[COUNT * DIM], probes[2][DIM] = {{0}};
    (void)state;
    for (int metric = 0; metric < 2; metric++)
        for (int all = 0; all < 2; all++) {
            struct machine machine = open_machine((size_t)1 << 30);
            random_fill(&random, vectors, COUNT * DIM);
            random_fill(&random, probes[1], DIM);
            memset(vectors + (all ? 0 : 7 * DIM), 0, (all ? COUNT : 3) * DIM * sizeof(float));
            struct subject subject = load(&machine, metric ? SP_METRIC_COSINE : SP_METRIC_L2, COUNT, DIM, vectors);
            struct sp_match_row rows[2] = {{probes[0], &subject.rows, subject.store},
                                           {probes[1], &subject.rows, subject.store}};
            compare_with_reference(&machine, rows, 2, 6, "zeros");
            unload(&subject);
            close_machine(&machine);
        }
}

/* 1..130 probes over galleries of many sizes, dims and both metrics, in one call and in any order. */
static void galleries_mix(void **state)
{
    enum { GALLERIES = 9, PROBES = 130, MOST = 400, DIM = 40 };
    static const int counts[GALLERIES] = {0, 1, 15, 16, 17, 400, 300, 64, 399}, dims[] = {16, 3, 40};
    struct random random = {SEED};
    struct machine machine = open_machine((size_t)1 << 30);
    struct subject subjects[GALLERIES];
    float *vectors = malloc(MOST * DIM * sizeof(float)), *probes = malloc(PROBES * DIM * sizeof(float));
    struct sp_match_row rows[PROBES];
    (void)state;
    for (int i = 0; i < GALLERIES; i++) {
        random_fill(&random, vectors, MOST * DIM);
        subjects[i] = load(&machine, i % 2 ? SP_METRIC_COSINE : SP_METRIC_L2, counts[i], dims[i % 3], vectors);
    }
    random_fill(&random, probes, PROBES * DIM);
    for (int count = 1; count <= PROBES; count = count < 4 ? count + 1 : count * 3 + 5) {
        for (int i = 0; i < count; i++) {
            const struct subject *subject = &subjects[random_int(&random, 0, GALLERIES - 1)];
            rows[i] = (struct sp_match_row){probes + i * DIM, &subject->rows, subject->store};
        }
        compare_with_reference(&machine, rows, count, 1 + count % 7, "mixed");
    }
    for (int i = 0; i < GALLERIES; i++)
        unload(&subjects[i]);
    close_machine(&machine);
    free(vectors);
    free(probes);
}

/* More probes, floats or pages than one pass takes. */
static void long_batches_take_passes(void **state)
{
    enum { PROBES = 1500, DIM = 16, COUNT = 20 };
    struct random random = {SEED};
    struct machine machine = open_machine((size_t)1 << 30);
    float vectors[COUNT * DIM], *probes = malloc(PROBES * DIM * sizeof(float));
    struct sp_match_row *rows = calloc(PROBES, sizeof *rows);
    (void)state;
    random_fill(&random, vectors, COUNT * DIM);
    random_fill(&random, probes, PROBES * DIM);
    struct subject subject = load(&machine, SP_METRIC_L2, COUNT, DIM, vectors);
    for (int i = 0; i < PROBES; i++)
        rows[i] = (struct sp_match_row){probes + i * DIM, &subject.rows, subject.store};
    compare_with_reference(&machine, rows, PROBES, 3, "long");
    unload(&subject);
    close_machine(&machine);
    free(probes);
    free(rows);
}

/* |device's K - K| stays within the bound that the proof stands on, also where numbers differ wildly in size. */
static void device_scores_stay_within_the_bound(void **state)
{
    enum { DIM = 96, COUNT = 60 };
    struct random random = {SEED};
    float vectors[COUNT * DIM], probe[DIM];
    double nearest = 1e9;
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct machine machine = open_machine((size_t)1 << 30);
        enum sp_metric metric = round % 2 ? SP_METRIC_COSINE : SP_METRIC_L2;
        for (int i = 0; i < COUNT * DIM; i++)
            vectors[i] = random_float(&random) * (round < 6 ? 1 : ldexpf(1, random_int(&random, -20, 6)));
        for (int i = 0; i < DIM; i++) /* all roundings of one sign where round is 4 or 5 */
            probe[i] = round / 2 == 2 ? 1 + 0x1p-11f + 0x1p-20f : random_float(&random);
        if (round / 2 == 2)
            for (int i = 0; i < DIM; i++)
                vectors[i] = probe[i];
        struct subject subject = load(&machine, metric, COUNT, DIM, vectors);
        struct sp_cuda_match_probe facts = sp_cuda_match_probe(&subject.rows, &subject.store->scale, probe);
        assert_false(facts.on_host);
        for (int e = 0; e < COUNT; e++) {
            double dot = 0, exact = 0, squares = 0, own = 0;
            for (int d = 0; d < DIM; d++) {
                double row = vectors[e * DIM + d];
                float by = metric == SP_METRIC_COSINE ? (float)(subject.store->scale.by * subject.inverse[e])
                                                      : (float)subject.store->scale.by;
                dot += (double)sp_half_value(sp_half_bits(vectors[e * DIM + d] * by)) *
                       sp_half_value(sp_half_bits(probe[d] * facts.scale));
                exact += row * probe[d];
                squares += row * row;
                own += (double)probe[d] * probe[d];
            }
            double half = metric == SP_METRIC_L2 ? squares / 2 : 0;
            exact = metric == SP_METRIC_L2 ? exact - half : exact / sqrt(squares * own);
            double error = fabs(dot * facts.factor / facts.unit - half - exact);
            nearest = fmin(nearest, facts.error / fmax(error, 1e-300));
            if (!(error <= facts.error))
                fail_msg("round %d entry %d: off by %g, bound %g", round, e, error, facts.error);
        }
        unload(&subject);
        close_machine(&machine);
    }
    assert_true(nearest < 1.5); /* the bound is no wider than it has to be */
}

struct producer {
    const struct machine *machine;
    const struct subject *subjects;
    const float *probes;
    uint64_t seed;
    int wrong;
};

static void *produce(void *argument)
{
    enum { PROBES = 6, K = 2, DIM = 16, GALLERIES = 5, ROUNDS = 12 };
    struct producer *self = argument;
    struct random random = {self->seed};
    struct sp_match_row rows[PROBES];
    struct sp_hit hits[PROBES * K], expected[K];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PROBES; i++) {
            const struct subject *subject = &self->subjects[random_int(&random, 0, GALLERIES - 1)];
            rows[i] = (struct sp_match_row){self->probes + random_int(&random, 0, 63) * DIM, &subject->rows,
                                            subject->store};
        }
        if (sp_cuda_match_run(self->machine->match, rows, PROBES, K, hits, NULL))
            self->wrong++;
        for (int i = 0; i < PROBES; i++) {
            sp_match_ref(NULL, rows[i].rows, NULL, &rows[i].vector, 1, K, expected, NULL);
            for (int j = 0; j < K; j++)
                self->wrong += hits[i * K + j].entry != expected[j].entry;
        }
    }
    return NULL;
}

static void producers_do_not_meet(void **state)
{
    enum { THREADS = 6, GALLERIES = 5, DIM = 16 }; /* more threads than places */
    struct random random = {SEED};
    struct machine machine = open_machine((size_t)1 << 30);
    float vectors[40 * DIM], probes[64 * DIM];
    struct subject subjects[GALLERIES];
    struct producer producers[THREADS];
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < GALLERIES; i++) {
        random_fill(&random, vectors, 40 * DIM);
        subjects[i] = load(&machine, i % 2 ? SP_METRIC_COSINE : SP_METRIC_L2, 40 - i, DIM, vectors);
    }
    random_fill(&random, probes, 64 * DIM);
    for (int i = 0; i < THREADS; i++) {
        producers[i] = (struct producer){&machine, subjects, probes, (uint64_t)i + 1, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(producers[i].wrong, 0);
    }
    for (int i = 0; i < GALLERIES; i++)
        unload(&subjects[i]);
    close_machine(&machine);
}

/* Versions come and go in used memory; what is short is named, and room comes back. */
static void memory_is_counted_and_comes_back(void **state)
{
    enum { DIM = 512, COUNT = 3000, ROUNDS = 20 };
    struct random random = {SEED};
    struct machine machine = open_machine((size_t)230 << 20);
    struct sp_cuda_galleries *galleries = sp_cuda_match_galleries(machine.match);
    float *vectors = malloc(COUNT * DIM * sizeof(float));
    struct sp_cuda_gallery *stores[60] = {NULL};
    struct sp_rows rows = {SP_METRIC_L2, DIM, COUNT, vectors, NULL};
    struct sp_err err = {0};
    size_t used, reserved, after;
    int count = 0;
    (void)state;
    random_fill(&random, vectors, COUNT * DIM);
    while (count < 60 && sp_cuda_gallery_new(&stores[count], galleries, &rows, &err) == SP_OK)
        count++;
    assert_in_range(count, 20, 59);
    assert_int_equal(err.status, SP_E_NOMEM);
    assert_non_null(strstr(err.text, "gallery of 3000 x 512, "));
    sp_cuda_galleries_usage(galleries, &used, &reserved);
    assert_true(used >= (size_t)count * COUNT * DIM * 2 && used <= reserved);
    for (int round = 0; round < ROUNDS; round++) { /* each takes the place of one that goes */
        int at = random_int(&random, 0, count - 1);
        rows.count = random_int(&random, 1, COUNT);
        sp_cuda_gallery_free(&stores[at]);
        assert_int_equal(sp_cuda_gallery_new(&stores[at], galleries, &rows, &err), SP_OK);
    }
    sp_cuda_galleries_usage(galleries, &used, &after);
    assert_true(after <= reserved);
    for (int i = 0; i < count; i++)
        sp_cuda_gallery_free(&stores[i]);
    sp_cuda_galleries_usage(galleries, &used, &reserved);
    assert_int_equal(used, 0);
    assert_true(reserved <= (size_t)64 << 20);
    close_machine(&machine);
    free(vectors);
}

/* A device that breaks at any call: the sentence comes out, nothing is leaked or left on its way. */
static void broken_devices_are_reported(void **state)
{
    enum { DIM = 16, COUNT = 20 };
    struct random random = {SEED};
    float vectors[COUNT * DIM];
    struct sp_err err = {0};
    struct sp_hit hits[2];
    (void)state;
    random_fill(&random, vectors, COUNT * DIM);
    for (int n = 1, ended = 0; !ended; n++) {
        struct machine machine = open_machine((size_t)1 << 30);
        struct sp_rows rows = {SP_METRIC_L2, DIM, COUNT, vectors, NULL};
        struct sp_cuda_gallery *store = NULL;
        plain_device_break(machine.cuda, n);
        enum sp_status status = sp_cuda_gallery_new(&store, sp_cuda_match_galleries(machine.match), &rows, &err);
        struct sp_match_row row = {vectors, &rows, store};
        if (!status)
            status = sp_cuda_match_run(machine.match, &row, 1, 2, hits, &err);
        ended = status == SP_OK;
        if (!ended)
            assert_int_equal(status, SP_E_DEVICE);
        assert_in_range(n, 1, 30);
        sp_cuda_gallery_free(&store);
        close_machine(&machine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_references),
        cmocka_unit_test(sizes_of_numbers_do_not_matter),
        cmocka_unit_test(equal_rows_are_widened),
        cmocka_unit_test(zeros_are_scored),
        cmocka_unit_test(galleries_mix),
        cmocka_unit_test(long_batches_take_passes),
        cmocka_unit_test(device_scores_stay_within_the_bound),
        cmocka_unit_test(producers_do_not_meet),
        cmocka_unit_test(memory_is_counted_and_comes_back),
        cmocka_unit_test(broken_devices_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
