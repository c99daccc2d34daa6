#include "ops/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"

#define AT(field) offsetof(struct sp_ops_config, field)
#define TEXT(name, field, fallback, help)                                                                          \
    {                                                                                                              \
        name, SP_OPTION_TEXT_FIELD, AT(field), NULL, 0, 0, NULL, fallback, help                                    \
    }

static const struct sp_option table[] = {
    TEXT("durable.address", durable.address, "", "the durable Redis: unix:/path or tcp://host:port"),
    TEXT("durable.user", durable.user, "ops", "ACL user there (docs/redis.md section 4)"),
    TEXT("durable.password_file", durable.password_file, "", "file with the user's password in one line"),
    TEXT("galleries.address", galleries.address, "", "the Redis that holds templates"),
    TEXT("galleries.user", galleries.user, "ops", "ACL user there"),
    TEXT("galleries.password_file", galleries.password_file, "", "file with the user's password in one line"),
    TEXT("records.address", records.address, "",
         "the durable Redis for the decision streams; empty: durable.address"),
    TEXT("records.user", records.user, "", "ACL user for them (recorder); empty: durable.user"),
    TEXT("records.password_file", records.password_file, "", "file with its password; empty: durable's"),
    {"store.timeout", SP_OPTION_INT, AT(timeout_ms), "ms", 10, 600000, NULL, "5000",
     "longest wait for one answer of a Redis"},
    TEXT("broker.address", broker_address, "",
         "a broker's front socket: tcp://host:port (publishing enrols through it)"),
    TEXT("broker.key", broker_key, "", "the broker's public CURVE key file"),
    {"broker.timeout", SP_OPTION_INT, AT(connect_ms), "ms", 100, 600000, NULL, "10000",
     "longest wait for a session with the broker"},
    TEXT("keys.curve", curve, "", "this desk's own CURVE key file, with secret"),
    TEXT("keys.ops", ops, "", "the desk's box key file, with secret: opens rows, lanes, indexes"),
    TEXT("keys.fleet", fleet, "", "the fleet's public box key file: data keys are wrapped to it"),
    TEXT("keys.fleet_cert", fleet_cert, "", "or the fleet's certificate, verified with keys.authority"),
    TEXT("keys.authority", authority, "", "the authority's public signing key file"),
    TEXT("keys.recorder", recorder, "", "the recorder's box key file, with secret (records only)"),
    {"ledger.partitions", SP_OPTION_INT, AT(partitions), NULL, 1, 64, NULL, "8",
     "partitions of the ledger; the same in every process of a site"},
    TEXT("pack.directory", pack, "", "the model pack that the workers run"),
    TEXT("site.ports", ports, "", "table of ports with their time zones (deploy/ports.csv)"),
    {"enrol.window", SP_OPTION_INT, AT(window), NULL, 1, 64, NULL, "16", "enrolments under way at once"},
    {"enrol.budget", SP_OPTION_INT, AT(budget_ms), "ms", 1000, 600000, NULL, "60000", "time for one enrolment"},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL, NULL},
};

static bool names_config(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--config") == 0 || strncmp(argv[i], "--config=", 9) == 0)
            return true;
    return false;
}

bool sp_ops_start(struct sp_ops_line *ret_line, const struct sp_ops_verb *verb, int argc, char **argv,
                  int *ret_exit)
{
    struct sp_program program = {.name = verb->name,
                                 .summary = verb->summary,
                                 .example = verb->example,
                                 .operands = verb->operands,
                                 .options = table,
                                 .config = &ret_line->config,
                                 .flags = verb->flags};
    struct sp_err err = {0};
    char *from_env = getenv(SP_OPS_CONFIG_ENV), option[] = "--config";
    char **all = calloc((size_t)argc + 4, sizeof *all);
    int count = 0, first = 0;
    if (!all) {
        *ret_exit = SP_EXIT_FAILED;
        return false;
    }
    all[count++] = argv[0];
    if (from_env && from_env[0] && !names_config(argc, argv)) {
        all[count++] = option;
        all[count++] = from_env;
    }
    for (int i = 1; i < argc; i++)
        all[count++] = argv[i];
    enum sp_program_next next = sp_program_start(&program, count, all, &first, ret_exit);
    if (next == SP_PROGRAM_RUN) {
        ret_line->operands = argv; /* at most as many operands as arguments: they are moved to its begin */
        for (int i = first; i < count; i++)
            ret_line->operands[ret_line->count++] = all[i];
        if (sp_seal_start(&err) != SP_OK) {
            fprintf(stderr, "%s: %s\n", verb->name, err.text);
            *ret_exit = SP_EXIT_FAILED;
            next = SP_PROGRAM_EXIT;
        }
    }
    free(all);
    return next == SP_PROGRAM_RUN;
}

