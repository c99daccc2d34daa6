/* Portrait files of a desk: found under one directory, and never outside it. Names from a manifest are hostile: a
 * path is walked part by part from the directory's descriptor, symbolic links are not followed, "..", "." and
 * absolute paths are refused. Blocking file reads. */
#ifndef SALLYPORT_ROSTER_PORTRAITS_H
#define SALLYPORT_ROSTER_PORTRAITS_H

#include "roster/row.h"

#define SP_PORTRAIT_MAX_BYTES ((8u << 20) - 4096) /* what a broker's payload limit leaves room for */
#define SP_PORTRAIT_PATH_MAX  512

struct sp_portraits;

/* Open the directory and list the names in it. */
enum sp_status sp_portraits_open(struct sp_portraits **ret_portraits, const char *directory, struct sp_err *err);
void sp_portraits_free(struct sp_portraits **portraits);

/* References of all travellers of a manifest; sp_portraits_sort before use. */
struct sp_portrait_references {
    const char **references;
    int count;
};
void sp_portraits_sort(struct sp_portrait_references *references);

/* The portrait files of a row, as paths under the directory, in the order _1, _2 ...: photo_uri if the row has one
 * (several: with ';' between), else <traveller_ref>[_N].EXT, else <issuer>-<type>-<number>[_N].EXT, where EXT is
 * jpg, jpeg, png, jp2, j2k, dg2 or bin (a DG2). A name that is the whole reference of another traveller (all; NULL: none is
 * known) is that one's. *ret_count 0: none was found. ret_more: how many were left out
 * because a row has at most SP_ROW_MAX_PORTRAITS. */
void sp_portraits_find(const struct sp_portraits *portraits, const struct sp_row *row,
                       const struct sp_portrait_references *all, char (*ret_paths)[SP_PORTRAIT_PATH_MAX], int *ret_count, int *ret_more);
/* Read one file under the directory; caller frees. SP_E_DENIED: the path leaves the directory or is a link;
 * SP_E_NOTFOUND; SP_E_LIMIT: empty or over SP_PORTRAIT_MAX_BYTES; SP_E_IO: not a regular file. */
enum sp_status sp_portraits_read(const struct sp_portraits *portraits, const char *path, uint8_t **ret_bytes,
                                 size_t *ret_length, struct sp_err *err);

struct sp_portrait_picture {
    uint8_t *bytes; /* owned: wipe and free */
    size_t length;
};
/* Read one file as sp_portraits_read does and take the pictures out of it: of a DG2 (by its content, whatever its
 * name) the face images in it, of any other file itself, whatever it is: workers judge pictures. At most max of
 * them; *ret_more says how many more there are. SP_E_FORMAT, SP_E_UNSUPPORTED or SP_E_LIMIT: a DG2 that cannot be
 * read safely. */
enum sp_status sp_portraits_load(const struct sp_portraits *portraits, const char *path, int max,
                                 struct sp_portrait_picture *ret_pictures, int *ret_count, int *ret_more,
                                 struct sp_err *err);

#endif
