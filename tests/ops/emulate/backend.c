/* SP_BACKEND_CUDA of a test program: the backend's own nets on a device of plain memory. This file's sp_cuda_load
 * takes the place of the one that opens the module. */
#include <stdlib.h>
#include "gpu/cuda.h"
#include "gpu/cuda_choice.h"
#include "gpu/cuda_net.h"
#include "gpu/cuda_pixels.h"
#include "gpu/match.h"

static enum sp_status open_plain(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                                 size_t text_size, struct sp_err *err)
{
    struct sp_cuda_nets *nets = calloc(1, sizeof *nets);
    struct sp_cuda *cuda = NULL;
    enum sp_status status = nets ? sp_cuda_open(&cuda, config, ret_text, text_size, err) : SP_E_NOMEM;
    if (!status)
        status = sp_cuda_nets_open(nets, cuda, config->cache_dir, "emulated", err);
    *ret_state = nets;
    return status;
}

static void close_plain(void *state)
{
    struct sp_cuda_nets *nets = state;
    sp_cuda_nets_close(nets);
    sp_cuda_close(&nets->cuda);
    free(nets);
}

static void note_plain(void *state, char *ret_text, size_t size)
{
    sp_cuda_choices_note(((struct sp_cuda_nets *)state)->choices, ret_text, size);
}

static enum sp_status new_gallery(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err)
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

static enum sp_status new_pixels(void **ret_session, void *state, int max_pictures, int max_chips, int side,
                                 struct sp_err *err)
{
    return sp_cuda_pixels_new(ret_session, ((struct sp_cuda_nets *)state)->cuda, max_pictures, max_chips, side,
                              err);
}

static const struct sp_pixel_ops pixels = {
    .open = new_pixels,
    .close = sp_cuda_pixels_free,
    .load = sp_cuda_pixels_load,
    .fit = sp_cuda_pixels_fit,
    .chips = sp_cuda_pixels_chips,
    .run = sp_cuda_pixels_run,
    .find = sp_cuda_pixels_find,
    .cut = sp_cuda_pixels_cut,
};

static const struct sp_backend_ops table = {
    .name = "cuda",
    .open = open_plain,
    .close = close_plain,
    .note = note_plain,
    .net_new = sp_cuda_net_new,
    .net_run = sp_cuda_net_run,
    .net_describe = sp_cuda_net_describe,
    .net_free = sp_cuda_net_free,
    .gallery_new = new_gallery,
    .gallery_free = free_gallery,
    .match = sp_match_ref,
    .pixels = &pixels,
};

enum sp_status sp_cuda_load(const struct sp_backend_ops **ret_backend, struct sp_err *err)
{
    (void)err;
    *ret_backend = &table;
    return SP_OK;
}
