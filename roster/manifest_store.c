#include "roster/manifest_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/wire.h"
#include "roster/manifest_script.h"
#include "roster/wrap.h"

#define KEY_MAX    192
#define FIELD_MAX  (2 * SP_ROW_BYTES)
#define AD_MAX     (KEY_MAX + 1 + FIELD_MAX)
#define MANIFESTS  "sp:manifests"
#define NOTE_BYTES 4
#define LIST_MAX   100000

bool sp_manifest_id_ok(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-");
    return length > 0 && length < SP_MANIFEST_ID_MAX && text[length] == 0;
}

bool sp_manifest_id_standing(const char *id)
{
    return strstr(id, "-standing-") != NULL;
}

enum sp_status sp_manifest_make_keys(struct sp_manifest_keys *ret_keys, struct sp_store *durable,
                                     const char *manifest, const uint8_t workers_public[32],
                                     const struct sp_key_file *ops, struct sp_err *err)
{
    char hash[KEY_MAX];
    struct sp_wrap wraps[5];
    struct sp_data_key rows, portraits, templates;
    bool made = false;
    sp_manifest_key(hash, manifest, "keys");
    sp_seal_new_key(&rows);
    sp_seal_new_key(&portraits);
    sp_seal_new_key(&templates);
    sp_wrap_close(&wraps[0], hash, "rows", "workers", &rows, workers_public);
    sp_wrap_close(&wraps[1], hash, "rows", "ops", &rows, ops->public_key);
    sp_wrap_close(&wraps[2], hash, "portraits", "workers", &portraits, workers_public);
    sp_wrap_close(&wraps[3], hash, "portraits", "ops", &portraits, ops->public_key);
    sp_wrap_close(&wraps[4], hash, "templates", "workers", &templates, workers_public);
    sp_seal_wipe(&rows, sizeof rows);
    sp_seal_wipe(&portraits, sizeof portraits);
    sp_seal_wipe(&templates, sizeof templates);
    enum sp_status status = sp_wrap_store(&made, durable, hash, wraps, 5, err);
    struct sp_manifest_reader reader = {"ops", ops};
    return status == SP_OK ? sp_manifest_open_keys(ret_keys, durable, manifest, &reader, err) : status;
}

/* Each kind of id has a key of its own, derived from the manifest's, so that no id can serve as another. */
static void keyed_id(uint8_t ret_id[16], const char *purpose, const void *bytes, size_t length,
                     const struct sp_data_key *key)
{
    uint8_t derived[32];
    sp_seal_hash(derived, sizeof derived, purpose, strlen(purpose), key->bytes, SP_KEY_BYTES);
    sp_seal_hash(ret_id, 16, bytes, length, derived, sizeof derived);
    sp_seal_wipe(derived, sizeof derived);
}

void sp_manifest_row_id(uint8_t ret_id[SP_ROW_BYTES], const struct sp_row *row, const struct sp_manifest_keys *keys)
{
    char identity[SP_ROW_IDENTITY_MAX];
    size_t length = sp_row_identity(identity, row);
    keyed_id(ret_id, "sallyport row id 1", identity, length, &keys->rows);
    sp_seal_wipe(identity, sizeof identity);
}

void sp_manifest_row_id_again(uint8_t ret_id[SP_ROW_BYTES], const struct sp_row *row, int nth,
                              const struct sp_manifest_keys *keys)
{
    uint8_t seed[SP_ROW_BYTES + 2];
    sp_manifest_row_id(seed, row, keys);
    seed[SP_ROW_BYTES] = (uint8_t)(nth >> 8);
    seed[SP_ROW_BYTES + 1] = (uint8_t)nth;
    keyed_id(ret_id, "sallyport row id again 1", seed, sizeof seed, &keys->rows);
}

void sp_manifest_receipt_id(uint8_t ret_id[16], const void *bytes, size_t length,
                            const struct sp_manifest_keys *keys)
{
    keyed_id(ret_id, "sallyport receipt 1", bytes, length, &keys->rows);
}

void sp_manifest_content_id(uint8_t ret_id[SP_ROW_BYTES], const void *row, size_t length,
                            const struct sp_manifest_keys *keys)
{
    keyed_id(ret_id, "sallyport row content 1", row, length, &keys->rows);
}

void sp_manifest_pseudonym(uint8_t ret_id[SP_PSEUDONYM_BYTES], const uint8_t row[SP_ROW_BYTES],
                           const struct sp_manifest_keys *keys)
{
    keyed_id(ret_id, "sallyport pseudonym 1", row, SP_ROW_BYTES, &keys->rows);
}

