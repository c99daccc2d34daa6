/* A net in the engine's own words: typed layers in running order, ready for a backend.
 *
 * Shapes are those of ONE batch item. At batch b the first dim of every run-time value is b times larger and the
 * items lie one after the other; lowering refuses what would mix items when max_batch > 1. Constants do not grow.
 */
#ifndef SALLYPORT_GPU_PROGRAM_H
#define SALLYPORT_GPU_PROGRAM_H

#include "gpu/graph.h"

enum sp_op {
    SP_OP_CONV,      /* x [n,c,h,w], weights [oc,c/group,kh,kw], bias [oc] or -1 */
    SP_OP_POOL,      /* x [n,c,h,w] */
    SP_OP_MATMUL,    /* a [..,m,k], b [..,k,n] (leading dims equal, or b of rank 2), bias [n] or -1 */
    SP_OP_BINARY,    /* a, b with numpy broadcasting */
    SP_OP_UNARY,     /* x; the function is `act` */
    SP_OP_SCALE,     /* x [n,c,..], scale [c], shift [c] */
    SP_OP_NORM,      /* instance normalisation: x [n,c,..], scale [c], shift [c] */
    SP_OP_SOFTMAX,   /* x, over axis `axis.first` .. `axis.last` inclusive */
    SP_OP_REDUCE,    /* x, over the axes set in reduce.mask */
    SP_OP_RESHAPE,   /* x; same elements, other dims */
    SP_OP_TRANSPOSE, /* x; output dim i is input dim perm[i] */
    SP_OP_CONCAT,    /* any number of values along axis.first */
    SP_OP_SLICE,     /* x */
    SP_OP_GATHER,    /* x; fixed indices along one axis */
    SP_OP_PAD,       /* x; constant padding */
    SP_OP_RESIZE,    /* x [n,c,h,w]; nearest neighbour by index maps */
};

enum sp_act_kind {
    SP_ACT_NONE,
    SP_ACT_RELU,
    SP_ACT_LEAKY, /* x < 0 ? a * x : x */
    SP_ACT_CLIP,  /* min(max(x, a), b) */
    SP_ACT_PRELU, /* x < 0 ? slope[c] * x : x, c along axis 1 */
    SP_ACT_SIGMOID,
    SP_ACT_TANH,
    SP_ACT_EXP,
    SP_ACT_LOG,
    SP_ACT_SQRT,
    SP_ACT_ABS,
    SP_ACT_NEG,
    SP_ACT_FLOOR,
    SP_ACT_CEIL,
    SP_ACT_LINEAR, /* a * x + b */
};

struct sp_act {
    enum sp_act_kind kind;
    float a, b;
    int slope; /* PRELU: constant [c]; else -1 */
};

enum sp_binary_kind {
    SP_BINARY_ADD,
    SP_BINARY_SUB,
    SP_BINARY_MUL,
    SP_BINARY_DIV,
    SP_BINARY_POW,
    SP_BINARY_MAX,
    SP_BINARY_MIN
};
enum sp_pool_kind { SP_POOL_MAX, SP_POOL_AVG };
enum sp_reduce_kind { SP_REDUCE_MEAN, SP_REDUCE_SUM, SP_REDUCE_MAX, SP_REDUCE_L2 };

/* Window geometry; index 0 is height, 1 is width. */
struct sp_window {
    int kernel[2], stride[2], dilation[2];
    int pad_begin[2], pad_end[2]; /* as declared; ceil_mode may let the last window reach further */
};

struct sp_layer {
    enum sp_op op;
    char *name;  /* "'Conv_12' (Conv)", owned */
    int *inputs; /* owned */
    int input_count;
    int output;
    int residual; /* value of the output's shape that is added before act, or -1 */
    struct sp_act act;
    union {
        struct {
            struct sp_window window;
            int group;
        } conv;
        struct {
            struct sp_window window;
            enum sp_pool_kind kind;
            bool count_pad;
        } pool;
        enum sp_binary_kind binary;
        struct {
            float epsilon;
        } norm;
        struct {
            int first, last;
        } axis;
        struct {
            enum sp_reduce_kind kind;
            uint32_t mask;
        } reduce;
        int perm[SP_TENSOR_MAX_RANK];
        struct {
            int64_t start[SP_TENSOR_MAX_RANK], step[SP_TENSOR_MAX_RANK];
        } slice;
        struct {
            int axis;
            int count;
            int32_t *index; /* owned; within the axis */
        } gather;
        struct {
            int64_t begin[SP_TENSOR_MAX_RANK], end[SP_TENSOR_MAX_RANK];
            float value;
        } pad;
        struct {
            int32_t *rows; /* source row of each output row; owned */
            int32_t *columns;
        } resize;
    };
};

struct sp_program {
    struct sp_value_table values;
    struct sp_layer *layers;
    int layer_count;
    int layer_capacity;
    struct sp_port inputs[SP_NET_MAX_PORTS];
    int input_count;
    struct sp_port outputs[SP_NET_MAX_PORTS];
    int output_count;
    int max_batch;
    size_t max_bytes;
    enum sp_precision precision;
};

void sp_program_free(struct sp_program **program);
void sp_layer_clear(struct sp_layer *layer);
const char *sp_op_name(enum sp_op op);
const char *sp_act_name(enum sp_act_kind kind);
/* "conv 3x3 s2 g1 3->32 @256x256 +add relu" into text; returns text. */
const char *sp_layer_text(const struct sp_program *program, const struct sp_layer *layer, char *text, size_t size);

static inline bool sp_value_is_constant(const struct sp_program *program, int value)
{
    return value >= 0 && program->values.at[value].data != NULL;
}

#endif
