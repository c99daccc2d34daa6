#include "workers/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static int at_most(int value, int most)
{
    return value < most ? value : most;
}

struct sp_fit sp_resample_letterbox(int source_width, int source_height, int width, int height, float border)
{
    int frame = (int)(border * (float)(source_width > source_height ? source_width : source_height));
    float across = (float)width / (float)(source_width + 2 * frame);
    float down = (float)height / (float)(source_height + 2 * frame);
    struct sp_fit fit = {.width = width, .height = height, .scale = across < down ? across : down};
    fit.offset_x = fit.offset_y = (int)lrintf((float)frame * fit.scale);
    fit.inner_width = at_most(at_least_one((float)source_width * fit.scale), width - fit.offset_x);
    fit.inner_height = at_most(at_least_one((float)source_height * fit.scale), height - fit.offset_y);
    return fit;
}

struct sp_fit sp_resample_centred(int source_width, int source_height, int side)
{
    struct sp_fit fit = sp_resample_letterbox(source_width, source_height, side, side, 0);
    fit.offset_x = (side - fit.inner_width) / 2;
    fit.offset_y = (side - fit.inner_height) / 2;
    return fit;
}

/* Weights of one axis, source px to target px. Shrinking: the share of each source px that the target px covers.
 * Growing: the two neighbours of the target px's centre, clamped at the ends. Returns the number of weights. */
static int plan_axis(struct taps *taps, float *weights, int first_weight, int source, int target)
{
    double step = (double)source / target;
    int next = first_weight;
    for (int i = 0; i < target; i++) {
        struct taps *tap = &taps[i];
        tap->first_weight = next;
        if (step > 1) {
            double from = i * step, to = (i + 1) * step;
            tap->start = at_most((int)from, source - 1);
            int end = at_most((int)ceil(to - 1e-9), source);
            tap->count = end - tap->start;
            for (int s = tap->start; s < end; s++) {
                double left = s > from ? s : from, right = s + 1 < to ? s + 1 : to;
                weights[next++] = (float)((right - left) / step);
            }
        } else {
            double centre = (i + 0.5) * step - 0.5;
            if (centre < 0)
                centre = 0;
            int left = at_most((int)centre, source - 1);
            tap->start = left;
            tap->count = left + 1 < source ? 2 : 1;
            float right_share = tap->count == 2 ? (float)(centre - left) : 0;
            weights[next++] = 1 - right_share;
            if (tap->count == 2)
                weights[next++] = right_share;
        }
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
    int used = plan_axis(resampler->taps, resampler->weights, 0, part->width, width);
    plan_axis(down, resampler->weights, used, part->height, height);
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

/* An RGB picture that need not own its pixels. */
struct view {
    const uint8_t *pixels;
    int width, height, stride;
};

/* to = from, halved with a 2 x 2 box; an odd last row or column is dropped. In place is allowed: reading is ahead.
 */
static void halve(uint8_t *to, const struct view *from)
{
    int width = from->width / 2, height = from->height / 2;
    for (int y = 0; y < height; y++) {
        const uint8_t *upper = from->pixels + (size_t)(2 * y) * (size_t)from->stride, *lower = upper + from->stride;
        uint8_t *row = to + (size_t)y * (size_t)width * 3;
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) {
                int at = 6 * x + c;
                row[3 * x + c] = (uint8_t)((upper[at] + upper[at + 3] + lower[at] + lower[at + 3] + 2) / 4);
            }
    }
}

/* The part of image that a chip can see through map, with its corner and size multiples of 2^levels, so that
 * halving the part equals halving the whole. Empty parts come back with width 0. */
static struct sp_rect seen_part(const struct sp_image *image, const struct sp_similarity *map, int side, int levels)
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
    float right = fminf((float)(image->width >> levels), ceilf(high_x / block) + 2);
    float bottom = fminf((float)(image->height >> levels), ceilf(high_y / block) + 2);
    if (!(left < right && top < bottom))
        return (struct sp_rect){0, 0, 0, 0};
    return (struct sp_rect){(int)left << levels, (int)top << levels, (int)(right - left) << levels,
                            (int)(bottom - top) << levels};
}

