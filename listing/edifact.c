#include "listing/edifact.h"

#include <stdio.h>
#include <string.h>

enum kind { PLAIN, COMPONENT, ELEMENT, TERMINATOR, RELEASE, REPETITION, BREAK };

static bool letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte that can separate: no NUL, no space, nothing that text is made of. */
static bool separates(char c)
{
    return c && c != ' ' && (uint8_t)c < 0x80 && !letter_or_digit(c);
}

/* Whether an interchange can begin here: not "UNABLE TO PRINT". */
static bool begins(const char *at, size_t left)
{
    if (left < 5 || at[0] != 'U' || at[1] != 'N' || !separates(at[3]))
        return false;
    if (at[2] == 'A')
        return left >= 9;
    return at[2] == 'B' || at[2] == 'G' || at[2] == 'H';
}

/* Whether it is sure, without a look at the rest, that one begins here: "UNG,KIM" is somebody in a list. */
static bool begins_surely(const char *at, size_t left)
{
    size_t near = left < 64 ? left : 64;
    if (!begins(at, left) || left < 9)
        return false;
    if (at[2] == 'A')
        return separates(at[4]) && at[3] != at[4] && separates(at[5]) && memmem(at + 8, near - 8, "UN", 2) != NULL;
    return at[2] == 'B' && memcmp(at + 4, "UNO", 3) == 0;
}

/* Whether the name of a message that is read stands anywhere, lines wrapped or not. */
static bool names_message(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char *word = bytes[i] == 'P' ? "PAXLST" : "CUSRES";
        int matched = 0;
        for (size_t at = i; bytes[i] == *word && at < length && matched < 6; at++)
            if (bytes[at] == word[matched])
                matched++;
            else if (bytes[at] != '\r' && bytes[at] != '\n')
                break;
        if (matched == 6)
            return true;
    }
    return false;
}

/* Where the first segment begins: at a line's begin, after spaces, or after the STX of a telegram. -1: nowhere. */
static long find_begin(const char *bytes, size_t length, bool sure, int *ret_lines)
{
    bool line_begin = true, text = false;
    size_t at = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *ret_lines = 0;
    for (; at < length && at < SP_EDIFACT_MAX_PREAMBLE; at++) {
        char c = bytes[at];
        if (line_begin && (sure ? begins_surely : begins)(bytes + at, length - at)) {
            *ret_lines += text;
            return (long)at;
        }
        if (c == '\n' || c == '\r') {
            *ret_lines += text;
            text = false;
        } else if (!blank(c)) {
            text = true;
        }
        line_begin = blank(c) ? line_begin || c == '\n' || c == '\r' : c == 0x02;
    }
    return -1;
}

bool sp_edifact_looks_like(const void *bytes, size_t length)
{
    int lines;
    return find_begin(bytes, length, true, &lines) >= 0 ||
           (find_begin(bytes, length, false, &lines) >= 0 && names_message(bytes, length));
}

static void set_kinds(struct sp_edifact *reader)
{
    memset(reader->kind, PLAIN, sizeof reader->kind);
    reader->kind['\r'] = reader->kind['\n'] = BREAK;
    reader->kind[(uint8_t)reader->component] = COMPONENT;
    reader->kind[(uint8_t)reader->element] = ELEMENT;
    reader->kind[(uint8_t)reader->terminator] = TERMINATOR;
    if (reader->release)
        reader->kind[(uint8_t)reader->release] = RELEASE;
    if (reader->repetition)
        reader->kind[(uint8_t)reader->repetition] = REPETITION;
}

/* "UNA:+.? '" at reader->at: component, element, decimal mark, release, repetition (or a space), terminator. */
static enum sp_status read_una(struct sp_edifact *reader, struct sp_err *err)
{
    const char *una = reader->bytes + reader->at + 3;
    bool brief = una[4] == '\'' && (una[5] == '\r' || una[5] == '\n' || una[5] == 'U'); /* a byte is missing */
    const char all[] = {una[0], una[1], una[brief ? 4 : 5], una[3], brief ? ' ' : una[4]};
    for (int i = 0; i < 5; i++) {
        bool none = i >= 3 && all[i] == ' ';
        if (!none && !separates(all[i]))
            return sp_fail(err, SP_E_FORMAT, "%s: UNA at byte %zu: a letter, digit, space or NUL cannot separate",
                           reader->name, reader->at);
        for (int j = 0; j < i && !none; j++)
            if (all[i] == all[j])
                return sp_fail(err, SP_E_FORMAT, "%s: UNA at byte %zu: two of its separators are the same",
                               reader->name, reader->at);
    }
    reader->component = all[0];
    reader->element = all[1];
    reader->terminator = all[2];
    reader->release = all[3] == ' ' ? 0 : all[3];
    reader->repetition = all[4] == ' ' ? 0 : all[4];
    reader->at += brief ? 8 : 9;
    reader->brief_una = reader->brief_una || brief;
    set_kinds(reader);
    return SP_OK;
}

