/* The pre-scan: walks msgpack bytes without allocating and without recursion, so that the library behind wire.c
 * never sees a length that the bytes do not hold (five bytes can announce 4 Gi items). */
#include "common/wire.h"

#define DEEPEST 32 /* no limits may ask for more: the library's own stack ends here too */

const struct sp_wire_limits sp_wire_header_limits = {4096, 4, 256};
const struct sp_wire_limits sp_wire_payload_limits = {16u << 20, 6, 4096};
const struct sp_wire_limits sp_wire_record_limits = {64u << 20, 8, 4 << 20};

enum kind { KIND_SCALAR, KIND_STR, KIND_BIN, KIND_ARRAY, KIND_MAP, KIND_EXT, KIND_NEVER };

/* What a first byte says: `fixed` bytes follow, or a big-endian length of `length_bytes`, or `count` in the byte.
 */
struct head {
    enum kind kind;
    uint8_t length_bytes;
    uint8_t fixed; /* scalars: bytes of the number; others: length or count from the first byte itself */
};

static const struct head heads_c0[32] = {
    /* c0 nil, c1 never used, c2 false, c3 true */
    {KIND_SCALAR, 0, 0},
    {KIND_NEVER, 0, 0},
    {KIND_SCALAR, 0, 0},
    {KIND_SCALAR, 0, 0},
    /* c4.. bin 8 16 32, ext 8 16 32 */
    {KIND_BIN, 1, 0},
    {KIND_BIN, 2, 0},
    {KIND_BIN, 4, 0},
    {KIND_EXT, 1, 0},
    {KIND_EXT, 2, 0},
    {KIND_EXT, 4, 0},
    /* ca float 32 64, uint 8 16 32 64, int 8 16 32 64 */
    {KIND_SCALAR, 0, 4},
    {KIND_SCALAR, 0, 8},
    {KIND_SCALAR, 0, 1},
    {KIND_SCALAR, 0, 2},
    {KIND_SCALAR, 0, 4},
    {KIND_SCALAR, 0, 8},
    {KIND_SCALAR, 0, 1},
    {KIND_SCALAR, 0, 2},
    {KIND_SCALAR, 0, 4},
    {KIND_SCALAR, 0, 8},
    /* d4.. fixext 1 2 4 8 16 */
    {KIND_EXT, 0, 1},
    {KIND_EXT, 0, 2},
    {KIND_EXT, 0, 4},
    {KIND_EXT, 0, 8},
    {KIND_EXT, 0, 16},
    /* d9.. str 8 16 32, array 16 32, map 16 32 */
    {KIND_STR, 1, 0},
    {KIND_STR, 2, 0},
    {KIND_STR, 4, 0},
    {KIND_ARRAY, 2, 0},
    {KIND_ARRAY, 4, 0},
    {KIND_MAP, 2, 0},
    {KIND_MAP, 4, 0},
};

static struct head head_of(uint8_t first)
{
    if (first < 0x80 || first >= 0xe0)
        return (struct head){KIND_SCALAR, 0, 0};
    if (first < 0x90)
        return (struct head){KIND_MAP, 0, first & 0x0f};
    if (first < 0xa0)
        return (struct head){KIND_ARRAY, 0, first & 0x0f};
    if (first < 0xc0)
        return (struct head){KIND_STR, 0, first & 0x1f};
    return heads_c0[first - 0xc0];
}

/* An open array or map: how many values are still to come; in a map an even number means that a key is next. */
struct level {
    uint64_t left;
    bool map;
};

struct scan {
    const uint8_t *bytes;
    size_t length;
    size_t at;
    uint64_t items_left;
    int depth;
    int max_depth;
    struct level levels[DEEPEST];
};

static enum sp_status open_level(struct scan *scan, size_t start, uint64_t count, bool map, struct sp_err *err)
{
    uint64_t values = map ? 2 * count : count;
    /* Each value has one byte at least, so a lying count is found here, before anybody believes it. */
    if (values > scan->length - scan->at)
        return sp_fail(err, SP_E_FORMAT, "msgpack at byte %zu: %llu values are announced, %zu bytes are left",
                       start, (unsigned long long)values, scan->length - scan->at);
    if (values > scan->items_left)
        return sp_fail(err, SP_E_LIMIT, "msgpack at byte %zu: too many values", start);
    if (scan->depth >= scan->max_depth)
        return sp_fail(err, SP_E_LIMIT, "msgpack at byte %zu: nested deeper than %d", start, scan->max_depth);
    scan->levels[scan->depth++] = (struct level){values, map};
    return SP_OK;
}

static enum sp_status scan_value(struct scan *scan, struct sp_err *err)
{
    size_t start = scan->at;
    if (start >= scan->length)
        return sp_fail(err, SP_E_FORMAT, "msgpack is cut off at byte %zu", start);
    struct head head = head_of(scan->bytes[scan->at++]);
    bool key = scan->depth > 0 && scan->levels[scan->depth - 1].map && scan->levels[scan->depth - 1].left % 2 == 0;
    if (key && head.kind != KIND_STR)
        return sp_fail(err, SP_E_FORMAT, "msgpack at byte %zu: a map key that is not text", start);
    if (head.kind == KIND_EXT)
        return sp_fail(err, SP_E_FORMAT, "msgpack at byte %zu: extension types are not spoken here", start);
    if (head.kind == KIND_NEVER)
        return sp_fail(err, SP_E_FORMAT, "msgpack at byte %zu: 0xc1 begins no value", start);
    if (scan->items_left == 0)
        return sp_fail(err, SP_E_LIMIT, "msgpack at byte %zu: too many values", start);
    scan->items_left--;

    uint64_t length = head.fixed;
    if (head.length_bytes > scan->length - scan->at)
        return sp_fail(err, SP_E_FORMAT, "msgpack is cut off at byte %zu", scan->length);
    for (int i = 0; i < head.length_bytes; i++)
        length = length << 8 | scan->bytes[scan->at++];
    if (scan->depth > 0)
        scan->levels[scan->depth - 1].left--;
    if (head.kind == KIND_ARRAY || head.kind == KIND_MAP)
        return open_level(scan, start, length, head.kind == KIND_MAP, err);
    if (length > scan->length - scan->at)
        return sp_fail(err, SP_E_FORMAT, "msgpack at byte %zu: %llu bytes are announced, %zu are left", start,
                       (unsigned long long)length, scan->length - scan->at);
    scan->at += (size_t)length;
    return SP_OK;
}

enum sp_status sp_wire_scan(const void *bytes, size_t length, const struct sp_wire_limits *limits,
                            struct sp_err *err)
{
    if (length > limits->max_bytes)
        return sp_fail(err, SP_E_LIMIT, "msgpack of %zu bytes, the limit is %zu", length, limits->max_bytes);
    struct scan scan = {
        .bytes = bytes,
        .length = length,
        .items_left = (uint64_t)limits->max_items,
        .max_depth = limits->max_depth < DEEPEST ? limits->max_depth : DEEPEST,
    };
    do {
        enum sp_status status = scan_value(&scan, err);
        if (status != SP_OK)
            return status;
        while (scan.depth > 0 && scan.levels[scan.depth - 1].left == 0)
            scan.depth--;
    } while (scan.depth > 0);
    if (scan.at != length)
        return sp_fail(err, SP_E_FORMAT, "msgpack ends at byte %zu, but %zu more follow", scan.at,
                       length - scan.at);
    return SP_OK;
}
