#include "common/seal.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SUITE_KEY       1
#define SUITE_ROLE      2
#define KDF_CONTEXT     "SPpayld1"
#define SIGNED_ON_STACK 8192

/* The leak checker attaches to its own process, which an undumpable process does not allow. This is the one place
 * that knows about it. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDUMPABLE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDUMPABLE false
#else
#define UNDUMPABLE true
#endif
#else
#define UNDUMPABLE true
#endif

_Static_assert(SP_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce size");
_Static_assert(SP_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");
_Static_assert(SP_SIGNATURE_BYTES == crypto_sign_BYTES, "signature size");
_Static_assert(SP_SEAL_TO_OVERHEAD == 1 + SP_KEY_ID_BYTES + crypto_box_SEALBYTES, "sealed box size");
_Static_assert(SP_WRAPPED_KEY_BYTES == SP_KEY_BYTES + crypto_box_SEALBYTES, "wrapped key size");

enum sp_status sp_seal_start(struct sp_err *err)
{
    if (sodium_init() < 0)
        return sp_fail(err, SP_E_INTERNAL, "libsodium does not start: no source of randomness on this machine");
    /* A crash must not write keys or faces to a disk. Both calls can only fail on a kernel that forbids them; the
     * program is no less correct then. */
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    if (UNDUMPABLE)
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return SP_OK;
}

void sp_seal_random(void *ret_bytes, size_t length)
{
    randombytes_buf(ret_bytes, length);
}

void sp_seal_wipe(void *bytes, size_t length)
{
    sodium_memzero(bytes, length);
}

int sp_seal_equal(const void *a, const void *b, size_t length)
{
    return sodium_memcmp(a, b, length) == 0;
}

void sp_seal_hash(void *ret_hash, size_t hash_length, const void *bytes, size_t length, const void *key,
                  size_t key_length)
{
    /* Only sizes outside BLAKE2b's range fail, and those are written in our own sources. */
    if (crypto_generichash(ret_hash, hash_length, bytes, length, key, key_length) != 0)
        sodium_misuse();
}

void sp_seal_sha256(uint8_t ret_hash[32], const void *bytes, size_t length)
{
    crypto_hash_sha256(ret_hash, bytes, length);
}

void sp_seal_sha512(uint8_t ret_hash[64], const void *bytes, size_t length)
{
    crypto_hash_sha512(ret_hash, bytes, length);
}

void sp_seal_key_id(uint8_t ret_id[SP_KEY_ID_BYTES], const uint8_t public_key[32])
{
    uint8_t hash[32];
    sp_seal_hash(hash, sizeof hash, public_key, 32, NULL, 0);
    memcpy(ret_id, hash, SP_KEY_ID_BYTES);
}

void sp_seal_set_key(struct sp_data_key *ret_key, const uint8_t bytes[SP_KEY_BYTES])
{
    memmove(ret_key->bytes, bytes, SP_KEY_BYTES);
    sp_seal_key_id(ret_key->id, ret_key->bytes);
}

void sp_seal_new_key(struct sp_data_key *ret_key)
{
    uint8_t bytes[SP_KEY_BYTES];
    sp_seal_random(bytes, sizeof bytes);
    sp_seal_set_key(ret_key, bytes);
    sp_seal_wipe(bytes, sizeof bytes);
}

/* [nonce][ciphertext + tag] */
static void aead_close(uint8_t *ret, const void *plain, size_t length, const void *ad, size_t ad_length,
                       const uint8_t key[SP_KEY_BYTES])
{
    randombytes_buf(ret, SP_NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(ret + SP_NONCE_BYTES, NULL, plain, length, ad, ad_length, NULL, ret,
                                               key);
}

static bool aead_open(uint8_t *ret_plain, const uint8_t *sealed, size_t length, const void *ad, size_t ad_length,
                      const uint8_t key[SP_KEY_BYTES])
{
    return crypto_aead_xchacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, sealed + SP_NONCE_BYTES,
                                                      length - SP_NONCE_BYTES, ad, ad_length, sealed, key) == 0;
}

void sp_seal_close(uint8_t *ret_sealed, const void *plain, size_t length, const void *ad, size_t ad_length,
                   const struct sp_data_key *key)
{
    ret_sealed[0] = SUITE_KEY;
    memcpy(ret_sealed + 1, key->id, SP_KEY_ID_BYTES);
    aead_close(ret_sealed + 1 + SP_KEY_ID_BYTES, plain, length, ad, ad_length, key->bytes);
}

