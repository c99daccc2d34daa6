/* What a record says that is not so, and that did not stop us: sentences with the offset they are about. They hold
 * lengths, tags and codes, never a traveller's data. */
#ifndef SALLYPORT_DOCUMENT_REMARK_H
#define SALLYPORT_DOCUMENT_REMARK_H

#include <stddef.h>

#define SP_REMARKS_MAX 32

struct sp_remark {
    size_t offset; /* bytes from the file's begin */
    char text[160];
};

struct sp_remarks {
    int count; /* all of them; the first SP_REMARKS_MAX have an entry */
    struct sp_remark items[SP_REMARKS_MAX];
};

void sp_remarks_add(struct sp_remarks *remarks, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* How many have an entry. */
int sp_remarks_noted(const struct sp_remarks *remarks);

#endif
