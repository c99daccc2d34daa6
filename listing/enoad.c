#include "listing/enoad.h"

#include <libxml/xmlreader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/seal.h"
#include "listing/country.h"
#include "listing/enoad_element.h"
#include "listing/fal_column.h"
#include "listing/journey.h"

struct place {
    int line;
    size_t offset;
};

struct parser {
    struct sp_listing *listing;
    const char *source, *bytes;
    size_t length, line_begin; /* where line `counted` begins */
    int counted;
    xmlTextReaderPtr reader;
    int depth; /* of open elements that are read */
    enum sp_enoad_section sections[SP_ENOAD_MAX_DEPTH + 1];
    int value;           /* enum sp_enoad_value whose element is open; -1: none */
    int again;           /* what it is, where that has a value already (value is then SP_ENOAD_NOTHING); -1: no */
    bool crew, non_crew; /* lists that were there */
    bool over;           /* that value is too long: what comes of it is left out, too */
    bool skips;          /* an unknown element was met: its subtree is passed over */
    struct sp_traveller *person;
    int wrong_line, wrong_code;                  /* what libxml2 found */
    struct place places[SP_ENOAD_NOTICE_VALUES]; /* of the notice's values */
    char text[SP_ENOAD_VALUE_COUNT][SP_ENOAD_MAX_TEXT + 1];
};

/* The line of the present node. The parser itself reads ahead; it speaks only where a node's own count ends. */
static int line_of(struct parser *p)
{
    xmlNodePtr node = xmlTextReaderCurrentNode(p->reader);
    long line = node ? xmlGetLineNo(node) : 0;
    return line > 0 && line < 65535 ? (int)line : xmlTextReaderGetParserLineNumber(p->reader);
}

/* Where that line begins: nodes come in order, so each byte is looked at once. */
static size_t offset_of(struct parser *p)
{
    for (int line = line_of(p); p->counted < line; p->counted++) {
        const char *end = memchr(p->bytes + p->line_begin, '\n', p->length - p->line_begin);
        if (!end)
            break;
        p->line_begin = (size_t)(end - p->bytes) + 1;
    }
    return p->line_begin;
}

static void on_wrong(void *user, xmlErrorPtr wrong)
{
    struct parser *p = user;
    if (p->wrong_code == 0 && wrong && wrong->level >= XML_ERR_ERROR) {
        p->wrong_code = wrong->code;
        p->wrong_line = wrong->line;
    }
}

static enum sp_status put_field(struct parser *p, struct sp_traveller *t, enum sp_field field, const char *text,
                                struct sp_err *err)
{
    return sp_field_put(p->listing, t, field, text, strlen(text), err);
}

/* Dates and countries in other spellings become the listing's; what is neither is left to the field's own check. */
static const char *as_date(char iso[11], const char *text)
{
    return sp_field_people_date(iso, text) ? iso : text;
}

static const char *as_country(char code[4], const char *text)
{
    return sp_country_alpha3(code, text) ? code : text;
}

static enum sp_status start_person(struct parser *p, struct sp_err *err)
{
    sp_seal_wipe(p->text[SP_ENOAD_SURNAME], (SP_ENOAD_VALUE_COUNT - SP_ENOAD_SURNAME) * sizeof p->text[0]);
    return sp_listing_add_traveller(p->listing, line_of(p), offset_of(p), &p->person, err);
}

/* What has been read of one document, at its end or at the person's. */
static enum sp_status put_document(struct parser *p, struct sp_err *err)
{
    char issuer[4], expiry[11];
    char(*v)[SP_ENOAD_MAX_TEXT + 1] = p->text;
    const struct sp_field_document document = {sp_fal_document_type(v[SP_ENOAD_ID_TYPE]), v[SP_ENOAD_ID_NUMBER],
                                               as_country(issuer, v[SP_ENOAD_ID_COUNTRY]),
                                               as_date(expiry, v[SP_ENOAD_ID_EXPIRY]), NULL};
    enum sp_status status = SP_OK;
    if (v[SP_ENOAD_ID_NUMBER][0])
        status = sp_field_put_document(p->listing, p->person, &document, err);
    else if (v[SP_ENOAD_ID_TYPE][0] || v[SP_ENOAD_ID_COUNTRY][0] || v[SP_ENOAD_ID_EXPIRY][0])
        sp_listing_deviate(p->listing, p->person->segment, p->person->offset,
                           "an identity document without a number, left out");
    for (int i = SP_ENOAD_ID_TYPE; i <= SP_ENOAD_ID_EXPIRY; i++)
        sp_seal_wipe(v[i], sizeof v[i]);
    sp_seal_wipe(expiry, sizeof expiry);
    return status;
}

