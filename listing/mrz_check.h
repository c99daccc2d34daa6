/* Machine readable zones that a listing brings, held against what it says itself. */
#ifndef SALLYPORT_LISTING_MRZ_CHECK_H
#define SALLYPORT_LISTING_MRZ_CHECK_H

#include "listing/listing.h"

/* For each traveller with an mrz: fields that are empty are filled from it (a document too, if none is of its
 * type; one of another number is not completed); fields that differ, check digits that are wrong and what parsing
 * remarks are deviations that name the field, never the value. now_ms: wall clock, which century years of two
 * digits mean. SP_E_NOMEM only. */
enum sp_status sp_mrz_check(struct sp_listing *listing, int64_t now_ms, struct sp_err *err);

#endif
