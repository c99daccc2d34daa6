/* The two detectors. tiny_face_detector: a separable tiny YOLOv2, output [N,25,H/32,W/32]. ssd_mobilenetv1:
 * MobileNet with six prediction levels, outputs boxes [N,A,4] and class logits [N,A,3]. Input [N,3,H,W]; decoding
 * is the worker's. */
#include "ops/faceapi_nets.h"

#include <math.h>
#include <stdio.h>

static const char *leaky(struct sp_faceapi_build *b, const char *input)
{
    const char *output = sp_onnx_write_node(b->onnx, "LeakyRelu", NULL, 1, &input);
    sp_onnx_write_attr_float(b->onnx, "alpha", 0.1f);
    return output;
}

void sp_faceapi_detectors_tiny_layers(struct sp_faceapi_build *b)
{
    /* conv0 is 'valid' and makes sizes odd, hence the padded second pool; the last pool keeps the size. */
    static const struct sp_faceapi_pool pools[6] = {
        {"MaxPool", 2, 2, 0}, {"MaxPool", 2, 2, 1}, {"MaxPool", 2, 2, 0},
        {"MaxPool", 2, 2, 0}, {"MaxPool", 2, 2, 0}, {"MaxPool", 2, 1, 1},
    };
    sp_onnx_write_input(b->onnx, "input", "N,3,H,W");
    sp_onnx_write_output(b->onnx, "grid", "N,25,GH,GW");
    const char *x = sp_faceapi_build_conv(
        b, "input", &(struct sp_faceapi_conv){.filters = "conv0/filters", .bias = "conv0/bias", .stride = 1});
    x = sp_faceapi_build_pool(b, leaky(b, x), &pools[0]);
    for (int i = 1; i <= 5; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "conv%d", i);
        x = leaky(b, sp_faceapi_build_separable(b, x, prefix, 1));
        x = sp_faceapi_build_pool(b, x, &pools[i]);
    }
    sp_faceapi_build_conv(
        b, x,
        &(struct sp_faceapi_conv){.filters = "conv8/filters", .bias = "conv8/bias", .stride = 1, .output = "grid"});
}

static const char *relu6(struct sp_faceapi_build *b, const char *input)
{
    const char *output = sp_onnx_write_node(b->onnx, "Clip", NULL, 1, &input);
    sp_onnx_write_attr_float(b->onnx, "min", 0.0f);
    sp_onnx_write_attr_float(b->onnx, "max", 6.0f);
    return output;
}

/* The publisher has folded the batch-norm of these. The first layer is called pointwise, too, but is 3x3. */
static const char *pointwise(struct sp_faceapi_build *b, const char *input, const char *prefix, int stride)
{
    char filters[96], bias[96];
    snprintf(filters, sizeof filters, "%s/weights", prefix);
    snprintf(bias, sizeof bias, "%s/convolution_bn_offset", prefix);
    return relu6(b, sp_faceapi_build_conv(b, input,
                                          &(struct sp_faceapi_conv){
                                              .filters = filters, .bias = bias, .stride = stride, .same = true}));
}

static const char *depthwise(struct sp_faceapi_build *b, const char *input, const char *prefix, int stride)
{
    const double epsilon = 0.0010000000474974513; /* 0.001 as the float it was trained with */
    const struct sp_faceapi_tensor *gamma = sp_faceapi_build_tensor(b, prefix, "BatchNorm/gamma", 1);
    const struct sp_faceapi_tensor *beta = sp_faceapi_build_tensor(b, prefix, "BatchNorm/beta", 1);
    const struct sp_faceapi_tensor *mean = sp_faceapi_build_tensor(b, prefix, "BatchNorm/moving_mean", 1);
    const struct sp_faceapi_tensor *variance = sp_faceapi_build_tensor(b, prefix, "BatchNorm/moving_variance", 1);
    struct sp_faceapi_fold fold;
    if (!gamma || !beta || !mean || !variance || gamma->count > SP_FACEAPI_MAX_CHANNELS ||
        beta->count != gamma->count || mean->count != gamma->count || variance->count != gamma->count) {
        if (!b->err.status)
            sp_fail(&b->err, SP_E_FORMAT, "%s: the batch-norm of %s does not fit together", b->net, prefix);
        return "";
    }
    fold.channels = (int)gamma->count;
    for (size_t c = 0; c < gamma->count; c++) {
        fold.scale[c] = gamma->values[c] / sqrt(variance->values[c] + epsilon);
        fold.shift[c] = beta->values[c] - mean->values[c] * fold.scale[c];
    }
    char filters[96];
    snprintf(filters, sizeof filters, "%s/depthwise_weights", prefix);
    const struct sp_faceapi_conv conv = {
        .filters = filters, .stride = stride, .same = true, .depthwise = true, .fold = &fold};
    return relu6(b, sp_faceapi_build_conv(b, input, &conv));
}

