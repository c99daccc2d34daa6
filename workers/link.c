#include "workers/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/curve.h"
#include "workers/link_part.h"

enum {
    TICK_MS = 50,
    GREET_WITHIN_MS = 5000, /* then a fresh connection */
    SILENT_BEATS = 3,
    DRAINED_MS = 200, /* after DRAIN a job may still be on its way */
    LAST_WORDS_MS = 1000,
    BURST = 64, /* messages of one broker before the others have their turn */
    MESSAGE_MAX = 16 << 20
};

void sp_link_note(struct sp_link *link, enum sp_log_level level, const char *id, const char *format, ...)
{
    char text[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    link->config.note(link->config.context, level, id, text);
}

int sp_link_count(const char *brokers)
{
    int count = 0;
    for (const char *at = brokers; at && *at;) {
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof((struct broker *)0)->address || ++count > SP_LINK_MAX_BROKERS)
            return 0;
        at += length + (at[length] == ',');
    }
    return count;
}

enum sp_status sp_link_new(struct sp_link **ret_link, const struct sp_link_config *config, struct sp_err *err)
{
    int count = sp_link_count(config->brokers);
    if (!count || (config->server_count != 1 && config->server_count != count))
        return sp_fail(err, SP_E_INVALID,
                       "brokers: '%s' needs 1..%d addresses with commas between them and one key "
                       "for all or one for each",
                       config->brokers, SP_LINK_MAX_BROKERS);
    struct sp_link *link = calloc(1, sizeof *link);
    if (!link)
        return sp_fail(err, SP_E_NOMEM, "link: out of memory");
    link->config = *config;
    link->count = count;
    const char *at = config->brokers;
    for (int i = 0; i < count; i++) {
        size_t length = strcspn(at, ",");
        memcpy(link->brokers[i].address, at, length);
        memcpy(link->brokers[i].server, config->servers[config->server_count == 1 ? 0 : i], 32);
        at += length + 1;
    }
    sp_seal_random(link->want_key, sizeof link->want_key);
    sp_seal_wrap(link->want_wrapped, link->want_key, config->fleet_public);
    sp_seal_key_id(link->fleet_id, config->fleet_public);
    if (!(link->zmq = zmq_ctx_new())) {
        free(link);
        return sp_fail(err, SP_E_NOMEM, "link: no ZeroMQ context: %s", zmq_strerror(zmq_errno()));
    }
    *ret_link = link;
    return SP_OK;
}

