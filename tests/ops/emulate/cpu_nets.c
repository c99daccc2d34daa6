/* gpu/cuda_net.h by the cpu backend, for tests of everything around nets: a net is computed where a device would,
 * in its stream's order. */
#include <stdlib.h>
#include <string.h>
#include "gpu/cpu_net.h"
#include "gpu/cuda_device.h"
#include "gpu/cuda_net.h"
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

void sp_cuda_net_free(void *made)
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

enum sp_status sp_cuda_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    struct net *net = calloc(1, sizeof *net);
    size_t rows = (size_t)program->max_batch;
    if (!net)
        return sp_fail(err, SP_E_NOMEM, "no memory for a net");
    net->cuda = ((struct sp_cuda_nets *)state)->cuda;
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
        sp_cuda_net_free(net);
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

enum sp_status sp_cuda_net_run(void *net, int batch, const float *const *inputs, const float **ret_outputs,
                               struct sp_err *err)
{
    (void)net;
    (void)batch;
    (void)inputs;
    (void)ret_outputs;
    return sp_fail(err, SP_E_UNSUPPORTED, "these nets take what is on the device already");
}

void sp_cuda_net_describe(const void *net, void (*line)(void *context, const char *text), void *context)
{
    (void)net;
    (void)line;
    (void)context;
}

enum sp_status sp_cuda_nets_open(struct sp_cuda_nets *nets, struct sp_cuda *cuda, const char *folder,
                                 const char *build, struct sp_err *err)
{
    char text[128];
    (void)folder;
    (void)build;
    nets->cuda = cuda;
    return sp_cpu_open(&cpu, &(struct sp_engine_config){.threads = 1}, text, sizeof text, err);
}

void sp_cuda_nets_close(struct sp_cuda_nets *nets)
{
    if (nets->cuda)
        sp_cpu_close(cpu);
}
