/* Enrolment through a broker: the enroller of `sallyport manifest publish`. Jobs go by reference (manifest, row,
 * portrait); a worker takes the sealed portrait from the durable Redis itself. */
#ifndef SALLYPORT_OPS_ENROL_H
#define SALLYPORT_OPS_ENROL_H

#include "ops/config.h"
#include "roster/publish.h"

/* An enroller over config's broker; `config` must outlive it. The connection is made when there is something to
 * enrol. */
struct sp_enroller sp_enrol_through_broker(const struct sp_ops_config *config);

#endif
