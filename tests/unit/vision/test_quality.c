#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"
#include "workers/align.h"
#include "workers/quality.h"

enum { SIDE = 150 };

/* A textured chip on which a face could be: smooth light, blobs and fine lines. */
static void draw(uint8_t *chip, double gain, double offset)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double value = 110 + 40 * sin(x * 0.07) * cos(y * 0.05) + 25 * sin(x * 0.9) * sin(y * 0.8);
            value = value * gain + offset;
            uint8_t byte = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            memset(chip + (y * SIDE + x) * 3, byte, 3);
        }
}

/* A box blur of the given radius, repeated twice. */
static void blur(uint8_t *chip, int radius)
{
    uint8_t *copy = malloc(SIDE * SIDE * 3);
    for (int pass = 0; pass < 2; pass++) {
        memcpy(copy, chip, SIDE * SIDE * 3);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int sum = 0, count = 0;
                for (int v = y - radius; v <= y + radius; v++)
                    for (int u = x - radius; u <= x + radius; u++)
                        if (u >= 0 && v >= 0 && u < SIDE && v < SIDE) {
                            sum += copy[(v * SIDE + u) * 3];
                            count++;
                        }
                memset(chip + (y * SIDE + x) * 3, sum / count, 3);
            }
    }
    free(copy);
}

/* Quality of a chip cut with the given scale out of a frontal face of 1000 px. */
static struct sp_quality measured(const uint8_t *chip, float scale)
{
    struct sp_similarity map = {.a = scale};
    struct sp_quality_face face = {
        .chip = chip, .kind = SP_ALIGN_DLIB68, .map = &map, .image_width = 4000, .image_height = 4000};
    struct sp_quality quality;
    sp_align_template_five(SP_ALIGN_DLIB68, face.five);
    for (int i = 0; i < 5; i++) {
        face.five[i].x /= scale;
        face.five[i].y /= scale;
    }
    sp_quality_measure(&face, &quality);
    return quality;
}

static void blur_lowers_sharpness(void **state)
{
    (void)state;
    uint8_t chip[SIDE * SIDE * 3];
    int before = 101;
    for (int radius = 0; radius < 4; radius++) {
        draw(chip, 1, 0);
        if (radius)
            blur(chip, radius);
        struct sp_quality quality = measured(chip, 1);
        assert_true(quality.sharpness < before || (before == 0 && quality.sharpness == 0));
        before = quality.sharpness;
    }
    draw(chip, 1, 0);
    int sharp = measured(chip, 1).sharpness;
    assert_true(sharp >= 80);
    assert_true(before <= 5);
    /* Half the contrast is as sharp. */
    draw(chip, 0.5, 60);
    assert_in_range(measured(chip, 1).sharpness, sharp - 5, sharp + 5);
    /* Nothing at all is not. */
    memset(chip, 120, sizeof chip);
    assert_int_equal(measured(chip, 1).sharpness, 0);
}

static void darkening_lowers_exposure(void **state)
{
    (void)state;
    uint8_t chip[SIDE * SIDE * 3];
    struct sp_vision_limits limits = sp_vision_limits_default();
    struct sp_quality before, now;
    draw(chip, 1, 0);
    before = measured(chip, 1);
    assert_true(before.under_exposure >= 99 && before.over_exposure == 100 && before.luminance_mean >= 90);
    assert_int_equal(sp_quality_reason(&before, &limits, 40), SP_REASON_NONE);
    for (int step = 1; step <= 5; step++) {
        draw(chip, 1 - 0.19 * step, 0);
        now = measured(chip, 1);
        assert_true(now.under_exposure <= before.under_exposure && now.luminance_mean <= before.luminance_mean);
        before = now;
    }
    assert_int_equal(now.under_exposure, 0);
    assert_int_equal(sp_quality_reason(&now, &limits, 40), SP_REASON_TOO_DARK);
    draw(chip, 1, 0);
    before = measured(chip, 1);
    for (int step = 1; step <= 5; step++) {
        draw(chip, 1, 40 * step);
        now = measured(chip, 1);
        assert_true(now.over_exposure <= before.over_exposure && now.luminance_mean <= before.luminance_mean);
        before = now;
    }
    assert_int_equal(sp_quality_reason(&now, &limits, 40), SP_REASON_TOO_BRIGHT);
}

/* A chip that lies half outside the image is judged by what is inside. */
static void pixels_outside_the_image_do_not_count(void **state)
{
    (void)state;
    uint8_t chip[SIDE * SIDE * 3];
    struct sp_similarity map = {.a = 1};
    struct sp_quality_face face = {
        .chip = chip, .kind = SP_ALIGN_DLIB68, .map = &map, .image_width = 75, .image_height = 150};
    struct sp_quality whole, half;
    draw(chip, 1, 0);
    whole = measured(chip, 1);
    for (int y = 0; y < SIDE; y++)
        memset(chip + (y * SIDE + 75) * 3, 0, 75 * 3);
    sp_align_template_five(SP_ALIGN_DLIB68, face.five);
    sp_quality_measure(&face, &half);
    assert_int_equal(half.under_exposure, whole.under_exposure);
    assert_in_range(half.luminance_mean, whole.luminance_mean - 5, 100);
    face.image_width = 5; /* nothing of the face is in the image */
    sp_quality_measure(&face, &half);
    assert_int_equal(half.sharpness, 0);
    assert_int_equal(half.luminance_mean, 0);
}

