/* Operators that only relabel elements or make constants: nothing, or a reshape, is left of them at run time. */
#include "gpu/lower.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A reshape to dims; constants keep their data. */
static enum sp_status emit_reshape(struct sp_lower *lower, int rank, const int64_t *dims)
{
    struct sp_layer layer;
    int x;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status && rank == 0)
        status = sp_lower_keeps_items(lower, x, false);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_RESHAPE, &x, 1);
    return status ? status : sp_lower_emit(lower, &layer, rank, dims);
}

static enum sp_status lower_reshape(struct sp_lower *lower)
{
    int64_t target[SP_TENSOR_MAX_RANK], known = 1;
    int count, x, open = -1;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_list(lower, "shape", 1, target, SP_TENSOR_MAX_RANK, &count);
    if (!status && count < 0)
        status = sp_lower_fail(lower, SP_E_FORMAT, "the target shape is missing");
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    bool literal_zero = sp_lower_int(lower, "allowzero", 0) != 0;
    for (int i = 0; i < count; i++) {
        if (target[i] == 0 && !literal_zero && i < v->rank)
            target[i] = v->dims[i];
        if (target[i] == -1 && open < 0)
            open = i;
        else if (target[i] <= 0 || target[i] > INT32_MAX || known > v->count / target[i])
            return sp_lower_fail(lower, SP_E_FORMAT, "its target shape does not fit %lld elements",
                                 (long long)v->count);
        else
            known *= target[i];
    }
    if (open >= 0)
        target[open] = v->count / known;
    if (known * (open >= 0 ? target[open] : 1) != v->count)
        return sp_lower_fail(lower, SP_E_FORMAT, "its target shape does not fit %lld elements",
                             (long long)v->count);
    return emit_reshape(lower, count, target);
}

static enum sp_status lower_flatten(struct sp_lower *lower)
{
    int x;
    int64_t dims[2] = {1, 1};
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    int64_t axis = sp_lower_int(lower, "axis", 1);
    axis += axis < 0 ? v->rank : 0;
    if (axis < 0 || axis > v->rank)
        return sp_lower_fail(lower, SP_E_FORMAT, "axis %lld is outside rank %d", (long long)axis, v->rank);
    status = sp_lower_keeps_items(lower, x, axis > 0);
    for (int i = 0; i < v->rank; i++)
        dims[i >= axis] *= v->dims[i];
    return status ? status : emit_reshape(lower, 2, dims);
}

static enum sp_status lower_squeeze(struct sp_lower *lower)
{
    int64_t axes[SP_TENSOR_MAX_RANK], out[SP_TENSOR_MAX_RANK];
    int x, count, axis, rank = 0;
    uint32_t mask = 0;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_list(lower, "axes", 1, axes, SP_TENSOR_MAX_RANK, &count);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    for (int i = 0; i < count && !status; i++) {
        status = sp_lower_axis(lower, axes[i], v->rank, &axis);
        if (!status && v->dims[axis] != 1)
            status = sp_lower_fail(lower, SP_E_FORMAT, "axis %d has %lld elements", axis, (long long)v->dims[axis]);
        mask |= status ? 0 : 1u << axis;
    }
    if (count < 0) /* all of size 1; but the batch stays, whatever its size at load */
        for (int i = 1; i < v->rank; i++)
            mask |= v->dims[i] == 1 ? 1u << i : 0;
    for (int i = 0; i < v->rank; i++)
        if (!(mask >> i & 1))
            out[rank++] = v->dims[i];
    return status ? status : emit_reshape(lower, rank, out);
}

/* Places of new dims of size 1 in an output of rank `rank`. */
static enum sp_status unsqueeze_mask(const struct sp_lower *lower, int input_rank, int *ret_rank,
                                     uint32_t *ret_mask)
{
    int64_t axes[SP_TENSOR_MAX_RANK];
    int count, axis;
    *ret_mask = 0;
    enum sp_status status = sp_lower_list(lower, "axes", 1, axes, SP_TENSOR_MAX_RANK, &count);
    if (status)
        return status;
    if (count < 0 || input_rank + count > SP_TENSOR_MAX_RANK)
        return sp_lower_fail(lower, SP_E_FORMAT, "its axes are missing or too many");
    for (int i = 0; i < count && !status; i++) {
        status = sp_lower_axis(lower, axes[i], input_rank + count, &axis);
        if (!status && *ret_mask >> axis & 1)
            status = sp_lower_fail(lower, SP_E_FORMAT, "axis %d is named twice", axis);
        *ret_mask |= status ? 0 : 1u << axis;
    }
    *ret_rank = input_rank + count;
    return status;
}

