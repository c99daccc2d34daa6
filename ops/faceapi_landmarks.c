/* face_landmark_68 and its tiny sister: dense blocks of separable convolutions. Input [N,3,112,112], output [N,136]
 * as x0,y0,x1,y1,... in units of the input square. */
#include "ops/faceapi_nets.h"

#include <stdio.h>

/* Every convolution adds to a running sum that is kept before its ReLU. The first one halves the size; in the first
 * block it is a full convolution. */
static const char *dense_block(struct sp_faceapi_build *b, const char *input, int index, int convolutions)
{
    char filters[48], bias[48], prefix[48];
    snprintf(prefix, sizeof prefix, "dense%d/conv0", index);
    snprintf(filters, sizeof filters, "dense%d/conv0/filters", index);
    snprintf(bias, sizeof bias, "dense%d/conv0/bias", index);
    const struct sp_faceapi_conv full = {.filters = filters, .bias = bias, .stride = 2, .same = true};
    const char *x =
        index == 0 ? sp_faceapi_build_conv(b, input, &full) : sp_faceapi_build_separable(b, input, prefix, 2);
    const char *sum = x = sp_faceapi_build_relu(b, x);
    for (int i = 1; i < convolutions; i++) {
        snprintf(prefix, sizeof prefix, "dense%d/conv%d", index, i);
        sum = sp_faceapi_build_add(b, sum, sp_faceapi_build_separable(b, x, prefix, 1), NULL);
        x = sp_faceapi_build_relu(b, sum);
    }
    return x;
}

static void layers(struct sp_faceapi_build *b, int blocks, int convolutions)
{
    sp_onnx_write_input(b->onnx, "input", "N,3,112,112");
    sp_onnx_write_output(b->onnx, "landmarks", "N,136");
    const char *x = "input";
    for (int i = 0; i < blocks; i++)
        x = dense_block(b, x, i, convolutions);
    /* The whole remaining picture: 112 halved once per block. */
    x = sp_faceapi_build_pool(b, x, &(struct sp_faceapi_pool){"AveragePool", 112 >> blocks, 2, 0});
    x = sp_faceapi_build_dense(b, x, "fc/weights", NULL);
    const struct sp_faceapi_tensor *bias = sp_faceapi_build_tensor(b, "fc", "bias", 1);
    if (bias)
        sp_faceapi_build_add(b, x, sp_onnx_write_floats(b->onnx, bias->name, 1, bias->dims, bias->values),
                             "landmarks");
}

void sp_faceapi_landmarks_layers(struct sp_faceapi_build *b)
{
    layers(b, 4, 4);
}

void sp_faceapi_landmarks_tiny_layers(struct sp_faceapi_build *b)
{
    layers(b, 3, 3);
}
