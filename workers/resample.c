#include "workers/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/pixel_math.h"

/* Which source samples make one output sample: weights [start .. start + count). */
struct taps {
    int start, count, first_weight;
};

struct sp_resampler {
    float *row;        /* 3 x the widest part: one output row before the horizontal pass */
    struct taps *taps; /* of the axis in hand, x then y */
    float *weights;
    uint8_t *halved; /* the shrunken source of a warp */
    size_t row_capacity, taps_capacity, weights_capacity, halved_capacity;
};

struct sp_norm sp_resample_norm(const struct sp_pack_net *net)
{
    return (struct sp_norm){
        .colour = net->colour, .mean = {net->mean[0], net->mean[1], net->mean[2]}, .scale = net->scale};
}

enum sp_status sp_resampler_new(struct sp_resampler **ret_resampler, struct sp_err *err)
{
    struct sp_resampler *resampler = calloc(1, sizeof *resampler);
    if (!resampler)
        return sp_fail(err, SP_E_NOMEM, "resampler: out of memory");
    *ret_resampler = resampler;
    return SP_OK;
}

void sp_resampler_free(struct sp_resampler **resampler)
{
    if (!resampler || !*resampler)
        return;
    free((*resampler)->row);
    free((*resampler)->taps);
    free((*resampler)->weights);
    free((*resampler)->halved);
    free(*resampler);
    *resampler = NULL;
}

/* Make *block hold count elements; what it held is lost. */
static enum sp_status reserve(void *block, size_t *capacity, size_t count, size_t size, struct sp_err *err)
{
    void *old, *fresh;
    if (count <= *capacity)
        return SP_OK;
    fresh = malloc(count * size);
    if (!fresh)
        return sp_fail(err, SP_E_NOMEM, "resampler: %zu bytes of scratch: out of memory", count * size);
    memcpy(&old, block, sizeof old);
    free(old);
    memcpy(block, &fresh, sizeof fresh);
    *capacity = count;
    return SP_OK;
}

static int at_least_one(float value)
{
    long rounded = lrintf(value);
    return rounded < 1 ? 1 : (int)rounded;
}

/* All of `source` px in `target` px. */
static struct sp_axis whole_axis(int source, int target)
{
    return (struct sp_axis){.origin = 0, .step = (double)source / target, .low = 0, .high = source};
}

struct sp_fit sp_resample_letterbox(int source_width, int source_height, int width, int height, float border)
{
    int frame = (int)(border * (float)(source_width > source_height ? source_width : source_height));
    float across = (float)width / (float)(source_width + 2 * frame);
    float down = (float)height / (float)(source_height + 2 * frame);
    struct sp_fit fit = {.width = width, .height = height, .scale = across < down ? across : down};
    fit.offset_x = fit.offset_y = (int)lrintf((float)frame * fit.scale);
    fit.inner_width = sp_pixel_least(at_least_one((float)source_width * fit.scale), width - fit.offset_x);
    fit.inner_height = sp_pixel_least(at_least_one((float)source_height * fit.scale), height - fit.offset_y);
    fit.across = whole_axis(source_width, fit.inner_width);
    fit.down = whole_axis(source_height, fit.inner_height);
    return fit;
}

/* One side of a box in a square that is `longer` px long. */
static struct sp_axis centred_axis(float from, float to, float longer, int side, int part)
{
    double low = (double)from - part, high = (double)to - part;
    return (struct sp_axis){
        .origin = (low + high - (double)longer) / 2, .step = (double)longer / side, .low = low, .high = high};
}

struct sp_fit sp_resample_centred(const struct sp_box *box, int side, struct sp_rect *ret_part)
{
    float longer = fmaxf(box->x1 - box->x0, box->y1 - box->y0);
    int left = (int)floorf(box->x0), top = (int)floorf(box->y0);
    *ret_part = (struct sp_rect){left, top, (int)ceilf(box->x1) - left, (int)ceilf(box->y1) - top};
    return (struct sp_fit){.width = side,
                           .height = side,
                           .inner_width = side,
                           .inner_height = side,
                           .scale = (float)side / longer,
                           .across = centred_axis(box->x0, box->x1, longer, side, left),
                           .down = centred_axis(box->y0, box->y1, longer, side, top)};
}

