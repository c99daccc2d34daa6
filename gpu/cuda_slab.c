#include "gpu/cuda_slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slab {
    char *memory; /* NULL: the place is free */
    int pages, used;
    int *runs; /* [pages]: at the first page of a piece how many it has, 0 elsewhere */
};

struct sp_cuda_slabs {
    struct sp_cuda *cuda;
    pthread_mutex_t lock;
    struct slab *slabs;
    int count, room;
    size_t size; /* of a usual slab: whole pages */
};

enum sp_status sp_cuda_slabs_new(struct sp_cuda_slabs **ret_slabs, struct sp_cuda *cuda, struct sp_err *err)
{
    struct sp_cuda_slabs *slabs = calloc(1, sizeof *slabs);
    if (!slabs)
        return sp_fail(err, SP_E_NOMEM, "no memory for the list of gallery slabs");
    slabs->cuda = cuda;
    slabs->size = sp_cuda_facts(cuda)->memory_bytes / 64 / SP_CUDA_SLAB_PAGE * SP_CUDA_SLAB_PAGE;
    slabs->size = slabs->size > SP_CUDA_SLAB_SIZE ? SP_CUDA_SLAB_SIZE
                  : slabs->size                   ? slabs->size
                                                  : SP_CUDA_SLAB_PAGE;
    pthread_mutex_init(&slabs->lock, NULL);
    *ret_slabs = slabs;
    return SP_OK;
}

static void drop(struct sp_cuda_slabs *slabs, struct slab *slab)
{
    void *memory = slab->memory;
    sp_cuda_memory_free(slabs->cuda, &memory);
    free(slab->runs);
    *slab = (struct slab){0};
}

void sp_cuda_slabs_free(struct sp_cuda_slabs **slabs)
{
    if (!*slabs)
        return;
    for (int i = 0; i < (*slabs)->count; i++)
        if ((*slabs)->slabs[i].memory)
            drop(*slabs, &(*slabs)->slabs[i]);
    pthread_mutex_destroy(&(*slabs)->lock);
    free((*slabs)->slabs);
    free(*slabs);
    *slabs = NULL;
}

/* First page of a gap of `pages`, or -1. */
static int find_gap(const struct slab *slab, int pages)
{
    int gap = 0;
    if (!slab->memory || slab->pages - slab->used < pages)
        return -1;
    for (int page = 0; page < slab->pages;) {
        if (slab->runs[page]) {
            gap = 0;
            page += slab->runs[page];
        } else {
            page++;
            if (++gap == pages)
                return page - pages;
        }
    }
    return -1;
}

/* Give all empty slabs back; whether there was one. */
static bool drop_empty(struct sp_cuda_slabs *slabs)
{
    bool any = false;
    for (int i = 0; i < slabs->count; i++)
        if (slabs->slabs[i].memory && slabs->slabs[i].used == 0) {
            drop(slabs, &slabs->slabs[i]);
            any = true;
        }
    return any;
}

/* A new slab of at least that many pages, in a free place of the list. */
static enum sp_status grow(struct sp_cuda_slabs *slabs, int pages, struct slab **ret_slab, struct sp_err *err)
{
    int place = 0, standard = (int)(slabs->size / SP_CUDA_SLAB_PAGE);
    void *memory = NULL;
    while (place < slabs->count && slabs->slabs[place].memory)
        place++;
    if (place == slabs->room) {
        int room = slabs->room ? 2 * slabs->room : 16;
        struct slab *larger = realloc(slabs->slabs, (size_t)room * sizeof *larger);
        if (!larger)
            return sp_fail(err, SP_E_NOMEM, "no memory for the list of gallery slabs");
        memset(larger + slabs->room, 0, (size_t)(room - slabs->room) * sizeof *larger);
        slabs->slabs = larger;
        slabs->room = room;
    }
    pages = pages > standard ? pages : standard;
    int *runs = calloc((size_t)pages, sizeof *runs);
    if (!runs)
        return sp_fail(err, SP_E_NOMEM, "no memory for a gallery slab's pages");
    size_t bytes = (size_t)pages * SP_CUDA_SLAB_PAGE;
    enum sp_status status = sp_cuda_memory_new(&memory, slabs->cuda, bytes, err);
    if (status == SP_E_NOMEM && drop_empty(slabs))
        status = sp_cuda_memory_new(&memory, slabs->cuda, bytes, err);
    if (status) {
        free(runs);
        return status;
    }
    slabs->slabs[place] = (struct slab){memory, pages, 0, runs};
    slabs->count = place == slabs->count ? place + 1 : slabs->count;
    *ret_slab = &slabs->slabs[place];
    return SP_OK;
}

