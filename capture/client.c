#include "capture/client_state.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "common/clock.h"

#define GRACE_MS          500
#define HELLO_MS          3000 /* a broker that does not answer HELLO by then gets a new connection */
#define RESTART_MIN_MS    100
#define RESTART_MAX_MS    2000
#define SILENT_HEARTBEATS 3

const char *sp_client_answer_word(int answer)
{
    return answer == SP_CLIENT_REFUSED      ? "refused"
           : answer == SP_CLIENT_UNANSWERED ? "unanswered"
                                            : sp_answer_word(answer);
}

static enum sp_status take_config(struct sp_client *c, const struct sp_client_config *config, struct sp_err *err)
{
    if (config->lane_count < 0 || config->lane_count > SP_PEER_MAX_LANES_ON_WIRE)
        return sp_fail(err, SP_E_INVALID, "%d lanes, a client speaks for at most %d", config->lane_count,
                       SP_PEER_MAX_LANES_ON_WIRE);
    for (int i = 0; i < config->lane_count; i++) {
        if (!sp_key_name_ok(config->lanes[i]))
            return sp_fail(err, SP_E_INVALID, "lane \"%s\": a name is 1 to %d of A-Z a-z 0-9 . _ -",
                           config->lanes[i], SP_NAME_MAX - 1);
        memcpy(c->lanes[i], config->lanes[i], strlen(config->lanes[i]) + 1);
    }
    if (!config->self.has_secret || config->self.kind != SP_KEY_CURVE)
        return sp_fail(err, SP_E_INVALID, "key %s: a client needs a CURVE pair with its secret", config->self.name);
    if (!config->on_answer)
        return sp_fail(err, SP_E_INVALID, "a client needs on_answer");
    c->lane_count = config->lane_count;
    c->self = config->self;
    memcpy(c->broker_key, config->broker_key, sizeof c->broker_key);
    memcpy(c->authority, config->authority, sizeof c->authority);
    strncpy(c->agent, config->agent ? config->agent : "", sizeof c->agent - 1);
    c->grace_ns = (uint64_t)(config->grace_ms > 0 ? config->grace_ms : GRACE_MS) * SP_NS_PER_MS;
    c->retry_busy = config->retry_busy;
    c->retry_error = config->retry_error;
    c->on_answer = config->on_answer;
    c->user = config->user;
    c->restart_ms = RESTART_MIN_MS;
    return SP_OK;
}

static enum sp_status open_link(struct sp_client *c, struct sp_err *err)
{
    struct sp_connection_config config = {.address = c->address,
                                          .self = &c->self,
                                          .server_public = c->broker_key,
                                          .max_part = SP_ANSWER_BODY_MAX + SP_HEADER_MAX_BYTES};
    enum sp_status status = sp_connection_new(&c->connection, c->context, &config, err);
    if (status == SP_OK) {
        c->state = STATE_CONNECTING;
        c->state_ns = sp_clock_mono_ns();
    }
    return status;
}

enum sp_status sp_client_new(struct sp_client **ret_client, const struct sp_client_config *config,
                             struct sp_err *err)
{
    enum sp_status status = SP_OK;
    struct sp_client *c = calloc(1, sizeof *c);
    if (!c)
        return sp_fail(err, SP_E_NOMEM, "no memory for a client");
    c->context = zmq_ctx_new();
    c->address = strdup(config->address);
    c->body = calloc(1, sizeof *c->body);
    c->decisions = calloc(SP_ANSWER_MAX_DECISIONS, sizeof *c->decisions);
    if (!c->context || !c->address || !c->body || !c->decisions)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a client");
    if (status == SP_OK)
        status = take_config(c, config, err);
    if (status == SP_OK)
        status = open_link(c, err);
    if (status == SP_OK)
        *ret_client = c;
    else
        sp_client_free(&c);
    return status;
}

