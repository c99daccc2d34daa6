/* `sallyport keys`: what its files share. */
#ifndef SALLYPORT_OPS_KEYS_H
#define SALLYPORT_OPS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include "common/status.h"

#define SP_KEYS_PATH 4096

extern const char sp_keys_peer_help[];
extern const char sp_keys_revoke_help[];
int sp_keys_peer(int argc, char **argv);
int sp_keys_revoke(int argc, char **argv);

/* One option of a verb, all with a value. */
struct sp_keys_option {
    const char *name; /* "dir"; NULL ends the table */
    const char **ret; /* stays as it is where the option is not given */
};
/* Parse options and exactly `operand_count` operands in any order. 0, or the exit code after a usage error was said. */
int sp_keys_arguments(const char *verb, int argc, char **argv, const struct sp_keys_option *options, int operand_count,
                      const char **ret_operands);
/* "DIRECTORY/NAME SUFFIX" into SP_KEYS_PATH bytes. */
enum sp_status sp_keys_path(char *ret_path, const char *directory, const char *name, const char *suffix,
                            struct sp_err *err);
/* Make the directory, mode 0700, unless it exists. */
enum sp_status sp_keys_make_directory(const char *directory, struct sp_err *err);
bool sp_keys_exists(const char *path);

#endif
