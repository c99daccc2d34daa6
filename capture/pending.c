#include "capture/pending.h"

#include <string.h>

struct sp_pending *sp_pending_find(struct sp_pending_table *table, const uint8_t *encounter, uint32_t seq)
{
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++) {
        struct sp_pending *row = &table->rows[i];
        if (row->used && row->seq == seq && memcmp(row->encounter, encounter, SP_ENCOUNTER_BYTES) == 0)
            return row;
    }
    return NULL;
}

enum sp_status sp_pending_add(struct sp_pending_table *table, const uint8_t *encounter, uint32_t seq,
                              size_t max_payload, struct sp_pending **ret_row, struct sp_err *err)
{
    struct sp_pending *row = NULL;
    if (sp_pending_find(table, encounter, seq))
        return sp_fail(err, SP_E_EXISTS, "message %u of this encounter waits for its answer already", seq);
    for (int i = 0; i < SP_CLIENT_PENDING_MAX && !row; i++)
        row = table->rows[i].used ? NULL : &table->rows[i];
    if (!row)
        return sp_fail(err, SP_E_LIMIT, "%d messages wait for their answers: take answers first",
                       SP_CLIENT_PENDING_MAX);
    *row = (struct sp_pending){.seq = seq};
    enum sp_status status = sp_wire_writer_new(&row->plain, max_payload, err);
    if (status != SP_OK)
        return status;
    memcpy(row->encounter, encounter, SP_ENCOUNTER_BYTES);
    row->used = true;
    *ret_row = row;
    return SP_OK;
}

void sp_pending_remove(struct sp_pending *row)
{
    sp_wire_writer_free(&row->plain);
    *row = (struct sp_pending){.used = false};
}

uint32_t sp_pending_count(const struct sp_pending_table *table, enum sp_message_type kind, const char *lane)
{
    uint32_t count = 0;
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++) {
        const struct sp_pending *row = &table->rows[i];
        count += row->used && (!lane || (row->kind == kind && strcmp(row->lane, lane) == 0));
    }
    return count;
}

void sp_pending_free_all(struct sp_pending_table *table)
{
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        if (table->rows[i].used)
            sp_pending_remove(&table->rows[i]);
}

void sp_pending_sent(struct sp_pending_table *table, const uint8_t *encounter, uint32_t seq, uint64_t now_ns)
{
    uint64_t first_ns;
    if (sp_pending_sent_at(table, encounter, seq, &first_ns))
        return;
    struct sp_sent *row = &table->sent[table->sent_next++ % SP_SENT_MAX];
    memcpy(row->encounter, encounter, SP_ENCOUNTER_BYTES);
    row->seq = seq;
    row->first_ns = now_ns;
}

bool sp_pending_sent_at(const void *table, const uint8_t *encounter, uint32_t seq, uint64_t *ret_ns)
{
    const struct sp_pending_table *t = table;
    for (int i = 0; i < SP_SENT_MAX; i++) {
        const struct sp_sent *row = &t->sent[i];
        if (row->seq == seq && row->seq > 0 && memcmp(row->encounter, encounter, SP_ENCOUNTER_BYTES) == 0) {
            *ret_ns = row->first_ns;
            return true;
        }
    }
    return false;
}
