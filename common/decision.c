#include "common/decision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/wire.h"

#define DECISION_VERSION 1
#define ACT_MAX_MS       86400000ll /* no lane may act on a decision for longer than a day */
#define WALL_MAX_MS      (1ll << 52)
#define REASON_MAX       65535 /* 16 bits in the associated data of an answer */

static const struct sp_wire_limits decision_limits = {SP_DECISION_MAX_BYTES, 4, 160};
static const struct sp_wire_limits body_limits = {SP_ANSWER_BODY_MAX, 4, 256 + 4 * SP_REVIEW_MAX_PAIRS};

const char *sp_outcome_word(int outcome)
{
    static const char *const words[] = {"unknown", "match", "no_match", "refer"};
    return outcome >= SP_OUTCOME_MATCH && outcome <= SP_OUTCOME_REFER ? words[outcome] : words[0];
}

const char *sp_timing_word(int timing)
{
    static const char *const words[SP_TIMING_COUNT] = {"queue",   "decode", "detect", "landmark", "align",
                                                       "quality", "embed",  "match",  "decide"};
    return timing >= 0 && timing < SP_TIMING_COUNT ? words[timing] : "unknown";
}

static enum sp_status check_text(const char *field, const char *text, size_t capacity, struct sp_err *err)
{
    size_t length = strnlen(text, capacity);
    if (length == 0 || length == capacity)
        return sp_fail(err, SP_E_INVALID, "decision: %s is empty or over %zu characters", field, capacity - 1);
    return SP_OK;
}

/* What both directions demand: a lane that gets past this can act on every field. */
static enum sp_status check(const struct sp_decision *d, struct sp_err *err)
{
    if (!sp_key_name_ok(d->lane))
        return sp_fail(err, SP_E_INVALID, "decision: lane is not a name");
    if (d->seq < 1)
        return sp_fail(err, SP_E_INVALID, "decision: seq is 0, the first frame is 1");
    if (d->outcome < SP_OUTCOME_MATCH || d->outcome > SP_OUTCOME_REFER)
        return sp_fail(err, SP_E_INVALID, "decision: outcome %d is none of 1 match, 2 no_match, 3 refer",
                       d->outcome);
    if (d->reason < 0 || d->reason > REASON_MAX)
        return sp_fail(err, SP_E_INVALID, "decision: reason %d is outside 0 to %d", d->reason, REASON_MAX);
    if (d->has_traveller != (d->outcome == SP_OUTCOME_MATCH))
        return sp_fail(err, SP_E_INVALID, "decision: %s a traveller",
                       d->has_traveller ? "not a match, yet it names" : "a match that does not name");
    if (d->has_traveller && check_text("manifest", d->manifest, sizeof d->manifest, err) != SP_OK)
        return SP_E_INVALID;
    if (d->issued_ms < 0 || d->issued_ms > WALL_MAX_MS || d->expires_ms <= d->issued_ms ||
        d->expires_ms - d->issued_ms > ACT_MAX_MS)
        return sp_fail(err, SP_E_INVALID, "decision: expires_ms must be 1 to %lld ms after issued_ms", ACT_MAX_MS);
    if (d->gallery_count < 0 || d->gallery_count > SP_DECISION_MAX_GALLERIES)
        return sp_fail(err, SP_E_INVALID, "decision: %d galleries, the limit is %d", d->gallery_count,
                       SP_DECISION_MAX_GALLERIES);
    for (int i = 0; i < d->gallery_count; i++)
        if (check_text("galleries", d->galleries[i].manifest, SP_MANIFEST_ID_MAX, err) != SP_OK)
            return SP_E_INVALID;
    if (!isfinite(d->threshold))
        return sp_fail(err, SP_E_INVALID, "decision: threshold is not a finite number");
    return check_text("policy", d->policy, sizeof d->policy, err);
}

