#include "gpu/cuda_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_gemm.h"
#include "gpu/cuda_plan.h"
#include "gpu/cuda_step.h"
#include "gpu/cuda_tune.h"

#define MOST_SIZES   24
#define PIECE_BYTES  ((size_t)2 << 20) /* host copies and uploads of one batch overlap in pieces of this size */
#define PROFILE_RUNS 3
#define PORT_ALIGN   256

struct sp_cuda_net {
    struct sp_cuda *cuda;
    struct sp_cuda_plan *plan;
    struct sp_cuda_stream *stream;
    struct sp_cuda_blas *blas;   /* NULL where no step is a library product */
    struct sp_cuda_gemm **gemms; /* [steps] */
    uint8_t *choices;            /* [steps][MOST_SIZES]: enum sp_cuda_choice, of convolutions */
    void *constants, *arena;
    void *inputs, *outputs; /* on the device: port after port, each as many items as the graph in use */
    void *pinned_inputs, *pinned_outputs;
    int sizes[MOST_SIZES]; /* ascending; the last is max_batch */
    int size_count;
    struct sp_cuda_graph *graphs[MOST_SIZES];
    bool has_run;
};

enum sp_status sp_cuda_nets_open(struct sp_cuda_nets *nets, struct sp_cuda *cuda, const char *folder,
                                 const char *build, struct sp_err *err)
{
    const struct sp_cuda_facts *facts = sp_cuda_facts(cuda);
    char identity[SP_CUDA_IDENTITY];
    snprintf(identity, sizeof identity, "%s|%d.%d%s|%d|%d|%d|%d|%.80s", facts->name, facts->major, facts->minor,
             facts->wgmma ? " wgmma" : "", facts->multiprocessors, facts->driver, facts->runtime,
             sp_cuda_blas_version(), build);
    nets->cuda = cuda;
    return sp_cuda_choices_new(&nets->choices, identity, build[0] ? folder : NULL, err);
}

void sp_cuda_nets_close(struct sp_cuda_nets *nets)
{
    sp_cuda_choices_free(&nets->choices);
}

void sp_cuda_net_free(void *planned)
{
    struct sp_cuda_net *net = planned;
    if (!net)
        return;
    sp_cuda_stream_free(&net->stream); /* waits for what is under way */
    for (int i = 0; i < net->size_count; i++)
        sp_cuda_graph_free(&net->graphs[i]);
    for (int i = 0; net->gemms && i < net->plan->step_count; i++)
        sp_cuda_gemm_free(&net->gemms[i]);
    free(net->gemms);
    free(net->choices);
    sp_cuda_blas_free(&net->blas);
    sp_cuda_memory_free(net->cuda, &net->constants);
    sp_cuda_memory_free(net->cuda, &net->arena);
    sp_cuda_memory_free(net->cuda, &net->inputs);
    sp_cuda_memory_free(net->cuda, &net->outputs);
    sp_cuda_pinned_free(net->cuda, &net->pinned_inputs);
    sp_cuda_pinned_free(net->cuda, &net->pinned_outputs);
    sp_cuda_plan_free(&net->plan);
    free(net);
}

/* 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: a batch wastes at most a third of its graph's rows. */
static void choose_sizes(struct sp_cuda_net *net, int max_batch)
{
    for (int power = 1; power < max_batch && net->size_count < MOST_SIZES - 2; power *= 2) {
        net->sizes[net->size_count++] = power;
        if (power > 1 && power / 2 * 3 < max_batch)
            net->sizes[net->size_count++] = power / 2 * 3;
    }
    net->sizes[net->size_count++] = max_batch;
}

static int which_size(const struct sp_cuda_net *net, int batch)
{
    int which = 0;
    while (net->sizes[which] < batch)
        which++;
    return which;
}

/* Where port `index` begins when each holds `batch` items; aligned as the library's products want their results. */
static size_t port_offset(const int64_t *bytes, int index, int batch)
{
    size_t offset = 0;
    for (int i = 0; i < index; i++)
        offset += ((size_t)bytes[i] * (size_t)batch + PORT_ALIGN - 1) / PORT_ALIGN * PORT_ALIGN;
    return offset;
}

static struct sp_cuda_memory memory_of(const struct sp_cuda_net *net, int which)
{
    struct sp_cuda_memory memory = {
        .constants = net->constants, .arena = net->arena, .batch = net->sizes[which], .which = which};
    for (int i = 0; i < net->plan->program->input_count; i++)
        memory.inputs[i] = (char *)net->inputs + port_offset(net->plan->input_bytes, i, memory.batch);
    for (int i = 0; i < net->plan->program->output_count; i++)
        memory.outputs[i] = (char *)net->outputs + port_offset(net->plan->output_bytes, i, memory.batch);
    return memory;
}

