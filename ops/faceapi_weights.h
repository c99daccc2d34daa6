/* The weight files of the face-api package: a JSON manifest (groups of tensors with name, shape, type and 8-bit
 * quantisation) and binary files in which all tensors lie back to back. Everything becomes float32. */
#ifndef SALLYPORT_OPS_FACEAPI_WEIGHTS_H
#define SALLYPORT_OPS_FACEAPI_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_FACEAPI_MAX_RANK 4

struct sp_faceapi_tensor {
    char name[128];
    int rank; /* 0: a single value */
    int64_t dims[SP_FACEAPI_MAX_RANK];
    size_t count;  /* of values */
    float *values; /* row-major, layout as TensorFlow's: filters [height][width][in][out] */
};

struct sp_faceapi_weights {
    size_t count;
    struct sp_faceapi_tensor *tensors;
};

/* Manifest and the joined bytes of its binary files. name is used in messages. Limits: 1024 tensors, 64 MiB of
 * bytes. SP_E_FORMAT names manifest, line and tensor; also when the sizes do not add up to length exactly. Pure. */
enum sp_status sp_faceapi_weights_parse(struct sp_faceapi_weights **ret_weights, const char *name,
                                        const void *manifest, size_t manifest_length, const uint8_t *bytes,
                                        size_t length, struct sp_err *err);
/* DIRECTORY/NET_model-weights_manifest.json and the files it names, which must lie in DIRECTORY. Blocking. */
enum sp_status sp_faceapi_weights_load(struct sp_faceapi_weights **ret_weights, const char *directory,
                                       const char *net, struct sp_err *err);
void sp_faceapi_weights_free(struct sp_faceapi_weights **weights);

/* The tensor of this name, or NULL. */
const struct sp_faceapi_tensor *sp_faceapi_weights_find(const struct sp_faceapi_weights *weights, const char *name);

#endif
