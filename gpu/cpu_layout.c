/* Memory descriptors and attributes. */
#include "gpu/cpu_build.h"

#include <float.h>
#include <string.h>

static void strided(int rank, const dnnl_dim_t *dims, dnnl_memory_desc_t *ret_md)
{
    dnnl_dims_t strides;
    dnnl_dim_t step = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= dims[i];
    }
    dnnl_memory_desc_init_by_strides(ret_md, rank, dims, dnnl_f32, strides); /* cannot fail: dims are positive */
}

static int dims_of(const struct sp_cpu_build *build, int number, dnnl_dim_t *dims)
{
    const struct sp_value *value = &build->program->values.at[number];
    for (int i = 0; i < value->rank; i++)
        dims[i] = value->dims[i];
    if (!value->data)
        dims[0] *= build->variant->batch;
    return value->rank;
}

void sp_cpu_md(const struct sp_cpu_build *build, int value, dnnl_memory_desc_t *ret_md)
{
    dnnl_dims_t dims = {0};
    int rank = dims_of(build, value, dims);
    strided(rank, dims, ret_md);
}

void sp_cpu_md_tagged(const struct sp_cpu_build *build, int value, dnnl_format_tag_t tag,
                      dnnl_memory_desc_t *ret_md)
{
    dnnl_dims_t dims = {0};
    int rank = dims_of(build, value, dims);
    dnnl_memory_desc_init_by_tag(ret_md, rank, dims, dnnl_f32, tag);
}

void sp_cpu_channel_md(int64_t channels, int rank, dnnl_memory_desc_t *ret_md)
{
    dnnl_dims_t dims = {0};
    for (int i = 0; i < rank; i++)
        dims[i] = i == 1 ? channels : 1;
    strided(rank, dims, ret_md);
}

bool sp_cpu_md_is_plain(const dnnl_memory_desc_t *md)
{
    const dnnl_blocking_desc_t *blocking = &md->format_desc.blocking;
    if (md->format_kind != dnnl_blocked || md->offset0 != 0)
        return false;
    if (memcmp(md->dims, md->padded_dims, (size_t)md->ndims * sizeof md->dims[0]) != 0)
        return false;
    dnnl_dim_t step = 1;
    if (blocking->inner_nblks == 1 && blocking->inner_idxs[0] == 1) {
        /* Channel blocks of one pixel lie one after the other, as if there were none. */
        for (int i = 2; i < md->ndims; i++)
            if (md->dims[i] != 1)
                return false;
        return md->dims[0] == 1 || blocking->strides[0] == md->dims[1];
    }
    if (blocking->inner_nblks)
        return false;
    for (int i = md->ndims - 1; i >= 0; i--) {
        if (md->dims[i] != 1 && blocking->strides[i] != step)
            return false;
        step *= md->dims[i];
    }
    return true;
}

bool sp_cpu_md_is_packed(const dnnl_memory_desc_t *md)
{
    const dnnl_blocking_desc_t *blocking = &md->format_desc.blocking;
    return md->ndims == 4 && md->format_kind == dnnl_blocked &&
           (blocking->inner_nblks || (blocking->strides[1] == 1 && md->dims[1] > 1));
}

static bool eltwise_of(const struct sp_act *act, dnnl_alg_kind_t *ret_kind, float *ret_a, float *ret_b)
{
    *ret_a = *ret_b = 0;
    switch (act->kind) {
    case SP_ACT_RELU:
        *ret_kind = dnnl_eltwise_relu;
        return true;
    case SP_ACT_LEAKY:
        *ret_kind = dnnl_eltwise_relu;
        *ret_a = act->a;
        return true;
    case SP_ACT_CLIP:
        *ret_kind = dnnl_eltwise_clip;
        *ret_a = act->a;
        *ret_b = act->b;
        return true;
    case SP_ACT_SIGMOID:
        *ret_kind = dnnl_eltwise_logistic;
        return true;
    case SP_ACT_TANH:
        *ret_kind = dnnl_eltwise_tanh;
        return true;
    case SP_ACT_SQRT:
        *ret_kind = dnnl_eltwise_sqrt;
        return true;
    case SP_ACT_ABS:
        *ret_kind = dnnl_eltwise_abs;
        return true;
    case SP_ACT_NEG:
        *ret_kind = dnnl_eltwise_linear;
        *ret_a = -1;
        return true;
    case SP_ACT_LINEAR:
        *ret_kind = dnnl_eltwise_linear;
        *ret_a = act->a;
        *ret_b = act->b;
        return true;
    default:
        return false;
    }
}

