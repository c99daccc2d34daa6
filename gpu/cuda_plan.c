#include "gpu/cuda_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_build.h"
#include "gpu/cuda_choice.h"

typedef void build_fn(struct sp_cuda_build *build);

static build_fn *const builders[] = {
    [SP_OP_CONV] = sp_cuda_build_conv,
    [SP_OP_POOL] = sp_cuda_build_pool,
    [SP_OP_MATMUL] = sp_cuda_build_matmul,
    [SP_OP_BINARY] = sp_cuda_build_binary,
    [SP_OP_UNARY] = sp_cuda_build_unary,
    [SP_OP_SCALE] = sp_cuda_build_scale,
    [SP_OP_NORM] = sp_cuda_build_norm,
    [SP_OP_SOFTMAX] = sp_cuda_build_softmax,
    [SP_OP_REDUCE] = sp_cuda_build_reduce,
    [SP_OP_RESHAPE] = sp_cuda_build_reshape,
    [SP_OP_TRANSPOSE] = sp_cuda_build_transpose,
    [SP_OP_CONCAT] = sp_cuda_build_concat,
    [SP_OP_SLICE] = sp_cuda_build_slice,
    [SP_OP_GATHER] = sp_cuda_build_gather,
    [SP_OP_PAD] = sp_cuda_build_pad,
    [SP_OP_RESIZE] = sp_cuda_build_resize,
};

/* Layers that only move numbers have no activation (see fuse.c); a later pass that gave them one would be caught
 * here. */
static bool takes_act(enum sp_op op)
{
    return op == SP_OP_CONV || op == SP_OP_MATMUL || op == SP_OP_BINARY || op == SP_OP_UNARY || op == SP_OP_SCALE ||
           op == SP_OP_NORM;
}

static void count_uses(struct sp_cuda_build *build)
{
    const struct sp_program *program = build->program;
    for (int i = 0; i < program->layer_count; i++) {
        const struct sp_layer *layer = &program->layers[i];
        for (int j = 0; j < layer->input_count; j++)
            if (layer->inputs[j] >= 0)
                build->uses[layer->inputs[j]]++;
        if (layer->residual >= 0)
            build->uses[layer->residual]++;
    }
    for (int i = 0; i < program->output_count; i++)
        build->uses[program->outputs[i].value]++;
}

/* A scale that one convolution alone reads goes into its weights and bias, exact at the borders too. */
static bool goes_into_conv(const struct sp_cuda_build *build, const struct sp_layer *layer)
{
    if (layer->op != SP_OP_SCALE || layer->act.kind != SP_ACT_NONE || build->uses[layer->output] != 1)
        return false;
    for (const struct sp_layer *reader = layer + 1; reader < build->program->layers + build->program->layer_count;
         reader++)
        if (reader->op == SP_OP_CONV && reader->inputs[0] == layer->output && reader->conv.group == 1)
            return true;
    return false;
}

/* Empty results need no step; sizes that a kernel's int cannot say are refused. */
static bool check_layer(struct sp_cuda_build *build, const struct sp_layer *layer)
{
    const struct sp_value *out = &build->program->values.at[layer->output];
    if (layer->act.kind != SP_ACT_NONE && !takes_act(layer->op))
        sp_cuda_build_fail(build, SP_E_UNSUPPORTED, "an activation behind it");
    if (layer->residual >= 0 && layer->op != SP_OP_CONV)
        sp_cuda_build_fail(build, SP_E_UNSUPPORTED, "a sum behind it");
    if (out->rank == 4 && out->count > 0 &&
        (out->dims[0] * build->program->max_batch > INT32_MAX || out->dims[1] > INT32_MAX / 64 - 8 ||
         out->dims[2] * out->dims[3] > INT32_MAX))
        sp_cuda_build_fail(build, SP_E_UNSUPPORTED, "an output of that size");
    return !build->status;
}

/* Every mention of an arena buffer becomes one of an output. */
static void redirect(struct sp_cuda_plan *plan, int buffer, int output)
{
    for (int i = 0; i < plan->step_count; i++) {
        struct sp_cuda_step *step = &plan->steps[i];
        struct sp_cuda_ref *refs[] = {&step->x, &step->b, &step->c, &step->residual, &step->out};
        for (size_t j = 0; j < sizeof refs / sizeof refs[0]; j++) {
            if (refs[j]->place != SP_PLACE_ARENA || refs[j]->index != buffer)
                continue;
            refs[j]->place = SP_PLACE_OUTPUT;
            refs[j]->index = output;
        }
    }
}

