/* A manifest as CSV: the reader, the header, the rows, and what they are sealed as. */
#include <stdint.h>
#include <stdlib.h>

#include "roster/roster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_roster *roster = NULL;
    struct sp_row row;
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (sp_roster_parse(&roster, "fuzz.csv", data, size, NULL) != SP_OK)
        return 0;
    for (int i = 0; i < roster->row_count; i++) {
        if (sp_row_encode(&bytes, &length, &roster->rows[i], NULL) != SP_OK)
            abort(); /* what was accepted can be stored */
        if (sp_row_decode(&row, bytes, length, NULL) != SP_OK)
            abort(); /* and read again */
        sp_row_clear(&row);
        free(bytes);
    }
    sp_roster_free(&roster);
    return 0;
}
