#include <stdlib.h>
#include <string.h>
#include <openjpeg.h>

#include "image/image_codec.h"

/* Where the codec reads from. */
struct source {
    const uint8_t *bytes;
    size_t length, at;
};

/* Where the codec's first error goes. */
struct complaint {
    char text[200];
};

static void keep_error(const char *text, void *user)
{
    struct complaint *complaint = user;
    if (complaint->text[0])
        return;
    size_t length = strcspn(text, "\r\n");
    if (length >= sizeof complaint->text)
        length = sizeof complaint->text - 1;
    memcpy(complaint->text, text, length);
}

static void ignore(const char *text, void *user)
{
    (void)text;
    (void)user;
}

static OPJ_SIZE_T read_bytes(void *to, OPJ_SIZE_T count, void *user)
{
    struct source *source = user;
    size_t left = source->length - source->at;
    if (left == 0)
        return (OPJ_SIZE_T)-1;
    if (count > left)
        count = left;
    memcpy(to, source->bytes + source->at, count);
    source->at += count;
    return count;
}

static OPJ_OFF_T skip_bytes(OPJ_OFF_T count, void *user)
{
    struct source *source = user;
    size_t left = source->length - source->at;
    if (count < 0)
        return -1;
    if ((uint64_t)count > left)
        count = (OPJ_OFF_T)left;
    source->at += (size_t)count;
    return count;
}

static OPJ_BOOL seek_bytes(OPJ_OFF_T to, void *user)
{
    struct source *source = user;
    if (to < 0 || (uint64_t)to > source->length)
        return OPJ_FALSE;
    source->at = (size_t)to;
    return OPJ_TRUE;
}

static opj_stream_t *open_stream(struct source *source)
{
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);
    if (!stream)
        return NULL;
    opj_stream_set_user_data(stream, source, NULL);
    opj_stream_set_user_data_length(stream, source->length);
    opj_stream_set_read_function(stream, read_bytes);
    opj_stream_set_skip_function(stream, skip_bytes);
    opj_stream_set_seek_function(stream, seek_bytes);
    return stream;
}

/* The codec's own planes of a scanned codestream. */
static enum sp_status decode_planes(opj_image_t **ret_planes, const struct sp_jp2_header *header,
                                    struct sp_err *err)
{
    struct source source = {.bytes = header->stream, .length = header->length};
    struct complaint complaint = {""};
    opj_dparameters_t parameters;
    opj_image_t *planes = NULL;
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_stream_t *stream = open_stream(&source);
    enum sp_status status = SP_OK;
    if (!codec || !stream) {
        status = sp_fail(err, SP_E_NOMEM, "JPEG 2000 of %zu bytes: out of memory", header->length);
        goto done;
    }
    opj_set_error_handler(codec, keep_error, &complaint);
    opj_set_warning_handler(codec, ignore, NULL);
    opj_set_info_handler(codec, ignore, NULL);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(codec, &parameters) || !opj_decoder_set_strict_mode(codec, OPJ_TRUE) ||
        !opj_read_header(stream, codec, &planes) || !opj_decode(codec, stream, planes) ||
        !opj_end_decompress(codec, stream))
        status = sp_fail(err, SP_E_FORMAT, "JPEG 2000 of %zu bytes: %s", header->length,
                         complaint.text[0] ? complaint.text : "it does not decode");
done:
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    if (status == SP_OK)
        *ret_planes = planes;
    else
        opj_image_destroy(planes);
    return status;
}

/* The planes are those that the headers announced, and all of them are filled. */
static bool planes_fit(const opj_image_t *planes, const struct sp_jp2_header *header)
{
    if (planes->numcomps != (OPJ_UINT32)header->components)
        return false;
    for (int c = 0; c < header->components; c++) {
        const opj_image_comp_t *plane = &planes->comps[c];
        uint32_t dx = (uint32_t)header->component[c].dx, dy = (uint32_t)header->component[c].dy;
        uint32_t x0 = (uint32_t)header->x0, y0 = (uint32_t)header->y0;
        uint32_t x1 = x0 + (uint32_t)header->width, y1 = y0 + (uint32_t)header->height;
        if (!plane->data || plane->w != (x1 + dx - 1) / dx - (x0 + dx - 1) / dx ||
            plane->h != (y1 + dy - 1) / dy - (y0 + dy - 1) / dy || plane->w == 0 || plane->h == 0)
            return false;
    }
    return true;
}

