/* Any bytes as JPEG 2000: our reading of boxes and headers, then the codec behind it. What decodes is inside the
 * limits. */
#include <stdint.h>
#include <stdlib.h>
#include "image/image_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_image_limits limits = {
        .min_side_px = 8, .max_side_px = 512, .max_pixels = 1 << 16, .max_bytes = 1 << 16};
    struct sp_image *image = NULL;
    if (size > limits.max_bytes || sp_image_jp2_decode(&image, data, size, &limits, NULL) != SP_OK)
        return 0;
    if (image->width < 8 || image->height < 8 || image->width > 512 || image->height > 512 ||
        image->stride < 3 * image->width)
        abort();
    sp_image_free(&image);
    return 0;
}
