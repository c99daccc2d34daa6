/* The client's state, shared by client.c (life and sending), client_answer.c (receiving), client_take.c (taking
 * messages) and client_ask.c (questions). Nobody else includes this. */
#ifndef SALLYPORT_CAPTURE_CLIENT_STATE_H
#define SALLYPORT_CAPTURE_CLIENT_STATE_H

#include "capture/connection.h"
#include "capture/pending.h"
#include "capture/session.h"

enum sp_client_state {
    STATE_DOWN,       /* no connection; a new one at restart_ns */
    STATE_CONNECTING, /* connection made, HELLO not yet sent */
    STATE_GREETING,   /* HELLO sent */
    STATE_READY,      /* WELCOME received */
};

/* The ASK under way and the page that was told. */
struct sp_client_question {
    bool waiting, more;
    char what[16];
    int page_count;
    struct sp_told page[SP_TOLD_MAX];
};

struct sp_client {
    void *context;
    char *address;
    struct sp_key_file self;
    uint8_t broker_key[32];
    uint8_t authority[32];
    char agent[64];
    int lane_count;
    char lanes[SP_PEER_MAX_LANES_ON_WIRE][SP_NAME_MAX];
    uint64_t grace_ns;
    bool retry_busy, retry_error;
    void (*on_answer)(void *user, const struct sp_client_answer *answer);
    void *user;

    enum sp_client_state state;
    struct sp_connection *connection; /* NULL when down */
    struct sp_session session;
    uint64_t state_ns;    /* when this state began */
    uint64_t restart_ns;
    uint32_t restart_ms;  /* back-off between sessions */
    uint64_t heard_ns, said_ns;
    bool blocked;         /* the connection took no more; wait until it does */
    struct sp_pending_table table;
    struct sp_answer_body *body; /* scratch of one answer: too large for a stack */
    struct sp_decision *decisions;
    struct sp_client_question question;
    struct sp_client_counts counts;
    struct sp_err trouble;
    struct sp_err fatal;  /* sticky */
};

/* Say something without a payload; SP_E_LIMIT when the connection takes nothing now. */
enum sp_status sp_client_say(struct sp_client *c, const struct sp_header *header);
/* Leave this connection; what was on the wire goes out again under the next session. */
void sp_client_restart(struct sp_client *c, uint64_t now);
/* A WELCOME was verified. */
void sp_client_ready(struct sp_client *c, uint64_t now);
/* Not wanted here: everything that waits is answered, nothing more is taken. */
void sp_client_end(struct sp_client *c, enum sp_status status, const char *sentence);
/* Give the one answer of a row (kind, lane, ids and times are filled in here) and free the row. */
void sp_client_complete(struct sp_client *c, struct sp_pending *row, struct sp_client_answer *answer);

/* A TELL came. */
void sp_client_take_told(struct sp_client *c, const struct sp_header *header);

/* Take what lies on the socket and the monitor. */
void sp_client_receive(struct sp_client *c);

#endif
