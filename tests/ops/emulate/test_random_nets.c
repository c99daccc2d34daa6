/* Random nets of convolutions, sums, concatenations and shapes, on a device whose clock likes other kernels for
 * each of them: whatever is chosen and fused, the numbers are the reference's, and no kernel is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/ops/compare.h"
#include "tests/ops/emulate/launched.h"
#include "tests/ops/emulate/plain_device.h"

enum { MOST_VALUES = 16, MOST_CHANNELS = 48, BATCH = 3 };

static uint32_t taste; /* which kernels the clock likes */

static double by_taste(const void *payload, size_t size)
{
    uint32_t kernel = (uint32_t)launched_choice(payload, size) + 2;
    return 1 + (taste ^ kernel * 2654435761u) % 97;
}

struct value {
    char name[8];
    int channels, height, width;
    bool read;
};

struct net {
    struct random *random;
    struct onnx_maker *maker;
    struct value values[MOST_VALUES];
    int count, weights;
};

/* A value, more often than not one of the latest: chains are what is fused. */
static struct value any(struct net *net)
{
    int back =
        random_int(net->random, 0, 3) ? random_int(net->random, 1, 2) : random_int(net->random, 1, MOST_VALUES);
    struct value *found = &net->values[back < net->count ? net->count - back : 0];
    found->read = true;
    return *found;
}

/* Name of new weights whose sums over `terms` numbers stay near 1. */
static const char *weights(struct net *net, int rank, const int64_t *dims, int terms)
{
    static char name[12];
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    random_fill(net->random, data, count);
    for (size_t i = 0; i < count; i++)
        data[i] *= 1.7f / sqrtf((float)terms);
    snprintf(name, sizeof name, "w%d", net->weights++);
    onnx_maker_floats(net->maker, name, rank, dims, data);
    free(data);
    return name;
}

static void add_value(struct net *net, const char *op, const char *inputs, int channels, int height, int width)
{
    struct value *made = &net->values[net->count];
    *made = (struct value){.channels = channels, .height = height, .width = width};
    snprintf(made->name, sizeof made->name, "v%d", net->count);
    onnx_maker_node(net->maker, op, inputs, made->name);
    net->count++;
}

