/* Operators that move elements: transpose, concat, slice, gather, pad, resize. */
#include "gpu/lower.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum sp_status lower_transpose(struct sp_lower *lower)
{
    struct sp_layer layer;
    int64_t perm[SP_TENSOR_MAX_RANK], out[SP_TENSOR_MAX_RANK];
    int x, count;
    uint32_t seen = 0;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_ints(lower, "perm", perm, SP_TENSOR_MAX_RANK, &count);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    for (int i = 0; i < v->rank && count < 0; i++)
        perm[i] = v->rank - 1 - i;
    if (count >= 0 && count != v->rank)
        return sp_lower_fail(lower, SP_E_FORMAT, "perm has %d numbers for rank %d", count, v->rank);
    for (int i = 0; i < v->rank; i++) {
        if (perm[i] < 0 || perm[i] >= v->rank || seen >> perm[i] & 1)
            return sp_lower_fail(lower, SP_E_FORMAT, "perm is not a permutation");
        seen |= 1u << perm[i];
        out[i] = v->dims[perm[i]];
    }
    int rank = v->rank;
    status = sp_lower_keeps_items(lower, x, rank == 0 || perm[0] == 0);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_TRANSPOSE, &x, 1);
    if (status)
        return status;
    for (int i = 0; i < rank; i++)
        layer.perm[i] = (int)perm[i];
    return sp_lower_emit(lower, &layer, rank, out);
}

static enum sp_status lower_concat(struct sp_lower *lower)
{
    struct sp_layer layer;
    int64_t out[SP_TENSOR_MAX_RANK];
    int count = lower->node->input_count, axis = 0, rank = 0;
    bool running = false, constant = false;
    if (count < 1)
        return sp_lower_fail(lower, SP_E_FORMAT, "it has no input");
    int *inputs = malloc((size_t)count * sizeof *inputs);
    enum sp_status status = inputs ? SP_OK : sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    for (int i = 0; i < count && !status; i++) {
        status = sp_lower_tensor(lower, i, &inputs[i]);
        if (status)
            break;
        const struct sp_value *v = sp_lower_value(lower, inputs[i]);
        running = running || !v->data;
        constant = constant || v->data;
        if (i == 0) {
            rank = v->rank;
            memcpy(out, v->dims, sizeof out);
            status = sp_lower_axis(lower, sp_lower_int(lower, "axis", 1), rank, &axis);
            continue;
        }
        for (int d = 0; d < rank && v->rank == rank && !status; d++)
            if (d != axis && v->dims[d] != out[d])
                status = sp_lower_fail(lower, SP_E_FORMAT, "input %d differs in dim %d", i, d);
        if (v->rank != rank)
            status = sp_lower_fail(lower, SP_E_FORMAT, "input %d has another rank", i);
        out[axis] += v->dims[axis];
    }
    for (int i = 0; i < count && !status; i++)
        status = sp_lower_keeps_items(lower, inputs[i], axis > 0 && !(running && constant));
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_CONCAT, inputs, count);
    free(inputs);
    if (status)
        return status;
    layer.axis.first = layer.axis.last = axis;
    return sp_lower_emit(lower, &layer, rank, out);
}

