/* How sallyport-capture tells what it heard: one line per answer, for programs (JSON) or for people, and what the run
 * amounts to. */
#ifndef SALLYPORT_CAPTURE_REPORT_H
#define SALLYPORT_CAPTURE_REPORT_H

#include <stdio.h>
#include "capture/encounter.h"

struct sp_report;

struct sp_report_totals {
    uint64_t encounters, match, no_match, refer, undecided; /* undecided: ended without a verified decision */
    uint64_t frames, closes;
    uint64_t answers[SP_ANSWER_ERROR + 1]; /* of frames and closes, by enum sp_answer */
    uint64_t unanswered, refused;
    double p50_ms, p99_ms;                 /* of frames that were looked at; 0 without any */
};

/* Lines go to `out` (borrowed), flushed one by one. colour: with terminal escapes; only without json. */
enum sp_status sp_report_new(struct sp_report **ret_report, FILE *out, bool json, bool colour, struct sp_err *err);
void sp_report_free(struct sp_report **report);
/* One answer; line->tag is the image's path (const char *). An answer about several faces gives a line for each. */
void sp_report_line(struct sp_report *report, const struct sp_encounter_line *line);
/* An encounter is over. */
void sp_report_encounter(struct sp_report *report, bool decided);
struct sp_report_totals sp_report_totals(const struct sp_report *report);
/* The summary, one sentence. */
void sp_report_summary(const struct sp_report *report, FILE *out);

#endif
