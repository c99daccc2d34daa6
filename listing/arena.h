/* Memory that grows in blocks and goes away at once, wiped: for what is read from foreign bytes and holds names. */
#ifndef SALLYPORT_LISTING_ARENA_H
#define SALLYPORT_LISTING_ARENA_H

#include <stddef.h>

struct sp_arena;

struct sp_arena *sp_arena_new(size_t limit_bytes); /* NULL: no memory */
void sp_arena_free(struct sp_arena **arena);       /* wipes; NULL is fine */
/* Zeroed, aligned to 8 bytes. NULL: no memory, or the limit is reached. */
void *sp_arena_take(struct sp_arena *arena, size_t bytes);
/* Bytes for text, not aligned and not zeroed. NULL as above. */
char *sp_arena_text(struct sp_arena *arena, size_t bytes);

#endif
