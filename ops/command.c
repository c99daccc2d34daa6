#include "ops/command.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/program.h"

#define SPAN_MAX_MS (31 * 24 * 3600000ll)

static void print_verbs(const char *group, const struct sp_command_verb *verbs, FILE *out)
{
    fprintf(out, "Usage: sallyport %s VERB ...\n\n", group);
    for (const struct sp_command_verb *verb = verbs; verb->name; verb++)
        fprintf(out, "  %-10s %s\n", verb->name, verb->summary);
    fprintf(out, "\n`sallyport %s VERB --help` says more about one.\n", group);
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int sp_command_run(const char *group, const struct sp_command_verb *verbs, int argc, char **argv)
{
    if (argc < 2) {
        print_verbs(group, verbs, stderr);
        return SP_EXIT_USAGE;
    }
    for (const struct sp_command_verb *verb = verbs; verb->name; verb++) {
        if (strcmp(verb->name, argv[1]) != 0)
            continue;
        if (asks_help(argc - 2, argv + 2)) {
            fputs(verb->help, stdout);
            return SP_EXIT_OK;
        }
        return verb->run(argc - 1, argv + 1);
    }
    if (asks_help(argc - 1, argv + 1)) {
        print_verbs(group, verbs, stdout);
        return SP_EXIT_OK;
    }
    fprintf(stderr, "sallyport: '%s' has no verb '%s'\n\n", group, argv[1]);
    print_verbs(group, verbs, stderr);
    return SP_EXIT_USAGE;
}

int sp_command_fail(const struct sp_err *err)
{
    fprintf(stderr, "sallyport: %s\n", err->text);
    return sp_program_exit_code(err->status);
}

int sp_command_usage(const char *verb, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sallyport %s: ", verb);
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see `sallyport %s --help`\n", verb);
    va_end(args);
    return SP_EXIT_USAGE;
}

bool sp_command_span(const char *text, int64_t *ret_ms)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    int64_t unit_ms = 0;
    if (end != text && *end && !end[1])
        unit_ms = *end == 'm' ? 60000 : *end == 'h' ? 3600000 : *end == 'd' ? 24 * 3600000 : 0;
    *ret_ms = number > 0 && number <= SPAN_MAX_MS / 60000 ? number * unit_ms : 0;
    return *ret_ms > 0 && *ret_ms <= SPAN_MAX_MS;
}
