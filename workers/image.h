/* Encoded images to pixels: JPEG (libjpeg-turbo) and PNG, sniffed by magic, dimensions checked before allocation.
 */
#ifndef SALLYPORT_WORKERS_IMAGE_H
#define SALLYPORT_WORKERS_IMAGE_H

#include <stddef.h>
#include "workers/vision.h"

struct sp_image_limits {
    int min_side_px;     /* default 16 */
    int max_side_px;     /* default 8192 */
    uint64_t max_pixels; /* default 40,000,000 */
    size_t max_bytes;    /* encoded; default 16 MiB */
};
struct sp_image_limits sp_image_limits_default(void);

/* Decode to a new RGB image (grey, CMYK and alpha are converted; EXIF orientation is applied). A truncated or
 * damaged file is SP_E_FORMAT, a size beyond the limits SP_E_LIMIT (before any pixel is allocated), another format
 * SP_E_UNSUPPORTED. Thread-safe. The caller frees with sp_image_free. */
enum sp_status sp_image_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                               const struct sp_image_limits *limits, struct sp_err *err);
/* A new zeroed image. */
enum sp_status sp_image_new(struct sp_image **ret_image, int width, int height, struct sp_err *err);
void sp_image_free(struct sp_image **image);

#endif
