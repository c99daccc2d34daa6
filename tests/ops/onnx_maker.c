#include "tests/ops/onnx_maker.h"

#include <stdlib.h>
#include <string.h>
#include "onnx.pb-c.h"

struct onnx_maker {
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset;
    Onnx__OperatorSetIdProto *opsets[1];
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static char *copy(const char *text)
{
    return need(strdup(text));
}

/* Append `item` to a growing array of pointers. */
static void append(void *array, size_t *count, void *item)
{
    void **old;
    memcpy(&old, array, sizeof old);
    old = need(realloc(old, (*count + 1) * sizeof *old));
    old[(*count)++] = item;
    memcpy(array, &old, sizeof old);
}

struct onnx_maker *onnx_maker_new(int opset)
{
    struct onnx_maker *maker = need(calloc(1, sizeof *maker));
    onnx__model_proto__init(&maker->model);
    onnx__graph_proto__init(&maker->graph);
    onnx__operator_set_id_proto__init(&maker->opset);
    maker->model.has_ir_version = 1;
    maker->model.ir_version = 6;
    maker->model.graph = &maker->graph;
    maker->model.n_opset_import = 1;
    maker->model.opset_import = maker->opsets;
    maker->opsets[0] = &maker->opset;
    maker->opset.has_version = 1;
    maker->opset.version = opset;
    maker->graph.name = copy("test");
    return maker;
}

void onnx_maker_free(struct onnx_maker **maker)
{
    struct onnx_maker *self = *maker;
    if (!self)
        return;
    /* The graph's parts are all from malloc, as protobuf-c's own; only the outermost messages are members. */
    Onnx__GraphProto *graph = need(malloc(sizeof *graph));
    *graph = self->graph;
    onnx__graph_proto__free_unpacked(graph, NULL);
    free(self);
    *maker = NULL;
}

static Onnx__ValueInfoProto *new_port(const char *name)
{
    Onnx__ValueInfoProto *info = need(malloc(sizeof *info));
    onnx__value_info_proto__init(info);
    info->name = copy(name);
    info->type = need(malloc(sizeof *info->type));
    onnx__type_proto__init(info->type);
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    info->type->tensor_type = need(malloc(sizeof *info->type->tensor_type));
    onnx__type_proto__tensor__init(info->type->tensor_type);
    info->type->tensor_type->has_elem_type = 1;
    info->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    return info;
}

void onnx_maker_input(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims)
{
    Onnx__ValueInfoProto *info = new_port(name);
    Onnx__TensorShapeProto *shape = need(malloc(sizeof *shape));
    onnx__tensor_shape_proto__init(shape);
    info->type->tensor_type->shape = shape;
    for (int i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = need(malloc(sizeof *dim));
        onnx__tensor_shape_proto__dimension__init(dim);
        if (dims[i]) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = dims[i];
        } else {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = copy("open");
        }
        append(&shape->dim, &shape->n_dim, dim);
    }
    append(&maker->graph.input, &maker->graph.n_input, info);
}

void onnx_maker_output(struct onnx_maker *maker, const char *name)
{
    append(&maker->graph.output, &maker->graph.n_output, new_port(name));
}

static void add_tensor(struct onnx_maker *maker, const char *name, int type, size_t width, int rank,
                       const int64_t *dims, const void *data)
{
    Onnx__TensorProto *tensor = need(malloc(sizeof *tensor));
    onnx__tensor_proto__init(tensor);
    size_t count = 1;
    tensor->name = copy(name);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->dims = need(malloc(((size_t)rank + 1) * sizeof *tensor->dims));
    for (int i = 0; i < rank; i++) {
        tensor->dims[i] = dims[i];
        count *= (size_t)dims[i];
    }
    tensor->n_dims = (size_t)rank;
    tensor->has_raw_data = 1;
    tensor->raw_data.len = count * width;
    tensor->raw_data.data = need(malloc(count * width + 1));
    memcpy(tensor->raw_data.data, data, count * width);
    append(&maker->graph.initializer, &maker->graph.n_initializer, tensor);
}

void onnx_maker_floats(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims, const float *data)
{
    add_tensor(maker, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, sizeof(float), rank, dims, data);
}

void onnx_maker_ints(struct onnx_maker *maker, const char *name, int rank, const int64_t *dims, const int64_t *data)
{
    add_tensor(maker, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, sizeof(int64_t), rank, dims, data);
}

void onnx_maker_node(struct onnx_maker *maker, const char *op, const char *inputs, const char *output)
{
    Onnx__NodeProto *node = need(malloc(sizeof *node));
    onnx__node_proto__init(node);
    char *list = copy(inputs), *rest = NULL;
    for (char *name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        append(&node->input, &node->n_input, copy(strcmp(name, "-") == 0 ? "" : name));
    free(list);
    append(&node->output, &node->n_output, copy(output));
    node->op_type = copy(op);
    node->name = copy(output);
    append(&maker->graph.node, &maker->graph.n_node, node);
}

static Onnx__AttributeProto *new_attr(struct onnx_maker *maker, const char *name, int type)
{
    Onnx__NodeProto *node = maker->graph.node[maker->graph.n_node - 1];
    Onnx__AttributeProto *attr = need(malloc(sizeof *attr));
    onnx__attribute_proto__init(attr);
    attr->name = copy(name);
    attr->has_type = 1;
    attr->type = (Onnx__AttributeProto__AttributeType)type;
    append(&node->attribute, &node->n_attribute, attr);
    return attr;
}

void onnx_maker_int(struct onnx_maker *maker, const char *name, int64_t value)
{
    Onnx__AttributeProto *attr = new_attr(maker, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attr->has_i = 1;
    attr->i = value;
}

void onnx_maker_float(struct onnx_maker *maker, const char *name, float value)
{
    Onnx__AttributeProto *attr = new_attr(maker, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attr->has_f = 1;
    attr->f = value;
}

void onnx_maker_string(struct onnx_maker *maker, const char *name, const char *value)
{
    Onnx__AttributeProto *attr = new_attr(maker, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    attr->has_s = 1;
    attr->s.data = (uint8_t *)copy(value);
    attr->s.len = strlen(value);
}

void onnx_maker_list(struct onnx_maker *maker, const char *name, int count, const int64_t *values)
{
    Onnx__AttributeProto *attr = new_attr(maker, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attr->ints = need(malloc(((size_t)count + 1) * sizeof *attr->ints));
    memcpy(attr->ints, values, (size_t)count * sizeof *values);
    attr->n_ints = (size_t)count;
}

uint8_t *onnx_maker_pack(struct onnx_maker *maker, size_t *ret_length)
{
    *ret_length = onnx__model_proto__get_packed_size(&maker->model);
    uint8_t *bytes = need(malloc(*ret_length + 1));
    onnx__model_proto__pack(&maker->model, bytes);
    return bytes;
}
