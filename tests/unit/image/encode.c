#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <png.h>

int encode_pixel(const struct encode_spec *spec, int x, int y, int c)
{
    int across = x * 200 / (spec->width > 1 ? spec->width - 1 : 1);
    int down = y * 200 / (spec->height > 1 ? spec->height - 1 : 1);
    switch (c) {
    case 0:
        return 20 + across;
    case 1:
        return 20 + down;
    default:
        return 20 + (across + down) / 2;
    }
}

/* An APP1 block with one directory of one entry: the orientation. */
static void write_orientation(struct jpeg_compress_struct *codec, const struct encode_spec *spec)
{
    static const uint8_t little[] = {'E',  'x',  'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                     0x12, 0x01, 3,   0,   1, 0, 0,   0,   0,  0, 0, 0, 0, 0, 0, 0};
    static const uint8_t big[] = {'E',  'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                                  0x01, 0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    uint8_t block[sizeof little];
    memcpy(block, spec->big_endian ? big : little, sizeof block);
    block[spec->big_endian ? 25 : 24] = (uint8_t)spec->orientation;
    jpeg_write_marker(codec, JPEG_APP0 + 1, block, sizeof block);
}

void encode_jpeg(const struct encode_spec *spec, uint8_t **ret_bytes, size_t *ret_length)
{
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long length = 0;
    uint8_t *row = calloc((size_t)spec->width, (size_t)spec->channels);
    codec.err = jpeg_std_error(&errors);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &bytes, &length);
    codec.image_width = (JDIMENSION)spec->width;
    codec.image_height = (JDIMENSION)spec->height;
    codec.input_components = spec->channels;
    codec.in_color_space = spec->channels == 1 ? JCS_GRAYSCALE : spec->channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, 95, TRUE);
    if (spec->progressive)
        jpeg_simple_progression(&codec);
    jpeg_start_compress(&codec, TRUE);
    if (spec->orientation)
        write_orientation(&codec, spec);
    for (int y = 0; y < spec->height; y++) {
        JSAMPROW rows[1] = {row};
        for (int x = 0; x < spec->width; x++)
            for (int c = 0; c < spec->channels; c++)
                /* Adobe's inverted ink, black at none: the picture is C, M, Y as R, G, B. */
                row[x * spec->channels + c] = (uint8_t)(c == 3 ? 255 : encode_pixel(spec, x, y, c));
        jpeg_write_scanlines(&codec, rows, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    free(row);
    *ret_bytes = bytes;
    *ret_length = length;
}

struct growing {
    uint8_t *bytes;
    size_t length;
};

static void append(png_structp png, png_bytep bytes, size_t count)
{
    struct growing *file = png_get_io_ptr(png);
    file->bytes = realloc(file->bytes, file->length + count);
    if (!file->bytes)
        abort();
    memcpy(file->bytes + file->length, bytes, count);
    file->length += count;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* One row of a PNG of any kind. */
static void fill_row(const struct encode_spec *spec, int y, uint8_t *row)
{
    int channels = spec->channels == 0 ? 1 : spec->channels,
        colours = channels == 2 || channels == 4 ? channels - 1 : channels;
    for (int x = 0; x < spec->width; x++)
        for (int c = 0; c < channels; c++) {
            int value = c >= colours ? spec->alpha : encode_pixel(spec, x, y, c);
            if (spec->channels == 0)
                value = (x + y) & 1;
            if (spec->depth == 16) {
                row[(x * channels + c) * 2] = (uint8_t)value;
                row[(x * channels + c) * 2 + 1] = (uint8_t)value;
            } else {
                row[x * channels + c] = (uint8_t)value;
            }
        }
}

void encode_png(const struct encode_spec *spec, uint8_t **ret_bytes, size_t *ret_length)
{
    static const int types[5] = {PNG_COLOR_TYPE_PALETTE, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                 PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    struct growing file = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t *row = calloc((size_t)spec->width, 8);
    png_set_write_fn(png, &file, append, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)spec->width, (png_uint_32)spec->height, spec->depth, types[spec->channels],
                 spec->progressive ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (spec->channels == 0) {
        /* Entry 0 opaque, entry 1 of the given alpha. */
        png_color colours[2] = {{200, 10, 20}, {30, 60, 90}};
        png_byte alphas[2] = {255, (png_byte)spec->alpha};
        png_set_PLTE(png, info, colours, 2);
        png_set_tRNS(png, info, alphas, 2, NULL);
    }
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < spec->height; y++) {
            fill_row(spec, y, row);
            png_write_row(png, row);
        }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    free(row);
    *ret_bytes = file.bytes;
    *ret_length = file.length;
}
