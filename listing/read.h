/* The one entry for what carriers send: finds the format by content, reads it, and checks what all formats have in
 * common. A file may hold several messages; each is a listing. */
#ifndef SALLYPORT_LISTING_READ_H
#define SALLYPORT_LISTING_READ_H

#include "listing/journey.h"

/* Zero-initialised: lenient, by content, no defaults, the present. */
struct sp_listing_read_options {
    bool strict;        /* the first deviation is an error that names its place */
    int64_t now_ms;     /* wall clock: two-digit birth years never land behind it; 0: the present */
    const char *format; /* a word of SP_LISTING_FORMAT_LIST; NULL or "auto": by content, never by the file's name */
    struct sp_journey_defaults defaults; /* for files that do not say the whole journey */
};

/* SP_E_FORMAT, SP_E_LIMIT with file and line, segment or offset; SP_E_INVALID: no such format. The list and its
 * listings are the caller's, see sp_listing_free_all; at least one. name: of the file, for messages (its last part
 * is used). */
enum sp_status sp_listing_read_bytes(struct sp_listing ***ret_listings, int *ret_count, const char *name,
                                     const void *bytes, size_t length,
                                     const struct sp_listing_read_options *options, struct sp_err *err);
/* A regular file. Blocking. */
enum sp_status sp_listing_read_file(struct sp_listing ***ret_listings, int *ret_count, const char *path,
                                    const struct sp_listing_read_options *options, struct sp_err *err);
void sp_listing_free_all(struct sp_listing ***listings, int count); /* wipes; NULL is fine */

/* Add a listing to a list that begins as NULL, 0; on failure the listing is freed. */
enum sp_status sp_listing_append(struct sp_listing ***listings, int *count, struct sp_listing *listing,
                                 struct sp_err *err);

#endif
