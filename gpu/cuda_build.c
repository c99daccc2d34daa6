/* Views, places and the steps that move numbers between them. */
#include "gpu/cuda_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_weights.h"

#define CONSTANT_ALIGN 256

void sp_cuda_build_fail(struct sp_cuda_build *build, enum sp_status status, const char *format, ...)
{
    char text[256];
    va_list arguments;
    if (build->status)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    build->status =
        sp_fail(build->err, status, "cuda: %.120s: %s", build->layer ? build->layer->name : "the net", text);
}

static void fail_memory(struct sp_cuda_build *build)
{
    sp_cuda_build_fail(build, SP_E_NOMEM, "no memory to plan it");
}

struct sp_cuda_step *sp_cuda_build_step(struct sp_cuda_build *build, enum sp_cuda_step_kind kind)
{
    struct sp_cuda_plan *plan = build->plan;
    if (build->status)
        return NULL;
    if (plan->step_count == plan->step_capacity) {
        int capacity = plan->step_capacity * 2 + 64;
        struct sp_cuda_step *steps = realloc(plan->steps, (size_t)capacity * sizeof *steps);
        if (!steps) {
            fail_memory(build);
            return NULL;
        }
        plan->steps = steps;
        plan->step_capacity = capacity;
    }
    struct sp_cuda_step *step = &plan->steps[plan->step_count++];
    memset(step, 0, sizeof *step);
    step->kind = kind;
    return step;
}

struct sp_cuda_ref sp_cuda_build_buffer(struct sp_cuda_build *build, int64_t item_bytes)
{
    struct sp_cuda_plan *plan = build->plan;
    if (build->status)
        return (struct sp_cuda_ref){0};
    if (plan->buffer_count == plan->buffer_capacity) {
        int capacity = plan->buffer_capacity * 2 + 64;
        struct sp_cuda_buffer *buffers = realloc(plan->buffers, (size_t)capacity * sizeof *buffers);
        if (!buffers) {
            fail_memory(build);
            return (struct sp_cuda_ref){0};
        }
        plan->buffers = buffers;
        plan->buffer_capacity = capacity;
    }
    plan->buffers[plan->buffer_count] = (struct sp_cuda_buffer){.item_bytes = item_bytes, .first = -1, .last = -2};
    return (struct sp_cuda_ref){.place = SP_PLACE_ARENA, .index = plan->buffer_count++};
}

struct sp_cuda_ref sp_cuda_build_constant(struct sp_cuda_build *build, const void *data, size_t bytes)
{
    struct sp_cuda_plan *plan = build->plan;
    if (!data)
        fail_memory(build);
    if (build->status)
        return (struct sp_cuda_ref){0};
    size_t padded = (bytes + CONSTANT_ALIGN - 1) / CONSTANT_ALIGN * CONSTANT_ALIGN;
    if (plan->constant_bytes + padded > plan->constant_capacity) {
        size_t capacity = (plan->constant_bytes + padded) * 2;
        uint8_t *constants = realloc(plan->constants, capacity);
        if (!constants) {
            fail_memory(build);
            return (struct sp_cuda_ref){0};
        }
        plan->constants = constants;
        plan->constant_capacity = capacity;
    }
    struct sp_cuda_ref ref = {.place = SP_PLACE_CONSTANT, .bytes = (int64_t)plan->constant_bytes};
    memcpy(plan->constants + plan->constant_bytes, data, bytes);
    memset(plan->constants + plan->constant_bytes + bytes, 0, padded - bytes);
    plan->constant_bytes += padded;
    return ref;
}

struct sp_cuda_ref sp_cuda_build_take(struct sp_cuda_build *build, void *data, size_t bytes)
{
    struct sp_cuda_ref ref = sp_cuda_build_constant(build, data, bytes);
    free(data);
    return ref;
}

