/* Review: who on a manifest looks like whom. Every portrait is a probe against its own gallery; what comes closest
 * of another person is the pair. Blocking for as long as its job's budget allows, on a thread of its own. */
#ifndef SALLYPORT_WORKERS_REVIEW_H
#define SALLYPORT_WORKERS_REVIEW_H

#include "common/review.h"
#include "workers/hot.h"

/* vectors: of hot's version, the probes. step is called before each batch of probes (so that a stuck device is
 * told from much work). SP_E_TIMEOUT: deadline_ns (monotonic) passed. */
enum sp_status sp_review_gallery(struct sp_review *ret_review, struct sp_engine *engine, const struct sp_pack *pack,
                                 const struct sp_hot_gallery *hot, const struct sp_hot_vectors *vectors,
                                 uint64_t deadline_ns, void (*step)(void *context), void *context,
                                 struct sp_err *err);

#endif
