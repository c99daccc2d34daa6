/* Convolutions and matrix products: which kernel, with which weights. */
#include "gpu/cuda_build.h"
#include "gpu/cuda_weights.h"

/* What the layer says, with the scale that it takes in. */
static struct sp_cuda_source source_of(const struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_value *values = build->program->values.at;
    const struct sp_layer *scale = build->scale_of[layer->inputs[0]];
    const struct sp_value *x = &values[layer->inputs[0]], *out = &values[layer->output];
    struct sp_cuda_source source = {
        .weights = values[layer->inputs[1]].data,
        .bias = layer->inputs[2] >= 0 ? values[layer->inputs[2]].data : NULL,
        .window = layer->conv.window,
        .ic = (int)x->dims[1],
        .oc = (int)out->dims[1],
        .h = (int)x->dims[2],
        .w = (int)x->dims[3],
        .oh = (int)out->dims[2],
        .ow = (int)out->dims[3],
    };
    if (scale) {
        source.scale = values[scale->inputs[1]].data;
        source.shift = values[scale->inputs[2]].data;
    }
    return source;
}

/* The way back: the scale becomes a step of its own. */
static void emit_scale(struct sp_cuda_build *build, int value)
{
    const struct sp_layer *layer = build->layer;
    build->layer = build->scale_of[value];
    build->scale_of[value] = NULL;
    sp_cuda_build_scale(build);
    build->layer = layer;
}

static void copy_window(const struct sp_window *window, int *kernel, int *stride, int *dilation, int *pad)
{
    for (int i = 0; i < 2; i++) {
        kernel[i] = window->kernel[i];
        stride[i] = window->stride[i];
        dilation[i] = window->dilation[i];
        pad[i] = window->pad_begin[i];
    }
}

static bool pointwise(const struct sp_window *window)
{
    return window->kernel[0] == 1 && window->kernel[1] == 1 && window->stride[0] == 1 && window->stride[1] == 1 &&
           !window->pad_begin[0] && !window->pad_begin[1] && !window->pad_end[0] && !window->pad_end[1];
}

/* The library's product adds before it activates, and knows no activation but this. */
static bool library_act(const struct sp_act *act)
{
    return act->kind == SP_ACT_NONE || act->kind == SP_ACT_RELU;
}

struct operands {
    struct sp_cuda_view x, residual, out;
};

/* A step that the library can do as well: over the same weights, whose rows are longer than it needs. */
static void offer_library(struct sp_cuda_build *build, const struct sp_cuda_source *source,
                          const struct operands *at, int pitch, struct sp_cuda_ref bias)
{
    struct sp_cuda_step *step = build->status ? NULL : &build->plan->steps[build->plan->step_count - 1];
    if (!step)
        return;
    step->product.rows = at->x.dims[0] * source->oh * source->ow;
    step->product.n = sp_cuda_pitch(source->oc);
    step->product.k = sp_cuda_pitch(source->ic);
    step->product.pitch = pitch;
    step->product.relu = build->layer->act.kind == SP_ACT_RELU;
    step->product.add = build->layer->residual >= 0;
    step->product_bias = bias;
}

static void emit_implicit(struct sp_cuda_build *build, const struct sp_cuda_source *source,
                          const struct operands *at, const struct sp_cuda_border *border)
{
    int pitch = sp_cuda_pitch(source->ic), out_pitch = sp_cuda_pitch(source->oc);
    int k = source->window.kernel[0] * source->window.kernel[1] * pitch;
    enum sp_precision precision = build->program->precision;
    int columns = (k + SP_CUDA_CONV_K - 1) / SP_CUDA_CONV_K * SP_CUDA_CONV_K;
    int rows = (out_pitch + SP_CUDA_CONV_OC - 1) / SP_CUDA_CONV_OC * SP_CUDA_CONV_OC;
    struct sp_cuda_ref weights = sp_cuda_build_take_halfs(
        build, sp_cuda_pack_conv(source, precision, rows, columns), (size_t)rows * (size_t)columns);
    struct sp_cuda_ref bias = sp_cuda_build_constant(build, border->bias,
                                                     (size_t)border->row_classes * (size_t)border->column_classes *
                                                         (size_t)out_pitch * sizeof(float));
    bool library = pointwise(&source->window) && library_act(&build->layer->act) && !border->row_class;
    struct sp_cuda_ref halfs = {0}, tables[2] = {{0}, {0}};
    if (library)
        halfs = sp_cuda_build_take_halfs(build, sp_cuda_pack_halfs(border->bias, precision, (size_t)out_pitch),
                                         (size_t)out_pitch);
    if (border->row_class) {
        tables[0] = sp_cuda_build_constant(build, border->row_class, (size_t)source->oh * sizeof(int));
        tables[1] = sp_cuda_build_constant(build, border->column_class, (size_t)source->ow * sizeof(int));
    }
    struct sp_cuda_ref slope = sp_cuda_build_slope(build, &build->layer->act);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_CONV);
    if (!step)
        return;
    step->conv = (struct sp_cuda_conv){.column_classes = border->column_classes,
                                       .act = sp_cuda_build_act(&build->layer->act),
                                       .n = (int)at->x.dims[0],
                                       .h = source->h,
                                       .w = source->w,
                                       .pitch = pitch,
                                       .oh = source->oh,
                                       .ow = source->ow,
                                       .oc = source->oc,
                                       .out_pitch = out_pitch,
                                       .k_padded = columns};
    copy_window(&source->window, step->conv.kernel, step->conv.stride, step->conv.dilation, step->conv.pad);
    step->weights = weights;
    step->bias = bias;
    step->tables[0] = tables[0];
    step->tables[1] = tables[1];
    step->slope = slope;
    step->x = at->x.at;
    step->residual = at->residual.at;
    step->out = at->out.at;
    if (library)
        offer_library(build, source, at, columns, halfs);
}

