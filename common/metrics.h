/* Counters, gauges and histograms with the Prometheus text format, and the HTTP endpoint that serves /metrics, /livez
 * and /readyz on loopback. Registration happens at start; updates are lock-free and thread-safe. */
#ifndef SALLYPORT_COMMON_METRICS_H
#define SALLYPORT_COMMON_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/status.h"

struct sp_metrics;
struct sp_metric;

enum sp_status sp_metrics_new(struct sp_metrics **ret_metrics, struct sp_err *err);
void sp_metrics_free(struct sp_metrics **metrics);

/* name: "sallyport_frames_total"; labels: "reason=\"busy\"" or "". The same (name, labels) gives the same metric.
 * Never NULL: a full registry (512) returns a shared overflow metric that is itself counted. */
struct sp_metric *sp_metrics_counter(struct sp_metrics *metrics, const char *name, const char *labels,
                                     const char *help);
struct sp_metric *sp_metrics_gauge(struct sp_metrics *metrics, const char *name, const char *labels,
                                   const char *help);
/* Seconds, buckets .001 .0025 .005 .01 .025 .05 .1 .2 .3 .5 .75 1 1.5 2 3 5. */
struct sp_metric *sp_metrics_histogram(struct sp_metrics *metrics, const char *name, const char *labels,
                                       const char *help);
void sp_metric_add(struct sp_metric *metric, uint64_t amount);
void sp_metric_set(struct sp_metric *metric, double value);
void sp_metric_observe(struct sp_metric *metric, double seconds);
uint64_t sp_metric_value(const struct sp_metric *metric); /* counters; for tests */

/* The text exposition; caller frees. */
char *sp_metrics_text(struct sp_metrics *metrics);

/* Serve on address "127.0.0.1:9464" ("" = off). ready() is called from the server's thread. */
struct sp_health;
enum sp_status sp_health_new(struct sp_health **ret_health, struct sp_metrics *metrics, const char *address,
                             bool (*ready)(void *context), void *context, struct sp_err *err);
void sp_health_free(struct sp_health **health);

#endif
