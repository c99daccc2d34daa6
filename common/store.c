/* hiredis connects, formats commands and parses replies. Sending and receiving are done here, so that one deadline
 * bounds a whole exchange (hiredis' own time-outs start anew with every read) and a dead server raises no SIGPIPE.
 */
#include "common/store.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/seal.h"

#define DEFAULT_TIMEOUT_MS 1000
#define BACKOFF_FIRST_MS   25
#define BACKOFF_MOST_MS    1000
#define PASSWORD_MAX       512
#define OUT_MOST           (256u << 20) /* queued commands */
#define OUT_KEPT           (1u << 20)   /* what stays allocated between exchanges */
#define ARGUMENTS_MOST     (1 << 20)
#define RECEIVE_BYTES      16384

/* Formatted commands that wait to be sent: bytes[sent..length). */
struct outbox {
    uint8_t *bytes;
    size_t length, capacity, sent;
};

struct sp_store {
    char *address; /* as configured, for messages */
    char *host;    /* tcp: host; unix: path */
    int port;      /* 0: unix socket */
    char *user;
    char *password; /* "" = no authentication */
    int timeout_ms;
    redisContext *context; /* NULL: not connected */
    struct outbox out;
    bool exchanging;      /* some of the pending commands may have been sent: no quiet reconnection now */
    int pending;          /* commands queued or sent whose replies are still to be collected */
    int lost;             /* commands of a broken pipeline that the caller has not heard of yet */
    uint64_t retry_at_ns; /* back-off: no new connection before */
    int backoff_ms;
    struct sp_err refusal; /* why the last connection failed; repeated during the back-off */
};

/* ---- making ---- */

static enum sp_status parse_address(struct sp_store *store, struct sp_err *err)
{
    const char *address = store->address;
    if (strncmp(address, "unix:/", 6) == 0) {
        if (strlen(address + 5) >= sizeof((struct sockaddr_un *)0)->sun_path)
            return sp_fail(err, SP_E_INVALID, "store address %s: a socket's path has at most 107 characters",
                           address);
        store->host = strdup(address + 5);
        return store->host ? SP_OK : sp_fail(err, SP_E_NOMEM, "no memory for a store");
    }
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (strncmp(address, "tcp://", 6) != 0 || colon <= address + 6 || port < 1 || port > 65535 || *end)
        return sp_fail(err, SP_E_INVALID,
                       "store address \"%s\": write unix:/path/redis.sock or tcp://127.0.0.1:6379", address);
    const char *host = address + 6;
    size_t length = (size_t)(colon - host);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') { /* an IPv6 address in its brackets */
        host++;
        length -= 2;
    }
    store->host = strndup(host, length);
    store->port = (int)port;
    return store->host ? SP_OK : sp_fail(err, SP_E_NOMEM, "no memory for a store");
}

static enum sp_status read_password(struct sp_store *store, const char *path, struct sp_err *err)
{
    struct stat about;
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (stat(path, &about) == 0 && (about.st_mode & S_IRWXO))
        return sp_fail(err, SP_E_DENIED, "%s: a password that everybody may read: chmod 600 it", path);
    enum sp_status status = sp_file_read(&bytes, &length, path, PASSWORD_MAX, err);
    if (status != SP_OK)
        return status;
    length = strcspn((char *)bytes, "\r\n");
    if (length == 0)
        status = sp_fail(err, SP_E_FORMAT, "%s: its first line, the password, is empty", path);
    else if (!(store->password = strndup((char *)bytes, length)))
        status = sp_fail(err, SP_E_NOMEM, "no memory for a store");
    sp_seal_wipe(bytes, length);
    free(bytes);
    return status;
}

enum sp_status sp_store_new(struct sp_store **ret_store, const struct sp_store_config *config, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    struct sp_store *store = calloc(1, sizeof *store);
    if (!store)
        return sp_fail(err, SP_E_NOMEM, "no memory for a store");
    store->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : DEFAULT_TIMEOUT_MS;
    store->address = strdup(config->address ? config->address : "");
    store->user = strdup(config->user ? config->user : "");
    if (!store->address || !store->user) {
        status = sp_fail(err, SP_E_NOMEM, "no memory for a store");
        goto fail;
    }
    status = parse_address(store, err);
    if (status == SP_OK && config->password_file && config->password_file[0])
        status = read_password(store, config->password_file, err);
    if (status != SP_OK)
        goto fail;
    *ret_store = store;
    return SP_OK;
fail:
    sp_store_free(&store);
    return status;
}

void sp_store_free(struct sp_store **store)
{
    struct sp_store *s = *store;
    if (!s)
        return;
    if (s->context)
        redisFree(s->context);
    if (s->password) {
        sp_seal_wipe(s->password, strlen(s->password));
        free(s->password);
    }
    free(s->out.bytes);
    free(s->user);
    free(s->host);
    free(s->address);
    free(s);
    *store = NULL;
}

