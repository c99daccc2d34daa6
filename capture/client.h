/* The client library: what a camera vendor links to speak with one broker.
 *
 *     sp_client_new(&client, &config, &err);
 *     sp_client_connect(client, 5000, &err);          HELLO, WELCOME, the fleet certificate is verified
 *     sp_client_frame(client, &frame, &err);          sealed and sent; never blocks
 *     while (...) sp_client_poll(client, 50, &err);   answers arrive here, verified, through config.on_answer
 *     sp_client_free(&client);
 *
 * Every frame, close and enrolment that was taken gets exactly one on_answer, also when the broker vanishes
 * (SP_CLIENT_UNANSWERED). Budgets are counted down on the monotonic clock. A broker that is silent for three
 * heartbeats is left for a new session, under which what is unanswered is sealed and sent again. One thread per
 * client; call sp_client_poll at least every 100 ms, it keeps the session alive. Call sp_seal_start once before. */
#ifndef SALLYPORT_CAPTURE_CLIENT_H
#define SALLYPORT_CAPTURE_CLIENT_H

#include "capture/verify.h"

#define SP_CLIENT_PENDING_MAX 64 /* taken and not yet answered, all lanes together */

/* Answers that never come over the wire, beside enum sp_answer. */
enum sp_client_answer_kind {
    SP_CLIENT_REFUSED = 100,    /* an answer came and this client does not believe it: see verdict */
    SP_CLIENT_UNANSWERED = 101, /* no answer within budget and grace */
};
const char *sp_client_answer_word(int answer); /* "decided" ... "refused", "unanswered". Static storage */

struct sp_client_answer {
    enum sp_message_type kind; /* SP_MSG_FRAME, _CLOSE, _ENROL or _REVIEW */
    const char *lane;
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq;
    int answer;              /* enum sp_answer or enum sp_client_answer_kind */
    int reason;              /* enum sp_reason */
    enum sp_verdict verdict; /* with SP_CLIENT_REFUSED: why */
    const char *text;        /* a sentence for people, or "" */
    int decision_count;      /* verified; only with SP_ANSWER_DECIDED */
    const struct sp_decision *decisions;
    const struct sp_answer_body *body; /* opened; NULL unless the answer is decided or undecided */
    uint64_t taken_ns;                 /* monotonic: when the client took the message */
    uint64_t answered_ns;              /* monotonic: when the answer was verified */
};

struct sp_client_counts {
    uint64_t sessions; /* WELCOMEs */
    uint64_t sent;     /* messages with a payload, every sending counted */
    uint64_t answers;  /* given to on_answer */
    uint64_t retried;  /* sent again because the broker was busy */
    uint64_t resent;   /* sent again under a new session */
    uint64_t unanswered;
    uint64_t unexpected; /* answers to nothing that waits: second answers, strangers' answers; ignored */
    uint64_t malformed;  /* messages from the broker that could not be read; ignored */
    uint64_t refusals;   /* REFUSED messages */
    uint64_t refused[SP_VERDICT_COUNT];
};

struct sp_client_config {
    const char *address;      /* "tcp://HOST:PORT" or "ipc://PATH" */
    struct sp_key_file self;  /* CURVE pair with secret; copied */
    uint8_t broker_key[32];   /* the broker's CURVE public key */
    uint8_t authority[32];    /* the authority's Ed25519 public key */
    const char *agent;        /* at most 63 characters; "" is fine */
    const char *const *lanes; /* lanes to speak for; none: ops */
    int lane_count;           /* 0..SP_PEER_MAX_LANES_ON_WIRE */
    int grace_ms;             /* after a budget is spent, wait this long for the answer; 0: 500 */
    bool retry_busy;          /* send again, with back-off and the same seq, while the budget lasts */
    bool retry_error;         /* the same for `error store_unavailable` and `error worker_lost` */
    void (*on_answer)(void *user,
                      const struct sp_client_answer *answer); /* called inside sp_client_poll; may send */
    void *user;
};

struct sp_client;

/* Makes the sockets; config's pointers are copied. SP_E_INVALID names what is wrong with the config. */
enum sp_status sp_client_new(struct sp_client **ret_client, const struct sp_client_config *config,
                             struct sp_err *err);
