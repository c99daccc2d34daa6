/* Conv, pooling and normalisation. */
#include "gpu/lower.h"

#include <math.h>
#include <string.h>

#define WINDOW_MOST 65536

static enum sp_status read_pair(const struct sp_lower *lower, const char *name, int least, int *out)
{
    int64_t list[2];
    int count;
    enum sp_status status = sp_lower_ints(lower, name, list, 2, &count);
    if (status || count < 0)
        return status;
    if (count != 2 || list[0] < least || list[1] < least || list[0] > WINDOW_MOST || list[1] > WINDOW_MOST)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "attribute '%s' is not two numbers in %d..%d", name, least,
                             WINDOW_MOST);
    out[0] = (int)list[0];
    out[1] = (int)list[1];
    return SP_OK;
}

/* Strides, dilations and padding; window->kernel is known. out: the output's height and width for input dims in[2].
 */
static enum sp_status read_window(const struct sp_lower *lower, struct sp_window *window, const int64_t *in,
                                  int64_t *out)
{
    int64_t pads[4] = {0};
    int count;
    for (int i = 0; i < 2; i++)
        window->stride[i] = window->dilation[i] = 1;
    enum sp_status status = read_pair(lower, "strides", 1, window->stride);
    if (!status)
        status = read_pair(lower, "dilations", 1, window->dilation);
    if (!status)
        status = sp_lower_ints(lower, "pads", pads, 4, &count);
    if (status)
        return status;
    if (count != -1 && count != 4)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "attribute 'pads' has %d numbers, expected 4", count);
    const char *automatic = sp_lower_string(lower, "auto_pad", "NOTSET");
    bool upper = strcmp(automatic, "SAME_UPPER") == 0, lowest = strcmp(automatic, "SAME_LOWER") == 0;
    bool valid = strcmp(automatic, "VALID") == 0;
    if (!upper && !lowest && !valid && strcmp(automatic, "NOTSET") != 0 && automatic[0])
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "auto_pad '%s'", automatic);
    bool ceiling = sp_lower_int(lower, "ceil_mode", 0) != 0;
    for (int i = 0; i < 2; i++) {
        int64_t span = (int64_t)(window->kernel[i] - 1) * window->dilation[i] + 1, stride = window->stride[i];
        if (upper || lowest) {
            int64_t steps = (in[i] + stride - 1) / stride, total = (steps - 1) * stride + span - in[i];
            total = total > 0 ? total : 0;
            pads[i] = upper ? total / 2 : total - total / 2;
            pads[i + 2] = total - pads[i];
        } else if (valid) {
            pads[i] = pads[i + 2] = 0;
        }
        if (pads[i] < 0 || pads[i + 2] < 0 || pads[i] > WINDOW_MOST || pads[i + 2] > WINDOW_MOST)
            return sp_lower_fail(lower, SP_E_UNSUPPORTED, "padding outside 0..%d", WINDOW_MOST);
        int64_t room = in[i] + pads[i] + pads[i + 2] - span;
        if (room < 0)
            return sp_lower_fail(lower, SP_E_INVALID, "its window of %lld does not fit into %lld pixels",
                                 (long long)span, (long long)(in[i] + pads[i] + pads[i + 2]));
        out[i] = room / stride + 1;
        /* With ceil_mode the last window may hang over, but must start inside the input or its leading padding. */
        if (ceiling && room % stride && out[i] * stride < in[i] + pads[i])
            out[i]++;
        window->pad_begin[i] = (int)pads[i];
        window->pad_end[i] = (int)pads[i + 2];
    }
    return SP_OK;
}

static enum sp_status need_image(const struct sp_lower *lower, int value)
{
    const struct sp_value *x = sp_lower_value(lower, value);
    char text[128];
    if (x->rank != 4 || x->count == 0)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "its input %s is not N x C x H x W",
                             sp_shape_text(x->rank, x->dims, text, sizeof text));
    return SP_OK;
}

