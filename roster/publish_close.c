/* Ends: of a manifest, and of a pack under which it stands. Declared in publish.h. */
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "roster/manifest_purge.h"
#include "roster/publish.h"

#define ATTEMPTS 5

/* What stands, opened as ops. */
struct standing {
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index;
    uint64_t version;
    enum sp_manifest_state state;
};

static void standing_clear(struct standing *s)
{
    sp_manifest_index_free(&s->index);
    sp_seal_wipe(&s->keys, sizeof s->keys);
}

static enum sp_status standing_load(struct standing *s, struct sp_store *durable, const char *manifest,
                                    const struct sp_key_file *ops, struct sp_err *err)
{
    struct sp_manifest_reader reader = {"ops", ops};
    *s = (struct standing){0};
    enum sp_status status = sp_manifest_current(durable, manifest, &s->version, &s->state, err);
    if (status == SP_OK && s->version == 0)
        return sp_fail(err, SP_E_NOTFOUND,
                       "manifest %s was never published; `sallyport manifest list` names those that "
                       "were",
                       manifest);
    if (status == SP_OK && s->state == SP_MANIFEST_PURGED)
        return sp_fail(err, SP_E_CLOSED, "manifest %s is %s already", manifest, sp_manifest_state_word(s->state));
    if (status == SP_OK)
        status = sp_manifest_open_keys(&s->keys, durable, manifest, &reader, err);
    if (status == SP_OK)
        status =
            sp_manifest_load_current(&s->index, NULL, &s->version, &s->state, durable, manifest, &s->keys, err);
    if (status == SP_OK && !s->index)
        return sp_fail(err, SP_E_CLOSED, "manifest %s is %s already", manifest, sp_manifest_state_word(s->state));
    return status;
}

/* The next version of what was loaded. */
static enum sp_status standing_flip(struct standing *s, struct sp_store *durable, struct sp_err *err)
{
    s->index->version = s->version + 1;
    s->index->flipped_ms = sp_clock_wall_ms();
    return sp_manifest_flip(durable, s->index, s->version, s->state, &s->keys, err);
}

static enum sp_status close_once(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                 const char *manifest, const struct sp_key_file *ops, struct sp_err *err)
{
    struct standing s;
    enum sp_status status = standing_load(&s, durable, manifest, ops, err);
    bool already = status == SP_OK && s.state == SP_MANIFEST_CLOSED;
    if (status == SP_OK && !already) {
        s.index->state = SP_MANIFEST_CLOSED;
        status = standing_flip(&s, durable, err);
    }
    if (status == SP_OK)
        status = sp_manifest_expunge(durable, galleries, s.index, err);
    if (status == SP_OK && already)
        status = sp_fail(err, SP_E_CLOSED, "manifest %s is %s already", manifest, sp_manifest_state_word(s.state));
    if (status == SP_OK)
        *ret_version = s.index->version;
    standing_clear(&s);
    return status;
}

enum sp_status sp_publish_close(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                const char *manifest, const struct sp_key_file *ops, struct sp_err *err)
{
    enum sp_status status = SP_E_CONFLICT;
    for (int attempt = 0; status == SP_E_CONFLICT && attempt < ATTEMPTS; attempt++)
        status = close_once(ret_version, durable, galleries, manifest, ops, err);
    return status;
}

/* Templates and notes under a pack that the manifest does not stand under: of a retire that died between flip and
 * clean-up, or of workers of another pack. They go; *err says what it was. */
static enum sp_status retire_leftover(struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                                      const uint8_t pack[16], enum sp_status status, struct sp_err *err)
{
    struct sp_err why = {0};
    enum sp_status step = sp_manifest_expunge_pack(durable, galleries, manifest, pack, &why);
    return step == SP_OK ? status : sp_fail(err, step, "%s", why.text);
}

static enum sp_status retire_once(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                  const char *manifest, const uint8_t pack[16], const struct sp_key_file *ops,
                                  struct sp_err *err)
{
    struct standing s;
    char hex[33];
    sp_seal_to_hex(hex, pack, 16);
    enum sp_status status = standing_load(&s, durable, manifest, ops, err);
    int at = status == SP_OK ? sp_manifest_index_pack(s.index, pack) : -1;
    if (status == SP_OK && s.state >= SP_MANIFEST_CLOSED) {
        status = sp_fail(err, SP_E_CLOSED, "manifest %s is %s: it has no portraits any more", manifest,
                         sp_manifest_state_word(s.state));
        status = retire_leftover(durable, galleries, manifest, pack, status, err);
    } else if (status == SP_OK && at < 0) {
        status = sp_fail(err, SP_E_NOTFOUND, "manifest %s does not stand under pack %s", manifest, hex);
        status = retire_leftover(durable, galleries, manifest, pack, status, err);
    } else if (status == SP_OK && s.index->pack_count == 1) {
        status = sp_fail(err, SP_E_INVALID, "manifest %s stands under pack %s alone: it would match nobody",
                         manifest, hex);
    }
    if (status == SP_OK) {
        struct sp_manifest_index *index = s.index;
        int stays = 1 - at;
        memmove(index->packs[0], index->packs[stays], sizeof index->packs[0]);
        index->pack_count = 1;
        for (int i = 0; i < index->row_count; i++)
            for (int k = 0; k < index->rows[i].portrait_count; k++)
                index->rows[i].portraits[k].packs[0] = index->rows[i].portraits[k].packs[stays];
        status = standing_flip(&s, durable, err);
    }
    if (status == SP_OK)
        status = sp_manifest_expunge_pack(durable, galleries, manifest, pack, err);
    if (status == SP_OK)
        *ret_version = s.index->version;
    standing_clear(&s);
    return status;
}

enum sp_status sp_publish_retire(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                 const char *manifest, const uint8_t pack[16], const struct sp_key_file *ops,
                                 struct sp_err *err)
{
    enum sp_status status = SP_E_CONFLICT;
    for (int attempt = 0; status == SP_E_CONFLICT && attempt < ATTEMPTS; attempt++)
        status = retire_once(ret_version, durable, galleries, manifest, pack, ops, err);
    return status;
}
