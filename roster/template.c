#include "roster/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX      192
#define CHUNK        256       /* ids in one command */
#define LIFE_SECONDS "2592000" /* 30 days after the last store */
#define DIM_MAX      4096
#define AD_MAX       (KEY_MAX + 1 + SP_TEMPLATE_ID_BYTES)

void sp_template_key(char *ret_key, const char *manifest, const uint8_t pack[16])
{
    char hex[33];
    sp_seal_to_hex(hex, pack, 16);
    snprintf(ret_key, KEY_MAX, "sp:g:{%s}:%s", manifest, hex);
}

static size_t place(uint8_t ret_ad[AD_MAX], const char *key, const uint8_t id[SP_TEMPLATE_ID_BYTES])
{
    size_t length = strlen(key);
    memcpy(ret_ad, key, length);
    ret_ad[length] = '|';
    memcpy(ret_ad + length + 1, id, SP_TEMPLATE_ID_BYTES);
    return length + 1 + SP_TEMPLATE_ID_BYTES;
}

void sp_template_id(uint8_t ret_id[SP_TEMPLATE_ID_BYTES], const char *manifest, const uint8_t row[SP_ROW_BYTES],
                    const uint8_t pack[16], const uint8_t portrait[SP_PORTRAIT_BYTES])
{
    uint8_t all[SP_MANIFEST_ID_MAX + SP_ROW_BYTES + 16 + SP_PORTRAIT_BYTES];
    size_t length = strnlen(manifest, SP_MANIFEST_ID_MAX - 1);
    memcpy(all, manifest, length);
    all[length++] = 0;
    memcpy(all + length, row, SP_ROW_BYTES);
    memcpy(all + length + SP_ROW_BYTES, pack, 16);
    memcpy(all + length + SP_ROW_BYTES + 16, portrait, SP_PORTRAIT_BYTES);
    sp_seal_hash(ret_id, SP_TEMPLATE_ID_BYTES, all, length + SP_ROW_BYTES + 16 + SP_PORTRAIT_BYTES, NULL, 0);
}

/* Floats lie little-endian, whatever this machine is. */
static void put_floats(uint8_t *ret_bytes, const float *vector, int dim)
{
    for (int i = 0; i < dim; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], 4);
        for (int b = 0; b < 4; b++)
            ret_bytes[4 * i + b] = (uint8_t)(bits >> (8 * b));
    }
}

static void get_floats(float *ret_vector, const uint8_t *bytes, int dim)
{
    for (int i = 0; i < dim; i++) {
        uint32_t bits = 0;
        for (int b = 0; b < 4; b++)
            bits |= (uint32_t)bytes[4 * i + b] << (8 * b);
        memcpy(&ret_vector[i], &bits, 4);
    }
}

static void packs_key(char ret_key[KEY_MAX], const char *manifest)
{
    snprintf(ret_key, KEY_MAX, "sp:g:{%s}:packs", manifest);
}

enum sp_status sp_template_packs(uint8_t (*ret_packs)[16], int *ret_count, struct sp_store *galleries,
                                 const char *manifest, struct sp_err *err)
{
    char key[KEY_MAX];
    sp_reply *reply = NULL;
    packs_key(key, manifest);
    struct sp_argument arguments[] = {SP_ARG_TEXT("SMEMBERS"), SP_ARG_TEXT(key)};
    enum sp_status status = sp_store_command(galleries, arguments, 2, &reply, err);
    if (status != SP_OK)
        return status;
    *ret_count = 0;
    for (size_t i = 0; i < sp_reply_count(reply) && *ret_count < SP_TEMPLATE_MAX_PACKS; i++) {
        size_t length = 0;
        const uint8_t *pack = sp_reply_bytes(sp_reply_at(reply, i), &length);
        if (pack && length == 16)
            memcpy(ret_packs[(*ret_count)++], pack, 16);
    }
    sp_reply_free(&reply);
    return SP_OK;
}

enum sp_status sp_template_forget_packs(struct sp_store *galleries, const char *manifest, struct sp_err *err)
{
    char key[KEY_MAX];
    packs_key(key, manifest);
    struct sp_argument arguments[] = {SP_ARG_TEXT("UNLINK"), SP_ARG_TEXT(key)};
    return sp_store_command(galleries, arguments, 2, NULL, err);
}

