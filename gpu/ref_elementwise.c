/* Functions of one element, of two with broadcasting, and along axes. */
#include "gpu/ref.h"

#include <math.h>
#include <string.h>

static float act_of(const struct sp_act *act, float x)
{
    switch (act->kind) {
    case SP_ACT_RELU:
        return x > 0 ? x : 0;
    case SP_ACT_LEAKY:
        return x < 0 ? act->a * x : x;
    case SP_ACT_CLIP:
        return x < act->a ? act->a : x > act->b ? act->b : x;
    case SP_ACT_SIGMOID:
        return 1 / (1 + expf(-x));
    case SP_ACT_TANH:
        return tanhf(x);
    case SP_ACT_EXP:
        return expf(x);
    case SP_ACT_LOG:
        return logf(x);
    case SP_ACT_SQRT:
        return sqrtf(x);
    case SP_ACT_ABS:
        return fabsf(x);
    case SP_ACT_NEG:
        return -x;
    case SP_ACT_FLOOR:
        return floorf(x);
    case SP_ACT_CEIL:
        return ceilf(x);
    case SP_ACT_LINEAR:
        return act->a * x + act->b;
    default:
        return x;
    }
}

static void apply_prelu(const float *slope, const struct sp_tensor *out)
{
    int64_t channels = out->dims[1], inner = sp_tensor_count(out, 2, out->rank);
    for (int64_t plane = 0; plane < out->dims[0] * channels; plane++) {
        float *y = out->data + plane * inner;
        for (int64_t i = 0; i < inner; i++)
            y[i] = y[i] < 0 ? slope[plane % channels] * y[i] : y[i];
    }
}

void sp_ref_finish(const struct sp_layer *layer, const struct sp_tensor *residual, const float *slope,
                   const struct sp_tensor *out)
{
    int64_t count = sp_tensor_count(out, 0, out->rank);
    if (residual)
        for (int64_t i = 0; i < count; i++)
            out->data[i] += residual->data[i];
    if (layer->act.kind == SP_ACT_PRELU)
        apply_prelu(slope, out);
    else if (layer->act.kind == SP_ACT_RELU) /* the frequent one, where a loop without a switch counts */
        for (int64_t i = 0; i < count; i++)
            out->data[i] = out->data[i] > 0 ? out->data[i] : 0;
    else if (layer->act.kind != SP_ACT_NONE)
        for (int64_t i = 0; i < count; i++)
            out->data[i] = act_of(&layer->act, out->data[i]);
}

static float binary_of(enum sp_binary_kind kind, float a, float b)
{
    switch (kind) {
    case SP_BINARY_ADD:
        return a + b;
    case SP_BINARY_SUB:
        return a - b;
    case SP_BINARY_MUL:
        return a * b;
    case SP_BINARY_DIV:
        return a / b;
    case SP_BINARY_POW:
        return powf(a, b);
    case SP_BINARY_MAX:
        return a > b ? a : b;
    default:
        return a < b ? a : b;
    }
}

