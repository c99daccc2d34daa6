/* The nets' kernels as host code calls them: one struct of arguments each, and a launcher for each precision of the
 * 16-bit floats.
 *
 * An image is [n][h][w][pitch] 16-bit floats, channels last; pitch is the channels rounded up to 8, and the lanes
 * past the channels hold zeros, which every kernel that writes an image keeps. Images begin at multiples of 16
 * bytes. Other tensors are 16- or 32-bit floats at any strides. Sums, activations and residuals are float; a result
 * is rounded once.
 *
 * Launchers take a stream's native handle, return 0 or a cudaError_t, and never wait. Pointers are the device's. */
#ifndef SALLYPORT_GPU_CUDA_KERNELS_H
#define SALLYPORT_GPU_CUDA_KERNELS_H

#include "gpu/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* HALF: 16 bits, in the net's precision. */
enum sp_cuda_type { SP_CUDA_HALF, SP_CUDA_F32 };

/* The activation at the end of a kernel. */
struct sp_cuda_act {
    enum sp_act_kind kind;
    float a, b;
    const float *slope; /* PRELU: [channels rounded up to 8] */
};

#define SP_CUDA_CONV_K  32  /* one step along k */
#define SP_CUDA_CONV_OC 128 /* weights are padded to a multiple of it */
/* Tiles [rows][output channels] to choose from; the last ones for devices of compute capability 9.0 alone. */
enum sp_cuda_tile {
    SP_TILE_256X128,
    SP_TILE_128X128,
    SP_TILE_128X64,
    SP_TILE_64X64,
    SP_TILE_64X32,
    SP_TILE_WGMMA_128X256,
    SP_TILE_WGMMA_128X128,
    SP_TILE_WGMMA_128X64,
    SP_TILE_COUNT
};
/* Rows and columns of a tile. */
void sp_cuda_tile_size(enum sp_cuda_tile tile, int ret_size[2]);

/* Convolution, group 1: a matrix product over [n oh ow] x [taps pitch] x [oc] whose left side is gathered from the
 * image as it is loaded. */
struct sp_cuda_conv {
    const void *x;        /* image */
    const void *weights;  /* half [oc_padded][k_padded]: k = tap * pitch + channel */
    const float *bias;    /* [row class][column class][out_pitch] */
    const int *row_class; /* [oh]; NULL: one class. See sp_cuda_border in cuda_weights.h */
    const int *column_class;
    int column_classes;
    const void *residual; /* image of the output's shape, or NULL */
    void *out;            /* image */
    struct sp_cuda_act act;
    int n, h, w, pitch;
    int oh, ow, oc, out_pitch;
    int kernel[2], stride[2], dilation[2], pad[2]; /* pad: at the beginning */
    int k_padded;                                  /* a multiple of SP_CUDA_CONV_K */
    enum sp_cuda_tile tile;
};

/* Convolution with one filter per channel. weights half [taps][pitch]. */
struct sp_cuda_depthwise {
    const void *x;
    const void *weights;
    const float *bias; /* [pitch] */
    const void *residual;
    void *out;
    struct sp_cuda_act act;
    int n, h, w, pitch, channels;
    int oh, ow;
    int kernel[2], stride[2], dilation[2], pad[2];
};

/* A depthwise convolution, and the pointwise one (1x1, stride 1, no padding, one bias) that reads it: depth.out and
 * depth.residual are not used, point.x neither. point.tile is any but the largest. */
struct sp_cuda_separable {
    struct sp_cuda_depthwise depth;
    struct sp_cuda_conv point;
};

/* Any other grouped convolution, one output number per thread. weights f32 [oc][taps][channels / group]. */
struct sp_cuda_grouped {
    const void *x;
    const float *weights;
    const float *bias; /* [out_pitch] */
    const void *residual;
    void *out;
    struct sp_cuda_act act;
    int n, h, w, pitch, channels;
    int oh, ow, oc, out_pitch, group;
    int kernel[2], stride[2], dilation[2], pad[2];
};

/* Max or average over windows of an image. */
struct sp_cuda_pool {
    const void *x;
    void *out;
    int n, h, w, pitch, channels;
    int oh, ow;
    int kernel[2], stride[2], pad[2], pad_end[2];
    bool average, count_pad;
};

/* An image inside a larger one; begin counts image rows, columns. New channels come after the old. */
struct sp_cuda_pad {
    const void *x;
    void *out;
    int n, h, w, pitch, channels;
    int oh, ow, out_pitch, out_channels;
    int begin[2];
    float value;
};

/* out[y][x] = in[rows[y]][columns[x]] of an image. */
struct sp_cuda_resize {
    const void *x;
    void *out;
    const int *rows, *columns;
    int n, h, w, pitch;
    int oh, ow;
};

/* Float planes [n][c][h w] to an image: the way in. */
struct sp_cuda_planes {
    const float *x;
    void *out;
    int n, channels, pixels, pitch;
};

