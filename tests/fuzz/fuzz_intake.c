/* Any bytes as what a client sealed (its key is its own: the plaintext is as hostile as the header): opened and
 * parsed as a frame, a close, an enrolment or a review, or refused with a reason and a sentence. First byte: which
 * of them.
 */
#include <stdlib.h>
#include <string.h>
#include "workers/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: asymmetric keys are slow. */
static struct fixture {
    struct sp_key_file fleet;
    struct sp_sessions *sessions;
    struct sp_job_pool *pool;
    uint8_t session_key[SP_KEY_BYTES];
    struct sp_header header;
} * fixture;

static void start(void)
{
    fixture = calloc(1, sizeof *fixture);
    if (!fixture || sp_seal_start(NULL) != SP_OK)
        abort();
    sp_key_generate(&fixture->fleet, SP_KEY_BOX, "fleet");
    if (sp_sessions_new(&fixture->sessions, &fixture->fleet, 8, NULL) != SP_OK ||
        sp_job_pool_new(&fixture->pool, 1, NULL) != SP_OK)
        abort();
    fixture->header = (struct sp_header){.seq = 1, .budget_ms = 1000, .reason = SP_REASON_DONE};
    memcpy(fixture->header.lane, "gate-1", 7);
    sp_seal_key_id(fixture->header.fleet_id, fixture->fleet.public_key);
    sp_seal_wrap(fixture->header.wrapped_key, fixture->session_key, fixture->fleet.public_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum sp_message_type types[] = {SP_MSG_FRAME, SP_MSG_CLOSE, SP_MSG_ENROL, SP_MSG_WANT,
                                                 SP_MSG_REVIEW};
    uint8_t head[SP_HEADER_MAX_BYTES];
    size_t head_length;
    struct sp_err err = {0};
    int reason = 0;
    if (size < 1 || size > 1 << 20)
        return 0;
    if (!fixture)
        start();
    fixture->header.type = types[data[0] % 5];
    fixture->header.job_class = SP_CLASS_BULK;
    uint8_t *payload = malloc(size + SP_PAYLOAD_OVERHEAD);
    struct sp_job *job = sp_job_take(fixture->pool);
    if (!payload || !job || sp_message_encode(head, &head_length, &fixture->header, &err) != SP_OK)
        abort();
    sp_seal_payload_close(payload, data + 1, size - 1, head, head_length, fixture->session_key, SP_TO_WORKER);
    if (sp_job_fill(job, head, head_length, payload, size - 1 + SP_PAYLOAD_OVERHEAD, &err) != SP_OK)
        abort();
    job->kind = fixture->header.type == SP_MSG_WANT ? SP_MSG_ENROL : (int)fixture->header.type;
    if (sp_intake_open(job, fixture->sessions, &reason, &err) != SP_OK) {
        if (reason == SP_REASON_NONE || err.text[0] == '\0')
            abort();
    } else if (job->kind == SP_MSG_FRAME) {
        if (job->encoded_length == 0 || job->encoded < job->plain ||
            job->encoded + job->encoded_length > job->plain + job->plain_length)
            abort();
    }
    sp_job_give(fixture->pool, job);
    free(payload);
    return 0;
}
