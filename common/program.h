/* The frame of every daemon and tool: --config FILE, --set key=value, --help, --version, --check-config,
 * --print-config; unprivileged and core-less; SIGTERM/SIGINT drain, a second one forces.
 * Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 a service is unavailable, 4 refused, 5 forced by a second
 * signal. */
#ifndef SALLYPORT_COMMON_PROGRAM_H
#define SALLYPORT_COMMON_PROGRAM_H

#include "common/log.h"
#include "common/option.h"

enum sp_exit { SP_EXIT_OK = 0, SP_EXIT_FAILED = 1, SP_EXIT_USAGE = 2, SP_EXIT_UNAVAILABLE = 3, SP_EXIT_REFUSED = 4,
               SP_EXIT_FORCED = 5 };

/* A flag of one program beside the option table, e.g. {"json", 0, false, "one JSON object per line"}. */
struct sp_flag {
    const char *name;      /* long name without dashes; NULL ends the table */
    const char *argument;  /* "LANE": takes a value; NULL: a switch */
    const char *help;
    const char **ret_text; /* with argument: set to the value (points into argv) */
    bool *ret_bool;        /* without: set to true */
};

struct sp_program {
    const char *name;     /* "sallyport-broker" */
    const char *summary;  /* one sentence for --help */
    const char *example;  /* at least one command line */
    const char *operands; /* "FILE..." or NULL: none allowed */
    const struct sp_option *options; /* may be NULL */
    void *config;                    /* filled from the table */
    const struct sp_flag *flags;     /* may be NULL */
};

enum sp_program_next { SP_PROGRAM_RUN, SP_PROGRAM_EXIT };

/* Parse the command line. SP_PROGRAM_EXIT: everything is said already, leave with *ret_exit. First operand index in
 * *ret_first (of argv). Prints errors to stderr as "name: sentence" with what to do next. */
enum sp_program_next sp_program_start(const struct sp_program *program, int argc, char **argv, int *ret_first,
                                      int *ret_exit);

/* Exit code for a status: UNAVAILABLE/TIMEOUT -> 3, AUTH/DENIED -> 4, INVALID -> 2, else 1. */
int sp_program_exit_code(enum sp_status status);

/* Signals as a file descriptor that becomes readable (for poll loops); reading gives the signal number as a byte.
 * The second SIGTERM/SIGINT ends the process with SP_EXIT_FORCED at once. Call before any thread is made. */
enum sp_status sp_program_signals(int *ret_fd, struct sp_err *err);

/* Tell systemd (NOTIFY_SOCKET) "READY=1", "STOPPING=1"...; silently nothing where there is none. */
void sp_program_notify(const char *state);

/* Create PATH with "ready\n": how stack.sh knows that a program is up. NULL or "": nothing. */
enum sp_status sp_program_ready(const char *path, struct sp_err *err);

#endif
