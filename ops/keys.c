/* `sallyport keys`: the keys and certificates of a site. Files: NAME.KIND secret (0600), NAME.KIND.pub public,
 * NAME.cert certificate; docs/security.md says who needs which. */
#include "ops/keys.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/key.h"
#include "common/program.h"
#include "ops/command.h"

#define DEFAULT_DAYS 365
#define MOST_DAYS    3650
#define MS_PER_DAY   86400000ll

enum { MOST_OPTIONS = 8 };

/* ---- shared with keys_peer.c ---- */

int sp_keys_arguments(const char *verb, int argc, char **argv, const struct sp_keys_option *options,
                      int operand_count, const char **ret_operands)
{
    struct option table[MOST_OPTIONS + 1] = {0};
    for (int i = 0; options[i].name && i < MOST_OPTIONS; i++)
        table[i] = (struct option){options[i].name, required_argument, NULL, i + 1};
    optind = 0; /* several verbs may be run by one process: tests */
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (found == ':')
            return sp_command_usage(verb, "%s needs a value", argv[optind - 1]);
        if (found == '?')
            return sp_command_usage(verb, "option %s is not known", argv[optind - 1]);
        *options[found - 1].ret = optarg;
    }
    if (argc - optind != operand_count)
        return sp_command_usage(verb, "%d arguments where %d are expected", argc - optind, operand_count);
    for (int i = 0; i < operand_count; i++)
        ret_operands[i] = argv[optind + i];
    return SP_EXIT_OK;
}

enum sp_status sp_keys_path(char *ret_path, const char *directory, const char *name, const char *suffix,
                            struct sp_err *err)
{
    if (!sp_key_name_ok(name))
        return sp_fail(err, SP_E_INVALID,
                       "\"%s\" is no name: 1 to %d characters of A-Z a-z 0-9 . _ -, not . or - first", name,
                       SP_NAME_MAX - 1);
    if (snprintf(ret_path, SP_KEYS_PATH, "%s/%s%s", directory, name, suffix) >= SP_KEYS_PATH)
        return sp_fail(err, SP_E_LIMIT, "%s/%s: path too long", directory, name);
    return SP_OK;
}

enum sp_status sp_keys_make_directory(const char *directory, struct sp_err *err)
{
    if (mkdir(directory, 0700) == 0 || errno == EEXIST)
        return SP_OK;
    return sp_fail_errno(err, "%s: cannot make the directory", directory);
}

bool sp_keys_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- making ---- */

/* NAME.KIND and NAME.KIND.pub in the directory; neither may exist. ret_key may be NULL. */
static enum sp_status make_pair(const char *directory, enum sp_key_kind kind, const char *name,
                                struct sp_key_file *ret_key, struct sp_err *err)
{
    char suffix[16], secret_path[SP_KEYS_PATH], public_path[SP_KEYS_PATH];
    struct sp_key_file key;
    snprintf(suffix, sizeof suffix, ".%s", sp_key_kind_word(kind));
    enum sp_status status = sp_keys_path(secret_path, directory, name, suffix, err);
    if (status != SP_OK)
        return status;
    snprintf(suffix, sizeof suffix, ".%s.pub", sp_key_kind_word(kind));
    status = sp_keys_path(public_path, directory, name, suffix, err);
    if (status != SP_OK)
        return status;
    if (sp_keys_exists(secret_path) || sp_keys_exists(public_path))
        return sp_fail(err, SP_E_EXISTS, "%s exists: a key is never overwritten, choose another name or remove it",
                       sp_keys_exists(secret_path) ? secret_path : public_path);
    sp_key_generate(&key, kind, name);
    status = sp_key_save(&key, secret_path, true, err);
    if (status == SP_OK)
        status = sp_key_save(&key, public_path, false, err);
    if (status == SP_OK) {
        printf("%s\n%s\n", secret_path, public_path);
        if (ret_key)
            *ret_key = key;
    }
    sp_key_wipe(&key);
    return status;
}

