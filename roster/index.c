#include "roster/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/wire.h"

#define INDEX_VERSION 1
#define ENCODED_MAX   (31u << 20)
#define REASON_MAX    65535

void sp_manifest_index_free(struct sp_manifest_index **index)
{
    if (!index || !*index)
        return;
    free((*index)->rows);
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
    if (!index || !index->rows) {
        free(index);
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

bool sp_index_equal(const struct sp_manifest_index *a, const struct sp_manifest_index *b)
{
    if (a->row_count != b->row_count || memcmp(a->pack, b->pack, sizeof a->pack) != 0)
        return false;
    for (int i = 0; i < a->row_count; i++) {
        const struct sp_index_row *x = &a->rows[i], *y = &b->rows[i];
        if (memcmp(x->row, y->row, SP_ROW_BYTES) != 0 || memcmp(x->content, y->content, SP_ROW_BYTES) != 0 ||
            x->portrait_count != y->portrait_count)
            return false;
        for (int k = 0; k < x->portrait_count; k++)
            if (memcmp(x->portraits[k].id, y->portraits[k].id, SP_PORTRAIT_BYTES) != 0 ||
                x->portraits[k].reason != y->portraits[k].reason)
                return false;
    }
    return true;
}

enum sp_status sp_index_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_manifest_index *index,
                               struct sp_err *err)
{
    struct sp_wire_writer *w = NULL;
    const uint8_t *bytes;
    size_t length;
    enum sp_status status = sp_wire_writer_new(&w, ENCODED_MAX, err);
    if (status != SP_OK)
        return status;
    sp_wire_put_map(w, 6);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, INDEX_VERSION);
    sp_wire_put_text(w, "manifest"), sp_wire_put_text(w, index->id);
    sp_wire_put_text(w, "version"), sp_wire_put_uint(w, index->version);
    sp_wire_put_text(w, "state"), sp_wire_put_uint(w, (uint64_t)index->state);
    sp_wire_put_text(w, "pack"), sp_wire_put_bytes(w, index->pack, sizeof index->pack);
    sp_wire_put_text(w, "rows"), sp_wire_put_array(w, index->row_count);
    for (int i = 0; i < index->row_count; i++) {
        const struct sp_index_row *row = &index->rows[i];
        sp_wire_put_array(w, 4);
        sp_wire_put_bytes(w, row->row, SP_ROW_BYTES);
        sp_wire_put_bytes(w, row->content, SP_ROW_BYTES);
        sp_wire_put_bytes(w, row->pseudonym, SP_PSEUDONYM_BYTES);
        sp_wire_put_array(w, row->portrait_count);
        for (int k = 0; k < row->portrait_count; k++) {
            sp_wire_put_array(w, 3);
            sp_wire_put_bytes(w, row->portraits[k].id, SP_PORTRAIT_BYTES);
            sp_wire_put_uint(w, (uint64_t)row->portraits[k].reason);
            sp_wire_put_uint(w, (uint64_t)(row->portraits[k].quality < 0 ? 0 : row->portraits[k].quality));
        }
    }
    status = sp_wire_finish(w, &bytes, &length, err);
    uint8_t *copy = status == SP_OK ? malloc(length) : NULL;
    if (copy) {
        memcpy(copy, bytes, length);
        *ret_bytes = copy;
        *ret_length = length;
    } else if (status == SP_OK) {
        status = sp_fail(err, SP_E_NOMEM, "no memory for an index of %zu bytes", length);
    }
    sp_wire_writer_free(&w);
    return status;
}

static bool take_id(uint8_t ret_id[16], const sp_wire_value *value)
{
    const uint8_t *bytes = NULL;
    size_t length = 0;
    if (!sp_wire_as_view(value, &bytes, &length) || length != 16)
        return false;
    memcpy(ret_id, bytes, 16);
    return true;
}

static bool take_row(struct sp_index_row *row, const sp_wire_value *value)
{
    const sp_wire_value *portraits = sp_wire_at(value, 3);
    if (sp_wire_count(value) != 4 || !take_id(row->row, sp_wire_at(value, 0)) ||
        !take_id(row->content, sp_wire_at(value, 1)) || !take_id(row->pseudonym, sp_wire_at(value, 2)) ||
        !sp_wire_is_array(portraits) || sp_wire_count(portraits) > SP_ROW_MAX_PORTRAITS)
        return false;
    row->portrait_count = sp_wire_count(portraits);
    for (int k = 0; k < row->portrait_count; k++) {
        const sp_wire_value *triple = sp_wire_at(portraits, k);
        uint64_t reason, quality;
        if (sp_wire_count(triple) != 3 || !take_id(row->portraits[k].id, sp_wire_at(triple, 0)) ||
            !sp_wire_as_uint(sp_wire_at(triple, 1), REASON_MAX, &reason) ||
            !sp_wire_as_uint(sp_wire_at(triple, 2), 100, &quality))
            return false;
        row->portraits[k].reason = (int)reason;
        row->portraits[k].quality = (int)quality;
    }
    return true;
}

static enum sp_status take_index(struct sp_manifest_index **ret_index, const sp_wire_value *map, struct sp_err *err)
{
    struct sp_manifest_index *index = NULL;
    char manifest[SP_MANIFEST_ID_MAX];
    uint64_t version = 0, state = 0;
    enum sp_status status = sp_wire_get_uint(map, "v", INT32_MAX, &version, err);
    if (status == SP_OK && version != INDEX_VERSION)
        return sp_fail(err, SP_E_VERSION, "index format %llu, this program reads %d", (unsigned long long)version,
                       INDEX_VERSION);
    if (status == SP_OK)
        status = sp_wire_get_text(map, "manifest", manifest, sizeof manifest, err);
    const sp_wire_value *rows = sp_wire_find(map, "rows");
    if (status == SP_OK && !sp_wire_is_array(rows))
        status = sp_fail(err, SP_E_FORMAT, "rows is not an array");
    if (status == SP_OK)
        status = sp_index_new(&index, manifest, sp_wire_count(rows), err);
    if (status == SP_OK)
        status = sp_wire_get_uint(map, "version", INT64_MAX, &index->version, err);
    if (status == SP_OK)
        status = sp_wire_get_uint(map, "state", SP_MANIFEST_PURGED, &state, err);
    if (status == SP_OK)
        status = sp_wire_get_bytes(map, "pack", index->pack, sizeof index->pack, err);
    for (int i = 0; status == SP_OK && i < index->row_count; i++)
        if (!take_row(&index->rows[i], sp_wire_at(rows, i)))
            status = sp_fail(err, SP_E_FORMAT, "rows[%d] is not [row, content, pseudonym, portraits]", i);
    if (status == SP_OK) {
        index->state = (enum sp_manifest_state)state;
        sp_index_sort(index);
        *ret_index = index;
    } else {
        sp_manifest_index_free(&index);
    }
    return status == SP_E_NOTFOUND ? SP_E_FORMAT : status;
}

enum sp_status sp_index_decode(struct sp_manifest_index **ret_index, const void *bytes, size_t length,
                               struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &sp_wire_record_limits, err);
    if (status == SP_OK)
        status = take_index(ret_index, sp_wire_root(doc), err);
    sp_wire_free(&doc);
    return status;
}
