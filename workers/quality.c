#include "workers/quality.h"

#include <math.h>
#include "common/reason.h"
#include "gpu/pixel_math.h"
#include "workers/align.h"

/* Midpoint and width of the sharpness sigmoid over log10. On 583 photographs of 103 px and more the raw value has
 * its median at -0.5 and its minimum at -1.6; blurred on the chip by a Gaussian of 1, 1.5 and 2 px the medians are
 * -1.45, -1.8 and -2.0. Where the default limit refuses (-2.15) the default detectors hardly find a face any more.
 */
#define SHARPNESS_X0 (-1.6)
#define SHARPNESS_W  0.25

/* Fewer face px than this inside the image say nothing about light or sharpness. */
#define MIN_FACE_PIXELS 100

/* over_exposure falls steeply: it is 9 where a tenth of the face is burnt out, and such faces match well. The limit
 * is meant for faces with nothing left to compare: about two thirds burnt out at the default. */
#define OVER_EXPOSURE_SLACK 7

static const double degrees = 57.29577951308232;

static double sigmoid(double x, double x0, double w)
{
    return 1 / (1 + exp((x0 - x) / w));
}

static int grade(double value)
{
    return value > 0 ? (value < 100 ? (int)lrint(value) : 100) : 0;
}

static int pose_grade(float angle)
{
    double cosine = cos(angle / degrees);
    return cosine > 0 ? grade(100 * cosine * cosine) : 0;
}

struct sp_pose sp_quality_pose(const struct sp_point five[5])
{
    struct sp_point left = five[SP_FIVE_LEFT_EYE], right = five[SP_FIVE_RIGHT_EYE], nose = five[SP_FIVE_NOSE];
    double ex = right.x - left.x, ey = right.y - left.y, eyes = hypot(ex, ey);
    struct sp_pose pose = {90, 90, 90};
    if (!(eyes > 1e-3))
        return pose;
    ex /= eyes;
    ey /= eyes;
    /* In the head's own upright axes, from the middle between the eyes. */
    double mid_x = (left.x + right.x) / 2, mid_y = (left.y + right.y) / 2;
    double mouth_x = (five[SP_FIVE_LEFT_MOUTH].x + five[SP_FIVE_RIGHT_MOUTH].x) / 2 - mid_x;
    double mouth_y = (five[SP_FIVE_LEFT_MOUTH].y + five[SP_FIVE_RIGHT_MOUTH].y) / 2 - mid_y;
    double nose_across = (nose.x - mid_x) * ex + (nose.y - mid_y) * ey;
    double nose_down = -(nose.x - mid_x) * ey + (nose.y - mid_y) * ex;
    double mouth_across = mouth_x * ex + mouth_y * ey, mouth_down = -mouth_x * ey + mouth_y * ex;
    pose.roll = (float)(atan2(ey, ex) * degrees);
    if (!(mouth_down > 1e-3))
        return pose;
    double share = nose_down / mouth_down;
    pose.yaw = (float)(atan((nose_across - share * mouth_across) / (0.5 * eyes)) * degrees);
    pose.pitch = (float)(atan((share - 0.52) / 0.45) * degrees);
    return pose;
}

void sp_quality_area(enum sp_align_kind kind, int *x0, int *y0, int *x1, int *y1)
{
    struct sp_point five[5];
    sp_align_template_five(kind, five);
    float last = (float)(sp_align_side(kind) - 2), left = five[SP_FIVE_LEFT_EYE].x,
          right = five[SP_FIVE_RIGHT_EYE].x;
    float eyes = right - left;
    *x0 = (int)fmaxf(1, left - 0.35f * eyes);
    *x1 = (int)fminf(last, right + 0.35f * eyes);
    *y0 = (int)fmaxf(1, five[SP_FIVE_LEFT_EYE].y - 0.35f * eyes);
    *y1 = (int)fminf(last, five[SP_FIVE_LEFT_MOUTH].y + 0.45f * eyes);
}

static struct sp_tally walk(const struct sp_quality_face *face)
{
    int side = sp_align_side(face->kind), x0, y0, x1, y1;
    struct sp_tally tally = {0};
    sp_quality_area(face->kind, &x0, &y0, &x1, &y1);
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++)
            sp_pixel_tally(&tally, face->chip, side, face->map, face->image_width, face->image_height, x, y);
    return tally;
}

