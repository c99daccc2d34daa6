#include "gpu/cuda_tune.h"

#define ROUNDS   3     /* the shortest counts */
#define TOGETHER 8     /* launches between two marks of a short kernel: a mark is not much shorter */
#define SHORT_US 100.0 /* what is longer is timed alone */
#define WORTH    0.97  /* less than that of the rule's time, or the rule stays */

#define MOST_AGAIN 4

int sp_cuda_tune_rule(const struct sp_cuda_step *step, bool library, int batch, int multiprocessors)
{
    const struct sp_cuda_conv *conv = &step->conv;
    int64_t pixels = (int64_t)conv->n * batch * conv->oh * conv->ow;
    if (library)
        return SP_CHOICE_LIBRARY;
    for (int i = 0; i < SP_TILE_WGMMA_128X256; i++) {
        int size[2];
        sp_cuda_tile_size((enum sp_cuda_tile)i, size);
        int64_t blocks = (pixels + size[0] - 1) / size[0] * ((conv->out_pitch + size[1] - 1) / size[1]);
        if (conv->out_pitch > size[1] / 2 && (blocks >= multiprocessors || i == SP_TILE_64X32))
            return i;
    }
    return SP_TILE_64X32;
}

/* The depthwise convolution that a step can make as well, or NULL. */
static const struct sp_cuda_step *taken_by(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step)
{
    return step->takes ? &plan->steps[step->takes - 1] : NULL;
}

struct sp_cuda_layer sp_cuda_tune_layer(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step, int batch)
{
    static const struct sp_cuda_depthwise none = {0};
    const struct sp_cuda_conv *c = &step->conv;
    const struct sp_cuda_step *taken = taken_by(plan, step);
    const struct sp_cuda_depthwise *d = taken ? &taken->depthwise : &none;
    return (struct sp_cuda_layer){{c->n * batch,
                                   c->h,
                                   c->w,
                                   c->pitch,
                                   c->oh,
                                   c->ow,
                                   c->oc,
                                   c->out_pitch,
                                   c->kernel[0],
                                   c->kernel[1],
                                   c->stride[0],
                                   c->stride[1],
                                   c->dilation[0],
                                   c->dilation[1],
                                   c->pad[0],
                                   c->pad[1],
                                   c->k_padded,
                                   (int32_t)c->act.kind,
                                   step->residual.place != SP_PLACE_NONE,
                                   step->tables[0].place != SP_PLACE_NONE,
                                   step->product.n > 0,
                                   (int32_t)plan->program->precision,
                                   taken != NULL,
                                   d->h,
                                   d->w,
                                   d->kernel[0],
                                   d->kernel[1],
                                   d->stride[0],
                                   d->stride[1],
                                   d->dilation[0],
                                   d->dilation[1],
                                   d->pad[0],
                                   d->pad[1],
                                   (int32_t)d->act.kind}};
}

struct timing {
    struct sp_cuda_tuner *tuner;
    const struct sp_cuda_step *step;
    struct sp_cuda_gemm *gemm;
    const struct sp_cuda_memory *memory;
    struct sp_cuda_event *marks[2];
    struct sp_err *err;
};

static enum sp_status launch(const struct timing *t, int choice, int times)
{
    enum sp_status status = SP_OK;
    for (int i = 0; i < times && !status; i++)
        status = sp_cuda_step_run(t->tuner->plan, t->step, t->gemm, choice, t->memory, t->tuner->stream, t->err);
    return status;
}

/* TOGETHER launches as the net will make them: without the host between two of them, whose part of a short kernel
 * is the longer one. */
static enum sp_status record(const struct timing *t, int choice, struct sp_cuda_graph **ret_graph)
{
    struct sp_err unused;
    enum sp_status status = sp_cuda_graph_begin(t->tuner->stream, t->err);
    if (status)
        return status;
    status = launch(t, choice, TOGETHER);
    enum sp_status ended = sp_cuda_graph_end(ret_graph, t->tuner->stream, status ? &unused : t->err);
    return status ? status : ended;
}

