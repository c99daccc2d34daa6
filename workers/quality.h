/* Quality: a real-time subset of the components of ISO/IEC 29794-5, each 0 (worst) .. 100 (best), each by a formula
 * that a person can check. Names and, where marked (O), the mapping to 0..100 follow OFIQ, the reference
 * implementation (BSI-OFIQ/OFIQ-Project, OFIQlib/modules/measures); ours are measured on the aligned chip.
 * S(x, x0, w) is the sigmoid 1 / (1 + exp((x0 - x) / w)).
 *
 * - inter_eye_distance: px between the eye centres in the image / cos(yaw), the cosine taken as at least 0.5 (an
 *   estimated yaw must not make a small face large). (O) 100 S(x, 70, 20).
 * - pose_yaw: atan of the nose's sideways distance from the line eyes - mouth, over half the inter-eye distance: so far
 *   the nose stands out of the face. (O) 100 cos^2.
 * - pose_pitch: atan((r - 0.52) / 0.45), r = place of the nose between eyes (0) and mouth (1): 0.52 on the mean face;
 *   0.45 is the same half inter-eye distance in eye - mouth distances. (O) 100 cos^2.
 * - pose_roll: angle of the line between the eyes in the image. (O) 100 cos^2.
 * - under_exposure: share x of face px with luminance <= 25. (O) 120 (0.832 - S(x, 0.92, 0.05)).
 * - over_exposure: share x of face px with luminance >= 247. (O) 1 / (x + 0.01).
 * - luminance_mean: mean luminance x of the face, 0..1. (O) 100 S(x, 0.2, 0.05) (1 - S(x, 0.8, 0.05)).
 * - sharpness: x = variance of the Laplacian / variance of the luminance, over the face on the chip. The chip has one
 *   scale and the quotient ignores contrast, so the same face is comparable at any distance and light.
 *   100 S(log10 x, x0, w), x0 and w in quality.c, measured on public-figure photographs.
 * - single_face_present: x = root of (second largest box area / largest). (O) 100 (1 - x).
 * - unified: the smallest of the above.
 *
 * The face on the chip is the box about the template's eyes and mouth; px that came from outside the image are not
 * counted. Luminance is Rec. 709 luma. */
#ifndef SALLYPORT_WORKERS_QUALITY_H
#define SALLYPORT_WORKERS_QUALITY_H

#include "workers/resample.h"
#include "workers/vision.h"

/* One aligned face. */
struct sp_quality_face {
    const uint8_t *chip; /* RGB [side][side][3] */
    enum sp_align_kind kind;
    const struct sp_similarity *map; /* image px to chip px */
    int image_width, image_height;
    struct sp_point five[5]; /* eyes, nose, mouth corners, px of the image */
};

/* Head pose in degrees, estimated from five points in the image; 0,0,0 looks straight into the camera. Positive
 * yaw: the nose points to the picture's right; positive pitch: down; positive roll: the picture's right eye is
 * lower. */
struct sp_pose {
    float yaw, pitch, roll;
};
struct sp_pose sp_quality_pose(const struct sp_point five[5]);

/* Columns x0..x1 and rows y0..y1 of the chip that show the face, at least 1 px off its edge. */
void sp_quality_area(enum sp_align_kind kind, int *x0, int *y0, int *x1, int *y1);

/* What sp_quality_measure says, with the walk over the chip's px done already, as a device does it. */
void sp_quality_grade(const struct sp_point five[5], const struct sp_tally *tally, struct sp_quality *ret_quality);

/* Every component of one face. single_face_present is set to 100 until sp_quality_set_single is called. */
void sp_quality_measure(const struct sp_quality_face *face, struct sp_quality *ret_quality);

/* Set single_face_present of all faces of one image, largest first, and refresh unified. */
void sp_quality_set_single(struct sp_faces *faces);

/* Why this face is not good enough to compare (enum sp_reason), or SP_REASON_NONE. min_eye_px is the one that
 * applies: enrolment's or the probe's. */
int sp_quality_reason(const struct sp_quality *quality, const struct sp_vision_limits *limits, float min_eye_px);

#endif
