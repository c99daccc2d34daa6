/* From a detector's tensors to faces, one block a picture: decode in the anchors' order, place, suppress, keep the
 * largest. The same faces in the same order as workers/detect.c, ties included. */
#ifndef SALLYPORT_GPU_CUDA_PIXEL_FIND_CUH
#define SALLYPORT_GPU_CUDA_PIXEL_FIND_CUH

#include "gpu/cuda_launch.cuh"
#include "gpu/cuda_pixel_launch.h"

struct sp_find_kernel {
    using args = sp_cuda_find;
    static constexpr int threads = 512;
    static constexpr bool together = true;

    struct work {
        int warps[threads / 32];          /* candidates of each warp in this round */
        int order[SP_NMS_MAX_CANDIDATES]; /* candidates, best first */
        sp_box boxes[SP_NMS_MAX_CANDIDATES];
        bool gone[SP_NMS_MAX_CANDIDATES];
    };
    static constexpr int shared = static_cast<int>(sizeof(work));

    /* Place i of this row; false where there is no face. */
    SP_BOTH static bool decode(const args &find, int64_t row, int i, sp_candidate *ret)
    {
        int64_t first = row * find.places;
        if (find.kind == SP_CUDA_SSD)
            return sp_pixel_ssd(find.boxes + first * 4, find.classes + first * 3, find.anchors, i,
                                find.score_threshold, ret);
        if (find.kind == SP_CUDA_TINY)
            return sp_pixel_tiny(find.boxes + first * 5, find.rows, find.columns, i, find.score_threshold, ret);
        for (int l = 0; l < SP_CUDA_YUNET_LEVELS; l++) {
            sp_yunet_level level = find.levels[l];
            int64_t cells = static_cast<int64_t>(level.rows) * level.columns;
            if (i < cells) {
                level.scores += row * cells;
                level.objectness += row * cells;
                level.boxes += row * cells * 4;
                level.points += row * cells * 10;
                return sp_pixel_yunet(&level, i, find.score_threshold, ret);
            }
            i -= static_cast<int>(cells);
        }
        return false;
    }

    /* All candidates of the row into items, in the order of their places. Returns how many; every thread knows. */
    SP_BOTH static int gather(const args &find, const sp_here &here, work &work, sp_candidate *items)
    {
        const sp_cuda_fit_job &job = find.jobs[here.block];
        int lane = here.thread % 32, warp = here.thread / 32, count = 0;
        for (int base = 0; base < find.places; base += threads) {
            sp_candidate item = {};
            int i = base + here.thread;
            bool is = i < find.places && decode(find, here.block, i, &item) &&
                      sp_pixel_place(&item, &job.fit, job.source_width, job.source_height);
            uint32_t mask = sp_ballot(here, is);
            int in_warp = 0, before = 0, all = 0;
            for (int l = 0; l < 32; l++)
                in_warp += mask >> l & 1;
            if (lane == 0)
                work.warps[warp] = in_warp;
            sp_barrier(here);
            for (int w = 0; w < threads / 32; w++) {
                before += w < warp ? work.warps[w] : 0;
                all += work.warps[w];
            }
            for (int l = 0; l < lane; l++)
                before += mask >> l & 1;
            if (is)
                items[count + before] = item;
            count += all;
            sp_barrier(here); /* before the next round writes work.warps; items become visible to the block */
        }
        return count;
    }

    /* work.order and work.boxes: the best SP_NMS_MAX_CANDIDATES, best first. Returns how many. */
    SP_BOTH static int sort(const sp_here &here, work &work, const sp_candidate *items, int count)
    {
        for (int i = here.thread; i < count; i += threads) {
            int rank = 0;
            for (int k = 0; k < count; k++) {
                int order = sp_pixel_by_score(&items[k], &items[i]);
                rank += order < 0 || (order == 0 && k < i);
            }
            if (rank >= SP_NMS_MAX_CANDIDATES)
                continue;
            work.order[rank] = i;
            work.boxes[rank] = items[i].box;
            work.gone[rank] = false;
        }
        sp_barrier(here);
        return sp_pixel_least(count, SP_NMS_MAX_CANDIDATES);
    }

    /* Mark what overlaps a better one that stays. Returns how many stay. */
    SP_BOTH static int suppress(const args &find, const sp_here &here, work &work, int count)
    {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (work.gone[i]) /* the same for all: last written before the last barrier */
                continue;
            kept++;
            for (int k = i + 1 + here.thread; k < count; k += threads)
                if (!work.gone[k] && sp_pixel_same_face(&work.boxes[i], &work.boxes[k], find.iou_threshold))
                    work.gone[k] = true;
            sp_barrier(here);
        }
        return kept;
    }

    SP_BOTH static void run(const args &find, const sp_here &here)
    {
        work &shared_work = *reinterpret_cast<work *>(here.shared);
        sp_candidate *items = find.candidates + here.block * find.places;
        sp_detections *found = &find.found[here.block];
        int count = sort(here, shared_work, items, gather(find, here, shared_work, items));
        int kept = suppress(find, here, shared_work, count);
        for (int i = here.thread; i < count; i += threads) {
            if (shared_work.gone[i])
                continue;
            const sp_candidate *own = &items[shared_work.order[i]];
            int rank = 0;
            for (int k = 0; k < count; k++) {
                if (shared_work.gone[k])
                    continue;
                int order = sp_pixel_by_area(&items[shared_work.order[k]], own);
                rank += order < 0 || (order == 0 && k < i);
            }
            if (rank < SP_MAX_FACES)
                found->items[rank] = *own;
        }
        if (here.thread == 0)
            found->count = sp_pixel_least(kept, SP_MAX_FACES);
    }
};

#endif
