/* A listing as one PAXLST interchange: for round trips, tests, and handing a list on. */
#ifndef SALLYPORT_LISTING_PAXLST_WRITE_H
#define SALLYPORT_LISTING_PAXLST_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"
#include "listing/listing.h"

struct sp_paxlst_write_options {
    const char *recipient; /* of the interchange; NULL: "" */
    int64_t now_ms;        /* wall clock: when it was made */
};

/* NUL-terminated; the caller wipes and frees it. The directory is the listing's own, else 05B; dates have four
 * digits of year. SP_E_UNSUPPORTED: a listing that PAXLST has no form for (an answer; passengers and crew in one
 * list). SP_E_INVALID: a date that is none. SP_E_LIMIT, SP_E_NOMEM. */
enum sp_status sp_paxlst_write(char **ret_text, size_t *ret_length, const struct sp_listing *listing,
                               const struct sp_paxlst_write_options *options, struct sp_err *err);

#endif
