/* A signed final as a worker makes it, for the tests of records/. */
#ifndef SALLYPORT_TESTS_RECORDS_FINAL_H
#define SALLYPORT_TESTS_RECORDS_FINAL_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/decision.h"

struct test_site {
    struct sp_key_file authority, worker, recorder;
    uint8_t cert[SP_CERT_MAX_BYTES];
    size_t cert_length;
};

static inline void test_site_new(struct test_site *site, int64_t not_after_ms)
{
    struct sp_cert cert = {.kind = "worker", .name = "worker-1", .not_after_ms = not_after_ms};
    sp_key_generate(&site->authority, SP_KEY_SIGN, "authority");
    sp_key_generate(&site->worker, SP_KEY_SIGN, "worker-1");
    sp_key_generate(&site->recorder, SP_KEY_BOX, "recorder");
    memcpy(cert.key, site->worker.public_key, 32);
    enum sp_status status = sp_cert_issue(site->cert, &site->cert_length, &cert, &site->authority, NULL);
    if (status != SP_OK)
        abort();
}

static inline struct sp_decision test_decision(const uint8_t encounter[16], uint32_t seq)
{
    struct sp_decision d = {.lane = "A1", .seq = seq, .outcome = SP_OUTCOME_NO_MATCH,
                            .reason = SP_REASON_NOT_ON_MANIFEST, .issued_ms = sp_clock_wall_ms(), .threshold = 0.5,
                            .policy = "none", .assignment = 3};
    memcpy(d.encounter, encounter, 16);
    d.expires_ms = d.issued_ms + 10000;
    return d;
}

/* Encoded answer body with one signed decision; the caller frees it. */
static inline uint8_t *test_final(const struct test_site *site, const struct sp_decision *decision, size_t *ret_length)
{
    struct sp_answer_body *body = calloc(1, sizeof *body);
    struct sp_signed_decision *record = body ? &body->decisions[0] : NULL;
    uint8_t *bytes = NULL;
    if (!body || sp_decision_encode(record->bytes, &record->length, decision, NULL) != SP_OK)
        abort();
    sp_seal_sign(record->signature, SP_DECISION_CONTEXT, record->bytes, record->length, site->worker.secret);
    body->decision_count = 1;
    memcpy(body->cert, site->cert, site->cert_length);
    body->cert_length = site->cert_length;
    body->faces = 1;
    body->quality = 70;
    if (sp_answer_body_encode(&bytes, ret_length, body, NULL) != SP_OK)
        abort();
    free(body);
    return bytes;
}

#endif
