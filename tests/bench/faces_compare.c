/* faces_compare [--backend NAME] [--write FILE | --against FILE] PACK FACES: what a backend makes of every face,
 * kept or compared with what another made of it.
 *
 * Each picture of FACES (name order) is analysed as a portrait and as a frame; of its dominant face the reason and
 * the template are kept. Against a kept f32 result it checks: cosine >= 0.9995 and |a - b| / |b| <= 0.03 for every
 * template; the same faces and reasons; the same decision for every pair of a frame with a portrait at the pack's
 * threshold for FMR 1e-3, except pairs whose f32 score lies within the p99 score shift of it (counted; at most 1
 * %). Exit 0 within the bounds, 1 outside, 77 when the backend does not work here. */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/pack.h"
#include "common/reason.h"
#include "image/image.h"
#include "workers/vision.h"

enum { MOST = 2048, BATCH = 16, SEEN = 2 };
static const char magic[8] = "SPFACES1";

struct seen {
    char name[56];
    int32_t count[SEEN], reason[SEEN], embedded[SEEN]; /* as portrait, as frame */
    float box[SEEN][4];
    float vector[SEEN][SP_MAX_DIM];
};

struct run {
    struct sp_pack pack;
    int count;
    struct seen *faces;
};

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct seen *)left)->name, ((const struct seen *)right)->name);
}

static bool list(struct run *run, const char *folder)
{
    DIR *open = opendir(folder);
    if (!open)
        return false;
    for (struct dirent *entry; (entry = readdir(open)) && run->count < MOST;)
        if (strstr(entry->d_name, ".jpg") && strlen(entry->d_name) < sizeof run->faces->name)
            snprintf(run->faces[run->count++].name, sizeof run->faces->name, "%.55s", entry->d_name);
    closedir(open);
    qsort(run->faces, (size_t)run->count, sizeof *run->faces, by_name);
    return run->count > 0;
}

static struct sp_image *read_image(const char *folder, const char *name, struct sp_err *err)
{
    struct sp_image_limits limits = sp_image_limits_default();
    char path[1200];
    struct sp_image *image = NULL;
    static uint8_t bytes[16 << 20];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    if (!file || sp_image_decode(&image, bytes, length, &limits, err) != SP_OK)
        return NULL;
    return image;
}

static void keep(struct seen *seen, int as, const struct sp_faces *faces)
{
    seen->count[as] = faces->count;
    seen->reason[as] = faces->count ? faces->faces[0].reason : SP_REASON_NO_FACE;
    seen->embedded[as] = faces->count && faces->faces[0].embedded;
    if (faces->count)
        memcpy(seen->box[as], &faces->faces[0].box, sizeof seen->box[as]);
    if (seen->embedded[as])
        memcpy(seen->vector[as], faces->faces[0].vector, sizeof seen->vector[as]);
}

