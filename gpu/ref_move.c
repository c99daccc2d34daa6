/* Layers that only move elements. */
#include "gpu/ref.h"

#include <string.h>

static void row_major(const struct sp_tensor *t, int64_t *strides)
{
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= t->dims[i];
    }
}

/* out[i0,i1,..] = from[i0 * strides[0] + i1 * strides[1] + ..] */
static void gather_strided(const float *from, const int64_t *strides, const struct sp_tensor *out)
{
    int64_t index[SP_TENSOR_MAX_RANK] = {0};
    int rank = out->rank;
    int64_t inner = rank ? out->dims[rank - 1] : 1, step = rank ? strides[rank - 1] : 0;
    int64_t rows = sp_tensor_count(out, 0, rank ? rank - 1 : 0);
    for (int64_t row = 0; row < rows && inner; row++) {
        const float *x = from;
        for (int i = 0; i < rank - 1; i++)
            x += index[i] * strides[i];
        float *y = out->data + row * inner;
        for (int64_t i = 0; i < inner; i++)
            y[i] = x[i * step];
        for (int i = rank - 2; i >= 0 && ++index[i] == out->dims[i]; i--)
            index[i] = 0;
    }
}

void sp_ref_transpose(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t own[SP_TENSOR_MAX_RANK], strides[SP_TENSOR_MAX_RANK];
    row_major(inputs, own);
    for (int i = 0; i < out->rank; i++)
        strides[i] = own[layer->perm[i]];
    gather_strided(inputs->data, strides, out);
}

void sp_ref_slice(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t strides[SP_TENSOR_MAX_RANK];
    const float *from = inputs->data;
    row_major(inputs, strides);
    if (sp_tensor_count(out, 0, out->rank) == 0)
        return;
    for (int i = 0; i < out->rank; i++) {
        from += layer->slice.start[i] * strides[i];
        strides[i] *= layer->slice.step[i];
    }
    gather_strided(from, strides, out);
}

void sp_ref_concat(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int axis = layer->axis.first;
    int64_t outer = sp_tensor_count(out, 0, axis), whole = sp_tensor_count(out, axis, out->rank), done = 0;
    for (int i = 0; i < layer->input_count; i++) {
        int64_t part = sp_tensor_count(&inputs[i], axis, inputs[i].rank);
        for (int64_t o = 0; o < outer && part; o++)
            memcpy(out->data + o * whole + done, inputs[i].data + o * part, (size_t)part * sizeof(float));
        done += part;
    }
}

void sp_ref_gather(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int axis = layer->gather.axis;
    int64_t outer = sp_tensor_count(inputs, 0, axis), inner = sp_tensor_count(inputs, axis + 1, inputs->rank);
    float *y = out->data;
    for (int64_t o = 0; o < outer; o++) {
        for (int i = 0; i < layer->gather.count && inner; i++, y += inner)
            memcpy(y, inputs->data + (o * inputs->dims[axis] + layer->gather.index[i]) * inner,
                   (size_t)inner * sizeof(float));
    }
}

void sp_ref_pad(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t own[SP_TENSOR_MAX_RANK], index[SP_TENSOR_MAX_RANK] = {0};
    int rank = out->rank;
    int64_t count = sp_tensor_count(out, 0, rank), inner = rank ? inputs->dims[rank - 1] : 1;
    int64_t rows = sp_tensor_count(inputs, 0, rank ? rank - 1 : 0);
    row_major(out, own);
    for (int64_t i = 0; i < count; i++)
        out->data[i] = layer->pad.value;
    for (int64_t row = 0; row < rows && inner; row++) {
        float *y = out->data + (rank ? layer->pad.begin[rank - 1] : 0);
        for (int i = 0; i < rank - 1; i++)
            y += (index[i] + layer->pad.begin[i]) * own[i];
        memcpy(y, inputs->data + row * inner, (size_t)inner * sizeof(float));
        for (int i = rank - 2; i >= 0 && ++index[i] == inputs->dims[i]; i--)
            index[i] = 0;
    }
}

void sp_ref_resize(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    int64_t ih = inputs->dims[2], iw = inputs->dims[3], oh = out->dims[2], ow = out->dims[3];
    for (int64_t plane = 0; plane < out->dims[0] * out->dims[1]; plane++) {
        for (int64_t y = 0; y < oh; y++) {
            const float *from = inputs->data + (plane * ih + layer->resize.rows[y]) * iw;
            float *to = out->data + (plane * oh + y) * ow;
            for (int64_t x = 0; x < ow; x++)
                to[x] = from[layer->resize.columns[x]];
        }
    }
}
