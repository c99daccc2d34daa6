#include "workers/align.h"

#include <math.h>

/* dlib's chip: 150 px with a quarter of the face's box as padding on each side, so target = (0.25 + p) / 1.5 * 150.
 */
#define DLIB_SIDE_PX   150
#define DLIB_MARGIN_PX 25
#define DLIB_FACE_PX   100

/* InsightFace's 112 px reference points. */
static const struct sp_point arcface_five[5] = {
    {38.2946f, 51.6963f}, {73.5318f, 51.5014f}, {56.0252f, 71.7366f}, {41.5493f, 92.3655f}, {70.7299f, 92.2041f}};

int sp_align_side(enum sp_align_kind kind)
{
    return kind == SP_ALIGN_ARCFACE5 ? 112 : DLIB_SIDE_PX;
}

static struct sp_point mean_of(const struct sp_point *points, int first, int last)
{
    struct sp_point sum = {0, 0};
    float count = (float)(last - first + 1);
    for (int i = first; i <= last; i++) {
        sum.x += points[i].x;
        sum.y += points[i].y;
    }
    return (struct sp_point){sum.x / count, sum.y / count};
}

void sp_align_five(const struct sp_point *points, int point_count, struct sp_point ret_five[5])
{
    if (point_count != 68) {
        for (int i = 0; i < 5; i++)
            ret_five[i] = points[i];
        return;
    }
    ret_five[SP_FIVE_LEFT_EYE] = mean_of(points, 36, 41);
    ret_five[SP_FIVE_RIGHT_EYE] = mean_of(points, 42, 47);
    ret_five[SP_FIVE_NOSE] = points[30];
    ret_five[SP_FIVE_LEFT_MOUTH] = points[48];
    ret_five[SP_FIVE_RIGHT_MOUTH] = points[54];
}

/* Landmark `index` of 68 (17..67) of the mean face on dlib's chip. */
static struct sp_point on_dlib_chip(int index)
{
    struct sp_point p = sp_align_mean_face_shape[index - SP_ALIGN_MEAN_FIRST];
    return (struct sp_point){DLIB_MARGIN_PX + DLIB_FACE_PX * p.x, DLIB_MARGIN_PX + DLIB_FACE_PX * p.y};
}

void sp_align_template_five(enum sp_align_kind kind, struct sp_point ret_five[5])
{
    struct sp_point points[68] = {{0, 0}};
    if (kind == SP_ALIGN_ARCFACE5) {
        sp_align_five(arcface_five, 5, ret_five);
        return;
    }
    for (int i = SP_ALIGN_MEAN_FIRST; i < 68; i++)
        points[i] = on_dlib_chip(i);
    sp_align_five(points, 68, ret_five);
}

enum sp_status sp_align_similarity(struct sp_similarity *ret_map, const struct sp_point *from,
                                   const struct sp_point *to, int count, struct sp_err *err)
{
    double from_x = 0, from_y = 0, to_x = 0, to_y = 0, spread = 0, dot = 0, cross = 0;
    for (int i = 0; i < count; i++) {
        from_x += (double)from[i].x / count;
        from_y += (double)from[i].y / count;
        to_x += (double)to[i].x / count;
        to_y += (double)to[i].y / count;
    }
    for (int i = 0; i < count; i++) {
        double ax = from[i].x - from_x, ay = from[i].y - from_y, bx = to[i].x - to_x, by = to[i].y - to_y;
        spread += ax * ax + ay * ay;
        dot += ax * bx + ay * by;
        cross += ax * by - ay * bx;
    }
    if (!(spread > 1e-6) || !isfinite(spread) || !(dot * dot + cross * cross > 0))
        return sp_fail(err, SP_E_INVALID, "alignment: %d landmarks fall on one point", count);
    double a = dot / spread, b = cross / spread;
    *ret_map = (struct sp_similarity){.a = (float)a,
                                      .b = (float)b,
                                      .tx = (float)(to_x - a * from_x + b * from_y),
                                      .ty = (float)(to_y - b * from_x - a * from_y)};
    return SP_OK;
}

/* dlib leaves out the jaw, the brows and the lower lip: they move with expression. */
static int dlib_points(const struct sp_point *points, struct sp_point *ret_from, struct sp_point *ret_to)
{
    int count = 0;
    for (int i = 27; i < 65; i++) {
        if (i >= 55 && i <= 59)
            continue;
        ret_from[count] = points[i];
        ret_to[count++] = on_dlib_chip(i);
    }
    return count;
}

enum sp_status sp_align_map(struct sp_similarity *ret_map, enum sp_align_kind kind, const struct sp_point *points,
                            int point_count, struct sp_err *err)
{
    struct sp_point from[SP_ALIGN_MAX_POINTS], to[SP_ALIGN_MAX_POINTS];
    int count = 5;
    if (kind == SP_ALIGN_DLIB68) {
        if (point_count != 68)
            return sp_fail(err, SP_E_INVALID, "alignment dlib68 needs 68 landmarks, not %d", point_count);
        count = dlib_points(points, from, to);
    } else {
        sp_align_five(points, point_count, from);
        sp_align_template_five(kind, to);
    }
    return sp_align_similarity(ret_map, from, to, count, err);
}
