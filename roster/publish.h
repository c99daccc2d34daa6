/* Publishing a manifest: one fenced compare-and-set (docs/redis.md 3.1, docs/manifests.md 4.2).
 *
 *   1. data keys exist;  2. the message is applied to the version that stands (roster/apply.h);  3. new and changed rows and
 *   portraits lie sealed in the durable Redis, under the names of their content;  4. portraits that have no template under a pack
 *   are enrolled by workers, each is noted;  5. `current` flips.
 * A desk that dies on the way starts again and does only what is missing; a publish that changes nothing makes no version;
 * two desks cannot clobber each other. */
#ifndef SALLYPORT_ROSTER_PUBLISH_H
#define SALLYPORT_ROSTER_PUBLISH_H

#include "roster/apply.h"
#include "roster/manifest_store.h"
#include "roster/portraits.h"
#include "roster/ports.h"
#include "roster/template.h"

/* One portrait to enrol under one pack. */
struct sp_enrol_job {
    uint8_t row[SP_ROW_BYTES];
    uint8_t portrait[SP_PORTRAIT_BYTES];
    uint8_t pack[16];
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
    uint8_t pack[16];               /* fingerprint; a version that stands under two packs keeps both if this is one of them */
    enum sp_manifest_state state;   /* sp_publish: PARTIAL or COMPLETE */
    const struct sp_ports *ports;   /* zones of ports; NULL: none is known */
    int64_t now_ms;                 /* wall clock; 0: the machine's */
    struct sp_enroller enroller;
    void (*on_progress)(void *user, const char *what, int done, int total); /* may be NULL */
    void *user;
};

/* A traveller without a usable portrait. */
struct sp_publish_lack {
    char label[96];  /* sp_row_label */
    int line;        /* of the file; 0: the message does not name this traveller */
    char surname[64], given[64]; /* cut; for --names */
    int reason;      /* enum sp_reason: NO_PORTRAIT without any file */
    char text[300];  /* a sentence: what is wrong and with which file */
};

#define SP_PUBLISH_MAX_WARNINGS 120

struct sp_publish_report {
    char manifest[SP_MANIFEST_ID_MAX];
    uint64_t version;            /* that stands now */
    enum sp_manifest_state state;
    bool unchanged;              /* no version was made */
    bool known, late;            /* as in struct sp_applied; known: a version is made if portraits came after the message */
    int rows, portraits;         /* in the manifest */
    int new_rows;                /* new or changed against the version before */
    int added, changed, kept, removed, expired; /* travellers */
    int unknown;                 /* named by a removal or close-out, and not in the manifest */
    struct sp_apply_parts parts; /* of a list in parts */
    int enrolled;                /* templates made by this publish */
    int resumed;                 /* found enrolled already, though not named by the version before: by a publish
                                    that did not end, or a row that comes back */
    int attempts;                /* how often it was applied: other desks were faster */
    int lack_count;              /* travellers without a usable portrait under the newest pack */
    struct sp_publish_lack *lacks; /* owned */
    int remark_count;            /* portraits that are not usable, of travellers who have another one that is */
    int warning_count;           /* what did not fit together; the first SP_PUBLISH_MAX_WARNINGS have a text */
    char warnings[SP_PUBLISH_MAX_WARNINGS][240];
};
void sp_publish_report_clear(struct sp_publish_report *report); /* wipes */

/* A whole list without references, in config->state. portraits may be NULL: what a traveller had stays. SP_E_CLOSED: the
 * manifest is closed; SP_E_CONFLICT: another desk was faster. *ret_report is large: keep it off small stacks. */
enum sp_status sp_publish(struct sp_publish_report *ret_report, const struct sp_roster *roster,
                          const struct sp_portraits *portraits, const struct sp_publish_config *config,
                          struct sp_err *err);
/* Any message; roster->manifest says of which manifest (of a changed journey it may have another date than the manifest, at most 2
 * days off: ret_report->manifest). What loses the race is applied again, 5 times, unless it is a whole list
 * without reference. */
enum sp_status sp_publish_message(struct sp_publish_report *ret_report, const struct sp_apply_message *message,
                                  const struct sp_roster *roster, const struct sp_portraits *portraits,
                                  const struct sp_publish_config *config, struct sp_err *err);
/* Enrol everything under config->pack, too, and flip to a version with both. SP_E_INVALID: two packs stand and this is none of
 * them. */
enum sp_status sp_publish_enrol(struct sp_publish_report *ret_report, const char *manifest,
                                const struct sp_publish_config *config, struct sp_err *err);
/* Flip to a version without this pack; its templates and notes are deleted. SP_E_NOTFOUND: it does not stand under it;
 * SP_E_CLOSED: it is closed or purged (with both, templates and notes that are there all the same are deleted);
 * SP_E_INVALID: it is the only one. */
enum sp_status sp_publish_retire(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                 const char *manifest, const uint8_t pack[16], const struct sp_key_file *ops,
                                 struct sp_err *err);

/* Flip to the same travellers in state CLOSED, then delete portraits and templates. SP_E_CLOSED: it is already (what a desk that
 * died left of them is deleted now). SP_E_CONFLICT if somebody publishes all the time. */
enum sp_status sp_publish_close(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                const char *manifest, const struct sp_key_file *ops, struct sp_err *err);

#endif
