#include "listing/edifact_date.h"

#include <string.h>
#include <time.h>

static int days_of(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

struct sp_edifact_day sp_edifact_date_day(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < 1 - 1900 || tm.tm_year > 9999 - 1900)
        return (struct sp_edifact_day){1970, 1, 1};
    return (struct sp_edifact_day){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday};
}

static int number(const char *digits, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++)
        value = 10 * value + digits[i] - '0';
    return value;
}

/* `count` digits and what stands after them. */
static void put_digits(char *ret_text, int value, int count, char after)
{
    ret_text[count] = after;
    for (; count > 0; value /= 10)
        ret_text[--count] = (char)('0' + value % 10);
}

static bool later(struct sp_edifact_day left, struct sp_edifact_day right)
{
    if (left.year != right.year)
        return left.year > right.year;
    return left.month != right.month ? left.month > right.month : left.day > right.day;
}

static void set_century(struct sp_edifact_day *day, enum sp_edifact_century century, struct sp_edifact_day now)
{
    day->year += now.year / 100 * 100;
    if (century == SP_CENTURY_PAST && later(*day, now))
        day->year -= 100;
    if (century == SP_CENTURY_NEAR && day->year > now.year + 49)
        day->year -= 100;
    if (century == SP_CENTURY_NEAR && day->year < now.year - 50)
        day->year += 100;
}

enum sp_edifact_date_quality sp_edifact_date_read(struct sp_edifact_date *ret_date, struct sp_edifact_view value,
                                                  struct sp_edifact_view format, enum sp_edifact_century century,
                                                  struct sp_edifact_day today)
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
    struct sp_edifact_day day = {number(value.text, full_year ? 4 : 2), number(p, 2), number(p + 2, 2)};
    if (day.month < 1 || day.month > 12)
        return SP_EDIFACT_DATE_NONE;
    if (!full_year)
        set_century(&day, century, today);
    int hour = timed ? number(p + 4, 2) : 0, minute = timed ? number(p + 6, 2) : 0;
    if (day.year < 1 || day.year > 9999 || day.day < 1 || day.day > days_of(day.year, day.month) || hour > 23 ||
        minute > 59)
        return SP_EDIFACT_DATE_NONE;
    put_digits(ret_date->date, day.year, 4, '-');
    put_digits(ret_date->date + 5, day.month, 2, '-');
    put_digits(ret_date->date + 8, day.day, 2, 0);
    ret_date->time[0] = 0;
    if (timed) {
        put_digits(ret_date->time, hour, 2, ':');
        put_digits(ret_date->time + 3, minute, 2, 0);
    }
    return fits ? SP_EDIFACT_DATE_GOOD : SP_EDIFACT_DATE_GUESSED;
}
