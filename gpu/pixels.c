#include "gpu/pixels.h"

#include <math.h>
#include <stdlib.h>
#include "gpu/backend.h"

struct sp_pixels {
    const struct sp_pixel_ops *ops;
    void *session;
    int max_pictures, max_chips;
    int pictures, chips; /* of the batch in hand */
};

bool sp_pixels_offered(const struct sp_engine *engine)
{
    return sp_engine_backend(engine)->pixels != NULL;
}

enum sp_status sp_pixels_new(struct sp_pixels **ret_pixels, struct sp_engine *engine, int max_pictures,
                             int max_chips, int side, struct sp_err *err)
{
    const struct sp_pixel_ops *ops = sp_engine_backend(engine)->pixels;
    if (!ops)
        return sp_fail(err, SP_E_UNSUPPORTED, "backend %s has no pixels of its own",
                       sp_engine_backend(engine)->name);
    if (max_pictures < 1 || max_chips < 1 || side < 8 || side > 4096)
        return sp_fail(err, SP_E_INVALID, "pixels: %d pictures, %d chips of %d px", max_pictures, max_chips, side);
    struct sp_pixels *pixels = calloc(1, sizeof *pixels);
    if (!pixels)
        return sp_fail(err, SP_E_NOMEM, "pixels: out of memory");
    *pixels = (struct sp_pixels){.ops = ops, .max_pictures = max_pictures, .max_chips = max_chips};
    enum sp_status status =
        ops->open(&pixels->session, sp_engine_state(engine), max_pictures, max_chips, side, err);
    if (status)
        free(pixels);
    else
        *ret_pixels = pixels;
    return status;
}

void sp_pixels_free(struct sp_pixels **pixels)
{
    if (!pixels || !*pixels)
        return;
    (*pixels)->ops->close((*pixels)->session);
    free(*pixels);
    *pixels = NULL;
}

enum sp_status sp_pixels_load(struct sp_pixels *pixels, int count, const struct sp_image *const *images,
                              struct sp_err *err)
{
    if (count < 1 || count > pixels->max_pictures)
        return sp_fail(err, SP_E_INVALID, "pixels: %d pictures where 1..%d were planned", count,
                       pixels->max_pictures);
    for (int i = 0; i < count; i++)
        if (images[i]->width < 1 || images[i]->height < 1 || images[i]->width > 16384 ||
            images[i]->height > 16384 || images[i]->stride < 3 * images[i]->width)
            return sp_fail(err, SP_E_INVALID, "pixels: picture %d of %d x %d px", i, images[i]->width,
                           images[i]->height);
    pixels->pictures = pixels->chips = 0;
    enum sp_status status = pixels->ops->load(pixels->session, count, images, err);
    pixels->pictures = status ? 0 : count;
    return status;
}

/* What an axis shows lies inside the part. */
static bool axis_fits(const struct sp_axis *axis, int part)
{
    return axis->step > 0 && axis->step < 16384 && axis->low >= 0 && axis->low < axis->high && axis->high <= part &&
           isfinite(axis->origin);
}

/* Every picture named must be there, and every part inside a tensor of one size. */
static enum sp_status check_parts(const struct sp_pixels *pixels, int count, const struct sp_part *parts,
                                  struct sp_err *err)
{
    for (int i = 0; i < count; i++) {
        const struct sp_part *part = &parts[i];
        const struct sp_fit *fit = &part->fit;
        if (part->picture < 0 || part->picture >= pixels->pictures || part->rect.x < 0 || part->rect.y < 0 ||
            part->rect.width < 1 || part->rect.height < 1 || fit->width != parts[0].fit.width ||
            fit->height != parts[0].fit.height || fit->inner_width < 1 || fit->inner_height < 1 ||
            fit->offset_x < 0 || fit->offset_y < 0 || fit->inner_width > fit->width - fit->offset_x ||
            fit->inner_height > fit->height - fit->offset_y || !axis_fits(&fit->across, part->rect.width) ||
            !axis_fits(&fit->down, part->rect.height))
            return sp_fail(err, SP_E_INVALID, "pixels: part %d of picture %d is not one", i, part->picture);
    }
    return SP_OK;
}