static enum sp_status take_memory(struct sp_cuda_net *net, struct sp_err *err)
{
    const struct sp_cuda_plan *plan = net->plan;
    int batch = plan->program->max_batch;
    size_t inputs = port_offset(plan->input_bytes, plan->program->input_count, batch);
    size_t outputs = port_offset(plan->output_bytes, plan->program->output_count, batch);
    enum sp_status status = sp_cuda_memory_new(&net->constants, net->cuda, plan->constant_bytes, err);
    if (!status && plan->constant_bytes)
        status = sp_cuda_upload(net->cuda, net->constants, plan->constants, plan->constant_bytes, err);
    if (!status)
        status = sp_cuda_memory_new(&net->arena, net->cuda, plan->arena_bytes, err);
    if (!status)
        status = sp_cuda_memory_new(&net->inputs, net->cuda, inputs, err);
    if (!status)
        status = sp_cuda_memory_new(&net->outputs, net->cuda, outputs, err);
    if (!status)
        status = sp_cuda_pinned_new(&net->pinned_inputs, net->cuda, inputs, err);
    if (!status)
        status = sp_cuda_pinned_new(&net->pinned_outputs, net->cuda, outputs, err);
    return status;
}

static enum sp_status make_gemm(struct sp_cuda_net *net, int index, struct sp_err *err)
{
    const struct sp_cuda_step *step = &net->plan->steps[index];
    int64_t rows[MOST_SIZES];
    enum sp_status status = SP_OK;
    struct sp_cuda_gemm_config config = {.weights = (char *)net->constants + step->weights.bytes,
                                         .bias = (char *)net->constants + step->product_bias.bytes,
                                         .n = step->product.n,
                                         .k = step->product.k,
                                         .pitch = step->product.pitch,
                                         .relu = step->product.relu,
                                         .add = step->product.add,
                                         .f32_output = step->product.f32_output,
                                         .precision = net->plan->program->precision};
    for (int i = 0; i < net->size_count; i++)
        rows[i] = step->product.rows * net->sizes[i];
    config.most_rows = rows[net->size_count - 1];
    if (!net->blas)
        status = sp_cuda_blas_new(&net->blas, net->cuda, err);
    if (!status)
        status = sp_cuda_gemm_new(&net->gemms[index], net->blas, &config, rows, net->size_count, err);
    /* A convolution that the library refuses is the implicit product's. */
    return status == SP_E_UNSUPPORTED && step->kind == SP_STEP_CONV ? SP_OK : status;
}

static enum sp_status run_step(struct sp_cuda_net *net, int index, const struct sp_cuda_memory *memory,
                               struct sp_err *err)
{
    return sp_cuda_step_run(net->plan, &net->plan->steps[index], net->gemms[index],
                            net->choices[index * MOST_SIZES + memory->which], memory, net->stream, err);
}

/* Some numbers from -1 to 1 for kernels to be tried on, the same each time. */
static void fill_inputs(struct sp_cuda_net *net)
{
    float *numbers = net->pinned_inputs;
    size_t count =
        port_offset(net->plan->input_bytes, net->plan->program->input_count, net->plan->program->max_batch) /
        sizeof *numbers;
    uint32_t random = 20261127;
    for (size_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        numbers[i] = (float)(random >> 8) * 0x1p-23f - 1;
    }
}

/* Which kernel each convolution takes at one size. Where they are measured every step runs in its turn, so that the
 * next has its input. */
static enum sp_status choose_at(struct sp_cuda_net *net, struct sp_cuda_tuner *tuner, int which, struct sp_err *err)
{
    struct sp_cuda_memory memory = memory_of(net, which);
    const struct sp_cuda_plan *plan = net->plan;
    bool timed = sp_cuda_facts(net->cuda)->timed;
    size_t bytes = port_offset(plan->input_bytes, plan->program->input_count, memory.batch);
    enum sp_status status =
        timed ? sp_cuda_copy_in(net->stream, net->inputs, net->pinned_inputs, bytes, err) : SP_OK;
    for (int i = 0; i < plan->step_count && !status; i++) {
        const struct sp_cuda_step *step = &plan->steps[i];
        int choice = 0;
        if (step->kind == SP_STEP_CONV)
            status = sp_cuda_tune(&choice, tuner, step, net->gemms[i], &memory, err);
        net->choices[i * MOST_SIZES + which] = (uint8_t)choice;
        if (!status && timed)
            status = run_step(net, i, &memory, err);
        if (choice >= SP_CHOICE_SEPARABLE)
            net->choices[(step->takes - 1) * MOST_SIZES + which] = SP_CHOICE_TAKEN;
    }
    return status;
}

