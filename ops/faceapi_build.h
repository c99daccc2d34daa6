/* The layers that the face-api nets share, from TensorFlow weights to ONNX nodes. Errors stick in `err`: a net is
 * written as a list of layers and asked for its result once (sp_faceapi_build_finish). Values are names of the ONNX
 * graph. */
#ifndef SALLYPORT_OPS_FACEAPI_BUILD_H
#define SALLYPORT_OPS_FACEAPI_BUILD_H

#include <stdbool.h>
#include "ops/faceapi_weights.h"
#include "ops/onnx_write.h"

#define SP_FACEAPI_MAX_CHANNELS 1024

struct sp_faceapi_build {
    struct sp_onnx_write *onnx;               /* owned by sp_faceapi_build_start/finish */
    const struct sp_faceapi_weights *weights; /* borrowed */
    const char *net;                          /* for messages */
    struct sp_err err;                        /* the first error */
};

/* y = scale[c] * (conv without bias) + shift[c]: a batch-norm or scale layer folded into its convolution. */
struct sp_faceapi_fold {
    int channels;
    double scale[SP_FACEAPI_MAX_CHANNELS];
    double shift[SP_FACEAPI_MAX_CHANNELS];
};

struct sp_faceapi_conv {
    const char *filters; /* tensor [kh][kw][in][out]; depthwise [kh][kw][channels][1] */
    const char *bias;    /* tensor [out] or NULL; not together with fold */
    int stride;          /* 1 or 2 */
    /* TensorFlow 'same' for kernels of 3: pads 1,1,1,1 at stride 1; 0,0,1,1 at stride 2, where every input here is
     * even. Else 'valid'. */
    bool same;
    bool depthwise;
    const struct sp_faceapi_fold *fold; /* NULL: none */
    const char *output;                 /* NULL: a made-up name */
};

struct sp_faceapi_pool {
    const char *op; /* "MaxPool" or "AveragePool" */
    int size, stride;
    int pad_end; /* at bottom and right */
};

/* Fill build; on failure nothing is held. */
enum sp_status sp_faceapi_build_start(struct sp_faceapi_build *build, const char *net, int opset,
                                      const struct sp_faceapi_weights *weights, struct sp_err *err);
/* Serialise and release; caller frees *ret_bytes. Returns the first error of any layer. */
enum sp_status sp_faceapi_build_finish(struct sp_faceapi_build *build, uint8_t **ret_bytes, size_t *ret_length,
                                       struct sp_err *err);

/* A weight tensor "PREFIX/NAME"; NULL (and an error) where it is absent or has another rank. */
const struct sp_faceapi_tensor *sp_faceapi_build_tensor(struct sp_faceapi_build *build, const char *prefix,
                                                        const char *name, int rank);

const char *sp_faceapi_build_conv(struct sp_faceapi_build *build, const char *input,
                                  const struct sp_faceapi_conv *conv);
/* Depthwise 3x3 without bias, then pointwise 1x1 with bias: tensors
 * PREFIX/{depthwise_filter,pointwise_filter,bias}. */
const char *sp_faceapi_build_separable(struct sp_faceapi_build *build, const char *input, const char *prefix,
                                       int stride);
const char *sp_faceapi_build_relu(struct sp_faceapi_build *build, const char *input);
const char *sp_faceapi_build_add(struct sp_faceapi_build *build, const char *a, const char *b, const char *output);
const char *sp_faceapi_build_pool(struct sp_faceapi_build *build, const char *input,
                                  const struct sp_faceapi_pool *pool);
/* Flatten, then times the tensor `matrix` [in][out]. output NULL: a made-up name. */
const char *sp_faceapi_build_dense(struct sp_faceapi_build *build, const char *input, const char *matrix,
                                   const char *output);

#endif
