/* The other layers as oneDNN primitives, or as another view of the same memory. */
#include "gpu/cpu_build.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CONCAT 32

/* Take over a descriptor that oneDNN would run slowly, or not at all. */
static bool usable(dnnl_status_t made, dnnl_primitive_desc_t pd)
{
    if (made)
        return false;
    if (!sp_cpu_is_slow(pd))
        return true;
    dnnl_primitive_desc_destroy(pd);
    return false;
}

/* Descriptor of an operand with leading dims of size 1 up to `rank`. */
static void widen(const dnnl_memory_desc_t *md, int rank, dnnl_memory_desc_t *ret_md)
{
    dnnl_dims_t dims;
    int extra = rank - md->ndims;
    if (extra == 0) {
        *ret_md = *md;
        return;
    }
    for (int i = 0; i < rank; i++)
        dims[i] = i < extra ? 1 : md->dims[i - extra];
    if (dnnl_memory_desc_reshape(ret_md, md, rank, dims) != dnnl_success)
        *ret_md = *md;
}

static enum sp_status operand(struct sp_cpu_build *build, int value, int rank, const dnnl_memory_desc_t *like,
                              struct sp_cpu_form *ret_form)
{
    const struct sp_value *v = &build->program->values.at[value];
    enum sp_status status = SP_OK;
    if (like && like->ndims == v->rank && !v->data) {
        dnnl_memory_desc_t own;
        sp_cpu_md(build, value, &own);
        if (memcmp(own.dims, like->dims, (size_t)own.ndims * sizeof own.dims[0]) == 0)
            return sp_cpu_need(build, value, like, ret_form);
    }
    if (v->rank == rank)
        *ret_form = *sp_cpu_native(build, value);
    else
        status = sp_cpu_need_plain(build, value, ret_form);
    if (!status) {
        dnnl_memory_desc_t wide;
        widen(&ret_form->md, rank, &wide);
        ret_form->md = wide;
    }
    return status;
}

enum sp_status sp_cpu_binary(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    static const dnnl_alg_kind_t kinds[] = {
        [SP_BINARY_ADD] = dnnl_binary_add, [SP_BINARY_SUB] = dnnl_binary_sub, [SP_BINARY_MUL] = dnnl_binary_mul,
        [SP_BINARY_DIV] = dnnl_binary_div, [SP_BINARY_MAX] = dnnl_binary_max, [SP_BINARY_MIN] = dnnl_binary_min,
    };
    const struct sp_value *y = &build->program->values.at[layer->output];
    int a = layer->inputs[0], b = layer->inputs[1];
    bool commutes = layer->binary != SP_BINARY_SUB && layer->binary != SP_BINARY_DIV;
    dnnl_binary_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr;
    struct sp_cpu_form left, right;
    struct sp_cpu_place out;
    bool done;
    if (layer->binary == SP_BINARY_POW || layer->act.kind == SP_ACT_PRELU)
        return SP_E_UNSUPPORTED;
    if (build->program->values.at[a].count != y->count && commutes) {
        a = layer->inputs[1];
        b = layer->inputs[0];
    }
    if (build->program->values.at[a].count != y->count || build->program->values.at[a].rank != y->rank ||
        build->program->values.at[a].data)
        return SP_E_UNSUPPORTED;
    left = *sp_cpu_native(build, a);
    enum sp_status status = operand(build, b, y->rank, &left.md, &right);
    if (!status)
        status = sp_cpu_attr(build, false, &layer->act, &attr, &done);
    if (status)
        return status;
    dnnl_status_t made = !done ? dnnl_unimplemented
                               : dnnl_binary_desc_init(&desc, kinds[layer->binary], &left.md, &right.md, &left.md);
    if (!made)
        made = dnnl_primitive_desc_create(&pd, &desc, attr, build->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (!usable(made, pd))
        return SP_E_UNSUPPORTED;
    if (sp_cpu_is_last_use(build, a) && !sp_cpu_same_place(left.place, right.place))
        out = left.place;
    else
        status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&left.md), &out);
    if (status) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    struct sp_cpu_arg args[] = {{DNNL_ARG_SRC_0, &left.md, left.place},
                                {DNNL_ARG_SRC_1, &right.md, right.place},
                                {DNNL_ARG_DST, &left.md, out}};
    status = sp_cpu_add_primitive(build, layer, pd, args, 3);
    if (!status)
        sp_cpu_define(build, layer->output, &left.md, out);
    return status;
}

