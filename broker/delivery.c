#include "broker/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOST_MAX 64 /* per step; who is left out is noticed at the next message */

struct slot {
    zmq_msg_t header, payload;
};

struct delivery {
    const struct broker_config *config;
    void *front, *back;
    const uint8_t *fleet_cert;
    size_t fleet_cert_length;
    struct slot *slots;
    int slot_count;
    struct delivery_lost lost[LOST_MAX];
    int lost_count;
    uint64_t unsent;
};

enum sp_status delivery_new(struct delivery **ret_delivery, const struct broker_config *config, void *front,
                            void *back, const uint8_t *fleet_cert, size_t fleet_cert_length, struct sp_err *err)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery || !(delivery->slots = calloc((size_t)config->jobs, sizeof *delivery->slots))) {
        free(delivery);
        return sp_fail(err, SP_E_NOMEM, "no memory for the payloads of %lld jobs", (long long)config->jobs);
    }
    delivery->config = config;
    delivery->front = front;
    delivery->back = back;
    delivery->fleet_cert = fleet_cert;
    delivery->fleet_cert_length = fleet_cert_length;
    delivery->slot_count = (int)config->jobs;
    for (int i = 0; i < delivery->slot_count; i++) {
        zmq_msg_init(&delivery->slots[i].header);
        zmq_msg_init(&delivery->slots[i].payload);
    }
    *ret_delivery = delivery;
    return SP_OK;
}

void delivery_free(struct delivery **delivery)
{
    if (!*delivery)
        return;
    for (int i = 0; i < (*delivery)->slot_count; i++) {
        zmq_msg_close(&(*delivery)->slots[i].header);
        zmq_msg_close(&(*delivery)->slots[i].payload);
    }
    free((*delivery)->slots);
    free(*delivery);
    *delivery = NULL;
}

static void fill_greeting(struct sp_header *header, const struct delivery *delivery,
                          const struct broker_output *output)
{
    const struct broker_config *config = delivery->config;
    snprintf(header->broker, sizeof header->broker, "%.*s", SP_NAME_MAX - 1, config->name);
    snprintf(header->terminal, sizeof header->terminal, "%.*s", SP_NAME_MAX - 1, config->terminal);
    header->window = (uint32_t)config->window;
    header->max_age_ms = (uint32_t)config->max_age_ms;
    header->heartbeat_ms = (uint32_t)config->heartbeat_ms;
    header->lease_ms = 3 * header->heartbeat_ms;
    header->max_payload = (uint32_t)config->payload_bytes;
    header->cert = delivery->fleet_cert;
    header->cert_length = delivery->fleet_cert_length;
    memcpy(header->session, output->session, sizeof header->session);
}

/* The sentence of a refusal: what the reason says, and which lane it speaks of. */
static void explain(struct sp_header *header, const struct broker_output *output)
{
    if (output->reason == SP_REASON_NOT_YOUR_LANE && output->lane[0])
        snprintf(header->text, sizeof header->text, "lane %s: %s", output->lane, sp_reason_text(output->reason));
    else if (output->reason != SP_REASON_NONE)
        snprintf(header->text, sizeof header->text, "%s", sp_reason_text(output->reason));
}

static void fill_page(struct sp_header *header, const struct broker_page *page)
{
    memcpy(header->what, page->what, sizeof header->what);
    header->more = page->more;
    header->told_count = page->count;
    memcpy(header->told, page->rows, (size_t)page->count * sizeof page->rows[0]);
}

static void fill_header(struct sp_header *header, const struct delivery *delivery,
                        const struct broker_output *output, const struct sp_header *result)
{
    memset(header, 0, sizeof *header);
    header->type = output->message;
    header->credit = SP_CREDIT_NONE;
    header->reason = output->reason;
    header->answer = output->answer;
    header->seq = output->seq;
    memcpy(header->encounter, output->encounter, sizeof header->encounter);
    memcpy(header->lane, output->lane, sizeof header->lane);
    header->job = output->job;
    header->attempt = output->attempt;
    header->budget_ms = output->budget_ms;
    header->kind = output->kind;
    if (output->message == SP_MSG_WELCOME || output->message == SP_MSG_GREET)
        fill_greeting(header, delivery, output);
    else if (output->message == SP_MSG_TELL)
        fill_page(header, output->page);
    else if (output->message == SP_MSG_ANSWER && output->from_result)
        memcpy(header->text, result->text, sizeof header->text);
    else if (output->message == SP_MSG_ANSWER || output->message == SP_MSG_REFUSED)
        explain(header, output);
}

static void note_lost(struct delivery *delivery, const struct broker_output *output)
{
    bool back = output->type == BROKER_SEND_BACK;
    delivery->unsent++;
    for (int i = 0; i < delivery->lost_count; i++)
        if (delivery->lost[i].back == back && broker_route_equal(&delivery->lost[i].route, &output->route))
            return;
    if (delivery->lost_count < LOST_MAX)
        delivery->lost[delivery->lost_count++] = (struct delivery_lost){back, output->route};
}

static void send_output(struct delivery *delivery, const struct broker_output *output,
                        struct socket_message *message, const struct sp_header *result)
{
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    struct sp_header header;
    zmq_msg_t parts[2];
    size_t length;
    int count = 0;
    fill_header(&header, delivery, output, result);
    enum sp_status status = sp_message_encode(bytes, &length, &header, NULL);
    if (status == SP_OK) {
        if (output->message == SP_MSG_JOB) {
            for (; count < 2; count++)
                zmq_msg_init(&parts[count]);
            zmq_msg_copy(&parts[0], &delivery->slots[output->slot].header);
            zmq_msg_copy(&parts[1], &delivery->slots[output->slot].payload);
        } else if (output->forward) {
            zmq_msg_init(&parts[0]);
            zmq_msg_move(&parts[0], &message->payload);
            count = 1;
        }
        void *socket = output->type == BROKER_SEND_BACK ? delivery->back : delivery->front;
        status = socket_send(socket, &output->route, bytes, length, parts, count);
    }
    if (status != SP_OK)
        note_lost(delivery, output);
}

static void keep(struct slot *slot, struct socket_message *message)
{
    zmq_msg_move(&slot->header, &message->header);
    zmq_msg_move(&slot->payload, &message->payload);
}

static void drop(struct slot *slot)
{
    zmq_msg_close(&slot->header);
    zmq_msg_close(&slot->payload);
    zmq_msg_init(&slot->header);
    zmq_msg_init(&slot->payload);
}

void delivery_run(struct delivery *delivery, const struct broker_outbox *out, struct socket_message *message,
                  const struct sp_header *header)
{
    for (int i = 0; i < out->count; i++) {
        const struct broker_output *output = &out->items[i];
        switch (output->type) {
        case BROKER_KEEP:
            keep(&delivery->slots[output->slot], message);
            break;
        case BROKER_DROP:
            drop(&delivery->slots[output->slot]);
            break;
        default:
            send_output(delivery, output, message, header);
            break;
        }
    }
}

bool delivery_lost(struct delivery *delivery, struct delivery_lost *ret_lost)
{
    if (delivery->lost_count == 0)
        return false;
    *ret_lost = delivery->lost[--delivery->lost_count];
    return true;
}

uint64_t delivery_unsent(const struct delivery *delivery)
{
    return delivery->unsent;
}