struct sp_cuda_ref sp_cuda_build_take_halfs(struct sp_cuda_build *build, uint16_t *data, size_t count)
{
    enum sp_precision precision = build->program->precision;
    if (data && sp_cuda_overflows(data, precision, count))
        sp_cuda_build_fail(build, SP_E_UNSUPPORTED,
                           precision == SP_PRECISION_BF16
                               ? "its weights are too large for bf16; use backend cpu"
                               : "its weights are too large for fp16 (over 65504); set the net's precision to bf16 "
                                 "in pack.yaml, or use backend cpu");
    return sp_cuda_build_take(build, data, count * sizeof *data);
}

struct sp_cuda_ref sp_cuda_build_vector(struct sp_cuda_build *build, int value, int64_t count, int64_t padded)
{
    const float *from = value >= 0 ? build->program->values.at[value].data : NULL;
    return sp_cuda_build_take(build, sp_cuda_pack_vector(from, count, padded), (size_t)padded * sizeof(float));
}

struct sp_cuda_view sp_cuda_view_dense(struct sp_cuda_ref at, enum sp_cuda_type type, int rank, const int64_t *dims)
{
    struct sp_cuda_view view = {.at = at, .type = type, .rank = rank ? rank : 1, .dims = {1}};
    int64_t step = 1;
    if (rank)
        memcpy(view.dims, dims, (size_t)rank * sizeof *dims);
    for (int i = view.rank - 1; i >= 0; i--) {
        view.strides[i] = step;
        step *= view.dims[i];
    }
    return view;
}

/* Dim 0 counts even where an item has only one of it: a batch has more. */
bool sp_cuda_view_is_dense(const struct sp_cuda_view *view)
{
    int64_t step = 1;
    for (int i = view->rank - 1; i >= 0; i--) {
        if (view->strides[i] != step && (i == 0 || view->dims[i] != 1))
            return false;
        step *= view->dims[i];
    }
    return true;
}

static void image_strides(const int64_t *dims, int64_t *ret_strides)
{
    int64_t pitch = sp_cuda_pitch(dims[1]);
    ret_strides[1] = 1;
    ret_strides[3] = pitch;
    ret_strides[2] = pitch * dims[3];
    ret_strides[0] = pitch * dims[3] * dims[2];
}

bool sp_cuda_view_is_image(const struct sp_cuda_view *view)
{
    int64_t strides[4];
    if (view->rank != 4 || view->type != SP_CUDA_HALF || view->at.bytes % 16 || (view->dims[1] % 8 && !view->image))
        return false;
    image_strides(view->dims, strides);
    for (int i = 0; i < 4; i++)
        if (view->strides[i] != strides[i] && (i == 0 || view->dims[i] != 1))
            return false;
    return true;
}

/* Bytes of one item, rounded up so that the next item's image is aligned wherever dim 0 is the batch. */
static struct sp_cuda_view place_image(struct sp_cuda_build *build, const int64_t *dims)
{
    struct sp_cuda_view view = {.type = SP_CUDA_HALF, .rank = 4, .image = true};
    memcpy(view.dims, dims, 4 * sizeof *dims);
    image_strides(dims, view.strides);
    view.at = sp_cuda_build_buffer(build, dims[0] * view.strides[0] * 2);
    return view;
}

struct sp_cuda_view sp_cuda_build_image(struct sp_cuda_build *build, int value)
{
    struct sp_cuda_view view = place_image(build, build->program->values.at[value].dims);
    build->views[value] = view;
    return view;
}

struct sp_cuda_view sp_cuda_build_dense(struct sp_cuda_build *build, int value, enum sp_cuda_type type)
{
    const struct sp_value *v = &build->program->values.at[value];
    struct sp_cuda_ref at = sp_cuda_build_buffer(build, v->count * sp_cuda_type_bytes(type));
    return build->views[value] = sp_cuda_view_dense(at, type, v->rank, v->dims);
}

