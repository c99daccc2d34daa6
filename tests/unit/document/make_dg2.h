/* DG2 files for tests, in both encodings, as a chip's writer would make them. */
#ifndef SALLYPORT_TESTS_DOCUMENT_MAKE_DG2_H
#define SALLYPORT_TESTS_DOCUMENT_MAKE_DG2_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes; /* owned: free() */
    size_t length;
};

/* One face image as a record declares it. */
struct face {
    const uint8_t *bytes;
    size_t length;
    int data_type; /* 19794-5: 0 JPEG, 1 JPEG 2000; 39794-5: 2 JPEG, 3 and 4 JPEG 2000 */
    int width, height, quality;
    int points; /* feature points */
};

/* Append. */
void put_bytes(struct buffer *buffer, const void *bytes, size_t length);
void put_number(struct buffer *buffer, uint32_t value, int width);
/* Tag, length (3 bytes: 82 xx xx, 4: 83 if it must) and a copy of the value, which is freed. */
void put_tlv(struct buffer *buffer, uint32_t tag, struct buffer *value);

/* "FAC" record of version 10 or 30. */
struct buffer make_fac(int version, const struct face *faces, int count);
/* ISO/IEC 39794-5, from A1 on. */
struct buffer make_39794(const struct face *faces, int count);
/* A whole DG2 with one instance a record; the records are freed. tag 0x5f2e or 0x7f2e. */
struct buffer make_dg2(uint32_t tag, struct buffer *records, int count);

#endif
