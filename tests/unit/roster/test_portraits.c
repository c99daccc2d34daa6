/* Portrait files: which ones belong to a row, and that nothing outside the directory is ever read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "roster/portraits.h"
#include "tests/support/folder.h"
#include "tests/unit/document/make_dg2.h"

struct world {
    char folder[TEST_FOLDER_MAX];
    struct sp_portraits *portraits;
};

/* A DG2 of three images, as this test needs them: only their magic. One file of it is cut short. */
static void write_dg2(const struct world *world)
{
    struct face faces[3] = {{.bytes = (const uint8_t *)"\xff\xd8\xff one", .length = 7},
                            {.bytes = (const uint8_t *)"\xff\x4f\xff\x51 second", .length = 11, .data_type = 1},
                            {.bytes = (const uint8_t *)"\xff\xd8\xff the third", .length = 13}};
    struct buffer record = make_fac(10, faces, 3), file = make_dg2(0x5f2e, &record, 1);
    test_folder_write(world->folder, "in/T6.bin", file.bytes, file.length, 0600);
    test_folder_write(world->folder, "in/T7.dg2", file.bytes, file.length - 1, 0600);
    free(file.bytes);
}

static int setup(void **state)
{
    static struct world world;
    static const char *const names[] = {"in/T1.jpg",     "in/T2_2.png",         "in/T2_1.JPEG",    "in/T22.jpg",
                                        "in/T3.gif",     "in/UTO-P-L898_1.jpg", "in/sub/deep.jpg", "secret.jpg",
                                        "in/T4.jpg.bak", "in/T8_1.JP2",         "in/T8_2.j2k",     "in/T8_3.Dg2"};
    char path[TEST_PATH_MAX], target[TEST_PATH_MAX];
    memset(&world, 0, sizeof world);
    test_folder_new(world.folder);
    mkdir(test_folder_path(path, world.folder, "in"), 0700);
    mkdir(test_folder_path(path, world.folder, "in/sub"), 0700);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        test_folder_write(world.folder, names[i], names[i], strlen(names[i]), 0600);
    test_folder_write(world.folder, "in/empty.jpg", "", 0, 0600);
    write_dg2(&world);
    (void)!symlink(test_folder_path(target, world.folder, "secret.jpg"),
                   test_folder_path(path, world.folder, "in/link.jpg"));
    (void)!symlink(world.folder, test_folder_path(path, world.folder, "in/up"));
    (void)!symlink("T1.jpg", test_folder_path(path, world.folder, "in/T5.jpg"));
    (void)!mkfifo(test_folder_path(path, world.folder, "in/pipe.jpg"), 0600);
    if (sp_portraits_open(&world.portraits, test_folder_path(path, world.folder, "in"), NULL) != SP_OK)
        return 1;
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    sp_portraits_free(&world->portraits);
    test_folder_remove(world->folder);
    return 0;
}

static int find_among(const struct world *world, const char *ref, const char *number, const char *uri,
                      const struct sp_portrait_references *all, int *ret_more, char (*paths)[SP_PORTRAIT_PATH_MAX])
{
    struct sp_row row = {0};
    int count = -1;
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        row.values[i] = "";
    row.values[SP_COLUMN_TRAVELLER_REF] = ref;
    row.values[SP_COLUMN_DOC_ISSUER] = "UTO";
    row.values[SP_COLUMN_DOC_TYPE] = "P";
    row.values[SP_COLUMN_DOC_NUMBER] = number;
    row.values[SP_COLUMN_PHOTO_URI] = uri;
    sp_portraits_find(world->portraits, &row, all, paths, &count, ret_more);
    return count;
}

static int find(const struct world *world, const char *ref, const char *number, const char *uri, int *ret_more,
                char (*paths)[SP_PORTRAIT_PATH_MAX])
{
    return find_among(world, ref, number, uri, NULL, ret_more, paths);
}

static void test_find(void **state)
{
    const struct world *world = *state;
    int more = 0;
    char paths[SP_ROW_MAX_PORTRAITS][SP_PORTRAIT_PATH_MAX];
    assert_int_equal(find(world, "T1", "", "", &more, paths), 1);
    assert_string_equal(paths[0], "T1.jpg");
    assert_int_equal(find(world, "T2", "", "", &more, paths), 2); /* by number, and not T22 */
    assert_string_equal(paths[0], "T2_1.JPEG");
    assert_string_equal(paths[1], "T2_2.png");
    assert_int_equal(find(world, "T3", "", "", &more, paths), 0); /* no gif */
    assert_int_equal(find(world, "T4", "", "", &more, paths), 0); /* no .bak */
    assert_int_equal(find(world, "T", "", "", &more, paths), 0);
    assert_int_equal(find(world, "nobody", "L898", "", &more, paths), 1);
    assert_string_equal(paths[0], "UTO-P-L898_1.jpg");
    assert_int_equal(find(world, "T1", "", "sub/deep.jpg", &more, paths), 1);
    assert_string_equal(paths[0], "sub/deep.jpg");
    assert_int_equal(find(world, "T6", "", "", &more, paths), 1);
    assert_string_equal(paths[0], "T6.bin");
    assert_int_equal(find(world, "T8", "", "", &more, paths), 3);
    assert_string_equal(paths[0], "T8_1.JP2");
    assert_string_equal(paths[1], "T8_2.j2k");
    assert_string_equal(paths[2], "T8_3.Dg2");
}

