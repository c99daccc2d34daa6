#include "workers/enrol.h"

#include <stdlib.h>
#include <string.h>

#include "roster/template.h"
#include "workers/answer.h"

bool sp_enrol_is_want(const struct sp_job *job)
{
    return job->header.type == SP_MSG_WANT;
}

/* The answer of every enrolment that was carried out, with or without a template. */
static void say(struct sp_job *job, const struct sp_enrol_config *config, const struct sp_enrolled *enrolled)
{
    struct sp_answer_body *body = calloc(1, sizeof *body);
    struct sp_err err = {.text = "out of memory for an answer"};
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = body ? SP_OK : SP_E_NOMEM;
    sp_answer_waited(job);
    if (body) {
        body->has_enrolled = true;
        body->enrolled = *enrolled;
        body->faces = job->image || job->width ? job->faces->count : -1;
        body->quality = enrolled->quality;
        memcpy(body->timings_us, job->timings_us, sizeof body->timings_us);
        memcpy(body->cert, config->signer->cert, config->signer->cert_length);
        body->cert_length = config->signer->cert_length;
        status = sp_answer_body_encode(&bytes, &length, body, &err);
    }
    if (status == SP_OK)
        status = sp_answer_body(job, SP_ANSWER_DECIDED, enrolled->reason, bytes, length, &err);
    if (status != SP_OK)
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
    free(bytes);
    free(body);
}

/* A store that is away, or a record that is not as it should be. */
static void say_failure(struct sp_job *job, enum sp_status status, int away_reason, const struct sp_err *err)
{
    bool away = status == SP_E_UNAVAILABLE || status == SP_E_TIMEOUT;
    sp_answer_plain(job, SP_ANSWER_ERROR, away ? away_reason : SP_REASON_INTERNAL, away ? NULL : err->text);
}

/* A WANT is sent by every worker that misses a template; only the first computes it. */
static bool came_back(struct sp_job *job, const struct sp_enrol_config *config, struct sp_store *galleries)
{
    uint8_t id[1][SP_TEMPLATE_ID_BYTES], present = 0;
    if (!sp_enrol_is_want(job))
        return false;
    sp_template_id(id[0], job->manifest, job->row, config->pack->fingerprint, job->portrait);
    if (sp_template_present(galleries, job->manifest, config->pack->fingerprint,
                            (const uint8_t(*)[SP_TEMPLATE_ID_BYTES])id, 1, &present, NULL) != SP_OK ||
        !present)
        return false;
    struct sp_enrolled enrolled = {.has_template = true, .quality = -1};
    memcpy(enrolled.template_id, id[0], sizeof enrolled.template_id);
    say(job, config, &enrolled);
    return true;
}

enum sp_status sp_enrol_fetch(struct sp_job *job, const struct sp_enrol_config *config, struct sp_store *durable,
                              struct sp_store *galleries, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (came_back(job, config, galleries))
        return sp_fail(err, SP_E_EXISTS, "enrol: the template is there already");
    enum sp_status status = sp_manifest_open_keys(&job->keys, durable, job->manifest, &config->reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_portrait(&bytes, &length, durable, job->manifest, job->portrait, &job->keys, err);
    if (status == SP_OK) {
        status = sp_image_decode(&job->image, bytes, length, &config->limits, err);
        if (status == SP_OK) {
            job->width = job->image->width;
            job->height = job->image->height;
        }
        sp_seal_wipe(bytes, length);
        free(bytes);
    } else if (status != SP_E_NOTFOUND) {
        say_failure(job, status, SP_REASON_STORE_UNAVAILABLE, err);
        return status;
    }
    if (status != SP_OK) /* missing or damaged: trying again would not help */
        say(job, config, &(struct sp_enrolled){.reason = SP_REASON_BAD_PORTRAIT, .quality = -1});
    return status;
}

void sp_enrol_store(struct sp_job *job, const struct sp_enrol_config *config, struct sp_store *galleries)
{
    struct sp_enrolled enrolled = {.quality = -1};
    struct sp_err err = {0};
    const struct sp_face *face = NULL;
    int dominant = sp_decide_dominant(job->faces, job->width, job->height, &enrolled.reason);
    if (dominant >= 0) {
        face = &job->faces->faces[dominant];
        enrolled.quality = face->quality.unified;
        enrolled.eye_px = (double)face->quality.inter_eye_px;
        enrolled.reason = face->reason != SP_REASON_NONE ? face->reason
                          : face->embedded               ? SP_REASON_NONE
                                                         : SP_REASON_BAD_PORTRAIT;
    }
    if (enrolled.reason == SP_REASON_NONE) {
        enrolled.has_template = true;
        sp_template_id(enrolled.template_id, job->manifest, job->row, config->pack->fingerprint, job->portrait);
        enum sp_status status =
            sp_template_store(galleries, job->manifest, config->pack->fingerprint, enrolled.template_id,
                              face->vector, config->pack->dim, &job->keys, &err);
        if (status != SP_OK) {
            say_failure(job, status, SP_REASON_GALLERY_STALE, &err);
            return;
        }
    }
    say(job, config, &enrolled);
}
