/* Convolution, pooling and matrix product as oneDNN primitives with fused bias, sum and activation. */
#include "gpu/cpu_build.h"

#include <string.h>

struct layouts {
    dnnl_format_tag_t src, dst;
};

struct conv_plan {
    dnnl_primitive_desc_t pd;
    dnnl_memory_desc_t weights; /* the constant as the file has it */
    dnnl_memory_desc_t bias;
    bool act_done;
};

static dnnl_status_t describe(const struct sp_cpu_build *build, const struct sp_layer *layer, struct layouts tags,
                              const dnnl_memory_desc_t *forced_dst, dnnl_primitive_attr_t attr,
                              struct conv_plan *plan)
{
    const struct sp_window *window = &layer->conv.window;
    const struct sp_value *w = &build->program->values.at[layer->inputs[1]];
    dnnl_memory_desc_t src, dst, any;
    dnnl_convolution_desc_t desc;
    dnnl_dim_t group = layer->conv.group, per_group = w->dims[0] / group;
    dnnl_dims_t dense = {per_group, w->dims[1], w->dims[2], w->dims[3]}, channels = {w->dims[0]};
    dnnl_dims_t grouped = {group, per_group, w->dims[1], w->dims[2], w->dims[3]}, strides, dilates, begin, end;
    bool one = group == 1;
    sp_cpu_md_tagged(build, layer->inputs[0], tags.src, &src);
    sp_cpu_md_tagged(build, layer->output, tags.dst, &dst);
    if (forced_dst)
        dst = *forced_dst;
    dnnl_memory_desc_init_by_tag(&plan->weights, one ? 4 : 5, one ? dense : grouped, dnnl_f32,
                                 one ? dnnl_oihw : dnnl_goihw);
    dnnl_memory_desc_init_by_tag(&any, one ? 4 : 5, one ? dense : grouped, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&plan->bias, 1, channels, dnnl_f32, dnnl_x);
    for (int i = 0; i < 2; i++) {
        strides[i] = window->stride[i];
        dilates[i] = window->dilation[i] - 1;
        begin[i] = window->pad_begin[i];
        end[i] = window->pad_end[i];
    }
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &desc, dnnl_forward_inference, dnnl_convolution_direct, &src, &any,
        layer->inputs[2] >= 0 ? &plan->bias : NULL, &dst, strides, dilates, begin, end);
    return status ? status : dnnl_primitive_desc_create(&plan->pd, &desc, attr, build->engine, NULL);
}

/* Blocks of channels are fastest where the channels fill them, else channels last; the few channels of an image are
 * read as they are. */
static struct layouts preferred(const struct sp_cpu_build *build, const struct sp_layer *layer)
{
    int64_t in = build->program->values.at[layer->inputs[0]].dims[1];
    int64_t out = build->program->values.at[layer->output].dims[1];
    if (!build->blocked)
        return (struct layouts){dnnl_nhwc, dnnl_nhwc};
    if (in % build->block == 0 && out % build->block == 0)
        return (struct layouts){build->block_tag, build->block_tag};
    if (in <= 4 && layer->conv.group == 1 && out % build->block == 0)
        return (struct layouts){dnnl_nchw, build->block_tag};
    return (struct layouts){dnnl_nhwc, dnnl_nhwc};
}

