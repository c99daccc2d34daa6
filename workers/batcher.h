/* The batcher: how many frames are analysed together, and how long a batch that is not full waits for frames that
 * are still being decoded. Pure: no clock, no queue; one per analysing thread.
 *
 * A wait pays only while the nets are busy most of the time: below half of it a frame goes at once, above the wait
 * grows to the configured maximum, but takes at most a quarter of what the tightest budget in the batch leaves
 * beside the batch itself. A batch is made smaller where a full one would take more than half of that budget,
 * unless small batches cost much more per frame and the nets are busy: then they would make all frames late. */
#ifndef SALLYPORT_WORKERS_BATCHER_H
#define SALLYPORT_WORKERS_BATCHER_H

#include <stdint.h>

#define SP_BATCHER_SIZES 8 /* 1, 2, 4, ... 128 rows */

struct sp_batcher {
    int max_rows;
    uint64_t max_delay_ns;
    double load;                        /* share of time in batches, lately: 0..1 at ended_ns */
    uint64_t ended_ns;                  /* of the last batch; 0: none yet */
    uint64_t cost_ns[SP_BATCHER_SIZES]; /* what a batch of up to that many rows took, lately; 0: not seen */
};

/* max_rows: 1..128. */
void sp_batcher_init(struct sp_batcher *batcher, int max_rows, uint64_t max_delay_ns);
/* A batch is done. rows 0: one whose cost says nothing about frames. Times are monotonic. */
void sp_batcher_done(struct sp_batcher *batcher, int rows, uint64_t began_ns, uint64_t ended_ns);

/* The load now: what was seen, and nothing since. */
double sp_batcher_load(const struct sp_batcher *batcher, uint64_t now_ns);
/* About how long a batch of so many rows takes; 0: nothing is known. */
uint64_t sp_batcher_cost_ns(const struct sp_batcher *batcher, int rows);

/* Most rows of a batch whose tightest budget ends at deadline_ns: 1..max_rows. */
int sp_batcher_rows(const struct sp_batcher *batcher, uint64_t deadline_ns, uint64_t now_ns);

/* A batch in the making. */
struct sp_batcher_view {
    int rows, most;       /* it has, and may have */
    int coming;           /* frames that are being decoded */
    uint64_t first_ns;    /* when it got its first row */
    uint64_t deadline_ns; /* the tightest of its rows' */
};

/* How long to wait for the next row, from now on; 0: go. */
uint64_t sp_batcher_wait_ns(const struct sp_batcher *batcher, const struct sp_batcher_view *view, uint64_t now_ns);

#endif