static enum sp_status lower_slice(struct sp_lower *lower)
{
    struct sp_layer layer;
    int64_t starts[SP_TENSOR_MAX_RANK], ends[SP_TENSOR_MAX_RANK], axes[SP_TENSOR_MAX_RANK],
        steps[SP_TENSOR_MAX_RANK];
    int64_t out[SP_TENSOR_MAX_RANK], begin[SP_TENSOR_MAX_RANK] = {0}, step[SP_TENSOR_MAX_RANK];
    int x, n, n_ends, n_axes, n_steps, axis;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_list(lower, "starts", 1, starts, SP_TENSOR_MAX_RANK, &n);
    if (!status)
        status = sp_lower_list(lower, "ends", 2, ends, SP_TENSOR_MAX_RANK, &n_ends);
    if (!status)
        status = sp_lower_list(lower, "axes", 3, axes, SP_TENSOR_MAX_RANK, &n_axes);
    if (!status)
        status = sp_lower_list(lower, "steps", 4, steps, SP_TENSOR_MAX_RANK, &n_steps);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    if (n < 0 || n != n_ends || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n) || n > v->rank)
        return sp_lower_fail(lower, SP_E_FORMAT, "starts, ends, axes and steps differ in length");
    for (int i = 0; i < v->rank; i++) {
        out[i] = v->dims[i];
        step[i] = 1;
    }
    for (int i = 0; i < n && !status; i++) {
        status = sp_lower_axis(lower, n_axes < 0 ? i : axes[i], v->rank, &axis);
        if (status)
            break;
        int64_t size = v->dims[axis], by = n_steps < 0 ? 1 : steps[i];
        if (by < 1 || by > INT32_MAX)
            return sp_lower_fail(lower, SP_E_UNSUPPORTED, "a step of %lld", (long long)by);
        int64_t from = starts[i] < -size  ? 0
                       : starts[i] < 0    ? starts[i] + size
                       : starts[i] > size ? size
                                          : starts[i];
        int64_t to = ends[i] < -size ? 0 : ends[i] < 0 ? ends[i] + size : ends[i] > size ? size : ends[i];
        begin[axis] = from;
        step[axis] = by;
        out[axis] = to > from ? (to - from + by - 1) / by : 0;
        status = sp_lower_keeps_items(lower, x, axis > 0 || (from == 0 && to == size && by == 1));
    }
    int rank = v->rank;
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_SLICE, &x, 1);
    if (status)
        return status;
    memcpy(layer.slice.start, begin, sizeof begin);
    memcpy(layer.slice.step, step, sizeof(int64_t) * (size_t)rank);
    return sp_lower_emit(lower, &layer, rank, out);
}

static enum sp_status lower_gather(struct sp_lower *lower)
{
    struct sp_layer layer;
    int64_t out[SP_TENSOR_MAX_RANK + 1];
    int x, axis, rank = 0, list = sp_lower_input(lower, 1);
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    status = sp_lower_axis(lower, sp_lower_int(lower, "axis", 0), v->rank, &axis);
    if (!status)
        status = sp_lower_keeps_items(lower, x, axis > 0);
    if (status)
        return status;
    const struct sp_value *index = list < 0 ? NULL : sp_lower_value(lower, list);
    if (!index || !index->data || index->dtype != SP_DTYPE_I64 || index->rank > 1 || index->count > INT32_MAX ||
        v->rank - 1 + index->rank > SP_TENSOR_MAX_RANK)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "indices that are not a constant number or list");
    for (int i = 0; i < v->rank; i++) {
        if (i != axis)
            out[rank++] = v->dims[i];
        else if (index->rank)
            out[rank++] = index->count;
    }
    status = sp_lower_layer(lower, &layer, SP_OP_GATHER, &x, 1);
    if (status)
        return status;
    layer.gather.axis = axis;
    layer.gather.count = (int)index->count;
    layer.gather.index = calloc((size_t)index->count + 1, sizeof *layer.gather.index);
    if (!layer.gather.index) {
        sp_layer_clear(&layer);
        return sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    }
    for (int64_t i = 0; i < index->count; i++) {
        int64_t at = ((const int64_t *)index->data)[i];
        at += at < 0 ? v->dims[axis] : 0;
        if (at < 0 || at >= v->dims[axis]) {
            sp_layer_clear(&layer);
            return sp_lower_fail(lower, SP_E_FORMAT, "an index is outside its axis");
        }
        layer.gather.index[i] = (int32_t)at;
    }
    return sp_lower_emit(lower, &layer, rank, out);
}

