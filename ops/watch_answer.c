#include "ops/watch_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/reason.h"
#include "listing/cusres.h"

#define TEXT_MAX 96

/* A verdict with the text it points to. */
struct verdict_text {
    char text[TEXT_MAX];
};

static const struct sp_publish_lack *lack_of(const struct sp_publish_report *report, int segment)
{
    for (int i = 0; i < report->lack_count; i++)
        if (report->lacks[i].line == segment)
            return &report->lacks[i];
    return NULL;
}

static enum sp_status write_one(char **ret_text, size_t *ret_length, const struct sp_listing *about,
                                const struct sp_publish_report *report, const char *sender, struct sp_err *err)
{
    char interchange[24];
    int64_t now_ms = sp_clock_wall_ms();
    struct sp_cusres_options options = {.sender = sender, .interchange = interchange, .now_ms = now_ms};
    struct sp_cusres_verdict *verdicts = calloc((size_t)about->traveller_count + 1, sizeof *verdicts);
    struct verdict_text *texts = calloc((size_t)about->traveller_count + 1, sizeof *texts);
    enum sp_status status = SP_OK;
    snprintf(interchange, sizeof interchange, "%" PRId64, now_ms);
    if (!verdicts || !texts)
        status = sp_fail(err, SP_E_NOMEM, "no memory for the answer to %d travellers", about->traveller_count);
    for (int i = 0; i < about->traveller_count && status == SP_OK; i++) {
        const struct sp_publish_lack *lack = lack_of(report, about->travellers[i].segment);
        verdicts[i] = (struct sp_cusres_verdict){i, SP_CUSRES_CLEARED, ""};
        if (!lack)
            continue;
        snprintf(texts[i].text, TEXT_MAX, SP_CUSRES_NO_PORTRAIT "%s", sp_reason_word(lack->reason));
        verdicts[i].code = SP_CUSRES_INSUFFICIENT;
        verdicts[i].text = texts[i].text;
    }
    if (status == SP_OK)
        status = sp_cusres_write(ret_text, ret_length, about, verdicts, about->traveller_count, &options, err);
    free(verdicts);
    free(texts);
    return status;
}

enum sp_status sp_watch_answer(char **answer, size_t *length, const struct sp_listing *about,
                               const struct sp_publish_report *report, const char *sender, struct sp_err *err)
{
    char *text = NULL;
    size_t text_length = 0;
    if (about->format != SP_LISTING_PAXLST ||
        (about->action != SP_ACTION_LIST && about->action != SP_ACTION_CHANGE) || about->traveller_count == 0)
        return SP_OK;
    enum sp_status status = write_one(&text, &text_length, about, report, sender, err);
    if (status != SP_OK)
        return status;
    char *grown = realloc(*answer, *length + text_length + 1);
    if (grown) {
        memcpy(grown + *length, text, text_length + 1);
        *answer = grown;
        *length += text_length;
    } else {
        status = sp_fail(err, SP_E_NOMEM, "no memory for an answer of %zu bytes", *length + text_length);
    }
    free(text);
    return status;
}
