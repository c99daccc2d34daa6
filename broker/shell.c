#include "broker/shell.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "broker/delivery.h"
#include "broker/report.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/program.h"

#define TICK_MS       20
#define REPORT_MS     250
#define BATCH         64 /* messages of one socket before the other one's turn */
#define PART_SLACK    65536
#define FRONT_RECEIVE 16 /* per client: more only waits here, uncounted */
#define SPARE_SEND    64 /* refusals and heartbeats beside the answers */

struct shell {
    const struct broker_config *config;
    const struct sp_log *log;
    int signal_fd;
    void *context, *front, *back;
    struct sp_peers *peers;
    struct sp_zap *zap;
    struct sp_key_file authority;
    uint8_t *fleet_cert;
    size_t fleet_cert_length;
    struct broker *broker;
    struct broker_outbox *out;
    struct delivery *delivery;
    struct sp_metrics *metrics;
    struct sp_health *health;
    struct report *report;
    struct socket_message message;
    struct sp_header header;
    uint8_t (*keys)[32]; /* room for every session's and worker's */
    uint64_t dropped;
    uint64_t drain_until; /* 0: not draining */
    uint64_t next_tick, next_peers, next_report;
    atomic_bool ready;
};

static bool is_ready(void *context)
{
    return atomic_load(&((struct shell *)context)->ready);
}

/* ---- making and freeing ---- */

static enum sp_status load_keys(struct shell *shell, struct sp_key_file *ret_self, struct sp_err *err)
{
    const struct broker_config *config = shell->config;
    struct sp_cert cert;
    enum sp_status status = sp_key_load(ret_self, config->curve, SP_KEY_CURVE, true, err);
    if (status == SP_OK)
        status = sp_key_load(&shell->authority, config->authority, SP_KEY_SIGN, false, err);
    if (status == SP_OK)
        status =
            sp_file_read(&shell->fleet_cert, &shell->fleet_cert_length, config->fleet_cert, SP_CERT_MAX_BYTES, err);
    if (status == SP_OK && sp_cert_verify(&cert, shell->fleet_cert, shell->fleet_cert_length, "fleet",
                                          shell->authority.public_key, sp_clock_wall_ms(), err) != SP_OK)
        status = sp_fail_in(err, "fleet certificate %s", config->fleet_cert);
    if (status == SP_OK)
        status = sp_peers_new(&shell->peers, config->peers, err);
    return status;
}

static enum sp_status open_sockets(struct shell *shell, const struct sp_key_file *self, struct sp_err *err)
{
    const struct broker_config *config = shell->config;
    struct socket_plan front = {
        .address = config->front,
        .send_hwm = (int)(SP_PEER_MAX_LANES_ON_WIRE * config->window + config->client_jobs) + SPARE_SEND,
        .receive_hwm = FRONT_RECEIVE,
        .max_part_bytes = 2 * config->payload_bytes + PART_SLACK};
    struct socket_plan back = front;
    back.address = config->back;
    back.send_hwm = (int)config->credit + SPARE_SEND;
    back.receive_hwm = (int)config->credit + SPARE_SEND;
    shell->context = zmq_ctx_new();
    if (!shell->context)
        return sp_fail(err, SP_E_NOMEM, "ZeroMQ does not start: %s", zmq_strerror(zmq_errno()));
    zmq_ctx_set(shell->context, ZMQ_IO_THREADS, (int)config->io_threads);
    zmq_ctx_set(shell->context, ZMQ_MAX_SOCKETS, 64);
    enum sp_status status =
        sp_zap_new(&shell->zap, shell->context, shell->peers, err); /* before anybody can knock */
    if (status == SP_OK)
        status = socket_open(&shell->front, shell->context, &front, self, err);
    if (status == SP_OK)
        status = socket_open(&shell->back, shell->context, &back, self, err);
    return status;
}

static enum sp_status make_broker(struct shell *shell, struct sp_err *err)
{
    struct broker_limits limits;
    broker_config_limits(&limits, shell->config);
    sp_seal_random(&limits.hash_seed, sizeof limits.hash_seed);
    shell->keys = calloc((size_t)(limits.max_clients + limits.max_workers), sizeof *shell->keys);
    if (!shell->keys)
        return sp_fail(err, SP_E_NOMEM, "no memory for %d keys", limits.max_clients + limits.max_workers);
    enum sp_status status = broker_new(&shell->broker, &limits, err);
    if (status == SP_OK)
        status = broker_outbox_new(&shell->out, broker_outbox_capacity(&limits), err);
    if (status == SP_OK)
        status = delivery_new(&shell->delivery, shell->config, shell->front, shell->back, shell->fleet_cert,
                              shell->fleet_cert_length, err);
    return status;
}

