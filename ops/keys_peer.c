/* `sallyport keys peer` and `keys revoke`: who may come in at a broker. One file a peer, written by rename, so that
 * a running broker sees the old table or the new one. */
#include "ops/keys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/curve.h"
#include "common/file.h"
#include "common/program.h"
#include "ops/command.h"

enum { MOST_FILE_BYTES = 16384 };

static bool read_peer(const char *path, struct sp_peer *ret_peer)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    bool good = sp_file_read(&bytes, &length, path, MOST_FILE_BYTES, NULL) == SP_OK &&
                sp_peer_parse(ret_peer, path, bytes, length, NULL) == SP_OK;
    free(bytes);
    return good;
}

/* Call `each` for every readable peer of the directory until it returns true; damaged files are none. */
typedef bool each_peer(const struct sp_peer *peer, void *context);

static enum sp_status walk_peers(const char *directory, each_peer *each, void *context, struct sp_err *err)
{
    DIR *dir = opendir(directory);
    if (!dir)
        return sp_fail_errno(err, "%s: cannot read the peer table", directory);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[SP_KEYS_PATH];
        size_t length = strlen(entry->d_name);
        struct sp_peer peer;
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".yaml") != 0 ||
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= (int)sizeof path)
            continue;
        if (read_peer(path, &peer) && each(&peer, context))
            break;
    }
    closedir(dir);
    return SP_OK;
}

/* ---- peer ---- */

const char sp_keys_peer_help[] =
    "Usage: sallyport keys peer NAME --role capture|worker|ops [--lanes A,B] --peers-dir DIR --public FILE\n"
    "Let the public curve key in FILE in at the brokers that read DIR, under NAME. A capture node needs --lanes: "
    "the\n"
    "lanes it may speak for, at most 64, or '*' for all of the broker's. Running brokers notice within a second.\n"
    "\nExample:\n"
    "  sallyport keys peer gate-b12 --role capture --lanes B12,B14 --peers-dir /etc/sallyport/peers \\\n"
    "      --public gate-b12.curve.pub\n"
    "\nExit codes: 0 done, 1 failed (NAME or its key is a peer already: revoke it first), 2 wrong usage.\n";

static bool has_key(const struct sp_peer *peer, void *context)
{
    struct sp_peer *wanted = context;
    if (memcmp(peer->key, wanted->key, sizeof peer->key) != 0)
        return false;
    memcpy(wanted->name, peer->name, sizeof wanted->name);
    return true;
}

/* "A,B" into the YAML sequence "[A, B]"; -1 after a usage error was said. */
static int format_lanes(char *text, size_t capacity, const char *lanes)
{
    size_t used = (size_t)snprintf(text, capacity, "lanes: [");
    int count = 0;
    for (const char *at = lanes; *at; count++) {
        char lane[SP_NAME_MAX];
        size_t length = strcspn(at, ",");
        if (length >= sizeof lane || count == SP_PEER_MAX_LANES)
            return sp_command_usage("keys peer", "--lanes: at most %d names of at most %d characters",
                                    SP_PEER_MAX_LANES, SP_NAME_MAX - 1);
        memcpy(lane, at, length);
        lane[length] = 0;
        if (strcmp(lane, "*") != 0 && !sp_key_name_ok(lane))
            return sp_command_usage("keys peer", "--lanes: \"%s\" is no lane's name", lane);
        used += (size_t)snprintf(text + used, capacity - used, "%s\"%s\"", count ? ", " : "", lane);
        at += length + (at[length] == ',');
    }
    snprintf(text + used, capacity - used, "]\n");
    return SP_EXIT_OK;
}

static enum sp_status add_peer(const char *directory, const char *name, const char *role, const char *lanes_line,
                               const char *public_file, struct sp_err *err)
{
    char path[SP_KEYS_PATH], text[8192], hex[65];
    struct sp_key_file key;
    struct sp_peer twin = {0}, check;
    enum sp_status status = sp_keys_path(path, directory, name, ".yaml", err);
    if (status != SP_OK || (status = sp_key_load(&key, public_file, SP_KEY_CURVE, false, err)) != SP_OK ||
        (status = sp_keys_make_directory(directory, err)) != SP_OK)
        return status;
    if (sp_keys_exists(path))
        return sp_fail(err, SP_E_EXISTS, "%s exists: revoke \"%s\" first", path, name);
    memcpy(twin.key, key.public_key, sizeof twin.key);
    status = walk_peers(directory, has_key, &twin, err);
    if (status != SP_OK)
        return status;
    if (twin.name[0])
        return sp_fail(err, SP_E_EXISTS,
                       "%s: this key is in %s already, as \"%s\"; every peer needs one of its own", public_file,
                       directory, twin.name);
    sp_seal_to_hex(hex, key.public_key, 32);
    int length = snprintf(text, sizeof text, "name: %s\nrole: %s\nkey: \"%s\"\n%s", name, role, hex, lanes_line);
    status = sp_peer_parse(&check, path, text, (size_t)length, err); /* what a broker will do with it */
    if (status == SP_OK)
        status = sp_file_write(path, text, (size_t)length, 0644, err);
    if (status == SP_OK)
        printf("%s\n", path);
    return status;
}

