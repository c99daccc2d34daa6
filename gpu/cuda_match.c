#include "gpu/cuda_match.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_match_launch.h"
#include "gpu/cuda_match_plan.h"
#include "gpu/match.h"

#define PLACES      4  /* batches under way at once */
#define SECOND_LOOK 24 /* probes looked at a second time at once */
#define MARGIN      11 /* candidates beyond k, or k / 2 where that is more */
#define BUCKETS     (2 * SP_CUDA_MATCH_PROBES)

/* What a batch needs, in this order in one pinned and one device buffer; only what is used travels. */
struct input {
    float scales[SP_CUDA_MATCH_PROBES], factors[SP_CUDA_MATCH_PROBES], bounds[SP_CUDA_MATCH_PROBES];
    uint32_t counts[SP_CUDA_MATCH_PROBES];
    struct sp_cuda_merge_item merges[SP_CUDA_MATCH_PROBES];
    struct sp_cuda_match_item items[SP_CUDA_MATCH_ITEMS];
    float vectors[SP_CUDA_MATCH_FLOATS];
};

/* All keys come back into one array: the probes' lists, or what a second look collects. */
#define LIST_KEYS ((size_t)SP_CUDA_MATCH_PROBES * SP_CUDA_MATCH_KEPT)
_Static_assert((size_t)SECOND_LOOK *SP_CUDA_MATCH_COLLECT <= LIST_KEYS, "a second look comes back as lists do");

/* One probe of a pass. */
struct chosen {
    int row;     /* of the caller's */
    int gallery; /* number of its gallery within the pass: probes of one gallery are neighbours */
    struct sp_cuda_match_probe probe;
    float bound; /* for a second look */
};

struct place {
    struct sp_cuda_match *match;
    bool taken; /* under match->lock; all else belongs to who took it */
    struct sp_cuda_stream *stream;
    struct sp_cuda_span span;
    struct input *pinned, *device;
    uint64_t *keys, *device_keys; /* [LIST_KEYS] pinned; [LIST_KEYS + SP_CUDA_MATCH_KEYS] */
    struct chosen chosen[SP_CUDA_MATCH_PROBES], sorted[SP_CUDA_MATCH_PROBES], again[SP_CUDA_MATCH_PROBES];
    struct sp_cuda_match_group groups[SP_CUDA_MATCH_PROBES];
    const void *stores[BUCKETS]; /* gallery numbers by store: open addressing */
    int numbers[BUCKETS], starts[SP_CUDA_MATCH_PROBES + 1];
};

struct sp_cuda_match {
    struct sp_cuda *cuda;
    struct sp_cuda_galleries *galleries;
    struct place *places; /* [PLACES] */
    pthread_mutex_t lock;
    pthread_cond_t returned;
    _Atomic uint64_t probes, widened, on_host;
};

/* One caller's batch. */
struct task {
    const struct sp_match_row *rows;
    int k, kept;
    struct sp_hit *hits;
    struct sp_err *err;
};

static enum sp_status open_place(struct place *place, struct sp_cuda_match *match, struct sp_err *err)
{
    void *pinned = NULL, *device = NULL, *keys = NULL, *device_keys = NULL;
    place->match = match;
    enum sp_status status = sp_cuda_stream_new(&place->stream, match->cuda, err);
    if (!status)
        status = sp_cuda_span_new(&place->span, match->cuda, err);
    if (!status)
        status = sp_cuda_pinned_new(&pinned, match->cuda, sizeof *place->pinned, err);
    if (!status)
        status = sp_cuda_memory_new(&device, match->cuda, sizeof *place->device, err);
    if (!status)
        status = sp_cuda_pinned_new(&keys, match->cuda, LIST_KEYS * sizeof *place->keys, err);
    if (!status)
        status = sp_cuda_memory_new(&device_keys, match->cuda,
                                    (LIST_KEYS + SP_CUDA_MATCH_KEYS) * sizeof *place->device_keys, err);
    place->pinned = pinned;
    place->device = device;
    place->keys = keys;
    place->device_keys = device_keys;
    return status;
}

