/* The drop folder: what is taken, what is left alone, and that nothing is ever replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "roster/drop.h"
#include "tests/support/folder.h"

struct world {
    char folder[TEST_FOLDER_MAX];
    struct sp_drop *drop;
};

static int setup(void **state)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    test_folder_new(world.folder);
    if (sp_drop_open(&world.drop, world.folder, NULL) != SP_OK)
        return 1;
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    sp_drop_free(&world->drop);
    test_folder_remove(world->folder);
    return 0;
}

static const char *at(const struct world *world, const char *name)
{
    static char path[TEST_PATH_MAX];
    return test_folder_path(path, world->folder, name);
}

/* A file that was changed so long ago. */
static void put(const struct world *world, const char *name, const char *text, int age_s)
{
    struct timespec times[2];
    test_folder_write(world->folder, name, text, strlen(text), 0640);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age_s;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, at(world, name), times, 0), 0);
}

static struct sp_drop_file *look(struct world *world, int expected)
{
    struct sp_drop_file *files = NULL;
    int count = 0;
    assert_int_equal(sp_drop_look(world->drop, sp_clock_wall_ms(), 100, &files, &count, NULL), SP_OK);
    assert_int_equal(count, expected);
    return files;
}

static void test_what_is_taken(void **state)
{
    struct world *world = *state;
    put(world, "b.edi", "two", 60);
    put(world, "a.csv", "one", 60);
    put(world, "c.csv", "just written", 0);
    put(world, "a.csv.sig", "x", 60);
    put(world, "d.part", "x", 60);
    put(world, "e.tmp", "x", 60);
    put(world, ".hidden", "x", 60);
    assert_int_equal(mkdir(at(world, "folder"), 0700), 0);
    struct sp_drop_file *files = look(world, 3);
    assert_string_equal(files[0].name, "a.csv");
    assert_int_equal(files[0].state, SP_DROP_COMPLETE);
    assert_string_equal(files[1].name, "b.edi");
    assert_int_equal(files[1].state, SP_DROP_COMPLETE);
    assert_int_equal(files[2].state, SP_DROP_GROWING);
    free(files);
}

/* Who still writes may pause for longer than any rest: the kernel knows that it is open. */
static void test_open_for_writing(void **state)
{
    struct world *world = *state;
    put(world, "slow.csv", "half a", 60);
    int fd = open(at(world, "slow.csv"), O_WRONLY);
    assert_true(fd >= 0);
    struct sp_drop_file *files = look(world, 1);
    assert_int_equal(files[0].state, SP_DROP_GROWING);
    free(files);
    close(fd);
    files = look(world, 1);
    assert_int_equal(files[0].state, SP_DROP_COMPLETE);
    free(files);
}

/* A wrong clock's time is not believed. */
static void test_time_ahead(void **state)
{
    struct world *world = *state;
    put(world, "ahead.csv", "x", -100000);
    struct sp_drop_file *files = look(world, 1);
    assert_int_equal(files[0].state, SP_DROP_GROWING);
    assert_true(files[0].rest_ms >= 0 && files[0].rest_ms < 5000);
    free(files);
}

static void test_what_is_refused(void **state)
{
    struct world *world = *state;
    char big[102] = {0}, target[TEST_PATH_MAX];
    memset(big, 'x', 101);
    put(world, "1big.csv", big, 60);
    put(world, "2new\nline.csv", "x", 60);
    snprintf(target, sizeof target, "%s", at(world, "1big.csv"));
    assert_int_equal(symlink(target, at(world, "3link.csv")), 0);
    assert_int_equal(mkfifo(at(world, "4pipe.csv"), 0600), 0);
    struct sp_drop_file *files = look(world, 4);
    static const char *const words[] = {"large", "control", "link", "regular"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(files[i].state, SP_DROP_REFUSED);
        assert_non_null(strstr(files[i].why, words[i]));
    }
    assert_string_equal(files[1].name, "2new?line.csv");
    assert_true(files[1].strange && files[1].regular && !files[2].regular && !files[3].regular);
    free(files);
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_drop_stamp stamp = {0};
    assert_int_equal(sp_drop_read(world->drop, "1big.csv", 100, &bytes, &length, &stamp, NULL), SP_E_LIMIT);
    assert_int_equal(sp_drop_read(world->drop, "3link.csv", 1000, &bytes, &length, &stamp, NULL), SP_E_IO);
    assert_int_equal(sp_drop_read(world->drop, "4pipe.csv", 1000, &bytes, &length, &stamp, NULL), SP_E_IO);
    assert_int_equal(sp_drop_read(world->drop, "none", 1000, &bytes, &length, &stamp, NULL), SP_E_NOTFOUND);
    assert_null(bytes);
}

