#include "ops/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "roster/manifest_store.h"

#define LANES     "sp:lanes"
#define LANES_MAX 10000

enum sp_status sp_desk_open(struct sp_desk *desk, const struct sp_ops_config *config, bool galleries,
                            struct sp_err *err)
{
    enum sp_status status = sp_ops_box(&desk->box, config, err);
    if (status == SP_OK)
        status = sp_ops_durable(&desk->durable, config, err);
    if (status == SP_OK)
        status = sp_store_ping(desk->durable, err);
    if (status == SP_OK && galleries)
        status = sp_ops_galleries(&desk->galleries, config, err);
    if (status == SP_OK && galleries)
        status = sp_store_ping(desk->galleries, err);
    return status;
}

void sp_desk_close(struct sp_desk *desk)
{
    if (desk->durable)
        sp_store_free(&desk->durable);
    if (desk->galleries)
        sp_store_free(&desk->galleries);
    sp_key_wipe(&desk->box);
}

struct sp_manifest_reader sp_desk_reader(const struct sp_desk *desk)
{
    return (struct sp_manifest_reader){"ops", &desk->box};
}

enum sp_status sp_desk_load(struct sp_desk_manifest *ret_manifest, const struct sp_desk *desk, const char *id,
                            struct sp_err *err)
{
    struct sp_manifest_reader reader = sp_desk_reader(desk);
    uint64_t version = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_current(desk->durable, id, &version, &state, err);
    if (status == SP_OK && version == 0)
        return sp_fail(err, SP_E_NOTFOUND,
                       "manifest %s was never published; `sallyport manifest list` names those that were", id);
    if (status == SP_OK && state == SP_MANIFEST_PURGED)
        return sp_fail(err, SP_E_NOTFOUND, "manifest %s is PURGED: nothing of it is left", id);
    if (status == SP_OK)
        status = sp_manifest_open_keys(&ret_manifest->keys, desk->durable, id, &reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_current(&ret_manifest->index, NULL, &version, &state, desk->durable, id,
                                          &ret_manifest->keys, err);
    if (status == SP_OK && !ret_manifest->index)
        status = sp_fail(err, SP_E_NOTFOUND, "manifest %s is PURGED: nothing of it is left", id);
    return status;
}

void sp_desk_manifest_clear(struct sp_desk_manifest *manifest)
{
    sp_manifest_index_free(&manifest->index);
    sp_seal_wipe(&manifest->keys, sizeof manifest->keys);
}

void sp_desk_label(char *ret_text, const struct sp_desk *desk, const struct sp_desk_manifest *manifest, int row,
                   bool names)
{
    struct sp_row opened = {0};
    char label[96];
    if (sp_manifest_load_row(&opened, desk->durable, manifest->index->id, &manifest->index->rows[row],
                             &manifest->keys, NULL) != SP_OK) {
        snprintf(ret_text, SP_DESK_LABEL_MAX, "?");
        return;
    }
    sp_row_label(label, &opened);
    if (names)
        snprintf(ret_text, SP_DESK_LABEL_MAX, "%s (%.190s, %.190s)", label, opened.values[SP_COLUMN_SURNAME],
                 opened.values[SP_COLUMN_GIVEN]);
    else
        snprintf(ret_text, SP_DESK_LABEL_MAX, "%s", label);
    sp_row_clear(&opened);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

enum sp_status sp_desk_lanes(char (**ret_names)[SP_NAME_MAX], size_t *ret_count, const struct sp_desk *desk,
                             struct sp_err *err)
{
    sp_reply *reply = NULL;
    struct sp_argument arguments[] = {SP_ARG_TEXT("SMEMBERS"), SP_ARG_TEXT(LANES)};
    enum sp_status status = sp_store_command(desk->durable, arguments, 2, &reply, err);
    size_t count = status == SP_OK ? sp_reply_count(reply) : 0, kept = 0;
    char(*names)[SP_NAME_MAX] = count <= LANES_MAX ? calloc(count + 1, sizeof *names) : NULL;
    if (status == SP_OK && !names)
        status = sp_fail(err, SP_E_LIMIT, "%zu lanes, the limit is %d", count, LANES_MAX);
    for (size_t i = 0; status == SP_OK && i < count; i++) {
        size_t length = 0;
        const uint8_t *bytes = sp_reply_bytes(sp_reply_at(reply, i), &length);
        if (bytes && length < SP_NAME_MAX) {
            memcpy(names[kept], bytes, length);
            kept += sp_key_name_ok(names[kept]);
        }
    }
    sp_reply_free(&reply);
    if (status != SP_OK) {
        free(names);
        return status;
    }
    qsort(names, kept, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = kept;
    return SP_OK;
}
