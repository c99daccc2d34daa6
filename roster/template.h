/* Templates in the "galleries" Redis: sealed, content-addressed, rebuildable.
 *
 * Key sp:g:{manifest}:<pack fingerprint hex>, a hash; field = template id = BLAKE2b-128(manifest | row | pack |
 * portrait id), value = suite-1 envelope (the manifest's template key; associated data = key name | field) over
 * little-endian float32[dim]. A changed row or portrait is a new field; garbage goes later. */
#ifndef SALLYPORT_ROSTER_TEMPLATE_H
#define SALLYPORT_ROSTER_TEMPLATE_H

#include "roster/manifest.h"

#define SP_TEMPLATE_ID_BYTES 16

void sp_template_id(uint8_t ret_id[SP_TEMPLATE_ID_BYTES], const char *manifest, const uint8_t row[SP_ROW_BYTES],
                    const uint8_t pack[16], const uint8_t portrait[SP_PORTRAIT_BYTES]);

/* Name of a pack's hash; ret_key holds at least 192 bytes. */
void sp_template_key(char *ret_key, const char *manifest, const uint8_t pack[16]);

#define SP_TEMPLATE_MAX_PACKS 32
/* Packs under which workers stored templates: also those that no index names. ret_packs has SP_TEMPLATE_MAX_PACKS. ops only. */
enum sp_status sp_template_packs(uint8_t (*ret_packs)[16], int *ret_count, struct sp_store *galleries,
                                 const char *manifest, struct sp_err *err);
enum sp_status sp_template_forget_packs(struct sp_store *galleries, const char *manifest, struct sp_err *err);

/* Store one template, and note its pack. */
enum sp_status sp_template_store(struct sp_store *galleries, const char *manifest, const uint8_t pack[16],
                                 const uint8_t id[SP_TEMPLATE_ID_BYTES], const float *vector, int dim,
                                 const struct sp_manifest_keys *keys, struct sp_err *err);
/* Which of `count` ids are there (one round trip): ret_present[i] = 1 or 0. */
enum sp_status sp_template_present(struct sp_store *galleries, const char *manifest, const uint8_t pack[16],
                                   const uint8_t (*ids)[SP_TEMPLATE_ID_BYTES], int count, uint8_t *ret_present,
                                   struct sp_err *err);
/* Load many, [count][dim] row-major; ret_present[i] = 0 where it is missing or does not open. Pipelined HMGET chunks. */
enum sp_status sp_template_load(struct sp_store *galleries, const char *manifest, const uint8_t pack[16],
                                const uint8_t (*ids)[SP_TEMPLATE_ID_BYTES], int count, int dim, float *ret_vectors,
                                uint8_t *ret_present, const struct sp_manifest_keys *keys, struct sp_err *err);

#endif
