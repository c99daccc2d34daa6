/* What the desk's commands open first: its stores and keys. */
#ifndef SALLYPORT_OPS_DESK_H
#define SALLYPORT_OPS_DESK_H

#include "ops/config.h"
#include "roster/lane.h"

struct sp_desk {
    struct sp_store *durable;
    struct sp_store *galleries; /* NULL unless asked for */
    struct sp_key_file box;     /* keys.ops */
};

/* Opens and pings. Zero-initialise; close in any case. */
enum sp_status sp_desk_open(struct sp_desk *desk, const struct sp_ops_config *config, bool galleries,
                            struct sp_err *err);
void sp_desk_close(struct sp_desk *desk);
/* How this desk reads what is sealed to ops. */
struct sp_manifest_reader sp_desk_reader(const struct sp_desk *desk);

/* A manifest's current version, opened. Zero-initialise; clear in any case. */
struct sp_desk_manifest {
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index;
};
/* SP_E_NOTFOUND: it was never published. */
enum sp_status sp_desk_load(struct sp_desk_manifest *ret_manifest, const struct sp_desk *desk, const char *id,
                            struct sp_err *err);
void sp_desk_manifest_clear(struct sp_desk_manifest *manifest);
/* How a report names a traveller, and with names the name, too ("T0001", "T0001 (SAMPLE, ANNA)"). What cannot be opened is
 * "?". ret_text: SP_DESK_LABEL_MAX. */
#define SP_DESK_LABEL_MAX 512
void sp_desk_label(char *ret_text, const struct sp_desk *desk, const struct sp_desk_manifest *manifest, int row,
                   bool names);

/* All lanes ever set up, by name; *ret_names is one allocation, the caller frees it. */
enum sp_status sp_desk_lanes(char (**ret_names)[SP_NAME_MAX], size_t *ret_count, const struct sp_desk *desk,
                             struct sp_err *err);

/* The verbs of `manifest` that have a file of their own. */
int sp_manifest_close_run(int argc, char **argv);
int sp_manifest_enrol_run(int argc, char **argv);
int sp_manifest_parse_run(int argc, char **argv);
int sp_manifest_portrait_run(int argc, char **argv);
extern const char sp_manifest_portrait_help[];
int sp_manifest_publish_run(int argc, char **argv);
int sp_manifest_purge_run(int argc, char **argv);
int sp_manifest_release_run(int argc, char **argv);
int sp_manifest_ready_run(int argc, char **argv);
int sp_manifest_reconcile_run(int argc, char **argv);
int sp_manifest_scorecard_run(int argc, char **argv);
int sp_manifest_show_run(int argc, char **argv);
int sp_manifest_sign_run(int argc, char **argv);
int sp_manifest_watch_run(int argc, char **argv);
int sp_manifest_tidy_run(int argc, char **argv);

#endif
