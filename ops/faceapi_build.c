#include "ops/faceapi_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sp_status sp_faceapi_build_start(struct sp_faceapi_build *build, const char *net, int opset,
                                      const struct sp_faceapi_weights *weights, struct sp_err *err)
{
    *build = (struct sp_faceapi_build){.weights = weights, .net = net};
    return sp_onnx_write_new(&build->onnx, net, opset, err);
}

enum sp_status sp_faceapi_build_finish(struct sp_faceapi_build *build, uint8_t **ret_bytes, size_t *ret_length,
                                       struct sp_err *err)
{
    enum sp_status status = build->err.status;
    if (status != SP_OK && err)
        *err = build->err;
    if (status == SP_OK)
        status = sp_onnx_write_finish(build->onnx, ret_bytes, ret_length, err);
    sp_onnx_write_free(&build->onnx);
    return status;
}

const struct sp_faceapi_tensor *sp_faceapi_build_tensor(struct sp_faceapi_build *build, const char *prefix,
                                                        const char *name, int rank)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "/" : "", name);
    const struct sp_faceapi_tensor *tensor = sp_faceapi_weights_find(build->weights, path);
    if (tensor && tensor->rank == rank)
        return tensor;
    if (!build->err.status)
        sp_fail(&build->err, SP_E_FORMAT, "%s: weights %s are %s; is this face-api 1.7.15?", build->net, path,
                tensor ? "of another rank" : "missing");
    return NULL;
}

static void refuse(struct sp_faceapi_build *build, const char *tensor, const char *what)
{
    if (!build->err.status)
        sp_fail(&build->err, SP_E_FORMAT, "%s: weights %s %s; is this face-api 1.7.15?", build->net, tensor, what);
}

/* [kh][kw][in][out] -> [out][in][kh][kw], and depthwise [kh][kw][c][1] -> [c][1][kh][kw]; scaled per output
 * channel. */
static const char *write_filters(struct sp_faceapi_build *build, const struct sp_faceapi_tensor *filters,
                                 const struct sp_faceapi_conv *conv)
{
    int64_t kernel = filters->dims[0] * filters->dims[1];
    int64_t in = conv->depthwise ? filters->dims[3] : filters->dims[2];
    int64_t out = conv->depthwise ? filters->dims[2] : filters->dims[3];
    float *values = malloc(filters->count * sizeof *values);
    if (!values) {
        if (!build->err.status)
            sp_fail(&build->err, SP_E_NOMEM, "%s: out of memory", build->net);
        return "";
    }
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t k = 0; k < kernel; k++) {
                int64_t from = conv->depthwise ? k * out + o : (k * in + i) * out + o;
                double scale = conv->fold ? conv->fold->scale[o] : 1.0;
                values[(o * in + i) * kernel + k] = (float)(filters->values[from] * scale);
            }
    int64_t dims[4] = {out, in, filters->dims[0], filters->dims[1]};
    const char *name = sp_onnx_write_floats(build->onnx, filters->name, 4, dims, values);
    free(values);
    return name;
}

static const char *write_bias(struct sp_faceapi_build *build, const struct sp_faceapi_conv *conv, int64_t channels)
{
    float values[SP_FACEAPI_MAX_CHANNELS];
    char name[160];
    if (conv->fold) {
        for (int64_t c = 0; c < channels; c++)
            values[c] = (float)conv->fold->shift[c];
        snprintf(name, sizeof name, "%s/shift", conv->filters);
    } else {
        const struct sp_faceapi_tensor *bias = sp_faceapi_build_tensor(build, "", conv->bias, 1);
        if (!bias || bias->dims[0] != channels) {
            refuse(build, conv->bias, "do not have a value per output channel");
            return "";
        }
        memcpy(values, bias->values, (size_t)channels * sizeof *values);
        snprintf(name, sizeof name, "%s", conv->bias);
    }
    return sp_onnx_write_floats(build->onnx, name, 1, &channels, values);
}

