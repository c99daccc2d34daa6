#include "gpu/cpu_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sp_status sp_cpu_fail(const struct sp_cpu_build *build, dnnl_status_t status, const char *what)
{
    const char *layer =
        build->at < build->program->layer_count ? build->program->layers[build->at].name : "the outputs";
    if (status == dnnl_out_of_memory)
        return sp_fail(build->err, SP_E_NOMEM, "node %s: oneDNN has no memory for %s", layer, what);
    return sp_fail(build->err, SP_E_DEVICE, "node %s: oneDNN refuses %s (status %d)", layer, what, (int)status);
}

static enum sp_status nomem(const struct sp_cpu_build *build)
{
    return sp_fail(build->err, SP_E_NOMEM, "no memory to plan the net");
}

/* Room for one more element of `size` bytes. */
static bool grow(void *array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    int wanted = *capacity ? *capacity * 2 : 64;
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, (size_t)wanted * size);
    if (!grown)
        return false;
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

void sp_cpu_variant_free(struct sp_cpu_variant *variant)
{
    for (int i = 0; i < variant->step_count; i++) {
        struct sp_cpu_step *step = &variant->steps[i];
        if (step->primitive)
            dnnl_primitive_destroy(step->primitive);
        free(step->note);
        free(step->args);
        free(step->inputs);
        free(step->input_places);
    }
    for (int i = 0; i < variant->bound_count; i++)
        dnnl_memory_destroy(variant->bounds[i].memory);
    free(variant->steps);
    free(variant->bounds);
    free(variant->buffers);
    *variant = (struct sp_cpu_variant){0};
}

/* Arena buffers live from the first step that names them to the last. */
static void touch(struct sp_cpu_build *build, struct sp_cpu_place place)
{
    if (place.kind != SP_CPU_ARENA)
        return;
    struct sp_plan_item *item = &build->variant->buffers[place.index];
    if (item->first < 0)
        item->first = build->variant->step_count;
    item->last = build->variant->step_count;
}

static struct sp_cpu_step *new_step(struct sp_cpu_build *build, const struct sp_layer *layer, const char *kind,
                                    const char *impl)
{
    struct sp_cpu_variant *variant = build->variant;
    char text[384], body[256] = "";
    if (!grow(&variant->steps, variant->step_count, &variant->step_capacity, sizeof *variant->steps))
        return NULL;
    if (layer && !kind[0])
        sp_layer_text(build->program, layer, body, sizeof body);
    snprintf(text, sizeof text, "%s%s %s", kind, body, impl);
    struct sp_cpu_step *step = &variant->steps[variant->step_count];
    *step = (struct sp_cpu_step){.layer = layer, .note = strdup(text)};
    return step->note ? step : NULL;
}

static enum sp_status bind(struct sp_cpu_build *build, const dnnl_memory_desc_t *md, struct sp_cpu_place place,
                           dnnl_memory_t *ret_memory)
{
    struct sp_cpu_variant *variant = build->variant;
    if (!grow(&variant->bounds, variant->bound_count, &variant->bound_capacity, sizeof *variant->bounds))
        return nomem(build);
    void *data = place.kind == SP_CPU_CONSTANT ? place.data : DNNL_MEMORY_NONE;
    dnnl_status_t status = dnnl_memory_create(ret_memory, md, build->engine, data);
    if (status)
        return sp_cpu_fail(build, status, "a memory");
    variant->bounds[variant->bound_count++] = (struct sp_cpu_bound){*ret_memory, place};
    return SP_OK;
}

const char *sp_cpu_impl(dnnl_primitive_desc_t pd)
{
    const char *name = "";
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success ? name : "";
}

bool sp_cpu_is_slow(dnnl_primitive_desc_t pd)
{
    return strncmp(sp_cpu_impl(pd), "ref", 3) == 0 || strstr(sp_cpu_impl(pd), "_ref") != NULL;
}

static enum sp_status add_primitive(struct sp_cpu_build *build, const struct sp_layer *layer, const char *kind,
                                    dnnl_primitive_desc_t pd, const struct sp_cpu_arg *args, int count)
{
    enum sp_status status = SP_OK;
    struct sp_cpu_step *step = new_step(build, layer, kind, sp_cpu_impl(pd));
    dnnl_status_t made;
    if (!step) {
        status = nomem(build);
        goto done;
    }
    step->args = calloc((size_t)count + 1, sizeof *step->args);
    if (!step->args)
        status = nomem(build);
    for (int i = 0; i < count && !status; i++) {
        step->args[i].arg = args[i].id;
        status = bind(build, args[i].md, args[i].place, &step->args[i].memory);
        touch(build, args[i].place);
    }
    step->arg_count = count;
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    if (!status && bytes) {
        struct sp_cpu_place place = {.kind = SP_CPU_SCRATCH};
        step->args[count].arg = DNNL_ARG_SCRATCHPAD;
        status = bind(build, scratch, place, &step->args[count].memory);
        step->arg_count++;
        if (bytes > build->variant->scratch_bytes)
            build->variant->scratch_bytes = bytes;
    }
    if (!status && (made = dnnl_primitive_create(&step->primitive, pd)) != dnnl_success)
        status = sp_cpu_fail(build, made, "a primitive");
    build->variant->step_count++; /* so that its note is freed even on failure */
done:
    dnnl_primitive_desc_destroy(pd);
    return status;
}