/* Sign NAME's public key and write NAME.cert. */
static enum sp_status certify(const char *directory, const char *kind, const char *name, int days,
                              const struct sp_key_file *authority, struct sp_err *err)
{
    char path[SP_KEYS_PATH], end[32];
    uint8_t bytes[SP_CERT_MAX_BYTES];
    size_t length = 0;
    struct sp_key_file key;
    struct sp_cert cert = {.not_after_ms = sp_clock_wall_ms() + days * MS_PER_DAY};
    bool fleet = strcmp(kind, "fleet") == 0;
    enum sp_status status = sp_keys_path(path, directory, name, fleet ? ".box.pub" : ".sign.pub", err);
    if (status == SP_OK)
        status = sp_key_load(&key, path, fleet ? SP_KEY_BOX : SP_KEY_SIGN, false, err);
    if (status != SP_OK)
        return status;
    snprintf(cert.kind, sizeof cert.kind, "%s", kind);
    snprintf(cert.name, sizeof cert.name, "%s", name);
    memcpy(cert.key, key.public_key, sizeof cert.key);
    status = sp_cert_issue(bytes, &length, &cert, authority, err);
    if (status == SP_OK)
        status = sp_keys_path(path, directory, name, ".cert", err);
    if (status == SP_OK)
        status = sp_file_write(path, bytes, length, 0644, err);
    if (status == SP_OK) {
        sp_clock_format(end, cert.not_after_ms);
        printf("%s: %s \"%s\" until %s\n", path, kind, name, end);
    }
    return status;
}

static const char init_help[] =
    "Usage: sallyport keys init --dir DIR\n"
    "Make the fresh keys of a site in DIR (made with mode 0700):\n"
    "  authority.sign   signs certificates; keep it offline, no running program needs it\n"
    "  fleet.box        opens frames and galleries; every worker has it; fleet.cert is its certificate\n"
    "  ops.box          the desk's: opens manifests\n"
    "  recorder.box     opens the ledger's entries\n"
    "  broker.curve     the broker's identity on its sockets\n"
    "each with its public half in NAME.KIND.pub. Prints the files. Nothing is ever overwritten.\n"
    "\nExample:\n"
    "  sallyport keys init --dir /etc/sallyport/keys\n"
    "\nExit codes: 0 done, 1 failed (a file exists, cannot be written), 2 wrong usage.\n";

static int run_init(int argc, char **argv)
{
    static const struct {
        enum sp_key_kind kind;
        const char *name;
    } pairs[] = {{SP_KEY_BOX, "fleet"}, {SP_KEY_BOX, "ops"}, {SP_KEY_BOX, "recorder"}, {SP_KEY_CURVE, "broker"}};
    const char *directory = NULL;
    const struct sp_keys_option options[] = {{"dir", &directory}, {NULL, NULL}};
    struct sp_key_file authority = {0};
    struct sp_err err = {0};
    int code = sp_keys_arguments("keys init", argc, argv, options, 0, NULL);
    if (code != SP_EXIT_OK)
        return code;
    if (!directory)
        return sp_command_usage("keys init", "--dir is missing");
    enum sp_status status = sp_keys_make_directory(directory, &err);
    if (status == SP_OK)
        status = make_pair(directory, SP_KEY_SIGN, "authority", &authority, &err);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && status == SP_OK; i++)
        status = make_pair(directory, pairs[i].kind, pairs[i].name, NULL, &err);
    if (status == SP_OK)
        status = certify(directory, "fleet", "fleet", DEFAULT_DAYS, &authority, &err);
    sp_key_wipe(&authority);
    return status == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}

static const char new_help[] = "Usage: sallyport keys new KIND NAME --dir DIR\n"
                               "Make one key pair: DIR/NAME.KIND (secret, mode 0600) and DIR/NAME.KIND.pub.\n"
                               "  curve   the identity of a broker, capture node, worker or desk on its sockets\n"
                               "  box     X25519: what is sealed to a role is opened with it\n"
                               "  sign    Ed25519: a worker signs its decisions with it\n"
                               "\nExample:\n"
                               "  sallyport keys new curve gate-b12 --dir /etc/sallyport/keys\n"
                               "\nExit codes: 0 done, 1 failed (the key exists), 2 wrong usage.\n";

