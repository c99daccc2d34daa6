/* Pixels on a CUDA device: struct sp_pixel_ops of gpu/pixels.h; `state` is a struct sp_cuda, nets are of
 * cuda_net.h. */
#ifndef SALLYPORT_GPU_CUDA_PIXELS_H
#define SALLYPORT_GPU_CUDA_PIXELS_H

#include "gpu/pixels.h"

enum sp_status sp_cuda_pixels_new(void **ret_session, void *state, int max_pictures, int max_chips, int side,
                                  struct sp_err *err);
void sp_cuda_pixels_free(void *session);
enum sp_status sp_cuda_pixels_load(void *session, int count, const struct sp_image *const *images,
                                   struct sp_err *err);
enum sp_status sp_cuda_pixels_fit(void *session, void *net, int count, const struct sp_part *parts,
                                  const struct sp_norm *norm, struct sp_err *err);
enum sp_status sp_cuda_pixels_chips(void *session, void *net, int count, const int *which,
                                    const struct sp_norm *norm, struct sp_err *err);
enum sp_status sp_cuda_pixels_run(void *session, void *net, int count, int outputs, const int64_t *floats,
                                  const float **ret_outputs, struct sp_err *err);
enum sp_status sp_cuda_pixels_find(void *session, void *net, int count, const struct sp_finder *finder,
                                   struct sp_detections *ret_detections, struct sp_err *err);
enum sp_status sp_cuda_pixels_cut(void *session, int count, const struct sp_cut *cuts,
                                  const struct sp_face_area *area, struct sp_tally *ret_tallies,
                                  struct sp_err *err);

#endif
