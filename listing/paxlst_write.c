#include "listing/paxlst_write.h"

#include <stdio.h>
#include <string.h>
#include "listing/edifact_write.h"

/* BGM of a listing; NULL: PAXLST has none. */
static const char *function_of(const struct sp_listing *listing)
{
    static const char *const of_group[2][3] = {{"745", "745+CP", "745+RP"}, {"250+C", "250+CC", "336+H"}};
    switch (listing->action) {
    case SP_ACTION_LIST:
    case SP_ACTION_CHANGE:
    case SP_ACTION_REMOVE:
        return listing->group == SP_GROUP_BOTH ? NULL : of_group[listing->group][listing->action];
    case SP_ACTION_CLOSE:
        return "266+CL";
    case SP_ACTION_CLOSE_NOT_ON_BOARD:
        return "266+CLNB";
    case SP_ACTION_CLOSE_ON_BOARD:
        return "266+CLOB";
    case SP_ACTION_CANCEL_JOURNEY:
        return "266+XF";
    case SP_ACTION_CHANGE_JOURNEY:
        return "266+CF";
    case SP_ACTION_ANSWER:
        return NULL;
    }
    return NULL;
}

/* "EXAMPLE OPS, 15550100 TE" as NAD+MS and COMs. */
static void put_contact(struct sp_edifact_write *out, const char *contact)
{
    char part[SP_LISTING_MAX_TEXT + 1];
    for (bool first = true; *contact; first = false) {
        const char *end = strstr(contact, ", ");
        size_t length = end ? (size_t)(end - contact) : strlen(contact);
        snprintf(part, sizeof part, "%.*s", (int)length, contact);
        char *space = strrchr(part, ' ');
        if (first) {
            sp_edifact_put(out, "NAD+MS+++%", part);
        } else if (space) {
            *space = 0;
            sp_edifact_put(out, "COM+%:%", part, space + 1);
        } else {
            sp_edifact_put(out, "COM+%", part);
        }
        contact += length + (end ? 2 : 0);
    }
}

static void put_transport(struct sp_edifact_write *out, const struct sp_listing *listing, const struct sp_leg *leg)
{
    char journey[2 * SP_LISTING_MAX_TEXT];
    const char *stage = leg && leg->over_flight ? "34" : "20";
    bool air = strcmp(listing->mode, "air") == 0;
    if (air && *listing->number)
        snprintf(journey, sizeof journey, "%s%s", listing->carrier, listing->number);
    else
        snprintf(journey, sizeof journey, "%s", listing->number);
    if (strlen(journey) > SP_LISTING_MAX_TEXT - 4) { /* what a reader takes whole */
        out->status = out->status ? out->status : SP_E_LIMIT;
        return;
    }
    if (strcmp(listing->mode, "sea") == 0)
        sp_edifact_put(out, "TDT+%+%+1++%+++%:146::%:%", stage, journey, listing->carrier, listing->vessel_id,
                       listing->vessel, listing->flag);
    else
        sp_edifact_put(out, "TDT+%+%+%++%+++%:::%:%", stage, journey,
                       strcmp(listing->mode, "vehicle") == 0 ? "3"
                       : *listing->vessel_id                 ? "4"
                                                             : "",
                       listing->carrier, listing->vessel_id, listing->vessel, listing->flag);
    if (!leg)
        return;
    /* The ports first: a time after one of them is that port's. */
    if (!*leg->dep_port)
        sp_edifact_put_date(out, "189", leg->sched_dep, false);
    if (!*leg->arr_port)
        sp_edifact_put_date(out, "232", leg->sched_arr, false);
    sp_edifact_put_place(out, "125", leg->dep_port);
    if (*leg->dep_port)
        sp_edifact_put_date(out, "189", leg->sched_dep, false);
    sp_edifact_put_place(out, "87", leg->arr_port);
    if (*leg->arr_port)
        sp_edifact_put_date(out, "232", leg->sched_arr, false);
}

static const char *role_code(const struct sp_traveller *traveller)
{
    bool transit = strcmp(traveller->transit, "yes") == 0;
    if (!*traveller->role)
        return "ZZZ";
    if (strcmp(traveller->role, "passenger") == 0)
        return transit ? "DDU" : "FL";
    if (strcmp(traveller->role, "crew") == 0)
        return transit ? "DDT" : "FM";
    if (strcmp(traveller->role, "transit_passenger") == 0)
        return "DDU";
    return strcmp(traveller->role, "transit_crew") == 0 ? "DDT" : traveller->role;
}

