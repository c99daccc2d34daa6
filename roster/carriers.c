#include "roster/carriers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/yaml.h"
#include "roster/lane.h"

#define PREFIX "carriers."

static enum sp_status bad(const struct sp_yaml *yaml, const struct sp_yaml_entry *entry, const char *what,
                          struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "%s line %d: %s", yaml->source, entry->line, what);
}

static enum sp_status take_text(char *ret, size_t capacity, const struct sp_yaml *yaml,
                                const struct sp_yaml_entry *entry, struct sp_err *err)
{
    size_t length = strlen(entry->value);
    if (length == 0 || length >= capacity)
        return bad(yaml, entry, "a value that is empty or too long", err);
    memcpy(ret, entry->value, length + 1);
    return SP_OK;
}

static enum sp_status take_key(struct sp_carriers *carriers, struct sp_carrier *carrier, const struct sp_yaml *yaml,
                               const struct sp_yaml_entry *entry, struct sp_err *err)
{
    uint8_t key[32];
    if (carrier->key_count == SP_CARRIER_MAX_KEYS)
        return bad(yaml, entry, "a carrier has at most 8 keys", err);
    if (sp_seal_from_hex(key, sizeof key, entry->value, NULL) != SP_OK)
        return bad(yaml, entry, "a key has 64 hex digits", err);
    if (!sp_key_public_ok(SP_KEY_SIGN, key))
        return bad(yaml, entry, "this is no public sign key", err);
    if (sp_carriers_find(carriers, key))
        return bad(yaml, entry, "this key stands in the table already", err);
    memcpy(carrier->keys[carrier->key_count++], key, sizeof key);
    return SP_OK;
}

/* "keys.3" of word "keys": true. */
static bool element_of(const char *rest, const char *word)
{
    size_t length = strlen(word);
    return strncmp(rest, word, length) == 0 && rest[length] == '.' && rest[length + 1] >= '0' &&
           rest[length + 1] <= '9' && !strchr(rest + length + 1, '.');
}

static enum sp_status take_entry(struct sp_carriers *carriers, struct sp_carrier *carrier, const char *rest,
                                 const struct sp_yaml *yaml, const struct sp_yaml_entry *entry, struct sp_err *err)
{
    if (strcmp(rest, "code") == 0)
        return take_text(carrier->code, sizeof carrier->code, yaml, entry, err);
    if (strcmp(rest, "name") == 0)
        return take_text(carrier->name, sizeof carrier->name, yaml, entry, err);
    if (element_of(rest, "keys"))
        return take_key(carriers, carrier, yaml, entry, err);
    if (element_of(rest, "modes")) {
        int mode = sp_mode_from(entry->value);
        if (mode < 0)
            return bad(yaml, entry, "a mode is air, sea, pedestrian, vehicle or private", err);
        carrier->modes |= 1u << mode;
        return SP_OK;
    }
    if (element_of(rest, "ports")) {
        if (carrier->port_count == SP_CARRIER_MAX_PORTS)
            return bad(yaml, entry, "a carrier has at most 32 ports", err);
        return take_text(carrier->ports[carrier->port_count++], sizeof carrier->ports[0], yaml, entry, err);
    }
    return bad(yaml, entry, "a carrier has code, name, keys, modes and ports", err);
}

static enum sp_status check(const struct sp_carriers *carriers, const struct sp_yaml *yaml, struct sp_err *err)
{
    for (int i = 0; i < carriers->count; i++) {
        const struct sp_carrier *carrier = &carriers->all[i];
        if (!carrier->code[0] || carrier->key_count == 0)
            return sp_fail(err, SP_E_FORMAT, "%s: carrier %d has no %s", yaml->source, i + 1,
                           carrier->code[0] ? "key" : "code");
        for (int k = 0; k < i; k++)
            if (strcasecmp(carrier->code, carriers->all[k].code) == 0)
                return sp_fail(err, SP_E_FORMAT, "%s: carrier %s stands twice", yaml->source, carrier->code);
    }
    return SP_OK;
}

