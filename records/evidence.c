#include "records/evidence.h"

#include <math.h>
#include <string.h>
#include "common/wire.h"

#define EVIDENCE_VERSION 1
#define FRAMES_MAX       1000000
#define REASON_MAX       65535

static const struct sp_wire_limits evidence_limits = {SP_EVIDENCE_MAX_BYTES, 3, 512};

static enum sp_status check(const struct sp_evidence *e, struct sp_err *err)
{
    if (!sp_key_name_ok(e->lane))
        return sp_fail(err, SP_E_INVALID, "evidence: lane is not a name");
    if (e->frames < 0 || e->frames > FRAMES_MAX || e->comparable < 0 || e->comparable > e->frames)
        return sp_fail(err, SP_E_INVALID, "evidence: %d frames of which %d comparable", e->frames, e->comparable);
    if (e->best_quality < 0 || e->best_quality > 100 || e->best_reason < 0 || e->best_reason > REASON_MAX)
        return sp_fail(err, SP_E_INVALID, "evidence: best quality %d (0 to 100), reason %d", e->best_quality,
                       e->best_reason);
    if (!isfinite(e->score) || !isfinite(e->threshold))
        return sp_fail(err, SP_E_INVALID, "evidence: score or threshold is not a finite number");
    if (e->gallery_count < 0 || e->gallery_count > SP_DECISION_MAX_GALLERIES)
        return sp_fail(err, SP_E_LIMIT, "evidence: %d galleries, the limit is %d", e->gallery_count,
                       SP_DECISION_MAX_GALLERIES);
    if (e->answer_count < 0 || e->answer_count > SP_EVIDENCE_MAX_ANSWERS)
        return sp_fail(err, SP_E_LIMIT, "evidence: %d stored answers, the limit is %d", e->answer_count,
                       SP_EVIDENCE_MAX_ANSWERS);
    return SP_OK;
}

static void put(struct sp_wire_writer *w, const struct sp_evidence *e)
{
    sp_wire_put_map(w, e->has_candidate ? 14 : 13);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, EVIDENCE_VERSION);
    sp_wire_put_text(w, "lane"), sp_wire_put_text(w, e->lane);
    sp_wire_put_text(w, "sender"), sp_wire_put_bytes(w, e->sender, sizeof e->sender);
    sp_wire_put_text(w, "frames"), sp_wire_put_uint(w, (uint64_t)e->frames);
    sp_wire_put_text(w, "comparable"), sp_wire_put_uint(w, (uint64_t)e->comparable);
    sp_wire_put_text(w, "quality"), sp_wire_put_uint(w, (uint64_t)e->best_quality);
    sp_wire_put_text(w, "reason"), sp_wire_put_uint(w, (uint64_t)e->best_reason);
    if (e->has_candidate)
        sp_wire_put_text(w, "candidate"), sp_wire_put_bytes(w, e->candidate, sizeof e->candidate);
    sp_wire_put_text(w, "scores"), sp_wire_put_array(w, 2);
    sp_wire_put_double(w, e->score);
    if (isfinite(e->margin))
        sp_wire_put_double(w, e->margin);
    else
        sp_wire_put_nil(w);
    sp_wire_put_text(w, "threshold"), sp_wire_put_double(w, e->threshold);
    sp_wire_put_text(w, "pack"), sp_wire_put_bytes(w, e->pack, sizeof e->pack);
    sp_wire_put_text(w, "assignment"), sp_wire_put_uint(w, e->assignment);
    sp_wire_put_text(w, "galleries"), sp_wire_put_array(w, e->gallery_count);
    for (int i = 0; i < e->gallery_count; i++) {
        sp_wire_put_array(w, 2);
        sp_wire_put_text(w, e->galleries[i].manifest);
        sp_wire_put_uint(w, e->galleries[i].version);
    }
    sp_wire_put_text(w, "answers"), sp_wire_put_array(w, e->answer_count);
    for (int i = 0; i < e->answer_count; i++) {
        sp_wire_put_array(w, 3);
        sp_wire_put_uint(w, e->answers[i].seq);
        sp_wire_put_uint(w, (uint64_t)e->answers[i].answer);
        sp_wire_put_uint(w, (uint64_t)e->answers[i].reason);
    }
}

enum sp_status sp_evidence_encode(uint8_t *ret_bytes, size_t *ret_length, const struct sp_evidence *evidence,
                                  struct sp_err *err)
{
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    enum sp_status status = check(evidence, err);
    if (status == SP_OK)
        status = sp_wire_writer_new(&writer, SP_EVIDENCE_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    put(writer, evidence);
    status = sp_wire_finish(writer, &bytes, &length, err);
    if (status == SP_OK) {
        memcpy(ret_bytes, bytes, length);
        *ret_length = length;
    }
    sp_wire_writer_free(&writer);
    return status;
}

static enum sp_status read_int(const sp_wire_value *map, const char *key, uint64_t max, int *ret,
                               struct sp_err *err)
{
    uint64_t value = 0;
    enum sp_status status = sp_wire_get_uint(map, key, max, &value, err);
    if (status == SP_OK)
        *ret = (int)value;
    return status;
}

static enum sp_status read_galleries(struct sp_evidence *e, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, "galleries");
    if (!sp_wire_is_array(list) || sp_wire_count(list) > SP_DECISION_MAX_GALLERIES)
        return sp_fail(err, SP_E_FORMAT, "galleries is not an array of at most %d", SP_DECISION_MAX_GALLERIES);
    e->gallery_count = sp_wire_count(list);
    for (int i = 0; i < e->gallery_count; i++) {
        const sp_wire_value *pair = sp_wire_at(list, i);
        if (sp_wire_count(pair) != 2 ||
            !sp_wire_as_text(sp_wire_at(pair, 0), e->galleries[i].manifest, SP_MANIFEST_ID_MAX) ||
            !sp_wire_as_uint(sp_wire_at(pair, 1), UINT64_MAX, &e->galleries[i].version))
            return sp_fail(err, SP_E_FORMAT, "galleries[%d] is not [manifest, version]", i);
    }
    return SP_OK;
}

