/* sallyport-worker: faces in frames, matched against the manifests of their lanes, decided, journalled, signed. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/program.h"
#include "common/seal.h"
#include "workers/worker.h"

enum { RETRY_MS = 1000 };

/* A signal that ends the program within timeout_ms (-1: wait for it); SIGHUP is not one. */
static bool asked_to_end(int signal_fd, int timeout_ms)
{
    struct pollfd item = {signal_fd, POLLIN, 0};
    for (;;) {
        unsigned char number = 0;
        if (poll(&item, 1, timeout_ms) <= 0 || read(signal_fd, &number, 1) != 1) {
            if (timeout_ms < 0)
                continue;
            return false;
        }
        if (number != SIGHUP)
            return true;
    }
}

/* Wait for stores and site keys, saying once for each different reason what is missing. */
static enum sp_status reach(struct sp_worker *worker, const struct sp_log *log, int signal_fd, bool *ret_end,
                            struct sp_err *err)
{
    char said[sizeof err->text] = "";
    for (;;) {
        *err = (struct sp_err){0};
        enum sp_status status = sp_worker_reach(worker, err);
        if (status != SP_E_UNAVAILABLE && status != SP_E_TIMEOUT && status != SP_E_NOTFOUND)
            return status;
        if (strcmp(said, err->text) != 0)
            sp_log(log, SP_LOG_WARN, "WRK-WAIT", "%s; trying every second", err->text);
        memcpy(said, err->text, sizeof said);
        if ((*ret_end = asked_to_end(signal_fd, RETRY_MS)))
            return SP_OK;
    }
}

static enum sp_status serve(struct sp_worker *worker, const struct sp_worker_settings *settings,
                            const struct sp_log *log, int signal_fd, struct sp_err *err)
{
    const char *reason = sp_worker_backend_reason(worker);
    char note[320];
    bool end = false;
    enum sp_status status = reach(worker, log, signal_fd, &end, err);
    if (status != SP_OK || end)
        return status;
    if ((status = sp_worker_start(worker, err)) != SP_OK)
        return status;
    if ((status = sp_program_ready(settings->ready_file, err)) != SP_OK)
        return status;
    sp_worker_backend_note(worker, note, sizeof note);
    if (note[0])
        sp_log(log, SP_LOG_WARN, "WRK-ENGINE", "%s", note);
    sp_log(log, SP_LOG_INFO, "WRK-READY", "worker=%s backend=\"%s\" reason=\"%s\" brokers=%s credit=%lld",
           settings->name, sp_worker_backend(worker), *reason ? reason : "the best backend that works here",
           settings->brokers, (long long)settings->credit);
    sp_program_notify("READY=1");
    asked_to_end(signal_fd, -1);
    sp_program_notify("STOPPING=1");
    sp_log(log, SP_LOG_INFO, "WRK-DRAIN", "finishing what is here; a second signal ends at once");
    sp_worker_drain(worker);
    sp_worker_wait(worker);
    return SP_OK;
}

int main(int argc, char **argv)
{
    static struct sp_worker_settings settings;
    const struct sp_program program = {
        .name = "sallyport-worker",
        .summary =
            "Matches faces in frames against the manifests that their lanes are assigned, and signs decisions.",
        .example = "sallyport-worker --config /etc/sallyport/worker.yaml",
        .options = sp_worker_options(),
        .config = &settings,
    };
    int first, code, signal_fd = -1;
    if (sp_program_start(&program, argc, argv, &first, &code) == SP_PROGRAM_EXIT)
        return code;
    const struct sp_log log = {program.name, (enum sp_log_level)settings.log_level, settings.log_json};
    struct sp_worker *worker = NULL;
    struct sp_err err = {0};
    enum sp_status status = sp_seal_start(&err);
    if (status == SP_OK)
        status = sp_program_signals(&signal_fd, &err);
    if (status == SP_OK)
        status = sp_worker_new(&worker, &settings, &log, &err);
    if (status == SP_OK)
        status = serve(worker, &settings, &log, signal_fd, &err);
    if (settings.ready_file[0])
        unlink(settings.ready_file);
    sp_worker_free(&worker);
    if (status != SP_OK)
        sp_log(&log, SP_LOG_ERROR, "WRK-FAIL", "%s", err.text);
    else
        sp_log(&log, SP_LOG_INFO, "WRK-STOP", "stopped");
    return sp_program_exit_code(status);
}
