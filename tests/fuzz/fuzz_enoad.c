/* An XML notice of arrival; the rows made of it can be stored. */
#include "tests/fuzz/listing_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_listing_rows("enoad", "fuzz", data, size);
    return 0;
}
