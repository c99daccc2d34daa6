/* emulated_faces PACK PHOTO.jpg...: how far the outputs of a pack's landmark net and embedder are from the cpu
 * backend's in fp16 and in bf16, by emulation, on photographs as they are (brought to the net's size). The figures
 * of docs/cuda.md; seconds to minutes, so for a person and not for CTest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/pack.h"
#include "common/seal.h"
#include "gpu/engine.h"
#include "image/image.h"
#include "workers/resample.h"

enum { MOST = 16 };

static struct sp_image *photos[MOST];
static int photo_count;

static _Noreturn void give_up(const struct sp_err *err)
{
    fprintf(stderr, "emulated_faces: %s\n", err->text);
    exit(1);
}

static void must(enum sp_status status, const struct sp_err *err)
{
    if (status != SP_OK)
        give_up(err);
}

static struct sp_image *read_photo(const char *path)
{
    static uint8_t bytes[16 << 20];
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    struct sp_err err = {0};
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    must(sp_image_decode(&image, bytes, length, &limits, &err), &err);
    return image;
}

/* The net's first output of all photographs, [photo_count][*ret_numbers]; freed by the caller. */
static float *outputs_of(enum sp_backend backend, enum sp_precision precision, const struct sp_pack_net *spec,
                         int *ret_numbers)
{
    struct sp_engine_config config = {.backend = backend, .threads = 1};
    struct sp_net_config size = {
        .max_batch = 1, .height = spec->height, .width = spec->width, .precision = precision};
    struct sp_norm norm = sp_resample_norm(spec);
    struct sp_engine *engine = NULL;
    struct sp_net *net = NULL;
    struct sp_resampler *resampler = NULL;
    struct sp_err err = {0};
    must(sp_engine_open(&engine, &config, &err), &err);
    must(sp_net_load(&net, engine, spec->path, &size, &err), &err);
    must(sp_resampler_new(&resampler, &err), &err);
    const struct sp_tensor_info *info = sp_net_output(net, 0);
    int numbers = 1;
    for (int i = 1; i < info->rank; i++)
        numbers *= (int)info->dims[i];
    float *all = calloc((size_t)(photo_count * numbers), sizeof *all);
    float *row = calloc((size_t)(3 * spec->width * spec->height), sizeof *row);
    for (int i = 0; all && row && i < photo_count; i++) {
        const struct sp_rect whole = {0, 0, photos[i]->width, photos[i]->height};
        struct sp_fit fit = sp_resample_letterbox(whole.width, whole.height, spec->width, spec->height, 0);
        const float *inputs[1] = {row}, *outputs[SP_NET_MAX_PORTS];
        must(sp_resample_fit(resampler, photos[i], &whole, &fit, &norm, row, &err), &err);
        must(sp_net_run(net, 1, inputs, outputs, &err), &err);
        for (int k = 0; k < numbers; k++)
            all[i * numbers + k] = outputs[0][k];
    }
    free(row);
    sp_resampler_free(&resampler);
    sp_net_free(&net);
    sp_engine_free(&engine);
    *ret_numbers = numbers;
    return all;
}

static void compare(const char *name, const struct sp_pack_net *spec)
{
    int numbers = 0;
    float *wanted = outputs_of(SP_BACKEND_CPU, SP_PRECISION_FP16, spec, &numbers);
    for (int precision = 0; precision < 2; precision++) {
        double farthest = 0, least = 1;
        float *got = outputs_of(SP_BACKEND_CUDA, (enum sp_precision)precision, spec, &numbers);
        for (int i = 0; got && wanted && i < photo_count; i++) {
            double apart = 0, a2 = 0, b2 = 0, ab = 0;
            for (int k = i * numbers; k < (i + 1) * numbers; k++) {
                apart += pow((double)got[k] - wanted[k], 2);
                a2 += (double)got[k] * got[k];
                b2 += (double)wanted[k] * wanted[k];
                ab += (double)got[k] * wanted[k];
            }
            farthest = fmax(farthest, sqrt(apart / b2));
            least = fmin(least, ab / sqrt(a2 * b2));
        }
        printf("%s %s: worst of %d: relative distance %.2g, cosine 1 - %.2g\n", name, precision ? "bf16" : "fp16",
               photo_count, farthest, 1 - least);
        fflush(stdout);
        free(got);
    }
    free(wanted);
}

int main(int argc, char **argv)
{
    struct sp_pack pack;
    struct sp_err err = {0};
    if (argc < 3 || argc - 2 > MOST) {
        fprintf(stderr, "usage: emulated_faces PACK PHOTO.jpg... (at most %d)\n", MOST);
        return 2;
    }
    must(sp_seal_start(&err), &err);
    must(sp_pack_load(&pack, argv[1], &err), &err);
    for (int i = 2; i < argc; i++)
        photos[photo_count++] = read_photo(argv[i]);
    compare("embedder", &pack.embedder);
    if (pack.landmark_kind != SP_LANDMARK_NONE)
        compare("landmarks", &pack.landmarks);
    for (int i = 0; i < photo_count; i++)
        sp_image_free(&photos[i]);
    return 0;
}
