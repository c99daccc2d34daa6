#include "ops/desk.h"

enum sp_status sp_desk_open(struct sp_desk *desk, const struct sp_ops_config *config, bool galleries,
                            struct sp_err *err)
{
    enum sp_status status = sp_ops_box(&desk->box, config, err);
    if (status == SP_OK)
        status = sp_ops_durable(&desk->durable, config, err);
    if (status == SP_OK)
        status = sp_store_ping(desk->durable, err);
    if (status == SP_OK && galleries)
        status = sp_ops_galleries(&desk->galleries, config, err);
    if (status == SP_OK && galleries)
        status = sp_store_ping(desk->galleries, err);
    return status;
}

void sp_desk_close(struct sp_desk *desk)
{
    if (desk->durable)
        sp_store_free(&desk->durable);
    if (desk->galleries)
        sp_store_free(&desk->galleries);
    sp_key_wipe(&desk->box);
}

struct sp_manifest_reader sp_desk_reader(const struct sp_desk *desk)
{
    return (struct sp_manifest_reader){"ops", &desk->box};
}
