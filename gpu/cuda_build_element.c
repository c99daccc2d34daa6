/* Layers of one element, of two with broadcasting, and along dims. */
#include <string.h>
#include "gpu/cuda_build.h"
#include "gpu/cuda_weights.h"

static bool same_dims(const struct sp_cuda_view *a, const struct sp_cuda_view *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

/* Results that 16 bits may not hold, or whose steps they would move, stay float. */
static bool wants_float(enum sp_act_kind kind)
{
    return kind == SP_ACT_EXP || kind == SP_ACT_LOG || kind == SP_ACT_FLOOR || kind == SP_ACT_CEIL;
}

/* A WIDE step over images; b and c may be images or vectors (padded to the pitch) or absent. */
static void emit_wide(struct sp_cuda_build *build, int kind, const struct sp_cuda_view *a, struct sp_cuda_ref b,
                      bool b_vector, struct sp_cuda_ref c)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view out = sp_cuda_build_image(build, layer->output);
    struct sp_cuda_ref slope = sp_cuda_build_slope(build, &layer->act);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_WIDE);
    if (!step)
        return;
    step->wide = (struct sp_cuda_wide){.kind = kind,
                                       .b_vector = b_vector,
                                       .c_vector = true,
                                       .act = sp_cuda_build_act(&layer->act),
                                       .pixels = a->dims[0] * a->dims[2] * a->dims[3],
                                       .pitch = sp_cuda_pitch(a->dims[1]),
                                       .channels = (int)a->dims[1]};
    step->x = a->at;
    step->b = b;
    step->c = c;
    step->slope = slope;
    step->out = out.at;
}

void sp_cuda_build_unary(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]);
    if (sp_cuda_view_is_image(&x) && !wants_float(layer->act.kind)) {
        emit_wide(build, SP_MAP_COPY, &x, (struct sp_cuda_ref){0}, false, (struct sp_cuda_ref){0});
        return;
    }
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    sp_cuda_build_map(build, SP_MAP_COPY, &out, &x, NULL, NULL, &layer->act);
}

void sp_cuda_build_scale(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]);
    int64_t channels = x.dims[1], pitch = sp_cuda_pitch(channels);
    struct sp_cuda_ref scale = sp_cuda_build_vector(build, layer->inputs[1], channels, pitch);
    struct sp_cuda_ref shift = sp_cuda_build_vector(build, layer->inputs[2], channels, pitch);
    if (sp_cuda_view_is_image(&x)) {
        emit_wide(build, SP_MAP_MUL_ADD, &x, scale, true, shift);
        return;
    }
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    struct sp_cuda_view along = {.at = scale, .type = SP_CUDA_F32, .rank = out.rank, .strides = {0, 1}};
    memcpy(along.dims, out.dims, sizeof out.dims);
    struct sp_cuda_view shifts = along;
    shifts.at = shift;
    sp_cuda_build_map(build, SP_MAP_MUL_ADD, &out, &x, &along, &shifts, &layer->act);
}

/* A constant that has one number per channel of a rank-4 result, or one in all, as a vector; else place NONE. */
static struct sp_cuda_ref vector_of(struct sp_cuda_build *build, int value, int64_t channels)
{
    const struct sp_value *v = &build->program->values.at[value];
    const float *data = v->data;
    bool along = v->rank >= 3 && v->rank <= 4 && v->dims[v->rank - 3] == channels && v->count == channels;
    if (!data || (v->count != 1 && !along))
        return (struct sp_cuda_ref){0};
    float *vector = sp_cuda_pack_vector(along ? data : NULL, channels, sp_cuda_pitch(channels));
    for (int64_t i = 0; vector && !along && i < channels; i++)
        vector[i] = data[0];
    return sp_cuda_build_take(build, vector, (size_t)sp_cuda_pitch(channels) * sizeof *vector);
}

/* Both operands are images, or one is and the other a vector: true where a WIDE step did it. */
static bool binary_of_images(struct sp_cuda_build *build, const struct sp_value *out)
{
    const struct sp_layer *layer = build->layer;
    bool turns = layer->binary == SP_BINARY_ADD || layer->binary == SP_BINARY_MUL ||
                 layer->binary == SP_BINARY_MAX || layer->binary == SP_BINARY_MIN;
    for (int side = 0; side < 2 && (side == 0 || turns); side++) {
        struct sp_cuda_view a = sp_cuda_value(build, layer->inputs[side]);
        if (!sp_cuda_view_is_image(&a) || sp_value_is_constant(build->program, layer->inputs[side]) ||
            memcmp(a.dims, out->dims, 4 * sizeof a.dims[0]) != 0)
            continue;
        if (sp_value_is_constant(build->program, layer->inputs[1 - side])) {
            struct sp_cuda_ref vector = vector_of(build, layer->inputs[1 - side], a.dims[1]);
            if (vector.place)
                emit_wide(build, (int)layer->binary, &a, vector, true, (struct sp_cuda_ref){0});
            return vector.place != SP_PLACE_NONE;
        }
        struct sp_cuda_view b = sp_cuda_value(build, layer->inputs[1 - side]);
        if (!sp_cuda_view_is_image(&b) || !same_dims(&a, &b))
            continue;
        emit_wide(build, (int)layer->binary, &a, b.at, false, (struct sp_cuda_ref){0});
        return true;
    }
    return false;
}

