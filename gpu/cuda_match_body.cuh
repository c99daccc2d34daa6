/* The matching kernels, phase by phase: see gpu/cuda_match_kernel.cuh. */
#ifndef SALLYPORT_GPU_CUDA_MATCH_BODY_CUH
#define SALLYPORT_GPU_CUDA_MATCH_BODY_CUH

#include "gpu/cuda_match_kernel.cuh"

/* The inboxes into the lists. */
SP_BOTH void sp_settle_lists(const sp_here &here, const struct match_shared &shared)
{
    sp_merge_keys(shared, here.thread);
    sp_barrier(here);
    sp_turn_list(shared, here.thread);
    sp_barrier(here);
}

/* K of the warp's 32 rows of a tile. */
template <int G>
SP_BOTH void sp_score_tile(const sp_here &here, struct match_lane<G> &own, const struct match_shared &shared,
                           const struct sp_cuda_match_item &item, int row0)
{
    own.waiting = 0;
    if (row0 >= item.last) /* all of the warp */
        return;
    sp_score_rows<G>(here, own, shared, item, row0);
    sp_finish_scores<G>(own, here.thread % 32, shared, item, row0);
}

/* The best `kept` keys of up to 16 * G probes in one stretch of a gallery. */
template <int G>
SP_BOTH void sp_match_block(const sp_here &here, const struct sp_cuda_match_batch &batch,
                            const struct sp_cuda_match_item &item)
{
    struct match_shared shared;
    struct match_lane<G> own;
    sp_match_share(shared, here.shared, G, item.blocks, batch.kept);
    sp_start_list(shared, here.thread);
    sp_take_probes(shared, batch, item, G, here.thread);
    sp_barrier(here);
    for (int tile = item.first; tile < item.last; tile += SP_CUDA_MATCH_TILE) {
        int row0 = tile + here.thread / 32 * 32;
        sp_score_tile<G>(here, own, shared, item, row0);
        while (sp_barrier_any(here, sp_offer_scores<G>(own, here.thread % 32, shared, row0)))
            sp_settle_lists(here, shared);
    }
    sp_write_lists(shared, batch.lists, item.list, item.stride, item.probes, here.thread);
}

/* Keys of one lane that reach the probe's bound. */
template <int G>
SP_BOTH void sp_collect_scores(const struct match_lane<G> &own, int lane, const struct sp_cuda_match_batch &batch,
                               const struct sp_cuda_match_item &item, int row0)
{
    SP_UNROLL
    for (int m = 0; m < 2; m++) {
        SP_UNROLL
        for (int n = 0; n < 2 * G; n++) {
            SP_UNROLL
            for (int i = 0; i < 4; i++) {
                int probe = item.probe + n * 8 + sp_mma_column(lane, i);
                float score = own.scores[m][n].at[i];
                if (!(own.waiting & sp_waiting_bit(G, m, n, i)) || score < batch.bounds[probe])
                    continue;
                uint32_t at = sp_take_number(&batch.counts[probe]);
                if (at < SP_CUDA_MATCH_COLLECT)
                    batch.collected[(size_t)probe * SP_CUDA_MATCH_COLLECT + at] =
                        sp_match_key(score, (uint32_t)(row0 + m * 16 + sp_mma_row(lane, i)));
            }
        }
    }
}

/* A second look: everything that reaches the bound, as long as there is room for it. */
template <int G>
SP_BOTH void sp_collect_block(const sp_here &here, const struct sp_cuda_match_batch &batch,
                              const struct sp_cuda_match_item &item)
{
    struct match_shared shared;
    struct match_lane<G> own;
    sp_match_share(shared, here.shared, G, item.blocks, batch.kept);
    sp_take_probes(shared, batch, item, G, here.thread);
    sp_barrier(here);
    for (int row0 = item.first + here.thread / 32 * 32; row0 < item.last; row0 += SP_CUDA_MATCH_TILE) {
        sp_score_tile<G>(here, own, shared, item, row0);
        sp_collect_scores<G>(own, here.thread % 32, batch, item, row0);
    }
}

/* The lists of one probe's stretches into one; shared memory as of one group without columns. */
SP_BOTH void sp_merge_block(const sp_here &here, const struct sp_cuda_match_batch &batch,
                            const struct sp_cuda_merge_item &item)
{
    struct match_shared shared;
    int keys = item.count * batch.kept;
    const uint64_t *lists = batch.lists + (size_t)item.from * (size_t)batch.kept;
    sp_match_share(shared, here.shared, 1, 0, batch.kept);
    shared.count = 1;
    shared.inbox_size = SP_CUDA_MATCH_THREADS;
    sp_start_list(shared, here.thread);
    sp_barrier(here);
    for (int first = 0; first < keys; first += SP_CUDA_MATCH_THREADS) {
        bool tried = false;
        if (first + here.thread < keys) /* every thread has room for its one key */
            sp_offer_key(shared, 0, lists[first + here.thread], tried);
        sp_barrier(here);
        sp_settle_lists(here, shared);
    }
    sp_write_lists(shared, batch.lists, item.to, 1, 1, here.thread);
}

/* A packing's fragments, a thread each; blocks * SP_CUDA_MATCH_THREADS covers them or they take turns. */
SP_BOTH void sp_pack_block(const sp_here &here, const struct sp_cuda_match_packing &packing, int64_t blocks)
{
    size_t size = sp_packing_size(packing), step = (size_t)blocks * SP_CUDA_MATCH_THREADS;
    for (size_t i = (size_t)here.block * SP_CUDA_MATCH_THREADS + (size_t)here.thread; i < size; i += step)
        sp_pack_one(packing, i);
}

#endif
