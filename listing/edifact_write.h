/* Writing UN/EDIFACT: segments with the default separators, each on a line of its own, into a buffer that grows. */
#ifndef SALLYPORT_LISTING_EDIFACT_WRITE_H
#define SALLYPORT_LISTING_EDIFACT_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

struct sp_edifact_write {
    char *text; /* wiped when it moves */
    size_t length, capacity;
    int segments;          /* since the UNH, it included */
    enum sp_status status; /* sticky: SP_E_NOMEM, SP_E_LIMIT, SP_E_INVALID */
};

/* One segment by its form: "LOC+178+%" has a '%' for each of the texts (const char *) that follow, which are
 * escaped. Empty elements and components at the end are left out. */
void sp_edifact_put(struct sp_edifact_write *out, const char *form, ...);
/* UNA, UNB (syntax UNOA; UNOW if anything is not ASCII) and UNH; a reference that is "" becomes "1".
 * now_ms: when it was made. type: "PAXLST:D:05B:UN:IATA". part: 0 none. */
struct sp_edifact_envelope {
    const char *sender, *recipient, *interchange, *message, *type, *common;
    int part;
    bool last_part;
    int64_t now_ms;
};
void sp_edifact_put_begin(struct sp_edifact_write *out, const struct sp_edifact_envelope *envelope);
void sp_edifact_put_end(struct sp_edifact_write *out, const struct sp_edifact_envelope *envelope); /* UNT, UNZ */
/* DTM of "yyyy-mm-dd" (102) or "yyyy-mm-ddThh:mm" (203; 201 with `short_year` for 2000 to 2069); nothing for "". */
void sp_edifact_put_date(struct sp_edifact_write *out, const char *qualifier, const char *date, bool short_year);
/* LOC with a code, or ":::text" for what is none; nothing for "". */
void sp_edifact_put_place(struct sp_edifact_write *out, const char *qualifier, const char *place);
/* The text, or the error with everything freed. `what` names it in the error. */
enum sp_status sp_edifact_put_done(struct sp_edifact_write *out, char **ret_text, size_t *ret_length,
                                   const char *what, struct sp_err *err);

#endif
