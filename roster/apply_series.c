#include "roster/apply_series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "roster/manifest_store.h"

/* The message's digest: keyed, over all that it says. */
enum sp_status sp_apply_digest(uint8_t ret_digest[16], const struct sp_roster *roster,
                               const struct sp_apply_message *m, const struct sp_manifest_keys *keys,
                               struct sp_err *err)
{
    const char *const texts[] = {m->reference, m->series,    m->carrier,   m->journey,  m->dep_port,
                                 m->arr_port,  m->sched_dep, m->sched_arr, m->direction};
    char numbers[64];
    size_t count = (size_t)roster->row_count, at = 0;
    uint8_t(*all)[16] = calloc(1 + sizeof texts / sizeof texts[0] + count, sizeof *all);
    if (!all)
        return sp_fail(err, SP_E_NOMEM, "no memory for a receipt of %zu rows", count);
    snprintf(numbers, sizeof numbers, "%d %d %d %d %d", m->format, m->group, m->action, m->part, m->last_part);
    sp_seal_hash(all[at++], 16, numbers, strlen(numbers), NULL, 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        sp_seal_hash(all[at++], 16, texts[i], strlen(texts[i]), NULL, 0);
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        uint8_t *bytes = NULL;
        size_t size = 0;
        status = sp_row_encode(&bytes, &size, &roster->rows[i], err);
        if (status != SP_OK)
            break;
        sp_seal_hash(all[at++], 16, bytes, size, NULL, 0);
        sp_seal_wipe(bytes, size);
        free(bytes);
    }
    if (status == SP_OK)
        sp_manifest_receipt_id(ret_digest, all, 16 * at, keys);
    free(all);
    return status;
}

/* Carriers give every round of a flight's list the same reference: rounds tell them apart. Never 0. */
static uint32_t series_of(const struct sp_apply_message *m, const uint8_t digest[16], int round)
{
    uint8_t place[20] = {(uint8_t)(m->group << 4 | m->action), (uint8_t)(round >> 8), (uint8_t)round}, hash[16];
    if (m->series[0])
        sp_seal_hash(place + 4, 16, m->series, strlen(m->series), NULL, 0);
    else
        memcpy(place + 4, digest, 16);
    sp_seal_hash(hash, sizeof hash, place, sizeof place, NULL, 0);
    return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3] | 1;
}

/* Where a series stands among the receipts: of lists the first message of it counts, of deltas the last. -1: gone.
 */
int sp_apply_position(const struct sp_manifest_index *before, uint32_t series)
{
    int at = -1;
    for (int i = 0; before && i < before->receipt_count; i++) {
        if (before->receipts[i].series != series)
            continue;
        at = i;
        if (before->receipts[i].action == SP_ACTION_LIST)
            break;
    }
    return at;
}

/* True if all parts of a list (or of another message in parts: a series has one action) were received; `with` is
 * one more receipt, or NULL. ret_parts may be NULL. */
bool sp_apply_is_whole(const struct sp_manifest_index *before, uint32_t series, const struct sp_index_receipt *with,
                       struct sp_apply_parts *ret_parts)
{
    struct sp_apply_parts parts = {0};
    int count = before ? before->receipt_count : 0;
    bool single = false;
    for (int i = 0; i <= count; i++) {
        const struct sp_index_receipt *receipt = i < count ? &before->receipts[i] : with;
        if (!receipt || receipt->series != series || receipt->part > SP_APPLY_MAX_PARTS)
            continue;
        single = single || (receipt->part == 0 && receipt->last_part);
        parts.count += receipt->part > 0 && !parts.seen[receipt->part];
        parts.seen[receipt->part] = true;
        if (receipt->last_part)
            parts.of = receipt->part;
    }
    bool all = parts.of > 0;
    for (int i = 1; i <= parts.of; i++)
        all = all && parts.seen[i];
    if (ret_parts)
        *ret_parts = parts;
    return single || all;
}

static bool groups_meet(int a, int b)
{
    return a == b || a == SP_GROUP_BOTH || b == SP_GROUP_BOTH;
}

/* True if a list that began after this one is whole already. */
bool sp_apply_is_late(const struct sp_manifest_index *before, const struct sp_index_receipt *receipt)
{
    int began = sp_apply_position(before, receipt->series);
    for (int i = began + 1; began >= 0 && i < before->receipt_count; i++) {
        const struct sp_index_receipt *other = &before->receipts[i];
        if (other->action == SP_ACTION_LIST && other->series != receipt->series &&
            groups_meet(other->group, receipt->group) && sp_apply_position(before, other->series) > began &&
            sp_apply_is_whole(before, other->series, NULL, NULL))
            return true;
    }
    return false;
}

/* The round this part belongs to: the newest one, unless that is whole, or a newer list has replaced it and the
 * part is there already: then the carrier begins again. */
static int round_of(const struct sp_manifest_index *before, const struct sp_apply_message *m,
                    const struct sp_index_receipt *receipt)
{
    struct sp_index_receipt newest = *receipt;
    struct sp_apply_parts parts;
    int round = 0;
    while (sp_apply_position(before, series_of(m, receipt->digest, round + 1)) >= 0)
        round++;
    newest.series = series_of(m, receipt->digest, round);
    bool whole = sp_apply_is_whole(before, newest.series, NULL, &parts);
    return whole || (parts.seen[m->part] && sp_apply_is_late(before, &newest)) ? round + 1 : round;
}

void sp_apply_receipt(struct sp_index_receipt *receipt, const struct sp_manifest_index *before,
                      const struct sp_apply_message *m, int travellers, int64_t now_ms)
{
    receipt->format = (uint8_t)m->format;
    receipt->group = (uint8_t)m->group;
    receipt->action = (uint8_t)m->action;
    receipt->part = (uint16_t)m->part;
    receipt->last_part = m->last_part;
    receipt->travellers = travellers;
    receipt->deviations = m->deviations;
    receipt->declared = m->declared;
    receipt->received_ms = now_ms;
    int round = m->part > 0 ? round_of(before, m, receipt) : 0;
    while (m->part == 0 && sp_apply_position(before, series_of(m, receipt->digest, round)) >= 0)
        round++; /* what has no parts is a round each */
    receipt->series = series_of(m, receipt->digest, round);
}

/* True if the newest list of another group is not whole: the manifest as a whole is not complete. */
bool sp_apply_others_open(const struct sp_manifest_index *before, enum sp_listing_group group)
{
    for (int i = before ? before->receipt_count - 1 : -1; i >= 0; i--) {
        const struct sp_index_receipt *other = &before->receipts[i];
        if (other->action == SP_ACTION_LIST && !groups_meet(other->group, (int)group))
            return !sp_apply_is_whole(before, other->series, NULL, NULL);
    }
    return false;
}

bool sp_apply_is_known(const struct sp_manifest_index *before, const uint8_t digest[16])
{
    for (int i = 0; before && i < before->receipt_count; i++)
        if (memcmp(before->receipts[i].digest, digest, 16) == 0)
            return true;
    return false;
}

void sp_apply_note(struct sp_manifest_index *index, const struct sp_index_receipt *receipt)
{
    if (index->receipt_count == SP_INDEX_MAX_RECEIPTS) {
        int count = index->receipt_count--, drop = 0;
        while (drop < count && index->receipts[drop].action == SP_ACTION_LIST)
            drop++;
        drop = drop < count ? drop : 0;
        memmove(index->receipts + drop, index->receipts + drop + 1,
                (size_t)(count - 1 - drop) * sizeof *index->receipts);
    }
    index->receipts[index->receipt_count++] = *receipt;
}
