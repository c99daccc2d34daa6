#include "broker/outbox.h"

#include <stdlib.h>
#include <string.h>

bool broker_route_equal(const struct broker_route *a, const struct broker_route *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

enum sp_status broker_outbox_new(struct broker_outbox **ret_out, int capacity, struct sp_err *err)
{
    struct broker_outbox *out = calloc(1, sizeof *out);
    if (!out || !(out->items = calloc((size_t)capacity, sizeof *out->items))) {
        free(out);
        return sp_fail(err, SP_E_NOMEM, "no memory for an outbox of %d items", capacity);
    }
    out->capacity = capacity;
    *ret_out = out;
    return SP_OK;
}

void broker_outbox_free(struct broker_outbox **out)
{
    if (!*out)
        return;
    free((*out)->items);
    free(*out);
    *out = NULL;
}

struct broker_output *broker_outbox_add(struct broker_outbox *out, enum broker_output_type type)
{
    if (out->count >= out->capacity)
        abort(); /* a defect: better than writing behind the array */
    struct broker_output *item = &out->items[out->count++];
    memset(item, 0, sizeof *item);
    item->type = type;
    item->slot = -1;
    return item;
}
