/* vision_accuracy PACK FACES [--cheap|--last|--strong] [--dump]: the pipeline's accuracy without the programs
 * around it.
 *
 * FACES holds ID_N.jpg. Of the people with two photographs or more, in name order, the 1st, 3rd, 5th ... are
 * enrolled with _1 and probed with the rest; everyone else is a stranger. Prints rank-1 misses, FNIR at FPIR 3 %,
 * what was not detected or refused and why, and the calibration table: the metric value that a share fmr of all
 * impostor pairs passes. --last (default), --cheap, --strong choose the detectors of the probes; --dump prints a
 * line per image. */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"
#include "image/image.h"
#include "workers/vision.h"

enum { MAX_PHOTOS = 4096, BATCH = 4 };

enum part { ENROLLED, MATED, STRANGER };

struct photo {
    char person[64], path[1024];
    int number;
    enum part part;
    bool found[2]; /* as portrait (ENROL), as probe */
    int reason[2];
    float vector[2][SP_MAX_DIM];
    double best; /* score of the best candidate */
    bool right;  /* and whether it is the right person */
};

struct run {
    struct sp_pack pack;
    struct sp_engine *engine;
    struct sp_vision *vision;
    enum sp_vision_mode probe_mode;
    bool dump;
    int count;
    struct photo *photos;
};

static void give_up(const char *what)
{
    fprintf(stderr, "vision_accuracy: %s\n", what);
    exit(1);
}

static int by_name(const void *left, const void *right)
{
    const struct photo *a = left, *b = right;
    int order = strcmp(a->person, b->person);
    return order ? order : a->number - b->number;
}

static void list_photos(struct run *run, const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory)
        give_up("the folder of faces cannot be read");
    run->photos = calloc(MAX_PHOTOS, sizeof *run->photos);
    for (struct dirent *entry; (entry = readdir(directory)) && run->count < MAX_PHOTOS;) {
        struct photo *photo = &run->photos[run->count];
        if (sscanf(entry->d_name, "%63[^_]_%d.jpg", photo->person, &photo->number) != 2)
            continue;
        snprintf(photo->path, sizeof photo->path, "%s/%s", folder, entry->d_name);
        run->count++;
    }
    closedir(directory);
    qsort(run->photos, (size_t)run->count, sizeof *run->photos, by_name);
}

static void share_out(struct run *run)
{
    int several = 0;
    for (int first = 0, next; first < run->count; first = next) {
        for (next = first; next < run->count && !strcmp(run->photos[first].person, run->photos[next].person);)
            next++;
        bool enrolled = next - first >= 2 && several++ % 2 == 0;
        for (int i = first; i < next; i++)
            run->photos[i].part = !enrolled ? STRANGER : run->photos[i].number == 1 ? ENROLLED : MATED;
    }
}

static struct sp_image *read_image(const char *path)
{
    static uint8_t bytes[16 << 20];
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    struct sp_err err = {0};
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    if (sp_image_decode(&image, bytes, length, &limits, &err) != SP_OK)
        give_up(err.text);
    return image;
}

static void keep(struct run *run, struct photo *photo, int as, const struct sp_faces *faces)
{
    const struct sp_face *face = &faces->faces[0];
    photo->reason[as] = faces->count ? face->reason : SP_REASON_NO_FACE;
    photo->found[as] = faces->count && face->embedded;
    if (photo->found[as])
        memcpy(photo->vector[as], face->vector, sizeof(float) * (size_t)run->pack.dim);
    if (!run->dump || !faces->count) {
        if (run->dump)
            printf("%s %s no_face\n", photo->path, as ? "probe" : "enrol");
        return;
    }
    const struct sp_quality *q = &face->quality;
    printf("%s %s %s faces %d%s%s score %.2f box %.0f eyes %.1f | sharp %d eye %d yaw %d pitch %d roll %d under %d "
           "over "
           "%d mean %d single %d unified %d\n",
           photo->path, as ? "probe" : "enrol", sp_reason_word(photo->reason[as]), faces->count,
           faces->strong ? " strong" : "", faces->bordered ? " bordered" : "", (double)face->detector_score,
           (double)(face->box.x1 - face->box.x0), (double)q->inter_eye_px, q->sharpness, q->inter_eye_distance,
           q->pose_yaw, q->pose_pitch, q->pose_roll, q->under_exposure, q->over_exposure, q->luminance_mean,
           q->single_face_present, q->unified);
}

