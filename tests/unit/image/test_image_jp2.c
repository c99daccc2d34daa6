/* JPEG 2000: every kind that a passport holds, and headers that claim what no portrait is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/image_codec.h"
#include "tests/unit/image/encode_jp2.h"

static void assert_same(const struct sp_image *image, const struct encode_spec *spec, int slack)
{
    assert_int_equal(image->width, spec->width);
    assert_int_equal(image->height, spec->height);
    for (int y = 0; y < spec->height; y++)
        for (int x = 0; x < spec->width; x++)
            for (int c = 0; c < 3; c++) {
                int wanted = encode_pixel(spec, x, y, spec->channels < 3 ? 0 : c);
                int is = image->pixels[y * image->stride + 3 * x + c];
                if (abs(is - wanted) > slack)
                    fail_msg("pixel %d,%d channel %d is %d and not %d", x, y, c, is, wanted);
            }
}

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct encode_jp2_spec spec; /* channels of the picture; the size is set below */
        int slack;
    } rows[] = {
        {"grey", {.picture = {.channels = 1}}, 0},
        {"grey, JP2", {.picture = {.channels = 1}, .boxes = 1}, 0},
        {"grey and alpha", {.picture = {.channels = 2, .alpha = 3}, .boxes = 1}, 0},
        {"RGB", {.picture = {.channels = 3}}, 0},
        {"RGB, JP2", {.picture = {.channels = 3}, .boxes = 1}, 0},
        {"RGB and alpha", {.picture = {.channels = 4, .alpha = 0}, .boxes = 1}, 0},
        {"RGB, lossy", {.picture = {.channels = 3}, .boxes = 1, .lossy = 8}, 12},
        {"sYCC", {.picture = {.channels = 3}, .boxes = 1, .ycc = 1}, 2},
        {"sYCC, halved colours", {.picture = {.channels = 3}, .boxes = 1, .ycc = 2}, 8},
        {"halved colours without a word", {.picture = {.channels = 3}, .ycc = 2}, 8},
        {"halved colours at an odd origin", {.picture = {.channels = 3}, .ycc = 2, .origin = 3}, 8},
        {"12 bits", {.picture = {.channels = 3}, .depth = 12}, 1},
        {"16 bits", {.picture = {.channels = 1}, .depth = 16, .boxes = 1}, 1},
        {"5 bits", {.picture = {.channels = 3}, .depth = 5}, 5},
        {"signed", {.picture = {.channels = 3}, .is_signed = 1}, 0},
        {"tiles", {.picture = {.channels = 3}, .tile = 32}, 0},
        {"tiles and layers", {.picture = {.channels = 3}, .tile = 40, .layers = 3, .boxes = 1}, 0},
        {"precincts", {.picture = {.channels = 3}, .precinct = 64, .block = 16}, 0},
        {"one resolution", {.picture = {.channels = 3}, .resolutions = 1}, 0},
        {"an origin", {.picture = {.channels = 3}, .origin = 5}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int odd = 0; odd < 2; odd++) {
            struct encode_jp2_spec spec = rows[i].spec;
            struct sp_image_limits limits = sp_image_limits_default();
            struct sp_image *image = NULL;
            struct sp_err err = {0};
            uint8_t *bytes;
            size_t length;
            spec.picture.width = odd ? 75 : 96;
            spec.picture.height = odd ? 101 : 128;
            encode_jp2(&spec, &bytes, &length);
            assert_int_equal(sp_image_sniff(bytes, length), spec.boxes ? SP_IMAGE_JP2 : SP_IMAGE_J2K);
            if (sp_image_decode(&image, bytes, length, &limits, &err) != SP_OK)
                fail_msg("%s: %s", rows[i].name, err.text);
            assert_same(image, &spec.picture, rows[i].slack);
            sp_image_free(&image);
            free(bytes);
        }
}

/* One picture as PNG and as JPEG 2000: lossless the same pixels, lossy nearly. */
static void png_and_jp2_agree(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 120, .height = 160, .channels = 3, .depth = 8}, .boxes = 1};
    struct sp_image_limits limits = sp_image_limits_default();
    for (int lossy = 0; lossy < 2; lossy++) {
        struct sp_image *png = NULL, *jp2 = NULL;
        uint8_t *bytes;
        size_t length;
        int64_t sum = 0;
        encode_png(&spec.picture, &bytes, &length);
        assert_int_equal(sp_image_decode(&png, bytes, length, &limits, NULL), SP_OK);
        free(bytes);
        spec.lossy = lossy ? 15 : 0;
        encode_jp2(&spec, &bytes, &length);
        assert_int_equal(sp_image_decode(&jp2, bytes, length, &limits, NULL), SP_OK);
        free(bytes);
        assert_int_equal(jp2->width, png->width);
        assert_int_equal(jp2->height, png->height);
        assert_int_equal(jp2->stride, png->stride);
        for (int i = 0; i < png->height * png->stride; i++) {
            int difference = abs(png->pixels[i] - jp2->pixels[i]);
            assert_in_range(difference, 0, lossy ? 20 : 0);
            sum += difference;
        }
        assert_in_range(sum, 0, lossy ? png->height * png->stride : 0); /* under one step on average */
        sp_image_free(&png);
        sp_image_free(&jp2);
    }
}

