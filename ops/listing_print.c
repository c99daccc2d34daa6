#include "ops/listing_print.h"

#include <string.h>
#include "listing/field.h"
#include "listing/journey.h"

struct text_key {
    const char *key, *text;
};

static void put_texts(struct sp_json *json, const struct text_key *texts, int count)
{
    for (int i = 0; i < count; i++)
        sp_json_text(json, texts[i].key, texts[i].text);
}

static void put_journey(struct sp_json *json, const struct sp_listing *l, const struct sp_listing_ports *ports)
{
    char manifest[SP_MANIFEST_ID_MAX] = "", date[11] = "";
    const struct sp_leg *leg = sp_journey_leg(l, ports->ports, ports->count);
    const char *time = !leg ? "" : leg->sched_dep[0] ? leg->sched_dep : leg->sched_arr;
    if (sp_journey_id(manifest, l, ports->ports, ports->count, NULL) != SP_OK)
        manifest[0] = 0;
    snprintf(date, sizeof date, "%.10s", time);
    sp_json_open(json, "journey", '{');
    sp_json_text(json, "manifest", manifest);
    for (int i = 0; i < SP_JOURNEY_COUNT; i++)
        sp_json_text(json, sp_journey_name((enum sp_journey_field)i),
                     sp_journey_value(l, (enum sp_journey_field)i));
    sp_json_text(json, "date", date);
    sp_json_text(json, "dep_port", leg ? leg->dep_port : "");
    sp_json_close(json, '}');
}

