/* The bytes of an index: msgpack, plain. Declared in index.h. */
#include "roster/index.h"

#include <stdlib.h>
#include <string.h>
#include "common/wire.h"

#define INDEX_VERSION 2
#define ENCODED_MAX   (31u << 20)
#define REASON_MAX    65535
#define ROW_ITEMS     9
#define RECEIPT_ITEMS 10
#define TIME_MAX      ((int64_t)1 << 53)

/* ---- writing ---- */

static void put_portrait(struct sp_wire_writer *w, const struct sp_index_portrait *portrait, int packs)
{
    sp_wire_put_array(w, 1 + 2 * packs);
    sp_wire_put_bytes(w, portrait->id, SP_PORTRAIT_BYTES);
    for (int i = 0; i < packs; i++) {
        const struct sp_index_enrolment *enrolment = &portrait->packs[i];
        sp_wire_put_uint(w, (uint64_t)enrolment->reason);
        sp_wire_put_uint(w, (uint64_t)(enrolment->quality < 0 ? 0 : enrolment->quality));
    }
}

static void put_row(struct sp_wire_writer *w, const struct sp_index_row *row, int packs)
{
    sp_wire_put_array(w, ROW_ITEMS);
    sp_wire_put_bytes(w, row->row, SP_ROW_BYTES);
    sp_wire_put_bytes(w, row->content, SP_ROW_BYTES);
    sp_wire_put_bytes(w, row->pseudonym, SP_PSEUDONYM_BYTES);
    sp_wire_put_uint(w, row->crew);
    sp_wire_put_uint(w, (uint64_t)row->boarding);
    sp_wire_put_uint(w, row->series);
    sp_wire_put_int(w, row->valid_from_ms);
    sp_wire_put_int(w, row->valid_to_ms);
    sp_wire_put_array(w, row->portrait_count);
    for (int k = 0; k < row->portrait_count; k++)
        put_portrait(w, &row->portraits[k], packs);
}

static void put_receipt(struct sp_wire_writer *w, const struct sp_index_receipt *receipt)
{
    sp_wire_put_array(w, RECEIPT_ITEMS);
    sp_wire_put_bytes(w, receipt->digest, sizeof receipt->digest);
    sp_wire_put_uint(w, receipt->series);
    sp_wire_put_uint(w, receipt->format);
    sp_wire_put_uint(w, receipt->group);
    sp_wire_put_uint(w, receipt->action);
    sp_wire_put_uint(w, (uint64_t)receipt->part << 1 | receipt->last_part);
    sp_wire_put_uint(w, (uint64_t)receipt->travellers);
    sp_wire_put_uint(w, (uint64_t)receipt->deviations);
    sp_wire_put_int(w, receipt->declared);
    sp_wire_put_int(w, receipt->received_ms);
}

static void put_index(struct sp_wire_writer *w, const struct sp_manifest_index *index)
{
    sp_wire_put_map(w, 15);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, INDEX_VERSION);
    sp_wire_put_text(w, "manifest"), sp_wire_put_text(w, index->id);
    sp_wire_put_text(w, "version"), sp_wire_put_uint(w, index->version);
    sp_wire_put_text(w, "state"), sp_wire_put_uint(w, (uint64_t)index->state);
    sp_wire_put_text(w, "standing"), sp_wire_put_bool(w, index->standing);
    sp_wire_put_text(w, "carrier"), sp_wire_put_text(w, index->carrier);
    sp_wire_put_text(w, "journey"), sp_wire_put_text(w, index->journey);
    sp_wire_put_text(w, "dep_port"), sp_wire_put_text(w, index->dep_port);
    sp_wire_put_text(w, "arr_port"), sp_wire_put_text(w, index->arr_port);
    sp_wire_put_text(w, "direction"), sp_wire_put_text(w, index->direction);
    sp_wire_put_text(w, "zone"), sp_wire_put_text(w, index->zone);
    sp_wire_put_text(w, "times"), sp_wire_put_array(w, 3);
    sp_wire_put_int(w, index->departs_ms), sp_wire_put_int(w, index->arrives_ms);
    sp_wire_put_int(w, index->flipped_ms);
    sp_wire_put_text(w, "packs"), sp_wire_put_array(w, index->pack_count);
    for (int i = 0; i < index->pack_count; i++)
        sp_wire_put_bytes(w, index->packs[i], sizeof index->packs[i]);
    sp_wire_put_text(w, "rows"), sp_wire_put_array(w, index->row_count);
    for (int i = 0; i < index->row_count; i++)
        put_row(w, &index->rows[i], index->pack_count);
    sp_wire_put_text(w, "receipts"), sp_wire_put_array(w, index->receipt_count);
    for (int i = 0; i < index->receipt_count; i++)
        put_receipt(w, &index->receipts[i]);
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
    put_index(w, index);
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

