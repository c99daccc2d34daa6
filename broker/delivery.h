/* From the outbox to the sockets: makes headers of the step's small records, and keeps the payloads of jobs in
 * hand, so that a job can be sent again. */
#ifndef SALLYPORT_BROKER_DELIVERY_H
#define SALLYPORT_BROKER_DELIVERY_H

#include "broker/config.h"
#include "broker/socket.h"

struct delivery;

struct delivery_lost {
    bool back; /* else front */
    struct broker_route route;
};

/* Views of config, sockets and certificate stay the caller's and must outlive it. */
enum sp_status delivery_new(struct delivery **ret_delivery, const struct broker_config *config, void *front,
                            void *back, const uint8_t *fleet_cert, size_t fleet_cert_length, struct sp_err *err);
void delivery_free(struct delivery **delivery);

/* Do what the step wants, in order. `message` and `header`: of the event (payloads are moved out of it), NULL for
 * none. */
void delivery_run(struct delivery *delivery, const struct broker_outbox *out, struct socket_message *message,
                  const struct sp_header *header);

/* One of the routes that could not be reached since; false: no more. Each is to become a BROKER_*_LOST event. */
bool delivery_lost(struct delivery *delivery, struct delivery_lost *ret_lost);
/* Messages that could not be sent, in all; ANSWERs among them. */
uint64_t delivery_unsent(const struct delivery *delivery);

#endif
