/* The CUDA backend as the programs see it: a module beside them, opened when it is asked for. No CUDA header here:
 * the programs start, and say why, on a machine without a driver or CUDA's libraries. */
#ifndef SALLYPORT_GPU_CUDA_H
#define SALLYPORT_GPU_CUDA_H

#include "gpu/backend.h"

/* Grows with every change of struct sp_backend_ops or of what crosses it; a module of another build is refused. */
#define SP_CUDA_MODULE_VERSION 5

/* The one symbol of sallyport_cuda.so: its table, or NULL for a version it was not built with. */
typedef const struct sp_backend_ops *sp_cuda_module_fn(unsigned version);
#define SP_CUDA_MODULE_SYMBOL "sallyport_cuda_backend"

/* Find and open the module: beside the running program, in ../lib/sallyport, or where the build put it. Blocking,
 * thread-safe; the module stays loaded. SP_E_UNSUPPORTED with the reason ("cuda: ..."). Alone in its file: a test
 * puts another in its place. */
enum sp_status sp_cuda_load(const struct sp_backend_ops **ret_backend, struct sp_err *err);

#endif
