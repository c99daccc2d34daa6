/* Shape arithmetic: nodes whose first input is a constant of integers, folded at load.
 *
 * Only scalars and lists occur in such arithmetic; anything larger is refused. */
#include "gpu/lower.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MOST 4096

struct list {
    int64_t at[LIST_MOST];
    int rank; /* 0 or 1 */
    int count;
};

static enum sp_status read_list(const struct sp_lower *lower, int index, struct list *list)
{
    int value = sp_lower_input(lower, index);
    if (value < 0)
        return sp_lower_fail(lower, SP_E_FORMAT, "input %d is missing", index);
    const struct sp_value *v = sp_lower_value(lower, value);
    if (!v->data || v->dtype != SP_DTYPE_I64 || v->rank > 1 || v->count > LIST_MOST)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "input %d is not a constant list of at most %d integers",
                             index, LIST_MOST);
    memcpy(list->at, v->data, (size_t)v->count * sizeof list->at[0]);
    list->rank = v->rank;
    list->count = (int)v->count;
    return SP_OK;
}

static enum sp_status write_list(struct sp_lower *lower, const struct list *list)
{
    int64_t count = list->count;
    return sp_lower_constant(lower, SP_DTYPE_I64, list->rank, &count, list->at);
}

static bool calculate(char op, int64_t a, int64_t b, int64_t *ret)
{
    switch (op) {
    case 'A':
        return !__builtin_add_overflow(a, b, ret);
    case 'S':
        return !__builtin_sub_overflow(a, b, ret);
    case 'M':
        return !__builtin_mul_overflow(a, b, ret);
    default:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *ret = a / b;
        return true;
    }
}

static enum sp_status fold_arithmetic(struct sp_lower *lower, struct list *a, struct list *b)
{
    enum sp_status status = read_list(lower, 1, b);
    if (status)
        return status;
    if (a->count != b->count && a->count != 1 && b->count != 1)
        return sp_lower_fail(lower, SP_E_FORMAT, "lists of %d and %d integers", a->count, b->count);
    int count = a->count > b->count ? a->count : b->count;
    for (int i = count - 1; i >= 0; i--)
        if (!calculate(lower->node->op[0], a->at[a->count == 1 ? 0 : i], b->at[b->count == 1 ? 0 : i], &b->at[i]))
            return sp_lower_fail(lower, SP_E_FORMAT, "its result overflows");
    b->count = count;
    b->rank = a->rank > b->rank ? a->rank : b->rank;
    return write_list(lower, b);
}

static enum sp_status fold_gather(struct sp_lower *lower, struct list *a, struct list *b)
{
    enum sp_status status = read_list(lower, 1, b);
    if (status)
        return status;
    for (int i = 0; i < b->count; i++) {
        int64_t at = b->at[i] + (b->at[i] < 0 ? a->count : 0);
        if (at < 0 || at >= a->count)
            return sp_lower_fail(lower, SP_E_FORMAT, "index %lld is outside %d elements", (long long)b->at[i],
                                 a->count);
        b->at[i] = a->at[at];
    }
    return write_list(lower, b);
}

static enum sp_status fold_concat(struct sp_lower *lower, struct list *a, struct list *b)
{
    for (int i = 1; i < lower->node->input_count; i++) {
        enum sp_status status = read_list(lower, i, b);
        if (status)
            return status;
        if (a->count + b->count > LIST_MOST)
            return sp_lower_fail(lower, SP_E_LIMIT, "more than %d integers", LIST_MOST);
        memcpy(&a->at[a->count], b->at, (size_t)b->count * sizeof b->at[0]);
        a->count += b->count;
    }
    a->rank = 1;
    return write_list(lower, a);
}

static enum sp_status fold_slice(struct sp_lower *lower, struct list *a)
{
    int64_t start = 0, end = a->count, step = 1, axis = 0;
    int count;
    enum sp_status status = sp_lower_list(lower, "starts", 1, &start, 1, &count);
    if (!status)
        status = sp_lower_list(lower, "ends", 2, &end, 1, &count);
    if (!status)
        status = sp_lower_list(lower, "axes", 3, &axis, 1, &count);
    if (!status)
        status = sp_lower_list(lower, "steps", 4, &step, 1, &count);
    if (status)
        return status;
    if ((axis != 0 && axis != -1) || step != 1)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "a step or axis other than the first of a list");
    start += start < 0 ? a->count : 0;
    end += end < 0 ? a->count : 0;
    start = start < 0 ? 0 : start > a->count ? a->count : start;
    end = end < start ? start : end > a->count ? a->count : end;
    memmove(a->at, &a->at[start], (size_t)(end - start) * sizeof a->at[0]);
    a->count = (int)(end - start);
    return write_list(lower, a);
}