static enum sp_status lower_conv(struct sp_lower *lower)
{
    struct sp_layer layer;
    struct sp_window window = {0};
    int inputs[3] = {-1, -1, -1};
    int64_t out[4];
    enum sp_status status = sp_lower_tensor(lower, 0, &inputs[0]);
    if (!status)
        status = need_image(lower, inputs[0]);
    if (!status)
        status = sp_lower_weights(lower, 1, -1, &inputs[1]);
    if (status)
        return status;
    const struct sp_value *x = sp_lower_value(lower, inputs[0]), *w = sp_lower_value(lower, inputs[1]);
    int64_t group = sp_lower_int(lower, "group", 1);
    if (w->rank != 4 || w->count == 0)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "its weights have rank %d or no elements", w->rank);
    if (group < 1 || group > x->dims[1] || x->dims[1] % group || w->dims[0] % group ||
        w->dims[1] != x->dims[1] / group)
        return sp_lower_fail(lower, SP_E_FORMAT,
                             "%lld groups, %lld input channels and weights %lldx%lld do not fit", (long long)group,
                             (long long)x->dims[1], (long long)w->dims[0], (long long)w->dims[1]);
    if (w->dims[2] > WINDOW_MOST || w->dims[3] > WINDOW_MOST)
        return sp_lower_fail(lower, SP_E_LIMIT, "its kernel is larger than %d", WINDOW_MOST);
    window.kernel[0] = (int)w->dims[2];
    window.kernel[1] = (int)w->dims[3];
    int kernel[2] = {window.kernel[0], window.kernel[1]};
    status = read_pair(lower, "kernel_shape", 1, kernel);
    if (!status && (kernel[0] != window.kernel[0] || kernel[1] != window.kernel[1]))
        status = sp_lower_fail(lower, SP_E_FORMAT, "kernel_shape is not that of the weights");
    if (!status)
        status = read_window(lower, &window, &x->dims[2], &out[2]);
    out[0] = x->dims[0];
    out[1] = w->dims[0];
    if (!status && sp_lower_input(lower, 2) >= 0)
        status = sp_lower_weights(lower, 2, out[1], &inputs[2]);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_CONV, inputs, 3);
    if (status)
        return status;
    layer.conv.window = window;
    layer.conv.group = (int)group;
    return sp_lower_emit(lower, &layer, 4, out);
}

static enum sp_status lower_pool_of(struct sp_lower *lower, enum sp_pool_kind kind, bool global)
{
    struct sp_layer layer;
    struct sp_window window = {0};
    int input;
    int64_t out[4];
    enum sp_status status = sp_lower_tensor(lower, 0, &input);
    if (!status)
        status = need_image(lower, input);
    if (status)
        return status;
    const struct sp_value *x = sp_lower_value(lower, input);
    if (lower->node->output_count > 1 && lower->node->outputs[1] >= 0)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "the indices of a pool");
    if (global) {
        for (int i = 0; i < 2; i++) {
            window.kernel[i] = (int)x->dims[2 + i];
            window.stride[i] = window.dilation[i] = 1;
            out[2 + i] = 1;
        }
    } else {
        status = read_pair(lower, "kernel_shape", 1, window.kernel);
        if (!status && !window.kernel[0])
            status = sp_lower_fail(lower, SP_E_FORMAT, "kernel_shape is missing");
        if (!status)
            status = read_window(lower, &window, &x->dims[2], &out[2]);
        for (int i = 0; i < 2 && !status; i++)
            if (window.pad_begin[i] >= window.kernel[i] || window.pad_end[i] >= window.kernel[i] ||
                window.dilation[i] != 1)
                status =
                    sp_lower_fail(lower, SP_E_UNSUPPORTED, "padding as wide as the window, or dilation, of a pool");
    }
    out[0] = x->dims[0];
    out[1] = x->dims[1];
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_POOL, &input, 1);
    if (status)
        return status;
    layer.pool.window = window;
    layer.pool.kind = kind;
    layer.pool.count_pad = sp_lower_int(lower, "count_include_pad", 0) != 0;
    return sp_lower_emit(lower, &layer, 4, out);
}

