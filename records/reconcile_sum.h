/* Reports of several journeys together: capture and error rates per lane and hour over a day. */
#ifndef SALLYPORT_RECORDS_RECONCILE_SUM_H
#define SALLYPORT_RECORDS_RECONCILE_SUM_H

#include "records/reconcile.h"

#define SP_RECONCILE_MAX_HOURS 1000

struct sp_reconcile_sum {
    int journeys, closed_out; /* closed_out: of them; only these count in capture and fnir */
    int boarded, confirmed_of_boarded, missed, without_portrait;
    struct sp_reconcile_group all;
    int lane_count, hour_count, departure_count;
    struct sp_reconcile_group *lanes;      /* owned; by name */
    struct sp_reconcile_group *hours;      /* owned; by time of the decisions */
    struct sp_reconcile_group *departures; /* owned; whole journeys, by the hour of their departure */
};

/* Zero-initialise the sum first. departs_ms: UTC, 0 if it is not known. SP_E_LIMIT: more than
 * SP_RECONCILE_MAX_LANES or _HOURS. */
enum sp_status sp_reconcile_sum_add(struct sp_reconcile_sum *sum, const struct sp_reconcile_report *report,
                                    int64_t departs_ms, struct sp_err *err);
/* After the last one: order and rates. */
void sp_reconcile_sum_finish(struct sp_reconcile_sum *sum);
void sp_reconcile_sum_clear(struct sp_reconcile_sum *sum);

#endif
