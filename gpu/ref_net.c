/* Nets on the reference kernels: dense row-major activations in one arena. */
#include "gpu/ref_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/plan.h"
#include "gpu/ref.h"

struct step {
    const struct sp_layer *layer;
    struct sp_tensor *inputs; /* into net->tensors */
    struct sp_tensor residual, out;
    const float *slope;
};

struct sp_ref_net {
    const struct sp_program *program;
    struct step *steps;
    int step_count;
    struct sp_tensor *tensors; /* inputs of all steps */
    int *root;                 /* [values]: value whose memory it shares */
    size_t *offset;            /* [values]: arena offset of a root */
    int *port;                 /* [values]: graph input or -1 */
    char *arena;
    float *copies[SP_NET_MAX_PORTS]; /* outputs that are inputs, copied after a run */
};

void sp_ref_net_free(void *state)
{
    struct sp_ref_net *net = state;
    if (!net)
        return;
    for (int i = 0; i < SP_NET_MAX_PORTS; i++)
        free(net->copies[i]);
    free(net->steps);
    free(net->tensors);
    free(net->root);
    free(net->offset);
    free(net->port);
    free(net->arena);
    free(net);
}

static void last_use(struct sp_plan_item *items, const struct sp_ref_net *net, int value, int step)
{
    if (value >= 0 && items[net->root[value]].last < step)
        items[net->root[value]].last = step;
}

/* Lifetimes and places of all run-time values. */
static enum sp_status plan_memory(struct sp_ref_net *net, struct sp_err *err)
{
    const struct sp_program *program = net->program;
    struct sp_plan_item *items = calloc((size_t)program->values.count + 1, sizeof *items);
    enum sp_status status = SP_OK;
    size_t total = 0;
    if (!items)
        return sp_fail(err, SP_E_NOMEM, "no memory to plan the net");
    for (int i = 0; i < program->values.count; i++) {
        net->root[i] = i;
        net->port[i] = -1;
        items[i].first = -1;
        items[i].last = -2; /* nowhere alive */
    }
    for (int i = 0; i < program->input_count; i++)
        net->port[program->inputs[i].value] = i;
    for (int i = 0; i < program->layer_count; i++) {
        const struct sp_layer *layer = &program->layers[i];
        for (int j = 0; j < layer->input_count; j++)
            last_use(items, net, layer->inputs[j], i);
        last_use(items, net, layer->residual, i);
        if (layer->op == SP_OP_RESHAPE && layer->act.kind == SP_ACT_NONE) {
            net->root[layer->output] = net->root[layer->inputs[0]];
            continue;
        }
        items[layer->output].first = items[layer->output].last = i;
        items[layer->output].bytes =
            (size_t)program->values.at[layer->output].count * sizeof(float) * (size_t)program->max_batch;
    }
    for (int i = 0; i < program->output_count; i++)
        last_use(items, net, program->outputs[i].value, program->layer_count);
    for (int i = 0; i < program->values.count; i++)
        if (items[i].first < 0) /* an input or a constant: not ours */
            items[i] = (struct sp_plan_item){.first = -1, .last = -2};
    if (!sp_plan_place(items, program->values.count, &total))
        status = sp_fail(err, SP_E_NOMEM, "no memory to plan the net");
    else if (total > program->max_bytes)
        status = sp_fail(err, SP_E_LIMIT, "activations at batch %d take %zu bytes, the limit is %zu",
                         program->max_batch, total, program->max_bytes);
    for (int i = 0; i < program->values.count; i++)
        net->offset[i] = items[i].offset;
    free(items);
    if (!status && !(net->arena = aligned_alloc(SP_PLAN_ALIGN, total + SP_PLAN_ALIGN)))
        status = sp_fail(err, SP_E_NOMEM, "no memory for %zu bytes of activations", total);
    return status;
}

static struct sp_tensor tensor_of(const struct sp_ref_net *net, int number)
{
    struct sp_tensor tensor = {0};
    if (number < 0)
        return tensor;
    const struct sp_value *value = &net->program->values.at[number];
    tensor.rank = value->rank;
    memcpy(tensor.dims, value->dims, sizeof tensor.dims);
    tensor.data = value->data ? value->data : (float *)(void *)(net->arena + net->offset[net->root[number]]);
    return tensor;
}