/* Every photograph as a probe, and those of the gallery also as a portrait. */
static void analyse(struct run *run)
{
    struct sp_faces *faces = calloc(BATCH, sizeof *faces);
    struct sp_vision_timings sum = {0};
    int analysed = 0;
    for (int as = 0; as < 2; as++)
        for (int first = 0; first < run->count;) {
            struct sp_image *images[BATCH];
            enum sp_vision_mode modes[BATCH];
            struct photo *rows[BATCH];
            struct sp_vision_timings timings;
            struct sp_err err = {0};
            int count = 0;
            for (; first < run->count && count < BATCH; first++) {
                struct photo *photo = &run->photos[first];
                if ((photo->part == ENROLLED) != (as == 0))
                    continue;
                images[count] = read_image(photo->path);
                modes[count] = as ? run->probe_mode : SP_VISION_ENROL;
                rows[count++] = photo;
            }
            if (sp_vision_analyse(run->vision, count, (const struct sp_image *const *)images, modes, faces,
                                  &timings, &err) != SP_OK)
                give_up(err.text);
            sum.detect_us += timings.detect_us;
            sum.landmark_us += timings.landmark_us;
            sum.align_us += timings.align_us;
            sum.quality_us += timings.quality_us;
            sum.embed_us += timings.embed_us;
            analysed += count;
            for (int i = 0; i < count; i++) {
                keep(run, rows[i], as, &faces[i]);
                sp_image_free(&images[i]);
            }
        }
    free(faces);
    printf(
        "images %d; per image: detect %.1f ms, landmarks %.1f ms, align %.2f ms, quality %.2f ms, embed %.1f ms\n",
        analysed, sum.detect_us / 1e3 / analysed, sum.landmark_us / 1e3 / analysed, sum.align_us / 1e3 / analysed,
        sum.quality_us / 1e3 / analysed, sum.embed_us / 1e3 / analysed);
}

/* Larger is better, as sp_pack_score. */
static double score(const struct run *run, const float *a, const float *b)
{
    double squares = 0, dot = 0;
    for (int i = 0; i < run->pack.dim; i++) {
        squares += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        dot += (double)a[i] * b[i];
    }
    return run->pack.metric == SP_PACK_L2 ? 1 - sqrt(squares) : dot;
}

static void search(struct run *run)
{
    for (int i = 0; i < run->count; i++) {
        struct photo *probe = &run->photos[i];
        probe->best = -INFINITY;
        if (probe->part == ENROLLED || !probe->found[1])
            continue;
        for (int k = 0; k < run->count; k++) {
            const struct photo *row = &run->photos[k];
            if (row->part != ENROLLED || !row->found[0])
                continue;
            double value = score(run, probe->vector[1], row->vector[0]);
            if (value > probe->best) {
                probe->best = value;
                probe->right = !strcmp(probe->person, row->person);
            }
        }
    }
}

static int falling(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? 1 : a > b ? -1 : 0;
}