/* The first of several layouts for which oneDNN has a fast implementation. */
static enum sp_status choose(struct sp_cpu_build *build, const struct sp_layer *layer, const struct sp_act *act,
                             struct conv_plan *plan)
{
    const struct sp_cpu_form *residual = layer->residual >= 0 ? sp_cpu_native(build, layer->residual) : NULL;
    const dnnl_memory_desc_t *keep = residual && sp_cpu_md_is_packed(&residual->md) ? &residual->md : NULL;
    const struct layouts best = preferred(build, layer);
    const struct {
        struct layouts tags;
        const dnnl_memory_desc_t *dst;
    } tries[] = {
        {best, keep},
        {best, NULL},
        {{dnnl_format_tag_any, dnnl_format_tag_any}, NULL},
        {{dnnl_nhwc, dnnl_nhwc}, NULL},
        {{dnnl_nchw, dnnl_nchw}, NULL},
    };
    dnnl_primitive_attr_t attr;
    enum sp_status status = sp_cpu_attr(build, residual != NULL, act, &attr, &plan->act_done);
    if (status)
        return status;
    plan->pd = NULL;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0] && !plan->pd; i++) {
        if (describe(build, layer, tries[i].tags, tries[i].dst, attr, plan) != dnnl_success) {
            plan->pd = NULL;
        } else if (sp_cpu_is_slow(plan->pd)) {
            dnnl_primitive_desc_destroy(plan->pd);
            plan->pd = NULL;
        }
    }
    dnnl_primitive_attr_destroy(attr);
    return plan->pd ? SP_OK : SP_E_UNSUPPORTED;
}

/* Memory for the result: the residual's own where nobody needs it any more, else a copy of the residual, else new.
 */
static enum sp_status place_result(struct sp_cpu_build *build, const struct sp_layer *layer,
                                   const dnnl_memory_desc_t *md, struct sp_cpu_place src,
                                   struct sp_cpu_place *ret_place)
{
    enum sp_status status;
    if (layer->residual < 0)
        return sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(md), ret_place);
    struct sp_cpu_form from = *sp_cpu_native(build, layer->residual), to = {.md = *md};
    if (dnnl_memory_desc_equal(&from.md, md) && sp_cpu_is_last_use(build, layer->residual) &&
        !sp_cpu_same_place(from.place, src)) {
        *ret_place = from.place;
        return SP_OK;
    }
    status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(md), &to.place);
    if (!status)
        status = sp_cpu_add_reorder(build, NULL, &from, &to);
    *ret_place = to.place;
    return status;
}

static enum sp_status slope_arg(struct sp_cpu_build *build, const struct sp_layer *layer, int post_op,
                                dnnl_memory_desc_t *md, struct sp_cpu_arg *arg)
{
    const struct sp_value *slope = &build->program->values.at[layer->act.slope];
    sp_cpu_channel_md(slope->count, build->program->values.at[layer->output].rank, md);
    arg->id = DNNL_ARG_ATTR_MULTIPLE_POST_OP(post_op) | DNNL_ARG_WEIGHTS;
    arg->md = md;
    return sp_cpu_weight(build, layer->act.slope, md, md, &arg->place);
}

