/* Answers: what a job goes back with. Every job gets exactly one. */
#ifndef SALLYPORT_WORKERS_ANSWER_H
#define SALLYPORT_WORKERS_ANSWER_H

#include "workers/job.h"

/* An answer without a payload (busy, expired, error), with a sentence for people (NULL: the reason's own). With
 * reason internal the text is the cause, which goes to this worker's log and not to the client. */
void sp_answer_plain(struct sp_job *job, int answer, int reason, const char *text);

/* decided or undecided, with an encoded body, which is sealed for the session that asks. */
enum sp_status sp_answer_body(struct sp_job *job, int answer, int reason, const uint8_t *body, size_t length,
                              struct sp_err *err);

/* The stage that began at job->mark_ns ends now: note its time and begin the next. */
void sp_answer_mark(struct sp_job *job, int timing);
/* What no stage took was waiting: fill in the queue's time. */
void sp_answer_waited(struct sp_job *job);

#endif
