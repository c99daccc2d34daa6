/* JSON and NDJSON listings, and the rows made of them. */
#include <stdint.h>
#include <stdlib.h>

#include "listing/read.h"
#include "roster/roster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sp_listing_read_options options = {.format = "json"};
    const struct sp_roster_options how = {.name = "fuzz.json"};
    struct sp_listing **listings = NULL;
    struct sp_roster *roster = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    int count = 0;
    if (sp_listing_read_bytes(&listings, &count, "fuzz.json", data, size, &options, NULL) != SP_OK)
        return 0;
    for (int i = 0; i < count; i++) {
        if (sp_roster_from_listing(&roster, listings[i], &how, NULL) != SP_OK)
            continue;
        for (int k = 0; k < roster->row_count; k++) {
            if (sp_row_encode(&bytes, &length, &roster->rows[k], NULL) != SP_OK)
                abort(); /* what was accepted can be stored */
            free(bytes);
        }
        sp_roster_free(&roster);
    }
    sp_listing_free_all(&listings, count);
    return 0;
}
