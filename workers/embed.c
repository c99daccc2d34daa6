#include "workers/embed.h"

#include <math.h>
#include <stdlib.h>
#include "workers/align.h"

struct sp_embedder {
    struct sp_net *net;
    struct sp_norm norm;
    int batch, side, dim; /* chips, px, floats */
    bool normalise;
    float *input;        /* [batch][3][side][side] */
    const float *output; /* of the last run: [batch][dim], owned by the net */
};

static size_t chip_floats(const struct sp_embedder *embedder)
{
    return 3 * (size_t)embedder->side * (size_t)embedder->side;
}

static int64_t row_floats(const struct sp_tensor_info *info)
{
    int64_t count = 1;
    for (int i = 1; i < info->rank; i++)
        count *= info->dims[i];
    return count;
}

enum sp_status sp_embedder_new(struct sp_embedder **ret_embedder, struct sp_engine *engine,
                               const struct sp_pack *pack, int max_batch, struct sp_err *err)
{
    const struct sp_pack_net *spec = &pack->embedder;
    int side = sp_align_side(pack->align);
    struct sp_net_config config = {
        .max_batch = max_batch, .height = side, .width = side, .precision = sp_vision_precision(spec)};
    struct sp_embedder *embedder = calloc(1, sizeof *embedder);
    enum sp_status status = SP_OK;
    if (!embedder)
        return sp_fail(err, SP_E_NOMEM, "embedder: out of memory");
    if (pack->dim < 1 || pack->dim > SP_MAX_DIM) {
        status = sp_fail(err, SP_E_LIMIT, "pack %s: dim %d is not in 1..%d", pack->name, pack->dim, SP_MAX_DIM);
        goto fail;
    }
    status = sp_net_load(&embedder->net, engine, spec->path, &config, err);
    if (status != SP_OK)
        goto fail;
    const struct sp_tensor_info *in = sp_net_input(embedder->net, 0), *out = sp_net_output(embedder->net, 0);
    if (sp_net_output_count(embedder->net) != 1 || in->rank != 4 || in->dims[1] != 3 || in->dims[2] != side ||
        in->dims[3] != side || row_floats(out) != pack->dim) {
        status = sp_fail(err, SP_E_FORMAT, "%s: not the embedder of pack %s: it must map [N,3,%d,%d] to [N,%d]",
                         spec->path, pack->name, side, side, pack->dim);
        goto fail;
    }
    embedder->norm = sp_resample_norm(spec);
    embedder->side = side;
    embedder->dim = pack->dim;
    embedder->normalise = pack->normalise;
    embedder->batch = in->dims[0] < max_batch ? (int)in->dims[0] : max_batch;
    embedder->input = malloc((size_t)embedder->batch * chip_floats(embedder) * sizeof(float));
    if (!embedder->input) {
        status = sp_fail(err, SP_E_NOMEM, "embedder: out of memory for %d chips", embedder->batch);
        goto fail;
    }
    *ret_embedder = embedder;
    return SP_OK;
fail:
    sp_embedder_free(&embedder);
    return status;
}

void sp_embedder_free(struct sp_embedder **embedder)
{
    if (!embedder || !*embedder)
        return;
    sp_net_free(&(*embedder)->net);
    free((*embedder)->input);
    free(*embedder);
    *embedder = NULL;
}

int sp_embedder_batch(const struct sp_embedder *embedder)
{
    return embedder->batch;
}

void sp_embedder_set(struct sp_embedder *embedder, int row, const uint8_t *chip)
{
    sp_resample_planes(chip, embedder->side, &embedder->norm,
                       embedder->input + (size_t)row * chip_floats(embedder));
}

enum sp_status sp_embedder_run(struct sp_embedder *embedder, int count, struct sp_err *err)
{
    const float *inputs[1] = {embedder->input};
    return sp_net_run(embedder->net, count, inputs, &embedder->output, err);
}

enum sp_status sp_embedder_run_on(struct sp_embedder *embedder, struct sp_pixels *pixels, int count,
                                  const int *which, struct sp_err *err)
{
    enum sp_status status = sp_pixels_chips(pixels, embedder->net, count, which, &embedder->norm, err);
    return status ? status : sp_pixels_run(pixels, embedder->net, count, &embedder->output, err);
}

bool sp_embedder_finite(const struct sp_embedder *embedder, int row)
{
    const float *value = embedder->output + (size_t)row * (size_t)embedder->dim;
    for (int i = 0; i < embedder->dim; i++)
        if (!isfinite(value[i]))
            return false;
    return true;
}

bool sp_embedder_vector(const struct sp_embedder *embedder, int row, float *ret_vector)
{
    const float *value = embedder->output + (size_t)row * (size_t)embedder->dim;
    double square = 0;
    for (int i = 0; i < embedder->dim; i++)
        square += (double)value[i] * (double)value[i];
    if (!isfinite(square) || (embedder->normalise && !(square > 1e-12)))
        return false;
    float factor = embedder->normalise ? (float)(1 / sqrt(square)) : 1;
    for (int i = 0; i < embedder->dim; i++)
        ret_vector[i] = value[i] * factor;
    return true;
}