static enum sp_status take_all(struct sp_carriers *carriers, const struct sp_yaml *yaml, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (size_t i = 0; status == SP_OK && i < yaml->count; i++) {
        const struct sp_yaml_entry *entry = &yaml->entries[i];
        char *rest = NULL;
        long at =
            strncmp(entry->key, PREFIX, strlen(PREFIX)) == 0 ? strtol(entry->key + strlen(PREFIX), &rest, 10) : -1;
        if (at < 0 || !rest || *rest != '.')
            return bad(yaml, entry, "the table is a list named carriers", err);
        if (at >= SP_CARRIERS_MAX)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: more than %d carriers", yaml->source, entry->line,
                           SP_CARRIERS_MAX);
        if (at >= carriers->count)
            carriers->count = (int)at + 1; /* elements come in order */
        status = take_entry(carriers, &carriers->all[at], rest + 1, yaml, entry, err);
    }
    return status == SP_OK ? check(carriers, yaml, err) : status;
}

static enum sp_status from_yaml(struct sp_carriers **ret_carriers, const struct sp_yaml *yaml, struct sp_err *err)
{
    struct sp_carriers *carriers = calloc(1, sizeof *carriers);
    if (carriers)
        carriers->all = calloc(SP_CARRIERS_MAX, sizeof *carriers->all);
    enum sp_status status = carriers && carriers->all
                                ? take_all(carriers, yaml, err)
                                : sp_fail(err, SP_E_NOMEM, "%s: no memory for its carriers", yaml->source);
    if (status == SP_OK)
        *ret_carriers = carriers;
    else
        sp_carriers_free(&carriers);
    return status;
}

enum sp_status sp_carriers_parse(struct sp_carriers **ret_carriers, const char *source, const void *bytes,
                                 size_t length, struct sp_err *err)
{
    struct sp_yaml *yaml = NULL;
    enum sp_status status = sp_yaml_parse(&yaml, source, bytes, length, err);
    if (status == SP_OK)
        status = from_yaml(ret_carriers, yaml, err);
    sp_yaml_free(&yaml);
    return status;
}

enum sp_status sp_carriers_load(struct sp_carriers **ret_carriers, const char *path, struct sp_err *err)
{
    struct sp_yaml *yaml = NULL;
    enum sp_status status = sp_yaml_load(&yaml, path, err);
    if (status == SP_OK)
        status = from_yaml(ret_carriers, yaml, err);
    sp_yaml_free(&yaml);
    return status;
}

void sp_carriers_free(struct sp_carriers **carriers)
{
    if (!carriers || !*carriers)
        return;
    free((*carriers)->all);
    free(*carriers);
    *carriers = NULL;
}

const struct sp_carrier *sp_carriers_find(const struct sp_carriers *carriers, const uint8_t key[32])
{
    for (int i = 0; i < carriers->count; i++)
        for (int k = 0; k < carriers->all[i].key_count; k++)
            if (memcmp(carriers->all[i].keys[k], key, 32) == 0)
                return &carriers->all[i];
    return NULL;
}

enum sp_status sp_carrier_may(const struct sp_carrier *carrier, const char *mode, const char *code,
                              const char *dep_port, const char *arr_port, struct sp_err *err)
{
    int number = sp_mode_from(mode);
    bool port = carrier->port_count == 0;
    if (strcasecmp(carrier->code, code) != 0)
        return sp_fail(err, SP_E_DENIED, "the key of carrier %s does not speak for journeys of another carrier",
                       carrier->code);
    if (carrier->modes && (number < 0 || !(carrier->modes & 1u << number)))
        return sp_fail(err, SP_E_DENIED, "carrier %s does not send journeys of this mode", carrier->code);
    for (int i = 0; i < carrier->port_count && !port; i++)
        port = strcasecmp(carrier->ports[i], dep_port) == 0 || strcasecmp(carrier->ports[i], arr_port) == 0;
    if (!port)
        return sp_fail(err, SP_E_DENIED, "carrier %s does not send journeys from or to these ports", carrier->code);
    return SP_OK;
}
