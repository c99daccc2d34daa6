#include "broker/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_PER_SECOND 10
#define SECOND_NS        1000000000ull

struct report {
    struct sp_metrics *metrics;
    const struct sp_log *log;
    struct sp_metric *answer_seconds;
    struct broker_counts last; /* as told */
    uint64_t last_refused_keys, last_unsent, last_dropped;
    uint64_t second; /* the one that `lines` counts */
    int lines;
    uint64_t left_out;
};

static void add(struct report *report, const char *name, const char *labels, const char *help, uint64_t *last,
                uint64_t now)
{
    sp_metric_add(sp_metrics_counter(report->metrics, name, labels, help), now - *last);
    *last = now;
}

enum sp_status report_new(struct report **ret_report, struct sp_metrics *metrics, const struct sp_log *log,
                          struct sp_err *err)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report)
        return sp_fail(err, SP_E_NOMEM, "no memory for the broker's counts");
    report->metrics = metrics;
    report->log = log;
    report->answer_seconds = sp_metrics_histogram(metrics, "sallyport_broker_answer_seconds", "",
                                                  "from the receipt of a message to its answer");
    *ret_report = report;
    return SP_OK;
}

void report_free(struct report **report)
{
    free(*report);
    *report = NULL;
}

static void add_answers(struct report *report, const struct broker_counts *counts)
{
    char labels[96];
    for (int answer = 1; answer < 7; answer++)
        for (int reason = 0; reason <= SP_REASON_MAX; reason++) {
            uint64_t *last = &report->last.answers[answer][reason];
            if (counts->answers[answer][reason] == *last)
                continue;
            snprintf(labels, sizeof labels, "answer=\"%s\",reason=\"%s\"", sp_answer_word(answer),
                     sp_reason_word(reason));
            add(report, "sallyport_answers_total", labels, "answers to clients", last,
                counts->answers[answer][reason]);
        }
    for (int reason = 0; reason <= SP_REASON_MAX; reason++) {
        if (counts->refused[reason] == report->last.refused[reason])
            continue;
        snprintf(labels, sizeof labels, "reason=\"%s\"", sp_reason_word(reason));
        add(report, "sallyport_refused_total", labels, "messages refused", &report->last.refused[reason],
            counts->refused[reason]);
    }
}

static void add_totals(struct report *report, const struct broker_counts *counts)
{
    struct broker_counts *last = &report->last;
    add(report, "sallyport_messages_received_total", "side=\"front\"", "messages received", &last->received[0],
        counts->received[0]);
    add(report, "sallyport_messages_received_total", "side=\"back\"", "messages received", &last->received[1],
        counts->received[1]);
    add(report, "sallyport_frames_received_total", "", "FRAMEs received", &last->frames, counts->frames);
    add(report, "sallyport_closes_received_total", "", "CLOSEs received", &last->closes, counts->closes);
    add(report, "sallyport_enrols_received_total", "", "ENROLs received", &last->enrols, counts->enrols);
    add(report, "sallyport_reviews_received_total", "", "REVIEWs received", &last->reviews, counts->reviews);
    add(report, "sallyport_asks_received_total", "", "ASKs received", &last->asks, counts->asks);
    add(report, "sallyport_wants_received_total", "", "WANTs received", &last->wants, counts->wants);
    add(report, "sallyport_wants_refused_total", "", "WANTs there was no room for", &last->wants_dropped,
        counts->wants_dropped);
    add(report, "sallyport_jobs_sent_total", "", "jobs given to workers", &last->sent, counts->sent);
    add(report, "sallyport_jobs_joined_total", "", "messages whose job was in hand already", &last->joined,
        counts->joined);
    add(report, "sallyport_late_results_total", "", "results nobody waited for", &last->late, counts->late);
    add(report, "sallyport_stuck_jobs_total", "", "jobs a live worker never answered", &last->stuck, counts->stuck);
    add(report, "sallyport_orphaned_answers_total", "", "answers whose client was gone", &last->orphaned,
        counts->orphaned);
    add(report, "sallyport_replaced_sessions_total", "", "sessions ended by a newer one of the same key and lane",
        &last->replaced_sessions, counts->replaced_sessions);
}