static void test_large_and_growing(void **state)
{
    struct world *world = *state;
    char big[102] = {0};
    memset(big, 'x', 101);
    put(world, "big.csv", big, 0);
    int fd = open(at(world, "big.csv"), O_WRONLY);
    struct sp_drop_file *files = look(world, 1);
    assert_int_equal(files[0].state, SP_DROP_GROWING);
    free(files);
    close(fd);
    files = look(world, 1);
    assert_int_equal(files[0].state, SP_DROP_REFUSED);
    free(files);
}

static void test_names(void **state)
{
    (void)state;
    char longest[SP_DROP_NAME_MAX + 2] = {0};
    memset(longest, 'n', SP_DROP_NAME_MAX);
    assert_true(sp_drop_name_ok(longest));
    longest[SP_DROP_NAME_MAX] = 'n';
    assert_false(sp_drop_name_ok(longest));
    assert_true(sp_drop_name_ok("ZX417 2026-12-04.edi") && sp_drop_name_ok("M\xc3\xa4rz.csv"));
    assert_false(sp_drop_name_ok("") || sp_drop_name_ok(".x") || sp_drop_name_ok("a/b") ||
                 sp_drop_name_ok("a\x1b[2J") || sp_drop_name_ok("a\x7f"));
    assert_true(sp_drop_ignores("a.sig") && sp_drop_ignores(".a") && !sp_drop_ignores("a.signed"));
}

static void expect_text(struct world *world, const char *name, const char *text)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_file_read(&bytes, &length, at(world, name), 1000, NULL), SP_OK);
    assert_string_equal((char *)bytes, text);
    free(bytes);
}

static void test_moves_never_replace(void **state)
{
    struct world *world = *state;
    const struct sp_drop_stamp any = {0};
    char name[SP_DROP_NAME_MAX + 16];
    for (int i = 0; i < 3; i++) {
        char text[2] = {(char)('1' + i), 0};
        put(world, "a.csv", text, 60);
        assert_int_equal(sp_drop_free_name(world->drop, SP_DROP_DONE, "a.csv", name, NULL), SP_OK);
        assert_int_equal(sp_drop_write(world->drop, SP_DROP_DONE, name, ".report.json", text, 1, NULL), SP_OK);
        assert_int_equal(sp_drop_move(world->drop, "a.csv", &any, SP_DROP_DONE, name, NULL), SP_OK);
    }
    expect_text(world, "done/a.csv", "1");
    expect_text(world, "done/a.csv.2", "2");
    expect_text(world, "done/a.csv.3", "3");
    expect_text(world, "done/a.csv.2.report.json", "2");
    put(world, "a.csv", "4", 60);
    assert_int_equal(sp_drop_move(world->drop, "a.csv", &any, SP_DROP_DONE, "a.csv", NULL), SP_E_EXISTS);
    assert_int_equal(sp_drop_move(world->drop, "b.csv", &any, SP_DROP_DONE, "b.csv", NULL), SP_E_NOTFOUND);
    /* what a run that died has left is replaced */
    assert_int_equal(sp_drop_write(world->drop, SP_DROP_DONE, "a.csv", ".report.json", "9", 1, NULL), SP_OK);
    expect_text(world, "done/a.csv.report.json", "9");
    assert_true(sp_drop_there(world->drop, "a.csv") && !sp_drop_there(world->drop, "b.csv"));
}