enum sp_status sp_client_say(struct sp_client *c, const struct sp_header *header)
{
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t length;
    enum sp_status status = sp_message_encode(bytes, &length, header, &c->trouble);
    if (status == SP_OK)
        status = sp_connection_send(c->connection, bytes, length, NULL, 0, &c->trouble);
    if (status == SP_OK)
        c->said_ns = sp_clock_mono_ns();
    return status;
}

void sp_client_free(struct sp_client **client)
{
    if (!client || !*client)
        return;
    struct sp_client *c = *client;
    if (c->connection && c->state == STATE_READY)
        (void)sp_client_say(c, &(struct sp_header){.type = SP_MSG_BYE});
    sp_connection_free(&c->connection, 200);
    if (c->context)
        zmq_ctx_term(c->context);
    sp_pending_free_all(&c->table);
    sp_session_forget(&c->session);
    sp_key_wipe(&c->self);
    free(c->address);
    free(c->body);
    free(c->decisions);
    free(c);
    *client = NULL;
}

void sp_client_restart(struct sp_client *c, uint64_t now)
{
    sp_connection_free(&c->connection, 0);
    sp_session_end(&c->session);
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        c->table.rows[i].on_wire = false;
    c->state = STATE_DOWN;
    c->blocked = false;
    c->restart_ns = now + c->restart_ms * SP_NS_PER_MS;
    c->restart_ms = c->restart_ms * 2 < RESTART_MAX_MS ? c->restart_ms * 2 : RESTART_MAX_MS;
}

void sp_client_end(struct sp_client *c, enum sp_status status, const char *sentence)
{
    sp_fail(&c->fatal, status, "%s", sentence);
    sp_connection_free(&c->connection, 0);
    sp_session_end(&c->session);
    c->state = STATE_DOWN;
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        if (c->table.rows[i].used)
            sp_client_complete(c, &c->table.rows[i],
                               &(struct sp_client_answer){.answer = SP_CLIENT_UNANSWERED, .text = c->fatal.text});
}

void sp_client_ready(struct sp_client *c, uint64_t now)
{
    c->state = STATE_READY;
    c->state_ns = now;
    c->restart_ms = RESTART_MIN_MS;
    c->trouble = (struct sp_err){0};
    c->counts.sessions++;
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        c->table.rows[i].due_ns = 0; /* a back-off was for the broker as it was */
}

void sp_client_complete(struct sp_client *c, struct sp_pending *row, struct sp_client_answer *answer)
{
    char lane[SP_NAME_MAX];
    memcpy(lane, row->lane, sizeof lane);
    answer->kind = row->kind;
    answer->lane = lane;
    memcpy(answer->encounter, row->encounter, sizeof answer->encounter);
    answer->seq = row->seq;
    answer->taken_ns = row->taken_ns;
    answer->answered_ns = sp_clock_mono_ns();
    answer->text = answer->text ? answer->text : "";
    sp_pending_remove(row);
    c->counts.answers++;
    if (answer->answer == SP_CLIENT_UNANSWERED)
        c->counts.unanswered++;
    if (answer->answer == SP_CLIENT_REFUSED)
        c->counts.refused[answer->verdict]++;
    c->on_answer(c->user, answer);
}

/* ---- sending ---- */

static void fill_header(const struct sp_client *c, const struct sp_pending *row, uint64_t now,
                        struct sp_header *ret)
{
    *ret = (struct sp_header){
        .type = row->kind, .seq = row->seq, .job_class = row->job_class, .last = row->last, .reason = row->reason};
    ret->has_pack = row->has_pack;
    memcpy(ret->pack, row->pack, sizeof ret->pack);
    memcpy(ret->sender, c->self.public_key, sizeof ret->sender);
    memcpy(ret->lane, row->lane, sizeof ret->lane);
    memcpy(ret->encounter, row->encounter, sizeof ret->encounter);
    ret->budget_ms = (uint32_t)((row->deadline_ns - now) / SP_NS_PER_MS);
}

