#include "gpu/onnx_scan.h"

#include <stdbool.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

enum message {
    MODEL,
    GRAPH,
    NODE,
    ATTRIBUTE,
    TENSOR,
    VALUE_INFO,
    TYPE,
    TENSOR_TYPE,
    SHAPE,
    DIMENSION,
    OPSET,
    PAIR
};

enum rule {
    RULE_MESSAGE, /* nested message `inner` */
    RULE_NAME,
    RULE_TEXT,
    RULE_RAW,     /* bytes of any length */
    RULE_SCALAR,  /* one number; a list in bytes form is damage */
    RULE_DIMS,    /* list of varints, at most 8 together in the message */
    RULE_INTS,    /* list of varints */
    RULE_FLOATS,  /* list of 4-byte numbers */
    RULE_DOUBLES, /* list of 8-byte numbers */
    RULE_REFUSED, /* `what` is not supported */
};

struct field_rule {
    enum message in;
    uint32_t number;
    enum rule rule;
    enum message inner;
    const char *what;
};

/* onnx.proto's fields. What is not listed may only be a scalar or a short run of bytes. */
static const struct field_rule rules[] = {
    {MODEL, 1, RULE_SCALAR, MODEL, "ir_version"},
    {MODEL, 2, RULE_NAME, MODEL, "producer_name"},
    {MODEL, 3, RULE_NAME, MODEL, "producer_version"},
    {MODEL, 4, RULE_NAME, MODEL, "domain"},
    {MODEL, 5, RULE_SCALAR, MODEL, "model_version"},
    {MODEL, 6, RULE_TEXT, MODEL, "doc_string"},
    {MODEL, 7, RULE_MESSAGE, GRAPH, "graph"},
    {MODEL, 8, RULE_MESSAGE, OPSET, "opset_import"},
    {MODEL, 14, RULE_MESSAGE, PAIR, "metadata_props"},
    {MODEL, 20, RULE_REFUSED, MODEL, "training information"},
    {MODEL, 25, RULE_REFUSED, MODEL, "a model-local function"},
    {GRAPH, 1, RULE_MESSAGE, NODE, "node"},
    {GRAPH, 2, RULE_NAME, GRAPH, "name"},
    {GRAPH, 5, RULE_MESSAGE, TENSOR, "initializer"},
    {GRAPH, 10, RULE_TEXT, GRAPH, "doc_string"},
    {GRAPH, 11, RULE_MESSAGE, VALUE_INFO, "input"},
    {GRAPH, 12, RULE_MESSAGE, VALUE_INFO, "output"},
    {GRAPH, 13, RULE_MESSAGE, VALUE_INFO, "value_info"},
    {GRAPH, 14, RULE_REFUSED, GRAPH, "quantization annotation"},
    {GRAPH, 15, RULE_REFUSED, GRAPH, "a sparse initializer"},
    {NODE, 1, RULE_NAME, NODE, "input"},
    {NODE, 2, RULE_NAME, NODE, "output"},
    {NODE, 3, RULE_NAME, NODE, "name"},
    {NODE, 4, RULE_NAME, NODE, "op_type"},
    {NODE, 5, RULE_MESSAGE, ATTRIBUTE, "attribute"},
    {NODE, 6, RULE_TEXT, NODE, "doc_string"},
    {NODE, 7, RULE_NAME, NODE, "domain"},
    {ATTRIBUTE, 1, RULE_NAME, ATTRIBUTE, "name"},
    {ATTRIBUTE, 2, RULE_SCALAR, ATTRIBUTE, "f"},
    {ATTRIBUTE, 3, RULE_SCALAR, ATTRIBUTE, "i"},
    {ATTRIBUTE, 4, RULE_TEXT, ATTRIBUTE, "s"},
    {ATTRIBUTE, 5, RULE_MESSAGE, TENSOR, "t"},
    {ATTRIBUTE, 6, RULE_REFUSED, ATTRIBUTE, "a subgraph"},
    {ATTRIBUTE, 7, RULE_FLOATS, ATTRIBUTE, "floats"},
    {ATTRIBUTE, 8, RULE_INTS, ATTRIBUTE, "ints"},
    {ATTRIBUTE, 9, RULE_TEXT, ATTRIBUTE, "strings"},
    {ATTRIBUTE, 10, RULE_REFUSED, ATTRIBUTE, "a list of tensors"},
    {ATTRIBUTE, 11, RULE_REFUSED, ATTRIBUTE, "a list of subgraphs"},
    {ATTRIBUTE, 13, RULE_TEXT, ATTRIBUTE, "doc_string"},
    {ATTRIBUTE, 14, RULE_REFUSED, ATTRIBUTE, "a type attribute"},
    {ATTRIBUTE, 15, RULE_REFUSED, ATTRIBUTE, "a list of types"},
    {ATTRIBUTE, 20, RULE_SCALAR, ATTRIBUTE, "type"},
    {ATTRIBUTE, 21, RULE_NAME, ATTRIBUTE, "ref_attr_name"},
    {ATTRIBUTE, 22, RULE_REFUSED, ATTRIBUTE, "a sparse tensor"},
    {ATTRIBUTE, 23, RULE_REFUSED, ATTRIBUTE, "a list of sparse tensors"},
    {TENSOR, 1, RULE_DIMS, TENSOR, "dims"},
    {TENSOR, 2, RULE_SCALAR, TENSOR, "data_type"},
    {TENSOR, 3, RULE_REFUSED, TENSOR, "a tensor segment"},
    {TENSOR, 4, RULE_FLOATS, TENSOR, "float_data"},
    {TENSOR, 5, RULE_INTS, TENSOR, "int32_data"},
    {TENSOR, 6, RULE_REFUSED, TENSOR, "a tensor of strings"},
    {TENSOR, 7, RULE_INTS, TENSOR, "int64_data"},
    {TENSOR, 8, RULE_NAME, TENSOR, "name"},
    {TENSOR, 9, RULE_RAW, TENSOR, "raw_data"},
    {TENSOR, 10, RULE_DOUBLES, TENSOR, "double_data"},
    {TENSOR, 11, RULE_INTS, TENSOR, "uint64_data"},
    {TENSOR, 12, RULE_TEXT, TENSOR, "doc_string"},
    {TENSOR, 13, RULE_REFUSED, TENSOR, "external tensor data"},
    {TENSOR, 14, RULE_SCALAR, TENSOR, "data_location"},
    {VALUE_INFO, 1, RULE_NAME, VALUE_INFO, "name"},
    {VALUE_INFO, 2, RULE_MESSAGE, TYPE, "type"},
    {VALUE_INFO, 3, RULE_TEXT, VALUE_INFO, "doc_string"},
    {TYPE, 1, RULE_MESSAGE, TENSOR_TYPE, "tensor_type"},
    {TYPE, 4, RULE_REFUSED, TYPE, "a sequence type"},
    {TYPE, 5, RULE_REFUSED, TYPE, "a map type"},
    {TYPE, 6, RULE_NAME, TYPE, "denotation"},
    {TYPE, 8, RULE_REFUSED, TYPE, "a sparse tensor type"},
    {TYPE, 9, RULE_REFUSED, TYPE, "an optional type"},
    {TENSOR_TYPE, 1, RULE_SCALAR, TENSOR_TYPE, "elem_type"},
    {TENSOR_TYPE, 2, RULE_MESSAGE, SHAPE, "shape"},
    {SHAPE, 1, RULE_MESSAGE, DIMENSION, "dim"},
    {DIMENSION, 1, RULE_SCALAR, DIMENSION, "dim_value"},
    {DIMENSION, 2, RULE_NAME, DIMENSION, "dim_param"},
    {DIMENSION, 3, RULE_NAME, DIMENSION, "denotation"},
    {OPSET, 1, RULE_NAME, OPSET, "domain"},
    {OPSET, 2, RULE_SCALAR, OPSET, "version"},
    {PAIR, 1, RULE_NAME, PAIR, "key"},
    {PAIR, 2, RULE_TEXT, PAIR, "value"},
};

