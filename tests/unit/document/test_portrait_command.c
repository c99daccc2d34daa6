/* The real `sallyport manifest portrait`: what it takes out, what it says, and that it never harms a file on
 * failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "image/image.h"
#include "tests/support/command.h"
#include "tests/support/folder.h"
#include "tests/unit/document/make_dg2.h"
#include "tests/unit/image/encode_jp2.h"

static char program[1024], folder[TEST_FOLDER_MAX];
static char output[16 * 1024]; /* of the last command, stdout and stderr together */
static struct face jpeg, png, jp2;

static int set_up(void **state)
{
    (void)state;
    struct encode_jp2_spec spec = {
        .picture = {.width = 40, .height = 52, .channels = 3, .depth = 8}, .lossy = 10, .boxes = 1};
    uint8_t *bytes;
    snprintf(program, sizeof program, "%s/sallyport", getenv("SALLYPORT_BIN"));
    test_folder_new(folder);
    jpeg = png = jp2 = (struct face){.width = 40, .height = 52, .quality = 70};
    encode_jpeg(&spec.picture, &bytes, &jpeg.length);
    jpeg.bytes = bytes;
    encode_png(&spec.picture, &bytes, &png.length);
    png.bytes = bytes;
    encode_jp2(&spec, &bytes, &jp2.length);
    jp2.bytes = bytes;
    jp2.data_type = 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free((void *)jpeg.bytes);
    free((void *)png.bytes);
    free((void *)jp2.bytes);
    test_folder_remove(folder);
    return 0;
}

