/* Nets of the cpu backend on oneDNN.
 *
 * A primitive is made for one batch size, so a net holds a plan for 1, 2, 4 and 8 items (as far as max_batch and
 * the caches allow) and runs a batch as a sum of those: nothing is created and nothing computed in vain at run
 * time. */
#include "gpu/cpu_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gpu/cpu_build.h"
#include "gpu/ref_net.h"

#define MOST_VARIANTS 4
/* Larger activations leave the caches: several items at once then gain nothing. */
#define MOST_VALUE_BYTES ((size_t)8 << 20)

/* The OpenMP runtime that oneDNN was built with; the number counts for the calling thread. */
void omp_set_num_threads(int count);

struct state {
    dnnl_engine_t engine;
    int threads;
};

struct sp_cpu_net {
    struct state *state; /* the engine's */
    const struct sp_program *program;
    dnnl_stream_t stream;
    struct sp_cpu_variant variants[MOST_VARIANTS]; /* smallest batch first */
    int variant_count;
    struct sp_cpu_weights weights;
    char *arena;
    char *scratch;
    float *outputs[SP_NET_MAX_PORTS]; /* [max_batch] items each */
    void *plain;                      /* a reference net instead, for what oneDNN has no form of */
};

static const char *isa_name(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        return "sse41";
    case dnnl_cpu_isa_avx:
        return "avx";
    case dnnl_cpu_isa_avx2:
        return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
        return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
        return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512_core_amx";
    default:
        return "other instructions";
    }
}

enum sp_status sp_cpu_open(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                           size_t text_size, struct sp_err *err)
{
    const dnnl_version_t *version = dnnl_version();
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return sp_fail(err, SP_E_NOMEM, "no memory for an engine");
    state->threads = config->threads;
    dnnl_status_t status = dnnl_engine_create(&state->engine, dnnl_cpu, 0);
    if (status) {
        free(state);
        return sp_fail(err, SP_E_DEVICE, "oneDNN has no cpu engine (status %d)", (int)status);
    }
    snprintf(ret_text, text_size, "cpu (oneDNN %d.%d.%d, %s)", version->major, version->minor, version->patch,
             isa_name());
    *ret_state = state;
    return SP_OK;
}

void sp_cpu_close(void *opened)
{
    struct state *state = opened;
    dnnl_engine_destroy(state->engine);
    free(state);
}

void sp_cpu_net_free(void *planned)
{
    struct sp_cpu_net *net = planned;
    if (!net)
        return;
    for (int i = 0; i < net->variant_count; i++)
        sp_cpu_variant_free(&net->variants[i]);
    for (int i = 0; i < SP_NET_MAX_PORTS; i++)
        free(net->outputs[i]);
    sp_cpu_weights_free(&net->weights);
    if (net->stream)
        dnnl_stream_destroy(net->stream);
    sp_ref_net_free(net->plain);
    free(net->arena);
    free(net->scratch);
    free(net);
}

/* oneDNN knows neither scalars nor empty tensors. */
static bool has_form(const struct sp_program *program)
{
    for (int i = 0; i < program->layer_count; i++) {
        const struct sp_value *value = &program->values.at[program->layers[i].output];
        if (value->rank == 0 || value->count == 0)
            return false;
        for (int j = 0; j < program->layers[i].input_count; j++) {
            int input = program->layers[i].inputs[j];
            if (input >= 0 && (program->values.at[input].rank == 0 || program->values.at[input].count == 0))
                return false;
        }
    }
    return true;
}

static size_t largest_value(const struct sp_program *program)
{
    int64_t most = 0;
    for (int i = 0; i < program->layer_count; i++)
        if (program->values.at[program->layers[i].output].count > most)
            most = program->values.at[program->layers[i].output].count;
    return (size_t)most * sizeof(float);
}

static void *address_of(const struct sp_cpu_net *net, const struct sp_cpu_variant *variant,
                        struct sp_cpu_place place)
{
    switch (place.kind) {
    case SP_CPU_ARENA:
        return net->arena + variant->buffers[place.index].offset;
    case SP_CPU_SCRATCH:
        return net->scratch;
    case SP_CPU_CONSTANT:
        return place.data;
    default:
        return NULL; /* bound at each run */
    }
}