struct scan {
    const uint8_t *bytes;
    struct sp_err *err;
    int fields;
    int nodes;
    int64_t numbers;
};

/* Elements seen in one message. */
struct lists {
    int64_t dims;
    int64_t elements;
};

static const struct field_rule *rule_of(enum message in, uint32_t number)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].in == in && rules[i].number == number)
            return &rules[i];
    return NULL;
}

static enum sp_status damaged(struct scan *scan, size_t at, const char *what)
{
    return sp_fail(scan->err, SP_E_FORMAT, "damaged at byte %zu: %s", at, what);
}

static enum sp_status read_varint(struct scan *scan, size_t *at, size_t end, uint64_t *ret)
{
    uint64_t value = 0;
    size_t start = *at;
    for (int shift = 0; shift < 70; shift += 7) {
        if (*at >= end)
            return damaged(scan, start, "a number runs past its message");
        uint8_t byte = scan->bytes[(*at)++];
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80)) {
            *ret = value;
            return SP_OK;
        }
    }
    return damaged(scan, start, "a number is longer than ten bytes");
}

/* Elements of a packed list in [at, end); width 0 means varints. */
static enum sp_status count_packed(struct scan *scan, size_t at, size_t end, size_t width, int64_t *ret_count)
{
    if (width) {
        if ((end - at) % width)
            return damaged(scan, at, "a list of numbers ends inside a number");
        *ret_count = (int64_t)((end - at) / width);
        return SP_OK;
    }
    int64_t count = 0;
    while (at < end) {
        uint64_t ignored;
        enum sp_status status = read_varint(scan, &at, end, &ignored);
        if (status)
            return status;
        count++;
    }
    *ret_count = count;
    return SP_OK;
}