enum sp_status sp_cuda_match_new(struct sp_cuda_match **ret_match, struct sp_cuda *cuda, struct sp_err *err)
{
    struct sp_cuda_match *match = calloc(1, sizeof *match);
    if (!match)
        return sp_fail(err, SP_E_NOMEM, "no memory for matches");
    match->cuda = cuda;
    pthread_mutex_init(&match->lock, NULL);
    pthread_cond_init(&match->returned, NULL);
    match->places = calloc(PLACES, sizeof *match->places);
    enum sp_status status = match->places ? sp_cuda_galleries_new(&match->galleries, cuda, err)
                                          : sp_fail(err, SP_E_NOMEM, "no memory for matches");
    for (int i = 0; i < PLACES && !status; i++)
        status = open_place(&match->places[i], match, err);
    if (!status)
        status = SP_CUDA_TRY(cuda, err, sp_cuda_match_prepare((int)sp_cuda_facts(cuda)->shared_bytes));
    if (status)
        sp_cuda_match_free(&match);
    else
        *ret_match = match;
    return status;
}

void sp_cuda_match_free(struct sp_cuda_match **match)
{
    struct sp_cuda_match *self = *match;
    if (!self)
        return;
    for (int i = 0; i < PLACES && self->places; i++) {
        struct place *place = &self->places[i];
        void *pinned = place->pinned, *device = place->device, *keys = place->keys, *lists = place->device_keys;
        sp_cuda_stream_free(&place->stream);
        sp_cuda_span_free(&place->span);
        sp_cuda_pinned_free(self->cuda, &pinned);
        sp_cuda_pinned_free(self->cuda, &keys);
        sp_cuda_memory_free(self->cuda, &device);
        sp_cuda_memory_free(self->cuda, &lists);
    }
    free(self->places);
    sp_cuda_galleries_free(&self->galleries);
    pthread_cond_destroy(&self->returned);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *match = NULL;
}

struct sp_cuda_galleries *sp_cuda_match_galleries(struct sp_cuda_match *match)
{
    return match->galleries;
}

struct sp_cuda_match_counts sp_cuda_match_count(struct sp_cuda_match *match)
{
    return (struct sp_cuda_match_counts){match->probes, match->widened, match->on_host};
}

static struct place *take_place(struct sp_cuda_match *match)
{
    struct place *place = NULL;
    pthread_mutex_lock(&match->lock);
    while (!place) {
        for (int i = 0; i < PLACES && !place; i++)
            if (!match->places[i].taken)
                place = &match->places[i];
        if (!place)
            pthread_cond_wait(&match->returned, &match->lock);
    }
    place->taken = true;
    pthread_mutex_unlock(&match->lock);
    return place;
}

static void return_place(struct place *place)
{
    pthread_mutex_lock(&place->match->lock);
    place->taken = false;
    pthread_cond_signal(&place->match->returned);
    pthread_mutex_unlock(&place->match->lock);
}

/* The number of a store within this pass; new ones count on from *count. */
static int number_of(struct place *place, const void *store, int *count)
{
    size_t at = ((uintptr_t)store >> 4) * 0x9e3779b97f4a7c15u >> 32;
    for (;; at++) {
        size_t bucket = at % BUCKETS;
        if (place->stores[bucket] == store)
            return place->numbers[bucket];
        if (place->stores[bucket])
            continue;
        place->stores[bucket] = store;
        return place->numbers[bucket] = (*count)++;
    }
}

/* Neighbours by gallery, in the order in which the galleries come first. */
static void sort_chosen(struct place *place, const struct task *task, int count)
{
    int galleries = 0;
    memset(place->stores, 0, sizeof place->stores);
    memset(place->starts, 0, sizeof place->starts);
    for (int i = 0; i < count; i++) {
        struct chosen *chosen = &place->chosen[i];
        chosen->gallery = number_of(place, task->rows[chosen->row].store, &galleries);
        place->starts[chosen->gallery + 1]++;
    }
    for (int i = 0; i < galleries; i++)
        place->starts[i + 1] += place->starts[i];
    for (int i = 0; i < count; i++)
        place->sorted[place->starts[place->chosen[i].gallery]++] = place->chosen[i];
}

static struct sp_cuda_match_limits limits_of(const struct place *place, int kept)
{
    const struct sp_cuda_facts *facts = sp_cuda_facts(place->match->cuda);
    return (struct sp_cuda_match_limits){facts->multiprocessors, facts->shared_bytes, kept};
}