static void measure_light(const struct sp_tally *tally, struct sp_quality *quality)
{
    double count = (double)tally->count, mean = (double)tally->sum / count;
    double variance = (double)tally->squares / count - mean * mean, curve = (double)tally->laplacian / count;
    double curve_variance = (double)tally->laplacian_squares / count - curve * curve;
    quality->under_exposure = grade(120 * (0.832 - sigmoid((double)tally->dark / count, 0.92, 0.05)));
    quality->over_exposure = grade(1 / ((double)tally->bright / count + 0.01));
    quality->luminance_mean = grade(100 * sigmoid(mean / 255, 0.2, 0.05) * (1 - sigmoid(mean / 255, 0.8, 0.05)));
    /* A flat patch has neither detail nor contrast: the 1 keeps its rounding noise from looking sharp. */
    quality->sharpness =
        grade(100 * sigmoid(log10(fmax(curve_variance, 1e-9) / (variance + 1)), SHARPNESS_X0, SHARPNESS_W));
}

static void refresh_unified(struct sp_quality *quality)
{
    const int components[] = {quality->sharpness,     quality->inter_eye_distance, quality->pose_yaw,
                              quality->pose_pitch,    quality->pose_roll,          quality->under_exposure,
                              quality->over_exposure, quality->luminance_mean,     quality->single_face_present};
    quality->unified = 100;
    for (size_t i = 0; i < sizeof components / sizeof components[0]; i++)
        if (components[i] < quality->unified)
            quality->unified = components[i];
}

void sp_quality_measure(const struct sp_quality_face *face, struct sp_quality *ret_quality)
{
    struct sp_tally tally = walk(face);
    sp_quality_grade(face->five, &tally, ret_quality);
}

void sp_quality_grade(const struct sp_point five[5], const struct sp_tally *tally, struct sp_quality *ret_quality)
{
    struct sp_pose pose = sp_quality_pose(five);
    double eyes = hypot(five[SP_FIVE_RIGHT_EYE].x - five[SP_FIVE_LEFT_EYE].x,
                        five[SP_FIVE_RIGHT_EYE].y - five[SP_FIVE_LEFT_EYE].y);
    *ret_quality = (struct sp_quality){.single_face_present = 100};
    ret_quality->inter_eye_px = (float)(eyes / fmax(cos(pose.yaw / degrees), 0.5));
    ret_quality->inter_eye_distance = grade(100 * sigmoid(ret_quality->inter_eye_px, 70, 20));
    ret_quality->pose_yaw = pose_grade(pose.yaw);
    ret_quality->pose_pitch = pose_grade(pose.pitch);
    ret_quality->pose_roll = pose_grade(pose.roll);
    if (tally->count >= MIN_FACE_PIXELS)
        measure_light(tally, ret_quality);
    refresh_unified(ret_quality);
}

static double box_area(const struct sp_box *box)
{
    return (double)(box->x1 - box->x0) * (double)(box->y1 - box->y0);
}

void sp_quality_set_single(struct sp_faces *faces)
{
    int value = 100;
    if (faces->count > 1)
        value = grade(100 * (1 - sqrt(box_area(&faces->faces[1].box) / fmax(box_area(&faces->faces[0].box), 1))));
    for (int i = 0; i < faces->count; i++) {
        faces->faces[i].quality.single_face_present = value;
        refresh_unified(&faces->faces[i].quality);
    }
}

int sp_quality_reason(const struct sp_quality *quality, const struct sp_vision_limits *limits, float min_eye_px)
{
    if (!(quality->inter_eye_px >= min_eye_px))
        return SP_REASON_TOO_FAR;
    if (quality->under_exposure < limits->min_exposure)
        return SP_REASON_TOO_DARK;
    if (quality->over_exposure * OVER_EXPOSURE_SLACK < limits->min_exposure)
        return SP_REASON_TOO_BRIGHT;
    if (quality->pose_yaw < limits->min_pose || quality->pose_pitch < limits->min_pose ||
        quality->pose_roll < limits->min_pose)
        return SP_REASON_TURNED;
    if (quality->sharpness < limits->min_sharpness)
        return SP_REASON_BLURRED;
    return SP_REASON_NONE;
}
