/* YAML -> flat entries, over libyaml's event parser: no tree, no recursion, every size checked before memory is
 * taken. The way down is a stack of frames; `path` is the dotted key of the frame on top. */
#include "common/yaml.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/file.h"

enum {
    MAX_BYTES = 256 * 1024,
    MAX_DEPTH = 8,
    MAX_ENTRIES = 4096,
    MAX_PATH = 256,
    MAX_VALUE = 4096,
};

struct frame {
    bool mapping;
    bool want_value;    /* mapping: its key has been read */
    size_t path_length; /* of the frame's own path, without the key or index below it */
    size_t index;       /* sequence: the next element's */
};

struct reader {
    const char *name;
    struct sp_yaml *yaml;
    size_t room; /* entries allocated */
    struct frame frames[MAX_DEPTH];
    int depth;
    char path[MAX_PATH];
    size_t path_length;
    struct sp_err *err;
};

static enum sp_status refuse(struct reader *r, const yaml_event_t *event, enum sp_status status, const char *what)
{
    return sp_fail(r->err, status, "%s line %zu: %s", r->name, event->start_mark.line + 1, what);
}

static bool plain(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return !event->data.scalar.anchor && !event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return !event->data.sequence_start.anchor && !event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return !event->data.mapping_start.anchor && !event->data.mapping_start.tag;
    default:
        return true;
    }
}

/* Append ".piece" (or "piece" at the top) to the path. */
static enum sp_status path_push(struct reader *r, const yaml_event_t *event, const char *piece, size_t length)
{
    size_t dot = r->path_length ? 1 : 0;
    if (r->path_length + dot + length >= MAX_PATH)
        return refuse(r, event, SP_E_LIMIT, "the key with everything above it is longer than 255 characters");
    if (dot)
        r->path[r->path_length++] = '.';
    memcpy(r->path + r->path_length, piece, length);
    r->path_length += length;
    r->path[r->path_length] = '\0';
    return SP_OK;
}

static void path_cut(struct reader *r, size_t length)
{
    r->path_length = length;
    r->path[length] = '\0';
}

/* A key seen before has left entries that are it, or lie below it. */
static bool seen(const struct reader *r)
{
    for (size_t i = 0; i < r->yaml->count; i++) {
        const char *key = r->yaml->entries[i].key;
        if (strncmp(key, r->path, r->path_length) == 0 && (!key[r->path_length] || key[r->path_length] == '.'))
            return true;
    }
    return false;
}

static enum sp_status read_key(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (length == 0 || memchr(text, '\0', length))
        return refuse(r, event, SP_E_FORMAT, "an empty key");
    enum sp_status status = path_push(r, event, text, length);
    if (status != SP_OK)
        return status;
    if (seen(r))
        return sp_fail(r->err, SP_E_FORMAT, "%s line %zu: key '%s' is given twice; keep one", r->name,
                       event->start_mark.line + 1, r->path);
    r->frames[r->depth - 1].want_value = true;
    return SP_OK;
}

/* Before a value: a sequence gives it its index as key, the top level of a document has none. */
static enum sp_status begin_value(struct reader *r, const yaml_event_t *event)
{
    if (r->depth == 0 || r->frames[r->depth - 1].mapping)
        return SP_OK;
    char index[24];
    int length = snprintf(index, sizeof index, "%zu", r->frames[r->depth - 1].index++);
    return path_push(r, event, index, (size_t)length);
}

static void end_value(struct reader *r)
{
    if (r->depth == 0)
        return;
    r->frames[r->depth - 1].want_value = false;
    path_cut(r, r->frames[r->depth - 1].path_length);
}

static enum sp_status add_entry(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (length > MAX_VALUE)
        return refuse(r, event, SP_E_LIMIT, "a value longer than 4096 bytes");
    if (memchr(text, '\0', length))
        return refuse(r, event, SP_E_FORMAT, "a value with a NUL byte");
    struct sp_yaml *yaml = r->yaml;
    if (yaml->count == MAX_ENTRIES)
        return refuse(r, event, SP_E_LIMIT, "more than 4096 values");
    if (yaml->count == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        struct sp_yaml_entry *entries = realloc(yaml->entries, room * sizeof *entries);
        if (!entries)
            return refuse(r, event, SP_E_NOMEM, "out of memory");
        yaml->entries = entries;
        r->room = room;
    }
    struct sp_yaml_entry entry = {strdup(r->path), strndup(text, length), (int)event->start_mark.line + 1};
    if (!entry.key || !entry.value) {
        free(entry.key);
        free(entry.value);
        return refuse(r, event, SP_E_NOMEM, "out of memory");
    }
    yaml->entries[yaml->count++] = entry;
    return SP_OK;
}

static enum sp_status read_scalar(struct reader *r, const yaml_event_t *event)
{
    if (r->depth == 0)
        return refuse(r, event, SP_E_FORMAT, "expected 'key: value' lines, found a lone value");
    if (r->frames[r->depth - 1].mapping && !r->frames[r->depth - 1].want_value)
        return read_key(r, event);
    enum sp_status status = begin_value(r, event);
    if (status == SP_OK)
        status = add_entry(r, event);
    if (status == SP_OK)
        end_value(r);
    return status;
}

