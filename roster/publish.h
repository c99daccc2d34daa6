/* Publishing a manifest: one fenced compare-and-set (docs/redis.md 3.1).
 *
 *   1. data keys exist;  2. rows and portraits lie sealed in the durable Redis, under the names of their content;
 *   3. portraits that have no template under this pack are enrolled by workers, each is noted;  4. `current` flips.
 * A desk that dies on the way starts again and does only what is missing; a publish that changes nothing makes no version;
 * two desks cannot clobber each other: the second hears SP_E_CONFLICT. */
#ifndef SALLYPORT_ROSTER_PUBLISH_H
#define SALLYPORT_ROSTER_PUBLISH_H

#include "roster/manifest_store.h"
#include "roster/portraits.h"
#include "roster/roster.h"
#include "roster/template.h"

/* One portrait to enrol. */
struct sp_enrol_job {
    uint8_t row[SP_ROW_BYTES];
    uint8_t portrait[SP_PORTRAIT_BYTES];
    uint8_t template_id[SP_TEMPLATE_ID_BYTES]; /* what the worker must answer with: same pack, same portrait */
    /* result */
    bool done;   /* answered for good; else it may be tried again */
    int reason;  /* SP_REASON_NONE: a template is stored; else why the portrait cannot be used */
    int quality; /* 0..100 */
};

/* True for reasons that say nothing about the portrait (a store or workers were away): it is tried again. */
bool sp_publish_reason_passes(int reason);

/* Who enrols: workers through a broker (ops/enrol.c), or a test. */
struct sp_enroller {
    /* Enrol all jobs, calling on_done(publish, job index) as each is done; return when all are, or the first error that
     * ends it. on_done may fail: stop then and return its status. */
    enum sp_status (*enrol)(void *user, const char *manifest, struct sp_enrol_job *jobs, int count,
                            enum sp_status (*on_done)(void *publish, int job, struct sp_err *err), void *publish,
                            struct sp_err *err);
    void *user;
};

struct sp_publish_config {
    struct sp_store *durable, *galleries;
    const struct sp_key_file *ops;  /* box, with secret */
    uint8_t workers_public[32];     /* the fleet's box key */
    uint8_t pack[16];               /* fingerprint */
    enum sp_manifest_state state;   /* PARTIAL or COMPLETE; a changed COMPLETE manifest becomes AMENDED by itself */
    struct sp_enroller enroller;
    void (*on_progress)(void *user, const char *what, int done, int total); /* may be NULL */
    void *user;
};

/* A traveller without a usable portrait. */
struct sp_publish_lack {
    char label[96];  /* sp_row_label */
    int row;         /* index into roster->rows */
    int reason;      /* enum sp_reason: NO_PORTRAIT without any file */
    char text[300];  /* a sentence: what is wrong and with which file */
};

struct sp_publish_report {
    char manifest[SP_MANIFEST_ID_MAX];
    uint64_t version;            /* that stands now */
    enum sp_manifest_state state;
    bool unchanged;              /* nothing was to be done */
    int rows, portraits;         /* in the manifest */
    int new_rows;                /* new or changed against the version before */
    int enrolled;                /* templates made by this publish */
    int resumed;                 /* found enrolled already, though not named by the version before: by a publish
                                    that did not end, or a row that comes back */
    int lack_count;              /* travellers without a usable portrait */
    struct sp_publish_lack *lacks; /* owned */
    int remark_count;            /* portraits that are not usable, of travellers who have another one that is */
};
void sp_publish_report_clear(struct sp_publish_report *report);

/* portraits may be NULL: travellers without faces. SP_E_CLOSED: the manifest is closed. */
enum sp_status sp_publish(struct sp_publish_report *ret_report, const struct sp_roster *roster,
                          const struct sp_portraits *portraits, const struct sp_publish_config *config,
                          struct sp_err *err);

/* Flip to the same travellers in state CLOSED. SP_E_CONFLICT if somebody publishes meanwhile. */
enum sp_status sp_publish_close(uint64_t *ret_version, struct sp_store *durable, const char *manifest,
                                const struct sp_key_file *ops, struct sp_err *err);

#endif
