/* faces_compare [--backend NAME] [--batch N] [--from FILE] [--write FILE] [--against FILE] PACK FACES: what a
 * backend makes of every face, kept or compared with what another made of it.
 *
 * Each picture of FACES (name order) is analysed as a portrait and as a frame; of its dominant face the reason and
 * the template are kept. --from takes kept results in place of an analysis. Against a kept f32 result it checks:
 * cosine >= 0.9995 and |a - b| / |b| <= 0.03 for every template, except where two boxes of nearly equal score
 * changed places, so that another part of the picture was cut out (listed; at most 1 %); the same faces and reasons
 * for 99 % of them; and, at the pack's threshold for FMR 1e-3, the same decision for every pair of a frame with a
 * portrait, and for every frame on the portraits of all other pictures (which of them is the best, and whether it
 * passes), except where the f32 scores lie within the p99 score shift of the threshold or of each other (listed; at
 * most 1 %). Exit 0 within the bounds, 1 outside, 77 when the backend does not work here. */
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

enum { MOST = 2048, BATCH = 16, SEEN = 2, PORTRAIT = 0, FRAME = 1 };
static const char magic[8] = "SPFACES1";

struct seen {
    char name[56];
    int32_t count[SEEN], reason[SEEN], embedded[SEEN]; /* as portrait, as frame */
    float box[SEEN][4];
    float vector[SEEN][SP_MAX_DIM];
};

