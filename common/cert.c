/* Certificates: an authority's signature over a public key. Declared in key.h. */
#include <string.h>
#include "common/clock.h"
#include "common/key.h"
#include "common/wire.h"

#define CERT_VERSION 1

static const struct sp_wire_limits cert_limits = {SP_CERT_MAX_BYTES, 2, 16};

struct kind_row {
    const char *word;
    enum sp_key_kind key_kind;
};

static const struct kind_row kinds[] = {{"fleet", SP_KEY_BOX}, {"worker", SP_KEY_SIGN}};

static const struct kind_row *kind_of(const char *word)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].word, word) == 0)
            return &kinds[i];
    return NULL;
}

static void put_body(struct sp_wire_writer *writer, const struct sp_cert *cert)
{
    sp_wire_put_map(writer, 5);
    sp_wire_put_text(writer, "v");
    sp_wire_put_uint(writer, CERT_VERSION);
    sp_wire_put_text(writer, "kind");
    sp_wire_put_text(writer, cert->kind);
    sp_wire_put_text(writer, "name");
    sp_wire_put_text(writer, cert->name);
    sp_wire_put_text(writer, "key");
    sp_wire_put_bytes(writer, cert->key, sizeof cert->key);
    sp_wire_put_text(writer, "not_after_ms");
    sp_wire_put_int(writer, cert->not_after_ms);
}

static enum sp_status check_request(const struct sp_cert *cert, const struct sp_key_file *authority,
                                    struct sp_err *err)
{
    const struct kind_row *kind = kind_of(cert->kind);
    if (authority->kind != SP_KEY_SIGN || !authority->has_secret)
        return sp_fail(err, SP_E_INVALID, "certificates need the authority's secret sign key, \"%s\" is none",
                       authority->name);
    if (!kind)
        return sp_fail(err, SP_E_INVALID, "certificate kind \"%s\" is neither fleet nor worker", cert->kind);
    if (!sp_key_name_ok(cert->name))
        return sp_fail(err, SP_E_INVALID, "certificate name \"%s\" is not of A-Z a-z 0-9 . _ -", cert->name);
    if (!sp_key_public_ok(kind->key_kind, cert->key))
        return sp_fail(err, SP_E_INVALID, "certificate of \"%s\": its key is no usable %s key", cert->name,
                       sp_key_kind_word(kind->key_kind));
    return SP_OK;
}

enum sp_status sp_cert_issue(uint8_t *ret_bytes, size_t *ret_length, const struct sp_cert *cert,
                             const struct sp_key_file *authority, struct sp_err *err)
{
    struct sp_wire_writer *body_writer = NULL, *writer = NULL;
    const uint8_t *body, *whole;
    size_t body_length, length;
    uint8_t signature[SP_SIGNATURE_BYTES];
    enum sp_status status = check_request(cert, authority, err);
    if (status != SP_OK || (status = sp_wire_writer_new(&body_writer, SP_CERT_MAX_BYTES, err)) != SP_OK ||
        (status = sp_wire_writer_new(&writer, SP_CERT_MAX_BYTES, err)) != SP_OK)
        goto fail;
    put_body(body_writer, cert);
    status = sp_wire_finish(body_writer, &body, &body_length, err);
    if (status != SP_OK)
        goto fail;
    sp_seal_sign(signature, SP_CERT_CONTEXT, body, body_length, authority->secret);
    sp_wire_put_array(writer, 2);
    sp_wire_put_bytes(writer, body, body_length);
    sp_wire_put_bytes(writer, signature, sizeof signature);
    status = sp_wire_finish(writer, &whole, &length, err);
    if (status != SP_OK)
        goto fail;
    memcpy(ret_bytes, whole, length);
    *ret_length = length;
fail:
    sp_wire_writer_free(&body_writer);
    sp_wire_writer_free(&writer);
    return status;
}

