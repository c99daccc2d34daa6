/* Garbage of a manifest that is open. Declared in manifest_purge.h. */
#include <stdlib.h>
#include <string.h>
#include "roster/manifest_purge.h"
#include "roster/manifest_script.h"
#include "roster/template.h"

#define KEY_MAX    192
#define FIELD_MAX  (2 * SP_ROW_BYTES)
#define FIELDS_MAX 5000 /* of one hash in one go: a script holds up the server. Run again for more */

#define ATTEMPTS 5 /* when desks are faster */

/* Field names of one kind that the index has, sorted. */
struct named {
    size_t length; /* of one */
    size_t count;
    uint8_t *all;
};

/* What is done while tidying one manifest. */
struct tidying {
    struct sp_store *durable, *galleries;
    const char *manifest;
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index;
    struct sp_manifest_garbage garbage[SP_MANIFEST_GARBAGE_MAX];
    sp_reply *replies[SP_MANIFEST_GARBAGE_MAX]; /* fields point into them */
    struct sp_manifest_tidied tidied;
};

static int compare_long(const void *a, const void *b)
{
    return memcmp(a, b, FIELD_MAX);
}

static int compare_short(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void named_sort(struct named *named)
{
    qsort(named->all, named->count, named->length, named->length == FIELD_MAX ? compare_long : compare_short);
}

static bool named_has(const struct named *named, const uint8_t *field, size_t length)
{
    return length == named->length && bsearch(field, named->all, named->count, named->length,
                                              named->length == FIELD_MAX ? compare_long : compare_short);
}

/* Rows (row | content). */
static bool name_rows(struct named *ret, const struct sp_manifest_index *index)
{
    ret->length = FIELD_MAX;
    ret->all = malloc(((size_t)index->row_count + 1) * FIELD_MAX);
    if (!ret->all)
        return false;
    for (int i = 0; i < index->row_count; i++) {
        uint8_t *field = ret->all + ret->count++ * FIELD_MAX;
        memcpy(field, index->rows[i].row, SP_ROW_BYTES);
        memcpy(field + SP_ROW_BYTES, index->rows[i].content, SP_ROW_BYTES);
    }
    named_sort(ret);
    return true;
}

/* Portraits; with a pack, their templates under it. */
static bool name_portraits(struct named *ret, const struct sp_manifest_index *index, const uint8_t *pack)
{
    ret->length = 16;
    ret->all = malloc(((size_t)index->row_count * SP_ROW_MAX_PORTRAITS + 1) * 16);
    if (!ret->all)
        return false;
    for (int i = 0; i < index->row_count; i++)
        for (int k = 0; k < index->rows[i].portrait_count; k++) {
            const uint8_t *portrait = index->rows[i].portraits[k].id;
            uint8_t *field = ret->all + ret->count++ * 16;
            if (pack)
                sp_template_id(field, index->id, index->rows[i].row, pack, portrait);
            else
                memcpy(field, portrait, 16);
        }
    named_sort(ret);
    return true;
}

/* The fields of a hash that are not named. */
static enum sp_status find(struct sp_store *store, const char *key, const struct named *named,
                           struct sp_manifest_garbage *ret, sp_reply **ret_reply, struct sp_err *err)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("HKEYS"), SP_ARG_TEXT(key)};
    enum sp_status status = sp_store_command(store, arguments, 2, ret_reply, err);
    if (status != SP_OK)
        return status;
    memcpy(ret->key, key, strlen(key) + 1);
    ret->fields = calloc(FIELDS_MAX, sizeof *ret->fields);
    if (!ret->fields)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for its garbage", key);
    for (size_t i = 0; i < sp_reply_count(*ret_reply) && ret->count < FIELDS_MAX; i++) {
        size_t length = 0;
        const uint8_t *field = sp_reply_bytes(sp_reply_at(*ret_reply, i), &length);
        if (field && !named_has(named, field, length))
            ret->fields[ret->count++] = SP_ARG(field, length);
    }
    return SP_OK;
}

static enum sp_status find_all(struct tidying *t, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int kind = 0; kind < 2 + t->index->pack_count && status == SP_OK; kind++) {
        struct named named = {0};
        char key[KEY_MAX];
        bool room;
        if (kind == 0) {
            sp_manifest_key(key, t->manifest, "rows");
            room = name_rows(&named, t->index);
        } else if (kind == 1) {
            sp_manifest_key(key, t->manifest, "portraits");
            room = name_portraits(&named, t->index, NULL);
        } else {
            sp_manifest_note_key(key, t->manifest, t->index->packs[kind - 2]);
            room = name_portraits(&named, t->index, t->index->packs[kind - 2]);
        }
        status = room ? find(t->durable, key, &named, &t->garbage[kind], &t->replies[kind], err)
                      : sp_fail(err, SP_E_NOMEM, "manifest %s: no memory to tidy it", t->manifest);
        free(named.all);
    }
    return status;
}

/* Templates under one pack that no version names: copies, deleted without a flip; one that a publish makes now is
 * made again. */
