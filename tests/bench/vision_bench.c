/* vision_bench [--backend cpu|ref|cuda] [--rounds N] [--batch N] [--flat SECONDS] PACK FACES: frames a second
 * through the worker's vision; or, for so many seconds, whether memory stays what it is (exit 1 if it grows).
 *
 * Frames are 1280 x 720: a photograph of FACES each, in the middle of a grey picture, decoded beforehand. One
 * thread. Exit 77 where the backend does not work. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "common/pack.h"
#include "image/image.h"
#include "workers/vision.h"

enum { WIDTH = 1280, HEIGHT = 720, MOST = 64 };

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The photograph in the middle of a frame, cut where it is larger. NULL if it cannot be read. */
static struct sp_image *frame_of(const char *path)
{
    static uint8_t bytes[16 << 20];
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *photo = NULL, *frame = NULL;
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    if (!length || sp_image_decode(&photo, bytes, length, &limits, NULL) ||
        sp_image_new(&frame, WIDTH, HEIGHT, NULL)) {
        sp_image_free(&photo);
        return NULL;
    }
    memset(frame->pixels, 110, (size_t)frame->stride * HEIGHT);
    int width = photo->width < WIDTH ? photo->width : WIDTH,
        height = photo->height < HEIGHT ? photo->height : HEIGHT;
    for (int y = 0; y < height; y++)
        memcpy(frame->pixels + (size_t)(y + (HEIGHT - height) / 2) * (size_t)frame->stride +
                   (size_t)(WIDTH - width) / 2 * 3,
               photo->pixels + (size_t)y * (size_t)photo->stride, (size_t)width * 3);
    sp_image_free(&photo);
    return frame;
}

static int read_frames(struct sp_image *frames[MOST], const char *folder)
{
    DIR *open = opendir(folder);
    int count = 0;
    char path[1200];
    for (struct dirent *entry; open && count < MOST && (entry = readdir(open));)
        if (strstr(entry->d_name, ".jpg")) {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            if ((frames[count] = frame_of(path)))
                count++;
        }
    if (open)
        closedir(open);
    return count;
}

static enum sp_status measure(struct sp_vision *vision, struct sp_image *const *frames, int count, int batch,
                              int rounds, struct sp_err *err)
{
    static struct sp_faces faces[MOST];
    enum sp_vision_mode modes[MOST] = {SP_VISION_FRAME};
    struct sp_vision_timings last = {0};
    int done = 0, embedded = 0;
    double start = 0;
    for (int round = -1; round < rounds; round++) { /* the first one warms up */
        if (round == 0)
            start = now_s(), done = embedded = 0;
        for (int first = 0; first + batch <= count; first += batch) {
            enum sp_status status = sp_vision_analyse(vision, batch, (const struct sp_image *const *)frames + first,
                                                      modes, faces, &last, err);
            if (status)
                return status;
            done += batch;
            for (int i = 0; i < batch; i++)
                embedded += faces[i].count > 0 && faces[i].faces[0].embedded;
        }
    }
    printf("pipeline 1280x720 batch %2d: %8.1f frames/s, %d of %d embedded; last batch us: detect %u landmarks %u "
           "align %u "
           "quality %u embed %u\n",
           batch, done / (now_s() - start), embedded, done, last.detect_us, last.landmark_us, last.align_us,
           last.quality_us, last.embed_us);
    return SP_OK;
}

static size_t resident_bytes(void)
{
    size_t pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%zu %zu", &all, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Bytes free on the device, by the driver's own word; 0 where there is none. */
static size_t device_free(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "cuMemGetInfo_v2") : NULL;
    int (*ask)(size_t *, size_t *);
    size_t left = 0, total = 0;
    memcpy(&ask, &symbol, sizeof ask);
    return symbol && ask(&left, &total) == 0 ? left : 0;
}

/* Batches for so many seconds, after a tenth of that to warm up: memory must not grow, here (beyond the allocator's
 * slack) or on the device. */
