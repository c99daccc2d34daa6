/* A weights manifest, a NUL byte, and the binary data it speaks of. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ops/faceapi_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t manifest = end ? (size_t)(end - data) : size;
    const uint8_t *bytes = end ? end + 1 : data + size;
    struct sp_faceapi_weights *weights = NULL;
    struct sp_err err = {0};
    if (sp_faceapi_weights_parse(&weights, "fuzz", data, manifest, bytes, (size_t)(data + size - bytes), &err) ==
        SP_OK)
        sp_faceapi_weights_free(&weights);
    return 0;
}
