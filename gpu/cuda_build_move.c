/* Layers that move pixels or numbers, and pools. */
#include <string.h>
#include "gpu/cuda_build.h"
#include "gpu/cuda_weights.h"

void sp_cuda_build_pool(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_window *window = &layer->pool.window;
    struct sp_cuda_view x = sp_cuda_value_image(build, layer->inputs[0]);
    struct sp_cuda_view out = sp_cuda_build_image(build, layer->output);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_POOL);
    if (!step)
        return;
    step->pool = (struct sp_cuda_pool){.n = (int)x.dims[0],
                                       .h = (int)x.dims[2],
                                       .w = (int)x.dims[3],
                                       .pitch = sp_cuda_pitch(x.dims[1]),
                                       .channels = (int)x.dims[1],
                                       .oh = (int)out.dims[2],
                                       .ow = (int)out.dims[3],
                                       .average = layer->pool.kind == SP_POOL_AVG,
                                       .count_pad = layer->pool.count_pad};
    for (int i = 0; i < 2; i++) {
        step->pool.kernel[i] = window->kernel[i];
        step->pool.stride[i] = window->stride[i];
        step->pool.pad[i] = window->pad_begin[i];
        step->pool.pad_end[i] = window->pad_end[i];
    }
    step->x = x.at;
    step->out = out.at;
}

/* Part of a view that begins at `begin` and has `dims`. */
static struct sp_cuda_view part_of(const struct sp_cuda_view *whole, const int64_t *begin, const int64_t *dims)
{
    struct sp_cuda_view part = *whole;
    part.image = false;
    for (int i = 0; i < whole->rank; i++) {
        part.at.bytes += begin[i] * whole->strides[i] * sp_cuda_type_bytes(whole->type);
        part.dims[i] = dims[i];
    }
    return part;
}

static void emit_image_pad(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value_image(build, layer->inputs[0]);
    struct sp_cuda_view out = sp_cuda_build_image(build, layer->output);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_PAD);
    if (!step)
        return;
    step->pad = (struct sp_cuda_pad){.n = (int)x.dims[0],
                                     .h = (int)x.dims[2],
                                     .w = (int)x.dims[3],
                                     .pitch = sp_cuda_pitch(x.dims[1]),
                                     .channels = (int)x.dims[1],
                                     .oh = (int)out.dims[2],
                                     .ow = (int)out.dims[3],
                                     .out_pitch = sp_cuda_pitch(out.dims[1]),
                                     .out_channels = (int)out.dims[1],
                                     .begin = {(int)layer->pad.begin[2], (int)layer->pad.begin[3]},
                                     .value = layer->pad.value};
    step->x = x.at;
    step->out = out.at;
}

void sp_cuda_build_pad(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]);
    bool batch = layer->pad.begin[0] || layer->pad.end[0];
    if (x.rank == 4 && sp_cuda_view_is_image(&x) && !batch && layer->pad.begin[1] == 0) {
        emit_image_pad(build);
        return;
    }
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, x.type);
    struct sp_cuda_ref number = sp_cuda_build_constant(build, &layer->pad.value, sizeof(float));
    struct sp_cuda_view value = {.at = number, .type = SP_CUDA_F32, .rank = out.rank};
    memcpy(value.dims, out.dims, sizeof out.dims);
    sp_cuda_build_map(build, SP_MAP_COPY, &out, &value, NULL, NULL, NULL);
    struct sp_cuda_view inside = part_of(&out, layer->pad.begin, x.dims);
    sp_cuda_build_map(build, SP_MAP_COPY, &inside, &x, NULL, NULL, NULL);
}

void sp_cuda_build_resize(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value_image(build, layer->inputs[0]);
    struct sp_cuda_view out = sp_cuda_build_image(build, layer->output);
    struct sp_cuda_ref rows =
        sp_cuda_build_constant(build, layer->resize.rows, (size_t)out.dims[2] * sizeof(int32_t));
    struct sp_cuda_ref columns =
        sp_cuda_build_constant(build, layer->resize.columns, (size_t)out.dims[3] * sizeof(int32_t));
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_RESIZE);
    if (!step)
        return;
    step->resize = (struct sp_cuda_resize){.n = (int)x.dims[0],
                                           .h = (int)x.dims[2],
                                           .w = (int)x.dims[3],
                                           .pitch = sp_cuda_pitch(x.dims[1]),
                                           .oh = (int)out.dims[2],
                                           .ow = (int)out.dims[3]};
    step->tables[0] = rows;
    step->tables[1] = columns;
    step->x = x.at;
    step->out = out.at;
}

/* Whether input `at` of a concatenation of images along channels is whole 16-byte pieces in the output. */
static bool in_pieces(const struct sp_cuda_view *x, int axis, int64_t begin, bool last)
{
    if (!sp_cuda_view_is_image(x) || axis == 0)
        return false;
    return axis > 1 || (begin % 8 == 0 && (x->dims[1] % 8 == 0 || last));
}

static void emit_pieces(struct sp_cuda_build *build, const struct sp_cuda_view *x, const struct sp_cuda_view *out,
                        const struct sp_cuda_view *part, int axis)
{
    static const int place[4] = {0, 3, 1, 2}; /* of n, c, h, w in an image's order */
    static const int dim[4] = {0, 2, 3, 1};
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_PIECES);
    if (!step)
        return;
    int64_t rows = 1, width = sp_cuda_pitch(x->dims[1]) / 8, out_pitch = sp_cuda_pitch(out->dims[1]) / 8;
    for (int i = 0; i < 3; i++) {
        if (i < place[axis])
            rows *= x->dims[dim[i]];
        else {
            width *= x->dims[dim[i]];
            out_pitch *= out->dims[dim[i]];
        }
    }
    step->pieces = (struct sp_cuda_pieces){
        .rows = rows, .width = (int)width, .pitch = (int)width, .out_pitch = (int)out_pitch};
    step->x = x->at;
    step->out = part->at;
}

