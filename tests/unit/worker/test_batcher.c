/* The batcher in virtual time: each rule alone, then a server of frames that arrive at random, with and without it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "workers/batcher.h"

#define MS 1000000ull
#define US 1000ull

/* `rounds` batches of `rows` that keep the nets busy for `share` of the time; returns the time after the last. */
static uint64_t run(struct sp_batcher *batcher, uint64_t now_ns, int rounds, int rows, double share,
                    uint64_t cost_ns)
{
    for (int i = 0; i < rounds; i++) {
        uint64_t began_ns = now_ns + (uint64_t)((double)cost_ns * (1 / share - 1));
        now_ns = began_ns + cost_ns;
        sp_batcher_done(batcher, rows, began_ns, now_ns);
    }
    return now_ns;
}

static struct sp_batcher_view view_at(uint64_t now_ns)
{
    return (struct sp_batcher_view){
        .rows = 2, .most = 8, .coming = 1, .first_ns = now_ns, .deadline_ns = now_ns + 1000 * MS};
}

static void test_waits_with_the_load(void **state)
{
    (void)state;
    static const struct {
        double share;
        uint64_t least_us, most_us;
    } rows[] = {{0.1, 0, 0}, {0.45, 0, 0}, {0.6, 100, 150}, {0.7, 225, 275}, {0.8, 350, 400}, {0.95, 500, 500}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_batcher batcher;
        sp_batcher_init(&batcher, 8, 500 * US);
        uint64_t now_ns = run(&batcher, 1000 * MS, 600, 2, rows[i].share, 4 * MS);
        struct sp_batcher_view view = view_at(now_ns);
        assert_true(fabs(sp_batcher_load(&batcher, now_ns) - rows[i].share) < 0.01);
        assert_in_range(sp_batcher_wait_ns(&batcher, &view, now_ns) / US, rows[i].least_us, rows[i].most_us);
        now_ns += 2000 * MS; /* the rush is over */
        view = view_at(now_ns);
        assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 0);
    }
}

static void test_when_not_to_wait(void **state)
{
    (void)state;
    struct sp_batcher batcher;
    sp_batcher_init(&batcher, 8, 500 * US);
    struct sp_batcher_view view = view_at(5 * MS);
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, 5 * MS), 0); /* nothing was seen yet */
    uint64_t now_ns = run(&batcher, 0, 600, 2, 0.99, 4 * MS);
    view = view_at(now_ns);
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 500 * US);
    assert_in_range(sp_batcher_wait_ns(&batcher, &view, now_ns + 200 * US), 299 * US,
                    300 * US); /* it waits already */
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns + 500 * US), 0);
    view.coming = 0;
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 0);
    view = view_at(now_ns);
    view.rows = view.most;
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 0);
    /* Three rows take 8 ms (twice what two take); of what is left beyond, a quarter. */
    view = view_at(now_ns);
    view.deadline_ns = now_ns + 9 * MS;
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 250 * US);
    view.deadline_ns = now_ns + 8 * MS;
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 0);
    view.deadline_ns = 1;
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 0);
    sp_batcher_init(&batcher, 8, 0); /* off */
    now_ns = run(&batcher, 0, 600, 2, 0.99, 4 * MS);
    view = view_at(now_ns);
    assert_int_equal(sp_batcher_wait_ns(&batcher, &view, now_ns), 0);
}

static void test_costs_are_followed(void **state)
{
    (void)state;
    struct sp_batcher batcher;
    sp_batcher_init(&batcher, 64, 0);
    assert_int_equal(sp_batcher_cost_ns(&batcher, 64), 0);
    sp_batcher_done(&batcher, 3, 10 * MS, 14 * MS);
    assert_int_equal(sp_batcher_cost_ns(&batcher, 4), 4 * MS);
    assert_int_equal(sp_batcher_cost_ns(&batcher, 16), 16 * MS);
    assert_int_equal(sp_batcher_cost_ns(&batcher, 1), 4 * MS);
    sp_batcher_done(&batcher, 4, 20 * MS, 30 * MS);
    assert_int_equal(sp_batcher_cost_ns(&batcher, 4), 7 * MS); /* half way up */
    sp_batcher_done(&batcher, 4, 40 * MS, 40 * MS);
    assert_in_range(sp_batcher_cost_ns(&batcher, 4), 6 * MS, 7 * MS - 1); /* an eighth down */
    double load = sp_batcher_load(&batcher, 40 * MS);
    sp_batcher_done(&batcher, 0, 50 * MS, 1050 * MS); /* an enrolment: busy, but no frame */
    assert_in_range(sp_batcher_cost_ns(&batcher, 1), 6 * MS, 7 * MS - 1);
    assert_true(sp_batcher_load(&batcher, 1050 * MS) > load);
}

static void test_rows_fit_the_budget(void **state)
{
    (void)state;
    struct sp_batcher batcher;
    sp_batcher_init(&batcher, 48, 0);
    assert_int_equal(sp_batcher_rows(&batcher, 2, 1), 48); /* nothing known */
    for (int rows = 1; rows <= 64; rows *= 2)              /* as on a CPU: every row costs the same */
        for (int i = 0; i < 50; i++)
            sp_batcher_done(&batcher, rows, 1, 1 + (uint64_t)rows * 10 * MS);
    batcher.load = 1;
    batcher.ended_ns = 0;
    assert_int_equal(sp_batcher_rows(&batcher, 2000 * MS, 0), 48);
    assert_int_equal(sp_batcher_rows(&batcher, 700 * MS, 0), 32);
    assert_int_equal(sp_batcher_rows(&batcher, 100 * MS, 0), 4);
    assert_int_equal(sp_batcher_rows(&batcher, 20 * MS, 0), 1);
    assert_int_equal(sp_batcher_rows(&batcher, 10 * MS, 0), 48); /* late anyway: do not hold up the others */
    sp_batcher_init(&batcher, 64, 0);
    for (int rows = 1; rows <= 64; rows *= 2) /* as on a device: a row costs next to nothing */
        for (int i = 0; i < 50; i++)
            sp_batcher_done(&batcher, rows, 1, 1 + 3 * MS + (uint64_t)rows * 300 * US);
    batcher.ended_ns = 0;
    batcher.load = 0.5;
    assert_int_equal(sp_batcher_rows(&batcher, 20 * MS, 0), 16);
    batcher.load = 1; /* small batches now would make everybody late; a row of 32 costs 14 % more than one of 64 */
    assert_int_equal(sp_batcher_rows(&batcher, 20 * MS, 0), 32);
}