/* ---- reading ---- */

static bool take_id(uint8_t ret_id[16], const sp_wire_value *value)
{
    const uint8_t *bytes = NULL;
    size_t length = 0;
    if (!sp_wire_as_view(value, &bytes, &length) || length != 16)
        return false;
    memcpy(ret_id, bytes, 16);
    return true;
}

static bool take_number(const sp_wire_value *array, int at, uint64_t max, uint64_t *ret)
{
    return sp_wire_as_uint(sp_wire_at(array, at), max, ret);
}

static bool take_time(const sp_wire_value *array, int at, int64_t *ret)
{
    return sp_wire_as_int(sp_wire_at(array, at), ret) && *ret >= -TIME_MAX && *ret <= TIME_MAX;
}

static bool take_portrait(struct sp_index_portrait *portrait, const sp_wire_value *value, int packs)
{
    if (sp_wire_count(value) != 1 + 2 * packs || !take_id(portrait->id, sp_wire_at(value, 0)))
        return false;
    for (int i = 0; i < packs; i++) {
        uint64_t reason, quality;
        if (!take_number(value, 1 + 2 * i, REASON_MAX, &reason) || !take_number(value, 2 + 2 * i, 100, &quality))
            return false;
        portrait->packs[i] = (struct sp_index_enrolment){(int)reason, (int)quality};
    }
    return true;
}

static bool take_row(struct sp_index_row *row, const sp_wire_value *value, int packs)
{
    const sp_wire_value *portraits = sp_wire_at(value, ROW_ITEMS - 1);
    uint64_t crew, boarding, series;
    if (sp_wire_count(value) != ROW_ITEMS || !take_id(row->row, sp_wire_at(value, 0)) ||
        !take_id(row->content, sp_wire_at(value, 1)) || !take_id(row->pseudonym, sp_wire_at(value, 2)) ||
        !take_number(value, 3, 1, &crew) || !take_number(value, 4, SP_BOARDING_NOT_ON_BOARD, &boarding) ||
        !take_number(value, 5, UINT32_MAX, &series) || !take_time(value, 6, &row->valid_from_ms) ||
        !take_time(value, 7, &row->valid_to_ms) || !sp_wire_is_array(portraits) ||
        sp_wire_count(portraits) > SP_ROW_MAX_PORTRAITS)
        return false;
    row->crew = crew != 0;
    row->boarding = (enum sp_boarding)boarding;
    row->series = (uint32_t)series;
    row->portrait_count = sp_wire_count(portraits);
    for (int k = 0; k < row->portrait_count; k++)
        if (!take_portrait(&row->portraits[k], sp_wire_at(portraits, k), packs))
            return false;
    return true;
}

