/* The Lua scripts of the ledger, as text. Each touches the keys of one partition, or one manifest's claims. */
#ifndef SALLYPORT_RECORDS_LEDGER_SCRIPT_H
#define SALLYPORT_RECORDS_LEDGER_SCRIPT_H

extern const char sp_ledger_script_observe[]; /* evidence replaces evidence */
extern const char sp_ledger_script_decide[];  /* the first final wins, and is entered once */
extern const char sp_ledger_script_lease[];   /* one sweeper per partition */
extern const char sp_ledger_script_claim[];   /* tentative, unless it is another's */
extern const char sp_ledger_script_confirm[]; /* the holder's final stands */
extern const char sp_ledger_script_release[]; /* the holder's final is another */

#endif