static enum sp_status choose(struct sp_cuda_net *net, struct sp_cuda_choices *choices, struct sp_err *err)
{
    struct sp_cuda_tuner tuner = {.plan = net->plan, .choices = choices, .stream = net->stream};
    enum sp_status status = sp_cuda_agree_new(&tuner.agree, net->cuda, net->plan->program->precision, err);
    if (!status)
        fill_inputs(net);
    for (int which = 0; which < net->size_count && !status; which++)
        status = choose_at(net, &tuner, which, err);
    if (!status)
        status = sp_cuda_wait(net->stream, err);
    sp_cuda_agree_free(&tuner.agree);
    if (!status)
        sp_cuda_choices_save(choices);
    return status;
}

static enum sp_status run_steps(struct sp_cuda_net *net, int which, struct sp_err *err)
{
    struct sp_cuda_memory memory = memory_of(net, which);
    enum sp_status status = SP_OK;
    for (int i = 0; i < net->plan->step_count && !status; i++)
        status = run_step(net, i, &memory, err);
    return status;
}

/* Every kernel runs once before it is captured: its code is then on the device, and a launch that the device
 * refuses is refused here. */
static enum sp_status capture(struct sp_cuda_net *net, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int which = 0; which < net->size_count && !status; which++) {
        status = run_steps(net, which, err);
        if (!status)
            status = sp_cuda_wait(net->stream, err);
        if (!status)
            status = sp_cuda_graph_begin(net->stream, err);
        if (status)
            break;
        struct sp_err unused;
        status = run_steps(net, which, err);
        enum sp_status ended = sp_cuda_graph_end(&net->graphs[which], net->stream, status ? &unused : err);
        status = status ? status : ended;
    }
    return status ? status : sp_cuda_wait(net->stream, err);
}

enum sp_status sp_cuda_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    struct sp_cuda_net *net = calloc(1, sizeof *net);
    if (!net)
        return sp_fail(err, SP_E_NOMEM, "no memory for the net");
    struct sp_cuda_nets *nets = state;
    net->cuda = nets->cuda;
    choose_sizes(net, program->max_batch);
    enum sp_status status = sp_cuda_enter(net->cuda, err);
    if (!status)
        status = sp_cuda_plan_new(&net->plan, program, err);
    if (!status)
        status = sp_cuda_stream_new(&net->stream, net->cuda, err);
    if (!status)
        status = take_memory(net, err);
    if (!status) {
        net->gemms = calloc((size_t)net->plan->step_count + 1, sizeof(struct sp_cuda_gemm *));
        net->choices = calloc((size_t)net->plan->step_count + 1, MOST_SIZES);
        if (!net->gemms || !net->choices)
            status = sp_fail(err, SP_E_NOMEM, "no memory for the net");
    }
    for (int i = 0; !status && i < net->plan->step_count; i++)
        if (net->plan->steps[i].product.n > 0)
            status = make_gemm(net, i, err);
    if (!status)
        status = choose(net, nets->choices, err);
    if (!status)
        status = capture(net, err);
    if (status)
        sp_cuda_net_free(net);
    else
        *ret_net = net;
    return status;
}

/* The batch's rows into pinned memory and on to the device, piece by piece. */
static enum sp_status upload(struct sp_cuda_net *net, int which, int batch, const float *const *inputs,
                             struct sp_err *err)
{
    struct sp_cuda_memory memory = memory_of(net, which);
    enum sp_status status = SP_OK;
    for (int i = 0; i < net->plan->program->input_count; i++) {
        size_t bytes = (size_t)net->plan->input_bytes[i] * (size_t)batch;
        size_t offset = (size_t)(memory.inputs[i] - (char *)net->inputs);
        for (size_t at = 0; at < bytes && !status; at += PIECE_BYTES) {
            size_t piece = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
            char *pinned = (char *)net->pinned_inputs + offset + at;
            memcpy(pinned, (const char *)inputs[i] + at, piece);
            status = sp_cuda_copy_in(net->stream, memory.inputs[i] + at, pinned, piece, err);
        }
    }
    return status;
}

