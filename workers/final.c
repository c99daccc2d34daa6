#include "workers/final.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sp_decision decision_of(const struct sp_signer *signer, const struct sp_final_about *about,
                                      const struct sp_verdict *verdict, int face)
{
    struct sp_decision decision = {
        .face = about->per_face ? (uint32_t)face + 1 : 0,
        .seq = about->seq,
        .outcome = verdict->outcome,
        .reason = verdict->reason,
        .has_traveller = verdict->has_traveller,
        .issued_ms = about->issued_ms,
        .expires_ms = about->issued_ms + about->ttl_ms,
        .assignment = about->assignment,
        .threshold = about->threshold,
        .policy = "none",
    };
    snprintf(decision.lane, sizeof decision.lane, "%s", about->lane);
    memcpy(decision.encounter, about->encounter, sizeof decision.encounter);
    memcpy(decision.sender, about->sender, sizeof decision.sender);
    memcpy(decision.pack, about->pack ? about->pack : signer->pack, sizeof decision.pack);
    if (verdict->has_traveller) {
        memcpy(decision.traveller, verdict->traveller, sizeof decision.traveller);
        memcpy(decision.manifest, verdict->manifest, sizeof decision.manifest);
    }
    for (int i = 0; i < about->gallery_count; i++)
        if (about->galleries[i].version)
            decision.galleries[decision.gallery_count++] = about->galleries[i];
    return decision;
}

static enum sp_status sign(struct sp_signed_decision *ret, const struct sp_decision *decision,
                           const struct sp_signer *signer, struct sp_err *err)
{
    enum sp_status status = sp_decision_encode(ret->bytes, &ret->length, decision, err);
    if (status == SP_OK)
        sp_seal_sign(ret->signature, SP_DECISION_CONTEXT, ret->bytes, ret->length, signer->secret);
    return status;
}

/* The best candidate of all faces. */
static void reveal(struct sp_answer_body *body, const struct sp_verdict *verdicts, int count)
{
    for (int i = 0; i < count; i++) {
        if (!verdicts[i].has_candidate || (body->has_candidate && verdicts[i].score <= body->score))
            continue;
        body->has_candidate = true;
        memcpy(body->candidate, verdicts[i].candidate, sizeof body->candidate);
        body->score = verdicts[i].score;
        body->margin = verdicts[i].margin;
    }
}

enum sp_status sp_final_body(uint8_t **ret_body, size_t *ret_length, struct sp_decision *ret_first,
                             const struct sp_signer *signer, const struct sp_final_about *about,
                             const struct sp_verdict *verdicts, int count, struct sp_err *err)
{
    struct sp_answer_body *body = calloc(1, sizeof *body);
    enum sp_status status = SP_OK;
    if (!body)
        return sp_fail(err, SP_E_NOMEM, "answer: out of memory for its body");
    body->faces = about->faces;
    body->quality = about->quality;
    body->margin = NAN;
    memcpy(body->cert, signer->cert, signer->cert_length);
    body->cert_length = signer->cert_length;
    if (about->timings_us)
        memcpy(body->timings_us, about->timings_us, sizeof body->timings_us);
    if (about->reveal)
        reveal(body, verdicts, count);
    for (int i = 0; i < count && status == SP_OK && body->decision_count < SP_ANSWER_MAX_DECISIONS; i++) {
        if (!verdicts[i].outcome)
            continue;
        struct sp_decision decision = decision_of(signer, about, &verdicts[i], i);
        if (body->decision_count == 0 && ret_first)
            *ret_first = decision;
        status = sign(&body->decisions[body->decision_count++], &decision, signer, err);
    }
    if (status == SP_OK)
        status = sp_answer_body_encode(ret_body, ret_length, body, err);
    free(body);
    return status;
}