/* The separator that most lines from here on end with; '\n' if there is none. */
static char line_terminator(const struct sp_edifact *reader, const char *at, const char *end)
{
    int lines = 0, ended[128] = {0};
    const char *line;
    for (; (line = memchr(at, '\n', (size_t)(end - at))); at = line + 1, lines++) {
        const char *last = line;
        while (last > at && blank(last[-1]))
            last--;
        if (last > at && separates(last[-1]) && last[-1] != reader->component && last[-1] != reader->element)
            ended[(uint8_t)last[-1]]++;
    }
    for (int c = 1; c < 128; c++)
        if (2 * ended[c] > lines)
            return (char)c;
    return '\n';
}

/* The byte that ends segments, from what stands before the tag BGM, or else at most lines' ends; 0: cannot be
 * told. */
static char guess_terminator(const struct sp_edifact *reader)
{
    const char tag[] = {'B', 'G', 'M', reader->element};
    size_t left = reader->length - reader->at, window = left < 2048 ? left : 2048;
    const char *begin = reader->bytes + reader->at;
    const char *found = memmem(begin, window, tag, sizeof tag);
    if (!found)
        return 0;
    const char *last = found;
    while (last > begin && blank(last[-1]))
        last--;
    if (last > begin && separates(last[-1]) && last[-1] != reader->component)
        return last[-1];
    return last < found && last > begin && letter_or_digit(last[-1]) && memchr(last, '\n', (size_t)(found - last))
               ? line_terminator(reader, found, begin + window)
               : 0;
}

/* Without a UNA: the separators are what follows the first tag and the first known words. */
static void guess_separators(struct sp_edifact *reader)
{
    const char *begin = reader->bytes + reader->at;
    size_t left = reader->length - reader->at, window = left < 64 ? left : 64;
    reader->element = begin[3];
    const char *word = memmem(begin, window, "PAXLST", 6);
    if (begin[2] == 'H' && !word)
        word = memmem(begin, window, "CUSRES", 6);
    if (begin[2] == 'H' && word && word + 6 < begin + window && separates(word[6]))
        reader->component = word[6];
    else if (begin[2] == 'B' && left > 8 && memcmp(begin + 4, "UNO", 3) == 0 && separates(begin[8]))
        reader->component = begin[8];
    if (reader->component == reader->element)
        reader->component = reader->element == ':' ? '+' : ':';
    char terminator = guess_terminator(reader);
    if (terminator && terminator != reader->element && terminator != reader->component)
        reader->terminator = terminator;
    if (reader->terminator == reader->element || reader->terminator == reader->component)
        reader->terminator = '\n';
    if (reader->release == reader->element || reader->release == reader->component ||
        reader->release == reader->terminator)
        reader->release = 0;
    reader->guessed = reader->element != '+' || reader->component != ':' || reader->terminator != '\'';
}

enum sp_status sp_edifact_open(struct sp_edifact *reader, const char *name, const void *bytes, size_t length,
                               struct sp_err *err)
{
    long begin = find_begin(bytes, length, false, &reader->preamble_lines);
    snprintf(reader->name, sizeof reader->name, "%s", name);
    if (begin < 0)
        return sp_fail(err, SP_E_FORMAT, "%s: no UNA, UNB, UNG or UNH at the begin of a line within %d bytes",
                       reader->name, SP_EDIFACT_MAX_PREAMBLE);
    reader->bytes = bytes;
    reader->length = length;
    reader->at = (size_t)begin;
    reader->number = 0;
    reader->guessed = reader->brief_una = false;
    reader->component = ':';
    reader->element = '+';
    reader->release = '?';
    reader->repetition = 0;
    reader->terminator = '\'';
    if (reader->bytes[reader->at + 2] == 'A')
        return read_una(reader, err);
    guess_separators(reader);
    set_kinds(reader);
    return SP_OK;
}

/* Up to the next tag. Another UNA in between counts from there on. */
static enum sp_status to_tag(struct sp_edifact *reader, unsigned *ret_flags, struct sp_err *err)
{
    *ret_flags = 0;
    for (;;) {
        while (reader->at < reader->length && blank(reader->bytes[reader->at]) &&
               reader->bytes[reader->at] != reader->terminator) {
            char c = reader->bytes[reader->at++];
            if (c == ' ' || c == '\t')
                *ret_flags |= SP_EDIFACT_SPACES;
        }
        if (reader->at == reader->length)
            return SP_E_CLOSED;
        if (reader->length - reader->at < 9 || memcmp(reader->bytes + reader->at, "UNA", 3) != 0 ||
            reader->bytes[reader->at + 3] == reader->element ||
            !begins(reader->bytes + reader->at, reader->length - reader->at))
            return SP_OK;
        enum sp_status status = read_una(reader, err);
        if (status != SP_OK)
            return status;
    }
}

/* One segment being split. */
struct split {
    struct sp_edifact *reader;
    struct sp_edifact_segment *segment;
    const char *start; /* of the present component */
    char *copy;        /* it, in the scratch, once it differs from the source; else NULL */
    size_t scratch;    /* bytes of the scratch in use */
    int components;
};

