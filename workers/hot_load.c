/* Loading one version of a gallery: index and keys from the durable store, templates from `galleries`. */
#include "workers/hot.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "roster/manifest_store.h"

/* What is gathered while a gallery is loaded. */
struct loading {
    const struct sp_hot_config *config;
    const char *manifest;
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index;
    int64_t now_ms, changes_ms;                 /* wall clock; when a row begins or ends next, 0: never */
    int count;                                  /* usable portraits */
    uint8_t (*ids)[SP_TEMPLATE_ID_BYTES];       /* [count] */
    int *rows;                                  /* [count]: row in the index */
    const struct sp_index_portrait **portraits; /* [count]: views into the index */
    uint8_t *present;                           /* [count] */
    float *vectors;                             /* [count][dim] */
};

static void end(struct loading *l)
{
    if (l->vectors)
        sp_seal_wipe(l->vectors, (size_t)l->count * (size_t)l->config->pack->dim * sizeof(float));
    sp_seal_wipe(&l->keys, sizeof l->keys);
    sp_manifest_index_free(&l->index);
    free(l->ids);
    free(l->rows);
    free(l->portraits);
    free(l->present);
    free(l->vectors);
}

/* Is the row valid now? Notes when that changes. Both ends belong to it; 0 is open. */
static bool valid(struct loading *l, const struct sp_index_row *row)
{
    bool begun = row->valid_from_ms == 0 || row->valid_from_ms <= l->now_ms;
    bool ended = row->valid_to_ms != 0 && row->valid_to_ms < l->now_ms;
    int64_t next_ms = !begun ? row->valid_from_ms : !ended && row->valid_to_ms ? row->valid_to_ms + 1 : 0;
    if (next_ms && (!l->changes_ms || next_ms < l->changes_ms))
        l->changes_ms = next_ms;
    return begun && !ended;
}

static enum sp_status list_portraits(struct loading *l, struct sp_err *err)
{
    const struct sp_manifest_index *index = l->index;
    int pack = sp_manifest_index_pack(index, l->config->pack->fingerprint);
    size_t most = 1;
    for (int i = 0; i < index->row_count; i++)
        most += (size_t)index->rows[i].portrait_count;
    l->ids = calloc(most, sizeof *l->ids);
    l->rows = calloc(most, sizeof *l->rows);
    l->portraits = calloc(most, sizeof *l->portraits);
    l->present = calloc(most, 1);
    l->vectors = calloc(most * (size_t)l->config->pack->dim, sizeof *l->vectors);
    if (!l->ids || !l->rows || !l->portraits || !l->present || !l->vectors)
        return sp_fail(err, SP_E_NOMEM, "gallery %s: out of memory for %zu portraits", l->manifest, most);
    for (int i = 0; i < index->row_count; i++) {
        int portraits = valid(l, &index->rows[i]) ? index->rows[i].portrait_count : 0;
        for (int k = 0; k < portraits; k++) {
            const struct sp_index_portrait *portrait = &index->rows[i].portraits[k];
            if (pack >= 0 && portrait->packs[pack].reason != SP_REASON_NONE)
                continue; /* under another pack: its template says it, once it is there */
            sp_template_id(l->ids[l->count], l->manifest, index->rows[i].row, l->config->pack->fingerprint,
                           portrait->id);
            l->rows[l->count] = i;
            l->portraits[l->count++] = portrait;
        }
    }
    return SP_OK;
}

static void want_missing(const struct loading *l)
{
    for (int i = 0; l->config->wants && i < l->count; i++) {
        if (l->present[i])
            continue;
        struct sp_want want = {0};
        snprintf(want.manifest, sizeof want.manifest, "%s", l->manifest);
        memcpy(want.row, l->index->rows[l->rows[i]].row, SP_ROW_BYTES);
        memcpy(want.portrait, l->portraits[i]->id, SP_PORTRAIT_BYTES);
        sp_wants_add(l->config->wants, &want);
    }
}

