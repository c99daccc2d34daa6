/* Arithmetic of single pixels, samples and boxes. One text for the CPU's loops (workers/), for the kernels
 * (gpu/cuda_pixels.cuh) and for their emulation on the CPU: what agrees here agrees everywhere. No fused
 * multiply-add (the kernels are compiled without): the last bit is the same on both sides, except behind expf. */
#ifndef SALLYPORT_GPU_PIXEL_MATH_H
#define SALLYPORT_GPU_PIXEL_MATH_H

#include <math.h>
#include <stddef.h>
#include "gpu/pixel.h"

#ifdef __CUDACC__
#define SP_PIXEL_FN static __host__ __device__ __forceinline__
#else
#define SP_PIXEL_FN __attribute__((always_inline)) static inline
#endif

/* Of a picture that lights up everywhere only the best candidates compete: suppression is quadratic. */
#define SP_NMS_MAX_CANDIDATES 1000
/* Two people cheek to cheek stay below this share of the smaller box. */
#define SP_NMS_NESTED_SHARE 0.55f
/* Nothing smaller than this can be a face, px of the image. */
#define SP_MIN_FACE_PX 8

#define SP_DARK_LUMINANCE   25
#define SP_BRIGHT_LUMINANCE 247

SP_PIXEL_FN int sp_pixel_least(int a, int b)
{
    return a < b ? a : b;
}

/* ---- resize: which source samples make a target sample, and by which weights */

struct sp_tap {
    int start, count; /* samples start .. start + count - 1, all inside the source */
};

/* Room for the weights of any one target sample of this axis. */
SP_PIXEL_FN int sp_pixel_most_taps(const struct sp_axis *axis)
{
    return axis->step > 1 ? (int)ceil(axis->step) + 1 : 2;
}

/* How much of low .. high lies in from .. to. */
SP_PIXEL_FN double sp_pixel_common(const struct sp_axis *axis, double from, double to)
{
    double left = from > axis->low ? from : axis->low, right = to < axis->high ? to : axis->high;
    return left < right ? right - left : 0;
}

/* Growing: the two neighbours of the target px's centre, each as far as it is there; of a target px of which only a
 * share is there, that share. */
SP_PIXEL_FN struct sp_tap sp_pixel_grow(const struct sp_axis *axis, int i, float *ret_weights)
{
    struct sp_tap none = {0, 0}, tap;
    double from = axis->origin + i * axis->step, to = axis->origin + (i + 1) * axis->step;
    double share = from >= axis->low && to <= axis->high ? 1 : sp_pixel_common(axis, from, to) / axis->step;
    double centre = axis->origin + (i + 0.5) * axis->step - 0.5, left = floor(centre), right_share = centre - left;
    double near = (1 - right_share) * sp_pixel_common(axis, left, left + 1);
    double far = right_share * sp_pixel_common(axis, left + 1, left + 2);
    if (!(share > 0 && near + far > 0))
        return none;
    tap.start = near > 0 ? (int)left : (int)left + 1;
    tap.count = near > 0 && far > 0 ? 2 : 1;
    ret_weights[0] = (float)share;
    if (tap.count == 2) {
        ret_weights[1] = (float)(share * (far / (near + far)));
        ret_weights[0] = (float)share - ret_weights[1];
    }
    return tap;
}

/* The samples and weights of target sample i; no sample where nothing is there. Shrinking: the share of each source
 * px that the target px covers. Either way weights change no faster than the axis does. */
SP_PIXEL_FN struct sp_tap sp_pixel_tap(const struct sp_axis *axis, int i, float *ret_weights)
{
    struct sp_tap tap = {0, 0};
    if (axis->step <= 1)
        return sp_pixel_grow(axis, i, ret_weights);
    double from = axis->origin + i * axis->step, to = axis->origin + (i + 1) * axis->step;
    from = from > axis->low ? from : axis->low;
    to = to < axis->high ? to : axis->high;
    if (!(to - from > 1e-9))
        return tap;
    int end = (int)ceil(to - 1e-9);
    tap.start = sp_pixel_least((int)from, end - 1);
    for (int s = tap.start; s < end; s++) {
        double left = s > from ? s : from, right = s + 1 < to ? s + 1 : to;
        ret_weights[tap.count++] = (float)((right - left) / axis->step);
    }
    return tap;
}

