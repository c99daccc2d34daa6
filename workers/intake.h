/* Intake: from the bytes of a job to what it asks. Opens the payload with the client's header as associated data
 * and believes nothing else about it: a broker cannot change a header without the seal noticing. */
#ifndef SALLYPORT_WORKERS_INTAKE_H
#define SALLYPORT_WORKERS_INTAKE_H

#include "workers/job.h"
#include "workers/session.h"

/* Decode job->head, open and parse job->payload. SP_OK, or the refusal that the client is to hear in *ret_reason
 * (bad_message, bad_version, unknown_message, cannot_open, payload_too_large, internal) with err's sentence. */
enum sp_status sp_intake_open(struct sp_job *job, struct sp_sessions *sessions, int *ret_reason,
                              struct sp_err *err);

#endif
