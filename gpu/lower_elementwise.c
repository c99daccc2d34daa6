/* Functions of one element, of two, and along axes. */
#include "gpu/lower.h"

#include <float.h>
#include <math.h>
#include <string.h>

static enum sp_status emit_unary(struct sp_lower *lower, struct sp_act act)
{
    struct sp_layer layer;
    int x;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_UNARY, &x, 1);
    if (status)
        return status;
    layer.act = act;
    int64_t dims[SP_TENSOR_MAX_RANK];
    memcpy(dims, sp_lower_value(lower, x)->dims, sizeof dims);
    return sp_lower_emit(lower, &layer, sp_lower_value(lower, x)->rank, dims);
}

static enum sp_status lower_simple(struct sp_lower *lower)
{
    static const struct {
        const char *op;
        enum sp_act_kind kind;
    } rows[] = {
        {"Relu", SP_ACT_RELU}, {"Sigmoid", SP_ACT_SIGMOID}, {"Tanh", SP_ACT_TANH}, {"Exp", SP_ACT_EXP},
        {"Log", SP_ACT_LOG},   {"Sqrt", SP_ACT_SQRT},       {"Abs", SP_ACT_ABS},   {"Neg", SP_ACT_NEG},
        {"Ceil", SP_ACT_CEIL}, {"Floor", SP_ACT_FLOOR},
    };
    struct sp_act act = {.slope = -1};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].op, lower->node->op) == 0)
            act.kind = rows[i].kind;
    return emit_unary(lower, act);
}

static enum sp_status lower_leaky(struct sp_lower *lower)
{
    return emit_unary(
        lower, (struct sp_act){.kind = SP_ACT_LEAKY, .a = sp_lower_float(lower, "alpha", 0.01f), .slope = -1});
}

static enum sp_status lower_clip(struct sp_lower *lower)
{
    struct sp_act act = {.kind = SP_ACT_CLIP, .slope = -1};
    float *const bounds[2] = {&act.a, &act.b};
    act.a = sp_lower_float(lower, "min", -FLT_MAX);
    act.b = sp_lower_float(lower, "max", FLT_MAX);
    for (int i = 0; i < 2; i++) {
        if (sp_lower_input(lower, i + 1) < 0)
            continue;
        int bound;
        enum sp_status status = sp_lower_weights(lower, i + 1, 1, &bound);
        if (status)
            return status;
        *bounds[i] = *(const float *)sp_lower_value(lower, bound)->data;
    }
    if (!(act.a <= act.b))
        return sp_lower_fail(lower, SP_E_FORMAT, "its bounds %g and %g are the wrong way round", act.a, act.b);
    return emit_unary(lower, act);
}

static enum sp_status lower_prelu(struct sp_lower *lower)
{
    int x, slope;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_weights(lower, 1, -1, &slope);
    if (status)
        return status;
    const struct sp_value *vx = sp_lower_value(lower, x), *vs = sp_lower_value(lower, slope);
    if (vs->count == 1)
        return emit_unary(lower, (struct sp_act){.kind = SP_ACT_LEAKY, .a = *(const float *)vs->data, .slope = -1});
    /* [c], [c,1,1] and [1,c,1,1] all mean one slope per channel, also where numpy would align [c] with the last
     * axis. */
    if (vx->rank < 2 || vs->count != vx->dims[1])
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "a slope that is not one number per channel");
    return emit_unary(lower, (struct sp_act){.kind = SP_ACT_PRELU, .slope = slope});
}

static enum sp_status broadcast(const struct sp_lower *lower, int a, int b, int *ret_rank, int64_t *dims)
{
    const struct sp_value *va = sp_lower_value(lower, a), *vb = sp_lower_value(lower, b);
    int rank = va->rank > vb->rank ? va->rank : vb->rank;
    enum sp_status status = SP_OK;
    for (int i = 0; i < rank && !status; i++) {
        int ia = i - (rank - va->rank), ib = i - (rank - vb->rank);
        int64_t da = ia < 0 ? 1 : va->dims[ia], db = ib < 0 ? 1 : vb->dims[ib];
        if (da != db && da != 1 && db != 1)
            return sp_lower_fail(lower, SP_E_FORMAT, "its inputs differ in a dim: %lld and %lld", (long long)da,
                                 (long long)db);
        dims[i] = da == 1 ? db : da;
    }
    /* At batch b only dim 0 of run-time values grows: both must have it at the same place with the same size, and a
     * constant must not have it. */
    for (int side = 0; side < 2 && !status && rank; side++) {
        const struct sp_value *v = side ? vb : va;
        bool first = v->rank == rank;
        status = v->data ? sp_lower_keeps_items(lower, side ? a : b, !first || v->dims[0] == 1)
                         : sp_lower_keeps_items(lower, side ? b : a, first && v->dims[0] == dims[0]);
        if (!status && !v->data && !first)
            status = sp_lower_keeps_items(lower, side ? b : a, false);
    }
    *ret_rank = rank;
    return status;
}

