#include "gpu/lower.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/ref.h"

#define FOLD_OPERATIONS ((int64_t)1 << 26)
#define FOLD_BYTES      ((size_t)64 << 20)

struct sp_value *sp_lower_value(const struct sp_lower *lower, int value)
{
    return &lower->program->values.at[value];
}

int sp_lower_input(const struct sp_lower *lower, int index)
{
    if (index >= lower->node->input_count || lower->node->inputs[index] < 0)
        return -1;
    return lower->alias[lower->node->inputs[index]];
}

enum sp_status sp_lower_fail(const struct sp_lower *lower, enum sp_status status, const char *format, ...)
{
    char what[320];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return sp_fail(lower->err, status, "node '%.80s' (%.40s): %s", lower->node->name, lower->node->op, what);
}

int64_t sp_lower_int(const struct sp_lower *lower, const char *name, int64_t fallback)
{
    const struct sp_attr *attr = sp_node_attr(lower->node, name);
    return attr && attr->kind == SP_ATTR_INT                    ? attr->i
           : attr && attr->kind == SP_ATTR_INTS && !attr->count ? 0
                                                                : fallback;
}

float sp_lower_float(const struct sp_lower *lower, const char *name, float fallback)
{
    const struct sp_attr *attr = sp_node_attr(lower->node, name);
    return attr && attr->kind == SP_ATTR_FLOAT                  ? attr->f
           : attr && attr->kind == SP_ATTR_INTS && !attr->count ? 0
                                                                : fallback;
}

const char *sp_lower_string(const struct sp_lower *lower, const char *name, const char *fallback)
{
    const struct sp_attr *attr = sp_node_attr(lower->node, name);
    return attr && attr->kind == SP_ATTR_STRING ? attr->s : fallback;
}

enum sp_status sp_lower_ints(const struct sp_lower *lower, const char *name, int64_t *out, int most, int *ret_count)
{
    const struct sp_attr *attr = sp_node_attr(lower->node, name);
    *ret_count = -1;
    if (!attr)
        return SP_OK;
    if (attr->kind != SP_ATTR_INTS || attr->count > most)
        return sp_lower_fail(lower, SP_E_FORMAT, "attribute '%s' is not a list of at most %d integers", name, most);
    for (int i = 0; i < attr->count; i++)
        out[i] = attr->ints[i];
    *ret_count = attr->count;
    return SP_OK;
}

enum sp_status sp_lower_list(const struct sp_lower *lower, const char *name, int index, int64_t *out, int most,
                             int *ret_count)
{
    enum sp_status status = sp_lower_ints(lower, name, out, most, ret_count);
    int value = sp_lower_input(lower, index);
    if (status || *ret_count >= 0 || value < 0)
        return status;
    const struct sp_value *list = sp_lower_value(lower, value);
    if (!list->data || list->dtype != SP_DTYPE_I64)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "'%s' is not known before the net runs", name);
    if (list->rank > 1 || list->count > most)
        return sp_lower_fail(lower, SP_E_FORMAT, "'%s' is not a list of at most %d integers", name, most);
    memcpy(out, list->data, (size_t)list->count * sizeof *out);
    *ret_count = (int)list->count;
    return SP_OK;
}

enum sp_status sp_lower_tensor(const struct sp_lower *lower, int index, int *ret_value)
{
    int value = sp_lower_input(lower, index);
    if (value < 0)
        return sp_lower_fail(lower, SP_E_FORMAT, "input %d is missing", index);
    if (sp_lower_value(lower, value)->dtype != SP_DTYPE_F32)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "input %d is not float32", index);
    *ret_value = value;
    return SP_OK;
}

enum sp_status sp_lower_weights(const struct sp_lower *lower, int index, int64_t count, int *ret_value)
{
    enum sp_status status = sp_lower_tensor(lower, index, ret_value);
    if (status)
        return status;
    const struct sp_value *value = sp_lower_value(lower, *ret_value);
    if (!value->data)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "input %d is not constant", index);
    if (count >= 0 && value->count != count)
        return sp_lower_fail(lower, SP_E_FORMAT, "input %d has %lld elements, expected %lld", index,
                             (long long)value->count, (long long)count);
    return SP_OK;
}