static void emit_depthwise(struct sp_cuda_build *build, const struct sp_cuda_source *source,
                           const struct operands *at)
{
    int pitch = sp_cuda_pitch(source->oc), taps = source->window.kernel[0] * source->window.kernel[1];
    struct sp_cuda_ref weights = sp_cuda_build_take_halfs(
        build, sp_cuda_pack_depthwise(source, build->program->precision), (size_t)taps * (size_t)pitch);
    struct sp_cuda_ref bias = sp_cuda_build_vector(build, build->layer->inputs[2], source->oc, pitch);
    struct sp_cuda_ref slope = sp_cuda_build_slope(build, &build->layer->act);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_DEPTHWISE);
    if (!step)
        return;
    step->depthwise = (struct sp_cuda_depthwise){.act = sp_cuda_build_act(&build->layer->act),
                                                 .n = (int)at->x.dims[0],
                                                 .h = source->h,
                                                 .w = source->w,
                                                 .pitch = pitch,
                                                 .channels = source->oc,
                                                 .oh = source->oh,
                                                 .ow = source->ow};
    copy_window(&source->window, step->depthwise.kernel, step->depthwise.stride, step->depthwise.dilation,
                step->depthwise.pad);
    step->weights = weights;
    step->bias = bias;
    step->slope = slope;
    step->x = at->x.at;
    step->residual = at->residual.at;
    step->out = at->out.at;
}

static void emit_grouped(struct sp_cuda_build *build, const struct sp_cuda_source *source,
                         const struct operands *at)
{
    int out_pitch = sp_cuda_pitch(source->oc), group = build->layer->conv.group;
    size_t count = (size_t)source->oc * (size_t)(source->window.kernel[0] * source->window.kernel[1]) *
                   (size_t)(source->ic / group);
    struct sp_cuda_ref weights =
        sp_cuda_build_take(build, sp_cuda_pack_grouped(source, group), count * sizeof(float));
    struct sp_cuda_ref bias = sp_cuda_build_vector(build, build->layer->inputs[2], source->oc, out_pitch);
    struct sp_cuda_ref slope = sp_cuda_build_slope(build, &build->layer->act);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_GROUPED);
    if (!step)
        return;
    step->grouped = (struct sp_cuda_grouped){.act = sp_cuda_build_act(&build->layer->act),
                                             .n = (int)at->x.dims[0],
                                             .h = source->h,
                                             .w = source->w,
                                             .pitch = sp_cuda_pitch(source->ic),
                                             .channels = source->ic,
                                             .oh = source->oh,
                                             .ow = source->ow,
                                             .oc = source->oc,
                                             .out_pitch = out_pitch,
                                             .group = group};
    copy_window(&source->window, step->grouped.kernel, step->grouped.stride, step->grouped.dilation,
                step->grouped.pad);
    step->weights = weights;
    step->bias = bias;
    step->slope = slope;
    step->x = at->x.at;
    step->residual = at->residual.at;
    step->out = at->out.at;
}

