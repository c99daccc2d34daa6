#include "roster/manifest_purge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "roster/manifest_script.h"
#include "roster/template.h"

#define KEY_MAX        192
#define KEPT_INDEXES   3
#define LEFT_BEHIND    8          /* indexes a publish looks back for */
#define CHUNK          256        /* keys in one UNLINK */
#define PURGED_SECONDS "34560000" /* 400 days */

static enum sp_status unlink_key(struct sp_store *store, const char *key, struct sp_err *err)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("UNLINK"), SP_ARG_TEXT(key)};
    return sp_store_command(store, arguments, 2, NULL, err);
}

static enum sp_status unlink_kind(struct sp_store *durable, const char *manifest, const char *kind,
                                  struct sp_err *err)
{
    char key[KEY_MAX];
    sp_manifest_key(key, manifest, kind);
    return unlink_key(durable, key, err);
}

/* Indexes first..last. */
static enum sp_status unlink_indexes(struct sp_store *durable, const char *manifest, uint64_t first, uint64_t last,
                                     struct sp_err *err)
{
    static const size_t size = KEY_MAX;
    enum sp_status status = SP_OK;
    char *keys = malloc(CHUNK * size);
    if (!keys)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for names of keys", manifest);
    while (first <= last && status == SP_OK) {
        struct sp_argument arguments[1 + CHUNK] = {SP_ARG_TEXT("UNLINK")};
        int count = 0;
        for (; first <= last && count < CHUNK; first++, count++) {
            char kind[40];
            snprintf(kind, sizeof kind, "index:%" PRIu64, first);
            sp_manifest_key(keys + (size_t)count * size, manifest, kind);
            arguments[1 + count] = SP_ARG_TEXT(keys + (size_t)count * size);
        }
        status = sp_store_command(durable, arguments, 1 + count, NULL, err);
    }
    free(keys);
    return status;
}

void sp_manifest_drop_indexes(struct sp_store *durable, const char *manifest, uint64_t version)
{
    if (version <= KEPT_INDEXES)
        return;
    uint64_t last = version - KEPT_INDEXES;
    (void)unlink_indexes(durable, manifest, last > LEFT_BEHIND ? last - LEFT_BEHIND : 1, last, NULL);
}

enum sp_status sp_manifest_expunge_pack(struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                                        const uint8_t pack[16], struct sp_err *err)
{
    char key[KEY_MAX];
    sp_manifest_note_key(key, manifest, pack);
    enum sp_status status = unlink_key(durable, key, err);
    sp_template_key(key, manifest, pack);
    return status == SP_OK ? unlink_key(galleries, key, err) : status;
}

/* What workers stored under any pack: one of which no index knows may have met a worker, too. */
static enum sp_status expunge_stored(struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                                     struct sp_err *err)
{
    uint8_t packs[SP_TEMPLATE_MAX_PACKS][16];
    int count = 0;
    enum sp_status status = sp_template_packs(packs, &count, galleries, manifest, err);
    for (int i = 0; status == SP_OK && i < count; i++)
        status = sp_manifest_expunge_pack(durable, galleries, manifest, packs[i], err);
    return status == SP_OK && count > 0 ? sp_template_forget_packs(galleries, manifest, err) : status;
}

enum sp_status sp_manifest_expunge(struct sp_store *durable, struct sp_store *galleries,
                                   const struct sp_manifest_index *index, struct sp_err *err)
{
    struct sp_err why = {0};
    enum sp_status status = unlink_kind(durable, index->id, "portraits", &why);
    for (int i = 0; status == SP_OK && i < index->pack_count; i++)
        status = sp_manifest_expunge_pack(durable, galleries, index->id, index->packs[i], &why);
    if (status == SP_OK)
        status = expunge_stored(durable, galleries, index->id, &why);
    if (status == SP_OK)
        return SP_OK;
    return sp_fail(err, status,
                   "manifest %s is CLOSED, but its portraits and templates are not deleted yet: %s; close it again",
                   index->id, why.text);
}

/* ---- purge ---- */

