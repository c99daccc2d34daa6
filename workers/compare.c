#include "workers/compare.h"

#include <stdlib.h>
#include <string.h>

/* One assigned manifest into the scene; false with *ret_lack when it is not there whole and current. */
static bool hold_gallery(struct sp_scene *scene, int at, uint64_t current, struct sp_hot *hot,
                         struct sp_store *durable, struct sp_store *galleries, uint64_t deadline_ns,
                         struct sp_err *ret_lack)
{
    struct sp_basis *basis = &scene->basis;
    const char *manifest = basis->galleries[at].manifest;
    struct sp_hot_gallery *held = NULL;
    enum sp_status status = SP_E_NOTFOUND;
    if (!current)
        sp_fail(ret_lack, SP_E_NOTFOUND, "gallery %s: assigned, but never published", manifest);
    else
        status = sp_hot_acquire(hot, durable, galleries, manifest, current, deadline_ns, &held, ret_lack);
    scene->hot[at] = held;
    basis->galleries[at].version = held ? held->version : 0;
    basis->current[at] = status == SP_OK;
    basis->complete[at] = held && held->missing == 0;
    basis->people += held ? held->usable : 0;
    if (basis->current[at] && !basis->complete[at])
        sp_fail(ret_lack, SP_E_NOTFOUND, "gallery %s: templates are missing; their enrolment was asked for",
                manifest);
    return basis->current[at] && basis->complete[at];
}

void sp_scene_open(struct sp_scene *ret_scene, const struct sp_lane_now *now, struct sp_hot *hot,
                   struct sp_store *durable, struct sp_store *galleries, const struct sp_pack *pack,
                   uint64_t deadline_ns, struct sp_err *ret_lack)
{
    struct sp_basis *basis = &ret_scene->basis;
    memset(ret_scene, 0, sizeof *ret_scene);
    basis->kind = now->lane.kind;
    memcpy(basis->pack, pack->fingerprint, sizeof basis->pack);
    basis->margin = now->lane.margin;
    basis->assignment = now->assignment;
    basis->gallery_count = now->count;
    for (int i = 0; i < now->count; i++) {
        struct sp_err lack = {0};
        memcpy(basis->galleries[i].manifest, now->manifests[i].manifest, SP_MANIFEST_ID_MAX);
        if (!hold_gallery(ret_scene, i, now->manifests[i].version, hot, durable, galleries, deadline_ns, &lack) &&
            ret_lack->status == SP_OK)
            *ret_lack = lack;
    }
    double raw = sp_pack_threshold(pack, now->lane.fpir, basis->people > 0 ? basis->people : 1);
    basis->threshold = sp_pack_score(pack, raw);
}

void sp_scene_close(struct sp_scene *scene)
{
    for (int i = 0; i < SP_DECISION_MAX_GALLERIES; i++)
        sp_hot_unref(&scene->hot[i]);
}

/* Put a traveller into the best two; one who is there already keeps his better score. */
static void offer(struct sp_comparison *comparison, const struct sp_ranked_row *candidate)
{
    struct sp_ranked_row *first = &comparison->first, *second = &comparison->second;
    bool same = first->there && memcmp(first->pseudonym, candidate->pseudonym, SP_PSEUDONYM_BYTES) == 0;
    if (!first->there || candidate->score > first->score) {
        if (first->there && !same)
            *second = *first;
        *first = *candidate;
    } else if (!same && (!second->there || candidate->score > second->score)) {
        *second = *candidate;
    }
}

/* Enough hits that the second traveller is among them: all portraits of the first, and one. */
static int hits_wanted(const struct sp_compare_item *items, int count)
{
    int most = 1;
    for (int i = 0; i < count; i++)
        for (int g = 0; g < items[i].scene->basis.gallery_count; g++)
            if (items[i].scene->hot[g] && items[i].scene->hot[g]->most_portraits > most)
                most = items[i].scene->hot[g]->most_portraits;
    return most + 1;
}

/* Walk all (item, face, gallery) in one fixed order: first to fill the probes (hits NULL), then to read the hits.
 */
static int walk(struct sp_compare_item *items, int count, int k, struct sp_probe *probes, const struct sp_hit *hits,
                const struct sp_pack *pack)
{
    int row = 0;
    for (int i = 0; i < count; i++)
        for (int p = 0; p < items[i].probe_count; p++)
            for (int g = 0; g < items[i].scene->basis.gallery_count; g++) {
                const struct sp_hot_gallery *hot = items[i].scene->hot[g];
                int face = items[i].probes[p];
                if (!hot || sp_gallery_count(hot->gallery) == 0)
                    continue;
                if (!hits && probes)
                    probes[row] = (struct sp_probe){items[i].faces->faces[face].vector, hot->gallery};
                for (int rank = 0; hits && rank < k && hits[row * k + rank].entry >= 0; rank++) {
                    const struct sp_hit *hit = &hits[row * k + rank];
                    struct sp_ranked_row candidate = {
                        .there = true, .gallery = g, .score = sp_pack_score(pack, (double)hit->score)};
                    memcpy(candidate.pseudonym, hot->pseudonyms[hot->people[hit->entry]], SP_PSEUDONYM_BYTES);
                    offer(&items[i].comparisons[face], &candidate);
                }
                row++;
            }
    return row;
}

enum sp_status sp_compare(struct sp_engine *engine, const struct sp_pack *pack, struct sp_compare_item *items,
                          int count, struct sp_err *err)
{
    int k = hits_wanted(items, count), rows = walk(items, count, k, NULL, NULL, pack);
    for (int i = 0; i < count; i++)
        memset(items[i].comparisons, 0, sizeof items[i].comparisons);
    if (!rows)
        return SP_OK;
    struct sp_probe *probes = calloc((size_t)rows, sizeof *probes);
    struct sp_hit *hits = calloc((size_t)rows * (size_t)k, sizeof *hits);
    enum sp_status status = SP_E_NOMEM;
    if (!probes || !hits) {
        sp_fail(err, SP_E_NOMEM, "compare: out of memory for %d probes", rows);
        goto fail;
    }
    walk(items, count, k, probes, NULL, pack);
    if ((status = sp_match(engine, probes, rows, k, hits, err)) != SP_OK)
        goto fail;
    walk(items, count, k, NULL, hits, pack);
fail:
    free(probes);
    free(hits);
    return status;
}
