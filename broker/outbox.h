/* What one step of the broker wants done, in order: messages to send and payloads to keep or drop. A fixed array;
 * small records from which the shell makes headers. */
#ifndef SALLYPORT_BROKER_OUTBOX_H
#define SALLYPORT_BROKER_OUTBOX_H

#include "common/message.h"

/* ZeroMQ's name of one connection: 5 bytes that the ROUTER made itself. */
#define BROKER_ROUTE_BYTES 8
struct broker_route {
    uint8_t length;
    uint8_t bytes[BROKER_ROUTE_BYTES];
};
bool broker_route_equal(const struct broker_route *a, const struct broker_route *b);

enum broker_output_type {
    BROKER_SEND_FRONT, /* to a client */
    BROKER_SEND_BACK,  /* to a worker */
    BROKER_KEEP, /* put the message of this event (header and payload) into `slot`, in place of what is there */
    BROKER_DROP, /* forget what is in `slot` */
};

/* What a TELL says. */
struct broker_page {
    char what[16];
    bool more;
    int count;
    struct sp_told rows[SP_TOLD_MAX];
};

struct broker_output {
    enum broker_output_type type;
    enum sp_message_type message;
    struct broker_route route;
    int slot;         /* KEEP, DROP; JOB: whose header and payload go along */
    bool from_result; /* ANSWER: this event is the RESULT it comes from, and its text goes along */
    bool forward;     /* ANSWER: the payload of this event's RESULT goes along */
    uint64_t age_ns;  /* ANSWER: since the job came; 0: it never was a job */
    int answer;
    int reason;
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq;
    uint8_t session[SP_SESSION_BYTES]; /* WELCOME */
    char lane[SP_NAME_MAX];            /* ANSWER; REFUSED not_your_lane: which */
    uint64_t job;
    uint32_t attempt;
    uint32_t budget_ms;
    int kind;
    const struct broker_page *page; /* TELL; valid until the next step */
};

struct broker_outbox {
    int count, capacity;
    struct broker_output *items;
};

enum sp_status broker_outbox_new(struct broker_outbox **ret_out, int capacity, struct sp_err *err);
void broker_outbox_free(struct broker_outbox **out);
/* The next item, zeroed, of this type. The capacity covers every step (broker_outbox_capacity), so there is one. */
struct broker_output *broker_outbox_add(struct broker_outbox *out, enum broker_output_type type);

#endif
