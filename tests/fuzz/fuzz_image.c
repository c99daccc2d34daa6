/* Any bytes through the image decoder. Small limits keep each run short; what decodes must be inside them. */
#include <stdint.h>
#include <stdlib.h>
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_image_limits limits = {
        .min_side_px = 16, .max_side_px = 1024, .max_pixels = 1 << 18, .max_bytes = 1 << 16};
    struct sp_image *image = NULL;
    if (sp_image_decode(&image, data, size, &limits, NULL) != SP_OK)
        return 0;
    if (image->width < 16 || image->height < 16 || image->width > 1024 || image->height > 1024 ||
        image->stride < 3 * image->width)
        abort();
    sp_image_free(&image);
    return 0;
}
