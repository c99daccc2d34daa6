/* Travellers of a PAXLST message and their documents. */
#include <ctype.h>
#include <string.h>
#include "listing/country.h"
#include "listing/paxlst_read.h"

static bool is(struct sp_paxlst_read *in, int element, const char *text)
{
    return sp_edifact_is(sp_paxlst_get(in, element, 0), text);
}

/* A country's code: of two letters in three, others as they are, noted. */
static const char *country(struct sp_paxlst_read *in, const char *text, const char *what)
{
    char code[4];
    size_t length = strlen(text);
    if (length == 0 || length == 3 || in->status != SP_OK)
        return text;
    if (length != 2 || !sp_country_alpha3(code, text)) {
        sp_paxlst_aside(in, what, "is no country's code of three letters; it is kept");
        return text;
    }
    sp_paxlst_aside(in, what, "is a country's code of two letters; kept in three");
    if (in->status == SP_OK)
        in->status = sp_listing_text(in->listing, &text, code, 3, NULL, in->err);
    return text;
}

/* What belongs to the traveller but stands after a DOC. */
static void note_order(struct sp_paxlst_read *in)
{
    if (in->place == SP_PAXLST_DOCUMENT)
        sp_paxlst_aside(in, in->segment.tag, "of a traveller stands after DOC; it is kept");
}

static void read_names(struct sp_paxlst_read *in, struct sp_traveller *traveller)
{
    int element = 4;
    if (sp_edifact_get(&in->segment, 4, 0).length == 0 && sp_edifact_get(&in->segment, 3, 0).length > 0) {
        element = 3; /* C058, name and address lines */
        sp_paxlst_aside(in, "NAD", "has the name in the place of an address; it is kept");
    }
    traveller->surname = sp_paxlst_text(in, element, 0, SP_PAXLST_NAME);
    traveller->given = sp_paxlst_joined(in, element, 1, ' ', 2 * SP_PAXLST_NAME);
}

static void read_nad(struct sp_paxlst_read *in)
{
    static const struct {
        const char *code, *role, *transit;
    } roles[] = {{"FL", "passenger", ""},
                 {"FM", "crew", ""},
                 {"DDU", "transit_passenger", "yes"},
                 {"DDT", "transit_crew", "yes"},
                 {"ZZZ", "", ""}}; /* close-outs: by reference only */
    struct sp_edifact_view code = sp_paxlst_get(in, 1, 0);
    char text[8];
    size_t role = 0, count = sizeof roles / sizeof roles[0];
    while (role < count && !sp_edifact_is(code, roles[role].code))
        role++;
    if (role == count && in->place == SP_PAXLST_HEADER) {
        sp_paxlst_not_kept(in); /* a party */
        return;
    }
    if (++in->travellers > SP_PAXLST_MAX_TRAVELLERS) {
        sp_paxlst_fail(in, SP_E_LIMIT, "too many travellers in one file");
        return;
    }
    if (in->place == SP_PAXLST_HEADER)
        sp_paxlst_aside(in, "NAD", "of a traveller stands before the first TDT");
    sp_paxlst_journey_settle(in);
    if (in->status != SP_OK)
        return;
    in->status =
        sp_listing_add_traveller(in->listing, in->segment.number, in->segment.offset, &in->traveller, in->err);
    if (in->status != SP_OK)
        return;
    in->place = SP_PAXLST_TRAVELLER;
    in->document = NULL;
    if (role == count) {
        sp_paxlst_deviate(in, "NAD+%s is no known role; kept as it is", sp_paxlst_code(code, 3, text));
        in->traveller->role = sp_paxlst_text(in, 1, 0, 3);
        for (size_t i = 0; i < count; i++)
            if (strcmp(in->traveller->role, roles[i].role) == 0)
                in->traveller->transit = roles[i].transit;
    } else {
        in->traveller->role = roles[role].role;
        in->traveller->transit = roles[role].transit;
    }
    read_names(in, in->traveller);
    if (!*in->traveller->surname && !*in->traveller->given && !sp_edifact_is(code, "ZZZ"))
        sp_paxlst_deviate(in, "a traveller without a name");
}

static void read_att(struct sp_paxlst_read *in)
{
    struct sp_traveller *traveller = in->traveller;
    struct sp_edifact_view value = sp_paxlst_get(in, 3, 0);
    if (!is(in, 1, "2")) {
        sp_paxlst_not_kept(in);
        return;
    }
    note_order(in);
    char code = value.length == 1 ? (char)toupper((uint8_t)value.text[0]) : 0;
    const char *sex = code == 'F' ? "F" : code == 'M' ? "M" : code == 'U' || code == 'X' ? "X" : "";
    if (!*sex)
        sp_paxlst_deviate(in, "ATT+2 is neither M nor F nor U; it is not kept");
    else if (code != value.text[0])
        sp_paxlst_aside(in, "ATT+2", "has a code in lower case");
    sp_paxlst_set(in, &traveller->sex, sex, "ATT+2");
}

static void read_dtm(struct sp_paxlst_read *in)
{
    struct sp_document *document = in->document;
    if (is(in, 1, "329")) {
        note_order(in);
        sp_paxlst_set(in, &in->traveller->dob, sp_paxlst_date(in, SP_CENTURY_PAST, false), "DTM+329");
    } else if (document && is(in, 1, "36")) {
        sp_paxlst_set(in, &document->expiry, sp_paxlst_date(in, SP_CENTURY_NEAR, false), "DTM+36");
    } else if (document && is(in, 1, "182")) {
        sp_paxlst_set(in, &document->issued, sp_paxlst_date(in, SP_CENTURY_PAST, false), "DTM+182");
    } else {
        sp_paxlst_not_kept(in);
    }
}

