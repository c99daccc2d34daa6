#include "ops/broker.h"

#include <string.h>

enum sp_status sp_ops_client(struct sp_client **ret_client, const struct sp_ops_config *config, const char *agent,
                             void (*on_answer)(void *user, const struct sp_client_answer *answer), void *user,
                             struct sp_err *err)
{
    struct sp_client_config client = {.address = config->broker_address,
                                      .agent = agent,
                                      .retry_busy = true,
                                      .retry_error = true,
                                      .on_answer = on_answer,
                                      .user = user};
    struct sp_key_file broker = {0};
    struct sp_client *made = NULL;
    if (!config->broker_address[0])
        return sp_fail(err, SP_E_INVALID,
                       "the configuration does not set broker.address: the desk reaches workers through a broker");
    enum sp_status status = sp_ops_key(&client.self, config->curve, "keys.curve", SP_KEY_CURVE, true, err);
    if (status == SP_OK)
        status = sp_ops_key(&broker, config->broker_key, "broker.key", SP_KEY_CURVE, false, err);
    if (status == SP_OK)
        status = sp_ops_authority(client.authority, config, err);
    memcpy(client.broker_key, broker.public_key, 32);
    if (status == SP_OK)
        status = sp_client_new(&made, &client, err);
    sp_key_wipe(&client.self);
    if (status == SP_OK)
        status = sp_client_connect(made, (int)config->connect_ms, err);
    if (status == SP_OK)
        *ret_client = made;
    else
        sp_client_free(&made);
    return status;
}