static void count_present(const struct loading *l, struct sp_hot_gallery *hot)
{
    int last_row = -1, last_usable = -1, run = 0;
    for (int i = 0; i < l->count; i++) {
        hot->usable += l->rows[i] != last_usable;
        last_usable = l->rows[i];
        hot->missing += !l->present[i];
        if (!l->present[i])
            continue;
        run = l->rows[i] == last_row ? run + 1 : 1;
        last_row = l->rows[i];
        if (run > hot->most_portraits)
            hot->most_portraits = run;
    }
}

/* Close the gaps: entries that are there move to the front. Returns their number. */
static int pack_present(struct loading *l, int *ret_people)
{
    size_t dim = (size_t)l->config->pack->dim;
    int entries = 0;
    for (int i = 0; i < l->count; i++) {
        if (!l->present[i])
            continue;
        if (entries != i)
            memcpy(l->vectors + (size_t)entries * dim, l->vectors + (size_t)i * dim, dim * sizeof(float));
        ret_people[entries++] = l->rows[i];
    }
    return entries;
}

/* Onto the device; where it has no room, others go first, one at a time. */
static enum sp_status settle(struct sp_hot_gallery *hot, const struct loading *l, int entries, struct sp_err *err)
{
    const struct sp_hot_config *config = l->config;
    enum sp_metric metric = config->pack->metric == SP_PACK_L2 ? SP_METRIC_L2 : SP_METRIC_COSINE;
    enum sp_status status;
    do
        status = sp_gallery_new(&hot->gallery, config->engine, metric, config->pack->dim, entries, l->vectors, err);
    while (status == SP_E_NOMEM && config->spare && config->spare(config->context));
    if (status == SP_E_NOMEM && err)
        sp_fail_in(err, "no other gallery can make room");
    return status;
}

static enum sp_status build(struct sp_hot_gallery **ret_gallery, struct loading *l, struct sp_err *err)
{
    const struct sp_pack *pack = l->config->pack;
    struct sp_hot_gallery *hot = calloc(1, sizeof *hot);
    if (!hot)
        return sp_fail(err, SP_E_NOMEM, "gallery %s: out of memory", l->manifest);
    atomic_init(&hot->references, 1);
    snprintf(hot->manifest, sizeof hot->manifest, "%s", l->manifest);
    hot->version = l->index->version;
    hot->departs_ms = l->index->departs_ms;
    hot->row_count = l->index->row_count;
    hot->changes_ms = l->changes_ms;
    hot->people = calloc((size_t)l->count + 1, sizeof *hot->people);
    hot->pseudonyms = calloc((size_t)hot->row_count + 1, sizeof *hot->pseudonyms);
    if (!hot->people || !hot->pseudonyms) {
        sp_hot_unref(&hot);
        return sp_fail(err, SP_E_NOMEM, "gallery %s: out of memory", l->manifest);
    }
    for (int i = 0; i < hot->row_count; i++)
        memcpy(hot->pseudonyms[i], l->index->rows[i].pseudonym, SP_PSEUDONYM_BYTES);
    count_present(l, hot);
    int entries = pack_present(l, hot->people);
    enum sp_status status = settle(hot, l, entries, err);
    if (status != SP_OK) {
        sp_hot_unref(&hot);
        return status;
    }
    hot->bytes = sizeof *hot + (size_t)entries * (sizeof(float) * (size_t)pack->dim + sizeof(int)) +
                 (size_t)hot->row_count * SP_PSEUDONYM_BYTES;
    *ret_gallery = hot;
    return SP_OK;
}

/* The index of this version; where flips came faster than we read and it is gone, of the one that stands now. */
static enum sp_status load_index(struct loading *l, struct sp_store *durable, uint64_t version, struct sp_err *err)
{
    struct sp_err later = {0};
    uint64_t now = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_load_index(&l->index, durable, l->manifest, version, &l->keys, err);
    if (status != SP_E_NOTFOUND || sp_manifest_current(durable, l->manifest, &now, &state, &later) != SP_OK ||
        now <= version || state >= SP_MANIFEST_CLOSED)
        return status;
    return sp_manifest_load_index(&l->index, durable, l->manifest, now, &l->keys, err);
}