/* out = act(f(a, b, c)) over a common index space of at most 8 dims, any strides (in elements; 0 repeats). */
enum sp_cuda_map_kind { SP_MAP_COPY = 16, SP_MAP_MUL_ADD /* a * b + c */ }; /* below 16: enum sp_binary_kind */
struct sp_cuda_operand {
    void *data; /* NULL: not used */
    enum sp_cuda_type type;
    int64_t strides[SP_TENSOR_MAX_RANK];
};
struct sp_cuda_map {
    int kind;
    int rank;
    int64_t dims[SP_TENSOR_MAX_RANK];
    struct sp_cuda_operand out, a, b, c;
    struct sp_cuda_operand slope; /* PRELU: f32 */
    struct sp_cuda_act act;       /* its slope is not used */
};

/* The same over images of one shape, eight lanes at a time. b and c: image, vector f32 [pitch] or nothing. */
struct sp_cuda_wide {
    int kind;
    const void *a;
    const void *b, *c;
    bool b_vector, c_vector;
    void *out;
    struct sp_cuda_act act;
    int64_t pixels; /* n h w */
    int pitch, channels;
};

/* Pieces of 16 bytes from rows of one pitch to rows of another (both in pieces): concatenation of channels. */
struct sp_cuda_pieces {
    const void *x;
    void *out;
    int64_t rows;
    int width, pitch, out_pitch;
};

/* `count` pieces of 16 zero bytes. */
struct sp_cuda_zero {
    void *out;
    int64_t count;
};

/* out[o][i][inner] = x[o][index[i]][inner], dense. */
struct sp_cuda_gather {
    const void *x;
    void *out;
    enum sp_cuda_type type, out_type;
    const int *index;
    int64_t outer, inner;
    int axis, count; /* the axis' size in x and in out */
};

/* Over some dims of x, one output number per warp. Outputs are dense f32 in the order of the kept dims. */
struct sp_cuda_reduce {
    enum sp_reduce_kind kind;
    const void *x;
    enum sp_cuda_type type;
    float *out;
    int kept_rank, over_rank;
    int64_t kept[SP_TENSOR_MAX_RANK], kept_strides[SP_TENSOR_MAX_RANK];
    int64_t over[SP_TENSOR_MAX_RANK], over_strides[SP_TENSOR_MAX_RANK];
};

/* Dense [outer][middle][inner], over middle. */
struct sp_cuda_softmax {
    const void *x;
    enum sp_cuda_type type;
    float *out;
    int64_t outer, middle, inner;
};

/* Instance normalisation: one warp per item and channel. Strides in elements, the same for x and out. */
struct sp_cuda_norm {
    const void *x;
    void *out;
    enum sp_cuda_type type, out_type;
    const float *scale, *shift;
    float epsilon;
    int64_t items, channels, inner;
    int64_t item_stride, channel_stride, inner_stride;
    struct sp_cuda_act act;
};

/* Products that no library call fits: one output number per thread, everything dense. */
struct sp_cuda_matmul {
    const void *a, *b;
    enum sp_cuda_type a_type, b_type;
    const float *bias; /* [n] or NULL */
    float *out;
    int64_t blocks, m, n, k;
    bool one_b; /* one b for all blocks */
};

/* Every kernel above, by the name of its arguments. */
#define SP_CUDA_KERNEL_LIST(X)                                                                                     \
    X(conv)                                                                                                        \
    X(depthwise)                                                                                                   \
    X(separable)                                                                                                   \
    X(grouped)                                                                                                     \
    X(pool)                                                                                                        \
    X(pad)                                                                                                         \
    X(resize)                                                                                                      \
    X(planes)                                                                                                      \
    X(map)                                                                                                         \
    X(wide)                                                                                                        \
    X(pieces)                                                                                                      \
    X(zero)                                                                                                        \
    X(gather)                                                                                                      \
    X(reduce)                                                                                                      \
    X(softmax)                                                                                                     \
    X(norm)                                                                                                        \
    X(matmul)

/* Those of the last tiles, which conv calls: from a source of their own, as they are compiled for one device. */
int sp_cuda_conv_wgmma_f16(void *stream, const struct sp_cuda_conv *args);
int sp_cuda_conv_wgmma_bf16(void *stream, const struct sp_cuda_conv *args);

/* Its launchers, one for each precision: sp_cuda_conv_f16, sp_cuda_conv_bf16, ... */
#define SP_CUDA_LAUNCHERS(name)                                                                                    \
    int sp_cuda_##name##_f16(void *stream, const struct sp_cuda_##name *args);                                     \
    int sp_cuda_##name##_bf16(void *stream, const struct sp_cuda_##name *args);
SP_CUDA_KERNEL_LIST(SP_CUDA_LAUNCHERS)

/* The launchers of one precision: kernels->conv(stream, &args). */
struct sp_cuda_kernels {
#define SP_CUDA_KERNEL(name) int (*name)(void *stream, const struct sp_cuda_##name *args);
    SP_CUDA_KERNEL_LIST(SP_CUDA_KERNEL)
#undef SP_CUDA_KERNEL
};
const struct sp_cuda_kernels *sp_cuda_kernels_of(enum sp_precision precision);

#ifdef __cplusplus
}
#endif

#endif
