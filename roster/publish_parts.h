/* The parts of a publish: publish.c runs them in this order, each file below is one. Of roster/publish*.c only. */
#ifndef SALLYPORT_ROSTER_PUBLISH_PARTS_H
#define SALLYPORT_ROSTER_PUBLISH_PARTS_H

#include "roster/publish.h"

/* A row of the version to be. */
struct sp_publish_draft {
    struct sp_index_row index;
    const struct sp_row *row; /* its values; not owned */
    int before, source;       /* as in struct sp_applied_row */
    int absorbed;
    bool changed;
    int bad_reason; /* of a file that never became a portrait */
    char bad_text[300];
};

struct sp_publish_run {
    const char *manifest;
    const struct sp_roster *roster;            /* NULL: nothing is told, packs change */
    const struct sp_apply_message *message;    /* as roster */
    const struct sp_portraits *portraits;      /* NULL: none */
    const struct sp_publish_config *config;
    int64_t now_ms;
    struct sp_manifest_keys keys;
    uint64_t version; /* that stood at the begin; 0: none */
    enum sp_manifest_state state;
    struct sp_manifest_index *before; /* NULL: none */
    struct sp_row *rows_before;       /* of before's rows */
    struct sp_applied *applied;       /* NULL: nothing was told */
    struct sp_manifest_index *next;   /* journey and packs; rows come last */
    int draft_count;
    struct sp_publish_draft *drafts;
    struct sp_enrol_job *jobs;        /* pack by pack, then those that are open at the front */
    int *job_draft, *job_portrait, *job_pack;
    int job_count, jobs_done;
    struct sp_publish_report *report;
};

void sp_publish_progress(const struct sp_publish_run *p, const char *what, int done, int total);
/* Collect n replies of a pipeline, remembering the first failure. */
enum sp_status sp_publish_collect(struct sp_store *store, int n, enum sp_status status, struct sp_err *err);

/* publish_delayed.c: the manifest that a change of this one's journey means: itself, or, where nothing stands under its date, the
 * one that is open within two days of it. SP_E_NOTFOUND: several are. */
enum sp_status sp_publish_delayed(char ret_manifest[SP_MANIFEST_ID_MAX], struct sp_store *durable, const char *manifest,
                                  struct sp_err *err);
/* publish_journey.c: what p->next knows of the journey. */
void sp_publish_journey(struct sp_publish_run *p);
/* publish_rows.c: seal and write what is new or changed; validity of standing rows. */
enum sp_status sp_publish_put_rows(struct sp_publish_run *p, struct sp_err *err);
/* publish_portraits.c: read, seal and write the files of the rows that the message names. */
enum sp_status sp_publish_put_portraits(struct sp_publish_run *p, struct sp_err *err);
/* After they are enrolled: of a row none of whose new portraits can be used, but one before could, those before stay. */
void sp_publish_keep_portraits(struct sp_publish_run *p);
/* publish_enrol.c: a template for each portrait under each pack of p->next. */
enum sp_status sp_publish_enrol_all(struct sp_publish_run *p, struct sp_err *err);
/* publish_report.c: travellers without a usable portrait. */
enum sp_status sp_publish_report_lacks(struct sp_publish_run *p, struct sp_err *err);

#endif