static bool take_receipt(struct sp_index_receipt *receipt, const sp_wire_value *value)
{
    uint64_t series, format, group, action, part, travellers, deviations;
    int64_t declared;
    if (sp_wire_count(value) != RECEIPT_ITEMS || !take_id(receipt->digest, sp_wire_at(value, 0)) ||
        !take_number(value, 1, UINT32_MAX, &series) || !take_number(value, 2, 255, &format) ||
        !take_number(value, 3, 255, &group) || !take_number(value, 4, 255, &action) ||
        !take_number(value, 5, 0x1ffff, &part) || !take_number(value, 6, INT32_MAX, &travellers) ||
        !take_number(value, 7, INT32_MAX, &deviations) || !sp_wire_as_int(sp_wire_at(value, 8), &declared) ||
        declared < -1 || declared > INT32_MAX || !take_time(value, 9, &receipt->received_ms))
        return false;
    receipt->series = (uint32_t)series;
    receipt->format = (uint8_t)format;
    receipt->group = (uint8_t)group;
    receipt->action = (uint8_t)action;
    receipt->part = (uint16_t)(part >> 1);
    receipt->last_part = part & 1;
    receipt->travellers = (int)travellers;
    receipt->deviations = (int)deviations;
    receipt->declared = (int)declared;
    return true;
}

static enum sp_status take_journey(struct sp_manifest_index *index, const sp_wire_value *map, struct sp_err *err)
{
    const struct {
        const char *key;
        char *text;
        size_t capacity;
    } texts[] = {
        {"carrier", index->carrier, sizeof index->carrier},
        {"journey", index->journey, sizeof index->journey},
        {"dep_port", index->dep_port, sizeof index->dep_port},
        {"arr_port", index->arr_port, sizeof index->arr_port},
        {"direction", index->direction, sizeof index->direction},
        {"zone", index->zone, sizeof index->zone},
    };
    const sp_wire_value *times = sp_wire_find(map, "times");
    enum sp_status status = sp_wire_get_bool(map, "standing", &index->standing, err);
    for (size_t i = 0; status == SP_OK && i < sizeof texts / sizeof texts[0]; i++)
        status = sp_wire_get_text(map, texts[i].key, texts[i].text, texts[i].capacity, err);
    if (status == SP_OK && (sp_wire_count(times) != 3 || !take_time(times, 0, &index->departs_ms) ||
                            !take_time(times, 1, &index->arrives_ms) || !take_time(times, 2, &index->flipped_ms)))
        status = sp_fail(err, SP_E_FORMAT, "times is not [departs, arrives, flipped]");
    return status;
}

static enum sp_status take_packs(struct sp_manifest_index *index, const sp_wire_value *packs, struct sp_err *err)
{
    if (!sp_wire_is_array(packs) || sp_wire_count(packs) > SP_INDEX_MAX_PACKS)
        return sp_fail(err, SP_E_FORMAT, "packs is not an array of at most %d", SP_INDEX_MAX_PACKS);
    index->pack_count = sp_wire_count(packs);
    for (int i = 0; i < index->pack_count; i++)
        if (!take_id(index->packs[i], sp_wire_at(packs, i)))
            return sp_fail(err, SP_E_FORMAT, "packs[%d] is not a fingerprint", i);
    return SP_OK;
}

/* The lists, once the index has room for them. */
static enum sp_status take_lists(struct sp_manifest_index *index, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *rows = sp_wire_find(map, "rows"), *receipts = sp_wire_find(map, "receipts");
    enum sp_status status = take_packs(index, sp_wire_find(map, "packs"), err);
    for (int i = 0; status == SP_OK && i < index->row_count; i++)
        if (!take_row(&index->rows[i], sp_wire_at(rows, i), index->pack_count))
            status = sp_fail(err, SP_E_FORMAT, "rows[%d] is not a row", i);
    if (status == SP_OK && (!sp_wire_is_array(receipts) || sp_wire_count(receipts) > SP_INDEX_MAX_RECEIPTS))
        status = sp_fail(err, SP_E_FORMAT, "receipts is not an array of at most %d", SP_INDEX_MAX_RECEIPTS);
    for (int i = 0; status == SP_OK && i < sp_wire_count(receipts); i++)
        if (!take_receipt(&index->receipts[index->receipt_count++], sp_wire_at(receipts, i)))
            status = sp_fail(err, SP_E_FORMAT, "receipts[%d] is not a receipt", i);
    return status;
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
        status = take_journey(index, map, err);
    if (status == SP_OK)
        status = take_lists(index, map, err);
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
