/* A look over the wire form of an ONNX file before any allocating decoder sees it. */
#ifndef SALLYPORT_GPU_ONNX_SCAN_H
#define SALLYPORT_GPU_ONNX_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

/* Hard limits; a file over one of them is refused with SP_E_LIMIT. */
#define SP_ONNX_MAX_FILE    ((size_t)1 << 30)
#define SP_ONNX_MAX_FIELDS  (1 << 20) /* of all messages together, elements of numeric lists apart */
#define SP_ONNX_MAX_NODES   (1 << 15)
#define SP_ONNX_MAX_NAME    1024      /* bytes of a name */
#define SP_ONNX_MAX_TEXT    (1 << 20) /* bytes of a doc string or metadata value */
#define SP_ONNX_MAX_LIST    (1 << 16) /* elements of one attribute's list */
#define SP_ONNX_MAX_NUMBERS (1 << 28) /* elements of all typed (not raw) tensor data together */

/* Walk the bytes by ONNX's own message types. SP_OK, SP_E_FORMAT (with the offset), SP_E_LIMIT, or SP_E_UNSUPPORTED
 * for what would nest without bound: subgraphs, functions, training, sparse tensors, sequence and map types.
 * Allocates nothing, nests at most eight deep. */
enum sp_status sp_onnx_scan(const uint8_t *bytes, size_t length, struct sp_err *err);

#endif
