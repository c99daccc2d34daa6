/* A program as the device runs it: kernels in order, and where every number lies. Made on the host without a
 * device, so that it can be tested without one.
 *
 * Values are views: a place, a type and strides, all for ONE item. Items lie one after the other, so at batch b
 * only the extent of dim 0 grows. Transposes, slices and most reshapes are other views of the same place and cost
 * nothing. */
#ifndef SALLYPORT_GPU_CUDA_PLAN_H
#define SALLYPORT_GPU_CUDA_PLAN_H

#include "gpu/cuda_kernels.h"
#include "gpu/plan.h"

enum sp_cuda_place { SP_PLACE_NONE, SP_PLACE_CONSTANT, SP_PLACE_ARENA, SP_PLACE_INPUT, SP_PLACE_OUTPUT };

/* An address that is known only when memory is there. */
struct sp_cuda_ref {
    enum sp_cuda_place place;
    int index;     /* ARENA: buffer; INPUT, OUTPUT: port */
    int64_t bytes; /* from the place's beginning; CONSTANT: from the constants' */
};

struct sp_cuda_view {
    struct sp_cuda_ref at;
    enum sp_cuda_type type;
    int rank;
    int64_t dims[SP_TENSOR_MAX_RANK], strides[SP_TENSOR_MAX_RANK]; /* elements */
    bool image;                                                    /* lanes past the channels are there and zero */
};

enum sp_cuda_step_kind {
    SP_STEP_CONV,
    SP_STEP_GEMM,
    SP_STEP_DEPTHWISE,
    SP_STEP_GROUPED,
    SP_STEP_POOL,
    SP_STEP_PAD,
    SP_STEP_RESIZE,
    SP_STEP_PLANES,
    SP_STEP_MAP,
    SP_STEP_WIDE,
    SP_STEP_PIECES,
    SP_STEP_ZERO,
    SP_STEP_GATHER,
    SP_STEP_REDUCE,
    SP_STEP_SOFTMAX,
    SP_STEP_NORM,
    SP_STEP_MATMUL,
};

struct sp_cuda_step {
    enum sp_cuda_step_kind kind;
    const struct sp_layer *layer; /* NULL: only moves or converts */
    union {                       /* addresses still empty, sizes of one item */
        struct sp_cuda_conv conv;
        struct sp_cuda_depthwise depthwise;
        struct sp_cuda_grouped grouped;
        struct sp_cuda_pool pool;
        struct sp_cuda_pad pad;
        struct sp_cuda_resize resize;
        struct sp_cuda_planes planes;
        struct sp_cuda_map map;
        struct sp_cuda_wide wide;
        struct sp_cuda_pieces pieces;
        struct sp_cuda_zero zero;
        struct sp_cuda_gather gather;
        struct sp_cuda_reduce reduce;
        struct sp_cuda_softmax softmax;
        struct sp_cuda_norm norm;
        struct sp_cuda_matmul matmul;
    };
    struct {
        int64_t rows, n, k, pitch; /* pitch: of the weights, along k */
        bool relu, add, f32_output;
    } product;     /* GEMM; CONV where the library could do it as well (n > 0) */
    int batch_dim; /* MAP: which of its dims grows */
    int takes;     /* CONV that can make the DEPTHWISE step before it as well: that step's number + 1; else 0 */
    struct sp_cuda_ref x, b, c, out, residual, weights, bias, slope, tables[2];
    struct sp_cuda_ref product_bias; /* as the library wants it */
};

struct sp_cuda_buffer {
    int64_t item_bytes;
    int first, last; /* steps */
    size_t offset;   /* in the arena */
};

struct sp_cuda_plan {
    const struct sp_program *program;
    struct sp_cuda_step *steps;
    int step_count, step_capacity;
    struct sp_cuda_buffer *buffers;
    int buffer_count, buffer_capacity;
    uint8_t *constants; /* to be uploaded as they are; offsets are multiples of 256 */
    size_t constant_bytes, constant_capacity;
    size_t arena_bytes;                                                    /* at max_batch */
    int64_t input_bytes[SP_NET_MAX_PORTS], output_bytes[SP_NET_MAX_PORTS]; /* of one item, f32 */
};

/* SP_E_UNSUPPORTED names the layer that has no form on the device. */
enum sp_status sp_cuda_plan_new(struct sp_cuda_plan **ret_plan, const struct sp_program *program,
                                struct sp_err *err);
void sp_cuda_plan_free(struct sp_cuda_plan **plan);
/* "conv 3x3 s2 g1 32->64 @..." or "to image", into text; returns text. choice: of a CONV or DEPTHWISE (enum
 * sp_cuda_choice). */
const char *sp_cuda_step_text(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step, int choice,
                              char *text, size_t size);

#endif
