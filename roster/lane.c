#include "roster/lane.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/wire.h"
#include "roster/manifest_script.h"

#define KEY_MAX      64
#define LANE_VERSION 1
#define VALUE_MAX    8192
#define TTL_MAX_MS   3600000
#define WALL_MAX_MS  (1ll << 52)

static const struct sp_wire_limits limits = {VALUE_MAX, 3, 256};
static const char *const modes[] = {"air", "sea", "pedestrian", "vehicle", "private"};

const char *sp_mode_word(enum sp_mode mode)
{
    return mode >= SP_MODE_AIR && mode <= SP_MODE_PRIVATE ? modes[mode] : "unknown";
}

int sp_mode_from(const char *word)
{
    for (int i = 0; i <= SP_MODE_PRIVATE; i++)
        if (strcmp(word, modes[i]) == 0)
            return i;
    return -1;
}

bool sp_mode_once(enum sp_mode mode)
{
    return mode == SP_MODE_AIR || mode == SP_MODE_PRIVATE;
}

void sp_lane_key(char *ret_key, const char *lane)
{
    snprintf(ret_key, KEY_MAX, "sp:lane:%s", lane);
}

void sp_assignment_key(char *ret_key, const char *lane)
{
    snprintf(ret_key, KEY_MAX, "sp:asg:%s", lane);
}

static enum sp_status check_lane(const struct sp_lane *lane, struct sp_err *err)
{
    if (!sp_key_name_ok(lane->name) || !sp_key_name_ok(lane->terminal))
        return sp_fail(err, SP_E_INVALID, "names of lanes and terminals are 1 to %d of A-Z a-z 0-9 . _ -",
                       SP_NAME_MAX - 1);
    if (lane->kind < SP_LANE_SINGLE || lane->kind > SP_LANE_MULTI || lane->mode < SP_MODE_AIR ||
        lane->mode > SP_MODE_PRIVATE)
        return sp_fail(err, SP_E_INVALID, "lane %s: unknown kind or mode", lane->name);
    if (!(lane->fpir > 0 && lane->fpir < 1))
        return sp_fail(err, SP_E_INVALID, "lane %s: fpir %g must be between 0 and 1, for instance 0.003",
                       lane->name, lane->fpir);
    if (!(lane->margin >= 0 && lane->margin <= 1))
        return sp_fail(err, SP_E_INVALID, "lane %s: margin %g must be 0 to 1, for instance 0.02", lane->name,
                       lane->margin);
    if (lane->decision_ttl_ms < 100 || lane->decision_ttl_ms > TTL_MAX_MS)
        return sp_fail(err, SP_E_INVALID, "lane %s: ttl must be 100 to %d ms", lane->name, TTL_MAX_MS);
    return SP_OK;
}

static enum sp_status check_assignment(const struct sp_assignment *a, struct sp_err *err)
{
    if (!sp_key_name_ok(a->lane))
        return sp_fail(err, SP_E_INVALID, "assignment: lane is not a name");
    if (strcmp(a->direction, "exit") != 0 && strcmp(a->direction, "entry") != 0)
        return sp_fail(err, SP_E_INVALID, "lane %s: direction must be exit or entry", a->lane);
    if (a->count < 0 || a->count > SP_ASSIGNMENT_MAX)
        return sp_fail(err, SP_E_LIMIT, "lane %s: %d manifests, the limit is %d", a->lane, a->count,
                       SP_ASSIGNMENT_MAX);
    for (int i = 0; i < a->count; i++)
        if (!a->entries[i].manifest[0] || a->entries[i].from_ms < 0 || a->entries[i].to_ms < 0 ||
            (a->entries[i].to_ms && a->entries[i].to_ms <= a->entries[i].from_ms))
            return sp_fail(err, SP_E_INVALID, "lane %s: manifest %d has no name, or ends before it begins", a->lane,
                           i + 1);
    return SP_OK;
}

