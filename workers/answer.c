#include "workers/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

void sp_answer_plain(struct sp_job *job, int answer, int reason, const char *text)
{
    job->answer = answer;
    job->reason = reason;
    if (reason == SP_REASON_INTERNAL && text) {
        snprintf(job->cause, sizeof job->cause, "%s", text);
        text = NULL;
    }
    snprintf(job->text, sizeof job->text, "%s", text ? text : sp_reason_text(reason));
}

enum sp_status sp_answer_body(struct sp_job *job, int answer, int reason, const uint8_t *body, size_t length,
                              struct sp_err *err)
{
    uint8_t ad[SP_ANSWER_AD_BYTES];
    uint8_t *sealed = malloc(length + SP_PAYLOAD_OVERHEAD);
    if (!sealed)
        return sp_fail(err, SP_E_NOMEM, "answer: out of memory for %zu bytes", length);
    sp_message_answer_ad(ad, job->header.encounter, job->header.seq, answer, reason);
    sp_seal_payload_close(sealed, body, length, ad, sizeof ad, job->session_key, SP_TO_CLIENT);
    free(job->sealed);
    job->sealed = sealed;
    job->sealed_length = length + SP_PAYLOAD_OVERHEAD;
    job->answer = answer;
    job->reason = reason;
    job->text[0] = '\0';
    return SP_OK;
}

static uint32_t since_us(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void sp_answer_mark(struct sp_job *job, int timing)
{
    uint64_t now_ns = sp_clock_mono_ns();
    job->timings_us[timing] += since_us(job->mark_ns, now_ns);
    job->mark_ns = now_ns;
}

void sp_answer_waited(struct sp_job *job)
{
    uint64_t spent = 0, all = since_us(job->arrived_ns, sp_clock_mono_ns());
    for (int i = 0; i < SP_TIMING_COUNT; i++)
        spent += i == SP_TIMING_QUEUE ? 0 : job->timings_us[i];
    job->timings_us[SP_TIMING_QUEUE] = (uint32_t)(all > spent ? all - spent : 0);
}