enum sp_status shell_new(struct shell **ret_shell, const struct broker_config *config, const struct sp_log *log,
                         int signal_fd, struct sp_err *err)
{
    struct sp_key_file self = {0};
    struct shell *shell = calloc(1, sizeof *shell);
    if (!shell)
        return sp_fail(err, SP_E_NOMEM, "no memory for the broker");
    shell->config = config;
    shell->log = log;
    shell->signal_fd = signal_fd;
    socket_message_init(&shell->message);
    enum sp_status status = SP_OK;
    if (!sp_key_name_ok(config->name) || !sp_key_name_ok(config->terminal))
        status = sp_fail(err, SP_E_INVALID,
                         "broker.name and broker.terminal are names: 1 to %d characters of A-Z a-z 0-9 . _ -",
                         SP_NAME_MAX - 1);
    if (status == SP_OK)
        status = load_keys(shell, &self, err);
    if (status == SP_OK)
        status = open_sockets(shell, &self, err);
    sp_key_wipe(&self);
    if (status == SP_OK)
        status = make_broker(shell, err);
    if (status == SP_OK)
        status = sp_metrics_new(&shell->metrics, err);
    if (status == SP_OK)
        status = report_new(&shell->report, shell->metrics, log, err);
    if (status == SP_OK)
        status = sp_health_new(&shell->health, shell->metrics, config->metrics_address, is_ready, shell, err);
    if (status != SP_OK) {
        shell_free(&shell);
        return status;
    }
    *ret_shell = shell;
    return SP_OK;
}

void shell_free(struct shell **shell_to_free)
{
    struct shell *shell = *shell_to_free;
    if (!shell)
        return;
    sp_health_free(&shell->health);
    report_free(&shell->report);
    sp_metrics_free(&shell->metrics);
    delivery_free(&shell->delivery);
    broker_outbox_free(&shell->out);
    broker_free(&shell->broker);
    socket_message_close(&shell->message);
    if (shell->front)
        zmq_close(shell->front);
    if (shell->back)
        zmq_close(shell->back);
    sp_zap_free(&shell->zap);
    if (shell->context)
        zmq_ctx_term(shell->context);
    sp_peers_free(&shell->peers);
    free(shell->fleet_cert);
    free(shell->keys);
    free(shell);
    *shell_to_free = NULL;
}

/* ---- events ---- */

/* What the step just said that people should read. */
static void log_outputs(struct shell *shell, const struct broker_event *event, uint64_t now)
{
    const char *peer = event->peer ? event->peer->name : "(a key that is not in the peer table)";
    for (int i = 0; i < shell->out->count; i++) {
        const struct broker_output *output = &shell->out->items[i];
        if (output->type != BROKER_SEND_FRONT && output->type != BROKER_SEND_BACK)
            continue;
        bool own = broker_route_equal(&output->route, &event->route);
        if (output->message == SP_MSG_ANSWER && output->age_ns)
            report_answer(shell->report, output->age_ns);
        else if (output->message == SP_MSG_WELCOME)
            report_peer(shell->report, now, SP_LOG_INFO, "BRK-CLIENT", peer, "greeted");
        else if (output->message == SP_MSG_GREET)
            report_peer(shell->report, now, SP_LOG_INFO, "BRK-WORKER", peer, "ready");
        else if (output->message == SP_MSG_REFUSED)
            report_peer(shell->report, now, SP_LOG_WARN, "BRK-REFUSED", own ? peer : "(another connection)",
                        sp_reason_word(output->reason));
    }
}

static void step(struct shell *shell, const struct broker_event *event)
{
    uint64_t now = sp_clock_mono_ns();
    bool message = event->type == BROKER_FRONT_MESSAGE || event->type == BROKER_BACK_MESSAGE;
    shell->out->count = 0;
    broker_step(shell->broker, event, now, shell->out);
    log_outputs(shell, event, now);
    delivery_run(shell->delivery, shell->out, message ? &shell->message : NULL, message ? event->header : NULL);
}

/* Connections that turned out to be gone. Each event can find more of them; each takes one away for good. */
static void settle(struct shell *shell)
{
    struct delivery_lost lost;
    while (delivery_lost(shell->delivery, &lost)) {
        struct broker_event event = {.type = lost.back ? BROKER_BACK_LOST : BROKER_FRONT_LOST, .route = lost.route};
        step(shell, &event);
    }
}

static int flaw_of(enum sp_status status)
{
    return status == SP_OK              ? SP_REASON_NONE
           : status == SP_E_VERSION     ? SP_REASON_BAD_VERSION
           : status == SP_E_UNSUPPORTED ? SP_REASON_UNKNOWN_MESSAGE
                                        : SP_REASON_BAD_MESSAGE;
}

static bool may_have_payload(enum sp_message_type type)
{
    return type == SP_MSG_FRAME || type == SP_MSG_CLOSE || type == SP_MSG_ENROL || type == SP_MSG_REVIEW ||
           type == SP_MSG_RESULT || type == SP_MSG_WANT;
}

