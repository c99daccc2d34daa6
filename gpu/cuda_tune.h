/* Choosing the kernel of every convolution of a net at every batch size: as the table of measurements says, else by
 * measuring now, else (where the device's times mean nothing) by rule. */
#ifndef SALLYPORT_GPU_CUDA_TUNE_H
#define SALLYPORT_GPU_CUDA_TUNE_H

#include "gpu/cuda_choice.h"
#include "gpu/cuda_step.h"

/* The rule: the library where it can, else the largest tile that gives every multiprocessor a block. */
int sp_cuda_tune_rule(const struct sp_cuda_step *step, bool library, int batch, int multiprocessors);

/* The layer at this batch size, as the table knows it. */
struct sp_cuda_layer sp_cuda_tune_layer(const struct sp_cuda_plan *plan, const struct sp_cuda_step *step,
                                        int batch);

/* The choice for one step at memory->batch. gemm: NULL where the library cannot. Blocking; runs the step's kernels
 * on whatever is in memory. */
enum sp_status sp_cuda_tune(int *ret_choice, struct sp_cuda_choices *choices, const struct sp_cuda_plan *plan,
                            const struct sp_cuda_step *step, struct sp_cuda_gemm *gemm,
                            const struct sp_cuda_memory *memory, struct sp_cuda_stream *stream, struct sp_err *err);

#endif
