#include "roster/signature.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/yaml.h"

#define VERSION  1
#define HEAD     10 /* time and length of the name */
#define LONGEST  255
#define TIME_MAX 9007199254740992.0 /* what a YAML number holds exactly */

/* What is signed: *ret_length bytes, the caller frees. NULL: no memory, or a name that no file has. */
static uint8_t *signed_bytes(size_t *ret_length, int64_t signed_ms, const char *name, const void *bytes,
                             size_t length)
{
    size_t name_length = strlen(name);
    uint8_t *all = name_length <= LONGEST ? malloc(HEAD + name_length + length) : NULL;
    if (!all)
        return NULL;
    for (int i = 0; i < 8; i++)
        all[i] = (uint8_t)((uint64_t)signed_ms >> (56 - 8 * i));
    all[8] = (uint8_t)(name_length >> 8);
    all[9] = (uint8_t)name_length;
    memcpy(all + HEAD, name, name_length);
    if (length > 0)
        memcpy(all + HEAD + name_length, bytes, length);
    *ret_length = HEAD + name_length + length;
    return all;
}

enum sp_status sp_signature_make(struct sp_signature *ret_signature, const struct sp_key_file *key,
                                 int64_t signed_ms, const char *name, const void *bytes, size_t length,
                                 struct sp_err *err)
{
    size_t all_length = 0;
    uint8_t *all = signed_bytes(&all_length, signed_ms, name, bytes, length);
    if (!all)
        return sp_fail(err, SP_E_NOMEM, "no memory to sign %zu bytes", length);
    memcpy(ret_signature->key, key->public_key, sizeof ret_signature->key);
    ret_signature->signed_ms = signed_ms;
    sp_seal_sign(ret_signature->bytes, SP_SIGNATURE_CONTEXT, all, all_length, key->secret);
    sp_seal_wipe(all, all_length);
    free(all);
    return SP_OK;
}

enum sp_status sp_signature_verify(const struct sp_signature *signature, const char *name, const void *bytes,
                                   size_t length, struct sp_err *err)
{
    size_t all_length = 0;
    uint8_t *all = signed_bytes(&all_length, signature->signed_ms, name, bytes, length);
    if (!all)
        return sp_fail(err, SP_E_NOMEM, "no memory to verify %zu bytes", length);
    enum sp_status status =
        sp_seal_verify(signature->bytes, SP_SIGNATURE_CONTEXT, all, all_length, signature->key, NULL);
    sp_seal_wipe(all, all_length);
    free(all);
    return status == SP_OK ? SP_OK
                           : sp_fail(err, SP_E_AUTH,
                                     "the signature does not belong to this file: other bytes, another name or "
                                     "another time were signed");
}

void sp_signature_print(char *ret_text, const struct sp_signature *signature)
{
    char key[65], bytes[2 * SP_SIGNATURE_BYTES + 1];
    sp_seal_to_hex(key, signature->key, sizeof signature->key);
    sp_seal_to_hex(bytes, signature->bytes, sizeof signature->bytes);
    snprintf(ret_text, SP_SIGNATURE_TEXT_MAX,
             "sallyport_signature: %d\nkey: \"%s\"\nsigned_ms: %" PRId64 "\nsignature: \"%s\"\n", VERSION, key,
             signature->signed_ms, bytes);
}

static enum sp_status take_hex(uint8_t *ret, size_t length, const struct sp_yaml *yaml, const char *key,
                               struct sp_err *err)
{
    const struct sp_yaml_entry *entry = sp_yaml_find(yaml, key);
    if (!entry)
        return sp_fail(err, SP_E_FORMAT, "%s: %s is missing", yaml->source, key);
    if (sp_seal_from_hex(ret, length, entry->value, NULL) != SP_OK)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: %s is not %zu hex digits", yaml->source, entry->line, key,
                       2 * length);
    return SP_OK;
}

static enum sp_status take_number(double *ret, const struct sp_yaml *yaml, const char *key, struct sp_err *err)
{
    const struct sp_yaml_entry *entry = sp_yaml_find(yaml, key);
    if (!entry)
        return sp_fail(err, SP_E_FORMAT, "%s: %s is missing", yaml->source, key);
    return sp_yaml_number(ret, yaml, entry, 1, TIME_MAX, err);
}

enum sp_status sp_signature_parse(struct sp_signature *ret_signature, const char *source, const void *bytes,
                                  size_t length, struct sp_err *err)
{
    struct sp_yaml *yaml = NULL;
    struct sp_signature signature = {0};
    double version = 0, signed_ms = 0;
    if (length > SP_SIGNATURE_TEXT_MAX)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes, a signature has at most %d", source, length,
                       SP_SIGNATURE_TEXT_MAX);
    enum sp_status status = sp_yaml_parse(&yaml, source, bytes, length, err);
    if (status == SP_OK)
        status = take_number(&version, yaml, "sallyport_signature", err);
    if (status == SP_OK && version != VERSION)
        status = sp_fail(err, SP_E_VERSION, "%s: a signature of version %g, this program reads %d", source, version,
                         VERSION);
    if (status == SP_OK)
        status = take_hex(signature.key, sizeof signature.key, yaml, "key", err);
    if (status == SP_OK)
        status = take_number(&signed_ms, yaml, "signed_ms", err);
    if (status == SP_OK)
        status = take_hex(signature.bytes, sizeof signature.bytes, yaml, "signature", err);
    if (status == SP_OK) {
        signature.signed_ms = (int64_t)signed_ms;
        *ret_signature = signature;
    }
    sp_yaml_free(&yaml);
    return status;
}

enum sp_status sp_signature_fresh(const struct sp_signature *signature, int64_t now_ms, int64_t newest_ms,
                                  struct sp_err *err)
{
    int64_t age_ms = now_ms - signature->signed_ms;
    if (age_ms > SP_SIGNATURE_MAX_AGE_MS)
        return sp_fail(err, SP_E_DENIED, "it was signed %.1f h ago, the limit is %.0f h: sign it again",
                       (double)age_ms / 3600000, (double)SP_SIGNATURE_MAX_AGE_MS / 3600000);
    if (age_ms < -SP_SIGNATURE_AHEAD_MS)
        return sp_fail(err, SP_E_DENIED, "it was signed %.1f min in the future: set the signer's clock",
                       (double)-age_ms / 60000);
    if (signature->signed_ms < newest_ms)
        return sp_fail(err, SP_E_DENIED,
                       "it was signed %.1f s before what was taken of this journey already: an old list",
                       (double)(newest_ms - signature->signed_ms) / 1000);
    return SP_OK;
}
