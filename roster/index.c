#include "roster/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"

void sp_manifest_index_free(struct sp_manifest_index **index)
{
    if (!index || !*index)
        return;
    free((*index)->rows);
    free((*index)->receipts);
    free(*index);
    *index = NULL;
}

enum sp_status sp_index_new(struct sp_manifest_index **ret_index, const char *manifest, int row_count,
                            struct sp_err *err)
{
    if (row_count < 0 || row_count > SP_MANIFEST_MAX_ROWS)
        return sp_fail(err, SP_E_LIMIT, "%d travellers, the limit of a manifest is %d", row_count,
                       SP_MANIFEST_MAX_ROWS);
    struct sp_manifest_index *index = calloc(1, sizeof *index);
    if (index)
        index->rows = calloc((size_t)row_count + 1, sizeof *index->rows);
    if (index)
        index->receipts = calloc(SP_INDEX_MAX_RECEIPTS, sizeof *index->receipts);
    if (!index || !index->rows || !index->receipts) {
        sp_manifest_index_free(&index);
        return sp_fail(err, SP_E_NOMEM, "no memory for an index of %d rows", row_count);
    }
    snprintf(index->id, sizeof index->id, "%s", manifest);
    index->row_count = row_count;
    *ret_index = index;
    return SP_OK;
}

static int compare_rows(const void *a, const void *b)
{
    return memcmp(((const struct sp_index_row *)a)->row, ((const struct sp_index_row *)b)->row, SP_ROW_BYTES);
}

void sp_index_sort(struct sp_manifest_index *index)
{
    qsort(index->rows, (size_t)index->row_count, sizeof *index->rows, compare_rows);
}

const struct sp_index_row *sp_index_find(const struct sp_manifest_index *index, const uint8_t row[SP_ROW_BYTES])
{
    struct sp_index_row wanted;
    memcpy(wanted.row, row, SP_ROW_BYTES);
    return bsearch(&wanted, index->rows, (size_t)index->row_count, sizeof *index->rows, compare_rows);
}

const struct sp_index_portrait *sp_index_portrait(const struct sp_index_row *row,
                                                  const uint8_t portrait[SP_PORTRAIT_BYTES])
{
    for (int i = 0; i < row->portrait_count; i++)
        if (memcmp(row->portraits[i].id, portrait, SP_PORTRAIT_BYTES) == 0)
            return &row->portraits[i];
    return NULL;
}

int sp_manifest_index_pack(const struct sp_manifest_index *index, const uint8_t pack[16])
{
    for (int i = 0; i < index->pack_count; i++)
        if (memcmp(index->packs[i], pack, sizeof index->packs[i]) == 0)
            return i;
    return -1;
}

bool sp_index_row_usable(const struct sp_index_row *row, int pack)
{
    for (int i = 0; i < row->portrait_count; i++)
        if (row->portraits[i].packs[pack].reason == SP_REASON_NONE)
            return true;
    return false;
}

static bool equal_rows(const struct sp_index_row *a, const struct sp_index_row *b, int packs)
{
    if (memcmp(a->row, b->row, SP_ROW_BYTES) != 0 || memcmp(a->content, b->content, SP_ROW_BYTES) != 0 ||
        a->crew != b->crew || a->boarding != b->boarding || a->valid_from_ms != b->valid_from_ms ||
        a->valid_to_ms != b->valid_to_ms || a->portrait_count != b->portrait_count)
        return false;
    for (int k = 0; k < a->portrait_count; k++) {
        if (memcmp(a->portraits[k].id, b->portraits[k].id, SP_PORTRAIT_BYTES) != 0)
            return false;
        for (int p = 0; p < packs; p++)
            if (a->portraits[k].packs[p].reason != b->portraits[k].packs[p].reason)
                return false;
    }
    return true;
}

bool sp_index_equal(const struct sp_manifest_index *a, const struct sp_manifest_index *b)
{
    if (a->row_count != b->row_count || a->pack_count != b->pack_count || a->standing != b->standing ||
        memcmp(a->packs, b->packs, (size_t)a->pack_count * sizeof a->packs[0]) != 0 ||
        a->departs_ms != b->departs_ms || a->arrives_ms != b->arrives_ms || strcmp(a->zone, b->zone) != 0 ||
        strcmp(a->arr_port, b->arr_port) != 0 || strcmp(a->direction, b->direction) != 0)
        return false;
    for (int i = 0; i < a->row_count; i++)
        if (!equal_rows(&a->rows[i], &b->rows[i], a->pack_count))
            return false;
    return true;
}
