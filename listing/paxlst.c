#include "listing/paxlst.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "listing/paxlst_read.h"

/* BGM 1001 (document) and 1004 (function): US use as in the CBP guide, the codes of 1001 from the UN directory. */
static const struct {
    const char *document, *function;
    enum sp_listing_group group;
    enum sp_listing_action action;
} functions[] = {
    {"745", "", SP_GROUP_PASSENGERS, SP_ACTION_LIST},
    {"745", "CP", SP_GROUP_PASSENGERS, SP_ACTION_CHANGE},
    {"745", "XR", SP_GROUP_PASSENGERS, SP_ACTION_REMOVE},
    {"745", "RP", SP_GROUP_PASSENGERS, SP_ACTION_REMOVE},
    {"250", "", SP_GROUP_CREW, SP_ACTION_LIST},
    {"250", "C", SP_GROUP_CREW, SP_ACTION_LIST},    /* passenger flight */
    {"250", "B", SP_GROUP_CREW, SP_ACTION_LIST},    /* cargo flight */
    {"250", "A", SP_GROUP_CREW, SP_ACTION_LIST},    /* over-flight, passenger flight */
    {"250", "D", SP_GROUP_CREW, SP_ACTION_LIST},    /* over-flight, cargo flight */
    {"250", "E", SP_GROUP_CREW, SP_ACTION_LIST},    /* domestic continuance, passenger flight */
    {"250", "F", SP_GROUP_CREW, SP_ACTION_LIST},    /* domestic continuance, cargo flight */
    {"250", "CC", SP_GROUP_CREW, SP_ACTION_CHANGE}, /* the same with a crew change */
    {"250", "BC", SP_GROUP_CREW, SP_ACTION_CHANGE},
    {"250", "EC", SP_GROUP_CREW, SP_ACTION_CHANGE},
    {"250", "FC", SP_GROUP_CREW, SP_ACTION_CHANGE},
    {"336", "G", SP_GROUP_CREW, SP_ACTION_CHANGE}, /* add */
    {"336", "I", SP_GROUP_CREW, SP_ACTION_CHANGE},
    {"336", "H", SP_GROUP_CREW, SP_ACTION_REMOVE},
    {"266", "CL", SP_GROUP_BOTH, SP_ACTION_CLOSE},
    {"266", "CLNB", SP_GROUP_PASSENGERS, SP_ACTION_CLOSE_NOT_ON_BOARD},
    {"266", "CLOB", SP_GROUP_PASSENGERS, SP_ACTION_CLOSE_ON_BOARD},
    {"266", "XF", SP_GROUP_BOTH, SP_ACTION_CANCEL_JOURNEY},
    {"266", "CF", SP_GROUP_BOTH, SP_ACTION_CHANGE_JOURNEY},
};

/* A message whose function is not understood removes nobody and closes nothing. */
static void read_function(struct sp_paxlst_read *in)
{
    struct sp_edifact_view document = sp_paxlst_get(in, 1, 0), function = sp_paxlst_get(in, 2, 0);
    char code[8], text[8];
    in->listing->group = sp_edifact_is(document, "745")                                     ? SP_GROUP_PASSENGERS
                         : sp_edifact_is(document, "250") || sp_edifact_is(document, "336") ? SP_GROUP_CREW
                                                                                            : SP_GROUP_BOTH;
    in->listing->action = SP_ACTION_CHANGE;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (sp_edifact_is(document, functions[i].document) && sp_edifact_is(function, functions[i].function)) {
            in->listing->group = functions[i].group;
            in->listing->action = functions[i].action;
            return;
        }
    sp_paxlst_code(document, 3, code);
    sp_paxlst_code(function, 4, text);
    bool list = sp_edifact_is(document, "745") || sp_edifact_is(document, "250");
    bool identifier = function.length > 4;
    for (size_t i = 0; i < function.length; i++)
        identifier = identifier || (function.text[i] >= '0' && function.text[i] <= '9');
    if (list && identifier) { /* what the directory has in this place: the number of a document */
        in->listing->action = SP_ACTION_LIST;
        sp_paxlst_deviate(in, "BGM+%s has a document number that is not kept; taken as a full list", code);
    } else {
        sp_paxlst_deviate(in, "BGM+%s+%s is not known; taken as a change, which removes nobody", code, text);
    }
}

