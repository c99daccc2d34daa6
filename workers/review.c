#include "workers/review.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "roster/lane.h"

enum { PROBES = 64 }; /* at once: gates wait behind no more than that */

/* The closest other person, by person (row of the hot gallery). */
struct closest {
    int other; /* -1: none yet */
    double score;
};

/* The probes from..from+count: every first hit that is somebody else. */
static enum sp_status probe(struct closest *closest, struct sp_engine *engine, const struct sp_pack *pack,
                            const struct sp_hot_gallery *hot, const struct sp_hot_vectors *vectors, int from,
                            int count, int k, struct sp_hit *hits, struct sp_err *err)
{
    struct sp_probe probes[PROBES] = {{NULL, NULL}};
    for (int i = 0; i < count; i++)
        probes[i] = (struct sp_probe){vectors->vectors + (size_t)(from + i) * (size_t)pack->dim, hot->gallery};
    enum sp_status status = sp_match(engine, probes, count, k, hits, err);
    for (int i = 0; status == SP_OK && i < count; i++) {
        int person = vectors->people[from + i], rank = 0;
        const struct sp_hit *of = &hits[i * k];
        while (rank < k && of[rank].entry >= 0 && hot->people[of[rank].entry] == person)
            rank++;
        if (rank == k || of[rank].entry < 0)
            continue;
        double score = sp_pack_score(pack, (double)of[rank].score);
        if (closest[person].other < 0 || score > closest[person].score)
            closest[person] = (struct closest){hot->people[of[rank].entry], score};
    }
    return status;
}

static int closer(const void *a, const void *b)
{
    const struct sp_review_pair *one = a, *two = b;
    if (one->score != two->score)
        return one->score > two->score ? -1 : 1;
    int order = memcmp(one->a, two->a, sizeof one->a);
    return order ? order : memcmp(one->b, two->b, sizeof one->b);
}

/* Two who are each other's closest are one pair. */
static enum sp_status gather(struct sp_review *review, const struct closest *closest,
                             const struct sp_hot_gallery *hot, struct sp_err *err)
{
    struct sp_review_pair *all = calloc((size_t)hot->row_count + 1, sizeof *all);
    if (!all)
        return sp_fail(err, SP_E_NOMEM, "review: out of memory for %d people", hot->row_count);
    for (int i = 0; i < hot->row_count; i++) {
        int other = closest[i].other;
        if (other < 0 || closest[i].score < review->threshold - review->margin ||
            (other < i && closest[other].other == i))
            continue;
        int a = i < other ? i : other, b = i < other ? other : i;
        struct sp_review_pair *pair = &all[review->count++];
        memcpy(pair->a, hot->pseudonyms[a], sizeof pair->a);
        memcpy(pair->b, hot->pseudonyms[b], sizeof pair->b);
        pair->score = closest[i].score;
    }
    qsort(all, (size_t)review->count, sizeof *all, closer);
    review->pair_count = review->count < SP_REVIEW_MAX_PAIRS ? review->count : SP_REVIEW_MAX_PAIRS;
    memcpy(review->pairs, all, (size_t)review->pair_count * sizeof *all);
    free(all);
    return SP_OK;
}

enum sp_status sp_review_gallery(struct sp_review *ret_review, struct sp_engine *engine, const struct sp_pack *pack,
                                 const struct sp_hot_gallery *hot, const struct sp_hot_vectors *vectors,
                                 uint64_t deadline_ns, void (*step)(void *context), void *context,
                                 struct sp_err *err)
{
    int entries = vectors->count;
    int k = hot->most_portraits + 1 < SP_MATCH_MAX_K ? hot->most_portraits + 1 : SP_MATCH_MAX_K;
    struct closest *closest = calloc((size_t)hot->row_count + 1, sizeof *closest);
    struct sp_hit *hits = calloc((size_t)PROBES * (size_t)k, sizeof *hits);
    enum sp_status status =
        closest && hits ? SP_OK : sp_fail(err, SP_E_NOMEM, "review: out of memory for %d people", hot->row_count);
    *ret_review = (struct sp_review){.version = hot->version,
                                     .people = hot->row_count,
                                     .usable = hot->usable,
                                     .missing = hot->missing,
                                     .margin = SP_LANE_MARGIN_DEFAULT};
    ret_review->threshold =
        sp_pack_score(pack, sp_pack_threshold(pack, SP_LANE_FPIR_DEFAULT, hot->usable > 0 ? hot->usable : 1));
    for (int i = 0; status == SP_OK && i < hot->row_count; i++)
        closest[i].other = -1;
    for (int from = 0; status == SP_OK && from < entries; from += PROBES) {
        int count = entries - from < PROBES ? entries - from : PROBES;
        if (sp_clock_mono_ns() >= deadline_ns)
            status = sp_fail(err, SP_E_TIMEOUT, "review: the budget ended at portrait %d of %d", from, entries);
        step(context);
        if (status == SP_OK)
            status = probe(closest, engine, pack, hot, vectors, from, count, k, hits, err);
    }
    if (status == SP_OK)
        status = gather(ret_review, closest, hot, err);
    free(closest);
    free(hits);
    return status;
}