/* Which channel of an RGB px is plane c of the net. */
SP_PIXEL_FN int sp_pixel_channel(const struct sp_norm *norm, int c)
{
    return norm->colour == 0 ? c : 2 - c;
}

SP_PIXEL_FN float sp_pixel_norm(const struct sp_norm *norm, int c, float value)
{
    return (value - norm->mean[c]) * norm->scale;
}

/* ---- warp */

/* An RGB picture that need not own its pixels. */
struct sp_view {
    const uint8_t *pixels;
    int width, height, stride;
};

/* One px of the picture halved with a 2 x 2 box. */
SP_PIXEL_FN void sp_pixel_halve(const struct sp_view *from, int x, int y, uint8_t *to)
{
    const uint8_t *upper = from->pixels + (size_t)(2 * y) * (size_t)from->stride + (size_t)x * 6;
    const uint8_t *lower = upper + from->stride;
    for (int c = 0; c < 3; c++)
        to[c] = (uint8_t)((upper[c] + upper[c + 3] + lower[c] + lower[c + 3] + 2) / 4);
}

/* The value of channel c at column x, row y; zero outside. */
SP_PIXEL_FN float sp_pixel_sample(const struct sp_view *view, int x, int y, int c)
{
    if (x < 0 || y < 0 || x >= view->width || y >= view->height)
        return 0;
    return view->pixels[(size_t)y * (size_t)view->stride + (size_t)x * 3 + (size_t)c];
}

/* One chip px at source position x, y: bilinear, zeros outside. */
SP_PIXEL_FN void sp_pixel_blend(const struct sp_view *view, float x, float y, uint8_t *to)
{
    to[0] = to[1] = to[2] = 0;
    if (!(x > -1 && y > -1 && x < (float)view->width && y < (float)view->height))
        return;
    int left = (int)floorf(x), top = (int)floorf(y);
    float fx = x - (float)left, fy = y - (float)top;
    if (left >= 0 && top >= 0 && left + 1 < view->width && top + 1 < view->height) {
        const uint8_t *p = view->pixels + (size_t)top * (size_t)view->stride + (size_t)left * 3;
        const uint8_t *q = p + view->stride;
        for (int c = 0; c < 3; c++) {
            float upper = (float)p[c] + fx * (float)(p[c + 3] - p[c]);
            float lower = (float)q[c] + fx * (float)(q[c + 3] - q[c]);
            to[c] = (uint8_t)(upper + fy * (lower - upper) + 0.5f);
        }
        return;
    }
    for (int c = 0; c < 3; c++) {
        float upper = sp_pixel_sample(view, left, top, c) * (1 - fx) + sp_pixel_sample(view, left + 1, top, c) * fx;
        float lower =
            sp_pixel_sample(view, left, top + 1, c) * (1 - fx) + sp_pixel_sample(view, left + 1, top + 1, c) * fx;
        to[c] = (uint8_t)(upper * (1 - fy) + lower * fy + 0.5f);
    }
}

/* Chip px (u, v) out of the halved part. */
SP_PIXEL_FN void sp_pixel_warp(const struct sp_view *view, const struct sp_warp *warp, int u, int v, uint8_t *to)
{
    sp_pixel_blend(view, warp->x0 + warp->ax * (float)u + warp->bx * (float)v,
                   warp->y0 - warp->bx * (float)u + warp->ax * (float)v, to);
}

/* ---- quality */

/* Rec. 709 luma of an RGB px, weights in 256ths. */
SP_PIXEL_FN int sp_pixel_luma(const uint8_t *p)
{
    return (54 * p[0] + 183 * p[1] + 19 * p[2] + 128) >> 8;
}

