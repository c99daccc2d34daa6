/* Redis, and the only file over hiredis. One sp_store is one connection, used by one thread; it reconnects by itself
 * with a back-off (25 ms to 1 s, in which every command fails at once) and never blocks longer than the time-out it is
 * given. No command is ever sent twice: a connection that died while idle is renewed before anything is sent, and one
 * that breaks or times out during an exchange is SP_E_UNAVAILABLE: the command may or may not have been done. */
#ifndef SALLYPORT_COMMON_STORE_H
#define SALLYPORT_COMMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

struct sp_store_config {
    const char *address;       /* "unix:/path/redis.sock" or "tcp://127.0.0.1:6379" */
    const char *user;          /* ACL user */
    const char *password_file; /* one line; "" = no authentication */
    int timeout_ms;            /* connect and per command; default 1000 */
};

struct sp_store;

/* Makes the object; does not connect yet (the first command does). Reads the password file; one that everybody may
 * read is refused. */
enum sp_status sp_store_new(struct sp_store **ret_store, const struct sp_store_config *config, struct sp_err *err);
void sp_store_free(struct sp_store **store);
/* Connect now if not connected. SP_E_UNAVAILABLE / SP_E_AUTH (with what the server said). */
enum sp_status sp_store_ping(struct sp_store *store, struct sp_err *err);

enum sp_reply_type { SP_REPLY_NIL, SP_REPLY_INTEGER, SP_REPLY_BYTES, SP_REPLY_STATUS, SP_REPLY_ARRAY, SP_REPLY_ERROR };

/* A reply tree; views are valid until sp_reply_free of its root. The readers take NULL as NIL; sp_reply_at gives NULL out of
 * range. */
typedef struct sp_reply sp_reply;
void sp_reply_free(sp_reply **reply);
enum sp_reply_type sp_reply_type(const sp_reply *reply);
int64_t sp_reply_integer(const sp_reply *reply);                           /* 0 unless INTEGER (or numeric bytes) */
const uint8_t *sp_reply_bytes(const sp_reply *reply, size_t *ret_length);  /* NULL unless BYTES/STATUS/ERROR */
size_t sp_reply_count(const sp_reply *reply);                              /* 0 unless ARRAY */
const sp_reply *sp_reply_at(const sp_reply *reply, size_t index);

/* A command is a vector of binary-safe arguments. */
struct sp_argument {
    const void *bytes;
    size_t length;
};
#define SP_ARG(pointer, size) ((struct sp_argument){(pointer), (size)})
#define SP_ARG_TEXT(text)     ((struct sp_argument){(text), strlen(text)})

/* Send one command and wait. An error reply of the server is SP_E_CONFLICT/SP_E_DENIED/SP_E_FORMAT... with its text
 * (NOPERM, NOAUTH, WRONGPASS -> DENIED/AUTH; OOM, MISCONF, READONLY, LOADING -> UNAVAILABLE; else INTERNAL).
 * ret_reply may be NULL. */
enum sp_status sp_store_command(struct sp_store *store, const struct sp_argument *arguments, int count,
                                sp_reply **ret_reply, struct sp_err *err);

/* Pipeline: queue any number, then collect as many in order. sp_store_append never sends; sp_store_collect does.
 * After SP_E_UNAVAILABLE the whole pipeline is lost (its commands may or may not have been done). */
enum sp_status sp_store_append(struct sp_store *store, const struct sp_argument *arguments, int count,
                               struct sp_err *err);
/* Replies still to be collected; 0 after a loss. (An error reply such as OOM is SP_E_UNAVAILABLE, too, but loses only
 * its own command.) */
int sp_store_pending(const struct sp_store *store);
enum sp_status sp_store_collect(struct sp_store *store, sp_reply **ret_reply, struct sp_err *err);

/* Lua scripts by EVALSHA with fall-back to EVAL on NOSCRIPT. arguments: keys then args. */
struct sp_script {
    const char *text;
    char sha1[41]; /* filled at first use by SCRIPT LOAD; threads that share a script load it before they start */
};
enum sp_status sp_store_eval(struct sp_store *store, struct sp_script *script, const struct sp_argument *keys,
                             int key_count, const struct sp_argument *arguments, int count, sp_reply **ret_reply,
                             struct sp_err *err);
/* The same in a pipeline; the caller has made sure (sp_store_load) that the server knows the script. */
enum sp_status sp_store_load(struct sp_store *store, struct sp_script *script, struct sp_err *err);
enum sp_status sp_store_append_eval(struct sp_store *store, const struct sp_script *script,
                                    const struct sp_argument *keys, int key_count,
                                    const struct sp_argument *arguments, int count, struct sp_err *err);

#endif