enum sp_status sp_lower_axis(const struct sp_lower *lower, int64_t axis, int rank, int *ret_axis)
{
    if (axis < -rank || axis >= rank)
        return sp_lower_fail(lower, SP_E_FORMAT, "axis %lld is outside rank %d", (long long)axis, rank);
    *ret_axis = (int)(axis < 0 ? axis + rank : axis);
    return SP_OK;
}

enum sp_status sp_lower_keeps_items(const struct sp_lower *lower, int value, bool keeps)
{
    if (keeps || lower->program->max_batch == 1 || sp_lower_value(lower, value)->data)
        return SP_OK;
    return sp_lower_fail(lower, SP_E_UNSUPPORTED,
                         "works along the batch; the net can only be loaded with max_batch 1");
}

enum sp_status sp_lower_layer(const struct sp_lower *lower, struct sp_layer *ret_layer, enum sp_op op,
                              const int *inputs, int count)
{
    *ret_layer = (struct sp_layer){.op = op, .residual = -1, .output = -1, .act.slope = -1, .input_count = count};
    ret_layer->inputs = malloc((size_t)(count + 1) * sizeof *inputs);
    size_t size = 160;
    ret_layer->name = malloc(size);
    if (!ret_layer->inputs || !ret_layer->name) {
        sp_layer_clear(ret_layer);
        return sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    }
    memcpy(ret_layer->inputs, inputs, (size_t)count * sizeof *inputs);
    snprintf(ret_layer->name, size, "'%.100s' (%.40s)", lower->node->name, lower->node->op);
    return SP_OK;
}

/* The number of the node's output 0, not yet defined by anything else. */
static enum sp_status define_output(struct sp_lower *lower, int *ret_value)
{
    if (!lower->node->output_count || lower->node->outputs[0] < 0)
        return sp_lower_fail(lower, SP_E_FORMAT, "it has no output");
    int value = lower->node->outputs[0];
    if (lower->alias[value] != value || sp_lower_value(lower, value)->rank >= 0)
        return sp_lower_fail(lower, SP_E_FORMAT, "its output '%.100s' is defined twice",
                             sp_lower_value(lower, value)->name);
    *ret_value = value;
    return SP_OK;
}

/* Set an output's shape after checking it against every limit. */
static enum sp_status shape_value(struct sp_lower *lower, struct sp_value *value, int rank, const int64_t *dims)
{
    char text[128];
    if (rank < 0 || rank > SP_TENSOR_MAX_RANK || !sp_shape_count(rank, dims, &value->count))
        return sp_lower_fail(lower, SP_E_FORMAT, "its output has the impossible shape %s",
                             sp_shape_text(rank, dims, text, sizeof text));
    size_t most = lower->program->max_bytes / sizeof(float) / (size_t)lower->program->max_batch;
    if ((uint64_t)value->count > most || (rank && value->count && dims[0] > INT32_MAX / lower->program->max_batch))
        return sp_lower_fail(lower, SP_E_LIMIT, "its output %s at batch %d is over the memory limit",
                             sp_shape_text(rank, dims, text, sizeof text), lower->program->max_batch);
    value->rank = rank;
    for (int i = 0; i < rank; i++)
        value->dims[i] = dims[i];
    return SP_OK;
}

static enum sp_status take_constant(struct sp_lower *lower, struct sp_value *value, enum sp_dtype dtype)
{
    size_t bytes = (size_t)value->count * (dtype == SP_DTYPE_F32 ? sizeof(float) : sizeof(int64_t));
    if (bytes > lower->fold_bytes)
        return sp_lower_fail(lower, SP_E_LIMIT, "folded constants take more than %zu bytes", FOLD_BYTES);
    lower->fold_bytes -= bytes;
    value->dtype = dtype;
    value->data = calloc(1, bytes + 1);
    return value->data ? SP_OK : sp_lower_fail(lower, SP_E_NOMEM, "no memory for a folded constant");
}

enum sp_status sp_lower_constant(struct sp_lower *lower, enum sp_dtype dtype, int rank, const int64_t *dims,
                                 const void *data)
{
    int number = -1;
    enum sp_status status = define_output(lower, &number);
    struct sp_value shaped = {.rank = -1};
    if (!status)
        status = shape_value(lower, &shaped, rank, dims);
    if (!status)
        status = take_constant(lower, &shaped, dtype);
    if (status)
        return status;
    memcpy(shaped.data, data, (size_t)shaped.count * (dtype == SP_DTYPE_F32 ? sizeof(float) : sizeof(int64_t)));
    struct sp_value *value = sp_lower_value(lower, number);
    shaped.name = value->name;
    *value = shaped;
    return SP_OK;
}

