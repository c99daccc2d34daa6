/* The configuration that the desk's commands share (manifest, lane, site, records): one option table. `sallyport
 * --config FILE GROUP VERB`, `sallyport GROUP VERB --config FILE` or SALLYPORT_CONFIG in the environment. */
#ifndef SALLYPORT_OPS_CONFIG_H
#define SALLYPORT_OPS_CONFIG_H

#include "common/key.h"
#include "common/program.h"
#include "common/store.h"

#define SP_OPS_CONFIG_ENV "SALLYPORT_CONFIG"

struct sp_ops_store {
    char address[SP_OPTION_TEXT], user[SP_OPTION_TEXT], password_file[SP_OPTION_TEXT];
};

struct sp_ops_config {
    struct sp_ops_store durable, galleries;
    struct sp_ops_store records; /* the durable Redis as the recorder; empty texts: as in durable */
    int64_t timeout_ms;
    char broker_address[SP_OPTION_TEXT], broker_key[SP_OPTION_TEXT];
    int64_t connect_ms;
    char curve[SP_OPTION_TEXT], ops[SP_OPTION_TEXT], fleet[SP_OPTION_TEXT], fleet_cert[SP_OPTION_TEXT];
    char authority[SP_OPTION_TEXT], recorder[SP_OPTION_TEXT];
    int64_t partitions;
    char pack[SP_OPTION_TEXT];
    char ports[SP_OPTION_TEXT];
    int64_t window, budget_ms;
};

/* What a verb is, for its option parser. */
struct sp_ops_verb {
    const char *name; /* "sallyport manifest publish" */
    const char *summary, *example;
    const char *operands; /* NULL: none */
    const struct sp_flag *flags;
};

/* A verb's command line after parsing. Zero-initialise. */
struct sp_ops_line {
    struct sp_ops_config config;
    int count;       /* operands */
    char **operands; /* point into the caller's argv */
};

/* Parse argv of a verb (argv[0] = its name), read the configuration, start the seals. false: everything is said,
 * leave with *ret_exit. */
bool sp_ops_start(struct sp_ops_line *ret_line, const struct sp_ops_verb *verb, int argc, char **argv,
                  int *ret_exit);

/* What the configuration names, opened; SP_E_INVALID names a missing key. */
enum sp_status sp_ops_durable(struct sp_store **ret_store, const struct sp_ops_config *config, struct sp_err *err);
enum sp_status sp_ops_galleries(struct sp_store **ret_store, const struct sp_ops_config *config,
                                struct sp_err *err);
/* The durable Redis as the recorder's user, who may read the decision streams. */
enum sp_status sp_ops_records_store(struct sp_store **ret_store, const struct sp_ops_config *config, struct sp_err *err);
/* keys.ops with its secret. */
enum sp_status sp_ops_box(struct sp_key_file *ret_key, const struct sp_ops_config *config, struct sp_err *err);
/* The fleet's public key: keys.fleet, or keys.fleet_cert verified by keys.authority. */
enum sp_status sp_ops_fleet(uint8_t ret_public[32], const struct sp_ops_config *config, struct sp_err *err);
enum sp_status sp_ops_authority(uint8_t ret_public[32], const struct sp_ops_config *config, struct sp_err *err);
/* Load the key file that a configuration key names. */
enum sp_status sp_ops_key(struct sp_key_file *ret_key, const char *path, const char *option, enum sp_key_kind kind,
                          bool need_secret, struct sp_err *err);

#endif
