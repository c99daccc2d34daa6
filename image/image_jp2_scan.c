/* A JPEG 2000 file read without the codec: the codec allocates by what headers claim, so they are judged before it
 * sees them. ISO/IEC 15444-1 (ITU-T T.800) Annex A (codestream) and Annex I (boxes). */
#include <string.h>

#include "image/image_codec.h"

#define MAX_TILES      1024
#define MAX_TILE_PARTS 8192
#define MAX_SEGMENTS   4096      /* marker segments of all headers together */
#define MAX_LEVELS     16        /* decompositions: one resolution more */
#define MAX_PRECINCTS  (1 << 16) /* of one tile */
#define MAX_BLOCKS     (1 << 18) /* code-blocks of one tile */
#define MAX_PACKETS    (1 << 22) /* slots of the codec's packet table of one tile */

enum {
    SOC = 0xff4f,
    SIZ = 0xff51,
    COD = 0xff52,
    COC = 0xff53,
    TLM = 0xff55,
    PLM = 0xff57,
    PLT = 0xff58,
    QCD = 0xff5c,
    QCC = 0xff5d,
    RGN = 0xff5e,
    POC = 0xff5f,
    CRG = 0xff63,
    COM = 0xff64,
    SOT = 0xff90,
    SOD = 0xff93,
    EOC = 0xffd9
};

struct scan {
    const uint8_t *bytes; /* the whole file */
    size_t at, end;       /* of the codestream */
    const struct sp_image_limits *limits;
    struct sp_jp2_header *header;
    uint64_t tile_width, tile_height; /* px of the largest tile */
    int tiles, tiles_seen, tile_parts, segments, layers;
    uint8_t seen[MAX_TILES / 8];
};

static uint32_t get_16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get_32(const uint8_t *p)
{
    return get_16(p) << 16 | get_16(p + 2);
}

static uint64_t ceil_div(uint64_t value, uint64_t by)
{
    return (value + by - 1) / by;
}

static enum sp_status early(size_t at, struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "JPEG 2000: the file ends early, at offset %zu", at);
}

/* ---- the codestream ---- */

static enum sp_status read_components(struct scan *scan, const uint8_t *body, uint32_t length, size_t at,
                                      struct sp_err *err)
{
    struct sp_jp2_header *header = scan->header;
    uint32_t count = get_16(body + 34);
    if (count < 1 || count > 4)
        return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000 header: %u components, 1 to 4 are read", count);
    if (length != 36 + 3 * count)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: SIZ of %u bytes for %u components at offset %zu",
                       length, count, at);
    header->components = (int)count;
    for (uint32_t c = 0; c < count; c++) {
        const uint8_t *p = body + 36 + 3 * c;
        header->component[c].depth = (p[0] & 0x7f) + 1;
        header->component[c].is_signed = p[0] & 0x80;
        header->component[c].dx = p[1];
        header->component[c].dy = p[2];
        if (header->component[c].depth > 16)
            return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000 header: %d bits a sample, 16 at most are read",
                           header->component[c].depth);
        /* Luminance whole and colours halved is what cameras do; nothing else is guessed at. */
        int most = c == 0 ? 1 : 2;
        if (p[1] < 1 || p[2] < 1 || p[1] > most || p[2] > most)
            return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000 header: component %u is subsampled %u x %u", c, p[1],
                           p[2]);
    }
    return SP_OK;
}

