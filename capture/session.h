/* One session with a broker: what WELCOME said, the session key, and the seals of both directions. No sockets. */
#ifndef SALLYPORT_CAPTURE_SESSION_H
#define SALLYPORT_CAPTURE_SESSION_H

#include "common/message.h"

/* The client reads these fields; only session.c writes them. Wiped by sp_session_forget. */
struct sp_session {
    bool greeted;
    char broker[SP_NAME_MAX];
    char terminal[SP_NAME_MAX];
    uint32_t window;       /* unanswered frames per lane, at least 1 */
    uint32_t max_age_ms;
    uint32_t heartbeat_ms; /* at least 10 */
    uint32_t max_payload;  /* bytes, sealed */
    uint8_t id[SP_SESSION_BYTES];
    uint64_t welcome_ns;   /* monotonic */
    uint8_t fleet_id[SP_KEY_ID_BYTES];
    uint8_t key[SP_KEY_BYTES];
    uint8_t wrapped[SP_WRAPPED_KEY_BYTES];
    bool has_previous;     /* a stored answer may still be sealed with the session key before this one */
    uint8_t previous_key[SP_KEY_BYTES];
};

/* A WELCOME came: verify the fleet certificate with the authority's key, make and wrap a new session key. SP_E_AUTH names
 * what does not verify; the session is unchanged then. */
enum sp_status sp_session_begin(struct sp_session *session, const struct sp_header *welcome,
                                const uint8_t authority[32], uint64_t now_ns, int64_t wall_ms, struct sp_err *err);
/* The connection is gone; the key is kept as the previous one. */
void sp_session_end(struct sp_session *session);
void sp_session_forget(struct sp_session *session);

/* Encode `header` with this session's id, time and wrapped key, and seal `plain` to it. ret_payload: a new buffer, the
 * caller frees it. SP_E_LIMIT when the payload is over the broker's maximum. */
enum sp_status sp_session_seal(const struct sp_session *session, struct sp_header *header, const void *plain,
                               size_t plain_length, uint64_t now_ns, uint8_t ret_header[SP_HEADER_MAX_BYTES],
                               size_t *ret_header_length, uint8_t **ret_payload, size_t *ret_payload_length,
                               struct sp_err *err);
/* Open an answer's payload; ret_plain is a new buffer, the caller frees it. SP_E_AUTH when it does not open with this
 * session's key nor the one before. */
enum sp_status sp_session_open(const struct sp_session *session, const struct sp_header *answer, const void *payload,
                               size_t payload_length, uint8_t **ret_plain, size_t *ret_length, struct sp_err *err);

#endif
