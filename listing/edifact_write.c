#include "listing/edifact_write.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_BYTES (64u << 20)

static void release(struct sp_edifact_write *out)
{
    if (out->text)
        explicit_bzero(out->text, out->length);
    free(out->text);
    out->text = NULL;
}

/* Room for `more` bytes. */
static bool room(struct sp_edifact_write *out, size_t more)
{
    if (out->status != SP_OK)
        return false;
    if (out->capacity - out->length > more)
        return true;
    size_t capacity = 2 * (out->length + more) + 4096;
    char *text = capacity <= MAX_BYTES ? malloc(capacity) : NULL;
    if (!text) {
        out->status = capacity <= MAX_BYTES ? SP_E_NOMEM : SP_E_LIMIT;
        return false;
    }
    if (out->length > 0)
        memcpy(text, out->text, out->length);
    release(out);
    out->text = text;
    out->capacity = capacity;
    return true;
}

static void put_escaped(struct sp_edifact_write *out, const char *text)
{
    if (!room(out, 2 * strlen(text)))
        return;
    for (; *text; text++) {
        if (strchr("'+:?", *text))
            out->text[out->length++] = '?';
        out->text[out->length++] = *text;
    }
}

void sp_edifact_put(struct sp_edifact_write *out, const char *form, ...)
{
    va_list texts;
    size_t content = out->length; /* where it ends if nothing follows any more */
    va_start(texts, form);
    for (; *form && out->status == SP_OK; form++) {
        size_t before = out->length;
        if (*form == '%')
            put_escaped(out, va_arg(texts, const char *));
        else if (room(out, 1))
            out->text[out->length++] = *form;
        if (*form == '%' ? out->length > before : *form != '+' && *form != ':')
            content = out->length;
    }
    va_end(texts);
    if (!room(out, 2))
        return;
    out->length = content;
    memcpy(out->text + out->length, "'\n", 2);
    out->length += 2;
    out->segments++;
}

static const char *or_one(const char *reference)
{
    return *reference ? reference : "1";
}

void sp_edifact_put_begin(struct sp_edifact_write *out, const struct sp_edifact_envelope *envelope)
{
    char day[8] = "700101", minute[8] = "0000", part[16];
    time_t seconds = (time_t)(envelope->now_ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm)) {
        strftime(day, sizeof day, "%y%m%d", &tm);
        strftime(minute, sizeof minute, "%H%M", &tm);
    }
    if (room(out, 16))
        out->length += (size_t)snprintf(out->text + out->length, 16, "UNA:+.? '\n");
    sp_edifact_put(out, "UNB+UNOA:4+%+%+%:%+%++APIS", envelope->sender, envelope->recipient, day, minute,
                   or_one(envelope->interchange));
    out->segments = 0;
    snprintf(part, sizeof part, "%02d", envelope->part);
    bool first = envelope->part == 1;
    char type[48];
    snprintf(type, sizeof type, "UNH+%%+%s+%%+%%:%%", envelope->type);
    sp_edifact_put(out, type, or_one(envelope->message), envelope->common, envelope->part > 0 ? part : "",
                   envelope->part == 0   ? ""
                   : envelope->last_part ? "F"
                   : first               ? "C"
                                         : "");
}

void sp_edifact_put_end(struct sp_edifact_write *out, const struct sp_edifact_envelope *envelope)
{
    char count[16];
    snprintf(count, sizeof count, "%d", out->segments + 1);
    sp_edifact_put(out, "UNT+%+%", count, or_one(envelope->message));
    sp_edifact_put(out, "UNZ+1+%", or_one(envelope->interchange));
}

void sp_edifact_put_date(struct sp_edifact_write *out, const char *qualifier, const char *date, bool short_year)
{
    char digits[16];
    size_t count = 0, length = strlen(date);
    if (length == 0)
        return;
    for (const char *p = date; *p && count < 13; p++)
        if (isdigit((uint8_t)*p))
            digits[count++] = *p;
    digits[count] = 0;
    if (!(length == 10 && count == 8) && !(length == 16 && count == 12)) {
        out->status = out->status ? out->status : SP_E_INVALID;
        return;
    }
    short_year = short_year && count == 12 && strncmp(digits, "2000", 4) >= 0 && strncmp(digits, "2069", 4) <= 0;
    sp_edifact_put(out, "DTM+%:%:%", qualifier, digits + (short_year ? 2 : 0),
                   count == 8   ? "102"
                   : short_year ? "201"
                                : "203");
}

void sp_edifact_put_place(struct sp_edifact_write *out, const char *qualifier, const char *place)
{
    static const char code[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (*place)
        sp_edifact_put(out, place[strspn(place, code)] ? "LOC+%+:::%" : "LOC+%+%", qualifier, place);
}

enum sp_status sp_edifact_put_done(struct sp_edifact_write *out, char **ret_text, size_t *ret_length,
                                   const char *what, struct sp_err *err)
{
    if (out->status == SP_OK) {
        char *syntax = out->length > 18 ? out->text + 14 : NULL; /* "UNA:+.? '\nUNB+UNOA" */
        for (size_t i = 0; i < out->length && syntax; i++)
            if ((uint8_t)out->text[i] >= 0x80) {
                memcpy(syntax, "UNOW", 4); /* UTF-8 */
                break;
            }
        out->text[out->length] = 0; /* room() keeps one byte free */
        *ret_text = out->text;
        *ret_length = out->length;
        return SP_OK;
    }
    release(out);
    return sp_fail(err, out->status, "%s: %s", what,
                   out->status == SP_E_NOMEM   ? "no memory to write it"
                   : out->status == SP_E_LIMIT ? "too long for one message"
                                               : "a date that is none");
}