static enum sp_status end_person(struct parser *p, const char *role, struct sp_err *err)
{
    char dob[11], nationality[4], given[2 * SP_ENOAD_MAX_TEXT + 2];
    char(*v)[SP_ENOAD_MAX_TEXT + 1] = p->text;
    snprintf(given, sizeof given, "%s%s%s", v[SP_ENOAD_FIRST], v[SP_ENOAD_MIDDLE][0] ? " " : "",
             v[SP_ENOAD_MIDDLE]);
    const struct {
        enum sp_field field;
        const char *text;
    } values[] = {{SP_FIELD_ROLE, role},
                  {SP_FIELD_SURNAME, v[SP_ENOAD_SURNAME]},
                  {SP_FIELD_GIVEN, given},
                  {SP_FIELD_DOB, as_date(dob, v[SP_ENOAD_DOB])},
                  {SP_FIELD_SEX, v[SP_ENOAD_SEX]},
                  {SP_FIELD_NATIONALITY, as_country(nationality, v[SP_ENOAD_NATIONALITY])},
                  {SP_FIELD_RESIDENCE, v[SP_ENOAD_RESIDENCE]},
                  {SP_FIELD_BIRTH_PLACE, v[SP_ENOAD_BIRTH_PLACE]},
                  {SP_FIELD_RANK, v[SP_ENOAD_RANK]},
                  {SP_FIELD_EMBARK, v[SP_ENOAD_EMBARK_PORT]},
                  {SP_FIELD_DEBARK, v[SP_ENOAD_DEBARK_PORT]}};
    enum sp_status status = SP_OK;
    for (size_t i = 0; status == SP_OK && i < sizeof values / sizeof values[0]; i++)
        status = put_field(p, p->person, values[i].field, values[i].text, err);
    if (status == SP_OK)
        status = put_document(p, err);
    sp_seal_wipe(given, sizeof given);
    sp_seal_wipe(dob, sizeof dob);
    return status;
}

/* Attributes are not read; those that say where a schema is are no content. */
static void note_attributes(struct parser *p, const char *name)
{
    xmlNodePtr node = xmlTextReaderCurrentNode(p->reader);
    for (xmlAttrPtr attribute = node ? node->properties : NULL; attribute; attribute = attribute->next)
        if (!attribute->ns || !attribute->ns->prefix || strcmp((const char *)attribute->ns->prefix, "xsi") != 0) {
            sp_listing_deviate(p->listing, line_of(p), offset_of(p), "an attribute of %.40s is not kept", name);
            return;
        }
}

static enum sp_status open_element(struct parser *p, const char *name, struct sp_err *err)
{
    enum sp_enoad_section section = p->sections[p->depth];
    const struct sp_enoad_element *element = p->value >= 0 ? NULL : sp_enoad_element_find(section, name);
    bool empty = xmlTextReaderIsEmptyElement(p->reader) == 1;
    if (p->depth == 0 && !element)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: the root element is not NOTICE", p->source, line_of(p));
    if (!element) {
        sp_listing_deviate(p->listing, line_of(p), offset_of(p),
                           "unknown element ignored, with what is in it: %.40s", name);
        p->skips = !empty;
        return SP_OK;
    }
    note_attributes(p, name);
    p->crew = p->crew || element->enters == SP_ENOAD_CREW_LIST;
    p->non_crew = p->non_crew || element->enters == SP_ENOAD_NON_CREW_LIST;
    bool person = section == SP_ENOAD_CREW_LIST || section == SP_ENOAD_NON_CREW_LIST;
    if (person && empty)
        sp_listing_deviate(p->listing, line_of(p), offset_of(p), "an empty person is passed over");
    if (empty)
        return SP_OK;
    if (p->depth == SP_ENOAD_MAX_DEPTH)
        return sp_fail(err, SP_E_LIMIT, "%s line %d: nested deeper than %d", p->source, line_of(p),
                       SP_ENOAD_MAX_DEPTH);
    if (element->enters < 0) {
        bool again = p->text[element->value][0] != 0;
        p->again = again ? (int)element->value : -1;
        p->value = again ? SP_ENOAD_NOTHING : (int)element->value;
        p->text[p->value][0] = 0;
        p->over = false;
        if (p->value < SP_ENOAD_NOTICE_VALUES)
            p->places[p->value] = (struct place){line_of(p), offset_of(p)};
    }
    p->depth++;
    /* What stands in a person of either list is known by the list. */
    p->sections[p->depth] = element->enters < 0 ? section
                            : element->enters == SP_ENOAD_CREW && section == SP_ENOAD_NON_CREW
                                ? section
                                : (enum sp_enoad_section)element->enters;
    return person ? start_person(p, err) : SP_OK;
}

