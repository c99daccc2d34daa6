/* The entry of sallyport_cuda.so and its table. */
#include "gpu/cuda.h"
#include "gpu/cuda_device.h"
#include "gpu/match.h"
#include "gpu/ref_net.h"

static enum sp_status open_cuda(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                                size_t text_size, struct sp_err *err)
{
    struct sp_cuda *cuda = NULL;
    enum sp_status status = sp_cuda_open(&cuda, config, ret_text, text_size, err);
    if (!status)
        *ret_state = cuda;
    return status;
}

static void close_cuda(void *state)
{
    struct sp_cuda *cuda = state;
    sp_cuda_close(&cuda);
}

/* Matches stay on the host's exact reference until the device has its own. */
static enum sp_status gallery_on_host(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err)
{
    (void)state;
    (void)rows;
    (void)err;
    *ret_store = NULL;
    return SP_OK;
}

static void free_gallery(void *store)
{
    (void)store;
}

static const struct sp_backend_ops table = {
    .name = "cuda",
    .open = open_cuda,
    .close = close_cuda,
    .net_new = sp_ref_net_new,
    .net_run = sp_ref_net_run,
    .net_describe = sp_ref_net_describe,
    .net_free = sp_ref_net_free,
    .gallery_new = gallery_on_host,
    .gallery_free = free_gallery,
    .match = sp_match_ref,
};

/* dlsym's; the version script lets out this name only. */
sp_cuda_module_fn sallyport_cuda_backend;

const struct sp_backend_ops *sallyport_cuda_backend(unsigned version)
{
    return version == SP_CUDA_MODULE_VERSION ? &table : NULL;
}
