#include "roster/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/file.h"
#include "roster/zone_rule.h"

#define DIRECTORY    "/usr/share/zoneinfo/"
#define HEADER_BYTES 44
#define MAX_TIMES    4096
#define MAX_TYPES    256
#define MAX_LEAPS    256
#define MAX_OFFSET   (26 * 3600) /* RFC 8536: -25:59:59 to 26:00:00 */
#define DAY          86400

struct sp_zone {
    int count; /* transitions */
    int64_t times[MAX_TIMES];
    uint8_t types[MAX_TIMES];
    int type_count;
    int32_t offsets[MAX_TYPES];
    bool has_rule;
    struct sp_zone_rule rule;
};

/* The six counts of a header. */
struct counts {
    uint32_t ut, standard, leap, time, type, abbreviation;
};

struct reader {
    const uint8_t *bytes;
    size_t length, at;
};

static bool take(struct reader *r, const uint8_t **ret, size_t length)
{
    if (r->length - r->at < length)
        return false;
    *ret = r->bytes + r->at;
    r->at += length;
    return true;
}

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big64(const uint8_t *p)
{
    return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

bool sp_zone_name_ok(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-";
    size_t length = strlen(name);
    if (length == 0 || length >= SP_ZONE_NAME_MAX)
        return false;
    for (const char *part = name;; part++) { /* no dot is among the letters, so "." and ".." cannot be */
        size_t span = strspn(part, letters);
        part += span;
        if (span == 0)
            return false;
        if (!*part)
            return true;
        if (*part != '/')
            return false;
    }
}

static bool take_header(struct reader *r, struct counts *ret, uint8_t *ret_version)
{
    const uint8_t *p;
    if (!take(r, &p, HEADER_BYTES) || memcmp(p, "TZif", 4) != 0)
        return false;
    *ret_version = p[4];
    *ret =
        (struct counts){big32(p + 20), big32(p + 24), big32(p + 28), big32(p + 32), big32(p + 36), big32(p + 40)};
    return ret->time <= MAX_TIMES && ret->type >= 1 && ret->type <= MAX_TYPES && ret->leap <= MAX_LEAPS &&
           ret->abbreviation <= 1024 && ret->ut <= ret->type && ret->standard <= ret->type;
}

static size_t block_bytes(const struct counts *counts, size_t width)
{
    return counts->time * (width + 1) + counts->type * 6 + counts->abbreviation + counts->leap * (width + 4) +
           counts->standard + counts->ut;
}

static bool take_block(struct sp_zone *zone, struct reader *r, const struct counts *counts)
{
    const uint8_t *times, *types, *offsets, *rest;
    size_t used = counts->time * 9 + counts->type * 6;
    if (!take(r, &times, counts->time * 8) || !take(r, &types, counts->time) ||
        !take(r, &offsets, counts->type * 6) || !take(r, &rest, block_bytes(counts, 8) - used))
        return false;
    zone->count = (int)counts->time;
    zone->type_count = (int)counts->type;
    for (int i = 0; i < zone->count; i++) {
        zone->times[i] = big64(times + 8 * i);
        zone->types[i] = types[i];
        if (types[i] >= counts->type || (i > 0 && zone->times[i] <= zone->times[i - 1]))
            return false;
    }
    for (int i = 0; i < zone->type_count; i++) {
        zone->offsets[i] = (int32_t)big32(offsets + 6 * i);
        if (zone->offsets[i] <= -MAX_OFFSET || zone->offsets[i] > MAX_OFFSET)
            return false;
    }
    return true;
}

/* "\nTZ\n" at the end; an empty or unknown rule leaves the last offset standing. */
static bool take_footer(struct sp_zone *zone, struct reader *r)
{
    char text[SP_ZONE_RULE_MAX];
    const uint8_t *p = r->bytes + r->at;
    size_t left = r->length - r->at;
    if (left < 2 || p[0] != '\n')
        return false;
    const uint8_t *end = memchr(p + 1, '\n', left - 1);
    if (!end || (size_t)(end - p - 1) >= sizeof text)
        return false;
    size_t length = (size_t)(end - p - 1);
    memcpy(text, p + 1, length);
    text[length] = 0;
    zone->has_rule = sp_zone_rule_parse(&zone->rule, text);
    return true;
}

enum sp_status sp_zone_parse(struct sp_zone **ret_zone, const char *name, const void *bytes, size_t length,
                             struct sp_err *err)
{
    struct reader r = {bytes, length, 0};
    struct counts counts;
    const uint8_t *skipped;
    uint8_t version = 0;
    const char *wrong = NULL;
    struct sp_zone *zone = calloc(1, sizeof *zone);
    if (!zone)
        return sp_fail(err, SP_E_NOMEM, "time zone %s: no memory", name);
    if (length > SP_ZONE_MAX_BYTES)
        wrong = "too long";
    else if (!take_header(&r, &counts, &version))
        wrong = "no header of a TZif file";
    else if (version < '2')
        wrong = "TZif version 1: it ends in 2038";
    else if (!take(&r, &skipped, block_bytes(&counts, 4)) || !take_header(&r, &counts, &version))
        wrong = "no second header";
    else if (!take_block(zone, &r, &counts))
        wrong = "a transition or an offset is not possible";
    else if (!take_footer(zone, &r))
        wrong = "no last line";
    if (!wrong) {
        *ret_zone = zone;
        return SP_OK;
    }
    enum sp_status status = sp_fail(err, SP_E_FORMAT, "time zone %s: %s (offset %zu)", name, wrong, r.at);
    sp_zone_free(&zone);
    return status;
}

enum sp_status sp_zone_open(struct sp_zone **ret_zone, const char *name, struct sp_err *err)
{
    char path[sizeof DIRECTORY + SP_ZONE_NAME_MAX];
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (!sp_zone_name_ok(name))
        return sp_fail(err, SP_E_INVALID, "'%.47s' is not a name of a time zone, as Europe/Lisbon is", name);
    snprintf(path, sizeof path, "%s%s", DIRECTORY, name);
    enum sp_status status = sp_file_read(&bytes, &length, path, SP_ZONE_MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_zone_parse(ret_zone, name, bytes, length, err);
    free(bytes);
    return status;
}

void sp_zone_free(struct sp_zone **zone)
{
    if (!zone)
        return;
    free(*zone);
    *zone = NULL;
}

int32_t sp_zone_offset(const struct sp_zone *zone, int64_t utc_s)
{
    if (!zone)
        return 0;
    if (zone->count == 0 || utc_s >= zone->times[zone->count - 1]) {
        if (zone->has_rule)
            return sp_zone_rule_offset(&zone->rule, utc_s);
        return zone->offsets[zone->count > 0 ? zone->types[zone->count - 1] : 0];
    }
    if (utc_s < zone->times[0])
        return zone->offsets[0];
    int low = 0, high = zone->count - 1; /* times[low] <= utc_s < times[high] */
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (zone->times[middle] <= utc_s)
            low = middle;
        else
            high = middle;
    }
    return zone->offsets[zone->types[low]];
}

static int64_t to_utc(const struct sp_zone *zone, int64_t local_s)
{
    int32_t earlier = sp_zone_offset(zone, local_s - DAY), later = sp_zone_offset(zone, local_s + DAY);
    bool first = sp_zone_offset(zone, local_s - earlier) == earlier,
         second = sp_zone_offset(zone, local_s - later) == later;
    if (first && second) /* it comes twice: the first is meant */
        return local_s - (earlier > later ? earlier : later);
    return local_s - (second ? later : earlier); /* neither: it is jumped over */
}

/* Exactly `count` digits of text, -1 if they are not. */
static int digits(const char *text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

static bool take_date(int64_t *ret_days, const char *text)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = digits(text, 4);
    if (year < 1900 || year > 2400 || text[4] != '-')
        return false;
    int month = digits(text + 5, 2);
    if (month < 1 || month > 12 || text[7] != '-')
        return false;
    int day = digits(text + 8, 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > lengths[month - 1] || (month == 2 && day == 29 && !leap))
        return false;
    *ret_days = sp_zone_days(year, month, day);
    return true;
}

/* "Z", "-05:00", "+0530", "+01". */
static bool take_offset(int32_t *ret_s, const char *text)
{
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *ret_s = 0;
        return true;
    }
    if (*text != '+' && *text != '-')
        return false;
    const char *minutes = text + 3;
    int hour = digits(text + 1, 2), minute = 0;
    if (hour < 0)
        return false;
    if (*minutes == ':')
        minutes++;
    if (*minutes) {
        minute = digits(minutes, 2);
        if (minute < 0 || minutes[2])
            return false;
    } else if (minutes != text + 3) {
        return false;
    }
    if (hour > 15 || minute > 59)
        return false;
    *ret_s = (*text == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
    return true;
}

bool sp_zone_time(int64_t *ret_ms, const struct sp_zone *zone, const char *text)
{
    int64_t days;
    int32_t offset;
    if (!take_date(&days, text) || (text[10] != 'T' && text[10] != ' '))
        return false;
    int hour = digits(text + 11, 2), second = 0;
    if (hour < 0 || hour > 23 || text[13] != ':')
        return false;
    int minute = digits(text + 14, 2);
    if (minute < 0 || minute > 59)
        return false;
    text += 16;
    if (*text == ':') {
        second = digits(text + 1, 2);
        if (second < 0 || second > 59)
            return false;
        text += 3;
    }
    int64_t local = days * DAY + hour * 3600 + minute * 60 + second;
    if (!*text)
        *ret_ms = to_utc(zone, local) * 1000;
    else if (take_offset(&offset, text))
        *ret_ms = (local - offset) * 1000;
    else
        return false;
    return true;
}

bool sp_zone_day(int64_t *ret_first_ms, int64_t *ret_last_ms, const struct sp_zone *zone, const char *text)
{
    int64_t days;
    if (!take_date(&days, text) || text[10])
        return false;
    *ret_first_ms = to_utc(zone, days * DAY) * 1000;
    *ret_last_ms = to_utc(zone, (days + 1) * DAY) * 1000 - 1;
    return true;
}
