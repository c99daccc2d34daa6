/* The five nets of @vladmandic/face-api 1.7.15 as ONNX graphs; layer tables in docs/models.md. */
#ifndef SALLYPORT_OPS_FACEAPI_NETS_H
#define SALLYPORT_OPS_FACEAPI_NETS_H

#include "ops/faceapi_build.h"

/* Names of all nets, ended by NULL: "ssd_mobilenetv1", ... ; weights and ONNX files carry them. Static storage. */
const char *const *sp_faceapi_nets_names(void);

/* Weights of `net` -> the bytes of its ONNX file; caller frees. SP_E_NOTFOUND for another name, SP_E_FORMAT where
 * the weights are not that net's. Pure. */
enum sp_status sp_faceapi_nets_convert(const char *net, const struct sp_faceapi_weights *weights,
                                       uint8_t **ret_bytes, size_t *ret_length, struct sp_err *err);

/* The layers of each net, between start and finish; used by sp_faceapi_nets_convert alone. */
void sp_faceapi_recognition_layers(struct sp_faceapi_build *build);
void sp_faceapi_landmarks_layers(struct sp_faceapi_build *build);
void sp_faceapi_landmarks_tiny_layers(struct sp_faceapi_build *build);
void sp_faceapi_detectors_tiny_layers(struct sp_faceapi_build *build);
void sp_faceapi_detectors_ssd_layers(struct sp_faceapi_build *build);

#endif