enum sp_status sp_template_store(struct sp_store *galleries, const char *manifest, const uint8_t pack[16],
                                 const uint8_t id[SP_TEMPLATE_ID_BYTES], const float *vector, int dim,
                                 const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char key[KEY_MAX], packs[KEY_MAX];
    uint8_t ad[AD_MAX], plain[4 * DIM_MAX], sealed[4 * DIM_MAX + SP_SEAL_OVERHEAD];
    if (dim < 1 || dim > DIM_MAX)
        return sp_fail(err, SP_E_INVALID, "a template of %d numbers, it must be 1 to %d", dim, DIM_MAX);
    sp_template_key(key, manifest, pack);
    put_floats(plain, vector, dim);
    sp_seal_close(sealed, plain, 4 * (size_t)dim, ad, place(ad, key, id), &keys->templates);
    sp_seal_wipe(plain, 4 * (size_t)dim);
    packs_key(packs, manifest);
    /* The pack is noted first: whoever closes the manifest must find what is stored. */
    struct sp_argument commands[][4] = {
        {SP_ARG_TEXT("SADD"), SP_ARG_TEXT(packs), SP_ARG(pack, 16)},
        {SP_ARG_TEXT("EXPIRE"), SP_ARG_TEXT(packs), SP_ARG_TEXT(LIFE_SECONDS)},
        {SP_ARG_TEXT("HSET"), SP_ARG_TEXT(key), SP_ARG(id, SP_TEMPLATE_ID_BYTES),
         SP_ARG(sealed, 4 * (size_t)dim + SP_SEAL_OVERHEAD)},
        {SP_ARG_TEXT("EXPIRE"), SP_ARG_TEXT(key), SP_ARG_TEXT(LIFE_SECONDS)},
    };
    enum sp_status status = SP_OK;
    int sent = 0;
    for (; sent < 4 && status == SP_OK; sent++)
        status = sp_store_append(galleries, commands[sent], sent == 2 ? 4 : 3, err);
    sent -= status != SP_OK;
    for (int i = 0; i < sent; i++) {
        struct sp_err later = {0};
        enum sp_status step = sp_store_collect(galleries, NULL, &later);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    return status;
}

enum sp_status sp_template_present(struct sp_store *galleries, const char *manifest, const uint8_t pack[16],
                                   const uint8_t (*ids)[SP_TEMPLATE_ID_BYTES], int count, uint8_t *ret_present,
                                   struct sp_err *err)
{
    char key[KEY_MAX];
    enum sp_status status = SP_OK;
    int sent = 0;
    sp_template_key(key, manifest, pack);
    for (; sent < count && status == SP_OK; sent++) {
        struct sp_argument arguments[] = {SP_ARG_TEXT("HEXISTS"), SP_ARG_TEXT(key),
                                          SP_ARG(ids[sent], SP_TEMPLATE_ID_BYTES)};
        status = sp_store_append(galleries, arguments, 3, err);
    }
    if (status != SP_OK)
        sent--;
    for (int i = 0; i < sent; i++) {
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(galleries, &reply, &later);
        ret_present[i] = step == SP_OK && sp_reply_integer(reply) == 1;
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
        sp_reply_free(&reply);
    }
    return status;
}

static enum sp_status append_chunk(struct sp_store *galleries, const char *key,
                                   const uint8_t (*ids)[SP_TEMPLATE_ID_BYTES], int count, struct sp_err *err)
{
    struct sp_argument arguments[2 + CHUNK] = {SP_ARG_TEXT("HMGET"), SP_ARG_TEXT(key)};
    for (int i = 0; i < count; i++)
        arguments[2 + i] = SP_ARG(ids[i], SP_TEMPLATE_ID_BYTES);
    return sp_store_append(galleries, arguments, 2 + count, err);
}

/* One reply of CHUNK values into its place. What does not open counts as missing: it will be enrolled again. */
static void take_chunk(const sp_reply *reply, const char *key, const uint8_t (*ids)[SP_TEMPLATE_ID_BYTES],
                       int count, int dim, float *ret_vectors, uint8_t *ret_present,
                       const struct sp_data_key *data_key)
{
    uint8_t ad[AD_MAX], plain[4 * DIM_MAX + SP_SEAL_OVERHEAD];
    size_t wanted = 4 * (size_t)dim, length = 0;
    for (int i = 0; i < count; i++) {
        size_t sealed_length = 0;
        const uint8_t *sealed = sp_reply_bytes(sp_reply_at(reply, (size_t)i), &sealed_length);
        ret_present[i] = sealed && sealed_length == wanted + SP_SEAL_OVERHEAD &&
                         sp_seal_open(plain, &length, sealed, sealed_length, ad, place(ad, key, ids[i]), data_key,
                                      NULL) == SP_OK;
        if (ret_present[i])
            get_floats(ret_vectors + (size_t)i * (size_t)dim, plain, dim);
    }
    sp_seal_wipe(plain, sizeof plain);
}

enum sp_status sp_template_load(struct sp_store *galleries, const char *manifest, const uint8_t pack[16],
                                const uint8_t (*ids)[SP_TEMPLATE_ID_BYTES], int count, int dim, float *ret_vectors,
                                uint8_t *ret_present, const struct sp_manifest_keys *keys, struct sp_err *err)
{
    char key[KEY_MAX];
    enum sp_status status = SP_OK;
    int sent = 0;
    if (dim < 1 || dim > DIM_MAX)
        return sp_fail(err, SP_E_INVALID, "templates of %d numbers, they must have 1 to %d", dim, DIM_MAX);
    sp_template_key(key, manifest, pack);
    memset(ret_present, 0, (size_t)count);
    for (; sent < count && status == SP_OK; sent += CHUNK)
        status = append_chunk(galleries, key, ids + sent, count - sent < CHUNK ? count - sent : CHUNK, err);
    if (status != SP_OK)
        sent -= CHUNK;
    for (int at = 0; at < sent; at += CHUNK) {
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(galleries, &reply, &later);
        if (step == SP_OK)
            take_chunk(reply, key, ids + at, count - at < CHUNK ? count - at : CHUNK, dim,
                       ret_vectors + (size_t)at * (size_t)dim, ret_present + at, &keys->templates);
        else if (status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
        sp_reply_free(&reply);
    }
    return status;
}