/* Open a sealed value and parse it; the document's bytes are in *ret_plain. Both are the caller's to free. */
static enum sp_status open_value(struct sp_wire_doc **ret_doc, uint8_t **ret_plain, const char *key,
                                 const uint8_t *sealed, size_t length, const struct sp_data_key *site,
                                 struct sp_err *err)
{
    struct sp_err inner = {0};
    size_t plain_length = 0;
    uint64_t version = 0;
    if (length < SP_SEAL_OVERHEAD || length > VALUE_MAX + SP_SEAL_OVERHEAD)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes are no sealed value", key, length);
    uint8_t *plain = malloc(length);
    if (!plain)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for %zu bytes", key, length);
    enum sp_status status = sp_seal_open(plain, &plain_length, sealed, length, key, strlen(key), site, &inner);
    if (status == SP_OK)
        status = sp_wire_parse(ret_doc, plain, plain_length, &limits, &inner);
    if (status == SP_OK)
        status = sp_wire_get_uint(sp_wire_root(*ret_doc), "v", INT32_MAX, &version, &inner);
    if (status == SP_OK && version != LANE_VERSION)
        status = sp_fail(&inner, SP_E_VERSION, "format %llu, this program reads %d", (unsigned long long)version,
                         LANE_VERSION);
    if (status == SP_OK) {
        *ret_plain = plain;
        return SP_OK;
    }
    sp_wire_free(ret_doc);
    free(plain);
    return sp_fail(err, status == SP_E_NOTFOUND ? SP_E_FORMAT : status, "%s: %s", key, inner.text);
}

/* One kind of record: its fields out of the map, and that it is about the lane it was asked for. */
typedef enum sp_status read_record(void *record, const char *lane, const sp_wire_value *map, struct sp_err *err);

static enum sp_status open_record(read_record *read, void *record, const char *key, const char *lane,
                                  const uint8_t *sealed, size_t length, const struct sp_data_key *site,
                                  struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    uint8_t *plain = NULL;
    struct sp_err inner = {0};
    enum sp_status status = open_value(&doc, &plain, key, sealed, length, site, err);
    if (status != SP_OK)
        return status;
    status = read(record, lane, sp_wire_root(doc), &inner);
    if (status != SP_OK)
        sp_fail(err, status = status == SP_E_NOTFOUND ? SP_E_FORMAT : status, "%s: %s", key, inner.text);
    sp_wire_free(&doc);
    free(plain);
    return status;
}

static enum sp_status check_name(const char *found, const char *lane, struct sp_err *err)
{
    return strcmp(found, lane) == 0 ? SP_OK : sp_fail(err, SP_E_FORMAT, "it is about lane %s", found);
}

static enum sp_status read_lane(void *record, const char *name, const sp_wire_value *map, struct sp_err *err)
{
    struct sp_lane *lane = record;
    uint64_t kind = 0, mode = 0;
    enum sp_status status;
    if ((status = sp_wire_get_text(map, "lane", lane->name, sizeof lane->name, err)) != SP_OK ||
        (status = sp_wire_get_text(map, "terminal", lane->terminal, sizeof lane->terminal, err)) != SP_OK ||
        (status = sp_wire_get_uint(map, "kind", SP_LANE_MULTI, &kind, err)) != SP_OK ||
        (status = sp_wire_get_uint(map, "mode", SP_MODE_PRIVATE, &mode, err)) != SP_OK ||
        (status = sp_wire_get_double(map, "fpir", &lane->fpir, err)) != SP_OK ||
        (status = sp_wire_get_double(map, "margin", &lane->margin, err)) != SP_OK ||
        (status = sp_wire_get_bool(map, "reveal", &lane->reveal_scores, err)) != SP_OK ||
        (status = sp_wire_get_int(map, "ttl_ms", 0, TTL_MAX_MS, &lane->decision_ttl_ms, err)) != SP_OK ||
        (status = sp_wire_get_uint(map, "version", INT64_MAX, &lane->version, err)) != SP_OK)
        return status;
    lane->kind = (enum sp_lane_kind)kind;
    lane->mode = (enum sp_mode)mode;
    lane->once = sp_mode_once(lane->mode); /* what lanes of before do */
    status = sp_wire_get_bool(map, "once", &lane->once, err);
    if (status != SP_OK && status != SP_E_NOTFOUND)
        return status;
    status = check_lane(lane, err);
    return status == SP_OK ? check_name(lane->name, name, err) : status;
}

enum sp_status sp_lane_open(struct sp_lane *ret_lane, const char *lane, const uint8_t *sealed, size_t length,
                            const struct sp_data_key *site, struct sp_err *err)
{
    char key[KEY_MAX];
    struct sp_lane found = {0};
    sp_lane_key(key, lane);
    enum sp_status status = open_record(read_lane, &found, key, lane, sealed, length, site, err);
    if (status == SP_OK)
        *ret_lane = found;
    return status;
}