static void put_decision(struct sp_wire_writer *w, const struct sp_decision *d)
{
    sp_wire_put_map(w, d->has_traveller ? 17 : 15);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, DECISION_VERSION);
    sp_wire_put_text(w, "lane"), sp_wire_put_text(w, d->lane);
    sp_wire_put_text(w, "enc"), sp_wire_put_bytes(w, d->encounter, sizeof d->encounter);
    sp_wire_put_text(w, "face"), sp_wire_put_uint(w, d->face);
    sp_wire_put_text(w, "seq"), sp_wire_put_uint(w, d->seq);
    sp_wire_put_text(w, "sender"), sp_wire_put_bytes(w, d->sender, sizeof d->sender);
    sp_wire_put_text(w, "outcome"), sp_wire_put_uint(w, (uint64_t)d->outcome);
    sp_wire_put_text(w, "reason"), sp_wire_put_uint(w, (uint64_t)d->reason);
    if (d->has_traveller) {
        sp_wire_put_text(w, "traveller"), sp_wire_put_bytes(w, d->traveller, sizeof d->traveller);
        sp_wire_put_text(w, "manifest"), sp_wire_put_text(w, d->manifest);
    }
    sp_wire_put_text(w, "issued_ms"), sp_wire_put_int(w, d->issued_ms);
    sp_wire_put_text(w, "expires_ms"), sp_wire_put_int(w, d->expires_ms);
    sp_wire_put_text(w, "assignment"), sp_wire_put_uint(w, d->assignment);
    sp_wire_put_text(w, "galleries"), sp_wire_put_array(w, d->gallery_count);
    for (int i = 0; i < d->gallery_count; i++) {
        sp_wire_put_array(w, 2);
        sp_wire_put_text(w, d->galleries[i].manifest);
        sp_wire_put_uint(w, d->galleries[i].version);
    }
    sp_wire_put_text(w, "pack"), sp_wire_put_bytes(w, d->pack, sizeof d->pack);
    sp_wire_put_text(w, "threshold"), sp_wire_put_double(w, d->threshold);
    sp_wire_put_text(w, "policy"), sp_wire_put_text(w, d->policy);
}

enum sp_status sp_decision_encode(uint8_t *ret_bytes, size_t *ret_length, const struct sp_decision *decision,
                                  struct sp_err *err)
{
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    enum sp_status status = check(decision, err);
    if (status == SP_OK)
        status = sp_wire_writer_new(&writer, SP_DECISION_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    put_decision(writer, decision);
    status = sp_wire_finish(writer, &bytes, &length, err);
    if (status == SP_OK) {
        memcpy(ret_bytes, bytes, length);
        *ret_length = length;
    }
    sp_wire_writer_free(&writer);
    return status;
}

/* A reader's status, with "absent" turned into a format error: these fields are required. */
static bool read_failed(enum sp_status *status, enum sp_status step)
{
    *status = step == SP_E_NOTFOUND ? SP_E_FORMAT : step;
    return *status != SP_OK;
}

static enum sp_status read_galleries(struct sp_decision *d, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, "galleries");
    if (!sp_wire_is_array(list))
        return sp_fail(err, SP_E_FORMAT, "galleries is not an array");
    if (sp_wire_count(list) > SP_DECISION_MAX_GALLERIES)
        return sp_fail(err, SP_E_LIMIT, "%d galleries, the limit is %d", sp_wire_count(list),
                       SP_DECISION_MAX_GALLERIES);
    d->gallery_count = sp_wire_count(list);
    for (int i = 0; i < d->gallery_count; i++) {
        const sp_wire_value *pair = sp_wire_at(list, i);
        if (!sp_wire_is_array(pair) || sp_wire_count(pair) != 2 ||
            !sp_wire_as_text(sp_wire_at(pair, 0), d->galleries[i].manifest, SP_MANIFEST_ID_MAX) ||
            !sp_wire_as_uint(sp_wire_at(pair, 1), UINT64_MAX, &d->galleries[i].version))
            return sp_fail(err, SP_E_FORMAT, "galleries[%d] is not [manifest, version]", i);
    }
    return SP_OK;
}

static enum sp_status read_traveller(struct sp_decision *d, const sp_wire_value *map, struct sp_err *err)
{
    enum sp_status status = sp_wire_get_bytes(map, "traveller", d->traveller, sizeof d->traveller, err);
    d->has_traveller = status == SP_OK;
    if (status == SP_OK)
        status = sp_wire_get_text(map, "manifest", d->manifest, sizeof d->manifest, err);
    else if (status == SP_E_NOTFOUND)
        return SP_OK;
    return status == SP_E_NOTFOUND ? SP_E_FORMAT : status;
}

