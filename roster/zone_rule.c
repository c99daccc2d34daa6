#include "roster/zone_rule.h"

#include <ctype.h>
#include <string.h>

#define DAY 86400

int64_t sp_zone_days(int64_t year, int month, int day)
{
    /* A year that begins in March has its leap day at the end; an era is 400 years. */
    int64_t of = month > 2 ? year : year - 1;
    int64_t era = (of >= 0 ? of : of - 399) / 400, in_era = of - era * 400;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static int64_t year_of(int64_t utc_s)
{
    int64_t days = utc_s / DAY - (utc_s % DAY < 0);
    int64_t year = 1970 + days / 366 - (days < 0 ? 2 : 0); /* at most a few too early or late */
    while (sp_zone_days(year + 1, 1, 1) <= days)
        year++;
    while (sp_zone_days(year, 1, 1) > days)
        year--;
    return year;
}

/* "EST" or "<-03>". */
static bool take_name(const char **text)
{
    const char *p = *text;
    size_t length;
    if (*p == '<') {
        length = strcspn(p, ">");
        if (!p[length])
            return false;
        *text = p + length + 1;
        return length >= 4;
    }
    for (length = 0; isalpha((unsigned char)p[length]); length++)
        ;
    *text = p + length;
    return length >= 3;
}

static bool take_number(const char **text, int max, int *ret)
{
    int value = 0, count = 0;
    for (; isdigit((unsigned char)**text) && count < 4; count++, (*text)++)
        value = 10 * value + (**text - '0');
    *ret = value;
    return count > 0 && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **text, int max_hours, int32_t *ret_s)
{
    int part[3] = {0, 0, 0}, sign = **text == '-' ? -1 : 1;
    if (**text == '-' || **text == '+')
        (*text)++;
    if (!take_number(text, max_hours, &part[0]))
        return false;
    for (int i = 1; i < 3 && **text == ':'; i++) {
        (*text)++;
        if (!take_number(text, 59, &part[i]))
            return false;
    }
    *ret_s = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

/* ",M3.2.0/2" */
static bool take_change(const char **text, struct sp_zone_change *ret)
{
    if (**text != ',' || (*text)[1] != 'M')
        return false;
    *text += 2;
    if (!take_number(text, 12, &ret->month) || ret->month < 1 || *(*text)++ != '.')
        return false;
    if (!take_number(text, 5, &ret->week) || ret->week < 1 || *(*text)++ != '.')
        return false;
    if (!take_number(text, 6, &ret->weekday))
        return false;
    ret->time_s = 2 * 3600;
    if (**text != '/')
        return true;
    (*text)++;
    return take_time(text, 167, &ret->time_s);
}

bool sp_zone_rule_parse(struct sp_zone_rule *ret_rule, const char *text)
{
    struct sp_zone_rule rule = {0};
    int32_t west;
    if (!take_name(&text) || !take_time(&text, 24, &west))
        return false;
    rule.standard_s = -west;
    rule.has_summer = *text != 0;
    if (rule.has_summer) {
        if (!take_name(&text))
            return false;
        rule.summer_s = rule.standard_s + 3600;
        if (*text && *text != ',') {
            if (!take_time(&text, 24, &west))
                return false;
            rule.summer_s = -west;
        }
        if (!take_change(&text, &rule.begins) || !take_change(&text, &rule.ends) || *text)
            return false;
    }
    *ret_rule = rule;
    return true;
}

/* When a change happens in a year, by the clock that stood before it. */
static int64_t change_s(const struct sp_zone_change *change, int64_t year, int32_t offset_s)
{
    int64_t first = sp_zone_days(year, change->month, 1);
    int64_t next = change->month == 12 ? sp_zone_days(year + 1, 1, 1) : sp_zone_days(year, change->month + 1, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + (change->weekday - weekday + 7) % 7 + 7 * (change->week - 1);
    while (day >= next) /* week 5 is the last one */
        day -= 7;
    return day * DAY + change->time_s - offset_s;
}

int32_t sp_zone_rule_offset(const struct sp_zone_rule *rule, int64_t utc_s)
{
    if (!rule->has_summer)
        return rule->standard_s;
    int64_t year = year_of(utc_s + rule->standard_s);
    int64_t begins = change_s(&rule->begins, year, rule->standard_s);
    int64_t ends = change_s(&rule->ends, year, rule->summer_s);
    bool summer = begins < ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
    return summer ? rule->summer_s : rule->standard_s;
}
