/* What a manifest loses: at its close, when it is purged, and garbage in between (docs/manifests.md 4.3). ops only; all block up to
 * the stores' time-outs. */
#ifndef SALLYPORT_ROSTER_MANIFEST_PURGE_H
#define SALLYPORT_ROSTER_MANIFEST_PURGE_H

#include "roster/manifest_store.h"

/* Delete portraits and templates of a closed manifest; its version CLOSED must stand. Doing it twice changes nothing. */
enum sp_status sp_manifest_expunge(struct sp_store *durable, struct sp_store *galleries,
                                   const struct sp_manifest_index *index, struct sp_err *err);
/* Delete the templates and notes of one pack. */
enum sp_status sp_manifest_expunge_pack(struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                                        const uint8_t pack[16], struct sp_err *err);
/* Delete the indexes before the last three, as far as a publish leaves them behind. Failing does no harm. */
void sp_manifest_drop_indexes(struct sp_store *durable, const char *manifest, uint64_t version);

/* CLOSED to PURGED: nothing stays but `current`, for 400 days. Of one whose first publish did not end nothing stays at all
 * (*ret_version 0). Run again, it goes on where a dead desk stopped. SP_E_INVALID: it is not closed; SP_E_NOTFOUND. */
enum sp_status sp_manifest_purge(uint64_t *ret_version, struct sp_store *durable, struct sp_store *galleries,
                                 const char *manifest, const struct sp_key_file *ops, struct sp_err *err);

struct sp_manifest_tidied {
    uint64_t version; /* that stands now */
    int rows, portraits, notes, templates, expired; /* removed */
};
/* Remove what the current version does not name, rows whose validity is over, and what a close or purge left. Makes a version if
 * there was any of it in the durable Redis. SP_E_CONFLICT: somebody publishes. */
enum sp_status sp_manifest_tidy(struct sp_manifest_tidied *ret_tidied, struct sp_store *durable,
                                struct sp_store *galleries, const char *manifest, const struct sp_key_file *ops,
                                int64_t now_ms, struct sp_err *err);

#endif