/* One predictor of one level as rows of `width` values: [N,C,H,W] -> [N,-1,width]. */
static const char *predictor(struct sp_faceapi_build *b, const char *input, int level, const char *kind,
                             const char *shape)
{
    char filters[96], bias[96];
    snprintf(filters, sizeof filters, "Prediction/BoxPredictor_%d/%s/weights", level, kind);
    snprintf(bias, sizeof bias, "Prediction/BoxPredictor_%d/%s/biases", level, kind);
    const char *x =
        sp_faceapi_build_conv(b, input, &(struct sp_faceapi_conv){.filters = filters, .bias = bias, .stride = 1});
    x = sp_onnx_write_node(b->onnx, "Transpose", NULL, 1, &x);
    sp_onnx_write_attr_ints(b->onnx, "perm", 4, (int64_t[]){0, 2, 3, 1});
    return sp_onnx_write_node(b->onnx, "Reshape", NULL, 2, (const char *[]){x, shape});
}

void sp_faceapi_detectors_ssd_layers(struct sp_faceapi_build *b)
{
    enum { LEVELS = 6 };
    char prefix[64];
    const char *taps[LEVELS] = {0}, *boxes[LEVELS], *classes[LEVELS];
    int tap = 0;
    sp_onnx_write_input(b->onnx, "input", "N,3,H,W");
    sp_onnx_write_output(b->onnx, "boxes", "N,A,4");
    sp_onnx_write_output(b->onnx, "classes", "N,A,3");
    const char *x = pointwise(b, "input", "MobilenetV1/Conv2d_0_pointwise", 2);
    for (int i = 1; i <= 13; i++) {
        snprintf(prefix, sizeof prefix, "MobilenetV1/Conv2d_%d_depthwise", i);
        x = depthwise(b, x, prefix, i == 2 || i == 4 || i == 6 || i == 12 ? 2 : 1);
        snprintf(prefix, sizeof prefix, "MobilenetV1/Conv2d_%d_pointwise", i);
        x = pointwise(b, x, prefix, 1);
        if (i == 11 || i == 13)
            taps[tap++] = x;
    }
    for (int i = 0; i < 8; i++) {
        snprintf(prefix, sizeof prefix, "Prediction/Conv2d_%d_pointwise", i);
        x = pointwise(b, x, prefix, i % 2 ? 2 : 1);
        if (i % 2)
            taps[tap++] = x;
    }
    const char *box_shape = sp_onnx_write_int64s(b->onnx, "box_shape", 3, (int64_t[]){0, -1, 4});
    const char *class_shape = sp_onnx_write_int64s(b->onnx, "class_shape", 3, (int64_t[]){0, -1, 3});
    for (int level = 0; level < LEVELS; level++) {
        boxes[level] = predictor(b, taps[level], level, "BoxEncodingPredictor", box_shape);
        classes[level] = predictor(b, taps[level], level, "ClassPredictor", class_shape);
    }
    sp_onnx_write_node(b->onnx, "Concat", "boxes", LEVELS, boxes);
    sp_onnx_write_attr_int(b->onnx, "axis", 1);
    sp_onnx_write_node(b->onnx, "Concat", "classes", LEVELS, classes);
    sp_onnx_write_attr_int(b->onnx, "axis", 1);
}
