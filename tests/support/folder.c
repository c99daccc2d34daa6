#include "tests/support/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

void test_folder_new(char ret_folder[TEST_FOLDER_MAX])
{
    const char *base = getenv("TMPDIR");
    if (!base || !base[0] || strlen(base) > TEST_FOLDER_MAX - 32)
        base = "/tmp";
    snprintf(ret_folder, TEST_FOLDER_MAX, "%s/sallyport-test-XXXXXX", base);
    if (!mkdtemp(ret_folder))
        give_up(ret_folder);
}

static int remove_one(const char *path, const struct stat *about, int flag, struct FTW *walk)
{
    (void)about;
    (void)flag;
    (void)walk;
    return remove(path);
}

void test_folder_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *test_folder_path(char *ret_path, const char *folder, const char *name)
{
    snprintf(ret_path, TEST_PATH_MAX, "%s/%s", folder, name);
    return ret_path;
}

void test_folder_write(const char *folder, const char *name, const void *bytes, unsigned long length, unsigned mode)
{
    char path[TEST_PATH_MAX];
    FILE *file = fopen(test_folder_path(path, folder, name), "w");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0 || chmod(path, mode) != 0)
        give_up(path);
}