static enum sp_status no_room(const struct split *split, const char *what, int limit, struct sp_err *err)
{
    return sp_fail(err, SP_E_LIMIT, "%s segment %d at byte %zu: more than %d %s", split->reader->name,
                   split->segment->number, split->segment->offset, limit, what);
}

/* From here on the present component is a copy. */
static void start_copy(struct split *split, const char *to)
{
    if (split->copy)
        return;
    size_t length = (size_t)(to - split->start);
    split->copy = split->reader->scratch + split->scratch;
    memcpy(split->copy, split->start, length);
    split->scratch += length;
}

static enum sp_status end_component(struct split *split, const char *end, int kind, struct sp_err *err)
{
    struct sp_edifact_segment *segment = split->segment;
    if (split->components == SP_EDIFACT_MAX_COMPONENTS)
        return no_room(split, "components", SP_EDIFACT_MAX_COMPONENTS, err);
    struct sp_edifact_view *view = &segment->components[split->components++];
    view->text = split->copy ? split->copy : split->start;
    view->length = split->copy ? (size_t)(split->reader->scratch + split->scratch - split->copy)
                               : (size_t)(end - split->start);
    split->copy = NULL;
    split->start = end + 1;
    if (kind != ELEMENT && kind != TERMINATOR)
        return SP_OK;
    segment->first[++segment->element_count] = (uint16_t)split->components;
    return kind == ELEMENT && segment->element_count == SP_EDIFACT_MAX_ELEMENTS
               ? no_room(split, "elements", SP_EDIFACT_MAX_ELEMENTS, err)
               : SP_OK;
}

/* A release character at `p`: the next byte is text. Returns the last byte it took. */
static const char *release(struct split *split, const char *p, const char *end)
{
    struct sp_edifact *reader = split->reader;
    int next = p + 1 < end ? reader->kind[(uint8_t)p[1]] : PLAIN;
    start_copy(split, p);
    if (next == PLAIN || next == BREAK) {
        split->segment->flags |= SP_EDIFACT_RELEASED;
        reader->scratch[split->scratch++] = *p;
        return p;
    }
    reader->scratch[split->scratch++] = p[1];
    return p + 1;
}

static enum sp_status split_segment(struct split *split, const char *end, const char **ret_end, struct sp_err *err)
{
    struct sp_edifact *reader = split->reader;
    for (const char *p = split->start; p < end; p++) {
        int kind = reader->kind[(uint8_t)*p];
        if (kind == PLAIN || kind == REPETITION) {
            if (split->copy)
                reader->scratch[split->scratch++] = *p;
        } else if (kind == RELEASE) {
            p = release(split, p, end);
        } else if (kind == BREAK) {
            start_copy(split, p);
            if (*p != '\r' || reader->terminator != '\n')
                split->segment->flags |= SP_EDIFACT_WRAPPED;
        } else {
            enum sp_status status = end_component(split, p, kind, err);
            if (status != SP_OK || kind == TERMINATOR) {
                *ret_end = p + 1;
                return status;
            }
        }
    }
    if ((size_t)(end - reader->bytes) < reader->length)
        return no_room(split, "bytes (a terminator that is missing?)", SP_EDIFACT_MAX_SEGMENT, err);
    split->segment->flags |= SP_EDIFACT_UNTERMINATED;
    *ret_end = end;
    return end_component(split, end, TERMINATOR, err);
}

enum sp_status sp_edifact_next(struct sp_edifact *reader, struct sp_edifact_segment *segment, struct sp_err *err)
{
    enum sp_status status = to_tag(reader, &segment->flags, err);
    if (status != SP_OK)
        return status;
    const char *start = reader->bytes + reader->at, *end = start;
    size_t left = reader->length - reader->at;
    struct split split = {.reader = reader, .segment = segment, .start = start};
    segment->number = ++reader->number;
    segment->offset = reader->at;
    segment->element_count = 0;
    segment->first[0] = 0;
    status =
        split_segment(&split, start + (left < SP_EDIFACT_MAX_SEGMENT ? left : SP_EDIFACT_MAX_SEGMENT), &end, err);
    if (status != SP_OK)
        return status;
    reader->at = (size_t)(end - reader->bytes);
    memset(segment->tag, 0, sizeof segment->tag);
    struct sp_edifact_view tag = segment->components[0];
    while (tag.length > 3 && tag.text[tag.length - 1] == ' ') {
        tag.length--;
        segment->flags |= SP_EDIFACT_SPACES;
    }
    if (tag.length == 3 && letter_or_digit(tag.text[0]) && letter_or_digit(tag.text[1]) &&
        letter_or_digit(tag.text[2]))
        memcpy(segment->tag, tag.text, 3);
    return SP_OK;
}

struct sp_edifact_view sp_edifact_get(const struct sp_edifact_segment *segment, int element, int component)
{
    if (element >= segment->element_count || component >= segment->first[element + 1] - segment->first[element])
        return (struct sp_edifact_view){"", 0};
    return segment->components[segment->first[element] + component];
}
