/* Status codes and the error that travels with them.
 *
 * Every function that can fail returns enum sp_status (SP_OK is 0) and takes a last argument struct sp_err *err
 * (may be NULL). On failure it fills err with the code and one sentence that names the thing and the place
 * ("manifest ZX417.csv line 12: ..."). Results are written only on success. Libraries return errors, programs log them. */
#ifndef SALLYPORT_COMMON_STATUS_H
#define SALLYPORT_COMMON_STATUS_H

#define SP_STATUS_LIST(X)                                                                                          \
    X(SP_OK, "ok", "no error")                                                                                     \
    X(SP_E_INVALID, "invalid", "an argument or a setting is not acceptable")                                       \
    X(SP_E_FORMAT, "format", "input does not have the form it must have")                                          \
    X(SP_E_LIMIT, "limit", "input or a queue is over its hard limit")                                              \
    X(SP_E_NOMEM, "nomem", "out of memory")                                                                        \
    X(SP_E_IO, "io", "an operating system call failed")                                                            \
    X(SP_E_NOTFOUND, "notfound", "the named thing does not exist")                                                 \
    X(SP_E_EXISTS, "exists", "the named thing exists already")                                                     \
    X(SP_E_CONFLICT, "conflict", "somebody else changed it first")                                                 \
    X(SP_E_UNAVAILABLE, "unavailable", "a store or service does not answer")                                       \
    X(SP_E_TIMEOUT, "timeout", "time ran out")                                                                     \
    X(SP_E_AUTH, "auth", "a seal, signature or certificate does not verify")                                       \
    X(SP_E_DENIED, "denied", "the identity is not allowed to do this")                                             \
    X(SP_E_UNSUPPORTED, "unsupported", "known, but not supported here")                                            \
    X(SP_E_VERSION, "version", "the version is not spoken here")                                                   \
    X(SP_E_CLOSED, "closed", "it is closed or draining")                                                           \
    X(SP_E_DEVICE, "device", "a compute device failed")                                                            \
    X(SP_E_INTERNAL, "internal", "a defect of this program")

enum sp_status {
#define X(code, name, text) code,
    SP_STATUS_LIST(X)
#undef X
};

/* An error: code and sentence. Zero-initialised means "no error". */
struct sp_err {
    enum sp_status status;
    char text[480];
};

/* The short name ("format") and the general sentence of a code; "unknown" for anything else. Static storage. */
const char *sp_status_name(enum sp_status status);
const char *sp_status_text(enum sp_status status);

/* Fill err (if not NULL) with a printf-style sentence and return status, so that `return sp_fail(...)` reads well. */
enum sp_status sp_fail(struct sp_err *err, enum sp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "context: " in front of the sentence err already holds and return its status. err must not be NULL. */
enum sp_status sp_fail_in(struct sp_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As sp_fail with SP_E_IO, with ": strerror(errno)" appended. Reads errno first. */
enum sp_status sp_fail_errno(struct sp_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