static enum sp_status check_list(struct scan *scan, const struct field_rule *rule, size_t at, int64_t added,
                                 struct lists *lists)
{
    int64_t *list = rule->rule == RULE_DIMS ? &lists->dims : &lists->elements;
    *list += added;
    scan->numbers += added;
    int64_t most = rule->rule == RULE_DIMS ? 8 : rule->in == ATTRIBUTE ? SP_ONNX_MAX_LIST : SP_ONNX_MAX_NUMBERS;
    if (*list > most || scan->numbers > SP_ONNX_MAX_NUMBERS)
        return sp_fail(scan->err, SP_E_LIMIT, "the %s at byte %zu has more than %lld elements", rule->what, at,
                       (long long)most);
    return SP_OK;
}

static enum sp_status scan_message(struct scan *scan, enum message in, size_t at, size_t end);

static enum sp_status scan_bytes(struct scan *scan, enum message in, uint32_t number, size_t at, size_t length,
                                 struct lists *lists)
{
    const struct field_rule *rule = rule_of(in, number);
    int64_t added = 0;
    enum sp_status status;
    if (!rule)
        return length <= SP_ONNX_MAX_NAME
                   ? SP_OK
                   : sp_fail(scan->err, SP_E_LIMIT, "the unknown field %u at byte %zu is %zu bytes long", number,
                             at, length);
    switch (rule->rule) {
    case RULE_MESSAGE:
        if (rule->inner == NODE && ++scan->nodes > SP_ONNX_MAX_NODES)
            return sp_fail(scan->err, SP_E_LIMIT, "more than %d nodes", SP_ONNX_MAX_NODES);
        return scan_message(scan, rule->inner, at, at + length);
    case RULE_NAME:
    case RULE_TEXT:
        if (length > (size_t)(rule->rule == RULE_NAME ? SP_ONNX_MAX_NAME : SP_ONNX_MAX_TEXT))
            return sp_fail(scan->err, SP_E_LIMIT, "the %s at byte %zu is %zu bytes long", rule->what, at, length);
        return SP_OK;
    case RULE_RAW:
        return SP_OK;
    case RULE_SCALAR:
        return damaged(scan, at, "a number is stored as bytes");
    case RULE_DIMS:
    case RULE_INTS:
    case RULE_FLOATS:
    case RULE_DOUBLES:
        status = count_packed(scan, at, at + length,
                              rule->rule == RULE_FLOATS    ? 4
                              : rule->rule == RULE_DOUBLES ? 8
                                                           : 0,
                              &added);
        return status ? status : check_list(scan, rule, at, added, lists);
    case RULE_REFUSED:
        break;
    }
    return sp_fail(scan->err, SP_E_UNSUPPORTED, "%s (byte %zu) is not supported", rule->what, at);
}

