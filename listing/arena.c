#include "listing/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)

struct block {
    struct block *next;
    size_t size, used;
    uint8_t bytes[];
};

struct sp_arena {
    struct block *block; /* the newest one first */
    size_t limit, total;
};

struct sp_arena *sp_arena_new(size_t limit_bytes)
{
    struct sp_arena *arena = calloc(1, sizeof *arena);
    if (arena)
        arena->limit = limit_bytes;
    return arena;
}

void sp_arena_free(struct sp_arena **arena)
{
    if (!arena || !*arena)
        return;
    for (struct block *block = (*arena)->block, *next; block; block = next) {
        next = block->next;
        explicit_bzero(block->bytes, block->used);
        free(block);
    }
    free(*arena);
    *arena = NULL;
}

static uint8_t *take(struct sp_arena *arena, size_t bytes, size_t align)
{
    struct block *block = arena->block;
    size_t at = block ? (block->used + align - 1) & ~(align - 1) : 0;
    if (!block || at > block->size || bytes > block->size - at) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        if (bytes > arena->limit || size > arena->limit - arena->total)
            return NULL;
        block = malloc(sizeof *block + size);
        if (!block)
            return NULL;
        *block = (struct block){arena->block, size, 0};
        arena->block = block;
        arena->total += size;
        at = 0;
    }
    block->used = at + bytes;
    return block->bytes + at;
}

void *sp_arena_take(struct sp_arena *arena, size_t bytes)
{
    void *place = take(arena, bytes, 8);
    if (place)
        memset(place, 0, bytes);
    return place;
}

char *sp_arena_text(struct sp_arena *arena, size_t bytes)
{
    return (char *)take(arena, bytes, 1);
}
