/* The live table of peers: one small YAML file each in a directory, re-read when the directory changes. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/clock.h"
#include "common/curve.h"
#include "common/file.h"
#include "common/yaml.h"

#define MOST_PEERS     4096
#define FILE_MAX       16384
#define SUFFIX         ".yaml"
#define CHECK_EVERY_NS 1000000000ull
#define RECENT_MS      2000 /* a file this young may change again within its time stamp's grain */

struct sp_peers {
    char *directory;
    atomic_uint_fast64_t next_check_ns; /* sp_peers_find looks at the directory no earlier */

    pthread_mutex_t reading; /* one re-read at a time; guards what follows up to `table` */
    uint8_t signature[32];   /* of names, times, sizes and inodes */
    bool settled;            /* the signature is to be trusted: no file is very young */
    bool changed;            /* since the last sp_peers_refresh */
    struct sp_err damage;    /* not told yet; SP_OK: none */

    pthread_rwlock_t table; /* guards what follows */
    int count;
    struct sp_peer *peers; /* sorted by key */
};

/* ---- one file ---- */

static enum sp_status bad_line(const struct sp_yaml *yaml, const struct sp_yaml_entry *entry, const char *what,
                               struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "%s line %d: %s", yaml->source, entry->line, what);
}

static enum sp_status take_lane(struct sp_peer *peer, const struct sp_yaml *yaml, const struct sp_yaml_entry *entry,
                                struct sp_err *err)
{
    if (peer->lane_count == SP_PEER_MAX_LANES)
        return bad_line(yaml, entry, "more than 64 lanes", err);
    if (strcmp(entry->value, "*") != 0 && !sp_key_name_ok(entry->value))
        return bad_line(yaml, entry, "a lane is a name of A-Z a-z 0-9 . _ - or \"*\"", err);
    strcpy(peer->lanes[peer->lane_count++], entry->value);
    return SP_OK;
}

static enum sp_status take_entry(struct sp_peer *peer, bool *has_key, const struct sp_yaml *yaml,
                                 const struct sp_yaml_entry *entry, struct sp_err *err)
{
    if (strncmp(entry->key, "lanes.", 6) == 0)
        return take_lane(peer, yaml, entry, err);
    if (strcmp(entry->key, "lanes") == 0 && entry->value[0] == 0)
        return SP_OK; /* an empty sequence */
    if (strcmp(entry->key, "name") == 0) {
        if (!sp_key_name_ok(entry->value))
            return bad_line(yaml, entry, "a peer's name is of A-Z a-z 0-9 . _ -", err);
        strcpy(peer->name, entry->value);
        return SP_OK;
    }
    if (strcmp(entry->key, "role") == 0) {
        for (int role = SP_ROLE_CAPTURE; role <= SP_ROLE_OPS; role++)
            if (strcmp(entry->value, sp_role_name((enum sp_role)role)) == 0)
                peer->role = (enum sp_role)role;
        return peer->role != SP_ROLE_NONE ? SP_OK : bad_line(yaml, entry, "role is capture, worker or ops", err);
    }
    if (strcmp(entry->key, "key") == 0) {
        *has_key = sp_seal_from_hex(peer->key, sizeof peer->key, entry->value, NULL) == SP_OK &&
                   sp_key_public_ok(SP_KEY_CURVE, peer->key);
        return *has_key ? SP_OK : bad_line(yaml, entry, "key is not the 64 hex digits of a public curve key", err);
    }
    return bad_line(yaml, entry, "unknown word; a peer has name, role, key, lanes", err);
}

enum sp_status sp_peer_parse(struct sp_peer *ret_peer, const char *source, const void *bytes, size_t length,
                             struct sp_err *err)
{
    struct sp_yaml *yaml = NULL;
    struct sp_peer peer;
    bool has_key = false;
    memset(&peer, 0, sizeof peer); /* padding, too: tables are compared as bytes */
    enum sp_status status = sp_yaml_parse(&yaml, source, bytes, length, err);
    for (size_t i = 0; status == SP_OK && i < yaml->count; i++)
        status = take_entry(&peer, &has_key, yaml, &yaml->entries[i], err);
    if (status == SP_OK && (!peer.name[0] || peer.role == SP_ROLE_NONE || !has_key))
        status = sp_fail(err, SP_E_FORMAT, "%s: %s is missing", source,
                         !peer.name[0]               ? "name"
                         : peer.role == SP_ROLE_NONE ? "role"
                                                     : "key");
    sp_yaml_free(&yaml);
    if (status == SP_OK)
        *ret_peer = peer;
    return status;
}