enum sp_status sp_cpu_unary(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    return sp_cpu_apply_act(build, layer, layer->inputs[0]);
}

/* x * scale + shift: a product with a sum fused behind it. */
enum sp_status sp_cpu_scale(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    int x = layer->inputs[0];
    const struct sp_value *v = &build->program->values.at[x];
    struct sp_cpu_form src = *sp_cpu_native(build, x);
    dnnl_memory_desc_t channel;
    dnnl_binary_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    struct sp_cpu_place scale, shift, out;
    sp_cpu_channel_md(v->dims[1], v->rank, &channel);
    dnnl_status_t made = dnnl_primitive_attr_create(&attr);
    if (!made)
        made = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (!made)
        made = dnnl_post_ops_create(&ops);
    if (!made)
        made = dnnl_post_ops_append_binary(ops, dnnl_binary_add, &channel);
    if (!made)
        made = dnnl_primitive_attr_set_post_ops(attr, ops);
    if (!made)
        made = dnnl_binary_desc_init(&desc, dnnl_binary_mul, &src.md, &channel, &src.md);
    if (!made)
        made = dnnl_primitive_desc_create(&pd, &desc, attr, build->engine, NULL);
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (!usable(made, pd))
        return SP_E_UNSUPPORTED;
    enum sp_status status = sp_cpu_weight(build, layer->inputs[1], &channel, &channel, &scale);
    if (!status)
        status = sp_cpu_weight(build, layer->inputs[2], &channel, &channel, &shift);
    out = src.place;
    if (!status && !sp_cpu_is_last_use(build, x))
        status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&src.md), &out);
    if (status) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    struct sp_cpu_arg args[] = {{DNNL_ARG_SRC_0, &src.md, src.place},
                                {DNNL_ARG_SRC_1, &channel, scale},
                                {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, &channel, shift},
                                {DNNL_ARG_DST, &src.md, out}};
    status = sp_cpu_add_primitive(build, layer, pd, args, 4);
    if (!status)
        sp_cpu_define(build, layer->output, &src.md, out);
    if (status || layer->act.kind == SP_ACT_NONE)
        return status;
    status = sp_cpu_apply_act(build, layer, layer->output);
    return status != SP_E_UNSUPPORTED ? status
                                      : sp_fail(build->err, SP_E_INTERNAL, "node %s: oneDNN has no %s", layer->name,
                                                sp_act_name(layer->act.kind));
}

enum sp_status sp_cpu_reshape(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    struct sp_cpu_form plain;
    dnnl_memory_desc_t md;
    enum sp_status status = sp_cpu_need_plain(build, layer->inputs[0], &plain);
    if (status)
        return status;
    sp_cpu_md(build, layer->output, &md);
    sp_cpu_define(build, layer->output, &md, plain.place);
    return SP_OK;
}

enum sp_status sp_cpu_transpose(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    struct sp_cpu_form *src = sp_cpu_native(build, layer->inputs[0]);
    int place_of[DNNL_MAX_NDIMS];
    dnnl_memory_desc_t md;
    for (int i = 0; i < src->md.ndims; i++)
        place_of[layer->perm[i]] = i;
    if (dnnl_memory_desc_permute_axes(&md, &src->md, place_of) != dnnl_success)
        return SP_E_UNSUPPORTED;
    sp_cpu_define(build, layer->output, &md, src->place);
    return SP_OK;
}

