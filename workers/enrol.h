/* Enrol: one portrait of a manifest becomes a template. The image comes from the durable store, the template goes
 * to `galleries`; between the two it is a frame like any other, in enrolment mode. */
#ifndef SALLYPORT_WORKERS_ENROL_H
#define SALLYPORT_WORKERS_ENROL_H

#include "workers/final.h"
#include "workers/job.h"

struct sp_enrol_config {
    struct sp_manifest_reader reader;
    const struct sp_pack *pack;
    const struct sp_signer *signer;
    struct sp_image_limits limits;
};

/* Load keys and portrait, decode: job->image is there and SP_OK, or the job has its answer (an error of the stores,
 * or enrolled with reason bad_portrait) and the status says why. A WANT whose template came back meanwhile is
 * answered at once. Blocking. */
enum sp_status sp_enrol_fetch(struct sp_job *job, const struct sp_enrol_config *config, struct sp_store *durable,
                              struct sp_store *galleries, struct sp_err *err);

/* Store the template of the dominant face in job->faces and answer the job. Blocking. */
void sp_enrol_store(struct sp_job *job, const struct sp_enrol_config *config, struct sp_store *galleries);

/* True for a WANT of a worker (nobody is told the quality). */
bool sp_enrol_is_want(const struct sp_job *job);

#endif
