#include "common/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_DAY  86400000ll
#define YEAR_MAX_MS 253402300799999ll /* 9999-12-31T23:59:59.999Z */

uint64_t sp_clock_mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int64_t sp_clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Days since 1970-01-01 of a Gregorian date, counted in years that begin in March so that the leap day comes last.
 */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

void sp_clock_format(char *ret_text, int64_t wall_ms)
{
    /* Only four-digit years from 1970 have this form; anything else is a defect elsewhere and shown at the edge. */
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > YEAR_MAX_MS ? YEAR_MAX_MS : wall_ms;
    int64_t seconds = ms / 1000;
    struct tm parts;
    time_t at = (time_t)seconds;
    gmtime_r(&at, &parts);
    char text[64];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(ms % 1000));
    memcpy(ret_text, text, 24);
    ret_text[24] = 0;
}

/* Exactly `count` digits at *text, which is moved past them. */
static bool take_digits(const char **text, int count, int min, int max, int *ret)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        value = value * 10 + (**text - '0');
    }
    *ret = value;
    return value >= min && value <= max;
}

static bool take_char(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    (*text)++;
    return true;
}

/* [.digits] as milliseconds; digits past the third are cut off. */
static bool take_fraction(const char **text, int *ret_ms)
{
    *ret_ms = 0;
    if (!take_char(text, '.'))
        return true;
    int digits = 0;
    for (int weight = 100; **text >= '0' && **text <= '9'; (*text)++, digits++, weight /= 10)
        *ret_ms += weight * (**text - '0');
    return digits >= 1 && digits <= 9;
}

static bool take_zone(const char **text, int *ret_minutes)
{
    *ret_minutes = 0;
    if (take_char(text, 'Z'))
        return true;
    int sign = **text == '-' ? -1 : 1;
    int hours, minutes;
    if (!take_char(text, '+') && !take_char(text, '-'))
        return false;
    if (!take_digits(text, 2, 0, 14, &hours) || !take_char(text, ':') || !take_digits(text, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

int sp_clock_parse(const char *text, int64_t *ret_wall_ms)
{
    int year, month, day, hour, minute, zone, second = 0, ms = 0;
    if (!take_digits(&text, 4, 1970, 9999, &year) || !take_char(&text, '-') ||
        !take_digits(&text, 2, 1, 12, &month) || !take_char(&text, '-') ||
        !take_digits(&text, 2, 1, days_in_month(year, month), &day) || !take_char(&text, 'T') ||
        !take_digits(&text, 2, 0, 23, &hour) || !take_char(&text, ':') || !take_digits(&text, 2, 0, 59, &minute))
        return -1;
    if (take_char(&text, ':') && (!take_digits(&text, 2, 0, 59, &second) || !take_fraction(&text, &ms)))
        return -1;
    if (!take_zone(&text, &zone) || *text)
        return -1;
    int64_t seconds = (hour * 60 + minute - zone) * 60 + second;
    *ret_wall_ms = days_of(year, month, day) * MS_PER_DAY + seconds * 1000 + ms;
    return 0;
}
