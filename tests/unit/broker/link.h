/* A real sallyport-broker in a directory of its own, and real CURVE sockets to it. */
#ifndef SALLYPORT_TESTS_BROKER_LINK_H
#define SALLYPORT_TESTS_BROKER_LINK_H

#include <sys/types.h>
#include "common/curve.h"
#include "common/message.h"

struct port { /* one running broker */
    char directory[64], front[64], back[64], metrics[64];
    struct sp_key_file self, authority, fleet;
    uint8_t fleet_cert[SP_CERT_MAX_BYTES];
    size_t fleet_cert_length;
    void *context;
    pid_t pid;
};

/* One DEALER of a peer. */
struct link {
    const struct port *port;
    struct sp_key_file key, sign;
    void *socket;
    bool worker;
    uint8_t session[SP_SESSION_BYTES];
};

/* Everything received: header bytes, and up to two more parts. */
struct mail {
    struct sp_header header;
    uint8_t bytes[SP_HEADER_MAX_BYTES]; /* header.cert points in here */
    int parts;
    uint8_t more[2][200000];
    size_t more_length[2];
};

/* settings: "key=value" texts, NULL at the end, over short heartbeats (200 ms). */
void port_start(struct port *port, const char *const *settings);
/* Ends the broker if it still runs; returns its exit code. */
int port_stop(struct port *port);
int port_wait(struct port *port); /* for its own end, at most 10 s */
void port_peer(const struct port *port, const char *name, const char *role, const uint8_t key[32],
               const char *lanes);
void port_revoke(const struct port *port, const char *name);

/* A new key, put in the peer table under this name unless role is NULL, and a connected socket. */
void link_open(struct link *link, const struct port *port, const char *name, const char *role, const char *lanes,
               bool to_back);
/* The same key on a fresh connection. */
void link_reopen(struct link *link, const struct link *of);
void link_close(struct link *link);
void link_send(struct link *link, const struct sp_header *header, const void *payload, size_t length);
void link_send_bytes(struct link *link, const void *bytes, size_t length);
void link_say(struct link *link, enum sp_message_type type);
/* The next message that is no heartbeat (those are answered); false after ms without one. */
bool link_hear(struct link *link, struct mail *mail, int ms);
/* It must come within 5 s and be of this type. */
void link_expect(struct link *link, struct mail *mail, enum sp_message_type type);
void link_expect_reason(struct link *link, struct mail *mail, enum sp_message_type type, int reason);

void link_hello(struct link *link, struct mail *mail, const char *lane);
void link_ready(struct link *link, struct mail *mail, uint32_t credit);
/* A FRAME of lane A1, encounter made of one byte, age 0. */
struct sp_header link_frame(const struct link *link, int encounter, uint32_t seq);
void link_result(struct link *link, uint64_t job, int answer, const void *payload, size_t length);

#endif
