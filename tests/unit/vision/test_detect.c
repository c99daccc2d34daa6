#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "workers/detect.h"

static void assert_box(const struct sp_box *box, double x0, double y0, double x1, double y1, double slack)
{
    assert_float_equal(box->x0, x0, slack);
    assert_float_equal(box->y0, y0, slack);
    assert_float_equal(box->x1, x1, slack);
    assert_float_equal(box->y1, y1, slack);
}

/* ymin, xmin, ymax, xmax of the published anchors at 512 x 512, relative (they agree with the formula to 4e-5). */
static void ssd_anchors_follow_the_formula(void **state)
{
    (void)state;
    static const struct {
        int index;
        float y0, x0, y1, x1;
    } published[] = {
        {0, -0.034375f, -0.034375f, 0.065625f, 0.065625f},
        {1, -0.05508568f, -0.12579636f, 0.08633568f, 0.15704636f},
        {2, -0.12579636f, -0.05508568f, 0.15704636f, 0.08633568f},
        {3072, -0.14375001f, -0.14374998f, 0.20625001f, 0.20624998f},
        {3073, -0.17791502f, -0.17791499f, 0.24041502f, 0.24041499f},
        {3072 + 6 * (16 * 3 + 5) + 4, 0.1177137f, 0.04064113f, 0.3197863f, 0.6468589f},
        {5117, -0.32276523f, 0.22577232f, 1.3227652f, 0.7742277f},
    };
    int count = sp_detect_ssd_anchor_count(512, 512);
    assert_int_equal(count, 5118);
    struct sp_ssd_anchor *anchors = calloc((size_t)count, sizeof *anchors);
    sp_detect_ssd_anchors(512, 512, anchors);
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        const struct sp_ssd_anchor *a = &anchors[published[i].index];
        assert_float_equal((a->y - a->height / 2) / 512, published[i].y0, 5e-5);
        assert_float_equal((a->x - a->width / 2) / 512, published[i].x0, 5e-5);
        assert_float_equal((a->y + a->height / 2) / 512, published[i].y1, 5e-5);
        assert_float_equal((a->x + a->width / 2) / 512, published[i].x1, 5e-5);
    }
    free(anchors);
    /* 1024 x 576: grids 64x36, 32x18, 16x9, 8x4, 4x2, 2x1; sizes in px stay. */
    count = sp_detect_ssd_anchor_count(1024, 576);
    assert_int_equal(count, 3 * 64 * 36 + 6 * (32 * 18 + 16 * 9 + 8 * 4 + 4 * 2 + 2));
    anchors = calloc((size_t)count, sizeof *anchors);
    sp_detect_ssd_anchors(1024, 576, anchors);
    assert_float_equal(anchors[3 * 65].x, 1.5 * 16, 1e-4);
    assert_float_equal(anchors[3 * 65].y, 1.5 * 16, 1e-4);
    assert_float_equal(anchors[3 * 65].width, 51.2, 1e-3);
    free(anchors);
}

static void ssd_decodes_y_before_x(void **state)
{
    (void)state;
    const struct sp_ssd_anchor anchors[3] = {{100, 200, 50, 80}, {300, 300, 60, 60}, {10, 10, 20, 20}};
    const float boxes[12] = {1, 2, 5 * logf(2), 5 * logf(0.5f), 0, 0, 0, 0, 0, 0, 0, 0};
    /* Only the second of three logits counts: sigmoid, not softmax. */
    const float classes[9] = {9, 0.5f, 9, -9, -0.01f, -9, 0, 3, 0};
    struct sp_candidate items[3];
    struct sp_candidates found = {.capacity = 3, .items = items};
    sp_detect_ssd_decode(boxes, classes, anchors, 3, 0.5f, &found);
    assert_int_equal(found.count, 2);
    /* y = 1/10*80+200, x = 2/10*50+100, height 160, width 25 */
    assert_box(&items[0].box, 110 - 12.5, 208 - 80, 110 + 12.5, 208 + 80, 1e-3);
    assert_float_equal(items[0].score, 1 / (1 + exp(-0.5)), 1e-6);
    assert_box(&items[1].box, 0, 0, 20, 20, 1e-4);
    found = (struct sp_candidates){.capacity = 1, .items = items};
    sp_detect_ssd_decode(boxes, classes, anchors, 3, 0.5f, &found);
    assert_int_equal(found.count, 1);
}

