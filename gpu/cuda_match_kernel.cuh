/* The matching kernels' bodies, in the idiom of gpu/cuda_launch.cuh but for one thing: how much shared memory a
 * block needs depends on the batch, so the launchers are these kernels' own (cuda_match.cu,
 * tests/ops/emulate/match.cpp).
 *
 * A block scores tiles of 256 rows against its probes on the tensor cores, straight from global memory: the gallery
 * lies there as fragments, so that a warp's load is 512 bytes in a row and nothing of it passes through shared
 * memory. What beats a probe's worst kept key goes into the probe's inbox; inboxes are merged into sorted lists
 * when the tile is scored. The scores themselves are never written. */
#ifndef SALLYPORT_GPU_CUDA_MATCH_KERNEL_CUH
#define SALLYPORT_GPU_CUDA_MATCH_KERNEL_CUH

#include <math.h>
#include <stddef.h>
#include "gpu/cuda_launch.cuh"
#define SP_KEYS SP_BOTH
#include "gpu/cuda_match_keys.h"
#include "gpu/cuda_match_work.h"

/* A number of one's own out of a counter that all threads count up. */
SP_BOTH uint32_t sp_take_number(uint32_t *counter)
{
#ifdef __CUDA_ARCH__
    return atomicAdd(counter, 1u);
#else
    return __atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED);
#endif
}

/* Eight halves of one lane, as struct sp_mma_a has them: two of row g, two of row g + 8, the same eight columns on.
 */
struct alignas(16) sp_fragment {
    sp_half at[8];
};

/* Where a fragment lies, in fragments. */
SP_BOTH size_t sp_fragment_at(size_t row_block, int blocks, int block, int lane)
{
    return (row_block * (size_t)blocks + (size_t)block) * 32 + (size_t)lane;
}

/* One fragment of `count` f32 rows from `rows`: rows g and g + 8 of a block of 16, 0 where there is none. */
SP_BOTH struct sp_fragment sp_pack_fragment(const float *rows, const float *scales, float scale, int row0,
                                            int count, int dim, int block, int lane)
{
    struct sp_fragment out;
    int column0 = block * 16 + lane % 4 * 2;
    SP_UNROLL
    for (int i = 0; i < 8; i++) {
        int row = row0 + lane / 4 + i / 2 % 2 * 8, column = column0 + i / 4 * 8 + i % 2;
        bool there = row < count && column < dim;
        float by = !there ? 0.0f : scales ? scales[row] : scale;
        out.at[i] = sp_round(there ? rows[(size_t)row * (size_t)dim + (size_t)column] * by : 0.0f);
    }
    return out;
}

/* Fragment number i of a packing; i < sp_packing_size. */
SP_BOTH size_t sp_packing_size(const struct sp_cuda_match_packing &packing)
{
    return (size_t)((packing.count + 15) / 16) * (size_t)packing.blocks * 32;
}

SP_BOTH void sp_pack_one(const struct sp_cuda_match_packing &packing, size_t i)
{
    struct sp_fragment *out = (struct sp_fragment *)(void *)packing.out;
    int lane = (int)(i % 32);
    size_t unit = i / 32;
    int block = (int)(unit % (size_t)packing.blocks), row_block = (int)(unit / (size_t)packing.blocks);
    out[sp_fragment_at((size_t)(packing.first / 16 + row_block), packing.blocks, block, lane)] = sp_pack_fragment(
        packing.rows, packing.scales, packing.scale, row_block * 16, packing.count, packing.dim, block, lane);
}

/* What a block has in shared memory, laid out in this order. */
struct match_shared {
    uint64_t *lists;            /* [2][probes][kept]: of each probe one side is current */
    uint64_t *inbox;            /* [probes][inbox_size] */
    uint64_t *worst;            /* [probes]: last key of a full list, else 0 */
    struct sp_fragment *probes; /* [groups][blocks][32] */
    float *factors;             /* [probes] */
    uint32_t *pushed;           /* [probes]: tries, may exceed inbox_size */
    uint32_t *have;             /* [probes]: keys in the list */
    uint32_t *side;             /* [probes]: 0 or 1 */
    int count;                  /* of probes, padded to groups */
    int inbox_size, kept;
};

SP_BOTH size_t sp_match_shared_bytes(int groups, int blocks, int kept)
{
    size_t probes = (size_t)groups * SP_CUDA_MATCH_GROUP;
    size_t keys = 2 * probes * (size_t)kept + SP_CUDA_MATCH_INBOX + probes;
    return keys * 8 + (size_t)groups * (size_t)blocks * 512 + probes * 16;
}

