// The matching launchers on the CPU: the kernels' own source, block by block.
#include "gpu/cuda_match_body.cuh"
#include "gpu/cuda_match_launch.h"
#include "tests/ops/emulate/plain_device.h"

int sp_cuda_match_prepare(int)
{
    return 0;
}

size_t sp_cuda_match_shared(int groups, int blocks, int kept)
{
    return sp_match_shared_bytes(groups, blocks, kept);
}

namespace
{

struct items {
    sp_cuda_match_batch batch;
    int groups, first, count;
    size_t shared_bytes;
    bool collect;
};

template <int G> void run_groups(const items &work)
{
    auto body = [&](int64_t block, int thread, char *shared, sp_fiber *fiber) {
        sp_here here{block, thread, shared, fiber};
        const sp_cuda_match_item &item = work.batch.items[work.first + block];
        if (work.collect)
            sp_collect_block<G>(here, work.batch, item);
        else
            sp_match_block<G>(here, work.batch, item);
    };
    sp_run_blocks(work.count, SP_CUDA_MATCH_THREADS, (int)work.shared_bytes, true, body);
}

void run_items(const void *payload)
{
    const items &work = *(const items *)payload;
    if (work.groups == 1)
        run_groups<1>(work);
    else if (work.groups == 2)
        run_groups<2>(work);
    else
        run_groups<4>(work);
}

void run_merges(const void *payload)
{
    const items &work = *(const items *)payload;
    auto body = [&](int64_t block, int thread, char *shared, sp_fiber *fiber) {
        sp_merge_block(sp_here{block, thread, shared, fiber}, work.batch, work.batch.merges[block]);
    };
    sp_run_blocks(work.count, SP_CUDA_MATCH_THREADS, (int)work.shared_bytes, true, body);
}

void run_packing(const void *payload)
{
    const sp_cuda_match_packing &packing = *(const sp_cuda_match_packing *)payload;
    const int64_t blocks = 3; // fewer than fragments: threads take turns
    sp_run_blocks(blocks, SP_CUDA_MATCH_THREADS, 0, false,
                  [&](int64_t block, int thread, char *shared, sp_fiber *fiber) {
                      sp_pack_block(sp_here{block, thread, shared, fiber}, packing, blocks);
                  });
}

} // namespace

int sp_cuda_match_launch(void *stream, const sp_cuda_match_batch *batch, int groups, int collect, int first,
                         int count, size_t shared_bytes)
{
    items work{*batch, groups, first, count, shared_bytes, collect != 0};
    plain_device_do(stream, run_items, &work, sizeof work);
    return 0;
}

int sp_cuda_merge_launch(void *stream, const sp_cuda_match_batch *batch, int count)
{
    items work{*batch, 1, 0, count, sp_match_shared_bytes(1, 0, batch->kept), false};
    plain_device_do(stream, run_merges, &work, sizeof work);
    return 0;
}

int sp_cuda_pack_launch(void *stream, const sp_cuda_match_packing *packing)
{
    plain_device_do(stream, run_packing, packing, sizeof *packing);
    return 0;
}
