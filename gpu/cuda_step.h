/* Giving one step of a plan to a stream. */
#ifndef SALLYPORT_GPU_CUDA_STEP_H
#define SALLYPORT_GPU_CUDA_STEP_H

#include "gpu/cuda_gemm.h"
#include "gpu/cuda_plan.h"

/* Where the places of a plan are, for one batch size. */
struct sp_cuda_memory {
    char *constants, *arena;
    char *inputs[SP_NET_MAX_PORTS], *outputs[SP_NET_MAX_PORTS];
    int batch;
    int which; /* number of the batch size, for products */
};

/* Without waiting. gemm: of a GEMM step and of a CONV that the library can do, else NULL. choice: of a CONV (enum
 * sp_cuda_choice). */
enum sp_status sp_cuda_step_run(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step,
                                struct sp_cuda_gemm *gemm, int choice, const struct sp_cuda_memory *memory,
                                struct sp_cuda_stream *stream, struct sp_err *err);
/* Where its result is. */
void *sp_cuda_step_out(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step,
                       const struct sp_cuda_memory *memory);

#endif
