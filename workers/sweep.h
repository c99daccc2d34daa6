/* Sweep: encounters whose capture node vanished are closed as `abandoned`. A lease in the ledger gives each
 * partition one sweeping worker. */
#ifndef SALLYPORT_WORKERS_SWEEP_H
#define SALLYPORT_WORKERS_SWEEP_H

#include "records/ledger.h"
#include "workers/final.h"

struct sp_sweep_config {
    struct sp_ledger *ledger; /* the caller's thread's own */
    const struct sp_signer *signer;
    int partitions;
    const char *holder; /* this worker's name with something that only this process has */
    int64_t lease_ms;   /* longer than the time between two passes */
};

/* One pass over all partitions: take or renew the leases, close what is overdue at now_ms (wall). *ret_closed
 * counts the finals written. Blocking; SP_E_UNAVAILABLE when the ledger is away: try again at the next pass. */
enum sp_status sp_sweep_pass(const struct sp_sweep_config *config, int64_t now_ms, int *ret_closed,
                             struct sp_err *err);

#endif
