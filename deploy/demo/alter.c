#include "deploy/demo/alter.h"

#include <math.h>
#include <stdlib.h>
#include <turbojpeg.h>

#include "common/file.h"
#include "workers/resample.h"

const struct demo_alteration demo_alterations[] = {
    {"plain", 1, 0, 1, 95},        {"smaller", 0.5f, 0, 1, 90}, {"darker", 1, 0, 0.45f, 90},
    {"recompressed", 1, 0, 1, 30}, {"turned", 1, 12, 1, 90},    {NULL},
};

static void darken(uint8_t *pixels, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)lroundf((float)pixels[i] * factor);
}

static enum sp_status write_jpeg(const char *path, const uint8_t *pixels, int side, int quality, struct sp_err *err)
{
    unsigned char *jpeg = NULL;
    unsigned long length = 0;
    tjhandle handle = tjInitCompress();
    if (!handle)
        return sp_fail(err, SP_E_NOMEM, "%s: no JPEG compressor", path);
    enum sp_status status =
        tjCompress2(handle, pixels, side, 0, side, TJPF_RGB, &jpeg, &length, TJSAMP_420, quality, 0) == 0
            ? sp_file_write(path, jpeg, length, 0644, err)
            : sp_fail(err, SP_E_INTERNAL, "%s: %s", path, tjGetErrorStr2(handle));
    tjFree(jpeg);
    tjDestroy(handle);
    return status;
}

enum sp_status demo_alter_write(const char *path, const struct sp_image *image, const struct demo_square *square,
                                const struct demo_alteration *alteration, struct sp_err *err)
{
    struct sp_resampler *resampler = NULL;
    int side = (int)lroundf(square->side * alteration->scale);
    float angle = alteration->degrees * (float)M_PI / 180;
    struct sp_similarity map = {.a = alteration->scale * cosf(angle), .b = alteration->scale * sinf(angle)};
    map.tx = (float)side / 2 - (map.a * square->centre_x - map.b * square->centre_y);
    map.ty = (float)side / 2 - (map.b * square->centre_x + map.a * square->centre_y);
    uint8_t *pixels = malloc((size_t)side * (size_t)side * 3);
    if (!pixels)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for %d px", path, side);
    enum sp_status status = sp_resampler_new(&resampler, err);
    if (status == SP_OK)
        status = sp_resample_warp(resampler, image, &map, side, pixels, err);
    if (status == SP_OK && alteration->brightness != 1)
        darken(pixels, (size_t)side * (size_t)side * 3, alteration->brightness);
    if (status == SP_OK)
        status = write_jpeg(path, pixels, side, alteration->jpeg_quality, err);
    sp_resampler_free(&resampler);
    free(pixels);
    return status;
}
