/* DG2 files that lie: what can be read safely is read with a remark, what cannot is refused with tag and offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/dg2.h"
#include "tests/unit/document/make_dg2.h"
#include "tests/unit/image/encode_jp2.h"

static struct face jpeg, jp2;

static int make_pictures(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {.picture = {.width = 40, .height = 52, .channels = 3}, .lossy = 10, .boxes = 1};
    uint8_t *bytes;
    jpeg = (struct face){.width = 40, .height = 52, .quality = 70};
    jp2 = jpeg;
    encode_jpeg(&spec.picture, &bytes, &jpeg.length);
    jpeg.bytes = bytes;
    encode_jp2(&spec, &bytes, &jp2.length);
    jp2.bytes = bytes;
    return 0;
}

static int free_pictures(void **state)
{
    (void)state;
    free((void *)jpeg.bytes);
    free((void *)jp2.bytes);
    return 0;
}

static struct buffer one(int version, const struct face *faces, int count)
{
    struct buffer record = version == 39794 ? make_39794(faces, count) : make_fac(version, faces, count);
    return make_dg2(version == 39794 ? 0x7f2e : 0x5f2e, &record, 1);
}

static size_t find(const struct buffer *file, const void *what, size_t length)
{
    for (size_t at = 0; at + length <= file->length; at++)
        if (memcmp(file->bytes + at, what, length) == 0)
            return at;
    fail_msg("not there");
    return 0;
}

static void set(struct buffer *file, size_t at, uint32_t value, int width)
{
    for (int i = 0; i < width; i++)
        file->bytes[at + (size_t)i] = (uint8_t)(value >> 8 * (width - 1 - i));
}

static uint32_t get(const struct buffer *file, size_t at, int width)
{
    uint32_t value = 0;
    for (int i = 0; i < width; i++)
        value = value << 8 | file->bytes[at + (size_t)i];
    return value;
}

/* Parsed in spite of the lie: the picture is whole at its begin, and the lie is told. */
static void survives(const struct buffer *file, const struct face *faces, int count, const char *says)
{
    struct sp_dg2 *dg2 = NULL;
    struct sp_err err = {0};
    bool told = false;
    if (sp_dg2_parse(&dg2, "sample.dg2", file->bytes, file->length, &err) != SP_OK)
        fail_msg("wanted the remark '%s', is refused: %s", says, err.text);
    assert_int_equal(dg2->image_count, count);
    for (int i = 0; i < count; i++) {
        assert_true(dg2->images[i].length >= faces[i].length);
        assert_memory_equal(dg2->images[i].bytes, faces[i].bytes, faces[i].length);
    }
    for (int i = 0; i < sp_remarks_noted(&dg2->remarks); i++) {
        told = told || strstr(dg2->remarks.items[i].text, says);
        assert_true(dg2->remarks.items[i].offset <= file->length);
    }
    if (!told)
        fail_msg("no remark '%s' among %d", says, dg2->remarks.count);
    sp_dg2_free(&dg2);
}

static void is_refused(const struct buffer *file, const char *says)
{
    struct sp_dg2 *dg2 = NULL;
    struct sp_err err = {0};
    enum sp_status status = sp_dg2_parse(&dg2, "sample.dg2", file->bytes, file->length, &err);
    assert_null(dg2);
    if (status == SP_OK || strncmp(err.text, "sample.dg2: ", 12) != 0 || !strstr(err.text, says))
        fail_msg("wanted '%s', is: %s", says, err.text);
}

static const uint32_t lies[] = {1, 0xffffffff, 0, 2, 13, 0x7fffffff, 0x10000};

/* Lies about a number: one more, one less, none, few, huge. The first two are differences. */
static uint32_t lie(uint32_t truth, size_t i, int width)
{
    uint32_t value = i < 2 ? truth + lies[i] : lies[i];
    return width == 4 ? value : value & (0xffffffffu >> (32 - 8 * width));
}
#define LIES (sizeof lies / sizeof lies[0])

static void lengths_of_the_record(void **state)
{
    (void)state;
    for (int version = 10; version <= 30; version += 20)
        for (size_t i = 0; i < LIES; i++) {
            struct buffer file = one(version, &jpeg, 1);
            size_t record = find(&file, "FAC", 4), block = record + (version == 30 ? 17 : 14);
            uint32_t truth = get(&file, record + 8, 4);
            set(&file, record + 8, lie(truth, i, 4), 4);
            survives(&file, &jpeg, 1, "the face record says");
            set(&file, record + 8, truth, 4);
            truth = get(&file, block, 4);
            set(&file, block, lie(truth, i, 4), 4);
            survives(&file, &jpeg, 1, "the image block says");
            set(&file, block, truth, 4);
            if (i != 1 && i != 2) { /* more images than one */
                set(&file, record + 12, lie(1, i, 2), 2);
                if (lie(1, i, 2) > 1)
                    survives(&file, &jpeg, 1, "the face record says");
            } else {
                set(&file, record + 12, 0, 2);
                survives(&file, &jpeg, 1, "says 0 images, there are 1");
            }
            free(file.bytes);
        }
}

