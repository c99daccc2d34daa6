/* Reconciliation: what the carrier's close-out says of a manifest's travellers against what the ledger decided about them.
 * Pure: rows and verified entries in, a report out; docs/manifests.md 8.2 has the definitions and what biases them.
 *
 * Only a match names its traveller; a final without a match says that somebody was there, not who. So travellers are counted
 * once however often they came, what failed is counted as encounters, and the error rate is an upper estimate. */
#ifndef SALLYPORT_RECORDS_RECONCILE_H
#define SALLYPORT_RECORDS_RECONCILE_H

#include "records/entry.h"
#include "records/estimate.h"

#define SP_RECONCILE_MAX_SIGHTS (4 << 20) /* decisions that are looked at: 64 bytes each */
#define SP_RECONCILE_MAX_LANES  256 /* of one manifest; those of the rest of the port are read past */
#define SP_RECONCILE_REASONS    256

/* One traveller of the manifest. */
struct sp_reconcile_row {
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    bool crew;
    bool enrolled; /* has a usable portrait: could have been matched */
    enum { SP_CLOSEOUT_SILENT, SP_CLOSEOUT_ON_BOARD, SP_CLOSEOUT_NOT_ON_BOARD } closeout;
};

enum sp_reconcile_state {
    SP_RECONCILE_BOTH,               /* boarded and confirmed */
    SP_RECONCILE_BOARDED_ONLY,       /* boarded, never confirmed */
    SP_RECONCILE_CONFIRMED_ONLY,     /* confirmed, and the close-out says not on board */
    SP_RECONCILE_NEITHER,            /* not on board, never confirmed */
    SP_RECONCILE_CONFIRMED_UNKNOWN,  /* confirmed; no close-out says anything of this traveller */
    SP_RECONCILE_UNKNOWN,            /* not confirmed; likewise */
    SP_RECONCILE_STATES
};
const char *sp_reconcile_state_word(enum sp_reconcile_state state);

struct sp_reconcile_traveller {
    enum sp_reconcile_state state;
    int matches;      /* encounters that ended with this traveller */
    int64_t first_ms; /* of the first of them; 0: none */
    int lane;         /* of the first, into report->lanes; -1: none */
};

/* What was seen at one lane, in one hour, or in all. */
struct sp_reconcile_group {
    char lane[SP_NAME_MAX]; /* of a lane */
    int64_t hour_ms;        /* of an hour: its begin, UTC */
    int encounters;         /* decisions of this manifest: matches + no_matches + refers */
    int matches, no_matches, refers;
    int reasons[SP_RECONCILE_REASONS]; /* refers by enum sp_reason */
    int confirmed;          /* travellers whose first match was here */
    int failed;             /* encounters that were compared and ended without a match */
    struct sp_estimate match_rate; /* matches / encounters */
    struct sp_estimate capture;    /* of all, and of the lane if there was only one: who boarded, boarded there */
    struct sp_estimate fnir;       /* upper estimate: min(failed, missed) / (confirmed + min(failed, missed)) */
};

struct sp_reconcile_report {
    bool closed_out;   /* the close-out says something; else only counts are given */
    int row_count;
    struct sp_reconcile_traveller *travellers; /* as the rows */
    int states[SP_RECONCILE_STATES];
    int boarded, boarded_crew;   /* boarded: in scope (no crew unless asked for) */
    int confirmed_of_boarded;    /* in scope */
    int missed;                  /* in scope: boarded, has a usable portrait, was never confirmed */
    int without_portrait;        /* in scope: boarded, could not be confirmed */
    int strange;                 /* matches of a pseudonym that no row has: of an older version */
    int repeats;                 /* the same decision more than once in the stream: counted once */
    struct sp_estimate capture_exact; /* all.capture = confirmed_of_boarded / boarded, with exact bounds */
    struct sp_reconcile_group all;
    int lane_count, hour_count;
    struct sp_reconcile_group *lanes; /* by name */
    struct sp_reconcile_group *hours; /* by time */
};

struct sp_reconcile;

/* rows are copied. with_crew: crew counts as in scope. */
enum sp_status sp_reconcile_new(struct sp_reconcile **ret_reconcile, const char *manifest,
                                const struct sp_reconcile_row *rows, int count, bool with_crew, struct sp_err *err);
void sp_reconcile_free(struct sp_reconcile **reconcile);
/* A verified entry, in any order. SP_E_LIMIT beyond SP_RECONCILE_MAX_SIGHTS. */
enum sp_status sp_reconcile_add(struct sp_reconcile *reconcile, const struct sp_entry *entry, struct sp_err *err);
/* After the last entry, once. SP_E_LIMIT beyond SP_RECONCILE_MAX_LANES. */
enum sp_status sp_reconcile_finish(struct sp_reconcile_report **ret_report, struct sp_reconcile *reconcile,
                                   struct sp_err *err);
void sp_reconcile_report_free(struct sp_reconcile_report **report);

#endif
