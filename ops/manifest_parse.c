#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/program.h"
#include "common/seal.h"
#include "listing/read.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/listing_print.h"

#define MAX_PORTS 32

struct parse_line {
    const char *format, *port_list;
    bool strict, json;
    const char *ports[MAX_PORTS];
    int port_count;
};

/* Standard input, whole and bounded. Caller wipes and frees. */
static enum sp_status read_input(uint8_t **ret_bytes, size_t *ret_length, struct sp_err *err)
{
    size_t length = 0, size = 1u << 16;
    uint8_t *bytes = malloc(size);
    while (bytes) {
        size_t more = fread(bytes + length, 1, size - length, stdin);
        length += more;
        if (more == 0)
            break;
        if (length > SP_LISTING_MAX_BYTES) {
            sp_seal_wipe(bytes, length);
            free(bytes);
            return sp_fail(err, SP_E_LIMIT, "standard input: more than %u bytes", SP_LISTING_MAX_BYTES);
        }
        if (length < size)
            continue;
        uint8_t *grown = malloc(2 * size); /* no realloc: what is left behind holds names */
        if (grown)
            memcpy(grown, bytes, length);
        sp_seal_wipe(bytes, length);
        free(bytes);
        bytes = grown;
        size *= 2;
    }
    if (!bytes)
        return sp_fail(err, SP_E_NOMEM, "standard input: no memory to read it");
    *ret_bytes = bytes;
    *ret_length = length;
    return SP_OK;
}

static enum sp_status read_listings(struct sp_listing ***ret, int *ret_count, const char *file,
                                    const struct parse_line *line, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    const struct sp_listing_read_options options = {
        .strict = line->strict, .now_ms = sp_clock_wall_ms(), .format = line->format};
    if (strcmp(file, "-") != 0)
        return sp_listing_read_file(ret, ret_count, file, &options, err);
    enum sp_status status = read_input(&bytes, &length, err);
    if (status == SP_OK)
        status = sp_listing_read_bytes(ret, ret_count, "standard input", bytes, length, &options, err);
    if (bytes)
        sp_seal_wipe(bytes, length);
    free(bytes);
    return status;
}

static int parse_file(const char *file, const struct parse_line *line)
{
    struct sp_listing **listings = NULL;
    struct sp_err err = {0};
    int count = 0;
    const struct sp_listing_ports ports = {line->ports, line->port_count};
    const char *slash = strrchr(file, '/'), *name = strcmp(file, "-") == 0 ? "standard input"
                                                    : slash                ? slash + 1
                                                                           : file;
    if (read_listings(&listings, &count, file, line, &err) != SP_OK)
        return sp_command_fail(&err);
    for (int i = 0; i < count; i++) {
        struct sp_json json = {stdout, false};
        if (!line->json) {
            sp_listing_print_text(stdout, name, listings[i], &ports);
            continue;
        }
        sp_listing_print_json(&json, NULL, listings[i], &ports);
        printf("\n");
    }
    sp_listing_free_all(&listings, count);
    return SP_EXIT_OK;
}

int sp_manifest_parse_run(int argc, char **argv)
{
    struct parse_line line = {0};
    const struct sp_flag flags[] = {
        {"strict", NULL, "the first deviation is an error", NULL, &line.strict},
        {"json", NULL, "one JSON object per message, one a line", NULL, &line.json},
        {"format", "FORMAT", "paxlst, cusres, csv, json, ndjson, fal5, fal6, enoad or auto (default)", &line.format,
         NULL},
        {"ports", "LIST", "the site's ports, separated by commas", &line.port_list, NULL},
        {0},
    };
    const struct sp_program program = {.name = "sallyport manifest parse",
                                       .summary = "Show what a file says about the travellers of a journey.",
                                       .example = "sallyport manifest parse ZX417.edi --json",
                                       .operands = "FILE...",
                                       .flags = flags};
    int first = 0, code = SP_EXIT_OK;
    if (sp_program_start(&program, argc, argv, &first, &code) != SP_PROGRAM_RUN)
        return code;
    if (first >= argc)
        return sp_command_usage("manifest parse", "give at least one file, or - for standard input");
    char *ports = line.port_list ? strdup(line.port_list) : NULL, *rest = NULL;
    for (char *port = ports ? strtok_r(ports, ", ", &rest) : NULL; port && line.port_count < MAX_PORTS;
         port = strtok_r(NULL, ", ", &rest))
        line.ports[line.port_count++] = port;
    for (int i = first; i < argc; i++) {
        int one = parse_file(argv[i], &line);
        code = code ? code : one;
    }
    free(ports);
    return code;
}
