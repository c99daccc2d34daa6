/* The desk's side of manifests in the durable Redis: keys, ids, sealed rows and portraits, notes of enrolment, and the flip.
 * Used by publish.c and the ops commands. All functions with a store block up to its time-out. */
#ifndef SALLYPORT_ROSTER_MANIFEST_STORE_H
#define SALLYPORT_ROSTER_MANIFEST_STORE_H

#include "roster/index.h"
#include "roster/row.h"

/* Make the manifest's data keys, wrapped to both roles, unless they exist; then open them as ops. */
enum sp_status sp_manifest_make_keys(struct sp_manifest_keys *ret_keys, struct sp_store *durable,
                                     const char *manifest, const uint8_t workers_public[32],
                                     const struct sp_key_file *ops, struct sp_err *err);

/* Keyed ids (docs/redis.md 2.2). */
void sp_manifest_row_id(uint8_t ret_id[SP_ROW_BYTES], const struct sp_row *row, const struct sp_manifest_keys *keys);
void sp_manifest_content_id(uint8_t ret_id[SP_ROW_BYTES], const void *row, size_t length,
                            const struct sp_manifest_keys *keys);
void sp_manifest_pseudonym(uint8_t ret_id[SP_PSEUDONYM_BYTES], const uint8_t row[SP_ROW_BYTES],
                           const struct sp_manifest_keys *keys);
void sp_manifest_portrait_id(uint8_t ret_id[SP_PORTRAIT_BYTES], const void *image, size_t length,
                             const struct sp_manifest_keys *keys);

/* Of a new row whose identity's id is another row's already (that one had this identity once): another id. nth: 1... */
void sp_manifest_row_id_again(uint8_t ret_id[SP_ROW_BYTES], const struct sp_row *row, int nth,
                              const struct sp_manifest_keys *keys);
/* Of what a message says. */
void sp_manifest_receipt_id(uint8_t ret_id[16], const void *bytes, size_t length, const struct sp_manifest_keys *keys);

/* What stands now; *ret_version 0: never published. */
enum sp_status sp_manifest_current(struct sp_store *durable, const char *manifest, uint64_t *ret_version,
                                   enum sp_manifest_state *ret_state, struct sp_err *err);

/* What stands now, with its index; version 0 or PURGED: *ret_index is not written. A version that others replaced, and whose index
 * they dropped, between the two reads is read again. ret_rows may be NULL. */
enum sp_status sp_manifest_load_current(struct sp_manifest_index **ret_index, struct sp_row **ret_rows,
                                        uint64_t *ret_version, enum sp_manifest_state *ret_state,
                                        struct sp_store *durable, const char *manifest,
                                        const struct sp_manifest_keys *keys, struct sp_err *err);

/* Pipelined pieces: append one sealed row or portrait; the caller collects one reply for each. */
enum sp_status sp_manifest_append_row(struct sp_store *durable, const char *manifest,
                                      const uint8_t row[SP_ROW_BYTES], const uint8_t content[SP_ROW_BYTES],
                                      const void *bytes, size_t length, const struct sp_manifest_keys *keys,
                                      struct sp_err *err);
enum sp_status sp_manifest_append_portrait(struct sp_store *durable, const char *manifest,
                                           const uint8_t portrait[SP_PORTRAIT_BYTES], const void *bytes,
                                           size_t length, const struct sp_manifest_keys *keys, struct sp_err *err);
/* Load one row as ops. Clear it. */
enum sp_status sp_manifest_load_row(struct sp_row *ret_row, struct sp_store *durable, const char *manifest,
                                    const struct sp_index_row *index_row, const struct sp_manifest_keys *keys,
                                    struct sp_err *err);

/* All rows of a version, as its index has them (pipelined). sp_manifest_free_rows wipes; NULL is fine. */
enum sp_status sp_manifest_load_rows(struct sp_row **ret_rows, struct sp_store *durable,
                                     const struct sp_manifest_index *index, const struct sp_manifest_keys *keys,
                                     struct sp_err *err);
void sp_manifest_free_rows(struct sp_row **rows, int count);

/* What became of a portrait that was enrolled once under a pack: what a dead desk resumes from, and what a row that comes
 * back finds. */
struct sp_enrol_note {
    int reason, quality;
};
enum sp_status sp_manifest_note_put(struct sp_store *durable, const char *manifest, const uint8_t pack[16],
                                        const uint8_t template_id[16], const struct sp_enrol_note *note,
                                        const struct sp_manifest_keys *keys, struct sp_err *err);
/* Name of the hash of a pack's notes; ret_key holds at least 192 bytes. */
void sp_manifest_note_key(char *ret_key, const char *manifest, const uint8_t pack[16]);
/* ret_found[i]: whether there is one for ids[i]. One round trip. */
enum sp_status sp_manifest_note_get(struct sp_enrol_note *ret_notes, uint8_t *ret_found,
                                        struct sp_store *durable, const char *manifest, const uint8_t pack[16],
                                        const uint8_t (*ids)[16], int count, const struct sp_manifest_keys *keys,
                                        struct sp_err *err);

/* The fenced compare-and-set: index->version must be expected_version + 1. SP_E_CONFLICT says what stands. */
enum sp_status sp_manifest_flip(struct sp_store *durable, const struct sp_manifest_index *index,
                                uint64_t expected_version, enum sp_manifest_state expected_state,
                                const struct sp_manifest_keys *keys, struct sp_err *err);

/* Fields of one hash that go with a flip (`sallyport manifest tidy`). */
struct sp_manifest_garbage {
    char key[192];
    int count;
    struct sp_argument *fields; /* owned by the caller */
};
#define SP_MANIFEST_GARBAGE_MAX (2 + SP_INDEX_MAX_PACKS)
enum sp_status sp_manifest_flip_tidy(struct sp_store *durable, const struct sp_manifest_index *index,
                                     uint64_t expected_version, enum sp_manifest_state expected_state,
                                     const struct sp_manifest_garbage *garbage, int garbage_count,
                                     const struct sp_manifest_keys *keys, struct sp_err *err);

/* Into the list of manifests: before anything of it is written, so that nothing lies where no command can find it. */
enum sp_status sp_manifest_remember(struct sp_store *durable, const char *manifest, struct sp_err *err);
/* All ids ever begun and not purged, sorted; *ret_ids is one allocation, the caller frees it. */
enum sp_status sp_manifest_list(char (**ret_ids)[SP_MANIFEST_ID_MAX], int *ret_count, struct sp_store *durable,
                                struct sp_err *err);
/* [a-z0-9.-], as sp_roster_parse makes them. */
bool sp_manifest_id_ok(const char *text);
/* Of a standing gallery: <mode>-<scope>-standing-<port>. */
bool sp_manifest_id_standing(const char *id);

#endif