/* The sample nearest to the left of px `at` of the picture, of a plane that keeps each dx-th px of the reference
 * grid. */
static uint32_t sample_at(int at, int origin, int dx, uint32_t count)
{
    int first = (origin + dx - 1) / dx, sample = (origin + at) / dx - first;
    return sample < 0 ? 0 : (uint32_t)sample >= count ? count - 1 : (uint32_t)sample;
}

/* One sample as 0..255. */
static int level(OPJ_INT32 sample, int depth, bool is_signed)
{
    int64_t most = (1 << depth) - 1, value = (int64_t)sample + (is_signed ? 1 << (depth - 1) : 0);
    value = value < 0 ? 0 : value > most ? most : value;
    return depth == 8 ? (int)value : (int)((value * 255 + most / 2) / most);
}

static uint8_t clamp(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + 0.5f);
}

/* One row of the picture from its planes; colour: three planes, of which the last two may be YCbCr (as in JFIF). */
static void fill_row(uint8_t *row, const opj_image_t *planes, const struct sp_jp2_header *header, int y,
                     bool colour, bool ycc)
{
    const OPJ_INT32 *from[3] = {NULL};
    int used = colour ? 3 : 1;
    for (int c = 0; c < used; c++)
        from[c] =
            planes->comps[c].data +
            (size_t)sample_at(y, header->y0, header->component[c].dy, planes->comps[c].h) * planes->comps[c].w;
    for (int x = 0; x < header->width; x++, row += 3) {
        int value[3] = {0};
        for (int c = 0; c < used; c++)
            value[c] = level(from[c][sample_at(x, header->x0, header->component[c].dx, planes->comps[c].w)],
                             header->component[c].depth, header->component[c].is_signed);
        if (ycc) {
            float luma = (float)value[0], blue = (float)value[1] - 128, red = (float)value[2] - 128;
            row[0] = clamp(luma + 1.402f * red);
            row[1] = clamp(luma - 0.344136f * blue - 0.714136f * red);
            row[2] = clamp(luma + 1.772f * blue);
        } else {
            row[0] = (uint8_t)value[0];
            row[1] = (uint8_t)value[colour ? 1 : 0];
            row[2] = (uint8_t)value[colour ? 2 : 0];
        }
    }
}

enum sp_status sp_image_jp2_decode(struct sp_image **ret_image, const uint8_t *bytes, size_t length,
                                   const struct sp_image_limits *limits, struct sp_err *err)
{
    struct sp_jp2_header header;
    opj_image_t *planes = NULL;
    struct sp_image *image = NULL;
    enum sp_status status = sp_jp2_scan(&header, bytes, length, limits, err);
    if (status == SP_OK)
        status = decode_planes(&planes, &header, err);
    if (status == SP_OK && !planes_fit(planes, &header))
        status =
            sp_fail(err, SP_E_FORMAT, "JPEG 2000 of %zu bytes: its planes are not those of its header", length);
    if (status == SP_OK)
        status = sp_image_new(&image, header.width, header.height, err);
    if (status == SP_OK) {
        /* Halved colours are colour differences, whatever the file says or leaves unsaid. */
        bool colour = header.components >= 3 && header.colour != SP_JP2_GREY;
        bool halved = colour && (header.component[1].dx > 1 || header.component[1].dy > 1);
        for (int y = 0; y < header.height; y++)
            fill_row(image->pixels + (size_t)y * (size_t)image->stride, planes, &header, y, colour,
                     colour && (halved || header.colour == SP_JP2_SYCC));
        *ret_image = image;
    }
    opj_image_destroy(planes);
    return status;
}