static enum sp_status lower_unsqueeze(struct sp_lower *lower)
{
    int x, rank = 0;
    uint32_t mask = 0;
    int64_t out[SP_TENSOR_MAX_RANK];
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = unsqueeze_mask(lower, sp_lower_value(lower, x)->rank, &rank, &mask);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    for (int i = 0, from = 0; i < rank; i++)
        out[i] = mask >> i & 1 ? 1 : v->dims[from++];
    /* A new dim 0 turns b items into b blocks: the same memory, whatever stood first before. */
    return emit_reshape(lower, rank, out);
}

static enum sp_status lower_identity(struct sp_lower *lower)
{
    int x;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status && lower->node->output_count > 1 && lower->node->outputs[1] >= 0)
        status = sp_lower_fail(lower, SP_E_UNSUPPORTED, "its second output (the mask)");
    return status ? status : sp_lower_alias(lower, x);
}

static enum sp_status lower_constant(struct sp_lower *lower)
{
    const struct sp_attr *attr = sp_node_attr(lower->node, "value");
    if (attr && attr->kind == SP_ATTR_TENSOR)
        return sp_lower_alias(lower, attr->value);
    attr = sp_node_attr(lower->node, "value_float");
    if (attr && attr->kind == SP_ATTR_FLOAT)
        return sp_lower_constant(lower, SP_DTYPE_F32, 0, NULL, &attr->f);
    attr = sp_node_attr(lower->node, "value_int");
    if (attr && attr->kind == SP_ATTR_INT)
        return sp_lower_constant(lower, SP_DTYPE_I64, 0, NULL, &attr->i);
    attr = sp_node_attr(lower->node, "value_ints");
    if (attr && attr->kind == SP_ATTR_INTS && attr->count) {
        int64_t count = attr->count;
        return sp_lower_constant(lower, SP_DTYPE_I64, 1, &count, attr->ints);
    }
    return sp_lower_fail(lower, SP_E_UNSUPPORTED, "it is not a numeric tensor, number or list");
}

static enum sp_status lower_shape(struct sp_lower *lower)
{
    int x = sp_lower_input(lower, 0);
    if (x < 0)
        return sp_lower_fail(lower, SP_E_FORMAT, "input 0 is missing");
    const struct sp_value *v = sp_lower_value(lower, x);
    int64_t start = sp_lower_int(lower, "start", 0), end = sp_lower_int(lower, "end", v->rank);
    start += start < 0 ? v->rank : 0;
    end += end < 0 ? v->rank : 0;
    start = start < 0 ? 0 : start;
    end = end > v->rank ? v->rank : end;
    int64_t count = end > start ? end - start : 0, dims[SP_TENSOR_MAX_RANK] = {0};
    if (count)
        memcpy(dims, &v->dims[start], (size_t)count * sizeof dims[0]);
    return sp_lower_constant(lower, SP_DTYPE_I64, 1, &count, dims);
}

static enum sp_status lower_cast(struct sp_lower *lower)
{
    int x;
    int64_t to = sp_lower_int(lower, "to", 0);
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (status)
        return status;
    if (to == 1)
        return sp_lower_alias(lower, x);
    const struct sp_value *v = sp_lower_value(lower, x);
    if (!v->data || (to != 6 && to != 7) || v->count > 4096)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "a cast to element type %lld at run time", (long long)to);
    int64_t *ints = malloc((size_t)v->count * sizeof *ints + 1);
    if (!ints)
        return sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    for (int64_t i = 0; i < v->count; i++) {
        float f = ((const float *)v->data)[i];
        ints[i] = f > -9e18f && f < 9e18f ? (int64_t)f : 0;
    }
    int64_t dims[SP_TENSOR_MAX_RANK];
    memcpy(dims, v->dims, sizeof dims);
    status = sp_lower_constant(lower, SP_DTYPE_I64, v->rank, dims, ints);
    free(ints);
    return status;
}

/* ConstantOfShape; its input is an integer list, so it is reached through sp_lower_integer too. */
static enum sp_status lower_unknown(struct sp_lower *lower)
{
    return sp_lower_fail(lower, SP_E_UNSUPPORTED, "its input is not a constant list of integers");
}

const struct sp_lower_row sp_lower_shape_rows[] = {
    {"Reshape", lower_reshape},
    {"Flatten", lower_flatten},
    {"Squeeze", lower_squeeze},
    {"Unsqueeze", lower_unsqueeze},
    {"Identity", lower_identity},
    {"Dropout", lower_identity},
    {"Constant", lower_constant},
    {"Shape", lower_shape},
    {"Cast", lower_cast},
    {"ConstantOfShape", lower_unknown},
    {NULL, NULL},
};
