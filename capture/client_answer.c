#include "capture/client_state.h"

#include <stdlib.h>
#include <string.h>
#include "common/clock.h"

#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 320
#define RECEIVE_MAX    256 /* messages in one poll, so that a flood cannot hold the caller */

/* The broker (or the ledger) is short of something that passes: send the same (encounter, seq) again a little
 * later? */
static bool retry(struct sp_client *c, struct sp_pending *row, int answer, int reason, uint64_t now)
{
    bool passes = reason == SP_REASON_STORE_UNAVAILABLE || reason == SP_REASON_WORKER_LOST;
    if (!(answer == SP_ANSWER_BUSY && c->retry_busy) && !(answer == SP_ANSWER_ERROR && passes && c->retry_error))
        return false;
    row->backoff_ms = row->backoff_ms == 0                   ? BACKOFF_MIN_MS
                      : row->backoff_ms * 2 < BACKOFF_MAX_MS ? row->backoff_ms * 2
                                                             : BACKOFF_MAX_MS;
    uint64_t due = now + row->backoff_ms * SP_NS_PER_MS;
    if (due >= row->deadline_ns)
        return false;
    row->due_ns = due;
    row->on_wire = false;
    c->counts.retried++;
    return true;
}

static enum sp_verdict open_answer(struct sp_client *c, const struct sp_pending *row,
                                   const struct sp_header *header, const struct sp_connection_message *message,
                                   struct sp_err *err)
{
    uint8_t *plain;
    size_t length;
    if (!message->payload || message->payload_length > SP_ANSWER_BODY_MAX + SP_PAYLOAD_OVERHEAD ||
        message->part_count != 2) {
        sp_fail(err, SP_E_FORMAT, "the answer has no payload, or one over %u bytes", SP_ANSWER_BODY_MAX);
        return SP_VERDICT_MALFORMED;
    }
    if (sp_session_open(&c->session, header, message->payload, message->payload_length, &plain, &length, err) !=
        SP_OK)
        return SP_VERDICT_CANNOT_OPEN;
    enum sp_status status = sp_answer_body_decode(c->body, plain, length, err);
    free(plain);
    if (status != SP_OK)
        return SP_VERDICT_MALFORMED;
    if (row->kind == SP_MSG_ENROL || row->kind == SP_MSG_REVIEW || header->answer == SP_ANSWER_UNDECIDED) {
        if (c->body->decision_count == 0)
            return SP_VERDICT_GOOD;
        sp_fail(err, SP_E_FORMAT, "an answer that decides nothing holds decisions");
        return SP_VERDICT_MALFORMED;
    }
    struct sp_verify_facts facts = {.authority = c->authority,
                                    .lane = row->lane,
                                    .encounter = row->encounter,
                                    .sender = c->self.public_key,
                                    .wall_ms = sp_clock_wall_ms(),
                                    .now_ns = sp_clock_mono_ns(),
                                    .sent_at = sp_pending_sent_at,
                                    .user = &c->table};
    return sp_verify_decisions(c->decisions, c->body, &facts, err);
}

static void on_answer(struct sp_client *c, const struct sp_header *header,
                      const struct sp_connection_message *message)
{
    uint64_t now = sp_clock_mono_ns();
    struct sp_pending *row = sp_pending_find(&c->table, header->encounter, header->seq);
    if (!row || !row->on_wire || strcmp(row->lane, header->lane) != 0) {
        c->counts.unexpected++;
        return;
    }
    if (header->answer == SP_ANSWER_ERROR && header->reason == SP_REASON_STALE_SESSION) {
        sp_client_restart(c, now); /* the row goes out again under the next session */
        return;
    }
    if (retry(c, row, header->answer, header->reason, now))
        return;
    struct sp_err err = {0};
    struct sp_client_answer answer = {.answer = header->answer, .reason = header->reason, .text = header->text};
    if (header->answer == SP_ANSWER_DECIDED || header->answer == SP_ANSWER_UNDECIDED) {
        answer.verdict = open_answer(c, row, header, message, &err);
        answer.body = c->body;
        if (answer.verdict == SP_VERDICT_GOOD && header->answer == SP_ANSWER_DECIDED) {
            answer.decision_count = c->body->decision_count;
            answer.decisions = c->decisions;
        }
    }
    if (answer.verdict != SP_VERDICT_GOOD) {
        answer.answer = SP_CLIENT_REFUSED;
        answer.body = NULL;
        answer.text = err.text;
    }
    sp_client_complete(c, row, &answer);
}

