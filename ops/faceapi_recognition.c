/* face_recognition: dlib's ResNet-29. Input [N,3,150,150], output [N,128], neither activated nor normalised. */
#include "ops/faceapi_nets.h"

#include <stdio.h>

/* Convolution and the scale layer behind it, folded: tensors PREFIX/conv/{filters,bias},
 * PREFIX/scale/{weights,biases}. */
static const char *unit(struct sp_faceapi_build *b, const char *input, const char *prefix, int stride, bool same)
{
    const struct sp_faceapi_tensor *bias = sp_faceapi_build_tensor(b, prefix, "conv/bias", 1);
    const struct sp_faceapi_tensor *weights = sp_faceapi_build_tensor(b, prefix, "scale/weights", 1);
    const struct sp_faceapi_tensor *biases = sp_faceapi_build_tensor(b, prefix, "scale/biases", 1);
    struct sp_faceapi_fold fold;
    if (!bias || !weights || !biases || bias->count > SP_FACEAPI_MAX_CHANNELS || weights->count != bias->count ||
        biases->count != bias->count) {
        if (!b->err.status)
            sp_fail(&b->err, SP_E_FORMAT, "%s: the scale layer of %s does not fit its convolution", b->net, prefix);
        return "";
    }
    fold.channels = (int)bias->count;
    for (size_t c = 0; c < bias->count; c++) {
        fold.scale[c] = weights->values[c];
        fold.shift[c] = (double)bias->values[c] * weights->values[c] + biases->values[c];
    }
    char filters[96];
    snprintf(filters, sizeof filters, "%s/conv/filters", prefix);
    return sp_faceapi_build_conv(
        b, input, &(struct sp_faceapi_conv){.filters = filters, .stride = stride, .same = same, .fold = &fold});
}

/* Zeros after the channels, or at bottom and right. */
static const char *pad(struct sp_faceapi_build *b, const char *input, const char *name, int channels, int rows)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, channels, rows, rows};
    const char *inputs[2] = {input, sp_onnx_write_int64s(b->onnx, name, 8, pads)};
    const char *output = sp_onnx_write_node(b->onnx, "Pad", NULL, 2, inputs);
    sp_onnx_write_attr_text(b->onnx, "mode", "constant");
    return output;
}

/* Two convolutions with the input added; `down` halves the size: the first convolution is strided and 'valid', the
 * shortcut an average pool. Where that makes fewer rows than the pool, or the pool has fewer channels, zeros fill
 * up: spatial ones behind the second convolution (they cannot be its padding), channels behind the pooled ones. */
static const char *block(struct sp_faceapi_build *b, const char *input, const char *prefix, bool down,
                         int pad_channels, int pad_rows)
{
    char name[96];
    snprintf(name, sizeof name, "%s/conv1", prefix);
    const char *y = sp_faceapi_build_relu(b, unit(b, input, name, down ? 2 : 1, !down));
    snprintf(name, sizeof name, "%s/conv2", prefix);
    y = unit(b, y, name, 1, true);
    const char *shortcut = input;
    if (pad_rows) {
        snprintf(name, sizeof name, "%s/pad_rows", prefix);
        y = pad(b, y, name, 0, pad_rows);
    }
    if (down)
        shortcut = sp_faceapi_build_pool(b, input, &(struct sp_faceapi_pool){"AveragePool", 2, 2, 0});
    if (pad_channels) {
        snprintf(name, sizeof name, "%s/pad_channels", prefix);
        shortcut = pad(b, shortcut, name, pad_channels, 0);
    }
    return sp_faceapi_build_relu(b, sp_faceapi_build_add(b, shortcut, y, NULL));
}

void sp_faceapi_recognition_layers(struct sp_faceapi_build *b)
{
    static const struct {
        const char *prefix;
        bool down;
        int pad_channels, pad_rows;
    } blocks[] = {
        {"conv32_1", false, 0, 0},    {"conv32_2", false, 0, 0},        {"conv32_3", false, 0, 0},
        {"conv64_down", true, 32, 0}, {"conv64_1", false, 0, 0},        {"conv64_2", false, 0, 0},
        {"conv64_3", false, 0, 0},    {"conv128_down", true, 64, 0},    {"conv128_1", false, 0, 0},
        {"conv128_2", false, 0, 0},   {"conv256_down", true, 128, 1},   {"conv256_1", false, 0, 0},
        {"conv256_2", false, 0, 0},   {"conv256_down_out", true, 0, 1},
    };
    sp_onnx_write_input(b->onnx, "input", "N,3,150,150");
    sp_onnx_write_output(b->onnx, "descriptor", "N,128");
    const char *x = sp_faceapi_build_relu(b, unit(b, "input", "conv32_down", 2, false));
    x = sp_faceapi_build_pool(b, x, &(struct sp_faceapi_pool){"MaxPool", 3, 2, 0});
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        x = block(b, x, blocks[i].prefix, blocks[i].down, blocks[i].pad_channels, blocks[i].pad_rows);
    x = sp_onnx_write_node(b->onnx, "GlobalAveragePool", NULL, 1, &x);
    sp_faceapi_build_dense(b, x, "fc", "descriptor");
}
