/* Every status code has a name and a sentence; contexts nest; long texts are cut, not overrun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/reason.h"
#include "common/status.h"

static void test_every_code(void **state)
{
    (void)state;
    for (int code = SP_OK; code <= SP_E_INTERNAL; code++) {
        assert_string_not_equal(sp_status_name(code), "unknown");
        assert_true(strlen(sp_status_text(code)) > 5);
        for (int other = SP_OK; other < code; other++)
            assert_string_not_equal(sp_status_name(code), sp_status_name(other));
    }
    assert_string_equal(sp_status_name(999), "unknown");
}

static void test_contexts(void **state)
{
    (void)state;
    struct sp_err err = {0};
    assert_int_equal(sp_fail(&err, SP_E_FORMAT, "line %d", 12), SP_E_FORMAT);
    assert_int_equal(sp_fail_in(&err, "file %s", "a.csv"), SP_E_FORMAT);
    assert_string_equal(err.text, "file a.csv: line 12");
    errno = ENOENT;
    assert_int_equal(sp_fail_errno(&err, "open"), SP_E_IO);
    assert_string_equal(err.text, "open: No such file or directory");
    char longer[2 * sizeof err.text];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    sp_fail(&err, SP_E_LIMIT, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    sp_fail_in(&err, "here");
    assert_int_equal(strncmp(err.text, "here: xxx", 9), 0);
    assert_int_equal(sp_fail(NULL, SP_E_LIMIT, "nobody listens"), SP_E_LIMIT);
}

static void test_reasons_round_trip(void **state)
{
    (void)state;
    int known = 0;
    for (int number = 0; number <= SP_REASON_MAX; number++) {
        const char *word = sp_reason_word(number);
        if (strcmp(word, "unknown") == 0)
            continue;
        known++;
        assert_int_equal(sp_reason_from_word(word), number);
    }
    assert_true(known > 40);
    assert_int_equal(sp_reason_from_word("nonsense"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_reasons_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