static enum sp_status scan_number(struct scan *scan, enum message in, uint32_t number, enum wire wire, size_t at,
                                  struct lists *lists)
{
    const struct field_rule *rule = rule_of(in, number);
    if (!rule)
        return SP_OK;
    bool fits = (wire == WIRE_VARINT && (rule->rule == RULE_DIMS || rule->rule == RULE_INTS)) ||
                (wire == WIRE_32 && rule->rule == RULE_FLOATS) || (wire == WIRE_64 && rule->rule == RULE_DOUBLES);
    if (fits) {
        scan->fields--; /* one element of an unpacked list: counted as a number, not as a field */
        return check_list(scan, rule, at, 1, lists);
    }
    if (rule->rule == RULE_SCALAR)
        return SP_OK;
    return damaged(scan, at, "a field has a wire type that is not its own");
}

static enum sp_status scan_message(struct scan *scan, enum message in, size_t at, size_t end)
{
    struct lists lists = {0};
    while (at < end) {
        size_t start = at;
        uint64_t key = 0, length = 0;
        enum sp_status status = read_varint(scan, &at, end, &key);
        if (status)
            return status;
        if (key >> 3 == 0 || key >> 3 > UINT32_MAX >> 3)
            return damaged(scan, start, "a field has no valid number");
        if (++scan->fields > SP_ONNX_MAX_FIELDS)
            return sp_fail(scan->err, SP_E_LIMIT, "more than %d fields", SP_ONNX_MAX_FIELDS);
        uint32_t number = (uint32_t)(key >> 3);
        enum wire wire = (enum wire)(key & 7);
        switch (wire) {
        case WIRE_VARINT:
            status = read_varint(scan, &at, end, &length);
            break;
        case WIRE_64:
        case WIRE_32:
            length = wire == WIRE_64 ? 8 : 4;
            if (end - at < length)
                return damaged(scan, start, "a number runs past its message");
            at += length;
            break;
        case WIRE_BYTES:
            status = read_varint(scan, &at, end, &length);
            if (!status && length > end - at)
                status = damaged(scan, start, "a field is longer than its message");
            break;
        default:
            return damaged(scan, start, "a field has an unknown wire type");
        }
        if (!status)
            status = wire == WIRE_BYTES ? scan_bytes(scan, in, number, at, (size_t)length, &lists)
                                        : scan_number(scan, in, number, wire, start, &lists);
        if (status)
            return status;
        at += wire == WIRE_BYTES ? (size_t)length : 0;
    }
    return SP_OK;
}

enum sp_status sp_onnx_scan(const uint8_t *bytes, size_t length, struct sp_err *err)
{
    if (length > SP_ONNX_MAX_FILE)
        return sp_fail(err, SP_E_LIMIT, "%zu bytes are more than the limit of %zu", length, SP_ONNX_MAX_FILE);
    struct scan scan = {.bytes = bytes, .err = err};
    return scan_message(&scan, MODEL, 0, length);
}
