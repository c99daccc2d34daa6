/* Builds one ONNX graph and serialises it. Errors stick: after the first one every call is a no-op that returns ""
 * or nothing, and sp_onnx_write_finish reports it, so that a net reads as a list of layers.
 *
 * Not thread-safe. Strings and data are copied. Value names must be unique; those made up here are "op_N". */
#ifndef SALLYPORT_OPS_ONNX_WRITE_H
#define SALLYPORT_OPS_ONNX_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

struct sp_onnx_write;

/* A graph of this name for the operator set `opset` (10 or 11 are in use here). */
enum sp_status sp_onnx_write_new(struct sp_onnx_write **ret_write, const char *graph, int opset,
                                 struct sp_err *err);
void sp_onnx_write_free(struct sp_onnx_write **write);

/* Float inputs and outputs of the graph. shape: "N,3,150,150"; what is no number is a symbolic dimension. */
void sp_onnx_write_input(struct sp_onnx_write *write, const char *name, const char *shape);
void sp_onnx_write_output(struct sp_onnx_write *write, const char *name, const char *shape);
/* A free text of the file ("kind" = "embed"). */
void sp_onnx_write_meta(struct sp_onnx_write *write, const char *key, const char *value);

/* Initializers: product(dims) values, row-major. Return the name's copy, for use as a node's input. */
const char *sp_onnx_write_floats(struct sp_onnx_write *write, const char *name, int rank, const int64_t *dims,
                                 const float *values);
const char *sp_onnx_write_int64s(struct sp_onnx_write *write, const char *name, int count, const int64_t *values);

/* A node of one output, in execution order. output NULL: a name is made up. Returns the output's name, valid until
 * free. The attribute calls below belong to the node made last. */
const char *sp_onnx_write_node(struct sp_onnx_write *write, const char *op, const char *output, int input_count,
                               const char *const *inputs);
void sp_onnx_write_attr_int(struct sp_onnx_write *write, const char *name, int64_t value);
void sp_onnx_write_attr_float(struct sp_onnx_write *write, const char *name, float value);
void sp_onnx_write_attr_ints(struct sp_onnx_write *write, const char *name, int count, const int64_t *values);
void sp_onnx_write_attr_text(struct sp_onnx_write *write, const char *name, const char *value);

/* The file's bytes in a new buffer; caller frees. The first error of any call above, else SP_OK. */
enum sp_status sp_onnx_write_finish(struct sp_onnx_write *write, uint8_t **ret_bytes, size_t *ret_length,
                                    struct sp_err *err);

#endif