/* 1225: the directory's own way to say what the message does. */
static void read_message_function(struct sp_paxlst_read *in)
{
    struct sp_edifact_view code = sp_paxlst_get(in, 3, 0);
    char text[8];
    if (code.length == 0 || sp_edifact_is(code, "9") || sp_edifact_is(code, "5")) /* original, replace */
        return;
    if (in->listing->action == SP_ACTION_LIST)
        in->listing->action = sp_edifact_is(code, "3") ? SP_ACTION_REMOVE : SP_ACTION_CHANGE;
    else if (in->listing->action > SP_ACTION_REMOVE) /* a close that is deleted, or changed, closes nothing */
        in->listing->action = SP_ACTION_CHANGE;
    sp_paxlst_deviate(in, "BGM message function %s; taken as %s", sp_paxlst_code(code, 3, text),
                      sp_listing_kind_word(in->listing->group, in->listing->action));
}

static void read_bgm(struct sp_paxlst_read *in)
{
    char code[8];
    if (in->has_bgm)
        sp_paxlst_deviate(in, "a second BGM; it counts");
    in->has_bgm = true;
    if (in->listing->format == SP_LISTING_PAXLST) {
        read_function(in);
        read_message_function(in);
        return;
    }
    struct sp_edifact_view document = sp_paxlst_get(in, 1, 0);
    if (!sp_edifact_is(document, "962"))
        sp_paxlst_deviate(in, "BGM+%s is read like 962, a response", sp_paxlst_code(document, 3, code));
}

static void read_unb(struct sp_paxlst_read *in)
{
    struct sp_edifact_view syntax = sp_paxlst_get(in, 1, 0), sender = sp_paxlst_get(in, 2, 0);
    struct sp_edifact_view reference = sp_paxlst_get(in, 5, 0);
    if (in->interchange.open)
        sp_paxlst_deviate(in, "UNB inside of an interchange (UNZ is missing)");
    if (sender.length > 35 || reference.length > 35)
        sp_paxlst_deviate(in, "the sender or reference of UNB is over 35 bytes long; cut");
    if (sp_edifact_is(sp_paxlst_get(in, 11, 0), "1"))
        sp_paxlst_deviate(in, "UNB says that this is a test; it is read like any other");
    in->interchange = (struct sp_paxlst_envelope){.open = true};
    in->group.open = false;
    in->groups = 0;
    in->latin1 = sp_edifact_is(syntax, "UNOC");
    snprintf(in->sender, sizeof in->sender, "%.*s", (int)(sender.length < 35 ? sender.length : 35), sender.text);
    snprintf(in->interchange.reference, sizeof in->interchange.reference, "%.*s",
             (int)(reference.length < 35 ? reference.length : 35), reference.text);
}

static void read_ung(struct sp_paxlst_read *in)
{
    struct sp_edifact_view reference = sp_paxlst_get(in, 5, 0);
    if (in->group.open)
        sp_paxlst_deviate(in, "UNG inside of a group (UNE is missing)");
    in->group = (struct sp_paxlst_envelope){.open = true};
    in->groups++;
    snprintf(in->group.reference, sizeof in->group.reference, "%.*s",
             (int)(reference.length < 35 ? reference.length : 35), reference.text);
}

/* UNE, UNZ: the number of what is inside and the reference of the begin. */
static void read_end(struct sp_paxlst_read *in, struct sp_paxlst_envelope *envelope, int inside, const char *what)
{
    const char *tag = in->segment.tag;
    int declared = sp_paxlst_number(sp_paxlst_get(in, 1, 0));
    if (!envelope->open)
        sp_paxlst_deviate(in, "%s without its begin", tag);
    else if (!sp_edifact_is(sp_paxlst_get(in, 2, 0), envelope->reference))
        sp_paxlst_deviate(in, "the reference of %s is not that of its begin", tag);
    if (envelope->open && declared < 0)
        sp_paxlst_deviate(in, "%s has no number; there are %d %s", tag, inside, what);
    else if (envelope->open && declared != inside)
        sp_paxlst_deviate(in, "%s says %d %s, there are %d", tag, declared, what, inside);
    envelope->open = false;
}

