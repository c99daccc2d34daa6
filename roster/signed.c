#include "roster/signed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "roster/manifest.h"

#define KEY_MAX    192
#define VALUE_MAX  48
#define SERIES_HEX 17
#define LIFE_MS    "345600000" /* 96 h: twice what is taken */

struct newest {
    int64_t signed_ms; /* 0: none */
    char series[SERIES_HEX];
};

/* What the parts of one list share; "" for what has no parts. */
static void series_of(char ret_series[SERIES_HEX], const struct sp_listing *listing)
{
    uint8_t hash[16];
    const char *shared = listing->common[0] ? listing->common : listing->reference;
    ret_series[0] = 0;
    if (listing->part == 0 || !shared[0])
        return;
    sp_seal_hash(hash, sizeof hash, shared, strlen(shared), NULL, 0);
    sp_seal_to_hex(ret_series, hash, (SERIES_HEX - 1) / 2);
}

static enum sp_status load(struct newest *ret, struct sp_store *durable, const char *key, struct sp_err *err)
{
    char text[VALUE_MAX] = "";
    sp_reply *reply = NULL;
    size_t length = 0;
    struct sp_argument arguments[] = {SP_ARG_TEXT("GET"), SP_ARG_TEXT(key)};
    enum sp_status status = sp_store_command(durable, arguments, 2, &reply, err);
    const uint8_t *bytes = status == SP_OK ? sp_reply_bytes(reply, &length) : NULL;
    memset(ret, 0, sizeof *ret);
    if (bytes && length < sizeof text) {
        memcpy(text, bytes, length);
        text[length] = 0;
        (void)sscanf(text, "%" SCNd64 " %16s", &ret->signed_ms, ret->series);
    }
    sp_reply_free(&reply);
    return status;
}

enum sp_status sp_signed_check(const struct sp_signature *signature, const struct sp_listing *listing,
                               struct sp_store *durable, const char *manifest, struct sp_err *err)
{
    char key[KEY_MAX], series[SERIES_HEX];
    struct newest newest;
    sp_manifest_key(key, manifest, "signed");
    series_of(series, listing);
    enum sp_status status = load(&newest, durable, key, err);
    if (status != SP_OK || newest.signed_ms == 0 || (series[0] && strcmp(series, newest.series) == 0))
        return status;
    /* Only against the newest: the age was checked when the file was taken. */
    struct sp_err old = {0};
    return sp_signature_fresh(signature, signature->signed_ms, newest.signed_ms, &old) == SP_OK
               ? SP_OK
               : sp_fail(err, SP_E_INVALID, "%s", old.text); /* a refusal of the store's is SP_E_DENIED */
}

enum sp_status sp_signed_note(const struct sp_signature *signature, const struct sp_listing *listing,
                              struct sp_store *durable, const char *manifest, struct sp_err *err)
{
    char key[KEY_MAX], value[VALUE_MAX], series[SERIES_HEX];
    struct newest newest;
    sp_manifest_key(key, manifest, "signed");
    series_of(series, listing);
    enum sp_status status = load(&newest, durable, key, err);
    if (status != SP_OK || newest.signed_ms > signature->signed_ms)
        return status;
    snprintf(value, sizeof value, "%" PRId64 " %s", signature->signed_ms, series);
    struct sp_argument arguments[] = {SP_ARG_TEXT("SET"), SP_ARG_TEXT(key), SP_ARG_TEXT(value), SP_ARG_TEXT("PX"),
                                      SP_ARG_TEXT(LIFE_MS)};
    return sp_store_command(durable, arguments, 5, NULL, err);
}
