/* The zone as lines of the right length, and where its fields are. Private to document/mrz*.c and their tests. */
#ifndef SALLYPORT_DOCUMENT_MRZ_LAYOUT_H
#define SALLYPORT_DOCUMENT_MRZ_LAYOUT_H

#include "document/mrz.h"

/* Characters at..at+length of line (all from 0); length 0: the format has no such field. */
struct sp_mrz_span {
    int line, at, length;
};

struct sp_mrz_layout {
    struct sp_mrz_span names, number, number_check, nationality, dob, dob_check, sex, expiry, expiry_check;
    struct sp_mrz_span optional[2], optional_check, composite_check;
    struct sp_mrz_span composite[4]; /* what the composite digit covers, in this order */
};
const struct sp_mrz_layout *sp_mrz_layout(enum sp_mrz_format format);

struct sp_mrz_lines {
    enum sp_mrz_format format;
    char text[3][45]; /* A-Z, 0-9 and '<' only; NUL-terminated */
};
/* SP_E_FORMAT: no format has such lines, or a character that no zone has. */
enum sp_status sp_mrz_lay_out(struct sp_mrz_lines *ret_lines, struct sp_remarks *remarks, const char *text,
                              size_t length, struct sp_err *err);

#endif