/* ---- the exchange of bytes ---- */

/* Give the connection up. What was queued or sent is lost, and each of its commands will say so when collected. */
static void drop(struct sp_store *store)
{
    if (store->context)
        redisFree(store->context);
    store->context = NULL;
    store->exchanging = false;
    store->lost += store->pending;
    store->pending = 0;
    store->out.length = store->out.sent = 0;
}

static enum sp_status broken(const struct sp_store *store, const char *what, struct sp_err *err)
{
    return sp_fail(err, SP_E_UNAVAILABLE, "store %s: %s; what was asked may or may not have been done",
                   store->address, what);
}

/* Send what the kernel takes now. */
static bool send_some(const struct sp_store *store, struct outbox *out)
{
    while (out->sent < out->length) {
        ssize_t put =
            send(store->context->fd, out->bytes + out->sent, out->length - out->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        out->sent += (size_t)put;
    }
    out->length = out->sent = 0;
    if (out->capacity > OUT_KEPT) {
        free(out->bytes);
        *out = (struct outbox){0};
    }
    return true;
}

/* Read what has come. False at the end of the connection. */
static bool receive_some(struct sp_store *store)
{
    char bytes[RECEIVE_BYTES];
    ssize_t got = recv(store->context->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return got > 0 && redisReaderFeed(store->context->reader, bytes, (size_t)got) == REDIS_OK;
}

/* The next reply, sending on the way what is queued; one deadline for all of it. After a failure the connection is
 * of no use any more. */
static enum sp_status next_reply(struct sp_store *store, struct outbox *out, redisReply **ret_reply,
                                 struct sp_err *err)
{
    uint64_t deadline = sp_clock_mono_ns() + (uint64_t)store->timeout_ms * SP_NS_PER_MS;
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(store->context->reader, &reply) != REDIS_OK)
            return broken(store, "what answers there is no Redis", err);
        if (reply) {
            *ret_reply = reply;
            return SP_OK;
        }
        if (!send_some(store, out))
            return broken(store, "the connection broke while sending", err);
        uint64_t now = sp_clock_mono_ns();
        if (now >= deadline) {
            char what[64];
            snprintf(what, sizeof what, "no answer within %d ms", store->timeout_ms);
            return broken(store, what, err);
        }
        struct pollfd waiting = {store->context->fd, POLLIN, 0};
        if (out->sent < out->length)
            waiting.events |= POLLOUT;
        int ready = poll(&waiting, 1, (int)((deadline - now) / SP_NS_PER_MS) + 1);
        if (ready < 0 && errno != EINTR)
            return broken(store, strerror(errno), err);
        if (ready > 0 && (waiting.revents & (POLLIN | POLLHUP | POLLERR)) && !receive_some(store))
            return broken(store, "the server closed the connection", err);
    }
}

static bool reserve(struct outbox *out, size_t more)
{
    size_t wanted = out->length + more;
    if (wanted <= out->capacity)
        return true;
    size_t capacity = 2 * wanted + 256;
    uint8_t *grown = realloc(out->bytes, capacity);
    if (!grown)
        return false;
    out->bytes = grown;
    out->capacity = capacity;
    return true;
}

/* Format a command behind those already queued. */
static enum sp_status queue_command(const struct sp_store *store, struct outbox *out,
                                    const struct sp_argument *arguments, int count, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    char *command = NULL;
    if (count < 1 || count > ARGUMENTS_MOST)
        return sp_fail(err, SP_E_INVALID, "store %s: a command of %d arguments", store->address, count);
    const char **pointers = malloc((size_t)count * (sizeof *pointers + sizeof(size_t)));
    if (!pointers)
        return sp_fail(err, SP_E_NOMEM, "store %s: no memory for a command", store->address);
    size_t *lengths = (size_t *)(pointers + count);
    for (int i = 0; i < count; i++) {
        pointers[i] = arguments[i].length ? arguments[i].bytes : "";
        lengths[i] = arguments[i].length;
    }
    int formatted = redisFormatCommandArgv(&command, count, pointers, lengths);
    free(pointers);
    if (formatted <= 0)
        return sp_fail(err, SP_E_NOMEM, "store %s: no memory for a command", store->address);
    size_t length = (size_t)formatted;
    if (length > OUT_MOST - out->length) {
        status =
            sp_fail(err, SP_E_LIMIT, "store %s: more than %u bytes of commands at once", store->address, OUT_MOST);
    } else if (!reserve(out, length)) {
        status = sp_fail(err, SP_E_NOMEM, "store %s: no memory for a command", store->address);
    } else {
        memcpy(out->bytes + out->length, command, length);
        out->length += length;
    }
    redisFreeCommand(command);
    return status;
}

