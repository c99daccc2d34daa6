/* A program of ours, run as somebody would. */
#ifndef SALLYPORT_TESTS_SUPPORT_COMMAND_H
#define SALLYPORT_TESTS_SUPPORT_COMMAND_H

#include <stddef.h>

/* Run argv (argv[0] the program's path, NULL at the end) in `folder`, without a configuration in its environment
 * and for at most a minute. Its exit code, or 128 + the signal that ended it; what it printed, stdout and stderr
 * together, is cut at size - 1. Fails the test if it cannot be started. */
int test_command_run(char *ret_output, size_t size, const char *folder, const char *const *argv);

#endif
