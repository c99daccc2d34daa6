#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "image/image.h"
#include "workers/resample.h"

static const struct sp_norm plain = {.colour = SP_COLOUR_RGB, .mean = {0, 0, 0}, .scale = 1};

static struct sp_image *filled(int width, int height, int (*value)(int x, int y, int c))
{
    struct sp_image *image = NULL;
    assert_int_equal(sp_image_new(&image, width, height, NULL), SP_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                image->pixels[y * image->stride + 3 * x + c] = (uint8_t)value(x, y, c);
    return image;
}

static int ramp(int x, int y, int c)
{
    return 10 + 2 * x + y + 5 * c;
}

static int flat(int x, int y, int c)
{
    (void)x;
    (void)y;
    return 50 + 60 * c;
}

static int stripes(int x, int y, int c)
{
    (void)c;
    return (x + y) & 1 ? 255 : 0;
}

static int noise(int x, int y, int c)
{
    return (x * 73 + y * 151 + c * 29 + x * y * 7) & 255;
}

static struct sp_resampler *resampler(void)
{
    struct sp_resampler *made = NULL;
    assert_int_equal(sp_resampler_new(&made, NULL), SP_OK);
    return made;
}

static float *fitted(struct sp_resampler *with, const struct sp_image *image, const struct sp_rect *part,
                     const struct sp_fit *fit, const struct sp_norm *norm)
{
    /* A guard value behind the tensor shows a write beyond it. */
    size_t floats = (size_t)fit->width * (size_t)fit->height * 3;
    float *tensor = malloc((floats + 1) * sizeof(float));
    struct sp_rect whole = {0, 0, image->width, image->height};
    tensor[floats] = 12345;
    assert_int_equal(sp_resample_fit(with, image, part ? part : &whole, fit, norm, tensor, NULL), SP_OK);
    assert_float_equal(tensor[floats], 12345, 0);
    return tensor;
}

static void letterbox_keeps_aspect_and_pads_right_and_bottom(void **state)
{
    (void)state;
    struct sp_fit fit = sp_resample_letterbox(1000, 500, 512, 512, 0);
    assert_int_equal(fit.offset_x, 0);
    assert_int_equal(fit.offset_y, 0);
    assert_int_equal(fit.inner_width, 512);
    assert_int_equal(fit.inner_height, 256);
    assert_float_equal(fit.scale, 0.512, 1e-6);
    fit = sp_resample_letterbox(1920, 1080, 1024, 576, 0);
    assert_int_equal(fit.inner_width, 1024);
    assert_int_equal(fit.inner_height, 576);
    fit = sp_resample_letterbox(16, 16384, 512, 512, 0);
    assert_int_equal(fit.inner_width, 1);
    assert_int_equal(fit.inner_height, 512);
    /* With a border of 30 %: 200 + 2 * 60 = 320 px fill 160. */
    fit = sp_resample_letterbox(200, 100, 160, 160, 0.3f);
    assert_float_equal(fit.scale, 0.5, 1e-6);
    assert_int_equal(fit.offset_x, 30);
    assert_int_equal(fit.offset_y, 30);
    assert_int_equal(fit.inner_width, 100);
    assert_int_equal(fit.inner_height, 50);
}

static void every_fit_stays_inside(void **state)
{
    (void)state;
    for (int width = 16; width < 3000; width = width * 3 / 2 + 1)
        for (int height = 16; height < 3000; height = height * 3 / 2 + 1)
            for (int border = 0; border < 2; border++) {
                struct sp_fit fit = sp_resample_letterbox(width, height, 416, 320, border ? 0.3f : 0);
                assert_true(fit.inner_width >= 1 && fit.offset_x + fit.inner_width <= 416);
                assert_true(fit.inner_height >= 1 && fit.offset_y + fit.inner_height <= 320);
            }
}

static void padding_is_zero_before_normalisation(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(40, 20, flat);
    struct sp_norm norm = {.colour = SP_COLOUR_BGR, .mean = {10, 20, 30}, .scale = 0.5f};
    struct sp_fit fit = sp_resample_letterbox(40, 20, 32, 32, 0);
    float *tensor = fitted(with, image, NULL, &fit, &norm);
    const float colours[3] = {170, 110, 50}; /* blue first */
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) {
                float value = y < 16 ? colours[c] : 0;
                assert_float_equal(tensor[(c * 32 + y) * 32 + x], (value - norm.mean[c]) * norm.scale, 1e-4);
            }
    free(tensor);
    sp_image_free(&image);
    sp_resampler_free(&with);
}

/* Shrinking by a whole factor is the mean of the blocks; stripes at the limit of resolution become grey, not
 * aliases. */