void sp_manifest_portrait_id(uint8_t ret_id[SP_PORTRAIT_BYTES], const void *image, size_t length,
                             const struct sp_manifest_keys *keys)
{
    keyed_id(ret_id, "sallyport portrait id 1", image, length, &keys->portraits);
}

enum sp_status sp_manifest_current(struct sp_store *durable, const char *manifest, uint64_t *ret_version,
                                   enum sp_manifest_state *ret_state, struct sp_err *err)
{
    char key[KEY_MAX];
    sp_reply *reply = NULL;
    size_t length = 0;
    sp_manifest_key(key, manifest, "current");
    struct sp_argument arguments[] = {SP_ARG_TEXT("GET"), SP_ARG_TEXT(key)};
    enum sp_status status = sp_store_command(durable, arguments, 2, &reply, err);
    if (status != SP_OK)
        return status;
    const uint8_t *bytes = sp_reply_bytes(reply, &length);
    if (bytes) {
        status = sp_manifest_current_parse(bytes, length, ret_version, ret_state, err);
    } else {
        *ret_version = 0;
        *ret_state = SP_MANIFEST_PARTIAL;
    }
    sp_reply_free(&reply);
    return status;
}

/* Seal `bytes` for a hash field and append the HSET. */
static enum sp_status append_field(struct sp_store *durable, const char *key, const void *field,
                                   size_t field_length, const void *bytes, size_t length,
                                   const struct sp_data_key *data_key, struct sp_err *err)
{
    uint8_t ad[AD_MAX];
    uint8_t *sealed = malloc(length + SP_SEAL_OVERHEAD);
    if (!sealed)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for %zu bytes", key, length);
    sp_seal_close(sealed, bytes, length, ad, sp_manifest_field_place(ad, key, field, field_length), data_key);
    struct sp_argument arguments[] = {SP_ARG_TEXT("HSET"), SP_ARG_TEXT(key), SP_ARG(field, field_length),
                                      SP_ARG(sealed, length + SP_SEAL_OVERHEAD)};
    enum sp_status status = sp_store_append(durable, arguments, 4, err);
    free(sealed);
    return status;
}

static void row_field(uint8_t ret_field[FIELD_MAX], const uint8_t row[SP_ROW_BYTES],
                      const uint8_t content[SP_ROW_BYTES])
{
    memcpy(ret_field, row, SP_ROW_BYTES);
    memcpy(ret_field + SP_ROW_BYTES, content, SP_ROW_BYTES);
}

enum sp_status sp_manifest_append_row(struct sp_store *durable, const char *manifest,
                                      const uint8_t row[SP_ROW_BYTES], const uint8_t content[SP_ROW_BYTES],
                                      const void *bytes, size_t length, const struct sp_manifest_keys *keys,
                                      struct sp_err *err)
{
    char key[KEY_MAX];
    uint8_t field[FIELD_MAX];
    sp_manifest_key(key, manifest, "rows");
    row_field(field, row, content);
    return append_field(durable, key, field, sizeof field, bytes, length, &keys->rows, err);
}

enum sp_status sp_manifest_append_portrait(struct sp_store *durable, const char *manifest,
                                           const uint8_t portrait[SP_PORTRAIT_BYTES], const void *bytes,
                                           size_t length, const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char key[KEY_MAX];
    sp_manifest_key(key, manifest, "portraits");
    return append_field(durable, key, portrait, SP_PORTRAIT_BYTES, bytes, length, &keys->portraits, err);
}

/* ---- notes ---- */

static void note_key(char ret_key[KEY_MAX], const char *manifest, const uint8_t pack[16])
{
    char hex[33], kind[48];
    sp_seal_to_hex(hex, pack, 16);
    snprintf(kind, sizeof kind, "enrolled:%s", hex);
    sp_manifest_key(ret_key, manifest, kind);
}

void sp_manifest_note_key(char *ret_key, const char *manifest, const uint8_t pack[16])
{
    note_key(ret_key, manifest, pack);
}

enum sp_status sp_manifest_note_put(struct sp_store *durable, const char *manifest, const uint8_t pack[16],
                                    const uint8_t template_id[16], const struct sp_enrol_note *note,
                                    const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char key[KEY_MAX];
    uint8_t plain[NOTE_BYTES] = {(uint8_t)(note->reason >> 8), (uint8_t)note->reason,
                                 (uint8_t)(note->quality < 0 ? 0 : note->quality), 1};
    note_key(key, manifest, pack);
    enum sp_status status = append_field(durable, key, template_id, 16, plain, sizeof plain, &keys->rows, err);
    return status == SP_OK ? sp_store_collect(durable, NULL, err) : status;
}

