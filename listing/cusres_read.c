/* CUSRES: what an authority answered about the travellers of a journey. */
#include <string.h>
#include "listing/paxlst_read.h"

static bool is(struct sp_paxlst_read *in, int element, const char *text)
{
    return sp_edifact_is(sp_paxlst_get(in, element, 0), text);
}

/* ERP+1: what follows is about all; ERP+2: about the traveller whose references come next. */
static void read_erp(struct sp_paxlst_read *in)
{
    char code[8];
    struct sp_edifact_view section = sp_paxlst_get(in, 1, 0);
    sp_paxlst_journey_settle(in);
    if (sp_edifact_is(section, "1")) {
        in->place = SP_PAXLST_ALL;
        return;
    }
    if (!sp_edifact_is(section, "2"))
        sp_paxlst_deviate(in, "ERP+%s is read like 2, one traveller", sp_paxlst_code(section, 3, code));
    if (++in->travellers > SP_PAXLST_MAX_TRAVELLERS) {
        sp_paxlst_fail(in, SP_E_LIMIT, "too many travellers in one file");
        return;
    }
    in->place = SP_PAXLST_TRAVELLER;
    if (in->status != SP_OK)
        return;
    in->status =
        sp_listing_add_traveller(in->listing, in->segment.number, in->segment.offset, &in->traveller, in->err);
}

static void read_rff(struct sp_paxlst_read *in)
{
    bool traveller = in->place == SP_PAXLST_TRAVELLER && in->traveller;
    if (is(in, 1, "AF") && in->place <= SP_PAXLST_TRANSPORT) {
        sp_paxlst_journey_begin(in);
        sp_paxlst_journey_flight(in, 1, 1, "");
    } else if (is(in, 1, "VON") && in->place <= SP_PAXLST_TRANSPORT) { /* a voyage */
        if (in->transports == 0)
            in->listing->mode = "sea";
        sp_paxlst_journey_begin(in);
        sp_paxlst_journey_flight(in, 1, 1, "");
    } else if (traveller && is(in, 1, "ABO")) {
        sp_paxlst_set(in, &in->traveller->ref, sp_paxlst_text(in, 1, 1, SP_PAXLST_REF), "RFF+ABO");
    } else if (traveller && is(in, 1, "AVF")) {
        sp_paxlst_set(in, &in->traveller->pnr, sp_paxlst_text(in, 1, 1, SP_PAXLST_REF), "RFF+AVF");
    } else if (in->place >= SP_PAXLST_TRAVELLER || !sp_paxlst_journey_segment(in)) {
        sp_paxlst_not_kept(in);
    }
}

/* One more code or sentence of an answer; several are joined, none of them may get lost. */
static void add_answer(struct sp_paxlst_read *in, const char **field, const char *value, const char *between)
{
    bool cut = false;
    char text[2 * SP_LISTING_MAX_TEXT + 8] = "";
    if (in->status != SP_OK || !*value)
        return;
    if (!**field) {
        *field = value;
        return;
    }
    if (strlen(*field) > SP_LISTING_MAX_TEXT - 8) {
        sp_paxlst_aside(in, in->segment.tag, "is one too many; it is not kept");
        return;
    }
    strncat(text, *field, SP_LISTING_MAX_TEXT);
    strncat(text, between, 4);
    strncat(text, value, SP_LISTING_MAX_TEXT);
    in->status = sp_listing_text(in->listing, field, text, strlen(text), &cut, in->err);
    if (cut)
        sp_paxlst_aside(in, in->segment.tag, "is one too many; it is not kept whole");
}

static void read_erc(struct sp_paxlst_read *in)
{
    const char *code = sp_paxlst_text(in, 1, 0, 17);
    sp_paxlst_get(in, 1, 1);
    sp_paxlst_get(in, 1, 2);
    if (!*code)
        sp_paxlst_deviate(in, "ERC without a code");
    if (in->place == SP_PAXLST_ALL)
        add_answer(in, &in->listing->answer, code, " ");
    else if (in->place == SP_PAXLST_TRAVELLER && in->traveller)
        add_answer(in, &in->traveller->answer, code, " ");
    else
        sp_paxlst_not_kept(in);
}

static void read_ftx(struct sp_paxlst_read *in)
{
    if (in->place < SP_PAXLST_TRAVELLER || !is(in, 1, "AAP")) {
        sp_paxlst_not_kept(in);
        return;
    }
    const char *text = sp_paxlst_joined(in, 4, 0, ' ', SP_LISTING_MAX_TEXT);
    if (in->place == SP_PAXLST_ALL)
        add_answer(in, &in->listing->answer_text, text, "; ");
    else
        add_answer(in, &in->traveller->answer_text, text, "; ");
}

bool sp_paxlst_answer_segment(struct sp_paxlst_read *in)
{
    const char *tag = in->segment.tag;
    if (sp_edifact_tag(tag, "ERP"))
        read_erp(in);
    else if (sp_edifact_tag(tag, "RFF"))
        read_rff(in);
    else if (sp_edifact_tag(tag, "ERC"))
        read_erc(in);
    else if (sp_edifact_tag(tag, "FTX"))
        read_ftx(in);
    else if (in->place <= SP_PAXLST_TRANSPORT && !sp_edifact_tag(tag, "TDT"))
        return sp_paxlst_journey_segment(in);
    else
        return false;
    return true;
}
