/* The reference backend's nets, also those of a cpu backend built without oneDNN. Signatures as in struct
 * sp_backend_ops. */
#ifndef SALLYPORT_GPU_REF_NET_H
#define SALLYPORT_GPU_REF_NET_H

#include "gpu/program.h"

enum sp_status sp_ref_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err);
enum sp_status sp_ref_net_run(void *net, int batch, const float *const *inputs, const float **ret_outputs,
                              struct sp_err *err);
void sp_ref_net_describe(const void *net, void (*line)(void *context, const char *text), void *context);
void sp_ref_net_free(void *net);

#endif
