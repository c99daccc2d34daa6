#include "roster/wrap.h"

#include <stdio.h>
#include <string.h>
#include "roster/manifest_script.h"

#define PLACE_BYTES 16
#define WRAPS_MAX   16

static void hash_place(uint8_t ret_place[PLACE_BYTES], const char *hash, const char *field)
{
    char place[256];
    int length = snprintf(place, sizeof place, "%s|%s", hash, field);
    sp_seal_hash(ret_place, PLACE_BYTES, place, (size_t)length, NULL, 0);
}

void sp_wrap_close(struct sp_wrap *ret_wrap, const char *hash, const char *purpose, const char *role,
                   const struct sp_data_key *key, const uint8_t role_public[32])
{
    uint8_t plain[SP_KEY_BYTES + PLACE_BYTES];
    snprintf(ret_wrap->field, sizeof ret_wrap->field, "%s:%s", purpose, role);
    memcpy(plain, key->bytes, SP_KEY_BYTES);
    hash_place(plain + SP_KEY_BYTES, hash, ret_wrap->field);
    sp_seal_close_to(ret_wrap->sealed, plain, sizeof plain, role_public);
    sp_seal_wipe(plain, sizeof plain);
}

enum sp_status sp_wrap_store(bool *ret_made, struct sp_store *durable, const char *hash,
                             const struct sp_wrap *wraps, int count, struct sp_err *err)
{
    struct sp_script script = {.text = sp_manifest_script_create};
    struct sp_argument keys[] = {SP_ARG_TEXT(hash)};
    struct sp_argument arguments[2 * WRAPS_MAX];
    sp_reply *reply = NULL;
    if (count > WRAPS_MAX)
        return sp_fail(err, SP_E_LIMIT, "%s: %d wrapped keys, the limit is %d", hash, count, WRAPS_MAX);
    for (int i = 0; i < count; i++) {
        arguments[2 * i] = SP_ARG_TEXT(wraps[i].field);
        arguments[2 * i + 1] = SP_ARG(wraps[i].sealed, SP_WRAP_BYTES);
    }
    enum sp_status status = sp_store_eval(durable, &script, keys, 1, arguments, 2 * count, &reply, err);
    if (status == SP_OK)
        *ret_made = sp_reply_integer(reply) == 1;
    sp_reply_free(&reply);
    return status;
}

static enum sp_status open_sealed(struct sp_data_key *ret_key, const char *hash, const char *field,
                                  const uint8_t *sealed, size_t length, const struct sp_key_file *box,
                                  struct sp_err *err)
{
    uint8_t plain[SP_KEY_BYTES + PLACE_BYTES], place[PLACE_BYTES];
    size_t plain_length = 0;
    struct sp_err inner = {0};
    if (length != SP_WRAP_BYTES)
        return sp_fail(err, SP_E_FORMAT, "%s %s: %zu bytes are no wrapped key", hash, field, length);
    enum sp_status status =
        sp_seal_open_to(plain, &plain_length, sealed, length, box->public_key, box->secret, &inner);
    if (status != SP_OK)
        return sp_fail(err, status, "%s %s: %s (is key \"%s\" the one that was in use when it was made?)", hash,
                       field, inner.text, box->name);
    hash_place(place, hash, field);
    if (sp_seal_equal(place, plain + SP_KEY_BYTES, PLACE_BYTES))
        sp_seal_set_key(ret_key, plain);
    else
        status = sp_fail(err, SP_E_AUTH, "%s %s: this wrapped key was made for another place", hash, field);
    sp_seal_wipe(plain, sizeof plain);
    return status;
}

enum sp_status sp_wrap_open(struct sp_data_key *ret_key, struct sp_store *durable, const char *hash,
                            const char *purpose, const struct sp_manifest_reader *reader, struct sp_err *err)
{
    char field[SP_WRAP_FIELD_MAX];
    sp_reply *reply = NULL;
    size_t length = 0;
    snprintf(field, sizeof field, "%s:%s", purpose, reader->role);
    struct sp_argument arguments[] = {SP_ARG_TEXT("HGET"), SP_ARG_TEXT(hash), SP_ARG_TEXT(field)};
    enum sp_status status = sp_store_command(durable, arguments, 3, &reply, err);
    if (status != SP_OK)
        return status;
    const uint8_t *sealed = sp_reply_bytes(reply, &length);
    if (sealed)
        status = open_sealed(ret_key, hash, field, sealed, length, reader->box, err);
    else
        status = sp_fail(err, SP_E_NOTFOUND, "%s has no key %s", hash, field);
    sp_reply_free(&reply);
    return status;
}