/* Fill the input with probes that are neighbours by gallery. Returns the number of groups. */
static int fill_input(struct place *place, const struct task *task, const struct chosen *chosen, int count)
{
    struct input *input = place->pinned;
    uint32_t floats = 0;
    int groups = 0;
    for (int i = 0; i < count; i++) {
        const struct sp_match_row *row = &task->rows[chosen[i].row];
        const struct sp_cuda_gallery *gallery = row->store;
        if (i == 0 || chosen[i].gallery != chosen[i - 1].gallery)
            place->groups[groups++] = (struct sp_cuda_match_group){
                gallery->rows, gallery->halves, row->rows->count, row->rows->dim, i, 0, floats};
        place->groups[groups - 1].probes++;
        memcpy(input->vectors + floats, row->vector, (size_t)row->rows->dim * sizeof(float));
        floats += (uint32_t)row->rows->dim;
        input->scales[i] = chosen[i].probe.scale;
        input->factors[i] = chosen[i].probe.factor;
        input->bounds[i] = chosen[i].bound;
        input->counts[i] = 0;
    }
    return groups;
}

/* Everything up to the last item, and the vectors. */
static enum sp_status send_input(struct place *place, const struct sp_cuda_match_plan *plan, int floats,
                                 struct sp_err *err)
{
    int items = plan->first[2] + plan->count[2];
    size_t head = offsetof(struct input, items) + (size_t)items * sizeof(struct sp_cuda_match_item);
    enum sp_status status = sp_cuda_copy_in(place->stream, place->device, place->pinned, head, err);
    if (!status)
        status = sp_cuda_copy_in(place->stream, place->device->vectors, place->pinned->vectors,
                                 (size_t)floats * sizeof(float), err);
    return status;
}

static enum sp_status launch(struct place *place, const struct sp_cuda_match_plan *plan, int kept, bool second_look,
                             struct sp_err *err)
{
    struct input *on = place->device;
    struct sp_cuda_match_batch batch = {.items = on->items,
                                        .merges = on->merges,
                                        .vectors = on->vectors,
                                        .scales = on->scales,
                                        .factors = on->factors,
                                        .bounds = on->bounds,
                                        .lists = place->device_keys,
                                        .collected = place->device_keys,
                                        .counts = on->counts,
                                        .kept = kept};
    struct sp_cuda *cuda = place->match->cuda;
    void *stream = sp_cuda_stream_native(place->stream);
    enum sp_status status = SP_OK;
    for (int i = 2; i >= 0 && !status; i--)
        if (plan->count[i])
            status = SP_CUDA_TRY(cuda, err,
                                 sp_cuda_match_launch(stream, &batch, 1 << i, second_look, plan->first[i],
                                                      plan->count[i], plan->shared[i]));
    if (!status && plan->merge_count)
        status = SP_CUDA_TRY(cuda, err, sp_cuda_merge_launch(stream, &batch, plan->merge_count));
    return status;
}

/* Let the device rank (or collect for) `count` probes, neighbours by gallery, and wait for the keys. */
static enum sp_status rank(struct place *place, const struct task *task, const struct chosen *chosen, int count,
                           bool second_look)
{
    struct sp_cuda_match_plan plan = {.items = place->pinned->items, .merges = place->pinned->merges};
    struct sp_cuda_match_limits limits = limits_of(place, task->kept);
    int groups = fill_input(place, task, chosen, count), floats = 0;
    for (int i = 0; i < groups; i++)
        floats += place->groups[i].probes * place->groups[i].dim;
    sp_cuda_match_plan(&plan, place->groups, groups, &limits, second_look);
    enum sp_status status = sp_cuda_span_begin(&place->span, place->stream, task->err);
    if (!status)
        status = send_input(place, &plan, floats, task->err);
    if (!status)
        status = launch(place, &plan, task->kept, second_look, task->err);
    size_t each = second_look ? SP_CUDA_MATCH_COLLECT : (size_t)task->kept;
    if (!status)
        status = sp_cuda_copy_out(place->stream, place->keys, place->device_keys,
                                  (size_t)count * each * sizeof(uint64_t), task->err);
    if (!status && second_look)
        status = sp_cuda_copy_out(place->stream, place->pinned->counts, place->device->counts,
                                  (size_t)count * sizeof(uint32_t), task->err);
    if (!status)
        status = sp_cuda_span_end(&place->span, place->stream, task->err);
    /* After a failure too: nothing may be on its way when the place is given to another. */
    enum sp_status waited = sp_cuda_wait(place->stream, status ? NULL : task->err);
    status = status ? status : waited;
    return status ? status : sp_cuda_span_count(&place->span, SP_WORK_MATCH, task->err);
}