static enum sp_status read_decision(struct sp_decision *d, const sp_wire_value *map, struct sp_err *err)
{
    enum sp_status status;
    uint64_t version = 0, face = 0, seq = 0, outcome = 0, reason = 0;
    if (read_failed(&status, sp_wire_get_uint(map, "v", UINT64_MAX, &version, err)))
        return status;
    if (version != DECISION_VERSION)
        return sp_fail(err, SP_E_VERSION, "version %llu, this program reads %d", (unsigned long long)version,
                       DECISION_VERSION);
    if (read_failed(&status, sp_wire_get_text(map, "lane", d->lane, sizeof d->lane, err)) ||
        read_failed(&status, sp_wire_get_bytes(map, "enc", d->encounter, sizeof d->encounter, err)) ||
        read_failed(&status, sp_wire_get_uint(map, "face", UINT32_MAX, &face, err)) ||
        read_failed(&status, sp_wire_get_uint(map, "seq", UINT32_MAX, &seq, err)) ||
        read_failed(&status, sp_wire_get_bytes(map, "sender", d->sender, sizeof d->sender, err)) ||
        read_failed(&status, sp_wire_get_uint(map, "outcome", SP_OUTCOME_REFER, &outcome, err)) ||
        read_failed(&status, sp_wire_get_uint(map, "reason", REASON_MAX, &reason, err)) ||
        read_failed(&status, read_traveller(d, map, err)) ||
        read_failed(&status, sp_wire_get_int(map, "issued_ms", 0, WALL_MAX_MS, &d->issued_ms, err)) ||
        read_failed(&status, sp_wire_get_int(map, "expires_ms", 0, WALL_MAX_MS, &d->expires_ms, err)) ||
        read_failed(&status, sp_wire_get_uint(map, "assignment", UINT64_MAX, &d->assignment, err)) ||
        read_failed(&status, read_galleries(d, map, err)) ||
        read_failed(&status, sp_wire_get_bytes(map, "pack", d->pack, sizeof d->pack, err)) ||
        read_failed(&status, sp_wire_get_double(map, "threshold", &d->threshold, err)) ||
        read_failed(&status, sp_wire_get_text(map, "policy", d->policy, sizeof d->policy, err)))
        return status;
    d->face = (uint32_t)face;
    d->seq = (uint32_t)seq;
    d->outcome = (int)outcome;
    d->reason = (int)reason;
    return check(d, err);
}

enum sp_status sp_decision_decode(struct sp_decision *ret, const void *bytes, size_t length, struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_wire_doc *doc = NULL;
    struct sp_decision decision = {0};
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &decision_limits, &inner);
    if (status == SP_OK && !sp_wire_is_map(sp_wire_root(doc)))
        status = sp_fail(&inner, SP_E_FORMAT, "not a map");
    if (status == SP_OK)
        status = read_decision(&decision, sp_wire_root(doc), &inner);
    sp_wire_free(&doc);
    if (status == SP_OK)
        *ret = decision;
    else
        sp_fail(err, status = status == SP_E_INVALID ? SP_E_FORMAT : status, "decision: %s", inner.text);
    return status;
}

static enum sp_status check_body(const struct sp_answer_body *b, struct sp_err *err)
{
    if (b->decision_count < 0 || b->decision_count > SP_ANSWER_MAX_DECISIONS)
        return sp_fail(err, SP_E_INVALID, "answer: %d decisions, the limit is %d", b->decision_count,
                       SP_ANSWER_MAX_DECISIONS);
    for (int i = 0; i < b->decision_count; i++)
        if (b->decisions[i].length < 1 || b->decisions[i].length > SP_DECISION_MAX_BYTES)
            return sp_fail(err, SP_E_INVALID, "answer: decision %d has %zu bytes, the limit is %d", i,
                           b->decisions[i].length, SP_DECISION_MAX_BYTES);
    if (b->cert_length > SP_CERT_MAX_BYTES || (b->decision_count > 0 && b->cert_length == 0))
        return sp_fail(err, SP_E_INVALID, "answer: cert has %zu bytes; decisions need one of 1 to %d",
                       b->cert_length, SP_CERT_MAX_BYTES);
    if (b->has_candidate && !isfinite(b->score))
        return sp_fail(err, SP_E_INVALID, "answer: score is not a finite number");
    if (b->has_enrolled && !isfinite(b->enrolled.eye_px))
        return sp_fail(err, SP_E_INVALID, "answer: eye_px is not a finite number");
    return b->has_review ? sp_review_check(&b->review, err) : SP_OK;
}

static void put_enrolled(struct sp_wire_writer *w, const struct sp_enrolled *e)
{
    sp_wire_put_text(w, "enrolled"), sp_wire_put_map(w, 2 + e->has_template + (e->quality >= 0));
    if (e->has_template)
        sp_wire_put_text(w, "template"), sp_wire_put_bytes(w, e->template_id, sizeof e->template_id);
    sp_wire_put_text(w, "reason"), sp_wire_put_uint(w, (uint64_t)e->reason);
    if (e->quality >= 0)
        sp_wire_put_text(w, "quality"), sp_wire_put_uint(w, (uint64_t)e->quality);
    sp_wire_put_text(w, "eye_px"), sp_wire_put_double(w, e->eye_px);
}