enum sp_status sp_manifest_note_get(struct sp_enrol_note *ret_notes, uint8_t *ret_found, struct sp_store *durable,
                                    const char *manifest, const uint8_t pack[16], const uint8_t (*ids)[16],
                                    int count, const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char key[KEY_MAX];
    sp_reply *reply = NULL;
    if (count == 0)
        return SP_OK;
    note_key(key, manifest, pack);
    struct sp_argument *arguments = malloc(((size_t)count + 2) * sizeof *arguments);
    if (!arguments)
        return sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for %d ids", manifest, count);
    arguments[0] = SP_ARG_TEXT("HMGET");
    arguments[1] = SP_ARG_TEXT(key);
    for (int i = 0; i < count; i++)
        arguments[2 + i] = SP_ARG(ids[i], 16);
    enum sp_status status = sp_store_command(durable, arguments, count + 2, &reply, err);
    free(arguments);
    for (int i = 0; status == SP_OK && i < count; i++) {
        uint8_t ad[AD_MAX], plain[NOTE_BYTES + SP_SEAL_OVERHEAD];
        size_t length = 0, plain_length = 0;
        const uint8_t *sealed = sp_reply_bytes(sp_reply_at(reply, (size_t)i), &length);
        /* What does not open is as good as not there: the portrait is enrolled again. */
        ret_found[i] = sealed && length == NOTE_BYTES + SP_SEAL_OVERHEAD &&
                       sp_seal_open(plain, &plain_length, sealed, length, ad,
                                    sp_manifest_field_place(ad, key, ids[i], 16), &keys->rows, NULL) == SP_OK;
        if (ret_found[i])
            ret_notes[i] = (struct sp_enrol_note){plain[0] << 8 | plain[1], plain[2]};
    }
    sp_reply_free(&reply);
    return status;
}

/* ---- the flip ---- */

static enum sp_status conflict(const struct sp_manifest_index *index, const sp_reply *reply, uint64_t expected,
                               struct sp_err *err)
{
    size_t length = 0;
    const uint8_t *now = sp_reply_bytes(sp_reply_at(reply, 1), &length);
    return sp_fail(err, SP_E_CONFLICT,
                   "manifest %s is at \"%.*s\" now, this publish began from version %" PRIu64 ": another desk was "
                   "faster; look at `sallyport manifest show %s` and publish again",
                   index->id, now ? (int)length : 0, now ? (const char *)now : "", expected, index->id);
}

/* What the script gets beside the three keys: see manifest_script.c. garbage NULL: a plain flip. */
static enum sp_status flip_sealed(struct sp_store *durable, const struct sp_manifest_index *index,
                                  uint64_t expected, const char *expected_text, const uint8_t *plain, size_t length,
                                  const struct sp_manifest_garbage *garbage, int garbage_count,
                                  const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char names[3 + SP_MANIFEST_GARBAGE_MAX][KEY_MAX], kind[40], next[48], counts[SP_MANIFEST_GARBAGE_MAX][16];
    struct sp_argument script_keys[3 + SP_MANIFEST_GARBAGE_MAX];
    struct sp_script script = {.text = garbage ? sp_manifest_script_tidy : sp_manifest_script_flip};
    sp_reply *reply = NULL;
    size_t fields = 0;
    int at = 0;
    for (int i = 0; i < garbage_count; i++)
        fields += (size_t)garbage[i].count + 1;
    uint8_t *sealed = malloc(length + SP_SEAL_OVERHEAD);
    struct sp_argument *arguments = malloc((3 + fields) * sizeof *arguments);
    enum sp_status status = SP_OK;
    if (!sealed || !arguments) {
        status = sp_fail(err, SP_E_NOMEM, "manifest %s: no memory for its index", index->id);
        goto out;
    }
    snprintf(kind, sizeof kind, "index:%" PRIu64, index->version);
    snprintf(next, sizeof next, "%" PRIu64 " %s", index->version, sp_manifest_state_word(index->state));
    sp_manifest_key(names[0], index->id, "current");
    sp_manifest_key(names[1], index->id, kind);
    sp_manifest_key(names[2], index->id, "keys");
    sp_seal_close(sealed, plain, length, names[1], strlen(names[1]), &keys->rows);
    arguments[at++] = SP_ARG_TEXT(expected_text);
    arguments[at++] = SP_ARG_TEXT(next);
    arguments[at++] = SP_ARG(sealed, length + SP_SEAL_OVERHEAD);
    for (int i = 0; i < garbage_count; i++) {
        snprintf(names[3 + i], KEY_MAX, "%s", garbage[i].key);
        snprintf(counts[i], sizeof counts[i], "%d", garbage[i].count);
        arguments[at++] = SP_ARG_TEXT(counts[i]);
        for (int k = 0; k < garbage[i].count; k++)
            arguments[at++] = garbage[i].fields[k];
    }
    for (int i = 0; i < 3 + garbage_count; i++)
        script_keys[i] = SP_ARG_TEXT(names[i]);
    status = sp_store_eval(durable, &script, script_keys, 3 + garbage_count, arguments, at, &reply, err);
    if (status == SP_OK && sp_reply_integer(sp_reply_at(reply, 0)) != 1)
        status = conflict(index, reply, expected, err);
    sp_reply_free(&reply);
out:
    free(arguments);
    free(sealed);
    return status;
}

