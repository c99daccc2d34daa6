#include "image/image_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <png.h>

/* No ancillary chunk (colour profile, text) may unpack to more, and no file may hold more of them. */
#define MAX_CHUNK_BYTES (4 << 20)
#define MAX_CHUNKS      64

/* Where libpng reads from and where its error goes. */
struct source {
    const uint8_t *bytes;
    size_t length, at;
    char text[160];
};

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    struct source *source = png_get_io_ptr(png);
    if (count > source->length - source->at)
        png_error(png, "the file ends early");
    memcpy(to, source->bytes + source->at, count);
    source->at += count;
}

static void keep_error(png_structp png, png_const_charp text)
{
    struct source *source = png_get_error_ptr(png);
    snprintf(source->text, sizeof source->text, "%s", text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

/* Whatever the file holds, rows of 8-bit RGB come out; transparency is laid on white, as a viewer would show it. */
static void ask_for_rgb(png_structp png, png_infop info)
{
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    if (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA || png_get_valid(png, info, PNG_INFO_tRNS)) {
        /* In the file's own depth and colour type, so no expansion of the background (need_expand 0) is asked:
         * after png_set_expand and png_set_gray_to_rgb the rows are RGB when it is applied. */
        unsigned white = png_get_bit_depth(png, info) == 16 ? 65535 : 255;
        png_color_16 background = {.red = (png_uint_16)white,
                                   .green = (png_uint_16)white,
                                   .blue = (png_uint_16)white,
                                   .gray = (png_uint_16)white};
        png_set_background(png, &background, PNG_BACKGROUND_GAMMA_SCREEN, 0, 1.0);
    }
}

enum sp_status sp_image_png_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                   const struct sp_image_limits *limits, struct sp_err *err)
{
    struct source source = {.bytes = bytes, .length = length};
    struct sp_image *volatile image = NULL; /* written after setjmp, read after longjmp */
    struct sp_image *fresh = NULL;
    volatile enum sp_status status = SP_OK;
    png_infop info = NULL;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, keep_error, ignore_warning);
    if (png)
        info = png_create_info_struct(png);
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return sp_fail(err, SP_E_NOMEM, "PNG of %zu bytes: out of memory", length);
    }
    if (setjmp(png_jmpbuf(png))) {
        status = sp_fail(err, SP_E_FORMAT, "PNG of %zu bytes: %s", length, source.text);
        goto fail;
    }
    png_set_read_fn(png, &source, read_bytes);
    /* The size is ours to refuse, with a better sentence: libpng's own limit is above it. */
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_cache_max(png, MAX_CHUNKS);
    png_set_chunk_malloc_max(png, MAX_CHUNK_BYTES);
    png_read_info(png, info);
    status =
        sp_image_check_size(limits, png_get_image_width(png, info), png_get_image_height(png, info), "PNG", err);
    if (status != SP_OK)
        goto fail;
    ask_for_rgb(png, info);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    status = sp_image_new(&fresh, (int)png_get_image_width(png, info), (int)png_get_image_height(png, info), err);
    if (status != SP_OK)
        goto fail;
    image = fresh;
    if (png_get_rowbytes(png, info) != (size_t)image->stride)
        png_error(png, "rows do not come out as 8-bit RGB");
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < image->height; y++)
            png_read_row(png, image->pixels + (size_t)y * (size_t)image->stride, NULL);
    png_read_end(png, NULL);
    png_destroy_read_struct(&png, &info, NULL);
    *ret_image = image;
    return SP_OK;
fail:
    png_destroy_read_struct(&png, &info, NULL);
    fresh = image;
    sp_image_free(&fresh);
    return status;
}
