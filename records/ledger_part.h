/* Inside the ledger: shared by ledger.c and ledger_sweep.c only. */
#ifndef SALLYPORT_RECORDS_LEDGER_PART_H
#define SALLYPORT_RECORDS_LEDGER_PART_H

#include "records/ledger.h"

#define SP_LEDGER_KEY_MAX 64

struct sp_ledger {
    struct sp_store *store; /* not owned */
    struct sp_ledger_config config;
    struct sp_script observe, decide, lease, claim, confirm, release;
    bool loaded;      /* the server has been given the scripts on some connection */
    uint64_t longest; /* stream seen by appends */
};

/* "sp:{d3}:<kind>" and "sp:{d3}:e:<hex>" into SP_LEDGER_KEY_MAX bytes. */
void sp_ledger_partition_key(char *ret_key, int partition, const char *kind);
/* Give the server every script that is run in a pipeline. */
enum sp_status sp_ledger_load_scripts(struct sp_ledger *ledger, struct sp_err *err);
/* Put one claim's script (claim, confirm, release) into the pipeline; extra: further arguments. */
enum sp_status sp_ledger_append_claim(const struct sp_ledger *ledger, const struct sp_script *script,
                                      const struct sp_ledger_claim *claim, const struct sp_argument *extra,
                                      int extra_count, struct sp_err *err);
void sp_ledger_encounter_key(char *ret_key, const struct sp_ledger *ledger,
                             const uint8_t encounter[SP_ENCOUNTER_BYTES]);

#endif
