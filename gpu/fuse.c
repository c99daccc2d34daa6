#include "gpu/fuse.h"

#include <stdlib.h>
#include <string.h>

struct fuse {
    struct sp_program *program;
    int *uses;     /* [values]: readers among layers and outputs */
    int *producer; /* [values]: layer that makes it, or -1 */
    bool *gone;    /* [layers] */
};

static void count_uses(struct fuse *fuse, const struct sp_layer *layer, int by)
{
    for (int i = 0; i < layer->input_count; i++)
        if (layer->inputs[i] >= 0)
            fuse->uses[layer->inputs[i]] += by;
    if (layer->residual >= 0)
        fuse->uses[layer->residual] += by;
    if (layer->act.slope >= 0)
        fuse->uses[layer->act.slope] += by;
}

static void survey(struct fuse *fuse)
{
    struct sp_program *program = fuse->program;
    for (int i = 0; i < program->values.count; i++)
        fuse->producer[i] = -1;
    for (int i = 0; i < program->output_count; i++)
        fuse->uses[program->outputs[i].value]++;
    for (int i = 0; i < program->layer_count; i++) {
        count_uses(fuse, &program->layers[i], 1);
        fuse->producer[program->layers[i].output] = i;
    }
    for (int i = program->layer_count - 1; i >= 0; i--) {
        if (fuse->uses[program->layers[i].output])
            continue;
        count_uses(fuse, &program->layers[i], -1);
        fuse->gone[i] = true;
    }
}

/* The layer that makes `value` for this one reader alone, or NULL. */
static struct sp_layer *sole_producer(struct fuse *fuse, int value)
{
    int at = value < 0 ? -1 : fuse->producer[value];
    return at >= 0 && fuse->uses[value] == 1 && !fuse->gone[at] ? &fuse->program->layers[at] : NULL;
}

static bool plain(const struct sp_layer *layer)
{
    return layer->act.kind == SP_ACT_NONE && layer->residual < 0;
}

static bool same_shape(const struct sp_value *a, const struct sp_value *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

/* `first` takes over the result of `second`, which disappears. */
static void take_over(struct fuse *fuse, struct sp_layer *first, struct sp_layer *second)
{
    int at = (int)(second - fuse->program->layers);
    fuse->uses[first->output] = 0;
    first->output = second->output;
    fuse->producer[first->output] = (int)(first - fuse->program->layers);
    fuse->gone[at] = true;
}

/* A private copy of a constant, or a zero vector of `count` where value is -1; its number or -1. */
static int copy_constant(struct fuse *fuse, int value, int64_t count)
{
    struct sp_value_table *values = &fuse->program->values;
    struct sp_value fresh = {.rank = 1, .dims = {count}, .count = count};
    if (value >= 0) {
        fresh = values->at[value];
        fresh.name = NULL;
    }
    fresh.data = calloc((size_t)fresh.count + 1, sizeof(float));
    if (!fresh.data)
        return -1;
    if (value >= 0)
        memcpy(fresh.data, values->at[value].data, (size_t)fresh.count * sizeof(float));
    int number = sp_value_table_add(values);
    if (number < 0)
        free(fresh.data);
    else
        values->at[number] = fresh;
    return number;
}

/* conv then scale: y = s * (W x + b) + t. The tables uses/producer have room for two new values per layer. */
static bool fold_scale(struct fuse *fuse, struct sp_layer *conv, struct sp_layer *scale)
{
    int64_t channels = fuse->program->values.at[scale->inputs[1]].count;
    int w = copy_constant(fuse, conv->inputs[1], 0),
        b = w < 0 ? -1 : copy_constant(fuse, conv->inputs[2], channels);
    if (b < 0)
        return false;
    const float *s = fuse->program->values.at[scale->inputs[1]].data;
    const float *t = fuse->program->values.at[scale->inputs[2]].data;
    float *weights = fuse->program->values.at[w].data, *bias = fuse->program->values.at[b].data;
    int64_t per = fuse->program->values.at[w].count / channels;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t i = 0; i < per; i++)
            weights[c * per + i] *= s[c];
        bias[c] = bias[c] * s[c] + t[c];
    }
    conv->inputs[1] = w;
    conv->inputs[2] = b;
    fuse->uses[w] = fuse->uses[b] = 1;
    fuse->producer[w] = fuse->producer[b] = -1;
    take_over(fuse, conv, scale);
    return true;
}