static enum sp_status lower_pad(struct sp_lower *lower)
{
    struct sp_layer layer;
    int64_t pads[2 * SP_TENSOR_MAX_RANK], out[SP_TENSOR_MAX_RANK];
    int x, count;
    float value = sp_lower_float(lower, "value", 0);
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (!status)
        status = sp_lower_list(lower, "pads", 1, pads, 2 * SP_TENSOR_MAX_RANK, &count);
    if (!status && sp_lower_input(lower, 3) >= 0)
        status = sp_lower_fail(lower, SP_E_UNSUPPORTED, "padding by named axes");
    if (!status && sp_lower_input(lower, 2) >= 0) {
        int given;
        status = sp_lower_weights(lower, 2, 1, &given);
        if (!status)
            value = *(const float *)sp_lower_value(lower, given)->data;
    }
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    const char *mode = sp_lower_string(lower, "mode", "constant");
    if (strcmp(mode, "constant") != 0)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "mode '%s'", mode);
    if (count != 2 * v->rank)
        return sp_lower_fail(lower, SP_E_FORMAT, "%d pads for rank %d", count, v->rank);
    int rank = v->rank;
    for (int i = 0; i < rank; i++) {
        if (pads[i] < 0 || pads[i + rank] < 0 || pads[i] > INT32_MAX || pads[i + rank] > INT32_MAX)
            return sp_lower_fail(lower, SP_E_UNSUPPORTED, "padding outside 0..2^31");
        out[i] = v->dims[i] + pads[i] + pads[i + rank];
    }
    status = sp_lower_keeps_items(lower, x, rank == 0 || (pads[0] == 0 && pads[rank] == 0));
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_PAD, &x, 1);
    if (status)
        return status;
    memcpy(layer.pad.begin, pads, sizeof(int64_t) * (size_t)rank);
    memcpy(layer.pad.end, pads + rank, sizeof(int64_t) * (size_t)rank);
    layer.pad.value = value;
    return sp_lower_emit(lower, &layer, rank, out);
}

/* Which input pixel each output pixel takes, as the attributes say. scale = output / input. */
static enum sp_status nearest_map(const struct sp_lower *lower, int64_t in, int64_t out, double scale, int32_t *map)
{
    bool upsample = strcmp(lower->node->op, "Upsample") == 0 || lower->opset < 11;
    const char *place =
        sp_lower_string(lower, "coordinate_transformation_mode", upsample ? "asymmetric" : "half_pixel");
    const char *round_mode = sp_lower_string(lower, "nearest_mode", upsample ? "floor" : "round_prefer_floor");
    bool asymmetric = strcmp(place, "asymmetric") == 0, corners = strcmp(place, "align_corners") == 0;
    bool half = strcmp(place, "half_pixel") == 0, torch = strcmp(place, "pytorch_half_pixel") == 0;
    if (!asymmetric && !corners && !half && !torch)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "coordinate_transformation_mode '%s'", place);
    for (int64_t i = 0; i < out; i++) {
        double x = asymmetric         ? (double)i / scale
                   : corners          ? (out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0)
                   : torch && out < 2 ? 0
                                      : ((double)i + 0.5) / scale - 0.5;
        double at;
        if (strcmp(round_mode, "floor") == 0)
            at = floor(x);
        else if (strcmp(round_mode, "ceil") == 0)
            at = ceil(x);
        else if (strcmp(round_mode, "round_prefer_ceil") == 0)
            at = floor(x + 0.5);
        else if (strcmp(round_mode, "round_prefer_floor") == 0)
            at = ceil(x - 0.5);
        else
            return sp_lower_fail(lower, SP_E_UNSUPPORTED, "nearest_mode '%s'", round_mode);
        map[i] = (int32_t)(at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at);
    }
    return SP_OK;
}

