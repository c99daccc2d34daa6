/* Feeds every file of a corpus folder to a fuzz target, then every prefix and some flipped bits of each: what an
 * ordinary build can check without a fuzzer. usage: fuzz_NAME CORPUS_FOLDER */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1 << 20, MAX_VARIANTS = 400 };

/* The copy has exactly `size` bytes, so that an address sanitizer sees a read past its end. */
static void feed(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void feed_variants(uint8_t *bytes, size_t size)
{
    size_t step = size / MAX_VARIANTS + 1;
    for (size_t length = 0; length < size; length += step)
        feed(bytes, length);
    for (size_t at = 0; at < size; at += step) {
        bytes[at] ^= 0xff;
        feed(bytes, size);
        bytes[at] ^= 0xff;
    }
}

static int feed_file(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct sp_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (sp_file_read(&bytes, &size, path, MAX_BYTES, &err) != SP_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    feed(bytes, size);
    feed_variants(bytes, size);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER (an existing one)\n", argv[0]);
        return 2;
    }
    int files = 0, failed = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        failed += feed_file(argv[1], entry->d_name);
        files++;
    }
    closedir(folder);
    printf("%d files replayed\n", files);
    return failed > 0 || files == 0;
}
