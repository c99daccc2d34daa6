/* Constants as the kernels read them, packed on the host at load; "half" is 16 bits in the net's precision. No
 * device here. */
#ifndef SALLYPORT_GPU_CUDA_WEIGHTS_H
#define SALLYPORT_GPU_CUDA_WEIGHTS_H

#include "gpu/program.h"

/* A convolution of the program, and a scale before it that it takes in (x * scale[c] + shift[c]), or NULL. */
struct sp_cuda_source {
    const float *weights; /* [oc][ic / group][taps] */
    const float *bias;    /* [oc] or NULL */
    const float *scale, *shift;
    struct sp_window window;
    int ic, oc, h, w, oh, ow;
};

/* A zero-padded convolution after x * s + t: its shift cannot be one bias, since padding is zero and not t. Output
 * pixels whose windows see the same taps inside the image form a class, per row and per column, each with its own
 * bias: for 3x3 with padding 1, corners, edges and interior. */
struct sp_cuda_border {
    int *row_class, *column_class; /* [oh], [ow]; NULL where one class does */
    int row_classes, column_classes;
    float *bias; /* [row_classes][column_classes][pitch], zeros past oc */
};
/* False where the classes are too many to be worth it; nothing is kept then. *ret_memory is set where memory is
 * short. */
bool sp_cuda_border_new(struct sp_cuda_border *ret_border, const struct sp_cuda_source *source, int pitch,
                        bool *ret_memory);
void sp_cuda_border_clear(struct sp_cuda_border *border);

static inline int sp_cuda_pitch(int64_t channels)
{
    return (int)((channels + 7) / 8 * 8);
}

/* half [rows][columns] with columns along k = tap * pitch + channel, zeros elsewhere: the implicit product's and
 * the library's weights. malloc'ed; NULL without memory. */
uint16_t *sp_cuda_pack_conv(const struct sp_cuda_source *source, enum sp_precision precision, int rows,
                            int columns);
/* half [taps][pitch] */
uint16_t *sp_cuda_pack_depthwise(const struct sp_cuda_source *source, enum sp_precision precision);
/* f32 [oc][taps][ic / group] */
float *sp_cuda_pack_grouped(const struct sp_cuda_source *source, int group);
/* half [n][k] of b [k][n]: the library's weights. */
uint16_t *sp_cuda_pack_matrix(const float *b, enum sp_precision precision, int64_t k, int64_t n);
/* half [count] */
uint16_t *sp_cuda_pack_halfs(const float *from, enum sp_precision precision, size_t count);
/* f32, zeros past count; from may be NULL. */
float *sp_cuda_pack_vector(const float *from, int64_t count, int64_t padded);
/* A number that 16 bits hold only as infinity makes a model unfit: whether one of count does. */
bool sp_cuda_overflows(const uint16_t *halfs, enum sp_precision precision, size_t count);

#endif
