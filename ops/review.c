#include "ops/review.h"

#include <string.h>
#include "common/uuid.h"
#include "ops/broker.h"

#define POLL_MS 100

struct asking {
    const char *manifest;
    struct sp_review *review;
    bool answered;
    enum sp_status status;
    struct sp_err err;
};

static void take_failure(struct asking *a, const struct sp_client_answer *answer)
{
    enum sp_status status = SP_E_INTERNAL;
    const char *what = answer->text[0] ? answer->text : sp_reason_text(answer->reason);
    if (answer->answer == SP_ANSWER_EXPIRED)
        status = answer->reason == SP_REASON_NO_WORKER ? SP_E_UNAVAILABLE : SP_E_TIMEOUT;
    else if (answer->answer == SP_CLIENT_UNANSWERED)
        status = SP_E_TIMEOUT;
    else if (answer->answer == SP_ANSWER_BUSY || answer->reason == SP_REASON_STORE_UNAVAILABLE ||
             answer->reason == SP_REASON_WORKER_LOST)
        status = SP_E_UNAVAILABLE;
    else if (answer->reason == SP_REASON_GALLERY_STALE)
        status = SP_E_NOTFOUND;
    else if (answer->reason == SP_REASON_NOT_AUTHORISED)
        status = SP_E_DENIED;
    else if (answer->answer == SP_CLIENT_REFUSED)
        status = SP_E_AUTH;
    a->status = sp_fail(&a->err, status, "review of manifest %s: %s %s: %s", a->manifest,
                        sp_client_answer_word(answer->answer), sp_reason_word(answer->reason), what);
}

static void on_answer(void *user, const struct sp_client_answer *answer)
{
    struct asking *a = user;
    a->answered = true;
    if (answer->body && answer->body->has_review)
        *a->review = answer->body->review;
    else
        take_failure(a, answer);
}

enum sp_status sp_review_ask(struct sp_review *ret_review, const struct sp_ops_config *config, const char *manifest,
                             uint64_t version, const uint8_t *pack, uint32_t budget_ms, struct sp_err *err)
{
    struct asking a = {.manifest = manifest, .review = ret_review};
    struct sp_client *client = NULL;
    struct sp_client_review review = {
        .job_class = SP_CLASS_BULK, .budget_ms = budget_ms, .pack = pack, .manifest = manifest, .version = version};
    sp_uuid_new(review.job);
    enum sp_status status = sp_ops_client(&client, config, "sallyport review", on_answer, &a, err);
    if (status == SP_OK)
        status = sp_client_review(client, &review, err);
    while (status == SP_OK && !a.answered)
        status = sp_client_poll(client, POLL_MS, err);
    sp_client_free(&client);
    if (status == SP_OK && a.status != SP_OK)
        status = sp_fail(err, a.status, "%s", a.err.text);
    return status;
}
