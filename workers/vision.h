/* Vision: pixels in, described and embedded faces out. One code path enrols and probes.
 *
 * A sp_vision owns its nets and scratch memory: one thread at a time. Images are 8-bit RGB, row-major, top to
 * bottom. */
#ifndef SALLYPORT_WORKERS_VISION_H
#define SALLYPORT_WORKERS_VISION_H

#include <stdbool.h>
#include <stdint.h>
#include "common/pack.h"
#include "gpu/engine.h"
#include "gpu/pixel.h"

/* A pack's word for the 16-bit floats of a net on a device, as the engine wants it. */
static inline enum sp_precision sp_vision_precision(const struct sp_pack_net *net)
{
    return net->precision == SP_PACK_BF16 ? SP_PRECISION_BF16 : SP_PRECISION_FP16;
}

#define SP_MAX_DIM 1024 /* floats of a template */

/* ISO/IEC 29794-5 component names, 0 (worst) .. 100 (best), plus the raw inter-eye distance. */
struct sp_quality {
    int sharpness;
    int inter_eye_distance;
    float inter_eye_px;
    int pose_yaw, pose_pitch, pose_roll;
    int under_exposure, over_exposure; /* 100 = none */
    int luminance_mean;
    int single_face_present;
    int unified; /* the smallest of the above: a chain is as strong as its weakest link */
};

struct sp_face {
    struct sp_box box;
    float detector_score;
    int point_count; /* 5 or 68 */
    struct sp_point points[68];
    struct sp_quality quality;
    int reason; /* enum sp_reason (common/reason.h): 0 = good enough to compare, else why not */
    bool embedded;
    float vector[SP_MAX_DIM]; /* the template, pack->dim floats; valid if embedded */
};

struct sp_faces {
    int count;
    bool strong;   /* the strong detector has looked */
    bool bordered; /* found only after a retry with a black border (30 %, then 160 % of the longer side) */
    struct sp_face faces[SP_MAX_FACES]; /* largest first */
};

enum sp_vision_mode {
    SP_VISION_FRAME, /* cheap detector only */
    SP_VISION_LAST,  /* cheap; if it finds no usable face, strong, as for enrolment */
    SP_VISION_ENROL, /* strong, retry with a border */
};

struct sp_vision_limits {
    float min_enrol_eye_px; /* default 24: portraits below are refused as too_far */
    float min_probe_eye_px; /* default 20 */
    /* 0..100, default 10 each; below: blurred, too_dark or too_bright, turned. */
    int min_sharpness, min_exposure, min_pose;
};

/* The defaults above. */
struct sp_vision_limits sp_vision_limits_default(void);

struct sp_vision;

/* Load the pack's nets for batches up to max_batch. pack and engine must outlive it. Blocking (seconds). */
enum sp_status sp_vision_new(struct sp_vision **ret_vision, struct sp_engine *engine, const struct sp_pack *pack,
                             const struct sp_vision_limits *limits, int max_batch, struct sp_err *err);
void sp_vision_free(struct sp_vision **vision);

/* Wall time the stages of one batch took, in microseconds, shared by its rows. */
struct sp_vision_timings {
    uint32_t detect_us, landmark_us, align_us, quality_us, embed_us;
};

/* Analyse a batch: images[i] with modes[i] -> ret_faces[i]. Row i never sees another row's pixels or results.
 * Images must be between 16x16 and 16384x16384 (decode guarantees it). No allocation after sp_vision_new beyond
 * scratch for the largest image seen. */
enum sp_status sp_vision_analyse(struct sp_vision *vision, int count, const struct sp_image *const *images,
                                 const enum sp_vision_mode *modes, struct sp_faces *ret_faces,
                                 struct sp_vision_timings *ret_timings, struct sp_err *err);

/* The file of a landmark net or embedder that has given numbers which are not finite (those faces are left out),
 * once for each of them; NULL: none, or it was said. */
const char *sp_vision_not_finite(struct sp_vision *vision);

#endif