enum sp_status sp_cpu_add_primitive(struct sp_cpu_build *build, const struct sp_layer *layer,
                                    dnnl_primitive_desc_t pd, const struct sp_cpu_arg *args, int count)
{
    return add_primitive(build, layer, "", pd, args, count);
}

enum sp_status sp_cpu_add_reorder(struct sp_cpu_build *build, const struct sp_layer *layer,
                                  const struct sp_cpu_form *from, const struct sp_cpu_form *to)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd = NULL;
    bool done;
    struct sp_act none = {.slope = -1};
    enum sp_status status = sp_cpu_attr(build, false, &none, &attr, &done);
    if (status)
        return status;
    dnnl_status_t made =
        dnnl_reorder_primitive_desc_create(&pd, &from->md, build->engine, &to->md, build->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    if (made)
        return sp_cpu_fail(build, made, "a reorder");
    struct sp_cpu_arg args[] = {{DNNL_ARG_FROM, &from->md, from->place}, {DNNL_ARG_TO, &to->md, to->place}};
    return add_primitive(build, layer, "reorder", pd, args, 2);
}

enum sp_status sp_cpu_add_zero(struct sp_cpu_build *build, const struct sp_layer *layer, struct sp_cpu_place place,
                               size_t bytes)
{
    struct sp_cpu_step *step = new_step(build, layer, "zero", "");
    if (!step)
        return nomem(build);
    step->zero = place;
    step->zero_bytes = bytes;
    touch(build, place);
    build->variant->step_count++;
    return SP_OK;
}

static void fill_tensor(const struct sp_cpu_build *build, int number, struct sp_tensor *tensor)
{
    const struct sp_value *value = &build->program->values.at[number];
    *tensor = (struct sp_tensor){.rank = value->rank};
    memcpy(tensor->dims, value->dims, sizeof tensor->dims);
    if (!value->data)
        tensor->dims[0] *= build->variant->batch;
}

enum sp_status sp_cpu_add_reference(struct sp_cpu_build *build, const struct sp_layer *layer)
{
    struct sp_cpu_form form;
    dnnl_memory_desc_t md;
    enum sp_status status = SP_OK;
    size_t count = (size_t)layer->input_count + 1;
    struct sp_tensor *inputs = calloc(count, sizeof *inputs);
    struct sp_cpu_place *places = calloc(count, sizeof *places), residual = {0}, out;
    for (int i = 0; i < layer->input_count && inputs && places && !status; i++) {
        places[i].kind = SP_CPU_CONSTANT;
        if (layer->inputs[i] < 0)
            continue;
        status = sp_cpu_need_plain(build, layer->inputs[i], &form);
        places[i] = form.place;
        fill_tensor(build, layer->inputs[i], &inputs[i]);
    }
    if (!status && layer->residual >= 0) {
        status = sp_cpu_need_plain(build, layer->residual, &form);
        residual = form.place;
    }
    sp_cpu_md(build, layer->output, &md);
    if (!status)
        status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(&md), &out);
    struct sp_cpu_step *step = status || !inputs || !places ? NULL : new_step(build, layer, "", "reference");
    if (!step) {
        free(inputs);
        free(places);
        return status ? status : nomem(build);
    }
    step->inputs = inputs;
    step->input_places = places;
    step->residual_place = residual;
    step->out_place = out;
    fill_tensor(build, layer->output, &step->out);
    step->residual = step->out;
    step->slope = layer->act.slope >= 0 ? build->program->values.at[layer->act.slope].data : NULL;
    for (int i = 0; i < layer->input_count; i++)
        touch(build, places[i]);
    if (layer->residual >= 0)
        touch(build, residual);
    touch(build, out);
    build->variant->step_count++;
    sp_cpu_define(build, layer->output, &md, out);
    return SP_OK;
}

enum sp_status sp_cpu_new_buffer(struct sp_cpu_build *build, size_t bytes, struct sp_cpu_place *ret_place)
{
    struct sp_cpu_variant *variant = build->variant;
    if (!grow(&variant->buffers, variant->buffer_count, &variant->buffer_capacity, sizeof *variant->buffers) ||
        !grow(&build->buffer_last, variant->buffer_count, &build->buffer_last_capacity, sizeof *build->buffer_last))
        return nomem(build);
    variant->buffers[variant->buffer_count] = (struct sp_plan_item){.bytes = bytes, .first = -1, .last = -2};
    build->buffer_last[variant->buffer_count] = -1;
    *ret_place = (struct sp_cpu_place){.kind = SP_CPU_ARENA, .index = variant->buffer_count++};
    return SP_OK;
}

