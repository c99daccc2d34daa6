#include "capture/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define QUEUE_MESSAGES   64 /* far above any window: the bound that matters is the client's own table */
#define RECONNECT_MS     100
#define RECONNECT_MAX_MS 1000
#define HANDSHAKE_MS     5000

struct sp_connection {
    void *socket;
    void *monitor;
    zmq_msg_t parts[2]; /* of the last received message; always initialised */
};

static enum sp_status fail_zmq(struct sp_err *err, enum sp_status status, const char *what, const char *address)
{
    return sp_fail(err, status, "%s: %s: %s", address, what, zmq_strerror(zmq_errno()));
}

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_options(void *socket, size_t max_part)
{
    int64_t max = (int64_t)max_part;
    /* IMMEDIATE: nothing is queued for a connection that does not exist, so that HELLO is always the first message.
     */
    return set_int(socket, ZMQ_IMMEDIATE, 1) && set_int(socket, ZMQ_SNDHWM, QUEUE_MESSAGES) &&
           set_int(socket, ZMQ_RCVHWM, QUEUE_MESSAGES) && set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) && set_int(socket, ZMQ_LINGER, 0) &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) == 0;
}

enum sp_status sp_connection_new(struct sp_connection **ret_connection, void *zmq_context,
                                 const struct sp_connection_config *config, struct sp_err *err)
{
    enum sp_status status;
    struct sp_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for a connection", config->address);
    zmq_msg_init(&connection->parts[0]);
    zmq_msg_init(&connection->parts[1]);
    connection->socket = zmq_socket(zmq_context, ZMQ_DEALER);
    if (!connection->socket || !set_options(connection->socket, config->max_part)) {
        status = fail_zmq(err, SP_E_IO, "cannot make a socket", config->address);
        goto fail;
    }
    status = sp_curve_client(connection->socket, config->self, config->server_public, err);
    if (status == SP_OK)
        status = sp_curve_watch(zmq_context, connection->socket, &connection->monitor, err);
    if (status != SP_OK)
        goto fail;
    if (zmq_connect(connection->socket, config->address) != 0) {
        status = fail_zmq(err, SP_E_INVALID, "not an address to connect to (tcp://HOST:PORT or ipc://PATH)",
                          config->address);
        goto fail;
    }
    *ret_connection = connection;
    return SP_OK;
fail:
    sp_connection_free(&connection, 0);
    return status;
}

void sp_connection_free(struct sp_connection **connection, int linger_ms)
{
    if (!connection || !*connection)
        return;
    struct sp_connection *l = *connection;
    zmq_msg_close(&l->parts[0]);
    zmq_msg_close(&l->parts[1]);
    if (l->socket) {
        (void)zmq_socket_monitor(l->socket, NULL, 0);
        (void)set_int(l->socket, ZMQ_LINGER, linger_ms);
        zmq_close(l->socket);
    }
    if (l->monitor) {
        (void)set_int(l->monitor, ZMQ_LINGER, 0);
        zmq_close(l->monitor);
    }
    free(l);
    *connection = NULL;
}

enum sp_status sp_connection_wait(struct sp_connection *connection, bool want_send, int timeout_ms,
                                  struct sp_err *err)
{
    zmq_pollitem_t items[2] = {
        {.socket = connection->socket, .events = (short)(ZMQ_POLLIN | (want_send ? ZMQ_POLLOUT : 0))},
        {.socket = connection->monitor, .events = ZMQ_POLLIN},
    };
    if (zmq_poll(items, 2, timeout_ms) < 0 && zmq_errno() != EINTR)
        return sp_fail(err, SP_E_IO, "cannot wait for the broker: %s", zmq_strerror(zmq_errno()));
    return SP_OK;
}

enum sp_status sp_connection_send(struct sp_connection *connection, const void *header, size_t header_length,
                                  const void *payload, size_t payload_length, struct sp_err *err)
{
    int more = payload ? ZMQ_SNDMORE : 0;
    if (zmq_send(connection->socket, header, header_length, ZMQ_DONTWAIT | more) < 0)
        return sp_fail(err, zmq_errno() == EAGAIN ? SP_E_LIMIT : SP_E_IO, "cannot send to the broker now: %s",
                       zmq_strerror(zmq_errno()));
    /* Once the first part is taken the second always finds room: ZeroMQ counts whole messages. */
    if (payload && zmq_send(connection->socket, payload, payload_length, ZMQ_DONTWAIT) < 0)
        return sp_fail(err, SP_E_IO, "cannot send a payload to the broker: %s", zmq_strerror(zmq_errno()));
    return SP_OK;
}

enum sp_status sp_connection_receive(struct sp_connection *connection, struct sp_connection_message *ret_message,
                                     struct sp_err *err)
{
    int count = 0;
    bool more = true;
    for (; more; count++) {
        zmq_msg_t dropped;
        zmq_msg_t *part = count < 2 ? &connection->parts[count] : &dropped;
        if (count >= 2)
            zmq_msg_init(&dropped);
        if (zmq_msg_recv(part, connection->socket, ZMQ_DONTWAIT) < 0) {
            enum sp_status status = zmq_errno() == EAGAIN && count == 0 ? SP_E_NOTFOUND : SP_E_IO;
            return sp_fail(err, status, "nothing to receive: %s", zmq_strerror(zmq_errno()));
        }
        more = zmq_msg_more(part);
        if (count >= 2)
            zmq_msg_close(&dropped);
    }
    ret_message->part_count = count;
    ret_message->header = zmq_msg_data(&connection->parts[0]);
    ret_message->header_length = zmq_msg_size(&connection->parts[0]);
    ret_message->payload = count > 1 ? zmq_msg_data(&connection->parts[1]) : NULL;
    ret_message->payload_length = count > 1 ? zmq_msg_size(&connection->parts[1]) : 0;
    return SP_OK;
}

enum sp_status sp_connection_check(struct sp_connection *connection, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (;;) {
        zmq_pollitem_t item = {.socket = connection->monitor, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 0) <= 0)
            return status;
        enum sp_status event = sp_curve_event(connection->monitor, err);
        if (event == SP_E_AUTH)
            return event;
        status = event == SP_E_UNAVAILABLE ? event : SP_OK;
    }
}
