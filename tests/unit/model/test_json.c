/* JSON out: commas, escapes, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "ops/json.h"

static void test_writes(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    struct sp_json json = {.out = open_memstream(&text, &length)};
    assert_non_null(json.out);
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "a\"b", "x\\\n\x01é\xff.");
    sp_json_open(&json, "list", '[');
    sp_json_number(&json, NULL, 3);
    sp_json_number(&json, NULL, -0.25);
    sp_json_number(&json, NULL, NAN);
    sp_json_open(&json, NULL, '[');
    sp_json_close(&json, ']');
    sp_json_close(&json, ']');
    sp_json_bool(&json, "yes", true);
    sp_json_close(&json, '}');
    fclose(json.out);
    assert_string_equal(text,
                        "{\"a\\\"b\":\"x\\\\\\u000a\\u0001é\\ufffd.\",\"list\":[3,-0.25,null,[]],\"yes\":true}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
