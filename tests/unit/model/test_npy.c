/* NumPy files: what NumPy itself writes, a round trip, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/npy.h"

/* A file of version `major` with this header text and `values` zeros-and-up floats. */
static size_t make(uint8_t *bytes, int major, const char *header, int values)
{
    size_t length = strlen(header), start = major == 2 ? 12 : 10;
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (uint8_t)major;
    bytes[7] = 0;
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    bytes[10] = bytes[11] = 0;
    memcpy(bytes + start, header, length);
    for (int i = 0; i < values; i++) {
        float value = (float)i;
        memcpy(bytes + start + length + 4 * (size_t)i, &value, 4);
    }
    return start + length + 4 * (size_t)values;
}

static void test_reads(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    struct sp_err err = {0};
    for (int major = 1; major <= 2; major++) {
        struct sp_npy npy;
        size_t length =
            make(bytes, major, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3), }     \n", 6);
        if (sp_npy_parse(&npy, "x", bytes, length, &err) != SP_OK)
            fail_msg("%s", err.text);
        assert_int_equal(npy.rank, 3);
        assert_int_equal(npy.dims[0], 2);
        assert_int_equal(npy.dims[2], 3);
        assert_int_equal(npy.count, 6);
        assert_true(npy.values[5] == 5);
        sp_npy_clear(&npy);
    }
    static const struct {
        const char *shape;
        int rank, count;
    } shapes[] = {{"()", 0, 1}, {"(3,)", 1, 3}, {"(0, 5)", 2, 0}, {"(1,1,1,1,1,1,1,2)", 8, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char header[200];
        struct sp_npy npy;
        snprintf(header, sizeof header, "{'shape': %s, 'fortran_order': False, 'descr': '<f4'}", shapes[i].shape);
        size_t length = make(bytes, 1, header, shapes[i].count);
        if (sp_npy_parse(&npy, "x", bytes, length, &err) != SP_OK)
            fail_msg("%s: %s", shapes[i].shape, err.text);
        assert_int_equal(npy.rank, shapes[i].rank);
        sp_npy_clear(&npy);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        int major, values;
        const char *header;
        enum sp_status status;
    } rows[] = {
        {3, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", SP_E_UNSUPPORTED},
        {1, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", SP_E_UNSUPPORTED},
        {1, 1, "{'descr': '>f4', 'fortran_order': False, 'shape': (), }", SP_E_UNSUPPORTED},
        {1, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (), }", SP_E_UNSUPPORTED},
        {1, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", SP_E_FORMAT},
        {1, 4, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'shape': (), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), } more", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", SP_E_FORMAT},
        {1, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", SP_E_LIMIT},
        {1, 1, "", SP_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[1024];
        struct sp_npy npy = {.rank = 77};
        struct sp_err err = {0};
        size_t length = make(bytes, rows[i].major, rows[i].header, rows[i].values);
        enum sp_status status = sp_npy_parse(&npy, "x", bytes, length, &err);
        if (status != rows[i].status)
            fail_msg("row %zu: %s: %s", i, sp_status_name(status), err.text);
        assert_int_equal(npy.rank, 77);
    }
}

static void test_refuses_short(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t length = make(bytes, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 2);
    for (size_t size = 0; size < length; size++) {
        struct sp_npy npy;
        struct sp_err err = {0};
        assert_int_not_equal(sp_npy_parse(&npy, "x", bytes, size, &err), SP_OK);
    }
    bytes[11] = 0xff; /* a header of 4 GiB */
    struct sp_npy npy;
    struct sp_err err = {0};
    assert_int_equal(sp_npy_parse(&npy, "x", bytes, length, &err), SP_E_LIMIT);
}

static void test_round_trip(void **state)
{
    (void)state;
    char path[] = "/tmp/sallyport-test-npy-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    const int64_t dims[3] = {1, 3, 2};
    const float values[6] = {0, -1.5f, 3e-36f, 1e30f, 4, 5};
    for (int rank = 0; rank <= 3; rank += 3) {
        struct sp_npy npy;
        struct sp_err err = {0};
        if (sp_npy_save(path, rank, dims, values, &err) != SP_OK || sp_npy_load(&npy, path, &err) != SP_OK)
            fail_msg("%s", err.text);
        assert_int_equal(npy.rank, rank);
        assert_int_equal(npy.count, rank ? 6 : 1);
        assert_memory_equal(npy.values, values, npy.count * sizeof *values);
        sp_npy_clear(&npy);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_short),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