/* Image and tile size. */
static enum sp_status read_siz(struct scan *scan, const uint8_t *body, uint32_t length, size_t at,
                               struct sp_err *err)
{
    if (length < 39)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: SIZ of %u bytes at offset %zu", length, at);
    uint64_t x1 = get_32(body + 2), y1 = get_32(body + 6), x0 = get_32(body + 10), y0 = get_32(body + 14);
    uint64_t tile_w = get_32(body + 18), tile_h = get_32(body + 22);
    uint64_t tile_x0 = get_32(body + 26), tile_y0 = get_32(body + 30);
    if (x1 <= x0 || y1 <= y0 || x1 > INT32_MAX || y1 > INT32_MAX || tile_w == 0 || tile_h == 0 || tile_x0 > x0 ||
        tile_y0 > y0 || tile_x0 + tile_w <= x0 || tile_y0 + tile_h <= y0)
        return sp_fail(err, SP_E_FORMAT,
                       "JPEG 2000 header: image and tiles do not fit each other, SIZ at offset %zu", at);
    enum sp_status status = sp_image_check_size(scan->limits, x1 - x0, y1 - y0, "JPEG 2000", err);
    if (status == SP_OK)
        status = read_components(scan, body, length, at, err);
    if (status != SP_OK)
        return status;
    uint64_t samples = (x1 - x0) * (y1 - y0) * (uint64_t)scan->header->components;
    if (samples > scan->limits->max_pixels)
        return sp_fail(err, SP_E_LIMIT, "JPEG 2000 header: %llu samples are over the limit of %llu",
                       (unsigned long long)samples, (unsigned long long)scan->limits->max_pixels);
    uint64_t tiles = ceil_div(x1 - tile_x0, tile_w) * ceil_div(y1 - tile_y0, tile_h);
    if (tiles > MAX_TILES)
        return sp_fail(err, SP_E_LIMIT, "JPEG 2000 header: %llu tiles are over the limit of %d",
                       (unsigned long long)tiles, MAX_TILES);
    scan->tiles = (int)tiles;
    scan->tile_width = tile_w < x1 - x0 ? tile_w : x1 - x0;
    scan->tile_height = tile_h < y1 - y0 ? tile_h : y1 - y0;
    scan->header->width = (int)(x1 - x0);
    scan->header->height = (int)(y1 - y0);
    scan->header->x0 = (int)x0;
    scan->header->y0 = (int)y0;
    return SP_OK;
}

/* How finely a tile is cut, by the parameters that COD and COC share (Table A.20): bounds what the codec allocates
 * for it. One more of everything, since a tile need not begin on the grid. */
static enum sp_status check_cut(const struct scan *scan, const uint8_t *cut, uint32_t length, bool precincts,
                                size_t at, struct sp_err *err)
{
    if (length < 5 || cut[0] > 32 || length != (precincts ? 6u + cut[0] : 5u))
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: coding style of %u bytes at offset %zu", length, at);
    int levels = cut[0], block_x = (cut[1] & 15) + 2, block_y = (cut[2] & 15) + 2;
    uint64_t all_precincts = 0, most_precincts = 0, blocks = 0, components = (uint64_t)scan->header->components;
    if (levels > MAX_LEVELS)
        return sp_fail(err, SP_E_LIMIT, "JPEG 2000 header: %d resolutions are over the limit of %d", levels + 1,
                       MAX_LEVELS + 1);
    if (block_x > 10 || block_y > 10 || block_x + block_y > 12)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: code-blocks of 2^%d x 2^%d at offset %zu", block_x,
                       block_y, at);
    if (cut[3] & 0xc0 || cut[4] > 1)
        return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000 header: a coding style of later parts, at offset %zu", at);
    for (int r = 0; r <= levels; r++) {
        int x = precincts ? cut[5 + r] & 15 : 15, y = precincts ? cut[5 + r] >> 4 : 15;
        uint64_t width = ceil_div(scan->tile_width, 1ull << (levels - r)) + 1;
        uint64_t height = ceil_div(scan->tile_height, 1ull << (levels - r)) + 1;
        uint64_t here = (ceil_div(width, 1ull << x) + 1) * (ceil_div(height, 1ull << y) + 1);
        int band = r > 0; /* bands of the resolutions above the first are half as large, and three */
        int by_x = x - band < block_x ? x - band : block_x, by_y = y - band < block_y ? y - band : block_y;
        if (by_x < 0 || by_y < 0)
            return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: precincts of one sample at offset %zu", at);
        all_precincts += here;
        most_precincts = here > most_precincts ? here : most_precincts;
        blocks += (band ? 3u : 1u) * (ceil_div(width >> band, 1ull << by_x) + 2) *
                  (ceil_div(height >> band, 1ull << by_y) + 2);
    }
    if (all_precincts * components > MAX_PRECINCTS || blocks * components > MAX_BLOCKS ||
        most_precincts * components * (uint64_t)(levels + 1) * (uint64_t)(scan->layers + 1) > MAX_PACKETS)
        return sp_fail(
            err, SP_E_LIMIT,
            "JPEG 2000 header: a tile of %llu precincts, %llu code-blocks and %d layers is over the limits",
            (unsigned long long)(all_precincts * components), (unsigned long long)(blocks * components),
            scan->layers);
    return SP_OK;
}

static enum sp_status read_cod(struct scan *scan, const uint8_t *body, uint32_t length, size_t at,
                               struct sp_err *err)
{
    if (length < 10)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: COD of %u bytes at offset %zu", length, at);
    scan->layers = (int)get_16(body + 2);
    return check_cut(scan, body + 5, length - 5, body[0] & 1, at, err);
}