enum sp_status sp_cpu_concat(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    int count = layer->input_count;
    dnnl_memory_desc_t dst, mds[MOST_CONCAT];
    struct sp_cpu_arg args[MOST_CONCAT + 1];
    struct sp_act none = {.slope = -1};
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr;
    struct sp_cpu_place out;
    bool done;
    if (count > MOST_CONCAT)
        return SP_E_UNSUPPORTED;
    for (int i = 0; i < count; i++) {
        struct sp_cpu_form *src = sp_cpu_native(build, layer->inputs[i]);
        mds[i] = src->md;
        args[i] = (struct sp_cpu_arg){DNNL_ARG_MULTIPLE_SRC + i, &mds[i], src->place};
    }
    sp_cpu_md_tagged(build, layer->output, dnnl_format_tag_any, &dst);
    enum sp_status status = sp_cpu_attr(build, false, &none, &attr, &done);
    if (status)
        return status;
    dnnl_status_t made =
        dnnl_concat_primitive_desc_create(&pd, &dst, count, layer->axis.first, mds, attr, build->engine);
    dnnl_primitive_attr_destroy(attr);
    if (!usable(made, pd))
        return SP_E_UNSUPPORTED;
    dst = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&dst), &out);
    if (status) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    args[count] = (struct sp_cpu_arg){DNNL_ARG_DST, &dst, out};
    status = sp_cpu_add_primitive(build, layer, pd, args, count + 1);
    if (!status)
        sp_cpu_define(build, layer->output, &dst, out);
    return status;
}

/* Zero padding keeps the layout: clear the result, then copy into the part of it that is not padding. */
enum sp_status sp_cpu_pad(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    struct sp_cpu_form src = *sp_cpu_native(build, layer->inputs[0]), part;
    const dnnl_blocking_desc_t *blocking = &src.md.format_desc.blocking;
    dnnl_memory_desc_t dst;
    dnnl_dims_t begin;
    if (layer->pad.value != 0 || src.md.ndims != 4)
        return SP_E_UNSUPPORTED;
    bool blocked = blocking->inner_nblks == 1 && blocking->inner_blks[0] == build->block;
    sp_cpu_md_tagged(build, layer->output,
                     !sp_cpu_md_is_packed(&src.md) ? dnnl_nchw
                     : blocked                     ? build->block_tag
                                                   : dnnl_nhwc,
                     &dst);
    for (int i = 0; i < 4; i++)
        begin[i] = layer->pad.begin[i];
    if (dnnl_memory_desc_init_submemory(&part.md, &dst, src.md.dims, begin) != dnnl_success)
        return SP_E_UNSUPPORTED;
    enum sp_status status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&dst), &part.place);
    if (!status)
        status = sp_cpu_add_zero(build, layer, part.place, dnnl_memory_desc_get_size(&dst));
    if (!status)
        status = sp_cpu_add_reorder(build, layer, &src, &part);
    if (!status)
        sp_cpu_define(build, layer->output, &dst, part.place);
    return status;
}

/* oneDNN's own choice of pixels must be the layer's. */
static bool same_map(const int32_t *map, int64_t in, int64_t out)
{
    for (int64_t i = 0; i < out; i++) {
        if (out % in || map[i] != i / (out / in))
            return false;
    }
    return true;
}

enum sp_status sp_cpu_resize(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    const struct sp_value *x = &build->program->values.at[layer->inputs[0]];
    const struct sp_value *y = &build->program->values.at[layer->output];
    struct sp_cpu_form src = *sp_cpu_native(build, layer->inputs[0]);
    struct sp_act none = {.slope = -1};
    dnnl_resampling_desc_t desc;
    dnnl_memory_desc_t dst;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr;
    struct sp_cpu_place out;
    bool done;
    if (!same_map(layer->resize.rows, x->dims[2], y->dims[2]) ||
        !same_map(layer->resize.columns, x->dims[3], y->dims[3]))
        return SP_E_UNSUPPORTED;
    sp_cpu_md_tagged(build, layer->output, dnnl_format_tag_any, &dst);
    enum sp_status status = sp_cpu_attr(build, false, &none, &attr, &done);
    if (status)
        return status;
    dnnl_status_t made = dnnl_resampling_forward_desc_init(&desc, dnnl_forward_inference, dnnl_resampling_nearest,
                                                           NULL, &src.md, &dst);
    if (!made)
        made = dnnl_primitive_desc_create(&pd, &desc, attr, build->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (!usable(made, pd))
        return SP_E_UNSUPPORTED;
    dst = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
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
