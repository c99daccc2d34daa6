/* Signals: the first SIGTERM is told to the program, which drains; the second ends it at once with its own exit
 * code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/program.h"

/* A program that hears of signals, says so on `say`, and never ends by itself. */
static void run_stubborn(int say)
{
    int signals = -1;
    if (sp_program_signals(&signals, NULL) != SP_OK || write(say, "R", 1) != 1)
        _exit(99);
    for (;;) {
        struct pollfd wait = {.fd = signals, .events = POLLIN};
        unsigned char number = 0;
        if (poll(&wait, 1, -1) == 1 && read(signals, &number, 1) == 1 && write(say, &number, 1) != 1)
            _exit(98);
    }
}

static unsigned char hear(int from)
{
    struct pollfd wait = {.fd = from, .events = POLLIN};
    unsigned char byte = 0;
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(read(from, &byte, 1), 1);
    return byte;
}

static int run_with(const int *numbers, int count)
{
    int ends[2], state = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_stubborn(ends[1]);
    assert_int_equal(hear(ends[0]), 'R');
    for (int i = 0; i < count; i++) {
        assert_int_equal(kill(child, numbers[i]), 0);
        if (i + 1 < count)
            assert_int_equal(hear(ends[0]), numbers[i]);
    }
    assert_int_equal(waitpid(child, &state, 0), child);
    close(ends[0]);
    close(ends[1]);
    assert_true(WIFEXITED(state));
    return WEXITSTATUS(state);
}

static void test_second_ending_forces(void **state)
{
    (void)state;
    assert_int_equal(run_with((const int[]){SIGTERM, SIGTERM}, 2), SP_EXIT_FORCED);
    assert_int_equal(run_with((const int[]){SIGINT, SIGTERM}, 2), SP_EXIT_FORCED);
}

/* SIGHUP is a reload: it is told, and never counts as an ending. */
static void test_hangup_is_no_ending(void **state)
{
    (void)state;
    assert_int_equal(run_with((const int[]){SIGHUP, SIGHUP, SIGTERM, SIGHUP, SIGTERM}, 5), SP_EXIT_FORCED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_ending_forces),
        cmocka_unit_test(test_hangup_is_no_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
