#include "image/jpeg_write.h"

#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum sp_status sp_jpeg_write(uint8_t **ret_bytes, size_t *ret_length, const struct sp_image *image, int quality,
                             struct sp_err *err)
{
    unsigned char *jpeg = NULL;
    unsigned long length = 0;
    uint8_t *copy = NULL;
    enum sp_status status = SP_OK;
    tjhandle handle = tjInitCompress();
    if (!handle)
        return sp_fail(err, SP_E_NOMEM, "a JPEG of %d x %d px: no compressor", image->width, image->height);
    if (tjCompress2(handle, image->pixels, image->width, image->stride, image->height, TJPF_RGB, &jpeg, &length,
                    TJSAMP_444, quality, 0) != 0)
        status = sp_fail(err, SP_E_INTERNAL, "a JPEG of %d x %d px: %s", image->width, image->height,
                         tjGetErrorStr2(handle));
    /* A copy, because what the library allocated wants the library's own free. */
    else if (!(copy = malloc(length)))
        status = sp_fail(err, SP_E_NOMEM, "a JPEG of %lu bytes: no memory", length);
    if (status == SP_OK) {
        memcpy(copy, jpeg, length);
        *ret_bytes = copy;
        *ret_length = length;
    }
    tjFree(jpeg);
    tjDestroy(handle);
    return status;
}
