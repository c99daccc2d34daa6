#include "workers/batcher.h"

#define MEMORY_NS  200000000.0 /* how far back "lately" reaches */
#define LOAD_FROM  0.5         /* waits begin here, */
#define LOAD_TO    0.9         /* and are longest here */
#define COST_SLACK 1.25        /* how much more a row of a small batch may cost when the nets are busy */

void sp_batcher_init(struct sp_batcher *batcher, int max_rows, uint64_t max_delay_ns)
{
    *batcher = (struct sp_batcher){.max_rows = max_rows, .max_delay_ns = max_delay_ns};
}

static int class_of(int rows)
{
    int class = 0;
    while (class < SP_BATCHER_SIZES - 1 && 1 << class < rows)
        class ++;
    return class;
}

/* Dearer at once by half, cheaper slowly: one lucky batch proves nothing. */
static uint64_t follow(uint64_t known, uint64_t seen)
{
    if (!known)
        return seen;
    return seen > known ? known + (seen - known) / 2 : known - (known - seen) / 8;
}

void sp_batcher_done(struct sp_batcher *batcher, int rows, uint64_t began_ns, uint64_t ended_ns)
{
    uint64_t from_ns = batcher->ended_ns ? batcher->ended_ns : began_ns, busy_ns = ended_ns - began_ns;
    double cycle = (double)(ended_ns - from_ns), weight = cycle / (cycle + MEMORY_NS);
    if (cycle > 0)
        batcher->load += ((double)busy_ns / cycle - batcher->load) * weight;
    batcher->load = batcher->load < 0 ? 0 : batcher->load > 1 ? 1 : batcher->load;
    batcher->ended_ns = ended_ns;
    if (rows > 0) {
        uint64_t *cost = &batcher->cost_ns[class_of(rows)];
        *cost = follow(*cost, busy_ns ? busy_ns : 1);
    }
}

double sp_batcher_load(const struct sp_batcher *batcher, uint64_t now_ns)
{
    double idle = now_ns > batcher->ended_ns ? (double)(now_ns - batcher->ended_ns) : 0;
    return batcher->load * MEMORY_NS / (MEMORY_NS + idle);
}

uint64_t sp_batcher_cost_ns(const struct sp_batcher *batcher, int rows)
{
    int class = class_of(rows);
    for (int smaller = class; smaller >= 0; smaller--) /* grows with the rows, at worst */
        if (batcher->cost_ns[smaller])
            return batcher->cost_ns[smaller] << (class - smaller);
    for (int larger = class + 1; larger < SP_BATCHER_SIZES; larger++)
        if (batcher->cost_ns[larger])
            return batcher->cost_ns[larger];
    return 0;
}

static double row_cost(const struct sp_batcher *batcher, int rows)
{
    return (double)sp_batcher_cost_ns(batcher, rows) / rows;
}

int sp_batcher_rows(const struct sp_batcher *batcher, uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t half_ns = deadline_ns > now_ns ? (deadline_ns - now_ns) / 2 : 0;
    int rows = batcher->max_rows;
    double most = COST_SLACK * row_cost(batcher, rows);
    while (rows > 1 && sp_batcher_cost_ns(batcher, rows) > half_ns)
        rows = 1 << (class_of(rows) - 1);
    if (sp_batcher_cost_ns(batcher, rows) > half_ns) /* too late, whatever its size */
        return batcher->max_rows;
    if (sp_batcher_load(batcher, now_ns) < LOAD_TO)
        return rows;
    while (rows < batcher->max_rows && row_cost(batcher, rows) > most)
        rows = 2 * rows < batcher->max_rows ? 2 * rows : batcher->max_rows;
    return rows;
}

uint64_t sp_batcher_wait_ns(const struct sp_batcher *batcher, const struct sp_batcher_view *view, uint64_t now_ns)
{
    double share = (sp_batcher_load(batcher, now_ns) - LOAD_FROM) / (LOAD_TO - LOAD_FROM);
    uint64_t cost_ns = sp_batcher_cost_ns(batcher, view->rows + 1), waited_ns = now_ns - view->first_ns;
    if (view->rows >= view->most || view->coming <= 0 || share <= 0 || view->deadline_ns <= now_ns + cost_ns)
        return 0;
    uint64_t wait_ns = (uint64_t)((double)batcher->max_delay_ns * (share < 1 ? share : 1));
    uint64_t spare_ns = (view->deadline_ns - now_ns - cost_ns) / 4;
    wait_ns = wait_ns < spare_ns ? wait_ns : spare_ns;
    return wait_ns > waited_ns ? wait_ns - waited_ns : 0;
}
