/* Which gallery goes first: every pair of a list in the order of workers/evict.h, and that it is an order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "workers/evict.h"

static const struct sp_evict_now now = {1000000000, 5000000000000};

static void test_the_list(void **state)
{
    (void)state;
    static const struct sp_evict_item order[] = {
        {false, 0, 1}, /* holds nothing, whatever it is for */
        {false, 2000000000, 2},
        {true, 1, 4399999999999}, /* long gone, idle for more than ten minutes */
        {true, 999999999, 7},     /* gone for a millisecond */
        {true, 1000000000, 5},    /* departs now; used before the next */
        {true, 1000000000, 6},
        {true, 0, 10}, /* idle for more than ten minutes */
        {true, 0, 4399999999999},
        {true, 3000000000, 20}, /* departs last */
        {true, 2000000000, 30},
        {true, 2000000000, 40},
        {true, 1000000001, 1},    /* boards next */
        {true, 0, 4400000000000}, /* ten minutes to the nanosecond: in use */
        {true, 1, 4400000000001}, /* long gone, and matched in the arrivals hall */
        {true, 0, 4999999999998},
        {true, 999999999, 4999999999999}, /* boards late */
        {true, 0, 6000000000000},         /* a clock read before another thread's */
    };
    int count = (int)(sizeof order / sizeof order[0]);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++)
            assert_int_equal(sp_evict_before(&order[i], &order[k], &now), i < k);
}

static void test_one_of_all(void **state)
{
    (void)state;
    enum { MANY = 40, ROUNDS = 200 };
    uint32_t seed = 9;
    for (int round = 0; round < ROUNDS; round++) {
        struct sp_evict_item items[MANY];
        for (int i = 0; i < MANY; i++) {
            seed = seed * 1664525 + 1013904223;
            items[i] =
                (struct sp_evict_item){seed >> 8 & 7, (seed >> 12 & 3) * 500000000ll, (seed >> 16) * 100000000ull};
        }
        int best = 0; /* whichever way round they are looked at, nothing goes before the first */
        for (int i = 1; i < MANY; i++)
            if (sp_evict_before(&items[i], &items[best], &now))
                best = i;
        for (int i = 0; i < MANY; i++)
            assert_false(sp_evict_before(&items[i], &items[best], &now));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_list), cmocka_unit_test(test_one_of_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
