/* Choosing the kernel of every convolution of a net at every batch size: as the table of measurements says, else by
 * measuring now, else (where the device's times mean nothing) by rule. */
#ifndef SALLYPORT_GPU_CUDA_TUNE_H
#define SALLYPORT_GPU_CUDA_TUNE_H

#include "gpu/cuda_agree.h"
#include "gpu/cuda_choice.h"
#include "gpu/cuda_step.h"

/* The rule: the library where it can, else the largest tile that gives every multiprocessor a block. */
int sp_cuda_tune_rule(const struct sp_cuda_step *step, bool library, int batch, int multiprocessors);

/* The layer at this batch size, as the table knows it, with the depthwise one that it could make as well. */
struct sp_cuda_layer sp_cuda_tune_layer(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step,
                                        int batch);

/* What the choices of a net need. */
struct sp_cuda_tuner {
    const struct sp_cuda_plan *plan;
    struct sp_cuda_choices *choices;
    struct sp_cuda_stream *stream;
    struct sp_cuda_agree agree;
};

/* The choice for one step at memory->batch, whose input is what the steps before it made of some numbers: a kernel
 * that is faster but gives other numbers than the rule's is not taken, and the choices' note says so; where the
 * rule's are no numbers, or all 0, the rule stays. gemm: NULL where the library cannot. Blocking; what the step
 * leaves may be any kernel's. */
enum sp_status sp_cuda_tune(int *ret_choice, struct sp_cuda_tuner *tuner, const struct sp_cuda_step *step,
                            struct sp_cuda_gemm *gemm, const struct sp_cuda_memory *memory, struct sp_err *err);

#endif