struct run {
    struct sp_pack pack;
    int count, batch;
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
    for (int first = 0; first < run->count; first += run->batch) {
        struct sp_image *images[BATCH] = {NULL};
        enum sp_vision_mode modes[BATCH];
        int rows = run->count - first < run->batch ? run->count - first : run->batch;
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

struct decisions {
    double threshold, shift; /* the p99 of how far scores moved */
    size_t count, excused, differ;
};

/* One decision that is not the f32 one: excused where `room`, the f32 distance to the other decision, is no more
 * than scores move anyway. */
static void count_other(struct decisions *decisions, double room, const char *what, const char *frame,
                        const char *portrait, double now, double then)
{
    bool excused = room <= decisions->shift;
    printf("%s: %s: %s on %s: %.5f, f32 %.5f\n", excused ? "excused" : "DIFFERS", what, frame, portrait, now, then);
    decisions->excused += excused;
    decisions->differ += !excused;
}

static bool both_embedded(const struct run *own, const struct run *kept, int frame, int portrait)
{
    return own->faces[portrait].embedded[PORTRAIT] && own->faces[frame].embedded[FRAME] &&
           kept->faces[portrait].embedded[PORTRAIT] && kept->faces[frame].embedded[FRAME];
}

static double score_in(const struct run *run, int frame, int portrait)
{
    return score_of(&run->pack, run->faces[frame].vector[FRAME], run->faces[portrait].vector[PORTRAIT]);
}

/* How far the scores of all pairs moved: the p99. Negative without a pair. */
static double score_shift(const struct run *own, const struct run *kept)
{
    size_t pairs = 0;
    double *shifts = malloc(((size_t)own->count * (size_t)own->count + 1) * sizeof *shifts), p99 = -1;
    for (int f = 0; f < own->count && shifts; f++)
        for (int p = 0; p < own->count; p++)
            if (both_embedded(own, kept, f, p))
                shifts[pairs++] = fabs(score_in(own, f, p) - score_in(kept, f, p));
    if (pairs) {
        qsort(shifts, pairs, sizeof *shifts, ascending);
        p99 = shifts[(size_t)((double)(pairs - 1) * 0.99)];
    }
    free(shifts);
    return p99;
}

static void compare_pairs(const struct run *own, const struct run *kept, struct decisions *pairs)
{
    for (int f = 0; f < own->count; f++)
        for (int p = 0; p < own->count; p++) {
            if (!both_embedded(own, kept, f, p))
                continue;
            double now = score_in(own, f, p), then = score_in(kept, f, p);
            pairs->count++;
            if ((now >= pairs->threshold) != (then >= pairs->threshold))
                count_other(pairs, fabs(then - pairs->threshold), "pair", own->faces[f].name, own->faces[p].name,
                            now, then);
        }
}

/* Each frame on the portraits of all other pictures, as a lane decides: the best one, if it passes. */
static void compare_searches(const struct run *own, const struct run *kept, struct decisions *searches)
{
    for (int f = 0; f < own->count; f++) {
        int now_best = -1, then_best = -1;
        double now = -INFINITY, then = -INFINITY;
        for (int p = 0; p < own->count; p++) {
            if (p == f || !both_embedded(own, kept, f, p))
                continue;
            if (score_in(own, f, p) > now)
                now = score_in(own, f, now_best = p);
            if (score_in(kept, f, p) > then)
                then = score_in(kept, f, then_best = p);
        }
        if (now_best < 0)
            continue;
        searches->count++;
        bool passes = now >= searches->threshold, passed = then >= searches->threshold;
        if (passes != passed)
            count_other(searches, fabs(then - searches->threshold), "search", own->faces[f].name,
                        own->faces[now_best].name, now, then);
        else if (passed && now_best != then_best)
            count_other(searches, then - score_in(kept, f, now_best), "search", own->faces[f].name,
                        own->faces[now_best].name, now, then);
    }
}

/* Prints a line and says whether no decision differs and at most 1 % are excused. */
static bool decisions_hold(const struct decisions *decisions, const char *what)
{
    printf(
        "faces_compare: %zu %s at score %.4f: %zu differ, %zu excused (%.3f %%, at most 1), p99 score shift %.6f\n",
        decisions->count, what, decisions->threshold, decisions->differ, decisions->excused,
        decisions->count ? 100 * (double)decisions->excused / (double)decisions->count : 0, decisions->shift);
    return decisions->count > 0 && decisions->differ == 0 && decisions->excused * 100 <= decisions->count;
}

/* Whether two boxes are another choice of the detector's: a rounding moves a box of 200 px by less than a px, which
 * leaves 0.99 of it in common. */
static bool another_box(const float a[4], const float b[4])
{
    float width = fminf(a[2], b[2]) - fmaxf(a[0], b[0]), height = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
    float common = width > 0 && height > 0 ? width * height : 0;
    float both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common;
    return common < 0.95f * both;
}

static bool compare(const struct run *own, const struct run *kept)
{
    static double cosines[MOST * SEEN], relatives[MOST * SEEN], lengths[MOST * SEEN];
    int other = 0, templates = 0, outside = 0, excused = 0;
    if (own->count != kept->count) {
        printf("faces_compare: %d pictures here, %d kept\n", own->count, kept->count);
        return false;
    }
    for (int i = 0; i < own->count; i++)
        for (int as = 0; as < SEEN; as++) {
            const struct seen *a = &own->faces[i], *b = &kept->faces[i];
            if (strcmp(a->name, b->name) || a->count[as] != b->count[as] || a->reason[as] != b->reason[as] ||
                a->embedded[as] != b->embedded[as]) {
                printf("other: %s %s: %d faces %s, f32 %d faces %s\n", a->name, as ? "frame" : "portrait",
                       a->count[as], sp_reason_word((enum sp_reason)a->reason[as]), b->count[as],
                       sp_reason_word((enum sp_reason)b->reason[as]));
                other++;
                continue;
            }
            if (!a->embedded[as])
                continue;
            double dot = 0, square = 0, long_a = length_of(a->vector[as], own->pack.dim),
                   long_b = length_of(b->vector[as], own->pack.dim);
            for (int d = 0; d < own->pack.dim; d++) {
                dot += (double)a->vector[as][d] * b->vector[as][d];
                square +=
                    ((double)a->vector[as][d] - b->vector[as][d]) * ((double)a->vector[as][d] - b->vector[as][d]);
            }
            cosines[templates] = dot / (long_a * long_b);
            relatives[templates] = sqrt(square) / long_b;
            lengths[templates] = fabs(long_a - long_b) / long_b;
            /* Written so that NaN is outside. */
            if (!(cosines[templates] >= 0.9995) || !(relatives[templates] <= 0.03)) {
                bool moved = another_box(a->box[as], b->box[as]);
                printf("%s: %s %s: cosine %.6f, |a-b|/|b| %.5f; box %.2f %.2f %.2f %.2f, f32 %.2f %.2f %.2f "
                       "%.2f\n",
                       moved ? "excused, another box" : "OUTSIDE", a->name, as ? "frame" : "portrait",
                       cosines[templates], relatives[templates], a->box[as][0], a->box[as][1], a->box[as][2],
                       a->box[as][3], b->box[as][0], b->box[as][1], b->box[as][2], b->box[as][3]);
                outside += !moved;
                excused += moved;
            }
            templates++;
        }
    if (!templates) {
        printf("faces_compare: no template to compare\n");
        return false;
    }
    qsort(cosines, (size_t)templates, sizeof *cosines, ascending);
    qsort(relatives, (size_t)templates, sizeof *relatives, ascending);
    qsort(lengths, (size_t)templates, sizeof *lengths, ascending);
    printf(
        "faces_compare: |a-b|/|b| min %.5f p50 %.5f p99 %.5f max %.5f; difference of lengths p50 %.5f max %.5f\n",
        relatives[0], relatives[templates / 2], relatives[(templates - 1) * 99 / 100], relatives[templates - 1],
        lengths[templates / 2], lengths[templates - 1]);
    double shift = score_shift(own, kept),
           threshold = sp_pack_score(&own->pack, sp_pack_threshold(&own->pack, 1e-3, 1));
    struct decisions pairs = {threshold, shift, 0, 0, 0}, searches = pairs;
    compare_pairs(own, kept, &pairs);
    compare_searches(own, kept, &searches);
    bool same = decisions_hold(&pairs, "pairs");
    same &= decisions_hold(&searches, "searches");
    printf(
        "faces_compare: %d pictures, %d templates; cosine min %.7f p50 %.7f (0.9995); worst |a-b|/|b| %.5f (0.03); "
        "%d outside, %d excused; %d with other faces or reasons; decisions %s\n",
        own->count, templates, cosines[0], cosines[templates / 2], relatives[templates - 1], outside, excused,
        other, same ? "the same" : "DIFFER");
    return !outside && same && excused * 100 <= templates && other * 100 <= own->count * SEEN;
}

static struct run run = {.batch = BATCH}, kept;

int main(int argc, char **argv)
{
    const char *from = NULL, *write = NULL, *against = NULL;
    struct sp_engine_config config = {.backend = SP_BACKEND_CPU, .threads = 2};
    struct sp_vision_limits limits = sp_vision_limits_default();
    struct sp_engine *engine = NULL;
    struct sp_vision *vision = NULL;
    struct sp_err err = {0};
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (!strcmp(argv[at], "--from"))
            from = argv[at + 1];
        else if (!strcmp(argv[at], "--batch"))
            run.batch = (int)strtol(argv[at + 1], NULL, 10);
        else if (!strcmp(argv[at], "--write"))
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
    if (at + 2 != argc || run.batch < 1 || run.batch > BATCH) {
        fprintf(
            stderr,
            "usage: faces_compare [--backend cpu|ref|cuda] [--batch 1..16] [--from FILE] [--write FILE] [--against "
            "FILE] PACK FACES\n");
        return 2;
    }
    run.faces = calloc(MOST, sizeof *run.faces);
    kept.faces = calloc(MOST, sizeof *kept.faces);
    enum sp_status status = run.faces && kept.faces ? sp_pack_load(&run.pack, argv[at], &err) : SP_E_NOMEM;
    if (status == SP_OK && !from && (status = sp_engine_open(&engine, &config, &err)) == SP_E_UNSUPPORTED) {
        printf("SKIP: %s\n", err.text);
        return 77;
    }
    if (status == SP_OK && !from)
        status = sp_vision_new(&vision, engine, &run.pack, &limits, run.batch, &err);
    if (status == SP_OK && !from && !list(&run, argv[at + 1]))
        status = sp_fail(&err, SP_E_NOTFOUND, "%s holds no .jpg", argv[at + 1]);
    if (status == SP_OK && !from)
        status = analyse(&run, vision, argv[at + 1], &err);
    if (status == SP_OK && from && !read_file(&run, from))
        status = sp_fail(&err, SP_E_FORMAT, "%s holds no results for this pack", from);
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
