#include "workers/intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

#define CAPTURED_MAX 4102444800000ll /* the year 2100: information only, but bounded */

static enum sp_status read_frame(struct sp_job *job, const sp_wire_value *map, struct sp_err *err)
{
    int64_t captured_ms;
    enum sp_status status =
        sp_wire_get_view(map, "image", job->plain_length, &job->encoded, &job->encoded_length, err);
    if (status == SP_OK)
        status = sp_wire_get_int(map, "captured_ms", 0, CAPTURED_MAX, &captured_ms, err);
    if (status == SP_OK && job->encoded_length == 0)
        status = sp_fail(err, SP_E_FORMAT, "image is empty");
    return status;
}

static enum sp_status read_enrol(struct sp_job *job, const sp_wire_value *map, struct sp_err *err)
{
    enum sp_status status = sp_wire_get_text(map, "manifest", job->manifest, sizeof job->manifest, err);
    if (status == SP_OK)
        status = sp_wire_get_bytes(map, "row", job->row, sizeof job->row, err);
    if (status == SP_OK)
        status = sp_wire_get_bytes(map, "portrait", job->portrait, sizeof job->portrait, err);
    return status;
}

static enum sp_status read_review(struct sp_job *job, const sp_wire_value *map, struct sp_err *err)
{
    enum sp_status status = sp_wire_get_text(map, "manifest", job->manifest, sizeof job->manifest, err);
    return status == SP_OK ? sp_wire_get_uint(map, "version", INT64_MAX, &job->version, err) : status;
}

static enum sp_status parse_plain(struct sp_job *job, struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    enum sp_status status = sp_wire_parse(&doc, job->plain, job->plain_length, &sp_wire_payload_limits, err);
    if (status != SP_OK)
        return status;
    const sp_wire_value *map = sp_wire_root(doc);
    if (!sp_wire_is_map(map))
        status = sp_fail(err, SP_E_FORMAT, "the opened payload is not a map");
    else if (job->kind == SP_MSG_FRAME)
        status = read_frame(job, map, err);
    else if (job->kind == SP_MSG_ENROL)
        status = read_enrol(job, map, err);
    else if (job->kind == SP_MSG_REVIEW)
        status = read_review(job, map, err);
    sp_wire_free(&doc); /* views point into job->plain, not into the doc */
    return status;
}

static int header_reason(enum sp_status status)
{
    return status == SP_E_VERSION       ? SP_REASON_BAD_VERSION
           : status == SP_E_UNSUPPORTED ? SP_REASON_UNKNOWN_MESSAGE
                                        : SP_REASON_BAD_MESSAGE;
}

/* The broker says what kind of job it is; the client's header, which the seal protects, must agree. */
static enum sp_status check_kind(const struct sp_job *job, struct sp_err *err)
{
    enum sp_message_type type = job->header.type;
    bool agrees = job->kind == SP_MSG_ENROL ? type == SP_MSG_ENROL || type == SP_MSG_WANT : (int)type == job->kind;
    bool known = job->kind == SP_MSG_FRAME || job->kind == SP_MSG_CLOSE || job->kind == SP_MSG_ENROL ||
                 job->kind == SP_MSG_REVIEW;
    if (!known || !agrees)
        return sp_fail(err, SP_E_FORMAT, "a job of kind %d holds a message %d", job->kind, (int)type);
    return SP_OK;
}

static enum sp_status open_payload(struct sp_job *job, struct sp_sessions *sessions, int *ret_reason,
                                   struct sp_err *err)
{
    *ret_reason = SP_REASON_CANNOT_OPEN;
    enum sp_status status =
        sp_sessions_find(sessions, job->header.fleet_id, job->header.wrapped_key, job->session_key, err);
    if (status != SP_OK)
        return status;
    if (job->payload_length < SP_PAYLOAD_OVERHEAD)
        return sp_fail(err, SP_E_AUTH, "a payload of %zu bytes holds no seal", job->payload_length);
    if (!(job->plain = malloc(job->payload_length))) {
        *ret_reason = SP_REASON_INTERNAL;
        return sp_fail(err, SP_E_NOMEM, "out of memory for a payload of %zu bytes", job->payload_length);
    }
    status = sp_seal_payload_open(job->plain, &job->plain_length, job->payload, job->payload_length, job->head,
                                  job->head_length, job->session_key, SP_TO_WORKER, err);
    free(job->payload); /* the sealed bytes have no further use */
    job->payload = NULL;
    job->payload_length = 0;
    return status;
}

enum sp_status sp_intake_open(struct sp_job *job, struct sp_sessions *sessions, int *ret_reason, struct sp_err *err)
{
    enum sp_status status = sp_message_decode(&job->header, job->head, job->head_length, err);
    *ret_reason = header_reason(status);
    if (status == SP_OK)
        status = check_kind(job, err);
    if (status == SP_OK)
        status = open_payload(job, sessions, ret_reason, err);
    if (status == SP_OK) {
        status = parse_plain(job, err);
        *ret_reason = status == SP_OK ? SP_REASON_NONE : SP_REASON_BAD_MESSAGE;
    }
    return status;
}
