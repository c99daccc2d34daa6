#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "image/image.h"
#include "image/jpeg_write.h"
#include "tests/unit/image/encode.h"

/* Quality 95 without colour subsampling: what comes back is nearly what went in, at a stride of its own, too. */
static void pixels_come_back(void **state)
{
    (void)state;
    struct encode_spec spec = {.width = 61, .height = 47, .channels = 3};
    struct sp_image image = {.width = spec.width, .height = spec.height, .stride = 3 * spec.width + 5};
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *back = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    image.pixels = calloc((size_t)image.height, (size_t)image.stride);
    for (int y = 0; y < image.height; y++)
        for (int x = 0; x < image.width; x++)
            for (int c = 0; c < 3; c++)
                image.pixels[y * image.stride + 3 * x + c] = (uint8_t)encode_pixel(&spec, x, y, c);
    assert_int_equal(sp_jpeg_write(&bytes, &length, &image, 95, NULL), SP_OK);
    assert_int_equal(sp_image_sniff(bytes, length), SP_IMAGE_JPEG);
    assert_int_equal(sp_image_decode(&back, bytes, length, &limits, NULL), SP_OK);
    assert_int_equal(back->width, image.width);
    assert_int_equal(back->height, image.height);
    for (int y = 0; y < image.height; y++)
        for (int i = 0; i < 3 * image.width; i++)
            assert_in_range(abs(back->pixels[y * back->stride + i] - image.pixels[y * image.stride + i]), 0, 6);
    /* 4:4:4: each component of the frame header samples 1 x 1. */
    size_t at = 0;
    while (at + 19 < length && !(bytes[at] == 0xff && bytes[at + 1] == 0xc0))
        at++;
    assert_int_equal(bytes[at + 9], 3);
    for (int c = 0; c < 3; c++)
        assert_int_equal(bytes[at + 11 + 3 * (size_t)c], 0x11);
    sp_image_free(&back);
    free(bytes);
    free(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