enum sp_status sp_cpu_conv(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    struct conv_plan plan;
    struct sp_cpu_form src;
    struct sp_cpu_arg args[5];
    struct sp_act act = layer->act;
    dnnl_memory_desc_t slope;
    int count = 0;
    enum sp_status status = choose(build, layer, &act, &plan);
    if (status == SP_E_UNSUPPORTED && act.kind != SP_ACT_NONE) {
        act.kind = SP_ACT_NONE;
        status = choose(build, layer, &act, &plan);
        plan.act_done = false;
    }
    if (status)
        return status;
    dnnl_memory_desc_t dst = *dnnl_primitive_desc_query_md(plan.pd, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(plan.pd, dnnl_query_weights_md, 0);
    struct sp_cpu_place out;
    status =
        sp_cpu_need(build, layer->inputs[0], dnnl_primitive_desc_query_md(plan.pd, dnnl_query_src_md, 0), &src);
    args[count++] = (struct sp_cpu_arg){DNNL_ARG_SRC, &src.md, src.place};
    args[count] = (struct sp_cpu_arg){.id = DNNL_ARG_WEIGHTS, .md = weights};
    if (!status)
        status = sp_cpu_weight(build, layer->inputs[1], &plan.weights, weights, &args[count++].place);
    if (!status && layer->inputs[2] >= 0) {
        args[count] = (struct sp_cpu_arg){.id = DNNL_ARG_BIAS, .md = &plan.bias};
        status = sp_cpu_weight(build, layer->inputs[2], &plan.bias, &plan.bias, &args[count++].place);
    }
    if (!status && act.kind == SP_ACT_PRELU)
        status = slope_arg(build, layer, layer->residual >= 0, &slope, &args[count++]);
    if (!status)
        status = place_result(build, layer, &dst, src.place, &out);
    if (status) {
        dnnl_primitive_desc_destroy(plan.pd);
        return status;
    }
    args[count++] = (struct sp_cpu_arg){DNNL_ARG_DST, &dst, out};
    status = sp_cpu_add_primitive(build, layer, plan.pd, args, count);
    if (!status)
        sp_cpu_define(build, layer->output, &dst, out);
    if (!status && !plan.act_done) {
        status = sp_cpu_apply_act(build, layer, layer->output);
        if (status == SP_E_UNSUPPORTED)
            return sp_fail(build->err, SP_E_INTERNAL, "node %s: oneDNN has no %s", layer->name,
                           sp_act_name(layer->act.kind));
    }
    return status;
}

enum sp_status sp_cpu_pool(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    const struct sp_window *window = &layer->pool.window;
    const struct sp_value *x = &build->program->values.at[layer->inputs[0]];
    const struct sp_value *y = &build->program->values.at[layer->output];
    struct sp_cpu_form src = *sp_cpu_native(build, layer->inputs[0]);
    struct sp_act none = {.slope = -1};
    dnnl_pooling_v2_desc_t desc;
    dnnl_memory_desc_t any;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr;
    dnnl_dims_t strides, kernel, dilation = {0}, begin, end;
    bool done;
    if (layer->act.kind != SP_ACT_NONE)
        return SP_E_UNSUPPORTED;
    for (int i = 0; i < 2; i++) {
        strides[i] = window->stride[i];
        kernel[i] = window->kernel[i];
        begin[i] = window->pad_begin[i];
        /* What the last window really reaches; more than declared only with ceil_mode. */
        dnnl_dim_t reach = (y->dims[2 + i] - 1) * strides[i] + kernel[i] - x->dims[2 + i] - begin[i];
        end[i] = reach > window->pad_end[i] ? reach : window->pad_end[i];
        if (end[i] != window->pad_end[i] && layer->pool.kind == SP_POOL_AVG && layer->pool.count_pad)
            return SP_E_UNSUPPORTED;
    }
    dnnl_alg_kind_t kind = layer->pool.kind == SP_POOL_MAX ? dnnl_pooling_max
                           : layer->pool.count_pad         ? dnnl_pooling_avg_include_padding
                                                           : dnnl_pooling_avg_exclude_padding;
    sp_cpu_md_tagged(build, layer->output, dnnl_format_tag_any, &any);
    enum sp_status status = sp_cpu_attr(build, false, &none, &attr, &done);
    if (status)
        return status;
    dnnl_status_t made = dnnl_pooling_v2_forward_desc_init(&desc, dnnl_forward_inference, kind, &src.md, &any,
                                                           strides, kernel, dilation, begin, end);
    if (!made)
        made = dnnl_primitive_desc_create(&pd, &desc, attr, build->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (made)
        return SP_E_UNSUPPORTED;
    if (sp_cpu_is_slow(pd)) {
        dnnl_primitive_desc_destroy(pd);
        return SP_E_UNSUPPORTED;
    }
    dnnl_memory_desc_t dst = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    struct sp_cpu_place out;
    status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&dst), &out);
    if (status) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    struct sp_cpu_arg args[] = {{DNNL_ARG_SRC, &src.md, src.place}, {DNNL_ARG_DST, &dst, out}};
    status = sp_cpu_add_primitive(build, layer, pd, args, 2);
    if (!status)
        sp_cpu_define(build, layer->output, &dst, out);
    return status;
}