static void put_body(struct sp_wire_writer *w, const struct sp_answer_body *b)
{
    bool margin = b->has_candidate && isfinite(b->margin);
    sp_wire_put_map(w, 2 + (b->cert_length > 0) + (b->faces >= 0) + (b->quality >= 0) + 2 * b->has_candidate +
                           margin + b->has_enrolled + b->has_review);
    sp_wire_put_text(w, "decisions"), sp_wire_put_array(w, b->decision_count);
    for (int i = 0; i < b->decision_count; i++) {
        sp_wire_put_array(w, 2);
        sp_wire_put_bytes(w, b->decisions[i].bytes, b->decisions[i].length);
        sp_wire_put_bytes(w, b->decisions[i].signature, SP_SIGNATURE_BYTES);
    }
    if (b->cert_length > 0)
        sp_wire_put_text(w, "cert"), sp_wire_put_bytes(w, b->cert, b->cert_length);
    sp_wire_put_text(w, "timings"), sp_wire_put_map(w, SP_TIMING_COUNT);
    for (int i = 0; i < SP_TIMING_COUNT; i++)
        sp_wire_put_text(w, sp_timing_word(i)), sp_wire_put_uint(w, b->timings_us[i]);
    if (b->faces >= 0)
        sp_wire_put_text(w, "faces"), sp_wire_put_uint(w, (uint64_t)b->faces);
    if (b->quality >= 0)
        sp_wire_put_text(w, "quality"), sp_wire_put_uint(w, (uint64_t)b->quality);
    if (b->has_candidate) {
        sp_wire_put_text(w, "candidate"), sp_wire_put_bytes(w, b->candidate, sizeof b->candidate);
        sp_wire_put_text(w, "score"), sp_wire_put_double(w, b->score);
    }
    if (margin)
        sp_wire_put_text(w, "margin"), sp_wire_put_double(w, b->margin);
    if (b->has_enrolled)
        put_enrolled(w, &b->enrolled);
    if (b->has_review) {
        sp_wire_put_text(w, "review");
        sp_review_put(w, &b->review);
    }
}

enum sp_status sp_answer_body_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_answer_body *body,
                                     struct sp_err *err)
{
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    enum sp_status status = check_body(body, err);
    if (status == SP_OK)
        status = sp_wire_writer_new(&writer, SP_ANSWER_BODY_MAX, err);
    if (status != SP_OK)
        return status;
    put_body(writer, body);
    status = sp_wire_finish(writer, &bytes, &length, err);
    if (status == SP_OK) {
        uint8_t *copy = malloc(length);
        if (copy) {
            memcpy(copy, bytes, length);
            *ret_bytes = copy;
            *ret_length = length;
        } else {
            status = sp_fail(err, SP_E_NOMEM, "answer: no memory for %zu bytes", length);
        }
    }
    sp_wire_writer_free(&writer);
    return status;
}

/* Absent is fine (the value stays), anything else must be right. */
static enum sp_status optional(enum sp_status status)
{
    return status == SP_E_NOTFOUND ? SP_OK : status;
}

static enum sp_status read_small(const sp_wire_value *map, const char *key, uint64_t max, int absent, int *ret,
                                 struct sp_err *err)
{
    uint64_t value = 0;
    enum sp_status status = sp_wire_get_uint(map, key, max, &value, err);
    *ret = status == SP_OK ? (int)value : absent;
    return optional(status);
}

static enum sp_status read_signed(struct sp_answer_body *b, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, "decisions");
    if (!sp_wire_is_array(list))
        return sp_fail(err, SP_E_FORMAT, "decisions is not an array");
    if (sp_wire_count(list) > SP_ANSWER_MAX_DECISIONS)
        return sp_fail(err, SP_E_LIMIT, "%d decisions, the limit is %d", sp_wire_count(list),
                       SP_ANSWER_MAX_DECISIONS);
    b->decision_count = sp_wire_count(list);
    for (int i = 0; i < b->decision_count; i++) {
        const sp_wire_value *pair = sp_wire_at(list, i);
        const uint8_t *bytes = NULL, *signature = NULL;
        size_t length = 0, signature_length = 0;
        if (!sp_wire_is_array(pair) || sp_wire_count(pair) != 2 ||
            !sp_wire_as_view(sp_wire_at(pair, 0), &bytes, &length) || length < 1 ||
            length > SP_DECISION_MAX_BYTES ||
            !sp_wire_as_view(sp_wire_at(pair, 1), &signature, &signature_length) ||
            signature_length != SP_SIGNATURE_BYTES)
            return sp_fail(err, SP_E_FORMAT, "decisions[%d] is not [decision of at most %d bytes, signature of %d]",
                           i, SP_DECISION_MAX_BYTES, SP_SIGNATURE_BYTES);
        memcpy(b->decisions[i].bytes, bytes, length);
        b->decisions[i].length = length;
        memcpy(b->decisions[i].signature, signature, SP_SIGNATURE_BYTES);
    }
    return SP_OK;
}