static enum sp_status read_assignment(void *record, const char *name, const sp_wire_value *map, struct sp_err *err)
{
    struct sp_assignment *a = record;
    enum sp_status status;
    if ((status = sp_wire_get_text(map, "lane", a->lane, sizeof a->lane, err)) != SP_OK ||
        (status = sp_wire_get_uint(map, "version", INT64_MAX, &a->version, err)) != SP_OK ||
        (status = sp_wire_get_text(map, "direction", a->direction, sizeof a->direction, err)) != SP_OK ||
        (status = sp_wire_get_text(map, "set_by", a->set_by, sizeof a->set_by, err)) != SP_OK)
        return status;
    const sp_wire_value *list = sp_wire_find(map, "manifests");
    if (!sp_wire_is_array(list) || sp_wire_count(list) > SP_ASSIGNMENT_MAX)
        return sp_fail(err, SP_E_FORMAT, "manifests is not an array of at most %d", SP_ASSIGNMENT_MAX);
    a->count = sp_wire_count(list);
    for (int i = 0; i < a->count; i++) {
        struct sp_assignment_entry *entry = &a->entries[i];
        const sp_wire_value *triple = sp_wire_at(list, i);
        if (sp_wire_count(triple) != 3 ||
            !sp_wire_as_text(sp_wire_at(triple, 0), entry->manifest, sizeof entry->manifest) ||
            !sp_wire_as_int(sp_wire_at(triple, 1), &entry->from_ms) ||
            !sp_wire_as_int(sp_wire_at(triple, 2), &entry->to_ms))
            return sp_fail(err, SP_E_FORMAT, "manifests[%d] is not [manifest, from, to]", i);
    }
    status = check_assignment(a, err);
    return status == SP_OK ? check_name(a->lane, name, err) : status;
}

enum sp_status sp_assignment_open(struct sp_assignment *ret, const char *lane, const uint8_t *sealed, size_t length,
                                  const struct sp_data_key *site, struct sp_err *err)
{
    char key[KEY_MAX];
    struct sp_assignment found = {0};
    sp_assignment_key(key, lane);
    enum sp_status status = open_record(read_assignment, &found, key, lane, sealed, length, site, err);
    if (status == SP_OK)
        *ret = found;
    return status;
}

/* ---- writing ---- */

static enum sp_status conflict(const char *key, uint64_t found, uint64_t expected, struct sp_err *err)
{
    return sp_fail(err, SP_E_CONFLICT,
                   "%s: it has version %" PRIu64 " now, version %" PRIu64
                   " was expected: somebody else changed it; "
                   "look at `sallyport lane list` and try again",
                   key, found, expected);
}

/* Put a sealed value where `before` (the reply of a GET, NIL = nothing) still is. */
static enum sp_status swap(struct sp_store *durable, const char *key, const sp_reply *before,
                           struct sp_wire_writer *writer, uint64_t expected, const struct sp_data_key *site,
                           struct sp_err *err)
{
    struct sp_script script = {.text = sp_manifest_script_swap};
    uint8_t sealed[VALUE_MAX + SP_SEAL_OVERHEAD];
    const uint8_t *plain;
    size_t length = 0, before_length = 0;
    sp_reply *reply = NULL;
    enum sp_status status = sp_wire_finish(writer, &plain, &length, err);
    if (status != SP_OK)
        return status;
    sp_seal_close(sealed, plain, length, key, strlen(key), site);
    const uint8_t *before_bytes = sp_reply_bytes(before, &before_length);
    struct sp_argument keys[] = {SP_ARG_TEXT(key)};
    struct sp_argument arguments[] = {SP_ARG(before_bytes, before_bytes ? before_length : 0),
                                      SP_ARG(sealed, length + SP_SEAL_OVERHEAD)};
    status = sp_store_eval(durable, &script, keys, 1, arguments, 2, &reply, err);
    if (status == SP_OK && sp_reply_integer(reply) != 1)
        status = conflict(key, expected + 1, expected, err);
    sp_reply_free(&reply);
    return status;
}

static enum sp_status read_before(sp_reply **ret_before, struct sp_store *durable, const char *key,
                                  struct sp_err *err)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("GET"), SP_ARG_TEXT(key)};
    return sp_store_command(durable, arguments, 2, ret_before, err);
}