static int run_new(int argc, char **argv)
{
    const char *directory = NULL, *operands[2];
    const struct sp_keys_option options[] = {{"dir", &directory}, {NULL, NULL}};
    struct sp_err err = {0};
    int code = sp_keys_arguments("keys new", argc, argv, options, 2, operands);
    if (code != SP_EXIT_OK)
        return code;
    if (!directory)
        return sp_command_usage("keys new", "--dir is missing");
    for (int kind = SP_KEY_CURVE; kind <= SP_KEY_SIGN; kind++) {
        if (strcmp(operands[0], sp_key_kind_word((enum sp_key_kind)kind)) != 0)
            continue;
        if (sp_keys_make_directory(directory, &err) != SP_OK ||
            make_pair(directory, (enum sp_key_kind)kind, operands[1], NULL, &err) != SP_OK)
            return sp_command_fail(&err);
        return SP_EXIT_OK;
    }
    return sp_command_usage("keys new", "kind is curve, box or sign, not \"%s\"", operands[0]);
}

static const char certify_help[] =
    "Usage: sallyport keys certify fleet|worker NAME --dir DIR [--days N] [--authority FILE]\n"
    "Sign a public key of DIR and write DIR/NAME.cert: of the fleet NAME.box.pub, of a worker NAME.sign.pub. An "
    "older\n"
    "certificate is replaced. N is 1 to 3650, 365 where it is not given. FILE is the authority's secret key,\n"
    "DIR/authority.sign where it is not given.\n"
    "\nExample:\n"
    "  sallyport keys certify worker worker-3 --dir /etc/sallyport/keys --days 90\n"
    "\nExit codes: 0 done, 1 failed, 2 wrong usage, 4 the authority's key file is readable by others.\n";

static int run_certify(int argc, char **argv)
{
    const char *directory = NULL, *days_text = NULL, *authority_file = NULL, *operands[2];
    const struct sp_keys_option options[] = {
        {"dir", &directory}, {"days", &days_text}, {"authority", &authority_file}, {NULL, NULL}};
    char path[SP_KEYS_PATH];
    struct sp_key_file authority = {0};
    struct sp_err err = {0};
    int code = sp_keys_arguments("keys certify", argc, argv, options, 2, operands);
    if (code != SP_EXIT_OK)
        return code;
    if (!directory)
        return sp_command_usage("keys certify", "--dir is missing");
    if (strcmp(operands[0], "fleet") != 0 && strcmp(operands[0], "worker") != 0)
        return sp_command_usage("keys certify", "a certificate is for fleet or worker, not for \"%s\"",
                                operands[0]);
    char *end = NULL;
    long days = days_text ? strtol(days_text, &end, 10) : DEFAULT_DAYS;
    if (days < 1 || days > MOST_DAYS || (end && *end))
        return sp_command_usage("keys certify", "--days is 1 to %d, not \"%s\"", MOST_DAYS, days_text);
    enum sp_status status = SP_OK;
    if (!authority_file)
        status = sp_keys_path(path, directory, "authority", ".sign", &err);
    if (status == SP_OK)
        status = sp_key_load(&authority, authority_file ? authority_file : path, SP_KEY_SIGN, true, &err);
    if (status == SP_OK)
        status = certify(directory, operands[0], operands[1], (int)days, &authority, &err);
    sp_key_wipe(&authority);
    return status == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}

/* ---- showing ---- */

static const char show_help[] = "Usage: sallyport keys show FILE [--authority FILE]\n"
                                "Say what a key file or certificate is: kind, name, public key and its id (the key "
                                "id of envelopes and headers);\n"
                                "never a secret. A certificate is checked against the authority's public key: "
                                "authority.sign.pub beside it, or\n"
                                "the file given.\n"
                                "\nExample:\n"
                                "  sallyport keys show /etc/sallyport/keys/fleet.cert\n"
                                "\nExit codes: 0 done, 1 no such file or damaged, 2 wrong usage, 4 readable by "
                                "others, or the certificate does not\n"
                                "verify.\n";

