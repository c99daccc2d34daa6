/* One lane's work: cameras into encounters, some at a time, until all are over. */
#ifndef SALLYPORT_CAPTURE_RUN_H
#define SALLYPORT_CAPTURE_RUN_H

#include "capture/report.h"
#include "capture/source.h"

#define SP_RUN_CONCURRENCY_MAX 32

struct sp_run_config {
    const char *lane;
    int job_class;         /* enum sp_class */
    uint32_t budget_ms;    /* of an encounter's frames */
    uint32_t close_ms;     /* a CLOSE has at least this */
    int close_reason;
    int concurrency;       /* encounters in flight: 1..SP_RUN_CONCURRENCY_MAX */
    int repeat;            /* the operands so many times over */
    uint32_t pace_ms;      /* from one encounter's start to the next one's, at least */
    double rate;           /* frames a second within an encounter, as from a camera; 0: each when there is room */
    bool together;         /* the images of one operand are one encounter */
    size_t image_max;      /* bytes of one file */
    int stop_fd;           /* readable: start nothing more, finish what is in flight; -1: none */
};

struct sp_run;

/* All pointers are borrowed until sp_run_free. The client's on_answer must be sp_run_on_answer with the run as user: make
 * the run first, then the client, then sp_run_all. */
enum sp_status sp_run_new(struct sp_run **ret_run, const struct sp_run_config *config, const struct sp_source *source,
                          struct sp_report *report, struct sp_err *err);
void sp_run_free(struct sp_run **run);
void sp_run_on_answer(void *run, const struct sp_client_answer *answer);

/* Blocks until every encounter is over. SP_E_AUTH, SP_E_DENIED: the broker does not want this client any more; every
 * frame has its line all the same. Files that cannot be read are counted. */
enum sp_status sp_run_all(struct sp_run *run, struct sp_client *client, struct sp_err *err);
/* Files that could not be read. */
size_t sp_run_unreadable(const struct sp_run *run);
/* The first unreadable file's sentence, "" if none. */
const char *sp_run_trouble(const struct sp_run *run);

#endif
