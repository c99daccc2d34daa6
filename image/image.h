/* Encoded images to pixels: JPEG (libjpeg-turbo), PNG (libpng) and JPEG 2000 (OpenJPEG), sniffed by magic,
 * dimensions checked before allocation. Workers decode frames and portraits with it, the desk looks into portraits.
 */
#ifndef SALLYPORT_IMAGE_IMAGE_H
#define SALLYPORT_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include "common/picture.h"
#include "common/status.h"

/* X(CONSTANT, "word"): what the first bytes of a file say it is. JP2 is JPEG 2000 in boxes (ISO/IEC 15444-1 Annex
 * I), J2K its bare codestream (Annex A). */
#define SP_IMAGE_KIND_LIST(X)                                                                                      \
    X(NONE, "unknown")                                                                                             \
    X(JPEG, "jpeg")                                                                                                \
    X(PNG, "png")                                                                                                  \
    X(JP2, "jp2")                                                                                                  \
    X(J2K, "j2k")
enum sp_image_kind {
#define X(constant, word) SP_IMAGE_##constant,
    SP_IMAGE_KIND_LIST(X)
#undef X
        SP_IMAGE_KIND_COUNT
};
enum sp_image_kind sp_image_sniff(const uint8_t *bytes, size_t length);
/* "jpeg" ...; static storage. */
const char *sp_image_kind_word(enum sp_image_kind kind);

struct sp_image_limits {
    int min_side_px; /* default 16 */
    int max_side_px; /* default 8192 */
    uint64_t
        max_pixels;   /* default 40,000,000; of JPEG 2000 the samples of all components, 8 bytes of memory each */
    size_t max_bytes; /* encoded; default 16 MiB */
};
struct sp_image_limits sp_image_limits_default(void);

/* Decode to a new RGB image (grey, CMYK, sYCC and alpha are converted; EXIF orientation is applied). A truncated or
 * damaged file is SP_E_FORMAT, a size beyond the limits SP_E_LIMIT (before any pixel is allocated), another format
 * SP_E_UNSUPPORTED. Thread-safe. The caller frees with sp_image_free. */
enum sp_status sp_image_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                               const struct sp_image_limits *limits, struct sp_err *err);
/* A new zeroed image. */
enum sp_status sp_image_new(struct sp_image **ret_image, int width, int height, struct sp_err *err);
void sp_image_free(struct sp_image **image);

#endif