static enum sp_status need(const char *value, const char *option, struct sp_err *err)
{
    if (value[0])
        return SP_OK;
    return sp_fail(err, SP_E_INVALID,
                   "the configuration does not set %s; give --config FILE or set %s (sallyport lane list "
                   "--print-config shows all keys)",
                   option, SP_OPS_CONFIG_ENV);
}

static enum sp_status open_store(struct sp_store **ret_store, const struct sp_ops_store *where, const char *option,
                                 int64_t timeout_ms, struct sp_err *err)
{
    struct sp_store_config config = {where->address, where->user, where->password_file, (int)timeout_ms};
    enum sp_status status = need(where->address, option, err);
    return status == SP_OK ? sp_store_new(ret_store, &config, err) : status;
}

enum sp_status sp_ops_durable(struct sp_store **ret_store, const struct sp_ops_config *config, struct sp_err *err)
{
    return open_store(ret_store, &config->durable, "durable.address", config->timeout_ms, err);
}

enum sp_status sp_ops_galleries(struct sp_store **ret_store, const struct sp_ops_config *config, struct sp_err *err)
{
    return open_store(ret_store, &config->galleries, "galleries.address", config->timeout_ms, err);
}

enum sp_status sp_ops_records_store(struct sp_store **ret_store, const struct sp_ops_config *config,
                                    struct sp_err *err)
{
    struct sp_ops_store store = config->durable;
    if (config->records.address[0])
        snprintf(store.address, sizeof store.address, "%s", config->records.address);
    if (config->records.user[0])
        snprintf(store.user, sizeof store.user, "%s", config->records.user);
    if (config->records.password_file[0])
        snprintf(store.password_file, sizeof store.password_file, "%s", config->records.password_file);
    return open_store(ret_store, &store, "durable.address", config->timeout_ms, err);
}

enum sp_status sp_ops_key(struct sp_key_file *ret_key, const char *path, const char *option, enum sp_key_kind kind,
                          bool need_secret, struct sp_err *err)
{
    enum sp_status status = need(path, option, err);
    return status == SP_OK ? sp_key_load(ret_key, path, kind, need_secret, err) : status;
}

enum sp_status sp_ops_box(struct sp_key_file *ret_key, const struct sp_ops_config *config, struct sp_err *err)
{
    return sp_ops_key(ret_key, config->ops, "keys.ops", SP_KEY_BOX, true, err);
}

enum sp_status sp_ops_authority(uint8_t ret_public[32], const struct sp_ops_config *config, struct sp_err *err)
{
    struct sp_key_file key = {0};
    enum sp_status status = sp_ops_key(&key, config->authority, "keys.authority", SP_KEY_SIGN, false, err);
    if (status == SP_OK)
        memcpy(ret_public, key.public_key, 32);
    sp_key_wipe(&key);
    return status;
}

enum sp_status sp_ops_fleet(uint8_t ret_public[32], const struct sp_ops_config *config, struct sp_err *err)
{
    struct sp_key_file key = {0};
    struct sp_cert cert = {0};
    uint8_t authority[32], *bytes = NULL;
    size_t length = 0;
    if (config->fleet[0] || !config->fleet_cert[0]) {
        enum sp_status status = sp_ops_key(&key, config->fleet, "keys.fleet", SP_KEY_BOX, false, err);
        if (status == SP_OK)
            memcpy(ret_public, key.public_key, 32);
        sp_key_wipe(&key);
        return status;
    }
    enum sp_status status = sp_ops_authority(authority, config, err);
    if (status == SP_OK)
        status = sp_file_read(&bytes, &length, config->fleet_cert, SP_CERT_MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_cert_verify(&cert, bytes, length, "fleet", authority, sp_clock_wall_ms(), err);
    if (status == SP_OK)
        memcpy(ret_public, cert.key, 32);
    free(bytes);
    return status;
}
