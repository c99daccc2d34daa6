/* A portrait file as desks get them: the face images in a DG2, or one JPEG, PNG or JPEG 2000 picture. By content,
 * never by name. */
#ifndef SALLYPORT_DOCUMENT_PORTRAIT_H
#define SALLYPORT_DOCUMENT_PORTRAIT_H

#include "document/dg2.h"

struct sp_portrait {
    bool is_dg2;
    /* At least one image. Of a picture, one: itself (encoding SP_DG2_PICTURE). */
    struct sp_dg2 *faces; /* owned */
};

/* Views into bytes, which must outlive the result; name is for errors. SP_E_UNSUPPORTED: it is none of these.
 * Images are not decoded here. Caller frees with sp_portrait_clear. */
enum sp_status sp_portrait_parse(struct sp_portrait *ret_portrait, const char *name, const void *bytes,
                                 size_t length, struct sp_err *err);
void sp_portrait_clear(struct sp_portrait *portrait); /* a zeroed one is fine */

#endif