/* S010: "01:C" first, "02", ..., "09:F" last; "01:F" is all. */
static void read_part(struct sp_paxlst_read *in)
{
    struct sp_listing *listing = in->listing;
    struct sp_edifact_view part = sp_paxlst_get(in, 4, 0), flag = sp_paxlst_get(in, 4, 1);
    if (part.length == 0 && flag.length == 0)
        return;
    listing->part = sp_paxlst_number(part);
    if (listing->part < 1) {
        sp_paxlst_deviate(in, "UNH: the number of the part is none; taken as 1");
        listing->part = 1;
    }
    listing->last_part = sp_edifact_is(flag, "F");
    if (!listing->last_part && flag.length > 0 && !sp_edifact_is(flag, "C"))
        sp_paxlst_deviate(in,
                          "UNH: neither C nor F nor nothing after the number of the part; taken as not the last");
    if (flag.length == 0 && listing->part == 1)
        sp_paxlst_deviate(in, "UNH: the first part has neither C nor F; taken as not the last");
    if (!*listing->common && (!listing->last_part || listing->part > 1))
        sp_paxlst_deviate(in, "UNH: a part of several, but no common access reference");
}

static void start_message(struct sp_paxlst_read *in)
{
    in->has_bgm = in->over_flight = in->at_arrival = false;
    in->first_segment = in->segment.number;
    in->place = SP_PAXLST_HEADER;
    in->transports = in->transport_legs = in->aside_count = 0;
    in->declared_passengers = in->declared_crew = -1;
    in->traveller = NULL;
    in->document = NULL;
    in->onward = "";
}

static void read_unh(struct sp_paxlst_read *in)
{
    static const char *const directories[] = {"02B", "05B", "15B"};
    struct sp_edifact_view type = sp_paxlst_get(in, 2, 0), release = sp_paxlst_get(in, 2, 2);
    char code[8];
    (in->group.open ? &in->group : &in->interchange)->inside++;
    start_message(in);
    in->skipping = !sp_edifact_is(type, "PAXLST") && !sp_edifact_is(type, "CUSRES");
    if (in->skipping) {
        sp_paxlst_deviate(in, "a message of type %s is not read", sp_paxlst_code(type, 6, code));
        return;
    }
    if (in->count == SP_PAXLST_MAX_MESSAGES) {
        sp_paxlst_fail(in, SP_E_LIMIT, "too many messages in one file");
        return;
    }
    in->status = sp_listing_new(&in->listing, sp_edifact_is(type, "PAXLST") ? SP_LISTING_PAXLST : SP_LISTING_CUSRES,
                                in->err);
    if (in->status != SP_OK)
        return;
    struct sp_listing *listing = in->listing;
    sp_paxlst_flush_pending(in);
    listing->mode = "air";
    listing->action = listing->format == SP_LISTING_CUSRES ? SP_ACTION_ANSWER : SP_ACTION_CHANGE;
    listing->group = SP_GROUP_BOTH;
    listing->message = sp_paxlst_text(in, 1, 0, 14);
    listing->directory = sp_paxlst_text(in, 2, 2, 3);
    listing->common = sp_paxlst_text(in, 3, 0, SP_PAXLST_WORD);
    bool known = false, version = sp_edifact_is(sp_paxlst_get(in, 2, 1), "D");
    for (int i = 0; i < 3; i++)
        known = known || sp_edifact_is(release, directories[i]);
    if (!known || !version)
        sp_paxlst_deviate(in, "directory %s is read like 02B, 05B and 15B", sp_paxlst_code(release, 3, code));
    sp_paxlst_get(in, 2, 3); /* agency and association: UN, IATA */
    sp_paxlst_get(in, 2, 4);
    read_part(in);
    if (in->interchange.open && in->status == SP_OK)
        in->status = sp_listing_text(listing, &listing->interchange, in->interchange.reference,
                                     strlen(in->interchange.reference), NULL, in->err);
    if (in->interchange.open && in->status == SP_OK)
        in->status = sp_listing_text(listing, &listing->sender, in->sender, strlen(in->sender), NULL, in->err);
}

