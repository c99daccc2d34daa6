/* Enrolment through a broker: the enroller of `sallyport manifest publish`. Jobs go by reference (manifest, row,
 * portrait); a worker takes the sealed portrait from the durable Redis itself. */
#ifndef SALLYPORT_OPS_ENROL_H
#define SALLYPORT_OPS_ENROL_H

#include "ops/desk.h"
#include "roster/publish.h"

/* An enroller over config's broker; `config` must outlive it. The connection is made when there is something to
 * enrol. */
struct sp_enroller sp_enrol_through_broker(const struct sp_ops_config *config);

/* What a publish needs of the configuration: the desk opened, the fleet's key, a pack's fingerprint. pack_directory NULL: the
 * configured one. */
enum sp_status sp_manifest_prepare(struct sp_publish_config *ret, struct sp_desk *desk,
                                   const struct sp_ops_config *config, const char *pack_directory,
                                   struct sp_err *err);

#endif
