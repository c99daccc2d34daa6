/* A broker and worker in one thread, over a real ROUTER socket with CURVE, ZAP and a peer table: it opens payloads, signs
 * decisions with test keys, and misbehaves on request. Only for the client's own tests. */
#ifndef SALLYPORT_TESTS_FAKE_BROKER_H
#define SALLYPORT_TESTS_FAKE_BROKER_H

#include <stdatomic.h>
#include "common/decision.h"

/* What is done with the next frames and closes. FORGE_* send an answer that must not be believed. */
enum fake_mode {
    FAKE_MATCH,
    FAKE_UNDECIDED,      /* frames: undecided too_dark; closes: refer too_dark */
    FAKE_BUSY,           /* busy queue_full */
    FAKE_NOT_YOUR_LANE,  /* error */
    FAKE_NO_WORKER,      /* expired */
    FAKE_STALE,          /* error gallery_stale */
    FAKE_HOLD,           /* keep the message; answered when the mode changes */
    FAKE_SILENT,         /* say nothing at all, not even to PING and HELLO */
    FAKE_TWICE,          /* answer twice */
    FAKE_STRANGE,        /* an answer to nobody's frame, one for another lane, junk; then the right one */
    FAKE_FORGET,         /* the session is unknown: REFUSED not_greeted */
    FAKE_REVOKE,         /* REFUSED revoked */
    FAKE_REPLACE,        /* REFUSED stale_session: another client has this key and lane now */
    FAKE_OLD_KEY,        /* seal the answer with the first session key ever seen */
    FORGE_SIGNATURE,
    FORGE_LANE,
    FORGE_ENCOUNTER,
    FORGE_SENDER,
    FORGE_SEQ,
    FORGE_AGE,           /* issued and expired within a millisecond */
    FORGE_AUTHORITY,     /* certificate of another authority */
    FORGE_FLEET_CERT,    /* certificate of the wrong kind */
    FORGE_OLD_CERT,      /* certificate past its end */
    FORGE_NO_DECISION,
    FORGE_BODY,          /* not a body */
    FORGE_DECISION,      /* signed, and not a decision */
    FORGE_KEY,           /* sealed with another session key */
    FORGE_REASON,        /* the header's reason is not the sealed one's */
    FORGE_NO_PAYLOAD,
    FORGE_UNDECIDED,     /* undecided, yet it holds a decision */
    FORGE_TWO_FACES,     /* two decisions for face 0 */
    FAKE_MODE_COUNT,
};

struct fake_seen { /* one FRAME or CLOSE that came */
    struct sp_header header;
    bool opened;          /* its payload opened with its header as associated data */
    size_t image_length;
    uint8_t image[64];    /* the first bytes */
};

#define FAKE_SEEN_MAX 256
struct fake_broker {
    char folder[64], address[96];
    struct sp_key_file curve, fleet, authority, worker, client;
    struct sp_key_file other_authority;
    _Atomic int mode;
    _Atomic int bad_fleet_cert, refuse_hello; /* set before the client connects */
    uint32_t window, heartbeat_ms;
    _Atomic uint32_t max_payload;
    _Atomic int hellos, pings, byes, frames, closes, seen_count;
    struct fake_seen seen[FAKE_SEEN_MAX]; /* by fake_seen only */
    struct fake_inside *inside;
};

/* Start it with fresh keys in a folder of its own; the client's key is in its peer table. Aborts the test on failure. */
void fake_broker_start(struct fake_broker *fake, uint32_t window, uint32_t heartbeat_ms);
void fake_broker_stop(struct fake_broker *fake);
/* The frame or close that came as number `index` (from 0; -1: the last). Aborts if none did. */
const struct fake_seen *fake_seen(const struct fake_broker *fake, int index);

#endif
