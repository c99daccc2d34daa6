#include "tests/unit/document/make_dg2.h"

#include <stdlib.h>
#include <string.h>

void put_bytes(struct buffer *buffer, const void *bytes, size_t length)
{
    buffer->bytes = realloc(buffer->bytes, buffer->length + length + 1);
    if (!buffer->bytes)
        abort();
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

void put_number(struct buffer *buffer, uint32_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        put_bytes(buffer, &byte, 1);
    }
}

void put_tlv(struct buffer *buffer, uint32_t tag, struct buffer *value)
{
    put_number(buffer, tag, tag > 0xff ? 2 : 1);
    if (value->length < 0x80) {
        put_number(buffer, (uint32_t)value->length, 1);
    } else {
        int width = value->length > 0xffff ? 3 : 2;
        put_number(buffer, 0x80u + (uint32_t)width, 1);
        put_number(buffer, (uint32_t)value->length, width);
    }
    put_bytes(buffer, value->length ? (const void *)value->bytes : "", value->length);
    free(value->bytes);
    *value = (struct buffer){0};
}

static void put_tlv_number(struct buffer *buffer, uint32_t tag, uint32_t value, int width)
{
    struct buffer number = {0};
    put_number(&number, value, width);
    put_tlv(buffer, tag, &number);
}

static void put_fac_image(struct buffer *record, int version, const struct face *face)
{
    struct buffer block = {0};
    if (version == 30) {
        static const uint8_t captured[9] = {2026 >> 8, 2026 & 0xff, 3, 14, 9, 26, 53, 0, 0};
        put_bytes(&block, captured, sizeof captured);
        put_number(&block, 6, 1); /* device technology */
        put_number(&block, 0, 4); /* vendor, type */
        put_number(&block, 1, 1); /* quality records */
        put_number(&block, (uint32_t)face->quality, 1);
        put_number(&block, 0x00010002, 4);
    }
    put_number(&block, (uint32_t)face->points, 2);
    put_number(&block, 0, version == 30 ? 4 : 3); /* gender, eyes, hair, height */
    put_number(&block, 0, 3);                     /* properties */
    put_number(&block, 0, 2);                     /* expression */
    put_number(&block, 0, 3);                     /* pose */
    put_number(&block, 0, 3);
    for (int i = 0; i < face->points; i++) {
        put_number(&block, 0x01210000, 4);
        put_number(&block, 100, 4);
    }
    put_number(&block, 1, 1); /* full frontal */
    put_number(&block, (uint32_t)face->data_type, 1);
    put_number(&block, (uint32_t)face->width, 2);
    put_number(&block, (uint32_t)face->height, 2);
    if (version == 30) {
        put_number(&block, 0, 4); /* sampling, processing, cross reference */
        put_number(&block, 1, 1); /* RGB */
        put_number(&block, (uint32_t)face->length, 4);
    } else {
        put_number(&block, 1, 1); /* RGB */
        put_number(&block, 2, 1); /* camera */
        put_number(&block, 0, 2);
        put_number(&block, (uint32_t)face->quality, 2);
    }
    put_bytes(&block, face->bytes, face->length);
    put_number(record, (uint32_t)block.length + 4, 4);
    put_bytes(record, block.bytes, block.length);
    free(block.bytes);
}

struct buffer make_fac(int version, const struct face *faces, int count)
{
    struct buffer images = {0}, record = {0};
    for (int i = 0; i < count; i++)
        put_fac_image(&images, version, &faces[i]);
    put_bytes(&record, "FAC", 4);
    put_bytes(&record, version == 30 ? "030" : "010", 4);
    put_number(&record, (uint32_t)(images.length + (version == 30 ? 17 : 14)), 4);
    put_number(&record, (uint32_t)count, 2);
    if (version == 30)
        put_number(&record, 0, 3); /* no certification, no temporal meaning */
    put_bytes(&record, images.bytes, images.length);
    free(images.bytes);
    return record;
}

static void put_39794_image(struct buffer *blocks, int number, const struct face *face)
{
    struct buffer block = {0}, choice = {0}, base = {0}, flat = {0}, info = {0}, inner = {0}, data = {0};
    put_tlv_number(&block, 0x80, (uint32_t)number, 1);
    put_bytes(&data, face->bytes, face->length);
    put_tlv(&flat, 0x80, &data);
    put_tlv_number(&inner, 0x80, (uint32_t)face->data_type, 1);
    put_tlv(&info, 0xa0, &inner);
    put_tlv_number(&inner, 0x80, (uint32_t)face->width, 2);
    put_tlv_number(&inner, 0x81, (uint32_t)face->height, 2);
    put_tlv(&info, 0xa7, &inner);
    put_tlv(&flat, 0xa1, &info);
    put_tlv(&base, 0xa0, &flat);
    put_tlv(&choice, 0xa0, &base);
    put_tlv(&block, 0xa1, &choice);
    put_tlv_number(&inner, 0x80, 2026, 2); /* captured */
    put_tlv_number(&inner, 0x81, 3, 1);
    put_tlv_number(&inner, 0x82, 14, 1);
    put_tlv(&block, 0xa2, &inner);
    struct buffer quality = {0}, one = {0}, algorithm = {0};
    put_tlv_number(&algorithm, 0x80, 257, 2);
    put_tlv_number(&algorithm, 0x81, 1, 1);
    put_tlv(&one, 0xa0, &algorithm);
    put_tlv_number(&inner, 0x80, (uint32_t)face->quality, 1);
    put_tlv(&one, 0xa1, &inner);
    put_tlv(&quality, 0x30, &one);
    put_tlv(&block, 0xa3, &quality);
    put_tlv(blocks, 0x30, &block);
}

struct buffer make_39794(const struct face *faces, int count)
{
    struct buffer wrapped = {0}, block = {0}, version = {0}, representations = {0}, application = {0};
    put_tlv_number(&version, 0x80, 3, 1);
    put_tlv_number(&version, 0x81, 2019, 2);
    put_tlv(&block, 0xa0, &version);
    for (int i = 0; i < count; i++)
        put_39794_image(&representations, i, &faces[i]);
    put_tlv(&block, 0xa1, &representations);
    put_tlv(&application, 0x65, &block);
    put_tlv(&wrapped, 0xa1, &application);
    return wrapped;
}

struct buffer make_dg2(uint32_t tag, struct buffer *records, int count)
{
    static const uint8_t header[] = {0x80, 2, 1, 1, 0x81, 1, 2, 0x82, 1, 0, 0x87, 2, 1, 1, 0x88, 2, 0, 8};
    struct buffer group = {0}, root = {0}, file = {0};
    put_tlv_number(&group, 0x02, (uint32_t)count, 1);
    for (int i = 0; i < count; i++) {
        struct buffer instance = {0}, head = {0};
        put_bytes(&head, header, sizeof header);
        put_tlv(&instance, 0xa1, &head);
        put_tlv(&instance, tag, &records[i]);
        put_tlv(&group, 0x7f60, &instance);
    }
    put_tlv(&root, 0x7f61, &group);
    put_tlv(&file, 0x75, &root);
    return file;
}
