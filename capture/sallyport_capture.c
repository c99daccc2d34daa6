/* sallyport-capture: image files and directories as cameras of one lane. Options become a client, a source and a
 * run; the exit code says how it went: 0 every encounter ended with a verified decision, 1 some did not or a file
 * could not be read, 2 usage, 3 the broker is not reachable, 4 the key is refused or an answer was not believed. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "capture/run.h"
#include "common/program.h"

#define NAME "sallyport-capture"

struct config {
    char address[SP_OPTION_TEXT], broker_key[SP_OPTION_TEXT], curve[SP_OPTION_TEXT], authority[SP_OPTION_TEXT];
    int64_t connect_ms;
    char lane[SP_OPTION_TEXT];
    int job_class, close_reason;
    int64_t budget_ms, close_ms, grace_ms, concurrency, repeat, pace_ms, frames, image_max;
    double rate;
    bool together, retry_busy, retry_errors;
    int log_level;
    bool log_json;
};

#define AT(field) offsetof(struct config, field)

static const struct sp_option options[] = {
    {"broker.address", SP_OPTION_TEXT_FIELD, AT(address), NULL, 0, 0, NULL, NULL,
     "the broker's front: tcp://HOST:PORT or ipc://PATH"},
    {"broker.key", SP_OPTION_TEXT_FIELD, AT(broker_key), NULL, 0, 0, NULL, NULL,
     "file with the broker's public CURVE key"},
    {"broker.connect_ms", SP_OPTION_INT, AT(connect_ms), "ms", 100, 600000, NULL, "5000",
     "give up when no session stands after this"},
    {"keys.curve", SP_OPTION_TEXT_FIELD, AT(curve), NULL, 0, 0, NULL, NULL,
     "file with this capture node's own CURVE pair (mode 0600)"},
    {"keys.authority", SP_OPTION_TEXT_FIELD, AT(authority), NULL, 0, 0, NULL, NULL,
     "file with the authority's public key: who signs the fleet's and the workers' certificates"},
    {"lane", SP_OPTION_TEXT_FIELD, AT(lane), NULL, 0, 0, NULL, "", "the lane, where --lane does not name one"},
    {"encounter.class", SP_OPTION_CHOICE, AT(job_class), NULL, 0, 0, "gate|lane", "gate",
     "which queue of the broker; gates go first"},
    {"encounter.budget_ms", SP_OPTION_INT, AT(budget_ms), "ms", 1, 3600000, NULL, "2000",
     "for all frames of an encounter; then close{timeout}"},
    {"encounter.close_ms", SP_OPTION_INT, AT(close_ms), "ms", 1, 3600000, NULL, "1000",
     "a close has at least this much time"},
    {"encounter.grace_ms", SP_OPTION_INT, AT(grace_ms), "ms", 1, 60000, NULL, "500",
     "how long an answer may be late before it counts as unanswered"},
    {"encounter.close", SP_OPTION_CHOICE, AT(close_reason), NULL, 0, 0, "done|left|opted_out", "done",
     "why an encounter is closed that no frame decided"},
    {"source.concurrency", SP_OPTION_INT, AT(concurrency), "encounters", 1, SP_RUN_CONCURRENCY_MAX, NULL, "1",
     "in flight at once; the broker's window bounds their frames"},
    {"source.repeat", SP_OPTION_INT, AT(repeat), "times", 1, 1000000, NULL, "1", "the operands so many times over"},
    {"source.pace_ms", SP_OPTION_INT, AT(pace_ms), "ms", 0, 600000, NULL, "0",
     "from one encounter's start to the next one's, at least"},
    {"source.rate", SP_OPTION_DOUBLE, AT(rate), "frames/s", 0, 1000, NULL, "0",
     "frames within an encounter come at this rate, newest wins; 0: each when the window has room"},
    {"source.frames", SP_OPTION_INT, AT(frames), "images", 0, SP_SOURCE_IMAGES_MAX, NULL, "0",
     "at most so many of each operand; 0: all"},
    {"source.image_max", SP_OPTION_INT, AT(image_max), "bytes", 1, 16 << 20, NULL, "16777216",
     "a larger file is not sent"},
    {"source.together", SP_OPTION_BOOL, AT(together), NULL, 0, 0, NULL, "no",
     "the images of one operand are the frames of one encounter"},
    {"retry.busy", SP_OPTION_BOOL, AT(retry_busy), NULL, 0, 0, NULL, "yes",
     "send again, within the budget, what the broker is too busy for"},
    {"retry.errors", SP_OPTION_BOOL, AT(retry_errors), NULL, 0, 0, NULL, "no",
     "the same for store_unavailable and worker_lost"},
    {"log.level", SP_OPTION_CHOICE, AT(log_level), NULL, 0, 0, "debug|info|warn|error", "warn",
     "least level to log"},
    {"log.json", SP_OPTION_BOOL, AT(log_json), NULL, 0, 0, NULL, "no", "log lines as JSON"},
    {NULL},
};

/* Flags that are short for --set: which key each one sets. */
enum {
    SHORT_LANE,
    SHORT_FRAMES,
    SHORT_RATE,
    SHORT_CLOSE,
    SHORT_CONCURRENCY,
    SHORT_REPEAT,
    SHORT_PACE,
    SHORT_BUDGET,
    SHORT_COUNT
};
static const char *const short_for[SHORT_COUNT] = {
    "lane",          "source.frames",  "source.rate",        "encounter.close", "source.concurrency",
    "source.repeat", "source.pace_ms", "encounter.budget_ms"};

