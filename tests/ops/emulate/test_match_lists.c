/* The matching kernels by themselves, over batches put together by hand: lists against all keys that there are. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gpu/cuda_device.h"
#include "gpu/cuda_match_launch.h"
#include "gpu/cuda_match_plan.h"
#include "tests/ops/compare.h"
#include "tests/ops/emulate/plain_device.h"

#define SEED 7

/* A batch put together by hand, in memory of exactly its size: two galleries, so that padding has neighbours. */
enum { HAND_PROBES = 21, HAND_DIM = 20 };

struct hand {
    struct sp_cuda *cuda;
    struct sp_cuda_stream *stream;
    void *rows[2], *halves[2], *lists, *collected, *counts;
    float vectors[HAND_PROBES * HAND_DIM], scales[HAND_PROBES], factors[HAND_PROBES], bounds[HAND_PROBES];
    struct sp_cuda_match_group groups[2];
    struct sp_cuda_match_batch batch;
};

static void pack_by_hand(struct hand *hand, int which, int count, const float *rows)
{
    struct sp_cuda_match_packing packing = {.rows = rows, .scale = 1, .count = count, .dim = HAND_DIM, .blocks = 2};
    sp_cuda_memory_new(&hand->rows[which], hand->cuda, (size_t)(count + 15) / 16 * 2 * 512, NULL);
    sp_cuda_memory_new(&hand->halves[which], hand->cuda, (size_t)count * sizeof(float), NULL);
    for (int i = 0; i < count; i++)
        ((float *)hand->halves[which])[i] =
            which ? 0.01f * (float)(i % 100) : -0.1f * (float)i; /* of one the best are last */
    packing.out = hand->rows[which];
    assert_int_equal(sp_cuda_pack_launch(sp_cuda_stream_native(hand->stream), &packing), 0);
    sp_cuda_wait(hand->stream, NULL);
    hand->groups[which] = (struct sp_cuda_match_group){
        hand->rows[which],           hand->halves[which],     count, HAND_DIM, which ? 5 : 0,
        which ? HAND_PROBES - 5 : 5, which ? 5 * HAND_DIM : 0};
}

static void run_by_hand(struct hand *hand, int kept, bool second_look)
{
    struct sp_cuda_match_item *items = calloc(SP_CUDA_MATCH_ITEMS, sizeof *items);
    struct sp_cuda_merge_item merges[SP_CUDA_MATCH_PROBES];
    struct sp_cuda_match_plan plan = {.items = items, .merges = merges};
    struct sp_cuda_match_limits limits = {4, 99 << 10, kept};
    void *stream = sp_cuda_stream_native(hand->stream);
    sp_cuda_match_plan(&plan, hand->groups, 2, &limits, second_look);
    hand->batch.items = items;
    hand->batch.merges = merges;
    hand->batch.kept = kept;
    for (int i = 0; i < 3; i++)
        if (plan.count[i])
            sp_cuda_match_launch(stream, &hand->batch, 1 << i, second_look, plan.first[i], plan.count[i],
                                 plan.shared[i]);
    if (plan.merge_count)
        sp_cuda_merge_launch(stream, &hand->batch, plan.merge_count);
    assert_int_equal(plan.merge_count > 0, !second_look && hand->groups[0].count > 512);
    sp_cuda_wait(hand->stream, NULL);
    free(items);
}

static int falling(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a < b) - (a > b);
}

/* The lists are exactly the best keys of all that there are, which a second look without a bound collects; no block
 * reads or writes what is not its own. */
static void lists_are_the_best_keys(void **state)
{
    static const int counts[][2] = {{16, 17}, {1, 300}, {1300, 15}, {256, 512}, {1300, 1100}},
                     kepts[] = {1, 12, 96};
    (void)state;
    for (int c = 0; c < 5; c++)
        for (int k = 0; k < 3; k++) {
            struct plain_device_config config = {1, 99 << 10, (size_t)1 << 30};
            struct random random = {SEED + (uint64_t)c};
            struct hand hand = {0};
            float *rows = malloc(1300 * HAND_DIM * sizeof *rows);
            plain_device_new(&hand.cuda, &config);
            sp_cuda_stream_new(&hand.stream, hand.cuda, NULL);
            for (int which = 0; which < 2; which++) {
                random_fill(&random, rows, 1300 * HAND_DIM);
                pack_by_hand(&hand, which, counts[c][which], rows);
            }
            random_fill(&random, hand.vectors, HAND_PROBES * HAND_DIM);
            for (int i = 0; i < HAND_PROBES; i++) {
                hand.scales[i] = hand.factors[i] = 1;
                hand.bounds[i] = -INFINITY;
            }
            size_t lists = (SP_CUDA_MATCH_LISTS + HAND_PROBES * 8) * (size_t)kepts[k] * sizeof(uint64_t);
            sp_cuda_memory_new(&hand.lists, hand.cuda, lists, NULL);
            sp_cuda_memory_new(&hand.collected, hand.cuda,
                               (size_t)HAND_PROBES * SP_CUDA_MATCH_COLLECT * sizeof(uint64_t), NULL);
            sp_cuda_memory_new(&hand.counts, hand.cuda, HAND_PROBES * sizeof(uint32_t), NULL);
            memset(hand.counts, 0, HAND_PROBES * sizeof(uint32_t));
            hand.batch = (struct sp_cuda_match_batch){.vectors = hand.vectors,
                                                      .scales = hand.scales,
                                                      .factors = hand.factors,
                                                      .bounds = hand.bounds,
                                                      .lists = hand.lists,
                                                      .collected = hand.collected,
                                                      .counts = hand.counts};
            run_by_hand(&hand, kepts[k], false);
            run_by_hand(&hand, kepts[k], true);
            for (int i = 0; i < HAND_PROBES; i++) {
                int count = counts[c][i < 5 ? 0 : 1];
                uint64_t *all = hand.batch.collected + (size_t)i * SP_CUDA_MATCH_COLLECT;
                assert_int_equal(hand.batch.counts[i], count);
                qsort(all, (size_t)count, sizeof *all, falling);
                for (int at = 0; at < kepts[k]; at++)
                    if (hand.batch.lists[i * kepts[k] + at] != (at < count ? all[at] : 0))
                        fail_msg("%d rows, %d kept: key %d of probe %d", count, kepts[k], at, i);
            }
            for (int which = 0; which < 2; which++) {
                sp_cuda_memory_free(hand.cuda, &hand.rows[which]);
                sp_cuda_memory_free(hand.cuda, &hand.halves[which]);
            }
            sp_cuda_memory_free(hand.cuda, &hand.lists);
            sp_cuda_memory_free(hand.cuda, &hand.collected);
            sp_cuda_memory_free(hand.cuda, &hand.counts);
            sp_cuda_stream_free(&hand.stream);
            sp_cuda_close(&hand.cuda);
            free(rows);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_are_the_best_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