void sp_cpu_define(struct sp_cpu_build *build, int value, const dnnl_memory_desc_t *md, struct sp_cpu_place place)
{
    build->values[value].forms[0] = (struct sp_cpu_form){*md, place};
    build->values[value].form_count = 1;
    if (place.kind == SP_CPU_ARENA && build->buffer_last[place.index] < build->last[value])
        build->buffer_last[place.index] = build->last[value];
}

struct sp_cpu_form *sp_cpu_native(struct sp_cpu_build *build, int value)
{
    return &build->values[value].forms[0];
}

bool sp_cpu_is_last_use(const struct sp_cpu_build *build, int value)
{
    struct sp_cpu_place place = build->values[value].forms[0].place;
    return place.kind == SP_CPU_ARENA && build->buffer_last[place.index] <= build->at;
}

bool sp_cpu_same_place(struct sp_cpu_place a, struct sp_cpu_place b)
{
    return a.kind == b.kind && a.index == b.index && a.data == b.data;
}

enum sp_status sp_cpu_need(struct sp_cpu_build *build, int value, const dnnl_memory_desc_t *md,
                           struct sp_cpu_form *ret_form)
{
    struct sp_cpu_value *known = &build->values[value];
    for (int i = 0; i < known->form_count; i++) {
        if (dnnl_memory_desc_equal(&known->forms[i].md, md)) {
            *ret_form = known->forms[i];
            return SP_OK;
        }
    }
    struct sp_cpu_form fresh = {.md = *md};
    enum sp_status status = sp_cpu_new_buffer(build, dnnl_memory_desc_get_size(md), &fresh.place);
    if (!status)
        status = sp_cpu_add_reorder(build, NULL, &known->forms[0], &fresh);
    if (status)
        return status;
    if (known->form_count < SP_CPU_MOST_FORMS)
        known->forms[known->form_count++] = fresh;
    *ret_form = fresh;
    return SP_OK;
}

enum sp_status sp_cpu_need_plain(struct sp_cpu_build *build, int value, struct sp_cpu_form *ret_form)
{
    struct sp_cpu_form *native = sp_cpu_native(build, value);
    dnnl_memory_desc_t md;
    sp_cpu_md(build, value, &md);
    if (sp_cpu_md_is_plain(&native->md)) {
        *ret_form = (struct sp_cpu_form){md, native->place};
        return SP_OK;
    }
    return sp_cpu_need(build, value, &md, ret_form);
}

void sp_cpu_weights_free(struct sp_cpu_weights *weights)
{
    for (int i = 0; i < weights->count; i++)
        free(weights->at[i].data);
    free(weights->at);
    *weights = (struct sp_cpu_weights){0};
}

static enum sp_status reorder_now(struct sp_cpu_build *build, const dnnl_memory_desc_t *from, void *source,
                                  const dnnl_memory_desc_t *to, void *target)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[2] = {NULL, NULL};
    dnnl_status_t status = dnnl_memory_create(&memories[0], from, build->engine, source);
    if (!status)
        status = dnnl_memory_create(&memories[1], to, build->engine, target);
    if (!status)
        status = dnnl_reorder_primitive_desc_create(&pd, from, build->engine, to, build->engine, NULL);
    if (!status)
        status = dnnl_primitive_create(&primitive, pd);
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, memories[0]}, {DNNL_ARG_TO, memories[1]}};
    if (!status)
        status = dnnl_primitive_execute(primitive, build->stream, 2, args);
    if (!status)
        status = dnnl_stream_wait(build->stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    for (int i = 0; i < 2; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    return status ? sp_cpu_fail(build, status, "the layout of its weights") : SP_OK;
}

enum sp_status sp_cpu_weight(struct sp_cpu_build *build, int value, const dnnl_memory_desc_t *from,
                             const dnnl_memory_desc_t *md, struct sp_cpu_place *ret_place)
{
    struct sp_cpu_weights *weights = build->weights;
    void *source = build->program->values.at[value].data;
    *ret_place = (struct sp_cpu_place){.kind = SP_CPU_CONSTANT, .data = source};
    if (dnnl_memory_desc_equal(from, md))
        return SP_OK;
    for (int i = 0; i < weights->count; i++) {
        if (weights->at[i].value == value && dnnl_memory_desc_equal(&weights->at[i].md, md)) {
            ret_place->data = weights->at[i].data;
            return SP_OK;
        }
    }
    if (!grow(&weights->at, weights->count, &weights->capacity, sizeof *weights->at))
        return nomem(build);
    size_t bytes = (dnnl_memory_desc_get_size(md) + 63) / 64 * 64;
    void *data = aligned_alloc(64, bytes);
    if (!data)
        return nomem(build);
    memset(data, 0, bytes);
    enum sp_status status = reorder_now(build, from, source, md, data);
    if (status) {
        free(data);
        return status;
    }
    weights->at[weights->count++] = (struct sp_cpu_weight){value, *md, data};
    ret_place->data = data;
    return SP_OK;
}
