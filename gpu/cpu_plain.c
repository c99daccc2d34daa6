/* The cpu backend's nets in a build without oneDNN: those of the reference. */
#include "gpu/cpu_net.h"

#include <stdio.h>
#include "gpu/ref_net.h"

enum sp_status sp_cpu_open(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                           size_t text_size, struct sp_err *err)
{
    (void)config;
    (void)err;
    *ret_state = NULL;
    snprintf(ret_text, text_size, "cpu (plain C reference; built without oneDNN)");
    return SP_OK;
}

void sp_cpu_close(void *state)
{
    (void)state;
}

enum sp_status sp_cpu_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    return sp_ref_net_new(ret_net, state, program, err);
}

enum sp_status sp_cpu_net_run(void *net, int batch, const float *const *inputs, const float **ret_outputs,
                              struct sp_err *err)
{
    return sp_ref_net_run(net, batch, inputs, ret_outputs, err);
}

void sp_cpu_net_describe(const void *net, void (*line)(void *context, const char *text), void *context)
{
    sp_ref_net_describe(net, line, context);
}

void sp_cpu_net_free(void *net)
{
    sp_ref_net_free(net);
}
