/* IMO FAL forms 5 (crew list) and 6 (passenger list) as CSV, the way ships and agents export them
 * (docs/manifests.md 6.2): the ship's data as columns or as "key,value" lines in front of the header; names of
 * columns in several spellings. */
#ifndef SALLYPORT_LISTING_FAL_H
#define SALLYPORT_LISTING_FAL_H

#include "listing/listing.h"

/* One listing. form: 5, 6, or 0: what the file says, else crew if it has ranks. SP_E_FORMAT: no CSV, no header,
 * lines of two voyages; SP_E_LIMIT. Everything else that is odd is a deviation. */
enum sp_status sp_fal_parse(struct sp_listing **ret_listing, const char *name, const void *bytes, size_t length,
                            int form, struct sp_err *err);
bool sp_fal_looks_like(const void *bytes, size_t length);

#endif