static void put_document(struct sp_edifact_write *out, const struct sp_document *document)
{
    sp_edifact_put(out, "DOC+%:110:111+%", document->type, document->number);
    sp_edifact_put_date(out, "36", document->expiry, false);
    sp_edifact_put_date(out, "182", document->issued, false);
    sp_edifact_put_place(out, "91", document->issuer);
}

static void put_traveller(struct sp_edifact_write *out, const struct sp_traveller *traveller)
{
    sp_edifact_put(out, "NAD+%+++%:%", role_code(traveller), traveller->surname, traveller->given);
    if (*traveller->sex)
        sp_edifact_put(out, "ATT+2++%", traveller->sex);
    sp_edifact_put_date(out, "329", traveller->dob, false);
    if (*traveller->verified)
        sp_edifact_put(out, "GEI+4+%", strcmp(traveller->verified, "yes") == 0 ? "173" : "174");
    sp_edifact_put_place(out, "22", traveller->clearance);
    sp_edifact_put_place(out, "178", traveller->embark);
    sp_edifact_put_place(out, "179", traveller->debark);
    sp_edifact_put_place(out, "174", traveller->residence);
    sp_edifact_put_place(out, "180", traveller->birth_place);
    if (*traveller->rank)
        sp_edifact_put(out, "EMP+1+%:110:111", traveller->rank);
    if (*traveller->nationality)
        sp_edifact_put(out, "NAT+2+%", traveller->nationality);
    if (*traveller->pnr)
        sp_edifact_put(out, "RFF+AVF:%", traveller->pnr);
    if (*traveller->ref)
        sp_edifact_put(out, "RFF+ABO:%", traveller->ref);
    if (*traveller->seat_or_cabin)
        sp_edifact_put(out, "RFF+SEA:%", traveller->seat_or_cabin);
    for (int i = 0; i < traveller->document_count; i++)
        put_document(out, &traveller->documents[i]);
}

enum sp_status sp_paxlst_write(char **ret_text, size_t *ret_length, const struct sp_listing *listing,
                               const struct sp_paxlst_write_options *options, struct sp_err *err)
{
    struct sp_edifact_write out = {0};
    char type[40], bgm[16], count[16];
    const char *function = function_of(listing);
    if (!function)
        return sp_fail(err, SP_E_UNSUPPORTED, "a listing of kind %s (%s) has no form in PAXLST",
                       sp_listing_kind_word(listing->group, listing->action),
                       listing->group == SP_GROUP_BOTH ? "passengers and crew together" : "one group");
    bool known = strlen(listing->directory) == 3 && strspn(listing->directory, "0123456789B") == 3;
    bool air = strcmp(listing->mode, "air") == 0;
    snprintf(type, sizeof type, "PAXLST:D:%.3s:UN%s", known ? listing->directory : "05B", air ? ":IATA" : "");
    struct sp_edifact_envelope envelope = {.sender = listing->sender,
                                           .recipient = options->recipient ? options->recipient : "",
                                           .interchange = listing->interchange,
                                           .message = listing->message,
                                           .type = type,
                                           .common = listing->common,
                                           .part = listing->part,
                                           .last_part = listing->last_part,
                                           .now_ms = options->now_ms};
    sp_edifact_put_begin(&out, &envelope);
    snprintf(bgm, sizeof bgm, "BGM+%s", function);
    sp_edifact_put(&out, bgm);
    if (*listing->reference || *listing->version)
        sp_edifact_put(&out, "RFF+TN:%:::%", listing->reference, listing->version);
    put_contact(&out, listing->contact);
    for (int i = 0; i < listing->leg_count; i++)
        put_transport(&out, listing, &listing->legs[i]);
    if (listing->leg_count == 0)
        put_transport(&out, listing, NULL);
    for (int i = 0; i < listing->traveller_count; i++)
        put_traveller(&out, &listing->travellers[i]);
    snprintf(count, sizeof count, "%d", listing->declared >= 0 ? listing->declared : listing->traveller_count);
    sp_edifact_put(&out, "CNT+%:%", listing->group == SP_GROUP_CREW ? "41" : "42", count);
    sp_edifact_put_end(&out, &envelope);
    return sp_edifact_put_done(&out, ret_text, ret_length, "PAXLST", err);
}