static void read_gei(struct sp_paxlst_read *in)
{
    bool verified = is(in, 2, "173");
    if (in->place == SP_PAXLST_DOCUMENT || !is(in, 1, "4") || (!verified && !is(in, 2, "174")))
        sp_paxlst_not_kept(in);
    else
        sp_paxlst_set(in, &in->traveller->verified, verified ? "yes" : "no", "GEI+4");
}

static void read_loc(struct sp_paxlst_read *in)
{
    struct sp_traveller *traveller = in->traveller;
    const struct {
        const char *code, **field, *what;
    } places[] = {
        {"178", &traveller->embark, "LOC+178"},      {"179", &traveller->debark, "LOC+179"},
        {"22", &traveller->clearance, "LOC+22"},     {"174", &traveller->residence, "LOC+174"},
        {"180", &traveller->birth_place, "LOC+180"},
    };
    struct sp_edifact_view code = sp_paxlst_get(in, 1, 0);
    if (in->document && sp_edifact_is(code, "91")) {
        sp_paxlst_set(in, &in->document->issuer, country(in, sp_paxlst_location(in), "LOC+91"), "LOC+91");
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (sp_edifact_is(code, places[i].code)) {
            note_order(in);
            sp_paxlst_set(in, places[i].field, sp_paxlst_location(in), places[i].what);
            return;
        }
    sp_paxlst_not_kept(in);
}

static void read_nat(struct sp_paxlst_read *in)
{
    if (!is(in, 1, "2")) {
        sp_paxlst_not_kept(in);
        return;
    }
    note_order(in);
    const char *text = sp_paxlst_upper(in, 2, 0, SP_PAXLST_WORD);
    if (!*text)
        sp_paxlst_aside(in, "NAT+2", "is empty");
    sp_paxlst_set(in, &in->traveller->nationality, country(in, text, "NAT+2"), "NAT+2");
}

static void read_rff(struct sp_paxlst_read *in)
{
    struct sp_traveller *traveller = in->traveller;
    const struct {
        const char *code, **field, *what;
    } references[] = {
        {"ABO", &traveller->ref, "RFF+ABO"},
        {"AVF", &traveller->pnr, "RFF+AVF"},
        {"SEA", &traveller->seat_or_cabin, "RFF+SEA"},
    };
    struct sp_edifact_view code = sp_paxlst_get(in, 1, 0);
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
        if (sp_edifact_is(code, references[i].code)) {
            note_order(in);
            const char *value = sp_paxlst_text(in, 1, 1, SP_PAXLST_REF);
            if (!*value)
                sp_paxlst_aside(in, references[i].what, "is empty");
            sp_paxlst_set(in, references[i].field, value, references[i].what);
            return;
        }
    sp_paxlst_not_kept(in);
}

/* EMP: what the crew member is, "CR1" cockpit, "CR2" cabin ... or an occupation. */
static void read_emp(struct sp_paxlst_read *in)
{
    note_order(in);
    sp_paxlst_get(in, 1, 0);
    int element = sp_edifact_get(&in->segment, 2, 0).length > 0 ? 2 : 3;
    sp_paxlst_set(in, &in->traveller->rank, sp_paxlst_text(in, element, 0, SP_PAXLST_NAME), "EMP");
    if (sp_edifact_is(sp_edifact_get(&in->segment, element, 1), "110"))
        sp_paxlst_get(in, element, 1);
    if (sp_edifact_is(sp_edifact_get(&in->segment, element, 2), "111"))
        sp_paxlst_get(in, element, 2);
}

static void read_doc(struct sp_paxlst_read *in)
{
    in->status = sp_listing_add_document(in->listing, in->traveller, &in->document, in->err);
    if (in->status != SP_OK)
        return;
    in->place = SP_PAXLST_DOCUMENT;
    in->document->type = sp_paxlst_upper(in, 1, 0, 3);
    in->document->number = sp_paxlst_text(in, 2, 0, SP_PAXLST_WORD);
    if (sp_edifact_is(sp_edifact_get(&in->segment, 1, 1), "110") &&
        sp_edifact_is(sp_edifact_get(&in->segment, 1, 2), "111")) {
        sp_paxlst_get(in, 1, 1);
        sp_paxlst_get(in, 1, 2);
    } else {
        sp_paxlst_aside(in, "DOC", "has a type without its code list (110:111)");
    }
    if (!*in->document->type)
        sp_paxlst_aside(in, "DOC", "has no type");
    if (!*in->document->number)
        sp_paxlst_aside(in, "DOC", "has no number");
}

bool sp_paxlst_traveller_segment(struct sp_paxlst_read *in)
{
    static const struct {
        char tag[4];
        void (*read)(struct sp_paxlst_read *in);
    } readers[] = {
        {"LOC", read_loc}, {"DTM", read_dtm}, {"RFF", read_rff}, {"ATT", read_att},
        {"NAT", read_nat}, {"DOC", read_doc}, {"GEI", read_gei}, {"EMP", read_emp},
    };
    if (sp_edifact_tag(in->segment.tag, "NAD")) {
        read_nad(in);
        return true;
    }
    if (in->place < SP_PAXLST_TRAVELLER || !in->traveller)
        return false;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (sp_edifact_tag(in->segment.tag, readers[i].tag)) {
            readers[i].read(in);
            return true;
        }
    return false;
}
