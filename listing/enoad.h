/* The US Coast Guard's electronic notice of arrival or departure, XML, schema 3.6 (docs/manifests.md 6.3): one
 * notice, one listing with its crew and non-crew lists.
 *
 * Hostile bytes: a document type (and with it every entity) is refused, nothing is fetched or included, nesting and
 * sizes are bounded; what libxml2 says about an error is not repeated, only its line. */
#ifndef SALLYPORT_LISTING_ENOAD_H
#define SALLYPORT_LISTING_ENOAD_H

#include "listing/listing.h"

#define SP_ENOAD_VERSION   "3.6"
#define SP_ENOAD_MAX_DEPTH 16
#define SP_ENOAD_MAX_TEXT  256 /* bytes of one value */

/* SP_E_FORMAT with the line; SP_E_DENIED: it has a document type; SP_E_LIMIT. Unknown elements are deviations, with
 * all that is in them. */
enum sp_status sp_enoad_parse(struct sp_listing **ret_listing, const char *name, const void *bytes, size_t length,
                              struct sp_err *err);

#endif
