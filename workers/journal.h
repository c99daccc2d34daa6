/* Journal: nothing is answered before the ledger has it. Judged jobs are read, merged and written in batches, one
 * round trip each way for a whole batch (and one for claims, in lanes where a traveller crosses once); the first
 * final of an encounter wins and every later message hears it.
 *
 * One thread. A ledger that is away holds jobs back until they must be answered `error store_unavailable`. */
#ifndef SALLYPORT_WORKERS_JOURNAL_H
#define SALLYPORT_WORKERS_JOURNAL_H

#include "records/ledger.h"
#include "workers/final.h"
#include "workers/job.h"

struct sp_journal_config {
    struct sp_ledger *ledger;       /* this thread's own */
    const struct sp_signer *signer; /* must outlive the journal */
    int capacity;                   /* jobs that can wait: the size of the job pool */
    /* A job has its answer. Called from sp_journal_run. */
    void (*done)(void *context, struct sp_job *job);
    void *context;
};

struct sp_journal;
enum sp_status sp_journal_new(struct sp_journal **ret_journal, const struct sp_journal_config *config,
                              struct sp_err *err);
void sp_journal_free(struct sp_journal **journal); /* does not answer what still waits */

/* Add a judged FRAME (judgement, basis, lane) or a CLOSE (basis as it is now, lane). At most `capacity` wait. */
void sp_journal_add(struct sp_journal *journal, struct sp_job *job);
/* One batch. Returns how many still wait (the ledger was away, or two of one encounter met): run again, after
 * sp_journal_pause_us. Blocks up to a few store time-outs. */
int sp_journal_run(struct sp_journal *journal);
/* 0, or how long to wait before the next run because the ledger was away. */
int64_t sp_journal_pause_us(const struct sp_journal *journal);

/* Jobs that arrive: answer those whose encounter is decided, whose frame was answered before, or whose encounter is
 * another's, without any computation. ret_known[i]: job i has its answer. One round trip. */
enum sp_status sp_journal_recall(struct sp_ledger *ledger, const struct sp_signer *signer,
                                 struct sp_job *const *jobs, int count, bool *ret_known, struct sp_err *err);

#endif
