#include "gpu/ref.h"

#include <stdlib.h>
#include <string.h>

static void copy_input(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t count = sp_tensor_count(out, 0, out->rank);
    (void)layer;
    if (count)
        memcpy(out->data, inputs->data, (size_t)count * sizeof(float));
}

typedef void kernel_fn(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);

static kernel_fn *const kernels[] = {
    [SP_OP_CONV] = sp_ref_conv,     [SP_OP_POOL] = sp_ref_pool,           [SP_OP_MATMUL] = sp_ref_matmul,
    [SP_OP_BINARY] = sp_ref_binary, [SP_OP_UNARY] = copy_input,           [SP_OP_SCALE] = sp_ref_scale,
    [SP_OP_NORM] = sp_ref_norm,     [SP_OP_SOFTMAX] = sp_ref_softmax,     [SP_OP_REDUCE] = sp_ref_reduce,
    [SP_OP_RESHAPE] = copy_input,   [SP_OP_TRANSPOSE] = sp_ref_transpose, [SP_OP_CONCAT] = sp_ref_concat,
    [SP_OP_SLICE] = sp_ref_slice,   [SP_OP_GATHER] = sp_ref_gather,       [SP_OP_PAD] = sp_ref_pad,
    [SP_OP_RESIZE] = sp_ref_resize,
};

void sp_ref_layer(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *residual,
                  const float *slope, const struct sp_tensor *out)
{
    kernels[layer->op](layer, inputs, out);
    sp_ref_finish(layer, residual, slope, out);
}

static struct sp_tensor tensor_of(const struct sp_program *program, int number)
{
    struct sp_tensor tensor = {0};
    if (number < 0)
        return tensor;
    const struct sp_value *value = &program->values.at[number];
    tensor.data = value->data;
    tensor.rank = value->rank;
    memcpy(tensor.dims, value->dims, sizeof tensor.dims);
    return tensor;
}

bool sp_ref_layer_on_constants(const struct sp_program *program, const struct sp_layer *layer, float *out)
{
    struct sp_tensor to = tensor_of(program, layer->output), *inputs;
    inputs = calloc((size_t)layer->input_count + 1, sizeof *inputs);
    if (!inputs)
        return false;
    for (int i = 0; i < layer->input_count; i++)
        inputs[i] = tensor_of(program, layer->inputs[i]);
    to.data = out;
    const float *slope = layer->act.slope >= 0 ? program->values.at[layer->act.slope].data : NULL;
    sp_ref_layer(layer, inputs, NULL, slope, &to);
    free(inputs);
    return true;
}

int64_t sp_ref_cost(const struct sp_program *program, const struct sp_layer *layer)
{
    int64_t each = 1, count = program->values.at[layer->output].count, most = 0;
    const struct sp_value *second =
        layer->input_count > 1 && layer->inputs[1] >= 0 ? &program->values.at[layer->inputs[1]] : NULL;
    for (int i = 0; i < layer->input_count; i++)
        if (layer->inputs[i] >= 0 && program->values.at[layer->inputs[i]].count > most)
            most = program->values.at[layer->inputs[i]].count;
    if (layer->op == SP_OP_CONV && second)
        each = second->dims[1] * second->dims[2] * second->dims[3];
    else if (layer->op == SP_OP_MATMUL && second)
        each = second->dims[second->rank - 2];
    else if (layer->op == SP_OP_POOL)
        each = (int64_t)layer->pool.window.kernel[0] * layer->pool.window.kernel[1];
    int64_t cost;
    if (__builtin_mul_overflow(each, count, &cost) || __builtin_add_overflow(cost, most, &cost))
        return INT64_MAX;
    return cost;
}
