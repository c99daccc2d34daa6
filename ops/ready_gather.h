/* What the readiness board finds out beside a manifest's index: lanes and their assignments, what the broker says of lanes and
 * workers, which version each worker holds, look-alikes. Whatever cannot be asked is unknown, with the reason, and stops nothing. */
#ifndef SALLYPORT_OPS_READY_GATHER_H
#define SALLYPORT_OPS_READY_GATHER_H

#include "common/message.h"
#include "ops/desk.h"
#include "ops/review.h"
#include "roster/fleet.h"
#include "roster/readiness.h"

/* For all manifests, once. Zero-initialise; clear in any case. */
struct sp_ready_gather {
    const struct sp_ops_config *config;
    struct sp_desk desk;
    size_t lane_count;
    struct sp_assignment *assignments; /* owned, of all lanes */
    bool broker_known;
    struct sp_err broker; /* why not */
    struct sp_told *told_lanes, *told_workers; /* owned */
    int told_lane_count, told_worker_count;
    bool fleet_known;
    struct sp_err fleet;  /* why not */
    struct sp_fleet_report *reports; /* owned */
    int report_count;
    bool pack_known;
    uint8_t pack[16];     /* of config's pack.directory */
};
/* SP_OK also without a broker or a pack; the stores must be there. */
enum sp_status sp_ready_gather_open(struct sp_ready_gather *ret_gather, const struct sp_ops_config *config,
                                    struct sp_err *err);
void sp_ready_gather_clear(struct sp_ready_gather *gather);

/* Of one manifest: facts, with the arrays they point to. Zero-initialise; clear in any case. */
struct sp_ready_found {
    struct sp_desk_manifest manifest;
    struct sp_ready_facts facts;
    struct sp_ready_worker *workers; /* owned */
    struct sp_ready_lane *lanes;     /* owned */
    struct sp_ready_pair *pairs;     /* owned */
    struct sp_review review;
    struct sp_err why_review;        /* review_known false: why */
    struct sp_readiness board;
};
/* review false: look-alikes are not asked for. SP_E_NOTFOUND: no such manifest. */
enum sp_status sp_ready_find(struct sp_ready_found *ret_found, const struct sp_ready_gather *gather, const char *id,
                             bool review, struct sp_err *err);
void sp_ready_found_clear(struct sp_ready_found *found);

#endif