/* An output is made in its place where the last layer can, and else copied there as dense floats. */
static void build_output(struct sp_cuda_build *build, int index)
{
    const struct sp_program *program = build->program;
    int number = program->outputs[index].value;
    const struct sp_value *value = &program->values.at[number];
    struct sp_cuda_ref at = {.place = SP_PLACE_OUTPUT, .index = index};
    struct sp_cuda_view from = sp_cuda_value(build, number);
    struct sp_cuda_view out = sp_cuda_view_dense(at, SP_CUDA_F32, value->rank, value->dims);
    int64_t bytes = value->count * (int64_t)sizeof(float);
    build->plan->output_bytes[index] = bytes;
    if (!value->count || build->status)
        return;
    if (from.type == SP_CUDA_F32 && from.at.place == SP_PLACE_ARENA && from.at.bytes == 0 &&
        sp_cuda_view_is_dense(&from) && build->plan->buffers[from.at.index].item_bytes == bytes) {
        int buffer = from.at.index;
        redirect(build->plan, buffer, index);
        for (int i = 0; i < program->values.count; i++) /* another output may be the same numbers */
            if (build->views[i].at.place == SP_PLACE_ARENA && build->views[i].at.index == buffer)
                build->views[i].at = (struct sp_cuda_ref){SP_PLACE_OUTPUT, index, build->views[i].at.bytes};
        return;
    }
    if (sp_value_is_constant(program, number))
        from = sp_cuda_view_broadcast(&from, value->rank, value->dims, true);
    sp_cuda_build_map(build, SP_MAP_COPY, &out, &from, NULL, NULL, NULL);
}

static void build_layers(struct sp_cuda_build *build)
{
    const struct sp_program *program = build->program;
    for (int i = 0; i < program->input_count; i++) {
        const struct sp_value *value = &program->values.at[program->inputs[i].value];
        struct sp_cuda_ref at = {.place = SP_PLACE_INPUT, .index = i};
        build->views[program->inputs[i].value] = sp_cuda_view_dense(at, SP_CUDA_F32, value->rank, value->dims);
        build->plan->input_bytes[i] = value->count * (int64_t)sizeof(float);
    }
    for (int i = 0; i < program->layer_count && !build->status; i++) {
        const struct sp_layer *layer = &program->layers[i];
        int first = build->plan->step_count;
        build->layer = layer;
        if (!check_layer(build, layer))
            return;
        if (program->values.at[layer->output].count == 0) {
            sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
            continue;
        }
        if (goes_into_conv(build, layer))
            build->scale_of[layer->output] = layer;
        else
            builders[layer->op](build);
        /* The last step of a layer has its name, those before it prepare its operands. */
        if (build->plan->step_count > first)
            build->plan->steps[build->plan->step_count - 1].layer = layer;
    }
    build->layer = NULL;
    for (int i = 0; i < program->output_count && !build->status; i++)
        build_output(build, i);
}

static void touch(struct sp_cuda_plan *plan, const struct sp_cuda_ref *ref, int step)
{
    if (ref->place != SP_PLACE_ARENA)
        return;
    struct sp_cuda_buffer *buffer = &plan->buffers[ref->index];
    buffer->first = buffer->first < 0 ? step : buffer->first;
    buffer->last = step;
}

/* Buffers that never live at the same time share memory. */
static enum sp_status place_buffers(struct sp_cuda_plan *plan, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; i < plan->step_count; i++) {
        struct sp_cuda_step *step = &plan->steps[i];
        touch(plan, &step->x, i);
        touch(plan, &step->b, i);
        touch(plan, &step->c, i);
        touch(plan, &step->residual, i);
        touch(plan, &step->out, i);
        if (step->takes) /* what is depthwise may be read as late as here */
            touch(plan, &plan->steps[step->takes - 1].x, i);
    }
    struct sp_plan_item *items = calloc((size_t)plan->buffer_count + 1, sizeof *items);
    if (!items)
        return sp_fail(err, SP_E_NOMEM, "no memory to plan the net");
    for (int i = 0; i < plan->buffer_count; i++)
        items[i] =
            (struct sp_plan_item){.bytes = (size_t)plan->buffers[i].item_bytes * (size_t)plan->program->max_batch,
                                  .first = plan->buffers[i].first,
                                  .last = plan->buffers[i].last};
    if (!sp_plan_place(items, plan->buffer_count, &plan->arena_bytes))
        status = sp_fail(err, SP_E_NOMEM, "no memory to plan the net");
    else if (plan->arena_bytes > plan->program->max_bytes)
        status = sp_fail(err, SP_E_LIMIT, "activations at batch %d take %zu bytes, the limit is %zu",
                         plan->program->max_batch, plan->arena_bytes, plan->program->max_bytes);
    for (int i = 0; i < plan->buffer_count; i++)
        plan->buffers[i].offset = items[i].offset;
    free(items);
    return status;
}