void sp_cuda_build_concat(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    int axis = layer->axis.first;
    int64_t begin[SP_TENSOR_MAX_RANK] = {0};
    bool image = false, pieces = true;
    for (int i = 0; i < layer->input_count; i++) {
        struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[i]);
        image = image || (x.rank == 4 && axis && sp_cuda_view_is_image(&x));
    }
    /* Rows of numbers are joined at the end of a net: as floats, they may be the output itself. */
    struct sp_cuda_view out =
        image ? sp_cuda_build_image(build, layer->output) : sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    for (int i = 0; i < layer->input_count && image; i++) {
        struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[i]);
        pieces = pieces && in_pieces(&x, axis, begin[axis], i + 1 == layer->input_count);
        begin[axis] += x.dims[axis];
    }
    if (image && !pieces)
        sp_cuda_build_lanes(build, &out);
    begin[axis] = 0;
    for (int i = 0; i < layer->input_count; i++) {
        struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[i]);
        struct sp_cuda_view part = part_of(&out, begin, x.dims);
        bool last = i + 1 == layer->input_count;
        if (sp_value_is_constant(build->program, layer->inputs[i]))
            x = sp_cuda_view_broadcast(&x, x.rank, x.dims, true); /* the same for every item */
        if (image && in_pieces(&x, axis, begin[axis], last))
            emit_pieces(build, &x, &out, &part, axis);
        else if (build->program->values.at[layer->inputs[i]].count)
            sp_cuda_build_map(build, SP_MAP_COPY, &part, &x, NULL, NULL, NULL);
        begin[axis] += x.dims[axis];
    }
}

void sp_cuda_build_gather(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    int axis = layer->gather.axis;
    struct sp_cuda_view x = sp_cuda_value_dense(build, layer->inputs[0]);
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, x.type);
    struct sp_cuda_ref index =
        sp_cuda_build_constant(build, layer->gather.index, (size_t)layer->gather.count * sizeof(int32_t));
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_GATHER);
    if (!step)
        return;
    step->gather = (struct sp_cuda_gather){.type = x.type,
                                           .out_type = out.type,
                                           .outer = 1,
                                           .inner = 1,
                                           .axis = (int)x.dims[axis],
                                           .count = layer->gather.count};
    for (int i = 0; i < x.rank && i < SP_TENSOR_MAX_RANK; i++) {
        if (i < axis)
            step->gather.outer *= x.dims[i];
        else if (i > axis)
            step->gather.inner *= x.dims[i];
    }
    step->tables[0] = index;
    step->x = x.at;
    step->out = out.at;
}

/* Only another way to look at the same numbers. */
void sp_cuda_build_transpose(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]), out = x;
    out.image = false;
    for (int i = 0; i < x.rank; i++) {
        out.dims[i] = x.dims[layer->perm[i]];
        out.strides[i] = x.strides[layer->perm[i]];
        out.image = out.image || (x.image && layer->perm[i] != i);
    }
    out.image = x.image && !out.image; /* kept by the transpose that changes nothing */
    build->views[layer->output] = out;
}

void sp_cuda_build_slice(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]), out = x;
    out.image = false;
    for (int i = 0; i < x.rank; i++) {
        out.at.bytes += layer->slice.start[i] * x.strides[i] * sp_cuda_type_bytes(x.type);
        out.strides[i] = x.strides[i] * layer->slice.step[i];
        out.dims[i] = build->program->values.at[layer->output].dims[i];
    }
    build->views[layer->output] = out;
}

/* The same numbers under other dims, where strides can say it: runs of dims on both sides that have equal products,
 * and the old ones of a run lie in one line. Dim 0 stays by itself, since it grows with the batch. */
static bool reshape_view(const struct sp_cuda_view *from, int rank, const int64_t *dims,
                         struct sp_cuda_view *ret_to)
{
    struct sp_cuda_view to = {.at = from->at, .type = from->type, .rank = rank};
    int old = 1, at = 1;
    if (rank < 1 || from->dims[0] != dims[0])
        return false;
    memcpy(to.dims, dims, (size_t)rank * sizeof *dims);
    to.strides[0] = from->strides[0];
    while (at < rank || old < from->rank) {
        int first_old = old, first = at;
        int64_t left = old < from->rank ? from->dims[old++] : 1, right = at < rank ? dims[at++] : 1;
        while (left != right) {
            if (left < right && old < from->rank)
                left *= from->dims[old++];
            else if (right < left && at < rank)
                right *= dims[at++];
            else
                return false;
        }
        /* The run's innermost stride, over dims that are more than one. */
        int64_t step = 1, extent = 1;
        bool any = false;
        for (int i = old - 1; i >= first_old; i--) {
            if (from->dims[i] == 1)
                continue;
            if (any && from->strides[i] != step * extent)
                return false;
            step = any ? step : from->strides[i];
            any = true;
            extent *= from->dims[i];
        }
        for (int i = at - 1; i >= first; i--) {
            to.strides[i] = step;
            step *= dims[i];
        }
    }
    *ret_to = to;
    return true;
}

void sp_cuda_build_reshape(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_value *value = &build->program->values.at[layer->output];
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]), out;
    if (reshape_view(&x, value->rank, value->dims, &out)) {
        build->views[layer->output] = out;
        return;
    }
    x = sp_cuda_value_dense(build, layer->inputs[0]);
    build->views[layer->output] = sp_cuda_view_dense(x.at, x.type, value->rank, value->dims);
}
