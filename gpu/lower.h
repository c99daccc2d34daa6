/* Lowering: ONNX nodes -> typed layers, with shape inference and constant folding on the way.
 *
 * One function per operator. It reads the node through the helpers below, checks every attribute, and ends in
 * sp_lower_emit (a layer), sp_lower_constant (a folded value) or sp_lower_alias (nothing to do at run time). */
#ifndef SALLYPORT_GPU_LOWER_H
#define SALLYPORT_GPU_LOWER_H

#include "gpu/program.h"

/* Take the graph's values and lower its nodes for config's batch, height and width. The graph is used up (its
 * values move into the program) but still the caller's to free. */
enum sp_status sp_lower_graph(struct sp_program **ret_program, struct sp_graph *graph,
                              const struct sp_net_config *config, struct sp_err *err);

struct sp_lower {
    struct sp_program *program;
    const struct sp_node *node; /* in work */
    int *alias;                 /* [values of the graph]: value that stands for it */
    int alias_count;
    int opset;
    int64_t fold_budget; /* scalar operations that folding may still spend */
    size_t fold_bytes;   /* bytes that folded constants may still take */
    struct sp_err *err;
};

/* The node's input, resolved; -1 where it is absent. */
int sp_lower_input(const struct sp_lower *lower, int index);
struct sp_value *sp_lower_value(const struct sp_lower *lower, int value);
/* As sp_fail, with the node's name and operator in front. */
enum sp_status sp_lower_fail(const struct sp_lower *lower, enum sp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int64_t sp_lower_int(const struct sp_lower *lower, const char *name, int64_t fallback);
float sp_lower_float(const struct sp_lower *lower, const char *name, float fallback);
const char *sp_lower_string(const struct sp_lower *lower, const char *name, const char *fallback);
/* A list attribute into out[0..most-1]; *ret_count = -1 where the node has none. */
enum sp_status sp_lower_ints(const struct sp_lower *lower, const char *name, int64_t *out, int most,
                             int *ret_count);
/* The list by attribute `name` or, where there is none, by constant input `index`; *ret_count = -1 for neither. */
enum sp_status sp_lower_list(const struct sp_lower *lower, const char *name, int index, int64_t *out, int most,
                             int *ret_count);
/* An input that must be a float32 value made at run time or a constant; SP_E_FORMAT when absent or not float32. */
enum sp_status sp_lower_tensor(const struct sp_lower *lower, int index, int *ret_value);
/* A constant float32 input with `count` elements (any count when -1). */
enum sp_status sp_lower_weights(const struct sp_lower *lower, int index, int64_t count, int *ret_value);
/* Axis -rank..rank-1 into 0..rank-1. */
enum sp_status sp_lower_axis(const struct sp_lower *lower, int64_t axis, int rank, int *ret_axis);
/* Refuse an operation along dim 0 of a run-time value when several items lie there. */
enum sp_status sp_lower_keeps_items(const struct sp_lower *lower, int value, bool keeps);

/* A layer with its inputs; caller fills the parameters and hands it to sp_lower_emit, which takes it in any case.
 */
enum sp_status sp_lower_layer(const struct sp_lower *lower, struct sp_layer *ret_layer, enum sp_op op,
                              const int *inputs, int count);
/* Append the layer with this output shape; folded at once where all its inputs are constant. */
enum sp_status sp_lower_emit(struct sp_lower *lower, struct sp_layer *layer, int rank, const int64_t *dims);
/* Output 0 of the node is a constant. `data` is copied. */
enum sp_status sp_lower_constant(struct sp_lower *lower, enum sp_dtype dtype, int rank, const int64_t *dims,
                                 const void *data);
/* A new unnamed constant, zero-filled; *ret_value its number. */
enum sp_status sp_lower_new_constant(struct sp_lower *lower, enum sp_dtype dtype, int rank, const int64_t *dims,
                                     int *ret_value);
/* Output 0 of the node is this value. */
enum sp_status sp_lower_alias(struct sp_lower *lower, int value);

typedef enum sp_status sp_lower_fn(struct sp_lower *lower);

struct sp_lower_row {
    const char *op;
    sp_lower_fn *fn;
};

/* Tables end with a NULL op. Integer constants are folded by sp_lower_integer, whatever the operator. */
extern const struct sp_lower_row sp_lower_window_rows[];
extern const struct sp_lower_row sp_lower_matmul_rows[];
extern const struct sp_lower_row sp_lower_elementwise_rows[];
extern const struct sp_lower_row sp_lower_shape_rows[];
extern const struct sp_lower_row sp_lower_move_rows[];
sp_lower_fn sp_lower_integer;

#endif