/* ---- connecting ---- */

/* What the server's error words mean here. */
static enum sp_status status_of_error(const char *text)
{
    static const struct {
        const char *word;
        enum sp_status status;
    } words[] = {
        {"NOPERM", SP_E_DENIED},
        {"NOAUTH", SP_E_AUTH},
        {"WRONGPASS", SP_E_AUTH},
        {"OOM", SP_E_UNAVAILABLE},
        {"MISCONF", SP_E_UNAVAILABLE},
        {"READONLY", SP_E_UNAVAILABLE},
        {"LOADING", SP_E_UNAVAILABLE},
        {"BUSY", SP_E_UNAVAILABLE},
        {"MASTERDOWN", SP_E_UNAVAILABLE},
        {"NOREPLICAS", SP_E_UNAVAILABLE},
        {"ERR max number of clients", SP_E_UNAVAILABLE},
        {"NOSCRIPT", SP_E_NOTFOUND},
        {"NOGROUP", SP_E_NOTFOUND},
        {"BUSYGROUP", SP_E_EXISTS},
        {"BUSYKEY", SP_E_EXISTS},
        {"EXECABORT", SP_E_CONFLICT},
        {"CONFLICT", SP_E_CONFLICT},
        {"WRONGTYPE", SP_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].word);
        if (strncmp(text, words[i].word, length) == 0 && (text[length] == ' ' || text[length] == 0))
            return words[i].status;
    }
    return SP_E_INTERNAL;
}

/* Hand a reply over, or turn an error reply into a status. */
static enum sp_status deliver(struct sp_store *store, redisReply *reply, sp_reply **ret_reply, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    if (reply->type == REDIS_REPLY_ERROR)
        status = sp_fail(err, status_of_error(reply->str), "store %s: %s", store->address, reply->str);
    if (status == SP_OK && ret_reply)
        *ret_reply = (sp_reply *)reply;
    else
        freeReplyObject(reply);
    return status;
}

/* AUTH has an outbox of its own: the caller's commands wait in the other one meanwhile. */
static enum sp_status authenticate(struct sp_store *store, struct sp_err *err)
{
    struct outbox out = {0};
    struct sp_argument arguments[3] = {SP_ARG_TEXT("AUTH")};
    int count = 1;
    redisReply *reply = NULL;
    if (!store->password)
        return SP_OK;
    if (store->user[0])
        arguments[count++] = SP_ARG_TEXT(store->user);
    arguments[count++] = SP_ARG_TEXT(store->password);
    enum sp_status status = queue_command(store, &out, arguments, count, err);
    if (status == SP_OK)
        status = next_reply(store, &out, &reply, err);
    if (status == SP_OK)
        status = deliver(store, reply, NULL, err);
    free(out.bytes);
    return status;
}

static enum sp_status try_connect(struct sp_store *store, struct sp_err *err)
{
    struct timeval timeout = {store->timeout_ms / 1000, store->timeout_ms % 1000 * 1000};
    store->context = store->port ? redisConnectWithTimeout(store->host, store->port, timeout)
                                 : redisConnectUnixWithTimeout(store->host, timeout);
    if (!store->context)
        return sp_fail(err, SP_E_NOMEM, "store %s: no memory to connect", store->address);
    if (store->context->err)
        return sp_fail(err, SP_E_UNAVAILABLE, "store %s: cannot connect: %s", store->address,
                       store->context->errstr);
    (void)fcntl(store->context->fd, F_SETFD, FD_CLOEXEC);
    return authenticate(store, err);
}

/* The server closed the connection, or wrote into it unasked, since the last exchange. Found before anything of the
 * next one is sent, so connecting anew can repeat nothing. */
