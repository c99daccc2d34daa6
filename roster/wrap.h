/* Data keys wrapped to roles: hash fields "<purpose>:<role>", suite 2 over `key 32 | place 16` (docs/redis.md 2.1). */
#ifndef SALLYPORT_ROSTER_WRAP_H
#define SALLYPORT_ROSTER_WRAP_H

#include "roster/manifest.h"

#define SP_WRAP_BYTES     (SP_KEY_BYTES + 16 + SP_SEAL_TO_OVERHEAD)
#define SP_WRAP_FIELD_MAX 32

/* One field of a new key hash. */
struct sp_wrap {
    char field[SP_WRAP_FIELD_MAX];
    uint8_t sealed[SP_WRAP_BYTES];
};

void sp_wrap_close(struct sp_wrap *ret_wrap, const char *hash, const char *purpose, const char *role,
                   const struct sp_data_key *key, const uint8_t role_public[32]);
/* Write all fields at once, only if the hash does not exist. ret_made: false if it stood already. Blocking. */
enum sp_status sp_wrap_store(bool *ret_made, struct sp_store *durable, const char *hash, const struct sp_wrap *wraps,
                             int count, struct sp_err *err);
/* Read and open one wrap. SP_E_NOTFOUND: no such field; SP_E_AUTH: sealed to another key or moved from another place. */
enum sp_status sp_wrap_open(struct sp_data_key *ret_key, struct sp_store *durable, const char *hash,
                            const char *purpose, const struct sp_manifest_reader *reader, struct sp_err *err);

#endif