static enum sp_status stay_flat(struct sp_vision *vision, struct sp_image *const *frames, int count, int batch,
                                double seconds, struct sp_err *err)
{
    static struct sp_faces faces[MOST];
    enum sp_vision_mode modes[MOST] = {SP_VISION_FRAME};
    size_t resident = 0, left = 0, slack = 4 << 20;
    double start = now_s();
    long done = 0;
    for (int first = 0; now_s() - start < seconds * 1.1; first = first + 2 * batch <= count ? first + batch : 0) {
        enum sp_status status = sp_vision_analyse(vision, batch, (const struct sp_image *const *)frames + first,
                                                  modes, faces, NULL, err);
        if (status)
            return status;
        done += batch;
        if (!resident && now_s() - start > seconds / 10) {
            resident = resident_bytes();
            left = device_free();
        }
    }
    size_t resident_now = resident_bytes(), left_now = device_free();
    printf("memory over %.0f s, %ld frames: resident %zu KiB, then %zu; free on the device %zu MiB, then %zu\n",
           seconds, done, resident >> 10, resident_now >> 10, left >> 20, left_now >> 20);
    if (resident_now > resident + slack || left_now < left)
        return sp_fail(err, SP_E_LIMIT, "memory grew");
    return SP_OK;
}

int main(int argc, char **argv)
{
    static const int batches[] = {1, 8, 32};
    struct sp_engine_config config = {.backend = SP_BACKEND_CPU, .threads = 1};
    struct sp_vision_limits limits = sp_vision_limits_default();
    struct sp_image *frames[MOST] = {NULL};
    struct sp_engine *engine = NULL;
    struct sp_vision *vision = NULL;
    struct sp_err err = {0};
    struct sp_pack pack;
    int at = 1, rounds = 20, only = 0, count = 0;
    double flat = 0;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (!strcmp(argv[at], "--rounds"))
            rounds = (int)strtol(argv[at + 1], NULL, 10);
        else if (!strcmp(argv[at], "--batch"))
            only = (int)strtol(argv[at + 1], NULL, 10);
        else if (!strcmp(argv[at], "--flat"))
            flat = strtod(argv[at + 1], NULL);
        else if (!strcmp(argv[at], "--backend"))
            config.backend = !strcmp(argv[at + 1], "cuda")  ? SP_BACKEND_CUDA
                             : !strcmp(argv[at + 1], "ref") ? SP_BACKEND_REF
                                                            : SP_BACKEND_CPU;
    }
    if (at + 2 != argc || rounds < 1 || only < 0 || only > MOST) {
        fprintf(stderr,
                "usage: vision_bench [--backend cpu|ref|cuda] [--rounds N] [--batch N] [--flat SECONDS] PACK "
                "FACES\n");
        return 2;
    }
    enum sp_status status = sp_pack_load(&pack, argv[at], &err);
    if (!status && (status = sp_engine_open(&engine, &config, &err)) == SP_E_UNSUPPORTED) {
        printf("SKIP: %s\n", err.text);
        return 77;
    }
    if (!status)
        status = sp_vision_new(&vision, engine, &pack, &limits, only ? only : batches[2], &err);
    if (!status && (count = read_frames(frames, argv[at + 1])) == 0)
        status = sp_fail(&err, SP_E_NOTFOUND, "%s holds no .jpg that can be read", argv[at + 1]);
    if (!status)
        printf("%s, %d frames\n", sp_engine_describe(engine), count);
    if (flat > 0 && !status) {
        int batch = only && only < count ? only : count < batches[2] ? count : batches[2];
        status = stay_flat(vision, frames, count, batch, flat, &err);
    } else if (only && !status)
        status = measure(vision, frames, count, only, rounds, &err);
    for (size_t i = 0; !only && !(flat > 0) && !status && i < sizeof batches / sizeof batches[0]; i++)
        if (batches[i] <= count)
            status = measure(vision, frames, count, batches[i], rounds, &err);
    if (status)
        fprintf(stderr, "vision_bench: %s\n", err.text);
    for (int i = 0; i < count; i++)
        sp_image_free(&frames[i]);
    sp_vision_free(&vision);
    if (engine)
        sp_engine_free(&engine);
    return status != SP_OK;
}