struct sp_cuda_view sp_cuda_value(struct sp_cuda_build *build, int value)
{
    const struct sp_value *v = &build->program->values.at[value];
    if (!v->data)
        return build->views[value];
    if (!build->uploads[value].place)
        build->uploads[value] = sp_cuda_build_constant(build, v->data, (size_t)v->count * sizeof(float));
    return sp_cuda_view_dense(build->uploads[value], SP_CUDA_F32, v->rank, v->dims);
}

void sp_cuda_build_lanes(struct sp_cuda_build *build, const struct sp_cuda_view *image)
{
    if (image->dims[1] % 8 == 0)
        return;
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_ZERO);
    if (!step)
        return;
    step->zero.count = image->dims[0] * image->strides[0] / 8;
    step->out = image->at;
}

struct sp_cuda_view sp_cuda_value_image(struct sp_cuda_build *build, int value)
{
    struct sp_cuda_view view = sp_cuda_value(build, value);
    if (build->status || sp_cuda_view_is_image(&view))
        return view;
    if (build->images[value].at.place)
        return build->images[value];
    struct sp_cuda_view image = place_image(build, view.dims);
    if (view.type == SP_CUDA_F32 && sp_cuda_view_is_dense(&view) && view.dims[2] * view.dims[3] <= INT32_MAX) {
        struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_PLANES);
        if (step) {
            step->planes = (struct sp_cuda_planes){.n = (int)view.dims[0],
                                                   .channels = (int)view.dims[1],
                                                   .pixels = (int)(view.dims[2] * view.dims[3]),
                                                   .pitch = sp_cuda_pitch(view.dims[1])};
            step->x = view.at;
            step->out = image.at;
        }
    } else {
        sp_cuda_build_lanes(build, &image);
        sp_cuda_build_map(build, SP_MAP_COPY, &image, &view, NULL, NULL, NULL);
    }
    /* A constant has no batch and is read as it is; only values of a run come here. */
    build->images[value] = image;
    return image;
}

struct sp_cuda_view sp_cuda_value_typed(struct sp_cuda_build *build, int value, enum sp_cuda_type type)
{
    struct sp_cuda_view view = sp_cuda_value(build, value);
    if (build->status || (view.type == type && sp_cuda_view_is_dense(&view)))
        return view;
    int64_t count = build->program->values.at[value].count;
    struct sp_cuda_view dense = sp_cuda_view_dense(sp_cuda_build_buffer(build, count * sp_cuda_type_bytes(type)),
                                                   type, view.rank, view.dims);
    sp_cuda_build_map(build, SP_MAP_COPY, &dense, &view, NULL, NULL, NULL);
    return dense;
}

struct sp_cuda_view sp_cuda_value_dense(struct sp_cuda_build *build, int value)
{
    struct sp_cuda_view view = sp_cuda_value(build, value);
    return sp_cuda_value_typed(build, value, view.type);
}

struct sp_cuda_view sp_cuda_view_broadcast(const struct sp_cuda_view *view, int rank, const int64_t *dims,
                                           bool constant)
{
    struct sp_cuda_view wide = {.at = view->at, .type = view->type, .rank = rank ? rank : 1, .dims = {1}};
    if (rank)
        memcpy(wide.dims, dims, (size_t)rank * sizeof *dims);
    for (int i = 0; i < wide.rank; i++) {
        int own = i - (wide.rank - view->rank);
        bool repeats = own < 0 || (view->dims[own] == 1 && (constant || wide.dims[i] != 1));
        wide.strides[i] = repeats ? 0 : view->strides[own];
    }
    return wide;
}

/* Dims of a map while they are put in order. */
struct axis {
    int64_t dim, strides[5]; /* out, a, b, c, slope */
    bool batch;
};