/* A file that came under the name while the one before it was published is neither lost nor filed as done. */
static void test_replaced_meanwhile(void **state)
{
    struct world *world = *state;
    struct sp_drop_stamp stamp = {0}, again = {0};
    struct sp_err err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    char second[TEST_PATH_MAX];
    put(world, "a.csv", "first", 60);
    assert_int_equal(sp_drop_read(world->drop, "a.csv", 100, &bytes, &length, &stamp, NULL), SP_OK);
    free(bytes);
    put(world, ".a.csv", "other", 60); /* as long, and hardly younger */
    snprintf(second, sizeof second, "%s", at(world, ".a.csv"));
    assert_int_equal(rename(second, at(world, "a.csv")), 0);
    assert_int_equal(sp_drop_move(world->drop, "a.csv", &stamp, SP_DROP_DONE, "a.csv", &err), SP_E_CONFLICT);
    assert_non_null(strstr(err.text, "replaced"));
    expect_text(world, "a.csv", "other");
    assert_int_not_equal(access(at(world, "done/a.csv"), F_OK), 0);
    assert_int_equal(sp_drop_read(world->drop, "a.csv", 100, &bytes, &length, &stamp, NULL), SP_OK);
    free(bytes);
    put(world, "a.csv", "longer", 60); /* written in place */
    assert_int_equal(sp_drop_move(world->drop, "a.csv", &stamp, SP_DROP_DONE, "a.csv", NULL), SP_E_CONFLICT);
    expect_text(world, "a.csv", "longer");
    assert_int_equal(sp_drop_read(world->drop, "a.csv", 100, &bytes, &length, &again, NULL), SP_OK);
    free(bytes);
    int fd = open(at(world, "a.csv"), O_WRONLY); /* will be written */
    assert_int_equal(sp_drop_move(world->drop, "a.csv", &again, SP_DROP_DONE, "a.csv", NULL), SP_E_CONFLICT);
    expect_text(world, "a.csv", "longer");
    close(fd);
    assert_int_equal(sp_drop_move(world->drop, "a.csv", &again, SP_DROP_DONE, "a.csv", NULL), SP_OK);
    expect_text(world, "done/a.csv", "longer");
}

static void test_not_read_while_written(void **state)
{
    struct world *world = *state;
    struct sp_drop_stamp stamp = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    put(world, "a.csv.sig", "half a", 60);
    int fd = open(at(world, "a.csv.sig"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(sp_drop_read(world->drop, "a.csv.sig", 100, &bytes, &length, &stamp, NULL), SP_E_CONFLICT);
    close(fd);
    assert_int_equal(sp_drop_read(world->drop, "a.csv.sig", 100, &bytes, &length, &stamp, NULL), SP_OK);
    free(bytes);
}

static void test_one_at_a_time(void **state)
{
    struct world *world = *state;
    struct sp_drop *second = NULL;
    struct sp_err err = {0};
    assert_int_equal(sp_drop_open(&second, world->folder, &err), SP_E_CONFLICT);
    assert_non_null(strstr(err.text, "another process"));
    assert_null(second);
    assert_int_equal(sp_drop_open(&second, at(world, "none"), &err), SP_E_IO);
}

/* done/ that is a link would lead files elsewhere. */
static void test_places_are_folders(void **state)
{
    struct world *world = *state;
    char elsewhere[TEST_PATH_MAX];
    struct sp_drop *drop = NULL;
    snprintf(elsewhere, sizeof elsewhere, "%s", at(world, "elsewhere"));
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(mkdir(at(world, "drop"), 0700), 0);
    assert_int_equal(symlink(elsewhere, at(world, "drop/done")), 0);
    assert_int_equal(sp_drop_open(&drop, at(world, "drop"), NULL), SP_E_IO);
}

static void test_wait(void **state)
{
    struct world *world = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    put(world, "new.csv", "x", 0);
    uint64_t began = sp_clock_mono_ns();
    assert_false(sp_drop_wait(world->drop, ends[0], 20000)); /* the new file ends it */
    assert_int_equal(write(ends[1], "t", 1), 1);
    assert_true(sp_drop_wait(world->drop, ends[0], 20000));
    assert_true(sp_clock_mono_ns() - began < 10000000000ull);
    close(ends[0]);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_taken),       TEST(test_open_for_writing),   TEST(test_time_ahead),
        TEST(test_what_is_refused),     TEST(test_large_and_growing),  TEST(test_names),
        TEST(test_moves_never_replace), TEST(test_replaced_meanwhile), TEST(test_not_read_while_written),
        TEST(test_one_at_a_time),       TEST(test_places_are_folders), TEST(test_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