/* The end of a value: what is known but not kept, and what differs from the same one before. */
static void end_value(struct parser *p, const char *name)
{
    char *text = p->text[p->value];
    for (size_t length = strlen(text); length > 0 && strchr(" \t\r\n", text[length - 1]); length--)
        text[length - 1] = 0;
    if (p->value == SP_ENOAD_NOTHING && text[0] && p->again < 0)
        sp_listing_deviate(p->listing, line_of(p), offset_of(p), "%.40s is not kept", name);
    else if (p->value == SP_ENOAD_NOTHING && text[0] && strcmp(text, p->text[p->again]) != 0)
        sp_listing_deviate(p->listing, line_of(p), offset_of(p),
                           "%.40s comes a second time, and differs; the first one is kept", name);
    if (p->value == SP_ENOAD_NOTHING)
        sp_seal_wipe(text, sizeof p->text[0]);
    p->value = -1;
}

static enum sp_status close_element(struct parser *p, const char *name, struct sp_err *err)
{
    enum sp_enoad_section section = p->sections[p->depth--];
    if (p->value >= 0) {
        end_value(p, name);
        return SP_OK;
    }
    if (section == SP_ENOAD_IDENTIFICATION && p->sections[p->depth] != SP_ENOAD_IDENTIFICATION)
        return put_document(p, err);
    if (section == SP_ENOAD_CREW && p->sections[p->depth] == SP_ENOAD_CREW_LIST)
        return end_person(p, "crew", err);
    if (section == SP_ENOAD_NON_CREW && p->sections[p->depth] == SP_ENOAD_NON_CREW_LIST)
        return end_person(p, "passenger", err);
    return SP_OK;
}

static void take_text(struct parser *p)
{
    const char *text = (const char *)xmlTextReaderConstValue(p->reader);
    if (!text)
        return;
    if (p->value < 0) {
        if (text[strspn(text, " \t\r\n")])
            sp_listing_deviate(p->listing, line_of(p), offset_of(p), "text between elements, ignored");
        return;
    }
    if (p->over)
        return;
    char *into = p->text[p->value];
    size_t length = strlen(into);
    text += length == 0 ? strspn(text, " \t\r\n") : 0;
    size_t more = strlen(text);
    if (more > SP_ENOAD_MAX_TEXT - length) {
        sp_listing_deviate(p->listing, line_of(p), offset_of(p), "a value is over %d bytes, left out",
                           SP_ENOAD_MAX_TEXT);
        into[0] = 0;
        p->over = true;
        return;
    }
    memcpy(into + length, text, more + 1);
}

static enum sp_status take_node(struct parser *p, struct sp_err *err)
{
    const char *name = (const char *)xmlTextReaderConstLocalName(p->reader);
    switch (xmlTextReaderNodeType(p->reader)) {
    case XML_READER_TYPE_DOCUMENT_TYPE:
    case XML_READER_TYPE_ENTITY_REFERENCE:
    case XML_READER_TYPE_ENTITY:
        return sp_fail(err, SP_E_DENIED, "%s line %d: a document type or entity: refused", p->source, line_of(p));
    case XML_READER_TYPE_ELEMENT:
        return open_element(p, name ? name : "", err);
    case XML_READER_TYPE_END_ELEMENT:
        return close_element(p, name ? name : "", err);
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
        take_text(p);
        return SP_OK;
    default:
        return SP_OK;
    }
}

static enum sp_status read_nodes(struct parser *p, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    int more;
    while (status == SP_OK &&
           (more = p->skips ? xmlTextReaderNext(p->reader) : xmlTextReaderRead(p->reader)) == 1) {
        p->skips = false;
        if (xmlTextReaderDepth(p->reader) > SP_ENOAD_MAX_DEPTH)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: nested deeper than %d", p->source, line_of(p),
                           SP_ENOAD_MAX_DEPTH);
        status = take_node(p, err);
    }
    if (status == SP_OK && (more != 0 || p->wrong_code != 0))
        return sp_fail(err, SP_E_FORMAT, "%s line %d: not well-formed XML (libxml2 error %d)", p->source,
                       p->wrong_line > 0 ? p->wrong_line : line_of(p), p->wrong_code);
    return status;
}