void sp_cuda_build_binary(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    const struct sp_value *value = &build->program->values.at[layer->output];
    bool floats = layer->binary == SP_BINARY_DIV || layer->binary == SP_BINARY_POW || wants_float(layer->act.kind);
    struct sp_cuda_view in[2], wide[2];
    bool image = false;
    if (!floats && value->rank == 4 && binary_of_images(build, value))
        return;
    for (int i = 0; i < 2; i++) {
        bool constant = sp_value_is_constant(build->program, layer->inputs[i]);
        in[i] = sp_cuda_value(build, layer->inputs[i]);
        wide[i] = sp_cuda_view_broadcast(&in[i], value->rank, value->dims, constant);
        image = image || (value->rank == 4 && !floats && !constant && sp_cuda_view_is_image(&in[i]) &&
                          memcmp(in[i].dims, value->dims, 4 * sizeof in[i].dims[0]) == 0);
    }
    struct sp_cuda_view out =
        image ? sp_cuda_build_image(build, layer->output) : sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    if (image)
        sp_cuda_build_lanes(build, &out);
    sp_cuda_build_map(build, (int)layer->binary, &out, &wide[0], &wide[1], NULL, &layer->act);
}

void sp_cuda_build_norm(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]), out;
    bool image = sp_cuda_view_is_image(&x);
    if (image) {
        out = sp_cuda_build_image(build, layer->output);
        sp_cuda_build_lanes(build, &out);
    } else {
        x = sp_cuda_value_dense(build, layer->inputs[0]);
        out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    }
    int64_t channels = x.dims[1], pitch = sp_cuda_pitch(channels), inner = 1;
    for (int i = 2; i < x.rank; i++)
        inner *= x.dims[i];
    struct sp_cuda_ref scale = sp_cuda_build_vector(build, layer->inputs[1], channels, pitch);
    struct sp_cuda_ref shift = sp_cuda_build_vector(build, layer->inputs[2], channels, pitch);
    struct sp_cuda_ref slope = sp_cuda_build_slope(build, &layer->act);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_NORM);
    if (!step)
        return;
    step->norm = (struct sp_cuda_norm){.type = x.type,
                                       .out_type = out.type,
                                       .epsilon = layer->norm.epsilon,
                                       .items = x.dims[0],
                                       .channels = channels,
                                       .inner = inner,
                                       .item_stride = inner * (image ? pitch : channels),
                                       .channel_stride = image ? 1 : inner,
                                       .inner_stride = image ? pitch : 1,
                                       .act = sp_cuda_build_act(&layer->act)};
    step->weights = scale;
    step->bias = shift;
    step->slope = slope;
    step->x = x.at;
    step->out = out.at;
}

void sp_cuda_build_softmax(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value_dense(build, layer->inputs[0]);
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_SOFTMAX);
    if (!step)
        return;
    step->softmax = (struct sp_cuda_softmax){.type = x.type, .outer = 1, .middle = 1, .inner = 1};
    for (int i = 0; i < x.rank; i++)
        *(i < layer->axis.first  ? &step->softmax.outer
          : i > layer->axis.last ? &step->softmax.inner
                                 : &step->softmax.middle) *= x.dims[i];
    step->x = x.at;
    step->out = out.at;
}

void sp_cuda_build_reduce(struct sp_cuda_build *build)
{
    const struct sp_layer *layer = build->layer;
    struct sp_cuda_view x = sp_cuda_value(build, layer->inputs[0]);
    struct sp_cuda_view out = sp_cuda_build_dense(build, layer->output, SP_CUDA_F32);
    struct sp_cuda_step *step = sp_cuda_build_step(build, SP_STEP_REDUCE);
    if (!step)
        return;
    struct sp_cuda_reduce *reduce = &step->reduce;
    reduce->kind = layer->reduce.kind;
    reduce->type = x.type;
    for (int i = 0; i < x.rank; i++) {
        bool over = layer->reduce.mask >> i & 1;
        int at = over ? reduce->over_rank++ : reduce->kept_rank++;
        (over ? reduce->over : reduce->kept)[at] = x.dims[i];
        (over ? reduce->over_strides : reduce->kept_strides)[at] = x.strides[i];
    }
    step->x = x.at;
    step->out = out.at;
}
