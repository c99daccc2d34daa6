/* Assignment: which manifests a lane matches now, in which versions. A frame names its lane only; this resolves the
 * rest in two round trips for a whole batch: one MGET of lane records and assignments, one of `current`. */
#ifndef SALLYPORT_WORKERS_ASSIGNMENT_H
#define SALLYPORT_WORKERS_ASSIGNMENT_H

#include "roster/lane.h"

struct sp_lane_now {
    int reason; /* SP_REASON_NONE, or unknown_lane / internal (a record that does not open; `text` says which) */
    char text[SP_TEXT_MAX];
    struct sp_lane lane;
    uint64_t assignment;                                     /* version */
    int count;                                               /* manifests assigned at this moment and not closed */
    struct sp_decision_gallery manifests[SP_ASSIGNMENT_MAX]; /* current versions; 0: never published */
};

struct sp_assignments; /* one thread; remembers opened records by their sealed bytes */

/* site must outlive it; at most max_lanes records are remembered. */
enum sp_status sp_assignments_new(struct sp_assignments **ret_assignments, const struct sp_data_key *site,
                                  int max_lanes, struct sp_err *err);
void sp_assignments_free(struct sp_assignments **assignments);

/* Resolve `count` different lanes at wall time now_ms. Blocks up to the store's time-out; SP_E_UNAVAILABLE when the
 * durable store does not answer. */
enum sp_status sp_assignments_resolve(struct sp_assignments *assignments, struct sp_store *durable,
                                      const char *const *lanes, int count, int64_t now_ms,
                                      struct sp_lane_now *ret_lanes, struct sp_err *err);

/* True while an entry of an assignment is in force: from <= now < to, 0 = open. */
bool sp_assignment_in_force(const struct sp_assignment_entry *entry, int64_t now_ms);

/* Records opened so far (cache misses); for tests. */
uint64_t sp_assignments_opened(const struct sp_assignments *assignments);

#endif
