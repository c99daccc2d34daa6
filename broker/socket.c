#include "broker/socket.h"

#include <errno.h>
#include <string.h>

#define LINGER_MS    1000
#define HANDSHAKE_MS 10000
#define BACKLOG      512
#define ROUTE_LENGTH 5 /* as the ROUTER makes them; another length was set by the peer */

static bool set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

enum sp_status socket_open(void **ret_socket, void *context, const struct socket_plan *plan,
                           const struct sp_key_file *self, struct sp_err *err)
{
    enum sp_status status;
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (!socket || !set(socket, ZMQ_ROUTER_MANDATORY, 1) || !set(socket, ZMQ_LINGER, LINGER_MS) ||
        !set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) || !set(socket, ZMQ_BACKLOG, BACKLOG) ||
        !set(socket, ZMQ_TCP_KEEPALIVE, 1) || !set(socket, ZMQ_SNDHWM, plan->send_hwm) ||
        !set(socket, ZMQ_RCVHWM, plan->receive_hwm) ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &plan->max_part_bytes, sizeof plan->max_part_bytes) != 0) {
        status = sp_fail(err, SP_E_INTERNAL, "a socket for %s cannot be made: %s", plan->address,
                         zmq_strerror(zmq_errno()));
        goto fail;
    }
    if ((status = sp_curve_server(socket, self, err)) != SP_OK)
        goto fail;
    if (zmq_bind(socket, plan->address) != 0) {
        status = sp_fail(err, SP_E_UNAVAILABLE, "%s cannot be bound: %s; is another broker running there?",
                         plan->address, zmq_strerror(zmq_errno()));
        goto fail;
    }
    *ret_socket = socket;
    return SP_OK;
fail:
    if (socket)
        zmq_close(socket);
    return status;
}

void socket_message_init(struct socket_message *message)
{
    memset(message, 0, sizeof *message);
    zmq_msg_init(&message->header);
    zmq_msg_init(&message->payload);
}

void socket_message_close(struct socket_message *message)
{
    zmq_msg_close(&message->header);
    zmq_msg_close(&message->payload);
}

/* Take the parts that are left of a message: header, payload, and any more for the bin. */
static void receive_parts(void *socket, struct socket_message *message)
{
    zmq_msg_t extra;
    zmq_msg_init(&extra);
    bool more = true;
    for (message->parts = 0; more; message->parts++) {
        zmq_msg_t *part = message->parts == 0 ? &message->header : message->parts == 1 ? &message->payload : &extra;
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(part);
    }
    zmq_msg_close(&extra);
}

bool socket_receive(void *socket, struct socket_message *message, uint64_t *dropped)
{
    for (;;) {
        zmq_msg_t route;
        zmq_msg_init(&route);
        if (zmq_msg_recv(&route, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&route);
            return false;
        }
        size_t length = zmq_msg_size(&route);
        bool more = zmq_msg_more(&route);
        message->route.length = length == ROUTE_LENGTH ? ROUTE_LENGTH : 0;
        memcpy(message->route.bytes, zmq_msg_data(&route), message->route.length);
        zmq_msg_close(&route);
        message->parts = 0;
        if (more)
            receive_parts(socket, message);
        if (message->parts > 0 && message->route.length > 0)
            return true;
        ++*dropped;
    }
}

enum sp_status socket_send(void *socket, const struct broker_route *route, const void *header, size_t length,
                           zmq_msg_t *parts, int count)
{
    enum sp_status status = SP_OK;
    int next = 0;
    /* only the first part can fail: what follows it goes the same way */
    if (zmq_send(socket, route->bytes, route->length, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        status = zmq_errno() == EAGAIN ? SP_E_LIMIT : SP_E_CLOSED;
        goto done;
    }
    if (zmq_send(socket, header, length, (count > 0 ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT) < 0) {
        status = SP_E_CLOSED;
        goto done;
    }
    for (; next < count; next++)
        if (zmq_msg_send(&parts[next], socket, (next + 1 < count ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT) < 0) {
            status = SP_E_CLOSED;
            break;
        }
done:
    for (; next < count; next++)
        zmq_msg_close(&parts[next]);
    return status;
}
