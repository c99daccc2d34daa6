/* JSON and NDJSON listings, and the rows made of them. */
#include "tests/fuzz/listing_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_listing_rows("json", "fuzz.json", data, size);
    return 0;
}
