/* The entry of sallyport_cuda.so and its table. */
#include <stdlib.h>
#include "gpu/cuda.h"
#include "gpu/cuda_build_id.h"
#include "gpu/cuda_choice.h"
#include "gpu/cuda_device.h"
#include "gpu/cuda_match.h"
#include "gpu/cuda_net.h"
#include "gpu/cuda_pixels.h"

/* An engine's state: the device, what matches keep on it, and what nets share. */
struct state {
    struct sp_cuda *cuda;
    struct sp_cuda_match *match;
    struct sp_cuda_nets nets;
};

/* Calls as a profiler sees them: a range each on the caller's time line. */
static enum sp_status in_range(enum sp_status status)
{
    sp_cuda_range_pop();
    return status;
}

static void close_cuda(void *state)
{
    struct state *self = state;
    sp_cuda_nets_close(&self->nets);
    sp_cuda_match_free(&self->match);
    sp_cuda_close(&self->cuda);
    free(self);
}

static enum sp_status open_cuda(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                                size_t text_size, struct sp_err *err)
{
    struct state *self = calloc(1, sizeof *self);
    enum sp_status status = self ? sp_cuda_open(&self->cuda, config, ret_text, text_size, err)
                                 : sp_fail(err, SP_E_NOMEM, "no memory for a device");
    if (!status)
        status = sp_cuda_match_new(&self->match, self->cuda, err);
    if (!status) {
        char build[SP_CUDA_BUILD_ID];
        sp_cuda_build_id(build);
        status = sp_cuda_nets_open(&self->nets, self->cuda, config->cache_dir, build, err);
    }
    if (!status)
        *ret_state = self;
    else if (self)
        close_cuda(self);
    return status;
}

static enum sp_status new_net(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err)
{
    struct state *self = state;
    return sp_cuda_net_new(ret_net, &self->nets, program, err);
}

static void note(void *state, char *ret_text, size_t size)
{
    struct state *self = state;
    sp_cuda_choices_note(self->nets.choices, ret_text, size);
}

static enum sp_status new_gallery(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err)
{
    struct state *self = state;
    struct sp_cuda_gallery *gallery = NULL;
    sp_cuda_range_push("gallery");
    enum sp_status status =
        in_range(sp_cuda_gallery_new(&gallery, sp_cuda_match_galleries(self->match), rows, err));
    if (!status)
        *ret_store = gallery;
    return status;
}

static void free_gallery(void *store)
{
    struct sp_cuda_gallery *gallery = store;
    sp_cuda_gallery_free(&gallery);
}

static size_t gallery_bytes(const void *store)
{
    const struct sp_cuda_gallery *gallery = store;
    return gallery->bytes;
}

static enum sp_status match_many(void *state, const struct sp_match_row *rows, int count, int k,
                                 struct sp_hit *ret_hits, struct sp_err *err)
{
    struct state *self = state;
    sp_cuda_range_push("match");
    return in_range(sp_cuda_match_run(self->match, rows, count, k, ret_hits, err));
}

static enum sp_status match_one(void *state, const struct sp_rows *rows, const void *store,
                                const float *const *vectors, int count, int k, struct sp_hit *ret_hits,
                                struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; i < count && !status; i++)
        status = match_many(state, &(struct sp_match_row){vectors[i], rows, store}, 1, k,
                            ret_hits + (size_t)i * (size_t)k, err);
    return status;
}

static enum sp_status new_pixels(void **ret_session, void *state, int max_pictures, int max_chips, int side,
                                 struct sp_err *err)
{
    struct state *self = state;
    return sp_cuda_pixels_new(ret_session, self->cuda, max_pictures, max_chips, side, err);
}

static void spent(const void *state, uint64_t ret_us[SP_WORK_COUNT])
{
    sp_cuda_spent(((const struct state *)state)->cuda, ret_us);
}

static enum sp_status load_pictures(void *session, int count, const struct sp_image *const *images,
                                    struct sp_err *err)
{
    sp_cuda_range_push("pixels load");
    return in_range(sp_cuda_pixels_load(session, count, images, err));
}

static enum sp_status fit_parts(void *session, void *net, int count, const struct sp_part *parts,
                                const struct sp_norm *norm, struct sp_err *err)
{
    sp_cuda_range_push("pixels fit");
    return in_range(sp_cuda_pixels_fit(session, net, count, parts, norm, err));
}

static enum sp_status take_chips(void *session, void *net, int count, const int *which, const struct sp_norm *norm,
                                 struct sp_err *err)
{
    sp_cuda_range_push("pixels chips");
    return in_range(sp_cuda_pixels_chips(session, net, count, which, norm, err));
}

static enum sp_status run_net(void *session, void *net, int count, int outputs, const int64_t *floats,
                              const float **ret_outputs, struct sp_err *err)
{
    sp_cuda_range_push("pixels run");
    return in_range(sp_cuda_pixels_run(session, net, count, outputs, floats, ret_outputs, err));
}

static enum sp_status find_faces(void *session, void *net, int count, const struct sp_finder *finder,
                                 struct sp_detections *ret_detections, struct sp_err *err)
{
    sp_cuda_range_push("pixels find");
    return in_range(sp_cuda_pixels_find(session, net, count, finder, ret_detections, err));
}

static enum sp_status cut_chips(void *session, int count, const struct sp_cut *cuts,
                                const struct sp_face_area *area, struct sp_tally *ret_tallies, struct sp_err *err)
{
    sp_cuda_range_push("pixels cut");
    return in_range(sp_cuda_pixels_cut(session, count, cuts, area, ret_tallies, err));
}

static const struct sp_pixel_ops pixels = {
    .open = new_pixels,
    .close = sp_cuda_pixels_free,
    .load = load_pictures,
    .fit = fit_parts,
    .chips = take_chips,
    .run = run_net,
    .find = find_faces,
    .cut = cut_chips,
};

static const struct sp_backend_ops table = {
    .name = "cuda",
    .open = open_cuda,
    .close = close_cuda,
    .note = note,
    .spent = spent,
    .net_new = new_net,
    .net_run = sp_cuda_net_run,
    .net_describe = sp_cuda_net_describe,
    .net_free = sp_cuda_net_free,
    .gallery_new = new_gallery,
    .gallery_free = free_gallery,
    .match = match_one,
    .match_many = match_many,
    .gallery_bytes = gallery_bytes,
    .pixels = &pixels,
};

/* dlsym's; the version script lets out this name only. */
sp_cuda_module_fn sallyport_cuda_backend;

const struct sp_backend_ops *sallyport_cuda_backend(unsigned version)
{
    return version == SP_CUDA_MODULE_VERSION ? &table : NULL;
}
