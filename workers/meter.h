/* Meter: the worker's metrics and its health endpoint, by what happened rather than by name. All updates are
 * lock-free and thread-safe. (A file of its own also because common/metrics.h and gpu/gallery.h both have an
 * sp_metric.) */
#ifndef SALLYPORT_WORKERS_METER_H
#define SALLYPORT_WORKERS_METER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/status.h"

struct sp_meter;

/* address: of /metrics, /livez and /readyz; "": off. ready is called from the endpoint's thread. */
enum sp_status sp_meter_new(struct sp_meter **ret_meter, const char *address, bool (*ready)(void *context),
                            void *context, struct sp_err *err);
void sp_meter_free(struct sp_meter **meter);
/* End the endpoint, so that `ready` is not called any more; the updates stay allowed. NULL is fine. */
void sp_meter_hush(struct sp_meter *meter);

/* One answered job and its SP_TIMING_COUNT stage times. */
void sp_meter_answer(struct sp_meter *meter, int answer, int reason, const uint32_t *timings_us);
/* One analysed batch of so many images. */
void sp_meter_batch(struct sp_meter *meter, int rows);
/* One round of the journal. */
void sp_meter_ledger(struct sp_meter *meter, double seconds);
void sp_meter_ledger_away(struct sp_meter *meter);
void sp_meter_hot(struct sp_meter *meter, int galleries);
/* The device's microseconds so far, [SP_WORK_COUNT] as sp_engine_spent; by whoever has just used it. */
void sp_meter_device(struct sp_meter *meter, const uint64_t *total_us);
void sp_meter_abandoned(struct sp_meter *meter, int encounters);

#endif