/* Count px (x, y) of the chip, at least 1 px off its edge, unless it came from outside the image. */
SP_PIXEL_FN void sp_pixel_tally(struct sp_tally *tally, const uint8_t *chip, int side,
                                const struct sp_similarity *map, int image_width, int image_height, int x, int y)
{
    float square = map->a * map->a + map->b * map->b;
    float u = (float)x - map->tx, v = (float)y - map->ty;
    float image_x = (map->a * u + map->b * v) / square, image_y = (map->a * v - map->b * u) / square;
    if (!(image_x >= 0 && image_y >= 0 && image_x <= (float)(image_width - 1) &&
          image_y <= (float)(image_height - 1)))
        return;
    size_t row = (size_t)side * 3;
    const uint8_t *p = chip + (size_t)y * row + (size_t)x * 3;
    int here = sp_pixel_luma(p);
    int curve =
        sp_pixel_luma(p - 3) + sp_pixel_luma(p + 3) + sp_pixel_luma(p - row) + sp_pixel_luma(p + row) - 4 * here;
    tally->count++;
    tally->dark += here <= SP_DARK_LUMINANCE;
    tally->bright += here >= SP_BRIGHT_LUMINANCE;
    tally->sum += here;
    tally->squares += here * here;
    tally->laplacian += curve;
    tally->laplacian_squares += curve * curve;
}

/* ---- faces out of a detector's tensors: false below the threshold (and for a NaN) */

SP_PIXEL_FN float sp_pixel_sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* SSD anchor i: boxes [..][4] as (ty, tx, th, tw), classes [..][3] as logits of which [1] is the face. */
SP_PIXEL_FN bool sp_pixel_ssd(const float *boxes, const float *classes, const struct sp_ssd_anchor *anchors, int i,
                              float threshold, struct sp_candidate *ret_candidate)
{
    float score = sp_pixel_sigmoid(classes[3 * i + 1]);
    if (!(score > threshold))
        return false;
    const struct sp_ssd_anchor *anchor = &anchors[i];
    const float *t = boxes + 4 * i;
    float y = t[0] / 10 * anchor->height + anchor->y, x = t[1] / 10 * anchor->width + anchor->x;
    float half_height = expf(t[2] / 5) * anchor->height / 2, half_width = expf(t[3] / 5) * anchor->width / 2;
    struct sp_candidate found = {{x - half_width, y - half_height, x + half_width, y + half_height},
                                 score,
                                 false,
                                 {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}}};
    *ret_candidate = found;
    return true;
}

#define SP_TINY_ANCHORS 5
#define SP_TINY_CELL_PX 32

/* Tiny, i = anchor * cells + cell: grid [25][rows * columns]: 5 anchors x (tx, ty, tw, th, score logit). */
SP_PIXEL_FN bool sp_pixel_tiny(const float *grid, int rows, int columns, int i, float threshold,
                               struct sp_candidate *ret_candidate)
{
    /* width, height in cells */
    const float anchors[SP_TINY_ANCHORS][2] = {{1.603231f, 2.094468f},
                                               {6.041143f, 7.080126f},
                                               {2.882459f, 3.518061f},
                                               {4.266906f, 5.178857f},
                                               {9.041765f, 10.66308f}};
    int cells = rows * columns, anchor = i / cells, cell = i % cells;
    const float *planes = grid + (size_t)anchor * 5 * (size_t)cells + cell;
    float score = sp_pixel_sigmoid(planes[4 * (size_t)cells]);
    if (!(score > threshold))
        return false;
    float x = ((float)(cell % columns) + sp_pixel_sigmoid(planes[0])) * SP_TINY_CELL_PX;
    float y = ((float)(cell / columns) + sp_pixel_sigmoid(planes[(size_t)cells])) * SP_TINY_CELL_PX;
    float half_width = expf(planes[2 * (size_t)cells]) * anchors[anchor][0] * SP_TINY_CELL_PX / 2;
    float half_height = expf(planes[3 * (size_t)cells]) * anchors[anchor][1] * SP_TINY_CELL_PX / 2;
    struct sp_candidate found = {{x - half_width, y - half_height, x + half_width, y + half_height},
                                 score,
                                 false,
                                 {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}}};
    *ret_candidate = found;
    return true;
}

SP_PIXEL_FN float sp_pixel_unit(float x)
{
    return x > 0 ? (x < 1 ? x : 1) : 0; /* a NaN gives 0 */
}

/* One stride of YuNet: scores and objectness [rows*columns], boxes [..][4], points [..][10]. */
struct sp_yunet_level {
    int stride, rows, columns;
    const float *scores, *objectness, *boxes, *points;
};