/* Of two images, a wrong length of the first hides the second: it is refused, and a wrong length of the second is
 * not. */
static void lengths_of_several_images(void **state)
{
    (void)state;
    struct face faces[2] = {jpeg, jp2};
    faces[1].data_type = 1;
    for (size_t i = 0; i < LIES; i++) {
        struct buffer file = one(10, faces, 2);
        size_t first = find(&file, "FAC", 4) + 14;
        uint32_t truth = get(&file, first, 4);
        set(&file, first, lie(truth, i, 4), 4);
        is_refused(&file, "no other image begins there");
        set(&file, first, truth, 4);
        uint32_t last = get(&file, first + truth, 4);
        set(&file, first + truth, lie(last, i, 4), 4);
        survives(&file, faces, 2, "the image block says");
        free(file.bytes);
    }
}

static void numbers_of_points(void **state)
{
    (void)state;
    for (int version = 10; version <= 30; version += 20)
        for (size_t i = 0; i < LIES; i++) {
            struct face face = jpeg;
            face.points = 3;
            struct buffer file = one(version, &face, 1);
            size_t at = find(&file, "FAC", 4) + (version == 30 ? 17 + 4 + 9 + 5 + 1 + 5 : 14 + 4);
            assert_int_equal(get(&file, at, 2), 3);
            set(&file, at, lie(3, i, 2), 2);
            survives(&file, &face, 1, "do not lead to its image");
            free(file.bytes);
        }
}

static void types_and_sizes(void **state)
{
    (void)state;
    static const struct {
        int version, jpeg, jp2; /* data types */
    } rows[] = {{10, 0, 1}, {30, 0, 1}, {39794, 2, 3}, {39794, 2, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct face face = jpeg;
        face.data_type = rows[i].jp2;
        struct buffer file = one(rows[i].version, &face, 1);
        survives(&file, &face, 1, "the record says JPEG 2000, the image is jpeg");
        free(file.bytes);
        face = jp2;
        face.data_type = rows[i].jpeg;
        file = one(rows[i].version, &face, 1);
        survives(&file, &face, 1, "the record says JPEG, the image is jp2");
        free(file.bytes);
        face.data_type = rows[i].jp2;
        face.width = 0;
        file = one(rows[i].version, &face, 1);
        survives(&file, &face, 1, "no size of the image (0 x 52 px)");
        free(file.bytes);
    }
}

static void counts_of_instances(void **state)
{
    (void)state;
    char says[80];
    struct buffer file = one(10, &jpeg, 1);
    size_t at = find(&file, "\x02\x01\x01\x7f\x60", 5) + 2;
    for (int count = 0; count < 256; count += count == 2 ? 97 : 1) {
        set(&file, at, (uint32_t)count, 1);
        snprintf(says, sizeof says, "1 instances are there, %d are declared", count);
        if (count != 1) /* a negative number is none */
            survives(&file, &jpeg, 1, count < 128 ? says : "1 instances are there, 02 does not say how many");
    }
    set(&file, at, 1, 1);
    set(&file, at - 2, 3, 1); /* no 02 at all */
    survives(&file, &jpeg, 1, "1 instances are there, 02 does not say how many");
    free(file.bytes);
}

/* Each length of an element on the way to the image, replaced: refused with an offset. */
static void lengths_of_elements(void **state)
{
    (void)state;
    static const struct {
        const char *head; /* tag and the first byte of a two-byte length */
        bool in_19794, in_39794;
    } tags[] = {{"\x75\x82", true, true},      {"\x7f\x61\x82", true, true},  {"\x7f\x60\x82", true, true},
                {"\x5f\x2e\x82", true, false}, {"\x7f\x2e\x82", false, true}, {"\x65\x82", false, true}};
    for (int modern = 0; modern < 2; modern++)
        for (size_t t = 0; t < sizeof tags / sizeof tags[0]; t++)
            for (size_t i = 0; i < LIES && (modern ? tags[t].in_39794 : tags[t].in_19794); i++) {
                struct face face = jpeg;
                face.data_type = modern ? 2 : 0;
                struct buffer file = one(modern ? 39794 : 10, &face, 1);
                size_t at = find(&file, tags[t].head, strlen(tags[t].head)) + strlen(tags[t].head);
                set(&file, at, lie(get(&file, at, 2), i, 2), 2);
                is_refused(&file, "offset");
                free(file.bytes);
            }
}

/* Version 030 gives the image a length of its own. */
static void length_of_the_image(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIES; i++) {
        struct buffer file = one(30, &jpeg, 1);
        size_t at = find(&file, jpeg.bytes, jpeg.length) - 4;
        uint32_t truth = get(&file, at, 4), wrong = lie(truth, i, 4);
        assert_int_equal(truth, jpeg.length);
        set(&file, at, wrong, 4);
        survives(&file, &jpeg, 1, "the image is said to have");
        free(file.bytes);
    }
}

