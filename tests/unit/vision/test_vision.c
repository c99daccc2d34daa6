/* The whole pipeline on real nets and faces. $SALLYPORT_PACK names a model pack, $SALLYPORT_TEST_DATA (default
 * ../shared/data beside the source) a folder with faces/; without either the test skips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"
#include "image/image.h"
#include "tests/unit/image/encode_jp2.h"
#include "workers/vision.h"

enum { MAX_BATCH = 3, IMAGES = 7, BLANK = 6 };

struct fixture {
    struct sp_pack pack;
    struct sp_engine *engine;
    struct sp_vision *vision;
    struct sp_image *images[IMAGES]; /* six faces of at least three people, one blank */
};

static struct sp_image *read_image(const char *path)
{
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *image = NULL;
    struct sp_err err = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    uint8_t *bytes = malloc(limits.max_bytes);
    size_t length = fread(bytes, 1, limits.max_bytes, file);
    fclose(file);
    if (sp_image_decode(&image, bytes, length, &limits, &err) != SP_OK)
        fail_msg("%s: %s", path, err.text);
    free(bytes);
    return image;
}

static const char *data_folder(void)
{
    static char path[1024];
    const char *set = getenv("SALLYPORT_TEST_DATA"), *source = getenv("SALLYPORT_SOURCE");
    snprintf(path, sizeof path, "%s%s/faces", set ? set : source ? source : ".", set ? "" : "/../shared/data");
    return path;
}

/* The first six photographs in name order: the first people's, several of each. */
static void read_faces(struct fixture *fixture)
{
    struct dirent **entries = NULL;
    int count = scandir(data_folder(), &entries, NULL, alphasort), taken = 0;
    for (int i = 0; i < count; i++) {
        char path[2048];
        if (taken < BLANK && strstr(entries[i]->d_name, ".jpg")) {
            snprintf(path, sizeof path, "%s/%s", data_folder(), entries[i]->d_name);
            fixture->images[taken++] = read_image(path);
        }
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(taken, BLANK);
    assert_int_equal(sp_image_new(&fixture->images[BLANK], 200, 150, NULL), SP_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct sp_engine_config config = {.backend = SP_BACKEND_CPU, .threads = 1};
    struct sp_vision_limits limits = sp_vision_limits_default();
    struct sp_err err = {0};
    if (sp_pack_load(&fixture->pack, getenv("SALLYPORT_PACK"), &err) != SP_OK ||
        sp_engine_open(&fixture->engine, &config, &err) != SP_OK ||
        sp_vision_new(&fixture->vision, fixture->engine, &fixture->pack, &limits, MAX_BATCH, &err) != SP_OK) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    read_faces(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (!fixture)
        return 0;
    for (int i = 0; i < IMAGES; i++)
        sp_image_free(&fixture->images[i]);
    sp_vision_free(&fixture->vision);
    sp_engine_free(&fixture->engine);
    free(fixture);
    return 0;
}

static struct sp_faces *analysed(struct fixture *fixture, int count, const int *order,
                                 const enum sp_vision_mode *modes)
{
    const struct sp_image *images[16];
    struct sp_vision_timings timings;
    struct sp_err err = {0};
    struct sp_faces *faces = malloc((size_t)count * sizeof *faces);
    memset(faces, 0xaa, (size_t)count * sizeof *faces);
    for (int i = 0; i < count; i++)
        images[i] = fixture->images[order[i]];
    if (sp_vision_analyse(fixture->vision, count, images, modes, faces, &timings, &err) != SP_OK)
        fail_msg("%s", err.text);
    return faces;
}

static double distance(const struct fixture *fixture, const struct sp_face *a, const struct sp_face *b)
{
    double sum = 0;
    for (int i = 0; i < fixture->pack.dim; i++)
        sum += pow((double)a->vector[i] - (double)b->vector[i], 2);
    return sqrt(sum);
}

static void assert_same(const struct fixture *fixture, const struct sp_faces *a, const struct sp_faces *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->strong, b->strong);
    assert_int_equal(a->bordered, b->bordered);
    for (int i = 0; i < a->count; i++) {
        const struct sp_face *left = &a->faces[i], *right = &b->faces[i];
        assert_float_equal(left->box.x0, right->box.x0, 0.05);
        assert_float_equal(left->box.y1, right->box.y1, 0.05);
        assert_int_equal(left->reason, right->reason);
        assert_int_equal(left->embedded, right->embedded);
        assert_in_range(left->quality.sharpness, right->quality.sharpness - 1, right->quality.sharpness + 1);
        if (left->embedded)
            assert_true(distance(fixture, left, right) < 0.01);
    }
}

/* Every image alone, then all of them in one call of other order, with two modes: the same faces. */
static void batches_do_not_mix_rows(void **state)
{
    struct fixture *fixture = *state;
    static const int order[12] = {6, 2, 0, 5, 2, 6, 1, 4, 3, 0, 6, 5};
    enum sp_vision_mode modes[12];
    struct sp_faces *alone[IMAGES][2];
    for (int i = 0; i < IMAGES; i++)
        for (int enrol = 0; enrol < 2; enrol++) {
            enum sp_vision_mode mode = enrol ? SP_VISION_ENROL : SP_VISION_LAST;
            alone[i][enrol] = analysed(fixture, 1, &i, &mode);
        }
    for (int i = 0; i < 12; i++)
        modes[i] = i % 3 == 1 ? SP_VISION_ENROL : SP_VISION_LAST;
    struct sp_faces *together = analysed(fixture, 12, order, modes);
    for (int i = 0; i < 12; i++)
        assert_same(fixture, &together[i], alone[order[i]][modes[i] == SP_VISION_ENROL]);
    free(together);
    for (int i = 0; i < IMAGES; i++) {
        free(alone[i][0]);
        free(alone[i][1]);
    }
}

static void modes_choose_the_detector(void **state)
{
    struct fixture *fixture = *state;
    bool has_cheap = fixture->pack.cheap.kind != SP_DETECTOR_NONE;
    static const int order[3] = {BLANK, BLANK, BLANK};
    static const enum sp_vision_mode modes[3] = {SP_VISION_FRAME, SP_VISION_LAST, SP_VISION_ENROL};
    struct sp_faces *faces = analysed(fixture, 3, order, modes);
    for (int i = 0; i < 3; i++)
        assert_int_equal(faces[i].count, 0);
    assert_int_equal(faces[0].strong, !has_cheap);
    assert_true(faces[1].strong);
    assert_true(faces[2].strong);
    free(faces);
}

static void faces_are_described(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < BLANK; i++) {
        enum sp_vision_mode mode = SP_VISION_ENROL;
        struct sp_faces *faces = analysed(fixture, 1, &i, &mode);
        const struct sp_face *face = &faces->faces[0];
        assert_true(faces->count >= 1);
        assert_true(face->box.x0 >= 0 && face->box.x1 <= (float)fixture->images[i]->width);
        assert_true(face->box.y0 >= 0 && face->box.y1 <= (float)fixture->images[i]->height);
        assert_true(face->detector_score > 0.3f && face->detector_score <= 1);
        assert_true(face->point_count == 68 || face->point_count == 5);
        assert_in_range(face->quality.unified, 0, 100);
        assert_int_equal(face->reason == SP_REASON_NONE, face->embedded);
        free(faces);
    }
}

static void one_face_is_itself_and_nobody_else(void **state)
{
    struct fixture *fixture = *state;
    static const int order[6] = {0, 1, 2, 3, 4, 5};
    static const enum sp_vision_mode modes[6] = {SP_VISION_ENROL, SP_VISION_ENROL, SP_VISION_ENROL,
                                                 SP_VISION_ENROL, SP_VISION_ENROL, SP_VISION_ENROL};
    struct sp_faces *first = analysed(fixture, 6, order, modes), *again = analysed(fixture, 6, order, modes);
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 6; k++) {
            const struct sp_face *a = &first[i].faces[0], *b = &again[k].faces[0];
            if (!a->embedded || !b->embedded)
                continue;
            if (i == k)
                assert_true(distance(fixture, a, b) < 1e-4);
            else
                assert_true(distance(fixture, a, b) > 0.1);
        }
    free(first);
    free(again);
}

