/* Convolution by definition: every output row is a sum of shifted input rows. */
#include "gpu/ref.h"

struct plane {
    const float *x; /* [ih][iw] */
    const float *w; /* [kh][kw] */
    float *y;       /* [oh][ow] */
    int64_t ih, iw, oh, ow;
};

static void add_row(float *y, const float *x, float w, int64_t first, int64_t last, int64_t shift, int stride)
{
    if (stride == 1) {
        for (int64_t i = first; i < last; i++)
            y[i] += w * x[i + shift];
    } else {
        for (int64_t i = first; i < last; i++)
            y[i] += w * x[i * stride + shift];
    }
}

static void add_plane(const struct sp_window *window, const struct plane *p)
{
    for (int ky = 0; ky < window->kernel[0]; ky++) {
        for (int kx = 0; kx < window->kernel[1]; kx++) {
            float w = p->w[ky * window->kernel[1] + kx];
            int64_t shift = (int64_t)kx * window->dilation[1] - window->pad_begin[1];
            /* Output columns whose input column ox * stride + shift lies in 0..iw-1. */
            int64_t stride = window->stride[1];
            int64_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
            int64_t last = p->iw > shift ? (p->iw - shift + stride - 1) / stride : 0;
            last = last < p->ow ? last : p->ow;
            for (int64_t oy = 0; oy < p->oh; oy++) {
                int64_t iy = oy * window->stride[0] + (int64_t)ky * window->dilation[0] - window->pad_begin[0];
                if (iy >= 0 && iy < p->ih)
                    add_row(p->y + oy * p->ow, p->x + iy * p->iw, w, first, last, shift, window->stride[1]);
            }
        }
    }
}

void sp_ref_conv(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    const struct sp_tensor *x = &inputs[0], *w = &inputs[1];
    const float *bias = inputs[2].data;
    const struct sp_window *window = &layer->conv.window;
    int64_t per_group_in = w->dims[1], per_group_out = out->dims[1] / layer->conv.group;
    int64_t taps = (int64_t)window->kernel[0] * window->kernel[1];
    struct plane p = {.ih = x->dims[2], .iw = x->dims[3], .oh = out->dims[2], .ow = out->dims[3]};
    for (int64_t n = 0; n < out->dims[0]; n++) {
        for (int64_t oc = 0; oc < out->dims[1]; oc++) {
            p.y = out->data + (n * out->dims[1] + oc) * p.oh * p.ow;
            for (int64_t i = 0; i < p.oh * p.ow; i++)
                p.y[i] = bias ? bias[oc] : 0;
            int64_t first = oc / per_group_out * per_group_in;
            for (int64_t ic = 0; ic < per_group_in; ic++) {
                p.x = x->data + (n * x->dims[1] + first + ic) * p.ih * p.iw;
                p.w = w->data + (oc * per_group_in + ic) * taps;
                add_plane(window, &p);
            }
        }
    }
}