/* The value of channel c at column x, row y; zero outside. */
static float sample(const struct view *view, int x, int y, int c)
{
    if (x < 0 || y < 0 || x >= view->width || y >= view->height)
        return 0;
    return view->pixels[(size_t)y * (size_t)view->stride + (size_t)x * 3 + (size_t)c];
}

/* One chip px at source position x, y: bilinear, zeros outside. */
static void blend(const struct view *view, float x, float y, uint8_t *to)
{
    to[0] = to[1] = to[2] = 0;
    if (!(x > -1 && y > -1 && x < (float)view->width && y < (float)view->height))
        return;
    int left = (int)floorf(x), top = (int)floorf(y);
    float fx = x - (float)left, fy = y - (float)top;
    if (left >= 0 && top >= 0 && left + 1 < view->width && top + 1 < view->height) {
        const uint8_t *p = view->pixels + (size_t)top * (size_t)view->stride + (size_t)left * 3,
                      *q = p + view->stride;
        for (int c = 0; c < 3; c++) {
            float upper = (float)p[c] + fx * (float)(p[c + 3] - p[c]);
            float lower = (float)q[c] + fx * (float)(q[c + 3] - q[c]);
            to[c] = (uint8_t)(upper + fy * (lower - upper) + 0.5f);
        }
        return;
    }
    for (int c = 0; c < 3; c++) {
        float upper = sample(view, left, top, c) * (1 - fx) + sample(view, left + 1, top, c) * fx;
        float lower = sample(view, left, top + 1, c) * (1 - fx) + sample(view, left + 1, top + 1, c) * fx;
        to[c] = (uint8_t)(upper * (1 - fy) + lower * fy + 0.5f);
    }
}

enum sp_status sp_resample_warp(struct sp_resampler *resampler, const struct sp_image *image,
                                const struct sp_similarity *map, int side, uint8_t *ret_chip, struct sp_err *err)
{
    float scale = hypotf(map->a, map->b);
    if (!(scale > 1e-4f && scale < 1e4f))
        return sp_fail(err, SP_E_INVALID, "warp: a map of scale %g is degenerate", (double)scale);
    int levels = 0;
    while (scale * (float)(1 << levels) < 0.5f && (image->width >> levels) > 4 && (image->height >> levels) > 4)
        levels++;
    struct sp_rect part = seen_part(image, map, side, levels);
    struct view view = {image->pixels + (size_t)part.y * (size_t)image->stride + (size_t)part.x * 3, part.width,
                        part.height, image->stride};
    if (levels > 0) {
        size_t bytes = (size_t)(part.width / 2) * (size_t)(part.height / 2) * 3;
        enum sp_status status = reserve(&resampler->halved, &resampler->halved_capacity, bytes, 1, err);
        if (status != SP_OK)
            return status;
        for (int i = 0; i < levels; i++) {
            halve(resampler->halved, &view);
            view = (struct view){resampler->halved, view.width / 2, view.height / 2, view.width / 2 * 3};
        }
    }
    /* Chip px -> image px is the inverse map; image u -> halved (u + 0.5) / 2^levels - 0.5, less the part's corner.
     */
    float factor = (float)(1 << levels), square = scale * scale;
    float ax = map->a / square / factor, bx = map->b / square / factor;
    float x0 = (-map->a * map->tx - map->b * map->ty) / square, y0 = (map->b * map->tx - map->a * map->ty) / square;
    x0 = (x0 + 0.5f - (float)part.x) / factor - 0.5f;
    y0 = (y0 + 0.5f - (float)part.y) / factor - 0.5f;
    for (int v = 0; v < side; v++)
        for (int u = 0; u < side; u++)
            blend(&view, x0 + ax * (float)u + bx * (float)v, y0 - bx * (float)u + ax * (float)v,
                  ret_chip + ((size_t)v * (size_t)side + (size_t)u) * 3);
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