static enum sp_status build_steps(struct sp_ref_net *net, struct sp_err *err)
{
    const struct sp_program *program = net->program;
    size_t inputs = 0;
    for (int i = 0; i < program->layer_count; i++)
        inputs += (size_t)program->layers[i].input_count;
    net->steps = calloc((size_t)program->layer_count + 1, sizeof *net->steps);
    net->tensors = calloc(inputs + 1, sizeof *net->tensors);
    if (!net->steps || !net->tensors)
        return sp_fail(err, SP_E_NOMEM, "no memory for the net's steps");
    struct sp_tensor *next = net->tensors;
    for (int i = 0; i < program->layer_count; i++) {
        const struct sp_layer *layer = &program->layers[i];
        if (net->root[layer->output] != layer->output)
            continue;
        struct step *step = &net->steps[net->step_count++];
        step->layer = layer;
        step->inputs = next;
        for (int j = 0; j < layer->input_count; j++)
            *next++ = tensor_of(net, layer->inputs[j]);
        step->residual = tensor_of(net, layer->residual);
        step->out = tensor_of(net, layer->output);
        step->slope = layer->act.slope >= 0 ? program->values.at[layer->act.slope].data : NULL;
    }
    for (int i = 0; i < program->output_count; i++) {
        const struct sp_value *value = &program->values.at[program->outputs[i].value];
        if (net->port[net->root[program->outputs[i].value]] < 0)
            continue;
        net->copies[i] = malloc((size_t)value->count * sizeof(float) * (size_t)program->max_batch + 1);
        if (!net->copies[i])
            return sp_fail(err, SP_E_NOMEM, "no memory for output '%s'", program->outputs[i].name);
    }
    return SP_OK;
}

enum sp_status sp_ref_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    struct sp_ref_net *net = calloc(1, sizeof *net);
    size_t values = (size_t)program->values.count + 1;
    enum sp_status status = SP_OK;
    (void)state;
    if (!net)
        return sp_fail(err, SP_E_NOMEM, "no memory for the net");
    net->program = program;
    net->root = calloc(values, sizeof *net->root);
    net->offset = calloc(values, sizeof *net->offset);
    net->port = calloc(values, sizeof *net->port);
    if (!net->root || !net->offset || !net->port)
        status = sp_fail(err, SP_E_NOMEM, "no memory for the net");
    if (!status)
        status = plan_memory(net, err);
    if (!status)
        status = build_steps(net, err);
    if (status)
        sp_ref_net_free(net);
    else
        *ret_net = net;
    return status;
}

/* Batch and, for graph inputs, memory of this run. */
static void bind(const struct sp_ref_net *net, struct sp_tensor *tensor, int number, int batch,
                 const float *const *inputs)
{
    if (number < 0 || net->program->values.at[number].data)
        return;
    if (tensor->rank)
        tensor->dims[0] = net->program->values.at[number].dims[0] * batch;
    int port = net->port[net->root[number]];
    if (port >= 0)
        tensor->data = (float *)(uintptr_t)inputs[port]; /* only read */
}

enum sp_status sp_ref_net_run(void *state, int batch, const float *const *inputs, const float **ret_outputs,
                              struct sp_err *err)
{
    struct sp_ref_net *net = state;
    const struct sp_program *program = net->program;
    (void)err;
    for (int i = 0; i < net->step_count; i++) {
        struct step *step = &net->steps[i];
        const struct sp_layer *layer = step->layer;
        for (int j = 0; j < layer->input_count; j++)
            bind(net, &step->inputs[j], layer->inputs[j], batch, inputs);
        bind(net, &step->residual, layer->residual, batch, inputs);
        bind(net, &step->out, layer->output, batch, inputs);
        sp_ref_layer(layer, step->inputs, layer->residual >= 0 ? &step->residual : NULL, step->slope, &step->out);
    }
    for (int i = 0; i < program->output_count; i++) {
        int value = program->outputs[i].value, port = net->port[net->root[value]];
        ret_outputs[i] = (const float *)(const void *)(net->arena + net->offset[net->root[value]]);
        if (port < 0)
            continue;
        memcpy(net->copies[i], inputs[port],
               (size_t)program->values.at[value].count * (size_t)batch * sizeof(float));
        ret_outputs[i] = net->copies[i];
    }
    return SP_OK;
}

void sp_ref_net_describe(const void *state, void (*line)(void *context, const char *text), void *context)
{
    const struct sp_ref_net *net = state;
    char text[320], layer[256];
    for (int i = 0; i < net->step_count; i++) {
        sp_layer_text(net->program, net->steps[i].layer, layer, sizeof layer);
        snprintf(text, sizeof text, "%s reference", layer);
        line(context, text);
    }
}
