/* Look-alikes of a gallery against the truth of made-up templates, on the reference and on the CPU backend; and
 * that a ship's worth of people is looked through in seconds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "workers/review.h"

enum { DIM = 16, FOREVER_S = 600 };

static struct sp_pack pack;
static struct sp_engine *engine;
static int steps;

static void step(void *context)
{
    (void)context;
    steps++;
}

/* A hot gallery as the loader would have made it: `portraits` entries a person, vectors[entry]. */
static struct sp_hot_gallery *gallery_of(int people, int portraits, int dim, const float *vectors)
{
    struct sp_hot_gallery *hot = calloc(1, sizeof *hot);
    struct sp_err err = {0};
    enum sp_metric metric = pack.metric == SP_PACK_L2 ? SP_METRIC_L2 : SP_METRIC_COSINE;
    assert_non_null(hot);
    hot->references = 1;
    hot->version = 3;
    hot->row_count = hot->usable = people;
    hot->most_portraits = portraits;
    hot->people = calloc((size_t)(people * portraits) + 1, sizeof *hot->people);
    hot->pseudonyms = calloc((size_t)people + 1, sizeof *hot->pseudonyms);
    for (int i = 0; i < people * portraits; i++)
        hot->people[i] = i / portraits;
    for (int i = 0; i < people; i++)
        memcpy(hot->pseudonyms[i], &i, sizeof i);
    if (sp_gallery_new(&hot->gallery, engine, metric, dim, people * portraits, vectors, &err) != SP_OK)
        fail_msg("%s", err.text);
    return hot;
}

/* Every entry of the gallery as a probe. */
static struct sp_hot_vectors probes_of(const struct sp_hot_gallery *hot, float *vectors)
{
    return (struct sp_hot_vectors){sp_gallery_count(hot->gallery), hot->people, vectors, 0};
}

static struct sp_review *review_of(struct sp_hot_gallery *hot, float *vectors)
{
    static struct sp_review review;
    struct sp_err err = {0};
    struct sp_hot_vectors probes = probes_of(hot, vectors);
    uint64_t deadline_ns = sp_clock_mono_ns() + FOREVER_S * 1000 * SP_NS_PER_MS;
    if (sp_review_gallery(&review, engine, &pack, hot, &probes, deadline_ns, step, NULL, &err) != SP_OK)
        fail_msg("%s", err.text);
    sp_hot_unref(&hot);
    return &review;
}

static int id_of(const uint8_t *pseudonym)
{
    int id;
    memcpy(&id, pseudonym, sizeof id);
    return id;
}

static void expect_pair(const struct sp_review *review, int at, int a, int b, double score)
{
    assert_true(at < review->pair_count);
    assert_int_equal(id_of(review->pairs[at].a), a);
    assert_int_equal(id_of(review->pairs[at].b), b);
    assert_true(fabs(review->pairs[at].score - score) < 1e-5);
}

/* Everybody on an axis of his own, 3 from the origin; `moved` gives exceptions. */
static void spread(float *vectors, int entries, int portraits)
{
    memset(vectors, 0, (size_t)entries * DIM * sizeof *vectors);
    for (int i = 0; i < entries; i++) {
        vectors[i * DIM + i / portraits] = 3;
        vectors[i * DIM + DIM - 1] = 0.05f * (float)(i % portraits); /* portraits of one person: close */
    }
}

static void test_pairs(void **state)
{
    float vectors[10 * 2 * DIM];
    (void)state;
    spread(vectors, 20, 2);
    struct sp_review *review = review_of(gallery_of(10, 2, DIM, vectors), vectors);
    assert_int_equal(review->count, 0); /* nobody near anybody; a person's own portraits do not count */
    assert_int_equal(review->people, 10);
    assert_int_equal(review->version, 3);
    assert_true(fabs(review->threshold - 0.5) < 0.05 && review->margin == 0.02);
    memcpy(vectors + 7 * 2 * DIM, vectors + 2 * 2 * DIM, DIM * sizeof(float)); /* 7's first portrait is near 2's */
    vectors[7 * 2 * DIM + 10] += 0.3f;
    memcpy(vectors + (4 * 2 + 1) * DIM, vectors + 9 * 2 * DIM, DIM * sizeof(float)); /* 4's second is 9's first */
    review = review_of(gallery_of(10, 2, DIM, vectors), vectors);
    assert_int_equal(review->count, 2);
    assert_int_equal(review->pair_count, 2);
    expect_pair(review, 0, 4, 9, 1.0);
    expect_pair(review, 1, 2, 7, 0.7);
    assert_true(steps > 0);
}

