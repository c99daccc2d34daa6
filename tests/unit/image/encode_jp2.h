/* JPEG 2000 files for tests, made in memory with OpenJPEG's encoder. */
#ifndef SALLYPORT_TESTS_IMAGE_ENCODE_JP2_H
#define SALLYPORT_TESTS_IMAGE_ENCODE_JP2_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/image/encode.h"

/* What to write, beside the pattern of encode_pixel (the values of 0 are plain: lossless, 8 bits, one tile, J2K).
 */
struct encode_jp2_spec {
    struct encode_spec picture; /* channels 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha */
    const uint8_t *pixels;      /* RGB, 3 * width bytes a row, instead of the pattern; may be NULL */
    int boxes;                  /* JP2 */
    int lossy;                  /* compression ratio */
    int depth;                  /* bits of a sample, 1..16 */
    int is_signed;
    int ycc;         /* RGB becomes sYCC; 2: with halved colours */
    int origin;      /* px, of the picture on its reference grid */
    int tile;        /* px a side */
    int resolutions; /* default 6 */
    int block;       /* code-block side; default 64 */
    int precinct;    /* side; 0: whole */
    int layers;      /* default 1 */
};

/* New file in memory; the caller frees *ret_bytes. Aborts on failure. */
void encode_jp2(const struct encode_jp2_spec *spec, uint8_t **ret_bytes, size_t *ret_length);

#endif