static enum sp_status read_timings(struct sp_answer_body *b, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *timings = sp_wire_find(map, "timings");
    if (!timings || sp_wire_is_nil(timings))
        return SP_OK;
    if (!sp_wire_is_map(timings))
        return sp_fail(err, SP_E_FORMAT, "timings is not a map");
    for (int i = 0; i < SP_TIMING_COUNT; i++) {
        uint64_t us = 0;
        enum sp_status status = sp_wire_get_uint(timings, sp_timing_word(i), UINT32_MAX, &us, err);
        if (optional(status) != SP_OK)
            return status;
        b->timings_us[i] = (uint32_t)us;
    }
    return SP_OK;
}

static enum sp_status read_candidate(struct sp_answer_body *b, const sp_wire_value *map, struct sp_err *err)
{
    b->margin = NAN;
    enum sp_status status = sp_wire_get_bytes(map, "candidate", b->candidate, sizeof b->candidate, err);
    if (status != SP_OK)
        return optional(status);
    if (read_failed(&status, sp_wire_get_double(map, "score", &b->score, err)))
        return status;
    b->has_candidate = true;
    return optional(sp_wire_get_double(map, "margin", &b->margin, err));
}

static enum sp_status read_enrolled(struct sp_answer_body *b, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *about = sp_wire_find(map, "enrolled");
    struct sp_enrolled *e = &b->enrolled;
    if (!about || sp_wire_is_nil(about))
        return SP_OK;
    if (!sp_wire_is_map(about))
        return sp_fail(err, SP_E_FORMAT, "enrolled is not a map");
    b->has_enrolled = true;
    enum sp_status status = sp_wire_get_bytes(about, "template", e->template_id, sizeof e->template_id, err);
    e->has_template = status == SP_OK;
    status = optional(status);
    if (status == SP_OK)
        status = read_small(about, "reason", REASON_MAX, SP_REASON_NONE, &e->reason, err);
    if (status == SP_OK)
        status = read_small(about, "quality", 100, -1, &e->quality, err);
    if (status == SP_OK)
        status = optional(sp_wire_get_double(about, "eye_px", &e->eye_px, err));
    return status;
}

static enum sp_status read_body(struct sp_answer_body *b, const sp_wire_value *map, struct sp_err *err)
{
    const uint8_t *cert = NULL;
    enum sp_status status = read_signed(b, map, err);
    if (status == SP_OK)
        status = optional(sp_wire_get_view(map, "cert", SP_CERT_MAX_BYTES, &cert, &b->cert_length, err));
    if (status == SP_OK && b->cert_length > 0)
        memcpy(b->cert, cert, b->cert_length);
    if (status == SP_OK)
        status = read_timings(b, map, err);
    if (status == SP_OK)
        status = read_small(map, "faces", 100000, -1, &b->faces, err);
    if (status == SP_OK)
        status = read_small(map, "quality", 100, -1, &b->quality, err);
    if (status == SP_OK)
        status = read_candidate(b, map, err);
    if (status == SP_OK)
        status = read_enrolled(b, map, err);
    const sp_wire_value *review = sp_wire_find(map, "review");
    b->has_review = review && !sp_wire_is_nil(review);
    if (status == SP_OK && b->has_review)
        status = sp_review_read(&b->review, review, err);
    return status == SP_OK ? check_body(b, err) : status;
}

enum sp_status sp_answer_body_decode(struct sp_answer_body *ret, const void *bytes, size_t length,
                                     struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_wire_doc *doc = NULL;
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &body_limits, &inner);
    struct sp_answer_body *body = status == SP_OK ? calloc(1, sizeof *body) : NULL; /* too large for a stack */
    if (status == SP_OK && !body)
        status = sp_fail(&inner, SP_E_NOMEM, "no memory");
    if (status == SP_OK && !sp_wire_is_map(sp_wire_root(doc)))
        status = sp_fail(&inner, SP_E_FORMAT, "not a map");
    if (status == SP_OK)
        status = read_body(body, sp_wire_root(doc), &inner);
    if (status == SP_OK)
        *ret = *body;
    else
        sp_fail(err, status = status == SP_E_INVALID ? SP_E_FORMAT : status, "answer: %s", inner.text);
    free(body);
    sp_wire_free(&doc);
    return status;
}