/* The reference's way, for probes that 16 bits do not suit. */
static void match_on_host(struct sp_cuda_match *match, const struct task *task, int row)
{
    const struct sp_match_row *at = &task->rows[row];
    if (at->rows->count > 0)
        match->on_host++;
    sp_match_ref(NULL, at->rows, NULL, &at->vector, 1, task->k, task->hits + (size_t)row * (size_t)task->k, NULL);
}

static enum sp_cuda_match_verdict settle(const struct task *task, struct chosen *chosen, const uint64_t *keys,
                                         int most, bool complete)
{
    const struct sp_match_row *row = &task->rows[chosen->row];
    return sp_cuda_match_settle(row->rows, &chosen->probe, row->vector, keys, most, complete, task->k,
                                task->hits + (size_t)chosen->row * (size_t)task->k, &chosen->bound);
}

/* Probes whose candidates proved nothing: collect all that could matter, or score the whole gallery here. */
static enum sp_status look_again(struct place *place, const struct task *task, int count)
{
    enum sp_status status = SP_OK;
    for (int first = 0, n; first < count && !status; first += n) {
        n = count - first < SECOND_LOOK ? count - first : SECOND_LOOK;
        struct chosen *chosen = place->again + first;
        status = rank(place, task, chosen, n, true);
        for (int i = 0; i < n && !status; i++) {
            uint32_t found = place->pinned->counts[i];
            if (found > SP_CUDA_MATCH_COLLECT)
                match_on_host(place->match, task, chosen[i].row);
            else
                settle(task, &chosen[i], place->keys + (size_t)i * SP_CUDA_MATCH_COLLECT, (int)found, true);
        }
    }
    return status;
}

/* Choose rows from `first` on for one pass; those not for the device are answered. Returns the row after the last.
 */
static int choose(struct place *place, const struct task *task, int first, int count, int *ret_chosen)
{
    struct sp_cuda_match_limits limits = limits_of(place, task->kept);
    int chosen = 0, floats = 0, row = first;
    for (; row < count && chosen < SP_CUDA_MATCH_PROBES; row++) {
        const struct sp_match_row *at = &task->rows[row];
        const struct sp_cuda_gallery *gallery = at->store;
        if (floats + at->rows->dim > SP_CUDA_MATCH_FLOATS)
            break;
        struct sp_cuda_match_probe probe = {.on_host = true};
        if (gallery->piece && sp_cuda_match_groups(&limits, at->rows->dim) > 0)
            probe = sp_cuda_match_probe(at->rows, &gallery->scale, at->vector);
        if (probe.on_host) {
            match_on_host(place->match, task, row);
            continue;
        }
        floats += at->rows->dim;
        place->chosen[chosen++] = (struct chosen){.row = row, .probe = probe};
    }
    *ret_chosen = chosen;
    return row;
}

static enum sp_status pass(struct place *place, const struct task *task, int count)
{
    int again = 0;
    sort_chosen(place, task, count);
    enum sp_status status = rank(place, task, place->sorted, count, false);
    for (int i = 0; i < count && !status; i++) {
        struct chosen *chosen = &place->sorted[i];
        bool complete = task->rows[chosen->row].rows->count <= task->kept;
        const uint64_t *keys = place->keys + (size_t)i * (size_t)task->kept;
        if (settle(task, chosen, keys, task->kept, complete) == SP_CUDA_MATCH_WIDEN)
            place->again[again++] = *chosen;
    }
    place->match->probes += (uint64_t)count;
    place->match->widened += (uint64_t)again;
    return status ? status : look_again(place, task, again);
}

enum sp_status sp_cuda_match_run(struct sp_cuda_match *match, const struct sp_match_row *rows, int count, int k,
                                 struct sp_hit *ret_hits, struct sp_err *err)
{
    int margin = k / 2 > MARGIN ? k / 2 : MARGIN;
    struct task task = {rows, k, k + margin, ret_hits, err};
    enum sp_status status = sp_cuda_enter(match->cuda, err);
    if (status || count == 0)
        return status;
    struct place *place = take_place(match);
    for (int first = 0, chosen; first < count && !status;) {
        first = choose(place, &task, first, count, &chosen);
        if (chosen)
            status = pass(place, &task, chosen);
    }
    return_place(place);
    return status;
}
