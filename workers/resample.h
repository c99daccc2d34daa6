/* Resampling: parts of an image into the planes of a net's input, and faces onto chips.
 *
 * Enrolment and probe go through these same functions: resampling alone moves a descriptor by about 0.07, so
 * nothing here may depend on who asks. Coordinates follow the nets' own convention: x_out = x_in * scale + offset.
 */
#ifndef SALLYPORT_WORKERS_RESAMPLE_H
#define SALLYPORT_WORKERS_RESAMPLE_H

#include "workers/vision.h"

/* How pixels become a net's input: (x - mean[c]) * scale, c in the net's colour order. */
struct sp_norm {
    enum sp_colour colour;
    float mean[3];
    float scale;
};

/* What a pack says about one net. */
struct sp_norm sp_resample_norm(const struct sp_pack_net *net);

/* A part of an image, in whole px; always inside it. */
struct sp_rect {
    int x, y, width, height;
};

/* Where a resized picture lies in a tensor of width x height: x_tensor = x_source * scale + offset_x. */
struct sp_fit {
    int width, height;             /* of the tensor, px */
    int inner_width, inner_height; /* of the resized picture, px */
    int offset_x, offset_y;        /* px in the tensor */
    float scale;
};

/* Top-left letterbox of a source_width x source_height picture, aspect kept, the rest zero. With border > 0 the
 * picture gets a black frame of that share of its longer side first. */
struct sp_fit sp_resample_letterbox(int source_width, int source_height, int width, int height, float border);
/* Centred in a square of side px, aspect kept. */
struct sp_fit sp_resample_centred(int source_width, int source_height, int side);

/* Scratch for the two passes; grows to the largest picture seen, then no more allocation. One thread at a time. */
struct sp_resampler;
enum sp_status sp_resampler_new(struct sp_resampler **ret_resampler, struct sp_err *err);
void sp_resampler_free(struct sp_resampler **resampler);

/* Resize part of image as fit says into tensor, float [3][fit->height][fit->width]; pixels outside the picture are
 * zero before normalisation. Shrinking averages exact areas (antialiased), growing is bilinear. */
enum sp_status sp_resample_fit(struct sp_resampler *resampler, const struct sp_image *image,
                               const struct sp_rect *part, const struct sp_fit *fit, const struct sp_norm *norm,
                               float *ret_tensor, struct sp_err *err);

/* u' = a*u - b*v + tx, v' = b*u + a*v + ty: image px to chip px. */
struct sp_similarity {
    float a, b, tx, ty;
};

/* Cut an upright chip of side x side px out of image: RGB [side][side][3]. While the map shrinks by more than 2,
 * the source is halved with a 2 x 2 box first; then bilinear; zeros outside the image. */
enum sp_status sp_resample_warp(struct sp_resampler *resampler, const struct sp_image *image,
                                const struct sp_similarity *map, int side, uint8_t *ret_chip, struct sp_err *err);

/* A chip of side x side px as it is into tensor, float [3][side][side]. */
void sp_resample_planes(const uint8_t *chip, int side, const struct sp_norm *norm, float *ret_tensor);

#endif
