/* Nets of the cpu backend. Two files implement this: cpu_net.c on oneDNN, cpu_plain.c on the reference; the build
 * takes one of them. Signatures as in struct sp_backend_ops. */
#ifndef SALLYPORT_GPU_CPU_NET_H
#define SALLYPORT_GPU_CPU_NET_H

#include "gpu/program.h"

/* What all nets of one engine share. Thread-safe. */
enum sp_status sp_cpu_open(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                           size_t text_size, struct sp_err *err);
void sp_cpu_close(void *state);

enum sp_status sp_cpu_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err);
enum sp_status sp_cpu_net_run(void *net, int batch, const float *const *inputs, const float **ret_outputs,
                              struct sp_err *err);
void sp_cpu_net_describe(const void *net, void (*line)(void *context, const char *text), void *context);
void sp_cpu_net_free(void *net);

#endif
