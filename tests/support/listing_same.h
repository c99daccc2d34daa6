/* Whether two listings say the same, for round trips. */
#ifndef SALLYPORT_TESTS_SUPPORT_LISTING_SAME_H
#define SALLYPORT_TESTS_SUPPORT_LISTING_SAME_H

#include "listing/listing.h"

/* NULL if they do, else the name of the first member that differs. Not compared: where in the file something stood,
 * deviations, and what only the envelope says (sender, contact, interchange and message references). */
const char *listing_same(const struct sp_listing *left, const struct sp_listing *right);

#endif
