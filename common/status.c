#include "common/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct status_row {
    const char *name;
    const char *text;
};

static const struct status_row rows[] = {
#define X(code, name, text) {name, text},
    SP_STATUS_LIST(X)
#undef X
};

static const struct status_row *row_of(enum sp_status status)
{
    static const struct status_row unknown = {"unknown", "unknown status code"};
    return (unsigned)status < sizeof rows / sizeof rows[0] ? &rows[status] : &unknown;
}

const char *sp_status_name(enum sp_status status)
{
    return row_of(status)->name;
}

const char *sp_status_text(enum sp_status status)
{
    return row_of(status)->text;
}

enum sp_status sp_fail(struct sp_err *err, enum sp_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        err->status = status;
    }
    return status;
}

enum sp_status sp_fail_in(struct sp_err *err, const char *format, ...)
{
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used + 2 < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %.*s",
                 (int)(sizeof err->text - (size_t)used - 3), inner);
    return err->status;
}

enum sp_status sp_fail_errno(struct sp_err *err, const char *format, ...)
{
    int cause = errno;
    if (err) {
        va_list args;
        va_start(args, format);
        int used = vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof err->text)
            snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", strerror(cause));
        err->status = SP_E_IO;
    }
    return SP_E_IO;
}
