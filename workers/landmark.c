#include "workers/landmark.h"

#include <math.h>
#include <stdlib.h>

struct sp_landmarker {
    struct sp_net *net;
    struct sp_norm norm;
    int batch, side;        /* faces, px */
    float *input;           /* [batch][3][side][side] */
    const float *output;    /* of the last run: [batch][136], owned by the net */
    struct sp_part *placed; /* [batch]: how each row's square maps back to its image */
};

enum sp_status sp_landmarker_new(struct sp_landmarker **ret_landmarker, struct sp_engine *engine,
                                 const struct sp_pack *pack, int max_batch, struct sp_err *err)
{
    const struct sp_pack_net *spec = &pack->landmarks;
    struct sp_net_config config = {.max_batch = max_batch,
                                   .height = spec->height,
                                   .width = spec->width,
                                   .precision = sp_vision_precision(spec)};
    struct sp_landmarker *landmarker = calloc(1, sizeof *landmarker);
    enum sp_status status = SP_OK;
    if (!landmarker)
        return sp_fail(err, SP_E_NOMEM, "landmarks: out of memory");
    status = sp_net_load(&landmarker->net, engine, spec->path, &config, err);
    if (status != SP_OK)
        goto fail;
    const struct sp_tensor_info *in = sp_net_input(landmarker->net, 0), *out = sp_net_output(landmarker->net, 0);
    if (sp_net_output_count(landmarker->net) != 1 || in->rank != 4 || in->dims[1] != 3 ||
        in->dims[2] != in->dims[3] || out->rank != 2 || out->dims[1] != 136) {
        status = sp_fail(err, SP_E_FORMAT, "%s: not a 68-point landmark net: it must map [N,3,S,S] to [N,136]",
                         spec->path);
        goto fail;
    }
    landmarker->norm = sp_resample_norm(spec);
    landmarker->side = (int)in->dims[2];
    landmarker->batch = in->dims[0] < max_batch ? (int)in->dims[0] : max_batch;
    size_t floats = (size_t)landmarker->batch * 3 * (size_t)landmarker->side * (size_t)landmarker->side;
    landmarker->input = malloc(floats * sizeof(float));
    landmarker->placed = calloc((size_t)landmarker->batch, sizeof *landmarker->placed);
    if (!landmarker->input || !landmarker->placed) {
        status = sp_fail(err, SP_E_NOMEM, "landmarks: out of memory for %d faces", landmarker->batch);
        goto fail;
    }
    *ret_landmarker = landmarker;
    return SP_OK;
fail:
    sp_landmarker_free(&landmarker);
    return status;
}

void sp_landmarker_free(struct sp_landmarker **landmarker)
{
    if (!landmarker || !*landmarker)
        return;
    sp_net_free(&(*landmarker)->net);
    free((*landmarker)->input);
    free((*landmarker)->placed);
    free(*landmarker);
    *landmarker = NULL;
}

int sp_landmarker_batch(const struct sp_landmarker *landmarker)
{
    return landmarker->batch;
}

struct sp_box sp_landmark_box(const struct sp_image *image, const struct sp_box *box)
{
    return (struct sp_box){fmaxf(box->x0, 0), fmaxf(box->y0, 0), fminf(box->x1, (float)image->width),
                           fminf(box->y1, (float)image->height)};
}

enum sp_status sp_landmarker_set(struct sp_landmarker *landmarker, int row, struct sp_resampler *resampler,
                                 const struct sp_image *image, const struct sp_box *box, struct sp_err *err)
{
    struct sp_part *placed = &landmarker->placed[row];
    size_t floats = 3 * (size_t)landmarker->side * (size_t)landmarker->side;
    placed->fit = sp_resample_centred(box, landmarker->side, &placed->rect);
    return sp_resample_fit(resampler, image, &placed->rect, &placed->fit, &landmarker->norm,
                           landmarker->input + (size_t)row * floats, err);
}

enum sp_status sp_landmarker_run(struct sp_landmarker *landmarker, int count, struct sp_err *err)
{
    const float *inputs[1] = {landmarker->input};
    return sp_net_run(landmarker->net, count, inputs, &landmarker->output, err);
}

void sp_landmarker_place(struct sp_landmarker *landmarker, int row, int picture, const struct sp_box *box)
{
    struct sp_part *placed = &landmarker->placed[row];
    placed->picture = picture;
    placed->fit = sp_resample_centred(box, landmarker->side, &placed->rect);
}

enum sp_status sp_landmarker_run_on(struct sp_landmarker *landmarker, struct sp_pixels *pixels, int count,
                                    struct sp_err *err)
{
    enum sp_status status =
        sp_pixels_fit(pixels, landmarker->net, count, landmarker->placed, &landmarker->norm, err);
    return status ? status : sp_pixels_run(pixels, landmarker->net, count, &landmarker->output, err);
}

bool sp_landmarker_points(const struct sp_landmarker *landmarker, int row, struct sp_point ret_points[68])
{
    const struct sp_part *placed = &landmarker->placed[row];
    const float *value = landmarker->output + (size_t)row * 136;
    const struct sp_axis *across = &placed->fit.across, *down = &placed->fit.down;
    bool finite = true;
    for (int i = 0; i < 68; i++, value += 2) {
        struct sp_point *point = &ret_points[i];
        point->x = (float)(placed->rect.x + across->origin + value[0] * landmarker->side * across->step);
        point->y = (float)(placed->rect.y + down->origin + value[1] * landmarker->side * down->step);
        finite = finite && isfinite(point->x) && isfinite(point->y);
    }
    return finite;
}
