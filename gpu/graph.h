/* A graph as an ONNX file states it: values, nodes and attributes, free of protobuf.
 *
 * Values are addressed by their number. A constant owns its data. Shapes are those of ONE batch item (batch 1). */
#ifndef SALLYPORT_GPU_GRAPH_H
#define SALLYPORT_GPU_GRAPH_H

#include <stdbool.h>
#include "gpu/engine.h"

enum sp_dtype {
    SP_DTYPE_F32,
    SP_DTYPE_I64, /* shape arithmetic only; never in memory at run time */
};

struct sp_value {
    char *name; /* owned; "" for values made while folding */
    enum sp_dtype dtype;
    int rank;                         /* -1: not known yet */
    int64_t dims[SP_TENSOR_MAX_RANK]; /* -1: left open by the file */
    void *data;    /* constant: count elements of dtype, owned; NULL for a value made at run time */
    int64_t count; /* elements of one item; valid once rank >= 0 and no dim is open */
};

struct sp_value_table {
    struct sp_value *at;
    int count;
    int capacity;
};

enum sp_attr_kind { SP_ATTR_FLOAT, SP_ATTR_INT, SP_ATTR_STRING, SP_ATTR_TENSOR, SP_ATTR_FLOATS, SP_ATTR_INTS };

struct sp_attr {
    char *name;
    enum sp_attr_kind kind;
    float f;
    int64_t i;
    char *s;       /* STRING, owned */
    int value;     /* TENSOR: number of the constant */
    int64_t *ints; /* INTS, owned */
    float *floats; /* FLOATS, owned */
    int count;
};

struct sp_node {
    char *name; /* "" where the file gives none */
    char *op;
    int *inputs; /* value numbers; -1 for an omitted optional input */
    int input_count;
    int *outputs;
    int output_count;
    struct sp_attr *attrs;
    int attr_count;
};

struct sp_port {
    char name[64];
    int value;
};

struct sp_graph {
    struct sp_value_table values;
    struct sp_node *nodes;
    int node_count;
    struct sp_port inputs[SP_NET_MAX_PORTS];
    int input_count;
    struct sp_port outputs[SP_NET_MAX_PORTS];
    int output_count;
    int opset;  /* of the default domain */
    int *index; /* name -> value number, open addressing; owned by graph.c */
    int index_size;
};

void sp_graph_free(struct sp_graph **graph);

/* Number of the value with this name, made when it is new; -1 without memory. */
int sp_graph_value(struct sp_graph *graph, const char *name);
/* Number of the value with this name or -1. */
int sp_graph_find(const struct sp_graph *graph, const char *name);

/* Append an unnamed value and return its number, -1 without memory. Invalidates pointers into the table. */
int sp_value_table_add(struct sp_value_table *table);
void sp_value_table_clear(struct sp_value_table *table);
/* Take name, data of a value back. */
void sp_value_clear(struct sp_value *value);

/* Product of dims; false when a dim is negative or over INT32_MAX or the product is over 2^40. */
bool sp_shape_count(int rank, const int64_t *dims, int64_t *ret_count);
/* "1x3x112x112" into text (at least 128 bytes); returns text. */
const char *sp_shape_text(int rank, const int64_t *dims, char *text, size_t size);

/* The attribute or NULL. */
const struct sp_attr *sp_node_attr(const struct sp_node *node, const char *name);

#endif
