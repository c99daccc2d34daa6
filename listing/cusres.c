#include "listing/cusres.h"

#include <stdio.h>
#include <string.h>
#include "listing/edifact_write.h"

static void put_leg(struct sp_edifact_write *out, const struct sp_listing *about, const struct sp_leg *leg)
{
    char journey[2 * SP_LISTING_MAX_TEXT];
    bool sea = strcmp(about->mode, "sea") == 0;
    snprintf(journey, sizeof journey, "%s%s", sea ? "" : about->carrier, about->number);
    sp_edifact_put(out, sea ? "RFF+VON:%" : "RFF+AF:%", journey);
    if (!leg)
        return;
    sp_edifact_put_date(out, "189", leg->sched_dep, true);
    sp_edifact_put_date(out, "232", leg->sched_arr, true);
    sp_edifact_put_place(out, "125", leg->dep_port);
    sp_edifact_put_place(out, "87", leg->arr_port);
}

static void put_verdict(struct sp_edifact_write *out, const struct sp_listing *about,
                        const struct sp_cusres_verdict *verdict)
{
    if (verdict->traveller < 0) {
        sp_edifact_put(out, "ERP+1");
    } else {
        const struct sp_traveller *traveller = &about->travellers[verdict->traveller];
        sp_edifact_put(out, "ERP+2");
        if (*traveller->pnr)
            sp_edifact_put(out, "RFF+AVF:%", traveller->pnr);
        if (*traveller->ref)
            sp_edifact_put(out, "RFF+ABO:%", traveller->ref);
    }
    if (*verdict->code)
        sp_edifact_put(out, "ERC+%", verdict->code);
    if (*verdict->text)
        sp_edifact_put(out, "FTX+AAP+++%", verdict->text);
}

enum sp_status sp_cusres_write(char **ret_text, size_t *ret_length, const struct sp_listing *about,
                               const struct sp_cusres_verdict *verdicts, int count,
                               const struct sp_cusres_options *options, struct sp_err *err)
{
    struct sp_edifact_write out = {0};
    char type[40];
    for (int i = 0; i < count; i++)
        if (verdicts[i].traveller < -1 || verdicts[i].traveller >= about->traveller_count)
            return sp_fail(err, SP_E_INVALID, "CUSRES: verdict %d is about traveller %d of %d", i + 1,
                           verdicts[i].traveller, about->traveller_count);
    bool known = strlen(about->directory) == 3 && strspn(about->directory, "0123456789B") == 3;
    snprintf(type, sizeof type, "CUSRES:D:%.3s:UN:IATA", known ? about->directory : "05B");
    struct sp_edifact_envelope envelope = {.sender = options->sender ? options->sender : "",
                                           .recipient = about->sender,
                                           .interchange = options->interchange ? options->interchange : "",
                                           .message = options->message ? options->message : "",
                                           .type = type,
                                           .common = about->common,
                                           .part = about->part,
                                           .last_part = about->last_part,
                                           .now_ms = options->now_ms};
    sp_edifact_put_begin(&out, &envelope);
    sp_edifact_put(&out, "BGM+962");
    if (*about->reference)
        sp_edifact_put(&out, "RFF+TN:%", about->reference);
    for (int i = 0; i < about->leg_count; i++)
        put_leg(&out, about, &about->legs[i]);
    if (about->leg_count == 0)
        put_leg(&out, about, NULL);
    for (int i = 0; i < count; i++)
        if (verdicts[i].traveller < 0)
            put_verdict(&out, about, &verdicts[i]);
    for (int i = 0; i < count; i++)
        if (verdicts[i].traveller >= 0)
            put_verdict(&out, about, &verdicts[i]);
    sp_edifact_put_end(&out, &envelope);
    return sp_edifact_put_done(&out, ret_text, ret_length, "CUSRES", err);
}
