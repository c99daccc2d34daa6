/* The codecs behind image.c. Private to image/image*.c and their tests. */
#ifndef SALLYPORT_IMAGE_IMAGE_CODEC_H
#define SALLYPORT_IMAGE_IMAGE_CODEC_H

#include <stdbool.h>
#include "image/image.h"

/* SP_E_LIMIT unless width x height px is inside the limits. Every codec asks before it allocates any pixel. */
enum sp_status sp_image_check_size(const struct sp_image_limits *limits, uint64_t width, uint64_t height,
                                   const char *format_name, struct sp_err *err);

/* As sp_image_decode, for one format; orientation is not applied yet. */
enum sp_status sp_image_jpeg_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                    const struct sp_image_limits *limits, struct sp_err *err);
enum sp_status sp_image_png_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                   const struct sp_image_limits *limits, struct sp_err *err);
enum sp_status sp_image_jp2_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                   const struct sp_image_limits *limits, struct sp_err *err);

/* The EXIF orientation 1..8 of a JPEG file; 1 where there is none or it is malformed. Never reads beyond length. */
int sp_image_jpeg_orientation(const uint8_t *bytes, size_t length);

/* What the headers of a JPEG 2000 file say, read without the codec. */
struct sp_jp2_header {
    const uint8_t *stream; /* the codestream, from SOC on; a view */
    size_t length;         /* to its end marker, or to the end of the last tile part */
    int width, height;     /* px */
    int x0, y0;            /* where the picture begins on the reference grid, 0 <= x0 < 2^31 */
    int components;        /* 1..4 */
    struct {
        int depth; /* bits, 1..16 */
        bool is_signed;
        int dx, dy; /* subsampling, 1..255 */
    } component[4];
    enum { SP_JP2_UNSAID, SP_JP2_RGB, SP_JP2_GREY, SP_JP2_SYCC } colour;
};

/* Check a whole file before the codec sees it (ISO/IEC 15444-1 Annexes A and I): boxes, size, components, depths,
 * tiles, resolutions, code-blocks, precincts and layers, which together bound the codec's memory; that every tile
 * is there and every tile part ends inside the file. SP_E_LIMIT, SP_E_FORMAT or SP_E_UNSUPPORTED, with the offset.
 */
enum sp_status sp_jp2_scan(struct sp_jp2_header *ret_header, const uint8_t *bytes, size_t length,
                           const struct sp_image_limits *limits, struct sp_err *err);

#endif
