/* One ROUTER of the broker: whole messages in and out, never blocking. */
#ifndef SALLYPORT_BROKER_SOCKET_H
#define SALLYPORT_BROKER_SOCKET_H

#include <zmq.h>
#include "broker/outbox.h"
#include "common/curve.h"

struct socket_plan {
    const char *address;
    int send_hwm, receive_hwm; /* messages per peer: sized so that nothing waits where nobody counts it */
    int64_t max_part_bytes;    /* a peer that sends more is disconnected */
};

/* Make, secure and bind it. */
enum sp_status socket_open(void **ret_socket, void *context, const struct socket_plan *plan,
                           const struct sp_key_file *self, struct sp_err *err);

/* One message received. Init once, receive many times, close once. */
struct socket_message {
    struct broker_route route;
    zmq_msg_t header, payload;
    int parts; /* after the route: 1 header, 2 with payload, more: malformed */
};
void socket_message_init(struct socket_message *message);
void socket_message_close(struct socket_message *message);

/* The next message; false if there is none now. One with a strange route is dropped (*ret_dropped counts it). */
bool socket_receive(void *socket, struct socket_message *message, uint64_t *dropped);

/* Send header and `count` more parts (consumed in any case). SP_E_CLOSED: the connection is gone; SP_E_LIMIT: its
 * peer does not read. */
enum sp_status socket_send(void *socket, const struct broker_route *route, const void *header, size_t length,
                           zmq_msg_t *parts, int count);

#endif
