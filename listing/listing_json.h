/* JSON and NDJSON (docs/manifests.md 2.2): the keys that `sallyport manifest parse --json` prints, so that what it
 * printed can be read again. One value is JSON, several are NDJSON: a listing begins with each object that has
 * "journey", an object without is one more traveller of it.
 *
 * Bounded before libjansson sees a value: nesting, number of values. Keys that stand twice, NUL characters, numbers
 * that no machine holds and bytes that are no UTF-8 are refused with their line. */
#ifndef SALLYPORT_LISTING_LISTING_JSON_H
#define SALLYPORT_LISTING_LISTING_JSON_H

#include "listing/listing.h"

#define SP_LISTING_JSON_MAX_DEPTH      8
#define SP_LISTING_JSON_MAX_VALUES     2000000 /* of one object that stands by itself */
#define SP_LISTING_JSON_MAX_TRAVELLERS 60000   /* of one file, all listings together */

/* Appends to a list that begins as NULL, 0; the caller frees it in any case. name is the file's, for messages. */
enum sp_status sp_listing_json_parse(struct sp_listing ***listings, int *count, const char *name, const void *bytes,
                                     size_t length, struct sp_err *err);

#endif
