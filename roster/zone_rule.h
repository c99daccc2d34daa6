/* The rule at the end of a TZif file: a POSIX TZ text as "EST5EDT,M3.2.0,M11.1.0". Of zone.c. */
#ifndef SALLYPORT_ROSTER_ZONE_RULE_H
#define SALLYPORT_ROSTER_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#define SP_ZONE_RULE_MAX 128

/* The nth (5: last) weekday of a month, and seconds from its local midnight (-167 to 167 hours). */
struct sp_zone_change {
    int month, week, weekday;
    int32_t time_s;
};

struct sp_zone_rule {
    int32_t standard_s, summer_s; /* east of UTC */
    bool has_summer;
    struct sp_zone_change begins, ends;
};

/* False: it is not of that form. */
bool sp_zone_rule_parse(struct sp_zone_rule *ret_rule, const char *text);
int32_t sp_zone_rule_offset(const struct sp_zone_rule *rule, int64_t utc_s);
/* Days since 1970-01-01 of a date of the Gregorian calendar. */
int64_t sp_zone_days(int64_t year, int month, int day);

#endif
