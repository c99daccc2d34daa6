/* Encoders for tests: images made in memory, so that no test needs an image file. */
#ifndef SALLYPORT_TESTS_IMAGE_ENCODE_H
#define SALLYPORT_TESTS_IMAGE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

/* What to write. Pixels are a fixed pattern of position; encode_pixel tells it. */
struct encode_spec {
    int width, height;
    int channels; /* jpeg: 1, 3 or 4 (Adobe CMYK); png: 1 grey, 2 grey + alpha, 3, 4 RGB + alpha, 0 palette + tRNS
                   */
    int depth;    /* png: 8 or 16 */
    int progressive; /* jpeg: progressive; png: interlaced */
    int orientation; /* jpeg: EXIF orientation, 0 for none */
    int big_endian;  /* jpeg: of the EXIF block */
    int alpha;       /* png: 0..255 everywhere */
};

/* Value 0..255 of channel c at x, y: a smooth pattern that differs in every corner. */
int encode_pixel(const struct encode_spec *spec, int x, int y, int c);

/* New file in memory; the caller frees *ret_bytes. Aborts on failure. */
void encode_jpeg(const struct encode_spec *spec, uint8_t **ret_bytes, size_t *ret_length);
void encode_png(const struct encode_spec *spec, uint8_t **ret_bytes, size_t *ret_length);

#endif