/* Weights of one axis. Returns the number of weights. */
static int plan_axis(struct taps *taps, float *weights, int first_weight, const struct sp_axis *axis, int target)
{
    int next = first_weight;
    for (int i = 0; i < target; i++) {
        struct sp_tap tap = sp_pixel_tap(axis, i, weights + next);
        taps[i] = (struct taps){tap.start, tap.count, next};
        next += tap.count;
    }
    return next;
}

/* sum += weight * row, over count bytes: the loop that reads every source pixel. */
static void add_row(float *restrict sum, const uint8_t *restrict row, float weight, int count)
{
    for (int i = 0; i < count; i++)
        sum[i] += weight * (float)row[i];
}

/* One output row of the three planes out of the vertically finished row. */
static void finish_row(const struct sp_resampler *resampler, int target_width, const struct sp_norm *norm,
                       float *planes[3])
{
    int red = norm->colour == SP_COLOUR_RGB ? 0 : 2, blue = 2 - red;
    float *to_red = planes[red], *to_green = planes[1], *to_blue = planes[blue];
    float mean_red = norm->mean[red], mean_green = norm->mean[1], mean_blue = norm->mean[blue];
    for (int x = 0; x < target_width; x++) {
        const struct taps *tap = &resampler->taps[x];
        const float *weight = resampler->weights + tap->first_weight;
        const float *from = resampler->row + (size_t)tap->start * 3;
        float r = 0, g = 0, b = 0;
        for (int i = 0; i < tap->count; i++, from += 3) {
            r += weight[i] * from[0];
            g += weight[i] * from[1];
            b += weight[i] * from[2];
        }
        to_red[x] = (r - mean_red) * norm->scale;
        to_green[x] = (g - mean_green) * norm->scale;
        to_blue[x] = (b - mean_blue) * norm->scale;
    }
}

enum sp_status sp_resample_fit(struct sp_resampler *resampler, const struct sp_image *image,
                               const struct sp_rect *part, const struct sp_fit *fit, const struct sp_norm *norm,
                               float *ret_tensor, struct sp_err *err)
{
    int width = fit->inner_width, height = fit->inner_height;
    size_t plane = (size_t)fit->width * (size_t)fit->height, row_floats = (size_t)part->width * 3;
    size_t weights = (size_t)part->width + (size_t)part->height + 2 * ((size_t)width + (size_t)height);
    enum sp_status status = reserve(&resampler->row, &resampler->row_capacity, row_floats, sizeof(float), err);
    if (status == SP_OK)
        status = reserve(&resampler->taps, &resampler->taps_capacity, (size_t)width + (size_t)height,
                         sizeof(struct taps), err);
    if (status == SP_OK)
        status = reserve(&resampler->weights, &resampler->weights_capacity, weights, sizeof(float), err);
    if (status != SP_OK)
        return status;
    struct taps *down = resampler->taps + width;
    int used = plan_axis(resampler->taps, resampler->weights, 0, &fit->across, width);
    plan_axis(down, resampler->weights, used, &fit->down, height);
    for (int c = 0; c < 3; c++) {
        float zero = (0 - norm->mean[c]) * norm->scale;
        for (size_t i = 0; i < plane; i++)
            ret_tensor[(size_t)c * plane + i] = zero;
    }
    const uint8_t *origin = image->pixels + (size_t)part->y * (size_t)image->stride + (size_t)part->x * 3;
    for (int y = 0; y < height; y++) {
        memset(resampler->row, 0, row_floats * sizeof(float));
        for (int i = 0; i < down[y].count; i++)
            add_row(resampler->row, origin + (size_t)(down[y].start + i) * (size_t)image->stride,
                    resampler->weights[down[y].first_weight + i], (int)row_floats);
        float *to = ret_tensor + (size_t)(fit->offset_y + y) * (size_t)fit->width + fit->offset_x;
        float *planes[3] = {to, to + plane, to + 2 * plane};
        finish_row(resampler, width, norm, planes);
    }
    return SP_OK;
}

/* to = from, halved with a 2 x 2 box; an odd last row or column is dropped. In place is allowed: reading is ahead.
 */
static void halve(uint8_t *to, const struct sp_view *from)
{
    int width = from->width / 2, height = from->height / 2;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            sp_pixel_halve(from, x, y, to + ((size_t)y * (size_t)width + (size_t)x) * 3);
}

/* The part of image that a chip can see through map, with its corner and size multiples of 2^levels, so that
 * halving the part equals halving the whole. Empty parts come back with width 0. */
