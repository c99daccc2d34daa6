#include "gpu/cuda_step.h"

#include "gpu/cuda_choice.h"

struct run {
    const struct sp_cuda_kernels *kernels; /* of the net's precision */
    const struct sp_cuda_plan *plan;
    const struct sp_cuda_step *step;
    const struct sp_cuda_memory *memory;
    struct sp_cuda *cuda;
    void *stream;
    struct sp_err *err;
};

static void *place_of(const struct sp_cuda_plan *plan, const struct sp_cuda_memory *memory,
                      const struct sp_cuda_ref *ref)
{
    switch (ref->place) {
    case SP_PLACE_CONSTANT:
        return memory->constants + ref->bytes;
    case SP_PLACE_ARENA:
        return memory->arena + plan->buffers[ref->index].offset + ref->bytes;
    case SP_PLACE_INPUT:
        return memory->inputs[ref->index] + ref->bytes;
    case SP_PLACE_OUTPUT:
        return memory->outputs[ref->index] + ref->bytes;
    default:
        return NULL;
    }
}

void *sp_cuda_step_out(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step,
                       const struct sp_cuda_memory *memory)
{
    return place_of(plan, memory, &step->out);
}

static void *address(const struct run *run, const struct sp_cuda_ref *ref)
{
    return place_of(run->plan, run->memory, ref);
}

static struct sp_cuda_conv conv_of(const struct run *run)
{
    struct sp_cuda_conv args = run->step->conv;
    args.x = address(run, &run->step->x);
    args.weights = address(run, &run->step->weights);
    args.bias = address(run, &run->step->bias);
    args.row_class = address(run, &run->step->tables[0]);
    args.column_class = address(run, &run->step->tables[1]);
    args.residual = address(run, &run->step->residual);
    args.out = address(run, &run->step->out);
    args.act.slope = address(run, &run->step->slope);
    args.n *= run->memory->batch;
    return args;
}

static enum sp_status run_conv(const struct run *run, enum sp_cuda_tile tile)
{
    struct sp_cuda_conv args = conv_of(run);
    args.tile = tile;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->conv(run->stream, &args));
}

static struct sp_cuda_depthwise depthwise_of(const struct run *run, const struct sp_cuda_step *step)
{
    struct sp_cuda_depthwise args = step->depthwise;
    args.x = address(run, &step->x);
    args.weights = address(run, &step->weights);
    args.bias = address(run, &step->bias);
    args.residual = address(run, &step->residual);
    args.out = address(run, &step->out);
    args.act.slope = address(run, &step->slope);
    args.n *= run->memory->batch;
    return args;
}

static enum sp_status run_depthwise(const struct run *run)
{
    struct sp_cuda_depthwise args = depthwise_of(run, run->step);
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->depthwise(run->stream, &args));
}

static enum sp_status run_separable(const struct run *run, enum sp_cuda_tile tile)
{
    struct sp_cuda_separable args = {.depth = depthwise_of(run, &run->plan->steps[run->step->takes - 1]),
                                     .point = conv_of(run)};
    args.point.tile = tile;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->separable(run->stream, &args));
}

static enum sp_status run_grouped(const struct run *run)
{
    struct sp_cuda_grouped args = run->step->grouped;
    args.x = address(run, &run->step->x);
    args.weights = address(run, &run->step->weights);
    args.bias = address(run, &run->step->bias);
    args.residual = address(run, &run->step->residual);
    args.out = address(run, &run->step->out);
    args.act.slope = address(run, &run->step->slope);
    args.n *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->grouped(run->stream, &args));
}

static enum sp_status run_window(const struct run *run)
{
    void *x = address(run, &run->step->x), *out = address(run, &run->step->out);
    if (run->step->kind == SP_STEP_POOL) {
        struct sp_cuda_pool args = run->step->pool;
        args.x = x;
        args.out = out;
        args.n *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->pool(run->stream, &args));
    }
    if (run->step->kind == SP_STEP_PAD) {
        struct sp_cuda_pad args = run->step->pad;
        args.x = x;
        args.out = out;
        args.n *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->pad(run->stream, &args));
    }
    if (run->step->kind == SP_STEP_RESIZE) {
        struct sp_cuda_resize args = run->step->resize;
        args.x = x;
        args.out = out;
        args.rows = address(run, &run->step->tables[0]);
        args.columns = address(run, &run->step->tables[1]);
        args.n *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->resize(run->stream, &args));
    }
    struct sp_cuda_planes args = run->step->planes;
    args.x = x;
    args.out = out;
    args.n *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->planes(run->stream, &args));
}

static enum sp_status run_map(const struct run *run)
{
    struct sp_cuda_map args = run->step->map;
    args.out.data = address(run, &run->step->out);
    args.a.data = address(run, &run->step->x);
    args.b.data = address(run, &run->step->b);
    args.c.data = address(run, &run->step->c);
    args.slope.data = address(run, &run->step->slope);
    args.dims[run->step->batch_dim] *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->map(run->stream, &args));
}