/* Add of two run-time values, one of which a convolution makes for it alone: that convolution moves here. */
static bool fuse_residual(struct fuse *fuse, struct sp_layer *add)
{
    struct sp_program *program = fuse->program;
    const struct sp_value *a = &program->values.at[add->inputs[0]], *b = &program->values.at[add->inputs[1]];
    if (a->data || b->data || !same_shape(a, b) || add->inputs[0] == add->inputs[1])
        return false;
    struct sp_layer *left = sole_producer(fuse, add->inputs[0]), *right = sole_producer(fuse, add->inputs[1]);
    if (left && (left->op != SP_OP_CONV || !plain(left)))
        left = NULL;
    if (right && (right->op != SP_OP_CONV || !plain(right)))
        right = NULL;
    /* Of two candidates the later: the other operand is then ready, and may be overwritten in place. */
    struct sp_layer *conv = left && right ? (left > right ? left : right) : left ? left : right;
    if (!conv)
        return false;
    int other = conv == left ? add->inputs[1] : add->inputs[0], output = add->output;
    int from = (int)(conv - program->layers), to = (int)(add - program->layers);
    struct sp_layer moved = *conv;
    struct sp_act act = add->act;
    moved.residual = other;
    moved.act = act;
    moved.output = output;
    fuse->uses[conv->output] = 0;
    *conv = *add; /* the emptied place keeps the addition's strings until the program is packed */
    program->layers[to] = moved;
    fuse->gone[from] = true;
    fuse->producer[output] = to;
    return true;
}

/* matmul then + constant vector. */
static bool fuse_bias(struct fuse *fuse, struct sp_layer *add)
{
    for (int side = 0; side < 2; side++) {
        struct sp_layer *matmul = sole_producer(fuse, add->inputs[side]);
        const struct sp_value *bias = &fuse->program->values.at[add->inputs[1 - side]];
        const struct sp_value *out = &fuse->program->values.at[add->output];
        if (!matmul || matmul->op != SP_OP_MATMUL || !plain(matmul) || matmul->inputs[2] >= 0 || !bias->data ||
            bias->rank < 1 || bias->count != bias->dims[bias->rank - 1] ||
            bias->count != out->dims[out->rank - 1] || !same_shape(out, &fuse->program->values.at[matmul->output]))
            continue;
        matmul->inputs[2] = add->inputs[1 - side];
        take_over(fuse, matmul, add);
        return true;
    }
    return false;
}

static bool takes_act(const struct sp_layer *layer)
{
    switch (layer->op) {
    case SP_OP_CONV:
    case SP_OP_MATMUL:
    case SP_OP_BINARY:
    case SP_OP_SCALE:
    case SP_OP_NORM:
        return layer->act.kind == SP_ACT_NONE;
    default:
        return false;
    }
}

/* Activations a backend can be expected to apply behind another operation. */
static bool fusable(enum sp_act_kind kind)
{
    return kind != SP_ACT_EXP && kind != SP_ACT_LOG && kind != SP_ACT_FLOOR && kind != SP_ACT_CEIL;
}

static bool fuse_layer(struct fuse *fuse, struct sp_layer *layer)
{
    struct sp_layer *before = layer->input_count ? sole_producer(fuse, layer->inputs[0]) : NULL;
    switch (layer->op) {
    case SP_OP_SCALE:
        if (!before || before->op != SP_OP_CONV || !plain(before))
            return true;
        return fold_scale(fuse, before, layer);
    case SP_OP_UNARY:
        if (before && takes_act(before) && fusable(layer->act.kind)) {
            before->act = layer->act;
            take_over(fuse, before, layer);
        }
        return true;
    case SP_OP_BINARY:
        if (layer->binary == SP_BINARY_ADD && !fuse_bias(fuse, layer))
            fuse_residual(fuse, layer);
        return true;
    default:
        return true;
    }
}

static void pack(struct fuse *fuse)
{
    struct sp_program *program = fuse->program;
    int kept = 0;
    for (int i = 0; i < program->layer_count; i++) {
        if (fuse->gone[i])
            sp_layer_clear(&program->layers[i]);
        else
            program->layers[kept++] = program->layers[i];
    }
    program->layer_count = kept;
}

enum sp_status sp_fuse_program(struct sp_program *program, struct sp_err *err)
{
    struct fuse fuse = {.program = program};
    size_t values = (size_t)program->values.count + 2 * (size_t)program->layer_count + 1;
    enum sp_status status = SP_OK;
    fuse.uses = calloc(values, sizeof *fuse.uses);
    fuse.producer = calloc(values, sizeof *fuse.producer);
    fuse.gone = calloc((size_t)program->layer_count + 1, sizeof *fuse.gone);
    if (!fuse.uses || !fuse.producer || !fuse.gone) {
        status = sp_fail(err, SP_E_NOMEM, "no memory to fuse the graph");
        goto done;
    }
    survey(&fuse);
    for (int i = 0; i < program->layer_count && !status; i++)
        if (!fuse.gone[i] && !fuse_layer(&fuse, &program->layers[i]))
            status = sp_fail(err, SP_E_NOMEM, "no memory to fuse the graph");
    if (!status)
        pack(&fuse);
done:
    free(fuse.uses);
    free(fuse.producer);
    free(fuse.gone);
    return status;
}
