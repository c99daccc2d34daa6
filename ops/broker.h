/* The desk's connection to its broker. */
#ifndef SALLYPORT_OPS_BROKER_H
#define SALLYPORT_OPS_BROKER_H

#include "capture/client.h"
#include "ops/config.h"

/* Connect as the desk that config describes; blocks until the session stands, at most broker.timeout. on_answer as in
 * capture/client.h. SP_E_INVALID names a missing setting. The caller frees the client. */
enum sp_status sp_ops_client(struct sp_client **ret_client, const struct sp_ops_config *config, const char *agent,
                             void (*on_answer)(void *user, const struct sp_client_answer *answer), void *user,
                             struct sp_err *err);

#endif
