/* Whole files, bounded, and private ones. */
#ifndef SALLYPORT_COMMON_FILE_H
#define SALLYPORT_COMMON_FILE_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

/* Read a regular file of at most max_bytes into a new buffer (NUL-terminated past its length); caller frees.
 * SP_E_NOTFOUND, SP_E_LIMIT or SP_E_IO with the path. Blocking. */
enum sp_status sp_file_read(uint8_t **ret_bytes, size_t *ret_length, const char *path, size_t max_bytes,
                            struct sp_err *err);
/* Write by temporary file, fsync and rename in the same directory, so that a reader sees the old or the new content;
 * mode as for open(2). What is there and is no regular file (a device, a pipe, a symbolic link) is left alone: SP_E_INVALID.
 * Blocking. */
enum sp_status sp_file_write(const char *path, const void *bytes, size_t length, unsigned mode, struct sp_err *err);

#endif
