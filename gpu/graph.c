#include "gpu/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash;
}

static void free_node(struct sp_node *node)
{
    for (int i = 0; i < node->attr_count; i++) {
        free(node->attrs[i].name);
        free(node->attrs[i].s);
        free(node->attrs[i].ints);
        free(node->attrs[i].floats);
    }
    free(node->attrs);
    free(node->inputs);
    free(node->outputs);
    free(node->name);
    free(node->op);
}

void sp_graph_free(struct sp_graph **graph)
{
    struct sp_graph *self = *graph;
    if (!self)
        return;
    for (int i = 0; i < self->node_count; i++)
        free_node(&self->nodes[i]);
    free(self->nodes);
    sp_value_table_clear(&self->values);
    free(self->index);
    free(self);
    *graph = NULL;
}

static int *slot_of(const struct sp_graph *graph, const char *name)
{
    uint32_t mask = (uint32_t)graph->index_size - 1;
    uint32_t at = hash_name(name) & mask;
    while (graph->index[at] >= 0 && strcmp(graph->values.at[graph->index[at]].name, name) != 0)
        at = (at + 1) & mask;
    return &graph->index[at];
}

static bool grow_index(struct sp_graph *graph)
{
    int size = graph->index_size ? graph->index_size * 2 : 256;
    int *fresh = malloc((size_t)size * sizeof *fresh);
    if (!fresh)
        return false;
    for (int i = 0; i < size; i++)
        fresh[i] = -1;
    free(graph->index);
    graph->index = fresh;
    graph->index_size = size;
    for (int i = 0; i < graph->values.count; i++)
        if (graph->values.at[i].name && graph->values.at[i].name[0])
            *slot_of(graph, graph->values.at[i].name) = i;
    return true;
}

int sp_graph_find(const struct sp_graph *graph, const char *name)
{
    return graph->index_size ? *slot_of(graph, name) : -1;
}

int sp_graph_value(struct sp_graph *graph, const char *name)
{
    int found = sp_graph_find(graph, name);
    if (found >= 0)
        return found;
    if (graph->values.count * 2 + 2 > graph->index_size && !grow_index(graph))
        return -1;
    int number = sp_value_table_add(&graph->values);
    if (number < 0)
        return -1;
    char *copy = strdup(name);
    if (!copy)
        return -1;
    graph->values.at[number].name = copy;
    *slot_of(graph, name) = number;
    return number;
}

int sp_value_table_add(struct sp_value_table *table)
{
    if (table->count == table->capacity) {
        int capacity = table->capacity ? table->capacity * 2 : 64;
        struct sp_value *grown = realloc(table->at, (size_t)capacity * sizeof *grown);
        if (!grown)
            return -1;
        table->at = grown;
        table->capacity = capacity;
    }
    table->at[table->count] = (struct sp_value){.rank = -1};
    return table->count++;
}

void sp_value_clear(struct sp_value *value)
{
    free(value->name);
    free(value->data);
    value->name = NULL;
    value->data = NULL;
}

void sp_value_table_clear(struct sp_value_table *table)
{
    for (int i = 0; i < table->count; i++)
        sp_value_clear(&table->at[i]);
    free(table->at);
    *table = (struct sp_value_table){0};
}

bool sp_shape_count(int rank, const int64_t *dims, int64_t *ret_count)
{
    int64_t count = 1;
    bool zero = false;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || dims[i] > INT32_MAX)
            return false;
        if (dims[i] == 0) {
            zero = true;
            continue;
        }
        if (count > ((int64_t)1 << 40) / dims[i])
            return false;
        count *= dims[i];
    }
    *ret_count = zero ? 0 : count;
    return true;
}

const char *sp_shape_text(int rank, const int64_t *dims, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    if (rank <= 0)
        snprintf(text, size, rank < 0 ? "unknown" : "scalar");
    for (int i = 0; i < rank && used + 2 < size; i++) {
        int wrote = snprintf(text + used, size - used, i ? "x%lld" : "%lld", (long long)dims[i]);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return text;
}

const struct sp_attr *sp_node_attr(const struct sp_node *node, const char *name)
{
    for (int i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}