static enum sp_status tidy_pack(struct tidying *t, const uint8_t pack[16], struct sp_err *err)
{
    struct named named = {0};
    struct sp_manifest_garbage garbage = {0};
    sp_reply *reply = NULL;
    char key[KEY_MAX];
    sp_template_key(key, t->manifest, pack);
    enum sp_status status = name_portraits(&named, t->index, pack)
                                ? find(t->galleries, key, &named, &garbage, &reply, err)
                                : sp_fail(err, SP_E_NOMEM, "manifest %s: no memory to tidy it", t->manifest);
    for (int k = 0; k < garbage.count && status == SP_OK; k++) {
        struct sp_argument arguments[] = {SP_ARG_TEXT("HDEL"), SP_ARG_TEXT(key), garbage.fields[k]};
        status = sp_store_command(t->galleries, arguments, 3, NULL, err);
        t->tidied.templates += status == SP_OK;
    }
    free(garbage.fields);
    free(named.all);
    sp_reply_free(&reply);
    return status;
}

/* Under the index's packs, and under those of workers that it does not know. */
static enum sp_status tidy_templates(struct tidying *t, struct sp_err *err)
{
    uint8_t packs[SP_TEMPLATE_MAX_PACKS][16];
    int count = 0;
    enum sp_status status = sp_template_packs(packs, &count, t->galleries, t->manifest, err);
    for (int i = 0; i < t->index->pack_count && status == SP_OK; i++)
        status = tidy_pack(t, t->index->packs[i], err);
    for (int i = 0; i < count && status == SP_OK; i++)
        if (sp_manifest_index_pack(t->index, packs[i]) < 0)
            status = tidy_pack(t, packs[i], err);
    return status;
}

static void drop_expired(struct tidying *t, int64_t now_ms)
{
    int kept = 0;
    for (int i = 0; i < t->index->row_count; i++) {
        if (t->index->rows[i].valid_to_ms > 0 && t->index->rows[i].valid_to_ms < now_ms)
            t->tidied.expired++;
        else
            t->index->rows[kept++] = t->index->rows[i];
    }
    t->index->row_count = kept;
}

static enum sp_status tidy_open(struct tidying *t, uint64_t version, enum sp_manifest_state state, int64_t now_ms,
                                struct sp_err *err)
{
    int total = 0;
    drop_expired(t, now_ms);
    enum sp_status status = find_all(t, err);
    for (int i = 0; i < 2 + t->index->pack_count; i++)
        total += t->garbage[i].count;
    if (status == SP_OK && total + t->tidied.expired > 0) {
        t->index->version = version + 1;
        t->index->flipped_ms = now_ms;
        if (t->tidied.expired > 0 && state != SP_MANIFEST_PARTIAL)
            t->index->state = SP_MANIFEST_AMENDED;
        status = sp_manifest_flip_tidy(t->durable, t->index, version, state, t->garbage, 2 + t->index->pack_count,
                                       &t->keys, err);
    }
    if (status != SP_OK)
        return status;
    t->tidied.version = t->index->version;
    t->tidied.rows = t->garbage[0].count;
    t->tidied.portraits = t->garbage[1].count;
    for (int i = 0; i < t->index->pack_count; i++)
        t->tidied.notes += t->garbage[2 + i].count;
    return tidy_templates(t, err);
}

static enum sp_status tidy_once(struct sp_manifest_tidied *ret_tidied, struct sp_store *durable,
                                struct sp_store *galleries, const char *manifest, const struct sp_key_file *ops,
                                int64_t now_ms, struct sp_err *err)
{
    struct tidying t = {.durable = durable, .galleries = galleries, .manifest = manifest};
    struct sp_manifest_reader reader = {"ops", ops};
    uint64_t version = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_current(durable, manifest, &version, &state, err);
    if (status == SP_OK && version == 0)
        return sp_fail(err, SP_E_NOTFOUND, "manifest %s was never published", manifest);
    t.tidied.version = version;
    if (status == SP_OK && state == SP_MANIFEST_PURGED) {
        status = sp_manifest_purge(&t.tidied.version, durable, galleries, manifest, ops, err);
    } else if (status == SP_OK) {
        status = sp_manifest_open_keys(&t.keys, durable, manifest, &reader, err);
        if (status == SP_OK)
            status = sp_manifest_load_current(&t.index, NULL, &version, &state, durable, manifest, &t.keys, err);
        if (status == SP_OK && !t.index)
            status = sp_fail(err, SP_E_CONFLICT, "manifest %s was purged meanwhile", manifest);
        if (status == SP_OK)
            status = state == SP_MANIFEST_CLOSED ? sp_manifest_expunge(durable, galleries, t.index, err)
                                                 : tidy_open(&t, version, state, now_ms, err);
        if (status == SP_OK)
            sp_manifest_drop_indexes(durable, manifest, t.tidied.version);
    }
    for (int i = 0; i < SP_MANIFEST_GARBAGE_MAX; i++) {
        free(t.garbage[i].fields);
        sp_reply_free(&t.replies[i]);
    }
    sp_manifest_index_free(&t.index);
    sp_seal_wipe(&t.keys, sizeof t.keys);
    if (status == SP_OK)
        *ret_tidied = t.tidied;
    return status;
}

enum sp_status sp_manifest_tidy(struct sp_manifest_tidied *ret_tidied, struct sp_store *durable,
                                struct sp_store *galleries, const char *manifest, const struct sp_key_file *ops,
                                int64_t now_ms, struct sp_err *err)
{
    enum sp_status status = SP_E_CONFLICT;
    for (int attempt = 0; status == SP_E_CONFLICT && attempt < ATTEMPTS; attempt++)
        status = tidy_once(ret_tidied, durable, galleries, manifest, ops, now_ms, err);
    return status;
}