static enum sp_status read_peer(struct sp_peer *ret_peer, const char *directory, const char *file,
                                struct sp_err *err)
{
    char path[4096];
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path)
        return sp_fail(err, SP_E_LIMIT, "%s/%s: path too long", directory, file);
    enum sp_status status = sp_file_read(&bytes, &length, path, FILE_MAX, err);
    if (status == SP_OK)
        status = sp_peer_parse(ret_peer, path, bytes, length, err);
    free(bytes);
    size_t stem = strlen(file) - strlen(SUFFIX);
    if (status == SP_OK && (strlen(ret_peer->name) != stem || strncmp(ret_peer->name, file, stem) != 0))
        status = sp_fail(err, SP_E_FORMAT, "%s: the peer inside is called \"%s\"; file and name must agree", path,
                         ret_peer->name);
    return status;
}

bool sp_peer_may_use_lane(const struct sp_peer *peer, const char *lane)
{
    for (int i = 0; i < peer->lane_count; i++)
        if (strcmp(peer->lanes[i], "*") == 0 || strcmp(peer->lanes[i], lane) == 0)
            return true;
    return false;
}

/* ---- the directory ---- */

static int is_peer_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
           strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* Whether anything in the directory differs from last time, without opening a file. */
static bool directory_changed(struct sp_peers *peers, struct dirent **files, int count)
{
    uint8_t signature[32] = {0};
    int64_t now_ms = sp_clock_wall_ms();
    bool settled = true;
    for (int i = 0; i < count; i++) {
        struct {
            uint8_t before[32];
            int64_t seconds, nanoseconds, size;
            uint64_t inode;
            char name[256];
        } about;
        char path[4096];
        struct stat stat_of = {0};
        memset(&about, 0, sizeof about);
        snprintf(path, sizeof path, "%s/%s", peers->directory, files[i]->d_name);
        (void)stat(path, &stat_of); /* a file that went away meanwhile differs, too */
        memcpy(about.before, signature, sizeof signature);
        about.seconds = stat_of.st_mtim.tv_sec;
        about.nanoseconds = stat_of.st_mtim.tv_nsec;
        about.size = stat_of.st_size;
        about.inode = stat_of.st_ino;
        snprintf(about.name, sizeof about.name, "%s", files[i]->d_name);
        sp_seal_hash(signature, sizeof signature, &about, sizeof about, NULL, 0);
        if (now_ms - about.seconds * 1000 < RECENT_MS)
            settled = false;
    }
    bool same = peers->settled && memcmp(signature, peers->signature, sizeof signature) == 0;
    memcpy(peers->signature, signature, sizeof signature);
    peers->settled = settled;
    return !same;
}

static int compare_peers(const void *a, const void *b)
{
    return memcmp(((const struct sp_peer *)a)->key, ((const struct sp_peer *)b)->key, 32);
}

/* The peer with this key among `count` unsorted ones, or NULL. */
static const struct sp_peer *same_key(const struct sp_peer *table, int count, const uint8_t key[32])
{
    for (int i = 0; i < count; i++)
        if (memcmp(table[i].key, key, 32) == 0)
            return &table[i];
    return NULL;
}

/* Read all files into a new table; a damaged one is left out, the first of them named in *damage. */
static int read_table(struct sp_peer *table, const char *directory, struct dirent **files, int file_count,
                      struct sp_err *damage)
{
    int count = 0, damaged = 0;
    for (int i = 0; i < file_count; i++) {
        struct sp_err why = {0};
        const struct sp_peer *twin = NULL;
        if (read_peer(&table[count], directory, files[i]->d_name, &why) == SP_OK &&
            !(twin = same_key(table, count, table[count].key))) {
            count++;
            continue;
        }
        if (twin)
            sp_fail(&why, SP_E_FORMAT, "%s/%s: has the key of peer \"%s\"; every peer needs one of its own",
                    directory, files[i]->d_name, twin->name);
        if (damaged++ == 0)
            sp_fail(damage, SP_E_FORMAT, "%s", why.text);
    }
    if (damaged > 1) {
        size_t used = strlen(damage->text);
        snprintf(damage->text + used, sizeof damage->text - used, " (and %d more damaged files)", damaged - 1);
    }
    qsort(table, (size_t)count, sizeof *table, compare_peers);
    return count;
}

