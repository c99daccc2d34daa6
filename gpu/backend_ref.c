/* The reference backend: plain C, one thread, no device. */
#include <stdio.h>
#include "gpu/backend.h"
#include "gpu/match.h"
#include "gpu/ref_net.h"

static enum sp_status open_ref(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                               size_t text_size, struct sp_err *err)
{
    (void)config;
    (void)err;
    *ret_state = NULL;
    snprintf(ret_text, text_size, "ref (plain C)");
    return SP_OK;
}

static void close_ref(void *state)
{
    (void)state;
}

static enum sp_status gallery_ref(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err)
{
    (void)state;
    (void)rows;
    (void)err;
    *ret_store = NULL;
    return SP_OK;
}

static void gallery_free(void *store)
{
    (void)store;
}

const struct sp_backend_ops sp_backend_ref = {
    .name = "ref",
    .open = open_ref,
    .close = close_ref,
    .net_new = sp_ref_net_new,
    .net_run = sp_ref_net_run,
    .net_describe = sp_ref_net_describe,
    .net_free = sp_ref_net_free,
    .gallery_new = gallery_ref,
    .gallery_free = gallery_free,
    .match = sp_match_ref,
};