static void report_search(const struct run *run)
{
    static const double shares[] = {0.003, 0.01, 0.03, 0.1};
    double *strangers = calloc(MAX_PHOTOS, sizeof *strangers);
    int counts[3] = {0}, missed = 0, refused[3] = {0}, stranger_count = 0;
    for (int i = 0; i < run->count; i++) {
        const struct photo *photo = &run->photos[i];
        int as = photo->part != ENROLLED;
        counts[photo->part]++;
        if (!photo->found[as]) {
            refused[photo->part]++;
            printf("not comparable: %s %s\n", photo->path, sp_reason_word(photo->reason[as]));
        }
        if (photo->part == STRANGER)
            strangers[stranger_count++] = photo->best;
        if (photo->part == MATED && photo->found[1] && !photo->right)
            printf("wrong person first: %s (score %.3f)\n", photo->path, photo->best);
        missed += photo->part == MATED && !(photo->found[1] && photo->right);
    }
    qsort(strangers, (size_t)stranger_count, sizeof *strangers, falling);
    printf("enrolled %d (refused %d), mated %d (refused %d), strangers %d (refused %d)\n", counts[ENROLLED],
           refused[ENROLLED], counts[MATED], refused[MATED], counts[STRANGER], refused[STRANGER]);
    printf("rank-1 misses %d of %d\n", missed, counts[MATED]);
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++) {
        double threshold = strangers[(int)(shares[s] * stranger_count)];
        int lost = 0;
        for (int i = 0; i < run->count; i++) {
            const struct photo *photo = &run->photos[i];
            lost += photo->part == MATED && !(photo->found[1] && photo->right && photo->best > threshold);
        }
        printf("FNIR at FPIR %.1f %%: %.2f %% (%d of %d; score beyond %.4f)\n", shares[s] * 100,
               100.0 * lost / (counts[MATED] ? counts[MATED] : 1), lost, counts[MATED], threshold);
    }
    free(strangers);
}

/* The score that a share of all impostor pairs reaches: every pair of comparable images of two people. */
static void report_calibration(const struct run *run)
{
    static const double rates[] = {1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5};
    size_t pairs = 0, capacity = (size_t)run->count * (size_t)run->count / 2;
    double *impostors = malloc((capacity + 1) * sizeof *impostors);
    int genuine = 0;
    double genuine_sum = 0;
    for (int i = 0; i < run->count; i++)
        for (int k = i + 1; k < run->count; k++) {
            const struct photo *a = &run->photos[i], *b = &run->photos[k];
            int as_a = a->part != ENROLLED, as_b = b->part != ENROLLED;
            if (!a->found[as_a] || !b->found[as_b])
                continue;
            double value = score(run, a->vector[as_a], b->vector[as_b]);
            if (strcmp(a->person, b->person)) {
                impostors[pairs++] = value;
            } else {
                genuine++;
                genuine_sum += value;
            }
        }
    qsort(impostors, pairs, sizeof *impostors, falling);
    printf("impostor pairs %zu, genuine pairs %d (mean score %.3f)\ncalibration:\n", pairs, genuine,
           genuine ? genuine_sum / genuine : 0);
    for (size_t r = 0; r < sizeof rates / sizeof rates[0] && pairs > 0; r++) {
        double value = impostors[(size_t)(rates[r] * (double)pairs)];
        printf("  - {fmr: %.0e, threshold: %.4f}\n", rates[r], run->pack.metric == SP_PACK_L2 ? 1 - value : value);
    }
    free(impostors);
}

int main(int argc, char **argv)
{
    struct run run = {.probe_mode = SP_VISION_LAST};
    struct sp_engine_config config = {.backend = SP_BACKEND_CPU, .threads = 1};
    struct sp_vision_limits limits = sp_vision_limits_default();
    struct sp_err err = {0};
    if (argc < 3)
        give_up("usage: vision_accuracy PACK FACES [--cheap|--last|--strong] [--dump]");
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--cheap"))
            run.probe_mode = SP_VISION_FRAME;
        else if (!strcmp(argv[i], "--strong"))
            run.probe_mode = SP_VISION_ENROL;
        else if (!strcmp(argv[i], "--dump"))
            run.dump = true;
    }
    if (sp_pack_load(&run.pack, argv[1], &err) != SP_OK || sp_engine_open(&run.engine, &config, &err) != SP_OK ||
        sp_vision_new(&run.vision, run.engine, &run.pack, &limits, BATCH, &err) != SP_OK)
        give_up(err.text);
    list_photos(&run, argv[2]);
    if (run.count == 0)
        give_up("no ID_N.jpg in the folder of faces");
    share_out(&run);
    analyse(&run);
    search(&run);
    report_search(&run);
    report_calibration(&run);
    sp_vision_free(&run.vision);
    sp_engine_free(&run.engine);
    free(run.photos);
    return 0;
}
