/* Everything that encrypts, signs or hashes; the only file over libsodium besides key.c and the socket security.
 *
 * Envelopes at rest, associated data bound to the place they lie in (usually the Redis key and field):
 *   suite 1, secret key:  [1][key id 8][nonce 24][XChaCha20-Poly1305 ciphertext + tag 16]
 *   suite 2, to a role:   [2][recipient key id 8][X25519 sealed box]
 * Payloads on the wire (docs/protocol.md): [nonce 24][XChaCha20-Poly1305 ciphertext + tag 16], keys per direction. */
#ifndef SALLYPORT_COMMON_SEAL_H
#define SALLYPORT_COMMON_SEAL_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_KEY_BYTES       32
#define SP_KEY_ID_BYTES    8
#define SP_SIGNATURE_BYTES 64
#define SP_NONCE_BYTES     24
#define SP_TAG_BYTES       16
#define SP_SEAL_OVERHEAD   (1 + SP_KEY_ID_BYTES + SP_NONCE_BYTES + SP_TAG_BYTES)
#define SP_SEAL_TO_OVERHEAD (1 + SP_KEY_ID_BYTES + 48)
#define SP_PAYLOAD_OVERHEAD (SP_NONCE_BYTES + SP_TAG_BYTES)
#define SP_WRAPPED_KEY_BYTES 80 /* crypto_box_seal of a 32-byte key */

/* A symmetric data key. Wipe with sp_seal_wipe when done. id = first 8 bytes of BLAKE2b-256(key). */
struct sp_data_key {
    uint8_t id[SP_KEY_ID_BYTES];
    uint8_t bytes[SP_KEY_BYTES];
};

/* Must be called once by every program before anything else here. Also forbids core dumps and debuggers of the same
 * user (best effort; not in a build with the address sanitizer, whose leak checker needs to attach). */
enum sp_status sp_seal_start(struct sp_err *err);

void sp_seal_random(void *ret_bytes, size_t length);
void sp_seal_wipe(void *bytes, size_t length);
/* Constant-time equality. */
int sp_seal_equal(const void *a, const void *b, size_t length);

/* BLAKE2b of 16..64 bytes; key may be NULL (keyed: 16..64 bytes). */
void sp_seal_hash(void *ret_hash, size_t hash_length, const void *bytes, size_t length, const void *key,
                  size_t key_length);
void sp_seal_sha256(uint8_t ret_hash[32], const void *bytes, size_t length);
void sp_seal_sha512(uint8_t ret_hash[64], const void *bytes, size_t length);

void sp_seal_new_key(struct sp_data_key *ret_key);
void sp_seal_set_key(struct sp_data_key *ret_key, const uint8_t bytes[SP_KEY_BYTES]);

/* Suite 1. ret_sealed must hold length + SP_SEAL_OVERHEAD bytes. */
void sp_seal_close(uint8_t *ret_sealed, const void *plain, size_t length, const void *ad, size_t ad_length,
                   const struct sp_data_key *key);
/* ret_plain must hold sealed_length - SP_SEAL_OVERHEAD bytes. SP_E_AUTH when it does not open (wrong key id, wrong
 * place, damaged). */
enum sp_status sp_seal_open(uint8_t *ret_plain, size_t *ret_length, const uint8_t *sealed, size_t sealed_length,
                            const void *ad, size_t ad_length, const struct sp_data_key *key, struct sp_err *err);

/* Suite 2: to the holder of an X25519 secret key. Sizes: length + SP_SEAL_TO_OVERHEAD. */
void sp_seal_close_to(uint8_t *ret_sealed, const void *plain, size_t length, const uint8_t recipient_public[32]);
enum sp_status sp_seal_open_to(uint8_t *ret_plain, size_t *ret_length, const uint8_t *sealed, size_t sealed_length,
                               const uint8_t recipient_public[32], const uint8_t recipient_secret[32],
                               struct sp_err *err);
/* The 8-byte id of a public key: BLAKE2b-256 truncated. */
void sp_seal_key_id(uint8_t ret_id[SP_KEY_ID_BYTES], const uint8_t public_key[32]);

/* Wire payloads. A session key gives two subkeys (crypto_kdf, context "SPpayld1", id 1 client->worker, 2 worker->client). */
enum sp_direction { SP_TO_WORKER = 1, SP_TO_CLIENT = 2 };
void sp_seal_payload_close(uint8_t *ret_payload, const void *plain, size_t length, const void *ad, size_t ad_length,
                           const uint8_t session_key[SP_KEY_BYTES], enum sp_direction direction);
enum sp_status sp_seal_payload_open(uint8_t *ret_plain, size_t *ret_length, const uint8_t *payload,
                                    size_t payload_length, const void *ad, size_t ad_length,
                                    const uint8_t session_key[SP_KEY_BYTES], enum sp_direction direction,
                                    struct sp_err *err);
/* The session key itself, as an X25519 sealed box (crypto_box_seal, 80 bytes). */
void sp_seal_wrap(uint8_t ret_wrapped[SP_WRAPPED_KEY_BYTES], const uint8_t key[SP_KEY_BYTES],
                  const uint8_t recipient_public[32]);
enum sp_status sp_seal_unwrap(uint8_t ret_key[SP_KEY_BYTES], const uint8_t wrapped[SP_WRAPPED_KEY_BYTES],
                              const uint8_t recipient_public[32], const uint8_t recipient_secret[32],
                              struct sp_err *err);

/* Ed25519 over context (with its NUL) followed by the bytes, so that a signature for one purpose serves no other. */
void sp_seal_sign(uint8_t ret_signature[SP_SIGNATURE_BYTES], const char *context, const void *bytes, size_t length,
                  const uint8_t secret[64]);
enum sp_status sp_seal_verify(const uint8_t signature[SP_SIGNATURE_BYTES], const char *context, const void *bytes,
                              size_t length, const uint8_t public_key[32], struct sp_err *err);

/* Hex both ways; ret_text holds 2 * length + 1. sp_seal_from_hex wants exactly 2 * length digits. */
void sp_seal_to_hex(char *ret_text, const void *bytes, size_t length);
enum sp_status sp_seal_from_hex(void *ret_bytes, size_t length, const char *text, struct sp_err *err);

#endif
