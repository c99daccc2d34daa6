#include "document/remark.h"

#include <stdarg.h>
#include <stdio.h>

void sp_remarks_add(struct sp_remarks *remarks, size_t offset, const char *format, ...)
{
    if (remarks->count < SP_REMARKS_MAX) {
        struct sp_remark *remark = &remarks->items[remarks->count];
        va_list arguments;
        remark->offset = offset;
        va_start(arguments, format);
        vsnprintf(remark->text, sizeof remark->text, format, arguments);
        va_end(arguments);
    }
    remarks->count++;
}

int sp_remarks_noted(const struct sp_remarks *remarks)
{
    return remarks->count < SP_REMARKS_MAX ? remarks->count : SP_REMARKS_MAX;
}