/* A number behind a reference may be another traveller's reference: his picture is nobody else's. */
static void test_reference_with_number(void **state)
{
    const struct world *world = *state;
    const char *references[] = {"T8_2", "T8", "T2_1", "T2_2", "T2", "nobody"};
    struct sp_portrait_references all = {references, sizeof references / sizeof references[0]};
    int more = 0;
    char paths[SP_ROW_MAX_PORTRAITS][SP_PORTRAIT_PATH_MAX];
    sp_portraits_sort(&all);
    assert_int_equal(find_among(world, "T8", "", "", &all, &more, paths), 2);
    assert_string_equal(paths[0], "T8_1.JP2");
    assert_string_equal(paths[1], "T8_3.Dg2");
    assert_int_equal(find_among(world, "T8_2", "", "", &all, &more, paths), 1);
    assert_string_equal(paths[0], "T8_2.j2k");
    assert_int_equal(find_among(world, "T2", "L898", "", &all, &more, paths), 1); /* those of the document, then */
    assert_string_equal(paths[0], "UTO-P-L898_1.jpg");
    assert_int_equal(find_among(world, "T1", "", "", &all, &more, paths), 1);
}

/* Several names in one photo_uri. */
static void test_uris(void **state)
{
    const struct world *world = *state;
    int more = 0;
    char paths[SP_ROW_MAX_PORTRAITS][SP_PORTRAIT_PATH_MAX];
    assert_int_equal(find(world, "T1", "", "a.jpg;sub/deep.jpg ; c.dg2", &more, paths), 3);
    assert_string_equal(paths[0], "a.jpg");
    assert_string_equal(paths[1], "sub/deep.jpg");
    assert_string_equal(paths[2], "c.dg2");
    assert_int_equal(find(world, "T1", "", ";; a.jpg;", &more, paths), 1);
    assert_string_equal(paths[0], "a.jpg");
    assert_int_equal(find(world, "T1", "", " ; ", &more, paths), 0);
    assert_int_equal(find(world, "T1", "", "1;2;3;4;5;6;7;8;9;10", &more, paths), SP_ROW_MAX_PORTRAITS);
    assert_string_equal(paths[7], "8");
    assert_int_equal(more, 2);
}

static void test_load(void **state)
{
    const struct world *world = *state;
    static const size_t lengths[3] = {7, 11, 13};
    struct sp_portrait_picture pictures[3];
    struct sp_err err = {0};
    for (int max = 0; max <= 3; max++) {
        int count = -1, more = -1;
        assert_int_equal(sp_portraits_load(world->portraits, "T6.bin", max, pictures, &count, &more, NULL), SP_OK);
        assert_int_equal(count, max);
        assert_int_equal(more, 3 - max);
        for (int i = 0; i < count; i++) {
            assert_int_equal(pictures[i].length, lengths[i]);
            assert_int_equal(pictures[i].bytes[0], 0xff);
            free(pictures[i].bytes);
        }
        count = more = -1;
        assert_int_equal(sp_portraits_load(world->portraits, "T1.jpg", max, pictures, &count, &more, NULL), SP_OK);
        assert_int_equal(count, max > 0);
        assert_int_equal(more, max == 0);
        if (count == 1) { /* not even a JPEG: that is for workers to say */
            assert_int_equal(pictures[0].length, strlen("in/T1.jpg"));
            free(pictures[0].bytes);
        }
    }
    int count = -1, more = -1;
    assert_int_equal(sp_portraits_load(world->portraits, "T7.dg2", 3, pictures, &count, &more, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "portrait T7.dg2: tag 75 at offset 0"));
    assert_int_equal(sp_portraits_load(world->portraits, "../secret.jpg", 3, pictures, &count, &more, NULL),
                     SP_E_DENIED);
    assert_int_equal(count, -1);
}

static enum sp_status read_it(const struct world *world, const char *path)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_portraits_read(world->portraits, path, &bytes, &length, NULL);
    free(bytes);
    return status;
}

static void test_inside(void **state)
{
    const struct world *world = *state;
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_portraits_read(world->portraits, "sub/deep.jpg", &bytes, &length, NULL), SP_OK);
    assert_int_equal(length, strlen("in/sub/deep.jpg"));
    free(bytes);
    assert_int_equal(read_it(world, "nothing.jpg"), SP_E_NOTFOUND);
    assert_int_equal(read_it(world, "empty.jpg"), SP_E_LIMIT);
    assert_int_equal(read_it(world, "sub"), SP_E_IO);
    assert_int_equal(read_it(world, "pipe.jpg"), SP_E_IO); /* and does not wait for a writer */
}

static void test_outside(void **state)
{
    const struct world *world = *state;
    char path[TEST_PATH_MAX];
    static const char *const hostile[] = {"../secret.jpg",
                                          "sub/../../secret.jpg",
                                          "sub/../T1.jpg",
                                          "./T1.jpg",
                                          "link.jpg",
                                          "up/secret.jpg",
                                          "T5.jpg",
                                          "T1.jpg/x",
                                          "/etc/passwd",
                                          "file:///etc/passwd",
                                          "http://x/y.jpg",
                                          "sub//deep.jpg",
                                          "..",
                                          "sub/",
                                          "",
                                          "."};
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        if (read_it(world, hostile[i]) != SP_E_DENIED)
            fail_msg("'%s' is not refused", hostile[i]);
    assert_int_equal(read_it(world, test_folder_path(path, world->folder, "in/T1.jpg")), SP_E_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),   cmocka_unit_test(test_reference_with_number),
        cmocka_unit_test(test_uris),   cmocka_unit_test(test_load),
        cmocka_unit_test(test_inside), cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
