/* The graph is kept in protobuf-c's own structs; all their memory hangs on one list and goes at once. */
#include "ops/onnx_write.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"

enum { MAX_RANK = 8, IR_VERSION = 6 };

struct block {
    struct block *next;
    max_align_t bytes[];
};

/* A growing array of pointers, as protobuf-c wants its repeated messages. */
struct list {
    size_t count, room;
    void **items;
};

struct sp_onnx_write {
    struct block *blocks; /* everything the messages point at */
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset;
    Onnx__OperatorSetIdProto *opsets[1];
    struct list nodes, initializers, inputs, outputs, metas;
    struct list attributes; /* of the node made last; moved into it by the next one */
    unsigned made;          /* names made up so far */
    struct sp_err err;      /* the first error */
};

static void *take(struct sp_onnx_write *write, size_t size)
{
    struct block *block = write->err.status ? NULL : calloc(1, sizeof *block + size);
    if (!block) {
        if (!write->err.status)
            sp_fail(&write->err, SP_E_NOMEM, "onnx: out of memory");
        return NULL;
    }
    block->next = write->blocks;
    write->blocks = block;
    return block->bytes;
}

static void *take_copy(struct sp_onnx_write *write, const void *bytes, size_t size)
{
    void *copy = take(write, size);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

static char *take_text(struct sp_onnx_write *write, const char *text)
{
    return take_copy(write, text, strlen(text) + 1);
}

static void append(struct sp_onnx_write *write, struct list *list, void *item)
{
    if (!item)
        return;
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        void **items = realloc(list->items, room * sizeof *items);
        if (!items) {
            sp_fail(&write->err, SP_E_NOMEM, "onnx: out of memory");
            return;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
}

enum sp_status sp_onnx_write_new(struct sp_onnx_write **ret_write, const char *graph, int opset, struct sp_err *err)
{
    struct sp_onnx_write *write = calloc(1, sizeof *write);
    if (!write)
        return sp_fail(err, SP_E_NOMEM, "onnx: out of memory");
    onnx__model_proto__init(&write->model);
    onnx__graph_proto__init(&write->graph);
    onnx__operator_set_id_proto__init(&write->opset);
    write->opset.has_version = true;
    write->opset.version = opset;
    write->opset.domain = "";
    write->opsets[0] = &write->opset;
    write->model.n_opset_import = 1;
    write->model.opset_import = write->opsets;
    write->model.has_ir_version = true;
    write->model.ir_version = IR_VERSION;
    write->model.producer_name = "sallyport";
    write->model.graph = &write->graph;
    write->graph.name = take_text(write, graph);
    *ret_write = write;
    return SP_OK;
}

void sp_onnx_write_free(struct sp_onnx_write **write)
{
    if (!write || !*write)
        return;
    for (struct block *block = (*write)->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    struct list *lists[] = {&(*write)->nodes,   &(*write)->initializers, &(*write)->inputs,
                            &(*write)->outputs, &(*write)->metas,        &(*write)->attributes};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free(lists[i]->items);
    free(*write);
    *write = NULL;
}

static Onnx__TensorShapeProto__Dimension *make_dimension(struct sp_onnx_write *write, const char *word,
                                                         size_t length)
{
    Onnx__TensorShapeProto__Dimension *dimension = take(write, sizeof *dimension);
    char *text = take(write, length + 1);
    if (!dimension || !text)
        return NULL;
    memcpy(text, word, length);
    onnx__tensor_shape_proto__dimension__init(dimension);
    if (isdigit((unsigned char)text[0])) {
        dimension->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dimension->dim_value = strtoll(text, NULL, 10);
    } else {
        dimension->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dimension->dim_param = text;
    }
    return dimension;
}

static Onnx__ValueInfoProto *make_port(struct sp_onnx_write *write, const char *name, const char *shape)
{
    Onnx__ValueInfoProto *port = take(write, sizeof *port);
    Onnx__TypeProto *type = take(write, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = take(write, sizeof *tensor);
    Onnx__TensorShapeProto *dims = take(write, sizeof *dims);
    Onnx__TensorShapeProto__Dimension **items = take(write, MAX_RANK * sizeof *items);
    if (!items)
        return NULL;
    onnx__value_info_proto__init(port);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(dims);
    for (const char *word = shape; dims->n_dim < MAX_RANK;) {
        size_t length = strcspn(word, ",");
        items[dims->n_dim++] = make_dimension(write, word, length);
        if (!word[length])
            break;
        word += length + 1;
    }
    dims->dim = items;
    tensor->has_elem_type = true;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = dims;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    port->name = take_text(write, name);
    port->type = type;
    return port;
}

void sp_onnx_write_input(struct sp_onnx_write *write, const char *name, const char *shape)
{
    append(write, &write->inputs, make_port(write, name, shape));
}

void sp_onnx_write_output(struct sp_onnx_write *write, const char *name, const char *shape)
{
    append(write, &write->outputs, make_port(write, name, shape));
}

void sp_onnx_write_meta(struct sp_onnx_write *write, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *meta = take(write, sizeof *meta);
    if (!meta)
        return;
    onnx__string_string_entry_proto__init(meta);
    meta->key = take_text(write, key);
    meta->value = take_text(write, value);
    append(write, &write->metas, meta);
}

static const char *add_tensor(struct sp_onnx_write *write, const char *name, int rank, const int64_t *dims,
                              int32_t type, size_t element_size, const void *values)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(count, (size_t)dims[i], &count)) {
            sp_fail(&write->err, SP_E_INVALID, "onnx: tensor %s has no possible size", name);
            return "";
        }
    Onnx__TensorProto *tensor = take(write, sizeof *tensor);
    int64_t *shape = take_copy(write, dims, (size_t)rank * sizeof *dims);
    uint8_t *data = take_copy(write, values, count * element_size);
    char *copy = take_text(write, name);
    if (!copy)
        return "";
    onnx__tensor_proto__init(tensor);
    tensor->name = copy;
    tensor->n_dims = (size_t)rank;
    tensor->dims = shape;
    tensor->has_data_type = true;
    tensor->data_type = type;
    /* ONNX raw data is little-endian, as every machine this builds for. */
    tensor->has_raw_data = true;
    tensor->raw_data = (ProtobufCBinaryData){.len = count * element_size, .data = data};
    append(write, &write->initializers, tensor);
    return copy;
}

const char *sp_onnx_write_floats(struct sp_onnx_write *write, const char *name, int rank, const int64_t *dims,
                                 const float *values)
{
    return add_tensor(write, name, rank, dims, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, sizeof *values, values);
}

const char *sp_onnx_write_int64s(struct sp_onnx_write *write, const char *name, int count, const int64_t *values)
{
    int64_t dims[1] = {count};
    return add_tensor(write, name, 1, dims, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, sizeof *values, values);
}

/* The attributes collected so far belong to the last node. */
static void settle_attributes(struct sp_onnx_write *write)
{
    struct list *list = &write->attributes;
    if (list->count && write->nodes.count && !write->err.status) {
        Onnx__NodeProto *node = write->nodes.items[write->nodes.count - 1];
        node->attribute = take_copy(write, list->items, list->count * sizeof *list->items);
        node->n_attribute = node->attribute ? list->count : 0;
    }
    list->count = 0;
}

const char *sp_onnx_write_node(struct sp_onnx_write *write, const char *op, const char *output, int input_count,
                               const char *const *inputs)
{
    settle_attributes(write);
    char made[64];
    snprintf(made, sizeof made, "%s_%u", op, ++write->made);
    Onnx__NodeProto *node = take(write, sizeof *node);
    char **ins = take(write, (size_t)input_count * sizeof *ins);
    char **outs = take(write, sizeof *outs);
    if (!outs)
        return "";
    onnx__node_proto__init(node);
    for (int i = 0; i < input_count; i++)
        ins[i] = take_text(write, inputs[i]);
    outs[0] = take_text(write, output ? output : made);
    node->name = take_text(write, made);
    node->op_type = take_text(write, op);
    node->n_input = (size_t)input_count;
    node->input = ins;
    node->n_output = 1;
    node->output = outs;
    append(write, &write->nodes, node);
    return write->err.status ? "" : outs[0];
}

static Onnx__AttributeProto *add_attribute(struct sp_onnx_write *write, const char *name, int type)
{
    Onnx__AttributeProto *attribute = take(write, sizeof *attribute);
    if (!attribute)
        return NULL;
    onnx__attribute_proto__init(attribute);
    attribute->name = take_text(write, name);
    attribute->has_type = true;
    attribute->type = (Onnx__AttributeProto__AttributeType)type;
    append(write, &write->attributes, attribute);
    return attribute;
}

void sp_onnx_write_attr_int(struct sp_onnx_write *write, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = add_attribute(write, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!attribute)
        return;
    attribute->has_i = true;
    attribute->i = value;
}

void sp_onnx_write_attr_float(struct sp_onnx_write *write, const char *name, float value)
{
    Onnx__AttributeProto *attribute = add_attribute(write, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!attribute)
        return;
    attribute->has_f = true;
    attribute->f = value;
}

void sp_onnx_write_attr_ints(struct sp_onnx_write *write, const char *name, int count, const int64_t *values)
{
    Onnx__AttributeProto *attribute = add_attribute(write, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!attribute)
        return;
    attribute->ints = take_copy(write, values, (size_t)count * sizeof *values);
    attribute->n_ints = attribute->ints ? (size_t)count : 0;
}

void sp_onnx_write_attr_text(struct sp_onnx_write *write, const char *name, const char *value)
{
    Onnx__AttributeProto *attribute = add_attribute(write, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (!attribute)
        return;
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){.len = strlen(value), .data = (uint8_t *)take_text(write, value)};
}

enum sp_status sp_onnx_write_finish(struct sp_onnx_write *write, uint8_t **ret_bytes, size_t *ret_length,
                                    struct sp_err *err)
{
    settle_attributes(write);
    if (write->err.status) {
        if (err)
            *err = write->err;
        return write->err.status;
    }
    Onnx__GraphProto *graph = &write->graph;
    graph->n_node = write->nodes.count;
    graph->node = (Onnx__NodeProto **)write->nodes.items;
    graph->n_initializer = write->initializers.count;
    graph->initializer = (Onnx__TensorProto **)write->initializers.items;
    graph->n_input = write->inputs.count;
    graph->input = (Onnx__ValueInfoProto **)write->inputs.items;
    graph->n_output = write->outputs.count;
    graph->output = (Onnx__ValueInfoProto **)write->outputs.items;
    write->model.n_metadata_props = write->metas.count;
    write->model.metadata_props = (Onnx__StringStringEntryProto **)write->metas.items;
    size_t length = onnx__model_proto__get_packed_size(&write->model);
    uint8_t *bytes = malloc(length);
    if (!bytes)
        return sp_fail(err, SP_E_NOMEM, "onnx: out of memory for a file of %zu bytes", length);
    onnx__model_proto__pack(&write->model, bytes);
    *ret_bytes = bytes;
    *ret_length = length;
    return SP_OK;
}