/* Microseconds from mark to mark around one launch, or a graph of them. */
static enum sp_status time_once(const struct timing *t, int choice, struct sp_cuda_graph *graph, double *ret_us)
{
    enum sp_status status = sp_cuda_event_record(t->marks[0], t->tuner->stream, t->err);
    if (!status)
        status = graph ? sp_cuda_graph_run(graph, t->tuner->stream, t->err) : launch(t, choice, 1);
    if (!status)
        status = sp_cuda_event_record(t->marks[1], t->tuner->stream, t->err);
    if (!status)
        status = sp_cuda_event_wait(t->marks[1], t->err);
    return status ? status : sp_cuda_event_between(t->marks[0], t->marks[1], ret_us, t->err);
}

/* The shortest time of one launch; the first one loads the code. */
static enum sp_status time_choice(const struct timing *t, int choice, double *ret_us)
{
    struct sp_cuda_graph *graph = NULL;
    enum sp_status status = launch(t, choice, 1);
    if (!status)
        status = time_once(t, choice, NULL, ret_us);
    if (!status && *ret_us <= SHORT_US)
        status = record(t, choice, &graph);
    for (int round = 0; round < ROUNDS && !status; round++) {
        double us = 0;
        status = time_once(t, choice, graph, &us);
        us /= graph ? TOGETHER : 1;
        *ret_us = (round == 0 && graph) || us < *ret_us ? us : *ret_us;
    }
    sp_cuda_graph_free(&graph);
    return status;
}

/* 16-bit numbers of a convolution's result. */
static size_t numbers_of(const struct timing *t)
{
    const struct sp_cuda_conv *conv = &t->step->conv;
    return (size_t)conv->n * (size_t)t->memory->batch * (size_t)conv->oh * (size_t)conv->ow *
           (size_t)conv->out_pitch;
}

/* What a device can do, and what may be the best: a tile that is more than half empty in its channels never is, nor
 * is making a depthwise convolution more than MOST_AGAIN times. */
static bool sensible(const struct sp_cuda_facts *facts, const struct sp_cuda_step *step,
                     const struct sp_cuda_gemm *gemm, int choice)
{
    int size[2];
    if (choice == SP_CHOICE_LIBRARY)
        return gemm != NULL;
    enum sp_cuda_tile tile = sp_cuda_choice_tile(choice);
    bool wgmma = tile >= SP_TILE_WGMMA_128X256;
    sp_cuda_tile_size(tile, size);
    if (wgmma && !facts->wgmma)
        return false;
    if (choice >= SP_CHOICE_SEPARABLE &&
        (!step->takes || wgmma || tile == SP_TILE_256X128 || step->conv.out_pitch > MOST_AGAIN * size[1]))
        return false;
    return tile == SP_TILE_64X32 || step->conv.out_pitch > size[1] / 2;
}

static void *out_of(const struct timing *t)
{
    return sp_cuda_step_out(t->tuner->plan, t->step, t->memory);
}

/* For a kernel that makes the depthwise convolution itself: nothing is where else that one's result is. */
static enum sp_status spoil_depthwise(const struct timing *t)
{
    const struct sp_cuda_conv *conv = &t->step->conv;
    size_t count =
        (size_t)conv->n * (size_t)t->memory->batch * (size_t)conv->h * (size_t)conv->w * (size_t)conv->pitch;
    void *between = sp_cuda_step_out(t->tuner->plan, taken_by(t->tuner->plan, t->step), t->memory);
    return sp_cuda_agree_spoil(t->tuner->stream, between, count, t->err);
}

static struct timing depthwise_of(const struct timing *t)
{
    struct timing depthwise = *t;
    depthwise.step = taken_by(t->tuner->plan, t->step);
    return depthwise;
}

