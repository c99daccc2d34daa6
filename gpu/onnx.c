#include "gpu/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/onnx_scan.h"
#include "onnx.pb-c.h"

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

static float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, fraction = half & 0x3ff;
    uint32_t bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000 | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        float tiny = (float)fraction / 16777216.0f; /* subnormal: fraction * 2^-24 */
        return sign ? -tiny : tiny;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Bytes of one element in raw_data, 0 for a type that is not supported. */
static size_t raw_width(int type)
{
    switch (type) {
    case TYPE(FLOAT):
    case TYPE(INT32):
        return 4;
    case TYPE(INT64):
    case TYPE(DOUBLE):
        return 8;
    case TYPE(FLOAT16):
        return 2;
    case TYPE(BOOL):
    case TYPE(UINT8):
    case TYPE(INT8):
        return 1;
    default:
        return 0;
    }
}

static void convert_raw(int type, const uint8_t *raw, int64_t count, float *floats, int64_t *ints)
{
    for (int64_t i = 0; i < count; i++) {
        int32_t i32;
        double f64;
        uint16_t f16;
        switch (type) {
        case TYPE(INT32):
            memcpy(&i32, raw + i * 4, 4);
            ints[i] = i32;
            break;
        case TYPE(DOUBLE):
            memcpy(&f64, raw + i * 8, 8);
            floats[i] = (float)f64;
            break;
        case TYPE(FLOAT16):
            memcpy(&f16, raw + i * 2, 2);
            floats[i] = half_to_float(f16);
            break;
        case TYPE(INT8):
            ints[i] = (int8_t)raw[i];
            break;
        default:
            ints[i] = raw[i];
            break;
        }
    }
}

/* The typed lists; false when their length is not `count`. */
static bool convert_typed(const Onnx__TensorProto *tensor, int64_t count, float *floats, int64_t *ints)
{
    size_t n = (size_t)count;
    switch (tensor->data_type) {
    case TYPE(FLOAT):
        if (tensor->n_float_data != n)
            return false;
        if (n)
            memcpy(floats, tensor->float_data, n * sizeof *floats);
        return true;
    case TYPE(INT64):
        if (tensor->n_int64_data != n)
            return false;
        if (n)
            memcpy(ints, tensor->int64_data, n * sizeof *ints);
        return true;
    case TYPE(DOUBLE):
        for (size_t i = 0; i < n && tensor->n_double_data == n; i++)
            floats[i] = (float)tensor->double_data[i];
        return tensor->n_double_data == n;
    case TYPE(FLOAT16):
        for (size_t i = 0; i < n && tensor->n_int32_data == n; i++)
            floats[i] = half_to_float((uint16_t)tensor->int32_data[i]);
        return tensor->n_int32_data == n;
    default:
        for (size_t i = 0; i < n && tensor->n_int32_data == n; i++)
            ints[i] = tensor->int32_data[i];
        return tensor->n_int32_data == n;
    }
}

static enum sp_status read_tensor(struct sp_value *value, const Onnx__TensorProto *tensor, const char *name,
                                  struct sp_err *err)
{
    size_t width = raw_width(tensor->has_data_type ? tensor->data_type : 0);
    int64_t count;
    if (tensor->has_data_location && tensor->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT)
        return sp_fail(err, SP_E_UNSUPPORTED, "tensor '%s' keeps its data in another file", name);
    if (!width)
        return sp_fail(err, SP_E_UNSUPPORTED, "tensor '%s' has element type %d", name,
                       tensor->has_data_type ? tensor->data_type : 0);
    if (tensor->n_dims > SP_TENSOR_MAX_RANK || !sp_shape_count((int)tensor->n_dims, tensor->dims, &count))
        return sp_fail(err, SP_E_FORMAT, "tensor '%s' has an impossible shape", name);
    bool raw = tensor->has_raw_data;
    /* Every form of data takes at least one byte per element of the file, so the file's size bounds the memory. */
    size_t has = tensor->n_float_data + tensor->n_int64_data + tensor->n_double_data + tensor->n_int32_data;
    if (raw ? tensor->raw_data.len / width != (size_t)count || tensor->raw_data.len % width : has != (size_t)count)
        return sp_fail(err, SP_E_FORMAT, "tensor '%s' holds %zu %s, its shape says %lld elements", name,
                       raw ? tensor->raw_data.len : has, raw ? "bytes" : "elements", (long long)count);
    int type = tensor->data_type;
    bool real = type == TYPE(FLOAT) || type == TYPE(DOUBLE) || type == TYPE(FLOAT16);
    size_t element = real ? sizeof(float) : sizeof(int64_t);
    void *data = malloc((size_t)count * element + 1);
    if (!data)
        return sp_fail(err, SP_E_NOMEM, "no memory for tensor '%s'", name);
    float *floats = real ? data : NULL;
    int64_t *ints = real ? NULL : data;
    if (raw && width == element && (type == TYPE(FLOAT) || type == TYPE(INT64))) {
        if (count)
            memcpy(data, tensor->raw_data.data, tensor->raw_data.len);
    } else if (raw) {
        convert_raw(type, tensor->raw_data.data, count, floats, ints);
    } else if (!convert_typed(tensor, count, floats, ints)) {
        free(data);
        return sp_fail(err, SP_E_FORMAT, "tensor '%s' keeps its elements in the list of another type", name);
    }
    free(value->data);
    value->data = data;
    value->dtype = real ? SP_DTYPE_F32 : SP_DTYPE_I64;
    value->rank = (int)tensor->n_dims;
    value->count = count;
    if (tensor->n_dims)
        memcpy(value->dims, tensor->dims, tensor->n_dims * sizeof value->dims[0]);
    return SP_OK;
}