enum sp_status sp_lower_new_constant(struct sp_lower *lower, enum sp_dtype dtype, int rank, const int64_t *dims,
                                     int *ret_value)
{
    struct sp_value shaped = {.rank = -1};
    enum sp_status status = shape_value(lower, &shaped, rank, dims);
    if (!status)
        status = take_constant(lower, &shaped, dtype);
    if (status)
        return status;
    *ret_value = sp_value_table_add(&lower->program->values);
    if (*ret_value < 0) {
        free(shaped.data);
        return sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    }
    *sp_lower_value(lower, *ret_value) = shaped;
    return SP_OK;
}

enum sp_status sp_lower_alias(struct sp_lower *lower, int value)
{
    int output = -1;
    enum sp_status status = define_output(lower, &output);
    if (!status)
        lower->alias[output] = value;
    return status;
}

/* All inputs are constant: compute the layer now. */
static enum sp_status fold_layer(struct sp_lower *lower, const struct sp_layer *layer, struct sp_value *value)
{
    int64_t cost = sp_ref_cost(lower->program, layer);
    if (cost > lower->fold_budget)
        return sp_lower_fail(lower, SP_E_LIMIT, "folding its constants costs %lld operations", (long long)cost);
    lower->fold_budget -= cost;
    enum sp_status status = take_constant(lower, value, SP_DTYPE_F32);
    if (!status && !sp_ref_layer_on_constants(lower->program, layer, value->data))
        status = sp_lower_fail(lower, SP_E_NOMEM, "no memory");
    return status;
}

enum sp_status sp_lower_emit(struct sp_lower *lower, struct sp_layer *layer, int rank, const int64_t *dims)
{
    struct sp_program *program = lower->program;
    enum sp_status status = define_output(lower, &layer->output);
    if (!status)
        status = shape_value(lower, sp_lower_value(lower, layer->output), rank, dims);
    if (status)
        goto fail;
    bool constant = true;
    for (int i = 0; i < layer->input_count; i++)
        constant = constant && (layer->inputs[i] < 0 || sp_lower_value(lower, layer->inputs[i])->data);
    if (constant) {
        status = fold_layer(lower, layer, sp_lower_value(lower, layer->output));
        goto fail; /* the layer has done its work, or failed */
    }
    if (program->layer_count == program->layer_capacity) {
        int capacity = program->layer_capacity ? program->layer_capacity * 2 : 64;
        struct sp_layer *grown = realloc(program->layers, (size_t)capacity * sizeof *grown);
        if (!grown) {
            status = sp_lower_fail(lower, SP_E_NOMEM, "no memory");
            goto fail;
        }
        program->layers = grown;
        program->layer_capacity = capacity;
    }
    program->layers[program->layer_count++] = *layer;
    *layer = (struct sp_layer){0};
    return SP_OK;
fail:
    sp_layer_clear(layer);
    return status;
}

static enum sp_status shape_input(struct sp_program *program, const struct sp_port *port,
                                  const struct sp_net_config *config, struct sp_err *err)
{
    struct sp_value *value = &program->values.at[port->value];
    char text[128];
    value->dims[0] = 1;
    for (int i = 1; i < value->rank; i++) {
        bool spatial = value->rank == 4 && i >= 2;
        int wanted = !spatial ? 0 : i == 2 ? config->height : config->width;
        const char *side = !spatial ? "a dim" : i == 2 ? "its height" : "its width";
        if (value->dims[i] < 0 && wanted <= 0)
            return sp_fail(err, SP_E_INVALID, "input '%s' leaves %s open and the load gives no value", port->name,
                           side);
        if (value->dims[i] >= 0 && wanted > 0 && wanted != value->dims[i])
            return sp_fail(err, SP_E_INVALID, "input '%s' fixes %s at %lld, the load asks for %d", port->name, side,
                           (long long)value->dims[i], wanted);
        if (value->dims[i] < 0)
            value->dims[i] = wanted;
    }
    size_t most = program->max_bytes / sizeof(float) / (size_t)program->max_batch;
    if (!sp_shape_count(value->rank, value->dims, &value->count) || (uint64_t)value->count > most)
        return sp_fail(err, SP_E_LIMIT, "input '%s' of %s at batch %d is over the memory limit", port->name,
                       sp_shape_text(value->rank, value->dims, text, sizeof text), program->max_batch);
    return SP_OK;
}

