/* Sample messages of invented people, and how the tests read them. */
#ifndef SALLYPORT_TESTS_UNIT_LISTING_SAMPLES_H
#define SALLYPORT_TESTS_UNIT_LISTING_SAMPLES_H

#include <stdint.h>
#include "listing/paxlst.h"

#define NOW_MS 1795651200000 /* 2026-11-26T00:00Z */

extern const char sample_passengers[], sample_crew[], sample_close_out[], sample_vessel[], sample_answer[];

struct read {
    enum sp_status status;
    struct sp_err err;
    struct sp_listing **listings;
    int count;
};

struct read read_bytes(const char *bytes, size_t length, bool strict);
struct read read_text(const char *text, bool strict);
void read_free(struct read *read);
/* The sample with the first `from` replaced by `to`; fails the test if it has none. The caller frees it. */
char *replaced(const char *sample, const char *from, const char *to);
/* The first deviation whose text contains `part`; fails the test (printing all of them) if there is none. */
const struct sp_deviation *find_deviation(const struct sp_listing *listing, const char *part);

#endif
