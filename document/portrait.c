#include "document/portrait.h"

#include <stdlib.h>
#include <string.h>

enum sp_status sp_portrait_parse(struct sp_portrait *ret_portrait, const char *name, const void *bytes,
                                 size_t length, struct sp_err *err)
{
    struct sp_portrait portrait = {.is_dg2 = sp_dg2_looks_like(bytes, length)};
    enum sp_image_kind kind = sp_image_sniff(bytes, length);
    enum sp_status status = SP_OK;
    if (portrait.is_dg2) {
        status = sp_dg2_parse(&portrait.faces, name, bytes, length, err);
    } else if (kind == SP_IMAGE_NONE) {
        status = sp_fail(err, SP_E_UNSUPPORTED, "%s: %zu bytes that are neither DG2, JPEG, PNG nor JPEG 2000", name,
                         length);
    } else if (!(portrait.faces = calloc(1, sizeof *portrait.faces))) {
        status = sp_fail(err, SP_E_NOMEM, "%s: no memory", name);
    } else {
        struct sp_dg2_image *image = NULL;
        status = sp_dg2_add(portrait.faces, name, 0, &image, err);
        if (status == SP_OK) {
            image->bytes = bytes;
            image->length = length;
            image->kind = kind;
        }
    }
    if (status == SP_OK)
        *ret_portrait = portrait;
    else
        sp_portrait_clear(&portrait);
    return status;
}

void sp_portrait_clear(struct sp_portrait *portrait)
{
    sp_dg2_free(&portrait->faces);
    memset(portrait, 0, sizeof *portrait);
}