void sp_cuda_build_conv(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    int input = layer->inputs[0], scaled = build->scale_of[input] ? build->scale_of[input]->inputs[0] : input;
    struct sp_cuda_source source = source_of(build);
    struct sp_cuda_border border = {0};
    bool memory = false;
    if (!sp_value_is_constant(build->program, layer->inputs[1]) ||
        (layer->inputs[2] >= 0 && !sp_value_is_constant(build->program, layer->inputs[2]))) {
        sp_cuda_build_fail(build, SP_E_UNSUPPORTED, "weights or a bias that are no constants");
        return;
    }
    if (layer->conv.group == 1 && !sp_cuda_border_new(&border, &source, sp_cuda_pitch(source.oc), &memory) &&
        !memory) {
        emit_scale(build, input);
        scaled = input;
        source = source_of(build);
        sp_cuda_border_new(&border, &source, sp_cuda_pitch(source.oc), &memory);
    }
    if (memory)
        sp_cuda_build_fail(build, SP_E_NOMEM, "no memory for its bias");
    struct operands at = {.x = sp_cuda_value_image(build, scaled)};
    if (layer->residual >= 0)
        at.residual = sp_cuda_value_image(build, layer->residual);
    at.out = sp_cuda_build_image(build, layer->output);
    if (layer->conv.group > 1 && layer->conv.group == source.ic && source.ic == source.oc)
        emit_depthwise(build, &source, &at);
    else if (layer->conv.group > 1)
        emit_grouped(build, &source, &at);
    else
        emit_implicit(build, &source, &at, &border);
    sp_cuda_border_clear(&border);
}

/* The library where numbers come in eights; the result is float, as these are the last layers of a net. */
static bool emit_library(struct sp_cuda_build *build, int64_t rows, int64_t k, int64_t n)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_value *b = &build->program->values.at[layer->inputs[1]];
    if (!b->data || b->rank != 2 || k % 8 || n % 8 || sp_value_is_constant(build->program, layer->inputs[0]))
        return false;
    struct sp_cuda_view a = sp_cuda_value_typed(build, layer->inputs[0], SP_CUDA_HALF);
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    struct sp_cuda_ref weights = sp_cuda_build_take_halfs(
        build, sp_cuda_pack_matrix(b->data, build->program->precision, k, n), (size_t)(k * n));
    struct sp_cuda_ref bias = sp_cuda_build_vector(build, layer->inputs[2], n, n);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_GEMM);
    if (!step)
        return true;
    step->product.rows = rows;
    step->product.n = n;
    step->product.k = step->product.pitch = k;
    step->product.relu = layer->act.kind == SP_ACT_RELU;
    step->product.f32_output = true;
    step->weights = weights;
    step->product_bias = bias;
    step->x = a.at;
    step->out = out.at;
    return true;
}

static void emit_plain(struct sp_cuda_build *build, int64_t rows, int64_t k, int64_t n)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_value *a = &build->program->values.at[layer->inputs[0]];
    const struct sp_value *b = &build->program->values.at[layer->inputs[1]];
    bool one = b->rank == 2;
    struct sp_cuda_view left = sp_cuda_value_dense(build, layer->inputs[0]);
    struct sp_cuda_view right = sp_cuda_value_dense(build, layer->inputs[1]);
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    struct sp_cuda_ref bias = {0};
    if (layer->inputs[2] >= 0)
        bias = sp_cuda_build_vector(build, layer->inputs[2], n, n);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_MATMUL);
    if (!step)
        return;
    int64_t m = a->dims[a->rank - 2];
    step->matmul = (struct sp_cuda_matmul){.a_type = left.type,
                                           .b_type = right.type,
                                           .blocks = one ? 1 : rows / (m ? m : 1),
                                           .m = one ? rows : m,
                                           .n = n,
                                           .k = k,
                                           .one_b = one};
    step->x = left.at;
    step->b = right.at;
    step->bias = bias;
    step->out = out.at;
}

void sp_cuda_build_matmul(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_value *a = &build->program->values.at[layer->inputs[0]];
    const struct sp_value *b = &build->program->values.at[layer->inputs[1]];
    int64_t k = a->dims[a->rank - 1], n = b->dims[b->rank - 1], rows = 1;
    for (int i = 0; i < a->rank - 1; i++)
        rows *= a->dims[i];
    bool library = emit_library(build, rows, k, n);
    if (!library)
        emit_plain(build, rows, k, n);
    if (layer->act.kind == SP_ACT_NONE || (library && layer->act.kind == SP_ACT_RELU) || build->status)
        return;
    struct sp_cuda_view out = build->views[layer->output];
    sp_cuda_build_map(build, SP_MAP_COPY, &out, &out, NULL, NULL, &layer->act);
}
