#include "common/review.h"

#include <math.h>
#include <string.h>

#define PEOPLE_MAX  1000000
#define MISSING_MAX 8000000 /* portraits, several a person */

enum sp_status sp_review_check(const struct sp_review *r, struct sp_err *err)
{
    if (r->people < 0 || r->people > PEOPLE_MAX || r->usable < 0 || r->usable > r->people || r->missing < 0 ||
        r->missing > MISSING_MAX)
        return sp_fail(err, SP_E_INVALID, "review: %d people, %d usable, %d templates missing", r->people,
                       r->usable, r->missing);
    if (!isfinite(r->threshold) || !isfinite(r->margin))
        return sp_fail(err, SP_E_INVALID, "review: threshold or margin is not a finite number");
    if (r->pair_count < 0 || r->pair_count > SP_REVIEW_MAX_PAIRS || r->count < r->pair_count ||
        r->count > r->people)
        return sp_fail(err, SP_E_INVALID, "review: %d pairs of %d, the limit is %d", r->pair_count, r->count,
                       SP_REVIEW_MAX_PAIRS);
    for (int i = 0; i < r->pair_count; i++)
        if (!isfinite(r->pairs[i].score))
            return sp_fail(err, SP_E_INVALID, "review: the score of pair %d is not a finite number", i);
    return SP_OK;
}

void sp_review_put(struct sp_wire_writer *w, const struct sp_review *r)
{
    sp_wire_put_map(w, 8);
    sp_wire_put_text(w, "version"), sp_wire_put_uint(w, r->version);
    sp_wire_put_text(w, "people"), sp_wire_put_uint(w, (uint64_t)r->people);
    sp_wire_put_text(w, "usable"), sp_wire_put_uint(w, (uint64_t)r->usable);
    sp_wire_put_text(w, "missing"), sp_wire_put_uint(w, (uint64_t)r->missing);
    sp_wire_put_text(w, "threshold"), sp_wire_put_double(w, r->threshold);
    sp_wire_put_text(w, "margin"), sp_wire_put_double(w, r->margin);
    sp_wire_put_text(w, "count"), sp_wire_put_uint(w, (uint64_t)r->count);
    sp_wire_put_text(w, "pairs"), sp_wire_put_array(w, r->pair_count);
    for (int i = 0; i < r->pair_count; i++) {
        sp_wire_put_array(w, 3);
        sp_wire_put_bytes(w, r->pairs[i].a, sizeof r->pairs[i].a);
        sp_wire_put_bytes(w, r->pairs[i].b, sizeof r->pairs[i].b);
        sp_wire_put_double(w, r->pairs[i].score);
    }
}

static enum sp_status read_int(const sp_wire_value *map, const char *key, uint64_t max, int *ret,
                               struct sp_err *err)
{
    uint64_t value = 0;
    enum sp_status status = sp_wire_get_uint(map, key, max, &value, err);
    *ret = (int)value;
    return status;
}

static bool read_pseudonym(uint8_t ret[SP_REVIEW_PSEUDONYM_BYTES], const sp_wire_value *value)
{
    const uint8_t *bytes = NULL;
    size_t length = 0;
    if (!sp_wire_as_view(value, &bytes, &length) || length != SP_REVIEW_PSEUDONYM_BYTES)
        return false;
    memcpy(ret, bytes, length);
    return true;
}

static enum sp_status read_pairs(struct sp_review *r, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, "pairs");
    if (!sp_wire_is_array(list) || sp_wire_count(list) > SP_REVIEW_MAX_PAIRS)
        return sp_fail(err, SP_E_FORMAT, "review: pairs is not an array of at most %d", SP_REVIEW_MAX_PAIRS);
    r->pair_count = sp_wire_count(list);
    for (int i = 0; i < r->pair_count; i++) {
        const sp_wire_value *triple = sp_wire_at(list, i);
        if (!sp_wire_is_array(triple) || sp_wire_count(triple) != 3 ||
            !read_pseudonym(r->pairs[i].a, sp_wire_at(triple, 0)) ||
            !read_pseudonym(r->pairs[i].b, sp_wire_at(triple, 1)) ||
            !sp_wire_as_double(sp_wire_at(triple, 2), &r->pairs[i].score))
            return sp_fail(err, SP_E_FORMAT, "review: pairs[%d] is not [pseudonym, pseudonym, score]", i);
    }
    return SP_OK;
}

enum sp_status sp_review_read(struct sp_review *ret, const sp_wire_value *map, struct sp_err *err)
{
    if (!sp_wire_is_map(map))
        return sp_fail(err, SP_E_FORMAT, "review is not a map");
    enum sp_status status = sp_wire_get_uint(map, "version", UINT64_MAX, &ret->version, err);
    if (status == SP_OK)
        status = read_int(map, "people", PEOPLE_MAX, &ret->people, err);
    if (status == SP_OK)
        status = read_int(map, "usable", PEOPLE_MAX, &ret->usable, err);
    if (status == SP_OK)
        status = read_int(map, "missing", MISSING_MAX, &ret->missing, err);
    if (status == SP_OK)
        status = sp_wire_get_double(map, "threshold", &ret->threshold, err);
    if (status == SP_OK)
        status = sp_wire_get_double(map, "margin", &ret->margin, err);
    if (status == SP_OK)
        status = read_int(map, "count", PEOPLE_MAX, &ret->count, err);
    if (status == SP_OK)
        status = read_pairs(ret, map, err);
    if (status == SP_OK)
        status = sp_review_check(ret, err);
    return status == SP_E_NOTFOUND || status == SP_E_INVALID ? SP_E_FORMAT : status;
}