/* Three in a row: each one's closest, so the middle one is in two pairs; what is just beyond the margin is none. */
static void test_chain_and_bound(void **state)
{
    float vectors[6 * DIM];
    (void)state;
    spread(vectors, 6, 1);
    for (int i = 1; i < 3; i++) {
        memcpy(vectors + i * DIM, vectors, DIM * sizeof(float));
        vectors[i * DIM + 14] = i == 1 ? 0.2f : 0.5f; /* 0-1: 0.2, 1-2: 0.3, 0-2: 0.5 */
    }
    memcpy(vectors + 4 * DIM, vectors + 3 * DIM, DIM * sizeof(float));
    struct sp_review *review = review_of(gallery_of(6, 1, DIM, vectors), vectors);
    double limit = 1 - (review->threshold - review->margin); /* as a distance */
    expect_pair(review, 0, 3, 4, 1.0);
    expect_pair(review, 1, 0, 1, 0.8);
    expect_pair(review, 2, 1, 2, 0.7);
    assert_int_equal(review->count, 3);
    vectors[4 * DIM + 14] = (float)limit - 0.001f;
    assert_int_equal(review_of(gallery_of(6, 1, DIM, vectors), vectors)->count, 3);
    vectors[4 * DIM + 14] = (float)limit + 0.001f;
    assert_int_equal(review_of(gallery_of(6, 1, DIM, vectors), vectors)->count, 2);
}

static void test_nobody_and_one(void **state)
{
    float vectors[DIM] = {1};
    (void)state;
    assert_int_equal(review_of(gallery_of(0, 1, DIM, vectors), vectors)->people, 0);
    struct sp_review *review = review_of(gallery_of(1, 1, DIM, vectors), vectors);
    assert_int_equal(review->people, 1);
    assert_int_equal(review->count, 0);
}

/* More pairs than are told: the closest 200 are, and all are counted. */
static void test_more_than_are_told(void **state)
{
    enum { PEOPLE = 600 };
    static float vectors[PEOPLE * DIM];
    (void)state;
    memset(vectors, 0, sizeof vectors);
    for (int i = 0; i < PEOPLE; i++) {
        vectors[i * DIM] = 10.0f * (float)(i / 2); /* pairs, far from each other */
        vectors[i * DIM + 1] = i % 2 ? 0.1f + 0.001f * (float)(i / 2) : 0;
    }
    struct sp_review *review = review_of(gallery_of(PEOPLE, 1, DIM, vectors), vectors);
    assert_int_equal(review->count, PEOPLE / 2);
    assert_int_equal(review->pair_count, SP_REVIEW_MAX_PAIRS);
    for (int i = 1; i < review->pair_count; i++)
        assert_true(review->pairs[i - 1].score >= review->pairs[i].score);
    expect_pair(review, 0, 0, 1, 0.9);
}

static void test_budget(void **state)
{
    float vectors[2 * DIM] = {1};
    struct sp_review review;
    struct sp_hot_gallery *hot = gallery_of(2, 1, DIM, vectors);
    struct sp_hot_vectors probes = probes_of(hot, vectors);
    (void)state;
    assert_int_equal(sp_review_gallery(&review, engine, &pack, hot, &probes, sp_clock_mono_ns(), step, NULL, NULL),
                     SP_E_TIMEOUT);
    sp_hot_unref(&hot);
}

/* A ship: 5,000 people, the default pack's 128 numbers each. Prints the time; the bound is a budget's. */
static void test_five_thousand(void **state)
{
    enum { PEOPLE = 5000, WIDE = 128 };
    float *vectors = malloc((size_t)PEOPLE * WIDE * sizeof *vectors);
    uint32_t seed = 12345;
    (void)state;
    assert_non_null(vectors);
    for (int i = 0; i < PEOPLE * WIDE; i++) {
        seed = seed * 1664525 + 1013904223;
        vectors[i] = (float)(seed >> 8) / (float)(1 << 24);
    }
    memcpy(vectors + 4321 * WIDE, vectors + 17 * WIDE, WIDE * sizeof *vectors);
    struct sp_hot_gallery *hot = gallery_of(PEOPLE, 1, WIDE, vectors);
    uint64_t from_ns = sp_clock_mono_ns();
    struct sp_review *review = review_of(hot, vectors);
    double seconds = (double)(sp_clock_mono_ns() - from_ns) * 1e-9;
    printf("%d people, %d numbers, %s: %.2f s\n", PEOPLE, WIDE, sp_engine_describe(engine), seconds);
    expect_pair(review, 0, 17, 4321, 1.0);
    assert_true(seconds < 60);
    free(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_chain_and_bound),
        cmocka_unit_test(test_nobody_and_one),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_more_than_are_told),
    };
    const struct CMUnitTest large[] = {cmocka_unit_test(test_five_thousand)};
    pack.dim = DIM;
    pack.metric = SP_PACK_L2;
    pack.calibration_count = 2;
    pack.calibration[0] = (struct sp_pack_calibration){0.1, 0.50};
    pack.calibration[1] = (struct sp_pack_calibration){0.000001, 0.49};
    int failed = 0;
    for (int backend = 0; backend < 2; backend++) {
        struct sp_engine_config config = {backend ? SP_BACKEND_CPU : SP_BACKEND_REF, 0, 1};
        struct sp_err err = {0};
        pack.dim = DIM;
        if (sp_engine_open(&engine, &config, &err) != SP_OK) {
            printf("%s\n", err.text);
            return 1;
        }
        failed += cmocka_run_group_tests(tests, NULL, NULL);
        pack.dim = 128;
        if (backend)
            failed += cmocka_run_group_tests(large, NULL, NULL);
        sp_engine_free(&engine);
    }
    return failed;
}