static enum sp_status read_coc(struct scan *scan, const uint8_t *body, uint32_t length, size_t at,
                               struct sp_err *err)
{
    if (length < 7 || body[0] >= scan->header->components || scan->layers == 0)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000 header: COC out of place at offset %zu", at);
    return check_cut(scan, body + 2, length - 2, body[1] & 1, at, err);
}

/* One marker segment of a header; scan->at is behind it then. Segments of other parts of the standard are refused,
 * so that only what was judged here reaches the codec. */
static enum sp_status read_segment(struct scan *scan, uint32_t marker, struct sp_err *err)
{
    size_t at = scan->at;
    if (scan->end - at < 4)
        return early(scan->end, err);
    uint32_t length = get_16(scan->bytes + at + 2);
    if (length < 2)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000: marker %04x of %u bytes at offset %zu", marker, length, at);
    if (length > scan->end - at - 2)
        return early(scan->end, err);
    if (++scan->segments > MAX_SEGMENTS)
        return sp_fail(err, SP_E_LIMIT, "JPEG 2000: more than %d marker segments", MAX_SEGMENTS);
    scan->at += 2 + length;
    const uint8_t *body = scan->bytes + at + 4;
    switch (marker) {
    case COD:
        return read_cod(scan, body, length - 2, at, err);
    case COC:
        return read_coc(scan, body, length - 2, at, err);
    case TLM:
    case PLM:
    case PLT:
    case QCD:
    case QCC:
    case RGN:
    case POC:
    case CRG:
    case COM:
        return SP_OK;
    default:
        return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000: marker %04x at offset %zu is not read", marker, at);
    }
}

/* The header segments before SOT or SOD, whichever is asked for. */
static enum sp_status read_segments(struct scan *scan, uint32_t until, struct sp_err *err)
{
    for (;;) {
        if (scan->end - scan->at < 2)
            return early(scan->end, err);
        uint32_t marker = get_16(scan->bytes + scan->at);
        if (marker == until)
            return SP_OK;
        enum sp_status status = read_segment(scan, marker, err);
        if (status != SP_OK)
            return status;
    }
}

/* A tile part, from its SOT on. */
static enum sp_status read_tile_part(struct scan *scan, struct sp_err *err)
{
    size_t at = scan->at, end = scan->end;
    if (scan->end - at < 14)
        return early(scan->end, err);
    uint32_t tile = get_16(scan->bytes + at + 4), length = get_32(scan->bytes + at + 6);
    if (get_16(scan->bytes + at + 2) != 10 || tile >= (uint32_t)scan->tiles || (length != 0 && length < 14))
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000: SOT that is none at offset %zu", at);
    if (length > scan->end - at)
        return early(scan->end, err);
    if (++scan->tile_parts > MAX_TILE_PARTS)
        return sp_fail(err, SP_E_LIMIT, "JPEG 2000: more than %d tile parts", MAX_TILE_PARTS);
    if (length != 0) {
        scan->end = at + length;
    } else {
        /* The last tile part, up to the end marker; zeros behind it are filling. */
        while (scan->end > at + 14 && scan->bytes[scan->end - 1] == 0)
            scan->end--;
        if (get_16(scan->bytes + scan->end - 2) != EOC)
            return early(end, err);
        scan->end -= 2;
    }
    scan->at += 12;
    enum sp_status status = read_segments(scan, SOD, err);
    scan->at = scan->end;
    scan->end = end;
    if (!(scan->seen[tile / 8] >> tile % 8 & 1))
        scan->tiles_seen++;
    scan->seen[tile / 8] |= (uint8_t)(1 << tile % 8);
    return status;
}

static enum sp_status read_stream(struct scan *scan, struct sp_err *err)
{
    size_t begin = scan->at;
    if (scan->end - begin < 6)
        return early(scan->end, err);
    if (get_16(scan->bytes + begin) != SOC || get_16(scan->bytes + begin + 2) != SIZ)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000: no codestream at offset %zu", begin);
    uint32_t length = get_16(scan->bytes + begin + 4);
    if (length < 2 || length > scan->end - begin - 4)
        return early(scan->end, err);
    enum sp_status status = read_siz(scan, scan->bytes + begin + 6, length - 2, begin + 2, err);
    scan->at = begin + 4 + length;
    if (status == SP_OK)
        status = read_segments(scan, SOT, err);
    if (status == SP_OK && scan->layers == 0)
        status = sp_fail(err, SP_E_FORMAT, "JPEG 2000: no coding style before offset %zu", scan->at);
    while (status == SP_OK && scan->end - scan->at >= 2 && get_16(scan->bytes + scan->at) == SOT)
        status = read_tile_part(scan, err);
    if (status != SP_OK)
        return status;
    if (scan->tiles_seen != scan->tiles)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000: %d of %d tiles are there", scan->tiles_seen, scan->tiles);
    if (scan->end - scan->at < 2 || get_16(scan->bytes + scan->at) != EOC)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000: no end marker at offset %zu", scan->at);
    scan->header->stream = scan->bytes + begin;
    scan->header->length = scan->at + 2 - begin;
    return SP_OK;
}