static void print_public(const uint8_t public_key[32])
{
    uint8_t id[SP_KEY_ID_BYTES];
    char id_hex[2 * SP_KEY_ID_BYTES + 1], public_hex[65];
    sp_seal_key_id(id, public_key);
    sp_seal_to_hex(id_hex, id, sizeof id);
    sp_seal_to_hex(public_hex, public_key, 32);
    printf("public: %s\nid: %s\n", public_hex, id_hex);
}

static enum sp_status show_cert(const char *path, const char *authority_file, struct sp_err *err)
{
    char beside[SP_KEYS_PATH], end[32];
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_key_file authority;
    struct sp_cert cert;
    const char *slash = strrchr(path, '/');
    snprintf(beside, sizeof beside, "%.*sauthority.sign.pub", slash ? (int)(slash - path + 1) : 0, path);
    enum sp_status status =
        sp_key_load(&authority, authority_file ? authority_file : beside, SP_KEY_SIGN, false, err);
    if (status == SP_OK)
        status = sp_file_read(&bytes, &length, path, SP_CERT_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    int64_t now = sp_clock_wall_ms();
    status = sp_cert_verify(&cert, bytes, length, "fleet", authority.public_key, now, err);
    if (status != SP_OK)
        status = sp_cert_verify(&cert, bytes, length, "worker", authority.public_key, now, err);
    free(bytes);
    if (status != SP_OK)
        return err ? sp_fail_in(err, "%s", path) : status;
    sp_clock_format(end, cert.not_after_ms);
    printf("certificate: %s\nname: %s\nuntil: %s\nauthority: %s\n", cert.kind, cert.name, end, authority.name);
    print_public(cert.key);
    return SP_OK;
}

static enum sp_status show_key(const char *path, struct sp_err *err)
{
    struct sp_key_file key;
    enum sp_status status = SP_E_INVALID;
    int kind = SP_KEY_CURVE;
    for (; kind <= SP_KEY_SIGN; kind++) { /* SP_E_INVALID: a good file of another kind */
        status = sp_key_load(&key, path, (enum sp_key_kind)kind, false, err);
        if (status != SP_E_INVALID)
            break;
    }
    if (status != SP_OK)
        return status;
    printf("key: %s\nname: %s\n", sp_key_kind_word(key.kind), key.name);
    print_public(key.public_key);
    return SP_OK;
}

static int run_show(int argc, char **argv)
{
    const char *authority_file = NULL, *operands[1];
    const struct sp_keys_option options[] = {{"authority", &authority_file}, {NULL, NULL}};
    struct sp_err err = {0};
    int code = sp_keys_arguments("keys show", argc, argv, options, 1, operands);
    if (code != SP_EXIT_OK)
        return code;
    size_t length = strlen(operands[0]);
    bool cert = length > 5 && strcmp(operands[0] + length - 5, ".cert") == 0;
    enum sp_status status = cert ? show_cert(operands[0], authority_file, &err) : show_key(operands[0], &err);
    return status == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}

int sp_ops_keys(int argc, char **argv)
{
    static const struct sp_command_verb verbs[] = {
        {"init", "make the fresh keys of a site", init_help, run_init},
        {"new", "make one key pair", new_help, run_new},
        {"certify", "sign the fleet's or a worker's public key", certify_help, run_certify},
        {"peer", "let a key in: add it to a broker's peer table", sp_keys_peer_help, sp_keys_peer},
        {"revoke", "take a peer out of a broker's table", sp_keys_revoke_help, sp_keys_revoke},
        {"show", "say what a key file or certificate is", show_help, run_show},
        {NULL, NULL, NULL, NULL},
    };
    struct sp_err err = {0};
    if (sp_seal_start(&err) != SP_OK)
        return sp_command_fail(&err);
    return sp_command_run("keys", verbs, argc, argv);
}
