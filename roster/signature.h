/* The detached signature of a carrier's file: who sent it, when, under which name (docs/manifests.md 9.2).
 *
 * NAME.sig is a small YAML text:
 *     sallyport_signature: 1
 *     key: <64 hex digits>        # the carrier's public sign key
 *     signed_ms: 1796385600000    # wall clock of the signer
 *     signature: <128 hex digits>
 * The signature is Ed25519 (common/seal.h) in the context below over: signed_ms as 8 bytes big-endian, the length of the file's
 * name as 2 bytes big-endian, the name without directories, the file's bytes. So a file cannot be altered, renamed or
 * given another time. Whether it is too old is the taker's question: sp_signature_fresh. */
#ifndef SALLYPORT_ROSTER_SIGNATURE_H
#define SALLYPORT_ROSTER_SIGNATURE_H

#include "common/key.h"

#define SP_SIGNATURE_CONTEXT    "sallyport listing 1"
#define SP_SIGNATURE_SUFFIX     ".sig"
#define SP_SIGNATURE_TEXT_MAX   1024
#define SP_SIGNATURE_MAX_AGE_MS (48 * 3600000ll)
#define SP_SIGNATURE_AHEAD_MS   (10 * 60000ll) /* how far a signer's clock may run ahead */

struct sp_signature {
    uint8_t key[32];
    int64_t signed_ms;
    uint8_t bytes[SP_SIGNATURE_BYTES];
};

/* name: the file's, without directories. SP_E_NOMEM: the bytes are copied once. */
enum sp_status sp_signature_make(struct sp_signature *ret_signature, const struct sp_key_file *key, int64_t signed_ms,
                                 const char *name, const void *bytes, size_t length, struct sp_err *err);
/* SP_E_AUTH: not of this key, name, time and bytes. */
enum sp_status sp_signature_verify(const struct sp_signature *signature, const char *name, const void *bytes,
                                   size_t length, struct sp_err *err);
/* The file form. ret_text: SP_SIGNATURE_TEXT_MAX. */
void sp_signature_print(char *ret_text, const struct sp_signature *signature);
/* source is for messages. SP_E_FORMAT, SP_E_LIMIT, SP_E_VERSION. */
enum sp_status sp_signature_parse(struct sp_signature *ret_signature, const char *source, const void *bytes,
                                  size_t length, struct sp_err *err);
/* Against replays of an old list: refuses (SP_E_DENIED, with the ages) what is over 48 h old or further ahead than clocks
 * differ. newest_ms: of what was taken of this journey so far, 0: nothing; what is older is refused. */
enum sp_status sp_signature_fresh(const struct sp_signature *signature, int64_t now_ms, int64_t newest_ms,
                                  struct sp_err *err);

#endif