static enum sp_status nomem(struct sp_err *err)
{
    return sp_fail(err, SP_E_NOMEM, "no memory for the graph");
}

static enum sp_status read_attr(struct sp_graph *graph, struct sp_attr *attr, const Onnx__AttributeProto *proto,
                                const char *place, struct sp_err *err)
{
    attr->name = strdup(proto->name ? proto->name : "");
    if (!attr->name)
        return nomem(err);
    if (proto->n_strings)
        return sp_fail(err, SP_E_UNSUPPORTED, "attribute '%s' of node %s is a list of strings", attr->name, place);
    if (proto->t) {
        attr->kind = SP_ATTR_TENSOR;
        attr->value = sp_value_table_add(&graph->values);
        if (attr->value < 0)
            return nomem(err);
        return read_tensor(&graph->values.at[attr->value], proto->t, place, err);
    }
    if (proto->n_ints) {
        attr->kind = SP_ATTR_INTS;
        attr->count = (int)proto->n_ints;
        attr->ints = malloc(proto->n_ints * sizeof *attr->ints);
        if (!attr->ints)
            return nomem(err);
        memcpy(attr->ints, proto->ints, proto->n_ints * sizeof *attr->ints);
    } else if (proto->n_floats) {
        attr->kind = SP_ATTR_FLOATS;
        attr->count = (int)proto->n_floats;
        attr->floats = malloc(proto->n_floats * sizeof *attr->floats);
        if (!attr->floats)
            return nomem(err);
        memcpy(attr->floats, proto->floats, proto->n_floats * sizeof *attr->floats);
    } else if (proto->has_s || (proto->has_type && proto->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING)) {
        attr->kind = SP_ATTR_STRING;
        attr->s = strndup(proto->s.data ? (const char *)proto->s.data : "", proto->s.len);
        if (!attr->s)
            return nomem(err);
    } else if (proto->has_f) {
        attr->kind = SP_ATTR_FLOAT;
        attr->f = proto->f;
    } else if (proto->has_i) {
        attr->kind = SP_ATTR_INT;
        attr->i = proto->i;
    } else if (proto->has_type && proto->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS) {
        attr->kind = SP_ATTR_FLOATS;
    } else {
        attr->kind = SP_ATTR_INTS; /* an empty list, or a number left at its default */
    }
    return SP_OK;
}

static enum sp_status read_names(struct sp_graph *graph, int **ret_values, int *ret_count, char **names,
                                 size_t count, struct sp_err *err)
{
    *ret_values = calloc(count + 1, sizeof **ret_values);
    if (!*ret_values)
        return nomem(err);
    for (size_t i = 0; i < count; i++) {
        int value = names[i][0] ? sp_graph_value(graph, names[i]) : -1;
        if (names[i][0] && value < 0)
            return nomem(err);
        (*ret_values)[i] = value;
    }
    *ret_count = (int)count;
    return SP_OK;
}

static enum sp_status read_node(struct sp_graph *graph, const Onnx__NodeProto *proto, struct sp_err *err)
{
    struct sp_node *node = &graph->nodes[graph->node_count++];
    char place[160];
    node->name = strdup(proto->name ? proto->name : "");
    node->op = strdup(proto->op_type ? proto->op_type : "");
    if (!node->name || !node->op)
        return nomem(err);
    snprintf(place, sizeof place, "'%.100s' (%.40s)", node->name, node->op);
    if (proto->domain && proto->domain[0] && strcmp(proto->domain, "ai.onnx") != 0)
        return sp_fail(err, SP_E_UNSUPPORTED, "node %s: operator domain '%s' is not supported", place,
                       proto->domain);
    enum sp_status status = read_names(graph, &node->inputs, &node->input_count, proto->input, proto->n_input, err);
    if (!status)
        status = read_names(graph, &node->outputs, &node->output_count, proto->output, proto->n_output, err);
    if (status)
        return status;
    node->attrs = calloc(proto->n_attribute + 1, sizeof *node->attrs);
    if (!node->attrs)
        return nomem(err);
    for (size_t i = 0; i < proto->n_attribute && !status; i++) {
        struct sp_attr *attr = &node->attrs[node->attr_count++];
        status = read_attr(graph, attr, proto->attribute[i], place, err);
    }
    return status;
}