enum sp_status sp_cpu_attr(const struct sp_cpu_build *build, bool sum, const struct sp_act *act,
                           dnnl_primitive_attr_t *ret_attr, bool *ret_act_done)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_alg_kind_t kind;
    float a, b;
    *ret_attr = NULL;
    *ret_act_done = true;
    dnnl_status_t status = dnnl_primitive_attr_create(ret_attr);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(*ret_attr, dnnl_scratchpad_mode_user);
    if (!status)
        status = dnnl_post_ops_create(&ops);
    if (!status && sum)
        status = dnnl_post_ops_append_sum(ops, 1);
    if (!status && act->kind == SP_ACT_PRELU)
        status = dnnl_post_ops_append_prelu(ops, 1 << 1);
    else if (!status && act->kind != SP_ACT_NONE && eltwise_of(act, &kind, &a, &b))
        status = dnnl_post_ops_append_eltwise(ops, 1, kind, a, b);
    else if (act->kind != SP_ACT_NONE)
        *ret_act_done = false;
    if (!status)
        status = dnnl_primitive_attr_set_post_ops(*ret_attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (!status)
        return SP_OK;
    if (*ret_attr)
        dnnl_primitive_attr_destroy(*ret_attr);
    return sp_cpu_fail(build, status, "its attributes");
}

/* Memory of an activation's result: in place on a result just made or read here for the last time. */
static enum sp_status act_place(struct sp_cpu_build *build, const struct sp_layer *layer, int value,
                                const struct sp_cpu_form *from, struct sp_cpu_place *ret_place)
{
    *ret_place = from->place;
    if (value == layer->output || sp_cpu_is_last_use(build, value))
        return SP_OK;
    return sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&from->md), ret_place);
}

enum sp_status sp_cpu_apply_act(struct sp_cpu_build *build, const struct sp_layer *layer, int value)
{
    struct sp_cpu_form from = *sp_cpu_native(build, value);
    struct sp_cpu_place slopes = {0}, to;
    dnnl_eltwise_desc_t eltwise;
    dnnl_prelu_desc_t prelu;
    dnnl_memory_desc_t slope;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr;
    struct sp_act none = {.slope = -1};
    bool done, sloped = layer->act.kind == SP_ACT_PRELU;
    dnnl_alg_kind_t kind;
    float a, b;
    if (!sloped && !eltwise_of(&layer->act, &kind, &a, &b))
        return SP_E_UNSUPPORTED;
    enum sp_status status = sp_cpu_attr(build, false, &none, &attr, &done);
    if (status)
        return status;
    sp_cpu_channel_md(from.md.ndims > 1 ? from.md.dims[1] : 1, from.md.ndims, &slope);
    dnnl_status_t made =
        sloped ? dnnl_prelu_forward_desc_init(&prelu, dnnl_forward_inference, &from.md, &slope)
               : dnnl_eltwise_forward_desc_init(&eltwise, dnnl_forward_inference, kind, &from.md, a, b);
    if (!made)
        made =
            dnnl_primitive_desc_create(&pd, sloped ? (void *)&prelu : (void *)&eltwise, attr, build->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (made)
        return made == dnnl_unimplemented ? SP_E_UNSUPPORTED : sp_cpu_fail(build, made, "its activation");
    if (sloped)
        status = sp_cpu_weight(build, layer->act.slope, &slope, &slope, &slopes);
    if (!status)
        status = act_place(build, layer, value, &from, &to);
    if (status) {
        dnnl_primitive_desc_destroy(pd);
        return status;
    }
    struct sp_cpu_arg args[] = {
        {DNNL_ARG_SRC, &from.md, from.place}, {DNNL_ARG_DST, &from.md, to}, {DNNL_ARG_WEIGHTS, &slope, slopes}};
    status = sp_cpu_add_primitive(build, layer, pd, args, sloped ? 3 : 2);
    if (!status)
        sp_cpu_define(build, layer->output, &from.md, to);
    return status;
}