static void tiny_decodes_its_grid(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 4, CELLS = ROWS * COLUMNS };
    float grid[25 * CELLS];
    struct sp_candidate items[8];
    struct sp_candidates found = {.capacity = 8, .items = items};
    for (int i = 0; i < 25 * CELLS; i++)
        grid[i] = -20;
    /* Anchor 2, row 1, column 3. */
    float *planes = grid + 2 * 5 * CELLS;
    int cell = 1 * COLUMNS + 3;
    planes[cell] = 0;
    planes[CELLS + cell] = logf(3); /* sigmoid 0.75 */
    planes[2 * CELLS + cell] = logf(2);
    planes[3 * CELLS + cell] = 0;
    planes[4 * CELLS + cell] = logf(4); /* 0.8 */
    sp_detect_tiny_decode(grid, ROWS, COLUMNS, 0.5f, &found);
    assert_int_equal(found.count, 1);
    double x = 3.5 * 32, y = 1.75 * 32, w = 2 * 2.882459 * 32, h = 3.518061 * 32;
    assert_box(&items[0].box, x - w / 2, y - h / 2, x + w / 2, y + h / 2, 1e-3);
    assert_float_equal(items[0].score, 0.8, 1e-6);
}

static void yunet_decodes_boxes_and_points(void **state)
{
    (void)state;
    const float scores[4] = {0.1f, 0.2f, 0.81f, 1.5f}, objectness[4] = {0.9f, 0.1f, 1, -1};
    float boxes[16] = {0}, points[40] = {0};
    boxes[8] = 0.5f;
    boxes[9] = 0.25f;
    boxes[10] = logf(4);
    boxes[11] = logf(3);
    for (int i = 0; i < 10; i++)
        points[20 + i] = 0.1f * (float)i;
    struct sp_yunet_level level = {.stride = 16,
                                   .rows = 2,
                                   .columns = 2,
                                   .scores = scores,
                                   .objectness = objectness,
                                   .boxes = boxes,
                                   .points = points};
    struct sp_candidate items[4];
    struct sp_candidates found = {.capacity = 4, .items = items};
    sp_detect_yunet_decode(&level, 0.6f, &found);
    assert_int_equal(found.count, 1); /* scores above 1 and below 0 are clamped */
    assert_float_equal(items[0].score, 0.9, 1e-6);
    /* Cell 2 is row 1, column 0. */
    assert_box(&items[0].box, 8 - 32, 20 - 24, 8 + 32, 20 + 24, 1e-3);
    assert_true(items[0].has_points);
    assert_float_equal(items[0].points[4].x, 0.8 * 16, 1e-4);
    assert_float_equal(items[0].points[4].y, 1.9 * 16, 1e-4);
}

static void nms_keeps_the_best_of_each_heap(void **state)
{
    (void)state;
    struct sp_candidate items[5] = {
        {.box = {0, 0, 10, 10}, .score = 0.6f},    {.box = {1, 0, 11, 10}, .score = 0.9f},    /* IoU 9/11 */
        {.box = {100, 0, 110, 10}, .score = 0.7f}, {.box = {105, 0, 115, 10}, .score = 0.8f}, /* IoU 1/3 */
        {.box = {50, 50, 60, 60}, .score = 0.5f},
    };
    struct sp_candidates list = {.count = 5, .capacity = 5, .items = items};
    sp_detect_nms(&list, 0.34f);
    assert_int_equal(list.count, 4);
    assert_float_equal(items[0].score, 0.9, 1e-6);
    assert_float_equal(items[1].score, 0.8, 1e-6);
    assert_float_equal(items[2].score, 0.7, 1e-6);
    assert_float_equal(items[3].score, 0.5, 1e-6);
    sp_detect_nms(&list, 0.33f);
    assert_int_equal(list.count, 3);
    assert_float_equal(items[2].score, 0.5, 1e-6);
}

