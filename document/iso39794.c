#include "document/iso39794.h"

#include <stdio.h>

/* The tags in the words of the schema (all context-specific, implicit; a CHOICE keeps the tag of its place around
 * it):
 *
 *   FaceImageDataBlock [APPLICATION 5] { versionBlock [0] { generation [0], year [1] }, representationBlocks [1]
 * SEQUENCE OF } RepresentationBlock { representationId [0], imageRepresentation [1], captureDateTimeBlock [2],
 * qualityBlocks [3] ... } imageRepresentation: base [0], in it imageRepresentation2DBlock [0] {
 * representationData2D [0] OCTET STRING, imageInformation2DBlock [1] } imageInformation2DBlock { imageDataFormat
 * [0] { code [0] }, faceImageKind2D [1], ... imageSizeBlock [7] { width [0], height [1] }, ... imageColourSpace [9]
 * } */
enum { TAG_BLOCK = 0x65, TAG_SEQUENCE = 0x30 };

/* The element at the end of a path of tags. */
static enum sp_status find_path(const struct sp_tlv_reader *reader, const uint32_t *tags, int count,
                                struct sp_tlv *ret_tlv, struct sp_err *err)
{
    struct sp_tlv_reader at = *reader;
    struct sp_tlv tlv = {0};
    for (int i = 0; i < count; i++) {
        enum sp_status status = sp_tlv_find(&at, tags[i], &tlv, err);
        if (status != SP_OK)
            return status;
        at = sp_tlv_inside(&at, &tlv);
    }
    *ret_tlv = tlv;
    return SP_OK;
}

