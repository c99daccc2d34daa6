/* enrol_bench [--threads N] [--batch N] [--most N] PACK FOLDER: portraits a second through the enrolment pipeline
 * alone, from the file's bytes to a template, in this one process: decode, strong detector, landmarks, quality,
 * embedding.
 *
 * Each thread has nets of its own, as in a worker. The figure that a fleet's enrolment is measured against
 * (tests/bench/manifest.sh). */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/pack.h"
#include "image/image.h"
#include "workers/vision.h"

enum { MOST_THREADS = 64, MOST_BATCH = 64, MOST_BYTES = 16 << 20 };

struct bench {
    const char *folder;
    char (*names)[256];
    int count, batch;
    struct sp_pack pack;
    _Atomic int next, templates, failed;
};

struct lane {
    pthread_t thread;
    struct bench *bench;
    struct sp_engine *engine;
    struct sp_vision *vision;
};

static int list(struct bench *bench, int most)
{
    DIR *open = opendir(bench->folder);
    bench->names = calloc((size_t)most, sizeof *bench->names);
    for (struct dirent *entry; open && bench->names && bench->count < most && (entry = readdir(open));)
        if (strstr(entry->d_name, ".jpg"))
            snprintf(bench->names[bench->count++], sizeof *bench->names, "%.255s", entry->d_name);
    if (open)
        closedir(open);
    return bench->count;
}

static struct sp_image *read_portrait(const struct bench *bench, int at)
{
    char path[1300];
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_image *image = NULL;
    struct sp_image_limits limits = sp_image_limits_default();
    snprintf(path, sizeof path, "%s/%s", bench->folder, bench->names[at]);
    if (sp_file_read(&bytes, &length, path, MOST_BYTES, NULL) == SP_OK)
        (void)sp_image_decode(&image, bytes, length, &limits, NULL);
    free(bytes);
    return image;
}

static void *run(void *context)
{
    struct lane *lane = context;
    struct bench *bench = lane->bench;
    struct sp_faces *faces = calloc(MOST_BATCH, sizeof *faces);
    for (int first; faces && (first = atomic_fetch_add(&bench->next, bench->batch)) < bench->count;) {
        struct sp_image *images[MOST_BATCH];
        enum sp_vision_mode modes[MOST_BATCH];
        struct sp_vision_timings timings;
        int count = 0;
        for (int i = first; i < first + bench->batch && i < bench->count; i++) {
            modes[count] = SP_VISION_ENROL;
            if ((images[count] = read_portrait(bench, i)))
                count++;
        }
        bool good = count > 0 && sp_vision_analyse(lane->vision, count, (const struct sp_image *const *)images,
                                                   modes, faces, &timings, NULL) == SP_OK;
        if (count > 0 && !good)
            atomic_fetch_add(&bench->failed, count);
        for (int i = 0; i < count; i++) {
            bench->templates += good && faces[i].count > 0 && faces[i].faces[0].embedded;
            sp_image_free(&images[i]);
        }
    }
    free(faces);
    return NULL;
}

static enum sp_status open_lane(struct lane *lane, struct sp_err *err)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_AUTO, .threads = 1};
    struct sp_vision_limits limits = sp_vision_limits_default();
    enum sp_status status = sp_engine_open(&lane->engine, &config, err);
    if (status == SP_OK)
        status = sp_vision_new(&lane->vision, lane->engine, &lane->bench->pack, &limits, lane->bench->batch, err);
    return status;
}

int main(int argc, char **argv)
{
    static struct lane lanes[MOST_THREADS];
    struct bench bench = {.batch = 2};
    struct sp_err err = {0};
    int threads = 1, most = 1 << 16, at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        int *value = !strcmp(argv[at], "--threads") ? &threads
                     : !strcmp(argv[at], "--batch") ? &bench.batch
                                                    : &most;
        *value = (int)strtol(argv[at + 1], NULL, 10);
    }
    if (at + 2 != argc || threads < 1 || threads > MOST_THREADS || bench.batch < 1 || bench.batch > MOST_BATCH ||
        most < 1) {
        fprintf(stderr, "usage: enrol_bench [--threads N] [--batch N] [--most N] PACK FOLDER\n");
        return 2;
    }
    bench.folder = argv[at + 1];
    enum sp_status status = sp_pack_load(&bench.pack, argv[at], &err);
    if (status == SP_OK && list(&bench, most) == 0)
        status = sp_fail(&err, SP_E_NOTFOUND, "%s holds no .jpg", bench.folder);
    for (int i = 0; status == SP_OK && i < threads; i++) {
        lanes[i].bench = &bench;
        status = open_lane(&lanes[i], &err);
    }
    uint64_t began = sp_clock_mono_ns();
    int started = 0;
    for (; status == SP_OK && started < threads; started++)
        if (pthread_create(&lanes[started].thread, NULL, run, &lanes[started]))
            status = sp_fail(&err, SP_E_INTERNAL, "no thread");
    for (int i = 0; i < started; i++)
        pthread_join(lanes[i].thread, NULL);
    double seconds = (double)(sp_clock_mono_ns() - began) / 1e9;
    if (status == SP_OK && bench.failed)
        status = sp_fail(&err, SP_E_INTERNAL, "%d portraits could not be analysed", bench.failed);
    if (status == SP_OK)
        printf("%d portraits, %d templates, %.2f s, %.2f portraits/s (%d threads, batch %d)\n", bench.count,
               bench.templates, seconds, bench.count / seconds, threads, bench.batch);
    else
        fprintf(stderr, "enrol_bench: %s\n", err.text);
    for (int i = 0; i < threads; i++) {
        sp_vision_free(&lanes[i].vision);
        if (lanes[i].engine)
            sp_engine_free(&lanes[i].engine);
    }
    free(bench.names);
    return status != SP_OK;
}