/* A server of one analysing thread: frames arrive at random, are decoded for 3 ms and analysed for 2 ms + 0.25 ms a
 * row. delay: 0: go at once, 1: always wait the maximum while something is coming, 2: the batcher. */
struct outcome {
    double mean_ms, worst_ms, load, rows;
};

static double random_gap(uint32_t *seed, double mean)
{
    *seed = *seed * 1664525u + 1013904223u;
    return -mean * log(((double)(*seed >> 8) + 1) / (1 << 24));
}

static struct outcome serve(double per_second, int policy)
{
    enum { FRAMES = 20000, MOST = 32 };
    static uint64_t arrived_ns[FRAMES];
    struct sp_batcher batcher;
    struct outcome outcome = {0};
    uint64_t now_ns = 0, busy_ns = 0;
    uint32_t seed = 5;
    double at = 0;
    int batches = 0;
    for (int i = 0; i < FRAMES; i++)
        arrived_ns[i] = (uint64_t)(at += random_gap(&seed, 1e9 / per_second));
    sp_batcher_init(&batcher, MOST, 2 * MS);
    for (int next = 0; next < FRAMES; batches++) { /* frames come out of decoding in order */
        int rows = 0, coming = 0;
        uint64_t ready_ns = arrived_ns[next] + 3 * MS, wait_ns = 0;
        now_ns = now_ns > ready_ns ? now_ns : ready_ns;
        uint64_t first_ns = now_ns;
        do {
            uint64_t until_ns = now_ns + wait_ns;
            uint64_t next_ns = next + rows < FRAMES ? arrived_ns[next + rows] + 3 * MS : UINT64_MAX;
            if (wait_ns && next_ns > until_ns) {
                now_ns = until_ns;
                break;
            }
            now_ns = wait_ns ? next_ns : now_ns;
            for (; rows < MOST && next + rows < FRAMES && arrived_ns[next + rows] + 3 * MS <= now_ns; rows++)
                continue;
            for (coming = 0; next + rows + coming < FRAMES && arrived_ns[next + rows + coming] <= now_ns; coming++)
                continue;
            struct sp_batcher_view view = {rows, MOST, coming, first_ns, arrived_ns[next] + 500 * MS};
            uint64_t fixed_ns =
                first_ns + 2 * MS > now_ns && coming && rows < MOST ? first_ns + 2 * MS - now_ns : 0;
            wait_ns = policy == 2 ? sp_batcher_wait_ns(&batcher, &view, now_ns) : policy == 1 ? fixed_ns : 0;
        } while (wait_ns);
        uint64_t cost_ns = 2 * MS + (uint64_t)rows * 250 * US;
        sp_batcher_done(&batcher, rows, now_ns, now_ns + cost_ns);
        now_ns += cost_ns;
        busy_ns += cost_ns;
        for (int i = next; i < next + rows; i++) {
            double late_ms = (double)(now_ns - arrived_ns[i]) / 1e6;
            outcome.mean_ms += late_ms / FRAMES;
            outcome.worst_ms = late_ms > outcome.worst_ms ? late_ms : outcome.worst_ms;
        }
        next += rows;
    }
    outcome.load = (double)busy_ns / (double)now_ns;
    outcome.rows = (double)FRAMES / batches;
    return outcome;
}

static void test_a_server(void **state)
{
    (void)state;
    static const double rates[] = {20, 100, 300, 500, 1000, 2000, 3000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct outcome at_once = serve(rates[i], 0), always = serve(rates[i], 1), adaptive = serve(rates[i], 2);
        print_message(
            "%5.0f frames/s: at once %.2f ms, load %.2f, %.1f rows; always 2 ms %.2f, %.2f, %.1f; adaptive "
            "%.2f, %.2f, %.1f\n",
            rates[i], at_once.mean_ms, at_once.load, at_once.rows, always.mean_ms, always.load, always.rows,
            adaptive.mean_ms, adaptive.load, adaptive.rows);
        assert_true(adaptive.worst_ms < 500);
        assert_true(adaptive.load <= at_once.load + 0.005);
        if (rates[i] <= 100) /* idle: as fast as can be */
            assert_true(adaptive.mean_ms < at_once.mean_ms + 0.05);
        if (rates[i] >= 500 && rates[i] <= 1000) /* busy: fuller batches, room for a burst, hardly later */
            assert_true(adaptive.rows > 1.1 * at_once.rows && adaptive.mean_ms < at_once.mean_ms + 2);
        assert_true(adaptive.mean_ms <= always.mean_ms + 0.05);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_with_the_load),
        cmocka_unit_test(test_when_not_to_wait),
        cmocka_unit_test(test_costs_are_followed),
        cmocka_unit_test(test_rows_fit_the_budget),
        cmocka_unit_test(test_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
