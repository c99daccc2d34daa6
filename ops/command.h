/* `sallyport GROUP VERB ...`: what the groups share. Each group is a library sp_ops_GROUP with one function below
 * and one line in the table of sallyport.c. Exit codes are enum sp_exit of common/program.h. */
#ifndef SALLYPORT_OPS_COMMAND_H
#define SALLYPORT_OPS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include "common/status.h"

/* Groups. argv[0] is the group's name, argv[1] the verb. Return an exit code. */
int sp_ops_model(int argc, char **argv);
int sp_ops_manifest(int argc, char **argv);
int sp_ops_lane(int argc, char **argv);
int sp_ops_records(int argc, char **argv);
int sp_ops_site(int argc, char **argv);
int sp_ops_keys(int argc, char **argv);

struct sp_command_verb {
    const char *name;    /* NULL ends a table */
    const char *summary; /* one line for the group's --help */
    const char *help;    /* the verb's --help: usage, options, an example; ends with a newline */
    /* argv[0] is the verb's name, so that getopt_long starts right. --help is answered before it is called. */
    int (*run)(int argc, char **argv);
};

/* Run argv[1] of the group, or say its verbs. Returns an exit code. */
int sp_command_run(const char *group, const struct sp_command_verb *verbs, int argc, char **argv);

/* "sallyport: sentence" on stderr; the exit code that belongs to err. */
int sp_command_fail(const struct sp_err *err);
/* "sallyport GROUP VERB: sentence" and where help is; SP_EXIT_USAGE. */
int sp_command_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "90m", "24h", "2d" as milliseconds, at most 31 days. False: it is none. */
bool sp_command_span(const char *text, int64_t *ret_ms);

#endif