static enum sp_status run_wide(const struct run *run)
{
    struct sp_cuda_wide args = run->step->wide;
    args.out = address(run, &run->step->out);
    args.a = address(run, &run->step->x);
    args.b = address(run, &run->step->b);
    args.c = address(run, &run->step->c);
    args.act.slope = address(run, &run->step->slope);
    args.pixels *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->wide(run->stream, &args));
}

static enum sp_status run_move(const struct run *run)
{
    void *x = address(run, &run->step->x), *out = address(run, &run->step->out);
    if (run->step->kind == SP_STEP_PIECES) {
        struct sp_cuda_pieces args = run->step->pieces;
        args.x = x;
        args.out = out;
        args.rows *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->pieces(run->stream, &args));
    }
    if (run->step->kind == SP_STEP_ZERO) {
        struct sp_cuda_zero args = run->step->zero;
        args.out = out;
        args.count *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->zero(run->stream, &args));
    }
    struct sp_cuda_gather args = run->step->gather;
    args.x = x;
    args.out = out;
    args.index = address(run, &run->step->tables[0]);
    args.outer *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->gather(run->stream, &args));
}

static enum sp_status run_along(const struct run *run)
{
    void *x = address(run, &run->step->x), *out = address(run, &run->step->out);
    if (run->step->kind == SP_STEP_REDUCE) {
        struct sp_cuda_reduce args = run->step->reduce;
        args.x = x;
        args.out = out;
        if (args.kept_rank)
            args.kept[0] *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->reduce(run->stream, &args));
    }
    if (run->step->kind == SP_STEP_SOFTMAX) {
        struct sp_cuda_softmax args = run->step->softmax;
        args.x = x;
        args.out = out;
        args.outer *= run->memory->batch;
        return SP_CUDA_TRY(run->cuda, run->err, run->kernels->softmax(run->stream, &args));
    }
    struct sp_cuda_norm args = run->step->norm;
    args.x = x;
    args.out = out;
    args.scale = address(run, &run->step->weights);
    args.shift = address(run, &run->step->bias);
    args.act.slope = address(run, &run->step->slope);
    args.items *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->norm(run->stream, &args));
}

static enum sp_status run_matmul(const struct run *run)
{
    struct sp_cuda_matmul args = run->step->matmul;
    args.a = address(run, &run->step->x);
    args.b = address(run, &run->step->b);
    args.bias = address(run, &run->step->bias);
    args.out = address(run, &run->step->out);
    if (args.one_b)
        args.m *= run->memory->batch;
    else
        args.blocks *= run->memory->batch;
    return SP_CUDA_TRY(run->cuda, run->err, run->kernels->matmul(run->stream, &args));
}

static enum sp_status run_product(const struct run *run, struct sp_cuda_gemm *gemm, struct sp_cuda_stream *stream)
{
    const struct sp_cuda_step *step = run->step;
    return sp_cuda_gemm_run(gemm, stream, run->memory->which, address(run, &step->x), address(run, &step->residual),
                            address(run, &step->out), run->err);
}

enum sp_status sp_cuda_step_run(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step,
                                struct sp_cuda_gemm *gemm, int choice, const struct sp_cuda_memory *memory,
                                struct sp_cuda_stream *stream, struct sp_err *err)
{
    struct run run = {.kernels = sp_cuda_kernels_of(plan->program->precision),
                      .plan = plan,
                      .step = step,
                      .memory = memory,
                      .cuda = sp_cuda_stream_device(stream),
                      .stream = sp_cuda_stream_native(stream),
                      .err = err};
    switch (step->kind) {
    case SP_STEP_CONV:
        if (choice == SP_CHOICE_LIBRARY)
            return run_product(&run, gemm, stream);
        return choice < SP_CHOICE_SEPARABLE ? run_conv(&run, sp_cuda_choice_tile(choice))
                                            : run_separable(&run, sp_cuda_choice_tile(choice));
    case SP_STEP_GEMM:
        return run_product(&run, gemm, stream);
    case SP_STEP_DEPTHWISE:
        return choice == SP_CHOICE_TAKEN ? SP_OK : run_depthwise(&run);
    case SP_STEP_GROUPED:
        return run_grouped(&run);
    case SP_STEP_POOL:
    case SP_STEP_PAD:
    case SP_STEP_RESIZE:
    case SP_STEP_PLANES:
        return run_window(&run);
    case SP_STEP_MAP:
        return run_map(&run);
    case SP_STEP_WIDE:
        return run_wide(&run);
    case SP_STEP_PIECES:
    case SP_STEP_ZERO:
    case SP_STEP_GATHER:
        return run_move(&run);
    case SP_STEP_REDUCE:
    case SP_STEP_SOFTMAX:
    case SP_STEP_NORM:
        return run_along(&run);
    case SP_STEP_MATMUL:
        return run_matmul(&run);
    }
    return sp_fail(err, SP_E_INTERNAL, "cuda: a step of kind %d", (int)step->kind);
}