/* "2026-12-04" and "18:20" are one time. */
static const char *as_time(char ret[2 * SP_ENOAD_MAX_TEXT], char iso[11], const char *date, const char *time)
{
    const char *day = as_date(iso, date);
    snprintf(ret, 2 * SP_ENOAD_MAX_TEXT, "%s%s%s", day, day[0] && time[0] ? "T" : "", day[0] ? time : "");
    return ret;
}

static bool one_of(const char *text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

/* What the notice does. One that takes another back is no list of who travels, and what it does take back nobody
 * can tell by it. */
static enum sp_status put_action(struct parser *p, struct sp_err *err)
{
    static const char *const whole[] = {"", "initial", "new", "original", "update", "updated"};
    const char *transaction = p->text[SP_ENOAD_TRANSACTION], *type = p->text[SP_ENOAD_NOTICE_TYPE];
    if (strncasecmp(transaction, "cancel", 6) == 0 || strncasecmp(type, "cancel", 6) == 0)
        return sp_fail(err, SP_E_UNSUPPORTED,
                       "%s: a notice that cancels another is not read: cancel the journey by hand", p->source);
    if (!one_of(transaction, whole, 6)) {
        p->listing->action = SP_ACTION_CHANGE;
        sp_listing_deviate(p->listing, p->places[SP_ENOAD_TRANSACTION].line, p->places[SP_ENOAD_TRANSACTION].offset,
                           "NOTICE_TRANSACTION_TYPE is not known; taken as a change, which removes nobody");
    }
    if (type[0] && strncasecmp(type, "arr", 3) != 0 && strncasecmp(type, "dep", 3) != 0)
        sp_listing_deviate(p->listing, p->places[SP_ENOAD_NOTICE_TYPE].line, p->places[SP_ENOAD_NOTICE_TYPE].offset,
                           "NOTICE_TYPE is neither an arrival nor a departure; it is not kept");
    return SP_OK;
}

static enum sp_status put_journey(struct parser *p, struct sp_err *err)
{
    char flag[4] = "", dep_iso[11], arr_iso[11], dep[2 * SP_ENOAD_MAX_TEXT], arr[2 * SP_ENOAD_MAX_TEXT];
    char(*v)[SP_ENOAD_MAX_TEXT + 1] = p->text;
    bool entry = strncasecmp(v[SP_ENOAD_NOTICE_TYPE], "arr", 3) == 0;
    bool exit = strncasecmp(v[SP_ENOAD_NOTICE_TYPE], "dep", 3) == 0;
    if (v[SP_ENOAD_SHIP_FLAG][0] && !sp_country_alpha3(flag, v[SP_ENOAD_SHIP_FLAG]))
        sp_listing_deviate(p->listing, p->places[SP_ENOAD_SHIP_FLAG].line, p->places[SP_ENOAD_SHIP_FLAG].offset,
                           "flag must be a country of two or three letters, left out");
    const struct {
        enum sp_journey_field field;
        enum sp_enoad_value value;
        const char *text;
    } values[] = {{SP_JOURNEY_MODE, SP_ENOAD_NOTHING, "sea"},
                  {SP_JOURNEY_CARRIER, SP_ENOAD_OPERATOR, v[SP_ENOAD_OPERATOR]},
                  {SP_JOURNEY_NUMBER, SP_ENOAD_NUMBER, v[SP_ENOAD_NUMBER]},
                  {SP_JOURNEY_VESSEL, SP_ENOAD_SHIP, v[SP_ENOAD_SHIP]},
                  {SP_JOURNEY_VESSEL_ID, SP_ENOAD_SHIP_ID,
                   v[SP_ENOAD_SHIP_ID] + (strncasecmp(v[SP_ENOAD_SHIP_ID], "IMO", 3) == 0 ? 3 : 0)},
                  {SP_JOURNEY_FLAG, SP_ENOAD_SHIP_FLAG, flag},
                  {SP_JOURNEY_DIRECTION, SP_ENOAD_NOTICE_TYPE,
                   entry  ? "entry"
                   : exit ? "exit"
                          : ""}};
    enum sp_status status = SP_OK;
    for (size_t i = 0; status == SP_OK && i < sizeof values / sizeof values[0]; i++)
        status = sp_journey_put(p->listing, values[i].field, values[i].text, p->places[values[i].value].line,
                                p->places[values[i].value].offset, err);
    const struct sp_journey_leg leg = {v[SP_ENOAD_DEP_PORT][0] ? v[SP_ENOAD_DEP_PORT] : v[SP_ENOAD_LAST_PORT],
                                       v[SP_ENOAD_ARR_PORT][0] ? v[SP_ENOAD_ARR_PORT] : v[SP_ENOAD_NEXT_PORT],
                                       as_time(dep, dep_iso, v[SP_ENOAD_DEP_DATE], v[SP_ENOAD_DEP_TIME]),
                                       as_time(arr, arr_iso, v[SP_ENOAD_ARR_DATE], v[SP_ENOAD_ARR_TIME])};
    const struct place *place = &p->places[SP_ENOAD_ARR_PORT]; /* the first one of the leg's values */
    for (int i = SP_ENOAD_ARR_PORT; i <= SP_ENOAD_NEXT_PORT; i++)
        if (p->places[i].line > 0 && (place->line == 0 || p->places[i].offset < place->offset))
            place = &p->places[i];
    if (status == SP_OK)
        status = sp_journey_put_leg(p->listing, &leg, place->line, place->offset, err);
    if (status == SP_OK)
        status = sp_listing_text(p->listing, &p->listing->sender, v[SP_ENOAD_SENDER], strlen(v[SP_ENOAD_SENDER]),
                                 NULL, err);
    if (status == SP_OK)
        status = sp_listing_text(p->listing, &p->listing->reference, v[SP_ENOAD_REFERENCE],
                                 strlen(v[SP_ENOAD_REFERENCE]), NULL, err);
    if (strcmp(v[SP_ENOAD_VERSION_NUMBER], SP_ENOAD_VERSION) != 0)
        sp_listing_deviate(p->listing, p->places[SP_ENOAD_VERSION_NUMBER].line,
                           p->places[SP_ENOAD_VERSION_NUMBER].offset,
                           "schema version %.16s, read as " SP_ENOAD_VERSION,
                           v[SP_ENOAD_VERSION_NUMBER][0] ? v[SP_ENOAD_VERSION_NUMBER] : "not given");
    p->listing->group = p->crew && p->non_crew ? SP_GROUP_BOTH : p->crew ? SP_GROUP_CREW : SP_GROUP_PASSENGERS;
    return status;
}

/* Nothing of a document type may reach the parser: its own limits on entities are the second line. */
static enum sp_status check_bytes(const char *name, const void *bytes, size_t length, struct sp_err *err)
{
    if (memmem(bytes, length, "<!DOCTYPE", 9) || memmem(bytes, length, "<!ENTITY", 8))
        return sp_fail(err, SP_E_DENIED, "%s: a document type or entity: refused", name);
    if (memchr(bytes, 0, length))
        return sp_fail(err, SP_E_FORMAT, "%s: NUL bytes; save the file as UTF-8", name);
    return SP_OK;
}

enum sp_status sp_enoad_parse(struct sp_listing **ret_listing, const char *name, const void *bytes, size_t length,
                              struct sp_err *err)
{
    enum sp_status status = check_bytes(name, bytes, length, err);
    if (status != SP_OK)
        return status;
    struct parser *p = calloc(1, sizeof *p);
    if (!p)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to read it", name);
    p->source = name;
    p->value = -1;
    p->bytes = bytes;
    p->length = length;
    p->counted = 1;
    p->reader = length > 0 && length <= SP_LISTING_MAX_BYTES
                    ? xmlReaderForMemory(bytes, (int)length, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOWARNING)
                    : NULL;
    status = p->reader ? sp_listing_new(&p->listing, SP_LISTING_ENOAD, err)
                       : sp_fail(err, SP_E_FORMAT, "%s: it is empty, or cannot be read as XML", name);
    if (status == SP_OK) {
        xmlTextReaderSetStructuredErrorHandler(p->reader, on_wrong, p);
        status = read_nodes(p, err);
    }
    if (status == SP_OK)
        status = put_action(p, err);
    if (status == SP_OK)
        status = put_journey(p, err);
    if (status == SP_OK)
        *ret_listing = p->listing;
    else
        sp_listing_free(&p->listing);
    xmlFreeTextReader(p->reader);
    sp_seal_wipe(p->text, sizeof p->text);
    free(p);
    return status;
}
