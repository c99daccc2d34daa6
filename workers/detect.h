/* Face detection: one dispatch point over the decoders; each decoder is a pure function of one row of output
 * tensors. */
#ifndef SALLYPORT_WORKERS_DETECT_H
#define SALLYPORT_WORKERS_DETECT_H

#include "gpu/engine.h"
#include "gpu/pixel_math.h"
#include "gpu/pixels.h"
#include "workers/resample.h"
#include "workers/vision.h"

/* A list with a fixed capacity; beyond it candidates are dropped. */
struct sp_candidates {
    int count, capacity;
    struct sp_candidate *items;
};

/* Number of anchors of an SSD input of width x height px; both multiples of 64, at least 512. */
int sp_detect_ssd_anchor_count(int width, int height);
/* Fill that many anchors, in the order of the net's outputs: level, row, column, shape. */
void sp_detect_ssd_anchors(int width, int height, struct sp_ssd_anchor *ret_anchors);
/* boxes [count][4] as (ty, tx, th, tw), classes [count][3] as logits of which [1] is the face. */
void sp_detect_ssd_decode(const float *boxes, const float *classes, const struct sp_ssd_anchor *anchors, int count,
                          float threshold, struct sp_candidates *candidates);

/* grid [25][rows][columns]: 5 anchors x (tx, ty, tw, th, score logit), cells of 32 px. */
void sp_detect_tiny_decode(const float *grid, int rows, int columns, float threshold,
                           struct sp_candidates *candidates);

/* One stride of YuNet. */
void sp_detect_yunet_decode(const struct sp_yunet_level *level, float threshold, struct sp_candidates *candidates);

/* From net px to image px (the inverse of fit), boxes clipped to the image, slivers dropped. */
void sp_detect_place(struct sp_candidates *candidates, const struct sp_fit *fit, int image_width, int image_height);

/* Greedy non-maximum suppression: sorts by score, keeps what overlaps no better one by more than iou_threshold and
 * neither contains nor lies within one (by more than 55 % of the smaller). After placing: only what is visible
 * counts. */
void sp_detect_nms(struct sp_candidates *candidates, float iou_threshold);

/* The SP_MAX_FACES largest, largest first. */
void sp_detect_keep_largest(struct sp_candidates *candidates);

struct sp_detector;

/* Load a pack's detector for batches up to max_batch. Blocking. engine must outlive it. */
enum sp_status sp_detector_new(struct sp_detector **ret_detector, struct sp_engine *engine,
                               const struct sp_pack_detector *spec, int max_batch, struct sp_err *err);
void sp_detector_free(struct sp_detector **detector);

/* Find the faces of images[0..count-1]; with border > 0 after laying a black frame of that share of the longer side
 * around each: faces that fill their picture are found then. Any count; the net's batch is filled as far as it
 * goes. */
enum sp_status sp_detector_run(struct sp_detector *detector, struct sp_resampler *resampler, int count,
                               const struct sp_image *const *images, float border,
                               struct sp_detections *ret_detections, struct sp_err *err);

/* The same of pictures that lie on a device: pictures[i] is the place of images[i] there, whose pixels are not
 * read. */
enum sp_status sp_detector_find(struct sp_detector *detector, struct sp_pixels *pixels, int count,
                                const int *pictures, const struct sp_image *const *images, float border,
                                struct sp_detections *ret_detections, struct sp_err *err);

#endif
