/* Image files and directories as cameras. What the bytes mean is the worker's matter: here a file is only found,
 * bounded and read. */
#ifndef SALLYPORT_CAPTURE_SOURCE_H
#define SALLYPORT_CAPTURE_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_SOURCE_IMAGES_MAX 200000 /* of all operands together */

/* One operand: a file is a camera with one image, a directory one with its *.jpg, *.jpeg, *.png, *.jp2 and *.j2k
 * files in name order (not those of folders below it, and no hidden ones). */
struct sp_source_camera {
    char *name;   /* as given */
    char **paths; /* count of them, owned */
    size_t count; /* at least 1 */
};

struct sp_source {
    struct sp_source_camera *cameras;
    size_t count;
    size_t image_count; /* of all cameras */
};

/* List the operands; at most `limit` images of each (0: all). SP_E_NOTFOUND for an operand that is not there or a
 * directory without images, SP_E_LIMIT over SP_SOURCE_IMAGES_MAX. Blocking. */
enum sp_status sp_source_new(struct sp_source **ret_source, char *const *operands, size_t count, size_t limit,
                             struct sp_err *err);
void sp_source_free(struct sp_source **source);

#endif