static enum sp_status open_frame(struct reader *r, const yaml_event_t *event)
{
    if (r->depth && r->frames[r->depth - 1].mapping && !r->frames[r->depth - 1].want_value)
        return refuse(r, event, SP_E_FORMAT, "a key must be a plain word, not a list or a mapping");
    if (r->depth == MAX_DEPTH)
        return refuse(r, event, SP_E_LIMIT, "nested deeper than 8 levels");
    enum sp_status status = begin_value(r, event);
    if (status != SP_OK)
        return status;
    r->frames[r->depth++] = (struct frame){
        .mapping = event->type == YAML_MAPPING_START_EVENT,
        .path_length = r->path_length,
    };
    return SP_OK;
}

static enum sp_status read_event(struct reader *r, const yaml_event_t *event, int *documents)
{
    if (event->type == YAML_ALIAS_EVENT || !plain(event))
        return refuse(r, event, SP_E_FORMAT,
                      "anchors (&), aliases (*) and tags (!) are not accepted; write it out");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if ((*documents)++)
            return refuse(r, event, SP_E_FORMAT, "a second document; keep one per file");
        return SP_OK;
    case YAML_SCALAR_EVENT:
        /* An empty document is one empty plain scalar. */
        if (r->depth == 0 && event->data.scalar.length == 0)
            return SP_OK;
        return read_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return open_frame(r, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        end_value(r);
        return SP_OK;
    default:
        return SP_OK;
    }
}

static enum sp_status read_all(struct reader *r, yaml_parser_t *parser)
{
    int documents = 0;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            if (parser->error == YAML_MEMORY_ERROR)
                return sp_fail(r->err, SP_E_NOMEM, "%s: out of memory", r->name);
            return sp_fail(r->err, SP_E_FORMAT, "%s line %zu: not YAML: %s", r->name, parser->problem_mark.line + 1,
                           parser->problem ? parser->problem : "unreadable");
        }
        bool last = event.type == YAML_STREAM_END_EVENT;
        enum sp_status status = read_event(r, &event, &documents);
        yaml_event_delete(&event);
        if (status != SP_OK || last)
            return status;
    }
}

enum sp_status sp_yaml_parse(struct sp_yaml **ret_yaml, const char *name, const void *bytes, size_t length,
                             struct sp_err *err)
{
    if (length > MAX_BYTES)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes, more than the %d that a YAML file may have", name, length,
                       MAX_BYTES);
    struct reader r = {.name = name, .err = err, .yaml = calloc(1, sizeof *r.yaml)};
    enum sp_status status = SP_E_NOMEM;
    yaml_parser_t parser;
    if (!r.yaml || !(r.yaml->source = strdup(name)) || !yaml_parser_initialize(&parser)) {
        sp_yaml_free(&r.yaml);
        return sp_fail(err, status, "%s: out of memory", name);
    }
    yaml_parser_set_input_string(&parser, bytes ? bytes : (const void *)"", length);
    status = read_all(&r, &parser);
    yaml_parser_delete(&parser);
    if (status != SP_OK)
        sp_yaml_free(&r.yaml);
    else
        *ret_yaml = r.yaml;
    return status;
}

enum sp_status sp_yaml_load(struct sp_yaml **ret_yaml, const char *path, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_file_read(&bytes, &length, path, MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    status = sp_yaml_parse(ret_yaml, path, bytes, length, err);
    free(bytes);
    return status;
}

void sp_yaml_free(struct sp_yaml **yaml)
{
    if (!yaml || !*yaml)
        return;
    for (size_t i = 0; i < (*yaml)->count; i++) {
        free((*yaml)->entries[i].key);
        free((*yaml)->entries[i].value);
    }
    free((*yaml)->entries);
    free((*yaml)->source);
    free(*yaml);
    *yaml = NULL;
}

const struct sp_yaml_entry *sp_yaml_find(const struct sp_yaml *yaml, const char *key)
{
    for (size_t i = 0; i < yaml->count; i++)
        if (strcmp(yaml->entries[i].key, key) == 0)
            return &yaml->entries[i];
    return NULL;
}

enum sp_status sp_yaml_number(double *ret_number, const struct sp_yaml *yaml, const struct sp_yaml_entry *entry,
                              double min, double max, struct sp_err *err)
{
    /* Only decimal digits: strtod alone would take "inf", "nan" and hexadecimal too. */
    bool decimal = entry->value[0] && strspn(entry->value, "0123456789+-.eE") == strlen(entry->value);
    char *end = NULL;
    double number = NAN;
    locale_t c_locale = decimal ? newlocale(LC_ALL_MASK, "C", (locale_t)0) : (locale_t)0;
    if (c_locale) {
        number = strtod_l(entry->value, &end, c_locale);
        freelocale(c_locale);
    }
    if (!end || *end || !isfinite(number))
        return sp_fail(err, SP_E_FORMAT, "%s line %d: %s: '%.60s' is not a number", yaml->source, entry->line,
                       entry->key, entry->value);
    if (number < min || number > max)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: %s: %.60s is outside %g to %g", yaml->source, entry->line,
                       entry->key, entry->value, min, max);
    *ret_number = number;
    return SP_OK;
}
