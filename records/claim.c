#include "records/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/seal.h"

#define HEX       (2 * SP_ENCOUNTER_BYTES)
#define DIGITS_AT (2 + HEX + 1)
#define DIGITS    15

void sp_claim_key(char *ret_key, const char *manifest)
{
    snprintf(ret_key, SP_CLAIM_KEY_MAX, "sp:m:{%s}:claims", manifest);
}

enum sp_status sp_claim_parse(struct sp_claim *ret, const uint8_t *value, size_t length, struct sp_err *err)
{
    struct sp_claim claim = {0};
    char hex[HEX + 1] = "";
    bool good = length > DIGITS_AT && length <= DIGITS_AT + DIGITS && (value[0] == 't' || value[0] == 'c') &&
                value[1] == ' ' && value[DIGITS_AT - 1] == ' ';
    if (good)
        memcpy(hex, value + 2, HEX);
    for (size_t i = DIGITS_AT; good && i < length; i++) {
        good = value[i] >= '0' && value[i] <= '9';
        claim.claimed_ms = claim.claimed_ms * 10 + (value[i] - '0');
    }
    if (!good || sp_seal_from_hex(claim.encounter, sizeof claim.encounter, hex, NULL) != SP_OK)
        return sp_fail(err, SP_E_FORMAT, "a claim of %zu bytes is not \"<t|c> <encounter> <ms>\"", length);
    claim.confirmed = value[0] == 'c';
    memcpy(claim.traveller, ret->traveller, sizeof claim.traveller);
    *ret = claim;
    return SP_OK;
}

enum sp_status sp_claim_list(struct sp_claim **ret_claims, int *ret_count, struct sp_store *durable,
                             const char *manifest, struct sp_err *err)
{
    char key[SP_CLAIM_KEY_MAX];
    sp_reply *reply = NULL;
    struct sp_claim *claims = NULL;
    sp_claim_key(key, manifest);
    struct sp_argument arguments[] = {SP_ARG_TEXT("HGETALL"), SP_ARG_TEXT(key)};
    enum sp_status status = sp_store_command(durable, arguments, 2, &reply, err);
    size_t count = status == SP_OK ? sp_reply_count(reply) / 2 : 0;
    if (status == SP_OK && count > SP_CLAIM_LIST_MAX)
        status = sp_fail(err, SP_E_LIMIT, "%s: %zu claims, at most %d are read", key, count, SP_CLAIM_LIST_MAX);
    if (status == SP_OK && !(claims = calloc(count + 1, sizeof *claims)))
        status = sp_fail(err, SP_E_NOMEM, "%s: no memory for %zu claims", key, count);
    for (size_t i = 0; status == SP_OK && i < count; i++) {
        size_t field_length = 0, length = 0;
        const uint8_t *field = sp_reply_bytes(sp_reply_at(reply, 2 * i), &field_length);
        const uint8_t *value = sp_reply_bytes(sp_reply_at(reply, 2 * i + 1), &length);
        if (!field || !value || field_length != SP_PSEUDONYM_BYTES) {
            status = sp_fail(err, SP_E_FORMAT, "%s: a field of %zu bytes is no traveller", key, field_length);
            break;
        }
        memcpy(claims[i].traveller, field, SP_PSEUDONYM_BYTES);
        if ((status = sp_claim_parse(&claims[i], value, length, err)) != SP_OK && err)
            sp_fail_in(err, "%s", key);
    }
    sp_reply_free(&reply);
    if (status != SP_OK) {
        free(claims);
        return status;
    }
    *ret_claims = claims;
    *ret_count = (int)count;
    return SP_OK;
}

enum sp_status sp_claim_release(struct sp_store *durable, const char *manifest,
                                const uint8_t traveller[SP_PSEUDONYM_BYTES], struct sp_err *err)
{
    char key[SP_CLAIM_KEY_MAX];
    sp_reply *reply = NULL;
    sp_claim_key(key, manifest);
    struct sp_argument arguments[] = {SP_ARG_TEXT("HDEL"), SP_ARG_TEXT(key), SP_ARG(traveller, SP_PSEUDONYM_BYTES)};
    enum sp_status status = sp_store_command(durable, arguments, 3, &reply, err);
    if (status == SP_OK && sp_reply_integer(reply) != 1)
        status = sp_fail(err, SP_E_NOTFOUND, "%s: nobody crossed as this traveller", key);
    sp_reply_free(&reply);
    return status;
}
