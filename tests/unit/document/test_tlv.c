#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "document/tlv.h"

static struct sp_tlv_reader over(const void *bytes, size_t length)
{
    return sp_tlv_open("sample", bytes, length);
}

static void elements_are_walked(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x75, 0x0b, 0x7f, 0x61, 0x81, 0x03, 0x02, 0x01, 0x05, 0x5f,
                                    0x2e, 0x00, 0x00, 0x9f, 0x81, 0x01, 0x82, 0x00, 0x01, 0xaa};
    struct sp_tlv_reader reader = over(bytes, sizeof bytes), inside;
    struct sp_tlv tlv, found;
    assert_true(sp_tlv_more(&reader));
    assert_int_equal(sp_tlv_next(&reader, &tlv, NULL), SP_OK);
    assert_int_equal(tlv.tag, 0x75);
    assert_int_equal(tlv.offset, 1);
    assert_int_equal(tlv.value, 3);
    assert_int_equal(tlv.length, 11);
    inside = sp_tlv_inside(&reader, &tlv);
    assert_int_equal(sp_tlv_find(&inside, 0x5f2e, &found, NULL), SP_OK);
    assert_int_equal(found.offset, 10);
    assert_int_equal(found.length, 0);
    assert_int_equal(sp_tlv_number(&inside, &found), -1);
    assert_int_equal(sp_tlv_find(&inside, 0x5f2f, &found, NULL), SP_E_NOTFOUND);
    assert_int_equal(sp_tlv_next(&inside, &tlv, NULL), SP_OK);
    inside = sp_tlv_inside(&inside, &tlv);
    assert_int_equal(sp_tlv_next(&inside, &tlv, NULL), SP_OK);
    assert_int_equal(sp_tlv_number(&inside, &tlv), 5);
    assert_false(sp_tlv_more(&inside));
    assert_true(sp_tlv_more(&reader));
    assert_int_equal(sp_tlv_next(&reader, &tlv, NULL), SP_OK);
    assert_int_equal(tlv.tag, 0x9f8101);
    assert_int_equal(sp_tlv_number(&reader, &tlv), -1); /* negative */
    assert_false(sp_tlv_more(&reader));
}

static void broken_elements_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t length;
        const char *says;
    } rows[] = {
        {{0x75}, 1, "offset 0 ends inside its length"},
        {{0x7f}, 1, "offset 0 ends inside its tag"},
        {{0x7f, 0x81}, 2, "ends inside its tag"},
        {{0x7f, 0x81, 0x81, 0x01, 0}, 5, "more than 3 bytes"},
        {{0x75, 0x80, 0, 0}, 4, "form that is not read (80)"},
        {{0x75, 0x85, 0, 0, 0, 0, 0}, 7, "form that is not read (85)"},
        {{0x75, 0x82, 1}, 3, "ends inside its length"},
        {{0x75, 0x01}, 2, "tag 75 at offset 0 says 1 bytes where 0 are left"},
        {{0x75, 0x84, 0xff, 0xff, 0xff, 0xff, 0}, 7, "says 4294967295 bytes where 1 are left"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *copy = malloc(rows[i].length);
        struct sp_tlv tlv;
        struct sp_err err = {0};
        memcpy(copy, rows[i].bytes, rows[i].length);
        struct sp_tlv_reader reader = over(copy, rows[i].length);
        assert_int_equal(sp_tlv_next(&reader, &tlv, &err), SP_E_FORMAT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_walked),
        cmocka_unit_test(broken_elements_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