static int axis_order(const void *left, const void *right)
{
    const struct axis *a = left, *b = right;
    int64_t sa = a->strides[0] < 0 ? -a->strides[0] : a->strides[0];
    int64_t sb = b->strides[0] < 0 ? -b->strides[0] : b->strides[0];
    if (sa != sb)
        return sa < sb ? 1 : -1;
    return a->dim == b->dim ? 0 : a->dim < b->dim ? 1 : -1;
}

static bool mergeable(const struct axis *outer, const struct axis *inner)
{
    bool fits = !inner->batch;
    for (int i = 0; i < 5; i++)
        fits = fits && outer->strides[i] == inner->strides[i] * inner->dim;
    return fits;
}

/* Fewer and longer dims, the output's nearest numbers last, so that neighbouring threads write neighbours. */
static int simplify(struct axis *axes, int rank)
{
    int kept = 0;
    for (int i = 0; i < rank; i++)
        if (axes[i].dim != 1 || axes[i].batch)
            axes[kept++] = axes[i];
    rank = kept;
    qsort(axes, (size_t)rank, sizeof *axes, axis_order);
    kept = rank ? 1 : 0;
    for (int i = 1; i < rank; i++) {
        struct axis *outer = &axes[kept - 1];
        if (!mergeable(outer, &axes[i])) {
            axes[kept++] = axes[i];
            continue;
        }
        bool batch = outer->batch;
        int64_t dim = outer->dim;
        *outer = axes[i];
        outer->dim *= dim;
        outer->batch = batch;
    }
    return kept;
}

void sp_cuda_build_map(struct sp_cuda_build *build, int kind, const struct sp_cuda_view *out,
                       const struct sp_cuda_view *a, const struct sp_cuda_view *b, const struct sp_cuda_view *c,
                       const struct sp_act *act)
{
    const struct sp_cuda_view *operands[4] = {out, a, b, c};
    struct axis axes[SP_TENSOR_MAX_RANK] = {0};
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_MAP);
    if (!step)
        return;
    bool prelu = act && act->kind == SP_ACT_PRELU;
    for (int i = 0; i < out->rank; i++) {
        axes[i].dim = out->dims[i];
        axes[i].batch = i == 0;
        for (int j = 0; j < 4; j++)
            axes[i].strides[j] = operands[j] ? operands[j]->strides[i] : 0;
        axes[i].strides[4] = prelu && i == 1;
    }
    int rank = simplify(axes, out->rank);
    struct sp_cuda_operand *slots[5] = {&step->map.out, &step->map.a, &step->map.b, &step->map.c, &step->map.slope};
    struct sp_cuda_ref *refs[4] = {&step->out, &step->x, &step->b, &step->c};
    step->map.kind = kind;
    step->map.rank = rank;
    for (int i = 0; i < rank; i++) {
        step->map.dims[i] = axes[i].dim;
        if (axes[i].batch)
            step->batch_dim = i;
        for (int j = 0; j < 5; j++)
            slots[j]->strides[i] = axes[i].strides[j];
    }
    for (int j = 0; j < 4; j++) {
        slots[j]->type = operands[j] ? operands[j]->type : SP_CUDA_F32;
        if (operands[j])
            *refs[j] = operands[j]->at;
    }
    step->map.slope.type = SP_CUDA_F32;
    if (act) {
        step->map.act = sp_cuda_build_act(act);
        struct sp_cuda_ref slope = sp_cuda_build_slope(build, act);
        step->slope = slope;
    }
}

struct sp_cuda_act sp_cuda_build_act(const struct sp_act *act)
{
    return (struct sp_cuda_act){.kind = act->kind, .a = act->a, .b = act->b};
}

struct sp_cuda_ref sp_cuda_build_slope(struct sp_cuda_build *build, const struct sp_act *act)
{
    if (act->kind != SP_ACT_PRELU)
        return (struct sp_cuda_ref){0};
    int64_t count = build->program->values.at[act->slope].count;
    return sp_cuda_build_vector(build, act->slope, count, sp_cuda_pitch(count));
}
