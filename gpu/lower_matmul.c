/* MatMul and Gemm. */
#include "gpu/lower.h"

#include <string.h>

static enum sp_status emit_matmul(struct sp_lower *lower, int a, int b, int bias)
{
    struct sp_layer layer;
    int inputs[3] = {a, b, bias};
    const struct sp_value *va = sp_lower_value(lower, a), *vb = sp_lower_value(lower, b);
    char left[128], right[128];
    bool fits = va->rank >= 2 && vb->rank >= 2 && (vb->rank == 2 || vb->rank == va->rank) &&
                va->dims[va->rank - 1] == vb->dims[vb->rank - 2];
    for (int i = 0; fits && vb->rank > 2 && i < va->rank - 2; i++)
        fits = va->dims[i] == vb->dims[i];
    if (!fits)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "a product of %s and %s",
                             sp_shape_text(va->rank, va->dims, left, sizeof left),
                             sp_shape_text(vb->rank, vb->dims, right, sizeof right));
    /* The rows of a may hold several items; b may not, unless both do so in the same leading dim. */
    enum sp_status status = sp_lower_keeps_items(lower, b, vb->rank > 2 && !va->data);
    if (!status)
        status = sp_lower_keeps_items(lower, a, va->rank == 2 || vb->rank == 2 || !vb->data || va->dims[0] == 1);
    if (!status && vb->rank > 2 && vb->data)
        status = sp_lower_keeps_items(lower, a, false);
    if (status)
        return status;
    int64_t out[SP_TENSOR_MAX_RANK];
    int rank = va->rank;
    memcpy(out, va->dims, sizeof out);
    out[rank - 1] = vb->dims[vb->rank - 1];
    status = sp_lower_layer(lower, &layer, SP_OP_MATMUL, inputs, 3);
    return status ? status : sp_lower_emit(lower, &layer, rank, out);
}

static enum sp_status lower_matmul(struct sp_lower *lower)
{
    int a, b;
    enum sp_status status = sp_lower_tensor(lower, 0, &a);
    if (!status)
        status = sp_lower_tensor(lower, 1, &b);
    return status ? status : emit_matmul(lower, a, b, -1);
}

/* Gemm's constant B as [k][n], scaled by alpha. */
static enum sp_status arrange_b(struct sp_lower *lower, int given, bool transposed, float alpha, int *ret_value)
{
    const struct sp_value *b = sp_lower_value(lower, given);
    if (b->rank != 2)
        return sp_lower_fail(lower, SP_E_FORMAT, "input 1 has rank %d, expected 2", b->rank);
    if (!transposed && alpha == 1) {
        *ret_value = given;
        return SP_OK;
    }
    int64_t dims[2] = {b->dims[transposed ? 1 : 0], b->dims[transposed ? 0 : 1]};
    enum sp_status status = sp_lower_new_constant(lower, SP_DTYPE_F32, 2, dims, ret_value);
    if (status)
        return status;
    const float *from = sp_lower_value(lower, given)->data;
    float *to = sp_lower_value(lower, *ret_value)->data;
    for (int64_t k = 0; k < dims[0]; k++)
        for (int64_t n = 0; n < dims[1]; n++)
            to[k * dims[1] + n] = alpha * (transposed ? from[n * dims[0] + k] : from[k * dims[1] + n]);
    return SP_OK;
}

static enum sp_status arrange_bias(struct sp_lower *lower, int given, int64_t n, float beta, int *ret_value)
{
    const struct sp_value *c = sp_lower_value(lower, given);
    if (!c->data || (c->count != 1 && (c->count != n || c->dims[c->rank - 1] != n)))
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "input 2 is not a constant bias of %lld numbers",
                             (long long)n);
    if (beta == 1 && c->count == n) {
        *ret_value = given;
        return SP_OK;
    }
    bool single = c->count == 1;
    enum sp_status status = sp_lower_new_constant(lower, SP_DTYPE_F32, 1, &n, ret_value);
    if (status)
        return status;
    const float *from = sp_lower_value(lower, given)->data;
    float *to = sp_lower_value(lower, *ret_value)->data;
    for (int64_t i = 0; i < n; i++)
        to[i] = beta * from[single ? 0 : i];
    return SP_OK;
}

static enum sp_status lower_gemm(struct sp_lower *lower)
{
    int a, b, c = -1;
    enum sp_status status = sp_lower_tensor(lower, 0, &a);
    if (!status)
        status = sp_lower_weights(lower, 1, -1, &b);
    if (status)
        return status;
    if (sp_lower_int(lower, "transA", 0) || sp_lower_value(lower, a)->rank != 2)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "transA, or an input that is not a matrix");
    status = arrange_b(lower, b, sp_lower_int(lower, "transB", 0) != 0, sp_lower_float(lower, "alpha", 1), &b);
    if (!status && sp_lower_input(lower, 2) >= 0) {
        status = sp_lower_weights(lower, 2, -1, &c);
        if (!status)
            status =
                arrange_bias(lower, c, sp_lower_value(lower, b)->dims[1], sp_lower_float(lower, "beta", 1), &c);
    }
    return status ? status : emit_matmul(lower, a, b, c);
}

const struct sp_lower_row sp_lower_matmul_rows[] = {
    {"MatMul", lower_matmul},
    {"Gemm", lower_gemm},
    {NULL, NULL},
};