SP_BOTH void sp_match_share(struct match_shared &shared, void *memory, int groups, int blocks, int kept)
{
    size_t probes = (size_t)groups * SP_CUDA_MATCH_GROUP;
    shared.probes = (struct sp_fragment *)memory;
    shared.lists = (uint64_t *)(shared.probes + (size_t)groups * (size_t)blocks * 32);
    shared.inbox = shared.lists + 2 * probes * (size_t)kept;
    shared.worst = shared.inbox + SP_CUDA_MATCH_INBOX;
    shared.factors = (float *)(shared.worst + probes);
    shared.pushed = (uint32_t *)(shared.factors + probes);
    shared.have = shared.pushed + probes;
    shared.side = shared.have + probes;
    shared.count = (int)probes;
    shared.inbox_size = SP_CUDA_MATCH_INBOX / (int)probes;
    shared.kept = kept;
}

/* What a thread keeps: the scores of 32 rows by 16 * G probes are spread over its warp. */
template <int G> struct match_lane {
    struct sp_mma_d scores[2][2 * G]; /* [16 rows][8 probes] */
    uint64_t waiting;                 /* a bit per score that has still to be offered */
};

SP_BOTH void sp_fragment_read(struct sp_fragment &to, const struct sp_fragment *at)
{
#ifdef __CUDA_ARCH__
    *reinterpret_cast<uint4 *>(&to) = __ldg(reinterpret_cast<const uint4 *>(at));
#else
    to = *at;
#endif
}

SP_BOTH void sp_fragment_parts(uint32_t (&parts)[4], const struct sp_fragment &from)
{
    memcpy(parts, &from, sizeof parts);
}

/* The products of a warp's 32 rows from `row0` with all probes of the block. A block of 16 rows beyond the stretch
 * reads the one before again; its scores are never offered. */
template <int G>
SP_BOTH void sp_score_rows(const sp_here &here, struct match_lane<G> &own, const struct match_shared &shared,
                           const struct sp_cuda_match_item &item, int row0)
{
    const struct sp_fragment *rows = (const struct sp_fragment *)(const void *)item.rows;
    int lane = here.thread % 32, blocks = item.blocks;
    size_t at0 = (size_t)row0 / 16, at1 = row0 + 16 < item.last ? at0 + 1 : at0;
    memset(own.scores, 0, sizeof own.scores);
#ifdef __CUDA_ARCH__
#pragma unroll 4
#endif
    for (int block = 0; block < blocks; block++) {
        struct sp_fragment read[2];
        struct sp_mma_a a[2];
        struct sp_mma_b b[2 * G];
        sp_fragment_read(read[0], rows + sp_fragment_at(at0, blocks, block, lane));
        sp_fragment_read(read[1], rows + sp_fragment_at(at1, blocks, block, lane));
        sp_fragment_parts(a[0].at, read[0]);
        sp_fragment_parts(a[1].at, read[1]);
        SP_UNROLL
        for (int g = 0; g < G; g++) {
            uint32_t parts[4];
            sp_fragment_parts(parts, shared.probes[sp_fragment_at((size_t)g, blocks, block, lane)]);
            SP_UNROLL
            for (int n = 0; n < 2; n++) {
                b[2 * g + n].at[0] = parts[n];
                b[2 * g + n].at[1] = parts[n + 2];
            }
        }
        sp_mma(here, own.scores, a, b);
    }
}

SP_BOTH uint64_t sp_waiting_bit(int groups, int m, int n, int item)
{
    return (uint64_t)1 << ((m * 2 * groups + n) * 4 + item);
}

/* Products to K, and which of them count: rows of the stretch, probes that are there. */
template <int G>
SP_BOTH void sp_finish_scores(struct match_lane<G> &own, int lane, const struct match_shared &shared,
                              const struct sp_cuda_match_item &item, int row0)
{
    SP_UNROLL
    for (int m = 0; m < 2; m++) {
        SP_UNROLL
        for (int i = 0; i < 4; i++) {
            int row = row0 + m * 16 + sp_mma_row(lane, i);
            bool there = row < item.last;
            float off = there && item.halves ? item.halves[row] : 0.0f;
            SP_UNROLL
            for (int n = 0; n < 2 * G; n++) {
                int probe = n * 8 + sp_mma_column(lane, i);
                own.scores[m][n].at[i] = own.scores[m][n].at[i] * shared.factors[probe] - off;
                if (there && probe < item.probes)
                    own.waiting |= sp_waiting_bit(G, m, n, i);
            }
        }
    }
}

/* One key into a probe's inbox. Whether it is settled: taken, or no better than what is kept. */
SP_BOTH bool sp_offer_key(const struct match_shared &shared, int probe, uint64_t key, bool &tried)
{
    if (key <= shared.worst[probe])
        return true;
    tried = true;
    uint32_t slot = sp_take_number(&shared.pushed[probe]);
    if (slot >= (uint32_t)shared.inbox_size)
        return false;
    shared.inbox[(size_t)probe * (size_t)shared.inbox_size + slot] = key;
    return true;
}

/* Offer what waits; what finds an inbox full waits for the next round. Returns whether there was anything to offer.
 */