/* The clear part of an envelope: suite and key id. */
static enum sp_status check_envelope(const uint8_t *sealed, size_t length, size_t overhead, int suite,
                                     const uint8_t id[SP_KEY_ID_BYTES], struct sp_err *err)
{
    char have[2 * SP_KEY_ID_BYTES + 1], want[2 * SP_KEY_ID_BYTES + 1];
    if (length < overhead)
        return sp_fail(err, SP_E_AUTH, "seal of %zu bytes is cut off: an empty one has %zu", length, overhead);
    if (sealed[0] != suite)
        return sp_fail(err, SP_E_AUTH, "seal has suite %d where suite %d is expected", sealed[0], suite);
    if (memcmp(sealed + 1, id, SP_KEY_ID_BYTES) != 0) {
        sp_seal_to_hex(have, sealed + 1, SP_KEY_ID_BYTES);
        sp_seal_to_hex(want, id, SP_KEY_ID_BYTES);
        return sp_fail(err, SP_E_AUTH, "sealed with key %s, this is key %s: check which key file is in use", have,
                       want);
    }
    return SP_OK;
}

enum sp_status sp_seal_open(uint8_t *ret_plain, size_t *ret_length, const uint8_t *sealed, size_t sealed_length,
                            const void *ad, size_t ad_length, const struct sp_data_key *key, struct sp_err *err)
{
    enum sp_status status = check_envelope(sealed, sealed_length, SP_SEAL_OVERHEAD, SUITE_KEY, key->id, err);
    if (status != SP_OK)
        return status;
    if (!aead_open(ret_plain, sealed + 1 + SP_KEY_ID_BYTES, sealed_length - 1 - SP_KEY_ID_BYTES, ad, ad_length,
                   key->bytes))
        return sp_fail(err, SP_E_AUTH, "seal does not open: damaged, or moved here from another place");
    *ret_length = sealed_length - SP_SEAL_OVERHEAD;
    return SP_OK;
}

void sp_seal_close_to(uint8_t *ret_sealed, const void *plain, size_t length, const uint8_t recipient_public[32])
{
    ret_sealed[0] = SUITE_ROLE;
    sp_seal_key_id(ret_sealed + 1, recipient_public);
    /* Only a degenerate public key fails, which sp_key_load and sp_cert_verify refuse; never leave a half-made box.
     */
    if (crypto_box_seal(ret_sealed + 1 + SP_KEY_ID_BYTES, plain, length, recipient_public) != 0)
        sodium_misuse();
}

enum sp_status sp_seal_open_to(uint8_t *ret_plain, size_t *ret_length, const uint8_t *sealed, size_t sealed_length,
                               const uint8_t recipient_public[32], const uint8_t recipient_secret[32],
                               struct sp_err *err)
{
    uint8_t id[SP_KEY_ID_BYTES];
    sp_seal_key_id(id, recipient_public);
    enum sp_status status = check_envelope(sealed, sealed_length, SP_SEAL_TO_OVERHEAD, SUITE_ROLE, id, err);
    if (status != SP_OK)
        return status;
    if (crypto_box_seal_open(ret_plain, sealed + 1 + SP_KEY_ID_BYTES, sealed_length - 1 - SP_KEY_ID_BYTES,
                             recipient_public, recipient_secret) != 0)
        return sp_fail(err, SP_E_AUTH, "seal to a role does not open: damaged, or not this role's secret key");
    *ret_length = sealed_length - SP_SEAL_TO_OVERHEAD;
    return SP_OK;
}

void sp_seal_payload_close(uint8_t *ret_payload, const void *plain, size_t length, const void *ad, size_t ad_length,
                           const uint8_t session_key[SP_KEY_BYTES], enum sp_direction direction)
{
    uint8_t subkey[SP_KEY_BYTES];
    crypto_kdf_derive_from_key(subkey, sizeof subkey, direction, KDF_CONTEXT, session_key);
    aead_close(ret_payload, plain, length, ad, ad_length, subkey);
    sp_seal_wipe(subkey, sizeof subkey);
}

