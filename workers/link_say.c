/* The messages of a link, in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/wire.h"
#include "roster/template.h"
#include "workers/answer.h"
#include "workers/link_part.h"

enum { PARTS_MAX = 4 };

bool sp_link_send(struct sp_link *link, struct broker *broker, const struct sp_header *header, const void *payload,
                  size_t length)
{
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t head_length;
    struct sp_err err = {0};
    if (sp_message_encode(bytes, &head_length, header, &err) != SP_OK) {
        sp_link_note(link, SP_LOG_ERROR, "WRK-ENCODE", "message %d: %s", (int)header->type, err.text);
        return false;
    }
    if (zmq_send(broker->socket, bytes, head_length, ZMQ_DONTWAIT | (payload ? ZMQ_SNDMORE : 0)) < 0)
        return false;
    broker->sent_ns = sp_clock_mono_ns();
    return !payload || zmq_send(broker->socket, payload, length, ZMQ_DONTWAIT) >= 0;
}

void sp_link_say_bare(struct sp_link *link, struct broker *broker, enum sp_message_type type)
{
    struct sp_header header = {.type = type, .credit = (uint32_t)link->config.credit};
    sp_link_send(link, broker, &header, NULL, 0);
}

void sp_link_say_ready(struct sp_link *link, struct broker *broker)
{
    struct sp_header header = {
        .type = SP_MSG_READY,
        .cert = link->config.cert,
        .cert_length = link->config.cert_length,
        .credit = (uint32_t)link->config.credit,
    };
    memcpy(header.agent, link->config.agent, sizeof header.agent);
    memcpy(header.pack, link->config.pack, sizeof header.pack);
    memcpy(header.backend, link->config.backend, sizeof header.backend);
    broker->greeting = ++link->greetings; /* whatever was held before belongs to nobody now */
    broker->opened_ns = sp_clock_mono_ns();
    sp_link_send(link, broker, &header, NULL, 0);
}

void sp_link_say_result(struct sp_link *link, struct sp_job *job)
{
    struct broker *broker = &link->brokers[job->broker];
    struct sp_header header = {
        .type = SP_MSG_RESULT, .job = job->number, .answer = job->answer, .reason = job->reason};
    memcpy(header.text, job->text, sizeof header.text);
    if (job->cause[0])
        sp_link_note(link, SP_LOG_ERROR, "WRK-JOB-FAILED", "%s", job->cause);
    if (broker->greeted && job->greeting == broker->greeting &&
        !sp_link_send(link, broker, &header, job->sealed, job->sealed_length))
        sp_link_note(link, SP_LOG_WARN, "WRK-RESULT-LOST", "%s: the socket does not take a result",
                     broker->address);
    sp_job_give(link->config.pool, job);
}

/* A want is an enrolment that this worker asks for: its own key is the sender, its own session key seals it, and
 * the template's id is the job's id, so that the broker joins the wants of several workers. */
