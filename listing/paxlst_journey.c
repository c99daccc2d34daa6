/* The journey of a message: transaction, reporting party, transports and their legs. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "listing/paxlst_read.h"

static bool is(struct sp_paxlst_read *in, int element, const char *text)
{
    return sp_edifact_is(sp_paxlst_get(in, element, 0), text);
}

/* One more thing to ask the sender by: "NAME, 15550100 TE". */
static void add_contact(struct sp_paxlst_read *in, const char *first, const char *second)
{
    char text[2 * SP_LISTING_MAX_TEXT];
    bool cut = false;
    struct sp_listing *listing = in->listing;
    if (in->status != SP_OK || (!*first && !*second))
        return;
    if (strlen(listing->contact) > SP_LISTING_MAX_TEXT - 8) {
        sp_paxlst_aside(in, in->segment.tag, "is one contact too many; it is not kept");
        return;
    }
    int length = snprintf(text, sizeof text, "%s%s%s%s%s", listing->contact, *listing->contact ? ", " : "", first,
                          *first && *second ? " " : "", second);
    in->status = sp_listing_text(listing, &listing->contact, text,
                                 (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, &cut, in->err);
    if (cut)
        sp_paxlst_aside(in, "NAD+MS", "has too many contacts; not all are kept");
}

/* NAD+MS: its name, or the code it goes by. */
static void read_party(struct sp_paxlst_read *in)
{
    const char *name = sp_paxlst_joined(in, 4, 0, ' ', SP_PAXLST_NAME);
    const char *code = sp_paxlst_text(in, 2, 0, SP_PAXLST_WORD);
    const char *lines = sp_paxlst_joined(in, 3, 0, ' ', 5 * SP_PAXLST_NAME);
    if (!*name)
        name = *lines ? lines : code;
    else
        add_contact(in, code, lines);
    if (!*in->listing->sender)
        in->listing->sender = name;
    add_contact(in, name, "");
}

static void read_com(struct sp_paxlst_read *in)
{
    for (int i = 1; i < in->segment.element_count; i++) {
        const char *number = sp_paxlst_text(in, i, 0, SP_LISTING_MAX_TEXT);
        add_contact(in, number, sp_paxlst_text(in, i, 1, 3));
    }
}

/* Bytes of an airline's designator before a flight number: "ZX417" 2, "EXA 417" 3, "417" 0. */
static size_t designator(const char *id)
{
    int letters = 0;
    for (size_t length = 1; length <= 3 && isalnum((uint8_t)id[length - 1]); length++) {
        letters += isalpha((uint8_t)id[length - 1]) != 0;
        const char *next = id + length + strspn(id + length, " ");
        if (length == 2 && letters > 0 && isdigit((uint8_t)*next))
            return 2;
        if (length == 3 && letters == 3 && isdigit((uint8_t)*next))
            return 3;
    }
    return 0;
}

/* A flight number without spaces and zeros before it. */
static const char *bare_number(const char *number)
{
    number += strspn(number, " ");
    while (number[0] == '0' && isdigit((uint8_t)number[1]))
        number++;
    return number;
}

/* Carrier and number of the journey, from "ZX417" at a component and the carrier's code, "" if it is not given. */
void sp_paxlst_journey_flight(struct sp_paxlst_read *in, int element, int component, const char *carrier)
{
    struct sp_listing *listing = in->listing;
    const char *id = sp_paxlst_upper(in, element, component, 17);
    const char *number = id;
    size_t length = strlen(carrier), own = designator(id);
    if (strcmp(listing->mode, "air") == 0) {
        if (length > 0 && strncmp(id, carrier, length) == 0 && id[length + strspn(id + length, " ")]) {
            number = id + length;
        } else if (own > 0) {
            number = id + own;
            if (length > 0)
                sp_paxlst_deviate(in, "the flight number begins with another carrier's code than the given one");
            else if (in->status == SP_OK)
                in->status = sp_listing_text(listing, &carrier, id, own, NULL, in->err);
        }
        const char *bare = bare_number(number);
        if (*carrier || designator(bare) == 0) /* "04Z7" is not flight 7 of 4Z */
            number = bare;
    }
    if (in->status != SP_OK)
        return;
    if (!*listing->carrier && !*listing->number) {
        listing->carrier = carrier;
        listing->number = number;
    } else if (strcmp(listing->carrier, carrier) != 0 || strcmp(listing->number, number) != 0) {
        sp_paxlst_deviate(in, "%s names another journey; its legs are kept, its number is not", in->segment.tag);
    }
}

static void read_mode(struct sp_paxlst_read *in)
{
    static const struct {
        const char *code, *mode;
    } modes[] = {{"1", "sea"}, {"4", "air"}, {"3", "vehicle"}};
    char code[8];
    struct sp_edifact_view mode = sp_paxlst_get(in, 3, 0);
    if (mode.length == 0 && sp_edifact_is(sp_edifact_get(&in->segment, 8, 1), "146"))
        in->listing->mode = "sea"; /* a ship's number */
    if (mode.length == 0)
        return;
    if (mode.length == 2 && *mode.text == '0') /* "03" */
        mode = (struct sp_edifact_view){mode.text + 1, 1};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (sp_edifact_is(mode, modes[i].code)) {
            in->listing->mode = modes[i].mode;
            return;
        }
    sp_paxlst_deviate(in, "TDT: mode of transport %s is not known; taken as %s", sp_paxlst_code(mode, 3, code),
                      in->listing->mode);
}

void sp_paxlst_journey_begin(struct sp_paxlst_read *in)
{
    sp_paxlst_journey_settle(in);
    in->place = SP_PAXLST_TRANSPORT;
    in->transports++;
    in->transport_legs = in->listing->leg_count;
    in->at_arrival = in->over_flight = false;
}

static void read_tdt(struct sp_paxlst_read *in)
{
    struct sp_listing *listing = in->listing;
    char code[8];
    if (in->place >= SP_PAXLST_TRAVELLER) { /* SG7: how this traveller goes on */
        sp_paxlst_not_kept(in);
        return;
    }
    sp_paxlst_journey_begin(in);
    struct sp_edifact_view stage = sp_paxlst_get(in, 1, 0);
    in->over_flight = sp_edifact_is(stage, "34");
    if (!in->over_flight && !sp_edifact_is(stage, "20"))
        sp_paxlst_deviate(in, "TDT+%s is read like 20, the main carriage", sp_paxlst_code(stage, 3, code));
    read_mode(in);
    const char *carrier = sp_paxlst_upper(in, 5, 0, 17);
    sp_paxlst_get(in, 5, 1);
    sp_paxlst_get(in, 5, 2);
    sp_paxlst_journey_flight(in, 2, 0, carrier);
    sp_paxlst_set(in, &listing->vessel_id, sp_paxlst_upper(in, 8, 0, SP_PAXLST_WORD), "TDT: means of transport");
    sp_paxlst_get(in, 8, 1);
    sp_paxlst_set(in, &listing->vessel, sp_paxlst_text(in, 8, 3, SP_PAXLST_NAME),
                  "TDT: name of the means of transport");
    sp_paxlst_set(in, &listing->flag, sp_paxlst_upper(in, 8, 4, 3), "TDT: flag");
}

static struct sp_leg *last_leg(const struct sp_paxlst_read *in)
{
    const struct sp_listing *listing = in->listing;
    return listing->leg_count > in->transport_legs ? &listing->legs[listing->leg_count - 1] : NULL;
}

static struct sp_leg *add_leg(struct sp_paxlst_read *in, const char *from)
{
    struct sp_leg *leg = NULL;
    if (in->status == SP_OK)
        in->status = sp_listing_add_leg(in->listing, &leg, in->err);
    if (in->status != SP_OK)
        return NULL;
    leg->over_flight = in->over_flight;
    leg->dep_port = from;
    if (*from && *in->onward) {
        leg->sched_dep = in->onward;
        in->onward = "";
    }
    return leg;
}

static void depart(struct sp_paxlst_read *in, const char *port)
{
    struct sp_leg *leg = last_leg(in);
    if (leg && *leg->dep_port && !*leg->sched_dep && *in->onward) { /* its times stand behind both its ports */
        leg->sched_dep = in->onward;
        in->onward = "";
    }
    if (leg && *leg->dep_port)
        leg = NULL;
    if (!leg)
        leg = add_leg(in, port);
    else
        leg->dep_port = port;
    in->at_arrival = false;
}

static void arrive(struct sp_paxlst_read *in, const char *port)
{
    struct sp_leg *leg = last_leg(in);
    in->at_arrival = true;
    if (leg && strcmp(leg->arr_port, port) == 0)
        return;
    if (!leg || *leg->arr_port)
        leg = add_leg(in, leg ? leg->arr_port : "");
    if (leg)
        leg->arr_port = port;
}

/* LOC+92, a routing port: pairs (A, B, B, C) or a chain (A, B, C). */
static void route(struct sp_paxlst_read *in, const char *port)
{
    const struct sp_leg *leg = last_leg(in);
    if (!leg || (!*leg->dep_port && !*leg->arr_port) || strcmp(leg->arr_port, port) == 0)
        depart(in, port);
    else
        arrive(in, port);
}

static void read_port(struct sp_paxlst_read *in)
{
    bool departure = is(in, 1, "125"), arrival = is(in, 1, "87"), routing = is(in, 1, "92");
    if (!departure && !arrival && !routing) {
        sp_paxlst_not_kept(in);
        return;
    }
    const char *port = sp_paxlst_location(in);
    if (!*port || in->status != SP_OK)
        return;
    if (departure)
        depart(in, port);
    else if (arrival)
        arrive(in, port);
    else
        route(in, port);
}

static void departure_time(struct sp_paxlst_read *in, const char *time)
{
    struct sp_leg *leg = last_leg(in);
    if (leg && in->at_arrival) {
        in->onward = time;
        in->onward_segment = in->segment.number;
        in->onward_offset = in->segment.offset;
        return;
    }
    if (!leg)
        leg = add_leg(in, "");
    if (leg)
        sp_paxlst_set(in, &leg->sched_dep, time, "DTM+189");
}

static void arrival_time(struct sp_paxlst_read *in, const char *time)
{
    struct sp_leg *leg = last_leg(in);
    if (leg && !in->at_arrival && in->listing->leg_count - in->transport_legs > 1 && !*leg[-1].sched_arr &&
        strcmp(leg[-1].arr_port, leg->dep_port) == 0)
        leg--; /* the arrival at the port where the present leg departs */
    if (!leg)
        leg = add_leg(in, "");
    if (leg)
        sp_paxlst_set(in, &leg->sched_arr, time, "DTM+232");
}

static void read_time(struct sp_paxlst_read *in)
{
    bool departure = is(in, 1, "189");
    if (in->place == SP_PAXLST_HEADER || (!departure && !is(in, 1, "232"))) {
        sp_paxlst_not_kept(in);
        return;
    }
    const char *time = sp_paxlst_date(in, SP_CENTURY_NEAR, true);
    if (!*time || in->status != SP_OK)
        return;
    if (departure)
        departure_time(in, time);
    else
        arrival_time(in, time);
}

void sp_paxlst_journey_settle(struct sp_paxlst_read *in)
{
    struct sp_leg *leg = last_leg(in);
    if (leg && *in->onward) {
        if (!*leg->sched_dep)
            leg->sched_dep = in->onward;
        sp_paxlst_deviate_at(in, in->onward_segment, in->onward_offset,
                             leg->sched_dep == in->onward
                                 ? "a departure time after the last arrival; taken as that of the leg"
                                 : "a departure time after the last arrival is not kept");
    }
    in->onward = "";
}

static void read_reference(struct sp_paxlst_read *in)
{
    if (is(in, 1, "TN") && in->place == SP_PAXLST_HEADER) {
        sp_paxlst_set(in, &in->listing->reference, sp_paxlst_text(in, 1, 1, SP_PAXLST_REF), "RFF+TN");
        if (!*in->listing->version)
            in->listing->version = sp_paxlst_text(in, 1, 3, SP_PAXLST_WORD);
        if (!*in->listing->version)
            in->listing->version = sp_paxlst_text(in, 1, 4, SP_PAXLST_WORD);
        return;
    }
    sp_paxlst_not_kept(in);
}

static void read_count(struct sp_paxlst_read *in)
{
    bool passengers = is(in, 1, "42");
    int number = sp_paxlst_number(sp_paxlst_get(in, 1, 1));
    if (!passengers && !is(in, 1, "41")) {
        sp_paxlst_not_kept(in);
    } else if (number < 0) {
        sp_paxlst_deviate(in, "CNT has no number");
    } else {
        int *declared = passengers ? &in->declared_passengers : &in->declared_crew;
        if (*declared >= 0)
            sp_paxlst_deviate(in, "a second CNT+%s; it counts", passengers ? "42" : "41");
        *declared = number;
    }
}

bool sp_paxlst_journey_segment(struct sp_paxlst_read *in)
{
    const char *tag = in->segment.tag;
    bool traveller = in->place >= SP_PAXLST_TRAVELLER;
    if (sp_edifact_tag(tag, "TDT"))
        read_tdt(in);
    else if (sp_edifact_tag(tag, "CNT"))
        read_count(in);
    else if (sp_edifact_tag(tag, "NAD") && is(in, 1, "MS"))
        read_party(in);
    else if (traveller)
        return false;
    else if (sp_edifact_tag(tag, "RFF"))
        read_reference(in);
    else if (sp_edifact_tag(tag, "LOC") && in->place == SP_PAXLST_TRANSPORT)
        read_port(in);
    else if (sp_edifact_tag(tag, "DTM"))
        read_time(in);
    else if (sp_edifact_tag(tag, "COM"))
        read_com(in);
    else if (sp_edifact_tag(tag, "CTA"))
        add_contact(in, sp_paxlst_text(in, 2, 1, SP_PAXLST_NAME), sp_paxlst_text(in, 1, 0, 3));
    else
        return false;
    return true;
}
