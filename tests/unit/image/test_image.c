#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "encode.h"
#include "image/image_codec.h"

static struct sp_image *decoded(const uint8_t *bytes, size_t length)
{
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    struct sp_err err = {0};
    if (sp_image_decode(&image, bytes, length, &limits, &err) != SP_OK)
        fail_msg("%s", err.text);
    return image;
}

static enum sp_status refused(const uint8_t *bytes, size_t length, const struct sp_image_limits *limits)
{
    struct sp_image *image = NULL;
    struct sp_err err = {0};
    enum sp_status status = sp_image_decode(&image, bytes, length, limits, &err);
    assert_null(image);
    assert_int_not_equal(status, SP_OK);
    assert_int_equal(err.status, status);
    assert_true(strlen(err.text) > 10);
    return status;
}

static const uint8_t *pixel(const struct sp_image *image, int x, int y)
{
    return image->pixels + (size_t)y * (size_t)image->stride + (size_t)x * 3;
}

static void assert_pixel(const struct sp_image *image, int x, int y, int red, int green, int blue, int slack)
{
    const uint8_t *p = pixel(image, x, y);
    if (abs(p[0] - red) > slack || abs(p[1] - green) > slack || abs(p[2] - blue) > slack)
        fail_msg("pixel %d,%d is %d,%d,%d and not %d,%d,%d", x, y, p[0], p[1], p[2], red, green, blue);
}

/* Corners and middle of an image that was encoded from spec with three colours. */
static void assert_pattern(const struct sp_image *image, const struct encode_spec *spec, int slack)
{
    int xs[3] = {0, spec->width / 2, spec->width - 1}, ys[3] = {0, spec->height / 2, spec->height - 1};
    assert_int_equal(image->width, spec->width);
    assert_int_equal(image->height, spec->height);
    for (int i = 0; i < 9; i++) {
        int x = xs[i % 3], y = ys[i / 3];
        bool grey = spec->channels < 3;
        int red = encode_pixel(spec, x, y, 0);
        assert_pixel(image, x, y, red, grey ? red : encode_pixel(spec, x, y, 1),
                     grey ? red : encode_pixel(spec, x, y, 2), slack);
    }
}

static void jpeg_kinds(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        struct encode_spec spec = {
            .width = 75, .height = 53, .channels = (const int[]){1, 3, 4}[kind % 3], .progressive = kind / 3};
        uint8_t *bytes;
        size_t length;
        encode_jpeg(&spec, &bytes, &length);
        struct sp_image *image = decoded(bytes, length);
        assert_pattern(image, &spec, 6);
        sp_image_free(&image);
        assert_null(image);
        free(bytes);
    }
}

static void png_kinds(void **state)
{
    (void)state;
    for (int kind = 0; kind < 16; kind++) {
        struct encode_spec spec = {.width = 41,
                                   .height = 37,
                                   .channels = 1 + kind % 4,
                                   .depth = kind & 4 ? 16 : 8,
                                   .progressive = kind / 8,
                                   .alpha = 255};
        uint8_t *bytes;
        size_t length;
        encode_png(&spec, &bytes, &length);
        struct sp_image *image = decoded(bytes, length);
        assert_pattern(image, &spec, 0);
        sp_image_free(&image);
        free(bytes);
    }
}

static void png_transparency_is_laid_on_white(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct encode_spec spec = {.width = 20,
                                   .height = 20,
                                   .channels = (const int[]){0, 2, 4, 2, 4}[kind],
                                   .depth = kind > 2 ? 16 : 8,
                                   .alpha = 0};
        uint8_t *bytes;
        size_t length;
        encode_png(&spec, &bytes, &length);
        struct sp_image *image = decoded(bytes, length);
        assert_pixel(image, 7, 8, 255, 255, 255, kind > 2 ? 1 : 0); /* libpng rounds 16-bit white down */
        if (kind == 0)
            assert_pixel(image, 8, 8, 200, 10, 20, 0);
        sp_image_free(&image);
        free(bytes);
    }
}