/* Memory for all variants (one of them runs at a time), and its addresses into theirs. */
static enum sp_status place_memory(struct sp_cpu_net *net, struct sp_err *err)
{
    const struct sp_program *program = net->program;
    size_t arena = 0, scratch = 0;
    for (int i = 0; i < net->variant_count; i++) {
        arena = net->variants[i].arena_bytes > arena ? net->variants[i].arena_bytes : arena;
        scratch = net->variants[i].scratch_bytes > scratch ? net->variants[i].scratch_bytes : scratch;
    }
    if (arena > program->max_bytes || scratch > program->max_bytes - arena)
        return sp_fail(err, SP_E_LIMIT, "activations and scratchpad take %zu bytes, the limit is %zu",
                       arena + scratch, program->max_bytes);
    net->arena = aligned_alloc(SP_PLAN_ALIGN, (arena / SP_PLAN_ALIGN + 1) * SP_PLAN_ALIGN);
    net->scratch = aligned_alloc(4096, (scratch / 4096 + 1) * 4096);
    if (!net->arena || !net->scratch)
        return sp_fail(err, SP_E_NOMEM, "no memory for %zu bytes of activations", arena + scratch);
    memset(net->arena, 0, arena); /* pages are there before the first run */
    for (int i = 0; i < program->output_count; i++) {
        size_t bytes = (size_t)program->values.at[program->outputs[i].value].count * (size_t)program->max_batch *
                       sizeof(float);
        net->outputs[i] = aligned_alloc(SP_PLAN_ALIGN, (bytes / SP_PLAN_ALIGN + 1) * SP_PLAN_ALIGN);
        if (!net->outputs[i])
            return sp_fail(err, SP_E_NOMEM, "no memory for output '%s'", program->outputs[i].name);
    }
    for (int i = 0; i < net->variant_count; i++) {
        const struct sp_cpu_variant *variant = &net->variants[i];
        for (int j = 0; j < variant->bound_count; j++) {
            void *address = address_of(net, variant, variant->bounds[j].place);
            if (address && variant->bounds[j].place.kind != SP_CPU_CONSTANT &&
                dnnl_memory_set_data_handle_v2(variant->bounds[j].memory, address, net->stream) != dnnl_success)
                return sp_fail(err, SP_E_DEVICE, "oneDNN refuses the address of a memory");
        }
    }
    return SP_OK;
}

/* Whether nine tenths of the multiplications are in convolutions whose channels fill blocks (or read an image): a
 * net that changes between layouts loses more than blocks win. */
static bool fills_blocks(const struct sp_program *program, int block)
{
    double all = 0, filled = 0;
    for (int i = 0; i < program->layer_count; i++) {
        const struct sp_layer *layer = &program->layers[i];
        if (layer->op != SP_OP_CONV)
            continue;
        int64_t in = program->values.at[layer->inputs[0]].dims[1], out = program->values.at[layer->output].dims[1];
        double cost = (double)sp_ref_cost(program, layer);
        all += cost;
        filled += out % block == 0 && (in % block == 0 || in <= 4) ? cost : 0;
    }
    return filled >= 0.9 * all;
}

static enum sp_status plan(struct sp_cpu_net *net, struct sp_err *err)
{
    /* The numbers of instruction sets are sets of bits. */
    bool wide = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    size_t largest = largest_value(net->program);
    enum sp_status status = SP_OK;
    if (dnnl_stream_create(&net->stream, net->state->engine, dnnl_stream_default_flags) != dnnl_success)
        return sp_fail(err, SP_E_DEVICE, "oneDNN creates no stream");
    for (int batch = 1; batch <= net->program->max_batch && net->variant_count < MOST_VARIANTS && !status;
         batch *= 2) {
        if (batch > 1 && largest * (size_t)batch > MOST_VALUE_BYTES)
            break;
        struct sp_cpu_variant *variant = &net->variants[net->variant_count++];
        variant->batch = batch;
        struct sp_cpu_build build = {.program = net->program,
                                     .engine = net->state->engine,
                                     .stream = net->stream,
                                     .block = wide ? 16 : 8,
                                     .blocked = fills_blocks(net->program, wide ? 16 : 8),
                                     .block_tag = wide ? dnnl_nChw16c : dnnl_nChw8c,
                                     .variant = variant,
                                     .weights = &net->weights,
                                     .err = err};
        status = sp_cpu_build_variant(&build);
    }
    return status ? status : place_memory(net, err);
}

enum sp_status sp_cpu_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    struct sp_cpu_net *net = calloc(1, sizeof *net);
    if (!net)
        return sp_fail(err, SP_E_NOMEM, "no memory for the net");
    net->state = state;
    net->program = program;
    omp_set_num_threads(net->state->threads); /* primitives are planned for a number of threads */
    enum sp_status status = has_form(program) ? plan(net, err) : sp_ref_net_new(&net->plain, NULL, program, err);
    if (status)
        sp_cpu_net_free(net);
    else
        *ret_net = net;
    return status;
}

