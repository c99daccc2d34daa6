/* A version index as bytes (msgpack, plain: manifest.c and manifest_store.c seal it). */
#ifndef SALLYPORT_ROSTER_INDEX_H
#define SALLYPORT_ROSTER_INDEX_H

#include "roster/manifest.h"

/* Caller frees *ret_bytes with free(). */
enum sp_status sp_index_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_manifest_index *index,
                               struct sp_err *err);
enum sp_status sp_index_decode(struct sp_manifest_index **ret_index, const void *bytes, size_t length,
                               struct sp_err *err);
/* An index with room for row_count zeroed rows. */
enum sp_status sp_index_new(struct sp_manifest_index **ret_index, const char *manifest, int row_count,
                            struct sp_err *err);
/* Sort rows by id; sp_index_find needs that. Decoded indexes are sorted. */
void sp_index_sort(struct sp_manifest_index *index);
const struct sp_index_row *sp_index_find(const struct sp_manifest_index *index, const uint8_t row[SP_ROW_BYTES]);
/* The portrait of a row, or NULL. */
const struct sp_index_portrait *sp_index_portrait(const struct sp_index_row *row,
                                                  const uint8_t portrait[SP_PORTRAIT_BYTES]);
/* True if a portrait of the row is enrolled under packs[pack] of its index. */
bool sp_index_row_usable(const struct sp_index_row *row, int pack);
/* True if both say the same about the journey, travellers, portraits and packs (version, state, series and receipts
 * aside). Both sorted. */
bool sp_index_equal(const struct sp_manifest_index *a, const struct sp_manifest_index *b);

#endif