/* Where pixel 0,0 and pixel 1,0 of the upright picture are in the stored one, for each orientation. */
static void orientations(void **state)
{
    (void)state;
    const int w = 64, h = 48;
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int big = 0; big < 2; big++) {
            struct encode_spec spec = {
                .width = w, .height = h, .channels = 3, .orientation = orientation, .big_endian = big};
            uint8_t *bytes;
            size_t length;
            encode_jpeg(&spec, &bytes, &length);
            assert_int_equal(sp_image_jpeg_orientation(bytes, length), orientation);
            struct sp_image *image = decoded(bytes, length);
            bool swapped = orientation >= 5;
            assert_int_equal(image->width, swapped ? h : w);
            assert_int_equal(image->height, swapped ? w : h);
            /* Row 0 of the stored picture is the upright one's: top, top, bottom, bottom, left, right, right, left;
             * column 0: left, right, right, left, top, top, bottom, bottom (EXIF 2.3, table of tag 274). */
            bool row0_far = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
            bool column0_far = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
            for (int corner = 0; corner < 4; corner++) {
                int column = corner & 1 ? w - 1 : 0, row = corner & 2 ? h - 1 : 0;
                bool far_row = (row != 0) != row0_far, far_column = (column != 0) != column0_far;
                int y = swapped ? (far_column ? image->height - 1 : 0) : (far_row ? image->height - 1 : 0);
                int x = swapped ? (far_row ? image->width - 1 : 0) : (far_column ? image->width - 1 : 0);
                assert_pixel(image, x, y, encode_pixel(&spec, column, row, 0), encode_pixel(&spec, column, row, 1),
                             encode_pixel(&spec, column, row, 2), 8);
            }
            sp_image_free(&image);
            free(bytes);
        }
}

static void damaged_exif_is_no_orientation(void **state)
{
    (void)state;
    struct encode_spec spec = {.width = 32, .height = 32, .channels = 3, .orientation = 6};
    uint8_t *bytes;
    size_t length, exif = 0;
    encode_jpeg(&spec, &bytes, &length);
    for (size_t i = 0; i + 4 < length && !exif; i++)
        if (memcmp(bytes + i, "Exif", 4) == 0)
            exif = i;
    assert_true(exif > 0);
    for (size_t cut = 0; cut < exif + 40; cut++)
        assert_in_range(sp_image_jpeg_orientation(bytes, cut), 1, 8);
    for (size_t at = exif; at < exif + 32; at++) {
        uint8_t kept = bytes[at];
        for (int value = 0; value < 256; value += 5) {
            bytes[at] = (uint8_t)value;
            assert_in_range(sp_image_jpeg_orientation(bytes, length), 1, 8);
        }
        bytes[at] = kept;
    }
    bytes[exif + 10] = 0xff; /* the directory is far beyond the block */
    assert_int_equal(sp_image_jpeg_orientation(bytes, length), 1);
    free(bytes);
}

/* Every prefix of a file is refused as damaged, or as no image at all while the magic is incomplete. */
static void assert_no_prefix_passes(const uint8_t *bytes, size_t length, size_t magic)
{
    struct sp_image_limits limits = sp_image_limits_default();
    for (size_t cut = 0; cut < length; cut += cut < 700 || cut + 40 > length ? 1 : 7) {
        /* In a block of its own size, so that a read beyond it is seen. */
        uint8_t *prefix = malloc(cut ? cut : 1);
        memcpy(prefix, bytes, cut);
        enum sp_status status = refused(prefix, cut, &limits);
        assert_int_equal(status, cut < magic ? SP_E_UNSUPPORTED : SP_E_FORMAT);
        free(prefix);
    }
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        struct encode_spec spec = {
            .width = 75, .height = 53, .channels = 3, .depth = 8, .progressive = progressive};
        uint8_t *bytes;
        size_t length;
        encode_jpeg(&spec, &bytes, &length);
        assert_no_prefix_passes(bytes, length, 3);
        free(bytes);
        encode_png(&spec, &bytes, &length);
        assert_no_prefix_passes(bytes, length, 8);
        free(bytes);
    }
}

static void put_16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* A header that claims 50,000 x 50,000 px over a small file. 7.5 GB would be asked for if it were believed; the
 * limit answers, and it answers before the pixels that are not there are missed. */
