/* Proportions and their bounds, against values known from elsewhere. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "records/estimate.h"

static void near(double value, double expected)
{
    if (!(fabs(value - expected) < 5e-5))
        fail_msg("%.6f, expected %.4f", value, expected);
}

/* R: prop.test(k, n, correct = FALSE)$conf.int (Wilson without continuity correction), binom.test(k, n)$conf.int;
 * also the table of R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
 * Medicine 17 (1998), 857-872: 81/263, 15/148, 0/20, 1/29 (methods 3 and 5). */
static const struct {
    int hits, trials;
    double wilson[2], exact[2];
} known[] = {
    {81, 263, {0.2553, 0.3662}, {0.2527, 0.3676}},
    {15, 148, {0.0624, 0.1605}, {0.0578, 0.1617}},
    {0, 20, {0.0000, 0.1611}, {0.0000, 0.1684}},
    {1, 29, {0.0061, 0.1718}, {0.0009, 0.1776}},
};

static void test_known_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct sp_estimate wilson = sp_estimate_wilson(known[i].hits, known[i].trials);
        struct sp_estimate exact = sp_estimate_exact(known[i].hits, known[i].trials);
        near(wilson.value, (double)known[i].hits / known[i].trials);
        near(wilson.low, known[i].wilson[0]);
        near(wilson.high, known[i].wilson[1]);
        near(exact.low, known[i].exact[0]);
        near(exact.high, known[i].exact[1]);
    }
}

/* "Rule of three" and its exact form: no event in n trials, upper bound 1 - 0.025^(1/n). */
static void test_no_event(void **state)
{
    (void)state;
    for (int n = 1; n <= 20000; n = n * 3 + 1) {
        near(sp_estimate_exact(0, n).high, 1 - pow(0.025, 1.0 / n));
        near(sp_estimate_exact(n, n).low, pow(0.025, 1.0 / n));
        assert_true(sp_estimate_exact(0, n).low == 0 && sp_estimate_exact(n, n).high == 1);
    }
}

static void test_ends(void **state)
{
    (void)state;
    struct sp_estimate nothing = sp_estimate_wilson(0, 0);
    assert_true(isnan(nothing.value) && nothing.low == 0 && nothing.high == 1);
    nothing = sp_estimate_exact(3, -1);
    assert_true(isnan(nothing.value) && nothing.low == 0 && nothing.high == 1 && nothing.trials == 0);
    assert_true(sp_estimate_wilson(0, 7).low == 0 && sp_estimate_wilson(7, 7).high == 1);
    assert_int_equal(sp_estimate_wilson(9, 7).hits, 7);
    assert_int_equal(sp_estimate_wilson(-1, 7).hits, 0);
}

/* Symmetry, order, and that the exact interval holds the observed value and is never the shorter one at moderate
 * counts. */
static void test_properties(void **state)
{
    (void)state;
    for (int n = 1; n <= 200; n += 7)
        for (int k = 0; k <= n; k++) {
            struct sp_estimate w = sp_estimate_wilson(k, n), e = sp_estimate_exact(k, n);
            struct sp_estimate mirrored = sp_estimate_exact(n - k, n);
            assert_true(0 <= w.low && w.low <= w.value && w.value <= w.high && w.high <= 1);
            assert_true(0 <= e.low && e.low <= e.value && e.value <= e.high && e.high <= 1);
            near(mirrored.low, 1 - e.high);
            near(sp_estimate_wilson(n - k, n).low, 1 - w.high);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_no_event),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
