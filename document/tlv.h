/* A walk through BER-TLV (ISO/IEC 7816-4, and DER as its strict form), bounded by what is really there. Views only:
 * nothing is copied or allocated. Offsets count from the file's begin, so that every error can be looked up in a
 * hex dump. */
#ifndef SALLYPORT_DOCUMENT_TLV_H
#define SALLYPORT_DOCUMENT_TLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

struct sp_tlv {
    uint32_t tag;  /* all its bytes, as they are printed: 0x75, 0x7f61 */
    size_t offset; /* of the tag */
    size_t value;  /* offset of the value */
    size_t length; /* of the value, inside what holds it */
};

struct sp_tlv_reader {
    const char *name;     /* of the file, for errors; borrowed */
    const uint8_t *bytes; /* the whole file; borrowed */
    size_t at, end;
};

struct sp_tlv_reader sp_tlv_open(const char *name, const void *bytes, size_t length);
/* The elements inside a constructed one. */
struct sp_tlv_reader sp_tlv_inside(const struct sp_tlv_reader *reader, const struct sp_tlv *tlv);

/* Is there another element? Skips padding (bytes 00). */
bool sp_tlv_more(struct sp_tlv_reader *reader);
/* The next element. SP_E_FORMAT, naming tag and offset: it is not whole, its length is longer than what holds it,
 * of indefinite form or over 4 bytes, or its tag is over 3 bytes. */
enum sp_status sp_tlv_next(struct sp_tlv_reader *reader, struct sp_tlv *ret_tlv, struct sp_err *err);
/* The first element of this tag from where the reader stands; the reader stays there. SP_E_NOTFOUND if there is
 * none, SP_E_FORMAT if the walk to it fails. */
enum sp_status sp_tlv_find(const struct sp_tlv_reader *reader, uint32_t tag, struct sp_tlv *ret_tlv,
                           struct sp_err *err);
/* The value as a number of 1 to 4 bytes, big-endian; -1 if it is not one or is negative. */
int64_t sp_tlv_number(const struct sp_tlv_reader *reader, const struct sp_tlv *tlv);

#endif
