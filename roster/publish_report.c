#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"
#include "roster/publish_parts.h"

void sp_publish_report_clear(struct sp_publish_report *report)
{
    if (report->lacks)
        sp_seal_wipe(report->lacks, (size_t)report->lack_count * sizeof *report->lacks);
    free(report->lacks);
    memset(report, 0, sizeof *report);
}

/* Why a row has no usable portrait. */
static void explain(const struct sp_publish_run *p, const struct sp_publish_draft *draft, int reason,
                    bool bad_portrait, struct sp_publish_lack *lack)
{
    const char *text = draft->bad_text;
    if (bad_portrait)
        text = sp_reason_text(reason);
    else if (!text[0])
        text =
            p->portraits ? "no file of this traveller in the portraits directory" : "published without --portraits";
    sp_row_label(lack->label, draft->row);
    if (draft->source >= 0)
        lack->line = p->roster->rows[draft->source].line;
    else if (!draft->row->values[SP_COLUMN_TRAVELLER_REF][0] && strncmp(lack->label, "line", 4) == 0)
        snprintf(lack->label, sizeof lack->label, "no reference");
    snprintf(lack->surname, sizeof lack->surname, "%.63s", draft->row->values[SP_COLUMN_SURNAME]);
    snprintf(lack->given, sizeof lack->given, "%.63s", draft->row->values[SP_COLUMN_GIVEN]);
    lack->reason = reason;
    snprintf(lack->text, sizeof lack->text, "%s", text);
}

enum sp_status sp_publish_report_lacks(struct sp_publish_run *p, struct sp_err *err)
{
    struct sp_publish_report *report = p->report;
    report->lacks = calloc((size_t)p->draft_count + 1, sizeof *report->lacks);
    if (!report->lacks)
        return sp_fail(err, SP_E_NOMEM, "no memory for the report");
    for (int i = 0; i < p->draft_count; i++) {
        const struct sp_publish_draft *draft = &p->drafts[i];
        int usable = 0, reason = draft->bad_reason ? draft->bad_reason : SP_REASON_NO_PORTRAIT;
        bool bad_portrait = false;
        for (int k = 0; k < draft->index.portrait_count; k++) {
            int why = draft->index.portraits[k].packs[0].reason;
            usable += why == SP_REASON_NONE;
            if (why != SP_REASON_NONE && !bad_portrait) {
                reason = why;
                bad_portrait = true;
            }
        }
        report->remark_count += usable > 0 && (bad_portrait || draft->bad_text[0]);
        if (usable == 0)
            explain(p, draft, reason, bad_portrait, &report->lacks[report->lack_count++]);
    }
    return SP_OK;
}