static bool gone_stale(struct sp_store *store)
{
    char byte;
    ssize_t got = recv(store->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Called only while no command of the present exchange has been sent. */
static enum sp_status ensure_connected(struct sp_store *store, struct sp_err *err)
{
    if (store->context && !gone_stale(store))
        return SP_OK;
    if (store->context)
        redisFree(store->context);
    store->context = NULL;
    uint64_t now = sp_clock_mono_ns();
    if (now < store->retry_at_ns)
        return sp_fail(err, store->refusal.status, "%s (next try in %d ms)", store->refusal.text,
                       (int)((store->retry_at_ns - now) / SP_NS_PER_MS) + 1);
    enum sp_status status = try_connect(store, &store->refusal);
    if (status == SP_OK) {
        store->backoff_ms = 0;
        return SP_OK;
    }
    if (store->context)
        redisFree(store->context);
    store->context = NULL;
    store->backoff_ms = store->backoff_ms ? 2 * store->backoff_ms : BACKOFF_FIRST_MS;
    if (store->backoff_ms > BACKOFF_MOST_MS)
        store->backoff_ms = BACKOFF_MOST_MS;
    store->retry_at_ns = sp_clock_mono_ns() + (uint64_t)store->backoff_ms * SP_NS_PER_MS;
    return sp_fail(err, status, "%s", store->refusal.text);
}

/* ---- commands ---- */

enum sp_status sp_store_append(struct sp_store *store, const struct sp_argument *arguments, int count,
                               struct sp_err *err)
{
    store->lost = 0; /* the caller went on without hearing of an earlier loss */
    enum sp_status status = queue_command(store, &store->out, arguments, count, err);
    if (status == SP_OK)
        store->pending++;
    return status;
}

int sp_store_pending(const struct sp_store *store)
{
    return store->pending;
}

enum sp_status sp_store_collect(struct sp_store *store, sp_reply **ret_reply, struct sp_err *err)
{
    redisReply *reply = NULL;
    enum sp_status status = SP_OK;
    if (store->pending == 0 && store->lost > 0) {
        store->lost--;
        return sp_fail(err, SP_E_UNAVAILABLE, "store %s: lost with the commands before it", store->address);
    }
    if (store->pending == 0)
        return sp_fail(err, SP_E_INTERNAL, "store %s: a reply is collected that was not asked for", store->address);
    if (!store->exchanging)
        status = ensure_connected(store, err);
    if (status == SP_OK)
        status = next_reply(store, &store->out, &reply, err);
    if (status != SP_OK) {
        drop(store);
        store->lost--; /* this one is told now */
        return status;
    }
    store->pending--;
    store->exchanging = store->pending > 0;
    return deliver(store, reply, ret_reply, err);
}

enum sp_status sp_store_command(struct sp_store *store, const struct sp_argument *arguments, int count,
                                sp_reply **ret_reply, struct sp_err *err)
{
    if (store->pending > 0)
        return sp_fail(err, SP_E_INTERNAL, "store %s: a command inside a pipeline of %d", store->address,
                       store->pending);
    enum sp_status status = sp_store_append(store, arguments, count, err);
    return status == SP_OK ? sp_store_collect(store, ret_reply, err) : status;
}

enum sp_status sp_store_ping(struct sp_store *store, struct sp_err *err)
{
    struct sp_argument ping = SP_ARG_TEXT("PING");
    return sp_store_command(store, &ping, 1, NULL, err);
}

/* ---- replies: hiredis' tree under another name ---- */

/* An absent reply reads as NIL, so that readers can go through a tree of unknown form without a question at each step. */
static const redisReply *reply_of(const sp_reply *reply)
{
    static const redisReply nothing = {.type = REDIS_REPLY_NIL};
    return reply ? (const redisReply *)reply : &nothing;
}

void sp_reply_free(sp_reply **reply)
{
    if (*reply)
        freeReplyObject(*reply);
    *reply = NULL;
}

enum sp_reply_type sp_reply_type(const sp_reply *reply)
{
    switch (reply_of(reply)->type) {
    case REDIS_REPLY_INTEGER:
        return SP_REPLY_INTEGER;
    case REDIS_REPLY_STRING:
        return SP_REPLY_BYTES;
    case REDIS_REPLY_STATUS:
        return SP_REPLY_STATUS;
    case REDIS_REPLY_ARRAY:
        return SP_REPLY_ARRAY;
    case REDIS_REPLY_ERROR:
        return SP_REPLY_ERROR;
    default:
        return SP_REPLY_NIL;
    }
}

int64_t sp_reply_integer(const sp_reply *reply)
{
    const redisReply *r = reply_of(reply);
    if (r->type == REDIS_REPLY_INTEGER)
        return r->integer;
    if (r->type != REDIS_REPLY_STRING || r->len == 0)
        return 0;
    char *end;
    errno = 0;
    long long value = strtoll(r->str, &end, 10);
    return errno == 0 && end == r->str + r->len ? value : 0;
}

const uint8_t *sp_reply_bytes(const sp_reply *reply, size_t *ret_length)
{
    const redisReply *r = reply_of(reply);
    if (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS && r->type != REDIS_REPLY_ERROR)
        return NULL;
    *ret_length = r->len;
    return (const uint8_t *)r->str;
}

size_t sp_reply_count(const sp_reply *reply)
{
    return reply_of(reply)->type == REDIS_REPLY_ARRAY ? reply_of(reply)->elements : 0;
}

const sp_reply *sp_reply_at(const sp_reply *reply, size_t index)
{
    return index < sp_reply_count(reply) ? (const sp_reply *)reply_of(reply)->element[index] : NULL;
}
