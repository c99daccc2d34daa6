/* A hash index over the slots 0..n-1 of some table: chains of slot numbers, no allocation after index_new. The
 * table compares the candidates itself. Iteration order depends only on the order of insertions. */
#ifndef SALLYPORT_BROKER_INDEX_H
#define SALLYPORT_BROKER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index {
    uint64_t seed;
    uint32_t mask;
    int32_t *bucket;  /* first slot + 1; 0 = empty */
    int32_t *next;    /* of each slot, + 1 */
    uint64_t *hashes; /* of each slot */
};

bool index_new(struct index *ret_index, int slots, uint64_t seed); /* false: no memory */
void index_free(struct index *index);
/* Mix bytes into a hash; begin with `hash` = index->seed. */
uint64_t index_hash(uint64_t hash, const void *bytes, size_t length);
void index_add(struct index *index, int slot, uint64_t hash);
void index_remove(struct index *index, int slot);
/* Candidates with this hash: first, then the next; -1 after the last. */
int index_first(const struct index *index, uint64_t hash);
int index_next(const struct index *index, int slot);

#endif
