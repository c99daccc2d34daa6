/* A broken device ends the worker at once with a stable log id; any other failure does not. The device's own faults
 * are injected in tests/ops; here the error stands for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/program.h"
#include "workers/pipeline_part.h"

static void note(void *context, enum sp_log_level level, const char *id, const char *text)
{
    (void)text;
    if (level == SP_LOG_ERROR && write(*(int *)context, id, strlen(id)) < 0)
        _exit(99);
}

/* What a process says and how it ends that meets `status`, then goes on to exit 42. */
static int meet(enum sp_status status, char *ret_said, size_t capacity)
{
    int ends[2], state = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sp_pipeline *pipeline = calloc(1, sizeof *pipeline);
        struct sp_err err = {0};
        if (!pipeline)
            _exit(98);
        pipeline->config.note = note;
        pipeline->config.context = &ends[1];
        sp_fail(&err, status, "cudaGraphLaunch: an illegal memory access was encountered");
        sp_pipeline_leave_if_lost(pipeline, &err);
        _exit(42);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], ret_said, capacity - 1);
    ret_said[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &state, 0), child);
    assert_true(WIFEXITED(state));
    return WEXITSTATUS(state);
}

static void test_leaves_at_once(void **state)
{
    (void)state;
    char said[64];
    assert_int_equal(meet(SP_E_DEVICE, said, sizeof said), SP_EXIT_FAILED);
    assert_string_equal(said, "WRK-DEVICE-LOST");
}

static void test_other_failures_stay(void **state)
{
    (void)state;
    char said[64];
    for (int status = SP_OK + 1; status <= SP_E_INTERNAL; status++)
        if (status != SP_E_DEVICE) {
            assert_int_equal(meet((enum sp_status)status, said, sizeof said), 42);
            assert_string_equal(said, "");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_at_once),
        cmocka_unit_test(test_other_failures_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
