#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "workers/align.h"

static struct sp_point mapped(const struct sp_similarity *map, struct sp_point p)
{
    return (struct sp_point){map->a * p.x - map->b * p.y + map->tx, map->b * p.x + map->a * p.y + map->ty};
}

static void similarity_recovers_known_maps(void **state)
{
    (void)state;
    const struct sp_point from[4] = {{10, 20}, {80, 35}, {44, 90}, {3, 61}};
    for (int degrees = -180; degrees < 180; degrees += 30)
        for (int i = 0; i < 3; i++) {
            float scale = (const float[]){0.05f, 1, 7}[i], angle = (float)degrees / 57.29578f;
            struct sp_similarity made = {scale * cosf(angle), scale * sinf(angle), 100.0f * (float)i, -31}, found;
            struct sp_point to[4];
            for (int k = 0; k < 4; k++)
                to[k] = mapped(&made, from[k]);
            assert_int_equal(sp_align_similarity(&found, from, to, 4, NULL), SP_OK);
            assert_float_equal(found.a, made.a, 1e-4);
            assert_float_equal(found.b, made.b, 1e-4);
            assert_float_equal(found.tx, made.tx, 1e-2);
            assert_float_equal(found.ty, made.ty, 1e-2);
        }
}

/* Any small change of the map makes the squared error larger: it is the least-squares one. */
static void similarity_is_the_best_of_its_neighbours(void **state)
{
    (void)state;
    const struct sp_point from[5] = {{30, 40}, {75, 42}, {52, 66}, {36, 90}, {70, 93}};
    struct sp_point to[5];
    struct sp_similarity best;
    double errors[9];
    sp_align_template_five(SP_ALIGN_ARCFACE5, to);
    assert_int_equal(sp_align_similarity(&best, from, to, 5, NULL), SP_OK);
    for (int i = 0; i < 9; i++) {
        struct sp_similarity map = best;
        float step = i & 1 ? 0.01f : -0.01f;
        if (i < 8)
            *(float *const[]){&map.a, &map.b, &map.tx, &map.ty}[i / 2] += step;
        errors[i] = 0;
        for (int k = 0; k < 5; k++) {
            struct sp_point p = mapped(&map, from[k]);
            errors[i] += pow((double)(p.x - to[k].x), 2) + pow((double)(p.y - to[k].y), 2);
        }
    }
    for (int i = 0; i < 8; i++)
        assert_true(errors[i] > errors[8]);
}

static void coinciding_points_are_refused(void **state)
{
    (void)state;
    struct sp_point from[5] = {{5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}}, to[5];
    struct sp_similarity map;
    sp_align_template_five(SP_ALIGN_ARCFACE5, to);
    assert_int_equal(sp_align_similarity(&map, from, to, 5, NULL), SP_E_INVALID);
    from[2].x = NAN;
    assert_int_equal(sp_align_similarity(&map, from, to, 5, NULL), SP_E_INVALID);
    assert_int_equal(sp_align_map(&map, SP_ALIGN_DLIB68, from, 5, NULL), SP_E_INVALID);
}

/* The five points of dlib's chip and of ArcFace's, as docs/models.md and InsightFace print them. */
static void templates_are_the_published_ones(void **state)
{
    (void)state;
    const struct sp_point dlib[5] = {
        {47.549f, 46.599f}, {100.476f, 46.599f}, {74.013f, 76.562f}, {50.415f, 103.023f}, {97.61f, 103.023f}};
    const struct sp_point arcface[5] = {{38.2946f, 51.6963f},
                                        {73.5318f, 51.5014f},
                                        {56.0252f, 71.7366f},
                                        {41.5493f, 92.3655f},
                                        {70.7299f, 92.2041f}};
    struct sp_point five[5];
    for (int kind = 0; kind < 3; kind++) {
        const struct sp_point *wanted = kind == SP_ALIGN_ARCFACE5 ? arcface : dlib;
        sp_align_template_five((enum sp_align_kind)kind, five);
        for (int i = 0; i < 5; i++) {
            assert_float_equal(five[i].x, wanted[i].x, 1e-3);
            assert_float_equal(five[i].y, wanted[i].y, 1e-3);
        }
    }
    assert_int_equal(sp_align_side(SP_ALIGN_DLIB68), 150);
    assert_int_equal(sp_align_side(SP_ALIGN_ARCFACE5), 112);
}

/* A face that is the template, moved: the map brings each point home. The jaw, the brows and the lower lip do not
 * count, whatever they are. */
static void dlib_map_brings_the_mean_face_home(void **state)
{
    (void)state;
    struct sp_point points[68], five[5];
    struct sp_similarity map;
    memset(points, 0, sizeof points);
    for (int i = 17; i < 68; i++) {
        struct sp_point p = sp_align_mean_face_shape[i - 17];
        bool ignored = i < 27 || (i >= 55 && i <= 59) || i >= 65;
        points[i] = ignored ? (struct sp_point){-1000, 5000}
                            : (struct sp_point){300 + 40 * p.x - 30 * p.y, 200 + 30 * p.x + 40 * p.y};
    }
    assert_int_equal(sp_align_map(&map, SP_ALIGN_DLIB68, points, 68, NULL), SP_OK);
    for (int i = 27; i < 55; i++) {
        struct sp_point p = mapped(&map, points[i]);
        assert_float_equal(p.x, 25 + 100 * sp_align_mean_face_shape[i - 17].x, 1e-2);
        assert_float_equal(p.y, 25 + 100 * sp_align_mean_face_shape[i - 17].y, 1e-2);
    }
    /* 68 points serve the five-point kinds too. */
    assert_int_equal(sp_align_map(&map, SP_ALIGN_DLIB5, points, 68, NULL), SP_OK);
    sp_align_five(points, 68, five);
    assert_float_equal(mapped(&map, five[SP_FIVE_NOSE]).x, 74.013, 1e-2);
    assert_float_equal(mapped(&map, five[SP_FIVE_NOSE]).y, 76.562, 1e-2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarity_recovers_known_maps),
        cmocka_unit_test(similarity_is_the_best_of_its_neighbours),
        cmocka_unit_test(coinciding_points_are_refused),
        cmocka_unit_test(templates_are_the_published_ones),
        cmocka_unit_test(dlib_map_brings_the_mean_face_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