template <int G>
SP_BOTH bool sp_offer_scores(struct match_lane<G> &own, int lane, const struct match_shared &shared, int row0)
{
    bool tried = false;
    if (!own.waiting)
        return false;
    SP_UNROLL
    for (int n = 0; n < 2 * G; n++) {
        SP_UNROLL
        for (int side = 0; side < 2; side++) {
            int probe = n * 8 + sp_mma_column(lane, side);
            uint64_t worst = shared.worst[probe];
            float least = worst ? sp_match_key_score(worst) : -HUGE_VALF;
            SP_UNROLL
            for (int part = 0; part < 4; part++) {
                int m = part / 2, i = part % 2 * 2 + side;
                float score = own.scores[m][n].at[i];
                uint64_t bit = sp_waiting_bit(G, m, n, i);
                if (!(own.waiting & bit))
                    continue;
                uint32_t entry = (uint32_t)(row0 + m * 16 + sp_mma_row(lane, i));
                if (score < least || sp_offer_key(shared, probe, sp_match_key(score, entry), tried))
                    own.waiting &= ~bit;
            }
        }
    }
    return tried;
}

/* Every key of a list and its inbox finds its rank by counting the larger ones; ranks go to the list's other side.
 */
SP_BOTH void sp_merge_keys(const struct match_shared &shared, int thread)
{
    int kept = shared.kept, size = shared.inbox_size, each = kept + size;
    for (int i = thread; i < shared.count * each; i += SP_CUDA_MATCH_THREADS) {
        int probe = i / each, at = i % each;
        int pushed = (int)(shared.pushed[probe] < (uint32_t)size ? shared.pushed[probe] : (uint32_t)size);
        int have = (int)shared.have[probe];
        if (!pushed || (at < kept ? at >= have : at - kept >= pushed))
            continue;
        const uint64_t *list =
            shared.lists + ((size_t)shared.side[probe] * (size_t)shared.count + (size_t)probe) * (size_t)kept;
        uint64_t *other =
            shared.lists + ((size_t)(1 - shared.side[probe]) * (size_t)shared.count + (size_t)probe) * (size_t)kept;
        const uint64_t *inbox = shared.inbox + (size_t)probe * (size_t)size;
        uint64_t key = at < kept ? list[at] : inbox[at - kept];
        int rank = 0;
        if (at < kept) { /* the list is in order already */
            rank = at;
        } else {
            for (int j = 0; j < have; j++)
                rank += list[j] > key;
        }
        for (int j = 0; j < pushed; j++)
            rank += inbox[j] > key;
        if (rank < kept)
            other[rank] = key;
        if (rank == kept - 1)
            shared.worst[probe] = key;
    }
}

/* After a merge, thread `probe`: the other side is current, the inbox empty. */
SP_BOTH void sp_turn_list(const struct match_shared &shared, int probe)
{
    if (probe >= shared.count || !shared.pushed[probe])
        return;
    uint32_t size = (uint32_t)shared.inbox_size, kept = (uint32_t)shared.kept;
    uint32_t pushed = shared.pushed[probe] < size ? shared.pushed[probe] : size;
    uint32_t have = shared.have[probe] + pushed;
    shared.have[probe] = have < kept ? have : kept;
    shared.pushed[probe] = 0;
    shared.side[probe] ^= 1u;
}

SP_BOTH void sp_start_list(const struct match_shared &shared, int probe)
{
    if (probe >= shared.count)
        return;
    shared.pushed[probe] = shared.have[probe] = shared.side[probe] = 0;
    shared.worst[probe] = 0;
}

/* Key number i of all lists of the block, to global memory. */
SP_BOTH void sp_write_lists(const struct match_shared &shared, uint64_t *lists, int first, int stride, int probes,
                            int thread)
{
    int kept = shared.kept;
    for (int i = thread; i < probes * kept; i += SP_CUDA_MATCH_THREADS) {
        int probe = i / kept, at = i % kept;
        const uint64_t *list =
            shared.lists + ((size_t)shared.side[probe] * (size_t)shared.count + (size_t)probe) * (size_t)kept;
        lists[((size_t)first + (size_t)probe * (size_t)stride) * (size_t)kept + (size_t)at] =
            at < (int)shared.have[probe] ? list[at] : 0;
    }
}

/* The block's probes into shared memory, as fragments. */
SP_BOTH void sp_take_probes(const struct match_shared &shared, const struct sp_cuda_match_batch &batch,
                            const struct sp_cuda_match_item &item, int groups, int thread)
{
    for (int i = thread; i < groups * item.blocks * 32; i += SP_CUDA_MATCH_THREADS) {
        int lane = i % 32, block = i / 32 % item.blocks, group = i / 32 / item.blocks;
        shared.probes[i] = sp_pack_fragment(batch.vectors + item.vector, batch.scales + item.probe, 0,
                                            group * SP_CUDA_MATCH_GROUP, item.probes, item.dim, block, lane);
    }
    if (thread < shared.count)
        shared.factors[thread] = thread < item.probes ? batch.factors[item.probe + thread] : 0.0f;
}

#endif