/* A convolution of `kernel` x `kernel` that keeps the size; depthwise with one filter a channel. */
static void add_conv(struct net *net, struct value from, int kernel, bool depthwise)
{
    int oc = depthwise || random_int(net->random, 0, 1) ? from.channels : random_int(net->random, 1, MOST_CHANNELS);
    int pad = kernel / 2;
    int64_t dims[4] = {oc, depthwise ? 1 : from.channels, kernel, kernel};
    char inputs[64];
    snprintf(inputs, sizeof inputs, "%s %s", from.name,
             weights(net, 4, dims, kernel * kernel * (depthwise ? 1 : from.channels)));
    if (random_int(net->random, 0, 1))
        snprintf(inputs + strlen(inputs), sizeof inputs - strlen(inputs), " %s", weights(net, 1, dims, 9));
    add_value(net, "Conv", inputs, oc, from.height, from.width);
    onnx_maker_list(net->maker, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    if (depthwise)
        onnx_maker_int(net->maker, "group", oc);
}

static void add_sum(struct net *net, struct value a, struct value b)
{
    char inputs[64];
    if (a.height != b.height || a.width != b.width || a.channels != b.channels)
        return;
    snprintf(inputs, sizeof inputs, "%s %s", a.name, b.name);
    add_value(net, "Add", inputs, a.channels, a.height, a.width);
}

static void add_concat(struct net *net, struct value a, struct value b)
{
    char inputs[64];
    if (a.height != b.height || a.width != b.width || a.channels + b.channels > MOST_CHANNELS)
        return;
    snprintf(inputs, sizeof inputs, "%s %s", a.name, b.name);
    add_value(net, "Concat", inputs, a.channels + b.channels, a.height, a.width);
    onnx_maker_int(net->maker, "axis", 1);
}

static void add_shape(struct net *net, struct value from)
{
    char name[12], inputs[64];
    snprintf(name, sizeof name, "s%d", net->weights++);
    onnx_maker_ints(net->maker, name, 1, (int64_t[]){4}, (int64_t[]){0, from.channels, from.width, from.height});
    snprintf(inputs, sizeof inputs, "%s %s", from.name, name);
    add_value(net, "Reshape", inputs, from.channels, from.width, from.height);
}

/* What is fused, and what only looks like it: something between, or a second reader. */
static void add_unit(struct net *net)
{
    add_conv(net, any(net), 3, true);
    struct value depthwise = net->values[net->count - 1];
    if (random_int(net->random, 0, 3) == 0)
        add_shape(net, depthwise);
    net->values[net->count - 1].read = true;
    add_conv(net, net->values[net->count - 1], 1, false);
    if (random_int(net->random, 0, 2) == 0) {
        net->values[net->count - 1].read = true;
        add_sum(net, net->values[net->count - 1], depthwise);
    }
}

static void add_something(struct net *net)
{
    struct value last = net->values[net->count - 1];
    switch (random_int(net->random, 0, 7)) {
    case 0:
        return add_conv(net, any(net), 3, true);
    case 1:
        return add_conv(net, any(net), 1, false);
    case 2:
        return add_conv(net, any(net), 3, false);
    case 3:
        return add_sum(net, any(net), any(net));
    case 4:
        return add_concat(net, any(net), any(net));
    case 5:
        net->values[net->count - 1].read = true;
        return add_value(net, "Relu", last.name, last.channels, last.height, last.width);
    default:
        return add_unit(net);
    }
}

/* What nobody reads is an output, and so is the last. */
static uint8_t *random_net(struct random *random, size_t *ret_length)
{
    struct net net = {.random = random, .maker = onnx_maker_new(11), .count = 1};
    int channels = random_int(random, 0, 1) ? 8 * random_int(random, 1, 3) : random_int(random, 1, 24);
    struct value x = {"x", channels, random_int(random, 2, 7), random_int(random, 2, 7), true};
    net.values[0] = x;
    onnx_maker_input(net.maker, "x", 4, (int64_t[]){0, x.channels, x.height, x.width});
    while (net.count < MOST_VALUES - 4)
        add_something(&net);
    for (int i = 1; i < net.count; i++)
        if (!net.values[i].read || i == net.count - 1)
            onnx_maker_output(net.maker, net.values[i].name);
    uint8_t *bytes = onnx_maker_pack(net.maker, ret_length);
    onnx_maker_free(&net.maker);
    return bytes;
}

static void the_numbers_are_the_references(void **state)
{
    /* A dozen roundings to 16 bits; the worst of 3000 nets was 0.006. */
    struct comparison c = {.bound = 1e-2, .max_batch = BATCH, .random = {20261127}};
    int nets = getenv("SALLYPORT_QUICK") ? 25 : 150;
    struct random random = {11};
    (void)state;
    c.reference = compare_engine(SP_BACKEND_REF);
    for (int i = 0; i < nets; i++) {
        struct sp_engine_config config = {.backend = SP_BACKEND_CUDA, .wgmma = i % 2};
        struct sp_err err = {0};
        char name[32], note[320];
        size_t length;
        uint8_t *bytes = random_net(&random, &length);
        taste = random_bits(&random);
        snprintf(name, sizeof name, "net %d", i);
        assert_int_equal(sp_engine_open(&c.tested, &config, &err), SP_OK);
        compare_bytes(&c, bytes, length, name);
        sp_engine_note(c.tested, note, sizeof note);
        if (note[0])
            fail_msg("%s: %s", name, note);
        sp_engine_free(&c.tested);
        free(bytes);
    }
    print_message("    %d nets, worst difference %.2g\n", nets, c.worst);
    sp_engine_free(&c.reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_numbers_are_the_references)};
    plain_device_clock(by_taste);
    return cmocka_run_group_tests_name("random nets", tests, NULL, NULL);
}