static enum sp_status fold_cast(struct sp_lower *lower, const struct list *a)
{
    int64_t to = sp_lower_int(lower, "to", 0), count = a->count;
    float floats[LIST_MOST];
    if (to == 6 || to == 7)
        return write_list(lower, a);
    if (to != 1)
        return sp_lower_fail(lower, SP_E_UNSUPPORTED, "a cast to element type %lld", (long long)to);
    for (int i = 0; i < a->count; i++)
        floats[i] = (float)a->at[i];
    return sp_lower_constant(lower, SP_DTYPE_F32, a->rank, &count, floats);
}

static enum sp_status fold_constant_of_shape(struct sp_lower *lower, const struct list *a)
{
    const struct sp_attr *attr = sp_node_attr(lower->node, "value");
    int made;
    if (a->count > SP_TENSOR_MAX_RANK)
        return sp_lower_fail(lower, SP_E_FORMAT, "a shape of rank %d", a->count);
    const struct sp_value *given = attr && attr->kind == SP_ATTR_TENSOR ? sp_lower_value(lower, attr->value) : NULL;
    if (given && given->count != 1)
        return sp_lower_fail(lower, SP_E_FORMAT, "its value is not one number");
    enum sp_dtype dtype = given ? given->dtype : SP_DTYPE_F32;
    int64_t integer = given && dtype == SP_DTYPE_I64 ? *(const int64_t *)given->data : 0;
    float real = given && dtype == SP_DTYPE_F32 ? *(const float *)given->data : 0;
    enum sp_status status = sp_lower_new_constant(lower, dtype, a->count, a->at, &made);
    if (status)
        return status;
    struct sp_value *v = sp_lower_value(lower, made);
    for (int64_t i = 0; i < v->count; i++) {
        if (dtype == SP_DTYPE_I64)
            ((int64_t *)v->data)[i] = integer;
        else
            ((float *)v->data)[i] = real;
    }
    return sp_lower_alias(lower, made);
}

enum sp_status sp_lower_integer(struct sp_lower *lower)
{
    struct list a, b;
    const char *op = lower->node->op;
    enum sp_status status = read_list(lower, 0, &a);
    if (status)
        return status;
    if (strcmp(op, "Add") == 0 || strcmp(op, "Sub") == 0 || strcmp(op, "Mul") == 0 || strcmp(op, "Div") == 0)
        return fold_arithmetic(lower, &a, &b);
    if (strcmp(op, "Gather") == 0)
        return fold_gather(lower, &a, &b);
    if (strcmp(op, "Concat") == 0)
        return fold_concat(lower, &a, &b);
    if (strcmp(op, "Slice") == 0)
        return fold_slice(lower, &a);
    if (strcmp(op, "Cast") == 0)
        return fold_cast(lower, &a);
    if (strcmp(op, "ConstantOfShape") == 0)
        return fold_constant_of_shape(lower, &a);
    if (strcmp(op, "Identity") == 0 || strcmp(op, "Floor") == 0)
        return write_list(lower, &a);
    if (strcmp(op, "Unsqueeze") == 0 && a.rank == 0) {
        a.rank = 1;
        return write_list(lower, &a);
    }
    if (strcmp(op, "Squeeze") == 0 && a.count == 1) {
        a.rank = 0;
        return write_list(lower, &a);
    }
    if (strcmp(op, "Reshape") == 0) {
        a.rank = 1;
        return write_list(lower, &a);
    }
    if (strcmp(op, "Shape") == 0) {
        struct list shape = {.rank = 1, .count = a.rank, .at[0] = a.count};
        return write_list(lower, &shape);
    }
    return sp_lower_fail(lower, SP_E_UNSUPPORTED, "this operator on integers is not supported");
}