enum sp_status sp_cuda_net_run(void *planned, int batch, const float *const *inputs, const float **ret_outputs,
                               struct sp_err *err)
{
    struct sp_cuda_net *net = planned;
    int which = which_size(net, batch);
    enum sp_status status = sp_cuda_enter(net->cuda, err);
    if (status)
        return status;
    sp_cuda_range_push("net");
    status = upload(net, which, batch, inputs, err);
    if (!status)
        status = sp_cuda_graph_run(net->graphs[which], net->stream, err);
    if (!status)
        status = sp_cuda_copy_out(
            net->stream, net->pinned_outputs, net->outputs,
            port_offset(net->plan->output_bytes, net->plan->program->output_count, net->sizes[which]), err);
    if (!status)
        status = sp_cuda_wait(net->stream, err);
    sp_cuda_range_pop();
    if (status)
        return status;
    net->has_run = true;
    for (int i = 0; i < net->plan->program->output_count; i++)
        ret_outputs[i] = (const float *)(const void *)((char *)net->pinned_outputs +
                                                       port_offset(net->plan->output_bytes, i, net->sizes[which]));
    return SP_OK;
}

struct sp_cuda_stream *sp_cuda_net_stream(void *planned)
{
    return ((struct sp_cuda_net *)planned)->stream;
}

float *sp_cuda_net_input(void *planned, int index, int batch)
{
    struct sp_cuda_net *net = planned;
    return (float *)(void *)memory_of(net, which_size(net, batch)).inputs[index];
}

const float *sp_cuda_net_output(void *planned, int index, int batch)
{
    struct sp_cuda_net *net = planned;
    return (const float *)(const void *)memory_of(net, which_size(net, batch)).outputs[index];
}

enum sp_status sp_cuda_net_enqueue(void *planned, int batch, struct sp_err *err)
{
    struct sp_cuda_net *net = planned;
    enum sp_status status = sp_cuda_enter(net->cuda, err);
    net->has_run = true;
    return status ? status : sp_cuda_graph_run(net->graphs[which_size(net, batch)], net->stream, err);
}

/* Times of all steps at max_batch, in microseconds; the graph itself cannot tell them apart. */
static enum sp_status profile(struct sp_cuda_net *net, double *ret_us, struct sp_err *err)
{
    int count = net->plan->step_count, which = net->size_count - 1;
    struct sp_cuda_memory memory = memory_of(net, which);
    struct sp_cuda_event **marks = calloc((size_t)count + 1, sizeof *marks);
    enum sp_status status = marks ? sp_cuda_enter(net->cuda, err) : sp_fail(err, SP_E_NOMEM, "no memory for times");
    for (int i = 0; i <= count && !status; i++)
        status = sp_cuda_event_new(&marks[i], net->cuda, true, err);
    for (int run = 0; run < PROFILE_RUNS && !status; run++) {
        status = sp_cuda_event_record(marks[0], net->stream, err);
        for (int i = 0; i < count && !status; i++) {
            status = run_step(net, i, &memory, err);
            if (!status)
                status = sp_cuda_event_record(marks[i + 1], net->stream, err);
        }
        if (!status)
            status = sp_cuda_wait(net->stream, err);
    }
    for (int i = 0; i < count && !status; i++)
        status = sp_cuda_event_between(marks[i], marks[i + 1], &ret_us[i], err);
    for (int i = 0; marks && i <= count; i++)
        sp_cuda_event_free(&marks[i]);
    free(marks);
    return status;
}

void sp_cuda_net_describe(const void *planned, void (*line)(void *context, const char *text), void *context)
{
    struct sp_cuda_net *net = (struct sp_cuda_net *)(uintptr_t)planned; /* its arena is scratch between runs */
    char text[400], step[320];
    double *us = calloc((size_t)net->plan->step_count + 1, sizeof *us);
    bool timed = us && net->has_run && profile(net, us, NULL) == SP_OK;
    for (int i = 0; i < net->plan->step_count; i++) {
        sp_cuda_step_text(net->plan, &net->plan->steps[i], net->choices[i * MOST_SIZES + net->size_count - 1], step,
                          sizeof step);
        if (timed)
            snprintf(text, sizeof text, "%s %.1f us at batch %d", step, us[i], net->sizes[net->size_count - 1]);
        else
            snprintf(text, sizeof text, "%s", step);
        line(context, text);
    }
    free(us);
}
