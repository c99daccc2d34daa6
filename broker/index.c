#include "broker/index.h"

#include <stdlib.h>
#include <string.h>

bool index_new(struct index *ret_index, int slots, uint64_t seed)
{
    uint32_t buckets = 16;
    while (buckets < 2u * (uint32_t)slots)
        buckets *= 2;
    *ret_index = (struct index){.seed = seed, .mask = buckets - 1};
    ret_index->bucket = calloc(buckets, sizeof *ret_index->bucket);
    ret_index->next = calloc((size_t)slots, sizeof *ret_index->next);
    ret_index->hashes = calloc((size_t)slots, sizeof *ret_index->hashes);
    return ret_index->bucket && ret_index->next && ret_index->hashes;
}

void index_free(struct index *index)
{
    free(index->bucket);
    free(index->next);
    free(index->hashes);
    *index = (struct index){0};
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 29;
    x *= 0x9fb21c651e98df25u;
    return x ^ x >> 32;
}

uint64_t index_hash(uint64_t hash, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = mix(hash + word);
    }
    uint64_t tail = length + 1; /* so that lengths count too */
    for (; length > 0; length--)
        tail = tail << 8 | *at++;
    return mix(hash ^ tail);
}

void index_add(struct index *index, int slot, uint64_t hash)
{
    int32_t *head = &index->bucket[hash & index->mask];
    index->hashes[slot] = hash;
    index->next[slot] = *head;
    *head = slot + 1;
}

void index_remove(struct index *index, int slot)
{
    int32_t *link = &index->bucket[index->hashes[slot] & index->mask];
    while (*link != slot + 1)
        link = &index->next[*link - 1];
    *link = index->next[slot];
    index->next[slot] = 0;
}

static int same_hash(const struct index *index, int32_t link, uint64_t hash)
{
    while (link && index->hashes[link - 1] != hash)
        link = index->next[link - 1];
    return link - 1;
}

int index_first(const struct index *index, uint64_t hash)
{
    return same_hash(index, index->bucket[hash & index->mask], hash);
}

int index_next(const struct index *index, int slot)
{
    return same_hash(index, index->next[slot], index->hashes[slot]);
}