static enum sp_status read_shape(struct sp_value *value, const Onnx__ValueInfoProto *info, struct sp_err *err)
{
    const Onnx__TypeProto *type = info->type;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type)
        return sp_fail(err, SP_E_FORMAT, "input '%s' has no tensor type", value->name);
    if (type->tensor_type->elem_type != TYPE(FLOAT))
        return sp_fail(err, SP_E_UNSUPPORTED, "input '%s' is not float32 (element type %d)", value->name,
                       type->tensor_type->elem_type);
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    if (!shape || shape->n_dim > SP_TENSOR_MAX_RANK || !shape->n_dim)
        return sp_fail(err, SP_E_UNSUPPORTED, "input '%s' has no shape of rank 1 to %d", value->name,
                       SP_TENSOR_MAX_RANK);
    value->rank = (int)shape->n_dim;
    for (size_t i = 0; i < shape->n_dim; i++) {
        bool fixed = shape->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                     shape->dim[i]->dim_value > 0;
        value->dims[i] = fixed ? shape->dim[i]->dim_value : -1;
    }
    return SP_OK;
}

static enum sp_status read_port(struct sp_graph *graph, struct sp_port *ports, int *count, const char *name,
                                struct sp_err *err)
{
    if (!name || !name[0] || strlen(name) >= sizeof ports->name)
        return sp_fail(err, SP_E_LIMIT, "a graph input or output has no name of 1 to %zu bytes",
                       sizeof ports->name - 1);
    if (*count == SP_NET_MAX_PORTS)
        return sp_fail(err, SP_E_LIMIT, "more than %d inputs or outputs", SP_NET_MAX_PORTS);
    struct sp_port *port = &ports[*count];
    port->value = sp_graph_value(graph, name);
    if (port->value < 0)
        return nomem(err);
    snprintf(port->name, sizeof port->name, "%s", name);
    (*count)++;
    return SP_OK;
}

static enum sp_status read_graph(struct sp_graph *graph, const Onnx__GraphProto *proto, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < proto->n_initializer && !status; i++) {
        const char *name = proto->initializer[i]->name;
        if (!name || !name[0])
            return sp_fail(err, SP_E_FORMAT, "initializer %zu has no name", i);
        int value = sp_graph_value(graph, name);
        status = value < 0 ? nomem(err) : read_tensor(&graph->values.at[value], proto->initializer[i], name, err);
    }
    for (size_t i = 0; i < proto->n_input && !status; i++) {
        const Onnx__ValueInfoProto *info = proto->input[i];
        int known = info->name ? sp_graph_find(graph, info->name) : -1;
        if (known >= 0 && graph->values.at[known].data)
            continue; /* older files list their initializers among the inputs */
        status = read_port(graph, graph->inputs, &graph->input_count, info->name, err);
        if (!status)
            status = read_shape(&graph->values.at[graph->inputs[graph->input_count - 1].value], info, err);
    }
    for (size_t i = 0; i < proto->n_output && !status; i++)
        status = read_port(graph, graph->outputs, &graph->output_count, proto->output[i]->name, err);
    if (status)
        return status;
    if (!graph->input_count || !graph->output_count)
        return sp_fail(err, SP_E_FORMAT, "the graph has no input or no output");
    graph->nodes = calloc(proto->n_node + 1, sizeof *graph->nodes);
    if (!graph->nodes)
        return nomem(err);
    for (size_t i = 0; i < proto->n_node && !status; i++)
        status = read_node(graph, proto->node[i], err);
    return status;
}

static enum sp_status read_opset(struct sp_graph *graph, const Onnx__ModelProto *model, struct sp_err *err)
{
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = model->opset_import[i];
        if ((!set->domain || !set->domain[0] || strcmp(set->domain, "ai.onnx") == 0) && set->has_version)
            graph->opset = set->version > 0 && set->version < 1000 ? (int)set->version : 0;
    }
    if (graph->opset < 6 || graph->opset > 21)
        return sp_fail(err, SP_E_UNSUPPORTED, "operator set %d is outside 6..21", graph->opset);
    return SP_OK;
}

enum sp_status sp_onnx_read(struct sp_graph **ret_graph, const uint8_t *bytes, size_t length, struct sp_err *err)
{
    Onnx__ModelProto *model = NULL;
    struct sp_graph *graph = NULL;
    enum sp_status status = sp_onnx_scan(bytes, length, err);
    if (status)
        return status;
    model = onnx__model_proto__unpack(NULL, length, bytes);
    if (!model || !model->graph) {
        status = sp_fail(err, SP_E_FORMAT, "not an ONNX model: %s",
                         model ? "it has no graph" : "its messages cannot be decoded");
        goto done;
    }
    graph = calloc(1, sizeof *graph);
    status = graph ? read_opset(graph, model, err) : nomem(err);
    if (!status)
        status = read_graph(graph, model->graph, err);
    if (!status) {
        *ret_graph = graph;
        graph = NULL;
    }
done:
    sp_graph_free(&graph);
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    return status;
}