static enum sp_status lower_maxpool(struct sp_lower *lower)
{
    return lower_pool_of(lower, SP_POOL_MAX, false);
}

static enum sp_status lower_avgpool(struct sp_lower *lower)
{
    return lower_pool_of(lower, SP_POOL_AVG, false);
}

static enum sp_status lower_global_avgpool(struct sp_lower *lower)
{
    return lower_pool_of(lower, SP_POOL_AVG, true);
}

static enum sp_status lower_global_maxpool(struct sp_lower *lower)
{
    return lower_pool_of(lower, SP_POOL_MAX, true);
}

static enum sp_status lower_batchnorm(struct sp_lower *lower)
{
    struct sp_layer layer;
    int x, given[4], inputs[3];
    enum sp_status status = sp_lower_tensor(lower, 0, &x);
    if (status)
        return status;
    int rank = sp_lower_value(lower, x)->rank;
    if (rank < 2)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "its input has no channels");
    int64_t dims[SP_TENSOR_MAX_RANK], channels = sp_lower_value(lower, x)->dims[1];
    memcpy(dims, sp_lower_value(lower, x)->dims, sizeof dims);
    for (int i = 0; i < 4 && !status; i++)
        status = sp_lower_weights(lower, i + 1, channels, &given[i]);
    inputs[0] = x;
    for (int i = 1; i < 3 && !status; i++)
        status = sp_lower_new_constant(lower, SP_DTYPE_F32, 1, &channels, &inputs[i]);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_SCALE, inputs, 3);
    if (status)
        return status;
    const float *gamma = sp_lower_value(lower, given[0])->data, *beta = sp_lower_value(lower, given[1])->data;
    const float *mean = sp_lower_value(lower, given[2])->data, *variance = sp_lower_value(lower, given[3])->data;
    float *scale = sp_lower_value(lower, inputs[1])->data, *shift = sp_lower_value(lower, inputs[2])->data;
    double epsilon = sp_lower_float(lower, "epsilon", 1e-5f);
    for (int64_t c = 0; c < channels; c++) {
        double s = gamma[c] / sqrt(variance[c] + epsilon);
        scale[c] = (float)s;
        shift[c] = (float)(beta[c] - mean[c] * s);
    }
    return sp_lower_emit(lower, &layer, rank, dims);
}

static enum sp_status lower_instancenorm(struct sp_lower *lower)
{
    struct sp_layer layer;
    int inputs[3];
    enum sp_status status = sp_lower_tensor(lower, 0, &inputs[0]);
    if (status)
        return status;
    int rank = sp_lower_value(lower, inputs[0])->rank;
    if (rank < 3)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "its input has no pixels");
    int64_t dims[SP_TENSOR_MAX_RANK];
    memcpy(dims, sp_lower_value(lower, inputs[0])->dims, sizeof dims);
    for (int i = 1; i < 3 && !status; i++)
        status = sp_lower_weights(lower, i, dims[1], &inputs[i]);
    if (!status)
        status = sp_lower_layer(lower, &layer, SP_OP_NORM, inputs, 3);
    if (status)
        return status;
    layer.norm.epsilon = sp_lower_float(lower, "epsilon", 1e-5f);
    return sp_lower_emit(lower, &layer, rank, dims);
}

const struct sp_lower_row sp_lower_window_rows[] = {
    {"Conv", lower_conv},
    {"MaxPool", lower_maxpool},
    {"AveragePool", lower_avgpool},
    {"GlobalAveragePool", lower_global_avgpool},
    {"GlobalMaxPool", lower_global_maxpool},
    {"BatchNormalization", lower_batchnorm},
    {"InstanceNormalization", lower_instancenorm},
    {NULL, NULL},
};
