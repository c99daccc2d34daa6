/* DG2: the face images in a passport's chip (ICAO Doc 9303-10, tag 75), in either encoding: ISO/IEC 19794-5 records
 * or ISO/IEC 39794-5 blocks. Everything in it was written by somebody else's software, and much of it lies: lengths
 * are checked against what is there, image types against their magic. What can be read safely in spite of a lie is
 * read, and the lie is a remark; what cannot is an error with tag and offset. */
#ifndef SALLYPORT_DOCUMENT_DG2_H
#define SALLYPORT_DOCUMENT_DG2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "document/remark.h"
#include "image/image.h"

#define SP_DG2_MAX_INSTANCES 9
#define SP_DG2_MAX_IMAGES    16 /* of all instances */

enum sp_dg2_encoding { SP_DG2_PICTURE, SP_DG2_19794, SP_DG2_39794 };

struct sp_dg2_image {
    const uint8_t *bytes; /* the picture file, a view into the DG2's bytes */
    size_t length, offset;
    enum sp_image_kind kind;     /* by its magic; never SP_IMAGE_NONE */
    enum sp_image_kind declared; /* by the record: JPEG, JP2 for any JPEG 2000, NONE: unsaid or unknown */
    int width, height;           /* px, as the record says; 0: it does not say */
    int quality;                 /* 0..100 as the record says; -1: it does not say */
    int instance;                /* 1...: the 7F60 that holds it; 0: no DG2 */
    enum sp_dg2_encoding encoding;
    char version[12];         /* "010", "030"; "3/2019" (generation/year) of 39794 */
    int face_type;            /* 0 basic, 1 full frontal, 2 token frontal; -1: it does not say */
    int colour_space, source; /* codes of the record; -1: it does not say */
    char captured[24];        /* "yyyy-mm-dd" or "yyyy-mm-ddThh:mm:ss"; "": it does not say */
};

struct sp_dg2 {
    int instances, declared_instances; /* 7F60 elements, and what 02 says of them; -1: no number, or no 02 */
    int image_count;
    struct sp_dg2_image images[SP_DG2_MAX_IMAGES];
    struct sp_remarks remarks;
};

/* Parse; name is for errors. The images are views: bytes must outlive the result. SP_E_FORMAT, SP_E_LIMIT (over 9
 * instances or 16 images) or SP_E_UNSUPPORTED (an image of unknown kind) with tag and offset. Caller frees with
 * sp_dg2_free. */
enum sp_status sp_dg2_parse(struct sp_dg2 **ret_dg2, const char *name, const void *bytes, size_t length,
                            struct sp_err *err);
void sp_dg2_free(struct sp_dg2 **dg2); /* NULL is fine */
/* Do these bytes begin as a DG2 does: tag 75, a length, tag 7F61? */
bool sp_dg2_looks_like(const void *bytes, size_t length);

/* "19794-5", "39794-5" or "picture"; static storage. */
const char *sp_dg2_encoding_word(enum sp_dg2_encoding encoding);

/* For the encodings' parsers. A fresh image of the DG2; SP_E_LIMIT if it is one too many. */
enum sp_status sp_dg2_add(struct sp_dg2 *dg2, const char *name, size_t offset, struct sp_dg2_image **ret_image,
                          struct sp_err *err);
/* When it was captured: year, month, day, hour, minute, second; -1: not said. A date that is none is left out. */
void sp_dg2_set_captured(struct sp_dg2_image *image, const int parts[6]);
/* Remark on what the record says of an image that its bytes deny; to be called when all its fields are set. */
void sp_dg2_compare(struct sp_dg2 *dg2, const struct sp_dg2_image *image);

#endif
