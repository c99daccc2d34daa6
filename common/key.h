/* Key files, certificates and the peer table.
 *
 * A key file is a small YAML text, mode 0600 for secrets:
 *     sallyport_key: 1
 *     kind: box-secret        # curve|box|sign, -public|-secret
 *     name: fleet
 *     public: <64 hex digits>
 *     secret: <64 hex; sign: 128 hex>   # only in *-secret
 * curve = CurveZMQ identity of a process, box = X25519 (fleet, ops, recorder), sign = Ed25519 (authority, workers).
 * A certificate is an authority's Ed25519 signature over a public key: what the wire carries is the msgpack array
 * [body bin, signature bin64], body = map {v:1, kind:"fleet"|"worker", name, key bin32, not_after_ms}. */
#ifndef SALLYPORT_COMMON_KEY_H
#define SALLYPORT_COMMON_KEY_H

#include <stdbool.h>
#include "common/seal.h"

#define SP_NAME_MAX        48 /* names of lanes, terminals, peers: [A-Za-z0-9._-], with the NUL */
#define SP_CERT_MAX_BYTES  512
#define SP_CERT_CONTEXT    "sallyport certificate 1"

enum sp_key_kind { SP_KEY_CURVE, SP_KEY_BOX, SP_KEY_SIGN };

struct sp_key_file {
    enum sp_key_kind kind;
    bool has_secret;
    char name[SP_NAME_MAX];
    uint8_t public_key[32];
    uint8_t secret[64]; /* curve, box: 32 bytes used; sign: 64 */
};

/* "curve", "box", "sign" */
const char *sp_key_kind_word(enum sp_key_kind kind);
/* A fresh pair. */
void sp_key_generate(struct sp_key_file *ret_key, enum sp_key_kind kind, const char *name);
/* Read a key file; a secret file that others may read is refused (SP_E_DENIED, says chmod 600). Without need_secret
 * a secret that stands in the file is not kept. */
enum sp_status sp_key_load(struct sp_key_file *ret_key, const char *path, enum sp_key_kind kind, bool need_secret,
                           struct sp_err *err);
/* The same from memory (at most 2 KiB), any kind, without the checks of need and mode; source is for messages. */
enum sp_status sp_key_parse(struct sp_key_file *ret_key, const char *source, const void *bytes, size_t length,
                            struct sp_err *err);
/* False for a public key that no honest key pair has (X25519: of small order; Ed25519: no point of the group). */
bool sp_key_public_ok(enum sp_key_kind kind, const uint8_t public_key[32]);
/* Write PATH: with_secret: mode 0600, else public only, mode 0644. */
enum sp_status sp_key_save(const struct sp_key_file *key, const char *path, bool with_secret, struct sp_err *err);
void sp_key_wipe(struct sp_key_file *key);
/* True if text is 1..SP_NAME_MAX-1 characters of [A-Za-z0-9._-] and does not begin with '.' or '-'. */
bool sp_key_name_ok(const char *text);

struct sp_cert {
    char kind[16];
    char name[SP_NAME_MAX];
    uint8_t key[32];
    int64_t not_after_ms; /* wall clock, Unix epoch */
};

/* Encoded certificate (<= SP_CERT_MAX_BYTES) signed by the authority. */
enum sp_status sp_cert_issue(uint8_t *ret_bytes, size_t *ret_length, const struct sp_cert *cert,
                             const struct sp_key_file *authority, struct sp_err *err);
/* Verify signature, kind and time. SP_E_AUTH says which of them failed. */
enum sp_status sp_cert_verify(struct sp_cert *ret_cert, const uint8_t *bytes, size_t length, const char *kind,
                              const uint8_t authority_public[32], int64_t now_ms, struct sp_err *err);

#endif