/* A head in three dimensions, turned and seen from far away: eyes, nose half an inter-eye distance before them,
 * mouth. */
static void turned_head(double yaw, double pitch, double roll, struct sp_point five[5])
{
    static const double head[5][3] = {{-50, -52, 0}, {50, -52, 0}, {0, 4, 50}, {-45, 56, 0}, {45, 56, 0}};
    for (int i = 0; i < 5; i++) {
        double x = head[i][0], y = head[i][1], z = head[i][2];
        double x1 = x * cos(yaw) + z * sin(yaw), z1 = -x * sin(yaw) + z * cos(yaw);
        double y1 = y * cos(pitch) + z1 * sin(pitch);
        five[i].x = (float)(x1 * cos(roll) - y1 * sin(roll)) + 200;
        five[i].y = (float)(x1 * sin(roll) + y1 * cos(roll)) + 300;
    }
}

static void pose_is_read_from_five_points(void **state)
{
    (void)state;
    const double rad = 1 / 57.29577951308232;
    struct sp_point five[5];
    for (int angle = -60; angle <= 60; angle += 20) {
        turned_head(angle * rad, 0, 0, five);
        assert_float_equal(sp_quality_pose(five).yaw, angle, 3);
        turned_head(0, angle * rad, 0, five);
        assert_float_equal(sp_quality_pose(five).pitch, angle, 4);
        turned_head(0, 0, angle * rad, five);
        assert_float_equal(sp_quality_pose(five).roll, angle, 0.1);
        assert_float_equal(sp_quality_pose(five).yaw, 0, 1);
        turned_head(30 * rad, 0, angle * rad, five);
        assert_float_equal(sp_quality_pose(five).yaw, 30, 3);
    }
    memset(five, 0, sizeof five);
    assert_float_equal(sp_quality_pose(five).yaw, 90, 0);
}

static void distance_and_limits(void **state)
{
    (void)state;
    uint8_t chip[SIDE * SIDE * 3];
    struct sp_vision_limits limits = sp_vision_limits_default();
    draw(chip, 1, 0);
    struct sp_quality near = measured(chip, 0.5f), far = measured(chip, 2.4f);
    assert_float_equal(near.inter_eye_px, 105.85, 0.1);
    assert_float_equal(far.inter_eye_px, 22.05, 0.1);
    assert_true(near.inter_eye_distance > far.inter_eye_distance);
    assert_int_equal(sp_quality_reason(&near, &limits, limits.min_enrol_eye_px), SP_REASON_NONE);
    assert_int_equal(sp_quality_reason(&far, &limits, limits.min_enrol_eye_px), SP_REASON_TOO_FAR);
    assert_int_equal(sp_quality_reason(&far, &limits, limits.min_probe_eye_px), SP_REASON_NONE);
    near.pose_yaw = 5;
    assert_int_equal(sp_quality_reason(&near, &limits, 40), SP_REASON_TURNED);
    near.pose_yaw = 50;
    near.sharpness = 3;
    assert_int_equal(sp_quality_reason(&near, &limits, 40), SP_REASON_BLURRED);
}

static void a_second_face_is_seen(void **state)
{
    (void)state;
    struct sp_faces *faces = calloc(1, sizeof *faces);
    uint8_t chip[SIDE * SIDE * 3];
    draw(chip, 1, 0);
    faces->count = 1;
    faces->faces[0].quality = measured(chip, 0.5f);
    faces->faces[0].box = (struct sp_box){0, 0, 100, 100};
    sp_quality_set_single(faces);
    assert_int_equal(faces->faces[0].quality.single_face_present, 100);
    int alone = faces->faces[0].quality.unified;
    assert_true(alone > 50);
    faces->count = 2;
    faces->faces[1] = faces->faces[0];
    faces->faces[1].box = (struct sp_box){200, 0, 280, 80};
    sp_quality_set_single(faces);
    assert_int_equal(faces->faces[0].quality.single_face_present, 20);
    assert_int_equal(faces->faces[1].quality.unified, 20);
    free(faces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blur_lowers_sharpness),
        cmocka_unit_test(darkening_lowers_exposure),
        cmocka_unit_test(pixels_outside_the_image_do_not_count),
        cmocka_unit_test(pose_is_read_from_five_points),
        cmocka_unit_test(distance_and_limits),
        cmocka_unit_test(a_second_face_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
