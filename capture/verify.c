#include "capture/verify.h"

#include <stdlib.h>
#include <string.h>
#include "common/clock.h"

struct verdict_row {
    const char *word;
    const char *text;
};

static const struct verdict_row rows[] = {
#define X(constant, word, text) {word, text},
    SP_VERDICT_LIST(X)
#undef X
};

const char *sp_verdict_word(int verdict)
{
    return verdict >= 0 && verdict < SP_VERDICT_COUNT ? rows[verdict].word : "unknown";
}

const char *sp_verdict_text(int verdict)
{
    return verdict >= 0 && verdict < SP_VERDICT_COUNT ? rows[verdict].text : "not a verdict";
}

static enum sp_verdict refuse(struct sp_err *err, enum sp_verdict verdict, const char *detail)
{
    sp_fail(err, SP_E_AUTH, "decision refused (%s): %s%s%s", sp_verdict_word(verdict), sp_verdict_text(verdict),
            detail[0] ? ": " : "", detail);
    return verdict;
}

/* Does the decision belong to the encounter it came for, and is there time left to act on it? */
static enum sp_verdict check_claims(const struct sp_decision *d, const struct sp_verify_facts *facts,
                                    struct sp_err *err)
{
    uint64_t sent_ns;
    if (strcmp(d->lane, facts->lane) != 0)
        return refuse(err, SP_VERDICT_OTHER_LANE, d->lane);
    if (memcmp(d->encounter, facts->encounter, SP_ENCOUNTER_BYTES) != 0)
        return refuse(err, SP_VERDICT_OTHER_ENCOUNTER, "");
    if (!sp_seal_equal(d->sender, facts->sender, sizeof d->sender))
        return refuse(err, SP_VERDICT_OTHER_SENDER, "");
    if (!facts->sent_at(facts->user, facts->encounter, d->seq, &sent_ns))
        return refuse(err, SP_VERDICT_UNKNOWN_SEQ, "");
    uint64_t age_ms = facts->now_ns > sent_ns ? (facts->now_ns - sent_ns) / SP_NS_PER_MS : 0;
    if (age_ms > (uint64_t)(d->expires_ms - d->issued_ms))
        return refuse(err, SP_VERDICT_EXPIRED, "");
    return SP_VERDICT_GOOD;
}

/* One decision for the whole frame (face 0), or one for each of several faces (1...). */
static bool faces_fit(const struct sp_decision *decisions, int count)
{
    for (int i = 0; i < count; i++) {
        if (decisions[i].face == 0 && count > 1)
            return false;
        for (int j = 0; j < i; j++)
            if (decisions[i].face == decisions[j].face)
                return false;
    }
    return true;
}

enum sp_verdict sp_verify_decisions(struct sp_decision *ret_decisions, const struct sp_answer_body *body,
                                    const struct sp_verify_facts *facts, struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_cert cert;
    enum sp_verdict verdict = SP_VERDICT_GOOD;
    if (body->decision_count == 0)
        return refuse(err, SP_VERDICT_NO_DECISION, "");
    if (sp_cert_verify(&cert, body->cert, body->cert_length, "worker", facts->authority, facts->wall_ms, &inner) !=
        SP_OK)
        return refuse(err, SP_VERDICT_BAD_CERTIFICATE, inner.text);
    struct sp_decision *decisions = calloc((size_t)body->decision_count, sizeof *decisions);
    if (!decisions)
        return refuse(err, SP_VERDICT_MALFORMED, "no memory");
    for (int i = 0; verdict == SP_VERDICT_GOOD && i < body->decision_count; i++) {
        const struct sp_signed_decision *s = &body->decisions[i];
        if (sp_seal_verify(s->signature, SP_DECISION_CONTEXT, s->bytes, s->length, cert.key, &inner) != SP_OK)
            verdict = refuse(err, SP_VERDICT_BAD_SIGNATURE, cert.name);
        else if (sp_decision_decode(&decisions[i], s->bytes, s->length, &inner) != SP_OK)
            verdict = refuse(err, SP_VERDICT_MALFORMED, inner.text);
        else
            verdict = check_claims(&decisions[i], facts, err);
    }
    if (verdict == SP_VERDICT_GOOD && !faces_fit(decisions, body->decision_count))
        verdict = refuse(err, SP_VERDICT_MALFORMED, "two decisions for one face");
    if (verdict == SP_VERDICT_GOOD)
        memcpy(ret_decisions, decisions, (size_t)body->decision_count * sizeof *decisions);
    free(decisions);
    return verdict;
}
