#include "gpu/cuda_match_plan.h"

#include "gpu/cuda_match_launch.h"

#define LEAST_TILES 2  /* of a stretch, so that 400 rows are one and need no merge */
#define MOST_TILES  64 /* of a stretch: longer ones leave a long tail */

static int up(int value, int to)
{
    return (value + to - 1) / to;
}

int sp_cuda_match_groups(const struct sp_cuda_match_limits *limits, int dim)
{
    int groups = SP_CUDA_MATCH_GROUPS;
    while (groups && sp_cuda_match_shared(groups, up(dim, 16), limits->kept) > limits->shared_bytes)
        groups /= 2;
    return groups;
}

/* Groups of 16 for a block's share of the probes that are left: the smallest that takes them, or the most. */
static int groups_for(int probes, int most)
{
    int groups = 1;
    while (groups < most && groups * SP_CUDA_MATCH_GROUP < probes)
        groups *= 2;
    return groups;
}

/* How many blocks of probes a gallery is scored against. */
static int probe_blocks(const struct sp_cuda_match_group *group, const struct sp_cuda_match_limits *limits)
{
    return up(group->probes, sp_cuda_match_groups(limits, group->dim) * SP_CUDA_MATCH_GROUP);
}

/* Tiles of a stretch: one wave of blocks where that makes them neither short nor long, and the arrays hold. */
static int stretch_tiles(const struct sp_cuda_match_group *groups, int count,
                         const struct sp_cuda_match_limits *limits)
{
    int64_t tiles = 0;
    for (int i = 0; i < count; i++)
        tiles += (int64_t)probe_blocks(&groups[i], limits) * up(groups[i].count, SP_CUDA_MATCH_TILE);
    int64_t places = limits->multiprocessors > 0 ? 2 * (int64_t)limits->multiprocessors : 1;
    int64_t stretch = (tiles + places - 1) / places;
    stretch = stretch < LEAST_TILES ? LEAST_TILES : stretch > MOST_TILES ? MOST_TILES : stretch;
    for (;; stretch *= 2) {
        int64_t items = 0, keys = 0;
        for (int i = 0; i < count; i++) {
            int64_t stretches = (up(groups[i].count, SP_CUDA_MATCH_TILE) + stretch - 1) / stretch;
            items += stretches * probe_blocks(&groups[i], limits);
            keys += stretches > 1 ? stretches * groups[i].probes * limits->kept : 0;
        }
        if (items <= SP_CUDA_MATCH_ITEMS && keys <= SP_CUDA_MATCH_KEYS)
            return (int)stretch;
    }
}

struct planner {
    struct sp_cuda_match_plan *plan;
    const struct sp_cuda_match_limits *limits;
    int size; /* 0, 1, 2: the items of 1, 2 or 4 groups are being written */
    int next; /* item */
};

/* The items of one gallery that are of this size. Blocks that share a stretch are neighbours: they read it out of
 * the cache. */
static void plan_group(struct planner *self, const struct sp_cuda_match_group *group, int stretch_rows, int list)
{
    int most = sp_cuda_match_groups(self->limits, group->dim), stretches = up(group->count, stretch_rows);
    for (int s = 0; s < stretches; s++) {
        for (int probe = 0, taken; probe < group->probes; probe += taken) {
            int left = group->probes - probe, groups = groups_for(left, most);
            taken = left < groups * SP_CUDA_MATCH_GROUP ? left : groups * SP_CUDA_MATCH_GROUP;
            if (groups != 1 << self->size)
                continue;
            int last = group->count - s * stretch_rows < stretch_rows ? group->count : (s + 1) * stretch_rows;
            size_t needs = sp_cuda_match_shared(groups, up(group->dim, 16), self->limits->kept);
            self->plan->items[self->next++] = (struct sp_cuda_match_item){
                .rows = group->rows,
                .halves = group->halves,
                .first = s * stretch_rows,
                .last = last,
                .dim = group->dim,
                .blocks = up(group->dim, 16),
                .probe = group->probe + probe,
                .probes = taken,
                .vector = group->vector + (uint32_t)probe * (uint32_t)group->dim,
                .list = stretches == 1 ? group->probe + probe : list + probe * stretches + s,
                .stride = stretches};
            if (needs > self->plan->shared[self->size])
                self->plan->shared[self->size] = needs;
        }
    }
}

void sp_cuda_match_plan(struct sp_cuda_match_plan *plan, const struct sp_cuda_match_group *groups, int count,
                        const struct sp_cuda_match_limits *limits, bool second_look)
{
    struct planner self = {plan, limits, 0, 0};
    int stretch = stretch_tiles(groups, count, limits);
    plan->merge_count = 0;
    for (; self.size < 3; self.size++) {
        int list = SP_CUDA_MATCH_LISTS;
        plan->first[self.size] = self.next;
        plan->shared[self.size] = 0;
        for (int i = 0; i < count; i++) {
            int stretches = up(up(groups[i].count, SP_CUDA_MATCH_TILE), stretch);
            plan_group(&self, &groups[i], stretch * SP_CUDA_MATCH_TILE, list);
            if (stretches == 1)
                continue;
            for (int probe = 0; probe < groups[i].probes && self.size == 0 && !second_look; probe++)
                plan->merges[plan->merge_count++] =
                    (struct sp_cuda_merge_item){list + probe * stretches, stretches, groups[i].probe + probe};
            list += groups[i].probes * stretches;
        }
        plan->count[self.size] = self.next - plan->first[self.size];
        plan->lists = list;
    }
}
