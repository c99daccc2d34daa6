#include "listing/paxlst_read.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char too_long[] = "has bytes that are no text, or too many of them; kept without";

/* What sp_listing_text leaves out at a value's ends: a code must be known with it as without. */
static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct sp_edifact_view sp_paxlst_get(struct sp_paxlst_read *in, int element, int component)
{
    struct sp_edifact_view view = sp_edifact_get(&in->segment, element, component);
    if (view.length > 0) {
        unsigned at = in->segment.first[element] + (unsigned)component;
        in->used[at / 64] |= 1ull << at % 64;
    }
    while (view.length > 0 && blank(*view.text))
        view.text++, view.length--;
    while (view.length > 0 && blank(view.text[view.length - 1]))
        view.length--;
    return view;
}

/* "NAD+FL": the present segment, for a note. */
static void describe(const struct sp_paxlst_read *in, char *ret_text, size_t size)
{
    char code[8];
    struct sp_edifact_view view = sp_edifact_get(&in->segment, 1, 0);
    while (view.length > 0 && blank(view.text[view.length - 1]))
        view.length--;
    snprintf(ret_text, size, "%s%s%s", in->segment.tag, view.length ? "+" : "", sp_paxlst_code(view, 3, code));
}

/* ISO 8859-1 as UTF-8, as much of it as a value may have. */
static size_t from_latin1(char *ret_text, size_t size, struct sp_edifact_view view)
{
    size_t at = 0;
    for (size_t i = 0; i < view.length && at + 2 <= size; i++) {
        uint8_t c = (uint8_t)view.text[i];
        if (c >= 0x80) {
            ret_text[at++] = (char)(0xc0 | c >> 6);
            c = 0x80 | (c & 0x3f);
        }
        ret_text[at++] = (char)c;
    }
    return at;
}

static const char *keep(struct sp_paxlst_read *in, struct sp_edifact_view view, size_t limit)
{
    const char *text = "";
    char what[32];
    bool changed = false;
    if (in->status != SP_OK || !in->listing || view.length == 0)
        return "";
    in->status = sp_listing_text(in->listing, &text, view.text, view.length, &changed, in->err);
    if (in->status == SP_OK && changed && in->latin1 && strstr(text, "\xef\xbf\xbd")) {
        char latin[2 * SP_LISTING_MAX_TEXT + 2];
        size_t length = from_latin1(latin, sizeof latin, view);
        in->status = sp_listing_text(in->listing, &text, latin, length, &changed, in->err);
        explicit_bzero(latin, length);
    }
    if (in->status != SP_OK)
        return "";
    bool longer = strlen(text) > limit;
    if (!changed && !longer)
        return text;
    describe(in, what, sizeof what);
    if (changed)
        sp_paxlst_aside(in, what, too_long);
    if (longer)
        sp_paxlst_aside(in, what, "has a value that is longer than the directory allows; it is kept");
    return text;
}

const char *sp_paxlst_text(struct sp_paxlst_read *in, int element, int component, size_t limit)
{
    return keep(in, sp_paxlst_get(in, element, component), limit);
}

const char *sp_paxlst_joined(struct sp_paxlst_read *in, int element, int component, char between, size_t limit)
{
    char joined[SP_EDIFACT_MAX_SEGMENT + SP_EDIFACT_MAX_COMPONENTS];
    size_t at = 0;
    if (element >= in->segment.element_count)
        return "";
    int count = in->segment.first[element + 1] - in->segment.first[element];
    if (count <= component + 1)
        return sp_paxlst_text(in, element, component, limit);
    for (int i = component; i < count; i++) {
        struct sp_edifact_view view = sp_paxlst_get(in, element, i);
        if (view.length == 0)
            continue;
        if (at > 0)
            joined[at++] = between;
        memcpy(joined + at, view.text, view.length);
        at += view.length;
    }
    const char *text = keep(in, (struct sp_edifact_view){joined, at}, limit);
    explicit_bzero(joined, at);
    return text;
}

const char *sp_paxlst_upper(struct sp_paxlst_read *in, int element, int component, size_t limit)
{
    char upper[SP_LISTING_MAX_TEXT];
    struct sp_edifact_view view = sp_paxlst_get(in, element, component);
    bool lower = false, cut = view.length > sizeof upper;
    size_t length = cut ? sizeof upper : view.length;
    for (size_t i = 0; i < length; i++) {
        lower = lower || (view.text[i] >= 'a' && view.text[i] <= 'z');
        upper[i] = (char)toupper((uint8_t)view.text[i]);
    }
    if (!lower && !cut)
        return keep(in, view, limit);
    char what[32];
    describe(in, what, sizeof what);
    if (lower)
        sp_paxlst_aside(in, what, "has a code in lower case");
    if (cut)
        sp_paxlst_aside(in, what, too_long);
    return keep(in, (struct sp_edifact_view){upper, length}, limit);
}