static enum sp_status flip_purged(struct sp_store *durable, const char *manifest, uint64_t version,
                                  struct sp_err *err)
{
    char key[KEY_MAX], expected[48], next[48];
    struct sp_script script = {.text = sp_manifest_script_purge};
    sp_reply *reply = NULL;
    sp_manifest_key(key, manifest, "current");
    snprintf(expected, sizeof expected, "%" PRIu64 " %s", version, sp_manifest_state_word(SP_MANIFEST_CLOSED));
    snprintf(next, sizeof next, "%" PRIu64 " %s", version + 1, sp_manifest_state_word(SP_MANIFEST_PURGED));
    struct sp_argument keys[] = {SP_ARG_TEXT(key)};
    struct sp_argument arguments[] = {SP_ARG_TEXT(expected), SP_ARG_TEXT(next), SP_ARG_TEXT(PURGED_SECONDS)};
    enum sp_status status = sp_store_eval(durable, &script, keys, 1, arguments, 3, &reply, err);
    if (status == SP_OK && sp_reply_integer(reply) != 1)
        status = sp_fail(err, SP_E_CONFLICT, "manifest %s was changed meanwhile: purge it again", manifest);
    sp_reply_free(&reply);
    return status;
}

/* What hangs on the packs, while an index still says which they are. */
static enum sp_status purge_packs(struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                                  uint64_t version, const struct sp_key_file *ops, struct sp_err *err)
{
    struct sp_manifest_reader reader = {"ops", ops};
    struct sp_manifest_keys keys = {0};
    struct sp_manifest_index *index = NULL;
    enum sp_status status = sp_manifest_open_keys(&keys, durable, manifest, &reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_index(&index, durable, manifest, version, &keys, err);
    if (status == SP_OK)
        status = sp_manifest_expunge(durable, galleries, index, err);
    sp_manifest_index_free(&index);
    sp_seal_wipe(&keys, sizeof keys);
    return status;
}

/* All that has a name without any index; the keys last, so that what is left over before cannot be read without
 * them. */
static enum sp_status purge_rest(bool *ret_listed, struct sp_store *durable, struct sp_store *galleries,
                                 const char *manifest, uint64_t version, struct sp_err *err)
{
    sp_reply *reply = NULL;
    static const char *const kinds[] = {"rows", "portraits", "claims", "signed"};
    enum sp_status status = expunge_stored(durable, galleries, manifest, err);
    for (size_t i = 0; status == SP_OK && i < sizeof kinds / sizeof kinds[0]; i++)
        status = unlink_kind(durable, manifest, kinds[i], err);
    if (status == SP_OK)
        status = unlink_indexes(durable, manifest, 1, version, err);
    if (status == SP_OK)
        status = unlink_kind(durable, manifest, "keys", err);
    struct sp_argument forget[] = {SP_ARG_TEXT("SREM"), SP_ARG_TEXT("sp:manifests"), SP_ARG_TEXT(manifest)};
    if (status == SP_OK)
        status = sp_store_command(durable, forget, 3, &reply, err);
    *ret_listed = status == SP_OK && sp_reply_integer(reply) == 1;
    sp_reply_free(&reply);
    return status;
}

enum sp_status sp_manifest_purge(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                 const char *manifest, const struct sp_key_file *ops, struct sp_err *err)
{
    uint64_t version = 0;
    enum sp_manifest_state state;
    bool listed = false;
    enum sp_status status = sp_manifest_current(durable, manifest, &version, &state, err);
    if (status == SP_OK && version > 0 && state < SP_MANIFEST_CLOSED)
        return sp_fail(err, SP_E_INVALID, "manifest %s is %s: close it first (sallyport manifest close %s)",
                       manifest, sp_manifest_state_word(state), manifest);
    if (status == SP_OK && version > 0 && state == SP_MANIFEST_CLOSED) {
        status = purge_packs(durable, galleries, manifest, version, ops, err);
        if (status == SP_OK)
            status = flip_purged(durable, manifest, version, err);
        version += status == SP_OK;
    }
    if (status == SP_OK)
        status = purge_rest(&listed, durable, galleries, manifest, version, err);
    if (status == SP_OK && version == 0 && !listed)
        status = sp_fail(err, SP_E_NOTFOUND, "manifest %s was never published", manifest);
    if (status == SP_OK)
        *ret_version = version;
    return status;
}
