/* Inside the planner: what the builders of layers share. */
#ifndef SALLYPORT_GPU_CUDA_BUILD_H
#define SALLYPORT_GPU_CUDA_BUILD_H

#include "gpu/cuda_plan.h"

struct sp_cuda_build {
    struct sp_cuda_plan *plan;
    const struct sp_program *program;
    const struct sp_layer *layer; /* in work */
    struct sp_cuda_view *views;   /* [values] that are made at run time */
    struct sp_cuda_view *images;  /* [values]: the same as an image, place NONE where not made */
    struct sp_cuda_ref *uploads;  /* [values]: constants as dense f32 */
    int *uses;                    /* [values] */
    const struct sp_layer *
        *scale_of; /* [values]: made by this scale, which the convolution that reads it takes in */
    struct sp_err *err;
    enum sp_status status; /* the first failure; every call below does nothing after it */
};

/* Record a failure with the layer's name in front. */
void sp_cuda_build_fail(struct sp_cuda_build *build, enum sp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Pieces of the plan. Steps are zeroed; the pointer is good until the next call. NULL on failure. */
struct sp_cuda_step *sp_cuda_build_step(struct sp_cuda_build *build, enum sp_cuda_step_kind kind);
struct sp_cuda_ref sp_cuda_build_buffer(struct sp_cuda_build *build, int64_t item_bytes);
/* Copy into the constants. data NULL means memory was short where it was made. */
struct sp_cuda_ref sp_cuda_build_constant(struct sp_cuda_build *build, const void *data, size_t bytes);
/* As sp_cuda_build_constant, and free data. */
struct sp_cuda_ref sp_cuda_build_take(struct sp_cuda_build *build, void *data, size_t bytes);
/* 16-bit weights; refused where one became infinite. Frees data. */
struct sp_cuda_ref sp_cuda_build_take_halfs(struct sp_cuda_build *build, uint16_t *data, size_t count);
/* Constant `value` (or zeros for -1) as a f32 vector, padded with zeros. */
struct sp_cuda_ref sp_cuda_build_vector(struct sp_cuda_build *build, int value, int64_t count, int64_t padded);

/* Views. */
struct sp_cuda_view sp_cuda_view_dense(struct sp_cuda_ref at, enum sp_cuda_type type, int rank,
                                       const int64_t *dims);
bool sp_cuda_view_is_dense(const struct sp_cuda_view *view);
bool sp_cuda_view_is_image(const struct sp_cuda_view *view);
static inline int64_t sp_cuda_type_bytes(enum sp_cuda_type type)
{
    return type == SP_CUDA_HALF ? 2 : 4;
}
/* A new place for the layer's output, which the view is then of. */
struct sp_cuda_view sp_cuda_build_image(struct sp_cuda_build *build, int value);
struct sp_cuda_view sp_cuda_build_dense(struct sp_cuda_build *build, int value, enum sp_cuda_type type);
/* A value (made at run time or constant) as it is; as an image; as dense numbers of any type, or of one. Steps are
 * added where it must be moved. */
struct sp_cuda_view sp_cuda_value(struct sp_cuda_build *build, int value);
struct sp_cuda_view sp_cuda_value_image(struct sp_cuda_build *build, int value);
struct sp_cuda_view sp_cuda_value_dense(struct sp_cuda_build *build, int value);
struct sp_cuda_view sp_cuda_value_typed(struct sp_cuda_build *build, int value, enum sp_cuda_type type);

/* A MAP step; operands have out's rank and dims (strides 0 where they repeat) and may be NULL. act NULL: none. */
void sp_cuda_build_map(struct sp_cuda_build *build, int kind, const struct sp_cuda_view *out,
                       const struct sp_cuda_view *a, const struct sp_cuda_view *b, const struct sp_cuda_view *c,
                       const struct sp_act *act);
/* Zero all of an image whose lanes past the channels no later step writes; nothing where there are none. */
void sp_cuda_build_lanes(struct sp_cuda_build *build, const struct sp_cuda_view *image);
/* `view` with the strides of a broadcast to these dims. `constant`: it has no batch. */
struct sp_cuda_view sp_cuda_view_broadcast(const struct sp_cuda_view *view, int rank, const int64_t *dims,
                                           bool constant);
struct sp_cuda_act sp_cuda_build_act(const struct sp_act *act);
/* The slope of an activation as a vector; place NONE where it has none. */
struct sp_cuda_ref sp_cuda_build_slope(struct sp_cuda_build *build, const struct sp_act *act);

/* When all steps are there: which depthwise convolutions the pointwise ones behind them can make as well. */
void sp_cuda_build_separable(struct sp_cuda_plan *plan);

/* One function per layer, in three files. */
void sp_cuda_build_conv(struct sp_cuda_build *build);
void sp_cuda_build_matmul(struct sp_cuda_build *build);
void sp_cuda_build_pool(struct sp_cuda_build *build);
void sp_cuda_build_pad(struct sp_cuda_build *build);
void sp_cuda_build_resize(struct sp_cuda_build *build);
void sp_cuda_build_concat(struct sp_cuda_build *build);
void sp_cuda_build_gather(struct sp_cuda_build *build);
void sp_cuda_build_transpose(struct sp_cuda_build *build);
void sp_cuda_build_slice(struct sp_cuda_build *build);
void sp_cuda_build_reshape(struct sp_cuda_build *build);
void sp_cuda_build_binary(struct sp_cuda_build *build);
void sp_cuda_build_unary(struct sp_cuda_build *build);
void sp_cuda_build_scale(struct sp_cuda_build *build);
void sp_cuda_build_norm(struct sp_cuda_build *build);
void sp_cuda_build_softmax(struct sp_cuda_build *build);
void sp_cuda_build_reduce(struct sp_cuda_build *build);

#endif