const char *sp_faceapi_build_conv(struct sp_faceapi_build *build, const char *input,
                                  const struct sp_faceapi_conv *conv)
{
    const struct sp_faceapi_tensor *filters = sp_faceapi_build_tensor(build, "", conv->filters, 4);
    if (!filters)
        return "";
    int64_t channels = conv->depthwise ? filters->dims[2] : filters->dims[3];
    if (channels > SP_FACEAPI_MAX_CHANNELS || (conv->depthwise && filters->dims[3] != 1) ||
        (conv->fold && conv->fold->channels != channels)) {
        refuse(build, conv->filters, "have an unexpected number of channels");
        return "";
    }
    const char *inputs[3] = {input, write_filters(build, filters, conv), NULL};
    int count = 2;
    if (conv->fold || conv->bias)
        inputs[count++] = write_bias(build, conv, channels);
    if (build->err.status)
        return "";
    struct sp_onnx_write *onnx = build->onnx;
    const char *output = sp_onnx_write_node(onnx, "Conv", conv->output, count, inputs);
    int64_t after = conv->same && filters->dims[0] == 3 ? 1 : 0;
    int64_t before = conv->stride == 1 ? after : 0;
    sp_onnx_write_attr_ints(onnx, "kernel_shape", 2, (int64_t[]){filters->dims[0], filters->dims[1]});
    sp_onnx_write_attr_ints(onnx, "strides", 2, (int64_t[]){conv->stride, conv->stride});
    sp_onnx_write_attr_ints(onnx, "pads", 4, (int64_t[]){before, before, after, after});
    sp_onnx_write_attr_ints(onnx, "dilations", 2, (int64_t[]){1, 1});
    sp_onnx_write_attr_int(onnx, "group", conv->depthwise ? channels : 1);
    return output;
}

const char *sp_faceapi_build_separable(struct sp_faceapi_build *build, const char *input, const char *prefix,
                                       int stride)
{
    char depthwise[96], pointwise[96], bias[96];
    snprintf(depthwise, sizeof depthwise, "%s/depthwise_filter", prefix);
    snprintf(pointwise, sizeof pointwise, "%s/pointwise_filter", prefix);
    snprintf(bias, sizeof bias, "%s/bias", prefix);
    const char *value = sp_faceapi_build_conv(
        build, input,
        &(struct sp_faceapi_conv){.filters = depthwise, .stride = stride, .same = true, .depthwise = true});
    return sp_faceapi_build_conv(build, value,
                                 &(struct sp_faceapi_conv){.filters = pointwise, .bias = bias, .stride = 1});
}

const char *sp_faceapi_build_relu(struct sp_faceapi_build *build, const char *input)
{
    return sp_onnx_write_node(build->onnx, "Relu", NULL, 1, &input);
}

const char *sp_faceapi_build_add(struct sp_faceapi_build *build, const char *a, const char *b, const char *output)
{
    return sp_onnx_write_node(build->onnx, "Add", output, 2, (const char *[]){a, b});
}

const char *sp_faceapi_build_pool(struct sp_faceapi_build *build, const char *input,
                                  const struct sp_faceapi_pool *pool)
{
    const char *output = sp_onnx_write_node(build->onnx, pool->op, NULL, 1, &input);
    sp_onnx_write_attr_ints(build->onnx, "kernel_shape", 2, (int64_t[]){pool->size, pool->size});
    sp_onnx_write_attr_ints(build->onnx, "strides", 2, (int64_t[]){pool->stride, pool->stride});
    sp_onnx_write_attr_ints(build->onnx, "pads", 4, (int64_t[]){0, 0, pool->pad_end, pool->pad_end});
    return output;
}

const char *sp_faceapi_build_dense(struct sp_faceapi_build *build, const char *input, const char *matrix,
                                   const char *output)
{
    const struct sp_faceapi_tensor *tensor = sp_faceapi_build_tensor(build, "", matrix, 2);
    if (!tensor)
        return "";
    const char *flat = sp_onnx_write_node(build->onnx, "Flatten", NULL, 1, &input);
    sp_onnx_write_attr_int(build->onnx, "axis", 1);
    const char *factor = sp_onnx_write_floats(build->onnx, tensor->name, 2, tensor->dims, tensor->values);
    return sp_onnx_write_node(build->onnx, "MatMul", output, 2, (const char *[]){flat, factor});
}