static void lying_headers_are_refused(void **state)
{
    (void)state;
    struct sp_image_limits limits = sp_image_limits_default();
    struct encode_spec spec = {.width = 32, .height = 32, .channels = 3, .depth = 8};
    uint8_t *bytes;
    size_t length;
    encode_jpeg(&spec, &bytes, &length);
    for (size_t i = 0; i + 9 < length; i++)
        if (bytes[i] == 0xff && bytes[i + 1] == 0xc0) {
            put_16(bytes + i + 5, 50000);
            put_16(bytes + i + 7, 50000);
            break;
        }
    assert_int_equal(refused(bytes, length, &limits), SP_E_LIMIT);
    free(bytes);
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0, 0,    13,
                                  'I',  'H', 'D', 'R', 0,    0,    0xc3, 0x50, 0,    0, 0xc3, 0x50,
                                  8,    2,   0,   0,   0,    0x3c, 0x8a, 0x8c, 0x0c, 0, 0,    0,
                                  0,    'I', 'D', 'A', 'T',  0x35, 0xaf, 0x06, 0x1e};
    uint8_t header[sizeof png];
    memcpy(header, png, sizeof png);
    /* CRC-32 of type and body, as PNG defines it. */
    uint32_t crc = 0xffffffff;
    for (size_t i = 12; i < 29; i++) {
        crc ^= header[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    crc = ~crc;
    put_16(header + 29, crc >> 16);
    put_16(header + 31, crc & 0xffff);
    assert_int_equal(refused(header, sizeof header, &limits), SP_E_LIMIT);
}

static void limits_hold(void **state)
{
    (void)state;
    struct encode_spec spec = {.width = 100, .height = 60, .channels = 3, .depth = 8};
    for (int png = 0; png < 2; png++) {
        uint8_t *bytes;
        size_t length;
        struct sp_image *image = NULL;
        struct sp_image_limits limits = {.min_side_px = 60, .max_side_px = 100, .max_pixels = 6000};
        (png ? encode_png : encode_jpeg)(&spec, &bytes, &length);
        limits.max_bytes = length;
        assert_int_equal(sp_image_decode(&image, bytes, length, &limits, NULL), SP_OK);
        sp_image_free(&image);
        struct sp_image_limits tight = limits;
        tight.max_bytes = length - 1;
        assert_int_equal(refused(bytes, length, &tight), SP_E_LIMIT);
        tight = limits;
        tight.min_side_px = 61;
        assert_int_equal(refused(bytes, length, &tight), SP_E_LIMIT);
        tight = limits;
        tight.max_side_px = 99;
        assert_int_equal(refused(bytes, length, &tight), SP_E_LIMIT);
        tight = limits;
        tight.max_pixels = 5999;
        assert_int_equal(refused(bytes, length, &tight), SP_E_LIMIT);
        free(bytes);
    }
}

static void other_formats_are_unsupported(void **state)
{
    (void)state;
    struct sp_image_limits limits = sp_image_limits_default();
    static const char gif[] = "GIF89a..........................";
    assert_int_equal(refused((const uint8_t *)gif, sizeof gif, &limits), SP_E_UNSUPPORTED);
    assert_int_equal(refused((const uint8_t *)"", 0, &limits), SP_E_UNSUPPORTED);
}

/* Any byte of a file flipped: refused or decoded, never a crash and never another size. */
static void damaged_bytes_are_survived(void **state)
{
    (void)state;
    struct sp_image_limits limits = {
        .min_side_px = 16, .max_side_px = 512, .max_pixels = 100000, .max_bytes = 1 << 20};
    struct encode_spec spec = {.width = 40, .height = 30, .channels = 3, .depth = 8};
    for (int png = 0; png < 2; png++) {
        uint8_t *bytes;
        size_t length;
        (png ? encode_png : encode_jpeg)(&spec, &bytes, &length);
        for (size_t at = 0; at < length; at++) {
            struct sp_image *image = NULL;
            bytes[at] ^= 0xff;
            if (sp_image_decode(&image, bytes, length, &limits, NULL) == SP_OK)
                assert_in_range(image->width, 16, 512);
            sp_image_free(&image);
            bytes[at] ^= 0xff;
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_kinds),
        cmocka_unit_test(png_kinds),
        cmocka_unit_test(png_transparency_is_laid_on_white),
        cmocka_unit_test(orientations),
        cmocka_unit_test(damaged_exif_is_no_orientation),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(lying_headers_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(other_formats_are_unsupported),
        cmocka_unit_test(damaged_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