static void end_message(struct sp_paxlst_read *in)
{
    int segments = in->segment.number - in->first_segment + 1;
    int declared = sp_paxlst_number(sp_paxlst_get(in, 1, 0));
    in->skipping = false;
    if (!in->listing)
        return;
    if (declared < 0)
        sp_paxlst_deviate(in, "UNT has no number; there are %d segments", segments);
    else if (declared != segments)
        sp_paxlst_deviate(in, "UNT says %d segments, there are %d", declared, segments);
    char reference[SP_LISTING_MAX_TEXT + 1];
    snprintf(reference, sizeof reference, "%s", in->listing->message);
    struct sp_edifact_view end = sp_paxlst_get(in, 2, 0);
    if (!sp_edifact_is(end, reference))
        sp_paxlst_deviate(in, "the reference of UNT is not that of UNH");
    if (!in->has_bgm)
        sp_paxlst_deviate(in, "a message without BGM%s",
                          in->listing->action == SP_ACTION_ANSWER ? ""
                                                                  : "; taken as a change, which removes nobody");
    sp_paxlst_journey_settle(in);
    sp_paxlst_check(in);
    sp_paxlst_leftovers(in);
    if (in->status != SP_OK)
        return;
    sp_paxlst_flush_asides(in);
    struct sp_listing **grown = realloc(in->listings, ((size_t)in->count + 1) * sizeof *grown);
    if (!grown) {
        sp_paxlst_fail(in, SP_E_NOMEM, "no memory for the list of messages");
        return;
    }
    in->listings = grown;
    in->listings[in->count++] = in->listing;
    in->listing = NULL;
}

static void note_flags(struct sp_paxlst_read *in)
{
    static const struct {
        unsigned flag;
        const char *phrase;
    } notes[] = {
        {SP_EDIFACT_SPACES, "with spaces before it, or behind its tag"},
        {SP_EDIFACT_WRAPPED, "with a line break inside; left out"},
        {SP_EDIFACT_RELEASED, "with a release character before a character that needs none; kept"},
        {SP_EDIFACT_UNTERMINATED, "the last segment, has no terminator"},
    };
    for (size_t i = 0; in->segment.flags && i < sizeof notes / sizeof notes[0]; i++)
        if (in->segment.flags & notes[i].flag)
            sp_paxlst_aside(in, in->segment.tag, notes[i].phrase);
}

/* A segment between the messages, or one that begins a message. */
static void read_envelope(struct sp_paxlst_read *in)
{
    const char *tag = in->segment.tag;
    if (sp_edifact_tag(tag, "UNH"))
        read_unh(in);
    else if (sp_edifact_tag(tag, "UNB"))
        read_unb(in);
    else if (sp_edifact_tag(tag, "UNG"))
        read_ung(in);
    else if (sp_edifact_tag(tag, "UNE"))
        read_end(in, &in->group, in->group.inside, "messages");
    else if (sp_edifact_tag(tag, "UNZ"))
        read_end(in, &in->interchange, in->groups ? in->groups : in->interchange.inside,
                 in->groups ? "groups" : "messages");
    else
        sp_paxlst_deviate(in, "a segment outside of messages is not kept");
    if (in->listing)
        sp_paxlst_leftovers(in);
}

static void read_segment(struct sp_paxlst_read *in)
{
    const char *tag = in->segment.tag;
    memset(in->used, 0, sizeof in->used);
    note_flags(in);
    if (in->status != SP_OK)
        return;
    if (in->skipping || in->listing) {
        if (sp_edifact_tag(tag, "UNT")) {
            end_message(in);
            return;
        }
        if (tag[0] == 'U' && tag[1] == 'N' && strchr("BGHEZ", tag[2])) {
            sp_paxlst_fail(in, SP_E_FORMAT, "the message before has no UNT (cut off?)");
            return;
        }
    }
    if (in->skipping)
        return;
    if (!in->listing) {
        read_envelope(in);
        return;
    }
    if (sp_edifact_tag(tag, "BGM"))
        read_bgm(in);
    else if (in->segment.element_count == 1 && in->segment.components[0].length == 0)
        sp_paxlst_aside(in, "an empty segment", "is passed over");
    else if (!tag[0])
        sp_paxlst_deviate(in, "no tag of three letters; the segment is not kept");
    else if (in->listing->format == SP_LISTING_CUSRES
                 ? !sp_paxlst_answer_segment(in)
                 : !sp_paxlst_journey_segment(in) && !sp_paxlst_traveller_segment(in))
        sp_paxlst_not_kept(in);
    if (tag[0])
        sp_paxlst_leftovers(in);
}