static void put_legs(struct sp_json *json, const struct sp_listing *l)
{
    sp_json_open(json, "legs", '[');
    for (int i = 0; i < l->leg_count; i++) {
        const struct sp_leg *leg = &l->legs[i];
        const struct text_key texts[] = {{"dep_port", leg->dep_port},
                                         {"arr_port", leg->arr_port},
                                         {"sched_dep", leg->sched_dep},
                                         {"sched_arr", leg->sched_arr}};
        sp_json_open(json, NULL, '{');
        put_texts(json, texts, 4);
        sp_json_bool(json, "over_flight", leg->over_flight);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
}

static void put_traveller(struct sp_json *json, const struct sp_traveller *t)
{
    sp_json_open(json, NULL, '{');
    for (int i = 0; i < SP_FIELD_COUNT; i++)
        sp_json_text(json, sp_field_name((enum sp_field)i), sp_field_value(t, (enum sp_field)i));
    sp_json_open(json, "documents", '[');
    for (int i = 0; i < t->document_count; i++) {
        const struct sp_document *d = &t->documents[i];
        const struct text_key texts[] = {{"type", d->type},
                                         {"number", d->number},
                                         {"issuer", d->issuer},
                                         {"expiry", d->expiry},
                                         {"issued", d->issued}};
        sp_json_open(json, NULL, '{');
        put_texts(json, texts, 5);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_json_open(json, "photos", '[');
    for (int i = 0; i < t->photo_count; i++)
        sp_json_text(json, NULL, t->photos[i]);
    sp_json_close(json, ']');
    sp_json_number(json, "segment", t->segment);
    sp_json_number(json, "offset", (double)t->offset);
    sp_json_close(json, '}');
}

static void put_deviations(struct sp_json *json, const struct sp_listing *l)
{
    sp_json_open(json, "deviations", '[');
    for (int i = 0; i < sp_listing_noted(l); i++) {
        sp_json_open(json, NULL, '{');
        sp_json_number(json, "segment", l->deviations[i].segment);
        sp_json_number(json, "offset", (double)l->deviations[i].offset);
        sp_json_text(json, "text", l->deviations[i].text);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_json_number(json, "deviation_count", l->deviation_count);
}

void sp_listing_print_json(struct sp_json *json, const char *key, const struct sp_listing *l,
                           const struct sp_listing_ports *ports)
{
    const struct text_key texts[] = {{"format", sp_listing_format_word(l->format)},
                                     {"kind", sp_listing_kind_word(l->group, l->action)},
                                     {"directory", l->directory},
                                     {"message", l->message},
                                     {"interchange", l->interchange},
                                     {"reference", l->reference},
                                     {"version", l->version},
                                     {"common", l->common},
                                     {"sender", l->sender},
                                     {"contact", l->contact},
                                     {"answer", l->answer},
                                     {"answer_text", l->answer_text}};
    sp_json_open(json, key, '{');
    put_texts(json, texts, (int)(sizeof texts / sizeof texts[0]));
    sp_json_number(json, "part", l->part);
    sp_json_bool(json, "last_part", l->last_part);
    sp_json_number(json, "declared", l->declared);
    put_journey(json, l, ports);
    put_legs(json, l);
    sp_json_open(json, "travellers", '[');
    for (int i = 0; i < l->traveller_count; i++)
        put_traveller(json, &l->travellers[i]);
    sp_json_close(json, ']');
    put_deviations(json, l);
    sp_json_close(json, '}');
}

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void print_traveller(FILE *out, const struct sp_traveller *t)
{
    fprintf(out, "  %-6d %-20s %-12s %s, %s  %s %s %s", t->segment, or_dash(t->ref), or_dash(t->role),
            or_dash(t->surname), or_dash(t->given), or_dash(t->sex), or_dash(t->dob), or_dash(t->nationality));
    for (int i = 0; i < t->document_count; i++)
        fprintf(out, "  %s %s %s %s", or_dash(t->documents[i].type), or_dash(t->documents[i].number),
                or_dash(t->documents[i].issuer), or_dash(t->documents[i].expiry));
    if (t->answer[0] || t->answer_text[0])
        fprintf(out, "  answer %s %s", t->answer, t->answer_text);
    fputc('\n', out);
}

void sp_listing_print_text(FILE *out, const char *file, const struct sp_listing *l,
                           const struct sp_listing_ports *ports)
{
    char manifest[SP_MANIFEST_ID_MAX];
    struct sp_err wrong = {0};
    const char *place = sp_listing_place_word(l->format);
    fprintf(out, "%s: %s %s", file, sp_listing_format_word(l->format), sp_listing_kind_word(l->group, l->action));
    if (l->message[0])
        fprintf(out, ", message %s", l->message);
    if (l->reference[0])
        fprintf(out, ", reference %s", l->reference);
    if (l->sender[0])
        fprintf(out, ", from %s", l->sender);
    if (l->part > 0)
        fprintf(out, ", part %d%s", l->part, l->last_part ? " (the last)" : "");
    if (sp_journey_id(manifest, l, ports->ports, ports->count, &wrong) == SP_OK)
        fprintf(out, "\n  manifest %s", manifest);
    else
        fprintf(out, "\n  no manifest: %s", wrong.text);
    if (l->vessel[0] || l->vessel_id[0])
        fprintf(out, ", vessel %s %s %s", l->vessel, l->vessel_id, l->flag);
    fputc('\n', out);
    for (int i = 0; i < l->leg_count; i++)
        fprintf(out, "  leg %s %s to %s %s%s\n", or_dash(l->legs[i].dep_port), l->legs[i].sched_dep,
                or_dash(l->legs[i].arr_port), l->legs[i].sched_arr, l->legs[i].over_flight ? " (over-flight)" : "");
    fprintf(out, "  %d travellers", l->traveller_count);
    if (l->declared >= 0)
        fprintf(out, ", %d declared", l->declared);
    fprintf(out, ", %d deviations\n", l->deviation_count);
    for (int i = 0; i < l->traveller_count; i++)
        print_traveller(out, &l->travellers[i]);
    for (int i = 0; i < sp_listing_noted(l); i++) {
        const struct sp_deviation *d = &l->deviations[i];
        if (d->segment > 0)
            fprintf(out, "%s %s %d offset %zu: %s\n", file, place, d->segment, d->offset, d->text);
        else
            fprintf(out, "%s: %s\n", file, d->text);
    }
    if (l->deviation_count > sp_listing_noted(l))
        fprintf(out, "%s: %d more deviations\n", file, l->deviation_count - sp_listing_noted(l));
}