/* Says BYE, wipes the keys. What is pending gets no answer any more. Accepts NULL. */
void sp_client_free(struct sp_client **client);

/* Block until the session stands. SP_E_UNAVAILABLE: no broker within timeout_ms; SP_E_AUTH: the broker refuses this
 * key, or its certificate is not the authority's; SP_E_DENIED: the broker refuses the session (lane, role,
 * version). */
enum sp_status sp_client_connect(struct sp_client *client, int timeout_ms, struct sp_err *err);

/* Receive, answer, beat, reconnect, send what waits; return after at most timeout_ms (0: at once) or when something
 * happened. SP_OK also while the broker is away. SP_E_AUTH or SP_E_DENIED: this client is not wanted any more. */
enum sp_status sp_client_poll(struct sp_client *client, int timeout_ms, struct sp_err *err);

struct sp_client_frame {
    const char *lane;
    uint8_t encounter[SP_ENCOUNTER_BYTES]; /* from sp_uuid_new */
    uint32_t seq;                          /* 1... */
    int job_class;                         /* enum sp_class */
    uint32_t budget_ms;                    /* at least 1, from now */
    bool last;                             /* no further frame will come */
    const void *image;                     /* JPEG, PNG or JPEG 2000 file bytes; copied */
    size_t image_length;
    int64_t captured_ms; /* wall clock */
};
struct sp_client_close {
    const char *lane;
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq; /* the last frame's + 1 */
    int job_class;
    uint32_t budget_ms;
    int reason; /* SP_REASON_DONE, _LEFT, _OPTED_OUT or _TIMEOUT */
};
struct sp_client_enrol {
    uint8_t job[SP_ENCOUNTER_BYTES];
    int job_class; /* SP_CLASS_ENROL or SP_CLASS_BULK */
    uint32_t budget_ms;
    const uint8_t *pack; /* [16]: only workers of this model pack; NULL: any */
    const char *manifest;
    uint8_t row[16];
    uint8_t portrait[16];
};
struct sp_client_review {
    uint8_t job[SP_ENCOUNTER_BYTES];
    int job_class; /* SP_CLASS_BULK */
    uint32_t budget_ms;
    const uint8_t *pack; /* [16]: only workers of this model pack; NULL: any */
    const char *manifest;
    uint64_t version; /* at least this one; 0: the current one */
};
/* Take one message and send it as soon as the connection allows. None blocks. SP_E_LIMIT: SP_CLIENT_PENDING_MAX
 * wait already, or the image is over 16 MiB; SP_E_EXISTS: this (encounter, seq) waits already. */
enum sp_status sp_client_frame(struct sp_client *client, const struct sp_client_frame *frame, struct sp_err *err);
enum sp_status sp_client_close(struct sp_client *client, const struct sp_client_close *close, struct sp_err *err);
enum sp_status sp_client_enrol(struct sp_client *client, const struct sp_client_enrol *enrol, struct sp_err *err);
enum sp_status sp_client_review(struct sp_client *client, const struct sp_client_review *review,
                                struct sp_err *err);

/* Role ops: what the broker holds of SP_ASK_LANES (lane, peer, quiet_ms) or SP_ASK_WORKERS (name, backend, pack,
 * credit, quiet_ms), sorted, all pages. Blocks (and serves what else waits) until all is told; the caller frees
 * *ret_rows. SP_E_TIMEOUT; SP_E_DENIED: the broker does not tell this key. Not from within on_answer. */
enum sp_status sp_client_ask(struct sp_client *client, const char *what, int timeout_ms, struct sp_told **ret_rows,
                             int *ret_count, struct sp_err *err);

/* Unanswered frames a lane may have (WELCOME); 1 before the first session. */
uint32_t sp_client_window(const struct sp_client *client);
/* Frames of this lane that wait for their answer (closes and enrolments do not count). */
uint32_t sp_client_waiting(const struct sp_client *client, const char *lane);
/* Everything that waits. */
uint32_t sp_client_pending(const struct sp_client *client);
/* The broker's name from the last WELCOME; "" before. */
const char *sp_client_broker(const struct sp_client *client);
struct sp_client_counts sp_client_counts(const struct sp_client *client);
/* The last trouble that did not end the client ("no connection...", a REFUSED), for logs; "" if none. */
const char *sp_client_trouble(const struct sp_client *client);

#endif