static void close_broker(struct sp_link *link, struct broker *broker, int linger_ms)
{
    if (broker->greeted)
        atomic_fetch_sub(&link->greeted, 1);
    broker->greeted = false;
    if (broker->monitor) {
        zmq_socket_monitor(broker->socket, NULL, 0);
        zmq_close(broker->monitor);
    }
    if (broker->socket) {
        zmq_setsockopt(broker->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close(broker->socket);
    }
    broker->socket = broker->monitor = NULL;
}

void sp_link_free(struct sp_link **link)
{
    if (!link || !*link)
        return;
    for (int i = 0; i < (*link)->count; i++)
        close_broker(*link, &(*link)->brokers[i], 0);
    zmq_ctx_term((*link)->zmq);
    sp_seal_wipe(*link, sizeof **link);
    free(*link);
    *link = NULL;
}

static void open_broker(struct sp_link *link, struct broker *broker)
{
    struct sp_err err = {0};
    int64_t largest = MESSAGE_MAX;
    int inbox = 4 * link->config.credit +
                256; /* parts: credit is the limit that counts, this one is for a broker gone mad */
    broker->opened_ns = broker->heard_ns = sp_clock_mono_ns();
    broker->heartbeat_ms = 1000;
    broker->socket = zmq_socket(link->zmq, ZMQ_DEALER);
    enum sp_status status = SP_OK;
    if (!broker->socket || zmq_setsockopt(broker->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) != 0 ||
        zmq_setsockopt(broker->socket, ZMQ_RCVHWM, &inbox, sizeof inbox) != 0)
        status = sp_fail(&err, SP_E_INTERNAL, "no socket: %s", zmq_strerror(zmq_errno()));
    if (status == SP_OK)
        status = sp_curve_client(broker->socket, link->config.self, broker->server, &err);
    if (status == SP_OK)
        status = sp_curve_watch(link->zmq, broker->socket, &broker->monitor, &err);
    if (status == SP_OK && zmq_connect(broker->socket, broker->address) != 0)
        status = sp_fail(&err, SP_E_INVALID, "cannot connect: %s", zmq_strerror(zmq_errno()));
    if (status == SP_OK)
        sp_link_say_ready(link, broker);
    else {
        sp_link_note(link, SP_LOG_ERROR, "WRK-CONNECT", "%s: %s", broker->address, err.text);
        close_broker(link, broker, 0);
    }
}

/* What the monitor says: a refused key is an error that only a person can mend; it is said once. */
static void hear_monitor(struct sp_link *link, struct broker *broker)
{
    for (;;) {
        struct sp_err err = {0};
        enum sp_status status = sp_curve_event(broker->monitor, &err);
        if (status == SP_E_NOTFOUND || status == SP_E_CLOSED)
            return;
        snprintf(broker->trouble, sizeof broker->trouble, "%.255s", status == SP_OK ? "" : err.text);
        if (status == SP_E_AUTH && !broker->refused) {
            broker->refused = true;
            sp_link_note(link, SP_LOG_ERROR, "WRK-REFUSED", "%s", err.text);
        }
    }
}

/* Time passes: a silent broker gets a fresh connection, a living one a beat. */
static void tend(struct sp_link *link, struct broker *broker, uint64_t now_ns)
{
    if (!broker->socket) {
        if (now_ns - broker->opened_ns > 1000 * SP_NS_PER_MS)
            open_broker(link, broker);
        return;
    }
    uint64_t beat_ns = broker->heartbeat_ms * SP_NS_PER_MS;
    bool silent = broker->greeted ? now_ns > broker->heard_ns && now_ns - broker->heard_ns > SILENT_BEATS * beat_ns
                                  : now_ns - broker->opened_ns > GREET_WITHIN_MS * SP_NS_PER_MS;
    if (silent) {
        if (broker->greeted)
            sp_link_note(link, SP_LOG_WARN, "WRK-BROKER-SILENT", "%s (%s) fell silent: connecting anew",
                         broker->address, broker->name);
        else if (!broker->unheard && !broker->refused)
            sp_link_note(link, SP_LOG_WARN, "WRK-NO-BROKER",
                         "%s has not greeted this worker for %d ms%s%s: trying on", broker->address,
                         GREET_WITHIN_MS, broker->trouble[0] ? ": " : "", broker->trouble);
        broker->unheard = true;
        close_broker(link, broker, 0);
        open_broker(link, broker);
    } else if (broker->greeted && now_ns - broker->sent_ns >= beat_ns && link->config.alive(link->config.context)) {
        sp_link_say_bare(link, broker, SP_MSG_BEAT);
    }
}

static void send_results(struct sp_link *link)
{
    void *jobs[BURST];
    sp_queue_calm(link->config.results);
    for (int count; (count = sp_queue_take(link->config.results, jobs, BURST, 0, NULL)) > 0;)
        for (int i = 0; i < count; i++)
            sp_link_say_result(link, jobs[i]);
}

static void send_wants(struct sp_link *link)
{
    struct sp_want want;
    struct broker *first = NULL;
    for (int i = 0; i < link->count && !first; i++)
        first = link->brokers[i].greeted ? &link->brokers[i] : NULL;
    while (first && link->config.wants && sp_wants_take(link->config.wants, &want))
        sp_link_say_want(link, first, &want);
}

/* True when everything is said and the link may end. */
static bool drained(struct sp_link *link, uint64_t now_ns)
{
    if (!atomic_load(&link->draining))
        return false;
    if (!link->drain_said) {
        link->drain_said = true;
        for (int i = 0; i < link->count; i++)
            if (link->brokers[i].greeted)
                sp_link_say_bare(link, &link->brokers[i], SP_MSG_DRAIN);
    }
    if (sp_job_pool_out(link->config.pool) > 0)
        link->quiet_ns = 0;
    else if (!link->quiet_ns)
        link->quiet_ns = now_ns;
    return link->quiet_ns && now_ns - link->quiet_ns >= DRAINED_MS * SP_NS_PER_MS;
}

static void wait_for_work(struct sp_link *link)
{
    zmq_pollitem_t items[1 + 2 * SP_LINK_MAX_BROKERS];
    int count = 0;
    items[count++] = (zmq_pollitem_t){NULL, sp_queue_fd(link->config.results), ZMQ_POLLIN, 0};
    for (int i = 0; i < link->count; i++)
        if (link->brokers[i].socket) {
            items[count++] = (zmq_pollitem_t){link->brokers[i].socket, 0, ZMQ_POLLIN, 0};
            items[count++] = (zmq_pollitem_t){link->brokers[i].monitor, 0, ZMQ_POLLIN, 0};
        }
    zmq_poll(items, count, TICK_MS); /* interrupted or not: the caller looks at everything */
}

void sp_link_run(struct sp_link *link)
{
    for (int i = 0; i < link->count; i++)
        open_broker(link, &link->brokers[i]);
    for (;;) {
        wait_for_work(link);
        send_results(link);
        for (int i = 0; i < link->count; i++) {
            struct broker *broker = &link->brokers[i];
            for (int k = 0; broker->socket && k < BURST && sp_link_hear(link, broker, i); k++)
                continue;
            if (broker->socket)
                hear_monitor(link, broker);
        }
        uint64_t now_ns = sp_clock_mono_ns();
        for (int i = 0; i < link->count; i++)
            tend(link, &link->brokers[i], now_ns);
        send_wants(link);
        if (drained(link, now_ns))
            break;
    }
    for (int i = 0; i < link->count; i++) {
        if (link->brokers[i].greeted)
            sp_link_say_bare(link, &link->brokers[i], SP_MSG_BYE);
        close_broker(link, &link->brokers[i], LAST_WORDS_MS);
    }
}

void sp_link_drain(struct sp_link *link)
{
    atomic_store(&link->draining, true);
}

int sp_link_greeted(const struct sp_link *link)
{
    return atomic_load(&link->greeted);
}
