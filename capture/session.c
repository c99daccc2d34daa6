#include "capture/session.h"

#include <stdlib.h>
#include <string.h>
#include "common/clock.h"

#define HEARTBEAT_MIN_MS 10

enum sp_status sp_session_begin(struct sp_session *session, const struct sp_header *welcome,
                                const uint8_t authority[32], uint64_t now_ns, int64_t wall_ms, struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_cert fleet;
    enum sp_status status =
        sp_cert_verify(&fleet, welcome->cert, welcome->cert_length, "fleet", authority, wall_ms, &inner);
    if (status != SP_OK)
        return sp_fail(err, status, "broker %s: the fleet certificate is refused, no face is sent: %s",
                       welcome->broker, inner.text);
    memcpy(session->broker, welcome->broker, sizeof session->broker);
    memcpy(session->terminal, welcome->terminal, sizeof session->terminal);
    session->window = welcome->window > 0 ? welcome->window : 1;
    session->max_age_ms = welcome->max_age_ms;
    session->heartbeat_ms = welcome->heartbeat_ms > HEARTBEAT_MIN_MS ? welcome->heartbeat_ms : HEARTBEAT_MIN_MS;
    session->max_payload = welcome->max_payload;
    memcpy(session->id, welcome->session, sizeof session->id);
    session->welcome_ns = now_ns;
    sp_seal_key_id(session->fleet_id, fleet.key);
    sp_seal_random(session->key, sizeof session->key);
    sp_seal_wrap(session->wrapped, session->key, fleet.key);
    session->greeted = true;
    return SP_OK;
}

void sp_session_end(struct sp_session *session)
{
    if (!session->greeted)
        return;
    session->greeted = false;
    memcpy(session->previous_key, session->key, sizeof session->key);
    session->has_previous = true;
}

void sp_session_forget(struct sp_session *session)
{
    sp_seal_wipe(session, sizeof *session);
}

enum sp_status sp_session_seal(const struct sp_session *session, struct sp_header *header, const void *plain,
                               size_t plain_length, uint64_t now_ns, uint8_t ret_header[SP_HEADER_MAX_BYTES],
                               size_t *ret_header_length, uint8_t **ret_payload, size_t *ret_payload_length,
                               struct sp_err *err)
{
    size_t length = plain_length + SP_PAYLOAD_OVERHEAD;
    if (length > session->max_payload)
        return sp_fail(err, SP_E_LIMIT, "payload of %zu bytes, broker %s takes %u: send a smaller image", length,
                       session->broker, session->max_payload);
    memcpy(header->session, session->id, sizeof header->session);
    memcpy(header->fleet_id, session->fleet_id, sizeof header->fleet_id);
    memcpy(header->wrapped_key, session->wrapped, sizeof header->wrapped_key);
    header->at_ms = (now_ns - session->welcome_ns) / SP_NS_PER_MS;
    enum sp_status status = sp_message_encode(ret_header, ret_header_length, header, err);
    if (status != SP_OK)
        return status;
    uint8_t *payload = malloc(length);
    if (!payload)
        return sp_fail(err, SP_E_NOMEM, "no memory to seal %zu bytes", length);
    sp_seal_payload_close(payload, plain, plain_length, ret_header, *ret_header_length, session->key, SP_TO_WORKER);
    *ret_payload = payload;
    *ret_payload_length = length;
    return SP_OK;
}

enum sp_status sp_session_open(const struct sp_session *session, const struct sp_header *answer,
                               const void *payload, size_t payload_length, uint8_t **ret_plain, size_t *ret_length,
                               struct sp_err *err)
{
    uint8_t ad[SP_ANSWER_AD_BYTES];
    uint8_t *plain = malloc(payload_length ? payload_length : 1);
    if (!plain)
        return sp_fail(err, SP_E_NOMEM, "no memory to open %zu bytes", payload_length);
    sp_message_answer_ad(ad, answer->encounter, answer->seq, answer->answer, answer->reason);
    enum sp_status status = sp_seal_payload_open(plain, ret_length, payload, payload_length, ad, sizeof ad,
                                                 session->key, SP_TO_CLIENT, err);
    if (status != SP_OK && session->has_previous)
        status = sp_seal_payload_open(plain, ret_length, payload, payload_length, ad, sizeof ad,
                                      session->previous_key, SP_TO_CLIENT, err);
    if (status == SP_OK)
        *ret_plain = plain;
    else
        free(plain);
    return status;
}
