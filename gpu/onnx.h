/* ONNX bytes -> struct sp_graph. */
#ifndef SALLYPORT_GPU_ONNX_H
#define SALLYPORT_GPU_ONNX_H

#include "gpu/graph.h"

/* Scan, decode and copy. `bytes` are only read during the call. Caller owns *ret_graph. SP_E_FORMAT, SP_E_LIMIT,
 * SP_E_UNSUPPORTED or SP_E_NOMEM with a sentence that names the tensor or node (not the file). */
enum sp_status sp_onnx_read(struct sp_graph **ret_graph, const uint8_t *bytes, size_t length, struct sp_err *err);

#endif
