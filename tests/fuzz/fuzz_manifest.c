/* A version index, a row and the value of `current`, as they lie (unsealed) in Redis. */
#include <stdint.h>
#include <stdlib.h>

#include "roster/index.h"
#include "roster/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_manifest_index *index = NULL;
    struct sp_row row;
    uint8_t *bytes = NULL;
    size_t length = 0;
    uint64_t version;
    enum sp_manifest_state state;
    if (sp_index_decode(&index, data, size, NULL) == SP_OK) {
        if (sp_index_encode(&bytes, &length, index, NULL) != SP_OK)
            abort();
        free(bytes);
        sp_manifest_index_free(&index);
    }
    if (sp_row_decode(&row, data, size, NULL) == SP_OK)
        sp_row_clear(&row);
    (void)sp_manifest_current_parse(data, size, &version, &state, NULL);
    return 0;
}