struct run {
    const float *inputs[SP_NET_MAX_PORTS];
    float *outputs[SP_NET_MAX_PORTS];
};

static float *address_at_run(const struct sp_cpu_net *net, const struct sp_cpu_variant *variant,
                             const struct run *run, struct sp_cpu_place place)
{
    if (place.kind == SP_CPU_INPUT)
        return (float *)(uintptr_t)run->inputs[place.index]; /* only read */
    if (place.kind == SP_CPU_OUTPUT)
        return run->outputs[place.index];
    return address_of(net, variant, place);
}

static void run_reference(const struct sp_cpu_net *net, const struct sp_cpu_variant *variant, const struct run *run,
                          struct sp_cpu_step *step)
{
    for (int i = 0; i < step->layer->input_count; i++)
        step->inputs[i].data = address_at_run(net, variant, run, step->input_places[i]);
    step->residual.data = address_at_run(net, variant, run, step->residual_place);
    step->out.data = address_at_run(net, variant, run, step->out_place);
    sp_ref_layer(step->layer, step->inputs, step->layer->residual >= 0 ? &step->residual : NULL, step->slope,
                 &step->out);
}

/* A step runs before its call returns, so this is its time; the clock costs a few hundredths of a microsecond. */
static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static dnnl_status_t run_variant(const struct sp_cpu_net *net, const struct sp_cpu_variant *variant,
                                 const struct run *run)
{
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < variant->bound_count && !status; i++) {
        struct sp_cpu_place place = variant->bounds[i].place;
        if (place.kind == SP_CPU_INPUT || place.kind == SP_CPU_OUTPUT)
            status = dnnl_memory_set_data_handle_v2(variant->bounds[i].memory,
                                                    address_at_run(net, variant, run, place), net->stream);
    }
    int64_t before = now_ns();
    for (int i = 0; i < variant->step_count && !status; i++) {
        struct sp_cpu_step *step = &variant->steps[i];
        if (step->primitive)
            status = dnnl_primitive_execute(step->primitive, net->stream, step->arg_count, step->args);
        else if (step->inputs)
            run_reference(net, variant, run, step);
        else
            memset(address_of(net, variant, step->zero), 0, step->zero_bytes);
        int64_t after = now_ns();
        step->last_ns = after - before;
        before = after;
    }
    return status ? status : dnnl_stream_wait(net->stream);
}

enum sp_status sp_cpu_net_run(void *planned, int batch, const float *const *inputs, const float **ret_outputs,
                              struct sp_err *err)
{
    struct sp_cpu_net *net = planned;
    const struct sp_program *program = net->program;
    struct run run;
    if (net->plain)
        return sp_ref_net_run(net->plain, batch, inputs, ret_outputs, err);
    omp_set_num_threads(net->state->threads);
    int variant = net->variant_count - 1;
    for (int first = 0; first < batch; first += net->variants[variant].batch) {
        while (net->variants[variant].batch > batch - first)
            variant--;
        for (int i = 0; i < program->input_count; i++)
            run.inputs[i] = inputs[i] + (size_t)first * (size_t)program->values.at[program->inputs[i].value].count;
        for (int i = 0; i < program->output_count; i++)
            run.outputs[i] =
                net->outputs[i] + (size_t)first * (size_t)program->values.at[program->outputs[i].value].count;
        dnnl_status_t status = run_variant(net, &net->variants[variant], &run);
        if (status)
            return sp_fail(err, SP_E_DEVICE, "oneDNN fails to run the net (status %d)", (int)status);
    }
    for (int i = 0; i < program->output_count; i++)
        ret_outputs[i] = net->outputs[i];
    return SP_OK;
}

void sp_cpu_net_describe(const void *planned, void (*line)(void *context, const char *text), void *context)
{
    const struct sp_cpu_net *net = planned;
    if (net->plain) {
        sp_ref_net_describe(net->plain, line, context);
        return;
    }
    for (int i = 0; i < net->variants[0].step_count; i++) {
        const struct sp_cpu_step *step = &net->variants[0].steps[i];
        char text[448];
        snprintf(text, sizeof text, "%s %.1f us", step->note, (double)step->last_ns / 1e3);
        line(context, step->last_ns ? text : step->note);
    }
}
