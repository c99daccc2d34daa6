/* Evidence of an encounter, as it lies (unsealed) in the ledger. */
#include <stdint.h>
#include <stdlib.h>

#include "records/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_evidence evidence, again;
    uint8_t bytes[SP_EVIDENCE_MAX_BYTES];
    size_t length = 0;
    if (sp_evidence_decode(&evidence, data, size, NULL) != SP_OK)
        return 0;
    if (sp_evidence_encode(bytes, &length, &evidence, NULL) != SP_OK ||
        sp_evidence_decode(&again, bytes, length, NULL) != SP_OK)
        abort(); /* what was accepted can be written and read again */
    return 0;
}
