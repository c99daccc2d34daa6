/* What link.c (sockets and time) and link_say.c (messages) share. Private to the two. */
#ifndef SALLYPORT_WORKERS_LINK_PART_H
#define SALLYPORT_WORKERS_LINK_PART_H

#include <stdatomic.h>
#include "workers/link.h"

struct broker {
    char address[256];
    uint8_t server[32];
    void *socket, *monitor; /* NULL: not open */
    uint64_t greeting;      /* number of this connection's greeting; jobs carry it */
    bool greeted;
    bool refused;      /* said so */
    bool unheard;      /* said that nobody answers */
    char trouble[256]; /* what the monitor last said; "": nothing */
    char name[SP_NAME_MAX];
    uint32_t heartbeat_ms;
    uint64_t opened_ns, greeted_ns, heard_ns, sent_ns;
};

struct sp_link {
    struct sp_link_config config;
    void *zmq;
    int count;
    uint64_t greetings;
    uint8_t want_key[SP_KEY_BYTES], want_wrapped[SP_WRAPPED_KEY_BYTES], fleet_id[SP_KEY_ID_BYTES];
    atomic_bool draining;
    atomic_int greeted;
    bool drain_said;
    uint64_t quiet_ns; /* draining: since when nothing is left */
    struct broker brokers[SP_LINK_MAX_BROKERS];
};

/* One sentence for the log. */
void sp_link_note(struct sp_link *link, enum sp_log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Send one message; payload may be NULL. False when the socket did not take it. */
bool sp_link_send(struct sp_link *link, struct broker *broker, const struct sp_header *header, const void *payload,
                  size_t length);
void sp_link_say_ready(struct sp_link *link, struct broker *broker);
void sp_link_say_bare(struct sp_link *link, struct broker *broker, enum sp_message_type type);
void sp_link_say_result(struct sp_link *link, struct sp_job *job);
void sp_link_say_want(struct sp_link *link, struct broker *broker, const struct sp_want *want);
/* Take one whole message off the socket and act on it. False when none waits. */
bool sp_link_hear(struct sp_link *link, struct broker *broker, int index);

#endif
