#include "common/curve.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ZAP_DOMAIN     "sallyport"
#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS  2000 /* a refused client asks again and again: not more often than this */
#define WATCHED                                                                                                    \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |       \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED)

static const char *const role_names[] = {"none", "capture", "worker", "ops"};

const char *sp_role_name(enum sp_role role)
{
    return (size_t)role < sizeof role_names / sizeof role_names[0] ? role_names[role] : "none";
}

static enum sp_status check_identity(const struct sp_key_file *self, struct sp_err *err)
{
    if (self->kind != SP_KEY_CURVE || !self->has_secret)
        return sp_fail(err, SP_E_INVALID, "key \"%s\" is a %s key%s, a socket needs a secret curve key", self->name,
                       sp_key_kind_word(self->kind), self->has_secret ? "" : " without its secret");
    return SP_OK;
}

/* One option after the other; the first that fails ends it. */
static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

enum sp_status sp_curve_server(void *socket, const struct sp_key_file *self, struct sp_err *err)
{
    enum sp_status status = check_identity(self, err);
    if (status != SP_OK)
        return status;
    /* Without a living ZAP handler libzmq would let everybody in; no message has a User-Id then, and
     * sp_curve_sender refuses them all. */
    if (!set_int(socket, ZMQ_CURVE_SERVER, 1) ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->secret, 32) != 0)
        return sp_fail(err, SP_E_INTERNAL, "socket of \"%s\" does not take its CURVE server key: %s", self->name,
                       zmq_strerror(zmq_errno()));
    return SP_OK;
}

enum sp_status sp_curve_client(void *socket, const struct sp_key_file *self, const uint8_t server_public[32],
                               struct sp_err *err)
{
    enum sp_status status = check_identity(self, err);
    if (status != SP_OK)
        return status;
    if (!set_int(socket, ZMQ_RECONNECT_IVL, RETRY_FIRST_MS) ||
        !set_int(socket, ZMQ_RECONNECT_IVL_MAX, RETRY_MOST_MS) ||
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_public, 32) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, self->public_key, 32) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->secret, 32) != 0)
        return sp_fail(err, SP_E_INTERNAL, "socket of \"%s\" does not take its CURVE client keys: %s", self->name,
                       zmq_strerror(zmq_errno()));
    return SP_OK;
}

enum sp_status sp_curve_sender(void *zmq_message, uint8_t ret_key[32], struct sp_err *err)
{
    uint8_t key[32];
    const char *id = zmq_msg_gets(zmq_message, "User-Id");
    if (!id)
        return sp_fail(err, SP_E_AUTH, "message without a sender: its connection was not authenticated");
    if (strlen(id) != 40 || !zmq_z85_decode(key, id))
        return sp_fail(err, SP_E_AUTH, "message whose User-Id is no public key");
    memcpy(ret_key, key, sizeof key);
    return SP_OK;
}

enum sp_status sp_curve_watch(void *zmq_context, void *socket, void **ret_monitor, struct sp_err *err)
{
    uint8_t random[16];
    char digits[2 * sizeof random + 1], endpoint[64];
    sp_seal_random(random, sizeof random);
    sp_seal_to_hex(digits, random, sizeof random);
    snprintf(endpoint, sizeof endpoint, "inproc://watch-%s", digits);
    if (zmq_socket_monitor(socket, endpoint, WATCHED) != 0)
        return sp_fail(err, SP_E_INTERNAL, "cannot watch a socket: %s", zmq_strerror(zmq_errno()));
    void *monitor = zmq_socket(zmq_context, ZMQ_PAIR);
    /* Without a high-water mark: a full monitor would stop the context's I/O thread, and with it every socket. */
    if (!monitor || !set_int(monitor, ZMQ_LINGER, 0) || !set_int(monitor, ZMQ_RCVHWM, 0) ||
        zmq_connect(monitor, endpoint) != 0) {
        sp_fail(err, SP_E_INTERNAL, "cannot watch a socket: %s", zmq_strerror(zmq_errno()));
        zmq_socket_monitor(socket, NULL, 0);
        if (monitor)
            zmq_close(monitor);
        return SP_E_INTERNAL;
    }
    *ret_monitor = monitor;
    return SP_OK;
}

void sp_curve_unwatch(void *socket, void **monitor)
{
    if (!*monitor)
        return;
    zmq_socket_monitor(socket, NULL, 0);
    zmq_close(*monitor);
    *monitor = NULL;
}

/* An event is two parts: number (16 bits) with value (32 bits), then the address. */
static bool receive_event(void *monitor, uint16_t *ret_event, uint32_t *ret_value, char *ret_address, int capacity)
{
    uint8_t head[6];
    if (zmq_recv(monitor, head, sizeof head, ZMQ_DONTWAIT) != (int)sizeof head)
        return false;
    int length = zmq_recv(monitor, ret_address, (size_t)capacity - 1, ZMQ_DONTWAIT);
    length = length < 0 ? 0 : length < capacity ? length : capacity - 1;
    ret_address[length] = 0;
    memcpy(ret_event, head, sizeof *ret_event);
    memcpy(ret_value, head + sizeof *ret_event, sizeof *ret_value);
    return true;
}

enum sp_status sp_curve_event(void *monitor, struct sp_err *err)
{
    uint16_t event = 0;
    uint32_t value = 0;
    char at[256];
    if (!receive_event(monitor, &event, &value, at, sizeof at))
        return sp_fail(err, SP_E_NOTFOUND, "no event waits");
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return SP_OK;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return sp_fail(err, SP_E_AUTH,
                       "%s refuses this key (%u): ask its operator to add it with \"sallyport keys peer\"", at,
                       value);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return sp_fail(err, SP_E_UNAVAILABLE,
                       "%s: handshake failed (%u): is it the server whose public key is configured?", at, value);
    case ZMQ_EVENT_MONITOR_STOPPED:
        return sp_fail(err, SP_E_CLOSED, "the watched socket is closed");
    default:
        return sp_fail(err, SP_E_UNAVAILABLE, "%s: not connected, trying again", at);
    }
}
