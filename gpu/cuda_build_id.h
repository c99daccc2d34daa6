/* Which build of the module this is: the linker's build id (GNU note), so that measurements made with other kernels
 * are not believed. */
#ifndef SALLYPORT_GPU_CUDA_BUILD_ID_H
#define SALLYPORT_GPU_CUDA_BUILD_ID_H

#define SP_CUDA_BUILD_ID 65

/* In hexadecimal; "" where the module has none. */
void sp_cuda_build_id(char ret_text[SP_CUDA_BUILD_ID]);

#endif