static void install(struct sp_peers *peers, struct sp_peer *table, int count)
{
    pthread_rwlock_wrlock(&peers->table);
    if (count != peers->count || (count > 0 && memcmp(table, peers->peers, (size_t)count * sizeof *table) != 0))
        peers->changed = true;
    free(peers->peers);
    peers->peers = table;
    peers->count = count;
    pthread_rwlock_unlock(&peers->table);
}

/* With `reading` held. Damage is noted, not returned: whoever calls sp_peers_refresh next is told. */
static enum sp_status reread(struct sp_peers *peers, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    struct dirent **files = NULL;
    struct sp_peer *table = NULL;
    atomic_store(&peers->next_check_ns, sp_clock_mono_ns() + CHECK_EVERY_NS);
    int count = scandir(peers->directory, &files, is_peer_file, alphasort);
    if (count < 0)
        return sp_fail_errno(err, "peer table %s: cannot read the directory", peers->directory);
    if (count > MOST_PEERS) {
        status = sp_fail(err, SP_E_LIMIT, "peer table %s: %d files, at most %d peers", peers->directory, count,
                         MOST_PEERS);
        goto fail;
    }
    if (!directory_changed(peers, files, count))
        goto fail;
    table = calloc((size_t)count + 1, sizeof *table);
    if (!table) {
        peers->settled = false;
        status = sp_fail(err, SP_E_NOMEM, "peer table %s: no memory for %d peers", peers->directory, count);
        goto fail;
    }
    struct sp_err damage = {0};
    int good = read_table(table, peers->directory, files, count, &damage);
    if (damage.status != SP_OK)
        peers->damage = damage;
    install(peers, table, good);
fail:
    for (int i = 0; i < count; i++)
        free(files[i]);
    free(files);
    return status;
}

/* ---- the table ---- */

enum sp_status sp_peers_new(struct sp_peers **ret_peers, const char *directory, struct sp_err *err)
{
    struct sp_peers *peers = calloc(1, sizeof *peers);
    if (!peers || !(peers->directory = strdup(directory))) {
        free(peers);
        return sp_fail(err, SP_E_NOMEM, "no memory for the peer table");
    }
    pthread_mutex_init(&peers->reading, NULL);
    pthread_rwlock_init(&peers->table, NULL);
    enum sp_status status = reread(peers, err);
    if (status != SP_OK)
        sp_peers_free(&peers);
    else
        *ret_peers = peers;
    return status;
}

void sp_peers_free(struct sp_peers **peers)
{
    if (!*peers)
        return;
    pthread_mutex_destroy(&(*peers)->reading);
    pthread_rwlock_destroy(&(*peers)->table);
    free((*peers)->peers);
    free((*peers)->directory);
    free(*peers);
    *peers = NULL;
}

enum sp_status sp_peers_refresh(struct sp_peers *peers, bool *ret_changed, struct sp_err *err)
{
    pthread_mutex_lock(&peers->reading);
    enum sp_status status = reread(peers, err);
    if (status == SP_OK && peers->damage.status != SP_OK)
        status = sp_fail(err, peers->damage.status, "%s", peers->damage.text);
    peers->damage.status = SP_OK;
    if (ret_changed)
        *ret_changed = peers->changed;
    peers->changed = false;
    pthread_mutex_unlock(&peers->reading);
    return status;
}

bool sp_peers_find(struct sp_peers *peers, const uint8_t key[32], struct sp_peer *ret_peer)
{
    struct sp_peer wanted;
    memcpy(wanted.key, key, sizeof wanted.key);
    if (sp_clock_mono_ns() >= atomic_load(&peers->next_check_ns) && pthread_mutex_trylock(&peers->reading) == 0) {
        (void)reread(peers, NULL); /* what cannot be read leaves the table as it stands */
        pthread_mutex_unlock(&peers->reading);
    }
    pthread_rwlock_rdlock(&peers->table);
    const struct sp_peer *found =
        peers->count ? bsearch(&wanted, peers->peers, (size_t)peers->count, sizeof wanted, compare_peers) : NULL;
    if (found && ret_peer)
        *ret_peer = *found;
    pthread_rwlock_unlock(&peers->table);
    return found != NULL;
}