static int run(const char *const *arguments)
{
    const char *argv[16] = {program, "manifest", "portrait"};
    for (int i = 0; arguments[i]; i++)
        argv[i + 3] = arguments[i];
    return test_command_run(output, sizeof output, folder, argv);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect(int code, int wanted, const char *says)
{
    if (code != wanted || !strstr(output, says))
        fail_msg("exit %d (wanted %d, and '%s'):\n%s", code, wanted, says, output);
}

static void read_back(const char *name, uint8_t **ret_bytes, size_t *ret_length)
{
    char path[TEST_PATH_MAX];
    struct sp_err err = {0};
    if (sp_file_read(ret_bytes, ret_length, test_folder_path(path, folder, name), 1 << 20, &err) != SP_OK)
        fail_msg("%s", err.text);
}

static int files_there(void)
{
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static void jpeg_comes_out_byte_for_byte(void **state)
{
    (void)state;
    struct buffer record = make_fac(10, &jpeg, 1), file = make_dg2(0x5f2e, &record, 1);
    struct stat about;
    char path[TEST_PATH_MAX];
    uint8_t *bytes;
    size_t length;
    test_folder_write(folder, "a.dg2", file.bytes, file.length, 0600);
    expect(RUN("a.dg2", "-o", "a.jpg"), 0, "image 1 is in a.jpg, byte for byte");
    expect(0, 0, "a.dg2: DG2, 1 image\n");
    expect(0, 0, "ISO/IEC 19794-5 version 010, instance 1, says jpeg, 40 x 52 px, quality 70");
    read_back("a.jpg", &bytes, &length);
    assert_int_equal(length, jpeg.length);
    assert_memory_equal(bytes, jpeg.bytes, length);
    assert_int_equal(stat(test_folder_path(path, folder, "a.jpg"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600); /* it is a face */
    free(bytes);
    free(file.bytes);
}

static void others_are_converted(void **state)
{
    (void)state;
    struct face faces[2] = {jpeg, jp2};
    faces[0].data_type = 2;
    faces[1].data_type = 3;
    struct buffer block = make_39794(faces, 2), file = make_dg2(0x7f2e, &block, 1);
    struct sp_image_limits limits = sp_image_limits_default();
    static const char *const names[] = {"b.dg2", "b.png", "b.jp2"};
    test_folder_write(folder, "b.dg2", file.bytes, file.length, 0600);
    test_folder_write(folder, "b.png", png.bytes, png.length, 0600);
    test_folder_write(folder, "b.jp2", jp2.bytes, jp2.length, 0600);
    for (int i = 0; i < 3; i++) {
        struct encode_spec spec = {.width = 40, .height = 52};
        struct sp_image *image = NULL;
        uint8_t *bytes;
        size_t length;
        expect(RUN(names[i], "--output", "b.jpg", "--index", i == 0 ? "2" : "1"), 0, "converted to JPEG");
        read_back("b.jpg", &bytes, &length);
        assert_int_equal(sp_image_sniff(bytes, length), SP_IMAGE_JPEG);
        assert_int_equal(sp_image_decode(&image, bytes, length, &limits, NULL), SP_OK);
        assert_int_equal(image->width, 40);
        assert_int_equal(image->height, 52);
        const uint8_t *middle = image->pixels + 26 * image->stride + 3 * 20;
        for (int c = 0; c < 3; c++)
            assert_in_range(middle[c], encode_pixel(&spec, 20, 26, c) - 12, encode_pixel(&spec, 20, 26, c) + 12);
        sp_image_free(&image);
        free(bytes);
    }
    free(file.bytes);
}

static void lies_are_told(void **state)
{
    (void)state;
    struct face face = jp2;
    face.data_type = 0;
    face.width = 0;
    struct buffer record = make_fac(10, &face, 1), file = make_dg2(0x5f2e, &record, 1);
    test_folder_write(folder, "c.dg2", file.bytes, file.length, 0600);
    expect(RUN("c.dg2"), 0, "the record says JPEG, the image is jp2\n");
    expect(0, 0, "says jpeg, 0 x 52 px");
    expect(0, 0, "bytes at offset 88, 40 x 52 px\n");
    expect(RUN("c.dg2", "--json", "-o", "c.jpg"), 0, "\"declared_kind\":\"jpeg\"");
    expect(0, 0, "\"kind\":\"jp2\"");
    expect(0, 0, "\"declared_width\":0,\"declared_height\":52");
    expect(0, 0, "\"width\":40,\"height\":52");
    expect(0, 0, "{\"offset\":88,\"text\":\"the record says JPEG, the image is jp2\"}");
    expect(0, 0, "\"output\":\"c.jpg\",\"converted\":true}\n");
    free(file.bytes);
}

/* What is no plain file stays what it is, and so does the file that the image comes from. */
static void places_are_kept(void **state)
{
    (void)state;
    char path[TEST_PATH_MAX];
    struct stat about;
    uint8_t *bytes;
    size_t length;
    test_folder_write(folder, "e.jpg", jpeg.bytes, jpeg.length, 0600);
    assert_int_equal(mkfifo(test_folder_path(path, folder, "pipe"), 0600), 0);
    expect(RUN("e.jpg", "-o", "pipe"), 2, "pipe: is there, and is not a regular file");
    assert_int_equal(lstat(path, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
    unlink(path);
    assert_int_equal(symlink("e.jpg", test_folder_path(path, folder, "link")), 0);
    expect(RUN("e.jpg", "-o", "link"), 2, "takes its place");
    unlink(path);
    expect(RUN("e.jpg", "-o", "./e.jpg"), 2, "takes its place");
    read_back("e.jpg", &bytes, &length);
    assert_int_equal(length, jpeg.length);
    free(bytes);
}

/* The image's middle is gone: nothing is written, and what was there stays. */
static void failure_harms_nothing(void **state)
{
    (void)state;
    struct face face = jpeg;
    face.length /= 2;
    struct buffer record = make_fac(10, &face, 1), file = make_dg2(0x5f2e, &record, 1);
    uint8_t *bytes;
    size_t length;
    test_folder_write(folder, "d.dg2", file.bytes, file.length, 0600);
    int before = files_there();
    expect(RUN("d.dg2", "-o", "new.jpg"), 1, "sallyport: d.dg2: image 1 does not decode: JPEG of");
    assert_int_equal(files_there(), before);
    test_folder_write(folder, "kept.jpg", "kept", 4, 0600);
    expect(RUN("d.dg2", "-o", "kept.jpg"), 1, "does not decode");
    expect(RUN("d.dg2", "-o", "kept.jpg", "--json"), 1, "\"decodes\":false,\"why_not\":\"JPEG of");
    expect(RUN("d.dg2", "-o", "kept.jpg", "--index", "2"), 1, "there is no image 2, it holds 1");
    expect(RUN("kept.jpg", "-o", "kept.jpg"), 1, "4 bytes that are neither DG2, JPEG, PNG nor JPEG 2000");
    expect(RUN("nothing.dg2", "-o", "kept.jpg"), 1, "nothing.dg2: no such file");
    assert_int_equal(files_there(), before + 1);
    read_back("kept.jpg", &bytes, &length);
    assert_int_equal(length, 4);
    assert_memory_equal(bytes, "kept", 4);
    free(bytes);
    free(file.bytes);
}

static void usage(void **state)
{
    (void)state;
    expect(RUN("--help"), 0, "Example: sallyport manifest portrait EF_DG2.bin -o portraits/T17.jpg");
    assert_int_equal(run((const char *const[]){NULL}), 2);
    assert_int_equal(RUN("a", "b"), 2);
    expect(RUN("a", "--index", "0"), 2, "--index counts from 1");
    expect(RUN("a", "--index", "x"), 2, "--index counts from 1");
    expect(RUN("a", "--nonsense"), 2, "option not understood");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_comes_out_byte_for_byte),
        cmocka_unit_test(others_are_converted),
        cmocka_unit_test(lies_are_told),
        cmocka_unit_test(places_are_kept),
        cmocka_unit_test(failure_harms_nothing),
        cmocka_unit_test(usage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