static void finish(struct sp_paxlst_read *in)
{
    if (in->status == SP_OK && (in->listing || in->skipping))
        sp_paxlst_fail(in, SP_E_FORMAT, "the last message has no UNT (cut off?)");
    if (in->status == SP_OK && in->count == 0)
        in->status = sp_fail(in->err, SP_E_UNSUPPORTED, "%s: no PAXLST or CUSRES message in it", in->edifact.name);
    if (in->status != SP_OK)
        return;
    if (in->group.open)
        sp_paxlst_deviate(in, "UNG without UNE");
    if (in->interchange.open)
        sp_paxlst_deviate(in, "UNB without UNZ (cut off?)");
    in->listing = in->listings[in->count - 1];
    sp_paxlst_flush_pending(in);
    in->listing = NULL;
}

/* Where it was that a limit of the listing was reached. */
static void add_place(struct sp_paxlst_read *in)
{
    if (in->status != SP_OK && !in->placed)
        sp_fail_in(in->err, "%s segment %d (%s) at byte %zu", in->edifact.name, in->segment.number, in->segment.tag,
                   in->segment.offset);
}

static void read_all(struct sp_paxlst_read *in, const char *name, const void *bytes, size_t length)
{
    in->status = sp_edifact_open(&in->edifact, name, bytes, length, in->err);
    if (in->status == SP_OK && in->edifact.preamble_lines > 0)
        sp_paxlst_deviate(in, "%d lines before the first segment (a telegram's header?)",
                          in->edifact.preamble_lines);
    if (in->status == SP_OK && in->edifact.guessed)
        sp_paxlst_deviate(in, "no UNA, but separators of its own; they are guessed");
    while (in->status == SP_OK) {
        in->status = sp_edifact_next(&in->edifact, &in->segment, in->err);
        if (in->status == SP_E_CLOSED) {
            in->status = SP_OK;
            break;
        }
        if (in->status == SP_OK && in->edifact.brief_una)
            sp_paxlst_deviate(in, "a UNA of eight bytes before it; read without a repetition separator");
        in->edifact.brief_una = false;
        if (in->status == SP_OK) {
            read_segment(in);
            add_place(in);
        }
    }
    finish(in);
}

enum sp_status sp_paxlst_parse(struct sp_listing ***ret_listings, int *ret_count, const char *name,
                               const void *bytes, size_t length, const struct sp_paxlst_options *options,
                               struct sp_err *err)
{
    if (length > SP_LISTING_MAX_BYTES)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes, the limit is %u", name, length, SP_LISTING_MAX_BYTES);
    struct sp_err unheard = {0};
    struct sp_paxlst_read *in = calloc(1, sizeof *in);
    if (!in)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", name);
    in->options = *options;
    in->today = sp_edifact_date_day(options->now_ms ? options->now_ms : sp_clock_wall_ms());
    in->err = err ? err : &unheard;
    read_all(in, name, bytes, length);
    enum sp_status status = in->status;
    if (status == SP_OK) {
        *ret_listings = in->listings;
        *ret_count = in->count;
    } else {
        sp_paxlst_free(&in->listings, in->count);
        sp_listing_free(&in->listing);
    }
    explicit_bzero(in, sizeof *in); /* names without release characters are in it */
    free(in);
    return status;
}

void sp_paxlst_free(struct sp_listing ***listings, int count)
{
    if (!listings || !*listings)
        return;
    for (int i = 0; i < count; i++)
        sp_listing_free(&(*listings)[i]);
    free(*listings);
    *listings = NULL;
}

bool sp_paxlst_looks_like(const void *bytes, size_t length)
{
    return sp_edifact_looks_like(bytes, length);
}
