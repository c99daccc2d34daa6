/* The plain C reference of every layer: the specification that other backends are compared with.
 *
 * Tensors are dense, row-major float32. Kernels neither allocate nor fail; lowering has checked shapes and
 * parameters. */
#ifndef SALLYPORT_GPU_REF_H
#define SALLYPORT_GPU_REF_H

#include "gpu/program.h"

struct sp_tensor {
    float *data;
    int rank;
    int64_t dims[SP_TENSOR_MAX_RANK]; /* with the batch in dims[0] */
};

/* out = act(layer(inputs) + residual). residual and slope may be NULL where the layer has none. An input whose
 * value number is -1 has data NULL. out overlaps nothing else. */
void sp_ref_layer(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *residual,
                  const float *slope, const struct sp_tensor *out);
/* The same for a layer of constants at load: out has the size of the layer's output value. False without memory. */
bool sp_ref_layer_on_constants(const struct sp_program *program, const struct sp_layer *layer, float *out);
/* Scalar operations of one item, roughly; INT64_MAX when over 2^62. */
int64_t sp_ref_cost(const struct sp_program *program, const struct sp_layer *layer);

/* Residual and activation, in place on out. */
void sp_ref_finish(const struct sp_layer *layer, const struct sp_tensor *residual, const float *slope,
                   const struct sp_tensor *out);

/* One family per file. */
void sp_ref_conv(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_pool(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_matmul(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_binary(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_scale(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_norm(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_softmax(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_reduce(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_transpose(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_concat(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_slice(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_gather(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_pad(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);
void sp_ref_resize(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out);

static inline int64_t sp_tensor_count(const struct sp_tensor *tensor, int first, int last)
{
    int64_t count = 1;
    for (int i = first; i < last; i++)
        count *= tensor->dims[i];
    return count;
}

#endif