/* The last two dims of a value as a matrix; leading dims gathered into rows (batched: into one leading dim). */
static void matrix_md(const struct sp_cpu_build *build, int value, bool batched, dnnl_format_tag_t tag,
                      dnnl_memory_desc_t *ret_md)
{
    dnnl_memory_desc_t whole;
    sp_cpu_md(build, value, &whole);
    int rank = whole.ndims;
    dnnl_dims_t dims = {1, whole.dims[rank - 2], whole.dims[rank - 1]}, flat = {0};
    for (int i = 0; i < rank - 2; i++)
        dims[batched ? 0 : 1] *= whole.dims[i];
    flat[0] = dims[1];
    flat[1] = dims[2];
    dnnl_memory_desc_init_by_tag(ret_md, batched ? 3 : 2, batched ? dims : flat, dnnl_f32, tag);
}

enum sp_status sp_cpu_matmul(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    struct sp_program const *program = build->program;
    bool batched = program->values.at[layer->inputs[1]].rank > 2,
         constant = program->values.at[layer->inputs[1]].data;
    dnnl_format_tag_t tag = batched ? dnnl_abc : dnnl_ab;
    dnnl_memory_desc_t a, b, given, y, bias, out;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr;
    struct sp_cpu_form left, right;
    struct sp_cpu_place place;
    bool done;
    matrix_md(build, layer->inputs[0], batched, tag, &a);
    matrix_md(build, layer->inputs[1], batched, tag, &given);
    matrix_md(build, layer->inputs[1], batched, constant ? dnnl_format_tag_any : tag, &b);
    matrix_md(build, layer->output, batched, tag, &y);
    dnnl_dims_t row = {1, y.dims[y.ndims - 1], y.dims[y.ndims - 1]};
    row[1] = batched ? 1 : row[1];
    dnnl_memory_desc_init_by_tag(&bias, y.ndims, row, dnnl_f32, tag);
    if (layer->act.kind == SP_ACT_PRELU)
        return SP_E_UNSUPPORTED;
    enum sp_status status = sp_cpu_attr(build, false, &layer->act, &attr, &done);
    if (status)
        return status;
    dnnl_status_t made =
        !done ? dnnl_unimplemented : dnnl_matmul_desc_init(&desc, &a, &b, layer->inputs[2] >= 0 ? &bias : NULL, &y);
    if (!made)
        made = dnnl_primitive_desc_create(&pd, &desc, attr, build->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (made)
        return SP_E_UNSUPPORTED;
    if (sp_cpu_is_slow(pd)) {
        dnnl_primitive_desc_destroy(pd);
        return SP_E_UNSUPPORTED;
    }
    const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    struct sp_cpu_arg args[4] = {{DNNL_ARG_SRC, &a, {0}},
                                 {DNNL_ARG_WEIGHTS, weights, {0}},
                                 {DNNL_ARG_DST, &y, {0}},
                                 {DNNL_ARG_BIAS, &bias, {0}}};
    status = sp_cpu_need_plain(build, layer->inputs[0], &left);
    if (!status && constant)
        status = sp_cpu_weight(build, layer->inputs[1], &given, weights, &args[1].place);
    else if (!status && !(status = sp_cpu_need_plain(build, layer->inputs[1], &right)))
        args[1].place = right.place;
    if (!status && layer->inputs[2] >= 0)
        status = sp_cpu_weight(build, layer->inputs[2], &bias, &bias, &args[3].place);
    if (!status)
        status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&y), &place);
    if (status) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    args[0].place = left.place;
    args[2].place = place;
    status = sp_cpu_add_primitive(build, layer, pd, args, layer->inputs[2] >= 0 ? 4 : 3);
    sp_cpu_md(build, layer->output, &out);
    if (!status)
        sp_cpu_define(build, layer->output, &out, place);
    return status;
}