static enum sp_status analyse(struct run *run, struct sp_vision *vision, const char *folder, struct sp_err *err)
{
    static struct sp_faces found[BATCH];
    for (int first = 0; first < run->count; first += BATCH) {
        struct sp_image *images[BATCH] = {NULL};
        enum sp_vision_mode modes[BATCH];
        int rows = run->count - first < BATCH ? run->count - first : BATCH;
        enum sp_status status = SP_OK;
        for (int i = 0; i < rows && status == SP_OK; i++)
            if (!(images[i] = read_image(folder, run->faces[first + i].name, err)))
                status = SP_E_FORMAT;
        for (int as = 0; as < SEEN && status == SP_OK; as++) {
            for (int i = 0; i < rows; i++)
                modes[i] = as ? SP_VISION_LAST : SP_VISION_ENROL;
            status =
                sp_vision_analyse(vision, rows, (const struct sp_image *const *)images, modes, found, NULL, err);
            for (int i = 0; i < rows && status == SP_OK; i++)
                keep(&run->faces[first + i], as, &found[i]);
        }
        for (int i = 0; i < rows; i++)
            sp_image_free(&images[i]);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

static bool write_file(const struct run *run, const char *path)
{
    FILE *file = fopen(path, "wb");
    bool done = file && fwrite(magic, sizeof magic, 1, file) == 1 &&
                fwrite(run->pack.fingerprint, sizeof run->pack.fingerprint, 1, file) == 1;
    for (int i = 0; i < run->count && done; i++)
        for (int as = 0; as < SEEN && done; as++) {
            const struct seen *seen = &run->faces[i];
            done = (as || fwrite(seen->name, sizeof seen->name, 1, file) == 1) &&
                   fwrite(&seen->count[as], 4, 1, file) == 1 && fwrite(&seen->reason[as], 4, 1, file) == 1 &&
                   fwrite(&seen->embedded[as], 4, 1, file) == 1 &&
                   fwrite(seen->box[as], sizeof seen->box[as], 1, file) == 1 &&
                   fwrite(seen->vector[as], 4, (size_t)run->pack.dim, file) == (size_t)run->pack.dim;
        }
    return file && fclose(file) == 0 && done;
}

static bool read_file(struct run *run, const char *path)
{
    char begin[8];
    uint8_t fingerprint[sizeof run->pack.fingerprint];
    FILE *file = fopen(path, "rb");
    bool sound = file && fread(begin, sizeof begin, 1, file) == 1 && !memcmp(begin, magic, sizeof magic) &&
                 fread(fingerprint, sizeof fingerprint, 1, file) == 1 &&
                 !memcmp(fingerprint, run->pack.fingerprint, sizeof fingerprint);
    while (sound && run->count < MOST) {
        struct seen *seen = &run->faces[run->count];
        bool whole = fread(seen->name, sizeof seen->name, 1, file) == 1;
        if (!whole)
            break;
        for (int as = 0; as < SEEN && sound; as++)
            sound = fread(&seen->count[as], 4, 1, file) == 1 && fread(&seen->reason[as], 4, 1, file) == 1 &&
                    fread(&seen->embedded[as], 4, 1, file) == 1 &&
                    fread(seen->box[as], sizeof seen->box[as], 1, file) == 1 &&
                    fread(seen->vector[as], 4, (size_t)run->pack.dim, file) == (size_t)run->pack.dim;
        run->count += sound;
    }
    if (file)
        fclose(file);
    return sound;
}

static double length_of(const float *vector, int dim)
{
    double square = 0;
    for (int i = 0; i < dim; i++)
        square += (double)vector[i] * vector[i];
    return sqrt(square);
}

/* The pack's own score of two templates: larger is better. */
static double score_of(const struct sp_pack *pack, const float *a, const float *b)
{
    double square = 0, dot = 0;
    for (int i = 0; i < pack->dim; i++) {
        square += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        dot += (double)a[i] * b[i];
    }
    return pack->metric == SP_PACK_L2 ? 1 - sqrt(square)
                                      : dot / (length_of(a, pack->dim) * length_of(b, pack->dim));
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Decisions of every frame against every portrait. Returns the share of pairs excused, or -1 when one differs that
 * is not. */
static double compare_decisions(const struct run *own, const struct run *kept, double threshold, double *ret_p99)
{
    size_t most = (size_t)own->count * (size_t)own->count, pairs = 0, excused = 0, differ = 0;
    double *shifts = malloc((most + 1) * sizeof *shifts);
    for (int pass = 0; pass < 2 && shifts; pass++) {
        for (int p = 0; p < own->count; p++)
            for (int f = 0; f < own->count; f++) {
                const struct seen *a = &own->faces[p], *b = &own->faces[f], *c = &kept->faces[p],
                                  *d = &kept->faces[f];
                if (!a->embedded[0] || !b->embedded[1] || !c->embedded[0] || !d->embedded[1])
                    continue;
                double now = score_of(&own->pack, b->vector[1], a->vector[0]);
                double then = score_of(&own->pack, d->vector[1], c->vector[0]);
                if (pass == 0)
                    shifts[pairs++] = fabs(now - then);
                else if ((now >= threshold) == (then >= threshold))
                    continue;
                else if (fabs(then - threshold) <= *ret_p99)
                    printf("excused: %s on %s: %.5f, f32 %.5f\n", b->name, a->name, now, then), excused++;
                else
                    printf("DIFFERS: %s on %s: %.5f, f32 %.5f\n", b->name, a->name, now, then), differ++;
            }
        if (pass == 0 && pairs) {
            qsort(shifts, pairs, sizeof *shifts, ascending);
            *ret_p99 = shifts[(size_t)((double)(pairs - 1) * 0.99)];
        }
    }
    free(shifts);
    return differ || !pairs ? -1 : (double)excused / (double)pairs;
}

static bool compare(const struct run *own, const struct run *kept)
{
    double worst_cosine = 1, worst_relative = 0, p99 = 0, threshold = 0;
    int other = 0, templates = 0;
    if (own->count != kept->count) {
        printf("faces_compare: %d pictures here, %d kept\n", own->count, kept->count);
        return false;
    }
    for (int i = 0; i < own->count; i++)
        for (int as = 0; as < SEEN; as++) {
            const struct seen *a = &own->faces[i], *b = &kept->faces[i];
            if (strcmp(a->name, b->name) || a->count[as] != b->count[as] || a->reason[as] != b->reason[as]) {
                printf("other: %s %s: %d faces %s, f32 %d faces %s\n", a->name, as ? "frame" : "portrait",
                       a->count[as], sp_reason_word((enum sp_reason)a->reason[as]), b->count[as],
                       sp_reason_word((enum sp_reason)b->reason[as]));
                other++;
                continue;
            }
            if (!a->embedded[as] || !b->embedded[as])
                continue;
            double dot = 0, square = 0, long_a = length_of(a->vector[as], own->pack.dim),
                   long_b = length_of(b->vector[as], own->pack.dim);
            for (int d = 0; d < own->pack.dim; d++) {
                dot += (double)a->vector[as][d] * b->vector[as][d];
                square +=
                    ((double)a->vector[as][d] - b->vector[as][d]) * ((double)a->vector[as][d] - b->vector[as][d]);
            }
            worst_cosine = fmin(worst_cosine, dot / (long_a * long_b));
            worst_relative = fmax(worst_relative, sqrt(square) / long_b);
            templates++;
        }
    threshold = sp_pack_score(&own->pack, sp_pack_threshold(&own->pack, 1e-3, 1));
    double excused = compare_decisions(own, kept, threshold, &p99);
    printf("faces_compare: %d pictures, %d templates; worst cosine %.6f (0.9995), worst |a-b|/|b| %.5f (0.03); "
           "%d with other faces or reasons; p99 score shift %.6f; decisions %s, %.3f %% excused (1 %%)\n",
           own->count, templates, worst_cosine, worst_relative, other, p99, excused < 0 ? "DIFFER" : "the same",
           excused < 0 ? 0 : 100 * excused);
    return worst_cosine >= 0.9995 && worst_relative <= 0.03 && excused >= 0 && excused <= 0.01 &&
           other * 100 <= own->count * SEEN && templates > 0;
}

static struct run run, kept;

int main(int argc, char **argv)
{
    const char *write = NULL, *against = NULL;
    struct sp_engine_config config = {.backend = SP_BACKEND_CPU, .threads = 2};
    struct sp_vision_limits limits = sp_vision_limits_default();
    struct sp_engine *engine = NULL;
    struct sp_vision *vision = NULL;
    struct sp_err err = {0};
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (!strcmp(argv[at], "--write"))
            write = argv[at + 1];
        else if (!strcmp(argv[at], "--against"))
            against = argv[at + 1];
        else if (!strcmp(argv[at], "--backend"))
            config.backend = !strcmp(argv[at + 1], "cuda")  ? SP_BACKEND_CUDA
                             : !strcmp(argv[at + 1], "ref") ? SP_BACKEND_REF
                                                            : SP_BACKEND_CPU;
        else
            break;
    }
    if (at + 2 != argc) {
        fprintf(stderr,
                "usage: faces_compare [--backend cpu|ref|cuda] [--write FILE | --against FILE] PACK FACES\n");
        return 2;
    }
    run.faces = calloc(MOST, sizeof *run.faces);
    kept.faces = calloc(MOST, sizeof *kept.faces);
    enum sp_status status = run.faces && kept.faces ? sp_pack_load(&run.pack, argv[at], &err) : SP_E_NOMEM;
    if (status == SP_OK && (status = sp_engine_open(&engine, &config, &err)) == SP_E_UNSUPPORTED) {
        printf("SKIP: %s\n", err.text);
        return 77;
    }
    if (status == SP_OK)
        status = sp_vision_new(&vision, engine, &run.pack, &limits, BATCH, &err);
    if (status == SP_OK && !list(&run, argv[at + 1]))
        status = sp_fail(&err, SP_E_NOTFOUND, "%s holds no .jpg", argv[at + 1]);
    if (status == SP_OK)
        status = analyse(&run, vision, argv[at + 1], &err);
    kept.pack = run.pack;
    if (status == SP_OK && write && !write_file(&run, write))
        status = sp_fail(&err, SP_E_IO, "%s cannot be written", write);
    if (status == SP_OK && against && !read_file(&kept, against))
        status = sp_fail(&err, SP_E_FORMAT, "%s holds no results for this pack", against);
    if (status != SP_OK)
        fprintf(stderr, "faces_compare: %s\n", err.text);
    bool good = status == SP_OK && (!against || compare(&run, &kept));
    sp_vision_free(&vision);
    if (engine)
        sp_engine_free(&engine);
    free(run.faces);
    free(kept.faces);
    return good ? 0 : 1;
}