/* An optional number; -1 where it is not. What is broken is remarked: the image does not depend on it. */
static int number(struct sp_dg2 *dg2, const struct sp_tlv_reader *reader, const uint32_t *tags, int count)
{
    struct sp_err err = {0};
    struct sp_tlv tlv;
    enum sp_status status = find_path(reader, tags, count, &tlv, &err);
    if (status == SP_OK) {
        int64_t value = sp_tlv_number(reader, &tlv);
        if (value >= 0 && value <= INT32_MAX)
            return (int)value;
        sp_remarks_add(&dg2->remarks, tlv.offset, "tag %X is no number", tlv.tag);
    } else if (status != SP_E_NOTFOUND) {
        sp_remarks_add(&dg2->remarks, reader->at, "what the block says beside the image is damaged");
    }
    return -1;
}
#define NUMBER(dg2, reader, ...)                                                                                   \
    number(dg2, reader, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* A code is its own CHOICE: plain [0], or by a later edition with a fallback for us, [1] { [0] }. */
static int code(struct sp_dg2 *dg2, const struct sp_tlv_reader *info, uint32_t tag)
{
    int plain = NUMBER(dg2, info, tag, 0x80);
    return plain >= 0 ? plain : NUMBER(dg2, info, tag, 0xa1, 0x80);
}

static void read_details(struct sp_dg2 *dg2, struct sp_dg2_image *image, const struct sp_tlv_reader *representation,
                         const struct sp_tlv_reader *flat)
{
    struct sp_tlv info_tlv;
    int captured[6];
    for (uint32_t i = 0; i < 6; i++)
        captured[i] = NUMBER(dg2, representation, 0xa2, 0x80 + i);
    sp_dg2_set_captured(image, captured);
    int quality = NUMBER(dg2, representation, 0xa3, TAG_SEQUENCE, 0xa1, 0x80);
    image->quality = quality <= 100 ? quality : -1;
    if (find_path(flat, (const uint32_t[]){0xa1}, 1, &info_tlv, NULL) != SP_OK) {
        sp_remarks_add(&dg2->remarks, flat->at, "the image has no information block (A1)");
        return;
    }
    struct sp_tlv_reader info = sp_tlv_inside(flat, &info_tlv);
    int format = code(dg2, &info, 0xa0); /* 2 JPEG, 3 and 4 JPEG 2000 */
    image->declared = format == 2 ? SP_IMAGE_JPEG : format == 3 || format == 4 ? SP_IMAGE_JP2 : SP_IMAGE_NONE;
    int width = NUMBER(dg2, &info, 0xa7, 0x80), height = NUMBER(dg2, &info, 0xa7, 0x81);
    image->width = width > 0 ? width : 0;
    image->height = height > 0 ? height : 0;
    image->colour_space = code(dg2, &info, 0xa9);
}

static enum sp_status read_representation(struct sp_dg2 *dg2, int instance, const struct sp_tlv_reader *blocks,
                                          const struct sp_tlv *tlv, const char *version, struct sp_err *err)
{
    struct sp_tlv_reader representation = sp_tlv_inside(blocks, tlv);
    struct sp_tlv flat_tlv, data;
    struct sp_dg2_image *image;
    enum sp_status status = find_path(&representation, (const uint32_t[]){0xa1, 0xa0, 0xa0}, 3, &flat_tlv, err);
    if (status == SP_E_NOTFOUND) {
        sp_remarks_add(&dg2->remarks, tlv->offset, "a representation without a 2D image is left out");
        return SP_OK;
    }
    if (status != SP_OK)
        return status;
    struct sp_tlv_reader flat = sp_tlv_inside(&representation, &flat_tlv);
    status = sp_tlv_find(&flat, 0x80, &data, err);
    if (status != SP_OK)
        return status == SP_E_NOTFOUND ? sp_fail(err, SP_E_FORMAT, "%s: tag A0 at offset %zu holds no image (80)",
                                                 flat.name, flat_tlv.offset)
                                       : status;
    enum sp_image_kind kind = sp_image_sniff(flat.bytes + data.value, data.length);
    if (kind == SP_IMAGE_NONE)
        return sp_fail(err, SP_E_UNSUPPORTED, "%s: tag 80 at offset %zu: %zu bytes that are no image", flat.name,
                       data.offset, data.length);
    status = sp_dg2_add(dg2, flat.name, data.offset, &image, err);
    if (status != SP_OK)
        return status;
    image->bytes = flat.bytes + data.value;
    image->offset = data.value;
    image->length = data.length;
    image->kind = kind;
    image->instance = instance;
    image->encoding = SP_DG2_39794;
    snprintf(image->version, sizeof image->version, "%s", version);
    read_details(dg2, image, &representation, &flat);
    sp_dg2_compare(dg2, image);
    return SP_OK;
}

/* The fields of the block: under [APPLICATION 5], which ICAO wraps in A1; some writers leave one or both out. */
static bool find_fields(struct sp_dg2 *dg2, const struct sp_tlv_reader *inside, struct sp_tlv_reader *ret_fields)
{
    struct sp_tlv tlv;
    if (find_path(inside, (const uint32_t[]){0xa1, TAG_BLOCK}, 2, &tlv, NULL) == SP_OK ||
        find_path(inside, (const uint32_t[]){TAG_BLOCK}, 1, &tlv, NULL) == SP_OK) {
        *ret_fields = sp_tlv_inside(inside, &tlv);
        return true;
    }
    if (find_path(inside, (const uint32_t[]){0xa1, TAG_SEQUENCE}, 2, &tlv, NULL) != SP_OK)
        return false;
    sp_remarks_add(&dg2->remarks, inside->at, "a face image data block without its tag (65)");
    *ret_fields = *inside;
    return true;
}

enum sp_status sp_iso39794_parse(struct sp_dg2 *dg2, int instance, const struct sp_tlv_reader *reader,
                                 const struct sp_tlv *tlv, struct sp_err *err)
{
    struct sp_tlv_reader inside = sp_tlv_inside(reader, tlv), fields;
    struct sp_tlv blocks_tlv, block;
    char version[12] = "";
    if (!find_fields(dg2, &inside, &fields))
        return sp_fail(err, SP_E_FORMAT,
                       "%s: tag %X at offset %zu is neither a face record (FAC) nor a face image data block (65)",
                       reader->name, tlv->tag, tlv->offset);
    int generation = NUMBER(dg2, &fields, 0xa0, 0x80), year = NUMBER(dg2, &fields, 0xa0, 0x81);
    if (generation >= 0 && generation <= 65535 && year >= 0 && year <= 9999)
        snprintf(version, sizeof version, "%u/%u", (unsigned)generation & 0xffff, (unsigned)year & 0x3fff);
    enum sp_status status = sp_tlv_find(&fields, 0xa1, &blocks_tlv, err);
    if (status != SP_OK)
        return status == SP_E_NOTFOUND
                   ? sp_fail(err, SP_E_FORMAT, "%s: tag %X at offset %zu holds no representation (A1)",
                             reader->name, tlv->tag, tlv->offset)
                   : status;
    struct sp_tlv_reader blocks = sp_tlv_inside(&fields, &blocks_tlv);
    while (status == SP_OK && sp_tlv_more(&blocks)) {
        status = sp_tlv_next(&blocks, &block, err);
        if (status == SP_OK && block.tag == TAG_SEQUENCE)
            status = read_representation(dg2, instance, &blocks, &block, version, err);
        else if (status == SP_OK)
            sp_remarks_add(&dg2->remarks, block.offset, "tag %X is not known among representations", block.tag);
    }
    return status;
}
