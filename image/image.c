#include "image/image_codec.h"

#include <stdlib.h>
#include <string.h>

/* No image of this program is larger, whatever the limits say: coordinates stay exact in int and float. */
#define HARD_MAX_SIDE_PX 16384

struct sp_image_limits sp_image_limits_default(void)
{
    return (struct sp_image_limits){
        .min_side_px = 16,
        .max_side_px = 8192,
        .max_pixels = 40000000,
        .max_bytes = (size_t)16 << 20,
    };
}

enum sp_status sp_image_new(struct sp_image **ret_image, int width, int height, struct sp_err *err)
{
    if (width < 1 || height < 1 || width > HARD_MAX_SIDE_PX || height > HARD_MAX_SIDE_PX)
        return sp_fail(err, SP_E_LIMIT, "an image of %d x %d px: sides must be 1..%d", width, height,
                       HARD_MAX_SIDE_PX);
    struct sp_image *image = calloc(1, sizeof *image);
    uint8_t *pixels = calloc((size_t)height, (size_t)width * 3);
    if (!image || !pixels) {
        free(image);
        free(pixels);
        return sp_fail(err, SP_E_NOMEM, "an image of %d x %d px: out of memory", width, height);
    }
    *image = (struct sp_image){.width = width, .height = height, .stride = width * 3, .pixels = pixels};
    *ret_image = image;
    return SP_OK;
}

void sp_image_free(struct sp_image **image)
{
    if (!image || !*image)
        return;
    free((*image)->pixels);
    free(*image);
    *image = NULL;
}

enum sp_status sp_image_check_size(const struct sp_image_limits *limits, uint64_t width, uint64_t height,
                                   const char *format_name, struct sp_err *err)
{
    uint64_t min = (uint64_t)(limits->min_side_px > 1 ? limits->min_side_px : 1);
    uint64_t max = (uint64_t)(limits->max_side_px < HARD_MAX_SIDE_PX ? limits->max_side_px : HARD_MAX_SIDE_PX);
    if (width < min || height < min)
        return sp_fail(err, SP_E_LIMIT, "%s header: %llu x %llu px is under the limit of %llu px a side",
                       format_name, (unsigned long long)width, (unsigned long long)height, (unsigned long long)min);
    if (width > max || height > max)
        return sp_fail(err, SP_E_LIMIT, "%s header: %llu x %llu px is over the limit of %llu px a side",
                       format_name, (unsigned long long)width, (unsigned long long)height, (unsigned long long)max);
    if (width * height > limits->max_pixels)
        return sp_fail(err, SP_E_LIMIT, "%s header: %llu x %llu px is over the limit of %llu pixels", format_name,
                       (unsigned long long)width, (unsigned long long)height,
                       (unsigned long long)limits->max_pixels);
    return SP_OK;
}

enum sp_image_kind sp_image_sniff(const uint8_t *bytes, size_t length)
{
    static const struct {
        enum sp_image_kind kind;
        size_t length;
        uint8_t magic[12];
    } known[] = {
        {SP_IMAGE_JPEG, 3, {0xff, 0xd8, 0xff}},
        {SP_IMAGE_PNG, 8, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}},
        {SP_IMAGE_JP2, 12, {0, 0, 0, 12, 'j', 'P', ' ', ' ', '\r', '\n', 0x87, '\n'}},
        {SP_IMAGE_J2K, 4, {0xff, 0x4f, 0xff, 0x51}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (length >= known[i].length && memcmp(bytes, known[i].magic, known[i].length) == 0)
            return known[i].kind;
    return SP_IMAGE_NONE;
}

const char *sp_image_kind_word(enum sp_image_kind kind)
{
    static const char *const words[] = {
#define X(constant, word) word,
        SP_IMAGE_KIND_LIST(X)
#undef X
    };
    return kind >= 0 && kind < SP_IMAGE_KIND_COUNT ? words[kind] : words[SP_IMAGE_NONE];
}

/* A copy of source with EXIF orientation 2..8 undone. Orientations 5..8 swap the sides. */
static enum sp_status oriented(struct sp_image **ret_image, const struct sp_image *source, int orientation,
                               struct sp_err *err)
{
    bool swapped = orientation >= 5;
    /* Walking the result row by row walks the source from `origin` by these steps. */
    ptrdiff_t pixel = 3, row = source->stride;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const uint8_t *origin = source->pixels + (from_right ? (ptrdiff_t)(source->width - 1) * 3 : 0) +
                            (from_bottom ? (ptrdiff_t)(source->height - 1) * row : 0);
    ptrdiff_t along_x = from_right ? -pixel : pixel, along_y = from_bottom ? -row : row;
    ptrdiff_t step_x = swapped ? along_y : along_x, step_y = swapped ? along_x : along_y;
    struct sp_image *image = NULL;
    enum sp_status status = sp_image_new(&image, swapped ? source->height : source->width,
                                         swapped ? source->width : source->height, err);
    if (status != SP_OK)
        return status;
    for (int y = 0; y < image->height; y++) {
        uint8_t *to = image->pixels + (size_t)y * (size_t)image->stride;
        const uint8_t *from = origin + y * step_y;
        for (int x = 0; x < image->width; x++, to += 3)
            memcpy(to, from + x * step_x, 3);
    }
    *ret_image = image;
    return SP_OK;
}

static enum sp_status upright_jpeg(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                   const struct sp_image_limits *limits, struct sp_err *err)
{
    struct sp_image *image = NULL, *upright = NULL;
    enum sp_status status = sp_image_jpeg_decode(&image, bytes, length, limits, err);
    if (status != SP_OK)
        return status;
    int orientation = sp_image_jpeg_orientation(bytes, length);
    if (orientation == 1) {
        *ret_image = image;
        return SP_OK;
    }
    status = oriented(&upright, image, orientation, err);
    sp_image_free(&image);
    if (status == SP_OK)
        *ret_image = upright;
    return status;
}

enum sp_status sp_image_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                               const struct sp_image_limits *limits, struct sp_err *err)
{
    if (length > limits->max_bytes)
        return sp_fail(err, SP_E_LIMIT, "an image file of %zu bytes is over the limit of %zu bytes", length,
                       limits->max_bytes);
    switch (sp_image_sniff(bytes, length)) {
    case SP_IMAGE_JPEG:
        return upright_jpeg(ret_image, bytes, length, limits, err);
    case SP_IMAGE_PNG:
        return sp_image_png_decode(ret_image, bytes, length, limits, err);
    case SP_IMAGE_JP2:
    case SP_IMAGE_J2K:
        return sp_image_jp2_decode(ret_image, bytes, length, limits, err);
    default:
        return sp_fail(err, SP_E_UNSUPPORTED,
                       "%zu bytes that are neither JPEG, PNG nor JPEG 2000: send one of these", length);
    }
}
