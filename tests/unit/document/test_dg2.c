/* DG2 files as they should be: every field comes out, in both encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "document/dg2.h"
#include "tests/unit/document/make_dg2.h"
#include "tests/unit/image/encode_jp2.h"

static struct face jpeg, jp2, j2k;

static int make_pictures(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 40, .height = 52, .channels = 3}, .lossy = 10};
    uint8_t *bytes;
    jpeg = (struct face){.width = 40, .height = 52, .quality = 70};
    jp2 = j2k = jpeg;
    encode_jpeg(&spec.picture, &bytes, &jpeg.length);
    jpeg.bytes = bytes;
    encode_jp2(&spec, &bytes, &j2k.length);
    j2k.bytes = bytes;
    spec.boxes = 1;
    encode_jp2(&spec, &bytes, &jp2.length);
    jp2.bytes = bytes;
    return 0;
}

static int free_pictures(void **state)
{
    (void)state;
    free((void *)jpeg.bytes);
    free((void *)jp2.bytes);
    free((void *)j2k.bytes);
    return 0;
}

static struct sp_dg2 *parsed(const struct buffer *file)
{
    struct sp_dg2 *dg2 = NULL;
    struct sp_err err = {0};
    assert_true(sp_dg2_looks_like(file->bytes, file->length));
    if (sp_dg2_parse(&dg2, "sample.dg2", file->bytes, file->length, &err) != SP_OK)
        fail_msg("%s", err.text);
    return dg2;
}

/* The image of the DG2 is this picture, and is where it says. */
static void assert_face(const struct buffer *file, const struct sp_dg2_image *image, const struct face *face,
                        enum sp_image_kind kind)
{
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_image *pixels = NULL;
    assert_int_equal(image->length, face->length);
    assert_memory_equal(image->bytes, face->bytes, face->length);
    assert_ptr_equal(image->bytes, file->bytes + image->offset);
    assert_int_equal(image->kind, kind);
    assert_int_equal(image->declared, kind == SP_IMAGE_J2K ? SP_IMAGE_JP2 : kind);
    assert_int_equal(image->width, face->width);
    assert_int_equal(image->height, face->height);
    assert_int_equal(image->quality, face->quality);
    assert_int_equal(sp_image_decode(&pixels, image->bytes, image->length, &limits, NULL), SP_OK);
    assert_int_equal(pixels->width, face->width);
    sp_image_free(&pixels);
}

static void both_versions_of_19794(void **state)
{
    (void)state;
    for (int version = 10; version <= 30; version += 20)
        for (int points = 0; points < 3; points++) {
            struct face faces[3] = {jpeg, jp2, j2k};
            faces[1].data_type = faces[2].data_type = 1;
            faces[0].points = points;
            faces[1].points = 2 - points;
            struct buffer record = make_fac(version, faces, 3), file = make_dg2(0x5f2e, &record, 1);
            struct sp_dg2 *dg2 = parsed(&file);
            assert_int_equal(dg2->remarks.count, 0);
            assert_int_equal(dg2->instances, 1);
            assert_int_equal(dg2->declared_instances, 1);
            assert_int_equal(dg2->image_count, 3);
            assert_face(&file, &dg2->images[0], &faces[0], SP_IMAGE_JPEG);
            assert_face(&file, &dg2->images[1], &faces[1], SP_IMAGE_JP2);
            assert_face(&file, &dg2->images[2], &faces[2], SP_IMAGE_J2K);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(dg2->images[i].encoding, SP_DG2_19794);
                assert_string_equal(dg2->images[i].version, version == 10 ? "010" : "030");
                assert_string_equal(dg2->images[i].captured, version == 10 ? "" : "2026-03-14T09:26:53");
                assert_int_equal(dg2->images[i].face_type, 1);
                assert_int_equal(dg2->images[i].colour_space, 1);
                assert_int_equal(dg2->images[i].source, version == 10 ? 2 : 6);
                assert_int_equal(dg2->images[i].instance, 1);
            }
            sp_dg2_free(&dg2);
            free(file.bytes);
        }
}

