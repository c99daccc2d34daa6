#include "roster/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "roster/index.h"
#include "roster/wrap.h"

#define KEY_MAX      192
#define PORTRAIT_MAX (16u << 20)
#define INDEX_MAX    (32u << 20)

static const char *const states[] = {"PARTIAL", "COMPLETE", "AMENDED", "CLOSED", "PURGED"};

const char *sp_manifest_state_word(enum sp_manifest_state state)
{
    return state >= SP_MANIFEST_PARTIAL && state <= SP_MANIFEST_PURGED ? states[state] : "UNKNOWN";
}

void sp_manifest_key(char *ret_key, const char *manifest, const char *kind)
{
    snprintf(ret_key, KEY_MAX, "sp:m:{%s}:%s", manifest, kind);
}

enum sp_status sp_manifest_current_parse(const uint8_t *bytes, size_t length, uint64_t *ret_version,
                                         enum sp_manifest_state *ret_state, struct sp_err *err)
{
    uint64_t version = 0;
    size_t at = 0;
    for (; at < length && at < 19 && bytes[at] >= '0' && bytes[at] <= '9'; at++)
        version = version * 10 + (uint64_t)(bytes[at] - '0');
    if (at > 0 && at < length && bytes[at] == ' ' && version > 0)
        for (int state = 0; state <= SP_MANIFEST_PURGED; state++)
            if (length - at - 1 == strlen(states[state]) &&
                memcmp(bytes + at + 1, states[state], length - at - 1) == 0) {
                *ret_version = version;
                *ret_state = (enum sp_manifest_state)state;
                return SP_OK;
            }
    return sp_fail(err, SP_E_FORMAT, "a manifest's current version is not of the form \"7 COMPLETE\"");
}

enum sp_status sp_manifest_open_keys(struct sp_manifest_keys *ret_keys, struct sp_store *durable,
                                     const char *manifest, const struct sp_manifest_reader *reader,
                                     struct sp_err *err)
{
    char hash[KEY_MAX];
    struct sp_manifest_keys keys = {0};
    struct sp_err inner = {0};
    sp_manifest_key(hash, manifest, "keys");
    enum sp_status status = sp_wrap_open(&keys.rows, durable, hash, "rows", reader, &inner);
    if (status == SP_OK)
        status = sp_wrap_open(&keys.portraits, durable, hash, "portraits", reader, &inner);
    /* The desk has no business with templates: only workers hold that key. */
    if (status == SP_OK && strcmp(reader->role, "workers") == 0)
        status = sp_wrap_open(&keys.templates, durable, hash, "templates", reader, &inner);
    if (status == SP_OK)
        *ret_keys = keys;
    else if (status == SP_E_NOTFOUND)
        sp_fail(err, status,
                "manifest %s: %s; was it ever published? `sallyport manifest list` names those that were", manifest,
                inner.text);
    else
        sp_fail(err, status, "manifest %s: %s", manifest, inner.text);
    sp_seal_wipe(&keys, sizeof keys);
    return status;
}

/* Fetch one sealed value and open it into new memory. arguments: GET key, or HGET key field. ad: its place. */
static enum sp_status fetch(uint8_t **ret_plain, size_t *ret_length, struct sp_store *durable,
                            const struct sp_argument *arguments, int count, size_t max, const void *ad,
                            size_t ad_length, const struct sp_data_key *key, struct sp_err *err)
{
    sp_reply *reply = NULL;
    size_t length = 0;
    uint8_t *plain = NULL;
    enum sp_status status = sp_store_command(durable, arguments, count, &reply, err);
    if (status != SP_OK)
        return status;
    const uint8_t *sealed = sp_reply_bytes(reply, &length);
    if (!sealed)
        status = sp_fail(err, SP_E_NOTFOUND, "it is not there");
    else if (length < SP_SEAL_OVERHEAD || length > max)
        status = sp_fail(err, SP_E_LIMIT, "%zu sealed bytes, expected %d to %zu", length, SP_SEAL_OVERHEAD, max);
    else if (!(plain = malloc(length)))
        status = sp_fail(err, SP_E_NOMEM, "no memory for %zu bytes", length);
    else
        status = sp_seal_open(plain, ret_length, sealed, length, ad, ad_length, key, err);
    sp_reply_free(&reply);
    if (status == SP_OK)
        *ret_plain = plain;
    else
        free(plain);
    return status;
}

enum sp_status sp_manifest_load_index(struct sp_manifest_index **ret_index, struct sp_store *durable,
                                      const char *manifest, uint64_t version, const struct sp_manifest_keys *keys,
                                      struct sp_err *err)
{
    char kind[40], key[KEY_MAX];
    uint8_t *plain = NULL;
    size_t length = 0;
    struct sp_err inner = {0};
    struct sp_manifest_index *index = NULL;
    snprintf(kind, sizeof kind, "index:%" PRIu64, version);
    sp_manifest_key(key, manifest, kind);
    struct sp_argument arguments[] = {SP_ARG_TEXT("GET"), SP_ARG_TEXT(key)};
    enum sp_status status =
        fetch(&plain, &length, durable, arguments, 2, INDEX_MAX, key, strlen(key), &keys->rows, &inner);
    if (status == SP_OK)
        status = sp_index_decode(&index, plain, length, &inner);
    if (status == SP_OK && (strcmp(index->id, manifest) != 0 || index->version != version))
        status = sp_fail(&inner, SP_E_FORMAT, "it is the index of %s version %" PRIu64, index->id, index->version);
    free(plain);
    if (status == SP_OK) {
        *ret_index = index;
        return SP_OK;
    }
    sp_manifest_index_free(&index);
    return sp_fail(err, status, "manifest %s version %" PRIu64 ": %s", manifest, version, inner.text);
}

enum sp_status sp_manifest_load_portrait(uint8_t **ret_bytes, size_t *ret_length, struct sp_store *durable,
                                         const char *manifest, const uint8_t portrait[SP_PORTRAIT_BYTES],
                                         const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char key[KEY_MAX], hex[2 * SP_PORTRAIT_BYTES + 1];
    uint8_t ad[KEY_MAX + SP_PORTRAIT_BYTES];
    struct sp_err inner = {0};
    sp_manifest_key(key, manifest, "portraits");
    size_t ad_length = sp_manifest_field_place(ad, key, portrait, SP_PORTRAIT_BYTES);
    struct sp_argument arguments[] = {SP_ARG_TEXT("HGET"), SP_ARG_TEXT(key), SP_ARG(portrait, SP_PORTRAIT_BYTES)};
    enum sp_status status =
        fetch(ret_bytes, ret_length, durable, arguments, 3, PORTRAIT_MAX, ad, ad_length, &keys->portraits, &inner);
    if (status == SP_OK)
        return SP_OK;
    sp_seal_to_hex(hex, portrait, SP_PORTRAIT_BYTES);
    return sp_fail(err, status, "manifest %s portrait %s: %s", manifest, hex, inner.text);
}

size_t sp_manifest_field_place(uint8_t *ret_ad, const char *key, const void *field, size_t field_length)
{
    size_t length = strlen(key);
    memcpy(ret_ad, key, length);
    ret_ad[length] = '|';
    memcpy(ret_ad + length + 1, field, field_length);
    return length + 1 + field_length;
}
