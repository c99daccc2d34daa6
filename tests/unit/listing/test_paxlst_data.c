/* The sample files of $SALLYPORT_TEST_DATA/paxlst; skips without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "tests/unit/listing/samples.h"

static const struct {
    const char *name, *sample;
    int travellers, deviations;
} files[] = {
    {"passenger_05b.edi", sample_passengers, 2, 0}, {"crew_02b.edi", sample_crew, 1, 0},
    {"closeout_05b.edi", sample_close_out, 1, 0},   {"cusres_05b.edi", sample_answer, 2, 0},
    {"vessel_15b.edi", sample_vessel, 1, 1}, /* DOC without its code list */
};

/* What we know is read as we know it; what we do not know is read at all. */
static void test_files(void **state)
{
    const char *folder = *state;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int known = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[4096];
        uint8_t *bytes = NULL;
        size_t size = 0;
        struct sp_err err = {0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_int_equal(sp_file_read(&bytes, &size, path, SP_LISTING_MAX_BYTES, &err), SP_OK);
        assert_true(sp_paxlst_looks_like(bytes, size));
        struct read read = read_bytes((const char *)bytes, size, false);
        if (read.status != SP_OK)
            fail_msg("%s: %s", path, read.err.text);
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
            if (strcmp(entry->d_name, files[i].name) == 0) {
                known++;
                assert_int_equal(read.count, 1);
                assert_int_equal(read.listings[0]->traveller_count, files[i].travellers);
                assert_int_equal(read.listings[0]->deviation_count, files[i].deviations);
                assert_int_equal(size, strlen(files[i].sample));
                assert_memory_equal(bytes, files[i].sample, size);
            }
        read_free(&read);
        free(bytes);
    }
    closedir(directory);
    assert_int_equal(known, sizeof files / sizeof files[0]);
}

int main(void)
{
    static char folder[4000];
    const char *data = getenv("SALLYPORT_TEST_DATA");
    snprintf(folder, sizeof folder, "%s/paxlst", data ? data : "");
    DIR *directory = data ? opendir(folder) : NULL;
    if (!directory) {
        printf("SKIP: no folder $SALLYPORT_TEST_DATA/paxlst\n");
        return 77;
    }
    closedir(directory);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_files, folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
