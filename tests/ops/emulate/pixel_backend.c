/* SP_BACKEND_CUDA of a test program: the CUDA backend's pixels on a device of plain memory, with nets that the cpu
 * backend computes where a device would, in their stream's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cpu_net.h"
#include "gpu/cuda.h"
#include "gpu/cuda_device.h"
#include "gpu/cuda_net.h"
#include "gpu/cuda_pixels.h"
#include "gpu/match.h"
#include "tests/ops/emulate/plain_device.h"

static void *cpu; /* state of the cpu backend, beside the one device */

struct net {
    struct sp_cuda *cuda;
    struct sp_cuda_stream *stream;
    void *planned; /* the cpu backend's */
    void *input;
    int output_count;
    size_t floats[SP_NET_MAX_PORTS]; /* of a row of each output */
    void *outputs[SP_NET_MAX_PORTS];
};

static size_t row_floats(const struct sp_program *program, const struct sp_port *port)
{
    const struct sp_value *value = &program->values.at[port->value];
    size_t count = 1;
    for (int i = 0; i < value->rank; i++)
        count *= (size_t)value->dims[i];
    return count;
}

static void free_net(void *made)
{
    struct net *net = made;
    if (!net)
        return;
    if (net->planned)
        sp_cpu_net_free(net->planned);
    sp_cuda_memory_free(net->cuda, &net->input);
    for (int i = 0; i < net->output_count; i++)
        sp_cuda_memory_free(net->cuda, &net->outputs[i]);
    if (net->stream)
        sp_cuda_stream_free(&net->stream);
    free(net);
}

static enum sp_status new_net(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    struct net *net = calloc(1, sizeof *net);
    size_t rows = (size_t)program->max_batch;
    if (!net)
        return sp_fail(err, SP_E_NOMEM, "no memory for a net");
    net->cuda = state;
    enum sp_status status = sp_cpu_net_new(&net->planned, cpu, program, err);
    if (!status)
        status = sp_cuda_stream_new(&net->stream, net->cuda, err);
    if (!status)
        status = sp_cuda_memory_new(&net->input, net->cuda,
                                    rows * row_floats(program, &program->inputs[0]) * sizeof(float), err);
    for (int i = 0; i < program->output_count && !status; i++) {
        net->floats[i] = row_floats(program, &program->outputs[i]);
        net->output_count = i + 1;
        status = sp_cuda_memory_new(&net->outputs[i], net->cuda, rows * net->floats[i] * sizeof(float), err);
    }
    if (status)
        free_net(net);
    else
        *ret_net = net;
    return status;
}

struct work {
    struct net *net;
    int batch;
};

static void compute(const void *payload)
{
    const struct work *work = payload;
    const float *inputs[1] = {work->net->input}, *outputs[SP_NET_MAX_PORTS];
    if (sp_cpu_net_run(work->net->planned, work->batch, inputs, outputs, NULL))
        abort();
    for (int i = 0; i < work->net->output_count; i++)
        memcpy(work->net->outputs[i], outputs[i], (size_t)work->batch * work->net->floats[i] * sizeof(float));
}

struct sp_cuda_stream *sp_cuda_net_stream(void *net)
{
    return ((struct net *)net)->stream;
}

float *sp_cuda_net_input(void *net, int index, int batch)
{
    (void)index;
    (void)batch;
    return ((struct net *)net)->input;
}

const float *sp_cuda_net_output(void *net, int index, int batch)
{
    (void)batch;
    return ((struct net *)net)->outputs[index];
}

enum sp_status sp_cuda_net_enqueue(void *net, int batch, struct sp_err *err)
{
    struct work work = {net, batch};
    (void)err;
    plain_device_do(sp_cuda_stream_native(work.net->stream), compute, &work, sizeof work);
    return SP_OK;
}

static enum sp_status open_plain(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                                 size_t text_size, struct sp_err *err)
{
    struct sp_cuda *cuda = NULL;
    enum sp_status status = sp_cpu_open(&cpu, config, ret_text, text_size, err);
    if (!status)
        status = sp_cuda_open(&cuda, config, ret_text, text_size, err);
    if (!status)
        *ret_state = cuda;
    return status;
}

static void close_plain(void *state)
{
    struct sp_cuda *cuda = state;
    if (plain_device_taken(cuda) != 0) {
        fprintf(stderr, "%zu bytes of device memory are still taken\n", plain_device_taken(cuda));
        abort();
    }
    sp_cuda_close(&cuda);
    sp_cpu_close(cpu);
}

static void spent_plain(const void *state, uint64_t ret_us[SP_WORK_COUNT])
{
    sp_cuda_spent(state, ret_us);
}

static const struct sp_pixel_ops pixel_ops = {
    .open = sp_cuda_pixels_new,
    .close = sp_cuda_pixels_free,
    .load = sp_cuda_pixels_load,
    .fit = sp_cuda_pixels_fit,
    .chips = sp_cuda_pixels_chips,
    .run = sp_cuda_pixels_run,
    .find = sp_cuda_pixels_find,
    .cut = sp_cuda_pixels_cut,
};

static const struct sp_backend_ops table = {
    .name = "cuda",
    .open = open_plain,
    .close = close_plain,
    .spent = spent_plain,
    .net_new = new_net,
    .net_free = free_net,
    .match = sp_match_ref,
    .pixels = &pixel_ops,
};

enum sp_status sp_cuda_load(const struct sp_backend_ops **ret_backend, struct sp_err *err)
{
    (void)err;
    *ret_backend = &table;
    return SP_OK;
}