/* [body, signature], and the signature is the authority's. The views point into `bytes`. */
static enum sp_status check_signature(const uint8_t *bytes, size_t length, const uint8_t authority_public[32],
                                      const uint8_t **ret_body, size_t *ret_body_length, struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    const uint8_t *signature;
    size_t signature_length;
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &cert_limits, err);
    if (status != SP_OK)
        return sp_fail(err, SP_E_AUTH, "certificate is damaged: %zu bytes that are no [body, signature]", length);
    const sp_wire_value *root = sp_wire_root(doc);
    if (sp_wire_count(root) != 2 || !sp_wire_as_view(sp_wire_at(root, 0), ret_body, ret_body_length) ||
        !sp_wire_as_view(sp_wire_at(root, 1), &signature, &signature_length) ||
        signature_length != SP_SIGNATURE_BYTES)
        status = sp_fail(err, SP_E_AUTH, "certificate is damaged: not [body, signature of 64 bytes]");
    else if (sp_seal_verify(signature, SP_CERT_CONTEXT, *ret_body, *ret_body_length, authority_public, err) !=
             SP_OK)
        status = sp_fail(err, SP_E_AUTH, "certificate is not signed by the authority that is trusted here");
    sp_wire_free(&doc);
    return status;
}

static enum sp_status read_body(struct sp_cert *ret, const uint8_t *body, size_t length, struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    struct sp_err why;
    uint64_t version;
    enum sp_status status = sp_wire_parse(&doc, body, length, &cert_limits, &why);
    if (status != SP_OK)
        return sp_fail(err, SP_E_AUTH, "certificate's body: %s", why.text);
    const sp_wire_value *map = sp_wire_root(doc);
    if ((status = sp_wire_get_uint(map, "v", CERT_VERSION, &version, &why)) != SP_OK || version != CERT_VERSION ||
        (status = sp_wire_get_text(map, "kind", ret->kind, sizeof ret->kind, &why)) != SP_OK ||
        (status = sp_wire_get_text(map, "name", ret->name, sizeof ret->name, &why)) != SP_OK ||
        (status = sp_wire_get_bytes(map, "key", ret->key, sizeof ret->key, &why)) != SP_OK ||
        (status = sp_wire_get_int(map, "not_after_ms", 0, INT64_MAX, &ret->not_after_ms, &why)) != SP_OK)
        status = sp_fail(err, SP_E_AUTH, "certificate's body: %s", status == SP_OK ? "version 0" : why.text);
    else if (!sp_key_name_ok(ret->name))
        status = sp_fail(err, SP_E_AUTH, "certificate's body: name is not of A-Z a-z 0-9 . _ -");
    sp_wire_free(&doc);
    return status;
}

enum sp_status sp_cert_verify(struct sp_cert *ret_cert, const uint8_t *bytes, size_t length, const char *kind,
                              const uint8_t authority_public[32], int64_t now_ms, struct sp_err *err)
{
    struct sp_cert cert = {0};
    const uint8_t *body = NULL;
    size_t body_length = 0;
    const struct kind_row *row = kind_of(kind);
    if (!row)
        return sp_fail(err, SP_E_INTERNAL, "certificate kind \"%s\" is neither fleet nor worker", kind);
    enum sp_status status = check_signature(bytes, length, authority_public, &body, &body_length, err);
    if (status == SP_OK)
        status = read_body(&cert, body, body_length, err);
    if (status != SP_OK)
        return status;
    if (strcmp(cert.kind, kind) != 0)
        return sp_fail(err, SP_E_AUTH, "certificate of \"%s\" is for a %s, not for a %s", cert.name, cert.kind,
                       kind);
    if (!sp_key_public_ok(row->key_kind, cert.key))
        return sp_fail(err, SP_E_AUTH, "certificate of \"%s\" holds no usable %s key", cert.name,
                       sp_key_kind_word(row->key_kind));
    if (now_ms > cert.not_after_ms) {
        char when[32];
        sp_clock_format(when, cert.not_after_ms);
        return sp_fail(err, SP_E_AUTH,
                       "certificate of %s \"%s\" ended at %s: renew it with \"sallyport keys certify\"", cert.kind,
                       cert.name, when);
    }
    *ret_cert = cert;
    return SP_OK;
}
