/* The broker in the world: sockets, clocks, keys and signals around the pure step. */
#ifndef SALLYPORT_BROKER_SHELL_H
#define SALLYPORT_BROKER_SHELL_H

#include "broker/config.h"
#include "common/log.h"

struct shell;

/* Load the keys, bind the sockets, serve the metrics. config and log stay the caller's. signal_fd:
 * sp_program_signals. */
enum sp_status shell_new(struct shell **ret_shell, const struct broker_config *config, const struct sp_log *log,
                         int signal_fd, struct sp_err *err);
/* Serve until a signal; then drain and return. Blocking, one thread. */
enum sp_status shell_run(struct shell *shell, struct sp_err *err);
void shell_free(struct shell **shell);

#endif
