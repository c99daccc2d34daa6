/* NumPy files from bytes. */
#include <stddef.h>
#include <stdint.h>

#include "ops/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_npy npy;
    struct sp_err err = {0};
    if (sp_npy_parse(&npy, "fuzz", data, size, &err) == SP_OK)
        sp_npy_clear(&npy);
    return 0;
}
