#include "common/option.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/yaml.h"

static const struct sp_option *find(const struct sp_option *table, const char *name, size_t length)
{
    for (const struct sp_option *option = table; option->name; option++)
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

/* Letters that differ by position plus the difference in length: enough to point at a typing mistake. */
static size_t distance(const char *a, const char *b)
{
    size_t n = 0;
    for (; *a && *b; a++, b++)
        n += *a != *b;
    return n + strlen(a) + strlen(b);
}

static const char *nearest(const struct sp_option *table, const char *name)
{
    const char *best = table->name;
    for (const struct sp_option *option = table; option->name; option++)
        if (distance(option->name, name) < distance(best, name))
            best = option->name;
    return best ? best : "none";
}

static enum sp_status set_choice(const struct sp_option *option, int *field, const char *value, struct sp_err *err)
{
    int index = 0;
    for (const char *word = option->choices; *word; index++) {
        size_t length = strcspn(word, "|");
        if (strlen(value) == length && memcmp(word, value, length) == 0) {
            *field = index;
            return SP_OK;
        }
        word += length + (word[length] == '|');
    }
    return sp_fail(err, SP_E_INVALID, "%s: '%s' is none of %s", option->name, value, option->choices);
}

static enum sp_status check_range(const struct sp_option *option, double value, const char *text,
                                  struct sp_err *err)
{
    if (isnan(value) || value < option->min || value > option->max)
        return sp_fail(err, SP_E_INVALID, "%s: %s is not within %g..%g%s%s", option->name, text, option->min,
                       option->max, option->unit ? " " : "", option->unit ? option->unit : "");
    return SP_OK;
}

static enum sp_status set_int(const struct sp_option *option, int64_t *field, const char *value, struct sp_err *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (end == value || *end || errno)
        return sp_fail(err, SP_E_INVALID, "%s: '%s' is not a whole number", option->name, value);
    enum sp_status status = check_range(option, (double)number, value, err);
    if (status == SP_OK)
        *field = number;
    return status;
}

static enum sp_status set_double(const struct sp_option *option, double *field, const char *value,
                                 struct sp_err *err)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end)
        return sp_fail(err, SP_E_INVALID, "%s: '%s' is not a number", option->name, value);
    enum sp_status status = check_range(option, number, value, err);
    if (status == SP_OK)
        *field = number;
    return status;
}

static enum sp_status set_bool(const struct sp_option *option, bool *field, const char *value, struct sp_err *err)
{
    bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;
    bool no = strcmp(value, "no") == 0 || strcmp(value, "false") == 0;
    if (!yes && !no)
        return sp_fail(err, SP_E_INVALID, "%s: '%s' is neither yes nor no", option->name, value);
    *field = yes;
    return SP_OK;
}

static enum sp_status set_text(const struct sp_option *option, char *field, const char *value, struct sp_err *err)
{
    size_t length = strlen(value);
    if (length >= SP_OPTION_TEXT)
        return sp_fail(err, SP_E_LIMIT, "%s: longer than %d characters", option->name, SP_OPTION_TEXT - 1);
    memcpy(field, value, length + 1);
    return SP_OK;
}

static enum sp_status set_field(const struct sp_option *option, void *config, const char *value, struct sp_err *err)
{
    void *field = (char *)config + option->offset;
    switch (option->type) {
    case SP_OPTION_TEXT_FIELD:
        return set_text(option, field, value, err);
    case SP_OPTION_INT:
        return set_int(option, field, value, err);
    case SP_OPTION_DOUBLE:
        return set_double(option, field, value, err);
    case SP_OPTION_BOOL:
        return set_bool(option, field, value, err);
    case SP_OPTION_CHOICE:
        return set_choice(option, field, value, err);
    }
    return sp_fail(err, SP_E_INTERNAL, "%s: option type %d", option->name, (int)option->type);
}

enum sp_status sp_option_defaults(const struct sp_option *table, void *config, struct sp_err *err)
{
    for (const struct sp_option *option = table; option->name; option++) {
        if (!option->fallback)
            continue;
        enum sp_status status = set_field(option, config, option->fallback, err);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

enum sp_status sp_option_load(const struct sp_option *table, void *config, const char *path, struct sp_err *err)
{
    struct sp_yaml *yaml = NULL;
    enum sp_status status = sp_yaml_load(&yaml, path, err);
    for (size_t i = 0; status == SP_OK && i < yaml->count; i++) {
        const struct sp_yaml_entry *entry = &yaml->entries[i];
        const struct sp_option *option = find(table, entry->key, strlen(entry->key));
        struct sp_err inner = {0};
        if (!option)
            status = sp_fail(err, SP_E_INVALID, "%s line %d: unknown key '%s'; did you mean '%s'?", path,
                             entry->line, entry->key, nearest(table, entry->key));
        else if (set_field(option, config, entry->value, &inner) != SP_OK)
            status = sp_fail(err, inner.status, "%s line %d: %s", path, entry->line, inner.text);
    }
    sp_yaml_free(&yaml);
    return status;
}

enum sp_status sp_option_set(const struct sp_option *table, void *config, const char *assignment,
                             struct sp_err *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return sp_fail(err, SP_E_INVALID, "--set %s: write key=value", assignment);
    const struct sp_option *option = find(table, assignment, (size_t)(equals - assignment));
    if (!option)
        return sp_fail(err, SP_E_INVALID, "--set %s: unknown key; did you mean '%s'?", assignment,
                       nearest(table, assignment));
    return set_field(option, config, equals + 1, err);
}

enum sp_status sp_option_check(const struct sp_option *table, const void *config, struct sp_err *err)
{
    for (const struct sp_option *option = table; option->name; option++) {
        const char *field = (const char *)config + option->offset;
        if (!option->fallback && option->type == SP_OPTION_TEXT_FIELD && !*field)
            return sp_fail(err, SP_E_INVALID, "%s is not set: %s", option->name, option->help);
    }
    return SP_OK;
}

/* "a.b.c" is printed as nested mappings; a prefix shared with the line before is not repeated. */
static void print_key(const char *name, const char *before, FILE *out)
{
    int depth = 0;
    bool shared = before != NULL;
    for (const char *part = name; *part; depth++) {
        size_t length = strcspn(part, ".");
        bool leaf = part[length] == 0;
        shared = shared && !leaf && strncmp(before, part, length + 1) == 0;
        if (!shared)
            fprintf(out, "%*s%.*s:%s", depth * 2, "", (int)length, part, leaf ? "" : "\n");
        else
            before += length + 1;
        part += length + !leaf;
    }
}

static int depth_of(const char *name)
{
    int depth = 0;
    for (; *name; name++)
        depth += *name == '.';
    return depth;
}

void sp_option_print_sample(const struct sp_option *table, FILE *out)
{
    const char *before = NULL;
    for (const struct sp_option *option = table; option->name; option++) {
        int indent = depth_of(option->name) * 2;
        fprintf(out, "%*s# %s", indent, "", option->help);
        if (option->type == SP_OPTION_CHOICE)
            fprintf(out, " (%s)", option->choices);
        else if (option->type == SP_OPTION_INT || option->type == SP_OPTION_DOUBLE)
            fprintf(out, " (%g..%g%s%s)", option->min, option->max, option->unit ? " " : "",
                    option->unit ? option->unit : "");
        fputs(option->fallback ? "\n" : " (required)\n", out);
        print_key(option->name, before, out);
        bool text = option->type == SP_OPTION_TEXT_FIELD;
        fprintf(out, text ? " \"%s\"\n" : " %s\n", option->fallback ? option->fallback : "");
        before = option->name;
    }
}