static enum sp_status decode(const uint8_t *bytes, size_t length, struct sp_err *err)
{
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    enum sp_status status = sp_image_decode(&image, bytes, length, &limits, err);
    sp_image_free(&image);
    return status;
}

static void refused(const uint8_t *bytes, size_t length, enum sp_status wanted, const char *says)
{
    struct sp_err err = {0};
    enum sp_status status = decode(bytes, length, &err);
    if (status != wanted || !strstr(err.text, says))
        fail_msg("wanted %s '%s', is %s: %s", sp_status_name(wanted), says, sp_status_name(status), err.text);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (int boxes = 0; boxes < 2; boxes++) {
        struct encode_jp2_spec spec = {
            .picture = {.width = 40, .height = 52, .channels = 3}, .boxes = boxes, .lossy = 10, .tile = 32};
        uint8_t *bytes;
        size_t length;
        encode_jp2(&spec, &bytes, &length);
        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *prefix = malloc(cut ? cut : 1);
            memcpy(prefix, bytes, cut);
            assert_int_equal(decode(prefix, cut, NULL), cut < (boxes ? 12u : 4u) ? SP_E_UNSUPPORTED : SP_E_FORMAT);
            free(prefix);
        }
        free(bytes);
    }
}

static size_t find_16(const uint8_t *bytes, size_t length, unsigned marker)
{
    for (size_t at = 0; at + 1 < length; at++)
        if (bytes[at] == marker >> 8 && bytes[at + 1] == (marker & 0xff))
            return at;
    fail_msg("no marker %04x", marker);
    return 0;
}

/* A last tile part of length 0 goes up to the end marker, with or without filling behind it. */
static void tile_part_of_open_length(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 48, .height = 64, .channels = 1}};
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    uint8_t *filled = calloc(length + 9, 1);
    memcpy(filled, bytes, length);
    memset(filled + find_16(bytes, length, 0xff90) + 6, 0, 4);
    assert_int_equal(decode(filled, length, NULL), SP_OK);
    assert_int_equal(decode(filled, length + 9, NULL), SP_OK);
    refused(filled, length - 1, SP_E_FORMAT, "ends early");
    filled[length + 8] = 1;
    refused(filled, length + 9, SP_E_FORMAT, "ends early");
    free(filled);
    free(bytes);
}

/* Any byte replaced: refused or decoded within the limits, never a crash, never a word on stderr. */
static void damage_is_survived(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 32, .height = 32, .channels = 3}, .boxes = 1, .lossy = 20};
    uint8_t *bytes;
    size_t length;
    int pipe_ends[2], kept = dup(STDERR_FILENO), decoded = 0;
    char word;
    encode_jp2(&spec, &bytes, &length);
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    for (size_t at = 0; at < length; at++)
        for (int value = 0; value < 3; value++) {
            uint8_t old = bytes[at];
            bytes[at] = (uint8_t)(value == 0 ? ~old : value == 1 ? old + 1 : 0xff);
            decoded += decode(bytes, length, NULL) == SP_OK;
            bytes[at] = old;
        }
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(pipe_ends[1]);
    assert_int_equal(read(pipe_ends[0], &word, 1), 0);
    close(pipe_ends[0]);
    assert_true(decoded > 0); /* damage in the coefficients has no checksum to trip over */
    free(bytes);
}

static void put_32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* SIZ of a good file with one value replaced: `at` from the marker, `bytes` wide. */
static void siz(size_t at, int width, uint32_t value, enum sp_status wanted, const char *says)
{
    struct encode_jp2_spec spec = {.picture = {.width = 48, .height = 64, .channels = 3}};
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    uint8_t *field = bytes + find_16(bytes, length, 0xff51) + at;
    for (int i = 0; i < width; i++)
        field[i] = (uint8_t)(value >> 8 * (width - 1 - i));
    refused(bytes, length, wanted, says);
    free(bytes);
}

static void sizes_have_limits(void **state)
{
    (void)state;
    siz(6, 4, 50000, SP_E_LIMIT, "50000 x 64 px is over the limit");
    siz(10, 4, 0xffffffff, SP_E_FORMAT, "do not fit");
    siz(6, 4, 8, SP_E_LIMIT, "under the limit");
    siz(6, 4, 0, SP_E_FORMAT, "do not fit");
    siz(14, 4, 48, SP_E_FORMAT, "do not fit");   /* the picture begins where it ends */
    siz(22, 4, 0, SP_E_FORMAT, "do not fit");    /* tiles without a width */
    siz(22, 4, 1, SP_E_FORMAT, "1 of 48 tiles"); /* tiles that are not there */
    siz(38, 2, 5, SP_E_UNSUPPORTED, "5 components");
    siz(38, 2, 0, SP_E_UNSUPPORTED, "0 components");
    siz(38, 2, 0xffff, SP_E_UNSUPPORTED, "65535 components");
    siz(38, 2, 2, SP_E_FORMAT, "SIZ of");
    siz(40, 1, 37, SP_E_UNSUPPORTED, "38 bits");
    siz(40, 1, 16, SP_E_UNSUPPORTED, "17 bits");
    siz(41, 1, 2, SP_E_UNSUPPORTED, "subsampled 2 x 1"); /* luminance */
    siz(44, 1, 4, SP_E_UNSUPPORTED, "component 1 is subsampled 4 x 1");
    siz(44, 1, 0, SP_E_UNSUPPORTED, "subsampled 0 x 1");
}

