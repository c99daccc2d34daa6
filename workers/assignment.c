#include "workers/assignment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 192 };

/* A lane's two records as they were last seen: sealed bytes and what they opened to. */
struct known {
    uint64_t used; /* 0: empty */
    char lane[SP_NAME_MAX];
    uint8_t *lane_sealed, *assignment_sealed; /* owned */
    size_t lane_length, assignment_length;
    bool assigned; /* there is an assignment record */
    struct sp_lane record;
    struct sp_assignment assignment;
};

struct sp_assignments {
    const struct sp_data_key *site;
    uint64_t clock, opened;
    int max;
    struct known known[];
};

enum sp_status sp_assignments_new(struct sp_assignments **ret_assignments, const struct sp_data_key *site,
                                  int max_lanes, struct sp_err *err)
{
    struct sp_assignments *assignments = calloc(1, sizeof *assignments + (size_t)max_lanes * sizeof(struct known));
    if (!assignments)
        return sp_fail(err, SP_E_NOMEM, "assignments: out of memory for %d lanes", max_lanes);
    assignments->site = site;
    assignments->max = max_lanes;
    *ret_assignments = assignments;
    return SP_OK;
}

static void forget(struct known *known)
{
    free(known->lane_sealed);
    free(known->assignment_sealed);
    *known = (struct known){0};
}

void sp_assignments_free(struct sp_assignments **assignments)
{
    if (!assignments || !*assignments)
        return;
    for (int i = 0; i < (*assignments)->max; i++)
        forget(&(*assignments)->known[i]);
    free(*assignments);
    *assignments = NULL;
}

static struct known *place_of(struct sp_assignments *assignments, const char *lane)
{
    struct known *oldest = &assignments->known[0];
    for (struct known *known = assignments->known; known < assignments->known + assignments->max; known++) {
        if (known->used && strcmp(known->lane, lane) == 0)
            return known;
        if (known->used < oldest->used)
            oldest = known;
    }
    forget(oldest);
    snprintf(oldest->lane, sizeof oldest->lane, "%s", lane);
    return oldest;
}

/* Keep a copy of sealed bytes; true if they differ from those kept before. */
static enum sp_status keep(uint8_t **kept, size_t *kept_length, const uint8_t *bytes, size_t length,
                           bool *ret_changed, struct sp_err *err)
{
    *ret_changed = !*kept || *kept_length != length || memcmp(*kept, bytes, length) != 0;
    if (!*ret_changed)
        return SP_OK;
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        return sp_fail(err, SP_E_NOMEM, "assignments: out of memory");
    memcpy(copy, bytes, length);
    free(*kept);
    *kept = copy;
    *kept_length = length;
    return SP_OK;
}

static enum sp_status open_records(struct sp_assignments *assignments, struct known *known, const sp_reply *lane,
                                   const sp_reply *assignment, struct sp_err *err)
{
    size_t length;
    bool changed;
    const uint8_t *bytes = sp_reply_bytes(lane, &length);
    enum sp_status status = keep(&known->lane_sealed, &known->lane_length, bytes, length, &changed, err);
    if (status == SP_OK && changed) {
        assignments->opened++;
        status = sp_lane_open(&known->record, known->lane, bytes, length, assignments->site, err);
    }
    known->assigned = sp_reply_type(assignment) == SP_REPLY_BYTES;
    if (status != SP_OK || !known->assigned)
        return status;
    bytes = sp_reply_bytes(assignment, &length);
    status = keep(&known->assignment_sealed, &known->assignment_length, bytes, length, &changed, err);
    if (status == SP_OK && changed) {
        assignments->opened++;
        status = sp_assignment_open(&known->assignment, known->lane, bytes, length, assignments->site, err);
    }
    return status;
}

bool sp_assignment_in_force(const struct sp_assignment_entry *entry, int64_t now_ms)
{
    return (entry->from_ms == 0 || entry->from_ms <= now_ms) && (entry->to_ms == 0 || now_ms < entry->to_ms);
}

static void resolve_lane(struct sp_assignments *assignments, const char *lane, const sp_reply *record,
                         const sp_reply *assignment, int64_t now_ms, struct sp_lane_now *ret)
{
    struct sp_err err = {0};
    *ret = (struct sp_lane_now){0};
    if (sp_reply_type(record) != SP_REPLY_BYTES) {
        ret->reason = SP_REASON_UNKNOWN_LANE;
        snprintf(ret->text, sizeof ret->text, "lane %s: no such lane is set up; see `sallyport lane set`", lane);
        return;
    }
    struct known *known = place_of(assignments, lane);
    if (open_records(assignments, known, record, assignment, &err) != SP_OK) {
        forget(known);
        ret->reason = SP_REASON_INTERNAL;
        snprintf(ret->text, sizeof ret->text, "lane %s: its record does not open", lane);
        return;
    }
    known->used = ++assignments->clock;
    ret->lane = known->record;
    if (!known->assigned)
        return;
    ret->assignment = known->assignment.version;
    for (int i = 0; i < known->assignment.count; i++)
        if (sp_assignment_in_force(&known->assignment.entries[i], now_ms))
            memcpy(ret->manifests[ret->count++].manifest, known->assignment.entries[i].manifest,
                   SP_MANIFEST_ID_MAX);
}