/* SP_E_LIMIT: the connection takes no more at the moment. */
static enum sp_status send_row(struct sp_client *c, struct sp_pending *row, uint64_t now)
{
    struct sp_header header;
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t length, payload_length;
    uint8_t *payload;
    struct sp_err err = {0};
    fill_header(c, row, now, &header);
    if (header.budget_ms == 0)
        return SP_OK; /* less than a millisecond is left: expire_rows ends it */
    if (sp_session_seal(&c->session, &header, row->bytes, row->length, now, bytes, &length, &payload,
                        &payload_length, &err) != SP_OK) {
        int reason = err.status == SP_E_LIMIT ? SP_REASON_PAYLOAD_TOO_LARGE : SP_REASON_INTERNAL;
        sp_client_complete(
            c, row, &(struct sp_client_answer){.answer = SP_ANSWER_ERROR, .reason = reason, .text = err.text});
        return SP_OK;
    }
    enum sp_status status = sp_connection_send(c->connection, bytes, length, payload, payload_length, &c->trouble);
    free(payload);
    if (status != SP_OK)
        return status;
    sp_pending_sent(&c->table, row->encounter, row->seq, now);
    row->on_wire = true;
    row->sendings++;
    c->counts.sent++;
    c->said_ns = now;
    return SP_OK;
}

static void send_rows(struct sp_client *c, uint64_t now)
{
    c->blocked = false;
    for (int i = 0; i < SP_CLIENT_PENDING_MAX && c->state == STATE_READY; i++) {
        struct sp_pending *row = &c->table.rows[i];
        if (!row->used || row->on_wire || row->due_ns > now || row->deadline_ns <= now)
            continue;
        bool again = row->sendings > 0 && row->due_ns == 0;
        if (send_row(c, row, now) != SP_OK) {
            c->blocked = true;
            return;
        }
        if (again)
            c->counts.resent++;
    }
}

static void expire_rows(struct sp_client *c, uint64_t now)
{
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++) {
        struct sp_pending *row = &c->table.rows[i];
        if (row->used && now >= row->deadline_ns + (row->on_wire ? c->grace_ns : 0))
            sp_client_complete(c, row,
                               &(struct sp_client_answer){.answer = SP_CLIENT_UNANSWERED,
                                                          .reason = SP_REASON_BUDGET_SPENT,
                                                          .text = "no answer came within the budget"});
    }
}

/* ---- the life of a connection ---- */

static void greet(struct sp_client *c, uint64_t now)
{
    struct sp_header hello = {.type = SP_MSG_HELLO, .lane_count = c->lane_count};
    memcpy(hello.agent, c->agent, sizeof hello.agent);
    memcpy(hello.lanes, c->lanes, sizeof hello.lanes);
    if (sp_client_say(c, &hello) != SP_OK)
        return; /* not connected yet */
    c->state = STATE_GREETING;
    c->state_ns = c->heard_ns = now;
}

