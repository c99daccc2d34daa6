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

struct world {
    char folder[TEST_FOLDER_MAX];
    struct sp_portraits *portraits;
};

static int setup(void **state)
{
    static struct world world;
    static const char *const names[] = {"in/T1.jpg",       "in/T2_2.png", "in/T2_1.JPEG",
                                        "in/T22.jpg",      "in/T3.gif",   "in/UTO-P-L898_1.jpg",
                                        "in/sub/deep.jpg", "secret.jpg",  "in/T4.jpg.bak"};
    char path[TEST_PATH_MAX], target[TEST_PATH_MAX];
    memset(&world, 0, sizeof world);
    test_folder_new(world.folder);
    mkdir(test_folder_path(path, world.folder, "in"), 0700);
    mkdir(test_folder_path(path, world.folder, "in/sub"), 0700);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        test_folder_write(world.folder, names[i], names[i], strlen(names[i]), 0600);
    test_folder_write(world.folder, "in/empty.jpg", "", 0, 0600);
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

static int find(const struct world *world, const char *ref, const char *number, const char *uri,
                char (*paths)[SP_PORTRAIT_PATH_MAX])
{
    struct sp_row row = {0};
    int count = -1, more = 0;
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        row.values[i] = "";
    row.values[SP_COLUMN_TRAVELLER_REF] = ref;
    row.values[SP_COLUMN_DOC_ISSUER] = "UTO";
    row.values[SP_COLUMN_DOC_TYPE] = "P";
    row.values[SP_COLUMN_DOC_NUMBER] = number;
    row.values[SP_COLUMN_PHOTO_URI] = uri;
    sp_portraits_find(world->portraits, &row, paths, &count, &more);
    return count;
}

static void test_find(void **state)
{
    const struct world *world = *state;
    char paths[SP_ROW_MAX_PORTRAITS][SP_PORTRAIT_PATH_MAX];
    assert_int_equal(find(world, "T1", "", "", paths), 1);
    assert_string_equal(paths[0], "T1.jpg");
    assert_int_equal(find(world, "T2", "", "", paths), 2); /* by number, and not T22 */
    assert_string_equal(paths[0], "T2_1.JPEG");
    assert_string_equal(paths[1], "T2_2.png");
    assert_int_equal(find(world, "T3", "", "", paths), 0); /* no gif */
    assert_int_equal(find(world, "T4", "", "", paths), 0); /* no .bak */
    assert_int_equal(find(world, "T", "", "", paths), 0);
    assert_int_equal(find(world, "nobody", "L898", "", paths), 1);
    assert_string_equal(paths[0], "UTO-P-L898_1.jpg");
    assert_int_equal(find(world, "T1", "", "sub/deep.jpg", paths), 1);
    assert_string_equal(paths[0], "sub/deep.jpg");
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
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
