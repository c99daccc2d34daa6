/* CSV as a port's own systems write it (docs/manifests.md 6.1): a header with the journey's and the traveller's
 * columns, one traveller a line, one journey a file. Also the lists of private aircraft and of land lanes. */
#ifndef SALLYPORT_LISTING_LISTING_CSV_H
#define SALLYPORT_LISTING_LISTING_CSV_H

#include "listing/listing.h"

/* One listing. name is the file's, for messages. SP_E_FORMAT: no CSV, no header, a column that must be there is
 * not, lines of two journeys; SP_E_LIMIT. Values that are not of their form are deviations. */
enum sp_status sp_listing_csv_parse(struct sp_listing **ret_listing, const char *name, const void *bytes,
                                    size_t length, struct sp_err *err);
/* Whether the first line is such a header. */
bool sp_listing_csv_looks_like(const void *bytes, size_t length);

#endif
