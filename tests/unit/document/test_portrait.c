#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "document/portrait.h"
#include "tests/unit/document/make_dg2.h"
#include "tests/unit/image/encode_jp2.h"

/* Any picture is one image, itself; a DG2 is the images in it. */
static void files_of_every_kind(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 32, .height = 40, .channels = 3, .depth = 8}};
    struct {
        uint8_t *bytes;
        size_t length;
        enum sp_image_kind kind;
    } pictures[4] = {
        {.kind = SP_IMAGE_JPEG}, {.kind = SP_IMAGE_PNG}, {.kind = SP_IMAGE_J2K}, {.kind = SP_IMAGE_JP2}};
    encode_jpeg(&spec.picture, &pictures[0].bytes, &pictures[0].length);
    encode_png(&spec.picture, &pictures[1].bytes, &pictures[1].length);
    encode_jp2(&spec, &pictures[2].bytes, &pictures[2].length);
    spec.boxes = 1;
    encode_jp2(&spec, &pictures[3].bytes, &pictures[3].length);
    for (int i = 0; i < 4; i++) {
        struct sp_portrait portrait = {0};
        assert_int_equal(sp_portrait_parse(&portrait, "sample", pictures[i].bytes, pictures[i].length, NULL),
                         SP_OK);
        assert_false(portrait.is_dg2);
        assert_int_equal(portrait.faces->image_count, 1);
        assert_ptr_equal(portrait.faces->images[0].bytes, pictures[i].bytes);
        assert_int_equal(portrait.faces->images[0].length, pictures[i].length);
        assert_int_equal(portrait.faces->images[0].kind, pictures[i].kind);
        assert_int_equal(portrait.faces->images[0].encoding, SP_DG2_PICTURE);
        assert_int_equal(portrait.faces->remarks.count, 0);
        sp_portrait_clear(&portrait);
        assert_null(portrait.faces);
    }
    struct face faces[2] = {
        {.bytes = pictures[0].bytes, .length = pictures[0].length, .width = 32, .height = 40},
        {.bytes = pictures[3].bytes, .length = pictures[3].length, .data_type = 1, .width = 32, .height = 40}};
    struct buffer record = make_fac(10, faces, 2), file = make_dg2(0x5f2e, &record, 1);
    struct sp_portrait portrait = {0};
    assert_int_equal(sp_portrait_parse(&portrait, "sample", file.bytes, file.length, NULL), SP_OK);
    assert_true(portrait.is_dg2);
    assert_int_equal(portrait.faces->image_count, 2);
    sp_portrait_clear(&portrait);
    free(file.bytes);
    for (int i = 0; i < 4; i++)
        free(pictures[i].bytes);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char *const others[] = {"", "GIF89a", "%PDF-1.4", "\x75", "\x75\x03\x02\x01\x01", "\xff\xd8"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct sp_portrait portrait = {0};
        struct sp_err err = {0};
        assert_int_equal(sp_portrait_parse(&portrait, "sample", others[i], strlen(others[i]), &err),
                         SP_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, "neither DG2, JPEG, PNG nor JPEG 2000"));
        assert_null(portrait.faces);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_every_kind),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