int sp_keys_peer(int argc, char **argv)
{
    const char *role = NULL, *lanes = NULL, *directory = NULL, *public_file = NULL, *operands[1];
    const struct sp_keys_option options[] = {
        {"role", &role}, {"lanes", &lanes}, {"peers-dir", &directory}, {"public", &public_file}, {NULL, NULL}};
    char lanes_line[4096] = "";
    struct sp_err err = {0};
    int code = sp_keys_arguments("keys peer", argc, argv, options, 1, operands);
    if (code != SP_EXIT_OK)
        return code;
    if (!role || !directory || !public_file)
        return sp_command_usage("keys peer", "%s is missing",
                                !role        ? "--role"
                                : !directory ? "--peers-dir"
                                             : "--public");
    if (strcmp(role, "capture") != 0 && strcmp(role, "worker") != 0 && strcmp(role, "ops") != 0)
        return sp_command_usage("keys peer", "--role is capture, worker or ops, not \"%s\"", role);
    if (strcmp(role, "capture") == 0 && (!lanes || !lanes[0]))
        return sp_command_usage("keys peer", "a capture node needs --lanes");
    if (lanes && lanes[0] && (code = format_lanes(lanes_line, sizeof lanes_line, lanes)) != SP_EXIT_OK)
        return code;
    if (add_peer(directory, operands[0], role, lanes_line, public_file, &err) != SP_OK)
        return sp_command_fail(&err);
    return SP_EXIT_OK;
}

/* ---- revoke ---- */

const char sp_keys_revoke_help[] =
    "Usage: sallyport keys revoke NAME --peers-dir DIR\n"
    "Take a peer out of the table: DIR/NAME.yaml becomes DIR/NAME.TIME.revoked. Running brokers notice within a "
    "second,\n"
    "refuse its open connections' messages and let it in no more. The key file itself is untouched.\n"
    "\nExample:\n"
    "  sallyport keys revoke gate-b12 --peers-dir /etc/sallyport/peers\n"
    "\nExit codes: 0 done, 1 no such peer, 2 wrong usage.\n";

int sp_keys_revoke(int argc, char **argv)
{
    const char *directory = NULL, *operands[1];
    const struct sp_keys_option options[] = {{"peers-dir", &directory}, {NULL, NULL}};
    char path[SP_KEYS_PATH], suffix[64], aside[SP_KEYS_PATH];
    struct sp_peer revoked;
    struct sp_err err = {0};
    int code = sp_keys_arguments("keys revoke", argc, argv, options, 1, operands);
    if (code != SP_EXIT_OK)
        return code;
    if (!directory)
        return sp_command_usage("keys revoke", "--peers-dir is missing");
    snprintf(suffix, sizeof suffix, ".%lld.revoked", (long long)sp_clock_wall_ms());
    enum sp_status status = sp_keys_path(path, directory, operands[0], ".yaml", &err);
    if (status == SP_OK)
        status = sp_keys_path(aside, directory, operands[0], suffix, &err);
    if (status == SP_OK && !sp_keys_exists(path))
        status = sp_fail(&err, SP_E_NOTFOUND, "%s: no such peer", path);
    else if (status == SP_OK && rename(path, aside) != 0)
        status = sp_fail_errno(&err, "%s: cannot rename to %s", path, aside);
    /* A hand-written second file with the same key would come to life now. */
    if (status == SP_OK && read_peer(aside, &revoked) && walk_peers(directory, has_key, &revoked, &err) == SP_OK &&
        strcmp(revoked.name, operands[0]) != 0)
        status =
            sp_fail(&err, SP_E_CONFLICT, "%s is revoked, but its key is in %s as \"%s\", too: revoke that as well",
                    operands[0], directory, revoked.name);
    if (status != SP_OK)
        return sp_command_fail(&err);
    printf("%s revoked; kept as %s\n", operands[0], aside);
    return SP_EXIT_OK;
}
