/* Landmarks: 68 points of each face by the pack's landmark net. */
#ifndef SALLYPORT_WORKERS_LANDMARK_H
#define SALLYPORT_WORKERS_LANDMARK_H

#include "gpu/engine.h"
#include "gpu/pixels.h"
#include "workers/resample.h"

struct sp_landmarker;

/* Load the pack's landmark net for batches up to max_batch. Blocking. engine must outlive it. */
enum sp_status sp_landmarker_new(struct sp_landmarker **ret_landmarker, struct sp_engine *engine,
                                 const struct sp_pack *pack, int max_batch, struct sp_err *err);
void sp_landmarker_free(struct sp_landmarker **landmarker);

/* Faces taken together; at least 1. */
int sp_landmarker_batch(const struct sp_landmarker *landmarker);

/* What of the image the net looks at: box clipped to the image. Width or height below 8 px means there is nothing
 * to look at. */
struct sp_box sp_landmark_box(const struct sp_image *image, const struct sp_box *box);

/* Put face `row` of the batch in place: what sp_landmark_box said, centred in a square. */
enum sp_status sp_landmarker_set(struct sp_landmarker *landmarker, int row, struct sp_resampler *resampler,
                                 const struct sp_image *image, const struct sp_box *box, struct sp_err *err);
/* Run rows 0..count-1, which were set since the last run. */
enum sp_status sp_landmarker_run(struct sp_landmarker *landmarker, int count, struct sp_err *err);
/* The same two steps for pictures that lie on a device. The points are good until the session's next call. */
void sp_landmarker_place(struct sp_landmarker *landmarker, int row, int picture, const struct sp_box *box);
enum sp_status sp_landmarker_run_on(struct sp_landmarker *landmarker, struct sp_pixels *pixels, int count,
                                    struct sp_err *err);
/* The 68 points of a row of the last run, px in its image. False when the net gave something that is not a number.
 */
bool sp_landmarker_points(const struct sp_landmarker *landmarker, int row, struct sp_point ret_points[68]);

#endif
