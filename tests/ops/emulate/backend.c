/* SP_BACKEND_CUDA of a test program: the module's own table, linked in, on a device of plain memory. This file's
 * sp_cuda_load takes the place of the one that opens the module. */
#include "gpu/cuda.h"

extern sp_cuda_module_fn sallyport_cuda_backend;

enum sp_status sp_cuda_load(const struct sp_backend_ops **ret_backend, struct sp_err *err)
{
    (void)err;
    *ret_backend = sallyport_cuda_backend(SP_CUDA_MODULE_VERSION);
    return SP_OK;
}