static sp_lower_fn *find_fn(const char *op)
{
    const struct sp_lower_row *const tables[] = {sp_lower_window_rows, sp_lower_matmul_rows,
                                                 sp_lower_elementwise_rows, sp_lower_shape_rows,
                                                 sp_lower_move_rows};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const struct sp_lower_row *row = tables[t]; row->op; row++)
            if (strcmp(row->op, op) == 0)
                return row->fn;
    return NULL;
}

static enum sp_status lower_node(struct sp_lower *lower)
{
    const struct sp_node *node = lower->node;
    sp_lower_fn *fn = find_fn(node->op);
    if (!fn)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "this operator is not supported");
    for (int i = 0; i < node->input_count; i++) {
        int value = sp_lower_input(lower, i);
        if (value >= 0 && sp_lower_value(lower, value)->rank < 0)
            return sp_lower_fail(lower, SP_E_FORMAT, "its input '%.100s' is not defined before it",
                                 sp_lower_value(lower, node->inputs[i])->name);
    }
    int first = sp_lower_input(lower, 0);
    bool integer = first >= 0 && sp_lower_value(lower, first)->dtype == SP_DTYPE_I64;
    return integer ? sp_lower_integer(lower) : fn(lower);
}

static enum sp_status take_ports(struct sp_lower *lower, const struct sp_graph *graph)
{
    struct sp_program *program = lower->program;
    memcpy(program->inputs, graph->inputs, sizeof program->inputs);
    memcpy(program->outputs, graph->outputs, sizeof program->outputs);
    program->input_count = graph->input_count;
    program->output_count = graph->output_count;
    for (int i = 0; i < program->output_count; i++) {
        struct sp_port *port = &program->outputs[i];
        port->value = lower->alias[port->value];
        const struct sp_value *value = &program->values.at[port->value];
        if (value->rank < 0)
            return sp_fail(lower->err, SP_E_FORMAT, "output '%s' is made by no node", port->name);
        if (value->data)
            return sp_fail(lower->err, SP_E_UNSUPPORTED, "output '%s' is constant", port->name);
        if (value->rank == 0 && program->max_batch > 1)
            return sp_fail(lower->err, SP_E_UNSUPPORTED, "output '%s' has no batch; load it with max_batch 1",
                           port->name);
    }
    return SP_OK;
}

enum sp_status sp_lower_graph(struct sp_program **ret_program, struct sp_graph *graph,
                              const struct sp_net_config *config, struct sp_err *err)
{
    struct sp_lower lower = {
        .opset = graph->opset, .fold_budget = FOLD_OPERATIONS, .fold_bytes = FOLD_BYTES, .err = err};
    struct sp_program *program = calloc(1, sizeof *program);
    enum sp_status status = SP_OK;
    lower.alias = malloc((size_t)(graph->values.count + 1) * sizeof *lower.alias);
    if (!program || !lower.alias) {
        status = sp_fail(err, SP_E_NOMEM, "no memory for the graph");
        goto done;
    }
    program->max_batch = config->max_batch;
    program->max_bytes = config->max_bytes;
    program->precision = config->precision;
    if (lower.fold_bytes > config->max_bytes)
        lower.fold_bytes = config->max_bytes;
    program->values = graph->values;
    graph->values = (struct sp_value_table){0};
    lower.program = program;
    lower.alias_count = program->values.count;
    for (int i = 0; i < lower.alias_count; i++)
        lower.alias[i] = i;
    for (int i = 0; i < graph->input_count && !status; i++)
        status = shape_input(program, &graph->inputs[i], config, err);
    for (int i = 0; i < graph->node_count && !status; i++) {
        lower.node = &graph->nodes[i];
        status = lower_node(&lower);
    }
    if (!status)
        status = take_ports(&lower, graph);
    if (!status) {
        *ret_program = program;
        program = NULL;
    }
done:
    free(lower.alias);
    sp_program_free(&program);
    return status;
}
