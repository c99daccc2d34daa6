#include "document/iso19794.h"

#include <stdio.h>
#include <string.h>

/* How far behind where a block's fields say its image begins (or before it) an image is looked for. */
#define SEARCH_BYTES 4096

/* One face record: its bytes end at `end`, whatever its own length field says. */
struct record {
    const struct sp_tlv_reader *reader;
    size_t begin, end;
    bool version_030;
    bool certified; /* 030: blocks have certification records */
};

/* One image block, as far as it is read: offsets from the file's begin. */
struct block {
    size_t at;      /* of its length field */
    size_t info;    /* of the image information, 12 bytes (010) or 11 and the data length, 4 (030) */
    size_t data;    /* of the image */
    bool displaced; /* the image was found by its magic, not where the fields say */
};

static uint32_t get_16(const struct record *record, size_t at)
{
    const uint8_t *p = record->reader->bytes + at;
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get_32(const struct record *record, size_t at)
{
    return get_16(record, at) << 16 | get_16(record, at + 2);
}

static enum sp_image_kind kind_at(const struct record *record, size_t at)
{
    return at < record->end ? sp_image_sniff(record->reader->bytes + at, record->end - at) : SP_IMAGE_NONE;
}

bool sp_iso19794_looks_like(const struct sp_tlv_reader *reader, const struct sp_tlv *tlv)
{
    return tlv->length >= 4 && memcmp(reader->bytes + tlv->value, "FAC", 4) == 0;
}

/* Bytes of image information before the image. */
static size_t info_length(const struct record *record)
{
    return record->version_030 ? 11 + 4 : 12;
}

/* Where the fields of the block at `at` say its image begins; 0 if they lead out of the record. */
static size_t data_by_fields(const struct record *record, size_t at)
{
    size_t end = record->end, points = at + 4; /* of the number of feature points */
    if (record->version_030) {
        /* Length 4, capture date 9, device 5, number of quality records 1, each 5; certifications: number 1,
         * each 3. */
        if (end - at < 19)
            return 0;
        points = at + 19 + 5 * (size_t)record->reader->bytes[at + 18];
        if (record->certified) {
            if (points >= end)
                return 0;
            points += 1 + 3 * (size_t)record->reader->bytes[points];
        }
    }
    if (points >= end || end - points < 2)
        return 0;
    size_t data =
        points + (record->version_030 ? 17 : 16) + 8 * (size_t)get_16(record, points) + info_length(record);
    return data < end ? data : 0;
}

/* Find the image of the block at `at`: where its fields say, else by its magic near its head. False: none. */
static bool locate(const struct record *record, size_t at, struct block *ret_block)
{
    size_t least = (record->version_030 ? 19 + 17 : 20) + info_length(record);
    if (record->end - at <= least)
        return false;
    size_t data = data_by_fields(record, at);
    bool displaced = data == 0 || kind_at(record, data) == SP_IMAGE_NONE;
    if (displaced) {
        size_t end = record->end - at > SEARCH_BYTES ? at + SEARCH_BYTES : record->end;
        for (data = at + least; data < end && kind_at(record, data) == SP_IMAGE_NONE; data++)
            ;
        if (data >= end)
            return false;
    }
    *ret_block = (struct block){.at = at, .info = data - info_length(record), .data = data, .displaced = displaced};
    return true;
}

/* Where the block ends: by its length if that leads to the record's end or to another block, else at the record's
 * end, if no other image is due. */
static enum sp_status find_end(struct sp_dg2 *dg2, const struct record *record, const struct block *block,
                               bool more_due, size_t *ret_end, struct sp_err *err)
{
    size_t length = get_32(record, block->at), rest = record->end - block->at;
    struct block next;
    *ret_end = record->end;
    if (length == rest)
        return SP_OK;
    /* It must at least leave the image its magic. */
    if (length < rest && block->at + length > block->data &&
        sp_image_sniff(record->reader->bytes + block->data, block->at + length - block->data) != SP_IMAGE_NONE &&
        locate(record, block->at + length, &next) && !next.displaced) {
        *ret_end = block->at + length;
        return SP_OK;
    }
    if (more_due)
        return sp_fail(err, SP_E_FORMAT,
                       "%s: the image block at offset %zu says %zu bytes, and no other image begins there",
                       record->reader->name, block->at, length);
    sp_remarks_add(&dg2->remarks, block->at, "the image block says %zu bytes, there are %zu", length, rest);
    return SP_OK;
}

/* The fields of an image that the record declares. */
static void read_fields(struct sp_dg2_image *image, const struct record *record, const struct block *block)
{
    const uint8_t *bytes = record->reader->bytes, *info = bytes + block->info;
    image->face_type = info[0];
    image->declared = info[1] == 0 ? SP_IMAGE_JPEG : info[1] == 1 ? SP_IMAGE_JP2 : SP_IMAGE_NONE;
    image->width = (int)get_16(record, block->info + 2);
    image->height = (int)get_16(record, block->info + 4);
    snprintf(image->version, sizeof image->version, "%s", record->version_030 ? "030" : "010");
    if (!record->version_030) {
        int quality = (int)get_16(record, block->info + 10);
        image->colour_space = info[6];
        image->source = info[7];
        image->quality = quality >= 1 && quality <= 100 ? quality : -1; /* 0: not said */
        return;
    }
    size_t at = block->at;
    const int captured[6] = {
        (int)get_16(record, at + 4), bytes[at + 6], bytes[at + 7], bytes[at + 8], bytes[at + 9], bytes[at + 10]};
    image->colour_space = info[10];
    image->source = bytes[at + 13];
    if (bytes[at + 18] > 0 && bytes[at + 19] <= 100)
        image->quality = bytes[at + 19];
    sp_dg2_set_captured(image, captured);
}

/* Do these bytes of an image end as its kind does? The rest of a block is a 3D model only then. */
static bool ends_whole(enum sp_image_kind kind, const uint8_t *bytes, size_t length)
{
    static const uint8_t end_of_codestream[] = {0xff, 0xd9}, /* JPEG's EOI and JPEG 2000's EOC */
        end_of_png[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
    const uint8_t *end = kind == SP_IMAGE_PNG ? end_of_png : end_of_codestream;
    size_t size = kind == SP_IMAGE_PNG ? sizeof end_of_png : sizeof end_of_codestream;
    return sp_image_sniff(bytes, length) == kind && length >= size && memcmp(bytes + length - size, end, size) == 0;
}

static enum sp_status read_block(struct sp_dg2 *dg2, int instance, const struct record *record,
                                 const struct block *block, size_t end, struct sp_err *err)
{
    struct sp_dg2_image *image;
    enum sp_status status = sp_dg2_add(dg2, record->reader->name, block->at, &image, err);
    if (status != SP_OK)
        return status;
    image->bytes = record->reader->bytes + block->data;
    image->offset = block->data;
    image->length = end - block->data;
    image->kind = kind_at(record, block->data);
    image->instance = instance;
    image->encoding = SP_DG2_19794;
    read_fields(image, record, block);
    if (block->displaced)
        sp_remarks_add(&dg2->remarks, block->at, "the block's fields do not lead to its image, at offset %zu",
                       block->data);
    else if (record->version_030) {
        size_t length = get_32(record, block->data - 4);
        if (length < image->length && ends_whole(image->kind, image->bytes, length))
            image->length = length;
        else if (length != image->length)
            sp_remarks_add(&dg2->remarks, block->data - 4, "the image is said to have %zu bytes, there are %zu",
                           length, image->length);
    }
    sp_dg2_compare(dg2, image);
    return SP_OK;
}

enum sp_status sp_iso19794_parse(struct sp_dg2 *dg2, int instance, const struct sp_tlv_reader *reader,
                                 const struct sp_tlv *tlv, struct sp_err *err)
{
    struct record record = {.reader = reader, .begin = tlv->value, .end = tlv->value + tlv->length};
    size_t head = 14, at;
    int found = 0;
    enum sp_status status = SP_OK;
    if (tlv->length < 17)
        return sp_fail(err, SP_E_FORMAT, "%s: tag %X at offset %zu: a face record of %zu bytes", reader->name,
                       tlv->tag, tlv->offset, tlv->length);
    const uint8_t *bytes = reader->bytes + record.begin;
    record.version_030 = memcmp(bytes + 4, "030", 4) == 0;
    if (!record.version_030 && memcmp(bytes + 4, "010", 4) != 0)
        return sp_fail(err, SP_E_UNSUPPORTED,
                       "%s: tag %X at offset %zu: a face record of neither version 010 nor 030", reader->name,
                       tlv->tag, tlv->offset);
    if (record.version_030) {
        head = 17;
        record.certified = bytes[14] == 1;
    }
    uint32_t length = get_32(&record, record.begin + 8);
    int declared = (int)get_16(&record, record.begin + 12);
    if (length != tlv->length)
        sp_remarks_add(&dg2->remarks, record.begin + 8, "the face record says %u bytes, there are %zu", length,
                       tlv->length);
    for (at = record.begin + head; status == SP_OK && at < record.end;) {
        struct block block;
        size_t end = at;
        if (!locate(&record, at, &block))
            return sp_fail(err, SP_E_UNSUPPORTED,
                           "%s: tag %X at offset %zu: the block at offset %zu holds no image", reader->name,
                           tlv->tag, tlv->offset, at);
        status = find_end(dg2, &record, &block, found + 1 < declared, &end, err);
        if (status == SP_OK)
            status = read_block(dg2, instance, &record, &block, end, err);
        found++;
        at = end;
    }
    if (status == SP_OK && found != declared)
        sp_remarks_add(&dg2->remarks, record.begin + 12, "the face record says %d images, there are %d", declared,
                       found);
    return status;
}
