#include "common/metrics.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_METRICS = 512, BUCKET_COUNT = 16, NAME_MAX_LENGTH = 96, LABELS_MAX_LENGTH = 160 };

enum metric_kind { COUNTER, GAUGE, HISTOGRAM };

static const double bucket_bounds[BUCKET_COUNT] = {.001, .0025, .005, .01, .025, .05, .1, .2,
                                                   .3,   .5,    .75,  1,   1.5,  2,   3,  5};

struct sp_metric {
    enum metric_kind kind;
    char name[NAME_MAX_LENGTH];
    char labels[LABELS_MAX_LENGTH];
    const char *help;
    atomic_uint_fast64_t count; /* counter's value; histogram's number of observations */
    _Atomic double gauge;
    atomic_uint_fast64_t sum_ns;
    atomic_uint_fast64_t buckets[BUCKET_COUNT]; /* not cumulative; the text is */
};

struct sp_metrics {
    pthread_mutex_t lock; /* registration and listing only */
    int count;
    struct sp_metric rows[MAX_METRICS];
    struct sp_metric overflow;
};

enum sp_status sp_metrics_new(struct sp_metrics **ret_metrics, struct sp_err *err)
{
    struct sp_metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return sp_fail(err, SP_E_NOMEM, "no memory for the metrics");
    pthread_mutex_init(&metrics->lock, NULL);
    snprintf(metrics->overflow.name, NAME_MAX_LENGTH, "sallyport_metrics_overflow_total");
    metrics->overflow.help = "Updates of metrics beyond the registry's size";
    *ret_metrics = metrics;
    return SP_OK;
}

void sp_metrics_free(struct sp_metrics **metrics)
{
    if (!*metrics)
        return;
    pthread_mutex_destroy(&(*metrics)->lock);
    free(*metrics);
    *metrics = NULL;
}

static struct sp_metric *register_metric(struct sp_metrics *metrics, enum metric_kind kind, const char *name,
                                         const char *labels, const char *help)
{
    struct sp_metric *found = NULL;
    pthread_mutex_lock(&metrics->lock);
    for (int i = 0; i < metrics->count && !found; i++)
        if (strcmp(metrics->rows[i].name, name) == 0 && strcmp(metrics->rows[i].labels, labels) == 0)
            found = &metrics->rows[i];
    if (!found && metrics->count < MAX_METRICS && strlen(name) < NAME_MAX_LENGTH &&
        strlen(labels) < LABELS_MAX_LENGTH) {
        found = &metrics->rows[metrics->count++];
        found->kind = kind;
        found->help = help;
        strcpy(found->name, name);
        strcpy(found->labels, labels);
    }
    pthread_mutex_unlock(&metrics->lock);
    return found ? found : &metrics->overflow;
}

struct sp_metric *sp_metrics_counter(struct sp_metrics *metrics, const char *name, const char *labels,
                                     const char *help)
{
    return register_metric(metrics, COUNTER, name, labels, help);
}

struct sp_metric *sp_metrics_gauge(struct sp_metrics *metrics, const char *name, const char *labels,
                                   const char *help)
{
    return register_metric(metrics, GAUGE, name, labels, help);
}

struct sp_metric *sp_metrics_histogram(struct sp_metrics *metrics, const char *name, const char *labels,
                                       const char *help)
{
    return register_metric(metrics, HISTOGRAM, name, labels, help);
}

void sp_metric_add(struct sp_metric *metric, uint64_t amount)
{
    atomic_fetch_add_explicit(&metric->count, amount, memory_order_relaxed);
}

void sp_metric_set(struct sp_metric *metric, double value)
{
    atomic_store_explicit(&metric->gauge, value, memory_order_relaxed);
}

void sp_metric_observe(struct sp_metric *metric, double seconds)
{
    int bucket = 0;
    while (bucket < BUCKET_COUNT && seconds > bucket_bounds[bucket])
        bucket++;
    if (bucket < BUCKET_COUNT)
        atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->sum_ns, (uint_fast64_t)(seconds * 1e9), memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->count, 1, memory_order_relaxed);
}

uint64_t sp_metric_value(const struct sp_metric *metric)
{
    return atomic_load_explicit(&metric->count, memory_order_relaxed);
}

static void print_histogram(const struct sp_metric *metric, FILE *out)
{
    const char *comma = *metric->labels ? "," : "";
    uint64_t total = 0;
    for (int i = 0; i < BUCKET_COUNT; i++) {
        total += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        fprintf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", metric->name, metric->labels, comma, bucket_bounds[i],
                (unsigned long long)total);
    }
    unsigned long long count = sp_metric_value(metric);
    fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", metric->name, metric->labels, comma, count);
    fprintf(out, "%s_sum{%s} %.9f\n", metric->name, metric->labels,
            (double)atomic_load_explicit(&metric->sum_ns, memory_order_relaxed) / 1e9);
    fprintf(out, "%s_count{%s} %llu\n", metric->name, metric->labels, count);
}

static void print_metric(const struct sp_metric *metric, FILE *out)
{
    if (metric->kind == HISTOGRAM) {
        print_histogram(metric, out);
        return;
    }
    fprintf(out, *metric->labels ? "%s{%s}" : "%s", metric->name, metric->labels);
    if (metric->kind == COUNTER)
        fprintf(out, " %llu\n", (unsigned long long)sp_metric_value(metric));
    else
        fprintf(out, " %g\n", atomic_load_explicit(&metric->gauge, memory_order_relaxed));
}

/* The exposition format wants all lines of one name together, under one HELP and TYPE. */
static void print_family(const struct sp_metrics *metrics, int first, FILE *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const struct sp_metric *head = &metrics->rows[first];
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", head->name, head->help, head->name, kinds[head->kind]);
    for (int i = first; i < metrics->count; i++)
        if (strcmp(metrics->rows[i].name, head->name) == 0)
            print_metric(&metrics->rows[i], out);
}

static bool is_first_of_name(const struct sp_metrics *metrics, int index)
{
    for (int i = 0; i < index; i++)
        if (strcmp(metrics->rows[i].name, metrics->rows[index].name) == 0)
            return false;
    return true;
}

char *sp_metrics_text(struct sp_metrics *metrics)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    pthread_mutex_lock(&metrics->lock);
    for (int i = 0; i < metrics->count; i++)
        if (is_first_of_name(metrics, i))
            print_family(metrics, i, out);
    pthread_mutex_unlock(&metrics->lock);
    print_metric(&metrics->overflow, out);
    fclose(out);
    return text;
}
