#include "listing/edifact_date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct day {
    int year, month, day;
};

static int days_of(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* now_ms as a day of the calendar; years are kept within 1..9999. */
static struct day today(int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm = {0};
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < 1 - 1900 || tm.tm_year > 9999 - 1900)
        return (struct day){1970, 1, 1};
    return (struct day){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday};
}

static int number(const char *digits, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++)
        value = 10 * value + digits[i] - '0';
    return value;
}

static bool after(struct day left, struct day right)
{
    if (left.year != right.year)
        return left.year > right.year;
    return left.month != right.month ? left.month > right.month : left.day > right.day;
}

static void set_century(struct day *day, enum sp_edifact_century century, struct day now)
{
    day->year += now.year / 100 * 100;
    if (century == SP_CENTURY_PAST && after(*day, now))
        day->year -= 100;
    if (century == SP_CENTURY_NEAR && day->year > now.year + 49)
        day->year -= 100;
    if (century == SP_CENTURY_NEAR && day->year < now.year - 50)
        day->year += 100;
}

enum sp_edifact_date_quality sp_edifact_date_read(struct sp_edifact_date *ret_date, struct sp_edifact_view value,
                                                  struct sp_edifact_view format, enum sp_edifact_century century,
                                                  int64_t now_ms)
{
    static const struct {
        const char *code;
        size_t length;
    } formats[] = {{"101", 6}, {"102", 8}, {"201", 10}, {"203", 12}};
    bool fits = format.length == 0 && (value.length == 6 || value.length == 10);
    if (value.length != 6 && value.length != 8 && value.length != 10 && value.length != 12)
        return SP_EDIFACT_DATE_NONE;
    for (size_t i = 0; i < value.length; i++)
        if (value.text[i] < '0' || value.text[i] > '9')
            return SP_EDIFACT_DATE_NONE;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        fits = fits || (value.length == formats[i].length && sp_edifact_is(format, formats[i].code));

    bool full_year = value.length == 8 || value.length == 12, timed = value.length >= 10;
    const char *p = value.text + (full_year ? 4 : 2);
    struct day day = {number(value.text, full_year ? 4 : 2), number(p, 2), number(p + 2, 2)};
    if (day.month < 1 || day.month > 12)
        return SP_EDIFACT_DATE_NONE;
    if (!full_year)
        set_century(&day, century, today(now_ms));
    int hour = timed ? number(p + 4, 2) : 0, minute = timed ? number(p + 6, 2) : 0;
    if (day.year < 1 || day.year > 9999 || day.day < 1 || day.day > days_of(day.year, day.month) || hour > 23 ||
        minute > 59)
        return SP_EDIFACT_DATE_NONE;
    snprintf(ret_date->date, sizeof ret_date->date, "%04u-%02u-%02u", (unsigned)day.year % 10000,
             (unsigned)day.month % 100, (unsigned)day.day % 100);
    ret_date->time[0] = 0;
    if (timed)
        snprintf(ret_date->time, sizeof ret_date->time, "%02u:%02u", (unsigned)hour % 100, (unsigned)minute % 100);
    return fits ? SP_EDIFACT_DATE_GOOD : SP_EDIFACT_DATE_GUESSED;
}
