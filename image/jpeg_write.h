/* Pixels to a JPEG file (libjpeg-turbo). */
#ifndef SALLYPORT_IMAGE_JPEG_WRITE_H
#define SALLYPORT_IMAGE_JPEG_WRITE_H

#include <stddef.h>
#include "common/picture.h"
#include "common/status.h"

/* Encode as baseline JPEG, 4:4:4 (no colour is thrown away), quality 1..100. Caller frees *ret_bytes with free().
 */
enum sp_status sp_jpeg_write(uint8_t **ret_bytes, size_t *ret_length, const struct sp_image *image, int quality,
                             struct sp_err *err);

#endif