void sp_link_say_want(struct sp_link *link, struct broker *broker, const struct sp_want *want)
{
    struct sp_wire_writer *writer = NULL;
    struct sp_header header = {.type = SP_MSG_WANT, .seq = 1, .job_class = SP_CLASS_BULK, .has_pack = true};
    uint8_t bytes[SP_HEADER_MAX_BYTES], sealed[1024];
    const uint8_t *plain;
    size_t head_length, length;
    header.budget_ms = (uint32_t)link->config.want_budget_ms;
    header.at_ms = (sp_clock_mono_ns() - broker->greeted_ns) / SP_NS_PER_MS;
    memcpy(header.sender, link->config.self->public_key, sizeof header.sender);
    memcpy(header.fleet_id, link->fleet_id, sizeof header.fleet_id);
    memcpy(header.wrapped_key, link->want_wrapped, sizeof header.wrapped_key);
    memcpy(header.pack, link->config.pack, sizeof header.pack);
    sp_template_id(header.encounter, want->manifest, want->row, link->config.pack, want->portrait);
    if (sp_message_encode(bytes, &head_length, &header, NULL) != SP_OK ||
        sp_wire_writer_new(&writer, sizeof sealed - SP_PAYLOAD_OVERHEAD, NULL) != SP_OK)
        return;
    sp_wire_put_map(writer, 3);
    sp_wire_put_text(writer, "manifest"), sp_wire_put_text(writer, want->manifest);
    sp_wire_put_text(writer, "row"), sp_wire_put_bytes(writer, want->row, sizeof want->row);
    sp_wire_put_text(writer, "portrait"), sp_wire_put_bytes(writer, want->portrait, sizeof want->portrait);
    if (sp_wire_finish(writer, &plain, &length, NULL) == SP_OK) {
        sp_seal_payload_close(sealed, plain, length, bytes, head_length, link->want_key, SP_TO_WORKER);
        if (zmq_send(broker->socket, bytes, head_length, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0)
            zmq_send(broker->socket, sealed, length + SP_PAYLOAD_OVERHEAD, ZMQ_DONTWAIT);
    }
    sp_wire_writer_free(&writer);
}

/* ---- hearing ---- */

static void refuse_job(struct sp_link *link, struct broker *broker, uint64_t number, int answer, int reason)
{
    struct sp_header header = {.type = SP_MSG_RESULT, .job = number, .answer = answer, .reason = reason};
    snprintf(header.text, sizeof header.text, "%s", sp_reason_text(reason));
    sp_link_send(link, broker, &header, NULL, 0);
}

static void take_job(struct sp_link *link, struct broker *broker, int index, const struct sp_header *header,
                     zmq_msg_t *parts, int count)
{
    struct sp_err err = {0};
    if (count != 3) {
        refuse_job(link, broker, header->job, SP_ANSWER_ERROR, SP_REASON_BAD_MESSAGE);
        return;
    }
    struct sp_job *job = sp_job_take(link->config.pool);
    if (!job) {
        sp_link_note(link, SP_LOG_WARN, "WRK-OVER-CREDIT", "%s sent more jobs than this worker's credit",
                     broker->address);
        refuse_job(link, broker, header->job, SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
        return;
    }
    job->broker = index;
    job->greeting = broker->greeting;
    job->number = header->job;
    job->attempt = header->attempt;
    job->kind = header->kind;
    job->arrived_ns = job->mark_ns = sp_clock_mono_ns();
    job->deadline_ns = job->arrived_ns + header->budget_ms * SP_NS_PER_MS;
    if (sp_job_fill(job, zmq_msg_data(&parts[1]), zmq_msg_size(&parts[1]), zmq_msg_data(&parts[2]),
                    zmq_msg_size(&parts[2]), &err) == SP_OK &&
        link->config.accept(link->config.context, job))
        return;
    refuse_job(link, broker, job->number, err.status ? SP_ANSWER_ERROR : SP_ANSWER_BUSY,
               err.status ? SP_REASON_BAD_MESSAGE : SP_REASON_QUEUE_FULL);
    sp_job_give(link->config.pool, job);
}

static void take_greeting(struct sp_link *link, struct broker *broker, const struct sp_header *header)
{
    if (!broker->greeted)
        atomic_fetch_add(&link->greeted, 1);
    broker->greeted = true;
    broker->refused = broker->unheard = false;
    broker->greeted_ns = broker->heard_ns;
    broker->heartbeat_ms = header->heartbeat_ms < 10 ? 10 : header->heartbeat_ms;
    memcpy(broker->name, header->broker, sizeof broker->name);
    sp_link_note(link, SP_LOG_INFO, "WRK-GREETED", "broker=%s terminal=%s address=%s credit=%d heartbeat_ms=%u",
                 header->broker, header->terminal, broker->address, link->config.credit, header->heartbeat_ms);
    if (link->drain_said)
        sp_link_say_bare(link, broker, SP_MSG_DRAIN);
}

static void take_refusal(struct sp_link *link, struct broker *broker, const struct sp_header *header)
{
    switch (header->reason) {
    case SP_REASON_NOT_GREETED: /* the broker forgot us: it was restarted, or our lease ran out */
        if (broker->greeted)
            atomic_fetch_sub(&link->greeted, 1);
        broker->greeted = false;
        sp_link_say_ready(link, broker);
        return;
    case SP_REASON_QUEUE_FULL: /* a WANT; it is wanted again when the gallery is next asked for */
    case SP_REASON_DRAINING:
        return;
    default:
        if (!broker->refused)
            sp_link_note(link, SP_LOG_ERROR, "WRK-REFUSED", "%s refuses this worker: %s (%s)%s%s", broker->address,
                         sp_reason_word(header->reason), sp_reason_text(header->reason),
                         header->text[0] ? ": " : "", header->text);
        broker->refused = true;
    }
}

static void act(struct sp_link *link, struct broker *broker, int index, zmq_msg_t *parts, int count)
{
    struct sp_header header;
    struct sp_err err = {0};
    broker->heard_ns = sp_clock_mono_ns();
    if (sp_message_decode(&header, zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]), &err) != SP_OK) {
        sp_link_note(link, SP_LOG_WARN, "WRK-BAD-MESSAGE", "%s: %s", broker->address, err.text);
        return;
    }
    switch (header.type) {
    case SP_MSG_JOB:
        take_job(link, broker, index, &header, parts, count);
        break;
    case SP_MSG_GREET:
        take_greeting(link, broker, &header);
        break;
    case SP_MSG_REFUSED:
        take_refusal(link, broker, &header);
        break;
    case SP_MSG_PING:
        if (link->config.alive(link->config.context))
            sp_link_say_bare(link, broker, SP_MSG_PONG);
        break;
    default: /* BEAT, PONG and BYE: being heard is all they are for, or the silence that follows is noticed */
        break;
    }
}

bool sp_link_hear(struct sp_link *link, struct broker *broker, int index)
{
    zmq_msg_t parts[PARTS_MAX];
    int count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, broker->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            break; /* only before the first part: messages arrive whole */
        }
        more = zmq_msg_more(&part);
        if (count < PARTS_MAX)
            parts[count++] = part;
        else
            zmq_msg_close(&part);
    }
    if (count)
        act(link, broker, index, parts, count);
    for (int i = 0; i < count; i++)
        zmq_msg_close(&parts[i]);
    return count > 0;
}
