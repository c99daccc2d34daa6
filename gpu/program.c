#include "gpu/program.h"

#include <stdio.h>
#include <stdlib.h>

void sp_layer_clear(struct sp_layer *layer)
{
    free(layer->name);
    free(layer->inputs);
    if (layer->op == SP_OP_GATHER)
        free(layer->gather.index);
    if (layer->op == SP_OP_RESIZE) {
        free(layer->resize.rows);
        free(layer->resize.columns);
    }
    *layer = (struct sp_layer){0};
}

void sp_program_free(struct sp_program **program)
{
    struct sp_program *self = *program;
    if (!self)
        return;
    for (int i = 0; i < self->layer_count; i++)
        sp_layer_clear(&self->layers[i]);
    free(self->layers);
    sp_value_table_clear(&self->values);
    free(self);
    *program = NULL;
}

const char *sp_op_name(enum sp_op op)
{
    static const char *const names[] = {
        [SP_OP_CONV] = "conv",       [SP_OP_POOL] = "pool",           [SP_OP_MATMUL] = "matmul",
        [SP_OP_BINARY] = "binary",   [SP_OP_UNARY] = "unary",         [SP_OP_SCALE] = "scale",
        [SP_OP_NORM] = "norm",       [SP_OP_SOFTMAX] = "softmax",     [SP_OP_REDUCE] = "reduce",
        [SP_OP_RESHAPE] = "reshape", [SP_OP_TRANSPOSE] = "transpose", [SP_OP_CONCAT] = "concat",
        [SP_OP_SLICE] = "slice",     [SP_OP_GATHER] = "gather",       [SP_OP_PAD] = "pad",
        [SP_OP_RESIZE] = "resize",
    };
    return names[op];
}

const char *sp_act_name(enum sp_act_kind kind)
{
    static const char *const names[] = {
        [SP_ACT_NONE] = "",       [SP_ACT_RELU] = "relu",       [SP_ACT_LEAKY] = "leaky",   [SP_ACT_CLIP] = "clip",
        [SP_ACT_PRELU] = "prelu", [SP_ACT_SIGMOID] = "sigmoid", [SP_ACT_TANH] = "tanh",     [SP_ACT_EXP] = "exp",
        [SP_ACT_LOG] = "log",     [SP_ACT_SQRT] = "sqrt",       [SP_ACT_ABS] = "abs",       [SP_ACT_NEG] = "neg",
        [SP_ACT_FLOOR] = "floor", [SP_ACT_CEIL] = "ceil",       [SP_ACT_LINEAR] = "linear",
    };
    return names[kind];
}

const char *sp_layer_text(const struct sp_program *program, const struct sp_layer *layer, char *text, size_t size)
{
    static const char *const binaries[] = {"add", "sub", "mul", "div", "pow", "max", "min"};
    const struct sp_value *out = &program->values.at[layer->output];
    char shape[128], what[96];
    const struct sp_window *w = layer->op == SP_OP_CONV ? &layer->conv.window : &layer->pool.window;
    switch (layer->op) {
    case SP_OP_CONV:
        snprintf(what, sizeof what, "conv %dx%d s%d g%d %lld->%lld", w->kernel[0], w->kernel[1], w->stride[0],
                 layer->conv.group, (long long)program->values.at[layer->inputs[0]].dims[1],
                 (long long)out->dims[1]);
        break;
    case SP_OP_POOL:
        snprintf(what, sizeof what, "%spool %dx%d s%d", layer->pool.kind == SP_POOL_MAX ? "max" : "avg",
                 w->kernel[0], w->kernel[1], w->stride[0]);
        break;
    case SP_OP_BINARY:
        snprintf(what, sizeof what, "%s", binaries[layer->binary]);
        break;
    case SP_OP_UNARY:
        what[0] = '\0';
        break;
    default:
        snprintf(what, sizeof what, "%s", sp_op_name(layer->op));
    }
    snprintf(text, size, "%s%s%s%s @%s", what, layer->residual >= 0 ? " +add" : "",
             layer->act.kind && what[0] ? " " : "", sp_act_name(layer->act.kind),
             sp_shape_text(out->rank, out->dims, shape, sizeof shape));
    return text;
}
