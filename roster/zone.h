/* Time zones from the machine's tz database: what a port's local time is in UTC. No TZ environment, no global state: files are
 * TZif version 2 or later (RFC 8536), bounded, beyond their table the rule of their last line counts (POSIX TZ with Mm.w.d).
 *
 * A local time that the clock jumps over (spring) is taken with the offset before the jump; of one that comes twice (autumn) the
 * first is meant. */
#ifndef SALLYPORT_ROSTER_ZONE_H
#define SALLYPORT_ROSTER_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_ZONE_NAME_MAX  48 /* with NUL */
#define SP_ZONE_MAX_BYTES (64u << 10)

struct sp_zone;

/* "Europe/Lisbon": letters, digits, _ + - in parts divided by '/', no part empty, "." or "..". */
bool sp_zone_name_ok(const char *name);
/* Read from /usr/share/zoneinfo. SP_E_INVALID: no such name can be; SP_E_NOTFOUND: it is not there (package tzdata);
 * SP_E_FORMAT. Blocking. */
enum sp_status sp_zone_open(struct sp_zone **ret_zone, const char *name, struct sp_err *err);
/* The same from bytes; name is used in messages. */
enum sp_status sp_zone_parse(struct sp_zone **ret_zone, const char *name, const void *bytes, size_t length,
                             struct sp_err *err);
void sp_zone_free(struct sp_zone **zone); /* NULL is fine */

/* Seconds east of UTC at a UTC time (seconds since 1970). zone NULL: UTC. */
int32_t sp_zone_offset(const struct sp_zone *zone, int64_t utc_s);
/* "2026-12-04T18:20[:05]" local to the zone (NULL: UTC), or with an offset of its own ("-05:00", "+0530", "Z"), which wins, as UTC
 * milliseconds. False: it is not a time. */
bool sp_zone_time(int64_t *ret_ms, const struct sp_zone *zone, const char *text);
/* The first and the last millisecond of a day "2026-12-04" there. */
bool sp_zone_day(int64_t *ret_first_ms, int64_t *ret_last_ms, const struct sp_zone *zone, const char *text);

#endif