/* Reasons that a new session, a little later, may not meet again. */
static bool passes(int reason)
{
    return reason == SP_REASON_NOT_GREETED || reason == SP_REASON_DRAINING || reason == SP_REASON_QUEUE_FULL;
}

static void on_refused(struct sp_client *c, const struct sp_header *header, uint64_t now)
{
    struct sp_err err;
    struct sp_pending *row = header->seq > 0 ? sp_pending_find(&c->table, header->encounter, header->seq) : NULL;
    bool replaced = header->reason == SP_REASON_STALE_SESSION && !row && c->state == STATE_READY;
    c->counts.refusals++;
    sp_fail(&err, SP_E_DENIED, "%s: the broker refuses: %s (%s)%s%s", c->address, sp_reason_word(header->reason),
            sp_reason_text(header->reason), header->text[0] ? ": " : "", header->text);
    if (replaced) /* coming back would push the other one out in turn, for ever */
        sp_fail(&err, SP_E_DENIED, "%s: another client speaks for this lane with this key now", c->address);
    c->trouble = err;
    if (replaced || header->reason == SP_REASON_REVOKED)
        sp_client_end(c, SP_E_DENIED, err.text);
    else if (passes(header->reason) || (row && header->reason == SP_REASON_STALE_SESSION))
        sp_client_restart(c, now);
    else if (c->state == STATE_GREETING)
        sp_client_end(c, SP_E_DENIED, err.text);
    else if (row && row->on_wire)
        sp_client_complete(
            c, row,
            &(struct sp_client_answer){.answer = SP_ANSWER_ERROR, .reason = header->reason, .text = header->text});
}

static void on_welcome(struct sp_client *c, const struct sp_header *header, uint64_t now)
{
    struct sp_err err = {0};
    if (c->state != STATE_GREETING) {
        c->counts.malformed++;
        return;
    }
    if (sp_session_begin(&c->session, header, c->authority, now, sp_clock_wall_ms(), &err) != SP_OK) {
        sp_client_end(c, SP_E_AUTH, err.text);
        return;
    }
    sp_client_ready(c, now);
}

static void on_message(struct sp_client *c, const struct sp_connection_message *message)
{
    struct sp_header header;
    uint64_t now = sp_clock_mono_ns();
    c->heard_ns = now;
    if (sp_message_decode(&header, message->header, message->header_length, &c->trouble) != SP_OK) {
        c->counts.malformed++;
        return;
    }
    switch (header.type) {
    case SP_MSG_WELCOME:
        on_welcome(c, &header, now);
        break;
    case SP_MSG_ANSWER:
        on_answer(c, &header, message);
        break;
    case SP_MSG_REFUSED:
        on_refused(c, &header, now);
        break;
    case SP_MSG_TELL:
        sp_client_take_told(c, &header);
        break;
    case SP_MSG_PING:
        (void)sp_client_say(c, &(struct sp_header){.type = SP_MSG_PONG});
        break;
    case SP_MSG_PONG:
        break;
    case SP_MSG_BYE:
        sp_fail(&c->trouble, SP_E_CLOSED, "%s: the broker says goodbye", c->address);
        sp_client_restart(c, now);
        break;
    default:
        c->counts.malformed++;
    }
}

void sp_client_receive(struct sp_client *c)
{
    struct sp_connection_message message;
    for (int i = 0; c->connection && i < RECEIVE_MAX; i++) {
        if (sp_connection_receive(c->connection, &message, NULL) != SP_OK)
            break;
        on_message(c, &message);
    }
    if (!c->connection)
        return;
    struct sp_err err = {0};
    enum sp_status status = sp_connection_check(c->connection, &err);
    if (status == SP_OK)
        return;
    c->trouble = err;
    if (status == SP_E_AUTH)
        sp_client_end(c, SP_E_AUTH, err.text);
    else if (c->state != STATE_CONNECTING)
        sp_client_restart(c, sp_clock_mono_ns());
}
