/* A net: an ONNX file read, lowered, fused and planned on an engine's backend. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gpu/backend.h"
#include "gpu/fuse.h"
#include "gpu/lower.h"
#include "gpu/onnx.h"
#include "gpu/onnx_scan.h"

#define MOST_BATCH 1024

struct sp_net {
    struct sp_engine *engine;
    struct sp_program *program;
    void *planned; /* the backend's */
    struct sp_tensor_info inputs[SP_NET_MAX_PORTS];
    struct sp_tensor_info outputs[SP_NET_MAX_PORTS];
};

static void fill_info(struct sp_tensor_info *info, const struct sp_program *program, const struct sp_port *port)
{
    const struct sp_value *value = &program->values.at[port->value];
    memcpy(info->name, port->name, sizeof info->name);
    info->rank = value->rank;
    memcpy(info->dims, value->dims, sizeof info->dims);
    if (info->rank)
        info->dims[0] *= program->max_batch;
}

static enum sp_status load(struct sp_net *net, const uint8_t *bytes, size_t length,
                           const struct sp_net_config *config, struct sp_err *err)
{
    struct sp_graph *graph = NULL;
    enum sp_status status = sp_onnx_read(&graph, bytes, length, err);
    if (!status)
        status = sp_lower_graph(&net->program, graph, config, err);
    sp_graph_free(&graph);
    if (!status)
        status = sp_fuse_program(net->program, err);
    if (!status)
        status =
            sp_engine_backend(net->engine)->net_new(&net->planned, sp_engine_state(net->engine), net->program, err);
    if (status)
        return status;
    for (int i = 0; i < net->program->input_count; i++)
        fill_info(&net->inputs[i], net->program, &net->program->inputs[i]);
    for (int i = 0; i < net->program->output_count; i++)
        fill_info(&net->outputs[i], net->program, &net->program->outputs[i]);
    return SP_OK;
}

enum sp_status sp_net_load_memory(struct sp_net **ret_net, struct sp_engine *engine, const uint8_t *bytes,
                                  size_t length, const char *name, const struct sp_net_config *config,
                                  struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_net_config wanted = *config;
    struct sp_net *net = NULL;
    enum sp_status status;
    if (wanted.max_bytes == 0)
        wanted.max_bytes = (size_t)4 << 30;
    if (wanted.max_batch < 1 || wanted.max_batch > MOST_BATCH || wanted.height < 0 || wanted.width < 0) {
        status = sp_fail(&inner, SP_E_INVALID, "max_batch %d outside 1..%d or a negative size", wanted.max_batch,
                         MOST_BATCH);
        goto fail;
    }
    if (wanted.precision != SP_PRECISION_FP16 && wanted.precision != SP_PRECISION_BF16) {
        status = sp_fail(&inner, SP_E_INVALID, "precision %d is neither fp16 nor bf16", (int)wanted.precision);
        goto fail;
    }
    net = calloc(1, sizeof *net);
    if (!net) {
        status = sp_fail(&inner, SP_E_NOMEM, "no memory for a net");
        goto fail;
    }
    net->engine = engine;
    status = load(net, bytes, length, &wanted, &inner);
    if (status)
        goto fail;
    *ret_net = net;
    return SP_OK;
fail:
    sp_net_free(&net);
    sp_fail_in(&inner, "model %.120s", name);
    if (err)
        *err = inner;
    return status;
}

/* The whole file, at most SP_ONNX_MAX_FILE bytes. */
static enum sp_status read_file(uint8_t **ret_bytes, size_t *ret_length, const char *path, struct sp_err *err)
{
    struct stat info;
    uint8_t *bytes = NULL;
    enum sp_status status = SP_OK;
    size_t length = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? sp_fail(err, SP_E_NOTFOUND, "model %s does not exist", path)
                               : sp_fail_errno(err, "model %s cannot be opened", path);
    if (fstat(file, &info) < 0) {
        status = sp_fail_errno(err, "model %s cannot be examined", path);
        goto done;
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > SP_ONNX_MAX_FILE) {
        status =
            sp_fail(err, SP_E_LIMIT, "model %s is no regular file of at most %zu bytes", path, SP_ONNX_MAX_FILE);
        goto done;
    }
    bytes = malloc((size_t)info.st_size + 1);
    if (!bytes) {
        status = sp_fail(err, SP_E_NOMEM, "no memory to read model %s", path);
        goto done;
    }
    while (length < (size_t)info.st_size) {
        ssize_t got = read(file, bytes + length, (size_t)info.st_size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            status = got ? sp_fail_errno(err, "model %s cannot be read", path)
                         : sp_fail(err, SP_E_IO, "model %s became shorter while it was read", path);
            goto done;
        }
        length += (size_t)got;
    }
    *ret_bytes = bytes;
    *ret_length = length;
    bytes = NULL;
done:
    free(bytes);
    close(file);
    return status;
}

enum sp_status sp_net_load(struct sp_net **ret_net, struct sp_engine *engine, const char *path,
                           const struct sp_net_config *config, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = read_file(&bytes, &length, path, err);
    if (status)
        return status;
    status = sp_net_load_memory(ret_net, engine, bytes, length, path, config, err);
    free(bytes);
    return status;
}

void sp_net_free(struct sp_net **net)
{
    if (!*net)
        return;
    if ((*net)->planned)
        sp_engine_backend((*net)->engine)->net_free((*net)->planned);
    sp_program_free(&(*net)->program);
    free(*net);
    *net = NULL;
}

int sp_net_input_count(const struct sp_net *net)
{
    return net->program->input_count;
}

int sp_net_output_count(const struct sp_net *net)
{
    return net->program->output_count;
}

const struct sp_tensor_info *sp_net_input(const struct sp_net *net, int index)
{
    return index >= 0 && index < net->program->input_count ? &net->inputs[index] : NULL;
}

const struct sp_tensor_info *sp_net_output(const struct sp_net *net, int index)
{
    return index >= 0 && index < net->program->output_count ? &net->outputs[index] : NULL;
}

int sp_net_output_index(const struct sp_net *net, const char *name)
{
    for (int i = 0; i < net->program->output_count; i++)
        if (strcmp(net->outputs[i].name, name) == 0)
            return i;
    return -1;
}

enum sp_status sp_net_run(struct sp_net *net, int batch, const float *const *inputs, const float **ret_outputs,
                          struct sp_err *err)
{
    if (batch < 1 || batch > net->program->max_batch)
        return sp_fail(err, SP_E_INVALID, "batch %d of a net planned for 1..%d", batch, net->program->max_batch);
    return sp_engine_backend(net->engine)->net_run(net->planned, batch, inputs, ret_outputs, err);
}

void *sp_net_planned(const struct sp_net *net)
{
    return net->planned;
}

void sp_net_describe(const struct sp_net *net, void (*line)(void *context, const char *text), void *context)
{
    sp_engine_backend(net->engine)->net_describe(net->planned, line, context);
}
