/* Passes over a program that leave fewer layers with the same result. */
#ifndef SALLYPORT_GPU_FUSE_H
#define SALLYPORT_GPU_FUSE_H

#include "gpu/program.h"

/* Drop layers nobody reads; fold scales into the convolution before them; fuse bias, residual addition and
 * activation into the layer that makes their operand. SP_E_NOMEM only. */
enum sp_status sp_fuse_program(struct sp_program *program, struct sp_err *err);

#endif