const char *sp_paxlst_location(struct sp_paxlst_read *in)
{
    char code[8], both[2 * SP_EDIFACT_MAX_SEGMENT];
    struct sp_edifact_view qualifier = sp_edifact_get(&in->segment, 1, 0);
    struct sp_edifact_view place = sp_paxlst_get(in, 2, 0), name = sp_edifact_get(&in->segment, 2, 3);
    bool words = sp_edifact_is(qualifier, "180") || sp_edifact_is(qualifier, "174");
    if (place.length > 0 && !words) /* a port or a country is its code, a name beside it is a leftover */
        return sp_paxlst_upper(in, 2, 0, SP_PAXLST_WORD);
    name = sp_paxlst_get(in, 2, 3);
    if (place.length == 0 && name.length == 0) {
        sp_paxlst_deviate(in, "LOC+%s is empty", sp_paxlst_code(qualifier, 3, code));
        return "";
    }
    if (name.length == 0)
        return sp_paxlst_upper(in, 2, 0, SP_PAXLST_WORD);
    if (place.length == 0) {
        char what[32];
        describe(in, what, sizeof what);
        sp_paxlst_aside(in, what, "has a name instead of a code; it is kept as it is");
        return keep(in, name, SP_PAXLST_NAME);
    }
    int length =
        snprintf(both, sizeof both, "%.*s %.*s", (int)name.length, name.text, (int)place.length, place.text);
    const char *text = keep(in, (struct sp_edifact_view){both, (size_t)length}, 2 * SP_PAXLST_NAME);
    explicit_bzero(both, (size_t)length);
    return text;
}

void sp_paxlst_leftovers(struct sp_paxlst_read *in)
{
    const struct sp_edifact_segment *segment = &in->segment;
    static const char phrase[] = "has content that is not kept";
    for (int i = 1; i < segment->element_count; i++)
        for (int at = segment->first[i]; at < segment->first[i + 1]; at++)
            if (segment->components[at].length > 0 && !(in->used[at / 64] >> at % 64 & 1)) {
                char what[48], tag[16];
                describe(in, tag, sizeof tag);
                snprintf(what, sizeof what, "%s element %d", tag, i);
                sp_paxlst_aside(in, what, phrase);
                break;
            }
}

void sp_paxlst_set(struct sp_paxlst_read *in, const char **field, const char *value, const char *what)
{
    if (!**field)
        *field = value;
    else if (*value && strcmp(*field, value) != 0)
        sp_paxlst_aside(in, what, "is given a second time, and differs; the first one is kept");
}

const char *sp_paxlst_date(struct sp_paxlst_read *in, enum sp_edifact_century century, bool timed)
{
    char code[8], text[20];
    struct sp_edifact_date date;
    struct sp_edifact_view what = sp_paxlst_get(in, 1, 0), value = sp_paxlst_get(in, 1, 1);
    struct sp_edifact_view format = sp_paxlst_get(in, 1, 2);
    sp_paxlst_code(what, 3, code);
    enum sp_edifact_date_quality quality = sp_edifact_date_read(&date, value, format, century, in->today);
    if (quality == SP_EDIFACT_DATE_NONE) {
        sp_paxlst_deviate(in, value.length ? "DTM+%s is no date; it is not kept" : "DTM+%s is empty", code);
        return "";
    }
    if (quality == SP_EDIFACT_DATE_GUESSED)
        sp_paxlst_deviate(in, "DTM+%s does not have the form its format code says; read by its length", code);
    if (timed && !date.time[0])
        sp_paxlst_deviate(in, "DTM+%s has no time of day; taken as 00:00", code);
    if (!timed && date.time[0])
        sp_paxlst_deviate(in, "DTM+%s has a time of day that is not kept", code);
    memcpy(text, date.date, 10);
    text[10] = 'T';
    memcpy(text + 11, date.time[0] ? date.time : "00:00", 5);
    return keep(in, (struct sp_edifact_view){text, timed ? 16 : 10}, SP_PAXLST_WORD);
}