static void nms_drops_a_part_of_a_face(void **state)
{
    (void)state;
    struct sp_candidate items[3] = {
        {.box = {0, 0, 100, 100}, .score = 0.9f},
        {.box = {20, -15, 60, 25}, .score = 0.8f},  /* 62 % of it inside, IoU 0.09 */
        {.box = {60, -20, 100, 20}, .score = 0.7f}, /* 50 % */
    };
    struct sp_candidates list = {.count = 3, .capacity = 3, .items = items};
    sp_detect_nms(&list, 0.4f);
    assert_int_equal(list.count, 2);
    assert_float_equal(items[1].score, 0.7, 1e-6);
}

/* However many candidates, and whatever they hold, the suppression ends and keeps the best. */
static void nms_survives_a_flood(void **state)
{
    (void)state;
    enum { FLOOD = 8000 };
    struct sp_candidate *items = calloc(FLOOD, sizeof *items);
    struct sp_candidates list = {.count = FLOOD, .capacity = FLOOD, .items = items};
    for (int i = 0; i < FLOOD; i++) {
        float x = (float)(i % 100) * 30, y = (float)(i / 100) * 30;
        items[i] = (struct sp_candidate){.box = {x, y, x + 20, y + 20}, .score = 0.5f + (float)i / 20000};
    }
    items[17].box = (struct sp_box){NAN, NAN, INFINITY, -INFINITY};
    sp_detect_nms(&list, 0.4f);
    assert_in_range(list.count, 900, 1000);
    assert_float_equal(items[0].score, 0.5 + 7999.0 / 20000, 1e-5);
    free(items);
}

static void placing_undoes_the_letterbox(void **state)
{
    (void)state;
    struct sp_fit fit = {.width = 512, .height = 512, .scale = 0.5f, .offset_x = 20, .offset_y = 40};
    struct sp_candidate items[4] = {
        {.box = {30, 50, 60, 90}, .score = 0.9f, .has_points = true, .points = {{40, 60}}},
        {.box = {0, 0, 500, 500}, .score = 0.8f},  /* beyond the image: clipped */
        {.box = {22, 42, 24, 100}, .score = 0.7f}, /* a sliver */
        {.box = {NAN, NAN, NAN, NAN}, .score = 0.9f},
    };
    struct sp_candidates list = {.count = 4, .capacity = 4, .items = items};
    sp_detect_place(&list, &fit, 400, 300);
    assert_int_equal(list.count, 2);
    assert_box(&items[0].box, 20, 20, 80, 100, 1e-3);
    assert_box(&items[1].box, 0, 0, 400, 300, 1e-3);
    assert_float_equal(items[0].points[0].x, 40, 1e-3);
    assert_float_equal(items[0].points[0].y, 40, 1e-3);
}

static void the_largest_faces_are_kept(void **state)
{
    (void)state;
    struct sp_candidate items[40];
    struct sp_candidates list = {.count = 40, .capacity = 40, .items = items};
    for (int i = 0; i < 40; i++) {
        float side = 10 + (float)((i * 17) % 40);
        items[i] = (struct sp_candidate){.box = {0, 0, side, side}, .score = 0.6f};
    }
    sp_detect_keep_largest(&list);
    assert_int_equal(list.count, SP_MAX_FACES);
    for (int i = 0; i < SP_MAX_FACES; i++)
        assert_float_equal(items[i].box.x1, 49 - i, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssd_anchors_follow_the_formula),
        cmocka_unit_test(ssd_decodes_y_before_x),
        cmocka_unit_test(tiny_decodes_its_grid),
        cmocka_unit_test(yunet_decodes_boxes_and_points),
        cmocka_unit_test(nms_keeps_the_best_of_each_heap),
        cmocka_unit_test(nms_drops_a_part_of_a_face),
        cmocka_unit_test(nms_survives_a_flood),
        cmocka_unit_test(placing_undoes_the_letterbox),
        cmocka_unit_test(the_largest_faces_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