/* Elements to step in `t` for each dim of an output of rank `rank`; 0 where t is broadcast. */
static void broadcast_strides(const struct sp_tensor *t, int rank, int64_t *strides)
{
    int64_t step = 1;
    for (int i = rank - 1; i >= 0; i--) {
        int own = i - (rank - t->rank);
        int64_t dim = own < 0 ? 1 : t->dims[own];
        strides[i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

void sp_ref_binary(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t sa[SP_TENSOR_MAX_RANK] = {0}, sb[SP_TENSOR_MAX_RANK] = {0}, index[SP_TENSOR_MAX_RANK] = {0};
    int rank = out->rank;
    broadcast_strides(&inputs[0], rank, sa);
    broadcast_strides(&inputs[1], rank, sb);
    int64_t inner = rank ? out->dims[rank - 1] : 1, step_a = rank ? sa[rank - 1] : 0,
            step_b = rank ? sb[rank - 1] : 0;
    int64_t rows = sp_tensor_count(out, 0, rank ? rank - 1 : 0);
    for (int64_t row = 0; row < rows && inner; row++) {
        const float *a = inputs[0].data, *b = inputs[1].data;
        for (int i = 0; i < rank - 1; i++) {
            a += index[i] * sa[i];
            b += index[i] * sb[i];
        }
        float *y = out->data + row * inner;
        for (int64_t i = 0; i < inner; i++)
            y[i] = binary_of(layer->binary, a[i * step_a], b[i * step_b]);
        for (int i = rank - 2; i >= 0 && ++index[i] == out->dims[i]; i--)
            index[i] = 0;
    }
}

void sp_ref_scale(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t channels = out->dims[1], inner = sp_tensor_count(out, 2, out->rank);
    (void)layer;
    for (int64_t plane = 0; plane < out->dims[0] * channels; plane++) {
        float scale = inputs[1].data[plane % channels], shift = inputs[2].data[plane % channels];
        for (int64_t i = plane * inner; i < (plane + 1) * inner; i++)
            out->data[i] = inputs[0].data[i] * scale + shift;
    }
}

void sp_ref_norm(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t channels = out->dims[1], inner = sp_tensor_count(out, 2, out->rank);
    for (int64_t plane = 0; plane < out->dims[0] * channels && inner; plane++) {
        const float *x = inputs[0].data + plane * inner;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < inner; i++)
            sum += x[i];
        double mean = sum / (double)inner;
        for (int64_t i = 0; i < inner; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double scale = inputs[1].data[plane % channels] / sqrt(squares / (double)inner + layer->norm.epsilon);
        double shift = inputs[2].data[plane % channels] - mean * scale;
        for (int64_t i = 0; i < inner; i++)
            out->data[plane * inner + i] = (float)(x[i] * scale + shift);
    }
}

void sp_ref_softmax(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t outer = sp_tensor_count(out, 0, layer->axis.first);
    int64_t middle = sp_tensor_count(out, layer->axis.first, layer->axis.last + 1);
    int64_t inner = sp_tensor_count(out, layer->axis.last + 1, out->rank);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < inner; i++) {
            const float *x = inputs[0].data + o * middle * inner + i;
            float *y = out->data + o * middle * inner + i;
            float most = -INFINITY;
            double sum = 0;
            for (int64_t m = 0; m < middle; m++)
                most = x[m * inner] > most ? x[m * inner] : most;
            for (int64_t m = 0; m < middle; m++) {
                y[m * inner] = expf(x[m * inner] - most);
                sum += y[m * inner];
            }
            for (int64_t m = 0; m < middle; m++)
                y[m * inner] = (float)(y[m * inner] / sum);
        }
    }
}

/* Sum, squares or maximum of x over the dims in mask, from dim `dim` on. */
static double reduce_from(const struct sp_tensor *x, const float *at, int dim, int64_t step, uint32_t mask,
                          enum sp_reduce_kind kind)
{
    for (; dim < x->rank && !(mask >> dim & 1); dim++)
        step /= x->dims[dim];
    if (dim == x->rank)
        return kind == SP_REDUCE_L2 ? (double)*at * *at : *at;
    step /= x->dims[dim];
    double total = kind == SP_REDUCE_MAX ? -INFINITY : 0;
    for (int64_t i = 0; i < x->dims[dim]; i++) {
        double part = reduce_from(x, at + i * step, dim + 1, step, mask, kind);
        total = kind != SP_REDUCE_MAX ? total + part : part > total ? part : total;
    }
    return total;
}

void sp_ref_reduce(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    const struct sp_tensor *x = inputs;
    int64_t index[SP_TENSOR_MAX_RANK] = {0}, count = sp_tensor_count(x, 0, x->rank), outputs = 1, over = 1;
    for (int i = 0; i < x->rank; i++) {
        bool reduced = layer->reduce.mask >> i & 1;
        outputs *= reduced ? 1 : x->dims[i];
        over *= reduced ? x->dims[i] : 1;
    }
    for (int64_t o = 0; o < outputs && count; o++) {
        int64_t at = 0, step = count;
        for (int i = 0; i < x->rank; i++) {
            step /= x->dims[i];
            at += index[i] * step;
        }
        double total = reduce_from(x, x->data + at, 0, count, layer->reduce.mask, layer->reduce.kind);
        out->data[o] = (float)(layer->reduce.kind == SP_REDUCE_MEAN ? total / (double)over
                               : layer->reduce.kind == SP_REDUCE_L2 ? sqrt(total)
                                                                    : total);
        for (int i = x->rank - 1; i >= 0; i--) {
            if (layer->reduce.mask >> i & 1)
                continue;
            if (++index[i] < x->dims[i])
                break;
            index[i] = 0;
        }
    }
}