/* All that the stores have for it. */
static enum sp_status gather(struct loading *l, struct sp_store *durable, struct sp_store *galleries,
                             uint64_t version, struct sp_err *err)
{
    const struct sp_pack *pack = l->config->pack;
    enum sp_status status = sp_manifest_open_keys(&l->keys, durable, l->manifest, &l->config->reader, err);
    if (status == SP_OK)
        status = load_index(l, durable, version, err);
    if (status == SP_OK)
        status = list_portraits(l, err);
    if (status == SP_OK && l->count > 0)
        status = sp_template_load(galleries, l->manifest, pack->fingerprint,
                                  (const uint8_t(*)[SP_TEMPLATE_ID_BYTES])l->ids, l->count, pack->dim, l->vectors,
                                  l->present, &l->keys, err);
    return status;
}

enum sp_status sp_hot_load(struct sp_hot_gallery **ret_gallery, const struct sp_hot_config *config,
                           struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                           uint64_t version, struct sp_err *err)
{
    struct loading l = {.config = config, .manifest = manifest, .now_ms = sp_clock_wall_ms()};
    enum sp_status status = gather(&l, durable, galleries, version, err);
    if (status == SP_OK) {
        want_missing(&l);
        status = build(ret_gallery, &l, err);
    }
    end(&l);
    return status;
}

enum sp_status sp_hot_load_vectors(struct sp_hot_vectors *ret_vectors, const struct sp_hot_config *config,
                                   struct sp_store *durable, struct sp_store *galleries,
                                   const struct sp_hot_gallery *gallery, struct sp_err *err)
{
    struct loading l = {.config = config, .manifest = gallery->manifest, .now_ms = sp_clock_wall_ms()};
    struct sp_hot_vectors vectors = {0};
    enum sp_status status = gather(&l, durable, galleries, gallery->version, err);
    if (status == SP_OK && l.index->version != gallery->version)
        status = sp_fail(err, SP_E_NOTFOUND, "gallery %s: version %llu is gone", l.manifest,
                         (unsigned long long)gallery->version);
    if (status == SP_OK && !(vectors.people = calloc((size_t)l.count + 1, sizeof *vectors.people)))
        status = sp_fail(err, SP_E_NOMEM, "gallery %s: out of memory for %d portraits", l.manifest, l.count);
    if (status == SP_OK) {
        vectors.count = pack_present(&l, vectors.people);
        vectors.bytes = (size_t)l.count * (size_t)config->pack->dim * sizeof(float);
        vectors.vectors = l.vectors;
        l.vectors = NULL;
        *ret_vectors = vectors;
    }
    end(&l);
    return status;
}

void sp_hot_vectors_clear(struct sp_hot_vectors *vectors)
{
    if (vectors->vectors)
        sp_seal_wipe(vectors->vectors, vectors->bytes);
    free(vectors->vectors);
    free(vectors->people);
    *vectors = (struct sp_hot_vectors){0};
}

bool sp_hot_outdated(const struct sp_hot_gallery *gallery, int64_t wall_ms)
{
    return gallery->changes_ms && wall_ms >= gallery->changes_ms;
}

struct sp_hot_gallery *sp_hot_ref(struct sp_hot_gallery *gallery)
{
    atomic_fetch_add(&gallery->references, 1);
    return gallery;
}

void sp_hot_unref(struct sp_hot_gallery **gallery)
{
    struct sp_hot_gallery *hot = gallery ? *gallery : NULL;
    if (!hot)
        return;
    *gallery = NULL;
    if (atomic_fetch_sub(&hot->references, 1) != 1)
        return;
    sp_gallery_unref(&hot->gallery);
    free(hot->people);
    free(hot->pseudonyms);
    free(hot);
}