/* A passport's chip holds a photograph as JPEG 2000, compressed about this much: the same face to us. */
static void a_jpeg_2000_portrait_is_the_same_face(void **state)
{
    struct fixture *fixture = *state;
    struct sp_image *photo = fixture->images[0], *decoded = NULL;
    struct sp_image_limits limits = sp_image_limits_default();
    struct encode_jp2_spec spec = {.picture = {.width = photo->width, .height = photo->height, .channels = 3},
                                   .pixels = photo->pixels,
                                   .boxes = 1,
                                   .lossy = 12};
    enum sp_vision_mode mode = SP_VISION_ENROL;
    int first = 0;
    uint8_t *bytes;
    size_t length;
    assert_int_equal(photo->stride, 3 * photo->width);
    encode_jp2(&spec, &bytes, &length);
    assert_int_equal(sp_image_decode(&decoded, bytes, length, &limits, NULL), SP_OK);
    free(bytes);
    struct sp_faces *plain = analysed(fixture, 1, &first, &mode);
    fixture->images[0] = decoded;
    struct sp_faces *jp2 = analysed(fixture, 1, &first, &mode);
    fixture->images[0] = photo;
    assert_true(plain->faces[0].embedded);
    assert_true(jp2->faces[0].embedded);
    assert_true(distance(fixture, &plain->faces[0], &jp2->faces[0]) < 0.2); /* strangers: 0.6 and more */
    free(plain);
    free(jp2);
    sp_image_free(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_do_not_mix_rows),
        cmocka_unit_test(modes_choose_the_detector),
        cmocka_unit_test(faces_are_described),
        cmocka_unit_test(one_face_is_itself_and_nobody_else),
        cmocka_unit_test(a_jpeg_2000_portrait_is_the_same_face),
    };
    if (!getenv("SALLYPORT_PACK")) {
        printf("SKIP: SALLYPORT_PACK names no model pack\n");
        return 77;
    }
    DIR *data = opendir(data_folder());
    if (!data) {
        printf("SKIP: no faces in %s\n", data_folder());
        return 77;
    }
    closedir(data);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
