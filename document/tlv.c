#include "document/tlv.h"

struct sp_tlv_reader sp_tlv_open(const char *name, const void *bytes, size_t length)
{
    return (struct sp_tlv_reader){.name = name, .bytes = bytes, .end = length};
}

struct sp_tlv_reader sp_tlv_inside(const struct sp_tlv_reader *reader, const struct sp_tlv *tlv)
{
    struct sp_tlv_reader inside = *reader;
    inside.at = tlv->value;
    inside.end = tlv->value + tlv->length;
    return inside;
}

bool sp_tlv_more(struct sp_tlv_reader *reader)
{
    while (reader->at < reader->end && reader->bytes[reader->at] == 0)
        reader->at++;
    return reader->at < reader->end;
}

static enum sp_status early(const struct sp_tlv_reader *reader, size_t offset, const char *what, struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "%s: the element at offset %zu ends inside its %s", reader->name, offset,
                   what);
}

enum sp_status sp_tlv_next(struct sp_tlv_reader *reader, struct sp_tlv *ret_tlv, struct sp_err *err)
{
    struct sp_tlv tlv = {.offset = reader->at};
    size_t at = reader->at;
    if (at >= reader->end)
        return early(reader, tlv.offset, "tag", err);
    tlv.tag = reader->bytes[at++];
    if ((tlv.tag & 0x1f) == 0x1f) {
        bool more = true;
        for (int i = 0; i < 2 && more; i++) {
            if (at >= reader->end)
                return early(reader, tlv.offset, "tag", err);
            more = reader->bytes[at] & 0x80;
            tlv.tag = tlv.tag << 8 | reader->bytes[at++];
        }
        if (more)
            return sp_fail(err, SP_E_FORMAT, "%s: the tag at offset %zu has more than 3 bytes", reader->name,
                           tlv.offset);
    }
    if (at >= reader->end)
        return early(reader, tlv.offset, "length", err);
    tlv.length = reader->bytes[at++];
    if (tlv.length >= 0x80) {
        size_t count = tlv.length & 0x7f;
        if (count < 1 || count > 4)
            return sp_fail(err, SP_E_FORMAT,
                           "%s: tag %X at offset %zu has a length of a form that is not read (%02zX)", reader->name,
                           tlv.tag, tlv.offset, tlv.length);
        if (count > reader->end - at)
            return early(reader, tlv.offset, "length", err);
        for (tlv.length = 0; count > 0; count--)
            tlv.length = tlv.length << 8 | reader->bytes[at++];
    }
    tlv.value = at;
    if (tlv.length > reader->end - at)
        return sp_fail(err, SP_E_FORMAT, "%s: tag %X at offset %zu says %zu bytes where %zu are left", reader->name,
                       tlv.tag, tlv.offset, tlv.length, reader->end - at);
    reader->at = at + tlv.length;
    *ret_tlv = tlv;
    return SP_OK;
}

enum sp_status sp_tlv_find(const struct sp_tlv_reader *reader, uint32_t tag, struct sp_tlv *ret_tlv,
                           struct sp_err *err)
{
    struct sp_tlv_reader walk = *reader;
    struct sp_tlv tlv;
    while (sp_tlv_more(&walk)) {
        enum sp_status status = sp_tlv_next(&walk, &tlv, err);
        if (status != SP_OK)
            return status;
        if (tlv.tag == tag) {
            *ret_tlv = tlv;
            return SP_OK;
        }
    }
    return sp_fail(err, SP_E_NOTFOUND, "%s: no tag %X between offsets %zu and %zu", reader->name, tag, reader->at,
                   reader->end);
}

int64_t sp_tlv_number(const struct sp_tlv_reader *reader, const struct sp_tlv *tlv)
{
    int64_t number = 0;
    if (tlv->length < 1 || tlv->length > 4 || reader->bytes[tlv->value] & 0x80)
        return -1;
    for (size_t i = 0; i < tlv->length; i++)
        number = number << 8 | reader->bytes[tlv->value + i];
    return number;
}
