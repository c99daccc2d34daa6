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

/* The verbs of `manifest` that have a file of their own. */
int sp_manifest_publish_run(int argc, char **argv);
int sp_manifest_release_run(int argc, char **argv);
int sp_manifest_show_run(int argc, char **argv);

#endif