enum sp_status sp_manifest_remember(struct sp_store *durable, const char *manifest, struct sp_err *err)
{
    struct sp_argument remember[] = {SP_ARG_TEXT("SADD"), SP_ARG_TEXT(MANIFESTS), SP_ARG_TEXT(manifest)};
    return sp_store_command(durable, remember, 3, NULL, err);
}

enum sp_status sp_manifest_flip_tidy(struct sp_store *durable, const struct sp_manifest_index *index,
                                     uint64_t expected_version, enum sp_manifest_state expected_state,
                                     const struct sp_manifest_garbage *garbage, int garbage_count,
                                     const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char expected[48] = "";
    uint8_t *plain = NULL;
    size_t length = 0;
    if (index->version != expected_version + 1 || garbage_count > SP_MANIFEST_GARBAGE_MAX)
        return sp_fail(err, SP_E_INTERNAL, "manifest %s: version %" PRIu64 " does not follow %" PRIu64, index->id,
                       index->version, expected_version);
    if (expected_version > 0)
        snprintf(expected, sizeof expected, "%" PRIu64 " %s", expected_version,
                 sp_manifest_state_word(expected_state));
    enum sp_status status = sp_manifest_remember(durable, index->id, err);
    if (status == SP_OK)
        status = sp_index_encode(&plain, &length, index, err);
    if (status == SP_OK)
        status = flip_sealed(durable, index, expected_version, expected, plain, length, garbage, garbage_count,
                             keys, err);
    free(plain);
    return status;
}

enum sp_status sp_manifest_flip(struct sp_store *durable, const struct sp_manifest_index *index,
                                uint64_t expected_version, enum sp_manifest_state expected_state,
                                const struct sp_manifest_keys *keys, struct sp_err *err)
{
    return sp_manifest_flip_tidy(durable, index, expected_version, expected_state, NULL, 0, keys, err);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

enum sp_status sp_manifest_list(char (**ret_ids)[SP_MANIFEST_ID_MAX], int *ret_count, struct sp_store *durable,
                                struct sp_err *err)
{
    sp_reply *reply = NULL;
    struct sp_argument arguments[] = {SP_ARG_TEXT("SMEMBERS"), SP_ARG_TEXT(MANIFESTS)};
    enum sp_status status = sp_store_command(durable, arguments, 2, &reply, err);
    if (status != SP_OK)
        return status;
    size_t count = sp_reply_count(reply), kept = 0;
    char(*ids)[SP_MANIFEST_ID_MAX] = count <= LIST_MAX ? calloc(count + 1, sizeof *ids) : NULL;
    if (!ids)
        status = sp_fail(err, SP_E_LIMIT, "%s: no room for %zu manifests", MANIFESTS, count);
    for (size_t i = 0; status == SP_OK && i < count; i++) {
        size_t length = 0;
        const uint8_t *bytes = sp_reply_bytes(sp_reply_at(reply, i), &length);
        if (!bytes || length >= SP_MANIFEST_ID_MAX)
            continue;
        memcpy(ids[kept], bytes, length);
        ids[kept][length] = 0;
        kept += sp_manifest_id_ok(ids[kept]);
    }
    sp_reply_free(&reply);
    if (status != SP_OK)
        return status;
    qsort(ids, kept, sizeof *ids, compare_ids);
    *ret_ids = ids;
    *ret_count = (int)kept;
    return SP_OK;
}