static enum sp_status mget(struct sp_store *durable, const char (*keys)[KEY_MAX], int count, sp_reply **ret_reply,
                           struct sp_err *err)
{
    struct sp_argument *arguments = calloc((size_t)count + 1, sizeof *arguments);
    if (!arguments)
        return sp_fail(err, SP_E_NOMEM, "assignments: out of memory for %d keys", count);
    arguments[0] = SP_ARG_TEXT("MGET");
    for (int i = 0; i < count; i++)
        arguments[i + 1] = SP_ARG_TEXT(keys[i]);
    enum sp_status status = sp_store_command(durable, arguments, count + 1, ret_reply, err);
    free(arguments);
    if (status == SP_OK && sp_reply_count(*ret_reply) != (size_t)count) {
        sp_reply_free(ret_reply);
        status =
            sp_fail(err, SP_E_UNAVAILABLE, "durable store: MGET of %d keys gave another number of values", count);
    }
    return status;
}

/* A closed or purged manifest expects nobody any more. */
static bool take_current(struct sp_decision_gallery *manifest, const sp_reply *value)
{
    enum sp_manifest_state manifest_state = SP_MANIFEST_PARTIAL;
    size_t length;
    const uint8_t *bytes = sp_reply_bytes(value, &length);
    manifest->version = 0;
    if (bytes && sp_manifest_current_parse(bytes, length, &manifest->version, &manifest_state, NULL) != SP_OK)
        manifest->version = 0;
    return manifest_state != SP_MANIFEST_CLOSED && manifest_state != SP_MANIFEST_PURGED;
}

static enum sp_status read_versions(struct sp_store *durable, struct sp_lane_now *lanes, int count,
                                    struct sp_err *err)
{
    int total = 0;
    for (int i = 0; i < count; i++)
        total += lanes[i].count;
    if (!total)
        return SP_OK;
    char(*keys)[KEY_MAX] = calloc((size_t)total, sizeof *keys);
    if (!keys)
        return sp_fail(err, SP_E_NOMEM, "assignments: out of memory for %d manifests", total);
    for (int i = 0, at = 0; i < count; i++)
        for (int k = 0; k < lanes[i].count; k++)
            sp_manifest_key(keys[at++], lanes[i].manifests[k].manifest, "current");
    sp_reply *reply = NULL;
    enum sp_status status = mget(durable, (const char(*)[KEY_MAX])keys, total, &reply, err);
    free(keys);
    if (status != SP_OK)
        return status;
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        int kept = 0;
        for (int k = 0; k < lanes[i].count; k++) {
            struct sp_decision_gallery manifest = lanes[i].manifests[k];
            if (take_current(&manifest, sp_reply_at(reply, at++)))
                lanes[i].manifests[kept++] = manifest;
        }
        lanes[i].count = kept;
    }
    sp_reply_free(&reply);
    return SP_OK;
}

enum sp_status sp_assignments_resolve(struct sp_assignments *assignments, struct sp_store *durable,
                                      const char *const *lanes, int count, int64_t now_ms,
                                      struct sp_lane_now *ret_lanes, struct sp_err *err)
{
    if (count < 1)
        return SP_OK;
    char(*keys)[KEY_MAX] = calloc((size_t)count * 2, sizeof *keys);
    if (!keys)
        return sp_fail(err, SP_E_NOMEM, "assignments: out of memory for %d lanes", count);
    for (int i = 0; i < count; i++) {
        sp_lane_key(keys[2 * i], lanes[i]);
        sp_assignment_key(keys[2 * i + 1], lanes[i]);
    }
    sp_reply *reply = NULL;
    enum sp_status status = mget(durable, (const char(*)[KEY_MAX])keys, count * 2, &reply, err);
    free(keys);
    if (status != SP_OK)
        return status;
    for (int i = 0; i < count; i++)
        resolve_lane(assignments, lanes[i], sp_reply_at(reply, 2 * (size_t)i),
                     sp_reply_at(reply, 2 * (size_t)i + 1), now_ms, &ret_lanes[i]);
    sp_reply_free(&reply);
    return read_versions(durable, ret_lanes, count, err);
}

uint64_t sp_assignments_opened(const struct sp_assignments *assignments)
{
    return assignments->opened;
}
