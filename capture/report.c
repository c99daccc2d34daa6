#include "capture/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/uuid.h"

#define LATENCIES_MAX 100000 /* the first so many frames make the percentiles */

struct sp_report {
    FILE *out;
    bool json, colour, titled;
    struct sp_report_totals totals;
    double *latencies; /* ms */
    size_t latency_count;
};

enum sp_status sp_report_new(struct sp_report **ret_report, FILE *out, bool json, bool colour, struct sp_err *err)
{
    struct sp_report *r = calloc(1, sizeof *r);
    if (r)
        r->latencies = calloc(LATENCIES_MAX, sizeof *r->latencies);
    if (!r || !r->latencies) {
        free(r);
        return sp_fail(err, SP_E_NOMEM, "no memory for a report");
    }
    r->out = out;
    r->json = json;
    r->colour = colour && !json;
    *ret_report = r;
    return SP_OK;
}

void sp_report_free(struct sp_report **report)
{
    if (!report || !*report)
        return;
    free((*report)->latencies);
    free(*report);
    *report = NULL;
}

/* ---- JSON ---- */

static void put_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', out);
        if (*c < 0x20)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

static void put_hex(FILE *out, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fprintf(out, "%02x", ((const uint8_t *)bytes)[i]);
}

static void put_key(FILE *out, const char *key)
{
    fprintf(out, ",\"%s\":", key);
}

static void put_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    else
        fputs("null", out);
}

/* text or null */
static void put_word(FILE *out, const char *key, const char *text)
{
    put_key(out, key);
    if (text)
        put_string(out, text);
    else
        fputs("null", out);
}

static void put_candidate(FILE *out, const struct sp_answer_body *body)
{
    put_key(out, "candidate");
    if (!body || !body->has_candidate) {
        fputs("null,\"score\":null,\"margin\":null", out);
        return;
    }
    fputc('"', out);
    put_hex(out, body->candidate, sizeof body->candidate);
    fputs("\",\"score\":", out);
    put_number(out, body->score);
    fputs(",\"margin\":", out);
    put_number(out, body->margin);
}

static void put_timings(FILE *out, const struct sp_answer_body *body)
{
    put_key(out, "timings");
    if (!body) {
        fputs("null", out);
        return;
    }
    for (int i = 0; i < SP_TIMING_COUNT; i++)
        fprintf(out, "%s\"%s\":%u", i ? "," : "{", sp_timing_word(i), body->timings_us[i]);
    fputc('}', out);
}

static void put_versions(FILE *out, const struct sp_decision *d)
{
    put_key(out, "versions");
    if (!d) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"assignment\":%llu,\"galleries\":[", (unsigned long long)d->assignment);
    for (int i = 0; i < d->gallery_count; i++) {
        fprintf(out, "%s{\"manifest\":", i ? "," : "");
        put_string(out, d->galleries[i].manifest);
        fprintf(out, ",\"version\":%llu}", (unsigned long long)d->galleries[i].version);
    }
    fputs("],\"pack\":\"", out);
    put_hex(out, d->pack, sizeof d->pack);
    fputs("\",\"policy\":", out);
    put_string(out, d->policy);
    fputc('}', out);
}

/* The word in the column "reason": what a worker or broker said, or why this side does not believe it. */
static const char *reason_of(const struct sp_client_answer *a, const struct sp_decision *d)
{
    if (a->answer == SP_CLIENT_REFUSED)
        return sp_verdict_word((int)a->verdict);
    return sp_reason_word(d ? d->reason : a->reason);
}

static double latency_ms(const struct sp_encounter_line *line)
{
    uint64_t end = line->answer->answered_ns;
    return end > line->offered_ns ? (double)(end - line->offered_ns) / (double)SP_NS_PER_MS : 0.0;
}

static void put_json(FILE *out, const struct sp_encounter_line *line, const struct sp_decision *d)
{
    const struct sp_client_answer *a = line->answer;
    char id[SP_UUID_TEXT], traveller[2 * SP_PSEUDONYM_BYTES + 1];
    sp_uuid_format(id, a->encounter);
    fputs("{\"source\":", out);
    put_string(out, line->tag);
    put_word(out, "lane", a->lane);
    put_word(out, "encounter", id);
    put_word(out, "kind", a->kind == SP_MSG_CLOSE ? "close" : "frame");
    fprintf(out, ",\"seq\":%u", a->seq);
    if (d && d->face > 0)
        fprintf(out, ",\"face\":%u", d->face);
    put_word(out, "answer", sp_client_answer_word(a->answer));
    put_word(out, "outcome", d ? sp_outcome_word(d->outcome) : NULL);
    put_word(out, "reason", reason_of(a, d));
    if (d && d->has_traveller)
        sp_seal_to_hex(traveller, d->traveller, sizeof d->traveller);
    put_word(out, "traveller", d && d->has_traveller ? traveller : NULL);
    put_candidate(out, a->body);
    fprintf(out, ",\"latency_ms\":%.3f", latency_ms(line));
    put_timings(out, a->body);
    put_word(out, "manifest", d && d->has_traveller ? d->manifest : NULL);
    put_versions(out, d);
    fputs("}\n", out);
}

/* ---- for people ---- */

