/* An interchange, lenient and strict; what was read of a PAXLST can be written and then says the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "listing/paxlst.h"
#include "listing/paxlst_write.h"
#include "tests/support/listing_same.h"

#define NOW_MS 1795651200000 /* 2026-11-26 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct sp_listing *listing)
{
    const struct sp_paxlst_write_options write = {.recipient = "FUZZ", .now_ms = NOW_MS};
    const struct sp_paxlst_options options = {.now_ms = NOW_MS};
    struct sp_listing **again = NULL;
    struct sp_err err = {0};
    char *text = NULL;
    size_t length = 0;
    int count = 0;
    enum sp_status status = sp_paxlst_write(&text, &length, listing, &write, &err);
    if (status == SP_E_UNSUPPORTED || status == SP_E_LIMIT)
        return; /* both groups in one; a journey's name too long */
    if (status != SP_OK || sp_paxlst_parse(&again, &count, "fuzz", text, length, &options, &err) != SP_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    const char *differs = count == 1 ? listing_same(listing, again[0]) : "the number of messages";
    if (differs) {
        fprintf(stderr, "%s differs after the round trip\n", differs);
        abort();
    }
    sp_paxlst_free(&again, count);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_listing **listings = NULL;
    int count = 0;
    for (int strict = 0; strict < 2; strict++) {
        const struct sp_paxlst_options options = {.strict = strict, .now_ms = NOW_MS};
        if (sp_paxlst_parse(&listings, &count, "fuzz", data, size, &options, NULL) != SP_OK)
            continue;
        if (!sp_paxlst_looks_like(data, size))
            abort();
        for (int i = 0; i < count; i++) {
            if (strict && listings[i]->deviation_count > 0)
                abort();
            for (int j = 0; j < sp_listing_noted(listings[i]); j++)
                if (listings[i]->deviations[j].offset >= size)
                    abort(); /* a note names a place of the file */
            if (listings[i]->format == SP_LISTING_PAXLST)
                round_trip(listings[i]);
        }
        sp_paxlst_free(&listings, count);
    }
    return 0;
}
