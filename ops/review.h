/* Look-alikes of a manifest, found by a worker: only workers can open templates. */
#ifndef SALLYPORT_OPS_REVIEW_H
#define SALLYPORT_OPS_REVIEW_H

#include "common/review.h"
#include "ops/config.h"

/* Ask config's broker for a review of at least `version` of a manifest (0: the current one) under one model pack
 * ([16]; NULL: whichever a worker runs) within budget_ms. Blocks as long, and up to 10 s to connect. SP_E_NOTFOUND:
 * the workers know no such version; SP_E_UNAVAILABLE: no worker (of that pack), or the stores are away;
 * SP_E_TIMEOUT: the budget was too short. */
enum sp_status sp_review_ask(struct sp_review *ret_review, const struct sp_ops_config *config, const char *manifest,
                             uint64_t version, const uint8_t *pack, uint32_t budget_ms, struct sp_err *err);

#endif
