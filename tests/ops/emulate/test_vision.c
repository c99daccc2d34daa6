/* The whole of vision with pictures on a device of plain memory, by the CUDA backend's own host code and kernels,
 * against vision on the cpu backend: the same bits. Needs $SALLYPORT_PACK and photographs in $SALLYPORT_PHOTOS or
 * $SALLYPORT_TEST_DATA/faces; skips without. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/pack.h"
#include "image/image.h"
#include "tests/ops/emulate/plain_device.h"
#include "workers/vision.h"

enum { PICTURES = 4, BATCH = 3 };

static struct sp_pack pack;
static struct sp_image *pictures[PICTURES];

static struct sp_image *read_picture(const char *path)
{
    static uint8_t bytes[16 << 20];
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    return length && sp_image_decode(&image, bytes, length, &limits, NULL) == SP_OK ? image : NULL;
}

/* Photographs, and two pictures that hold no face: small noise and one long black line. */
static int read_pictures(void)
{
    char folder[1000] = "", path[1300];
    int count = 0;
    if (getenv("SALLYPORT_PHOTOS"))
        snprintf(folder, sizeof folder, "%s", getenv("SALLYPORT_PHOTOS"));
    else if (getenv("SALLYPORT_TEST_DATA"))
        snprintf(folder, sizeof folder, "%s/faces", getenv("SALLYPORT_TEST_DATA"));
    DIR *open = opendir(folder);
    for (struct dirent *entry; open && count < PICTURES - 2 && (entry = readdir(open));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strstr(entry->d_name, ".jpg") && (pictures[count] = read_picture(path)))
            count++;
    }
    if (open)
        closedir(open);
    if (count == 0)
        return 0;
    assert_int_equal(sp_image_new(&pictures[count], 33, 17, NULL), SP_OK);
    for (int i = 0; i < 33 * 17 * 3; i++)
        pictures[count]->pixels[i / 99 * pictures[count]->stride + i % 99] = (uint8_t)(i * 7919 >> 3);
    assert_int_equal(sp_image_new(&pictures[count + 1], 3000, 16, NULL), SP_OK);
    return count + 2;
}

static uint64_t spent_us[SP_WORK_COUNT]; /* of the last engine */

static double a_microsecond(const void *payload, size_t bytes)
{
    (void)payload;
    (void)bytes;
    return 1;
}

static enum sp_status analyse(enum sp_backend backend, int memory_fault, int count, struct sp_faces *ret_faces,
                              struct sp_err *err)
{
    struct sp_engine_config config = {.backend = backend,
                                      .threads = 1,
                                      .fault = memory_fault ? SP_FAULT_MEMORY : SP_FAULT_NONE,
                                      .fault_after = memory_fault};
    struct sp_vision_limits limits = sp_vision_limits_default();
    enum sp_vision_mode modes[PICTURES];
    struct sp_engine *engine = NULL;
    struct sp_vision *vision = NULL;
    for (int i = 0; i < count; i++)
        modes[i] = (enum sp_vision_mode)(i % 3);
    enum sp_status status = sp_engine_open(&engine, &config, err);
    if (!status)
        status = sp_vision_new(&vision, engine, &pack, &limits, BATCH, err);
    for (int round = 0; round < 2 && !status; round++) /* the second one in memory that was used */
        status =
            sp_vision_analyse(vision, count, (const struct sp_image *const *)pictures, modes, ret_faces, NULL, err);
    sp_vision_free(&vision);
    if (engine) {
        sp_engine_spent(engine, spent_us);
        sp_engine_free(&engine);
    }
    return status;
}

static struct sp_faces host[PICTURES], device[PICTURES];

static void same_faces_as_the_host(void **state)
{
    struct sp_err err = {0};
    int count = *(int *)*state, embedded = 0;
    if (analyse(SP_BACKEND_CPU, 0, count, host, &err) || analyse(SP_BACKEND_CUDA, 0, count, device, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < count; i++) {
        assert_int_equal(host[i].count, device[i].count);
        assert_int_equal(host[i].strong, device[i].strong);
        assert_int_equal(host[i].bordered, device[i].bordered);
        for (int k = 0; k < host[i].count; k++) {
            const struct sp_face *a = &host[i].faces[k], *b = &device[i].faces[k];
            assert_memory_equal(&a->box, &b->box, sizeof a->box);
            assert_int_equal(a->point_count, b->point_count);
            assert_memory_equal(a->points, b->points, (size_t)a->point_count * sizeof a->points[0]);
            assert_int_equal(a->reason, b->reason);
            assert_memory_equal(&a->quality, &b->quality, sizeof a->quality);
            assert_int_equal(a->embedded, b->embedded);
            if (a->embedded)
                assert_memory_equal(a->vector, b->vector, (size_t)pack.dim * sizeof a->vector[0]);
            embedded += a->embedded;
        }
    }
    assert_true(embedded > 0);
    /* Two rounds of a microsecond for each copy, kernel and net. */
    assert_in_range(spent_us[SP_WORK_FIND], 2 * 4, 1000);
    assert_in_range(spent_us[SP_WORK_RUN], 2 * 4, 1000);
    assert_in_range(spent_us[SP_WORK_CUT], 2 * 3, 1000);
    assert_int_equal(spent_us[SP_WORK_MATCH], 0);
}

/* Whichever allocation fails, the answer says so and nothing is kept (the backend checks when it is closed). */
static void memory_runs_out(void **state)
{
    struct sp_err err = {0};
    int failed = 0;
    (void)state;
    for (int nth = 20; nth < 60; nth += 5) {
        enum sp_status status = analyse(SP_BACKEND_CUDA, nth, 1, device, &err);
        assert_true(status == SP_OK || status == SP_E_NOMEM);
        failed += status == SP_E_NOMEM;
    }
    assert_true(failed > 0);
}

int main(void)
{
    const char *folder = getenv("SALLYPORT_PACK");
    struct sp_err err = {0};
    if (!folder || sp_pack_load(&pack, folder, &err) != SP_OK) {
        printf("SKIP: $SALLYPORT_PACK names no pack %s\n", err.text);
        return 77;
    }
    int count = read_pictures();
    if (count == 0) {
        printf("SKIP: neither $SALLYPORT_PHOTOS nor $SALLYPORT_TEST_DATA/faces holds photographs\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(same_faces_as_the_host, &count),
                                       cmocka_unit_test(memory_runs_out)};
    plain_device_clock(a_microsecond);
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < count; i++)
        sp_image_free(&pictures[i]);
    return result;
}
