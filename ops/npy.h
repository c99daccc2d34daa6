/* NumPy .npy files, versions 1 and 2, of little-endian float32 in C order: how others give us arrays and check
 * ours. */
#ifndef SALLYPORT_OPS_NPY_H
#define SALLYPORT_OPS_NPY_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_NPY_MAX_RANK 8 /* as SP_TENSOR_MAX_RANK */

struct sp_npy {
    int rank; /* 0: a single value */
    int64_t dims[SP_NPY_MAX_RANK];
    size_t count;  /* of values */
    float *values; /* row-major; owned */
};

/* A file of at most 1 GiB / bytes in memory. SP_E_FORMAT says what does not fit, SP_E_UNSUPPORTED another type than
 * '<f4' or Fortran order. name is used in messages. */
enum sp_status sp_npy_load(struct sp_npy *ret_npy, const char *path, struct sp_err *err);
enum sp_status sp_npy_parse(struct sp_npy *ret_npy, const char *name, const uint8_t *bytes, size_t length,
                            struct sp_err *err);
/* Write version 1; dims as in struct sp_npy. */
enum sp_status sp_npy_save(const char *path, int rank, const int64_t *dims, const float *values,
                           struct sp_err *err);
void sp_npy_clear(struct sp_npy *npy);

#endif
