/* UN/EDIFACT PAXLST (passenger and crew lists, close-outs) and CUSRES (answers to them) as listings: directories
 * 02B, 05B and 15B, and what carriers really send. Grammar, deviations and limits: docs/manifests.md 5.
 *
 * Structure: UN directory PAXLST D.02B, D.05B, D.15B; meaning of codes: WCO/IATA/ICAO API guidelines. */
#ifndef SALLYPORT_LISTING_PAXLST_H
#define SALLYPORT_LISTING_PAXLST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"
#include "listing/listing.h"

#define SP_PAXLST_MAX_MESSAGES   200   /* of one file */
#define SP_PAXLST_MAX_TRAVELLERS 60000 /* of one file, all messages together */

struct sp_paxlst_options {
    bool strict; /* the first deviation is an error that names segment, tag and byte offset; else all are noted */
    int64_t now_ms; /* wall clock: which century a year of two digits means; 0: that of this machine */
};

/* All PAXLST and CUSRES messages of an interchange, in order. The caller frees each listing and the array.
 * SP_E_FORMAT: no EDIFACT, a message without its end (its travellers would look like all of them), or a deviation
 * when strict. SP_E_UNSUPPORTED: no message of these two types. SP_E_LIMIT, SP_E_NOMEM. */
enum sp_status sp_paxlst_parse(struct sp_listing ***ret_listings, int *ret_count, const char *name,
                               const void *bytes, size_t length, const struct sp_paxlst_options *options,
                               struct sp_err *err);
void sp_paxlst_free(struct sp_listing ***listings, int count); /* each listing and the array; NULL is fine */
/* EDIFACT at all: UNA, UNB, UNG or UNH, after the lines of a telegram perhaps. */
bool sp_paxlst_looks_like(const void *bytes, size_t length);

#endif
