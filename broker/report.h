/* What the broker tells its operators: counts and gauges of the step as metrics, and what changed as log lines. */
#ifndef SALLYPORT_BROKER_REPORT_H
#define SALLYPORT_BROKER_REPORT_H

#include "broker/broker.h"
#include "common/log.h"
#include "common/metrics.h"

struct report;

/* Metrics and log stay the caller's. */
enum sp_status report_new(struct report **ret_report, struct sp_metrics *metrics, const struct sp_log *log,
                          struct sp_err *err);
void report_free(struct report **report);
/* Every few hundred milliseconds. refused_keys: of the ZAP handler; unsent: of the delivery; dropped: of the
 * sockets. */
void report_counts(struct report *report, const struct broker *broker, uint64_t refused_keys, uint64_t unsent,
                   uint64_t dropped);
/* At once, for every ANSWER with an age. */
void report_answer(struct report *report, uint64_t age_ns);
/* A log line about a peer, at most a few per second; what was left out is counted in the next one. */
void report_peer(struct report *report, uint64_t now_ns, enum sp_log_level level, const char *id, const char *peer,
                 const char *text);

#endif
