/* One broker's end of the wire: a DEALER socket under CURVE and the monitor that tells when the key is refused. Knows
 * parts, not messages. One thread. */
#ifndef SALLYPORT_CAPTURE_CONNECTION_H
#define SALLYPORT_CAPTURE_CONNECTION_H

#include <stdbool.h>
#include "common/curve.h"

struct sp_connection;

struct sp_connection_config {
    const char *address;             /* "tcp://broker.port:5801" */
    const struct sp_key_file *self;  /* CURVE pair with its secret */
    const uint8_t *server_public;    /* 32 bytes */
    size_t max_part;                 /* bytes; a larger incoming part ends the connection */
};

/* Connects in the background; config's pointers are borrowed for the call. SP_E_INVALID for an address that ZeroMQ cannot
 * use. */
enum sp_status sp_connection_new(struct sp_connection **ret_connection, void *zmq_context, const struct sp_connection_config *config,
                           struct sp_err *err);
/* Gives what is still unsent linger_ms to leave. Accepts NULL. */
void sp_connection_free(struct sp_connection **connection, int linger_ms);

/* Wait until something can be received (or sent, if want_send), a monitor event came, or timeout_ms passed. */
enum sp_status sp_connection_wait(struct sp_connection *connection, bool want_send, int timeout_ms, struct sp_err *err);

/* Send one or two parts (payload may be NULL) as a whole or not at all. Does not block: SP_E_LIMIT when the connection is
 * not up or its queue is full. */
enum sp_status sp_connection_send(struct sp_connection *connection, const void *header, size_t header_length, const void *payload,
                            size_t payload_length, struct sp_err *err);

/* One received message; views are valid until the next call on the connection. */
struct sp_connection_message {
    int part_count; /* as received; parts beyond the second are dropped */
    const void *header;
    size_t header_length;
    const void *payload;
    size_t payload_length;
};
/* Does not block: SP_E_NOTFOUND when nothing is there. */
enum sp_status sp_connection_receive(struct sp_connection *connection, struct sp_connection_message *ret_message, struct sp_err *err);

/* Drain the monitor. SP_E_AUTH: this key is refused (err says so for people); SP_E_UNAVAILABLE: no connection at the
 * moment, ZeroMQ tries again; SP_OK otherwise. Does not block. */
enum sp_status sp_connection_check(struct sp_connection *connection, struct sp_err *err);

#endif
