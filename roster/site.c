#include <stdio.h>
#include <string.h>
#include "roster/lane.h"
#include "roster/wrap.h"

#define SITE_KEYS "sp:site:keys"

static enum sp_status open_key(struct sp_data_key *ret_key, struct sp_store *durable, const char *purpose,
                               const struct sp_manifest_reader *reader, struct sp_err *err)
{
    struct sp_err inner = {0};
    enum sp_status status = sp_wrap_open(ret_key, durable, SITE_KEYS, purpose, reader, &inner);
    if (status == SP_E_NOTFOUND)
        return sp_fail(err, status, "%s: run `sallyport site init` once for this site", inner.text);
    return status == SP_OK ? SP_OK : sp_fail(err, status, "%s", inner.text);
}

enum sp_status sp_site_open_key(struct sp_data_key *ret_key, struct sp_store *durable,
                                const struct sp_manifest_reader *reader, struct sp_err *err)
{
    return open_key(ret_key, durable, "lanes", reader, err);
}

enum sp_status sp_site_open_evidence_key(struct sp_data_key *ret_key, struct sp_store *durable,
                                         const struct sp_manifest_reader *reader, struct sp_err *err)
{
    return open_key(ret_key, durable, "evidence", reader, err);
}

enum sp_status sp_site_make_keys(bool *ret_made, struct sp_store *durable, const uint8_t workers_public[32],
                                 const uint8_t ops_public[32], struct sp_err *err)
{
    struct sp_wrap wraps[3];
    struct sp_data_key lanes, evidence;
    sp_seal_new_key(&lanes);
    sp_seal_new_key(&evidence);
    sp_wrap_close(&wraps[0], SITE_KEYS, "lanes", "workers", &lanes, workers_public);
    sp_wrap_close(&wraps[1], SITE_KEYS, "lanes", "ops", &lanes, ops_public);
    sp_wrap_close(&wraps[2], SITE_KEYS, "evidence", "workers", &evidence, workers_public);
    sp_seal_wipe(&lanes, sizeof lanes);
    sp_seal_wipe(&evidence, sizeof evidence);
    return sp_wrap_store(ret_made, durable, SITE_KEYS, wraps, 3, err);
}