/* ---- boxes ---- */

#define BOX(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* The box at *at of bytes[0..end): its type and body; *at is behind it then. */
static enum sp_status next_box(const uint8_t *bytes, size_t end, size_t *at, uint32_t *ret_type, size_t *ret_body,
                               struct sp_err *err)
{
    size_t head = 8, left = end - *at;
    if (left < head)
        return early(end, err);
    uint64_t length = get_32(bytes + *at);
    *ret_type = get_32(bytes + *at + 4);
    if (length == 1) {
        head = 16;
        if (left < head)
            return early(end, err);
        length = (uint64_t)get_32(bytes + *at + 8) << 32 | get_32(bytes + *at + 12);
    } else if (length == 0) {
        length = left;
    }
    if (length < head)
        return sp_fail(err, SP_E_FORMAT, "JPEG 2000: a box of %llu bytes at offset %zu", (unsigned long long)length,
                       *at);
    if (length > left)
        return early(end, err);
    *ret_body = *at + head;
    *at += (size_t)length;
    return SP_OK;
}

/* What jp2h says of colours: the first colr box counts; channels must be in their plain order. */
static enum sp_status read_colours(struct sp_jp2_header *header, const uint8_t *bytes, size_t at, size_t end,
                                   struct sp_err *err)
{
    bool told = false;
    while (at < end) {
        uint32_t type = 0;
        size_t begin = at, body = 0;
        enum sp_status status = next_box(bytes, end, &at, &type, &body, err);
        if (status != SP_OK)
            return status;
        if (type == BOX('p', 'c', 'l', 'r'))
            return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000: a palette, at offset %zu, is not read", begin);
        if (type == BOX('c', 'o', 'l', 'r') && !told && at - body >= 3) {
            uint32_t space = bytes[body] == 1 && at - body >= 7 ? get_32(bytes + body + 3) : 0;
            if (bytes[body] == 1 && (space < 16 || space > 18))
                return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000: colour space %u at offset %zu is not read", space,
                               begin);
            header->colour = space == 16   ? SP_JP2_RGB
                             : space == 17 ? SP_JP2_GREY
                             : space == 18 ? SP_JP2_SYCC
                                           : SP_JP2_UNSAID;
            told = true;
        }
        if (type == BOX('c', 'd', 'e', 'f') && at - body >= 2)
            for (size_t p = body + 2; at - p >= 6; p += 6)
                if (get_16(bytes + p + 2) == 0 && get_16(bytes + p + 4) != get_16(bytes + p) + 1)
                    return sp_fail(err, SP_E_UNSUPPORTED, "JPEG 2000: channels in another order, at offset %zu",
                                   begin);
    }
    return SP_OK;
}

enum sp_status sp_jp2_scan(struct sp_jp2_header *ret_header, const uint8_t *bytes, size_t length,
                           const struct sp_image_limits *limits, struct sp_err *err)
{
    struct sp_jp2_header header = {0};
    struct scan scan = {.bytes = bytes, .end = length, .limits = limits, .header = &header};
    enum sp_status status = SP_OK;
    bool boxes = sp_image_sniff(bytes, length) == SP_IMAGE_JP2, found = !boxes;
    for (size_t at = 12; status == SP_OK && !found;) {
        uint32_t type = 0;
        size_t body = 0;
        status = next_box(bytes, length, &at, &type, &body, err);
        if (status == SP_OK && type == BOX('j', 'p', '2', 'h'))
            status = read_colours(&header, bytes, body, at, err);
        if (status == SP_OK && type == BOX('j', 'p', '2', 'c')) {
            scan.at = body;
            scan.end = at;
            found = true;
        }
    }
    if (status == SP_OK)
        status = read_stream(&scan, err);
    if (status == SP_OK)
        *ret_header = header;
    return status;
}
