/* One option table per program: name, type, unit, range, default and help in one place. The same table reads the YAML
 * config and --set key=value, makes --help, --print-config (the sample) and errors with file and line. */
#ifndef SALLYPORT_COMMON_OPTION_H
#define SALLYPORT_COMMON_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "common/status.h"

#define SP_OPTION_TEXT 512 /* a text option is a char[SP_OPTION_TEXT] field */

enum sp_option_type {
    SP_OPTION_TEXT_FIELD, /* char[SP_OPTION_TEXT] */
    SP_OPTION_INT,        /* int64_t */
    SP_OPTION_DOUBLE,     /* double */
    SP_OPTION_BOOL,       /* bool; yes/no/true/false */
    SP_OPTION_CHOICE,     /* int: index into choices */
};

struct sp_option {
    const char *name; /* dotted: "engine.backend" */
    enum sp_option_type type;
    size_t offset;    /* of the field in the program's config struct */
    const char *unit; /* "ms", "px", "bytes" or NULL */
    double min, max;  /* INT and DOUBLE */
    const char *choices; /* CHOICE: "auto|cpu|cuda" */
    const char *fallback; /* the default as text; NULL: required */
    const char *help;
};

/* Fill `config` with the table's defaults (required ones zeroed). Table ends with name == NULL. */
enum sp_status sp_option_defaults(const struct sp_option *table, void *config, struct sp_err *err);
/* Read a YAML file over it. Unknown keys are refused with file, line and the nearest known key. */
enum sp_status sp_option_load(const struct sp_option *table, void *config, const char *path, struct sp_err *err);
/* One "key=value". */
enum sp_status sp_option_set(const struct sp_option *table, void *config, const char *assignment, struct sp_err *err);
/* After loading: SP_E_INVALID naming the first required option that was never set (text options: empty). */
enum sp_status sp_option_check(const struct sp_option *table, const void *config, struct sp_err *err);
/* A commented sample config / the effective values. */
void sp_option_print_sample(const struct sp_option *table, FILE *out);

#endif
