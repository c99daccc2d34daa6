#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

static const char *const level_words[] = {"debug", "info", "warn", "error"};

int sp_log_level_from(const char *text)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(text, level_words[i]) == 0)
            return i;
    return -1;
}

/* JSON string escapes; control characters become spaces, so that one line stays one line. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c < 0x20 ? ' ' : c, out);
    }
}

static void put_plain(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
}

void sp_log(const struct sp_log *log, enum sp_log_level level, const char *id, const char *format, ...)
{
    if (level < log->level)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char time[32];
    sp_clock_format(time, sp_clock_wall_ms());
    flockfile(stderr);
    if (log->json) {
        fprintf(stderr, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"id\":\"%s\",\"text\":\"", time,
                level_words[level], log->program, id);
        put_escaped(stderr, text);
        fputs("\"}\n", stderr);
    } else {
        fprintf(stderr, "%s %-5s %s %s ", time, level_words[level], log->program, id);
        put_plain(stderr, text);
        fputc('\n', stderr);
    }
    funlockfile(stderr);
}