enum sp_status sp_lane_store(struct sp_store *durable, const struct sp_lane *lane, uint64_t expected,
                             const struct sp_data_key *site, struct sp_err *err)
{
    char key[KEY_MAX];
    struct sp_wire_writer *w = NULL;
    sp_reply *before = NULL;
    struct sp_lane found = {0};
    size_t length = 0;
    sp_lane_key(key, lane->name);
    enum sp_status status = check_lane(lane, err);
    if (status == SP_OK)
        status = read_before(&before, durable, key, err);
    const uint8_t *bytes = status == SP_OK ? sp_reply_bytes(before, &length) : NULL;
    if (bytes)
        status = sp_lane_open(&found, lane->name, bytes, length, site, err);
    if (status == SP_OK && found.version != expected)
        status = conflict(key, found.version, expected, err);
    if (status == SP_OK)
        status = sp_wire_writer_new(&w, VALUE_MAX, err);
    if (status == SP_OK) {
        sp_wire_put_map(w, 11);
        sp_wire_put_text(w, "v"), sp_wire_put_uint(w, LANE_VERSION);
        sp_wire_put_text(w, "lane"), sp_wire_put_text(w, lane->name);
        sp_wire_put_text(w, "terminal"), sp_wire_put_text(w, lane->terminal);
        sp_wire_put_text(w, "kind"), sp_wire_put_uint(w, (uint64_t)lane->kind);
        sp_wire_put_text(w, "mode"), sp_wire_put_uint(w, (uint64_t)lane->mode);
        sp_wire_put_text(w, "fpir"), sp_wire_put_double(w, lane->fpir);
        sp_wire_put_text(w, "margin"), sp_wire_put_double(w, lane->margin);
        sp_wire_put_text(w, "once"), sp_wire_put_bool(w, lane->once);
        sp_wire_put_text(w, "reveal"), sp_wire_put_bool(w, lane->reveal_scores);
        sp_wire_put_text(w, "ttl_ms"), sp_wire_put_int(w, lane->decision_ttl_ms);
        sp_wire_put_text(w, "version"), sp_wire_put_uint(w, expected + 1);
        status = swap(durable, key, before, w, expected, site, err);
    }
    sp_wire_writer_free(&w);
    sp_reply_free(&before);
    return status;
}

enum sp_status sp_assignment_store(struct sp_store *durable, const struct sp_assignment *assignment,
                                   uint64_t expected, const struct sp_data_key *site, struct sp_err *err)
{
    char key[KEY_MAX];
    struct sp_wire_writer *w = NULL;
    sp_reply *before = NULL;
    struct sp_assignment found = {0};
    size_t length = 0;
    sp_assignment_key(key, assignment->lane);
    enum sp_status status = check_assignment(assignment, err);
    if (status == SP_OK)
        status = read_before(&before, durable, key, err);
    const uint8_t *bytes = status == SP_OK ? sp_reply_bytes(before, &length) : NULL;
    if (bytes)
        status = sp_assignment_open(&found, assignment->lane, bytes, length, site, err);
    if (status == SP_OK && found.version != expected)
        status = conflict(key, found.version, expected, err);
    if (status == SP_OK)
        status = sp_wire_writer_new(&w, VALUE_MAX, err);
    if (status == SP_OK) {
        sp_wire_put_map(w, 6);
        sp_wire_put_text(w, "v"), sp_wire_put_uint(w, LANE_VERSION);
        sp_wire_put_text(w, "lane"), sp_wire_put_text(w, assignment->lane);
        sp_wire_put_text(w, "version"), sp_wire_put_uint(w, expected + 1);
        sp_wire_put_text(w, "direction"), sp_wire_put_text(w, assignment->direction);
        sp_wire_put_text(w, "set_by"), sp_wire_put_text(w, assignment->set_by);
        sp_wire_put_text(w, "manifests"), sp_wire_put_array(w, assignment->count);
        for (int i = 0; i < assignment->count; i++) {
            sp_wire_put_array(w, 3);
            sp_wire_put_text(w, assignment->entries[i].manifest);
            sp_wire_put_int(w, assignment->entries[i].from_ms);
            sp_wire_put_int(w, assignment->entries[i].to_ms);
        }
        status = swap(durable, key, before, w, expected, site, err);
    }
    sp_wire_writer_free(&w);
    sp_reply_free(&before);
    return status;
}