static void on_message(struct shell *shell, bool back)
{
    struct socket_message *message = &shell->message;
    struct sp_header *header = &shell->header;
    struct broker_event event = {.type = back ? BROKER_BACK_MESSAGE : BROKER_FRONT_MESSAGE,
                                 .route = message->route,
                                 .header = header,
                                 .has_payload = message->parts > 1,
                                 .payload_bytes = message->parts > 1 ? zmq_msg_size(&message->payload) : 0};
    struct sp_peer peer;
    struct sp_cert cert;
    struct sp_err err = {0};
    if (sp_curve_sender(&message->header, event.key, NULL) == SP_OK &&
        sp_peers_find(shell->peers, event.key, &peer))
        event.peer = &peer;
    enum sp_status status =
        sp_message_decode(header, zmq_msg_data(&message->header), zmq_msg_size(&message->header), &err);
    if (status == SP_OK && message->parts > (may_have_payload(header->type) ? 2 : 1))
        status = sp_fail(&err, SP_E_FORMAT, "message %d has %d parts", (int)header->type, message->parts);
    event.flaw = flaw_of(status);
    if (event.flaw && event.peer)
        report_peer(shell->report, sp_clock_mono_ns(), SP_LOG_WARN, "BRK-MALFORMED", peer.name, err.text);
    if (!event.flaw && header->type == SP_MSG_HELLO)
        sp_seal_random(event.fresh_session, sizeof event.fresh_session);
    if (!event.flaw && header->type == SP_MSG_READY) {
        event.certified = sp_cert_verify(&cert, header->cert, header->cert_length, "worker",
                                         shell->authority.public_key, sp_clock_wall_ms(), &err) == SP_OK;
        if (!event.certified && event.peer)
            report_peer(shell->report, sp_clock_mono_ns(), SP_LOG_WARN, "BRK-CERT", peer.name, err.text);
    }
    step(shell, &event);
}

static void receive_batch(struct shell *shell, bool back)
{
    for (int i = 0; i < BATCH; i++) {
        if (!socket_receive(back ? shell->back : shell->front, &shell->message, &shell->dropped))
            return;
        on_message(shell, back);
        settle(shell);
    }
}

static void check_peers(struct shell *shell)
{
    struct sp_err err = {0};
    bool changed = false;
    if (sp_peers_refresh(shell->peers, &changed, &err) != SP_OK)
        sp_log(shell->log, SP_LOG_WARN, "BRK-PEERS", "%s", err.text);
    if (!changed)
        return;
    sp_log(shell->log, SP_LOG_INFO, "BRK-PEERS", "the peer table changed");
    int count = broker_keys(shell->broker, shell->keys, (int)(shell->config->clients + shell->config->workers));
    for (int i = 0; i < count; i++) {
        struct broker_event event = {.type = BROKER_KEY_REVOKED};
        struct sp_peer peer;
        memcpy(event.key, shell->keys[i], sizeof event.key);
        if (!sp_peers_find(shell->peers, event.key, &peer))
            step(shell, &event);
    }
}

static void on_signal(struct shell *shell)
{
    unsigned char number = 0;
    if (read(shell->signal_fd, &number, 1) != 1)
        return;
    if (number == SIGHUP) {
        shell->next_peers = 0;
        return;
    }
    if (shell->drain_until)
        return;
    shell->drain_until = sp_clock_mono_ns() + (uint64_t)shell->config->drain_ms * SP_NS_PER_MS;
    atomic_store(&shell->ready, false);
    sp_program_notify("STOPPING=1");
    sp_log(shell->log, SP_LOG_INFO, "BRK-DRAIN", "taking nothing new, finishing what is in hand");
    step(shell, &(struct broker_event){.type = BROKER_DRAIN});
}

static void report_now(struct shell *shell)
{
    report_counts(shell->report, shell->broker, sp_zap_refused(shell->zap), delivery_unsent(shell->delivery),
                  shell->dropped);
}

static void on_time(struct shell *shell)
{
    uint64_t now = sp_clock_mono_ns();
    if (now >= shell->next_tick) {
        shell->next_tick = now + TICK_MS * SP_NS_PER_MS;
        step(shell, &(struct broker_event){.type = BROKER_TICK});
    }
    if (now >= shell->next_peers) {
        shell->next_peers = now + (uint64_t)shell->config->peers_ms * SP_NS_PER_MS;
        check_peers(shell);
    }
    if (now >= shell->next_report) {
        shell->next_report = now + REPORT_MS * SP_NS_PER_MS;
        report_now(shell);
    }
    settle(shell);
}

enum sp_status shell_run(struct shell *shell, struct sp_err *err)
{
    atomic_store(&shell->ready, true);
    for (;;) {
        zmq_pollitem_t items[] = {{shell->front, 0, ZMQ_POLLIN, 0},
                                  {shell->back, 0, ZMQ_POLLIN, 0},
                                  {NULL, shell->signal_fd, ZMQ_POLLIN, 0}};
        if (zmq_poll(items, 3, TICK_MS) < 0 && zmq_errno() != EINTR)
            return sp_fail(err, SP_E_INTERNAL, "waiting for messages failed: %s", zmq_strerror(zmq_errno()));
        if (items[2].revents)
            on_signal(shell);
        receive_batch(shell, true); /* results first: they make room */
        receive_batch(shell, false);
        on_time(shell);
        if (shell->drain_until && (broker_idle(shell->broker) || sp_clock_mono_ns() >= shell->drain_until))
            break;
    }
    step(shell, &(struct broker_event){.type = BROKER_STOP});
    report_now(shell);
    return SP_OK;
}