enum sp_status sp_seal_payload_open(uint8_t *ret_plain, size_t *ret_length, const uint8_t *payload,
                                    size_t payload_length, const void *ad, size_t ad_length,
                                    const uint8_t session_key[SP_KEY_BYTES], enum sp_direction direction,
                                    struct sp_err *err)
{
    if (payload_length < SP_PAYLOAD_OVERHEAD)
        return sp_fail(err, SP_E_AUTH, "payload of %zu bytes is cut off: an empty one has %d", payload_length,
                       SP_PAYLOAD_OVERHEAD);
    uint8_t subkey[SP_KEY_BYTES];
    crypto_kdf_derive_from_key(subkey, sizeof subkey, direction, KDF_CONTEXT, session_key);
    bool opened = aead_open(ret_plain, payload, payload_length, ad, ad_length, subkey);
    sp_seal_wipe(subkey, sizeof subkey);
    if (!opened)
        return sp_fail(err, SP_E_AUTH, "payload does not open: damaged, or not sealed under this header and key");
    *ret_length = payload_length - SP_PAYLOAD_OVERHEAD;
    return SP_OK;
}

void sp_seal_wrap(uint8_t ret_wrapped[SP_WRAPPED_KEY_BYTES], const uint8_t key[SP_KEY_BYTES],
                  const uint8_t recipient_public[32])
{
    if (crypto_box_seal(ret_wrapped, key, SP_KEY_BYTES, recipient_public) != 0)
        sodium_misuse(); /* as in sp_seal_close_to */
}

enum sp_status sp_seal_unwrap(uint8_t ret_key[SP_KEY_BYTES], const uint8_t wrapped[SP_WRAPPED_KEY_BYTES],
                              const uint8_t recipient_public[32], const uint8_t recipient_secret[32],
                              struct sp_err *err)
{
    if (crypto_box_seal_open(ret_key, wrapped, SP_WRAPPED_KEY_BYTES, recipient_public, recipient_secret) != 0)
        return sp_fail(err, SP_E_AUTH, "wrapped key does not open: damaged, or wrapped to another public key");
    return SP_OK;
}

/* context, its NUL, then the bytes, in one piece: `stack` if it fits, else a new buffer, NULL without memory. */
static uint8_t *signed_text(uint8_t stack[SIGNED_ON_STACK], const char *context, const void *bytes, size_t length,
                            size_t *ret_length)
{
    size_t prefix = strlen(context) + 1;
    uint8_t *text = prefix + length <= SIGNED_ON_STACK ? stack : malloc(prefix + length);
    if (!text)
        return NULL;
    memcpy(text, context, prefix);
    if (length > 0)
        memcpy(text + prefix, bytes, length);
    *ret_length = prefix + length;
    return text;
}

void sp_seal_sign(uint8_t ret_signature[SP_SIGNATURE_BYTES], const char *context, const void *bytes, size_t length,
                  const uint8_t secret[64])
{
    uint8_t stack[SIGNED_ON_STACK];
    size_t text_length;
    uint8_t *text = signed_text(stack, context, bytes, length, &text_length);
    memset(ret_signature, 0, SP_SIGNATURE_BYTES); /* verifies for nobody: what stands when memory is out */
    if (text)
        crypto_sign_detached(ret_signature, NULL, text, text_length, secret);
    if (text != stack)
        free(text);
}

enum sp_status sp_seal_verify(const uint8_t signature[SP_SIGNATURE_BYTES], const char *context, const void *bytes,
                              size_t length, const uint8_t public_key[32], struct sp_err *err)
{
    uint8_t stack[SIGNED_ON_STACK];
    size_t text_length;
    uint8_t *text = signed_text(stack, context, bytes, length, &text_length);
    if (!text)
        return sp_fail(err, SP_E_NOMEM, "no memory to verify a signature over %zu bytes", length);
    bool good = crypto_sign_verify_detached(signature, text, text_length, public_key) == 0;
    if (text != stack)
        free(text);
    return good ? SP_OK : sp_fail(err, SP_E_AUTH, "signature does not verify for \"%s\"", context);
}

void sp_seal_to_hex(char *ret_text, const void *bytes, size_t length)
{
    sodium_bin2hex(ret_text, 2 * length + 1, bytes, length);
}

enum sp_status sp_seal_from_hex(void *ret_bytes, size_t length, const char *text, struct sp_err *err)
{
    size_t have = strlen(text), used = 0;
    if (have != 2 * length)
        return sp_fail(err, SP_E_FORMAT, "%zu hex digits where %zu are expected", have, 2 * length);
    if (sodium_hex2bin(ret_bytes, length, text, have, NULL, &used, NULL) != 0 || used != length)
        return sp_fail(err, SP_E_FORMAT, "not all of the %zu characters are hex digits", have);
    return SP_OK;
}
