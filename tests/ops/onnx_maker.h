/* Small ONNX models for tests, written with the same generated protobuf-c code that the loader reads with.
 *
 * Calls end the test on a lack of memory. Names are copied. Attributes go to the node added last. */
#ifndef SALLYPORT_TESTS_OPS_ONNX_MAKER_H
#define SALLYPORT_TESTS_OPS_ONNX_MAKER_H

#include <stddef.h>
#include <stdint.h>

struct onnx_maker;

struct onnx_maker *onnx_maker_new(int opset);
void onnx_maker_free(struct onnx_maker **maker);

/* A float32 graph input; a dim of 0 is written as a symbolic one. */
void onnx_maker_input(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims);
void onnx_maker_output(struct onnx_maker *maker, const char *name);
/* Initializers, stored raw. */
void onnx_maker_floats(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims,
                       const float *data);
void onnx_maker_ints(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims,
                     const int64_t *data);
/* A node "op" with inputs "a b c" ("-" for an omitted one) and one output; its name is that of the output. */
void onnx_maker_node(struct onnx_maker *maker, const char *op, const char *inputs, const char *output);
void onnx_maker_int(struct onnx_maker *maker, const char *name, int64_t value);
void onnx_maker_float(struct onnx_maker *maker, const char *name, float value);
void onnx_maker_string(struct onnx_maker *maker, const char *name, const char *value);
void onnx_maker_list(struct onnx_maker *maker, const char *name, int count, const int64_t *values);

/* The file's bytes; caller frees. */
uint8_t *onnx_maker_pack(struct onnx_maker *maker, size_t *ret_length);

#endif