static enum sp_status check_rows(const struct sp_net *net, int count, int height, int width, struct sp_err *err)
{
    const struct sp_tensor_info *in = sp_net_input(net, 0);
    if (sp_net_input_count(net) != 1 || in->rank != 4 || in->dims[1] != 3 || in->dims[2] != height ||
        in->dims[3] != width || count < 1 || count > in->dims[0])
        return sp_fail(err, SP_E_INVALID, "pixels: %d rows of 3 x %d x %d are not this net's input", count, height,
                       width);
    return SP_OK;
}

enum sp_status sp_pixels_fit(struct sp_pixels *pixels, struct sp_net *net, int count, const struct sp_part *parts,
                             const struct sp_norm *norm, struct sp_err *err)
{
    enum sp_status status = check_rows(net, count, parts[0].fit.height, parts[0].fit.width, err);
    if (!status)
        status = check_parts(pixels, count, parts, err);
    return status ? status : pixels->ops->fit(pixels->session, sp_net_planned(net), count, parts, norm, err);
}

enum sp_status sp_pixels_chips(struct sp_pixels *pixels, struct sp_net *net, int count, const int *which,
                               const struct sp_norm *norm, struct sp_err *err)
{
    const struct sp_tensor_info *in = sp_net_input(net, 0);
    enum sp_status status = check_rows(net, count, (int)in->dims[2], (int)in->dims[2], err);
    for (int i = 0; i < count && !status; i++)
        if (which[i] < 0 || which[i] >= pixels->chips)
            status = sp_fail(err, SP_E_INVALID, "pixels: there is no chip %d", which[i]);
    return status ? status : pixels->ops->chips(pixels->session, sp_net_planned(net), count, which, norm, err);
}

enum sp_status sp_pixels_run(struct sp_pixels *pixels, struct sp_net *net, int count, const float **ret_outputs,
                             struct sp_err *err)
{
    int64_t floats[SP_NET_MAX_PORTS];
    int outputs = sp_net_output_count(net);
    for (int i = 0; i < outputs; i++) {
        const struct sp_tensor_info *info = sp_net_output(net, i);
        floats[i] = 1;
        for (int d = 1; d < info->rank; d++)
            floats[i] *= info->dims[d];
    }
    return pixels->ops->run(pixels->session, sp_net_planned(net), count, outputs, floats, ret_outputs, err);
}

enum sp_status sp_pixels_find(struct sp_pixels *pixels, struct sp_net *net, int count,
                              const struct sp_finder *finder, struct sp_detections *ret_detections,
                              struct sp_err *err)
{
    return pixels->ops->find(pixels->session, sp_net_planned(net), count, finder, ret_detections, err);
}

enum sp_status sp_pixels_cut(struct sp_pixels *pixels, int count, const struct sp_cut *cuts,
                             const struct sp_face_area *area, struct sp_tally *ret_tallies, struct sp_err *err)
{
    if (count < 1 || count > pixels->max_chips)
        return sp_fail(err, SP_E_INVALID, "pixels: %d chips where 1..%d were planned", count, pixels->max_chips);
    for (int i = 0; i < count; i++)
        if (cuts[i].picture < 0 || cuts[i].picture >= pixels->pictures || cuts[i].warp.levels < 0 ||
            cuts[i].warp.levels > 12)
            return sp_fail(err, SP_E_INVALID, "pixels: there is no picture %d to cut from", cuts[i].picture);
    pixels->chips = 0;
    enum sp_status status = pixels->ops->cut(pixels->session, count, cuts, area, ret_tallies, err);
    pixels->chips = status ? 0 : count;
    return status;
}
