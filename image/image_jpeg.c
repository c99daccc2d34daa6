#include "image/image_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

/* A progressive file may hold thousands of tiny scans that each cost a pass over the whole image. */
#define MAX_SCANS 64

/* libjpeg's error manager with our way out. The library never exits or prints. */
struct trap {
    struct jpeg_error_mgr manager; /* first: libjpeg hands us this address back */
    jmp_buf out;
    enum sp_status status;
    char text[JMSG_LENGTH_MAX];
};

static void give_up(j_common_ptr common)
{
    struct trap *trap = (struct trap *)common->err;
    if (trap->status == SP_OK) {
        int code = trap->manager.msg_code;
        trap->status =
            code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE ? SP_E_NOMEM
            : code == JERR_CONVERSION_NOTIMPL || code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION
                ? SP_E_UNSUPPORTED
                : SP_E_FORMAT;
        trap->manager.format_message(common, trap->text);
    }
    longjmp(trap->out, 1);
}

/* Warnings that mean "pixels were made up" end the decode; what is merely untidy (stray bytes between segments, an
 * odd JFIF version) passes. */
static void judge_message(j_common_ptr common, int level)
{
    if (level >= 0)
        return;
    switch (common->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
        give_up(common);
        break;
    default:
        break;
    }
}

static void print_nothing(j_common_ptr common)
{
    (void)common;
}

static void watch_scans(j_common_ptr common)
{
    struct jpeg_decompress_struct *codec = (struct jpeg_decompress_struct *)common;
    struct trap *trap = (struct trap *)common->err;
    if (codec->input_scan_number <= MAX_SCANS)
        return;
    trap->status = SP_E_LIMIT;
    snprintf(trap->text, sizeof trap->text, "more than %d scans", MAX_SCANS);
    give_up(common);
}

/* One row of CMYK to RGB. Adobe writes it inverted: 255 is no ink. */
static void cmyk_row(uint8_t *rgb, const uint8_t *cmyk, int width, bool inverted)
{
    unsigned flip = inverted ? 0 : 255;
    for (int x = 0; x < width; x++, rgb += 3, cmyk += 4) {
        unsigned k = cmyk[3] ^ flip;
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(((cmyk[c] ^ flip) * k + 127) / 255);
    }
}

static void read_rows(struct jpeg_decompress_struct *codec, struct sp_image *image)
{
    bool cmyk = codec->out_color_space == JCS_CMYK;
    JSAMPARRAY ink =
        cmyk ? codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, (JDIMENSION)image->width * 4, 1) : NULL;
    while (codec->output_scanline < codec->output_height) {
        JSAMPROW row = image->pixels + (size_t)codec->output_scanline * (size_t)image->stride;
        if (cmyk) {
            jpeg_read_scanlines(codec, ink, 1);
            cmyk_row(row, ink[0], image->width, codec->saw_Adobe_marker);
        } else {
            jpeg_read_scanlines(codec, &row, 1);
        }
    }
}

enum sp_status sp_image_jpeg_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                    const struct sp_image_limits *limits, struct sp_err *err)
{
    struct jpeg_decompress_struct codec;
    struct jpeg_progress_mgr progress = {.progress_monitor = watch_scans};
    struct trap trap = {.status = SP_OK};
    struct sp_image *volatile image = NULL; /* written after setjmp, read after longjmp */
    memset(&codec, 0, sizeof codec);
    codec.err = jpeg_std_error(&trap.manager);
    trap.manager.error_exit = give_up;
    trap.manager.emit_message = judge_message;
    trap.manager.output_message = print_nothing;
    if (setjmp(trap.out)) {
        sp_fail(err, trap.status, "JPEG of %zu bytes: %s", length, trap.text);
        goto fail;
    }
    jpeg_create_decompress(&codec);
    codec.progress = &progress;
    /* Coefficients of a progressive file: at most 4 components of 2 bytes a pixel, and the library's tables. */
    codec.mem->max_memory_to_use = (long)(limits->max_pixels * 8 + (1 << 22));
    jpeg_mem_src(&codec, bytes, (unsigned long)length);
    jpeg_read_header(&codec, TRUE);
    trap.status = sp_image_check_size(limits, codec.image_width, codec.image_height, "JPEG", err);
    if (trap.status != SP_OK)
        goto fail;
    bool four = codec.jpeg_color_space == JCS_CMYK || codec.jpeg_color_space == JCS_YCCK;
    codec.out_color_space = four ? JCS_CMYK : JCS_RGB;
    struct sp_image *fresh = NULL;
    trap.status = sp_image_new(&fresh, (int)codec.image_width, (int)codec.image_height, err);
    if (trap.status != SP_OK)
        goto fail;
    image = fresh;
    jpeg_start_decompress(&codec);
    read_rows(&codec, image);
    jpeg_finish_decompress(&codec); /* reads on to the end marker: a file that lacks it is truncated */
    jpeg_destroy_decompress(&codec);
    *ret_image = image;
    return SP_OK;
fail:
    jpeg_destroy_decompress(&codec);
    fresh = image;
    sp_image_free(&fresh);
    return trap.status;
}

/* A bounded view of a TIFF header in either byte order. */
struct tiff {
    const uint8_t *bytes;
    size_t length;
    bool big_endian;
};

static uint32_t tiff_16(const struct tiff *tiff, size_t at)
{
    const uint8_t *p = tiff->bytes + at;
    return tiff->big_endian ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static uint32_t tiff_32(const struct tiff *tiff, size_t at)
{
    uint32_t first = tiff_16(tiff, at), second = tiff_16(tiff, at + 2);
    return tiff->big_endian ? first << 16 | second : second << 16 | first;
}

/* Tag 0x0112 of the first directory. */
static int tiff_orientation(struct tiff tiff)
{
    if (tiff.length < 8 || tiff.bytes[0] != tiff.bytes[1] || (tiff.bytes[0] != 'I' && tiff.bytes[0] != 'M'))
        return 1;
    tiff.big_endian = tiff.bytes[0] == 'M';
    size_t at = tiff_32(&tiff, 4);
    if (tiff_16(&tiff, 2) != 42 || at > tiff.length - 2)
        return 1;
    uint32_t count = tiff_16(&tiff, at);
    at += 2;
    for (uint32_t i = 0; i < count && tiff.length - at >= 12; i++, at += 12) {
        if (tiff_16(&tiff, at) != 0x0112 || tiff_16(&tiff, at + 2) != 3)
            continue;
        uint32_t value = tiff_16(&tiff, at + 8);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

int sp_image_jpeg_orientation(const uint8_t *bytes, size_t length)
{
    static const uint8_t exif[6] = {'E', 'x', 'i', 'f', 0, 0};
    size_t at = 2;
    while (at + 4 <= length && bytes[at] == 0xff) {
        uint8_t marker = bytes[at + 1];
        if (marker == 0xff) { /* a fill byte */
            at++;
            continue;
        }
        size_t size = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (marker == 0xda || marker == 0xd9 || size < 2 || size > length - at - 2)
            break;
        const uint8_t *body = bytes + at + 4;
        if (marker == 0xe1 && size - 2 > sizeof exif && memcmp(body, exif, sizeof exif) == 0)
            return tiff_orientation((struct tiff){.bytes = body + sizeof exif, .length = size - 2 - sizeof exif});
        at += 2 + size;
    }
    return 1;
}