static const char *colour_of(const struct sp_client_answer *a, const struct sp_decision *d)
{
    if (d)
        return d->outcome == SP_OUTCOME_MATCH   ? "\033[32m"
               : d->outcome == SP_OUTCOME_REFER ? "\033[33m"
                                                : "\033[31m";
    return a->answer == SP_ANSWER_UNDECIDED || a->answer == SP_ANSWER_SUPERSEDED ? "" : "\033[1;31m";
}

/* The end of a path says more than its beginning. */
static const char *tail(const char *path, size_t width)
{
    size_t length = strlen(path);
    return length > width ? path + length - width : path;
}

static void put_human(struct sp_report *r, const struct sp_encounter_line *line, const struct sp_decision *d)
{
    const struct sp_client_answer *a = line->answer;
    char id[SP_UUID_TEXT], traveller[2 * SP_PSEUDONYM_BYTES + 1] = "", score[32] = "";
    const char *colour = r->colour ? colour_of(a, d) : "";
    sp_uuid_format(id, a->encounter);
    if (!r->titled)
        fprintf(r->out, "%-28s %-8s %-8s %3s %-5s %-10s %-8s %-18s %-9s %6s %9s\n", "source", "lane", "enc", "seq",
                "kind", "answer", "outcome", "reason", "traveller", "score", "ms");
    r->titled = true;
    if (d && d->has_traveller)
        sp_seal_to_hex(traveller, d->traveller, sizeof d->traveller);
    if (a->body && a->body->has_candidate)
        snprintf(score, sizeof score, "%.3f", a->body->score);
    fprintf(r->out, "%s%-28s %-8s %-8s %3u %-5s %-10s %-8s %-18s %-9.8s %6s %9.1f%s\n", colour, tail(line->tag, 28),
            a->lane, tail(id, 8), a->seq, a->kind == SP_MSG_CLOSE ? "close" : "frame",
            sp_client_answer_word(a->answer), d ? sp_outcome_word(d->outcome) : "-", reason_of(a, d), traveller,
            score, latency_ms(line), *colour ? "\033[0m" : "");
    if (a->text[0] && a->answer != SP_ANSWER_UNDECIDED)
        fprintf(r->out, "    %s\n", a->text);
}

/* ---- totals ---- */

static void tally(struct sp_report *r, const struct sp_encounter_line *line)
{
    const struct sp_client_answer *a = line->answer;
    struct sp_report_totals *t = &r->totals;
    *(a->kind == SP_MSG_CLOSE ? &t->closes : &t->frames) += 1;
    if (a->answer == SP_CLIENT_UNANSWERED)
        t->unanswered++;
    else if (a->answer == SP_CLIENT_REFUSED)
        t->refused++;
    else if (a->answer >= 0 && a->answer <= SP_ANSWER_ERROR)
        t->answers[a->answer]++;
    if (a->kind == SP_MSG_FRAME && a->body && r->latency_count < LATENCIES_MAX)
        r->latencies[r->latency_count++] = latency_ms(line);
}

void sp_report_line(struct sp_report *report, const struct sp_encounter_line *line)
{
    const struct sp_client_answer *a = line->answer;
    struct sp_report_totals *t = &report->totals;
    tally(report, line);
    for (int i = 0; line->final && i < a->decision_count; i++)
        *(a->decisions[i].outcome == SP_OUTCOME_MATCH      ? &t->match
          : a->decisions[i].outcome == SP_OUTCOME_NO_MATCH ? &t->no_match
                                                           : &t->refer) += 1;
    for (int i = 0; i < (a->decision_count > 0 ? a->decision_count : 1); i++) {
        const struct sp_decision *d = a->decision_count > 0 ? &a->decisions[i] : NULL;
        if (report->json)
            put_json(report->out, line, d);
        else
            put_human(report, line, d);
    }
    fflush(report->out);
}

void sp_report_encounter(struct sp_report *report, bool decided)
{
    report->totals.encounters++;
    report->totals.undecided += !decided;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct sp_report_totals sp_report_totals(const struct sp_report *report)
{
    struct sp_report_totals totals = report->totals;
    size_t n = report->latency_count;
    if (n > 0) {
        qsort(report->latencies, n, sizeof *report->latencies, by_value);
        totals.p50_ms = report->latencies[(n - 1) / 2];
        totals.p99_ms = report->latencies[(size_t)ceil((double)(n - 1) * 0.99)];
    }
    return totals;
}

void sp_report_summary(const struct sp_report *report, FILE *out)
{
    struct sp_report_totals t = sp_report_totals(report);
    fprintf(
        out,
        "sallyport-capture: %llu encounters, %llu match, %llu no_match, %llu refer, %llu without a decision; %llu "
        "frames, %llu superseded, %llu busy, %llu expired, %llu error, %llu unanswered, %llu refused; p50 %.1f ms, "
        "p99 %.1f ms\n",
        (unsigned long long)t.encounters, (unsigned long long)t.match, (unsigned long long)t.no_match,
        (unsigned long long)t.refer, (unsigned long long)t.undecided, (unsigned long long)t.frames,
        (unsigned long long)t.answers[SP_ANSWER_SUPERSEDED], (unsigned long long)t.answers[SP_ANSWER_BUSY],
        (unsigned long long)t.answers[SP_ANSWER_EXPIRED], (unsigned long long)t.answers[SP_ANSWER_ERROR],
        (unsigned long long)t.unanswered, (unsigned long long)t.refused, t.p50_ms, t.p99_ms);
}
