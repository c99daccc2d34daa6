#include "workers/sweep.h"

#include <stdlib.h>
#include <string.h>

enum { OVERDUE_MAX = 32 };

/* The seq of an abandoned encounter's decision: the last frame that was answered. */
static uint32_t last_seq(const struct sp_evidence *evidence)
{
    uint32_t last = 1;
    for (int i = 0; i < evidence->answer_count; i++)
        if (evidence->answers[i].seq > last)
            last = evidence->answers[i].seq;
    return last;
}

static enum sp_status close_one(const struct sp_sweep_config *config, const uint8_t *encounter,
                                const struct sp_encounter_state *state, int64_t now_ms, int *closed,
                                struct sp_err *err)
{
    const struct sp_evidence *evidence = &state->evidence;
    struct sp_verdict verdict;
    struct sp_decision decision;
    uint8_t *body = NULL;
    size_t length = 0;
    struct sp_final_about about = {
        .lane = evidence->lane,
        .encounter = encounter,
        .sender = evidence->sender,
        .seq = last_seq(evidence),
        .assignment = evidence->assignment,
        .gallery_count = evidence->gallery_count,
        .galleries = evidence->galleries,
        .pack = evidence->has_candidate ? evidence->pack : NULL,
        .threshold = evidence->threshold,
        .issued_ms = now_ms,
        .ttl_ms = 1, /* the shortest there is: nobody is there to act on it */
        .faces = -1,
        .quality = -1,
    };
    sp_decide_close(&verdict, evidence, SP_REASON_ABANDONED, false);
    enum sp_status status = sp_final_body(&body, &length, &decision, config->signer, &about, &verdict, 1, err);
    if (status != SP_OK)
        return status;
    struct sp_ledger_write write = {
        .expected_version = state->version,
        .evidence = evidence,
        .final_body = body,
        .final_body_length = length,
        .final_reason = verdict.reason,
        .decision = &decision,
    };
    memcpy(write.encounter, encounter, SP_ENCOUNTER_BYTES);
    status = sp_ledger_write(config->ledger, &write, 1, err);
    if (status == SP_OK) {
        *closed += write.ret_outcome == SP_LEDGER_WRITTEN;
        sp_encounter_state_clear(&write.ret_state);
    }
    free(body);
    return status;
}

static enum sp_status sweep_partition(const struct sp_sweep_config *config, int partition, int64_t now_ms,
                                      int *closed, struct sp_err *err)
{
    uint8_t encounters[OVERDUE_MAX][SP_ENCOUNTER_BYTES];
    int count = 0;
    bool held = false;
    enum sp_status failed = SP_OK; /* of one encounter; the others go on */
    enum sp_status status =
        sp_ledger_lease(config->ledger, partition, config->holder, config->lease_ms, &held, err);
    if (status == SP_OK && held)
        status = sp_ledger_overdue(config->ledger, partition, now_ms, encounters, OVERDUE_MAX, &count, err);
    for (int i = 0; status == SP_OK && i < count; i++) {
        /* One by one: this is rare, and a record that does not open must not keep the others open. */
        struct sp_encounter_state state = {0};
        enum sp_status step =
            sp_ledger_read(config->ledger, (const uint8_t(*)[SP_ENCOUNTER_BYTES]) & encounters[i], 1, &state, err);
        if (step == SP_OK && state.version > 0 && !state.final)
            step = close_one(config, encounters[i], &state, now_ms, closed, err);
        if (step == SP_OK)
            sp_encounter_state_clear(&state);
        if (step == SP_E_UNAVAILABLE)
            status = step;
        else if (step != SP_OK)
            failed = step;
    }
    return status != SP_OK ? status : failed;
}

enum sp_status sp_sweep_pass(const struct sp_sweep_config *config, int64_t now_ms, int *ret_closed,
                             struct sp_err *err)
{
    enum sp_status failed = SP_OK;
    *ret_closed = 0;
    for (int partition = 0; partition < config->partitions && failed != SP_E_UNAVAILABLE; partition++) {
        enum sp_status status = sweep_partition(config, partition, now_ms, ret_closed, err);
        failed = status != SP_OK ? status : failed;
    }
    return failed;
}