static void shrinking_averages_areas(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(60, 60, ramp);
    struct sp_fit fit = sp_resample_letterbox(60, 60, 20, 20, 0);
    float *tensor = fitted(with, image, NULL, &fit, &plain);
    for (int y = 0; y < 20; y++)
        for (int x = 0; x < 20; x++)
            assert_float_equal(tensor[y * 20 + x], 10 + 2 * (3 * x + 1) + (3 * y + 1), 1e-3);
    free(tensor);
    sp_image_free(&image);
    image = filled(64, 64, stripes);
    fit = sp_resample_letterbox(64, 64, 27, 27, 0);
    tensor = fitted(with, image, NULL, &fit, &plain);
    for (int i = 0; i < 27 * 27; i++)
        assert_float_equal(tensor[i], 127.5, 30);
    free(tensor);
    sp_image_free(&image);
    sp_resampler_free(&with);
}

/* The mean survives any scale, and growing a ramp gives the same ramp. */
static void growing_is_bilinear(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(20, 20, ramp);
    struct sp_fit fit = sp_resample_letterbox(20, 20, 50, 50, 0);
    float *tensor = fitted(with, image, NULL, &fit, &plain);
    for (int y = 3; y < 47; y++)
        for (int x = 3; x < 47; x++)
            assert_float_equal(tensor[y * 50 + x], 10 + 2 * ((x + 0.5) / 2.5 - 0.5) + (y + 0.5) / 2.5 - 0.5, 1e-3);
    free(tensor);
    sp_image_free(&image);
    sp_resampler_free(&with);
}

static void a_part_sees_nothing_of_the_rest(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(50, 50, noise);
    struct sp_rect part;
    struct sp_fit fit = sp_resample_centred(&(struct sp_box){7, 11, 37, 31}, 24, &part);
    float *first = fitted(with, image, &part, &fit, &plain);
    for (int y = 0; y < 50; y++)
        for (int x = 0; x < 50; x++)
            if (x < 7 || x >= 37 || y < 11 || y >= 31)
                memset(image->pixels + y * image->stride + 3 * x, 255, 3);
    float *second = fitted(with, image, &part, &fit, &plain);
    assert_memory_equal(first, second, 24 * 24 * 3 * sizeof(float));
    free(first);
    free(second);
    sp_image_free(&image);
    sp_resampler_free(&with);
}

/* A detector's boxes differ a little from machine to machine; what is cut out by them must not differ much more. */
static void a_box_that_moves_a_little_changes_a_little(void **state)
{
    const struct sp_box boxes[] = {{10.2f, 20.1f, 71, 97.3f}, {3.3f, 4.4f, 19.9f, 15.2f}, {0, 0, 100, 30.5f}};
    const float shift = 0.01f;
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(100, 100, noise);
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        struct sp_box box = boxes[i];
        float *before = NULL;
        for (int step = 0; step < 250; step++) {
            struct sp_rect part;
            struct sp_fit fit = sp_resample_centred(&box, 24, &part);
            float *now = fitted(with, image, &part, &fit, &plain);
            float most = 255 * shift * (fit.across.step < 1 ? 4 / (float)fit.across.step : 4);
            for (int k = 0; before && k < 24 * 24 * 3; k++)
                assert_float_equal(now[k], before[k], most);
            free(before);
            before = now;
            box.x0 += shift;
            box.y1 -= shift / 2;
        }
        free(before);
    }
    sp_image_free(&image);
    sp_resampler_free(&with);
}

/* Where a tensor shows a ramp's value is where the image has it: the middle of a px is its column and a half. */
static void a_square_says_where_it_looks(void **state)
{
    const struct sp_box boxes[] = {{10.25f, 5.5f, 81.75f, 60.125f}, {20.3f, 8.9f, 35.1f, 29.4f}, {0, 0, 80, 70}};
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(100, 90, ramp); /* 10 + 2 x + y, in a byte */
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        struct sp_rect part;
        struct sp_fit fit = sp_resample_centred(&boxes[i], 24, &part);
        float *tensor = fitted(with, image, &part, &fit, &plain);
        int seen = 0;
        for (int y = 0; y < 24; y++)
            for (int x = 0; x < 24; x++) {
                double column = part.x + fit.across.origin + (x + 0.5) * fit.across.step;
                double row = part.y + fit.down.origin + (y + 0.5) * fit.down.step;
                double margin = fmax(1, fit.across.step);
                if (column < boxes[i].x0 + margin || column > boxes[i].x1 - margin || row < boxes[i].y0 + margin ||
                    row > boxes[i].y1 - margin)
                    continue;
                assert_float_equal(tensor[y * 24 + x], 10 + 2 * (column - 0.5) + (row - 0.5), 0.25);
                seen++;
            }
        assert_true(seen > 100);
        free(tensor);
    }
    sp_image_free(&image);
    sp_resampler_free(&with);
}