enum sp_status sp_cuda_plan_new(struct sp_cuda_plan **ret_plan, const struct sp_program *program,
                                struct sp_err *err)
{
    size_t values = (size_t)program->values.count + 1;
    struct sp_cuda_plan *plan = calloc(1, sizeof *plan);
    struct sp_cuda_build build = {.plan = plan, .program = program, .err = err};
    build.views = calloc(values, sizeof *build.views);
    build.images = calloc(values, sizeof *build.images);
    build.uploads = calloc(values, sizeof *build.uploads);
    build.uses = calloc(values, sizeof *build.uses);
    build.scale_of = calloc(values, sizeof *build.scale_of);
    if (!plan || !build.views || !build.images || !build.uploads || !build.uses || !build.scale_of) {
        build.status = sp_fail(err, SP_E_NOMEM, "no memory to plan the net");
    } else {
        plan->program = program;
        count_uses(&build);
        build_layers(&build);
    }
    if (!build.status) {
        sp_cuda_build_separable(plan);
        build.status = place_buffers(plan, err);
    }
    free(build.views);
    free(build.images);
    free(build.uploads);
    free(build.uses);
    free(build.scale_of);
    if (build.status)
        sp_cuda_plan_free(&plan);
    else
        *ret_plan = plan;
    return build.status;
}

void sp_cuda_plan_free(struct sp_cuda_plan **plan)
{
    if (!*plan)
        return;
    free((*plan)->steps);
    free((*plan)->buffers);
    free((*plan)->constants);
    free(*plan);
    *plan = NULL;
}

static const char *kernel_name(const struct sp_cuda_step *step, int choice)
{
    static const char *const names[] = {
        [SP_STEP_CONV] = "implicit",   [SP_STEP_GEMM] = "cublaslt", [SP_STEP_DEPTHWISE] = "depthwise",
        [SP_STEP_GROUPED] = "grouped", [SP_STEP_POOL] = "pool",     [SP_STEP_PAD] = "pad",
        [SP_STEP_RESIZE] = "resize",   [SP_STEP_PLANES] = "planes", [SP_STEP_MAP] = "map",
        [SP_STEP_WIDE] = "wide",       [SP_STEP_PIECES] = "pieces", [SP_STEP_ZERO] = "zero",
        [SP_STEP_GATHER] = "gather",   [SP_STEP_REDUCE] = "reduce", [SP_STEP_SOFTMAX] = "softmax",
        [SP_STEP_NORM] = "norm",       [SP_STEP_MATMUL] = "matmul",
    };
    if (step->kind == SP_STEP_DEPTHWISE && choice == SP_CHOICE_TAKEN)
        return "in the next";
    if (step->kind != SP_STEP_CONV)
        return names[step->kind];
    if (choice == SP_CHOICE_LIBRARY)
        return names[SP_STEP_GEMM];
    if (choice >= SP_CHOICE_SEPARABLE)
        return "separable";
    return choice >= SP_TILE_WGMMA_128X256 ? "wgmma" : names[SP_STEP_CONV];
}

const char *sp_cuda_step_text(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step, int choice,
                              char *text, size_t size)
{
    char layer[256] = "move";
    if (step->layer)
        sp_layer_text(plan->program, step->layer, layer, sizeof layer);
    else if (step->out.place == SP_PLACE_OUTPUT)
        snprintf(layer, sizeof layer, "output '%.60s'", plan->program->outputs[step->out.index].name);
    snprintf(text, size, "%s cuda:%s", layer, kernel_name(step, choice));
    if (step->kind == SP_STEP_CONV && choice != SP_CHOICE_LIBRARY) {
        int sides[2];
        sp_cuda_tile_size(sp_cuda_choice_tile(choice), sides);
        snprintf(text + strlen(text), size - strlen(text), " %dx%d", sides[0], sides[1]);
    }
    return text;
}
