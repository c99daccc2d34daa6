/* Compare: probes against everything a lane is assigned, as one candidate list. */
#ifndef SALLYPORT_WORKERS_COMPARE_H
#define SALLYPORT_WORKERS_COMPARE_H

#include "workers/assignment.h"
#include "workers/decide.h"
#include "workers/hot.h"

/* A lane at one moment: what it is assigned, and those galleries held hot. */
struct sp_scene {
    struct sp_basis basis;
    struct sp_hot_gallery *hot[SP_DECISION_MAX_GALLERIES]; /* references; NULL where nothing could be had */
};

/* Bring every assigned manifest to its current version, as far as the stores allow by deadline_ns, and work out the
 * threshold for the people in them. What is missing is in the basis; *ret_lack says of the first such gallery why,
 * for the log (no error: untouched). Blocking. */
void sp_scene_open(struct sp_scene *ret_scene, const struct sp_lane_now *now, struct sp_hot *hot,
                   struct sp_store *durable, struct sp_store *galleries, const struct sp_pack *pack,
                   uint64_t deadline_ns, struct sp_err *ret_lack);
void sp_scene_close(struct sp_scene *scene);

/* One image's faces to compare in one scene. */
struct sp_compare_item {
    const struct sp_scene *scene;
    const struct sp_faces *faces;
    int probe_count;
    int probes[SP_MAX_FACES];                       /* indexes into faces */
    struct sp_comparison comparisons[SP_MAX_FACES]; /* result, by face */
};

/* All items in one match. Several portraits of a traveller count as his best one. */
enum sp_status sp_compare(struct sp_engine *engine, const struct sp_pack *pack, struct sp_compare_item *items,
                          int count, struct sp_err *err);

#endif
