#include "tests/unit/image/encode_jp2.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <openjpeg.h>

struct growing {
    uint8_t *bytes;
    size_t length, at;
};

static void reach(struct growing *file, size_t end)
{
    if (end <= file->length)
        return;
    file->bytes = realloc(file->bytes, end);
    if (!file->bytes)
        abort();
    memset(file->bytes + file->length, 0, end - file->length);
    file->length = end;
}

static OPJ_SIZE_T put(void *bytes, OPJ_SIZE_T count, void *user)
{
    struct growing *file = user;
    reach(file, file->at + count);
    memcpy(file->bytes + file->at, bytes, count);
    file->at += count;
    return count;
}

static OPJ_OFF_T skip(OPJ_OFF_T count, void *user)
{
    struct growing *file = user;
    file->at += (size_t)count;
    reach(file, file->at);
    return count;
}

static OPJ_BOOL seek(OPJ_OFF_T to, void *user)
{
    ((struct growing *)user)->at = (size_t)to;
    return OPJ_TRUE;
}

static double colour_value(const struct encode_jp2_spec *spec, int x, int y, int c)
{
    if (spec->pixels)
        return spec->pixels[((size_t)y * (size_t)spec->picture.width + (size_t)x) * 3 + (size_t)c];
    return encode_pixel(&spec->picture, x, y, c);
}

/* Value 0..255 of plane c at px x, y. */
static double plane_value(const struct encode_jp2_spec *spec, int x, int y, int c)
{
    const struct encode_spec *picture = &spec->picture;
    if (c == 3 || (picture->channels == 2 && c == 1))
        return picture->alpha;
    if (!spec->ycc)
        return colour_value(spec, x, y, c);
    double red = colour_value(spec, x, y, 0), green = colour_value(spec, x, y, 1);
    double blue = colour_value(spec, x, y, 2);
    switch (c) {
    case 0:
        return 0.299 * red + 0.587 * green + 0.114 * blue;
    case 1:
        return 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue;
    default:
        return 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue;
    }
}

static opj_image_t *make_planes(const struct encode_jp2_spec *spec)
{
    opj_image_cmptparm_t parameters[4] = {0};
    int depth = spec->depth ? spec->depth : 8, width = spec->picture.width, height = spec->picture.height;
    int count = spec->picture.channels, first = spec->origin;
    for (int c = 0; c < count; c++) {
        int step = spec->ycc == 2 && (c == 1 || c == 2) ? 2 : 1;
        parameters[c].dx = parameters[c].dy = (OPJ_UINT32)step;
        parameters[c].w = (OPJ_UINT32)((first + width + step - 1) / step - (first + step - 1) / step);
        parameters[c].h = (OPJ_UINT32)((first + height + step - 1) / step - (first + step - 1) / step);
        parameters[c].prec = (OPJ_UINT32)depth;
        parameters[c].sgnd = (OPJ_UINT32)spec->is_signed;
    }
    opj_image_t *planes = opj_image_create((OPJ_UINT32)count, parameters,
                                           count < 3   ? OPJ_CLRSPC_GRAY
                                           : spec->ycc ? OPJ_CLRSPC_SYCC
                                                       : OPJ_CLRSPC_SRGB);
    if (!planes)
        abort();
    planes->x0 = planes->y0 = (OPJ_UINT32)first;
    planes->x1 = (OPJ_UINT32)(first + width);
    planes->y1 = (OPJ_UINT32)(first + height);
    for (int c = 0; c < count; c++) {
        opj_image_comp_t *plane = &planes->comps[c];
        int step = (int)plane->dx, begin = (first + step - 1) / step;
        for (int y = 0; y < (int)plane->h; y++)
            for (int x = 0; x < (int)plane->w; x++) {
                double value = plane_value(spec, (begin + x) * step - first, (begin + y) * step - first, c);
                OPJ_INT32 sample = (OPJ_INT32)lround(value * ((1 << depth) - 1) / 255);
                plane->data[y * (int)plane->w + x] = sample - (spec->is_signed ? 1 << (depth - 1) : 0);
            }
    }
    return planes;
}

void encode_jp2(const struct encode_jp2_spec *spec, uint8_t **ret_bytes, size_t *ret_length)
{
    struct growing file = {0};
    opj_cparameters_t parameters;
    opj_set_default_encoder_parameters(&parameters);
    parameters.tcp_numlayers = spec->layers ? spec->layers : 1;
    parameters.cp_disto_alloc = 1;
    for (int i = 0; i < parameters.tcp_numlayers; i++)
        parameters.tcp_rates[i] = i == parameters.tcp_numlayers - 1 ? (float)spec->lossy : 40.0f - (float)i;
    parameters.irreversible = spec->lossy > 0;
    parameters.tcp_mct = spec->picture.channels >= 3 && !spec->ycc;
    parameters.numresolution = spec->resolutions ? spec->resolutions : 6;
    if (spec->block)
        parameters.cblockw_init = parameters.cblockh_init = spec->block;
    if (spec->precinct) {
        parameters.csty |= 1;
        parameters.res_spec = 1;
        parameters.prcw_init[0] = parameters.prch_init[0] = spec->precinct;
    }
    if (spec->tile) {
        parameters.tile_size_on = OPJ_TRUE;
        parameters.cp_tdx = parameters.cp_tdy = spec->tile;
    }
    opj_image_t *planes = make_planes(spec);
    opj_codec_t *codec = opj_create_compress(spec->boxes ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_FALSE);
    if (!codec || !stream)
        abort();
    opj_stream_set_user_data(stream, &file, NULL);
    opj_stream_set_write_function(stream, put);
    opj_stream_set_skip_function(stream, skip);
    opj_stream_set_seek_function(stream, seek);
    if (!opj_setup_encoder(codec, &parameters, planes) || !opj_start_compress(codec, planes, stream) ||
        !opj_encode(codec, stream) || !opj_end_compress(codec, stream))
        abort();
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(planes);
    *ret_bytes = file.bytes;
    *ret_length = file.length;
}
