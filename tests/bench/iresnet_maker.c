/* iresnet_maker FILE: an IResNet-50 (ArcFace's embedder, 112 x 112 -> 512) as ONNX, with random weights: 6.3 GMAC
 * and 43.5 M weights to time an engine with, where no trained file may travel. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/ops/onnx_maker.h"

struct net {
    struct onnx_maker *maker;
    uint64_t random;
    int next;      /* number of the next name */
    char last[32]; /* the tensor in hand */
};

static void random_floats(struct net *net, const char *name, int rank, const int64_t *dims, float middle,
                          float spread)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = malloc(count * sizeof *data);
    for (size_t i = 0; data && i < count; i++) {
        net->random = net->random * 6364136223846793005u + 1442695040888963407u;
        data[i] = middle + spread * ((float)(net->random >> 40) / (float)(1 << 23) - 1);
    }
    if (!data)
        abort();
    onnx_maker_floats(net->maker, name, rank, dims, data);
    free(data);
}

/* A node on `input` with parameters whose names follow; its output becomes the tensor in hand. */
static void node(struct net *net, const char *op, const char *input, const char *parameters)
{
    char inputs[160], output[32];
    snprintf(inputs, sizeof inputs, "%s%s%s", input, *parameters ? " " : "", parameters);
    snprintf(output, sizeof output, "t%d", net->next++);
    onnx_maker_node(net->maker, op, inputs, output);
    memcpy(net->last, output, sizeof net->last);
}

static void conv(struct net *net, const char *input, int from, int to, int side, int stride)
{
    char weights[32];
    snprintf(weights, sizeof weights, "w%d", net->next);
    random_floats(net, weights, 4, (int64_t[]){to, from, side, side}, 0, sqrtf(3.0f / (float)(from * side * side)));
    node(net, "Conv", input, weights);
    onnx_maker_list(net->maker, "kernel_shape", 2, (int64_t[]){side, side});
    onnx_maker_list(net->maker, "strides", 2, (int64_t[]){stride, stride});
    onnx_maker_list(net->maker, "pads", 4, (int64_t[]){side / 2, side / 2, side / 2, side / 2});
}

static void norm(struct net *net, const char *input, int channels)
{
    static const char *const kinds[4] = {"scale", "shift", "mean", "var"};
    char names[120] = "", name[28];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%d", kinds[i], net->next);
        random_floats(net, name, 1, (int64_t[]){channels}, i == 0 || i == 3 ? 1 : 0, i == 3 ? 0.2f : 0.1f);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", name);
    }
    node(net, "BatchNormalization", input, names);
    onnx_maker_float(net->maker, "epsilon", 1e-5f);
}

static void prelu(struct net *net, const char *input, int channels)
{
    char slope[32];
    snprintf(slope, sizeof slope, "slope%d", net->next);
    random_floats(net, slope, 3, (int64_t[]){channels, 1, 1}, 0.25f, 0.1f);
    node(net, "PRelu", input, slope);
}

static void block(struct net *net, int from, int to, int stride)
{
    char start[32], path[32], both[80];
    memcpy(start, net->last, sizeof start);
    norm(net, start, from);
    conv(net, net->last, from, to, 3, 1);
    norm(net, net->last, to);
    prelu(net, net->last, to);
    conv(net, net->last, to, to, 3, stride);
    norm(net, net->last, to);
    memcpy(path, net->last, sizeof path);
    if (stride != 1 || from != to) {
        conv(net, start, from, to, 1, stride);
        norm(net, net->last, to);
        memcpy(start, net->last, sizeof start);
    }
    snprintf(both, sizeof both, "%s %s", path, start);
    node(net, "Add", both, "");
}

static void build(struct net *net)
{
    static const int blocks[4] = {3, 4, 14, 3};
    int channels = 64;
    onnx_maker_input(net->maker, "input", 4, (int64_t[]){0, 3, 112, 112});
    conv(net, "input", 3, channels, 3, 1);
    norm(net, net->last, channels);
    prelu(net, net->last, channels);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < blocks[stage]; i++) {
            int to = 64 << stage;
            block(net, channels, to, i ? 1 : 2);
            channels = to;
        }
    norm(net, net->last, channels);
    node(net, "Flatten", net->last, "");
    random_floats(net, "fc.w", 2, (int64_t[]){512, 512 * 7 * 7}, 0, sqrtf(3.0f / (512 * 7 * 7)));
    random_floats(net, "fc.b", 1, (int64_t[]){512}, 0, 0.1f);
    node(net, "Gemm", net->last, "fc.w fc.b");
    onnx_maker_int(net->maker, "transB", 1);
    norm(net, net->last, 512);
    onnx_maker_output(net->maker, net->last);
}

int main(int argc, char **argv)
{
    struct net net = {.maker = onnx_maker_new(13), .random = 1};
    size_t length = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: iresnet_maker FILE\n");
        return 2;
    }
    build(&net);
    uint8_t *bytes = onnx_maker_pack(net.maker, &length);
    onnx_maker_free(&net.maker);
    FILE *file = fopen(argv[1], "wb");
    bool done = file && fwrite(bytes, length, 1, file) == 1;
    done = (file && fclose(file) == 0) && done;
    free(bytes);
    if (!done)
        fprintf(stderr, "iresnet_maker: %s cannot be written\n", argv[1]);
    return done ? 0 : 1;
}