static struct sp_rect seen_part(int image_width, int image_height, const struct sp_similarity *map, int side,
                                int levels)
{
    float square = map->a * map->a + map->b * map->b, low_x = INFINITY, low_y = INFINITY, high_x = -INFINITY,
          high_y = -INFINITY;
    for (int corner = 0; corner < 4; corner++) {
        float u = (corner & 1 ? (float)side : -1) - map->tx, v = (corner & 2 ? (float)side : -1) - map->ty;
        float x = (map->a * u + map->b * v) / square, y = (map->a * v - map->b * u) / square;
        low_x = fminf(low_x, x);
        low_y = fminf(low_y, y);
        high_x = fmaxf(high_x, x);
        high_y = fmaxf(high_y, y);
    }
    float block = (float)(1 << levels);
    float left = fmaxf(0, floorf(low_x / block) - 1), top = fmaxf(0, floorf(low_y / block) - 1);
    float right = fminf((float)(image_width >> levels), ceilf(high_x / block) + 2);
    float bottom = fminf((float)(image_height >> levels), ceilf(high_y / block) + 2);
    if (!(left < right && top < bottom))
        return (struct sp_rect){0, 0, 0, 0};
    return (struct sp_rect){(int)left << levels, (int)top << levels, (int)(right - left) << levels,
                            (int)(bottom - top) << levels};
}

enum sp_status sp_resample_plan_warp(struct sp_warp *ret_warp, int image_width, int image_height,
                                     const struct sp_similarity *map, int side, struct sp_err *err)
{
    float scale = hypotf(map->a, map->b);
    if (!(scale > 1e-4f && scale < 1e4f))
        return sp_fail(err, SP_E_INVALID, "warp: a map of scale %g is degenerate", (double)scale);
    int levels = 0;
    while (scale * (float)(1 << levels) < 0.5f && (image_width >> levels) > 4 && (image_height >> levels) > 4)
        levels++;
    struct sp_rect part = seen_part(image_width, image_height, map, side, levels);
    /* Chip px -> image px is the inverse map; image u -> halved (u + 0.5) / 2^levels - 0.5, less the part's corner.
     */
    float factor = (float)(1 << levels), square = scale * scale;
    float x0 = (-map->a * map->tx - map->b * map->ty) / square, y0 = (map->b * map->tx - map->a * map->ty) / square;
    *ret_warp = (struct sp_warp){.levels = levels,
                                 .part = part,
                                 .x0 = (x0 + 0.5f - (float)part.x) / factor - 0.5f,
                                 .y0 = (y0 + 0.5f - (float)part.y) / factor - 0.5f,
                                 .ax = map->a / square / factor,
                                 .bx = map->b / square / factor};
    return SP_OK;
}

enum sp_status sp_resample_warp(struct sp_resampler *resampler, const struct sp_image *image,
                                const struct sp_similarity *map, int side, uint8_t *ret_chip, struct sp_err *err)
{
    struct sp_warp warp;
    enum sp_status status = sp_resample_plan_warp(&warp, image->width, image->height, map, side, err);
    if (status != SP_OK)
        return status;
    const struct sp_rect *part = &warp.part;
    struct sp_view view = {image->pixels + (size_t)part->y * (size_t)image->stride + (size_t)part->x * 3,
                           part->width, part->height, image->stride};
    if (warp.levels > 0) {
        size_t bytes = (size_t)(part->width / 2) * (size_t)(part->height / 2) * 3;
        status = reserve(&resampler->halved, &resampler->halved_capacity, bytes, 1, err);
        if (status != SP_OK)
            return status;
        for (int i = 0; i < warp.levels; i++) {
            halve(resampler->halved, &view);
            view = (struct sp_view){resampler->halved, view.width / 2, view.height / 2, view.width / 2 * 3};
        }
    }
    for (int v = 0; v < side; v++)
        for (int u = 0; u < side; u++)
            sp_pixel_warp(&view, &warp, u, v, ret_chip + ((size_t)v * (size_t)side + (size_t)u) * 3);
    return SP_OK;
}

void sp_resample_planes(const uint8_t *chip, int side, const struct sp_norm *norm, float *ret_tensor)
{
    size_t plane = (size_t)side * (size_t)side;
    for (int c = 0; c < 3; c++) {
        const uint8_t *from = chip + (norm->colour == SP_COLOUR_RGB ? c : 2 - c);
        float *to = ret_tensor + (size_t)c * plane, mean = norm->mean[c];
        for (size_t i = 0; i < plane; i++)
            to[i] = ((float)from[3 * i] - mean) * norm->scale;
    }
}
