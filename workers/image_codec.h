/* The codecs behind image.c. Private to workers/image*.c and their tests. */
#ifndef SALLYPORT_WORKERS_IMAGE_CODEC_H
#define SALLYPORT_WORKERS_IMAGE_CODEC_H

#include "workers/image.h"

/* SP_E_LIMIT unless width x height px is inside the limits. Both codecs ask before they allocate any pixel. */
enum sp_status sp_image_check_size(const struct sp_image_limits *limits, uint64_t width, uint64_t height,
                                   const char *format_name, struct sp_err *err);

/* As sp_image_decode, for one format; orientation is not applied yet. */
enum sp_status sp_image_jpeg_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                    const struct sp_image_limits *limits, struct sp_err *err);
enum sp_status sp_image_png_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                   const struct sp_image_limits *limits, struct sp_err *err);

/* The EXIF orientation 1..8 of a JPEG file; 1 where there is none or it is malformed. Never reads beyond length. */
int sp_image_jpeg_orientation(const uint8_t *bytes, size_t length);

#endif