static void live(struct sp_client *c, uint64_t now)
{
    uint64_t beat_ns = c->session.heartbeat_ms * SP_NS_PER_MS;
    switch (c->state) {
    case STATE_DOWN:
        if (c->fatal.status == SP_OK && now >= c->restart_ns && open_link(c, &c->trouble) != SP_OK)
            c->restart_ns = now + RESTART_MAX_MS * SP_NS_PER_MS;
        break;
    case STATE_CONNECTING:
        greet(c, now);
        break;
    case STATE_GREETING:
        if (now - c->state_ns > HELLO_MS * SP_NS_PER_MS) {
            sp_fail(&c->trouble, SP_E_TIMEOUT, "%s: connected, but the broker does not answer HELLO", c->address);
            sp_client_restart(c, now);
        }
        break;
    case STATE_READY:
        if (now > c->heard_ns && now - c->heard_ns > SILENT_HEARTBEATS * beat_ns) {
            sp_fail(&c->trouble, SP_E_TIMEOUT, "%s: the broker was silent for %d heartbeats", c->address,
                    SILENT_HEARTBEATS);
            sp_client_restart(c, now);
        } else if (now - c->said_ns >= beat_ns / 2) {
            (void)sp_client_say(c, &(struct sp_header){.type = SP_MSG_PING});
        }
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The next moment at which this client has something to do by itself. */
static uint64_t next_due(const struct sp_client *c, uint64_t limit)
{
    uint64_t due = limit, beat_ns = c->session.heartbeat_ms * SP_NS_PER_MS;
    if (c->state == STATE_DOWN && c->fatal.status == SP_OK)
        due = earlier(due, c->restart_ns);
    if (c->state == STATE_GREETING)
        due = earlier(due, c->state_ns + HELLO_MS * SP_NS_PER_MS);
    if (c->state == STATE_READY)
        due = earlier(due, earlier(c->said_ns + beat_ns / 2, c->heard_ns + SILENT_HEARTBEATS * beat_ns));
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++) {
        const struct sp_pending *row = &c->table.rows[i];
        if (!row->used)
            continue;
        due = earlier(due, row->deadline_ns + (row->on_wire ? c->grace_ns : 0));
        if (!row->on_wire && c->state == STATE_READY && row->due_ns > 0)
            due = earlier(due, row->due_ns);
    }
    return due;
}

static void tick(struct sp_client *c)
{
    sp_client_receive(c);
    live(c, sp_clock_mono_ns());
    if (c->state == STATE_READY)
        send_rows(c, sp_clock_mono_ns());
    expire_rows(c, sp_clock_mono_ns());
}

enum sp_status sp_client_poll(struct sp_client *client, int timeout_ms, struct sp_err *err)
{
    struct sp_client *c = client;
    enum sp_status status = SP_OK;
    uint64_t answers = c->counts.answers, now = sp_clock_mono_ns();
    uint64_t limit = now + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * SP_NS_PER_MS;
    tick(c);
    if (c->fatal.status == SP_OK && c->counts.answers == answers && timeout_ms > 0) {
        now = sp_clock_mono_ns();
        uint64_t due = next_due(c, limit);
        int wait_ms = due > now ? (int)((due - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS) : 0;
        if (c->connection)
            status = sp_connection_wait(c->connection, c->state == STATE_CONNECTING || c->blocked, wait_ms, err);
        else
            (void)poll(NULL, 0, wait_ms);
        tick(c);
    }
    if (c->fatal.status != SP_OK)
        return sp_fail(err, c->fatal.status, "%s", c->fatal.text);
    return status;
}

enum sp_status sp_client_connect(struct sp_client *client, int timeout_ms, struct sp_err *err)
{
    uint64_t end = sp_clock_mono_ns() + (uint64_t)timeout_ms * SP_NS_PER_MS;
    while (client->state != STATE_READY) {
        uint64_t now = sp_clock_mono_ns();
        if (now >= end)
            return sp_fail(err, SP_E_UNAVAILABLE,
                           "no broker at %s within %d ms%s%s: check broker.address, that the broker runs, and that "
                           "broker.key is its public key",
                           client->address, timeout_ms, client->trouble.text[0] ? ": " : "", client->trouble.text);
        enum sp_status status = sp_client_poll(client, (int)((end - now) / SP_NS_PER_MS) + 1, err);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

uint32_t sp_client_window(const struct sp_client *client)
{
    return client->session.window > 0 ? client->session.window : 1;
}

uint32_t sp_client_waiting(const struct sp_client *client, const char *lane)
{
    return sp_pending_count(&client->table, SP_MSG_FRAME, lane);
}

uint32_t sp_client_pending(const struct sp_client *client)
{
    return sp_pending_count(&client->table, SP_MSG_FRAME, NULL);
}

const char *sp_client_broker(const struct sp_client *client)
{
    return client->session.broker;
}

struct sp_client_counts sp_client_counts(const struct sp_client *client)
{
    return client->counts;
}

const char *sp_client_trouble(const struct sp_client *client)
{
    return client->trouble.text;
}