static void blocks_of_39794(void **state)
{
    (void)state;
    struct face faces[3] = {jpeg, jp2, j2k};
    faces[0].data_type = 2;
    faces[1].data_type = 3;
    faces[2].data_type = 4;
    struct buffer block = make_39794(faces, 3), file = make_dg2(0x7f2e, &block, 1);
    struct sp_dg2 *dg2 = parsed(&file);
    assert_int_equal(dg2->remarks.count, 0);
    assert_int_equal(dg2->image_count, 3);
    assert_face(&file, &dg2->images[0], &faces[0], SP_IMAGE_JPEG);
    assert_face(&file, &dg2->images[1], &faces[1], SP_IMAGE_JP2);
    assert_face(&file, &dg2->images[2], &faces[2], SP_IMAGE_J2K);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dg2->images[i].encoding, SP_DG2_39794);
        assert_string_equal(dg2->images[i].version, "3/2019");
        assert_string_equal(dg2->images[i].captured, "2026-03-14");
    }
    sp_dg2_free(&dg2);
    free(file.bytes);
}

/* Nine instances of both encodings in one file; the tenth is refused, and so is the seventeenth image. */
static void instances_and_images_have_limits(void **state)
{
    (void)state;
    struct face faces[17];
    struct buffer records[10], file;
    struct sp_dg2 *dg2 = NULL;
    struct sp_err err = {0};
    for (int i = 0; i < 17; i++)
        faces[i] = jpeg;
    for (int i = 0; i < 9; i++) {
        faces[0].data_type = i % 2 ? 2 : 0;
        records[i] = i % 2 ? make_39794(faces, 1) : make_fac(10, faces, 1);
    }
    file = make_dg2(0x7f2e, records, 9);
    dg2 = parsed(&file);
    assert_int_equal(dg2->instances, 9);
    assert_int_equal(dg2->image_count, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(dg2->images[i].instance, i + 1);
        assert_int_equal(dg2->images[i].encoding, i % 2 ? SP_DG2_39794 : SP_DG2_19794);
    }
    assert_int_equal(dg2->remarks.count, 0);
    sp_dg2_free(&dg2);
    free(file.bytes);
    faces[0].data_type = 0;
    for (int i = 0; i < 10; i++)
        records[i] = make_fac(10, faces, 1);
    file = make_dg2(0x5f2e, records, 10);
    assert_int_equal(sp_dg2_parse(&dg2, "sample.dg2", file.bytes, file.length, &err), SP_E_LIMIT);
    assert_non_null(strstr(err.text, "more than 9 instances (tag 7F60)"));
    free(file.bytes);
    for (int count = 16; count <= 17; count++) {
        records[0] = make_fac(10, faces, count);
        file = make_dg2(0x5f2e, records, 1);
        assert_int_equal(sp_dg2_parse(&dg2, "sample.dg2", file.bytes, file.length, &err),
                         count == 16 ? SP_OK : SP_E_LIMIT);
        sp_dg2_free(&dg2);
        free(file.bytes);
    }
    assert_non_null(strstr(err.text, "more than 16 images"));
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (int modern = 0; modern < 2; modern++) {
        struct face face = jpeg;
        face.data_type = modern ? 2 : 0;
        struct buffer record = modern ? make_39794(&face, 1) : make_fac(10, &face, 1);
        struct buffer file = make_dg2(modern ? 0x7f2e : 0x5f2e, &record, 1);
        for (size_t cut = 0; cut < file.length; cut++) {
            struct sp_dg2 *dg2 = NULL;
            uint8_t *prefix = malloc(cut ? cut : 1);
            memcpy(prefix, file.bytes, cut);
            assert_int_equal(sp_dg2_parse(&dg2, "sample.dg2", prefix, cut, NULL), SP_E_FORMAT);
            assert_null(dg2);
            free(prefix);
        }
        free(file.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_of_19794),
        cmocka_unit_test(blocks_of_39794),
        cmocka_unit_test(instances_and_images_have_limits),
        cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, make_pictures, free_pictures);
}