static enum sp_status read_answers(struct sp_evidence *e, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, "answers");
    if (!sp_wire_is_array(list) || sp_wire_count(list) > SP_EVIDENCE_MAX_ANSWERS)
        return sp_fail(err, SP_E_FORMAT, "answers is not an array of at most %d", SP_EVIDENCE_MAX_ANSWERS);
    e->answer_count = sp_wire_count(list);
    for (int i = 0; i < e->answer_count; i++) {
        const sp_wire_value *triple = sp_wire_at(list, i);
        uint64_t seq, answer, reason;
        if (sp_wire_count(triple) != 3 || !sp_wire_as_uint(sp_wire_at(triple, 0), UINT32_MAX, &seq) ||
            !sp_wire_as_uint(sp_wire_at(triple, 1), SP_ANSWER_ERROR, &answer) ||
            !sp_wire_as_uint(sp_wire_at(triple, 2), REASON_MAX, &reason))
            return sp_fail(err, SP_E_FORMAT, "answers[%d] is not [seq, answer, reason]", i);
        e->answers[i] = (struct sp_evidence_answer){(uint32_t)seq, (int)answer, (int)reason};
    }
    return SP_OK;
}

static enum sp_status read_scores(struct sp_evidence *e, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *pair = sp_wire_find(map, "scores");
    e->margin = NAN;
    if (sp_wire_count(pair) != 2 || !sp_wire_as_double(sp_wire_at(pair, 0), &e->score) ||
        (!sp_wire_is_nil(sp_wire_at(pair, 1)) && !sp_wire_as_double(sp_wire_at(pair, 1), &e->margin)))
        return sp_fail(err, SP_E_FORMAT, "scores is not [score, margin or nil]");
    enum sp_status status = sp_wire_get_bytes(map, "candidate", e->candidate, sizeof e->candidate, err);
    e->has_candidate = status == SP_OK;
    return status == SP_E_NOTFOUND ? SP_OK : status;
}

/* Absent in what workers before packs wrote: then a candidate is of no pack, and the next one begins anew. */
static enum sp_status read_pack(struct sp_evidence *e, const sp_wire_value *map, struct sp_err *err)
{
    enum sp_status status = sp_wire_get_bytes(map, "pack", e->pack, sizeof e->pack, err);
    return status == SP_E_NOTFOUND ? SP_OK : status;
}

static enum sp_status read_evidence(struct sp_evidence *e, const sp_wire_value *map, struct sp_err *err)
{
    int version = 0;
    enum sp_status status = read_int(map, "v", INT32_MAX, &version, err);
    if (status == SP_OK && version != EVIDENCE_VERSION)
        return sp_fail(err, SP_E_VERSION, "version %d, this program reads %d", version, EVIDENCE_VERSION);
    if (status != SP_OK || (status = sp_wire_get_text(map, "lane", e->lane, sizeof e->lane, err)) != SP_OK ||
        (status = sp_wire_get_bytes(map, "sender", e->sender, sizeof e->sender, err)) != SP_OK ||
        (status = read_int(map, "frames", FRAMES_MAX, &e->frames, err)) != SP_OK ||
        (status = read_int(map, "comparable", FRAMES_MAX, &e->comparable, err)) != SP_OK ||
        (status = read_int(map, "quality", 100, &e->best_quality, err)) != SP_OK ||
        (status = read_int(map, "reason", REASON_MAX, &e->best_reason, err)) != SP_OK ||
        (status = read_scores(e, map, err)) != SP_OK ||
        (status = sp_wire_get_double(map, "threshold", &e->threshold, err)) != SP_OK ||
        (status = read_pack(e, map, err)) != SP_OK ||
        (status = sp_wire_get_uint(map, "assignment", UINT64_MAX, &e->assignment, err)) != SP_OK ||
        (status = read_galleries(e, map, err)) != SP_OK || (status = read_answers(e, map, err)) != SP_OK)
        return status;
    return check(e, err);
}

enum sp_status sp_evidence_decode(struct sp_evidence *ret, const void *bytes, size_t length, struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_wire_doc *doc = NULL;
    struct sp_evidence evidence = {0};
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &evidence_limits, &inner);
    if (status == SP_OK)
        status = read_evidence(&evidence, sp_wire_root(doc), &inner);
    sp_wire_free(&doc);
    if (status == SP_OK) {
        *ret = evidence;
        return SP_OK;
    }
    /* Whatever is wrong with it, for the caller it is evidence without the form it must have. */
    status = status == SP_E_LIMIT || status == SP_E_VERSION || status == SP_E_NOMEM ? status : SP_E_FORMAT;
    return sp_fail(err, status, "evidence: %s", inner.text);
}

const struct sp_evidence_answer *sp_evidence_find(const struct sp_evidence *evidence, uint32_t seq)
{
    for (int i = 0; i < evidence->answer_count; i++)
        if (evidence->answers[i].seq == seq)
            return &evidence->answers[i];
    return NULL;
}
