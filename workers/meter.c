#include "workers/meter.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/decision.h"
#include "common/metrics.h"
#include "gpu/engine.h"

struct sp_meter {
    struct sp_metrics *metrics;
    struct sp_health *health;
    struct sp_metric *device[SP_WORK_COUNT];
    _Atomic uint64_t device_us[SP_WORK_COUNT]; /* counted so far */
    struct sp_metric *stages[SP_TIMING_COUNT], *ledger, *batches, *rows, *hot, *abandoned, *away;
};

enum sp_status sp_meter_new(struct sp_meter **ret_meter, const char *address, bool (*ready)(void *context),
                            void *context, struct sp_err *err)
{
    static const char name[] = "sallyport_stage_duration_seconds",
                      help[] = "time a job spent in one stage, shared by its batch";
    struct sp_meter *meter = calloc(1, sizeof *meter);
    if (!meter)
        return sp_fail(err, SP_E_NOMEM, "metrics: out of memory");
    enum sp_status status = sp_metrics_new(&meter->metrics, err);
    if (status == SP_OK)
        status = sp_health_new(&meter->health, meter->metrics, address, ready, context, err);
    if (status != SP_OK) {
        sp_meter_free(&meter);
        return status;
    }
    struct sp_metrics *metrics = meter->metrics;
    for (int i = 0; i < SP_TIMING_COUNT; i++) {
        char labels[48];
        snprintf(labels, sizeof labels, "stage=\"%s\"", sp_timing_word(i));
        meter->stages[i] = sp_metrics_histogram(metrics, name, labels, help);
    }
    for (int i = 0; i < SP_WORK_COUNT; i++) {
        char labels[48];
        snprintf(labels, sizeof labels, "work=\"%s\"", sp_engine_work_word(i));
        meter->device[i] = sp_metrics_counter(metrics, "sallyport_device_microseconds_total", labels,
                                              "time of the device's own clock; 0 without one");
    }
    meter->ledger = sp_metrics_histogram(metrics, name, "stage=\"ledger\"", help);
    meter->batches = sp_metrics_counter(metrics, "sallyport_batches_total", "", "batches analysed");
    meter->rows = sp_metrics_counter(metrics, "sallyport_batch_rows_total", "", "images in those batches");
    meter->hot = sp_metrics_gauge(metrics, "sallyport_galleries_hot", "", "galleries in memory");
    meter->abandoned =
        sp_metrics_counter(metrics, "sallyport_encounters_abandoned_total", "", "encounters closed by the sweep");
    meter->away = sp_metrics_counter(metrics, "sallyport_ledger_away_total", "", "times the ledger did not answer");
    *ret_meter = meter;
    return SP_OK;
}

void sp_meter_free(struct sp_meter **meter)
{
    if (!meter || !*meter)
        return;
    sp_health_free(&(*meter)->health);
    sp_metrics_free(&(*meter)->metrics);
    free(*meter);
    *meter = NULL;
}

void sp_meter_hush(struct sp_meter *meter)
{
    if (meter)
        sp_health_free(&meter->health);
}

void sp_meter_answer(struct sp_meter *meter, int answer, int reason, const uint32_t *timings_us)
{
    char labels[96];
    snprintf(labels, sizeof labels, "answer=\"%s\",reason=\"%s\"", sp_answer_word(answer), sp_reason_word(reason));
    sp_metric_add(sp_metrics_counter(meter->metrics, "sallyport_answers_total", labels,
                                     "jobs answered, by answer and reason"),
                  1);
    for (int i = 0; i < SP_TIMING_COUNT; i++)
        if (timings_us[i])
            sp_metric_observe(meter->stages[i], timings_us[i] * 1e-6);
}

void sp_meter_batch(struct sp_meter *meter, int rows)
{
    sp_metric_add(meter->batches, 1);
    sp_metric_add(meter->rows, (uint64_t)rows);
}

void sp_meter_device(struct sp_meter *meter, const uint64_t *total_us)
{
    for (int i = 0; i < SP_WORK_COUNT; i++) {
        uint64_t counted = atomic_load(&meter->device_us[i]);
        while (total_us[i] > counted && !atomic_compare_exchange_weak(&meter->device_us[i], &counted, total_us[i]))
            continue;
        if (total_us[i] > counted)
            sp_metric_add(meter->device[i], total_us[i] - counted);
    }
}

void sp_meter_ledger(struct sp_meter *meter, double seconds)
{
    sp_metric_observe(meter->ledger, seconds);
}

void sp_meter_ledger_away(struct sp_meter *meter)
{
    sp_metric_add(meter->away, 1);
}

void sp_meter_hot(struct sp_meter *meter, int galleries)
{
    sp_metric_set(meter->hot, galleries);
}

void sp_meter_abandoned(struct sp_meter *meter, int encounters)
{
    sp_metric_add(meter->abandoned, (uint64_t)encounters);
}
