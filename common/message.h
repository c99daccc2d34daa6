/* The messages of docs/protocol.md, encoded and decoded: bytes <-> struct, pure, no sockets.
 *
 * One struct serves all headers; which fields a message carries is the table in docs/protocol.md section 3. Decoding
 * checks that required fields are there, in range, and nothing else is (unknown keys are ignored: a later minor version
 * may add some). */
#ifndef SALLYPORT_COMMON_MESSAGE_H
#define SALLYPORT_COMMON_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/key.h"
#include "common/reason.h"
#include "common/status.h"

#define SP_PROTOCOL_VERSION   1
#define SP_HEADER_MAX_BYTES   4096
#define SP_PAYLOAD_MAX_BYTES  (8u << 20) /* the default limit of a broker */
#define SP_SESSION_BYTES      16
#define SP_ENCOUNTER_BYTES    16
#define SP_TEXT_MAX           160
#define SP_CREDIT_NONE        UINT32_MAX /* a BEAT without credit: decoding sets it, encoding leaves the field out */
#define SP_PEER_MAX_LANES_ON_WIRE 64
#define SP_PACK_BYTES         16 /* fingerprint of a model pack */
#define SP_TOLD_MAX           24 /* rows of one TELL: what a header holds of the longest ones */

enum sp_message_type {
    /* client <-> broker */
    SP_MSG_HELLO = 1,
    SP_MSG_WELCOME = 2,
    SP_MSG_FRAME = 3,
    SP_MSG_CLOSE = 4,
    SP_MSG_ANSWER = 5,
    SP_MSG_PING = 6,
    SP_MSG_PONG = 7,
    SP_MSG_REFUSED = 8,
    SP_MSG_BYE = 9,
    SP_MSG_ENROL = 10,
    SP_MSG_REVIEW = 11,
    SP_MSG_ASK = 12,
    SP_MSG_TELL = 13,
    /* worker <-> broker */
    SP_MSG_READY = 20,
    SP_MSG_GREET = 21,
    SP_MSG_JOB = 22,
    SP_MSG_RESULT = 23,
    SP_MSG_BEAT = 24,
    SP_MSG_DRAIN = 25,
    SP_MSG_WANT = 26,
};

enum sp_answer {
    SP_ANSWER_DECIDED = 1,
    SP_ANSWER_UNDECIDED = 2,
    SP_ANSWER_SUPERSEDED = 3, /* made by the capture node itself; never on the wire */
    SP_ANSWER_BUSY = 4,
    SP_ANSWER_EXPIRED = 5,
    SP_ANSWER_ERROR = 6,
};
const char *sp_answer_word(int answer); /* "decided"...; "unknown" */

enum sp_class { SP_CLASS_GATE = 1, SP_CLASS_LANE = 2, SP_CLASS_ENROL = 3, SP_CLASS_BULK = 4 };
#define SP_CLASS_COUNT 4

/* One row of a TELL. */
struct sp_told {
    char name[SP_NAME_MAX];       /* of the lane, or of the worker */
    char peer[SP_NAME_MAX];       /* lanes: whose session speaks for it */
    char backend[64];             /* workers, as these */
    uint8_t pack[SP_PACK_BYTES];
    uint32_t credit;
    uint64_t quiet_ms;            /* since the last sign of life */
};
#define SP_ASK_LANES   "lanes"
#define SP_ASK_WORKERS "workers"

struct sp_header {
    int version;               /* as read; encoding writes SP_PROTOCOL_VERSION */
    enum sp_message_type type;
    /* HELLO, READY */
    char agent[64];
    int lane_count;            /* HELLO: lanes the client will speak for (may be 0: ops) */
    char lanes[SP_PEER_MAX_LANES_ON_WIRE][SP_NAME_MAX];
    /* WELCOME, GREET */
    char broker[SP_NAME_MAX];
    char terminal[SP_NAME_MAX];
    uint32_t window;           /* unanswered frames per lane */
    uint32_t max_age_ms;
    uint32_t heartbeat_ms;
    uint32_t max_payload;      /* bytes */
    uint32_t lease_ms;         /* GREET: a worker's credit is void this long after its last message */
    const uint8_t *cert;       /* WELCOME: fleet certificate; READY: worker certificate; view into the decoded bytes */
    size_t cert_length;
    /* READY */
    uint32_t credit;           /* jobs it will hold at once for this broker; BEAT may leave it out: SP_CREDIT_NONE */
    char backend[64];
    /* READY: the pack that the worker runs. ENROL, REVIEW, WANT: the one that must do it; optional */
    bool has_pack;
    uint8_t pack[SP_PACK_BYTES];
    /* FRAME, CLOSE, ENROL, REVIEW, WANT: everything here is associated data of the payload */
    uint8_t sender[32];        /* the client's CURVE public key */
    uint8_t session[SP_SESSION_BYTES]; /* also in WELCOME */
    char lane[SP_NAME_MAX];    /* FRAME, CLOSE, ANSWER */
    uint8_t encounter[SP_ENCOUNTER_BYTES]; /* key "enc"; ENROL, REVIEW, WANT: the job's id */
    uint32_t seq;              /* 1...; CLOSE: last frame's + 1; ENROL, REVIEW, WANT: 1 */
    int job_class;             /* key "class" */
    uint32_t budget_ms;        /* remaining when sent */
    uint64_t at_ms;            /* client's monotonic ms since it got this session's WELCOME */
    bool last;                 /* FRAME: the client will send no further frame of this encounter */
    uint8_t fleet_id[SP_KEY_ID_BYTES];         /* key "kid": which fleet key wrapped the session key */
    uint8_t wrapped_key[SP_WRAPPED_KEY_BYTES]; /* key "key" */
    /* CLOSE, ANSWER, REFUSED, RESULT */
    int reason;                /* enum sp_reason */
    int answer;                /* enum sp_answer: ANSWER, RESULT */
    char text[SP_TEXT_MAX];    /* optional sentence for people */
    /* JOB, RESULT */
    uint64_t job;
    uint32_t attempt;          /* JOB: 1 = first delivery */
    int kind;                  /* JOB: SP_MSG_FRAME, SP_MSG_CLOSE, SP_MSG_ENROL or SP_MSG_REVIEW */
    /* ASK, TELL */
    char what[16];             /* SP_ASK_LANES or SP_ASK_WORKERS */
    char after[2 * SP_NAME_MAX]; /* ASK: rows after this one, "LANE/PEER" or a worker's name; "": from the first */
    bool more;                 /* TELL: ask again, after the last row */
    int told_count;
    struct sp_told told[SP_TOLD_MAX];
};

/* Decode one header. SP_E_VERSION for another protocol version (then *ret has version and type if readable),
 * SP_E_UNSUPPORTED for an unknown message number, SP_E_FORMAT/SP_E_LIMIT naming the field otherwise. Views in ret point
 * into bytes. No heap use that outlives the call. */
enum sp_status sp_message_decode(struct sp_header *ret, const void *bytes, size_t length, struct sp_err *err);

/* Encode into a caller's buffer of SP_HEADER_MAX_BYTES. */
enum sp_status sp_message_encode(uint8_t *ret_bytes, size_t *ret_length, const struct sp_header *header,
                                 struct sp_err *err);

/* Associated data of an ANSWER's payload: enc 16 | seq u32 BE | answer u8 | reason u16 BE = 23 bytes. */
#define SP_ANSWER_AD_BYTES 23
void sp_message_answer_ad(uint8_t ret_ad[SP_ANSWER_AD_BYTES], const uint8_t encounter[SP_ENCOUNTER_BYTES],
                          uint32_t seq, int answer, int reason);

#endif