static void tiles_have_a_limit(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 48, .height = 64, .channels = 1}};
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    size_t at = find_16(bytes, length, 0xff51);
    put_32(bytes + at + 22, 1);
    put_32(bytes + at + 26, 1);
    refused(bytes, length, SP_E_LIMIT, "3072 tiles are over the limit of 1024");
    free(bytes);
}

/* COD of a good file with one value replaced. */
static void cod(size_t at, int width, uint32_t value, enum sp_status wanted, const char *says)
{
    struct encode_jp2_spec spec = {.picture = {.width = 400, .height = 500, .channels = 3}, .precinct = 128};
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    uint8_t *field = bytes + find_16(bytes, length, 0xff52) + at;
    for (int i = 0; i < width; i++)
        field[i] = (uint8_t)(value >> 8 * (width - 1 - i));
    refused(bytes, length, wanted, says);
    free(bytes);
}

static void cuts_have_limits(void **state)
{
    (void)state;
    cod(9, 1, 33, SP_E_FORMAT, "coding style");
    cod(9, 1, 17, SP_E_FORMAT, "coding style"); /* more precincts than bytes for them */
    cod(10, 1, 9, SP_E_FORMAT, "code-blocks of 2^11");
    cod(12, 1, 0x40, SP_E_UNSUPPORTED, "later parts");
    cod(14 + 5, 1, 0x11, SP_E_LIMIT,
        "precincts"); /* 2 x 2 px in the largest resolution: 50,000 for each component */
    cod(14 + 5, 1, 0x00, SP_E_FORMAT, "precincts of one sample");
    cod(6, 2, 0xffff, SP_E_LIMIT, "65535 layers");
    cod(6, 2, 0, SP_E_FORMAT, "no coding style");
}

static void resolutions_have_a_limit(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 48, .height = 64, .channels = 1}};
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    bytes[find_16(bytes, length, 0xff52) + 9] = 17;
    refused(bytes, length, SP_E_LIMIT, "18 resolutions");
    free(bytes);
}

static void samples_have_a_limit(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 48, .height = 64, .channels = 3}};
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    limits.max_pixels = 48 * 64 * 3;
    assert_int_equal(sp_image_decode(&image, bytes, length, &limits, NULL), SP_OK);
    sp_image_free(&image);
    limits.max_pixels--;
    assert_int_equal(sp_image_decode(&image, bytes, length, &limits, NULL), SP_E_LIMIT);
    free(bytes);
}

/* Boxes that lie, and colours that are not read. */
static void boxes_are_judged(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 48, .height = 64, .channels = 3}, .boxes = 1};
    uint8_t *bytes;
    size_t length;
    encode_jp2(&spec, &bytes, &length);
    size_t colr = 0;
    for (size_t at = 0; at + 4 < length && !colr; at++)
        if (memcmp(bytes + at, "colr", 4) == 0)
            colr = at;
    assert_true(colr > 0);
    bytes[colr + 10] = 12;
    refused(bytes, length, SP_E_UNSUPPORTED, "colour space 12");
    bytes[colr + 10] = 16;
    assert_int_equal(decode(bytes, length, NULL), SP_OK);
    memcpy(bytes + colr, "pclr", 4);
    refused(bytes, length, SP_E_UNSUPPORTED, "palette");
    memcpy(bytes + colr, "colr", 4);
    uint8_t old = bytes[colr - 1];
    bytes[colr - 1] = 7;
    refused(bytes, length, SP_E_FORMAT, "a box of 7 bytes");
    bytes[colr - 1] = 0xff;
    refused(bytes, length, SP_E_FORMAT, "ends early");
    bytes[colr - 1] = old;
    /* The codestream's box one byte short of its end marker. */
    size_t stream = find_16(bytes, length, 0xff4f);
    put_32(bytes + stream - 8, (uint32_t)(length - stream + 7));
    refused(bytes, length, SP_E_FORMAT, "no end marker");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(png_and_jp2_agree),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(tile_part_of_open_length),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(tiles_have_a_limit),
        cmocka_unit_test(cuts_have_limits),
        cmocka_unit_test(resolutions_have_a_limit),
        cmocka_unit_test(samples_have_a_limit),
        cmocka_unit_test(boxes_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
