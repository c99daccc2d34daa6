/* What the targets of the lists' formats share: whatever is accepted becomes rows that can be stored. */
#ifndef SALLYPORT_TESTS_FUZZ_LISTING_ROWS_H
#define SALLYPORT_TESTS_FUZZ_LISTING_ROWS_H

#include <stdint.h>
#include <stdlib.h>

#include "listing/read.h"
#include "roster/roster.h"

/* format NULL: by content. Aborts where a row that was accepted cannot be stored. */
static inline void fuzz_listing_rows(const char *format, const char *name, const uint8_t *data, size_t size)
{
    const struct sp_listing_read_options options = {.format = format};
    const struct sp_roster_options how = {.name = name};
    struct sp_listing **listings = NULL;
    struct sp_roster *roster = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    int count = 0;
    if (sp_listing_read_bytes(&listings, &count, name, data, size, &options, NULL) != SP_OK)
        return;
    for (int i = 0; i < count; i++) {
        if (sp_roster_from_listing(&roster, listings[i], &how, NULL) != SP_OK)
            continue;
        for (int k = 0; k < roster->row_count; k++) {
            if (sp_row_encode(&bytes, &length, &roster->rows[k], NULL) != SP_OK)
                abort();
            free(bytes);
        }
        sp_roster_free(&roster);
    }
    sp_listing_free_all(&listings, count);
}

#endif