struct flags {
    const char *text[SHORT_COUNT];
    bool json, together, retry;
};

static enum sp_status apply_flags(struct config *config, const struct flags *flags, struct sp_err *err)
{
    char assignment[SP_OPTION_TEXT];
    enum sp_status status = SP_OK;
    for (int i = 0; i < SHORT_COUNT && status == SP_OK; i++) {
        if (!flags->text[i])
            continue;
        if (snprintf(assignment, sizeof assignment, "%s=%s", short_for[i], flags->text[i]) >=
            (int)sizeof assignment)
            return sp_fail(err, SP_E_INVALID, "%s: over %d characters", short_for[i], SP_OPTION_TEXT - 1);
        status = sp_option_set(options, config, assignment, err);
    }
    config->together = config->together || flags->together;
    config->retry_errors = config->retry_errors || flags->retry;
    if (status == SP_OK && !sp_key_name_ok(config->lane))
        status =
            sp_fail(err, SP_E_INVALID, "name the lane with --lane: 1 to %d of A-Z a-z 0-9 . _ -", SP_NAME_MAX - 1);
    return status;
}

static enum sp_status load_keys(const struct config *config, struct sp_client_config *ret, struct sp_err *err)
{
    struct sp_key_file key;
    enum sp_status status = sp_key_load(&ret->self, config->curve, SP_KEY_CURVE, true, err);
    if (status == SP_OK)
        status = sp_key_load(&key, config->broker_key, SP_KEY_CURVE, false, err);
    if (status != SP_OK)
        return status;
    memcpy(ret->broker_key, key.public_key, sizeof ret->broker_key);
    status = sp_key_load(&key, config->authority, SP_KEY_SIGN, false, err);
    if (status == SP_OK)
        memcpy(ret->authority, key.public_key, sizeof ret->authority);
    sp_key_wipe(&key);
    return status;
}

static struct sp_run_config run_config(const struct config *config, int stop_fd)
{
    return (struct sp_run_config){
        .lane = config->lane,
        .job_class = config->job_class == 0 ? SP_CLASS_GATE : SP_CLASS_LANE,
        .budget_ms = (uint32_t)config->budget_ms,
        .close_ms = (uint32_t)config->close_ms,
        .close_reason = SP_REASON_DONE + config->close_reason,
        .concurrency = (int)config->concurrency,
        .repeat = (int)config->repeat,
        .pace_ms = (uint32_t)config->pace_ms,
        .rate = config->rate,
        .together = config->together,
        .image_max = (size_t)config->image_max,
        .stop_fd = stop_fd,
    };
}

static int exit_of(const struct sp_report *report, const struct sp_run *run)
{
    struct sp_report_totals totals = sp_report_totals(report);
    if (totals.refused > 0)
        return SP_EXIT_REFUSED;
    return totals.undecided > 0 || totals.unanswered > 0 || sp_run_unreadable(run) > 0 ? SP_EXIT_FAILED
                                                                                       : SP_EXIT_OK;
}

static void log_end(const struct sp_log *log, const struct sp_client *client, const struct sp_run *run)
{
    struct sp_client_counts counts = sp_client_counts(client);
    sp_log(log, SP_LOG_INFO, "CAP-END",
           "sessions=%llu sent=%llu retried=%llu resent=%llu unexpected=%llu malformed=%llu refusals=%llu",
           (unsigned long long)counts.sessions, (unsigned long long)counts.sent, (unsigned long long)counts.retried,
           (unsigned long long)counts.resent, (unsigned long long)counts.unexpected,
           (unsigned long long)counts.malformed, (unsigned long long)counts.refusals);
    for (int i = 1; i < SP_VERDICT_COUNT; i++)
        if (counts.refused[i] > 0)
            sp_log(log, SP_LOG_ERROR, "CAP-REFUSED", "%llu answers were not believed: %s (%s)",
                   (unsigned long long)counts.refused[i], sp_verdict_word(i), sp_verdict_text(i));
    if (sp_run_unreadable(run) > 0)
        sp_log(log, SP_LOG_ERROR, "CAP-FILE", "%zu files could not be read; the first: %s", sp_run_unreadable(run),
               sp_run_trouble(run));
    if (counts.unanswered > 0 && sp_client_trouble(client)[0])
        sp_log(log, SP_LOG_WARN, "CAP-TROUBLE", "%s", sp_client_trouble(client));
}

