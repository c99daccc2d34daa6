/* A small site for the worker's tests: two Redis servers, keys, lanes and manifests with made-up templates. */
#ifndef SALLYPORT_TESTS_WORKER_WORLD_H
#define SALLYPORT_TESTS_WORKER_WORLD_H

#include "common/store.h"
#include "records/ledger.h"
#include "roster/lane.h"
#include "tests/support/redis_server.h"
#include "workers/final.h"
#include "workers/job.h"

#define WORLD_DIM 8 /* of made-up templates */

struct world {
    struct redis_server durable_server, galleries_server;
    struct sp_store *durable, *galleries; /* the test's own connections, as ops */
    struct sp_key_file fleet, ops, recorder, sign, authority;
    struct sp_signer signer;
    struct sp_data_key site, evidence;
    int64_t valid_from_ms[4], valid_to_ms[4]; /* of the first persons of what is published next */
    struct sp_pack pack;                      /* l2, WORLD_DIM, score threshold about 0.5 at any size */
};

/* Skips the program (exit 77) where redis-server is not installed. */
void world_start(struct world *world);
void world_stop(struct world *world);

struct sp_store *world_store(const struct redis_server *server);
struct sp_ledger_config world_ledger_config(const struct world *world);

void world_lane(struct world *world, const char *lane, enum sp_lane_kind kind, uint64_t expected);
/* Assign up to 3 manifests (NULL ends), open-ended. */
void world_assign(struct world *world, const char *lane, uint64_t expected, const char *const *manifests);

/* Publish version `version` (1, 2, ...) of a manifest with `people` travellers of `portraits` portraits each. The
 * template of (person, portrait) is world_vector(). Those of persons >= with_templates are not stored. */
void world_publish(struct world *world, const char *manifest, uint64_t version, int people, int portraits,
                   int with_templates, enum sp_manifest_state state);
void world_vector(float *ret_vector, const char *manifest, int person, int portrait);
/* Store one template that was left out. */
void world_store_template(struct world *world, const char *manifest, int person, int portrait);
void world_pseudonym(const struct world *world, uint8_t ret_pseudonym[SP_PSEUDONYM_BYTES], const char *manifest,
                     int person);
/* Row and portrait ids as published. */
void world_ids(uint8_t ret_row[SP_ROW_BYTES], uint8_t ret_portrait[SP_PORTRAIT_BYTES], const char *manifest,
               int person, int portrait);

#endif
