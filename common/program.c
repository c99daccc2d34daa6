#include "common/program.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/file.h"

#ifndef SALLYPORT_VERSION
#define SALLYPORT_VERSION "unknown"
#endif

enum { KEY_CONFIG = 1000, KEY_SET, KEY_CHECK, KEY_PRINT, KEY_VERSION, KEY_FLAG };
enum { MAX_SETS = 64, MAX_FLAGS = 40 };

struct parsing {
    const struct sp_program *program;
    const char *config_file;
    const char *sets[MAX_SETS];
    int set_count;
    bool check, print, version;
    int first;
};

static error_t parse_flag(const struct sp_flag *flag, const char *value)
{
    if (flag->argument)
        *flag->ret_text = value;
    else
        *flag->ret_bool = true;
    return 0;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    switch (key) {
    case KEY_CONFIG:
        parsing->config_file = value;
        return 0;
    case KEY_SET:
        if (parsing->set_count == MAX_SETS)
            argp_error(state, "more than %d --set", MAX_SETS);
        parsing->sets[parsing->set_count++] = value;
        return 0;
    case KEY_CHECK:
        parsing->check = true;
        return 0;
    case KEY_PRINT:
        parsing->print = true;
        return 0;
    case KEY_VERSION:
        parsing->version = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!parsing->program->operands)
            argp_error(state, "'%s': no operand is expected here", value);
        parsing->first = state->next - 1; /* getopt has moved all operands behind the options by now */
        state->next = state->argc;
        return 0;
    case ARGP_KEY_INIT:
        parsing->first = state->argc;
        return 0;
    default:
        if (key >= KEY_FLAG && key < KEY_FLAG + MAX_FLAGS)
            return parse_flag(&parsing->program->flags[key - KEY_FLAG], value);
        return ARGP_ERR_UNKNOWN;
    }
}

/* The common options of programs with a table, then the program's own flags. */
static void list_options(const struct sp_program *program, struct argp_option *list)
{
    static const struct argp_option common[] = {
        {"config", KEY_CONFIG, "FILE", 0, "read the YAML configuration FILE", 1},
        {"set", KEY_SET, "KEY=VALUE", 0, "set one configuration key (after the file; may be repeated)", 1},
        {"check-config", KEY_CHECK, NULL, 0, "check the configuration and leave", 1},
        {"print-config", KEY_PRINT, NULL, 0, "print a commented sample configuration and leave", 1},
    };
    int count = 0;
    if (program->options)
        for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
            list[count++] = common[i];
    for (int i = 0; program->flags && program->flags[i].name && i < MAX_FLAGS; i++)
        list[count++] = (struct argp_option){
            program->flags[i].name, KEY_FLAG + i, program->flags[i].argument, 0, program->flags[i].help, 0};
    list[count++] = (struct argp_option){"version", KEY_VERSION, NULL, 0, "print the version and leave", -1};
    list[count] = (struct argp_option){0};
}

static enum sp_status read_config(const struct parsing *parsing, struct sp_err *err)
{
    const struct sp_program *program = parsing->program;
    enum sp_status status = sp_option_defaults(program->options, program->config, err);
    if (status == SP_OK && parsing->config_file)
        status = sp_option_load(program->options, program->config, parsing->config_file, err);
    for (int i = 0; status == SP_OK && i < parsing->set_count; i++)
        status = sp_option_set(program->options, program->config, parsing->sets[i], err);
    if (status == SP_OK)
        status = sp_option_check(program->options, program->config, err);
    return status;
}

enum sp_program_next sp_program_start(const struct sp_program *program, int argc, char **argv, int *ret_first,
                                      int *ret_exit)
{
    struct parsing parsing = {.program = program};
    struct argp_option list[MAX_FLAGS + 8];
    char doc[2048];
    list_options(program, list);
    snprintf(doc, sizeof doc,
             "%s\v%s\nExample: %s\n\nExit codes: 0 done, 1 failed, 2 usage or configuration, 3 a service is "
             "unavailable, 4 refused, 5 forced by a second signal.",
             program->summary, program->options ? "Configuration keys and their meaning: --print-config.\n" : "",
             program->example);
    struct argp argp = {list, parse_option, program->operands, doc, NULL, NULL, NULL};
    argp_err_exit_status = SP_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &parsing) != 0) {
        *ret_exit = SP_EXIT_USAGE;
        return SP_PROGRAM_EXIT;
    }
    *ret_first = parsing.first;
    *ret_exit = SP_EXIT_OK;
    if (parsing.version) {
        printf("%s %s\n", program->name, SALLYPORT_VERSION);
        return SP_PROGRAM_EXIT;
    }
    if (!program->options)
        return SP_PROGRAM_RUN;
    if (parsing.print) {
        sp_option_print_sample(program->options, stdout);
        return SP_PROGRAM_EXIT;
    }
    struct sp_err err = {0};
    if (read_config(&parsing, &err) != SP_OK) {
        fprintf(stderr, "%s: %s\n", program->name, err.text);
        if (!parsing.config_file)
            fprintf(stderr, "%s: give --config FILE; --print-config shows a sample\n", program->name);
        *ret_exit = SP_EXIT_USAGE;
        return SP_PROGRAM_EXIT;
    }
    if (parsing.check)
        printf("%s: configuration %s is good\n", program->name, parsing.config_file ? parsing.config_file : "");
    return parsing.check ? SP_PROGRAM_EXIT : SP_PROGRAM_RUN;
}

int sp_program_exit_code(enum sp_status status)
{
    switch (status) {
    case SP_OK:
        return SP_EXIT_OK;
    case SP_E_INVALID:
        return SP_EXIT_USAGE;
    case SP_E_UNAVAILABLE:
    case SP_E_TIMEOUT:
        return SP_EXIT_UNAVAILABLE;
    case SP_E_AUTH:
    case SP_E_DENIED:
        return SP_EXIT_REFUSED;
    default:
        return SP_EXIT_FAILED;
    }
}

/* One thread waits for the signals, so that no handler runs in the middle of anything. It lives as long as the
 * process: its pipe end is all it owns. */
static void *wait_for_signals(void *argument)
{
    int fd = *(int *)argument;
    free(argument);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    for (int endings = 0;;) {
        int number = 0;
        if (sigwait(&set, &number) != 0)
            continue;
        if (number != SIGHUP && ++endings == 2)
            _exit(SP_EXIT_FORCED);
        unsigned char byte = (unsigned char)number;
        if (write(fd, &byte, 1) < 0 && errno != EAGAIN)
            return NULL;
    }
}

enum sp_status sp_program_signals(int *ret_fd, struct sp_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return sp_fail_errno(err, "cannot block signals");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return sp_fail_errno(err, "cannot make the signal pipe");
    int *write_end = malloc(sizeof *write_end);
    pthread_t thread;
    if (!write_end)
        goto fail;
    *write_end = ends[1];
    if (pthread_create(&thread, NULL, wait_for_signals, write_end) != 0)
        goto fail;
    pthread_detach(thread);
    *ret_fd = ends[0];
    return SP_OK;
fail:
    free(write_end);
    close(ends[0]);
    close(ends[1]);
    return sp_fail(err, SP_E_NOMEM, "cannot start the signal thread");
}

void sp_program_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (address.sun_path[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
    close(fd);
}

enum sp_status sp_program_ready(const char *path, struct sp_err *err)
{
    if (!path || !*path)
        return SP_OK;
    return sp_file_write(path, "ready\n", 6, 0644, err);
}
