/* Max and average over windows. */
#include "gpu/ref.h"

#include <math.h>

/* One window's span along one side, clipped: input first..last-1; `size` counts what an average divides by. */
struct span {
    int64_t first, last, size;
};

static struct span span_of(const struct sp_window *window, int side, int64_t at, int64_t in, bool count_pad)
{
    int64_t begin = at * window->stride[side] - window->pad_begin[side], end = begin + window->kernel[side];
    int64_t padded = in + window->pad_end[side];
    struct span span = {begin < 0 ? 0 : begin, end > in ? in : end, 0};
    span.last = span.last < span.first ? span.first : span.last;
    /* What hangs over even the declared padding (ceil_mode) never counts. */
    span.size = count_pad ? (end > padded ? padded : end) - begin : span.last - span.first;
    return span;
}

static float pool_window(const float *x, int64_t width, struct span rows, struct span columns,
                         enum sp_pool_kind kind)
{
    float most = -INFINITY, sum = 0;
    for (int64_t y = rows.first; y < rows.last; y++) {
        for (int64_t i = columns.first; i < columns.last; i++) {
            float v = x[y * width + i];
            most = v > most ? v : most;
            sum += v;
        }
    }
    if (kind == SP_POOL_MAX)
        return most;
    int64_t size = rows.size * columns.size;
    return size > 0 ? sum / (float)size : 0;
}

void sp_ref_pool(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    const struct sp_tensor *x = inputs;
    const struct sp_window *window = &layer->pool.window;
    int64_t ih = x->dims[2], iw = x->dims[3], oh = out->dims[2], ow = out->dims[3];
    for (int64_t plane = 0; plane < out->dims[0] * out->dims[1]; plane++) {
        for (int64_t oy = 0; oy < oh; oy++) {
            struct span rows = span_of(window, 0, oy, ih, layer->pool.count_pad);
            for (int64_t ox = 0; ox < ow; ox++) {
                struct span columns = span_of(window, 1, ox, iw, layer->pool.count_pad);
                out->data[(plane * oh + oy) * ow + ox] =
                    pool_window(x->data + plane * ih * iw, iw, rows, columns, layer->pool.kind);
            }
        }
    }
}