static void warp_identity_and_shift(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(40, 40, noise);
    uint8_t chip[32 * 32 * 3];
    struct sp_similarity map = {1, 0, -3, -5};
    assert_int_equal(sp_resample_warp(with, image, &map, 32, chip, NULL), SP_OK);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(chip[(y * 32 + x) * 3 + c], noise(x + 3, y + 5, c));
    /* A quarter turn: chip u = -y + 31, v = x. */
    map = (struct sp_similarity){0, 1, 31, 0};
    assert_int_equal(sp_resample_warp(with, image, &map, 32, chip, NULL), SP_OK);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
            assert_int_equal(chip[(y * 32 + x) * 3], noise(y, 31 - x, 0));
    sp_image_free(&image);
    sp_resampler_free(&with);
}

static void warp_outside_is_black(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(40, 40, flat);
    uint8_t chip[32 * 32 * 3];
    struct sp_similarity map = {1, 0, 16, 16};
    assert_int_equal(sp_resample_warp(with, image, &map, 32, chip, NULL), SP_OK);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
            assert_int_equal(chip[(y * 32 + x) * 3 + 1], x >= 16 && y >= 16 ? 110 : 0);
    map = (struct sp_similarity){1, 0, 1e6f, -1e7f};
    assert_int_equal(sp_resample_warp(with, image, &map, 32, chip, NULL), SP_OK);
    for (int i = 0; i < 32 * 32 * 3; i++)
        assert_int_equal(chip[i], 0);
    map = (struct sp_similarity){0, 0, 0, 0};
    assert_int_equal(sp_resample_warp(with, image, &map, 32, chip, NULL), SP_E_INVALID);
    map = (struct sp_similarity){NAN, 0, 0, 0};
    assert_int_equal(sp_resample_warp(with, image, &map, 32, chip, NULL), SP_E_INVALID);
    sp_image_free(&image);
    sp_resampler_free(&with);
}

/* Shrinking by 8 through halvings: the ramp stays where it is, wherever the chip lies, and stripes become grey. */
static void warp_shrinks_without_aliases(void **state)
{
    (void)state;
    struct sp_resampler *with = resampler();
    struct sp_image *image = filled(301, 203, stripes);
    uint8_t chip[16 * 16 * 3];
    struct sp_similarity map = {0.125f, 0, -4, -4};
    assert_int_equal(sp_resample_warp(with, image, &map, 16, chip, NULL), SP_OK);
    for (int i = 0; i < 16 * 16 * 3; i++)
        assert_in_range(chip[i], 126, 129);
    for (int y = 0; y < 203; y++)
        for (int x = 0; x < 301; x++)
            image->pixels[y * image->stride + 3 * x] = (uint8_t)(x / 2 + y / 4);
    assert_int_equal(sp_resample_warp(with, image, &map, 16, chip, NULL), SP_OK);
    for (int v = 0; v < 16; v++)
        for (int u = 0; u < 16; u++)
            assert_float_equal(chip[(v * 16 + u) * 3], (u + 4) * 8 / 2.0 + (v + 4) * 8 / 4.0, 1.6);
    sp_image_free(&image);
    sp_resampler_free(&with);
}

static void planes_follow_the_colour_order(void **state)
{
    (void)state;
    const uint8_t chip[2 * 2 * 3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct sp_norm norm = {.colour = SP_COLOUR_RGB, .mean = {1, 2, 3}, .scale = 2};
    float tensor[12];
    sp_resample_planes(chip, 2, &norm, tensor);
    const float rgb[12] = {0, 6, 12, 18, 0, 6, 12, 18, 0, 6, 12, 18};
    assert_memory_equal(tensor, rgb, sizeof rgb);
    norm.colour = SP_COLOUR_BGR;
    sp_resample_planes(chip, 2, &norm, tensor);
    assert_float_equal(tensor[0], (3 - 1) * 2, 0);
    assert_float_equal(tensor[8], (1 - 3) * 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letterbox_keeps_aspect_and_pads_right_and_bottom),
        cmocka_unit_test(every_fit_stays_inside),
        cmocka_unit_test(padding_is_zero_before_normalisation),
        cmocka_unit_test(shrinking_averages_areas),
        cmocka_unit_test(growing_is_bilinear),
        cmocka_unit_test(a_part_sees_nothing_of_the_rest),
        cmocka_unit_test(a_box_that_moves_a_little_changes_a_little),
        cmocka_unit_test(a_square_says_where_it_looks),
        cmocka_unit_test(warp_identity_and_shift),
        cmocka_unit_test(warp_outside_is_black),
        cmocka_unit_test(warp_shrinks_without_aliases),
        cmocka_unit_test(planes_follow_the_colour_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