/* Output dims and scales of a Resize (x, roi, scales, sizes from 11 on; x, scales before) or Upsample. */
static enum sp_status resize_target(const struct sp_lower *lower, const struct sp_value *v, int64_t *out,
                                    double *scale)
{
    int at_scales = strcmp(lower->node->op, "Upsample") == 0 || lower->opset < 11 ? 1 : 2, count = -1, given;
    const struct sp_attr *attr = sp_node_attr(lower->node, "scales");
    const float *scales = attr && attr->kind == SP_ATTR_FLOATS ? attr->floats : NULL;
    int n = scales ? attr->count : 0;
    enum sp_status status = SP_OK;
    if (!scales && at_scales == 2 && sp_lower_input(lower, 3) >= 0) {
        status = sp_lower_list(lower, "sizes", 3, out, 4, &count);
        if (!status && count != 4)
            status = sp_lower_fail(lower, SP_E_FORMAT, "%d sizes for rank 4", count);
        for (int i = 0; i < 4 && !status; i++) {
            if (out[i] < 1 || out[i] > INT32_MAX)
                status = sp_lower_fail(lower, SP_E_FORMAT, "an impossible size");
            scale[i] = status ? 1 : (double)out[i] / (double)v->dims[i];
        }
        return status;
    }
    if (!scales && sp_lower_input(lower, at_scales) >= 0) {
        status = sp_lower_weights(lower, at_scales, -1, &given);
        if (status)
            return status;
        scales = sp_lower_value(lower, given)->data;
        n = (int)sp_lower_value(lower, given)->count;
    }
    if (!scales || n != 4)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "it has no four scales or sizes");
    for (int i = 0; i < 4; i++) {
        double size = floor((double)v->dims[i] * (double)scales[i]);
        if (!(scales[i] > 0) || !(size >= 1) || size > INT32_MAX)
            return sp_lower_fail(lower, SP_E_FORMAT, "an impossible scale %g", (double)scales[i]);
        scale[i] = (double)scales[i];
        out[i] = (int64_t)size;
    }
    return SP_OK;
}

static enum sp_status lower_resize(struct sp_lower *lower)
{
    struct sp_layer layer;
    int64_t out[4] = {0};
    double scale[4];
    int x;
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (status)
        return status;
    const struct sp_value *v = sp_lower_value(lower, x);
    const char *mode = sp_lower_string(lower, "mode", "nearest");
    if (strcmp(mode, "nearest") != 0 || v->rank != 4 || v->count == 0)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "mode '%s', or an input that is not N x C x H x W", mode);
    status = resize_target(lower, v, out, scale);
    if (!status && (out[0] != v->dims[0] || out[1] != v->dims[1]))
        status = sp_lower_fail(lower, SP_E_UNSUPPORTED, "it changes the batch or the channels");
    int64_t most = (int64_t)(lower->program->max_bytes / sizeof(float));
    if (!status && (out[2] > most || out[3] > most || out[2] * out[3] > most))
        status = sp_lower_fail(lower, SP_E_LIMIT, "its output is over the memory limit");
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_RESIZE, &x, 1);
    if (status)
        return status;
    layer.resize.rows = malloc((size_t)out[2] * sizeof(int32_t));
    layer.resize.columns = malloc((size_t)out[3] * sizeof(int32_t));
    if (!layer.resize.rows || !layer.resize.columns)
        status = sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    if (!status)
        status = nearest_map(lower, v->dims[2], out[2], scale[2], layer.resize.rows);
    if (!status)
        status = nearest_map(lower, v->dims[3], out[3], scale[3], layer.resize.columns);
    if (status) {
        sp_layer_clear(&layer);
        return status;
    }
    return sp_lower_emit(lower, &layer, 4, out);
}

const struct sp_lower_row sp_lower_move_rows[] = {
    {"Transpose", lower_transpose},
    {"Concat", lower_concat},
    {"Slice", lower_slice},
    {"Gather", lower_gather},
    {"Pad", lower_pad},
    {"Resize", lower_resize},
    {"Upsample", lower_resize},
    {NULL, NULL},
};
