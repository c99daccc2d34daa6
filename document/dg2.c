#include "document/dg2.h"

#include <stdio.h>
#include <stdlib.h>

#include "document/iso19794.h"
#include "document/iso39794.h"
#include "document/tlv.h"

/* Tags of ICAO Doc 9303-10, table of DG2. */
enum {
    TAG_DG2 = 0x75,
    TAG_GROUP = 0x7f61,    /* biometric information group template */
    TAG_COUNT = 0x02,      /* number of instances */
    TAG_INSTANCE = 0x7f60, /* biometric information template */
    TAG_HEADER = 0xa1,     /* biometric header template */
    TAG_TYPE = 0x81,       /* biometric type: 02 is a face */
    TAG_DATA = 0x5f2e,
    TAG_DATA_CONSTRUCTED = 0x7f2e
};

const char *sp_dg2_encoding_word(enum sp_dg2_encoding encoding)
{
    return encoding == SP_DG2_19794 ? "19794-5" : encoding == SP_DG2_39794 ? "39794-5" : "picture";
}

bool sp_dg2_looks_like(const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    size_t at = 2;
    if (length < 4 || p[0] != TAG_DG2)
        return false;
    if (p[1] >= 0x80)
        at += p[1] & 0x7f;
    return at + 1 < length && p[at] == TAG_GROUP >> 8 && p[at + 1] == (TAG_GROUP & 0xff);
}

void sp_dg2_free(struct sp_dg2 **dg2)
{
    if (!dg2)
        return;
    free(*dg2);
    *dg2 = NULL;
}

enum sp_status sp_dg2_add(struct sp_dg2 *dg2, const char *name, size_t offset, struct sp_dg2_image **ret_image,
                          struct sp_err *err)
{
    if (dg2->image_count == SP_DG2_MAX_IMAGES)
        return sp_fail(err, SP_E_LIMIT, "%s: more than %d images, the next is at offset %zu", name,
                       SP_DG2_MAX_IMAGES, offset);
    struct sp_dg2_image *image = &dg2->images[dg2->image_count++];
    *image = (struct sp_dg2_image){.quality = -1, .face_type = -1, .colour_space = -1, .source = -1};
    *ret_image = image;
    return SP_OK;
}

void sp_dg2_set_captured(struct sp_dg2_image *image, const int parts[6])
{
    if (parts[0] < 1900 || parts[0] > 2200 || parts[1] < 1 || parts[1] > 12 || parts[2] < 1 || parts[2] > 31)
        return;
    if (parts[3] < 0 || parts[3] > 23 || parts[4] < 0 || parts[4] > 59 || parts[5] < 0 || parts[5] > 60)
        snprintf(image->captured, sizeof image->captured, "%04d-%02d-%02d", parts[0], parts[1], parts[2]);
    else
        snprintf(image->captured, sizeof image->captured, "%04d-%02d-%02dT%02d:%02d:%02d", parts[0], parts[1],
                 parts[2], parts[3], parts[4], parts[5]);
}

void sp_dg2_compare(struct sp_dg2 *dg2, const struct sp_dg2_image *image)
{
    bool jpeg_2000 = image->kind == SP_IMAGE_JP2 || image->kind == SP_IMAGE_J2K;
    if (image->declared != SP_IMAGE_NONE && (image->declared == SP_IMAGE_JP2) != jpeg_2000)
        sp_remarks_add(&dg2->remarks, image->offset, "the record says %s, the image is %s",
                       image->declared == SP_IMAGE_JP2 ? "JPEG 2000" : "JPEG", sp_image_kind_word(image->kind));
    if (image->width == 0 || image->height == 0)
        sp_remarks_add(&dg2->remarks, image->offset, "the record says no size of the image (%d x %d px)",
                       image->width, image->height);
}

/* Is the header of an instance about a face? */
static enum sp_status read_header(struct sp_dg2 *dg2, const struct sp_tlv_reader *instance, struct sp_err *err)
{
    struct sp_tlv header, type;
    struct sp_err missing = {0};
    enum sp_status status = sp_tlv_find(instance, TAG_HEADER, &header, &missing);
    if (status == SP_E_NOTFOUND) {
        sp_remarks_add(&dg2->remarks, instance->at, "an instance without its header (A1)");
        return SP_OK;
    }
    if (status != SP_OK)
        return sp_fail(err, status, "%s", missing.text);
    struct sp_tlv_reader inside = sp_tlv_inside(instance, &header);
    status = sp_tlv_find(&inside, TAG_TYPE, &type, &missing);
    if (status == SP_E_NOTFOUND)
        return SP_OK; /* optional */
    if (status != SP_OK)
        return sp_fail(err, status, "%s", missing.text);
    int64_t number = sp_tlv_number(instance, &type);
    if (number != 2)
        sp_remarks_add(&dg2->remarks, type.offset, "the biometric type is %lld, a face is 2", (long long)number);
    return SP_OK;
}