/* Counts that an operator should also read about. */
static void add_and_log(struct report *report, const char *id, const char *name, const char *help, uint64_t *last,
                        uint64_t now)
{
    if (now != *last)
        sp_log(report->log, SP_LOG_WARN, id, "%llu %s", (unsigned long long)(now - *last), help);
    add(report, name, "", help, last, now);
}

static void set_gauges(struct report *report, const struct broker *broker)
{
    static const char *const classes[] = {"class=\"gate\"", "class=\"lane\"", "class=\"enrol\"", "class=\"bulk\""};
    struct broker_gauges gauges;
    broker_gauges(broker, &gauges);
    struct sp_metrics *metrics = report->metrics;
    for (int i = 0; i < SP_CLASS_COUNT; i++)
        sp_metric_set(sp_metrics_gauge(metrics, "sallyport_queue_depth", classes[i], "waiting jobs"),
                      gauges.queued[i]);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_jobs_inflight", "", "jobs at workers"), gauges.sent);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_jobs_given_up", "", "answered, but still at a worker"),
                  gauges.given_up);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_clients", "", "sessions"), gauges.clients);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_workers", "", "workers"), gauges.workers);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_credit", "", "jobs the workers take"),
                  (double)gauges.credit);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_credit_used", "", "jobs the workers hold"),
                  (double)gauges.credit_used);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_held_bytes", "", "payloads of jobs in hand"),
                  (double)gauges.held_bytes);
}

void report_counts(struct report *report, const struct broker *broker, uint64_t refused_keys, uint64_t unsent,
                   uint64_t dropped)
{
    const struct broker_counts *counts = broker_counts(broker);
    struct broker_counts *last = &report->last;
    add_answers(report, counts);
    add_totals(report, counts);
    add_and_log(report, "BRK-REDELIVER", "sallyport_redeliveries_total", "jobs given to another worker",
                &last->redelivered, counts->redelivered);
    add_and_log(report, "BRK-SILENT", "sallyport_silent_workers_total", "workers were silent too long",
                &last->silent_workers, counts->silent_workers);
    add_and_log(report, "BRK-SILENT", "sallyport_silent_clients_total", "clients were silent too long",
                &last->silent_clients, counts->silent_clients);
    add_and_log(report, "BRK-REPLACED", "sallyport_replaced_workers_total", "workers came back, or are there twice",
                &last->replaced_workers, counts->replaced_workers);
    add_and_log(report, "BRK-KEY", "sallyport_refused_keys_total", "connections with an unknown key",
                &report->last_refused_keys, refused_keys);
    add_and_log(report, "BRK-UNSENT", "sallyport_unsent_messages_total", "messages to connections that are gone",
                &report->last_unsent, unsent);
    add_and_log(report, "BRK-ROUTE", "sallyport_strange_routes_total", "messages with a routing id of their own",
                &report->last_dropped, dropped);
    set_gauges(report, broker);
}

void report_answer(struct report *report, uint64_t age_ns)
{
    sp_metric_observe(report->answer_seconds, (double)age_ns / 1e9);
}

void report_peer(struct report *report, uint64_t now_ns, enum sp_log_level level, const char *id, const char *peer,
                 const char *text)
{
    if (now_ns / SECOND_NS != report->second) {
        if (report->left_out)
            sp_log(report->log, SP_LOG_WARN, "BRK-QUIET", "%llu more lines about peers were left out",
                   (unsigned long long)report->left_out);
        report->second = now_ns / SECOND_NS;
        report->lines = 0;
        report->left_out = 0;
    }
    if (++report->lines > LINES_PER_SECOND)
        report->left_out++;
    else
        sp_log(report->log, level, id, "%s: %s", peer, text);
}
