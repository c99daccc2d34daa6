/* What stands, as the desk reads it: one row, all of a version, the version that is current. Declared in
 * manifest_store.h. */
#include <stdlib.h>
#include <string.h>
#include "roster/manifest_store.h"

#define KEY_MAX    192
#define FIELD_MAX  (2 * SP_ROW_BYTES)
#define AD_MAX     (KEY_MAX + 1 + FIELD_MAX)
#define SEALED_MAX (64u << 10)
#define CHUNK      256 /* rows in one command */
#define ATTEMPTS   10  /* to read a version that others are replacing */

static void field_of(uint8_t ret_field[FIELD_MAX], const struct sp_index_row *row)
{
    memcpy(ret_field, row->row, SP_ROW_BYTES);
    memcpy(ret_field + SP_ROW_BYTES, row->content, SP_ROW_BYTES);
}

/* Open one sealed row; sealed NULL: it was not there. */
static enum sp_status open_row(struct sp_row *ret_row, const char *manifest, const char *key, const uint8_t *sealed,
                               size_t length, const struct sp_index_row *index_row,
                               const struct sp_manifest_keys *keys, struct sp_err *err)
{
    uint8_t field[FIELD_MAX], ad[AD_MAX], *plain = NULL;
    size_t plain_length = 0;
    enum sp_status status = SP_OK;
    field_of(field, index_row);
    if (!sealed)
        status = sp_fail(err, SP_E_NOTFOUND, "manifest %s: a row of its index is not there", manifest);
    else if (length < SP_SEAL_OVERHEAD || length > SEALED_MAX || !(plain = malloc(length + 1)))
        status = sp_fail(err, SP_E_LIMIT, "manifest %s: a row of %zu bytes", manifest, length);
    else
        status = sp_seal_open(plain, &plain_length, sealed, length, ad,
                              sp_manifest_field_place(ad, key, field, sizeof field), &keys->rows, err);
    if (status == SP_OK)
        status = sp_row_decode(ret_row, plain, plain_length, err);
    if (plain)
        sp_seal_wipe(plain, length);
    free(plain);
    return status;
}

enum sp_status sp_manifest_load_row(struct sp_row *ret_row, struct sp_store *durable, const char *manifest,
                                    const struct sp_index_row *index_row, const struct sp_manifest_keys *keys,
                                    struct sp_err *err)
{
    char key[KEY_MAX];
    uint8_t field[FIELD_MAX];
    sp_reply *reply = NULL;
    size_t length = 0;
    sp_manifest_key(key, manifest, "rows");
    field_of(field, index_row);
    struct sp_argument arguments[] = {SP_ARG_TEXT("HGET"), SP_ARG_TEXT(key), SP_ARG(field, sizeof field)};
    enum sp_status status = sp_store_command(durable, arguments, 3, &reply, err);
    if (status != SP_OK)
        return status;
    const uint8_t *sealed = sp_reply_bytes(reply, &length);
    status = open_row(ret_row, manifest, key, sealed, length, index_row, keys, err);
    sp_reply_free(&reply);
    return status;
}

static enum sp_status append_chunk(struct sp_store *durable, const char *key, const struct sp_index_row *rows,
                                   int count, struct sp_err *err)
{
    uint8_t fields[CHUNK][FIELD_MAX];
    struct sp_argument arguments[2 + CHUNK] = {SP_ARG_TEXT("HMGET"), SP_ARG_TEXT(key)};
    for (int i = 0; i < count; i++) {
        field_of(fields[i], &rows[i]);
        arguments[2 + i] = SP_ARG(fields[i], FIELD_MAX);
    }
    return sp_store_append(durable, arguments, 2 + count, err);
}

static enum sp_status take_chunk(struct sp_row *ret_rows, const sp_reply *reply, const char *key,
                                 const struct sp_manifest_index *index, int first, int count,
                                 const struct sp_manifest_keys *keys, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; i < count && status == SP_OK; i++) {
        size_t length = 0;
        const uint8_t *sealed = sp_reply_bytes(sp_reply_at(reply, (size_t)i), &length);
        status = open_row(&ret_rows[i], index->id, key, sealed, length, &index->rows[first + i], keys, err);
    }
    return status;
}

enum sp_status sp_manifest_load_rows(struct sp_row **ret_rows, struct sp_store *durable,
                                     const struct sp_manifest_index *index, const struct sp_manifest_keys *keys,
                                     struct sp_err *err)
{
    char key[KEY_MAX];
    int count = index->row_count, asked = 0;
    enum sp_status status = SP_OK;
    struct sp_row *rows = calloc((size_t)count + 1, sizeof *rows);
    if (!rows)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d rows", index->id, count);
    sp_manifest_key(key, index->id, "rows");
    for (int at = 0; at < count && status == SP_OK; at += CHUNK) {
        status = append_chunk(durable, key, index->rows + at, count - at < CHUNK ? count - at : CHUNK, err);
        asked += status == SP_OK;
    }
    for (int k = 0; k < asked; k++) {
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        int at = k * CHUNK;
        enum sp_status step = sp_store_collect(durable, &reply, &later);
        if (step == SP_OK && status == SP_OK)
            step =
                take_chunk(rows + at, reply, key, index, at, count - at < CHUNK ? count - at : CHUNK, keys, &later);
        sp_reply_free(&reply);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    if (status == SP_OK)
        *ret_rows = rows;
    else
        sp_manifest_free_rows(&rows, count);
    return status;
}

void sp_manifest_free_rows(struct sp_row **rows, int count)
{
    for (int i = 0; *rows && i < count; i++)
        sp_row_clear(&(*rows)[i]);
    free(*rows);
    *rows = NULL;
}

static enum sp_status load_once(struct sp_manifest_index **ret_index, struct sp_row **ret_rows, uint64_t version,
                                struct sp_store *durable, const char *manifest, const struct sp_manifest_keys *keys,
                                struct sp_err *err)
{
    struct sp_manifest_index *index = NULL;
    enum sp_status status = sp_manifest_load_index(&index, durable, manifest, version, keys, err);
    if (status == SP_OK && ret_rows)
        status = sp_manifest_load_rows(ret_rows, durable, index, keys, err);
    if (status == SP_OK)
        *ret_index = index;
    else
        sp_manifest_index_free(&index);
    return status;
}

enum sp_status sp_manifest_load_current(struct sp_manifest_index **ret_index, struct sp_row **ret_rows,
                                        uint64_t *ret_version, enum sp_manifest_state *ret_state,
                                        struct sp_store *durable, const char *manifest,
                                        const struct sp_manifest_keys *keys, struct sp_err *err)
{
    uint64_t version = 0;
    enum sp_manifest_state state = SP_MANIFEST_PARTIAL;
    enum sp_status status = sp_manifest_current(durable, manifest, &version, &state, err);
    for (int attempt = 0; status == SP_OK && version > 0 && state != SP_MANIFEST_PURGED; attempt++) {
        uint64_t read = version;
        status = load_once(ret_index, ret_rows, read, durable, manifest, keys, err);
        if (status != SP_E_NOTFOUND || attempt == ATTEMPTS)
            break;
        struct sp_err gone = {0};
        enum sp_status again = sp_manifest_current(durable, manifest, &version, &state, &gone);
        if (again != SP_OK || version == read) /* it is what stands, and truly not there */
            break;
        status = SP_OK;
    }
    if (status != SP_OK)
        return status;
    *ret_version = version;
    *ret_state = state;
    return SP_OK;
}