static enum sp_status read_instance(struct sp_dg2 *dg2, const struct sp_tlv_reader *group, const struct sp_tlv *tlv,
                                    struct sp_err *err)
{
    struct sp_tlv_reader instance = sp_tlv_inside(group, tlv), walk = instance;
    struct sp_tlv element;
    bool found = false;
    enum sp_status status = read_header(dg2, &instance, err);
    while (status == SP_OK && sp_tlv_more(&walk)) {
        status = sp_tlv_next(&walk, &element, err);
        if (status != SP_OK || (element.tag != TAG_DATA && element.tag != TAG_DATA_CONSTRUCTED))
            continue;
        found = true;
        if (sp_iso19794_looks_like(&walk, &element))
            status = sp_iso19794_parse(dg2, dg2->instances, &walk, &element, err);
        else
            status = sp_iso39794_parse(dg2, dg2->instances, &walk, &element, err);
    }
    if (status == SP_OK && !found)
        status = sp_fail(err, SP_E_FORMAT, "%s: tag 7F60 at offset %zu has neither 5F2E nor 7F2E", group->name,
                         tlv->offset);
    return status;
}

static enum sp_status read_group(struct sp_dg2 *dg2, struct sp_tlv_reader *group, struct sp_err *err)
{
    struct sp_tlv tlv;
    size_t begin = group->at;
    enum sp_status status = SP_OK;
    while (status == SP_OK && sp_tlv_more(group)) {
        status = sp_tlv_next(group, &tlv, err);
        if (status != SP_OK)
            break;
        if (tlv.tag == TAG_COUNT) {
            dg2->declared_instances = (int)sp_tlv_number(group, &tlv);
        } else if (tlv.tag == TAG_INSTANCE) {
            if (dg2->instances == SP_DG2_MAX_INSTANCES)
                return sp_fail(err, SP_E_LIMIT, "%s: more than %d instances (tag 7F60), the next is at offset %zu",
                               group->name, SP_DG2_MAX_INSTANCES, tlv.offset);
            dg2->instances++;
            status = read_instance(dg2, group, &tlv, err);
        } else {
            sp_remarks_add(&dg2->remarks, tlv.offset, "tag %X is not known in 7F61", tlv.tag);
        }
    }
    if (status == SP_OK && dg2->declared_instances < 0)
        sp_remarks_add(&dg2->remarks, begin, "%d instances are there, 02 does not say how many", dg2->instances);
    else if (status == SP_OK && dg2->instances != dg2->declared_instances)
        sp_remarks_add(&dg2->remarks, begin, "%d instances are there, %d are declared", dg2->instances,
                       dg2->declared_instances);
    return status;
}

enum sp_status sp_dg2_parse(struct sp_dg2 **ret_dg2, const char *name, const void *bytes, size_t length,
                            struct sp_err *err)
{
    struct sp_tlv_reader file = sp_tlv_open(name, bytes, length);
    struct sp_tlv root = {0}, group_tlv = {0};
    struct sp_dg2 *dg2 = calloc(1, sizeof *dg2);
    if (!dg2)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory", name);
    dg2->declared_instances = -1;
    enum sp_status status = sp_tlv_next(&file, &root, err);
    if (status == SP_OK && root.tag != TAG_DG2)
        status = sp_fail(err, SP_E_FORMAT, "%s: begins with tag %X, a DG2 with 75", name, root.tag);
    if (status == SP_OK && sp_tlv_more(&file)) /* zeros behind it are how chips fill a file up */
        sp_remarks_add(&dg2->remarks, file.at, "%zu bytes behind the DG2", file.end - file.at);
    if (status == SP_OK) {
        struct sp_tlv_reader inside = sp_tlv_inside(&file, &root);
        status = sp_tlv_find(&inside, TAG_GROUP, &group_tlv, err);
    }
    if (status == SP_OK) {
        struct sp_tlv_reader group = sp_tlv_inside(&file, &group_tlv);
        status = read_group(dg2, &group, err);
    } else if (status == SP_E_NOTFOUND) {
        status = sp_fail(err, SP_E_FORMAT, "%s: tag 75 at offset 0 holds no 7F61", name);
    }
    if (status == SP_OK && dg2->image_count == 0)
        status = sp_fail(err, SP_E_FORMAT, "%s: tag 7F61 at offset %zu holds no image", name, group_tlv.offset);
    if (status == SP_OK)
        *ret_dg2 = dg2;
    else
        sp_dg2_free(&dg2);
    return status;
}