static enum sp_status lower_binary(struct sp_lower *lower)
{
    static const struct {
        const char *op;
        enum sp_binary_kind kind;
    } rows[] = {
        {"Add", SP_BINARY_ADD}, {"Sub", SP_BINARY_SUB}, {"Mul", SP_BINARY_MUL}, {"Div", SP_BINARY_DIV},
        {"Pow", SP_BINARY_POW}, {"Max", SP_BINARY_MAX}, {"Min", SP_BINARY_MIN},
    };
    struct sp_layer layer;
    int inputs[2], rank = 0;
    int64_t dims[SP_TENSOR_MAX_RANK];
    if (lower->node->input_count != 2)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "%d inputs, expected 2", lower->node->input_count);
    enum sp_status status = sp_lower_tensor(lower, 0, &inputs[0]);
    if (!status)
        status = sp_lower_tensor(lower, 1, &inputs[1]);
    if (!status)
        status = broadcast(lower, inputs[0], inputs[1], &rank, dims);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_BINARY, inputs, 2);
    if (status)
        return status;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].op, lower->node->op) == 0)
            layer.binary = rows[i].kind;
    return sp_lower_emit(lower, &layer, rank, dims);
}

static enum sp_status lower_softmax(struct sp_lower *lower)
{
    struct sp_layer layer;
    int x, axis;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (status)
        return status;
    int rank = sp_lower_value(lower, x)->rank;
    status = sp_lower_axis(lower, sp_lower_int(lower, "axis", lower->opset < 13 ? 1 : -1), rank, &axis);
    if (!status)
        status = sp_lower_keeps_items(lower, x, axis > 0);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_SOFTMAX, &x, 1);
    if (status)
        return status;
    layer.axis.first = axis;
    layer.axis.last = lower->opset < 13 ? rank - 1 : axis; /* before 13 all dims from axis on were one */
    int64_t dims[SP_TENSOR_MAX_RANK];
    memcpy(dims, sp_lower_value(lower, x)->dims, sizeof dims);
    return sp_lower_emit(lower, &layer, rank, dims);
}

static enum sp_status lower_reduce(struct sp_lower *lower)
{
    struct sp_layer layer;
    int x, count, axis, rank = 0;
    int64_t axes[SP_TENSOR_MAX_RANK], out[SP_TENSOR_MAX_RANK];
    uint32_t mask = 0;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_list(lower, "axes", 1, axes, SP_TENSOR_MAX_RANK, &count);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    for (int i = 0; i < count && !status; i++) {
        status = sp_lower_axis(lower, axes[i], v->rank, &axis);
        mask |= status ? 0 : 1u << axis;
    }
    if (count <= 0)
        mask = (1u << v->rank) - 1;
    if (!status)
        status = sp_lower_keeps_items(lower, x, !(mask & 1));
    if (!status && v->count == 0)
        status = sp_lower_fail(lower, SP_E_UNSUPPORTED, "an empty input");
    bool keep = sp_lower_int(lower, "keepdims", 1) != 0;
    for (int i = 0; i < v->rank; i++) {
        if (!(mask >> i & 1))
            out[rank++] = v->dims[i];
        else if (keep)
            out[rank++] = 1;
    }
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_REDUCE, &x, 1);
    if (status)
        return status;
    const char *op = lower->node->op + strlen("Reduce");
    layer.reduce.kind = strcmp(op, "Mean") == 0  ? SP_REDUCE_MEAN
                        : strcmp(op, "Sum") == 0 ? SP_REDUCE_SUM
                        : strcmp(op, "Max") == 0 ? SP_REDUCE_MAX
                                                 : SP_REDUCE_L2;
    layer.reduce.mask = mask;
    return sp_lower_emit(lower, &layer, rank, out);
}

const struct sp_lower_row sp_lower_elementwise_rows[] = {
    {"Relu", lower_simple},      {"Sigmoid", lower_simple},
    {"Tanh", lower_simple},      {"Exp", lower_simple},
    {"Log", lower_simple},       {"Sqrt", lower_simple},
    {"Abs", lower_simple},       {"Neg", lower_simple},
    {"Ceil", lower_simple},      {"Floor", lower_simple},
    {"LeakyRelu", lower_leaky},  {"Clip", lower_clip},
    {"PRelu", lower_prelu},      {"Add", lower_binary},
    {"Sub", lower_binary},       {"Mul", lower_binary},
    {"Div", lower_binary},       {"Pow", lower_binary},
    {"Max", lower_binary},       {"Min", lower_binary},
    {"Softmax", lower_softmax},  {"ReduceMean", lower_reduce},
    {"ReduceSum", lower_reduce}, {"ReduceMax", lower_reduce},
    {"ReduceL2", lower_reduce},  {NULL, NULL},
};