SP_PIXEL_FN bool sp_pixel_yunet(const struct sp_yunet_level *level, int cell, float threshold,
                                struct sp_candidate *ret_candidate)
{
    float stride = (float)level->stride;
    float score = sqrtf(sp_pixel_unit(level->scores[cell]) * sp_pixel_unit(level->objectness[cell]));
    if (!(score > threshold))
        return false;
    const float *t = level->boxes + 4 * cell, *p = level->points + 10 * cell;
    float column = (float)(cell % level->columns), row = (float)(cell / level->columns);
    float x = (column + t[0]) * stride, y = (row + t[1]) * stride;
    float half_width = expf(t[2]) * stride / 2, half_height = expf(t[3]) * stride / 2;
    ret_candidate->box.x0 = x - half_width;
    ret_candidate->box.y0 = y - half_height;
    ret_candidate->box.x1 = x + half_width;
    ret_candidate->box.y1 = y + half_height;
    ret_candidate->score = score;
    ret_candidate->has_points = true;
    for (int i = 0; i < 5; i++) {
        ret_candidate->points[i].x = (p[2 * i] + column) * stride;
        ret_candidate->points[i].y = (p[2 * i + 1] + row) * stride;
    }
    return true;
}

/* ---- which of them stay */

SP_PIXEL_FN float sp_pixel_clip(float value, float most)
{
    return fminf(fmaxf(value, 0), most);
}

/* From net px to image px (the inverse of fit), the box clipped to the image. False for a sliver. */
SP_PIXEL_FN bool sp_pixel_place(struct sp_candidate *item, const struct sp_fit *fit, int image_width,
                                int image_height)
{
    float off_x = (float)fit->offset_x, off_y = (float)fit->offset_y;
    item->box.x0 = sp_pixel_clip((item->box.x0 - off_x) / fit->scale, (float)image_width);
    item->box.y0 = sp_pixel_clip((item->box.y0 - off_y) / fit->scale, (float)image_height);
    item->box.x1 = sp_pixel_clip((item->box.x1 - off_x) / fit->scale, (float)image_width);
    item->box.y1 = sp_pixel_clip((item->box.y1 - off_y) / fit->scale, (float)image_height);
    for (int p = 0; p < 5; p++) {
        item->points[p].x = (item->points[p].x - off_x) / fit->scale;
        item->points[p].y = (item->points[p].y - off_y) / fit->scale;
    }
    return item->box.x1 - item->box.x0 >= SP_MIN_FACE_PX && item->box.y1 - item->box.y0 >= SP_MIN_FACE_PX;
}

SP_PIXEL_FN float sp_pixel_area(const struct sp_box *box)
{
    return (box->x1 - box->x0) * (box->y1 - box->y0);
}

/* Whether two boxes are the same face: by intersection over union, or because the smaller one lies mostly inside
 * the other (the tiny detector likes to see a large face and its upper half). */
SP_PIXEL_FN bool sp_pixel_same_face(const struct sp_box *a, const struct sp_box *b, float iou_threshold)
{
    float width = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0), height = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    if (!(width > 0 && height > 0))
        return false;
    float common = width * height, both = sp_pixel_area(a) + sp_pixel_area(b) - common;
    return common > iou_threshold * both ||
           common > SP_NMS_NESTED_SHARE * fminf(sp_pixel_area(a), sp_pixel_area(b));
}

/* Ties are broken by place, so that the order never depends on the sort. */
SP_PIXEL_FN int sp_pixel_by_place(const struct sp_box *a, const struct sp_box *b)
{
    if (a->x0 != b->x0)
        return a->x0 < b->x0 ? -1 : 1;
    if (a->y0 != b->y0)
        return a->y0 < b->y0 ? -1 : 1;
    return 0;
}

SP_PIXEL_FN int sp_pixel_by_score(const struct sp_candidate *a, const struct sp_candidate *b)
{
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return sp_pixel_by_place(&a->box, &b->box);
}

SP_PIXEL_FN int sp_pixel_by_area(const struct sp_candidate *a, const struct sp_candidate *b)
{
    float area_a = sp_pixel_area(&a->box), area_b = sp_pixel_area(&b->box);
    if (area_a != area_b)
        return area_a > area_b ? -1 : 1;
    return sp_pixel_by_place(&a->box, &b->box);
}

#endif