const char *sp_paxlst_code(struct sp_edifact_view view, size_t longest, char ret_code[8])
{
    bool good = view.length <= longest && longest < 8;
    for (size_t i = 0; i < view.length && good; i++)
        good = isalnum((uint8_t)view.text[i]) != 0;
    snprintf(ret_code, 8, "%.*s", good ? (int)view.length : 1, good ? view.text : "?");
    return ret_code;
}

int sp_paxlst_number(struct sp_edifact_view view)
{
    int value = 0;
    while (view.length > 1 && *view.text == '0')
        view.text++, view.length--;
    for (size_t i = 0; i < view.length; i++) {
        if (view.text[i] < '0' || view.text[i] > '9' || view.length > 9)
            return -1;
        value = 10 * value + view.text[i] - '0';
    }
    return view.length ? value : -1;
}

void sp_paxlst_fail(struct sp_paxlst_read *in, enum sp_status status, const char *text)
{
    if (in->status != SP_OK)
        return;
    in->placed = true;
    if (in->segment.number == 0)
        in->status = sp_fail(in->err, status, "%s: %s", in->edifact.name, text);
    else
        in->status = sp_fail(in->err, status, "%s segment %d (%s) at byte %zu: %s", in->edifact.name,
                             in->segment.number, in->segment.tag, in->segment.offset, text);
}

/* One note at a place: the error, an entry of the listing, or kept until there is a listing. */
static void note(struct sp_paxlst_read *in, int segment, size_t offset, const char *text)
{
    if (in->status != SP_OK)
        return;
    if (in->options.strict) {
        sp_paxlst_fail(in, SP_E_FORMAT, text);
    } else if (in->listing) {
        sp_listing_deviate(in->listing, segment, offset, "%s", text);
    } else if (in->pending_count < SP_PAXLST_MAX_PENDING) {
        struct sp_paxlst_pending *pending = &in->pending[in->pending_count++];
        pending->segment = segment;
        pending->offset = offset;
        snprintf(pending->text, sizeof pending->text, "%s", text);
    } else {
        snprintf(in->pending[SP_PAXLST_MAX_PENDING - 1].text, sizeof in->pending[0].text,
                 "this and further deviations outside of messages");
    }
}

void sp_paxlst_deviate(struct sp_paxlst_read *in, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    note(in, in->segment.number, in->segment.offset, text);
}

void sp_paxlst_deviate_at(struct sp_paxlst_read *in, int segment, size_t offset, const char *text)
{
    note(in, segment, offset, text);
}

void sp_paxlst_aside(struct sp_paxlst_read *in, const char *what, const char *phrase)
{
    if (in->options.strict || !in->listing) {
        sp_paxlst_deviate(in, "%s %s", what, phrase);
        return;
    }
    int i = 0;
    while (i < in->aside_count && (in->asides[i].phrase != phrase || strcmp(in->asides[i].what, what) != 0))
        i++;
    if (i == SP_PAXLST_MAX_ASIDES) {
        sp_paxlst_deviate(in, "%s %s", what, phrase);
        return;
    }
    struct sp_paxlst_aside *aside = &in->asides[i];
    if (i == in->aside_count) {
        in->aside_count++;
        *aside =
            (struct sp_paxlst_aside){.phrase = phrase, .segment = in->segment.number, .offset = in->segment.offset};
        snprintf(aside->what, sizeof aside->what, "%s", what);
    }
    aside->count++;
}

void sp_paxlst_not_kept(struct sp_paxlst_read *in)
{
    char what[32];
    describe(in, what, sizeof what);
    sp_paxlst_aside(in, what, "is not kept");
    memset(in->used, 0xff, sizeof in->used);
}

void sp_paxlst_flush_asides(struct sp_paxlst_read *in)
{
    for (int i = 0; i < in->aside_count && in->listing; i++) {
        const struct sp_paxlst_aside *aside = &in->asides[i];
        if (aside->count == 1)
            sp_listing_deviate(in->listing, aside->segment, aside->offset, "%s %s", aside->what, aside->phrase);
        else
            sp_listing_deviate(in->listing, aside->segment, aside->offset, "%s %s (%d times, here the first)",
                               aside->what, aside->phrase, aside->count);
    }
    in->aside_count = 0;
}

void sp_paxlst_flush_pending(struct sp_paxlst_read *in)
{
    for (int i = 0; i < in->pending_count; i++)
        sp_listing_deviate(in->listing, in->pending[i].segment, in->pending[i].offset, "%s", in->pending[i].text);
    in->pending_count = 0;
}
