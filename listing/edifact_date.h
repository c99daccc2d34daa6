/* Dates of UN/EDIFACT (DTM, format codes of data element 2379) as ISO 8601 text. */
#ifndef SALLYPORT_LISTING_EDIFACT_DATE_H
#define SALLYPORT_LISTING_EDIFACT_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "listing/edifact.h"

/* Which century a year of two digits means. */
enum sp_edifact_century {
    SP_CENTURY_PAST, /* the last one that does not lie after today: births, issues */
    SP_CENTURY_NEAR, /* from 50 years before this year to 49 after it: expiry, journeys */
};

enum sp_edifact_date_quality {
    SP_EDIFACT_DATE_GOOD,
    SP_EDIFACT_DATE_GUESSED, /* read by its length: the format code is missing, unknown or does not fit */
    SP_EDIFACT_DATE_NONE     /* no date of the calendar; nothing was written */
};

struct sp_edifact_date {
    char date[11]; /* "yyyy-mm-dd" */
    char time[6];  /* "hh:mm", "" without one */
};

struct sp_edifact_day {
    int year, month, day;
};

/* The day of a wall clock (UTC). */
struct sp_edifact_day sp_edifact_date_day(int64_t wall_ms);
/* Reads `value` by its format code (101 YYMMDD, 102 CCYYMMDD, 201 YYMMDDHHMM, 203 CCYYMMDDHHMM; empty: 101 or 201
 * by length). */
enum sp_edifact_date_quality sp_edifact_date_read(struct sp_edifact_date *ret_date, struct sp_edifact_view value,
                                                  struct sp_edifact_view format, enum sp_edifact_century century,
                                                  struct sp_edifact_day today);

#endif
