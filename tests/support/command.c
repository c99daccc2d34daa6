#include "tests/support/command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int test_command_run(char *ret_output, size_t size, const char *folder, const char *const *argv)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        unsetenv("SALLYPORT_CONFIG");
        if (chdir(folder) < 0)
            _exit(126);
        dup2(pipe_ends[1], STDOUT_FILENO);
        dup2(pipe_ends[1], STDERR_FILENO);
        close(pipe_ends[0]);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(pipe_ends[1]);
    size_t used = 0;
    for (ssize_t got; (got = read(pipe_ends[0], ret_output + used, size - 1 - used)) > 0;)
        used += (size_t)got;
    ret_output[used] = '\0';
    close(pipe_ends[0]);
    int result = 0;
    while (waitpid(child, &result, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
}