/* Time a kernel, and whether it gives what the rule's gave. One that the device refuses does not. */
static enum sp_status try_choice(const struct timing *t, int choice, double *ret_us, bool *ret_same)
{
    struct sp_cuda_tuner *tuner = t->tuner;
    bool separable = choice >= SP_CHOICE_SEPARABLE;
    enum sp_status status = sp_cuda_agree_spoil(tuner->stream, out_of(t), numbers_of(t), t->err);
    if (!status && separable)
        status = spoil_depthwise(t);
    if (!status)
        status = time_choice(t, choice, ret_us);
    if (!status)
        status = sp_cuda_agree_look(&tuner->agree, tuner->stream, out_of(t), numbers_of(t), ret_same, t->err);
    const char *why = status == SP_E_INTERNAL ? "cannot be launched" : "gives other numbers";
    if (status == SP_E_INTERNAL)
        status = SP_OK;
    if (!status && !*ret_same) {
        char text[320];
        sp_cuda_step_text(tuner->plan, t->step, choice, text, sizeof text);
        sp_cuda_choices_refuse(tuner->choices, text, t->memory->batch, why);
    }
    if (!status && separable) { /* for the next kernel */
        struct timing depthwise = depthwise_of(t);
        status = launch(&depthwise, 0, 1);
    }
    return status;
}

/* The rule's kernel: its time, its numbers; and what a choice costs besides that leaves a depthwise convolution to
 * itself. */
static enum sp_status try_rule(const struct timing *t, int rule, double *ret_us, double *ret_apart)
{
    struct sp_cuda_tuner *tuner = t->tuner;
    enum sp_status status = sp_cuda_agree_spoil(tuner->stream, out_of(t), numbers_of(t), t->err);
    *ret_apart = 0;
    if (!status && t->step->takes) {
        struct timing depthwise = depthwise_of(t);
        status = time_choice(&depthwise, 0, ret_apart);
    }
    if (!status)
        status = time_choice(t, rule, ret_us);
    return status ? status : sp_cuda_agree_keep(&tuner->agree, tuner->stream, out_of(t), numbers_of(t), t->err);
}

static enum sp_status measure(struct timing *t, int rule, int *ret_choice)
{
    struct sp_cuda *cuda = sp_cuda_stream_device(t->tuner->stream);
    double best = 0, apart = 0;
    enum sp_status status = sp_cuda_event_new(&t->marks[0], cuda, true, t->err);
    if (!status)
        status = sp_cuda_event_new(&t->marks[1], cuda, true, t->err);
    if (!status)
        status = try_rule(t, rule, &best, &apart);
    *ret_choice = rule;
    best = (best + apart) * WORTH;
    for (int choice = 0; choice < SP_CHOICE_COUNT && !status && t->tuner->agree.tells; choice++) {
        double us = 0;
        bool same = false;
        if (choice == rule || !sensible(sp_cuda_facts(cuda), t->step, t->gemm, choice))
            continue;
        status = try_choice(t, choice, &us, &same);
        us += choice < SP_CHOICE_SEPARABLE ? apart : 0;
        if (!status && same && us < best) {
            best = us;
            *ret_choice = choice;
        }
    }
    sp_cuda_event_free(&t->marks[0]);
    sp_cuda_event_free(&t->marks[1]);
    return status;
}

static bool has_alternative(const struct sp_cuda_facts *facts, const struct sp_cuda_step *step,
                            const struct sp_cuda_gemm *gemm)
{
    int count = 0;
    for (int choice = 0; choice < SP_CHOICE_COUNT; choice++)
        count += sensible(facts, step, gemm, choice);
    return count > 1;
}

enum sp_status sp_cuda_tune(int *ret_choice, struct sp_cuda_tuner *tuner, const struct sp_cuda_step *step,
                            struct sp_cuda_gemm *gemm, const struct sp_cuda_memory *memory, struct sp_err *err)
{
    const struct sp_cuda_facts *facts = sp_cuda_facts(sp_cuda_stream_device(tuner->stream));
    struct sp_cuda_layer layer = sp_cuda_tune_layer(tuner->plan, step, memory->batch);
    int rule = sp_cuda_tune_rule(step, gemm != NULL, memory->batch, facts->multiprocessors);
    struct timing timing = {.tuner = tuner, .step = step, .gemm = gemm, .memory = memory, .err = err};
    *ret_choice = rule;
    if (!facts->timed || !has_alternative(facts, step, gemm) ||
        (sp_cuda_choices_find(tuner->choices, &layer, ret_choice) && sensible(facts, step, gemm, *ret_choice)))
        return SP_OK;
    enum sp_status status = measure(&timing, rule, ret_choice);
    if (!status)
        sp_cuda_choices_put(tuner->choices, &layer, *ret_choice);
    return status;
}
