/* What each worker holds, as it says itself in the "galleries" Redis: sp:fleet is the set of names, sp:fleet:<name>
 * a report that expires when its worker is silent (docs/redis.md section 5). For boards: nothing decides by it. */
#ifndef SALLYPORT_ROSTER_FLEET_H
#define SALLYPORT_ROSTER_FLEET_H

#include "roster/manifest.h"

#define SP_FLEET_MAX_GALLERIES 512 /* of one report; further ones are left out */
#define SP_FLEET_MAX_WORKERS   1024
#define SP_FLEET_LIFE_MS       10000
#define SP_FLEET_REFRESH_MS    3000

struct sp_fleet_gallery {
    char manifest[SP_MANIFEST_ID_MAX];
    uint64_t version;
    int people;  /* with a portrait that is compared */
    int missing; /* templates that are not there (yet) */
};

struct sp_fleet_report {
    char worker[SP_NAME_MAX];
    bool stale; /* the worker has said nothing for SP_FLEET_LIFE_MS: the rest is empty */
    char backend[64];
    uint8_t pack[16];
    int64_t at_ms; /* the worker's wall clock */
    int gallery_count;
    struct sp_fleet_gallery *galleries; /* hot ones; owned by whoever made the report */
};

/* worker: one round trip. Blocking. */
enum sp_status sp_fleet_write(struct sp_store *galleries, const struct sp_fleet_report *report, struct sp_err *err);

/* ops: every worker that ever reported to this server, by name. The caller frees with sp_fleet_free. A report that
 * cannot be read is SP_E_FORMAT and names its worker. Blocking. */
enum sp_status sp_fleet_read(struct sp_fleet_report **ret_reports, int *ret_count, struct sp_store *galleries,
                             struct sp_err *err);
void sp_fleet_free(struct sp_fleet_report **reports, int count); /* NULL is fine */

/* One report as bytes (msgpack). Caller frees *ret_bytes; of a decoded report, `galleries`. */
enum sp_status sp_fleet_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_fleet_report *report,
                               struct sp_err *err);
enum sp_status sp_fleet_decode(struct sp_fleet_report *ret_report, const void *bytes, size_t length,
                               struct sp_err *err);

#endif
