/* All layers of a program as steps at one batch size. */
#include <stdlib.h>
#include <string.h>
#include "gpu/cpu_build.h"

static sp_cpu_layer_fn *const makers[] = {
    [SP_OP_CONV] = sp_cpu_conv,
    [SP_OP_POOL] = sp_cpu_pool,
    [SP_OP_MATMUL] = sp_cpu_matmul,
    [SP_OP_BINARY] = sp_cpu_binary,
    [SP_OP_UNARY] = sp_cpu_unary,
    [SP_OP_SCALE] = sp_cpu_scale,
    [SP_OP_RESHAPE] = sp_cpu_reshape,
    [SP_OP_CONCAT] = sp_cpu_concat,
    [SP_OP_PAD] = sp_cpu_pad,
    [SP_OP_TRANSPOSE] = sp_cpu_transpose,
    [SP_OP_RESIZE] = sp_cpu_resize,
    [SP_OP_NORM] = NULL,
    [SP_OP_SOFTMAX] = NULL,
    [SP_OP_REDUCE] = NULL,
    [SP_OP_SLICE] = NULL,
    [SP_OP_GATHER] = NULL,
};

static void note_use(struct sp_cpu_build *build, int value, int layer)
{
    if (value >= 0)
        build->last[value] = layer;
}

/* Last readers, and the values nobody computes. */
static void survey(struct sp_cpu_build *build)
{
    const struct sp_program *program = build->program;
    dnnl_memory_desc_t md;
    for (int i = 0; i < program->values.count; i++)
        build->last[i] = -1;
    for (int i = 0; i < program->layer_count; i++) {
        const struct sp_layer *layer = &program->layers[i];
        for (int j = 0; j < layer->input_count; j++)
            note_use(build, layer->inputs[j], i);
        note_use(build, layer->residual, i);
    }
    for (int i = 0; i < program->output_count; i++)
        note_use(build, program->outputs[i].value, program->layer_count);
    for (int i = 0; i < program->values.count; i++) {
        if (!program->values.at[i].data || program->values.at[i].dtype != SP_DTYPE_F32 || build->last[i] < 0)
            continue;
        sp_cpu_md(build, i, &md);
        sp_cpu_define(build, i, &md,
                      (struct sp_cpu_place){.kind = SP_CPU_CONSTANT, .data = program->values.at[i].data});
    }
    for (int i = 0; i < program->input_count; i++) {
        sp_cpu_md(build, program->inputs[i].value, &md);
        sp_cpu_define(build, program->inputs[i].value, &md,
                      (struct sp_cpu_place){.kind = SP_CPU_INPUT, .index = i});
    }
}

static enum sp_status build_steps(struct sp_cpu_build *build)
{
    const struct sp_program *program = build->program;
    enum sp_status status = SP_OK;
    for (build->at = 0; build->at < program->layer_count && !status; build->at++) {
        const struct sp_layer *layer = &program->layers[build->at];
        status = makers[layer->op] ? makers[layer->op](build, layer) : SP_E_UNSUPPORTED;
        if (status == SP_E_UNSUPPORTED)
            status = sp_cpu_add_reference(build, layer);
    }
    for (int i = 0; i < program->output_count && !status; i++) {
        struct sp_cpu_form to = {.place = {.kind = SP_CPU_OUTPUT, .index = i}};
        sp_cpu_md(build, program->outputs[i].value, &to.md);
        struct sp_cpu_form from = *sp_cpu_native(build, program->outputs[i].value);
        if (sp_cpu_md_is_plain(&from.md))
            from.md = to.md;
        status = sp_cpu_add_reorder(build, NULL, &from, &to);
    }
    return status;
}

enum sp_status sp_cpu_build_variant(struct sp_cpu_build *build)
{
    size_t values = (size_t)build->program->values.count + 1;
    enum sp_status status = SP_OK;
    build->values = calloc(values, sizeof *build->values);
    build->last = calloc(values, sizeof *build->last);
    if (!build->values || !build->last) {
        status = sp_fail(build->err, SP_E_NOMEM, "no memory to plan the net");
        goto done;
    }
    survey(build);
    status = build_steps(build);
    struct sp_cpu_variant *variant = build->variant;
    if (!status && !sp_plan_place(variant->buffers, variant->buffer_count, &variant->arena_bytes))
        status = sp_fail(build->err, SP_E_NOMEM, "no memory to plan the net");
done:
    free(build->values);
    free(build->last);
    free(build->buffer_last);
    build->values = NULL;
    build->last = build->buffer_last = NULL;
    build->buffer_last_capacity = 0;
    return status;
}