/* A 3D model may follow the image: its length counts where the image ends there. */
static void what_follows_the_image(void **state)
{
    (void)state;
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0,
                                  0,    0,   'I', 'E', 'N',  'D',  0xae, 0x42, 0x60, 0x82};
    const struct face faces[] = {jpeg, jp2, {.bytes = png, .length = sizeof png, .width = 1, .height = 1}};
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        struct buffer both = {0};
        struct face face = faces[i];
        put_bytes(&both, face.bytes, face.length);
        put_bytes(&both, "a model of a sample head", 24);
        face.bytes = both.bytes;
        face.length = both.length;
        face.data_type = i == 1;
        struct buffer file = one(30, &face, 1);
        size_t at = find(&file, face.bytes, face.length) - 4;
        struct sp_dg2 *dg2 = NULL;
        set(&file, at, (uint32_t)faces[i].length, 4);
        assert_int_equal(sp_dg2_parse(&dg2, "sample.dg2", file.bytes, file.length, NULL), SP_OK);
        assert_int_equal(dg2->images[0].length, faces[i].length);
        assert_int_equal(dg2->remarks.count, 0);
        sp_dg2_free(&dg2);
        for (uint32_t cut = 1; cut < faces[i].length; cut++) {
            set(&file, at, (uint32_t)faces[i].length - cut, 4);
            survives(&file, &faces[i], 1, "the image is said to have");
        }
        free(file.bytes);
        free(both.bytes);
    }
}

/* Every byte of the headers replaced: refused in words or parsed to views inside the file. */
static void any_byte(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct face faces[2] = {jpeg, jp2};
        faces[0].data_type = kind == 2 ? 2 : 0;
        faces[1].data_type = kind == 2 ? 3 : 1;
        struct buffer file = one(kind == 0 ? 10 : kind == 1 ? 30 : 39794, faces, 2);
        for (size_t at = 0; at < file.length; at++)
            for (int value = 0; value < 256; value += at < 160 ? 1 : 85) {
                struct sp_dg2 *dg2 = NULL;
                struct sp_err err = {0};
                uint8_t old = file.bytes[at];
                file.bytes[at] = (uint8_t)value;
                if (sp_dg2_parse(&dg2, "sample.dg2", file.bytes, file.length, &err) == SP_OK)
                    for (int i = 0; i < dg2->image_count; i++) {
                        assert_true(dg2->images[i].offset <= file.length);
                        assert_true(dg2->images[i].length <= file.length - dg2->images[i].offset);
                        assert_int_not_equal(dg2->images[i].kind, SP_IMAGE_NONE);
                    }
                else
                    assert_true(strlen(err.text) > 20);
                sp_dg2_free(&dg2);
                file.bytes[at] = old;
            }
        free(file.bytes);
    }
}

static void foreign_files_are_refused(void **state)
{
    (void)state;
    static const uint8_t other[] = {0x61, 0x02, 0x5f, 0x1f}, empty[] = {0x75, 0x00},
                         no_data[] = {0x75, 0x0b, 0x7f, 0x61, 0x08, 0x02, 0x01, 0x01, 0x7f, 0x60, 0x02, 0xa1, 0x00};
    struct buffer file = {(uint8_t *)other, sizeof other};
    is_refused(&file, "begins with tag 61");
    file = (struct buffer){(uint8_t *)empty, sizeof empty};
    is_refused(&file, "holds no 7F61");
    file = (struct buffer){(uint8_t *)no_data, sizeof no_data};
    is_refused(&file, "tag 7F60 at offset 8 has neither 5F2E nor 7F2E");
    assert_false(sp_dg2_looks_like(other, sizeof other));
    assert_false(sp_dg2_looks_like(empty, sizeof empty));
    struct face face = jpeg;
    face.bytes = (const uint8_t *)"GIF89a, which no passport holds, whatever its record says about it.";
    face.length = 66;
    file = one(10, &face, 1);
    is_refused(&file, "holds no image");
    free(file.bytes);
    face.data_type = 2;
    file = one(39794, &face, 1);
    is_refused(&file, "66 bytes that are no image");
    free(file.bytes);
}

static void what_follows_is_told(void **state)
{
    (void)state;
    struct buffer file = one(10, &jpeg, 1);
    struct sp_dg2 *dg2 = NULL;
    put_number(&file, 0, 4);
    assert_int_equal(sp_dg2_parse(&dg2, "sample.dg2", file.bytes, file.length, NULL), SP_OK);
    assert_int_equal(dg2->remarks.count, 0); /* chips fill up with zeros */
    sp_dg2_free(&dg2);
    put_number(&file, 0x90, 1);
    put_number(&file, 0, 1);
    survives(&file, &jpeg, 1, "2 bytes behind the DG2");
    free(file.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_of_the_record),
        cmocka_unit_test(lengths_of_several_images),
        cmocka_unit_test(numbers_of_points),
        cmocka_unit_test(types_and_sizes),
        cmocka_unit_test(counts_of_instances),
        cmocka_unit_test(lengths_of_elements),
        cmocka_unit_test(length_of_the_image),
        cmocka_unit_test(what_follows_the_image),
        cmocka_unit_test(any_byte),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(what_follows_is_told),
    };
    return cmocka_run_group_tests(tests, make_pictures, free_pictures);
}
