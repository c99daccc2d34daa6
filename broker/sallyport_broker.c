/* sallyport-broker: between capture nodes and workers; sees no face. */
#include <unistd.h>
#include "broker/shell.h"
#include "common/program.h"
#include "common/seal.h"

int main(int argc, char **argv)
{
    static struct broker_config config;
    const struct sp_program program = {.name = "sallyport-broker",
                                       .summary = "Passes sealed frames from capture nodes to workers, and answers "
                                                  "back: exactly one for each.",
                                       .example = "sallyport-broker --config /etc/sallyport/broker.yaml",
                                       .options = broker_options,
                                       .config = &config};
    int first, code, signal_fd;
    if (sp_program_start(&program, argc, argv, &first, &code) == SP_PROGRAM_EXIT)
        return code;
    const struct sp_log log = {program.name, (enum sp_log_level)config.log_level, config.log_json};
    struct sp_err err = {0};
    struct shell *shell = NULL;
    enum sp_status status = sp_seal_start(&err);
    if (status == SP_OK)
        status = sp_program_signals(&signal_fd, &err);
    if (status == SP_OK)
        status = shell_new(&shell, &config, &log, signal_fd, &err);
    if (status == SP_OK)
        status = sp_program_ready(config.ready_file, &err);
    if (status == SP_OK) {
        sp_log(&log, SP_LOG_INFO, "BRK-START", "%s of terminal %s: clients at %s, workers at %s", config.name,
               config.terminal, config.front, config.back);
        sp_program_notify("READY=1");
        status = shell_run(shell, &err);
    }
    if (status != SP_OK)
        sp_log(&log, SP_LOG_ERROR, "BRK-FAIL", "%s", err.text);
    else
        sp_log(&log, SP_LOG_INFO, "BRK-STOP", "stopped");
    shell_free(&shell);
    if (config.ready_file[0])
        unlink(config.ready_file);
    return sp_program_exit_code(status);
}