enum sp_status sp_cuda_slabs_take(struct sp_cuda_slabs *slabs, size_t bytes, void **ret_piece, struct sp_err *err)
{
    size_t wanted = (bytes + SP_CUDA_SLAB_PAGE - 1) / SP_CUDA_SLAB_PAGE;
    int pages = wanted ? (int)wanted : 1, gap = -1;
    struct slab *slab = NULL;
    enum sp_status status = SP_OK;
    if (wanted > (size_t)1 << 30)
        return sp_fail(err, SP_E_NOMEM, "a gallery of %zu bytes is more than any device has", bytes);
    pthread_mutex_lock(&slabs->lock);
    for (int i = 0; i < slabs->count && gap < 0; i++) {
        slab = &slabs->slabs[i];
        gap = find_gap(slab, pages);
    }
    if (gap < 0) {
        status = grow(slabs, pages, &slab, err);
        gap = 0;
    }
    if (!status) {
        slab->runs[gap] = pages;
        slab->used += pages;
        *ret_piece = slab->memory + (size_t)gap * SP_CUDA_SLAB_PAGE;
    }
    pthread_mutex_unlock(&slabs->lock);
    return status;
}

/* Whether another slab of the usual size is empty already: one is kept, so that a swap of versions does not ask the
 * driver. */
static bool has_empty(const struct sp_cuda_slabs *slabs, const struct slab *except)
{
    for (int i = 0; i < slabs->count; i++)
        if (&slabs->slabs[i] != except && slabs->slabs[i].memory && slabs->slabs[i].used == 0)
            return true;
    return false;
}

void sp_cuda_slabs_give(struct sp_cuda_slabs *slabs, void *piece)
{
    char *at = piece;
    pthread_mutex_lock(&slabs->lock);
    for (int i = 0; i < slabs->count; i++) {
        struct slab *slab = &slabs->slabs[i];
        if (!slab->memory || at < slab->memory || at >= slab->memory + (size_t)slab->pages * SP_CUDA_SLAB_PAGE)
            continue;
        size_t page = (size_t)(at - slab->memory) / SP_CUDA_SLAB_PAGE;
        slab->used -= slab->runs[page];
        slab->runs[page] = 0;
        bool own = (size_t)slab->pages * SP_CUDA_SLAB_PAGE > slabs->size;
        if (slab->used == 0 && (own || has_empty(slabs, slab)))
            drop(slabs, slab);
        break;
    }
    pthread_mutex_unlock(&slabs->lock);
}

void sp_cuda_slabs_usage(struct sp_cuda_slabs *slabs, size_t *ret_used, size_t *ret_reserved)
{
    size_t used = 0, reserved = 0;
    pthread_mutex_lock(&slabs->lock);
    for (int i = 0; i < slabs->count; i++) {
        used += (size_t)slabs->slabs[i].used;
        reserved += (size_t)slabs->slabs[i].pages;
    }
    pthread_mutex_unlock(&slabs->lock);
    *ret_used = used * SP_CUDA_SLAB_PAGE;
    *ret_reserved = reserved * SP_CUDA_SLAB_PAGE;
}