/* Everything between a good configuration and the exit code. */
static enum sp_status work(const struct config *config, bool json, const struct sp_source *source,
                           const struct sp_log *log, int *ret_exit, struct sp_err *err)
{
    int stop_fd = -1;
    struct sp_report *report = NULL;
    struct sp_run *run = NULL;
    struct sp_client *client = NULL;
    const char *lanes[1] = {config->lane};
    struct sp_client_config client_config = {.address = config->address,
                                             .agent = NAME " " SALLYPORT_VERSION,
                                             .lanes = lanes,
                                             .lane_count = 1,
                                             .grace_ms = (int)config->grace_ms,
                                             .retry_busy = config->retry_busy,
                                             .retry_error = config->retry_errors,
                                             .on_answer = sp_run_on_answer};
    enum sp_status status = load_keys(config, &client_config, err);
    if (status == SP_OK)
        status = sp_program_signals(&stop_fd, err);
    if (status == SP_OK)
        status = sp_report_new(&report, stdout, json, isatty(STDOUT_FILENO) == 1, err);
    struct sp_run_config plan = run_config(config, stop_fd);
    if (status == SP_OK)
        status = sp_run_new(&run, &plan, source, report, err);
    client_config.user = run;
    if (status == SP_OK)
        status = sp_client_new(&client, &client_config, err);
    if (status == SP_OK)
        status = sp_client_connect(client, (int)config->connect_ms, err);
    if (status == SP_OK) {
        sp_log(log, SP_LOG_INFO, "CAP-START", "lane %s at broker %s, %zu images", config->lane,
               sp_client_broker(client), source->image_count);
        status = sp_run_all(run, client, err);
        sp_report_summary(report, stderr);
        log_end(log, client, run);
        *ret_exit = exit_of(report, run);
    }
    sp_client_free(&client);
    sp_run_free(&run);
    sp_report_free(&report);
    sp_key_wipe(&client_config.self);
    return status;
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct flags flags = {0};
    struct sp_err err = {0};
    struct sp_source *source = NULL;
    int first = 0, exit_code = SP_EXIT_FAILED;
    const struct sp_flag table[] = {
        {"lane", "LANE", "the lane that these cameras look at", &flags.text[SHORT_LANE], NULL},
        {"json", NULL, "one JSON object per answer on standard output", NULL, &flags.json},
        {"together", NULL, "the images of one operand are the frames of one encounter", NULL, &flags.together},
        {"frames", "N", "at most N images of each operand", &flags.text[SHORT_FRAMES], NULL},
        {"rate", "FPS", "frames of one encounter come at this rate, newest wins", &flags.text[SHORT_RATE], NULL},
        {"close", "REASON", "done, left or opted_out", &flags.text[SHORT_CLOSE], NULL},
        {"concurrency", "N", "encounters in flight at once", &flags.text[SHORT_CONCURRENCY], NULL},
        {"repeat", "N", "the operands N times over", &flags.text[SHORT_REPEAT], NULL},
        {"pace", "MS", "from one encounter's start to the next one's, at least", &flags.text[SHORT_PACE], NULL},
        {"budget", "MS", "for all frames of an encounter", &flags.text[SHORT_BUDGET], NULL},
        {"retry", NULL, "send again what heard store_unavailable or worker_lost", NULL, &flags.retry},
        {NULL},
    };
    const struct sp_program program = {
        .name = NAME,
        .summary =
            "Send images as a lane's camera frames and print what is decided about them. Each FILE, and each image "
            "of a DIR, is an encounter of its own unless --together is given.",
        .example = NAME " --config /etc/sallyport/capture.yaml --lane A1 --json frame.jpg frames/",
        .operands = "FILE|DIR...",
        .options = options,
        .config = &config,
        .flags = table,
    };
    if (sp_program_start(&program, argc, argv, &first, &exit_code) == SP_PROGRAM_EXIT)
        return exit_code;
    if (apply_flags(&config, &flags, &err) != SP_OK || first >= argc) {
        fprintf(stderr, NAME ": %s; see --help\n", err.text[0] ? err.text : "name at least one file or directory");
        return SP_EXIT_USAGE;
    }
    struct sp_log log = {.program = NAME, .level = (enum sp_log_level)config.log_level, .json = config.log_json};
    enum sp_status status = sp_seal_start(&err);
    if (status == SP_OK)
        status = sp_source_new(&source, argv + first, (size_t)(argc - first), (size_t)config.frames, &err);
    if (status == SP_OK)
        status = work(&config, flags.json, source, &log, &exit_code, &err);
    if (status != SP_OK) {
        sp_log(&log, SP_LOG_ERROR, "CAP-FAIL", "%s", err.text);
        exit_code = sp_program_exit_code(status);
    }
    sp_source_free(&source);
    return exit_code;
}
