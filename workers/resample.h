/* Resampling: parts of an image into the planes of a net's input, and faces onto chips.
 *
 * Enrolment and probe go through these same functions: resampling alone moves a descriptor by about 0.07, so
 * nothing here may depend on who asks. Coordinates follow the nets' own convention: x_out = x_in * scale + offset.
 */
#ifndef SALLYPORT_WORKERS_RESAMPLE_H
#define SALLYPORT_WORKERS_RESAMPLE_H

#include "workers/vision.h"

/* What a pack says about one net. */
struct sp_norm sp_resample_norm(const struct sp_pack_net *net);

/* Top-left letterbox of a source_width x source_height picture, aspect kept, the rest zero. With border > 0 the
 * picture gets a black frame of that share of its longer side first. */
struct sp_fit sp_resample_letterbox(int source_width, int source_height, int width, int height, float border);
/* A box inside an image, at fractions of a px, centred in a square of side px, aspect kept; ret_part: what is read
 * for it. A box that moves a little changes the square a little. */
struct sp_fit sp_resample_centred(const struct sp_box *box, int side, struct sp_rect *ret_part);

/* Scratch for the two passes; grows to the largest picture seen, then no more allocation. One thread at a time. */
struct sp_resampler;
enum sp_status sp_resampler_new(struct sp_resampler **ret_resampler, struct sp_err *err);
void sp_resampler_free(struct sp_resampler **resampler);

/* Resize part of image as fit says into tensor, float [3][fit->height][fit->width]; pixels outside the picture are
 * zero before normalisation. Shrinking averages exact areas (antialiased), growing is bilinear. */
enum sp_status sp_resample_fit(struct sp_resampler *resampler, const struct sp_image *image,
                               const struct sp_rect *part, const struct sp_fit *fit, const struct sp_norm *norm,
                               float *ret_tensor, struct sp_err *err);

/* How to cut an upright chip of side x side px out of an image of this size. While the map shrinks by more than 2,
 * the source is halved with a 2 x 2 box first; then bilinear; zeros outside the image. SP_E_INVALID for a map that
 * is degenerate. */
enum sp_status sp_resample_plan_warp(struct sp_warp *ret_warp, int image_width, int image_height,
                                     const struct sp_similarity *map, int side, struct sp_err *err);

/* Cut that chip: RGB [side][side][3]. */
enum sp_status sp_resample_warp(struct sp_resampler *resampler, const struct sp_image *image,
                                const struct sp_similarity *map, int side, uint8_t *ret_chip, struct sp_err *err);

/* A chip of side x side px as it is into tensor, float [3][side][side]. */
void sp_resample_planes(const uint8_t *chip, int side, const struct sp_norm *norm, float *ret_tensor);

#endif
